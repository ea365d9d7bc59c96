//! Finds out once, rather than for every request, how much an operation asks for.
//!
//! That depends on the operation and the values of its variables: numbers say how long lists may be. The text in a
//! variable of the type `String`, `ID` or `Cursor` makes no difference. So requests that differ only in such texts are of
//! one kind, and what was found of one holds for the others.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_graphql::parser::types::{BaseType, VariableDefinition};
use async_graphql::{Positioned, ValidationResult, Value, Variables};

/// Kinds of requests that are remembered per operation. A client's operation has one or two.
const MAX_KINDS: usize = 32;

/// The most bytes in a kind's description; requests with a longer one are validated each time.
const MAX_KIND_BYTES: usize = 256;

/// The validation results of one operation, kept beside it.
#[derive(Debug, Default)]
pub(crate) struct Validations(Mutex<HashMap<String, ValidationResult>>);

/// One request of an operation whose validation results are kept. It goes into the request's data.
pub(crate) struct Validated {
    validations: Arc<Validations>,
    kind: Option<String>,
}

impl Validated {
    /// A request with these values of the variables that are declared.
    #[must_use]
    pub(super) fn new(
        validations: &Arc<Validations>,
        declared: &[Positioned<VariableDefinition>],
        variables: &Variables,
    ) -> Self {
        Self { validations: validations.clone(), kind: kind(declared, variables) }
    }

    /// The result of validating an earlier request of the same kind.
    pub(super) fn known(&self) -> Option<ValidationResult> {
        self.validations.lock().get(self.kind.as_ref()?).copied()
    }

    /// Keeps the result for this request, which is valid.
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

/// Describes everything about a request that validation depends on. `None` if the description would be too long.
fn kind(declared: &[Positioned<VariableDefinition>], variables: &Variables) -> Option<String> {
    let mut kind = String::new();
    for variable in declared {
        let variable = &variable.node;
        kind.push('\n');
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

/// Describes a value without the content of its texts.
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

    const DOCUMENT: &str = "query($text: String!, $ids: [ID!], $first: Int, $kind: RoomType) { a }";

    fn of(variables: serde_json::Value) -> Option<String> {
        let document = parse_query(DOCUMENT).expect("a document");
        let (_, operation) = document.operations.iter().next().expect("an operation");
        kind(&operation.node.variable_definitions, &Variables::from_json(variables))
    }

    #[test]
    fn what_texts_say_makes_no_difference() {
        let one = of(json!({ "text": "one", "ids": ["1", "2"], "first": 1 }));
        assert!(one.is_some());
        assert_eq!(one, of(json!({ "text": "another", "ids": ["3", "4"], "first": 1 })));
    }

    #[test]
    fn everything_else_does() {
        let base = json!({ "text": "one", "ids": ["1"], "first": 1, "kind": "CONSUMER_TO_CONSUMER" });
        let mut seen = vec![of(base.clone())];
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
            seen.push(of(other));
        }
        seen.push(of(json!({ "text": "one", "ids": ["1"], "first": 1 })));
        let distinct: std::collections::HashSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), seen.len(), "{seen:#?}");
    }

    #[test]
    fn what_would_take_much_room_is_not_kept() {
        let many: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
        assert_eq!(of(json!({ "text": "one", "ids": many })), None);
        assert_eq!(of(json!({ "text": "one", "kind": "x".repeat(1_000) })), None);
    }
}
