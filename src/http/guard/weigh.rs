//! The weight of a parsed document with its fragments expanded.
//!
//! Fragments are not really expanded: each is weighed once and its weight added wherever it is spread, so the cost is
//! linear in the text. Every definition is weighed, including the operations that the request doesn't ask for and the
//! fragments that are never spread, because all are validated.
//!
//! Introspection is weighed separately. The standard query goes deeper than any query of an app needs to, and what
//! makes introspection dangerous is not its depth but that its lists multiply: each `types.fields.type.fields` answers
//! with the product of their lengths. graphql-js counts lists in lists for that reason (`MaxIntrospectionDepthRule`);
//! here the size of the answer is estimated instead, so that aliases cannot multiply it either.

use std::{collections::HashMap, convert::Infallible};

use async_graphql::{
    Name, Positioned, Value,
    parser::types::{
        Directive, ExecutableDocument, Field, FragmentDefinition, OperationDefinition, OperationType, Selection,
        SelectionSet,
    },
};

use super::{Limits, Refusal};

/// Weighs all definitions of `document`.
///
/// # Errors
/// The [`Refusal`] of the first limit found broken. Fragments that are spread but not defined weigh nothing and are
/// left to validation.
pub fn weigh(document: &ExecutableDocument, limits: &Limits) -> Result<(), Refusal> {
    let mut scale = Scale { fragments: &document.fragments, weighed: HashMap::new(), limits };
    let mut total = Weight::default();

    for (_, operation) in document.operations.iter() {
        let weight = scale.operation(&operation.node)?;
        check_roots(operation.node.ty, weight.roots, limits)?;
        total = total.beside(weight);
    }
    for name in document.fragments.keys() {
        if !scale.weighed.contains_key(name.as_str()) {
            total = total.beside(scale.fragment(name, 0)?);
        }
    }
    check(total, limits)
}

/// Weighs one operation of `document` with the fragments that it uses. The whole must have been weighed before.
///
/// # Errors
/// As [`weigh`].
pub(super) fn alone(
    document: &ExecutableDocument,
    operation: &OperationDefinition,
    limits: &Limits,
) -> Result<(), Refusal> {
    let mut scale = Scale { fragments: &document.fragments, weighed: HashMap::new(), limits };
    check(scale.operation(operation)?, limits)
}

fn check_roots(operation: OperationType, roots: usize, limits: &Limits) -> Result<(), Refusal> {
    let max = match operation {
        // That a subscription has one root, however often it is named, is left to validation.
        OperationType::Query | OperationType::Subscription => limits.max_query_roots,
        OperationType::Mutation => limits.max_mutation_roots,
    };
    if roots > max {
        return Err(Refusal::TooManyRoots { operation, max });
    }
    Ok(())
}

fn check(total: Weight, limits: &Limits) -> Result<(), Refusal> {
    let at_most = |max, weight, refusal: fn(usize) -> Refusal| {
        if weight > max { Err(refusal(max)) } else { Ok(()) }
    };
    at_most(limits.max_fields, total.fields, |max| Refusal::TooManyFields { max })?;
    at_most(limits.max_depth, total.depth, |max| Refusal::TooDeep { max })?;
    at_most(limits.max_introspection_depth, total.introspection_depth, |max| Refusal::IntrospectionTooDeep { max })?;
    at_most(limits.max_introspection_cost, total.introspection_cost, |max| Refusal::IntrospectionTooCostly { max })?;
    at_most(limits.max_directives, total.directives, |max| Refusal::TooManyDirectives { max })?;
    at_most(limits.max_variable_uses, total.variable_uses, |max| Refusal::TooManyVariableUses { max })
}

/// The weight of a part of a document, with its fragments expanded.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    fields: usize,
    roots: usize,
    depth: usize,
    /// Nested selection sets.
    nesting: usize,
    directives: usize,
    variable_uses: usize,
    /// Fields in the answer to the part if it stood beneath `__schema`.
    answer: usize,
    introspection_depth: usize,
    introspection_cost: usize,
}

impl Weight {
    fn beside(self, other: Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            roots: self.roots.saturating_add(other.roots),
            depth: self.depth.max(other.depth),
            nesting: self.nesting.max(other.nesting),
            directives: self.directives.saturating_add(other.directives),
            variable_uses: self.variable_uses.saturating_add(other.variable_uses),
            answer: self.answer.saturating_add(other.answer),
            introspection_depth: self.introspection_depth.max(other.introspection_depth),
            introspection_cost: self.introspection_cost.saturating_add(other.introspection_cost),
        }
    }

    /// The weight of a field called `name` whose selections have this weight.
    fn beneath_field(mut self, name: &str) -> Self {
        self.roots = 1;
        self.depth += 1;
        self.answer = self.answer.saturating_mul(list_length(name)).saturating_add(1);
        if matches!(name, "__schema" | "__type") {
            self.introspection_depth = self.introspection_depth.max(self.depth);
            self.introspection_cost = self.introspection_cost.saturating_add(self.answer);
            self.depth = 1;
        }
        self
    }
}

