//! What is selected of each object, with its fields once, as the
//! [specification](https://spec.graphql.org/September2025/#sec-Field-Selection-Merging) has it. async-graphql runs a
//! field as often as it is named, and gives the fields of what comes of it in the order in which they are there.

use std::collections::HashSet;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Field, InlineFragment, Selection, SelectionSet, TypeCondition};
use async_graphql::{Name, Positioned, Variables};

use super::plan::{Fragments, is_included};
use crate::graphql::contract::Contract;

/// Whether a field of which something is selected is named more than once in any set, fragments expanded. The guard must
/// have admitted the document, which bounds them.
pub(super) fn has_repeats(set: &SelectionSet, fragments: &Fragments) -> bool {
    let mut beneath = Vec::new();
    !are_different(set, fragments, &mut HashSet::new(), &mut beneath)
        || beneath.into_iter().any(|set| has_repeats(set, fragments))
}

fn are_different<'s>(
    set: &'s SelectionSet,
    fragments: &'s Fragments,
    seen: &mut HashSet<&'s Name>,
    beneath: &mut Vec<&'s SelectionSet>,
) -> bool {
    set.items.iter().all(|item| match &item.node {
        Selection::Field(field) => {
            let set = &field.node.selection_set.node;
            if set.items.is_empty() {
                return true;
            }
            beneath.push(set);
            seen.insert(&field.node.response_key().node)
        }
        Selection::InlineFragment(inline) => are_different(&inline.node.selection_set.node, fragments, seen, beneath),
        Selection::FragmentSpread(spread) => fragments
            .get(&spread.node.fragment_name.node)
            .is_none_or(|fragment| are_different(&fragment.node.selection_set.node, fragments, seen, beneath)),
    })
}

/// Merges what a request selects with its variables.
#[derive(Clone, Copy)]
pub(super) struct Merger<'m> {
    pub fragments: &'m Fragments,
    pub contract: &'m Contract,
    pub variables: &'m Variables,
}

impl Merger<'_> {
    /// What is selected of this type. Of an object, each field stands there once, and no fragments; of an interface,
    /// they stay, each for itself.
    pub(super) fn merged(&self, type_name: &str, set: &SelectionSet) -> SelectionSet {
        let is_object = self.contract.is_object(type_name);
        let mut fields = IndexMap::new();
        let mut items = Vec::new();
        self.collect(type_name, set, &mut |item| match item.node {
            Selection::Field(field) if is_object => put(&mut fields, field),
            Selection::Field(field) => {
                items.push(Positioned::new(Selection::Field(self.field(type_name, field)), item.pos));
            }
            fragment => items.push(Positioned::new(fragment, item.pos)),
        });
        let fields = fields.into_values().map(|field: Positioned<Field>| {
            let at = field.pos;
            Positioned::new(Selection::Field(self.field(type_name, field)), at)
        });
        SelectionSet { items: fields.chain(items).collect() }
    }

    fn field(&self, type_name: &str, mut field: Positioned<Field>) -> Positioned<Field> {
        field.node.directives.clear();
        if let Some(of) = self.contract.type_of(type_name, &field.node.name.node) {
            field.node.selection_set.node = self.merged(of, &field.node.selection_set.node);
        }
        field
    }

    /// Visits what is selected of this type and not left out: of an object its fields alone.
    fn collect(&self, type_name: &str, set: &SelectionSet, visit: &mut impl FnMut(Positioned<Selection>)) {
        for item in &set.items {
            if !is_included(&item.node, self.variables) {
                continue;
            }
            let (condition, beneath) = match &item.node {
                Selection::Field(_) => {
                    visit(item.clone());
                    continue;
                }
                Selection::InlineFragment(inline) => {
                    (inline.node.type_condition.as_ref(), &inline.node.selection_set.node)
                }
                Selection::FragmentSpread(spread) => match self.fragments.get(&spread.node.fragment_name.node) {
                    Some(fragment) => (Some(&fragment.node.type_condition), &fragment.node.selection_set.node),
                    None => continue,
                },
            };
            match condition.map(|condition| &condition.node.on.node) {
                Some(on) if on != type_name && !self.contract.is_object(type_name) => {
                    visit(self.fragment(on, beneath, item));
                }
                Some(on) if !self.contract.applies(on, type_name) => {}
                _ => self.collect(type_name, beneath, visit),
            }
        }
    }

    fn fragment(&self, on: &Name, set: &SelectionSet, at: &Positioned<Selection>) -> Positioned<Selection> {
        let condition = TypeCondition { on: Positioned::new(on.clone(), at.pos) };
        let fragment = InlineFragment {
            type_condition: Some(Positioned::new(condition, at.pos)),
            directives: Vec::new(),
            selection_set: Positioned::new(self.merged(on, set), at.pos),
        };
        Positioned::new(Selection::InlineFragment(Positioned::new(fragment, at.pos)), at.pos)
    }
}

/// Adds a field, or what more is selected of it.
pub(super) fn put(fields: &mut IndexMap<Name, Positioned<Field>>, field: Positioned<Field>) {
    match fields.get_mut(&field.node.response_key().node) {
        Some(same) => same.node.selection_set.node.items.extend(field.node.selection_set.node.items),
        None => drop(fields.insert(field.node.response_key().node.clone(), field)),
    }
}
