//! Errors as clients see them: a text for people, and `extensions.code` for programs.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::Field;
use async_graphql::{Enum, EnumType, ErrorExtensionValues, Response, ServerError, Value};

use crate::chat::{self, Argument};
use crate::failure::{Failure, with_causes};
use crate::graphql::codes::ErrorReason;
use crate::graphql::execution::budget::MAX_ERRORS;
use crate::limits::Exceeded;

/// The kind of an error: the text of `extensions.code` in every entry of a response's `errors`.
///
/// If an argument is at fault, `extensions.field` names it; of one among several users it is such as
/// `users.3.displayName`. Where programs must tell cases of one kind apart, `extensions.reason` does, an `ErrorReason`.
/// Where it is because of some of the users that were named, `extensions.userIds` names them.
/// Further kinds may be added.
#[derive(Enum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// The request carries no token, or the token or password is wrong, expired or revoked. Sign in, or refresh the
    /// session.
    Unauthenticated,
    /// The viewer may see it, but may not do this with it.
    Forbidden,
    /// An argument is not acceptable: `extensions.field` names it, and the message says what is acceptable.
    BadUserInput,
    /// There is no such thing, or the viewer may not see it: the two look alike. `extensions.field` names the argument.
    NotFound,
    /// The request contradicts what is there already. `extensions.field` names the argument.
    Conflict,
    /// Too many requests: wait for `extensions.retryAfterMs` milliseconds.
    RateLimited,
    /// The server can't serve the request now, because it is stopping or its database is away. Trying again later may
    /// help.
    Unavailable,
    /// The document is not valid GraphQL syntax.
    GraphqlParseFailed,
    /// The document doesn't fit this schema, or asks for more than one request may.
    GraphqlValidationFailed,
    /// The request names its document by a hash only: send the text. Clients of persisted queries do so by themselves.
    PersistedQueryNotSupported,
    /// A defect of the server, which has logged the cause. Trying again won't help.
    InternalServerError,
}

impl ErrorCode {
    /// Its name in the schema, which is the text of `extensions.code`.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::items().iter().find(|item| item.value == self).map_or("INTERNAL_SERVER_ERROR", |item| item.name)
    }

    /// The code of an error, if it has one.
    fn in_extensions(error: &ServerError) -> Option<Self> {
        let Value::String(code) = error.extensions.as_ref()?.get("code")? else { return None };
        Self::items().iter().find(|item| item.name == code).map(|item| item.value)
    }

    /// Who is at fault for an error of this kind.
    fn failure(self) -> Failure {
        match self {
            Self::Unauthenticated
            | Self::Forbidden
            | Self::BadUserInput
            | Self::NotFound
            | Self::Conflict
            | Self::RateLimited
            | Self::GraphqlParseFailed
            | Self::GraphqlValidationFailed
            | Self::PersistedQueryNotSupported => Failure::Client,
            Self::InternalServerError => Failure::Server,
            Self::Unavailable => Failure::Outage,
        }
    }

    /// An error of this kind that belongs to no field.
    #[must_use]
    pub fn error(self, message: impl Into<String>) -> ServerError {
        ServerError::new(message, None).coded(self)
    }

    fn of(error: &chat::Error) -> Self {
        use chat::Error;
        match error {
            Error::Forbidden(_) | Error::Refused(_) | Error::RefusedFor(..) => Self::Forbidden,
            Error::OfUser { error, .. } => Self::of(error),
            Error::Unauthenticated | Error::WrongCredentials | Error::WrongPassword | Error::SessionEnded => {
                Self::Unauthenticated
            }
            Error::Invalid { .. } => Self::BadUserInput,
            Error::NotFound { .. } => Self::NotFound,
            Error::Conflict { .. } => Self::Conflict,
            Error::TooMuchText => Self::GraphqlValidationFailed,
            Error::RateLimited { .. } | Error::SlowMode { .. } => Self::RateLimited,
            Error::ShuttingDown
            | Error::IssuerUnavailable
            | Error::Unknown(_)
            | Error::Database(_)
            | Error::Internal(_) => match error.failure() {
                Failure::Outage => Self::Unavailable,
                Failure::Server | Failure::Client => Self::InternalServerError,
            },
        }
    }
}

