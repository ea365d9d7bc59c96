//! Null in place of what could not be resolved, as the specification has it
//! (<https://spec.graphql.org/October2021/#sec-Handling-Field-Errors>).
//!
//! async-graphql 7.2 leaves a failed field out of its object, whatever its type. Clients that generate types from the
//! schema fail on that: a nullable field must be null, and a non-null one makes its parent null, up to the nearest
//! nullable one or `data` itself.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_graphql::indexmap::IndexMap;
use async_graphql::{QueryPathNode, QueryPathSegment, Response, ServerError, Value};

/// What failed in one execution so far.
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
    errors: Vec<ServerError>,
}

impl Nulls {
    /// What stands in the response at `node`, a field of this type or an item of a list. To be called with every field
    /// and item, children before their parents. What async-graphql gives as an item's own type can't be relied on.
    pub(super) fn settle(
        &self,
        node: &QueryPathNode<'_>,
        return_type: &str,
        resolved: Result<Option<Value>, ServerError>,
    ) -> Option<Value> {
        let is_item = matches!(node.segment, QueryPathSegment::Index(_));
        // An object of which nothing was selected, as when no fragment is about an event's type: async-graphql makes it
        // null, which its type forbids.
        let resolved = match resolved {
            Ok(Some(Value::Null)) if !is_item && return_type.ends_with('!') => Ok(Some(Value::Object(IndexMap::new()))),
            resolved => resolved,
        };
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
                self.failures().errors.push(error);
            }
        }
        if is_item || return_type.ends_with('!') {
            let parent = node.parent.map(|parent| parent.to_string_vec()).unwrap_or_default();
            self.failures().parents.insert(parent);
        }
        Some(Value::Null)
    }

    /// Completes the response of an execution, and makes ready for the next.
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

/// Whether the type is a list in which null may stand, such as `[User]!`.
fn has_nullable_items(return_type: &str) -> bool {
    return_type.trim_end_matches('!').strip_suffix(']').is_some_and(|item| !item.ends_with('!'))
}
