//! What is the viewer's alone, and belongs to no room.

use async_graphql::{Context, Description, ID, Object};

use super::error::ApiError;
use super::execution::context::ContextExt;
use super::invite::Invite;
use super::mention::MentionConnection;
use super::notifications::{Device, UnreadSummary};
use super::user::{Matched, User, UserPage};
use super::values::ids;
use super::values::page::{self, GivenKey, List, Page, page, page_with};
use crate::chat::user::UserPlace;
use crate::chat::{Error, Window};
use crate::ids::{InviteId, UserId};
use crate::limits::PerUser;
use crate::position::Position;
use crate::store::entity::user;

/// What is the viewer's alone: nobody else sees any of it.
#[derive(Description)]
pub(crate) struct Viewer(UserId);

#[Object(use_type_description)]
impl Viewer {
    /// Names it in a client's cache: there is one for each user. `node` doesn't take it.
    async fn id(&self) -> ID {
        ids::of_user("viewer", self.0)
    }

    /// Those whom the viewer blocks and whose accounts are still there, in no order that means anything.
    #[graphql(complexity = "page::cost(first, None, child_complexity)")]
    async fn blocked_users(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 0 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor, such as a page's `endCursor`.")] after: Option<
            GivenKey<UserPlace>,
        >,
    ) -> Result<UserPage, ApiError> {
        let place = |user: &user::Model| UserPlace::Listed(user.id.to_string());
        let after = match page::after(ctx, List::Blocked, after)? {
            Some(UserPlace::Listed(id)) => id.parse().ok(),
            Some(UserPlace::Found { .. }) | None => None,
        };
        let users = ctx.chat().blocked_users(ctx.viewer()?, &Window::forward(first, after)?).await?;
        Ok(page_with(ctx, List::Blocked, users, place, |user| (User(user), Matched::default())))
    }

    /// What the viewer has not read, in all rooms.
    async fn unread(&self, ctx: &Context<'_>) -> Result<UnreadSummary, ApiError> {
        Ok(UnreadSummary(ctx.chat().unread(ctx.viewer()?).await?))
    }

    /// The messages in the viewer's rooms that mention the viewer, by name or with everybody in the room, the newest first, without
    /// those of users whom the viewer blocks.
    #[graphql(complexity = "page::cost(first, None, child_complexity)")]
    async fn mentions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 0 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor, such as a page's `endCursor`.")] after: Option<GivenKey<i64>>,
    ) -> Result<MentionConnection, ApiError> {
        let window = Window::forward(first, page::after(ctx, List::Mentions, after)?.map(Position))?;
        let found = ctx.chat().mentions(ctx.viewer()?, &window).await.map_err(Error::from)?;
        Ok(MentionConnection::of(ctx, found))
    }

    /// What `PushManager.subscribe` takes in a browser as `applicationServerKey`: the public key by which push services know
    /// this server, the same on all its nodes and for ever.
    async fn application_server_key(&self, ctx: &Context<'_>) -> Option<String> {
        ctx.chat().push_key().map(|key| key.as_ref().to_owned())
    }

    /// The devices on which the viewer is notified, the one that was registered last first: 20 at most.
    #[graphql(complexity = "20 * child_complexity")]
    async fn devices(&self, ctx: &Context<'_>) -> Result<Vec<Device>, ApiError> {
        Ok(ctx.chat().devices(ctx.viewer()?).await?.into_iter().map(Device).collect())
    }

    /// Invites for the viewer that are good, the newest first.
    #[graphql(complexity = "page::cost(first, None, child_complexity)")]
    async fn invites(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many at most: 0 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor, such as a page's `endCursor`.")] after: Option<
            GivenKey<InviteId>,
        >,
    ) -> Result<Page<InviteId, Invite>, ApiError> {
        let window = Window::forward(first, page::after(ctx, List::Invites, after)?)?;
        let invites = ctx.chat().invites_to(ctx.viewer()?, &window).await?;
        Ok(page(ctx, List::Invites, invites, |found| found.invite.id, Invite::from))
    }
}

/// Finding what is the viewer's alone.
#[derive(Default)]
pub(crate) struct ViewerQuery;

#[Object]
impl ViewerQuery {
    /// What is the viewer's alone, and belongs to no room.
    async fn viewer(&self, ctx: &Context<'_>) -> Result<Viewer, ApiError> {
        Ok(Viewer(ctx.charge(PerUser::Reads).await?.user))
    }
}
