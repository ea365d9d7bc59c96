//! One operation of a document, alone, as it is executed: other operations neither run nor are asked anything.
//!
//! The fields at the root are collected before the execution begins, fragments resolved and equal ones merged, as the
//! [specification](https://spec.graphql.org/September2025/#sec-Field-Collection) has it: async-graphql would run each
//! once for every time that it is named, and finds none in the fragments of a subscription.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_graphql::indexmap::{IndexMap, IndexSet};
use async_graphql::parser::types::{
    Directive, DocumentOperations, ExecutableDocument, Field, FragmentDefinition, OperationDefinition, OperationType,
    Selection, SelectionSet, VariableDefinition,
};
use async_graphql::{Name, Positioned, Request, ServerError, Value, Variables};

use super::merge::{self, Merger};
use super::order::Order;
use super::validations::{Validated, Validations};
use crate::graphql::contract::{Contract, GivenVariables};
use crate::graphql::error::ErrorCode;

/// The fragments of a document by their names.
pub(crate) type Fragments = HashMap<Name, Positioned<FragmentDefinition>>;

/// The response key of the mark, see [`mark`]: none that a client could choose.
pub(super) const MARK: &str = "";

/// One operation of a document.
#[derive(Debug)]
pub struct Plan {
    kind: OperationType,
    variables: Vec<Positioned<VariableDefinition>>,
    root: Positioned<SelectionSet>,
    /// Those of its document.
    fragments: Arc<Fragments>,
    /// Those of them that it uses.
    used: Vec<Name>,
    /// Whether anything of which something is selected is named more than once.
    has_repeats: bool,
    /// The validations of its requests.
    validations: Arc<Validations>,
}

impl Plan {
    /// The plans of all operations of a document, in order, which the guard must have admitted.
    #[must_use]
    pub(crate) fn of(document: &ExecutableDocument) -> Vec<(Option<Name>, Self)> {
        let mut fragments = document.fragments.clone();
        for fragment in fragments.values_mut() {
            mark(&mut fragment.node.selection_set.node, false);
        }
        let fragments = Arc::new(fragments);
        let operations = document.operations.iter();
        operations.map(|(name, operation)| (name.cloned(), Self::new(&operation.node, &fragments))).collect()
    }

    fn new(operation: &OperationDefinition, fragments: &Arc<Fragments>) -> Self {
        let mut root = operation.selection_set.clone();
        mark(&mut root.node, false);
        let mut used = IndexSet::new();
        use_fragments(&root.node, fragments, &mut used);
        Self {
            kind: operation.ty,
            variables: operation.variable_definitions.clone(),
            root,
            has_repeats: merge::has_repeats(&operation.selection_set.node, fragments),
            fragments: Arc::clone(fragments),
            used: used.into_iter().cloned().collect(),
            validations: Arc::default(),
        }
    }

    /// Query, mutation or subscription.
    #[must_use]
    pub(crate) fn kind(&self) -> OperationType {
        self.kind
    }

    /// Its fragments.
    pub(super) fn fragments(&self) -> &Fragments {
        &self.fragments
    }

    /// The document that is executed with these variables: this operation only, with every field at its root standing
    /// there itself, once, and the fragments that are spread beneath.
    #[must_use]
    pub(crate) fn document(&self, variables: &Variables) -> ExecutableDocument {
        let mut fields = IndexMap::new();
        self.collect(&self.root.node, variables, &mut HashSet::new(), &mut fields);
        let items = fields.into_values().map(|field| Positioned::new(Selection::Field(field), self.root.pos)).collect();
        let root = SelectionSet { items };
        let mut used = IndexSet::new();
        use_fragments(&root, &self.fragments, &mut used);
        let used = used.into_iter().filter_map(|name| Some((name.clone(), self.fragments.get(name)?.clone())));
        let fragments = used.collect();
        let operation = OperationDefinition {
            ty: self.kind,
            variable_definitions: self.variables.clone(),
            directives: Vec::new(),
            selection_set: Positioned::new(root, self.root.pos),
        };
        let operations = DocumentOperations::Single(Positioned::new(operation, self.root.pos));
        ExecutableDocument { operations, fragments }
    }

