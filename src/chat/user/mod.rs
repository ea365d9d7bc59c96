//! Users: finding them here; their accounts in files of their own.

use sea_orm::{ColumnTrait, Condition, QueryFilter, QuerySelect, Select};

use super::{Chat, Directory, Error, ServerKey, Viewer};
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
mod profile;
mod reference;
mod returning;
mod search;
mod upsert;

pub use account::{NewAccount, Username};
pub use change_password::ChangePassword;
pub use deletion::{DeleteUser, OwnMessages};
pub use erasure::EraseMessages;
pub use held_names::HeldNames;
pub use profile::{ProfileInput, UpdateProfile};
pub(in crate::chat) use reference::is_external_id;
pub use reference::{InvalidUserRef, UserRef};
pub use search::{FoundUser, UserMatch, UserPlace};
pub(in crate::chat) use upsert::avatar_url;
pub use upsert::{MAX_UPSERTED, Upsert, UpsertOutcome, UserInput};

impl Chat {
    /// The viewer's own account.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when it was deleted meanwhile.
    pub async fn me(&self, viewer: &Viewer) -> Result<user::Model, Error> {
        let me = user::Entity::present().filter(user::Column::Id.eq(viewer.user));
        self.store.read().model(me).await?.ok_or(Error::Unauthenticated)
    }

    /// One user whom the viewer may see. `None`: there is no such user (any more).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user(&self, viewer: &Viewer, user: &UserRef) -> Result<Option<user::Model>, Error> {
        Ok(self.store.read().model(self.visible_to(viewer).filter(user.condition())).await?)
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
        user::Entity::present().filter(self.visible_condition(viewer))
    }

    /// Whether the viewer may see a user who is there.
    pub(in crate::chat) fn visible_condition(&self, viewer: &Viewer) -> Condition {
        if self.shows_all_to(viewer) {
            Condition::all()
        } else {
            member::Entity::shares_room_with(user::Column::Id, viewer.user)
        }
    }

    /// The users among whom the viewer may search.
    fn findable_by(&self, viewer: &Viewer) -> Select<user::Entity> {
        let visible = self.visible_to(viewer);
        if self.policy.directory == Directory::None && !viewer.acted_for {
            visible.filter(user::Column::Id.eq(viewer.user))
        } else {
            visible
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
        Ok(self.store.read().model(found).await?)
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
        Ok(self.store.read().models(user::Entity::present().filter(among)).await?)
    }
}
