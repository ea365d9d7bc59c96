//! What users say of themselves: the name to show, and a picture.

use sea_orm::{ActiveModelTrait, ColumnTrait, IntoActiveModel, QueryFilter};

use super::account::display_name;
use super::upsert::avatar_url;
use crate::chat::change::{Alone, Change};
use crate::chat::{Chat, Error, Reason, Viewer};
use crate::ids::UserId;
use crate::log::Append;
use crate::store::entity::{user, user_word};
use crate::text::fold::{fold, words};

/// What is to change of a profile. What is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct ProfileInput {
    /// The name to show.
    pub display_name: Option<String>,
    /// Where a picture of the user is; `Some(None)` removes it.
    pub avatar_url: Option<Option<String>>,
}

/// Change one's own profile.
pub struct UpdateProfile {
    user: UserId,
    /// Whose parts are acceptable.
    input: ProfileInput,
}

impl Chat {
    /// Changes the viewer's own profile; others who see it are notified, unless nothing of it is new.
    ///
    /// # Errors
    /// [`Error::Invalid`] of `displayName` or `avatarUrl`; [`Reason::ProfilesOff`] where only the app's backend writes
    /// profiles, unless that acts for the viewer.
    pub async fn update_profile(&self, viewer: &Viewer, input: ProfileInput) -> Result<user::Model, Error> {
        if !self.policy.profiles && !viewer.acted_for {
            return Err(Error::Refused(Reason::ProfilesOff));
        }
        let input = ProfileInput {
            display_name: input.display_name.as_deref().map(display_name).transpose()?,
            avatar_url: input.avatar_url.map(|url| url.map(avatar_url).transpose()).transpose()?,
        };
        let (user, is_new) = self.change(UpdateProfile { user: viewer.user, input }).await?;
        if is_new {
            self.presence.user_changed(user.id);
        }
        Ok(user)
    }
}

impl Change for UpdateProfile {
    /// The user as it is now, and whether anything is new.
    type Outcome = (user::Model, bool);
}

impl Alone for UpdateProfile {
    async fn apply(&self, append: &mut Append) -> Result<Self::Outcome, Error> {
        let present = user::Entity::present().filter(user::Column::Id.eq(self.user)).one(append.tx()).await?;
        // The account may have been deleted since the token was found good.
        let present = present.ok_or(Error::Unauthenticated)?;
        let mut user = present.clone();
        if let Some(name) = &self.input.display_name {
            user.display_name.clone_from(name);
            user.search_name = fold(name);
        }
        if let Some(url) = &self.input.avatar_url {
            user.avatar_url.clone_from(url);
        }
        if user == present {
            return Ok((user, false));
        }
        user.clone().into_active_model().reset_all().update(append.tx()).await?;
        if user.search_name != present.search_name {
            user_word::Entity::replace(append.tx(), &[(user.id, words(&user.search_name))]).await?;
        }
        Ok((user, true))
    }
}
