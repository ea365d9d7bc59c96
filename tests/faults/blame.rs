//! Whose fault an error or a close is. The clients of a load make no mistakes, so there is little that they may be told.

use serde_json::Value;

/// Codes that tell a client of its own fault, as the schema describes them.
const CLIENTS_OWN: [&str; 8] = [
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "BAD_USER_INPUT",
    "NOT_FOUND",
    "CONFLICT",
    "RATE_LIMITED",
    "GRAPHQL_PARSE_FAILED",
    "GRAPHQL_VALIDATION_FAILED",
];

/// Close codes after which a client connects again and resumes: no code, the server stops, try again later.
const RESUMED_AFTER: [u16; 5] = [1001, 1005, 1006, 1012, 1013];

/// What is wrong with a message in which a subscription's client expected an event. `None`: the client's own fault.
pub fn of_message(message: &Value) -> Option<String> {
    // `error` carries the errors as its payload, `next` within a response.
    let errors = if message["type"] == "error" { &message["payload"] } else { &message["payload"]["errors"] };
    let code = errors[0]["extensions"]["code"].as_str();
    let is_clients_own = code.is_some_and(|code| CLIENTS_OWN.contains(&code));
    (!is_clients_own)
        .then(|| format!("`{}` with {}", message["type"].as_str().unwrap_or("?"), code.unwrap_or("no code")))
}

/// What is wrong with a close code, after which a client without faults would not connect again.
pub fn of_close(code: u16) -> Option<String> {
    (!RESUMED_AFTER.contains(&code)).then(|| format!("closed with {code}"))
}
