//! Validating a document once rather than for every request.
//!
//! Whether a request is valid, and how much it asks for, depends on the document, the operation that is chosen, and the
//! values of its variables: numbers say how long lists may be, names of enums must exist. What is written in a variable of
//! the type `String`, `ID` or `Cursor` makes no difference: any text is acceptable there until it is read. So requests are
//! alike when they differ in such texts only, and what validation has found of one holds for the others.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_graphql::parser::types::{BaseType, OperationDefinition};
use async_graphql::{ValidationResult, Value, Variables};

/// Kinds of requests that are remembered of one document. A client's document has one or two.
const MAX_KINDS: usize = 32;

/// Bytes of a kind's description; longer ones are validated each time.
const MAX_KIND_BYTES: usize = 256;

/// What validation has found of one document, kept beside it.
#[derive(Debug, Default)]
pub struct Validations(Mutex<HashMap<String, ValidationResult>>);

/// A request of a document whose validations are kept: to be put into the request's data.
pub struct Validated {
    validations: Arc<Validations>,
    kind: Option<String>,
}

impl Validated {
    /// A request of this operation, by its name and its variables. None: the request doesn't say which is meant.
    #[must_use]
    pub fn new(
        validations: &Arc<Validations>,
        definition: Option<&OperationDefinition>,
        name: Option<&str>,
        variables: &Variables,
    ) -> Self {
        Self { validations: validations.clone(), kind: kind(definition, name, variables) }
    }

    /// What was found when a request like this was validated before.
    pub(super) fn known(&self) -> Option<ValidationResult> {
        self.validations.lock().get(self.kind.as_ref()?).copied()
    }

    /// Keeps what was found: the request is valid.
    pub(super) fn keep(&self, result: ValidationResult) {
        let Some(kind) = &self.kind else { return };
        let mut known = self.validations.lock();
        if known.len() < MAX_KINDS {
            known.insert(kind.clone(), result);
        }
    }
}

impl Validations {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, ValidationResult>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What validation can tell apart. None: it would take too much room.
fn kind(definition: Option<&OperationDefinition>, name: Option<&str>, variables: &Variables) -> Option<String> {
    let mut kind = name.unwrap_or_default().to_owned();
    for variable in &definition?.variable_definitions {
        let variable = &variable.node;
        kind.push('\n');
        // One that is left out has its default, which is not the same as null.
        let Some(value) = variables.get(&variable.name.node) else { continue };
        if is_free_text(&variable.var_type.node.base) {
            describe(value, &mut kind);
        } else {
            write!(kind, "{value}").ok()?;
        }
        if kind.len() > MAX_KIND_BYTES {
            return None;
        }
    }
    Some(kind)
}

/// Types that take any text, and lists of them.
fn is_free_text(r#type: &BaseType) -> bool {
    match r#type {
        BaseType::Named(name) => matches!(name.as_str(), "String" | "ID" | "Cursor"),
        BaseType::List(item) => is_free_text(&item.base),
    }
}

/// A value without what its texts say.
fn describe(value: &Value, kind: &mut String) {
    match value {
        Value::String(_) => kind.push_str("\"\""),
        Value::List(items) => {
            kind.push('[');
            for item in items.iter().take(MAX_KIND_BYTES) {
                describe(item, kind);
            }
            kind.push(']');
        }
        other => {
            let _ = write!(kind, "{other}");
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use serde_json::json;

    use super::*;

    const DOCUMENT: &str = "query A($text: String!, $ids: [ID!], $first: Int, $kind: RoomType) { a } query B { b }";

    fn of(operation: &str, variables: serde_json::Value) -> Option<String> {
        let document = parse_query(DOCUMENT).expect("a document");
        let mut operations = document.operations.iter();
        let chosen = operations.find(|(name, _)| name.is_some_and(|name| name.as_str() == operation));
        kind(chosen.map(|(_, definition)| &definition.node), Some(operation), &Variables::from_json(variables))
    }

    #[test]
    fn what_texts_say_makes_no_difference() {
        let one = of("A", json!({ "text": "one", "ids": ["1", "2"], "first": 1 }));
        assert!(one.is_some());
        assert_eq!(one, of("A", json!({ "text": "another", "ids": ["3", "4"], "first": 1 })));
    }

    #[test]
    fn everything_else_does() {
        let base = json!({ "text": "one", "ids": ["1"], "first": 1, "kind": "CONSUMER_TO_CONSUMER" });
        let mut seen = vec![of("A", base.clone()), of("B", base.clone())];
        for (name, value) in [
            ("text", json!(1)),
            ("text", json!(null)),
            ("ids", json!(["1", "2"])),
            ("ids", json!([["1"]])),
            ("ids", json!("1")),
            ("first", json!(2)),
            ("first", json!("1")),
            ("first", json!(null)),
            ("kind", json!("NONE")),
        ] {
            let mut other = base.clone();
            other[name] = value;
            seen.push(of("A", other));
        }
        seen.push(of("A", json!({ "text": "one", "ids": ["1"], "first": 1 })));
        let distinct: std::collections::HashSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "{seen:#?}");
    }

    #[test]
    fn what_would_take_much_room_is_not_kept() {
        let many: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
        assert_eq!(of("A", json!({ "text": "one", "ids": many })), None);
        assert_eq!(of("A", json!({ "text": "one", "kind": "x".repeat(1_000) })), None);
    }
}
