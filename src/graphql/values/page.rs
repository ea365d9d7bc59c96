//! Pages of lists as Relay connections (<https://relay.dev/graphql/connections.htm>), with opaque cursors.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;

use async_graphql::connection::{Connection, CursorType, Edge, EmptyFields};
use async_graphql::registry::Registry;
use async_graphql::{Context, InputType, InputValueError, InputValueResult, ObjectType, OutputType, Value};

use crate::chat::{Argument, Error, Slice, Window};
use crate::graphql::execution::context::ContextExt;
use crate::ids::{RoomId, WebhookId};
use crate::position::CursorCodec;

/// A page of a list that is ordered by `K`.
pub(crate) type Page<K, N> = Connection<Key<K>, N>;

/// An item of a list that is ordered by `K`, with its place in it.
pub(crate) type PageEdge<K, N> = Edge<Key<K>, N, EmptyFields>;

/// A list. A cursor is of one list, and no other takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    /// Users, by username or as a search has them.
    Users,
    /// A user's rooms.
    Rooms,
    /// The members of this room.
    Members(RoomId),
    /// Those who may not come back into this room.
    Bans(RoomId),
    /// The messages of this room.
    Messages(RoomId),
    /// A user's sessions.
    Sessions,
    /// Those whom a user blocks.
    Blocked,
    /// The queue of reports.
    Reports,
    /// The reports of this room that are open.
    RoomReports(RoomId),
    /// Open rooms, the newest first or as a search has them.
    OpenRooms,
    /// Invites for a user.
    Invites,
    /// What the receiver of this webhook has refused.
    WebhookFailures(WebhookId),
    /// Messages that mention a user.
    Mentions,
    /// Messages that were found.
    Found,
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Users => f.write_str("users"),
            Self::Rooms => f.write_str("rooms"),
            Self::Members(room) => write!(f, "members {room}"),
            Self::Bans(room) => write!(f, "bans {room}"),
            Self::Messages(room) => write!(f, "messages {room}"),
            Self::Sessions => f.write_str("sessions"),
            Self::Blocked => f.write_str("blocked"),
            Self::Reports => f.write_str("reports"),
            Self::RoomReports(room) => write!(f, "reports {room}"),
            Self::OpenRooms => f.write_str("open rooms"),
            Self::Invites => f.write_str("invites"),
            Self::WebhookFailures(webhook) => write!(f, "failures {webhook}"),
            Self::Mentions => f.write_str("mentions"),
            Self::Found => f.write_str("found"),
        }
    }
}

/// An item's place in a list, as an edge's `cursor` shows it: opaque text.
#[derive(Clone)]
pub(crate) struct Key<K> {
    list: List,
    value: K,
    cursors: CursorCodec,
}

/// The text is not a cursor of this list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list; take it from `pageInfo` or an edge")]
pub(crate) struct InvalidKey;

impl<K: Display> CursorType for Key<K> {
    type Error = InvalidKey;

    /// Fails: what reads a cursor needs the codec, see [`GivenKey`].
    fn decode_cursor(_: &str) -> Result<Self, InvalidKey> {
        Err(InvalidKey)
    }

    fn encode_cursor(&self) -> String {
        self.cursors.seal_key(&self.list.to_string(), &self.value.to_string())
    }
}

/// An item's place in a list, as an argument.
#[derive(Clone, Debug)]
pub(crate) struct GivenKey<K>(String, PhantomData<fn() -> K>);

impl<K: FromStr> GivenKey<K> {
    /// Reads it. `argument`: where it was given.
    ///
    /// # Errors
    /// [`Error::Invalid`] of the argument.
    pub(crate) fn open(&self, ctx: &Context<'_>, list: List, argument: Argument) -> Result<K, Error> {
        let key = ctx.cursors().open_key(&list.to_string(), &self.0).and_then(|key| key.parse().ok());
        key.ok_or_else(|| Error::invalid(argument, InvalidKey.to_string()))
    }
}

impl<K> InputType for GivenKey<K> {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        <String as InputType>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <String as InputType>::create_type_info(registry)
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        let text = <String as InputType>::parse(value).map_err(InputValueError::propagate)?;
        Ok(Self(text, PhantomData))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
}

/// Reads the cursor that was given as `after`, if any.
///
/// # Errors
/// [`Error::Invalid`] of `after`.
pub(crate) fn after<K: FromStr>(ctx: &Context<'_>, list: List, given: Option<GivenKey<K>>) -> Result<Option<K>, Error> {
    given.map(|given| given.open(ctx, list, Argument::After)).transpose()
}

/// The cursor of the item with this key in the list.
pub(crate) fn cursor<K: Display>(ctx: &Context<'_>, list: List, key: K) -> String {
    Key { list, value: key, cursors: ctx.cursors().clone() }.encode_cursor()
}

/// The item with this key in the list, as pages of the list have it.
pub(crate) fn edge<K, N>(ctx: &Context<'_>, list: List, key: K, node: N) -> PageEdge<K, N>
where
    K: Display + Send + Sync,
    N: OutputType,
{
    Edge::new(Key { list, value: key, cursors: ctx.cursors().clone() }, node)
}

/// Wraps a part of a list: `key` gives an item's place, `node` the object that is shown for it.
pub(crate) fn page<T, K, N>(
    ctx: &Context<'_>,
    list: List,
    slice: Slice<T>,
    key: impl Fn(&T) -> K,
    node: impl Fn(T) -> N,
) -> Page<K, N>
where
    K: Display + Send + Sync,
    N: OutputType,
{
    let mut page = Connection::new(slice.has_previous, slice.has_next);
    page.edges.extend(slice.items.into_iter().map(|item| edge(ctx, list, key(&item), node(item))));
    page
}

/// As [`page`], of items that say more in the list than they do alone: `node` gives the object and that.
pub(crate) fn page_with<T, K, N, E>(
    ctx: &Context<'_>,
    list: List,
    slice: Slice<T>,
    key: impl Fn(&T) -> K,
    node: impl Fn(T) -> (N, E),
) -> Connection<Key<K>, N, EmptyFields, E>
where
    K: Display + Send + Sync,
    N: OutputType,
    E: ObjectType,
{
    let mut page = Connection::new(slice.has_previous, slice.has_next);
    page.edges.extend(slice.items.into_iter().map(|item| {
        let key = Key { list, value: key(&item), cursors: ctx.cursors().clone() };
        let (node, more) = node(item);
        Edge::with_additional_fields(key, node, more)
    }));
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
