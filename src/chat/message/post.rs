//! Posting messages.

use std::collections::HashMap;

use sea_orm::{DbErr, EntityTrait};

use super::context::{Place, PostContext};
use super::extras::{AnsweredMessages, Extras};
use super::mention::{self, Mentionable};
use super::text::{Body, ClientId};
use crate::chat::attachment::attach::PostedFiles;
use crate::chat::change::{Bulk, Change};
use crate::chat::report::report_by_words;
use crate::chat::room::bring_back;
use crate::chat::words::Verdict;
use crate::chat::{Argument, Chat, Error, Viewer};
use crate::ids::{MessageId, RoomId, UserId};
use crate::log::{Append, Kind, NewEvent};
use crate::store::entity::{message, read_mark};
use crate::store::list::{Rows, columns};

impl Chat {
    /// Posts a message to a room that the viewer belongs to, and moves the viewer's own read mark to it. With `seen_seq`,
    /// the last message that the viewer had seen, the mark moves only up to that, unless nothing lies between. Whoever had
    /// hidden the room has it back.
    ///
    /// # Errors
    /// `NotFound` for a room that the viewer isn't in, and for a message to answer that isn't in it; `Conflict` when the client
    /// id was used for another message, for a deleted message to answer, and for a file that isn't uploaded or belongs to another
    /// message; `Invalid` when others than members are mentioned;
    /// [`Reason::ModeratorNeeded`](crate::chat::Reason::ModeratorNeeded) to mention a large room;
    /// [`Reason::NobodyThere`](crate::chat::Reason::NobodyThere) when all others have left;
    /// [`Reason::Blocked`](crate::chat::Reason::Blocked) between two of whom one has blocked the other;
    /// [`Reason::RefusedWord`](crate::chat::Reason::RefusedWord) of the list of words;
    /// [`Reason::TimedOut`](crate::chat::Reason::TimedOut); [`Error::SlowMode`]; `Invalid` when `seen_seq` is negative.
    pub async fn post(
        &self,
        viewer: &Viewer,
        room: RoomId,
        body: Body,
        client_id: Option<ClientId>,
        seen_seq: Option<i32>,
        extras: Extras,
    ) -> Result<message::Model, Error> {
        if seen_seq.is_some_and(i32::is_negative) {
            return Err(Error::invalid(Argument::SeenSeq, "must not be negative"));
        }
        let verdict = self.judge(&body);
        self.change(Post { author: viewer.user, room, body, verdict, client_id, seen_seq, extras }).await
    }
}

/// Post a message.
#[derive(Clone)]
pub struct Post {
    author: UserId,
    room: RoomId,
    body: Body,
    /// What the list of words says of the text.
    verdict: Verdict,
    client_id: Option<ClientId>,
    /// Up to where the author had seen the room. `None`: all of it.
    seen_seq: Option<i32>,
    extras: Extras,
}

/// What identifies a post besides its message id.
type ClientKey = (RoomId, UserId, String);

impl Change for Post {
    type Outcome = message::Model;
}

impl Bulk for Post {
    async fn apply_many(posts: &[&Self], append: &mut Append) -> Result<Vec<Result<message::Model, Error>>, DbErr> {
        let places = posts.iter().map(|post| Place {
            room: post.room,
            author: post.author,
            client_id: post.client_id.as_ref().map(|id| &*id.0),
        });
        let mut context = PostContext::load(append, places).await?;
        // Repeated posts are rare, so they are fetched only when there are any.
        let known = if context.has_repeated { Self::known(posts, append).await? } else { HashMap::new() };
        let answered = AnsweredMessages::load(append, posts.iter().map(|post| &post.extras)).await?;
        let mentionable = Mentionable::of_posts(posts, append).await?;
        let files = posts.iter().flat_map(|post| post.extras.attachments.iter().copied());
        let mut files = PostedFiles::load(append, files).await?;
        let outcomes = Self::write(posts, known, (&answered, &mentionable, &mut files), &mut context, append);
        files.write(append).await?;
        let reported = posts.iter().zip(&outcomes).filter(|(post, _)| post.verdict.reported);
        let reported: Vec<_> =
            reported.filter_map(|(post, outcome)| Some((outcome.as_ref().ok()?, &*post.body.0))).collect();
        report_by_words(append, &reported).await?;
        Ok(outcomes)
    }
}

impl Post {
    fn client_key(&self) -> Option<ClientKey> {
        self.client_id.as_ref().map(|id| (self.room, self.author, id.0.clone()))
    }

    /// Whom it is to mention, and where.
    pub(super) fn mentioned(&self) -> impl Iterator<Item = (RoomId, UserId)> {
        self.extras.mentions.users.iter().map(|user| (self.room, *user))
    }

    /// Refuses to mention others than members, and the room for those who may not.
    fn expect_may_mention(&self, mentionable: &Mentionable, context: &PostContext) -> Result<(), Error> {
        let mentions = &self.extras.mentions;
        if mentions.room {
            context.expect_may_mention_room(self.room, self.author)?;
        }
        mentionable.expect(mentions, self.room, self.author)
    }

