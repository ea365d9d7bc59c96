//! Changing the password: all other sessions end with it.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Set};

use super::password::{Password, Verdict};
use crate::chat::change::{Alone, Change};
use crate::chat::session::RevokeOthers;
use crate::chat::{Argument, Chat, Error, Viewer};
use crate::ids::{SessionId, UserId};
use crate::log::Append;
use crate::store::entity::user;
use crate::store::list::ROWS_PER_STATEMENT;

impl Chat {
    /// Changes the viewer's password, and ends all sessions of the viewer's but the one that asks. Returns how many there
    /// were.
    ///
    /// # Errors
    /// [`Error::WrongPassword`] when `current` isn't the password, or there is none; [`Error::Invalid`] of `newPassword`;
    /// [`Error::Forbidden`] when the viewer's token was minted without a session.
    pub async fn change_password(&self, viewer: &Viewer, current: String, new: &str) -> Result<u64, Error> {
        let new = Password::parse(new, Argument::NewPassword)?;
        let keep = viewer.session.ok_or(Error::Forbidden("this token has no session that could stay"))?;
        let old = self.me(viewer).await?.password_hash;
        if self.passwords.verify(current, old.clone()).await? == Verdict::Wrong {
            tracing::warn!(user = %viewer.user, "changing the password failed: wrong password");
            return Err(Error::WrongPassword);
        }
        let new = self.passwords.hash(new).await?;
        let ended = self.end_sessions(viewer.user, ChangePassword { user: viewer.user, keep, old, new }).await?;
        // More than a step of them: the rest.
        let rest = if ended < ROWS_PER_STATEMENT as u64 { 0 } else { self.end_others(viewer.user, keep).await? };
        Ok(ended + rest)
    }
}

/// Replaces a user's password, and ends the user's other sessions as [`RevokeOthers`] does. The outcome is how many.
pub struct ChangePassword {
    user: UserId,
    keep: SessionId,
    /// The hash of the password as it was verified.
    old: Option<String>,
    /// The hash of the next one.
    new: String,
}

impl Change for ChangePassword {
    type Outcome = u64;
}

impl Alone for ChangePassword {
    async fn apply(&self, append: &mut Append) -> Result<u64, Error> {
        let changed = user::Entity::update_many()
            .set(user::ActiveModel { password_hash: Set(Some(self.new.clone())), ..Default::default() })
            .filter(user::Column::Id.eq(self.user))
            .filter(user::Column::DeletedAt.is_null())
            .filter(user::Column::PasswordHash.eq(self.old.clone()))
            .exec(append.tx())
            .await?;
        if changed.rows_affected == 0 {
            // It was changed meanwhile.
            return Err(Error::WrongPassword);
        }
        // Who signs in with the old password either has opened a session by now, which ends here, or finds another hash
        // and is refused (`Chat::sign_in`).
        Ok(RevokeOthers { user: self.user, keep: self.keep }.write(append).await?)
    }
}