/// The assumed lengths of introspection's lists: those of Parlor's own schema, rounded up.
fn list_length(field: &str) -> usize {
    match field {
        "types" => 100,
        "fields" | "inputFields" | "enumValues" => 10,
        "directives" | "possibleTypes" => 5,
        "interfaces" | "args" => 2,
        _ => 1,
    }
}

struct Scale<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    /// `None` while a fragment is being weighed: a spread of it then is a cycle.
    weighed: HashMap<&'a str, Option<Weight>>,
    limits: &'a Limits,
}

impl<'a> Scale<'a> {
    fn operation(&mut self, operation: &'a OperationDefinition) -> Result<Weight, Refusal> {
        let mut weight = self.annotations(&operation.directives, None)?;
        for variable in &operation.variable_definitions {
            weight = weight.beside(self.annotations(&variable.node.directives, None)?);
        }
        Ok(weight.beside(self.selection_set(&operation.selection_set.node, 0)?))
    }

    /// `outer` counts the selection sets around this one. Each recursion goes one selection set deeper, through
    /// fragments too, and so it ends at `max_nesting`.
    fn selection_set(&mut self, set: &'a SelectionSet, outer: usize) -> Result<Weight, Refusal> {
        let inside = outer + 1;
        self.check_nesting(inside)?;
        let mut weight = Weight::default();
        for selection in &set.items {
            weight = weight.beside(match &selection.node {
                Selection::Field(field) => self.field(&field.node, inside)?,
                Selection::FragmentSpread(spread) => self
                    .fragment(&spread.node.fragment_name.node, inside)?
                    .beside(self.annotations(&spread.node.directives, None)?),
                Selection::InlineFragment(inline) => self
                    .selection_set(&inline.node.selection_set.node, inside)?
                    .beside(self.annotations(&inline.node.directives, None)?),
            });
        }
        weight.fields = weight.fields.saturating_add(set.items.len());
        weight.nesting += 1;
        Ok(weight)
    }

    fn field(&mut self, field: &'a Field, inside: usize) -> Result<Weight, Refusal> {
        let selections = match &field.selection_set.node {
            set if set.items.is_empty() => Weight::default(),
            set => self.selection_set(set, inside)?,
        };
        Ok(selections.beneath_field(&field.name.node).beside(self.annotations(&field.directives, Some(field))?))
    }

    fn fragment(&mut self, name: &'a Name, outer: usize) -> Result<Weight, Refusal> {
        match self.weighed.get(name.as_str()) {
            Some(Some(weight)) => {
                let weight = *weight;
                self.check_nesting(outer + weight.nesting)?;
                return Ok(weight);
            }
            Some(None) => return Err(Refusal::fragment_cycle(name)),
            None => {}
        }
        let Some(fragment) = self.fragments.get(name) else {
            return Ok(Weight::default());
        };
        self.weighed.insert(name, None);
        let weight = self
            .annotations(&fragment.node.directives, None)?
            .beside(self.selection_set(&fragment.node.selection_set.node, outer)?);
        self.weighed.insert(name, Some(weight));
        Ok(weight)
    }

    /// Weighs directives and their arguments and, if they stand on a field, its arguments.
    fn annotations(&self, directives: &[Positioned<Directive>], field: Option<&Field>) -> Result<Weight, Refusal> {
        let mut weight = Weight { directives: directives.len(), ..Weight::default() };
        let of_directives = directives.iter().map(|directive| &directive.node.arguments);
        for arguments in of_directives.chain(field.map(|field| &field.arguments)) {
            if arguments.len() > self.limits.max_arguments {
                return Err(Refusal::TooManyArguments { max: self.limits.max_arguments });
            }
            for (_, value) in arguments {
                // This is the only way to search a value for variables without naming its type, which is not exported.
                let Ok(_) = value.node.clone().into_const_with(|_| {
                    weight.variable_uses += 1;
                    Ok::<_, Infallible>(Value::Null)
                });
            }
        }
        Ok(weight)
    }

    fn check_nesting(&self, nesting: usize) -> Result<(), Refusal> {
        if nesting > self.limits.max_nesting {
            return Err(Refusal::NestedTooDeep { max: self.limits.max_nesting });
        }
        Ok(())
    }
}