    /// Messages that were posted before under the client ids of these posts.
    async fn known(posts: &[&Self], append: &Append) -> Result<HashMap<ClientKey, message::Model>, DbErr> {
        let keys = posts.iter().filter_map(|post| post.client_key());
        let rows =
            Rows::new(append.store().backend(), keys.map(|(room, author, id)| [room.into(), author.into(), id.into()]));
        let sql = format!(
            "WITH asked (room_id, author_id, client_id) AS ({rows}) SELECT {columns} FROM asked JOIN message \
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

    /// Writes the posts that are allowed and not among the `known`, which were posted before.
    fn write(
        posts: &[&Self],
        mut known: HashMap<ClientKey, message::Model>,
        (answered, mentionable, files): (&AnsweredMessages, &Mentionable, &mut PostedFiles),
        context: &mut PostContext,
        append: &mut Append,
    ) -> Vec<Result<message::Model, Error>> {
        let mut outcomes = Vec::with_capacity(posts.len());
        for post in posts {
            if let Err(refused) = context.get(post.room, post.author) {
                outcomes.push(Err(refused));
                continue;
            }
            let key = post.client_key();
            let digest = key.is_some().then(|| post.extras.digest(&post.body));
            if let Some(first) = key.as_ref().and_then(|key| known.get(key)) {
                let same = first.client_digest == digest;
                let conflict =
                    Error::Conflict { argument: Argument::ClientId, problem: "was used for another message" };
                outcomes.push(if same { Ok(first.clone()) } else { Err(conflict) });
                continue;
            }
            let allowed = context
                .expect_may_post(post.room, post.author)
                .and_then(|()| context.expect_not_blocked(post.room, post.author))
                .and_then(|()| context.reaches_anybody(post.room))
                .and_then(|()| post.verdict.expect_not_refused())
                .and_then(|()| context.expect_paced(post.room, post.author, append.now()))
                .and_then(|()| files.expect_loose(&post.extras.attachments, post.author, append.now()))
                .and_then(|()| post.expect_may_mention(mentionable, context))
                .and_then(|()| answered.seq(&post.extras, post.room));
            let place = allowed.map(|reply_to_seq| (reply_to_seq, context.bring_back(post.room)));
            let place = place.and_then(|(reply, hidden)| Ok((reply, hidden, context.get(post.room, post.author)?)));
            let (reply_to_seq, hidden, (last_seq, read_seq)) = match place {
                Ok(place) => place,
                Err(refused) => {
                    outcomes.push(Err(refused));
                    continue;
                }
            };
            for hidden in hidden {
                bring_back(append, post.room, hidden.user_id, hidden.muted);
            }
            // Kept up in `context`, so that the next post of the batch to this room gets the next number.
            *last_seq += 1;
            let seq = *last_seq;
            let all_before = seq - 1;
            let seen = post.seen_seq.map_or(all_before, |seen| seen.min(all_before)).max(*read_seq);
            let author_behind = seen < all_before;
            // Receipts need a mark only for what the author had not marked as read before.
            let catches_up = seen > *read_seq;
            let read_now = if author_behind { seen } else { seq };
            if read_now > *read_seq {
                *read_seq = read_now;
                append.move_read_seq(post.room, post.author, read_now);
            }
            let (id, created_at) = (MessageId::generate(), append.tick());
            let position = append.record(NewEvent::message(Kind::MessagePosted, post.room, id, seq));
            let message = message::Model {
                id,
                room_id: post.room,
                seq,
                author_id: post.author,
                client_id: post.client_id.as_ref().map(|id| id.0.clone()),
                client_digest: digest,
                r#type: message::MessageType::Text,
                // The digest is of the text before masking, so that posting it again is the same under another list.
                body: post.verdict.masked.as_ref().unwrap_or(&post.body.0).clone(),
                created_at,
                edited_at: None,
                deleted_at: None,
                author_behind,
                position: Some(position),
                reply_to_seq,
                custom: post.extras.custom.clone(),
                attachment_count: i16::try_from(post.extras.attachments.len()).unwrap_or(i16::MAX),
                mentions: post.extras.mentions.stored(post.author),
                mentions_room: post.extras.mentions.room,
            };
            mention::record(append, &message);
            files.post(&post.extras.attachments, message.room_id, message.id);
            if context.posted(message.room_id, message.author_id, message.created_at) {
                append.posted_at(message.room_id, message.author_id, message.created_at);
            }
            if let Some(key) = key {
                known.insert(key, message.clone());
            }
            if catches_up {
                // There is no event of its own, because `MessagePosted` implies it.
                append.mark(read_mark::Model {
                    room_id: message.room_id,
                    user_id: message.author_id,
                    seq: read_now,
                    at: message.created_at,
                    position,
                });
            }
            append.post(message.clone());
            outcomes.push(Ok(message));
        }
        outcomes
    }
}
