//! Users: finding them here; their accounts in files of their own.

use sea_orm::{ColumnTrait, Condition, QueryFilter, QueryOrder, QuerySelect, Select};

use super::{Argument, Chat, Directory, Error, ServerKey, Slice, Viewer, Window};
use crate::ids::UserId;
use crate::store::entity::{member, user};
use crate::store::list::one_of;

mod account;
mod change_password;
mod deletion;
mod erasure;
mod held_names;
pub(in crate::chat) mod hosted;
pub(crate) mod password;
mod reference;
mod upsert;

pub use account::{NewAccount, Username};
pub use change_password::ChangePassword;
pub use deletion::{DeleteUser, OwnMessages};
pub use erasure::EraseMessages;
pub use held_names::HeldNames;
pub use reference::{InvalidUserRef, UserRef};
pub use upsert::{MAX_UPSERTED, Upsert, UpsertOutcome, UserInput};

/// The most characters of a search.
pub const MAX_SEARCH_CHARS: usize = 64;

impl Chat {
    /// The viewer's own account.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when it was deleted meanwhile.
    pub async fn me(&self, viewer: &Viewer) -> Result<user::Model, Error> {
        let me = user::Entity::present().filter(user::Column::Id.eq(viewer.user)).one(self.store.read()).await?;
        me.ok_or(Error::Unauthenticated)
    }

    /// One user whom the viewer may see. `None`: there is no such user (any more).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user(&self, viewer: &Viewer, user: &UserRef) -> Result<Option<user::Model>, Error> {
        Ok(self.visible_to(viewer).filter(user.condition()).one(self.store.read()).await?)
    }

    /// Those of these users whom the viewer may see; duplicates are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn visible_users(&self, viewer: &Viewer, users: &[UserId]) -> Result<Vec<UserId>, Error> {
        if users.is_empty() || self.shows_all_to(viewer) {
            return Ok(users.to_vec());
        }
        let among = one_of(self.store.backend(), user::Column::Id, users.iter().copied());
        let visible = self.visible_to(viewer).filter(among).select_only().column(user::Column::Id);
        Ok(visible.into_tuple().all(self.store.read()).await?)
    }

    /// The users whom the viewer may see: by whatever way a user is named, it is asked here.
    fn visible_to(&self, viewer: &Viewer) -> Select<user::Entity> {
        let present = user::Entity::present();
        if self.shows_all_to(viewer) {
            present
        } else {
            present.filter(member::Entity::shares_room_with(user::Column::Id, viewer.user))
        }
    }

    fn shows_all_to(&self, viewer: &Viewer) -> bool {
        viewer.acted_for || self.policy.directory == Directory::All
    }

    /// The user whom the app knows by this id, for a server key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_by_external_id(&self, _: &ServerKey, id: &str) -> Result<Option<user::Model>, Error> {
        if !reference::is_external_id(id) {
            return Ok(None);
        }
        let found = user::Entity::present().filter(user::Column::ExternalId.eq(id));
        Ok(found.one(self.store.read()).await?)
    }

    /// People whom the viewer may find, by username, in byte order. With `search`, those whose username or display name begins with it,
    /// regardless of case.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `search` when it is longer than [`MAX_SEARCH_CHARS`], and of it, `after` or `before` when
    /// it holds control characters.
    pub async fn find_people(
        &self,
        viewer: &Viewer,
        search: Option<&str>,
        window: &Window<String>,
    ) -> Result<Slice<user::Model>, Error> {
        let mut people = self.visible_to(viewer).filter(named(search.unwrap_or_default())?);
        if self.policy.directory == Directory::None && !viewer.acted_for {
            people = people.filter(user::Column::Id.eq(viewer.user));
        }
        if let Some(after) = &window.after {
            printable(Argument::After, after)?;
            people = people.filter(user::Column::Username.gt(after));
        }
        if let Some(before) = &window.before {
            printable(Argument::Before, before)?;
            people = people.filter(user::Column::Username.lt(before));
        }
        people = if window.from_end {
            people.order_by_desc(user::Column::Username)
        } else {
            people.order_by_asc(user::Column::Username)
        };
        let found = people.limit(u64::from(window.limit) + 1).all(self.store.read()).await?;
        Ok(Slice::probed(found, window))
    }

    /// Those of these users who still exist, in no particular order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users_by_id(&self, ids: &[UserId]) -> Result<Vec<user::Model>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let among = one_of(self.store.backend(), user::Column::Id, ids.iter().copied());
        Ok(user::Entity::present().filter(among).all(self.store.read()).await?)
    }
}

/// Username or display name begins with `search`. Ranges rather than LIKE, so that an index serves them, and `%` and
/// `_` stand for themselves.
fn named(search: &str) -> Result<Condition, Error> {
    let search = search.trim();
    if search.chars().count() > MAX_SEARCH_CHARS {
        return Err(Error::invalid(Argument::Search, format!("must have at most {MAX_SEARCH_CHARS} characters")));
    }
    printable(Argument::Search, search)?;
    if search.is_empty() {
        return Ok(Condition::all());
    }
    let first = search.to_lowercase();
    let end = format!("{first}{}", char::MAX);
    let begins = |column: user::Column| Condition::all().add(column.gte(&first)).add(column.lt(&end));
    Ok(Condition::any().add(begins(user::Column::Username)).add(begins(user::Column::SearchName)))
}

/// Refuses control characters. PostgreSQL accepts no text with a NUL in it, so the argument is refused here rather than
/// as a failure of the database.
fn printable(argument: Argument, text: &str) -> Result<(), Error> {
    if text.contains(char::is_control) {
        return Err(Error::invalid(argument, "must not hold control characters"));
    }
    Ok(())
}
