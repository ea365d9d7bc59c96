//! Users as the app's own backend knows them: what only a server key may do.

use async_graphql::{Context, Enum, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use super::error::ApiError;
use super::execution::context::ContextExt;
use super::user::{User, UserType};
use super::values::json::Json;
use super::values::scalars::DateTime;
use crate::chat::user::{self, UserRef};

/// One user as the app describes it. What is left out stays as it is.
#[derive(InputObject)]
pub(crate) struct UserInput {
    /// Which user: `user_…`, or the app's own id after `ext:`. Not needed with `externalId`.
    id: Option<UserRef>,
    /// The app's own id: 1 to 128 characters. Without `id` it says which user, who is made if there is none. With `id`
    /// the user is known by it from now on, and all sessions of the user end.
    external_id: Option<ID>,
    /// Of a new user: the name to sign in with, as in `signUp`. Without it, one is made up.
    username: Option<String>,
    /// The name to show: 1 to 64 characters. A new user without one shows the beginning of `externalId`.
    display_name: Option<String>,
    /// Where a picture of the user is: `https://…` or `http://…`, of at most 2,048 bytes. Null removes it.
    avatar_url: MaybeUndefined<String>,
    /// Of a new user: what kind of user it is; `CONSUMER` if left out.
    r#type: Option<UserType>,
    /// Whether a program acts as this user.
    is_bot: Option<bool>,
    /// What is to change of what the app keeps about the user.
    custom: Option<Json>,
    /// False switches the account off: its sessions and sockets end, and its tokens are refused, until true.
    active: Option<bool>,
}

impl From<UserInput> for user::UserInput {
    fn from(input: UserInput) -> Self {
        Self {
            id: input.id,
            external_id: input.external_id.map(|id| id.0),
            username: input.username,
            display_name: input.display_name,
            avatar_url: match input.avatar_url {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(None),
                MaybeUndefined::Value(url) => Some(Some(url)),
            },
            r#type: input.r#type.map(Into::into),
            bot: input.is_bot,
            custom: input.custom.map(Into::into),
            active: input.active,
        }
    }
}

/// What became of a user.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "user::UpsertOutcome")]
pub(crate) enum UpsertOutcome {
    /// It is new.
    Created,
    /// Something of it is new.
    Updated,
    /// It is as it was, and nothing was written.
    Unchanged,
}

/// One user, and what became of it.
#[derive(SimpleObject)]
pub(crate) struct UpsertedUser {
    /// The user as it is now.
    user: User,
    /// What became of it.
    outcome: UpsertOutcome,
}

/// The users that were made or changed.
#[derive(SimpleObject)]
pub(crate) struct UpsertUsersPayload {
    /// In the order in which they were given.
    users: Vec<UpsertedUser>,
}

/// A token for a user.
#[derive(SimpleObject)]
pub(crate) struct IssueTokenPayload {
    /// For the user's client: it sends it with every request as `Authorization: Bearer …`.
    access_token: String,
    /// When it expires.
    expires_at: DateTime,
}

/// The user whose tokens were taken back.
#[derive(SimpleObject)]
pub(crate) struct RevokeTokensPayload {
    /// The user's id.
    user_id: ID,
    /// Tokens issued before this moment are refused.
    valid_after: DateTime,
}

/// Finding users by the app's own id.
#[derive(Default)]
pub(crate) struct HostQuery;

#[Object]
impl HostQuery {
    /// Server key: the user whom the app knows by this id. Null when there is none.
    ///
    /// Errors: `FORBIDDEN` with `SERVER_KEY_NEEDED` for everybody else.
    async fn user_by_external_id(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The app's own id, without `ext:`.")] external_id: ID,
    ) -> Result<Option<User>, ApiError> {
        Ok(ctx.chat().user_by_external_id(ctx.server()?, &external_id).await?.map(User))
    }
}

/// What the app's own backend does with its users.
#[derive(Default)]
pub(crate) struct HostMutation;

#[Object]
impl HostMutation {
    /// Server key: makes or changes users, all of them or none. Users who are as they are described cost next to
    /// nothing, so an app may send all its users each night.
    ///
    /// Errors: `FORBIDDEN` with `SERVER_KEY_NEEDED` for everybody else; `BAD_USER_INPUT`, `NOT_FOUND` of an `id` and
    /// `CONFLICT` of a `username` or `externalId` that another user has, with `extensions.field` such as
    /// `users.3.displayName`.
    async fn upsert_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The users, at most 100.")] users: Vec<UserInput>,
    ) -> Result<UpsertUsersPayload, ApiError> {
        let users = users.into_iter().map(Into::into).collect();
        let users = ctx.chat().upsert_users(ctx.server()?, users).await?;
        let users = users.into_iter().map(|(user, outcome)| UpsertedUser { user: User(user), outcome: outcome.into() });
        Ok(UpsertUsersPayload { users: users.collect() })
    }

    /// Server key: an access token for a user, for apps that don't sign tokens of their own. It belongs to no session:
    /// it can't be refreshed, and ends before its time when the key is revoked or the user's tokens are.
    ///
    /// Errors: `FORBIDDEN` with `SERVER_KEY_NEEDED` for everybody else, and with `DEACTIVATED` when the account is
    /// switched off; `NOT_FOUND` when there is no such user; `BAD_USER_INPUT` for a time out of its bounds.
    async fn issue_token(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user: `user_…`, or the app's own id after `ext:`.")] user_id: UserRef,
        #[graphql(desc = "For how many seconds it is good: 60 to 86,400.", default = 3600)] ttl_secs: i32,
    ) -> Result<IssueTokenPayload, ApiError> {
        let (access_token, expires_at) = ctx.chat().issue_token(ctx.server()?, &user_id, ttl_secs).await?;
        Ok(IssueTokenPayload { access_token, expires_at: expires_at.into() })
    }

    /// Server key: ends all sessions of a user. Every token issued until now is refused, by whomever it was issued, and
    /// the user's sockets end. The user may sign in again: to keep a user out, switch the account off by `upsertUsers`.
    ///
    /// Errors: `FORBIDDEN` with `SERVER_KEY_NEEDED` for everybody else; `NOT_FOUND` when there is no such user.
    async fn revoke_tokens(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user: `user_…`, or the app's own id after `ext:`.")] user_id: UserRef,
    ) -> Result<RevokeTokensPayload, ApiError> {
        let (user, valid_after) = ctx.chat().revoke_tokens(ctx.server()?, &user_id).await?;
        Ok(RevokeTokensPayload { user_id: user.into(), valid_after: valid_after.into() })
    }
}
