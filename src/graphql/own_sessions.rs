//! A user's own sessions, and the password that opens them.

use async_graphql::{Context, Description, ID, Object, SimpleObject};
use tracing::{Instrument, Span};

use super::error::ApiError;
use super::execution::context::ContextExt;
use super::values::page::{self, GivenKey, List, Page, page};
use super::values::scalars::DateTime;
use crate::chat::{Error, Window};
use crate::ids::SessionId;
use crate::limits::PerUser;
use crate::store::entity::session;

/// A device on which the viewer is signed in. Nobody else sees it.
#[derive(Description)]
pub(crate) struct Session {
    row: session::Model,
    current: bool,
}

#[Object(use_type_description)]
impl Session {
    /// The session's id, as `signIn` answered it.
    async fn id(&self) -> ID {
        self.row.id.into()
    }

    /// The name that the device gave itself at `signUp` or `signIn`. Null when it gave none.
    async fn client(&self) -> Option<&str> {
        self.row.client.as_deref()
    }

    /// When the user signed in there.
    async fn created_at(&self) -> DateTime {
        self.row.created_at.into()
    }

    /// When the device last refreshed the session, sent a request or had a socket open: up to some minutes before the
    /// last time.
    async fn last_used_at(&self) -> DateTime {
        self.row.last_used_at.into()
    }

    /// When the session ends unless it is refreshed before.
    async fn expires_at(&self) -> DateTime {
        self.row.expires_at.into()
    }

    /// Whether it is the session whose token came with the request.
    async fn current(&self) -> bool {
        self.current
    }
}

/// Finding one's own sessions.
#[derive(Default)]
pub(crate) struct OwnSessionQuery;

#[Object]
impl OwnSessionQuery {
    /// The devices on which the viewer is signed in, the one that signed in last first.
    #[graphql(complexity = "page::cost(first, None, child_complexity)")]
    async fn sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 0 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor, such as a page's `endCursor`.")] after: Option<
            GivenKey<SessionId>,
        >,
    ) -> Result<Page<SessionId, Session>, ApiError> {
        let window = Window::forward(first, page::after(ctx, List::Sessions, after)?)?;
        let viewer = ctx.charge(PerUser::Reads).await?;
        let sessions = ctx.chat().sessions(viewer, &window).await?;
        let current = viewer.session;
        Ok(page(ctx, List::Sessions, sessions, |row| row.id, |row| Session { current: current == Some(row.id), row }))
    }
}

/// The session that was ended.
#[derive(SimpleObject)]
pub(crate) struct EndSessionPayload {
    /// The session's id.
    session_id: ID,
}

/// The sessions that were ended.
#[derive(SimpleObject)]
pub(crate) struct EndOtherSessionsPayload {
    /// How many they were.
    ended_session_count: i32,
}

/// The password that was changed, and the sessions that were ended.
#[derive(SimpleObject)]
pub(crate) struct ChangePasswordPayload {
    /// How many sessions were ended.
    ended_session_count: i32,
}

/// Ending one's own sessions, and changing the password.
#[derive(Default)]
pub(crate) struct OwnSessionMutation;

#[Object]
impl OwnSessionMutation {
    /// Ends one of the viewer's sessions, such as that of a lost phone: its tokens stop working, and its sockets close.
    /// It may be the viewer's own, as with `signOut`.
    ///
    /// Errors: `NOT_FOUND` when the viewer has no such session, or it has ended.
    async fn end_session(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The session's id: `session_…`.")] session_id: SessionId,
    ) -> Result<EndSessionPayload, ApiError> {
        let viewer = ctx.charge(PerUser::Writes).await?;
        ctx.chat().end_session(viewer, session_id).await?;
        Ok(EndSessionPayload { session_id: session_id.into() })
    }

    /// Ends all of the viewer's sessions but the one whose token came with the request.
    ///
    /// Errors: `FORBIDDEN` when the token was made by the operator and belongs to no session.
    async fn end_other_sessions(&self, ctx: &Context<'_>) -> Result<EndOtherSessionsPayload, ApiError> {
        let viewer = ctx.charge(PerUser::Writes).await?;
        Ok(EndOtherSessionsPayload { ended_session_count: shown(ctx.chat().end_other_sessions(viewer).await?) })
    }

    /// Changes the viewer's password, and ends all of the viewer's sessions but the one whose token came with the
    /// request.
    ///
    /// Errors: `UNAUTHENTICATED` with the field `currentPassword` when that is wrong, which counts as a failure to sign
    /// in; `BAD_USER_INPUT` for a new password that is not acceptable; `FORBIDDEN` when the token was made by the operator
    /// and belongs to no session.
    async fn change_password(
        &self,
        ctx: &Context<'_>,
        #[graphql(secret, desc = "The password until now.")] current_password: String,
        #[graphql(secret, desc = "The password from now on: at least 8 characters, at most 256 bytes.")]
        new_password: String,
    ) -> Result<ChangePasswordPayload, ApiError> {
        let viewer = ctx.charge(PerUser::Writes).await?;
        let attempt = match ctx.meter() {
            Some(meter) => {
                let user = ctx.chat().me(viewer).await?;
                Some(meter.limits().sign_in(meter.origin(), &user.username).await?)
            }
            None => None,
        };
        let origin = ctx.meter().map(|meter| meter.origin().claimed);
        let span = origin.map_or_else(Span::none, |client| tracing::info_span!("change_password", %client));
        let changing = ctx.chat().change_password(viewer, current_password, &new_password);
        let outcome = changing.instrument(span).await;
        match (attempt, &outcome) {
            (Some(attempt), Err(Error::WrongPassword)) => attempt.fail(),
            (Some(attempt), _) => attempt.settle(),
            (None, _) => {}
        }
        Ok(ChangePasswordPayload { ended_session_count: shown(outcome?) })
    }
}

fn shown(count: u64) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
