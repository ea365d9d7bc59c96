//! Blocking: between two of whom one has blocked the other nothing new is said. In larger rooms nothing changes: what
//! everybody is shown there can't differ from one to the other, and clients hide what their user doesn't want to see.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, Condition, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::change::{Alone, Change};
use super::invite::close;
use super::user::UserRef;
use super::{Argument, Chat, Error, Slice, Viewer, Window};
use crate::ids::UserId;
use crate::log::{Append, NewEvent};
use crate::store::entity::{block, user};

/// The most users whom a user may block.
const MAX_BLOCKS: u64 = 10_000;

impl Chat {
    /// Has the viewer block another, or no longer. Returns the other. What is so already changes nothing.
    ///
    /// # Errors
    /// `Invalid` for the viewer; `NotFound` for one whom the viewer neither sees nor blocks; `Conflict` when the viewer
    /// blocks as many users as a user may.
    pub async fn block_user(&self, viewer: &Viewer, other: &UserRef, blocked: bool) -> Result<user::Model, Error> {
        let named = Condition::any().add(self.visible_condition(viewer)).add(block::Entity::blocks(viewer.user));
        let found = user::Entity::present().filter(other.condition()).filter(named).one(self.store.read()).await?;
        let other = found.ok_or(Error::NotFound { what: "user", argument: Argument::UserId })?;
        if other.id == viewer.user {
            return Err(Error::invalid(Argument::UserId, "must be another user"));
        }
        self.change(BlockUser { user: viewer.user, other: other.id, blocked }).await?;
        Ok(other)
    }

    /// Those whom the viewer blocks and whose accounts are still there, in the order of their ids.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn blocked_users(&self, viewer: &Viewer, window: &Window<UserId>) -> Result<Slice<user::Model>, Error> {
        let mut blocks = block::Entity::find()
            .find_also_related(user::Entity)
            .filter(block::Column::UserId.eq(viewer.user))
            .filter(user::Column::DeletedAt.is_null());
        if let Some(after) = window.after {
            blocks = blocks.filter(block::Column::BlockedId.gt(after));
        }
        let limit = u64::from(window.limit) + 1;
        let found = blocks.order_by_asc(block::Column::BlockedId).limit(limit).all(self.store.read()).await?;
        Ok(Slice::probed(found.into_iter().filter_map(|(_, user)| user).collect(), window))
    }
}

/// Block a user, or no longer.
pub struct BlockUser {
    user: UserId,
    other: UserId,
    blocked: bool,
}

impl Change for BlockUser {
    type Outcome = ();
}

impl Alone for BlockUser {
    async fn apply(&self, append: &mut Append) -> Result<(), Error> {
        let present = block::Entity::find_by_id((self.user, self.other)).one(append.tx()).await?;
        if present.is_some() == self.blocked {
            return Ok(());
        }
        if self.blocked {
            // Either account may have been deleted while this waited.
            let both = user::Entity::present().filter(user::Column::Id.is_in([self.user, self.other]));
            if both.count(append.tx()).await? < 2 {
                return Err(Error::NotFound { what: "user", argument: Argument::UserId });
            }
            let blocks = block::Entity::find().filter(block::Column::UserId.eq(self.user)).count(append.tx()).await?;
            if blocks >= MAX_BLOCKS {
                let problem = "you block as many users as a user may; unblock some first";
                return Err(Error::Conflict { argument: Argument::UserId, problem });
            }
            let block = block::Model { user_id: self.user, blocked_id: self.other, at: append.now() };
            block.into_active_model().insert(append.tx()).await?;
            close::between(append, self.other, self.user).await?;
        } else {
            block::Entity::delete_by_id((self.user, self.other)).exec(append.tx()).await?;
        }
        append.record(NewEvent::blocks_changed(self.user, self.other));
        Ok(())
    }
}
