//! What every transport does with an operation: admit its document, and execute it for the caller.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::{OperationType, Selection};
use async_graphql::{Name, Request, Response, ServerError, Variables};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::time::{Instant, sleep_until};

use super::{UserTurn, executed};
use crate::delivery::{Executed, Shape};
use crate::graphql::{ErrorCode, SyncCursor};
use crate::http::AppState;
use crate::http::caller::Caller;
use crate::http::guard::{Choice, Document, Refusal};
use crate::limits::Meter;

/// How long a query or mutation may take before it is given up, besides what it waits to be within the limits.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// The longest explanation of what is wrong with a body; it may quote the body.
const MAX_EXPLANATION_BYTES: usize = 200;

/// An operation as the client sends it: the body of a POST, or the payload of a `subscribe` message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestBody {
    /// The document.
    pub query: String,
    /// The name of the operation that is meant; may be left out when the document has only one.
    pub operation_name: Option<String>,
    /// Values of its variables.
    #[serde(default)]
    pub variables: Variables,
    /// Accepted so that clients may send them, but not used.
    pub extensions: Option<Extensions>,
}

/// Additions to the protocol, none of which Parlor implements.
pub(super) type Extensions = indexmap::IndexMap<String, async_graphql::Value>;

/// The text is not an operation as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBody {
    /// The text isn't JSON.
    #[error("the body is not JSON: line {line}, column {column}")]
    NotJson {
        /// Counted from 1.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// The text is an array.
    #[error("batching is off: send one operation per request")]
    Batch,
    /// The JSON has another shape.
    #[error("the body must be an object with `query` and, if need be, `operationName`, `variables`, `extensions`: {0}")]
    Shape(String),
}

impl RequestBody {
    /// Reads an operation.
    ///
    /// # Errors
    /// When the text isn't JSON, is an array, lacks `query`, or has a member that is unknown or of another type.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidBody> {
        match json.trim_ascii_start().first() {
            Some(b'[') => return Err(InvalidBody::Batch),
            Some(b'{') => {}
            _ => serde_json::from_slice(json).map(|_: IgnoredAny| ()).map_err(|error| InvalidBody::from(&error))?,
        }
        serde_json::from_slice(json).map_err(|error| InvalidBody::from(&error))
    }
}

impl From<&serde_json::Error> for InvalidBody {
    fn from(error: &serde_json::Error) -> Self {
        if !error.is_data() {
            return Self::NotJson { line: error.line(), column: error.column() };
        }
        let mut explanation = error.to_string();
        explanation.truncate(explanation.floor_char_boundary(MAX_EXPLANATION_BYTES));
        Self::Shape(explanation)
    }
}

/// An operation that may be executed.
#[derive(Debug)]
pub(crate) struct Operation {
    document: Arc<Document>,
    name: Option<String>,
    variables: Variables,
    kind: OperationType,
}

/// Why an operation is not executed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OperationRefused {
    /// The guard does not let its document pass.
    #[error(transparent)]
    Document(#[from] Refusal),
    /// The request doesn't say which operation of the document is meant, or names one that doesn't exist.
    #[error(transparent)]
    Choice(#[from] Choice),
}

impl OperationRefused {
    /// Whether the document is refused because it is over a limit, which says nothing about its syntax.
    #[must_use]
    pub(crate) fn is_limit(&self) -> bool {
        !matches!(self, Self::Document(Refusal::Syntax { .. }) | Self::Choice(_))
    }

    /// A stable label for metrics.
    #[must_use]
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Document(refusal) => refusal.reason(),
            Self::Choice(_) => "operation_name",
        }
    }

    /// The refusal as clients see it.
    #[must_use]
    pub(crate) fn to_error(&self) -> ServerError {
        let (code, position) = match self {
            Self::Document(Refusal::Syntax { position, .. }) => (ErrorCode::GraphqlParseFailed, *position),
            _ => (ErrorCode::GraphqlValidationFailed, None),
        };
        ServerError { locations: position.into_iter().collect(), ..code.error(self.to_string()) }
    }
}

impl Operation {
    /// Admits the operation, if the guard lets its document pass.
    ///
    /// # Errors
    /// The refusal, already counted.
    pub(crate) fn admit(state: &AppState, body: RequestBody) -> Result<Self, OperationRefused> {
        Self::find(state, body)
            .inspect_err(|refused| state.metrics.refusals.with_label_values(&[refused.reason()]).inc())
    }

    fn find(state: &AppState, body: RequestBody) -> Result<Self, OperationRefused> {
        let document = state.guard.admit(&body.query)?;
        let kind = document.choose(body.operation_name.as_deref())?.ty;
        Ok(Self { document, name: body.operation_name, variables: body.variables, kind })
    }

    /// Query, mutation or subscription.
    #[must_use]
    pub(crate) fn kind(&self) -> OperationType {
        self.kind
    }

    /// The field at the root, if there is one and it stands there itself: the first of several.
    #[must_use]
    pub(crate) fn first_root(&self) -> Option<&Name> {
        let definition = self.document.choose(self.name.as_deref()).ok()?;
        match &definition.selection_set.node.items.first()?.node {
            Selection::Field(field) => Some(&field.node.name.node),
            _ => None,
        }
    }

