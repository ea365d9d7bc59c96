//! What every transport does with an operation: admit its document, and execute it for the caller.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{Name, Request, Response, ServerError, Variables};
use tokio::time::{Instant, sleep_until};

use super::body::{Extensions, RequestBody};
use super::{UserTurn, executed};
use crate::delivery::{Executed, Shape};
use crate::graphql::{self, ErrorCode, Plan, Problem, SyncCursor};
use crate::http::AppState;
use crate::http::caller::Caller;
use crate::http::guard::{Choice, Document, Refusal};
use crate::limits::Meter;

/// How long a query or mutation may take before it is given up, besides what it waits to be within the limits.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);

/// An operation that may be executed.
#[derive(Debug)]
pub(crate) struct Operation {
    document: Arc<Document>,
    plan: Arc<Plan>,
    name: Option<String>,
    /// As the schema has them, with defaults filled in.
    variables: Variables,
    extensions: Extensions,
}

/// Why an operation is not executed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum OperationRefused {
    /// The guard does not let its document pass.
    Document(Refusal),
    /// Its document is not valid.
    Invalid(Vec<Problem>),
    /// The request doesn't say which operation of the document is meant, or names one that doesn't exist.
    Choice(Choice),
    /// Its variables are not acceptable.
    Variables(Vec<ServerError>),
}

impl OperationRefused {
    /// Whether the document is refused because it is over a limit, which says nothing about its syntax.
    #[must_use]
    pub(crate) fn is_limit(&self) -> bool {
        matches!(self, Self::Document(refusal) if !matches!(refusal, Refusal::Syntax { .. }))
    }

    /// A stable label for metrics.
    #[must_use]
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Document(refusal) => refusal.reason(),
            Self::Invalid(_) => "invalid",
            Self::Choice(_) => "operation_name",
            Self::Variables(_) => "variables",
        }
    }

    /// The refusal as clients see it.
    #[must_use]
    pub(crate) fn to_errors(&self) -> Vec<ServerError> {
        let errors = match self {
            Self::Document(refusal @ Refusal::Syntax { position, .. }) => vec![ServerError {
                locations: position.iter().copied().collect(),
                ..ErrorCode::GraphqlParseFailed.error(refusal.to_string())
            }],
            Self::Document(refusal) => vec![ErrorCode::GraphqlValidationFailed.error(refusal.to_string())],
            Self::Choice(choice) => vec![ErrorCode::GraphqlValidationFailed.error(choice.to_string())],
            Self::Invalid(problems) => problems.iter().map(Problem::to_error).collect(),
            Self::Variables(errors) => errors.clone(),
        };
        // They may quote the document.
        graphql::finish(Response::from_errors(errors)).errors
    }
}

impl Operation {
    /// Admits the operation, if the guard lets its document pass, the document is valid, and so are its variables.
    ///
    /// # Errors
    /// The refusal, already counted.
    pub(crate) fn admit(state: &AppState, body: RequestBody) -> Result<Self, OperationRefused> {
        Self::find(state, body)
            .inspect_err(|refused| state.metrics.refusals.with_label_values(&[refused.reason()]).inc())
    }

    fn find(state: &AppState, body: RequestBody) -> Result<Self, OperationRefused> {
        let RequestBody { query, operation_name: name, variables, extensions } = body;
        let document = state.guard.admit(&query).map_err(OperationRefused::Document)?;
        document.validate(&state.contract).map_err(OperationRefused::Invalid)?;
        let chosen = document.choose(name.as_deref()).map_err(OperationRefused::Choice)?;
        let plan = Arc::clone(chosen.map_err(OperationRefused::Document)?);
        let variables = plan.coerce(&state.contract, &variables).map_err(OperationRefused::Variables)?;
        Ok(Self { document, plan, name, variables, extensions })
    }

    /// Query, mutation or subscription.
    #[must_use]
    pub(crate) fn kind(&self) -> OperationType {
        self.plan.kind()
    }

    /// The field at the root: the first of several.
    #[must_use]
    pub(crate) fn first_root(&self) -> Option<Name> {
        self.plan.first_root(&self.variables)
    }

    /// The length of its document in bytes.
    #[must_use]
    pub(crate) fn document_bytes(&self) -> usize {
        self.document.text().len()
    }

    /// The text of the cursor from which a subscription without an argument of its own resumes.
    #[must_use]
    pub(crate) fn after(&self) -> Option<&str> {
        self.extensions.after.as_deref()
    }

    /// What decides with which others a subscription can share its rendering. `None` if it is no subscription.
    #[must_use]
    pub(crate) fn shape(&self) -> Option<Shape> {
        let executed = self.plan.document(&self.variables);
        Shape::of(self.document.text(), &executed, self.name.as_deref(), &self.variables)
    }

    /// Values of its variables.
    #[must_use]
    pub(crate) fn variables(&self) -> &Variables {
        &self.variables
    }

    /// A request that executes it, with these variables in place of its own.
    #[must_use]
    pub(crate) fn request(&self, state: &AppState, variables: &Variables) -> Request {
        self.plan.request(&state.contract, variables)
    }

    /// Executes a query or mutation for this caller. Every error has a code, and none shows what the client may not
    /// see. An operation that takes longer than [`DEADLINE`] is given up as `UNAVAILABLE`; a mutation may have taken
    /// effect by then. The turn is to be held for as long as the whole response is.
    pub(crate) async fn execute(self, state: &AppState, caller: Caller, meter: Meter) -> (Executed, Option<UserTurn>) {
        let mut request = self.request(state, &self.variables).data(meter.clone());
        if self.document.asks_sync_cursor() {
            request = request.data(SyncCursor(state.delivery.hub().caught_up().await));
        }
        if let Some(viewer) = caller.viewer {
            request = request.data(viewer);
        }
        if let Some(key) = caller.key {
            request = request.data(key);
        }
        let execution = async {
            // Signing in and up wait for turns of their own, at hashing passwords.
            let whose = caller.whose();
            let takes_turn = whose.is_some() || self.document.asks_introspection();
            let turn = if takes_turn { Some(state.turns.take(whose).await) } else { None };
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