/// The name in the schema of an argument of the rules.
fn name(argument: Argument) -> &'static str {
    match argument {
        Argument::ActingFor => "parlor-user",
        Argument::After => "after",
        Argument::AttachmentIds => "attachmentIds",
        Argument::AvatarUrl => "avatarUrl",
        Argument::Before => "before",
        Argument::Body => "body",
        Argument::Client => "client",
        Argument::ClientId => "clientId",
        Argument::Custom => "custom",
        Argument::Code => "code",
        Argument::CurrentPassword => "currentPassword",
        Argument::DisplayName => "displayName",
        Argument::Emoji => "emoji",
        Argument::Failure => "failure",
        Argument::ExternalId => "externalId",
        Argument::ExpiresAt => "expiresAt",
        Argument::First => "first",
        Argument::Id => "id",
        Argument::Ids => "ids",
        Argument::InviteId => "inviteId",
        Argument::Last => "last",
        Argument::MaxUses => "maxUses",
        Argument::Members => "members",
        Argument::Mentions => "mentions",
        Argument::MessageId => "messageId",
        Argument::Name => "name",
        Argument::NewPassword => "newPassword",
        Argument::Note => "note",
        Argument::Password => "password",
        Argument::Query => "query",
        Argument::Reason => "reason",
        Argument::ReportId => "reportId",
        Argument::Role => "role",
        Argument::RoomId => "roomId",
        Argument::Search => "search",
        Argument::Text => "text",
        Argument::SeenSeq => "seenSeq",
        Argument::ReplyToId => "replyToId",
        Argument::Seq => "seq",
        Argument::SessionId => "sessionId",
        Argument::Auth => "auth",
        Argument::DeviceId => "deviceId",
        Argument::Label => "label",
        Argument::P256dh => "p256dh",
        Argument::Platform => "platform",
        Argument::Token => "token",
        Argument::Sha256 => "sha256",
        Argument::Size => "size",
        Argument::SlowModeSecs => "slowModeSecs",
        Argument::Topic => "topic",
        Argument::Ttl => "ttl",
        Argument::TtlSecs => "ttlSecs",
        Argument::Type => "type",
        Argument::Until => "until",
        Argument::UserId => "userId",
        Argument::UserIds => "userIds",
        Argument::Username => "username",
        Argument::Users => "users",
        Argument::Url => "url",
        Argument::WebhookId => "webhookId",
    }
}

/// The argument that is at fault for this error, with the place in a list where it is one of several users.
fn field(error: &chat::Error) -> Option<String> {
    match error {
        chat::Error::Invalid { argument, .. }
        | chat::Error::NotFound { argument, .. }
        | chat::Error::Conflict { argument, .. } => Some(name(*argument).to_owned()),
        chat::Error::WrongPassword => Some(name(Argument::CurrentPassword).to_owned()),
        chat::Error::OfUser { place, error } => Some(format!("users.{place}.{}", field(error)?)),
        _ => None,
    }
}

/// An error of a rule on its way to the client.
///
/// It has no `Display`, so the only way to a client is the conversion below, which sets a code and never shows more
/// than the text of [`chat::Error`].
#[derive(Debug, Clone)]
pub struct ApiError(chat::Error);

impl From<chat::Error> for ApiError {
    fn from(error: chat::Error) -> Self {
        Self(error)
    }
}

impl From<Exceeded> for ApiError {
    fn from(exceeded: Exceeded) -> Self {
        Self(exceeded.into())
    }
}

impl From<ApiError> for async_graphql::Error {
    fn from(ApiError(error): ApiError) -> Self {
        let code = ErrorCode::of(&error);
        let mut extensions = ErrorExtensionValues::default();
        extensions.set("code", code.name());
        if let Some(field) = field(&error) {
            extensions.set("field", field);
        }
        match &error {
            chat::Error::Refused(reason) => extensions.set("reason", ErrorReason::from(*reason).name()),
            chat::Error::RefusedFor(reason, users) => {
                extensions.set("reason", ErrorReason::from(*reason).name());
                extensions.set("userIds", users.iter().map(ToString::to_string).collect::<Vec<_>>());
            }
            chat::Error::RateLimited { retry_after } => extensions.set("retryAfterMs", millis(*retry_after)),
            chat::Error::SlowMode { retry_after } => {
                extensions.set("reason", ErrorReason::SlowMode.name());
                extensions.set("retryAfterMs", millis(*retry_after));
            }
            _ => {}
        }
        let message = match (code, &error) {
            (ErrorCode::Unavailable, chat::Error::Unknown(_)) => {
                "this may have taken effect; try again later".to_owned()
            }
            (ErrorCode::Unavailable, _) => "try again later".to_owned(),
            _ => error.to_string(),
        };
        Self { message, source: Some(Arc::new(error)), extensions: Some(extensions) }
    }
}

/// Whole milliseconds, of which the last one is over, so that whoever waits for them has waited long enough.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl From<ApiError> for ServerError {
    fn from(error: ApiError) -> Self {
        let async_graphql::Error { message, source, extensions } = error.into();
        Self { message, source, locations: vec![], path: vec![], extensions }
    }
}

