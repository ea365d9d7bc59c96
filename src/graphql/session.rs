//! Accounts, and signing in and out.

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use tracing::Instrument;

use super::error::ApiError;
use super::execution::context::ContextExt;
use super::user::User;
use super::values::scalars::DateTime;
use crate::chat::Error;
use crate::chat::session::SignedIn;
use crate::chat::user::{self, NewAccount};
use crate::limits::sign_in::Attempt;
use crate::limits::{Charge, PerNetwork, PerUser};

/// The account to create.
#[derive(InputObject)]
pub(crate) struct SignUpInput {
    /// The name to sign in with: 2 to 32 letters a-z, digits, `.`, `_` or `-`, beginning with a letter or digit. It is
    /// converted to lower case, and must not be taken.
    username: String,
    /// The password: at least 8 characters, at most 256 bytes.
    #[graphql(secret)]
    password: String,
    /// The name to show to others: 1 to 64 characters.
    display_name: String,
    /// A name for this device, such as `Ann's phone`, by which the user finds it among the own sessions: one line of at
    /// most 200 characters.
    client: Option<String>,
}

/// The account to sign in to.
#[derive(InputObject)]
pub(crate) struct SignInInput {
    /// The name that the user signed up with, in upper or lower case.
    username: String,
    /// The password.
    #[graphql(secret)]
    password: String,
    /// A name for this device, such as `Ann's phone`, by which the user finds it among the own sessions: one line of at
    /// most 200 characters.
    client: Option<String>,
}

/// A signed-in device, and its tokens.
#[derive(SimpleObject)]
pub(crate) struct SessionPayload {
    /// The user who is signed in.
    user: User,
    /// Send it with every request as `Authorization: Bearer …`, and in a socket's `connection_init` as `authorization`.
    access_token: String,
    /// When the access token expires: some minutes from now. Call `refreshSession` before that.
    access_token_expires_at: DateTime,
    /// The token for `refreshSession`, which replaces it. Keep it where the device keeps its secrets.
    refresh_token: String,
    /// The session's id. It stays the same when the session is refreshed.
    session_id: ID,
}

impl From<SignedIn> for SessionPayload {
    fn from(signed_in: SignedIn) -> Self {
        Self {
            user: User(signed_in.user),
            access_token: signed_in.access_token,
            access_token_expires_at: signed_in.access_token_expires_at.into(),
            refresh_token: signed_in.refresh_token,
            session_id: signed_in.session.into(),
        }
    }
}

/// The session that was ended.
#[derive(SimpleObject)]
pub(crate) struct SignOutPayload {
    /// The session's id.
    session_id: Option<ID>,
}

/// What becomes of the messages of an account that is deleted.
#[derive(Enum, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[graphql(remote = "user::OwnMessages")]
pub(crate) enum OwnMessages {
    /// They stay, without an author.
    #[default]
    Keep,
    /// They are deleted in every room that the user was ever in, as by `deleteMessage`. It goes on after the answer: many
    /// messages take some time.
    Delete,
}

/// The account that was deleted.
#[derive(SimpleObject)]
pub(crate) struct DeleteAccountPayload {
    /// The id of the user whose account it was.
    user_id: ID,
}

/// Accounts, and signing in and out.
#[derive(Default)]
pub(crate) struct SessionMutation;

#[Object]
impl SessionMutation {
    /// Creates an account of type `CONSUMER` and signs in to it. Needs no token.
    ///
    /// Errors: `CONFLICT` when the username is taken; `BAD_USER_INPUT` for a name or password that is not acceptable.
    async fn sign_up(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account to create.")] input: SignUpInput,
    ) -> Result<SessionPayload, ApiError> {
        let SignUpInput { username, password, display_name, client } = input;
        let account = NewAccount::parse(&username, Some(&password), Some(&display_name))?;
        let _turn = match ctx.meter() {
            Some(meter) => {
                meter.charge(Charge::Network(PerNetwork::SignUps)).await?;
                Some(meter.limits().hashing(meter.origin(), &username).await?)
            }
            None => None,
        };
        Ok(ctx.chat().sign_up(account, client.as_deref()).await?.into())
    }

    /// Signs in: begins a session for this device. Needs no token.
    ///
    /// Errors: `UNAUTHENTICATED` when the username or the password is wrong, without saying which.
    async fn sign_in(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account to sign in to.")] input: SignInInput,
    ) -> Result<SessionPayload, ApiError> {
        let SignInInput { username, password, client } = input;
        let Some(meter) = ctx.meter() else {
            return Ok(ctx.chat().sign_in(&username, &password, client.as_deref()).await?.into());
        };
        let attempt = meter.limits().sign_in(meter.origin(), &username).await?;
        // What is logged about it then says where it comes from.
        let span = tracing::info_span!("sign_in", client = %meter.origin().claimed);
        let outcome = ctx.chat().sign_in(&username, &password, client.as_deref()).instrument(span).await;
        Ok(settled(Some(attempt), outcome)?.into())
    }

    /// Exchanges a refresh token for a new access token and a new refresh token. Needs no access token.
    ///
    /// A refresh token that was exchanged is answered the same new refresh token for 60 s more, or until that one is
    /// exchanged: if the answer was lost, ask again. Showing it later ends the session, because it must have been
    /// copied. Therefore store the new token before using anything else of the answer, and let all tabs of a browser
    /// share the stored one.
    ///
    /// Errors: `UNAUTHENTICATED` when the token is unknown or was replaced before, or the session has ended: sign in
    /// again.
    async fn refresh_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(secret, desc = "The latest refresh token of the session.")] refresh_token: String,
    ) -> Result<SessionPayload, ApiError> {
        let attempt = ctx.meter().map(|meter| meter.limits().refresh(meter.origin(), &refresh_token)).transpose()?;
        Ok(settled(attempt, ctx.chat().refresh_session(&refresh_token).await)?.into())
    }

    /// Ends the viewer's session: its tokens stop working, and its sockets close.
    ///
    /// Errors: `FORBIDDEN` when the token was made by the operator and belongs to no session.
    async fn sign_out(&self, ctx: &Context<'_>) -> Result<SignOutPayload, ApiError> {
        let viewer = ctx.charge(PerUser::Writes).await?;
        ctx.chat().sign_out(viewer).await?;
        Ok(SignOutPayload { session_id: viewer.session.map(ID::from) })
    }

    /// Deletes the viewer's account: all its sessions end, it leaves every room, and its names are forgotten, though for
    /// some time nobody else can have the username. Can't be undone.
    async fn delete_account(
        &self,
        ctx: &Context<'_>,
        #[graphql(default, desc = "What becomes of the viewer's messages.")] messages: OwnMessages,
    ) -> Result<DeleteAccountPayload, ApiError> {
        let viewer = ctx.charge(PerUser::Writes).await?;
        ctx.chat().delete_account(viewer, messages.into()).await?;
        Ok(DeleteAccountPayload { user_id: viewer.user.into() })
    }
}

/// Counts the attempt as a failure if it was one: if the password or the token was wrong.
fn settled(attempt: Option<Attempt<'_>>, outcome: Result<SignedIn, Error>) -> Result<SignedIn, Error> {
    match (attempt, &outcome) {
        (Some(attempt), Err(Error::WrongCredentials | Error::SessionEnded)) => attempt.fail(),
        (Some(attempt), _) => attempt.settle(),
        (None, _) => {}
    }
    outcome
}
