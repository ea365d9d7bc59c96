//! Errors as clients see them.

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
