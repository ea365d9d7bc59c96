//! The API: translation between GraphQL and the rules, and nothing else. One file per noun holds its type, its queries,
//! its mutations and its events; each resolver parses, calls one rule of [`chat`](crate::chat) and wraps the result.
//!
//! | What | Where |
//! |---|---|
//! | a noun | [`user`], [`host`], [`session`], [`own_sessions`], [`room`], [`group`], [`member`], [`membership`], [`message`] and [`posting`], [`attachment`], [`reaction`], [`reading`], [`presence`], [`node`], [`sync`], [`block`], [`invite`], [`viewer`], [`report`], [`webhook`], [`log`], [`search`] |
//! | subscriptions and the interface of events | [`events`] |
//! | what every noun uses | [`execution::context`], [`execution::loaders`], [`values`], [`error`], [`codes`] |
//! | what a request may ask | [`contract`]: validation, and the values of variables |
//! | how a request is executed | [`execution`], with `plan`, `batches`, `nulls`, `order` and `validations` |
//!
//! A request's data may hold a [`Viewer`](crate::chat::Viewer), and must hold a [`SyncCursor`] if the document asks for
//! one: the edge puts them in.

use async_graphql::{ID, MergedObject, SDLExportOptions, SchemaBuilder, ValidationMode};

pub(crate) mod attachment;
pub(crate) mod block;
pub(crate) mod codes;
pub(crate) mod contract;
pub(crate) mod error;
pub(crate) mod events;
pub(crate) mod execution;
pub(crate) mod group;
pub(crate) mod host;
pub(crate) mod initiate;
pub(crate) mod invite;
pub(crate) mod log;
pub(crate) mod member;
pub(crate) mod membership;
pub(crate) mod mention;
pub(crate) mod message;
pub(crate) mod node;
mod notification_due;
pub(crate) mod notifications;
pub(crate) mod own_sessions;
pub(crate) mod part;
pub(crate) mod pin;
pub(crate) mod posting;
pub(crate) mod presence;
pub(crate) mod profile;
pub(crate) mod reaction;
pub(crate) mod reading;
pub(crate) mod report;
pub(crate) mod room;
pub(crate) mod search;
pub(crate) mod session;
pub(crate) mod sync;
pub(crate) mod user;
pub(crate) mod values;
pub(crate) mod viewer;
pub(crate) mod webhook;

pub(crate) use contract::GivenVariables;
pub use contract::{Contract, Problem};
pub use error::{ApiError, ErrorCode, failure, finish, needs_viewer, retry_after};
pub(crate) use execution::budget::{MAX_ANSWER_BYTES, MAX_RENDERING_BYTES};
pub use execution::context::ContextExt;
pub use execution::plan::Plan;
pub(crate) use execution::plan::is_included;
pub use sync::SyncCursor;

use crate::chat::Chat;
use crate::chat::room::{OpenRoomPlace, RoomKey};
use crate::ids::{InviteId, ReportId, SessionId, UserId};
use crate::position::CursorCodec;
use part::Part;
use values::page::Page;

/// The schema, with the chat in its data.
pub type Schema = async_graphql::Schema<Query, Mutation, events::Subscriptions>;

/// The most fields that a request may ask for, where each list counts as if its page were full.
///
/// Enough for 100 rooms with 100 members each and a dozen fields of every member. Not enough for full pages of lists in
/// lists in lists, which would have a million items.
pub const MAX_COMPLEXITY: usize = 150_000;

/// The most fields that a subscription may ask for with each event, counted in the same way: an event is shown again and
/// again. Enough for a room with its members and its newest page of messages.
pub const MAX_EVENT_COMPLEXITY: usize = 5_000;

