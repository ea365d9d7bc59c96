//! The viewer's own profile.

use async_graphql::{Context, MaybeUndefined, Object, SimpleObject};

use super::error::ApiError;
use super::execution::context::ContextExt;
use super::user::User;
use crate::chat::user::ProfileInput;
use crate::limits::PerUser;

/// The profile that was changed.
#[derive(SimpleObject)]
pub(crate) struct UpdateProfilePayload {
    /// The viewer as others see it now.
    user: User,
}

/// Changing one's own profile.
#[derive(Default)]
pub(crate) struct ProfileMutation;

#[Object]
impl ProfileMutation {
    /// Changes how the viewer is shown. What is left out stays as it is. Users who share a room of at most 100 members with
    /// the viewer receive `UserChanged`, and so do the viewer's own sockets, unless nothing is new.
    ///
    /// Errors: `BAD_USER_INPUT` for a name or an address that is not acceptable; `FORBIDDEN` with `PROFILES_OFF` where
    /// names and pictures come from the app's own backend.
    async fn update_profile(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The name to show: 1 to 64 characters. Null leaves it as it is.")] display_name: Option<
            String,
        >,
        #[graphql(
            desc = "Where a picture of the viewer is: `https://…` or `http://…`, of at most 2,048 bytes. Null removes it."
        )]
        avatar_url: MaybeUndefined<String>,
    ) -> Result<UpdateProfilePayload, ApiError> {
        let input = ProfileInput { display_name, avatar_url: avatar_url.into() };
        Ok(UpdateProfilePayload {
            user: User(ctx.chat().update_profile(ctx.charge(PerUser::Writes).await?, input).await?),
        })
    }
}
