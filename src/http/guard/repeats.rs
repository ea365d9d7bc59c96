//! How often a document asks for the same: aliases, and repetitions of one field.
//!
//! An alias makes the answer longer by as much as the field may hold, for the few bytes that the alias has: 2 KB that
//! ask for one text under 100 names are answered with megabytes.

use std::collections::HashMap;

use async_graphql::Positioned;
use async_graphql::parser::types::{ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet};

use super::{Limits, Refusal};

/// Counts aliases and repetitions in all definitions of `document`, with fragments expanded. It must have been weighed
/// before: that bounds how large it is once it is expanded, and rules out cycles.
///
/// # Errors
/// [`Refusal::TooManyAliases`], [`Refusal::TooManyRepetitions`].
pub(super) fn count(document: &ExecutableDocument, limits: &Limits) -> Result<(), Refusal> {
    let mut repeats = Repeats { document, limits, aliases: 0 };
    for (_, operation) in document.operations.iter() {
        repeats.level(&[&operation.node.selection_set.node])?;
    }
    for fragment in document.fragments.values() {
        repeats.level(&[&fragment.node.selection_set.node])?;
    }
    Ok(())
}

/// Counts them in one operation of `document`.
///
/// # Errors
/// As [`count`].
pub(super) fn alone(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    limits: &Limits,
) -> Result<(), Refusal> {
    Repeats { document, limits, aliases: 0 }.level(&[&operation.selection_set.node])
}

struct Repeats<'a> {
    document: &'a ExecutableDocument,
    limits: &'a Limits,
    /// Fields under another name than their own.
    aliases: usize,
}

/// What is selected of one object, through fragments too.
#[derive(Default)]
struct Level<'a> {
    /// How often each field is selected.
    fields: HashMap<&'a str, usize>,
    /// What is selected of the values of each response key.
    beneath: HashMap<&'a str, Vec<&'a SelectionSet>>,
}

impl<'a> Repeats<'a> {
    fn level(&mut self, sets: &[&'a SelectionSet]) -> Result<(), Refusal> {
        let mut level = Level::default();
        for set in sets {
            self.collect(set, &mut level)?;
        }
        let max = self.limits.max_repetitions;
        if level.fields.values().any(|&times| times > max) {
            return Err(Refusal::TooManyRepetitions { max });
        }
        level.beneath.values().try_for_each(|sets| self.level(sets))
    }

    fn collect(&mut self, set: &'a SelectionSet, level: &mut Level<'a>) -> Result<(), Refusal> {
        for Positioned { node: selection, .. } in &set.items {
            match selection {
                Selection::Field(field) => self.field(&field.node, level)?,
                Selection::InlineFragment(inline) => self.collect(&inline.node.selection_set.node, level)?,
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.node.fragment_name.node) {
                        self.collect(&fragment.node.selection_set.node, level)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn field(&mut self, field: &'a Field, level: &mut Level<'a>) -> Result<(), Refusal> {
        let (name, key) = (field.name.node.as_str(), field.response_key().node.as_str());
        if name != key {
            self.aliases += 1;
            let max = self.limits.max_aliases;
            if self.aliases > max {
                return Err(Refusal::TooManyAliases { max });
            }
        }
        *level.fields.entry(name).or_default() += 1;
        if !field.selection_set.node.items.is_empty() {
            level.beneath.entry(key).or_default().push(&field.selection_set.node);
        }
        Ok(())
    }
}
