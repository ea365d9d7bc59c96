//! Telling a webhook again.

use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, Set};

use super::{Told, find};
use crate::chat::{Argument, Chat, Error, ServerKey};
use crate::ids::WebhookId;
use crate::log::replay::Resync;
use crate::log::{replay, resume};
use crate::position::{Cursor, Resume};
use crate::store::entity::webhook::consumer_of;
use crate::store::entity::{consumer, webhook, webhook_failure};

/// What a webhook is told again.
#[derive(Clone, Copy, Debug)]
pub enum Again {
    /// Everything after this cursor.
    After(Resume),
    /// One event that its receiver has refused.
    Failure(Resume),
}

impl Chat {
    /// Has a webhook be told again: everything after a cursor, or one event that was refused, soon.
    ///
    /// # Errors
    /// `NotFound` when there is no such webhook, or no such failure; `Conflict` when the log doesn't hold the cursor any
    /// more, or never did.
    pub async fn replay_webhook(&self, _: &ServerKey, id: WebhookId, again: Again) -> Result<Told, Error> {
        match again {
            Again::After(after) => {
                let after = self.kept(after).await?;
                self.move_webhook(id, after).await?;
            }
            Again::Failure(failure) => {
                let not_found = Error::NotFound { what: "failure", argument: Argument::Failure };
                let Ok(failure) = resume::cursor(failure, &self.store).await? else { return Err(not_found) };
                let tx = self.store.begin_write().await?;
                // With another version its worker begins anew, and looks for what is due.
                let webhook = find(&tx, id).await?;
                let version = webhook.version + 1;
                webhook::ActiveModel { version: Set(version), ..webhook.into_active_model() }.update(&tx).await?;
                let due = webhook_failure::ActiveModel { next_at: Set(Some(self.clock.now())), ..Default::default() };
                let due = webhook_failure::Entity::update_many()
                    .set(due)
                    .filter(webhook_failure::Column::WebhookId.eq(id))
                    .filter(webhook_failure::Column::Position.eq(failure.position))
                    .filter(webhook_failure::Column::Tag.eq(failure.tag))
                    .exec(&tx)
                    .await?;
                if due.rows_affected == 0 {
                    return Err(not_found);
                }
                tx.commit().await?;
            }
        }
        if let Some(parts) = self.webhook_parts() {
            parts.changed().notify_one();
        }
        self.told(id).await
    }

    /// The cursor, if the log holds it.
    pub(crate) async fn kept(&self, asked: Resume) -> Result<Cursor, Error> {
        let conflict = |problem| Error::Conflict { argument: Argument::After, problem };
        let cursor =
            resume::cursor(asked, &self.store).await?.map_err(|_| conflict("this log never had this cursor"))?;
        match replay::standing(&self.store, cursor).await? {
            None => Ok(cursor),
            Some(Resync::Expired) => Err(conflict("what came after this cursor is not kept any more")),
            Some(_) => Err(conflict("this log never had this cursor")),
        }
    }

    async fn move_webhook(&self, id: WebhookId, after: Cursor) -> Result<(), Error> {
        let tx = self.store.begin_write().await?;
        let webhook = find(&tx, id).await?;
        let version = webhook.version + 1;
        let mut change = webhook.into_active_model();
        change.version = Set(version);
        change.update(&tx).await?;
        // What was refused after that comes again.
        webhook_failure::Entity::delete_many()
            .filter(webhook_failure::Column::WebhookId.eq(id))
            .filter(webhook_failure::Column::Position.gt(after.position))
            .exec(&tx)
            .await?;
        consumer::Entity::delete_by_id(consumer_of(id)).exec(&tx).await?;
        let now = self.clock.now();
        let place =
            consumer::Model { name: consumer_of(id), position: after.position, tag: after.tag, updated_at: now };
        place.into_active_model().insert(&tx).await?;
        tx.commit().await?;
        Ok(())
    }
}