    /// The length of its document in bytes.
    #[must_use]
    pub(crate) fn document_bytes(&self) -> usize {
        self.document.text().len()
    }

    /// What decides with which others a subscription can share its rendering. `None` if it is no subscription.
    #[must_use]
    pub(crate) fn shape(&self) -> Option<Shape> {
        let definition = self.document.choose(self.name.as_deref()).ok()?;
        let (text, parsed) = (self.document.text(), self.document.parsed());
        Shape::of(text, parsed, definition, self.name.as_deref(), &self.variables)
    }

    /// Values of its variables.
    #[must_use]
    pub(crate) fn variables(&self) -> &Variables {
        &self.variables
    }

    /// A request that executes it, with these variables in place of its own.
    #[must_use]
    pub(crate) fn request(&self, variables: Variables) -> Request {
        let validated = self.document.validated(self.name.as_deref(), &variables);
        // The request carries the parsed document, so it needs no text.
        let mut request = Request::new(String::new()).variables(variables).data(validated).data(self.kind);
        request.operation_name.clone_from(&self.name);
        request.set_parsed_query(self.document.parsed().clone());
        request
    }

    /// Executes a query or mutation for this caller. Every error has a code, and none shows what the client may not
    /// see. An operation that takes longer than [`DEADLINE`] is given up as `UNAVAILABLE`; a mutation may have taken
    /// effect by then. The turn is to be held for as long as the whole response is.
    pub(crate) async fn execute(
        mut self,
        state: &AppState,
        caller: Caller,
        meter: Meter,
    ) -> (Executed, Option<UserTurn>) {
        let variables = std::mem::take(&mut self.variables);
        let mut request = self.request(variables).data(meter.clone());
        if self.document.asks_sync_cursor() {
            request = request.data(SyncCursor(state.delivery.hub().caught_up().await));
        }
        if let Some(viewer) = caller.viewer {
            request = request.data(viewer);
        }
        let execution = async {
            // Signing in and up wait for turns of their own, at hashing passwords.
            let takes_turn = caller.viewer.is_some() || self.document.asks_introspection();
            let user = caller.viewer.map(|viewer| viewer.user);
            let turn = if takes_turn { Some(state.turns.take(user).await) } else { None };
            (state.schema.execute(request).await, turn)
        };
        let (response, turn) = tokio::select! {
            executed = execution => executed,
            () = deadline(&meter) => {
                let client = caller.address.ip;
                tracing::warn!(%client, deadline_secs = DEADLINE.as_secs(), "an operation was given up");
                state.metrics.refusals.with_label_values(&["deadline"]).inc();
                let problem = "the operation took too long and was given up";
                (Response::from_errors(vec![ErrorCode::Unavailable.error(problem)]), None)
            }
        };
        (executed(response), turn)
    }
}

/// Waits until [`DEADLINE`] from now has passed, without the time that the operation itself has waited.
async fn deadline(meter: &Meter) {
    let begun = Instant::now();
    loop {
        let due = begun + DEADLINE + meter.waited();
        if due <= Instant::now() {
            return;
        }
        sleep_until(due).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(json: &str) -> String {
        match RequestBody::parse(json.as_bytes()) {
            Err(InvalidBody::Shape(problem)) => problem,
            other => panic!("{json}: {other:?}"),
        }
    }

    #[test]
    fn an_operation_needs_only_a_query() {
        for json in [
            r#"{"query":"{a}"}"#,
            r#" {"query":"{a}","operationName":null,"variables":null,"extensions":null}"#,
            r#"{"query":"{a}","variables":{"v":[1]},"extensions":{"persistedQuery":{"version":1}}}"#,
        ] {
            let body = RequestBody::parse(json.as_bytes()).expect(json);
            assert_eq!((&*body.query, body.operation_name), ("{a}", None), "{json}");
        }
    }

    #[test]
    fn members_that_are_missing_unknown_or_of_another_type_are_refused() {
        assert!(shape("{}").contains("`query`"));
        assert!(shape(r#"{"query":"{a}","id":"1"}"#).contains("`id`"));
        assert!(shape(r#"{"query":"{a}","query":"{b}"}"#).contains("`query`"));
        for json in [
            r#"{"query":null}"#,
            r#"{"query":["{a}"]}"#,
            r#"{"query":"{a}","operationName":1}"#,
            r#"{"query":"{a}","variables":[]}"#,
            r#"{"query":"{a}","variables":"{}"}"#,
            r#"{"query":"{a}","extensions":1}"#,
            "null",
            "\"{a}\"",
        ] {
            shape(json);
        }
        assert!(shape(&format!(r#"{{"query":"{{a}}","variables":"{}"}}"#, "é".repeat(1_000))).len() <= 200);
    }

    #[test]
    fn what_is_no_json_and_what_is_a_batch_is_told_apart() {
        assert_eq!(RequestBody::parse(b"{\n\"query\"").err(), Some(InvalidBody::NotJson { line: 2, column: 7 }));
        assert!(matches!(RequestBody::parse(b"").err(), Some(InvalidBody::NotJson { .. })));
        assert!(matches!(RequestBody::parse(b"{\"query\":\"\xff\"}").err(), Some(InvalidBody::NotJson { .. })));
        assert_eq!(RequestBody::parse(b" [{\"query\":\"{a}\"}]").err(), Some(InvalidBody::Batch));
    }
}
