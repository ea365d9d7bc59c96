//! Pages of lists as Relay connections (<https://relay.dev/graphql/connections.htm>), with opaque cursors.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use async_graphql::connection::{Connection, CursorType, Edge};
use async_graphql::registry::Registry;
use async_graphql::{InputType, InputValueError, InputValueResult, OutputType, Value};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::chat::{Slice, Window};

/// A page of a list that is ordered by `K`.
pub(crate) type Page<K, N> = Connection<Key<K>, N>;

/// An item's place in a list: opaque text in the schema, both as an edge's `cursor` and as an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key<K>(pub K);

/// The text is not a cursor of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list; take it from `pageInfo` or an edge")]
pub(crate) struct InvalidKey;

impl<K: Display + FromStr> CursorType for Key<K> {
    type Error = InvalidKey;

    fn decode_cursor(text: &str) -> Result<Self, InvalidKey> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidKey)?;
        let key = str::from_utf8(&bytes).map_err(|_| InvalidKey)?;
        key.parse().map(Self).map_err(|_| InvalidKey)
    }

    fn encode_cursor(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.to_string())
    }
}

impl<K: Display + FromStr + Send + Sync> InputType for Key<K> {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        <String as InputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <String as InputType>::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        let text = <String as InputType>::parse(value).map_err(InputValueError::propagate)?;
        Self::decode_cursor(&text).map_err(InputValueError::custom)
    }

    fn to_value(&self) -> Value {
        Value::String(self.encode_cursor())
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
}

/// Wraps a part of a list: `key` gives an item's place, `node` the object that is shown for it.
pub(crate) fn page<T, K, N>(slice: Slice<T>, key: impl Fn(&T) -> K, node: impl Fn(T) -> N) -> Page<K, N>
where
    K: Display + FromStr + Send + Sync,
    N: OutputType,
{
    let mut page = Connection::new(slice.has_previous, slice.has_next);
    page.edges.extend(slice.items.into_iter().map(|item| Edge::new(Key(key(&item)), node(item))));
    page
}

/// What a page adds to the complexity of a request: one for itself, and the complexity of an item as often as the page
/// may have items.
#[must_use]
pub(crate) fn cost(first: Option<i32>, last: Option<i32>, of_each: usize) -> usize {
    let asked = first.or(last).map_or(Window::<()>::DEFAULT, |asked| asked.max(0).unsigned_abs());
    of_each.saturating_mul(asked.min(Window::<()>::MAX) as usize).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::UserId;

    #[test]
    fn a_key_survives_its_text() {
        let user = Key(UserId::generate());
        assert_eq!(Key::decode_cursor(&user.encode_cursor()), Ok(user));
        let name = Key("anné".to_owned());
        assert_eq!(Key::decode_cursor(&name.encode_cursor()), Ok(name));
    }

    #[test]
    fn text_that_is_no_key_of_the_list_is_refused() {
        for text in ["", "7", "!", &URL_SAFE_NO_PAD.encode("seven")] {
            assert_eq!(Key::<i32>::decode_cursor(text), Err(InvalidKey), "{text}");
        }
    }

    #[test]
    fn a_page_costs_as_much_as_it_may_hold() {
        assert_eq!(cost(None, None, 3), 61);
        assert_eq!(cost(Some(5), None, 3), 16);
        assert_eq!(cost(None, Some(5), 3), 16);
        assert_eq!(cost(Some(i32::MAX), None, 3), 301);
        assert_eq!(cost(Some(-1), None, 3), 1);
        assert_eq!(cost(Some(100), None, usize::MAX), usize::MAX);
    }
}