/// Reading. All fields but `errorCodes` need a viewer: without a valid token they fail with `UNAUTHENTICATED`.
///
/// This schema changes by additions only: to types, fields, arguments that may be left out, values of enums, and types of
/// interfaces. So a client must take a value or a type that it doesn't know, and ignore it.
#[derive(MergedObject, Default)]
pub struct Query(
    Part<user::UserQuery>,
    Part<host::HostQuery>,
    Part<own_sessions::OwnSessionQuery>,
    Part<viewer::ViewerQuery>,
    Part<report::ReportQuery>,
    Part<webhook::WebhookQuery>,
    Part<log::LogQuery>,
    Part<node::NodeQuery>,
    Part<room::RoomQuery>,
    Part<invite::InviteQuery>,
    Part<search::SearchQuery>,
    Part<sync::SyncQuery>,
    Part<codes::ErrorQuery>,
);

/// Changing. Each mutation returns what it changed, and everybody concerned receives an event.
///
/// All but `signUp`, `signIn` and `refreshSession` need a viewer: without a valid token they fail with
/// `UNAUTHENTICATED`.
#[derive(MergedObject, Default)]
pub struct Mutation(
    Part<session::SessionMutation>,
    Part<host::HostMutation>,
    Part<own_sessions::OwnSessionMutation>,
    Part<profile::ProfileMutation>,
    Part<block::BlockMutation>,
    Part<report::ReportMutation>,
    Part<webhook::WebhookMutation>,
    Part<room::RoomMutation>,
    Part<initiate::InitiateMutation>,
    Part<group::GroupMutation>,
    Part<member::MemberMutation>,
    Part<pin::PinMutation>,
    Part<reaction::ReactionMutation>,
    Part<invite::InviteMutation>,
    Part<notifications::NotificationMutation>,
    Part<posting::MessageMutation>,
    Part<attachment::AttachmentMutation>,
    Part<reading::ReadingMutation>,
    Part<presence::PresenceMutation>,
);

/// The schema that serves this chat, and shows cursors by this codec.
#[must_use]
pub fn schema(chat: Chat, cursors: CursorCodec) -> Schema {
    builder().data(chat).data(cursors).finish()
}

/// The schema by itself, over no chat: what requests may ask can be told by it.
#[must_use]
pub fn bare_schema() -> Schema {
    builder().finish()
}

/// The schema as text, for `schema.graphql`: sorted, so that it changes only when the contract does.
#[must_use]
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items()
        .include_specified_by()
        .use_space_ident();
    builder().finish().sdl_with_options(options).lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

fn builder() -> SchemaBuilder<Query, Mutation, events::Subscriptions> {
    Schema::build(Query::default(), Mutation::default(), events::Subscriptions)
        .override_input_type_description::<ID>("Names an object. Opaque, except for how it begins: `room_…`, `msg_…`. As an argument, a user may also be named \
             by the app's own id, after `ext:`.")
        .override_output_type_description::<user::UserPage>("A page of users.")
        .override_output_type_description::<Page<SessionId, own_sessions::Session>>(
            "A page of the viewer's sessions, the newest first.",
        )
        .override_output_type_description::<Page<ReportId, report::Report>>("A page of reports, the oldest first.")
        .override_output_type_description::<Page<i64, webhook::WebhookFailure>>("A page of refused events, the oldest first.")
        .override_output_type_description::<Page<RoomKey, room::Room>>("A page of rooms, the latest activity first.")
        .override_output_type_description::<Page<UserId, member::RoomMember>>("A page of a room's members.")
        .override_output_type_description::<Page<UserId, member::RoomBan>>("A page of those who may not come into a room.")
        .override_output_type_description::<Page<InviteId, invite::Invite>>("A page of invites, the newest first.")
        .override_output_type_description::<Page<OpenRoomPlace, invite::RoomPreview>>("A page of open rooms.")
        .override_output_type_description::<Page<i32, message::Message>>("A page of a room's messages, oldest first.")
        // Documents have passed the contract before.
        .validation_mode(ValidationMode::Fast)
        .extension(execution::Rules)
}

#[cfg(test)]
mod tests;
