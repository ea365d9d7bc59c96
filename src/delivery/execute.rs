//! How delivery runs GraphQL and writes responses. It is handed the function that executes, so it knows neither the
//! schema nor the codes of errors.

use std::sync::Arc;

use async_graphql::{Request, Response, ServerError, Value};
use futures_util::stream::BoxStream;
use serde::Serialize;

use crate::failure::Failure;

/// Runs a GraphQL operation: `Schema::execute_stream`, without its type.
pub type Execute = Arc<dyn Fn(Request) -> BoxStream<'static, Executed> + Send + Sync>;

/// Makes the request of one subscription document anew for each execution; only the [`Feed`](super::Feed) in its data
/// is added afterwards.
pub type MakeRequest = Arc<dyn Fn() -> Request + Send + Sync>;

/// A response, and the kind of failure in it.
#[derive(Debug)]
pub struct Executed {
    /// The response, with a code on each error.
    pub response: Response,
    /// The gravest of its errors. `None` if it has no errors.
    pub failure: Option<Failure>,
}

impl Executed {
    /// Whether something failed that the client can do nothing about.
    #[must_use]
    pub fn is_servers_failure(&self) -> bool {
        self.failure.is_some_and(Failure::is_servers)
    }

    /// Whether the operation did not run at all: then there is no data, and no error names the path of a field.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        is_refusal(&self.response)
    }

    /// The response as JSON. `data` is left out, rather than null, when the operation did not run.
    #[must_use]
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Body<'r> {
            #[serde(skip_serializing_if = "Option::is_none")]
            data: Option<&'r Value>,
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            errors: &'r [ServerError],
            #[serde(skip_serializing_if = "Option::is_none")]
            extensions: Option<&'r std::collections::BTreeMap<String, Value>>,
        }
        let Response { data, errors, extensions, .. } = &self.response;
        let body = Body {
            data: (!self.is_refusal()).then_some(data),
            errors,
            extensions: (!extensions.is_empty()).then_some(extensions),
        };
        serde_json::to_string(&body).unwrap_or_else(|error| {
            // Values of async-graphql can always be written.
            tracing::error!(%error, "a response could not be written as JSON");
            r#"{"errors":[{"message":"internal error","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}"#.to_owned()
        })
    }
}

/// What a client is told of a defect that no field of its document has.
pub(super) fn defect() -> ServerError {
    let mut error = ServerError::new("internal error", None);
    error.extensions.get_or_insert_default().set("code", "INTERNAL_SERVER_ERROR");
    error
}

fn is_refusal(response: &Response) -> bool {
    response.data == Value::Null && response.is_err() && response.errors.iter().all(|error| error.path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_run_has_no_data_and_what_failed_in_a_field_has() {
        let response = Response::from_errors(vec![ServerError::new("no", None)]);
        let mut failed = Executed { response, failure: Some(Failure::Client) };
        assert!(failed.is_refusal());
        assert_eq!(failed.to_json(), r#"{"errors":[{"message":"no"}]}"#);

        failed.response.errors[0].path = vec![async_graphql::PathSegment::Field("me".into())];
        assert!(!failed.is_refusal());
        assert_eq!(failed.to_json(), r#"{"data":null,"errors":[{"message":"no","path":["me"]}]}"#);
    }
}
