//! Users.

use std::sync::Arc;

use async_graphql::connection::{Connection, EmptyFields};
use async_graphql::{Context, Description, Enum, ID, Object, SimpleObject};

use super::error::ApiError;
use super::execution::context::ContextExt;
use super::presence::Presence;
use super::values::json::{self, Json};
use super::values::page::{self, GivenKey, Key, List, page_with};
use super::values::scalars::DateTime;
use crate::chat::user::{FoundUser, UserPlace, UserRef};
use crate::chat::{self, Window};
use crate::limits::PerUser;
use crate::store::entity::user;

/// A person with an account. Users are visible to everybody who is signed in, until they delete their account.
#[derive(Clone, Description)]
pub(crate) struct User(pub user::Model);

#[Object(use_type_description)]
impl User {
    /// The user's id, which never changes.
    pub async fn id(&self) -> ID {
        self.0.id.into()
    }

    /// The name with which the user signs in: lower case and unique.
    async fn username(&self) -> &str {
        &self.0.username
    }

    /// The name to show to others.
    async fn display_name(&self) -> &str {
        &self.0.display_name
    }

    /// What kind of user it is.
    async fn r#type(&self) -> UserType {
        self.0.r#type.into()
    }

    /// The id that the app's own backend knows the user by. Everybody who sees the user sees it: no secrets, no
    /// addresses.
    async fn external_id(&self) -> Option<ID> {
        self.0.external_id.clone().map(ID)
    }

    /// Where a picture of the user is.
    async fn avatar_url(&self) -> Option<&str> {
        self.0.avatar_url.as_deref()
    }

    /// What the app keeps about the user. Everybody who sees the user sees it.
    #[graphql(complexity = "json::COMPLEXITY")]
    async fn custom(&self) -> Json {
        Json::stored(self.0.custom.as_deref())
    }

    /// Whether a program acts as this user.
    async fn is_bot(&self) -> bool {
        self.0.bot
    }

    /// Since when the app has switched the account off: it can't sign in, and nobody can open a room with it.
    async fn deactivated_at(&self) -> Option<DateTime> {
        self.0.deactivated_at.map(Into::into)
    }

    /// When the account was created.
    async fn created_at(&self) -> DateTime {
        self.0.created_at.into()
    }

    /// Whether the user is online now. Users who share a room with the user receive `PresenceChanged` when it changes.
    async fn presence(&self, ctx: &Context<'_>) -> Presence {
        Presence::of(self.0.id, ctx.chat().presence(&self.0))
    }
}

impl From<&Arc<user::Model>> for User {
    fn from(user: &Arc<user::Model>) -> Self {
        Self((**user).clone())
    }
}

/// What kind of user it is.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "user::UserType")]
pub enum UserType {
    /// A user who signed up.
    Consumer,
    /// A user who answers for the operator of this server. Only the operator can create such an account.
    Support,
}

/// Finding users.
#[derive(Default)]
pub(crate) struct UserQuery;

#[Object]
impl UserQuery {
    /// The viewer, who is the user whose token came with the request.
    async fn me(&self, ctx: &Context<'_>) -> Result<User, ApiError> {
        Ok(User(ctx.chat().me(ctx.charge(PerUser::Reads).await?).await?))
    }

    /// One user. Null when there is no such user.
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user's id: `user_…`, or the app's own after `ext:`.")] id: UserRef,
    ) -> Result<Option<User>, ApiError> {
        Ok(ctx.chat().user(ctx.charge(PerUser::Reads).await?, &id).await?.map(User))
    }

    /// Users, ordered by username; with `search` those whose names match it, the best matches first.
    #[graphql(complexity = "page::cost(first, None, child_complexity)")]
    async fn users(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "Only those whose username or display name begins with this, or of whose display name each word of \
                          this begins a word, regardless of case and of how characters are composed: at most 64 \
                          characters. The order is that of `UserMatch`."
        )]
        search: Option<String>,
        #[graphql(desc = "How many at most: 0 to 100; 20 if not given.")] first: Option<i32>,
        #[graphql(desc = "Only those after this cursor, such as a page's `endCursor`.")] after: Option<
            GivenKey<UserPlace>,
        >,
    ) -> Result<UserPage, ApiError> {
        let window = Window::forward(first, page::after(ctx, List::Users, after)?)?;
        let people = ctx.chat().find_people(ctx.charge(PerUser::Reads).await?, search.as_deref(), &window).await?;
        let found = |found: FoundUser| (User(found.user), Matched { r#match: found.matched.map(Into::into) });
        Ok(page_with(ctx, List::Users, people, FoundUser::place, found))
    }
}

/// A page of users.
pub(crate) type UserPage = Connection<Key<UserPlace>, User, EmptyFields, Matched>;

/// What a user's edge says besides the user.
#[derive(SimpleObject, Default)]
pub(crate) struct Matched {
    /// Why the user is found, with `search`. Null without it.
    r#match: Option<UserMatch>,
}

/// Why a user is found. The best match comes first; among equal ones the order is that of the name that matches.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "chat::user::UserMatch")]
pub enum UserMatch {
    /// The search is the username.
    Username,
    /// The username begins with the search.
    UsernamePrefix,
    /// The display name begins with the search.
    NamePrefix,
    /// Each word of the search begins a word of the display name.
    WordPrefix,
}
