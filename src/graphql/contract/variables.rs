//! The values of an operation's variables, by the
//! [specification](https://spec.graphql.org/September2025/#sec-Coercing-Variable-Values): each is of its declared type,
//! defaults fill in for what was left out, and what wasn't declared is dropped.
//!
//! Values are read from the client's JSON by their types, so that a number keeps its digits where an `ID` is expected,
//! and only what the type names is read at all.

use apollo_compiler::schema::{ExtendedType, InputObjectType, InputValueDefinition};
use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{BaseType, Type, VariableDefinition};
use async_graphql::{Name, Number, Positioned, ServerError, Value, Variables};
use serde_json::value::RawValue;

use super::Contract;
use crate::graphql::error::ErrorCode;
use crate::graphql::values::json;
use crate::json::{self as given, JsonText, LoneSurrogate, Members};

/// Values of variables, as the client gave them.
#[derive(Debug, Clone, Default)]
pub(crate) struct GivenVariables(Option<Box<RawValue>>);

/// The JSON is no object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoObject;

/// The variables that an operation declares, and the argument in which each is used first.
pub(crate) type Declared<'d> = (&'d [Positioned<VariableDefinition>], &'d dyn Fn(&str) -> Option<String>);

/// Why a value can't be taken, and where in it.
#[derive(Debug)]
struct Unacceptable {
    problem: String,
    /// From the outermost field of an input object to the innermost, with positions in lists.
    path: Vec<String>,
}

type Coerced = Result<Value, Unacceptable>;

impl GivenVariables {
    /// These values.
    ///
    /// # Errors
    /// When the JSON is neither an object nor null.
    pub(crate) fn new(json: Option<&RawValue>) -> Result<Self, NoObject> {
        match json {
            Some(json) if json.get().starts_with('{') => Ok(Self(Some(json.to_owned()))),
            Some(json) if !given::is_null(json) => Err(NoObject),
            _ => Ok(Self(None)),
        }
    }

    fn members(&self) -> Members<'_> {
        self.0.as_deref().and_then(Members::of).unwrap_or_default()
    }
}

impl Contract {
    /// The values of an operation's variables.
    ///
    /// # Errors
    /// Of each variable whose value is missing or not acceptable: `BAD_USER_INPUT`, with the argument or field of an
    /// input object that is at fault.
    pub(crate) fn coerce(
        &self,
        (declared, argument): Declared<'_>,
        given: &GivenVariables,
    ) -> Result<Variables, Vec<ServerError>> {
        let given = given.members();
        let (mut values, mut errors) = (Variables::default(), Vec::new());
        for Positioned { node: variable, pos } in declared {
            let name = &variable.name.node;
            // Of a name that comes twice, the last counts, as in JavaScript.
            let json = given.0.iter().rev().find(|(key, _)| key.is(name)).map(|(_, json)| *json);
            match self.variable(variable, json) {
                Ok(Some(value)) => drop(values.insert(name.clone(), value)),
                Ok(None) => {}
                Err(Unacceptable { problem, path }) => {
                    let field = path.iter().rfind(|step| step.parse::<usize>().is_err()).cloned();
                    let place = if path.is_empty() { String::new() } else { format!(" at \"{}\"", path.join(".")) };
                    let message = format!("the variable \"${name}\"{place} {problem}");
                    let mut error = ErrorCode::BadUserInput.error(message);
                    let field = field.or_else(|| argument(name)).unwrap_or_else(|| name.to_string());
                    error.extensions.get_or_insert_default().set("field", field);
                    errors.push(ServerError { locations: vec![*pos], ..error });
                }
            }
        }
        if errors.is_empty() { Ok(values) } else { Err(errors) }
    }

