//! Rules of the specification that `apollo-compiler` checks only in part:
//!
//! - [All variable usages are allowed](https://spec.graphql.org/September2025/#sec-All-Variable-Usages-Are-Allowed):
//!   beneath lists and input objects, too, and with a default of null;
//! - [Input object field uniqueness](https://spec.graphql.org/September2025/#sec-Input-Object-Field-Uniqueness);
//! - [Single root field](https://spec.graphql.org/September2025/#sec-Single-Root-Field): a field that is selected
//!   several times is one.

use std::collections::HashSet;

use apollo_compiler::ast::{Argument, DirectiveList, InputValueDefinition, Type, Value, VariableDefinition};
use apollo_compiler::executable::{Operation, Selection, SelectionSet};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Name, Node, Schema};
use async_graphql::Pos;

use super::Problem;

/// What the rules find wrong with a document whose fields, arguments and types are there.
pub(super) fn check(schema: &Valid<Schema>, document: &ExecutableDocument) -> Vec<Problem> {
    let mut problems = Vec::new();
    for operation in document.operations.iter() {
        let mut rules = Rules {
            schema,
            document,
            operation,
            problems: &mut problems,
            visited: HashSet::new(),
            roots: HashSet::new(),
        };
        rules.directives(&operation.directives);
        rules.selection_set(&operation.selection_set);
        if operation.is_subscription() {
            rules.single_root();
        }
    }
    problems
}

struct Rules<'d> {
    schema: &'d Valid<Schema>,
    document: &'d ExecutableDocument,
    operation: &'d Operation,
    problems: &'d mut Vec<Problem>,
    visited: HashSet<&'d Name>,
    /// Response keys at the root.
    roots: HashSet<&'d Name>,
}

/// What is expected where a value stands.
struct Place<'d> {
    r#type: &'d Type,
    has_default: bool,
}

impl<'d> From<&'d Node<InputValueDefinition>> for Place<'d> {
    fn from(definition: &'d Node<InputValueDefinition>) -> Self {
        Self { r#type: &definition.ty, has_default: definition.default_value.is_some() }
    }
}

impl<'d> Rules<'d> {
    fn selection_set(&mut self, set: &'d SelectionSet) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    self.arguments(&field.arguments, |name| field.definition.argument_by_name(name));
                    self.directives(&field.directives);
                    self.selection_set(&field.selection_set);
                }
                Selection::InlineFragment(inline) => {
                    self.directives(&inline.directives);
                    self.selection_set(&inline.selection_set);
                }
                Selection::FragmentSpread(spread) => {
                    self.directives(&spread.directives);
                    let fragment = self.document.fragments.get(&spread.fragment_name);
                    if let Some(fragment) = fragment.filter(|_| self.visited.insert(&spread.fragment_name)) {
                        self.directives(&fragment.directives);
                        self.selection_set(&fragment.selection_set);
                    }
                }
            }
        }
    }

    fn directives(&mut self, directives: &'d DirectiveList) {
        for directive in &directives.0 {
            if let Some(definition) = self.schema.directive_definitions.get(&directive.name) {
                self.arguments(&directive.arguments, |name| definition.argument_by_name(name));
            }
        }
    }

    fn arguments(
        &mut self,
        arguments: &'d [Node<Argument>],
        definition: impl Fn(&str) -> Option<&'d Node<InputValueDefinition>>,
    ) {
        for argument in arguments {
            if let Some(definition) = definition(&argument.name) {
                self.value(&argument.value, &definition.into());
            }
        }
    }

    fn value(&mut self, value: &'d Node<Value>, place: &Place<'d>) {
        match &**value {
            Value::Variable(name) => {
                let declared = self.operation.variables.iter().find(|variable| variable.name == *name);
                if let Some(declared) = declared.filter(|declared| !is_allowed(declared, place)) {
                    let (declared, expected) = (&declared.ty, place.r#type);
                    let problem = format!(
                        "variable \"${name}\" of type \"{declared}\" used in position expecting type \"{expected}\""
                    );
                    self.report(value.location(), problem);
                }
            }
            Value::List(items) => {
                let item = Place { r#type: place.r#type.item_type(), has_default: false };
                for value in items {
                    self.value(value, &item);
                }
            }
            Value::Object(fields) => {
                let Some(ExtendedType::InputObject(object)) = self.schema.types.get(place.r#type.inner_named_type())
                else {
                    return;
                };
                let mut names = HashSet::new();
                for (name, value) in fields {
                    if !names.insert(name) {
                        self.report(name.location(), format!("there can be only one input field named \"{name}\""));
                    }
                    if let Some(definition) = object.fields.get(name) {
                        self.value(value, &Place::from(&definition.node));
                    }
                }
            }
            _ => {}
        }
    }

    fn single_root(&mut self) {
        self.visited.clear();
        self.root(&self.operation.selection_set);
        if self.roots.len() > 1 {
            let name = self.operation.name.as_ref();
            let subscription =
                name.map_or("an anonymous subscription".to_owned(), |name| format!("subscription \"{name}\""));
            let location = name.and_then(Name::location);
            self.report(location, format!("{subscription} must select only one top level field"));
        }
    }

    fn root(&mut self, set: &'d SelectionSet) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => drop(self.roots.insert(field.response_key())),
                Selection::InlineFragment(inline) => self.root(&inline.selection_set),
                Selection::FragmentSpread(spread) => {
                    let fragment = self.document.fragments.get(&spread.fragment_name);
                    if let Some(fragment) = fragment.filter(|_| self.visited.insert(&spread.fragment_name)) {
                        self.root(&fragment.selection_set);
                    }
                }
            }
        }
    }

    fn report(&mut self, location: Option<SourceSpan>, message: String) {
        let range = location.and_then(|location| location.line_column_range(&self.document.sources));
        let positions = range.into_iter().map(|range| Pos { line: range.start.line, column: range.start.column });
        self.problems.push(Problem { message, positions: positions.collect() });
    }
}

/// Whether a variable may stand there.
fn is_allowed(variable: &VariableDefinition, place: &Place<'_>) -> bool {
    let (declared, expected) = (&*variable.ty, place.r#type);
    if expected.is_non_null() && !declared.is_non_null() {
        let default = variable.default_value.as_deref();
        let has_value = default.is_some_and(|default| !matches!(default, Value::Null)) || place.has_default;
        return has_value && declared.is_assignable_to(&expected.clone().nullable());
    }
    declared.is_assignable_to(expected)
}