/// Codes and arguments on async-graphql's errors.
pub(super) trait Coded: Sized {
    /// This error with this code, unless it already has one.
    fn coded(self, code: ErrorCode) -> Self;

    /// This error with the name of the argument of `field` at the position where it occurred, if there is one.
    /// async-graphql doesn't name an argument that it failed to convert.
    fn blamed(self, field: &Field) -> Self;
}

impl Coded for ServerError {
    fn coded(mut self, code: ErrorCode) -> Self {
        if !has_code(&self) {
            self.extensions.get_or_insert_default().set("code", code.name());
        }
        self
    }

    fn blamed(mut self, field: &Field) -> Self {
        if !has_code(&self)
            && let Some((name, _)) = field.arguments.iter().find(|(_, value)| self.locations.contains(&value.pos))
        {
            self.extensions.get_or_insert_default().set("field", name.node.as_str());
            return self.coded(ErrorCode::BadUserInput);
        }
        self
    }
}

fn has_code(error: &ServerError) -> bool {
    error.extensions.as_ref().is_some_and(|extensions| extensions.get("code").is_some())
}

/// How long to wait before trying again what was limited in this response: the longest, if there is more than one.
/// `None` when nothing was.
#[must_use]
pub fn retry_after(response: &Response) -> Option<Duration> {
    let of = |error: &ServerError| match error.extensions.as_ref()?.get("retryAfterMs")? {
        Value::Number(millis) => millis.as_u64().map(Duration::from_millis),
        _ => None,
    };
    response.errors.iter().filter_map(of).max()
}

/// Whether nothing was answered, and all for want of a viewer: a valid token, and nothing else, would have helped. Not
/// when a password or a refresh token was wrong.
#[must_use]
pub fn needs_viewer(response: &Response) -> bool {
    let is_empty = match &response.data {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(|value| *value == Value::Null),
        _ => false,
    };
    let needs = |error: &ServerError| matches!(error.source::<chat::Error>(), Some(chat::Error::Unauthenticated));
    is_empty && response.is_err() && response.errors.iter().all(needs)
}

/// The kind of failure in this response, the gravest if there are several. `None` if there are no errors. An error
/// without a code is a defect.
#[must_use]
pub fn failure(response: &Response) -> Option<Failure> {
    let of = |error: &ServerError| ErrorCode::in_extensions(error).map_or(Failure::Server, ErrorCode::failure);
    response.errors.iter().map(of).max()
}

/// The most bytes of an error's text, which may quote the document.
const MAX_MESSAGE_BYTES: usize = 500;

/// The last step of every response: each error without a code gets one, and the server's own failures are logged, once
/// each however many fields they affect. Texts are cut at [`MAX_MESSAGE_BYTES`], and of more than [`MAX_ERRORS`] errors
/// the first are kept. Finishing a response twice changes nothing more. Sources are dropped but for that by which
/// [`needs_viewer`] knows what a token would have helped with.
///
/// An error without a code that belongs to no field is async-graphql's own: the request can't be executed. In a field
/// it is a defect, so its text is replaced.
#[must_use]
pub fn finish(mut response: Response) -> Response {
    let mut logged = HashSet::new();
    for error in std::mem::take(&mut response.errors) {
        log(&error, &mut logged);
        let code = match error.path[..] {
            [] => ErrorCode::GraphqlValidationFailed,
            _ => ErrorCode::InternalServerError,
        };
        let mut message = match code {
            ErrorCode::InternalServerError if !has_code(&error) => "internal error".to_owned(),
            _ => error.message.clone(),
        };
        message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
        if response.errors.len() == MAX_ERRORS {
            continue;
        }
        let is_kept = matches!(error.source::<chat::Error>(), Some(chat::Error::Unauthenticated));
        let source = error.source.clone().filter(|_| is_kept);
        response.errors.push(ServerError { message, source, ..error.coded(code) });
    }
    response
}

/// Logs an error that the client can't do anything about.
fn log(error: &ServerError, logged: &mut HashSet<String>) {
    let code = error.source::<chat::Error>().map(ErrorCode::of);
    let cause = match (code, error.source::<chat::Error>()) {
        (Some(ErrorCode::InternalServerError | ErrorCode::Unavailable), Some(source)) => with_causes(source),
        (None, _) if !has_code(error) && !error.path.is_empty() => error.message.clone(),
        _ => return,
    };
    if logged.contains(&cause) {
        return;
    }
    if code == Some(ErrorCode::Unavailable) {
        tracing::warn!(error = cause, path = ?error.path, "a request could not be served");
    } else {
        tracing::error!(error = cause, path = ?error.path, "a request failed");
    }
    logged.insert(cause);
}

#[cfg(test)]
mod tests;