    fn collect<'p>(
        &'p self,
        set: &'p SelectionSet,
        variables: &Variables,
        spread: &mut HashSet<&'p Name>,
        fields: &mut IndexMap<Name, Positioned<Field>>,
    ) {
        for Positioned { node: selection, .. } in &set.items {
            if !is_included(selection, variables) {
                continue;
            }
            match selection {
                Selection::Field(field) => merge::put(fields, field.clone()),
                Selection::InlineFragment(inline) => {
                    self.collect(&inline.node.selection_set.node, variables, spread, fields);
                }
                Selection::FragmentSpread(fragment) => {
                    let name = &fragment.node.fragment_name.node;
                    if let Some(fragment) = self.fragments.get(name).filter(|_| spread.insert(name)) {
                        self.collect(&fragment.node.selection_set.node, variables, spread, fields);
                    }
                }
            }
        }
    }

    /// The values of its variables, of those that a client gave.
    ///
    /// # Errors
    /// `BAD_USER_INPUT` of each variable whose value is missing or not acceptable. A variable that has a default may be
    /// null, but not as the condition of a directive.
    pub(crate) fn coerce(&self, contract: &Contract, given: &GivenVariables) -> Result<Variables, Vec<ServerError>> {
        let variables = contract.coerce((&self.variables, &|variable| self.argument_of(variable)), given)?;
        for Positioned { node: declared, pos } in &self.variables {
            let name = &declared.name.node;
            if variables.get(name) == Some(&Value::Null) && self.sets().any(|set| is_condition(set, name)) {
                let problem = format!("the variable \"${name}\" is the condition of a directive and must not be null");
                let mut error = ErrorCode::BadUserInput.error(problem);
                error.extensions.get_or_insert_default().set("field", "if");
                return Err(vec![ServerError { locations: vec![*pos], ..error }]);
            }
        }
        Ok(variables)
    }

    /// Everything that it selects, fragments included.
    fn sets(&self) -> impl Iterator<Item = &SelectionSet> {
        let fragments = self.used.iter().filter_map(|name| self.fragments.get(name));
        [&self.root.node].into_iter().chain(fragments.map(|fragment| &fragment.node.selection_set.node))
    }

    /// The request that executes it with these variables, which the contract has coerced.
    #[must_use]
    pub(crate) fn request(self: &Arc<Self>, contract: &Contract, variables: &Variables) -> Request {
        let validated = Validated::new(&self.validations, &self.variables, variables);
        let mut document = self.document(variables);
        if self.has_repeats {
            self.merge(contract, variables, &mut document);
        }
        let order = Order::new(Arc::clone(self), root_keys(&document), contract.clone(), variables.clone());
        // The request carries the parsed document, so it needs no text.
        let request = Request::new(String::new()).variables(variables.clone());
        let mut request = request.data(validated).data(order).data(self.kind);
        request.set_parsed_query(document);
        request
    }

    fn merge(&self, contract: &Contract, variables: &Variables, document: &mut ExecutableDocument) {
        let merger = Merger { fragments: &self.fragments, contract, variables };
        let Some(root) = contract.root(self.kind) else { return };
        if let DocumentOperations::Single(operation) = &mut document.operations {
            let set = &mut operation.node.selection_set.node;
            *set = merger.merged(root, set);
        }
        document.fragments.clear();
    }

    /// The name of the first field at its root.
    #[must_use]
    pub(crate) fn first_root(&self, variables: &Variables) -> Option<Name> {
        let mut fields = IndexMap::new();
        self.collect(&self.root.node, variables, &mut HashSet::new(), &mut fields);
        fields.into_values().next().map(|field| field.node.name.node)
    }

    /// The argument in which a variable is used first, anywhere in the operation.
    fn argument_of(&self, variable: &str) -> Option<String> {
        self.sets().find_map(|set| argument_of(set, variable))
    }
}

/// The response keys at the root of the document that is executed.
fn root_keys(document: &ExecutableDocument) -> Vec<Name> {
    let roots = document.operations.iter().flat_map(|(_, operation)| &operation.node.selection_set.node.items);
    let keys = roots.filter_map(|item| match &item.node {
        Selection::Field(field) => Some(field.node.response_key().node.clone()),
        _ => None,
    });
    keys.collect()
}

/// Whether what is selected is not left out by `@skip` or `@include`.
pub(crate) fn is_included(selection: &Selection, variables: &Variables) -> bool {
    directives(selection).iter().all(|Positioned { node: directive, .. }| {
        let leaves_out = match directive.name.node.as_str() {
            "skip" => true,
            "include" => false,
            _ => return true,
        };
        let condition = directive.get_argument("if").map(|value| {
            let value = value.node.clone();
            value.into_const_with(|name| variables.get(&name).cloned().ok_or(()))
        });
        // Anything else than a truth value was refused before.
        matches!(condition, Some(Ok(Value::Boolean(condition))) if condition != leaves_out)
    })
}

