//! Posting files with a message, and their going with it.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, Set, Value};

use super::LOOSE;
use crate::chat::{Argument, Error};
use crate::ids::{AttachmentId, MessageId, RoomId, UserId};
use crate::log::Append;
use crate::store::entity::attachment::{self, AttachmentState};
use crate::store::list::{ROWS_PER_STATEMENT, Rows, one_of};
use crate::store::{Store, Transaction};

/// The files that the posts of a batch name.
#[derive(Default)]
pub(in crate::chat) struct PostedFiles {
    known: HashMap<AttachmentId, attachment::Model>,
    /// Where each belongs from here on.
    posted: Vec<[Value; 4]>,
}

impl PostedFiles {
    /// Looks them up: one statement, and none where no files are posted.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::chat) async fn load(
        append: &Append,
        asked: impl IntoIterator<Item = AttachmentId>,
    ) -> Result<Self, DbErr> {
        let asked: BTreeSet<AttachmentId> = asked.into_iter().collect();
        if asked.is_empty() {
            return Ok(Self::default());
        }
        let asked = one_of(append.store().backend(), attachment::Column::Id, asked);
        let found = attachment::Entity::find().filter(asked).all(append.tx()).await?;
        Ok(Self { known: found.into_iter().map(|row| (row.id, row)).collect(), posted: Vec::new() })
    }

    /// Checks that this author may post these files now.
    ///
    /// # Errors
    /// `NotFound` when there is none, or it is another's; `Conflict` when it isn't uploaded, or belongs to a message.
    pub(in crate::chat) fn expect_loose(
        &self,
        files: &[AttachmentId],
        author: UserId,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let argument = Argument::AttachmentIds;
        for id in files {
            let row = self.known.get(id).filter(|row| row.owner_id == author && row.deleted_at.is_none());
            let row = row.filter(|row| row.message_id.is_some() || row.created_at + LOOSE > now);
            let row = row.ok_or(Error::NotFound { what: "attachment", argument })?;
            if row.message_id.is_some() {
                return Err(Error::Conflict { argument, problem: "the file belongs to a message already" });
            }
            if row.state != AttachmentState::Ready {
                return Err(Error::Conflict { argument, problem: "the file isn't uploaded yet" });
            }
        }
        Ok(())
    }

    /// Notes that these files belong to this message.
    pub(in crate::chat) fn post(&mut self, files: &[AttachmentId], room: RoomId, message: MessageId) {
        for (place, id) in (0_i16..).zip(files) {
            if let Some(row) = self.known.get_mut(id) {
                row.message_id = Some(message);
            }
            self.posted.push([(*id).into(), room.into(), message.into(), place.into()]);
        }
    }

    /// Writes where they belong: one statement, and none where no files were posted.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::chat) async fn write(self, append: &Append) -> Result<(), DbErr> {
        for posted in self.posted.chunks(ROWS_PER_STATEMENT) {
            let rows = Rows::new(append.store().backend(), posted.iter().cloned());
            let sql = format!(
                "WITH posted (id, room_id, message_id, place) AS ({}) UPDATE attachment SET room_id = posted.room_id, \
                 message_id = posted.message_id, place = posted.place FROM posted WHERE attachment.id = posted.id",
                rows.sql
            );
            append.tx().execute_raw(append.store().statement(&sql, rows.values)).await?;
        }
        Ok(())
    }
}

/// Deletes the files of these messages. Nobody can fetch them any more; what is left of them is collected.
///
/// # Errors
/// When the database fails.
pub(in crate::chat) async fn forget(
    store: &Store,
    tx: &Transaction,
    messages: &[MessageId],
    now: DateTime<Utc>,
) -> Result<(), DbErr> {
    for messages in messages.chunks(ROWS_PER_STATEMENT) {
        let theirs = one_of(store.backend(), attachment::Column::MessageId, messages.iter().copied());
        delete(tx, Condition::all().add(theirs), now).await?;
    }
    Ok(())
}

/// Deletes all files of a user who is deleted.
///
/// # Errors
/// When the database fails.
pub(in crate::chat) async fn forget_user(append: &Append, user: UserId) -> Result<(), DbErr> {
    delete(append.tx(), Condition::all().add(attachment::Column::OwnerId.eq(user)), append.now()).await
}

/// Deletes these files, and what is told of them.
pub(super) async fn delete(tx: &Transaction, which: Condition, now: DateTime<Utc>) -> Result<(), DbErr> {
    let gone = attachment::ActiveModel {
        name: Set(String::new()),
        sha256: Set(None),
        thumbhash: Set(None),
        deleted_at: Set(Some(now)),
        ..Default::default()
    };
    let living = which.add(attachment::Column::DeletedAt.is_null());
    attachment::Entity::update_many().set(gone).filter(living).exec(tx).await?;
    Ok(())
}
