//! The bytes that one response may have, counted while its values are resolved, before any JSON is made of them.
//!
//! Limits on fields bound nothing that a text can fill. So every value is counted as it will be written: texts with
//! their escapes, names of fields, names of types, what errors say. Once a response is over its budget nothing more is
//! resolved for it, and one error takes its place. The document is at fault: the same event fails live and in a replay.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use async_graphql::{Number, PathSegment, QueryPathNode, QueryPathSegment, Response, ServerError, Value};

use crate::graphql::error::ErrorCode;

/// The most bytes of the answer to a query or mutation.
pub(crate) const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// The most bytes of one event as a subscription's document shows it.
pub(crate) const MAX_RENDERING_BYTES: usize = 256 * 1024;

/// The most errors that one response carries.
pub(crate) const MAX_ERRORS: usize = 100;

/// What surrounds everything in a response: `{"data":…,"errors":[…]}`.
const ENVELOPE_BYTES: usize = 32;

/// What surrounds an error's message and path: positions, the code, punctuation.
const ERROR_BYTES: usize = 200;

/// The longest name of a type in the schema, with room to grow: longer texts can't be one.
const MAX_TYPE_NAME_BYTES: usize = 64;

/// The budget of one response at a time.
#[derive(Debug)]
pub(super) struct Budget {
    max: AtomicUsize,
    left: AtomicUsize,
    /// Where the first value stood that was too much.
    spent_at: RwLock<OnceLock<Vec<PathSegment>>>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { max: MAX_ANSWER_BYTES.into(), left: MAX_ANSWER_BYTES.into(), spent_at: RwLock::default() }
    }
}

impl Budget {
    /// Begins a response of at most so many bytes.
    pub(super) fn begin(&self, max: usize) {
        self.max.store(max, Ordering::Relaxed);
        self.left.store(max - ENVELOPE_BYTES, Ordering::Relaxed);
        *self.spent_at.write().unwrap_or_else(PoisonError::into_inner) = OnceLock::new();
    }

    /// Whether more was asked for than there was.
    pub(super) fn is_spent(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    /// Counts a value that was resolved, for a field or for an item of a list. `is_leaf`: nothing is selected of it.
    /// False once the budget is spent.
    pub(super) fn put(&self, node: &QueryPathNode<'_>, is_leaf: bool, value: &Value) -> bool {
        let key = match node.segment {
            QueryPathSegment::Name(name) => name.len() + r#""":,"#.len(),
            QueryPathSegment::Index(_) => ",".len(),
        };
        let bytes = key
            + match value {
                // Its items were counted one by one.
                Value::List(_) => "[]".len(),
                // Its fields were, except for those that no resolver answers.
                Value::Object(fields) if !is_leaf => {
                    let type_names = fields.iter().filter_map(|(key, value)| Some((key, type_name(value)?)));
                    "{}".len() + type_names.map(|(key, name)| key.len() + name.len() + r#""":"","#.len()).sum::<usize>()
                }
                value => json_bytes(value),
            };
        self.spend(node, bytes)
    }

    /// Counts an error of a field. False once the budget is spent.
    pub(super) fn put_error(&self, node: &QueryPathNode<'_>, error: &ServerError) -> bool {
        let path: usize = error
            .path
            .iter()
            .map(|segment| match segment {
                PathSegment::Field(name) => name.len() + r#""","#.len(),
                PathSegment::Index(_) => 8,
            })
            .sum();
        self.spend(node, escaped_bytes(&error.message) + path + ERROR_BYTES)
    }

    /// The response, or what takes its place if it is over its budget.
    pub(super) fn finish(&self, response: &mut Response) {
        let mut spent_at = self.spent_at.write().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = std::mem::take(&mut *spent_at).into_inner() else { return };
        let max = self.max.load(Ordering::Relaxed);
        let problem = format!("the answer is longer than {max} bytes: ask for less at a time");
        response.data = Value::Null;
        response.errors = vec![ErrorCode::GraphqlValidationFailed.error(problem).with_path(path)];
    }

    fn spend(&self, node: &QueryPathNode<'_>, bytes: usize) -> bool {
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            // Nothing is left only once it was too little.
            Some(left.saturating_sub(bytes))
        });
        let within = taken.is_ok_and(|left| left > bytes);
        if !within {
            let spent_at = self.spent_at.read().unwrap_or_else(PoisonError::into_inner);
            spent_at.get_or_init(|| path(node));
        }
        within
    }
}

