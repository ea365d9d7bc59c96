//! Errors as clients see them: a text for people, and `extensions.code` for programs.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::Field;
use async_graphql::{Enum, EnumType, ErrorExtensionValues, Response, ServerError, Value};

use crate::chat::{self, Argument};
use crate::failure::{Failure, with_causes};
use crate::graphql::execution::budget::MAX_ERRORS;
use crate::limits::Exceeded;

/// The kind of an error: the text of `extensions.code` in every entry of a response's `errors`.
///
/// If an argument is at fault, `extensions.field` names it. Further kinds may be added.
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
            Error::Unauthenticated | Error::WrongCredentials | Error::SessionEnded => Self::Unauthenticated,
            Error::Forbidden(_) => Self::Forbidden,
            Error::Invalid { .. } => Self::BadUserInput,
            Error::NotFound { .. } => Self::NotFound,
            Error::Conflict { .. } => Self::Conflict,
            Error::TooMuchText => Self::GraphqlValidationFailed,
            Error::RateLimited { .. } => Self::RateLimited,
            Error::ShuttingDown | Error::Unknown(_) | Error::Database(_) | Error::Internal(_) => {
                match error.failure() {
                    Failure::Outage => Self::Unavailable,
                    Failure::Server | Failure::Client => Self::InternalServerError,
                }
            }
        }
    }
}

/// The name in the schema of an argument of the rules.
fn name(argument: Argument) -> &'static str {
    match argument {
        Argument::After => "after",
        Argument::Before => "before",
        Argument::Body => "body",
        Argument::Client => "client",
        Argument::ClientId => "clientId",
        Argument::DisplayName => "displayName",
        Argument::First => "first",
        Argument::Ids => "ids",
        Argument::Last => "last",
        Argument::MessageId => "messageId",
        Argument::Password => "password",
        Argument::RoomId => "roomId",
        Argument::Search => "search",
        Argument::Seq => "seq",
        Argument::Ttl => "ttl",
        Argument::UserIds => "userIds",
        Argument::Username => "username",
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
        match &error {
            chat::Error::Invalid { argument, .. }
            | chat::Error::NotFound { argument, .. }
            | chat::Error::Conflict { argument, .. } => extensions.set("field", name(*argument)),
            chat::Error::RateLimited { retry_after } => {
                extensions.set("retryAfterMs", u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX));
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
mod tests {
    use async_graphql::PathSegment;
    use sea_orm::DbErr;

    use super::*;

    fn extension(error: &ServerError, name: &str) -> Option<Value> {
        error.extensions.as_ref()?.get(name).cloned()
    }

    fn shown(error: chat::Error) -> ServerError {
        ApiError::from(error).into()
    }

    #[test]
    fn a_code_is_named_as_in_the_schema() {
        assert_eq!(ErrorCode::BadUserInput.name(), "BAD_USER_INPUT");
        assert_eq!(ErrorCode::GraphqlParseFailed.name(), "GRAPHQL_PARSE_FAILED");
    }

    #[test]
    fn a_refusal_names_the_argument() {
        let error = shown(chat::Error::ROOM_NOT_FOUND);
        assert_eq!(error.message, "room not found");
        assert_eq!(extension(&error, "code"), Some("NOT_FOUND".into()));
        assert_eq!(extension(&error, "field"), Some("roomId".into()));
    }

    #[test]
    fn a_rate_limit_says_how_long_to_wait() {
        let error = shown(chat::Error::RateLimited { retry_after: Duration::from_millis(1500) });
        assert_eq!(extension(&error, "code"), Some("RATE_LIMITED".into()));
        assert_eq!(extension(&error, "retryAfterMs"), Some(1500.into()));
    }

    #[test]
    fn a_database_error_keeps_its_text_to_itself() {
        let error = shown(DbErr::Custom("no such table: room".to_owned()).into());
        assert_eq!(error.message, "internal error");
        assert_eq!(extension(&error, "code"), Some("INTERNAL_SERVER_ERROR".into()));
        assert!(with_causes(error.source::<chat::Error>().expect("kept for the log")).contains("no such table"));
    }

    #[test]
    fn the_gravest_failure_of_a_response_counts() {
        let of = |errors: Vec<ServerError>| failure(&Response::from_errors(errors));
        let client = || shown(chat::Error::ROOM_NOT_FOUND);
        let server = || shown(DbErr::Custom("no".to_owned()).into());
        let outage = || shown(chat::Error::ShuttingDown);
        assert_eq!(of(vec![]), None);
        assert_eq!(of(vec![client()]), Some(Failure::Client));
        assert_eq!(of(vec![client(), ServerError::new("no code", None)]), Some(Failure::Server));
        assert_eq!(of(vec![server(), client()]), Some(Failure::Server));
        assert_eq!(of(vec![outage(), server()]), Some(Failure::Outage));
    }

    #[test]
    fn only_where_a_viewer_was_all_that_was_missing_is_one_asked_for() {
        use chat::Error::{SessionEnded, Unauthenticated, WrongCredentials};

        let needs = |data: Value, errors: Vec<chat::Error>| {
            let errors = errors.into_iter().map(shown).collect();
            let mut response = Response::from_errors(errors);
            response.data = data;
            needs_viewer(&finish(response))
        };
        let object = |value: Value| Value::Object([(async_graphql::Name::new("room"), value)].into_iter().collect());
        assert!(needs(Value::Null, vec![Unauthenticated, Unauthenticated]));
        assert!(needs(object(Value::Null), vec![Unauthenticated]));
        assert!(!needs(object(1.into()), vec![Unauthenticated]));
        assert!(!needs(Value::Null, vec![]));
        assert!(!needs(Value::Null, vec![WrongCredentials]) && !needs(Value::Null, vec![SessionEnded]));
        assert!(!needs(Value::Null, vec![Unauthenticated, WrongCredentials]));
        assert!(!needs(Value::Null, vec![Unauthenticated, chat::Error::ROOM_NOT_FOUND]));
    }

    #[test]
    fn an_outage_asks_to_try_again() {
        let error = shown(chat::Error::ShuttingDown);
        assert_eq!(error.message, "try again later");
        assert_eq!(extension(&error, "code"), Some("UNAVAILABLE".into()));
    }

    #[test]
    fn an_error_without_a_code_is_a_defect_in_a_field_and_a_bad_request_elsewhere() {
        let in_field = ServerError::new("secret", None).with_path(vec![PathSegment::Field("me".to_owned())]);
        let elsewhere = ServerError::new("Unknown operation named \"x\"", None);
        let response = finish(finish(Response::from_errors(vec![in_field, elsewhere])));

        let [in_field, elsewhere] = &response.errors[..] else { panic!("two errors") };
        assert_eq!(in_field.message, "internal error");
        assert_eq!(in_field.path.len(), 1);
        assert_eq!(extension(in_field, "code"), Some("INTERNAL_SERVER_ERROR".into()));
        assert_eq!(elsewhere.message, "Unknown operation named \"x\"");
        assert_eq!(extension(elsewhere, "code"), Some("GRAPHQL_VALIDATION_FAILED".into()));
    }
}
