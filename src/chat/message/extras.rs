//! What a message carries beside its text.

use std::collections::{BTreeSet, HashMap};

use sea_orm::{ColumnTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QuerySelect};
use sha2::{Digest, Sha256};

use super::mention::Mentions;
use super::text::Body;
use crate::chat::attachment::MAX_PER_MESSAGE;
use crate::chat::custom::{Custom, Patch};
use crate::chat::{Argument, Error};
use crate::ids::{AttachmentId, MessageId, RoomId};
use crate::log::Append;
use crate::store::entity::message;
use crate::store::list::one_of;

/// What a message carries beside its text. Nothing by default.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// The message that it answers.
    pub(super) reply_to: Option<MessageId>,
    /// What the app keeps about it, as it is stored.
    pub(super) custom: Option<String>,
    /// The files that it is posted with.
    pub(super) attachments: Vec<AttachmentId>,
    /// Whom it mentions.
    pub(super) mentions: Mentions,
}

impl Extras {
    /// It answers this message.
    #[must_use]
    pub fn reply_to(self, message: Option<MessageId>) -> Self {
        Self { reply_to: message, ..self }
    }

    /// It mentions these.
    #[must_use]
    pub fn mentioning(self, mentions: Mentions) -> Self {
        Self { mentions, ..self }
    }

    /// The app keeps this about it.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `custom` when it is too large or too deep.
    pub fn custom(self, given: Option<Patch>) -> Result<Self, Error> {
        let custom = given.map(|given| Custom::default().patched(&given)).transpose()?;
        Ok(Self { custom: custom.and_then(Custom::into_text), ..self })
    }

    /// It is posted with these files.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `attachmentIds` for too many, and for one that is named twice.
    pub fn attachments(self, given: Vec<AttachmentId>) -> Result<Self, Error> {
        if given.len() > MAX_PER_MESSAGE {
            let problem = format!("a message has at most {MAX_PER_MESSAGE} files");
            return Err(Error::invalid(Argument::AttachmentIds, problem));
        }
        if given.iter().collect::<BTreeSet<_>>().len() < given.len() {
            return Err(Error::invalid(Argument::AttachmentIds, "must not name a file twice"));
        }
        Ok(Self { attachments: given, ..self })
    }

    /// The digest of all that a client gives of a message, by which a repeated post is told from another one. Without
    /// extras it is that of the text. Whatever is added here comes last, each part under a name of its own.
    pub(super) fn digest(&self, body: &Body) -> i64 {
        let mut parts: Vec<(&str, Vec<u8>)> = Vec::new();
        if let Some(message) = self.reply_to {
            parts.push(("replyToId", message.0.as_bytes().to_vec()));
        }
        if let Some(custom) = &self.custom {
            parts.push(("custom", custom.clone().into_bytes()));
        }
        if !self.attachments.is_empty() {
            let ids = self.attachments.iter().flat_map(|id| id.0.into_bytes()).collect();
            parts.push(("attachmentIds", ids));
        }
        parts.extend(self.mentions.digested());
        if parts.is_empty() {
            return body.digest();
        }
        let mut digest = Sha256::new();
        digest.update(body.digest().to_be_bytes());
        for (name, value) in parts {
            for part in [name.as_bytes(), &value] {
                digest.update((part.len() as u64).to_be_bytes());
                digest.update(part);
            }
        }
        let digest = digest.finalize();
        i64::from_be_bytes(std::array::from_fn(|n| digest[n]))
    }
}

/// A message that is answered.
#[derive(Clone, Copy, FromQueryResult)]
struct Answered {
    id: MessageId,
    room_id: RoomId,
    seq: i32,
    is_deleted: bool,
}

/// The messages that the posts of a batch answer.
#[derive(Default)]
pub(super) struct AnsweredMessages(HashMap<MessageId, Answered>);

impl AnsweredMessages {
    /// Looks them up: one statement, and none where nothing is answered.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn load<'e>(append: &Append, extras: impl IntoIterator<Item = &'e Extras>) -> Result<Self, DbErr> {
        let asked: BTreeSet<MessageId> = extras.into_iter().filter_map(|extras| extras.reply_to).collect();
        if asked.is_empty() {
            return Ok(Self::default());
        }
        let found = message::Entity::find()
            .select_only()
            .columns([message::Column::Id, message::Column::RoomId, message::Column::Seq])
            .column_as(message::Column::DeletedAt.is_not_null(), "is_deleted")
            .filter(one_of(append.store().backend(), message::Column::Id, asked))
            .into_model::<Answered>()
            .all(append.tx())
            .await?;
        Ok(Self(found.into_iter().map(|message| (message.id, message)).collect()))
    }

    /// `seq` of the message that is answered by a post to this room.
    ///
    /// # Errors
    /// `NotFound` when there is no such message in the room; `Conflict` when it was deleted.
    pub(super) fn seq(&self, extras: &Extras, room: RoomId) -> Result<Option<i32>, Error> {
        let Some(id) = extras.reply_to else { return Ok(None) };
        let not_found = Error::NotFound { what: "message", argument: Argument::ReplyToId };
        let answered = self.0.get(&id).filter(|answered| answered.room_id == room).ok_or(not_found)?;
        if answered.is_deleted {
            return Err(Error::Conflict { argument: Argument::ReplyToId, problem: "the message was deleted" });
        }
        Ok(Some(answered.seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::UserId;

    #[test]
    fn the_digest_covers_all_and_is_that_of_the_text_without_anything_else() {
        let body = Body::parse("hello".to_owned()).expect("a text");
        let (one, two) = (MessageId::generate(), MessageId::generate());
        let custom = |text: &str| Extras { custom: Some(text.to_owned()), ..Extras::default() };
        let (first, second) = (AttachmentId::generate(), AttachmentId::generate());
        let files = |ids: &[AttachmentId]| Extras::default().attachments(ids.to_vec()).expect("few files");
        let (ann, bob) = (UserId::generate(), UserId::generate());
        let mentioning = |users: &[UserId], room: bool| {
            let users = users.iter().copied().map(Some).collect();
            Extras::default().mentioning(Mentions::new(users, room).expect("not too many"))
        };
        let all = [
            Extras::default(),
            Extras::default().reply_to(Some(one)),
            Extras::default().reply_to(Some(two)),
            custom("{\"a\":1}"),
            custom("{\"a\":2}"),
            custom("{\"a\":1}").reply_to(Some(one)),
            files(&[first]),
            files(&[first, second]),
            files(&[second, first]),
            mentioning(&[ann], false),
            mentioning(&[bob], false),
            mentioning(&[ann, bob], false),
            mentioning(&[], true),
            mentioning(&[ann], true),
        ];
        let digests: BTreeSet<i64> = all.iter().map(|extras| extras.digest(&body)).collect();
        assert_eq!(digests.len(), all.len());
        assert_eq!(all[0].digest(&body), body.digest());
        assert_eq!(all[5].digest(&body), all[5].clone().digest(&body));
        assert_eq!(all[11].digest(&body), mentioning(&[bob, ann, bob], false).digest(&body));
    }
}
