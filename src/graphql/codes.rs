//! The codes and reasons of errors, for programs that make types of the schema.

use async_graphql::{Enum, EnumType, Object};

use super::ErrorCode;
use crate::chat::Reason;

/// Why something is refused, where programs must tell one case from another: the text of `extensions.reason`.
///
/// Further reasons may be added.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
#[graphql(remote = "Reason")]
pub enum ErrorReason {
    /// Only the app's own backend may do it, with a server key.
    ServerKeyNeeded,
    /// A server key is there, and no user for whom it acts: name one in the header `parlor-user`.
    UserNeeded,
    /// A server key can't subscribe, whomever it acts for.
    ServerKeyCantSubscribe,
    /// The app has switched the account off.
    Deactivated,
    /// All others have left the room or deleted their accounts, so nobody would receive the message.
    NobodyThere,
    /// The server has no accounts of its own: the app signs its users in.
    AccountsOff,
    /// Names and pictures come from the app's own backend.
    ProfilesOff,
    /// The server keeps no files.
    FilesOff,
    /// The viewer and the other have a block between them; it isn't said whose.
    Blocked,
    /// A direct room has no name, no roles and no rules of its own.
    DirectRoom,
    /// Only moderators and owners of the room may do it.
    ModeratorNeeded,
    /// Only owners of the room may do it.
    OwnerNeeded,
    /// Only somebody of a higher role than the other's may do it.
    HigherRoleNeeded,
    /// A moderator keeps the user out of the room.
    Banned,
    /// A moderator has silenced the viewer in the room for now.
    TimedOut,
    /// The room is in slow mode: wait for `extensions.retryAfterMs` milliseconds.
    SlowMode,
    /// The room has as many members as a room may have.
    RoomFull,
    /// The operator's list of words refuses the text.
    RefusedWord,
}

impl ErrorReason {
    /// Its name in the schema, which is the text of `extensions.reason`.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::items().iter().find(|item| item.value == self).map_or("", |item| item.name)
    }
}

/// Listing the codes and reasons of errors.
#[derive(Default)]
pub(crate) struct ErrorQuery;

#[Object]
impl ErrorQuery {
    /// Every code that `extensions.code` of an error may have. Codes come in no data: this field is there for programs
    /// that make types of the schema, which find `ErrorCode` by it. Nobody has to be signed in.
    async fn error_codes(&self) -> Vec<ErrorCode> {
        ErrorCode::items().iter().map(|item| item.value).collect()
    }

    /// Every reason that `extensions.reason` of an error may have, for the same programs. Nobody has to be signed in.
    async fn error_reasons(&self) -> Vec<ErrorReason> {
        ErrorReason::items().iter().map(|item| item.value).collect()
    }
}
