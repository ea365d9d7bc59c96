//! Null in place of what could not be resolved, as the specification requires
//! (<https://spec.graphql.org/October2021/#sec-Handling-Field-Errors>).
//!
//! async-graphql 7.2 leaves a failed field out of its object, whatever its type. Clients that generate types from the
//! schema fail on that: a nullable field must be null, and a non-null one makes its parent null, up to the nearest
//! nullable field or `data` itself.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_graphql::{QueryPathNode, QueryPathSegment, Response, ServerError, Value};

use super::budget::MAX_ERRORS;

/// The failures of one execution so far.
#[derive(Debug, Default)]
pub(super) struct Nulls {
    any: AtomicBool,
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    /// Paths of objects in which a non-null field has no value, and of lists in which an item has none. The empty path
    /// is `data`.
    parents: HashSet<Vec<String>>,
    /// The first [`MAX_ERRORS`] of them.
    errors: Vec<ServerError>,
}

impl Nulls {
    /// The value in the response at `node`, which is a field of this type or an item of a list. Must be called with
    /// every field and item, children before their parents. The type that async-graphql gives for an item is not
    /// reliable.
    pub(super) fn settle(
        &self,
        node: &QueryPathNode<'_>,
        return_type: &str,
        resolved: Result<Option<Value>, ServerError>,
    ) -> Option<Value> {
        let is_item = matches!(node.segment, QueryPathSegment::Index(_));
        match resolved {
            Ok(value) if !self.any.load(Ordering::Relaxed) => return value,
            Ok(value) => {
                let failed = self.failures().parents.remove(&node.to_string_vec());
                if !failed || (!is_item && has_nullable_items(return_type)) {
                    return value;
                }
            }
            Err(error) => {
                self.any.store(true, Ordering::Relaxed);
                let mut failures = self.failures();
                if failures.errors.len() < MAX_ERRORS {
                    failures.errors.push(error);
                }
            }
        }
        if is_item || return_type.ends_with('!') {
            let parent = node.parent.map(|parent| parent.to_string_vec()).unwrap_or_default();
            self.failures().parents.insert(parent);
        }
        Some(Value::Null)
    }

    /// Whether `data` is null already: a field at the root failed that must not be null.
    pub(super) fn has_failed(&self) -> bool {
        self.any.load(Ordering::Relaxed) && self.failures().parents.contains(&[][..])
    }

    /// Completes the response of an execution, and resets for the next one.
    pub(super) fn finish(&self, response: &mut Response) {
        if self.any.swap(false, Ordering::Relaxed) {
            let Failures { parents, errors } = std::mem::take(&mut *self.failures());
            response.errors.extend(errors);
            if parents.contains(&vec![]) {
                response.data = Value::Null;
            }
        }
    }

    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the type is a list of nullable items, such as `[User]!`.
fn has_nullable_items(return_type: &str) -> bool {
    return_type.trim_end_matches('!').strip_suffix(']').is_some_and(|item| !item.ends_with('!'))
}
