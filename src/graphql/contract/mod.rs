//! The schema as a document and its variables are checked against it, once, before anything is executed.
//!
//! async-graphql validates as it likes: it lets variables of another type pass, refuses a request for the variables of
//! another operation, and looks at values only where they are used. So documents are validated by `apollo-compiler`,
//! which has the [rules of the specification](https://spec.graphql.org/September2025/#sec-Validation), and by `rules`,
//! which has what is missing there, and `variables` coerces what the client gave. Group keys, caches and the execution see only what comes out of that.

mod rules;
mod variables;

use std::sync::Arc;

use apollo_compiler::parser::Parser;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::{DiagnosticList, Valid};
use apollo_compiler::{Schema, ast, name, ty};
use async_graphql::parser::types::OperationType;
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
        let schema = schema.unwrap_or_else(|invalid| panic!("the schema is invalid: {}", invalid.errors));
        let mut schema = schema.into_inner();
        add_is_one_of(&mut schema);
        Self(Arc::new(Valid::assume_valid(schema)))
    }

    /// Whether the document is valid by the specification. It must be one that the guard admits: that bounds what its
    /// validation costs.
    ///
    /// # Errors
    /// What is wrong with it; never empty.
    pub fn validate(&self, document: &str) -> Result<(), Vec<Problem>> {
        let mut parser = Parser::new().recursion_limit(MAX_NESTING);
        let (parsed, errors) = match parser.parse_executable(&self.0, document, "document.graphql") {
            Ok(parsed) => match parsed.clone().validate(&self.0) {
                Ok(_) => (parsed, None),
                Err(invalid) => (parsed, Some(invalid.errors)),
            },
            Err(invalid) => (invalid.partial, Some(invalid.errors)),
        };
        let mut found: Vec<Problem> = errors.as_ref().map(problems).unwrap_or_default();
        if found.is_empty() {
            found = rules::check(&self.0, &parsed);
        }
        found.truncate(MAX_PROBLEMS);
        if found.is_empty() { Ok(()) } else { Err(found) }
    }

    /// Whether what is selected on `condition` is selected of an object of this type.
    pub(crate) fn applies(&self, condition: &str, object: &str) -> bool {
        condition == object || self.0.is_subtype(condition, object)
    }

    /// Whether the type of this name is one of objects, and no interface, for example.
    pub(crate) fn is_object(&self, type_name: &str) -> bool {
        matches!(self.0.types.get(type_name), Some(ExtendedType::Object(_)))
    }

    /// The name of the type of a field, or of what the field is a list of.
    pub(crate) fn type_of(&self, type_name: &str, field: &str) -> Option<&str> {
        let definition = self.0.type_field(type_name, field).ok()?;
        Some(definition.ty.inner_named_type().as_str())
    }

    /// The name of the type at the root of such operations.
    pub(crate) fn root(&self, kind: OperationType) -> Option<&str> {
        let kind = match kind {
            OperationType::Query => ast::OperationType::Query,
            OperationType::Mutation => ast::OperationType::Mutation,
            OperationType::Subscription => ast::OperationType::Subscription,
        };
        Some(self.0.root_operation(kind)?.as_str())
    }
}

impl Default for Contract {
    fn default() -> Self {
        Self::new()
    }
}

/// Adds `__Type.isOneOf`, which introspection has since September 2025 and `apollo-compiler` doesn't know yet.
fn add_is_one_of(schema: &mut Schema) {
    let Some(ExtendedType::Object(r#type)) = schema.types.get_mut("__Type") else { return };
    if let Some(mut field) = r#type.fields.get("name").cloned() {
        let definition = field.make_mut();
        (definition.name, definition.ty) = (name!("isOneOf"), ty!(Boolean));
        r#type.make_mut().fields.insert(name!("isOneOf"), field);
    }
}

/// The rule that [`rules`] has in its place: here each selection of the root counts, even of the same field.
const COUNTED_ROOTS: &str = "can only have one root field";

fn problems(errors: &DiagnosticList) -> Vec<Problem> {
    let told = errors.iter().map(|diagnostic| diagnostic.to_json());
    let told = told.filter(|error| !error.message.contains(COUNTED_ROOTS)).take(MAX_PROBLEMS);
    told.map(|error| Problem {
        // Names are quoted as clients' tools expect it.
        message: error.message.replace('`', "\""),
        positions: error.locations.iter().map(|at| Pos { line: at.line, column: at.column }).collect(),
    })
    .collect()
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