    /// The value of one variable; `None` if it has none.
    fn variable(&self, variable: &VariableDefinition, json: Option<&RawValue>) -> Result<Option<Value>, Unacceptable> {
        let r#type = &variable.var_type.node;
        match (json, &variable.default_value) {
            (Some(json), _) => self.read(r#type, json).map(Some),
            (None, Some(default)) => Ok(Some(self.literal(r#type, default.node.clone()))),
            (None, None) if r#type.nullable => Ok(None),
            (None, None) => Err(format!("of the type \"{type}\" was not given").into()),
        }
    }

    /// Reads a value of this type.
    fn read(&self, r#type: &Type, json: &RawValue) -> Coerced {
        if given::is_null(json) {
            return if r#type.nullable {
                Ok(Value::Null)
            } else {
                Err(format!("of the type \"{type}\" must not be null").into())
            };
        }
        match &r#type.base {
            BaseType::Named(name) => self.read_named(name, json),
            BaseType::List(item) => match serde_json::from_str::<Vec<&RawValue>>(json.get()) {
                Ok(items) => {
                    let read = |(n, json)| self.read(item, json).map_err(|problem| problem.beneath(&n));
                    items.into_iter().enumerate().map(read).collect::<Result<_, _>>().map(Value::List)
                }
                // One value is a list of one.
                Err(_) => Ok(Value::List(vec![self.read(item, json)?])),
            },
        }
    }

    fn read_named(&self, name: &Name, json: &RawValue) -> Coerced {
        let (text, token) = (given::text(json), json.get());
        match (&**name, self.0.types.get(name.as_str()), text) {
            (_, Some(ExtendedType::Scalar(_)), Some(JsonText(Err(lone)))) => Err(lone.into()),
            ("Int", _, None) => int(token).ok_or_else(|| "must be an integer of 32 bits".into()),
            ("Float", _, None) => float(token).ok_or_else(|| "must be a number".into()),
            ("Boolean", _, None) if matches!(token, "true" | "false") => Ok(Value::Boolean(token == "true")),
            ("ID", _, None) => id(token).map(Value::String).ok_or_else(|| "must be a string or an integer".into()),
            ("Int", _, _) => Err("must be an integer".into()),
            ("Float", _, _) => Err("must be a number".into()),
            ("Boolean", _, _) => Err("must be true or false".into()),
            (json::NAME, _, None) => serde_json::from_str(token).map_err(|_| "must be JSON of whole characters".into()),
            // The server's own other scalars are texts.
            (_, Some(ExtendedType::Scalar(_)), Some(JsonText(Ok(text)))) => Ok(Value::String(text)),
            (_, Some(ExtendedType::Enum(r#enum)), text) => match text.map(JsonText::get) {
                Some(Ok(text)) if r#enum.values.contains_key(text.as_str()) => Ok(Value::Enum(Name::new(text))),
                _ => Err(format!("must be a value of \"{name}\"").into()),
            },
            (_, Some(ExtendedType::InputObject(object)), _) => match Members::of(json) {
                Some(members) => self.read_object(object, &members),
                None => Err(format!("must be an object of the type \"{name}\"").into()),
            },
            _ => Err("must be a string".into()),
        }
    }

    fn read_object(&self, object: &InputObjectType, members: &Members<'_>) -> Coerced {
        for (key, _) in &members.0 {
            match &key.0 {
                Ok(key) if object.fields.contains_key(key.as_str()) => {}
                Ok(key) => return Err(format!("has no field \"{}\"", shortened(key)).into()),
                Err(lone) => return Err((*lone).into()),
            }
        }
        let mut fields = IndexMap::new();
        for (name, field) in &object.fields {
            let json = members.0.iter().rev().find(|(key, _)| key.is(name)).map(|(_, json)| *json);
            let Some(r#type) = Type::new(&field.ty.to_string()) else { continue };
            let value = match json {
                Some(json) => Some(self.read(&r#type, json).map_err(|problem| problem.beneath(name))?),
                None if field.is_required() => {
                    return Err(Unacceptable::from(format!("of the type \"{type}\" was not given")).beneath(name));
                }
                None => default(field),
            };
            fields.extend(value.map(|value| (Name::new(name), value)));
        }
        Ok(Value::Object(fields))
    }

    /// A literal of this type, which validation has found acceptable, as [`Self::read`] would give it.
    fn literal(&self, r#type: &Type, literal: Value) -> Value {
        match (&r#type.base, literal) {
            (_, Value::Null) => Value::Null,
            (BaseType::List(item), Value::List(items)) => {
                Value::List(items.into_iter().map(|literal| self.literal(item, literal)).collect())
            }
            (BaseType::List(item), literal) => Value::List(vec![self.literal(item, literal)]),
            (BaseType::Named(name), Value::Number(number)) if name == "ID" => Value::String(number.to_string()),
            (BaseType::Named(name), Value::Object(mut literals)) => {
                let Some(ExtendedType::InputObject(object)) = self.0.types.get(name.as_str()) else {
                    return Value::Object(literals);
                };
                let fields = object.fields.iter().filter_map(|(name, field)| {
                    let r#type = Type::new(&field.ty.to_string())?;
                    let literal = literals.swap_remove(name.as_str()).map(|literal| self.literal(&r#type, literal));
                    Some((Name::new(name), literal.or_else(|| default(field))?))
                });
                Value::Object(fields.collect())
            }
            (_, literal) => literal,
        }
    }
}

/// The default of a field of an input object. The schema has constants only.
fn default(field: &InputValueDefinition) -> Option<Value> {
    let literal = field.default_value.as_ref()?.to_string();
    let document = async_graphql::parser::parse_query(format!("{{a(b:{literal})}}")).ok()?;
    let (_, operation) = document.operations.iter().next()?;
    let async_graphql::parser::types::Selection::Field(field) = &operation.node.selection_set.node.items.first()?.node
    else {
        return None;
    };
    field.node.arguments.first()?.1.node.clone().into_const()
}

/// An integer of 32 bits, however JSON writes it: `5`, `5.0`, `5e0`.
fn int(token: &str) -> Option<Value> {
    if let Ok(int) = token.parse::<i32>() {
        return Some(int.into());
    }
    let float = number(token)?;
    #[expect(clippy::cast_possible_truncation, reason = "it is an integer of 32 bits")]
    let int = float as i32;
    #[expect(clippy::float_cmp, reason = "an integer is exact")]
    let is_exact = f64::from(int) == float;
    is_exact.then(|| int.into())
}

fn float(token: &str) -> Option<Value> {
    Number::from_f64(number(token)?).map(Value::Number)
}

/// A finite number.
fn number(token: &str) -> Option<f64> {
    let is_number = token.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    token.parse().ok().filter(|number: &f64| is_number && number.is_finite())
}

/// Up to here, a floating-point number of 64 bits tells one integer from the next.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// An integer with all its digits, or written as a fraction that is none.
fn id(token: &str) -> Option<String> {
    let digits = token.strip_prefix('-').unwrap_or(token);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(if digits == "0" { digits } else { token }.to_owned());
    }
    number(token)
        .filter(|number| number.fract() == 0.0 && number.abs() <= MAX_EXACT)
        .map(|number| format!("{number:.0}"))
}

fn shortened(name: &str) -> &str {
    const MAX_NAME_BYTES: usize = 64;
    &name[..name.floor_char_boundary(MAX_NAME_BYTES)]
}

impl Unacceptable {
    /// The same, of a value beneath this field or at this place of a list.
    fn beneath(mut self, step: &(impl ToString + ?Sized)) -> Self {
        self.path.insert(0, step.to_string());
        self
    }
}

impl From<String> for Unacceptable {
    fn from(problem: String) -> Self {
        Self { problem, path: Vec::new() }
    }
}

impl From<&str> for Unacceptable {
    fn from(problem: &str) -> Self {
        problem.to_owned().into()
    }
}

impl From<LoneSurrogate> for Unacceptable {
    fn from(lone: LoneSurrogate) -> Self {
        lone.to_string().into()
    }
}
