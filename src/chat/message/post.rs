//! Posting messages.

use std::collections::{BTreeMap, HashMap};

use sea_orm::sea_query::OnConflict;
use sea_orm::{DbErr, EntityTrait, IntoActiveModel, QueryFilter};

use super::context::PostContext;
use super::text::{Body, ClientId};
use crate::chat::change::{Bulk, Change};
use crate::chat::reading::write_read_seqs;
use crate::chat::{Argument, Chat, Error, Viewer};
use crate::ids::{MessageId, RoomId, UserId};
use crate::log::{Append, Kind, NewEvent};
use crate::position::Position;
use crate::store::entity::{message, read_mark};
use crate::store::list::{ValueRows, columns, one_of};

impl Chat {
    /// Posts a message to a room that the viewer belongs to, and moves the viewer's own read mark to it.
    ///
    /// # Errors
    /// `NotFound` for a room that the viewer isn't in; `Conflict` when the client id was used with another text.
    pub async fn post(
        &self,
        viewer: &Viewer,
        room: RoomId,
        body: Body,
        client_id: Option<ClientId>,
    ) -> Result<message::Model, Error> {
        self.change(Post { author: viewer.user, room, body, client_id }).await
    }
}

/// Post a message.
#[derive(Clone)]
pub struct Post {
    author: UserId,
    room: RoomId,
    body: Body,
    client_id: Option<ClientId>,
}

/// What identifies a post besides its message id.
type ClientKey = (RoomId, UserId, String);

impl Change for Post {
    type Outcome = message::Model;
}

impl Bulk for Post {
    async fn apply_many(posts: &[&Self], append: &mut Append) -> Result<Vec<Result<message::Model, Error>>, DbErr> {
        if let Some(outcomes) = Self::write(posts, &HashMap::new(), append).await? {
            return Ok(outcomes);
        }
        let known = Self::known(posts, append).await?;
        let outcomes = Self::write(posts, &known, append).await?;
        outcomes.ok_or_else(|| DbErr::Custom("a client id appeared under the log's lock".to_owned()))
    }
}

impl Post {
    fn client_key(&self) -> Option<ClientKey> {
        self.client_id.as_ref().map(|id| (self.room, self.author, id.0.clone()))
    }

    /// Messages that were posted before under the client ids of these posts.
    async fn known(posts: &[&Self], append: &Append) -> Result<HashMap<ClientKey, message::Model>, DbErr> {
        let keys = posts.iter().filter_map(|post| post.client_key());
        let rows = ValueRows::new(keys.map(|(room, author, id)| [room.into(), author.into(), id.into()]));
        let sql = format!(
            "WITH asked (room_id, author_id, client_id) AS (VALUES {rows}) SELECT {columns} FROM asked JOIN message \
             ON message.room_id = asked.room_id AND message.author_id = asked.author_id \
             AND message.client_id = asked.client_id",
            rows = rows.sql,
            columns = columns::<message::Entity>(),
        );
        let statement = append.store().statement(&sql, rows.values);
        let known = message::Entity::find().from_raw_sql(statement).all(append.tx()).await?;
        Ok(known
            .into_iter()
            .filter_map(|message| {
                let client_id = message.client_id.clone()?;
                Some(((message.room_id, message.author_id, client_id), message))
            })
            .collect())
    }

    /// Writes the posts that are allowed and not among the `known`, which were posted before. Returns `None`, and
    /// writes nothing, if one of the others was posted before as well. Repeated posts are rare, so they are looked up
    /// only then.
    async fn write(
        posts: &[&Self],
        known: &HashMap<ClientKey, message::Model>,
        append: &mut Append,
    ) -> Result<Option<Vec<Result<message::Model, Error>>>, DbErr> {
        let mut context = PostContext::load(append, posts.iter().map(|post| (post.room, post.author))).await?;
        let mut known = known.clone();
        let mut outcomes = Vec::with_capacity(posts.len());
        let mut new: Vec<message::Model> = Vec::with_capacity(posts.len());
        let mut read: BTreeMap<(RoomId, UserId), i32> = BTreeMap::new();
        let mut caught_up: Vec<usize> = Vec::new();
        for post in posts {
            let (last_seq, read_seq) = match context.get(post.room, post.author) {
                Ok(place) => place,
                Err(refused) => {
                    outcomes.push(Err(refused));
                    continue;
                }
            };
            let key = post.client_key();
            let digest = key.is_some().then(|| post.body.digest());
            if let Some(first) = key.as_ref().and_then(|key| known.get(key)) {
                let same = first.client_digest == digest;
                let conflict =
                    Error::Conflict { argument: Argument::ClientId, problem: "was used for another message" };
                outcomes.push(if same { Ok(first.clone()) } else { Err(conflict) });
                continue;
            }
            // Kept up in `context`, so that the next post of the batch to this room gets the next number.
            *last_seq += 1;
            let seq = *last_seq;
            // Receipts need a mark only if the author had not read all messages before this one.
            if *read_seq < seq - 1 {
                caught_up.push(new.len());
            }
            *read_seq = seq;
            read.insert((post.room, post.author), seq);
            let message = message::Model {
                id: MessageId::generate(),
                room_id: post.room,
                seq,
                author_id: post.author,
                client_id: post.client_id.as_ref().map(|id| id.0.clone()),
                client_digest: digest,
                r#type: message::MessageType::Text,
                body: post.body.0.clone(),
                created_at: append.tick(),
                edited_at: None,
                deleted_at: None,
            };
            if let Some(key) = key {
                known.insert(key, message.clone());
            }
            new.push(message.clone());
            outcomes.push(Ok(message));
        }
        if !insert(&new, append).await? {
            return Ok(None);
        }
        // Events are recorded only now, because they couldn't be taken back if the insertion found a repeated post.
        let mut positions = Vec::with_capacity(new.len());
        for message in &new {
            positions.push(append.record(NewEvent::message(
                Kind::MessagePosted,
                message.room_id,
                message.id,
                message.seq,
            )));
            append.posted(message);
        }
        write_read_seqs(append, read).await?;
        write_read_marks(append, caught_up.into_iter().map(|n| (&new[n], positions[n]))).await?;
        Ok(Some(outcomes))
    }
}

/// Inserts all of these messages, or none: `false` when one was posted before under its client id.
async fn insert(messages: &[message::Model], append: &Append) -> Result<bool, DbErr> {
    if messages.is_empty() {
        return Ok(true);
    }
    let rows = messages.iter().map(|message| message.clone().into_active_model());
    let inserted = message::Entity::insert_many(rows)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(append.tx())
        .await?;
    if inserted == messages.len() as u64 {
        return Ok(true);
    }
    // Deletes those that were inserted, so that the batch can be written again once the repeated posts are known.
    let ids = one_of(append.store().backend(), message::Column::Id, messages.iter().map(|message| message.id));
    message::Entity::delete_many().filter(ids).exec(append.tx()).await?;
    Ok(false)
}

/// Records when authors caught up, by their post, with what others had written before. There is no event of its own,
/// because `MessagePosted` implies it.
async fn write_read_marks(
    append: &Append,
    posts: impl Iterator<Item = (&message::Model, Position)>,
) -> Result<(), DbErr> {
    let marks: Vec<_> = posts
        .map(|(message, position)| {
            read_mark::Model {
                room_id: message.room_id,
                user_id: message.author_id,
                seq: message.seq,
                at: message.created_at,
                position,
            }
            .into_active_model()
        })
        .collect();
    read_mark::Entity::insert_many(marks).exec_without_returning(append.tx()).await?;
    Ok(())
}
