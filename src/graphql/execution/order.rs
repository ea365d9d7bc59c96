//! The fields of each object in the order in which the document selects them
//! (<https://spec.graphql.org/September2025/#sec-Serialized-Map-Ordering>). async-graphql gives them in the order in
//! which they were resolved.

use std::sync::Arc;

use async_graphql::indexmap::{IndexMap, IndexSet};
use async_graphql::parser::types::{Selection, SelectionSet};
use async_graphql::{Name, Response, Value, Variables};

use super::plan::{MARK, Plan, is_included};
use crate::graphql::contract::Contract;

/// What says how the objects of one request are selected. It goes into the request's data.
#[derive(Clone)]
pub(crate) struct Order(Arc<Parts>);

struct Parts {
    plan: Arc<Plan>,
    /// The response keys at the root.
    root: Vec<Name>,
    contract: Contract,
    variables: Variables,
}

impl Order {
    /// The order of this plan with these variables, which leave these response keys at the root.
    pub(super) fn new(plan: Arc<Plan>, root: Vec<Name>, contract: Contract, variables: Variables) -> Self {
        Self(Arc::new(Parts { plan, root, contract, variables }))
    }

    /// Takes the mark off an object and puts its fields in the order of the selection.
    pub(super) fn settle(&self, selected: &SelectionSet, value: &mut Value) {
        let Value::Object(object) = value else { return };
        let type_name = match object.get(MARK) {
            Some(Value::String(_)) => object.shift_remove(MARK),
            _ => None,
        };
        let type_name = match &type_name {
            Some(Value::String(name)) => name.as_str(),
            _ => "",
        };
        if !self.is_ordered(selected, type_name, object) {
            let mut order = IndexSet::new();
            self.walk(selected, type_name, &mut |key| {
                order.insert(key.clone());
                true
            });
            let place = |key: &Name| order.get_index_of(key).unwrap_or(usize::MAX);
            object.sort_by(|a, _, b, _| place(a).cmp(&place(b)));
        }
    }

    /// Puts the fields at the root in order, of a response whose operation has run.
    pub(super) fn settle_root(&self, response: &mut Response) {
        let root = &self.0.root;
        match &mut response.data {
            Value::Object(object) if !object.keys().eq(root) => {
                let place = |key: &Name| root.iter().position(|at| at == key);
                object.sort_by(|a, _, b, _| place(a).cmp(&place(b)));
            }
            data if root.is_empty() => *data = Value::Object(IndexMap::new()),
            _ => {}
        }
    }

    fn is_ordered(&self, selected: &SelectionSet, type_name: &str, object: &IndexMap<Name, Value>) -> bool {
        let mut next = 0;
        self.walk(selected, type_name, &mut |key| match object.get_index_of(key) {
            Some(place) if place > next => false,
            Some(place) => {
                next += usize::from(place == next);
                true
            }
            None => true,
        })
    }

    /// Visits the response keys that are selected of an object of this type, in order, some of them several times, until
    /// `visit` says no. Whether it never did.
    fn walk(&self, selected: &SelectionSet, type_name: &str, visit: &mut impl FnMut(&Name) -> bool) -> bool {
        selected.items.iter().all(|item| {
            if !is_included(&item.node, &self.0.variables) {
                return true;
            }
            let (condition, beneath) = match &item.node {
                Selection::Field(field) => return visit(&field.node.response_key().node),
                Selection::InlineFragment(inline) => {
                    (inline.node.type_condition.as_ref(), &inline.node.selection_set.node)
                }
                Selection::FragmentSpread(spread) => {
                    match self.0.plan.fragments().get(&spread.node.fragment_name.node) {
                        Some(fragment) => (Some(&fragment.node.type_condition), &fragment.node.selection_set.node),
                        None => return true,
                    }
                }
            };
            let applies = condition.is_none_or(|condition| self.0.contract.applies(&condition.node.on.node, type_name));
            !applies || self.walk(beneath, type_name, visit)
        })
    }
}