fn directives(selection: &Selection) -> &[Positioned<Directive>] {
    match selection {
        Selection::Field(field) => &field.node.directives,
        Selection::FragmentSpread(spread) => &spread.node.directives,
        Selection::InlineFragment(inline) => &inline.node.directives,
    }
}

/// Adds the fragments that are spread in this set, and in those.
fn use_fragments<'f>(set: &SelectionSet, all: &'f Fragments, used: &mut IndexSet<&'f Name>) {
    for Positioned { node: selection, .. } in &set.items {
        match selection {
            Selection::Field(field) => use_fragments(&field.node.selection_set.node, all, used),
            Selection::InlineFragment(inline) => use_fragments(&inline.node.selection_set.node, all, used),
            Selection::FragmentSpread(spread) => {
                let fragment = all.get_key_value(&spread.node.fragment_name.node);
                if let Some((_, fragment)) = fragment.filter(|(name, _)| used.insert(name)) {
                    use_fragments(&fragment.node.selection_set.node, all, used);
                }
            }
        }
    }
}

/// Has each object tell its type under [`MARK`], wherever it may turn out that nothing else is selected of it: then it is
/// `{}`, while async-graphql makes it null, as if it weren't there. Where there are fragments, the type also decides in
/// which order the fields stand. The mark is taken off again as soon as the object is there.
fn mark(set: &mut SelectionSet, is_object: bool) {
    for item in &mut set.items {
        match &mut item.node {
            Selection::Field(field) => mark(&mut field.node.selection_set.node, true),
            Selection::InlineFragment(inline) => mark(&mut inline.node.selection_set.node, false),
            Selection::FragmentSpread(_) => {}
        }
    }
    let has_fragments = set.items.iter().any(|item| !matches!(item.node, Selection::Field(_)));
    let may_be_empty = set.items.iter().all(|item| !directives(&item.node).is_empty());
    if let Some(first) = set.items.first()
        && is_object
        && (has_fragments || may_be_empty)
    {
        let at = |name| Positioned::new(Name::new(name), first.pos);
        let field = Field {
            alias: Some(at(MARK)),
            name: at("__typename"),
            arguments: Vec::new(),
            directives: Vec::new(),
            selection_set: Positioned::default(),
        };
        let mark = Positioned::new(Selection::Field(Positioned::new(field, first.pos)), first.pos);
        set.items.push(mark);
    }
}

/// Whether a directive in this set has the variable as its condition.
fn is_condition(set: &SelectionSet, variable: &Name) -> bool {
    set.items.iter().any(|item| {
        let conditions = directives(&item.node).iter().filter_map(|directive| directive.node.get_argument("if"));
        // As text, only a variable begins with a dollar sign: a string would be quoted.
        let is_used =
            conditions.map(|value| value.node.to_string()).any(|value| value.strip_prefix('$') == Some(variable));
        is_used
            || match &item.node {
                Selection::Field(field) => is_condition(&field.node.selection_set.node, variable),
                Selection::InlineFragment(inline) => is_condition(&inline.node.selection_set.node, variable),
                Selection::FragmentSpread(_) => false,
            }
    })
}

fn argument_of(set: &SelectionSet, variable: &str) -> Option<String> {
    set.items.iter().find_map(|item| {
        let of_directives = directives(&item.node).iter().flat_map(|directive| &directive.node.arguments);
        let (of_field, beneath) = match &item.node {
            Selection::Field(field) => (&*field.node.arguments, Some(&field.node.selection_set.node)),
            Selection::InlineFragment(inline) => (&[][..], Some(&inline.node.selection_set.node)),
            Selection::FragmentSpread(_) => (&[][..], None),
        };
        let mut arguments = of_field.iter().chain(of_directives);
        let used = arguments.find(|(_, value)| {
            // This is the only way to search a value for variables without naming its type, which is not exported.
            let mut is_used = false;
            let _ = value.node.clone().into_const_with(|name| {
                is_used |= name == *variable;
                Ok::<_, std::convert::Infallible>(Value::Null)
            });
            is_used
        });
        used.map(|(name, _)| name.node.to_string()).or_else(|| argument_of(beneath?, variable))
    })
}
