//! Reads the truth from the database.

use std::collections::{HashMap, HashSet};

use parlor::ids::{RoomId, UserId};
use parlor::log::Kind;
use parlor::store::entity::{event, message, room};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};

use crate::data::Data;
use crate::oracle::{Findings, Post, Receiver, Truth};

/// Compares what these receivers received with the database.
///
/// # Panics
/// As [`read`] does.
pub async fn judge(data: &Data, receivers: &[Receiver]) -> Findings {
    let db = data.connect().await;
    let truth = read(&db).await;
    db.close().await.expect("the connection closes");
    truth.judge(&[], receivers)
}

/// The positions at which messages were posted, by the message.
///
/// # Panics
/// When the log can't be read.
pub async fn positions(db: &DatabaseConnection) -> HashMap<String, i64> {
    let posted = event::Entity::find().filter(event::Column::Kind.eq(Kind::MessagePosted));
    let posted = posted.all(db).await.expect("the log can be read");
    posted.iter().filter_map(|event| Some((event.message_id?.to_string(), event.position.0))).collect()
}

/// The whole log as the oracle needs it.
///
/// # Panics
/// When positions or seqs have holes, because such a log can't be judged.
pub async fn read(db: &DatabaseConnection) -> Truth {
    let events =
        event::Entity::find().order_by_asc(event::Column::Position).all(db).await.expect("the log can be read");
    let messages = message::Entity::find().all(db).await.expect("the messages can be read");
    let messages: HashMap<_, _> = messages.into_iter().map(|message| (message.id, message)).collect();
    // What was posted there is deleted, and no client of the load was there.
    let gone = room::Entity::find().filter(room::Column::DeletedAt.is_not_null()).all(db).await;
    let gone: HashSet<RoomId> = gone.expect("the rooms can be read").into_iter().map(|room| room.id).collect();
    let mut truth = Truth::default();
    let mut numbers: HashMap<RoomId, i32> = HashMap::new();
    let mut expected = None;
    for event in events {
        let position = event.position.0;
        let about = event.subject_id.map(|it| UserId(it).to_string()).unwrap_or_default();
        let place = event.room().map(|room| room.to_string()).unwrap_or_default();
        let whose = event.user_id.map(|user| user.to_string()).unwrap_or_default();
        truth.log.insert(position, format!("{:?} {place} {whose} {about} {:?}", event.kind, event.seq));
        assert_eq!(position, expected.unwrap_or(position), "the log has a hole");
        expected = Some(position + 1);
        match event.kind {
            Kind::MessagePosted => {
                let (Some(room), Some(id), Some(seq)) = (event.room_id, event.message_id, event.seq) else {
                    panic!("a posted message has no room, id or number at {position}");
                };
                if gone.contains(&room) {
                    continue;
                }
                let message = messages.get(&id).unwrap_or_else(|| panic!("the message at {position} is not there"));
                assert_eq!((message.room_id, message.seq), (room, seq), "message and event differ at {position}");
                let number = numbers.entry(room).or_insert(seq - 1);
                *number += 1;
                assert_eq!(seq, *number, "the numbers of {room} have a hole at {position}");
                let post = Post {
                    message: id.to_string(),
                    room: room.to_string(),
                    author: message.author_id.to_string(),
                    client_id: message.client_id.clone(),
                    seq: seq.into(),
                };
                truth.posts.insert(position, post);
            }
            Kind::RoomJoined => {
                let (Some(user), Some(room)) = (event.user_id, event.room()) else { continue };
                let stays = truth.stays.entry((user.to_string(), room.to_string())).or_default();
                stays.push(position..i64::MAX);
            }
            Kind::RoomHidden => {
                let (Some(user), Some(room)) = (event.user_id, event.room()) else { continue };
                end(&mut truth, &user.to_string(), &room.to_string(), position);
            }
            Kind::MemberLeft | Kind::MemberRemoved | Kind::MemberBanned => {
                let (Some(room), Some(user)) = (event.room_id, event.subject_id.map(UserId)) else { continue };
                end(&mut truth, &user.to_string(), &room.to_string(), position);
            }
            _ => {}
        }
    }
    truth
}

fn end(truth: &mut Truth, user: &str, room: &str, position: i64) {
    let stays = truth.stays.get_mut(&(user.to_owned(), room.to_owned()));
    if let Some(stay) = stays.and_then(|stays| stays.last_mut()) {
        stay.end = position;
    }
}
