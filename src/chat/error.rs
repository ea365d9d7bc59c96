//! What can go wrong, by outcomes that a caller can act on.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::DbErr;

use crate::failure::Failure;
use crate::ids::UserId;
use crate::limits::Exceeded;
use crate::store::outage;

/// Why a rule refused a request, or could not be carried out. The text is safe to show, because it never holds a
/// database's own words.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There is no viewer, or the token is not valid (any more).
    #[error("sign in first")]
    Unauthenticated,
    /// The name, the password or both are wrong; the answer doesn't say which.
    #[error("wrong username or password")]
    WrongCredentials,
    /// The viewer's own password, which the request had to give, is another one.
    #[error("wrong password")]
    WrongPassword,
    /// The refresh token is unknown, expired, replaced or revoked.
    #[error("the session has ended; sign in again")]
    SessionEnded,
    /// The viewer may see the object of the request, but not do what was asked.
    #[error("{0}")]
    Forbidden(&'static str),
    /// As [`Self::Forbidden`], for a reason that programs tell from others.
    #[error("{0}")]
    Refused(Reason),
    /// As [`Self::Refused`], because of these of the users that were named.
    #[error("{0}")]
    RefusedFor(Reason, Vec<UserId>),
    /// Another post in the room must wait.
    #[error("this room is in slow mode: wait before you post again")]
    SlowMode {
        /// How long.
        retry_after: Duration,
    },
    /// One of several users that are written at once is at fault, so none is written.
    #[error("{error}")]
    OfUser {
        /// Which, counted from 0.
        place: usize,
        /// What is wrong with it.
        error: Box<Error>,
    },
    /// An argument is not acceptable.
    #[error("{problem}")]
    Invalid {
        /// Which.
        argument: Argument,
        /// What is wrong with it, or what would be right.
        problem: String,
    },
    /// There is no such thing, or the viewer may not see it; the answer is the same for both.
    #[error("{what} not found")]
    NotFound {
        /// `room`, `message`, `session` or `user`.
        what: &'static str,
        /// The argument that named it.
        argument: Argument,
    },
    /// The request contradicts what is stored.
    #[error("{problem}")]
    Conflict {
        /// Which argument.
        argument: Argument,
        /// The contradiction.
        problem: &'static str,
    },
    /// The pages that one operation asks for hold too much text.
    #[error("the messages asked for hold too much text: take smaller pages")]
    TooMuchText,
    /// Too many requests.
    #[error("too many requests")]
    RateLimited {
        /// How long to wait before the next.
        retry_after: Duration,
    },
    /// The server is stopping; another node may answer.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// The keys by which a token would be verified can't be fetched from its issuer.
    #[error("the token can't be verified now")]
    IssuerUnavailable,
    /// The database failed: [`Error::failure`] says whether it is an outage or a defect.
    #[error("internal error")]
    Database(#[source] Arc<DbErr>),
    /// The database gave no answer to the commit: the change may have taken effect.
    #[error("no answer from the database: this may have taken effect")]
    Unknown(#[source] Arc<DbErr>),
    /// Something else failed, which is a defect.
    #[error("internal error")]
    Internal(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// An argument is not acceptable.
    pub fn invalid(argument: Argument, problem: impl Into<String>) -> Self {
        Self::Invalid { argument, problem: problem.into() }
    }

    /// No such room, as far as the viewer can see.
    pub const ROOM_NOT_FOUND: Self = Self::NotFound { what: "room", argument: Argument::RoomId };

    /// No user of that name.
    pub const USER_NOT_FOUND: Self = Self::NotFound { what: "user", argument: Argument::Username };

    /// No such session of the viewer's.
    pub const SESSION_NOT_FOUND: Self = Self::NotFound { what: "session", argument: Argument::SessionId };

    /// No such message, as far as the viewer can see.
    pub const MESSAGE_NOT_FOUND: Self = Self::NotFound { what: "message", argument: Argument::MessageId };

    /// Whether the client, a defect of the server or an outage is the cause.
    #[must_use]
    pub fn failure(&self) -> Failure {
        match self {
            Self::ShuttingDown | Self::IssuerUnavailable | Self::Unknown(_) => Failure::Outage,
            Self::Database(error) => outage::failure(error),
            Self::Internal(_) => Failure::Server,
            Self::OfUser { error, .. } => error.failure(),
            Self::Unauthenticated
            | Self::WrongCredentials
            | Self::WrongPassword
            | Self::SessionEnded
            | Self::Forbidden(_)
            | Self::Refused(_)
            | Self::RefusedFor(..)
            | Self::SlowMode { .. }
            | Self::Invalid { .. }
            | Self::NotFound { .. }
            | Self::Conflict { .. }
            | Self::TooMuchText
            | Self::RateLimited { .. } => Failure::Client,
        }
    }
}

impl From<Exceeded> for Error {
    fn from(exceeded: Exceeded) -> Self {
        Self::RateLimited { retry_after: exceeded.retry_after }
    }
}

impl From<DbErr> for Error {
    fn from(error: DbErr) -> Self {
        Self::Database(Arc::new(error))
    }
}

/// Why something is forbidden, where programs must tell one case from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Only the app's own backend may do it.
    #[error("this needs a server key")]
    ServerKeyNeeded,
    /// A server key is there, and no user for whom it acts.
    #[error("name the user for whom the server key acts, in the header `parlor-user`")]
    UserNeeded,
    /// A server key has no sockets and no subscriptions.
    #[error("a server key can't subscribe")]
    ServerKeyCantSubscribe,
    /// The app has switched the account off.
    #[error("this account is switched off")]
    Deactivated,
    /// All others have left the room.
    #[error("nobody else is in this room any more")]
    NobodyThere,
    /// The server has no accounts of its own.
    #[error("this server has no accounts of its own: the app signs its users in")]
    AccountsOff,
    /// Only the app's own backend writes names and pictures.
    #[error("names and pictures come from the app's own backend")]
    ProfilesOff,
    /// The server keeps no files.
    #[error("this server keeps no files")]
    FilesOff,
    /// One of two has blocked the other.
    #[error("one of you has blocked the other")]
    Blocked,
    /// A direct room is what its members are.
    #[error("this is a direct room, which has no name, no roles and no rules of its own")]
    DirectRoom,
    /// The viewer's role in the room doesn't do.
    #[error("only moderators and owners of the room may do this")]
    ModeratorNeeded,
    /// The viewer's role in the room doesn't do.
    #[error("only owners of the room may do this")]
    OwnerNeeded,
    /// The other's role in the room is the viewer's, or a higher one.
    #[error("only somebody of a higher role may do this to this member")]
    HigherRoleNeeded,
    /// A moderator keeps the user out of the room.
    #[error("a moderator has banned this user from the room")]
    Banned,
    /// A moderator has silenced the viewer.
    #[error("a moderator has timed you out in this room")]
    TimedOut,
    /// The room is in slow mode.
    #[error("this room is in slow mode")]
    SlowMode,
    /// A room takes so many members and no more.
    #[error("the room is full: it has at most 5,000 members")]
    RoomFull,
    /// The operator's list of words refuses a text.
    #[error("this has a word that isn't said here")]
    RefusedWord,
}

/// An argument of a rule. The layer above maps it to its own name for it, such as that of a GraphQL argument or a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// The user for whom a server key acts.
    ActingFor,
    /// The page begins after this.
    After,
    /// Files that a message is posted with.
    AttachmentIds,
    /// A browser's secret for its push service.
    Auth,
    /// Where a picture is.
    AvatarUrl,
    /// The page ends before this.
    Before,
    /// A message's text.
    Body,
    /// What a link has.
    Code,
    /// What the client says it is.
    Client,
    /// The author's own name for a message.
    ClientId,
    /// What the app keeps about something.
    Custom,
    /// The password until now.
    CurrentPassword,
    /// A device on which somebody is notified.
    DeviceId,
    /// The name to show.
    DisplayName,
    /// How somebody reacts.
    Emoji,
    /// An event that a webhook's receiver has refused.
    Failure,
    /// The id that the app's own backend knows something by.
    ExternalId,
    /// When something ends.
    ExpiresAt,
    /// How many items from the start.
    First,
    /// A user.
    Id,
    /// An invite.
    InviteId,
    /// Several things of any kind.
    Ids,
    /// What a client calls a device.
    Label,
    /// How many items from the end.
    Last,
    /// How often something is good.
    MaxUses,
    /// The members of a new room.
    Members,
    /// Those whom a message mentions.
    Mentions,
    /// A message.
    MessageId,
    /// The name of a key or a room.
    Name,
    /// The password from now on.
    NewPassword,
    /// What a reporter says.
    Note,
    /// A browser's public key for its push service.
    P256dh,
    /// A password.
    Password,
    /// What a webhook is told.
    Query,
    /// By which service a device is reached.
    Platform,
    /// Why.
    Reason,
    /// A report.
    ReportId,
    /// What a member is in a room.
    Role,
    /// A room.
    RoomId,
    /// What names begin with.
    Search,
    /// The last message in a room that the author of another had seen.
    SeenSeq,
    /// The message that a post answers.
    ReplyToId,
    /// A message's number in its room.
    Seq,
    /// A session.
    SessionId,
    /// The digest of a file.
    Sha256,
    /// How many bytes a file has.
    Size,
    /// For how many seconds a member waits between two posts.
    SlowModeSecs,
    /// What is searched for.
    Text,
    /// What a service knows a device by.
    Token,
    /// What a room is about.
    Topic,
    /// For how long something is valid.
    Ttl,
    /// What kind of user it is.
    Type,
    /// For how many seconds something is valid.
    TtlSecs,
    /// Until when.
    Until,
    /// A user.
    UserId,
    /// Several users.
    UserIds,
    /// The name to sign in with.
    Username,
    /// Several users that are written at once.
    Users,
    /// Where a webhook is told.
    Url,
    /// A webhook.
    WebhookId,
}
