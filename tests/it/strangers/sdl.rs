//! The contract, as far as it says what can be asked.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql::Positioned;
use async_graphql::parser::types::{
    BaseType, ExecutableDocument, InputValueDefinition, OperationDefinition, Selection, TypeKind, TypeSystemDefinition,
};
use async_graphql::parser::{parse_query, parse_schema};
use serde_json::Value;

/// The arguments of a field with their types, and its own type.
type Field = (BTreeMap<String, String>, String);

/// The types of objects, interfaces and inputs.
pub struct Sdl {
    /// Of each object or interface, its fields: their arguments with types, and the type.
    fields: BTreeMap<String, BTreeMap<String, Field>>,
    /// Of each input, its fields with types.
    inputs: BTreeMap<String, BTreeMap<String, String>>,
}

fn base(of: &BaseType) -> String {
    match of {
        BaseType::Named(name) => name.to_string(),
        BaseType::List(inner) => base(&inner.base),
    }
}

fn values(of: &[Positioned<InputValueDefinition>]) -> BTreeMap<String, String> {
    of.iter().map(|it| (it.node.name.node.to_string(), base(&it.node.ty.node.base))).collect()
}

impl Sdl {
    /// What the server shows of itself.
    pub fn read() -> Self {
        let text = include_str!("../../../schema.graphql");
        let (mut fields, mut inputs) = (BTreeMap::new(), BTreeMap::new());
        for definition in parse_schema(text).expect("the schema is one").definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let (name, of) = (definition.node.name.node.to_string(), definition.node.kind);
            let of = match of {
                TypeKind::Object(object) => object.fields,
                TypeKind::Interface(interface) => interface.fields,
                TypeKind::InputObject(input) => {
                    inputs.insert(name, values(&input.fields));
                    continue;
                }
                _ => continue,
            };
            let of = of.into_iter().map(|field| {
                let field = field.node;
                (field.name.node.to_string(), (values(&field.arguments), base(&field.ty.node.base)))
            });
            fields.insert(name, of.collect());
        }
        Self { fields, inputs }
    }

    /// Everything that an operation can ask for: each field of the roots and each of its arguments as `Query.room(id)`, and each
    /// field of the inputs as `UpdateRoomInput.name`.
    pub fn askable(&self) -> BTreeSet<String> {
        let mut askable = BTreeSet::new();
        for root in ["Query", "Mutation", "Subscription"] {
            for (field, (arguments, _)) in &self.fields[root] {
                askable.insert(format!("{root}.{field}"));
                askable.extend(arguments.keys().map(|argument| format!("{root}.{field}({argument})")));
            }
        }
        for (input, fields) in &self.inputs {
            askable.extend(fields.keys().map(|field| format!("{input}.{field}")));
        }
        askable
    }

    /// What of that an operation with these variables asks for.
    pub fn asked(&self, document: &str, variables: &Value) -> BTreeSet<String> {
        let ExecutableDocument { operations, .. } = parse_query(document).expect("the document is one");
        let mut asked = BTreeSet::new();
        for (_, operation) in operations.iter() {
            let OperationDefinition { ty, variable_definitions, selection_set, .. } = &operation.node;
            let root = format!("{ty:?}");
            for selection in &selection_set.node.items {
                let Selection::Field(field) = &selection.node else { panic!("a root field is named") };
                let name = format!("{root}.{}", field.node.name.node);
                asked.extend(field.node.arguments.iter().map(|(argument, _)| format!("{name}({})", argument.node)));
                asked.insert(name);
            }
            for variable in variable_definitions {
                let of = base(&variable.node.var_type.node.base);
                self.given(&of, &variables[variable.node.name.node.as_str()], &mut asked);
            }
        }
        asked
    }

    fn given(&self, of: &str, value: &Value, asked: &mut BTreeSet<String>) {
        for item in value.as_array().into_iter().flatten() {
            self.given(of, item, asked);
        }
        let Some((fields, given)) = self.inputs.get(of).zip(value.as_object()) else { return };
        for (field, value) in given {
            asked.insert(format!("{of}.{field}"));
            self.given(&fields[field], value, asked);
        }
    }
}

/// A selection of everything that there is of this type, so many levels down; of pages, one item.
pub fn everything(sdl: &Sdl, of: &str, levels: usize) -> String {
    let select = |(field, (arguments, ty)): (&String, &Field)| {
        let page = if arguments.contains_key("first") { "(first: 1)" } else { "" };
        match (sdl.fields.contains_key(ty), levels) {
            (true, 0) => None,
            (true, levels) => Some(format!("{field}{page} {}", everything(sdl, ty, levels - 1))),
            (false, _) => Some(field.clone()),
        }
    };
    let selected: Vec<String> = sdl.fields[of].iter().filter_map(select).collect();
    format!("{{ __typename {} }}", selected.join(" "))
}
