//! Custom data, which is JSON inside GraphQL.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use serde_json::Map;

use crate::chat::custom::{Custom, Patch};

/// Its name in the schema.
pub(crate) const NAME: &str = "JSON";

/// What a value of it counts as in the complexity of a document: a field for each KiB that it may hold.
pub(crate) const COMPLEXITY: usize = 4;

/// An object of JSON.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Json(Map<String, serde_json::Value>);

impl Json {
    /// Custom data as it is stored.
    pub(crate) fn stored(text: Option<&str>) -> Self {
        match Custom::from_text(text).into_value() {
            serde_json::Value::Object(fields) => Self(fields),
            _ => Self(Map::new()),
        }
    }
}

impl From<Json> for Patch {
    fn from(json: Json) -> Self {
        Self(json.0)
    }
}

/// A JSON object of at most 4,096 bytes, and at most 5 objects and lists in one another. As an input it is a [merge
/// patch](https://www.rfc-editor.org/rfc/rfc7396): keys that are given are set, those with null are removed, the rest
/// stays.
#[Scalar(name = "JSON", specified_by_url = "https://www.rfc-editor.org/rfc/rfc8259")]
impl ScalarType for Json {
    fn parse(value: Value) -> InputValueResult<Self> {
        match value.into_json() {
            Ok(serde_json::Value::Object(fields)) => Ok(Self(fields)),
            _ => Err(InputValueError::custom("expected an object")),
        }
    }

    fn to_value(&self) -> Value {
        Value::from_json(serde_json::Value::Object(self.0.clone())).unwrap_or_default()
    }
}