fn path(node: &QueryPathNode<'_>) -> Vec<PathSegment> {
    let mut path = Vec::new();
    let mut next = Some(node);
    while let Some(node) = next {
        path.push(match node.segment {
            QueryPathSegment::Index(index) => PathSegment::Index(index),
            QueryPathSegment::Name(name) => PathSegment::Field(name.to_owned()),
        });
        next = node.parent;
    }
    path.reverse();
    path
}

/// The value, if it may be what `__typename` is answered with: no hook is called for that field.
fn type_name(value: &Value) -> Option<&str> {
    let Value::String(text) = value else { return None };
    (text.len() <= MAX_TYPE_NAME_BYTES && text.starts_with(|first: char| first.is_ascii_uppercase() || first == '_'))
        .then_some(text)
}

/// The bytes of a value as JSON; never fewer than there will be.
fn json_bytes(value: &Value) -> usize {
    match value {
        Value::Null => "null".len(),
        Value::Boolean(_) => "false".len(),
        Value::Number(number) => number_bytes(number),
        Value::String(text) => escaped_bytes(text),
        Value::Enum(name) => name.len() + 2,
        // A byte is a number of up to three digits and a comma.
        Value::Binary(bytes) => 4 * bytes.len() + 2,
        Value::List(items) => 2 + items.iter().map(|item| json_bytes(item) + 1).sum::<usize>(),
        Value::Object(fields) => {
            2 + fields.iter().map(|(key, value)| escaped_bytes(key) + json_bytes(value) + 2).sum::<usize>()
        }
    }
}

fn number_bytes(number: &Number) -> usize {
    const LONGEST_FLOAT: usize = 25;
    match number.as_i64().map(i64::unsigned_abs).or(number.as_u64()) {
        Some(digits) => 2 + digits.checked_ilog10().unwrap_or(0) as usize,
        None => LONGEST_FLOAT,
    }
}

/// The bytes of a text in JSON, with its quotes and escapes ([RFC 8259, section 7](https://www.rfc-editor.org/rfc/rfc8259#section-7)).
fn escaped_bytes(text: &str) -> usize {
    let escapes: usize = text
        .bytes()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
            0..0x20 => 5,
            _ => 0,
        })
        .sum();
    text.len() + escapes + 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            "[\\x00-\\x7f]{0,40}".prop_map(Value::from),
            "[A-Z]{1,9}".prop_map(|name| Value::Enum(async_graphql::Name::new(name))),
        ];
        leaf.prop_recursive(3, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
                prop::collection::vec(("[a-z_]{1,8}", inner), 0..6).prop_map(|fields| {
                    Value::Object(fields.into_iter().map(|(k, v)| (async_graphql::Name::new(k), v)).collect())
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_is_never_longer_than_it_is_counted_and_hardly_shorter(value in value()) {
            let written = serde_json::to_string(&value).expect("JSON").len();
            let counted = json_bytes(&value);
            prop_assert!(written <= counted, "{written} {counted}");
            let leaves = 1 + written / 2;
            prop_assert!(counted <= written + 26 * leaves);
        }
    }

    #[test]
    fn a_text_is_counted_with_its_escapes() {
        for text in ["", "plain", "\u{0}\u{1}\n\"\\", "ä🌻\u{7f}\u{2028}"] {
            assert_eq!(escaped_bytes(text), serde_json::to_string(text).expect("JSON").len(), "{text:?}");
        }
    }
}
