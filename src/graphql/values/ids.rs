//! Typed ids as arguments. In the schema each is an `ID`; an id of the wrong noun is refused while it is parsed.

use std::borrow::Cow;

use async_graphql::registry::Registry;
use async_graphql::{ID, InputType, InputValueError, InputValueResult, Value};

use crate::graphql::node::NodeId;
use crate::ids::{MessageId, RoomId, UserId};

macro_rules! id_argument {
    ($($id:ty),+) => {$(
        impl InputType for $id {
            type RawValueType = Self;

            fn type_name() -> Cow<'static, str> {
                <ID as InputType>::type_name()
            }

            fn create_type_info(registry: &mut Registry) -> String {
                <ID as InputType>::create_type_info(registry)
            }

            fn parse(value: Option<Value>) -> InputValueResult<Self> {
                let id = <ID as InputType>::parse(value).map_err(InputValueError::propagate)?;
                id.parse().map_err(InputValueError::custom)
            }

            fn to_value(&self) -> Value {
                Value::String(self.to_string())
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }
        }
    )+};
}

id_argument!(UserId, RoomId, MessageId, NodeId);
