//! The schema as a document and its variables are checked against it, once, before anything is executed.
//!
//! async-graphql validates as it likes: it lets variables of another type pass, refuses a request for the variables of
//! another operation, and looks at values only where they are used. So documents are validated by `apollo-compiler`,
//! which has the [rules of the specification](https://spec.graphql.org/September2025/#sec-Validation), and `variables`
//! coerces what the client gave. Group keys, caches and the execution see only what comes out of that.

mod variables;

use std::sync::Arc;

use apollo_compiler::Schema;
use apollo_compiler::parser::Parser;
use apollo_compiler::validation::{DiagnosticList, Valid};
use async_graphql::{Pos, ServerError};

use super::error::ErrorCode;
pub(crate) use variables::GivenVariables;

/// The most problems of one document that are told.
const MAX_PROBLEMS: usize = 20;

/// More nested than any document that the guard admits.
const MAX_NESTING: usize = 100;

/// The schema. Cheap to clone.
#[derive(Clone)]
pub struct Contract(Arc<Valid<Schema>>);

/// What is wrong with a document, as clients are told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    message: String,
    positions: Vec<Pos>,
}

impl Contract {
    /// The contract of this server's schema.
    ///
    /// # Panics
    /// When the schema is none by the specification, which a test excludes.
    #[must_use]
    pub fn new() -> Self {
        Self::of(&super::sdl())
    }

    /// The contract of a schema in the schema definition language.
    fn of(sdl: &str) -> Self {
        let schema = Schema::parse_and_validate(sdl, "schema.graphql");
        Self(Arc::new(schema.unwrap_or_else(|invalid| panic!("the schema is invalid: {}", invalid.errors))))
    }

    /// Whether the document is valid by the specification. It must be one that the guard admits: that bounds what its
    /// validation costs.
    ///
    /// # Errors
    /// What is wrong with it; never empty.
    pub fn validate(&self, document: &str) -> Result<(), Vec<Problem>> {
        let mut parser = Parser::new().recursion_limit(MAX_NESTING);
        let refused = match parser.parse_executable(&self.0, document, "document.graphql") {
            Ok(parsed) => parsed.validate(&self.0).map(drop).map_err(|invalid| invalid.errors),
            // What could be parsed has problems, too, and those are more to the point.
            Err(invalid) => Err(invalid.partial.validate(&self.0).err().map_or(invalid.errors, |all| all.errors)),
        };
        refused.map_err(|errors| problems(&errors))
    }

    /// Whether what is selected on `condition` is selected of an object of this type.
    pub(crate) fn applies(&self, condition: &str, object: &str) -> bool {
        condition == object || self.0.is_subtype(condition, object)
    }
}

impl Default for Contract {
    fn default() -> Self {
        Self::new()
    }
}

fn problems(errors: &DiagnosticList) -> Vec<Problem> {
    let mut problems: Vec<Problem> = errors
        .iter()
        .take(MAX_PROBLEMS)
        .map(|diagnostic| {
            let error = diagnostic.to_json();
            // Names are quoted as clients' tools expect it.
            let message = error.message.replace('`', "\"");
            let positions = error.locations.iter().map(|at| Pos { line: at.line, column: at.column }).collect();
            Problem { message, positions }
        })
        .collect();
    if problems.is_empty() {
        problems.push(Problem { message: "the document is not valid".to_owned(), positions: Vec::new() });
    }
    problems
}

impl Problem {
    /// The problem as clients see it.
    #[must_use]
    pub fn to_error(&self) -> ServerError {
        let Self { message, positions } = self;
        ServerError { locations: positions.clone(), ..ErrorCode::GraphqlValidationFailed.error(message.clone()) }
    }
}

#[cfg(test)]
mod tests;
