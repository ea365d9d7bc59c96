//! The parts of a subscription operation that decide which subscriptions can share its rendering.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::convert::Infallible;
use std::sync::Arc;

use async_graphql::parser::types::{ExecutableDocument, Field, OperationType, Selection, SelectionSet};
use async_graphql::{Name, Positioned, Value as ConstValue, Variables};

use crate::position::CursorText;

/// Fields below which a response depends on the viewer. What a document selects them for is rendered for each user
/// separately.
const VIEWER_FIELDS: [&str; 2] = ["viewer", "me"];

/// The argument that only says where to begin, and so makes no difference to how an event is rendered.
const CURSOR_ARGUMENT: &str = "after";

/// The root field whose events are of many types, and the one interface that these have in common.
const EVENTS: (&str, &str) = ("events", "Event");

/// A subscription operation as far as sharing is concerned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    document: Arc<str>,
    operation: Option<String>,
    /// The variables except for the cursor, as JSON with sorted names.
    variables: String,
    /// What depends on the viewer.
    pub viewer_shown: ViewerShown,
    cursor_variable: Option<Name>,
}

/// For which events a rendering depends on the viewer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ViewerShown {
    /// For none.
    Never,
    /// For those of these types.
    With(BTreeSet<Name>),
    /// For all.
    Always,
}

impl ViewerShown {
    /// Whether an event of this type is rendered for each user separately.
    #[must_use]
    pub fn with(&self, event_type: &str) -> bool {
        match self {
            Self::Never => false,
            Self::With(types) => types.contains(event_type),
            Self::Always => true,
        }
    }
}

impl Shape {
    /// The shape of an operation of the document with this text. `executed` is the document that is executed: this
    /// operation alone, whose root holds its field itself. `None` if it is not a subscription.
    #[must_use]
    pub fn of(
        text: &Arc<str>,
        executed: &ExecutableDocument,
        operation: Option<&str>,
        variables: &Variables,
    ) -> Option<Self> {
        let (_, definition) = executed.operations.iter().next()?;
        if definition.node.ty != OperationType::Subscription {
            return None;
        }
        let cursor = cursor_variable(executed, &definition.node.selection_set.node);
        let sorted: BTreeMap<&Name, &ConstValue> =
            variables.iter().filter(|(name, _)| Some(*name) != cursor.as_ref()).collect();
        Some(Self {
            document: text.clone(),
            operation: operation.map(str::to_owned),
            variables: serde_json::to_string(&sorted).ok()?,
            viewer_shown: viewer_shown(executed, &definition.node.selection_set.node),
            cursor_variable: cursor,
        })
    }

    /// These variables with a valid cursor in place of the client's, for the execution that a group shares: the cursor
    /// of one client, even a malformed one, makes no difference to the others.
    #[must_use]
    pub fn shared_variables(&self, variables: &Variables) -> Variables {
        let mut variables = variables.clone();
        if let Some(name) = &self.cursor_variable {
            variables.insert(name.clone(), ConstValue::from(CursorText::NEUTRAL.to_string()));
        }
        variables
    }
}

/// The variable that is the cursor of the operation's one root field, if it is used for nothing else.
fn cursor_variable(executed: &ExecutableDocument, root: &SelectionSet) -> Option<Name> {
    let [Positioned { node: Selection::Field(field), .. }] = root.items.as_slice() else { return None };
    // As text, only a variable begins with a dollar sign: a string would be quoted.
    let variable = field.node.get_argument(CURSOR_ARGUMENT)?.node.to_string();
    let name = Name::new(variable.strip_prefix('$')?);
    let fragments = executed.fragments.values().map(|fragment| &fragment.node.selection_set.node);
    let uses: usize = fragments.chain([root]).map(|set| uses(set, &name)).sum();
    (uses == 1).then_some(name)
}

/// How often a variable is used in a selection. The guard has bounded the nesting.
fn uses(set: &SelectionSet, variable: &Name) -> usize {
    let of_item = |selection: &Selection| {
        let (arguments, directives, beneath) = match selection {
            Selection::Field(field) => {
                (&*field.node.arguments, &field.node.directives, Some(&field.node.selection_set.node))
            }
            Selection::FragmentSpread(spread) => (&[][..], &spread.node.directives, None),
            Selection::InlineFragment(inline) => {
                (&[][..], &inline.node.directives, Some(&inline.node.selection_set.node))
            }
        };
        let of_directives = directives.iter().flat_map(|directive| &directive.node.arguments);
        let mut uses = beneath.map_or(0, |set| self::uses(set, variable));
        for (_, value) in arguments.iter().chain(of_directives) {
            // This is the only way to search a value for variables without naming its type, which is not exported.
            let Ok(_) = value.node.clone().into_const_with(|name| {
                uses += usize::from(name == *variable);
                Ok::<_, Infallible>(ConstValue::Null)
            });
        }
        uses
    };
    set.items.iter().map(|item| of_item(&item.node)).sum()
}

/// For which events some field of the document is one of [`VIEWER_FIELDS`]. The guard has bounded the nesting.
fn viewer_shown(document: &ExecutableDocument, root: &SelectionSet) -> ViewerShown {
    let personal = Personal::of(document);
    if !personal.is_named_in(root) {
        return ViewerShown::Never;
    }
    match root.items.as_slice() {
        [Positioned { node: Selection::Field(field), .. }] if field.node.name.node == EVENTS.0 => {
            let mut search = Search { document, personal, seen: HashSet::new(), types: BTreeSet::new() };
            match search.look_through(&field.node.selection_set.node, None) {
                Some(()) => ViewerShown::With(search.types),
                None => ViewerShown::Always,
            }
        }
        _ => ViewerShown::Always,
    }
}

/// The fragments of a document that name one of [`VIEWER_FIELDS`], by themselves or by others that they spread.
struct Personal<'d>(HashSet<&'d Name>);

impl<'d> Personal<'d> {
    fn of(document: &'d ExecutableDocument) -> Self {
        let mut personal = Self(HashSet::new());
        // Each round finds those that spread the ones found before.
        loop {
            let found: Vec<&Name> = document
                .fragments
                .iter()
                .filter(|(name, _)| !personal.0.contains(name))
                .filter(|(_, fragment)| personal.is_named_in(&fragment.node.selection_set.node))
                .map(|(name, _)| name)
                .collect();
            if found.is_empty() {
                return personal;
            }
            personal.0.extend(found);
        }
    }

    fn is_named_in(&self, set: &SelectionSet) -> bool {
        set.items.iter().any(|item| match &item.node {
            Selection::Field(field) => self.is_named_by(&field.node),
            Selection::InlineFragment(fragment) => self.is_named_in(&fragment.node.selection_set.node),
            Selection::FragmentSpread(spread) => self.0.contains(&spread.node.fragment_name.node),
        })
    }

    fn is_named_by(&self, field: &Field) -> bool {
        VIEWER_FIELDS.contains(&field.name.node.as_str()) || self.is_named_in(&field.selection_set.node)
    }
}

/// Finds the types of events for which a selection of events names one of [`VIEWER_FIELDS`].
struct Search<'d> {
    document: &'d ExecutableDocument,
    personal: Personal<'d>,
    /// The fragments that were looked through, each within a type.
    seen: HashSet<(&'d Name, Option<&'d Name>)>,
    types: BTreeSet<Name>,
}

impl<'d> Search<'d> {
    /// Looks through a selection that is made for events of the type `within`; without one, for all. `None` if some field
    /// is selected for all.
    fn look_through(&mut self, set: &'d SelectionSet, within: Option<&'d Name>) -> Option<()> {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) if self.personal.is_named_by(&field.node) => {
                    self.types.insert(within?.clone());
                }
                Selection::Field(_) => {}
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref().map(|condition| &condition.node.on.node);
                    self.look_through(&inline.node.selection_set.node, narrower(within, on))?;
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    // A document with a spread of nothing isn't executed.
                    let Some(fragment) = self.document.fragments.get(name) else { continue };
                    let within = narrower(within, Some(&fragment.node.type_condition.node.on.node));
                    if self.seen.insert((name, within)) {
                        self.look_through(&fragment.node.selection_set.node, within)?;
                    }
                }
            }
        }
        Some(())
    }
}

/// The type of events within `within` that a fragment on `on` is for. The outermost type is kept: within it, another can't
/// be met.
fn narrower<'d>(within: Option<&'d Name>, on: Option<&'d Name>) -> Option<&'d Name> {
    within.or(on).filter(|on| *on != EVENTS.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::parser::parse_query;

    fn shape_of(text: &str, variables: &Variables) -> Option<Shape> {
        let document = parse_query(text).expect("a document");
        Shape::of(&text.into(), &document, None, variables)
    }

    fn shape(text: &str, variables: &serde_json::Value) -> Shape {
        shape_of(text, &Variables::from_json(variables.clone())).expect("a subscription")
    }

    #[test]
    fn the_cursor_makes_no_difference() {
        let text = "subscription($after: Cursor) { events(after: $after) { cursor } }";
        let (here, there) = (shape(text, &serde_json::json!({"after": "a"})), shape(text, &serde_json::json!({})));
        assert_eq!(here, there);
    }

    #[test]
    fn those_who_share_an_execution_do_not_share_a_cursor() {
        let text = "subscription($after: Cursor, $room: ID) { messagePosted(roomId: $room, after: $after) { id } }";
        let given = Variables::from_json(serde_json::json!({"after": "garbage", "room": "r"}));
        let shape = shape_of(text, &given).expect("a subscription");
        let shared = shape.shared_variables(&given);
        assert_eq!(shared.get("room"), given.get("room"));
        assert_eq!(shared.get("after"), Some(&CursorText::NEUTRAL.to_string().into()));
    }

    #[test]
    fn a_cursor_that_is_used_twice_does() {
        let text = "subscription($after: Cursor) { events(after: $after) { ...on RoomGap { room { messages(after: $after) \
                    { nodes { id } } } } } }";
        let (here, there) = (shape(text, &serde_json::json!({"after": "a"})), shape(text, &serde_json::json!({})));
        assert_ne!(here, there);
    }

    #[test]
    fn other_variables_do_in_any_order() {
        let text = "subscription($room: ID, $b: Boolean!) { messagePosted(roomId: $room) { id @skip(if: $b) } }";
        let one = shape(text, &serde_json::json!({"room": "a", "b": true}));
        assert_eq!(one, shape(text, &serde_json::json!({"b": true, "room": "a"})));
        assert_ne!(one, shape(text, &serde_json::json!({"b": true, "room": "b"})));
    }

    /// What depends on the viewer in a document with this selection of events, and with these fragments.
    fn shown(selection: &str, fragments: &str) -> ViewerShown {
        shape(&format!("subscription {{ events {{ {selection} }} }} {fragments}"), &serde_json::json!({})).viewer_shown
    }

    fn with(types: &[&str]) -> ViewerShown {
        ViewerShown::With(types.iter().map(Name::new).collect())
    }

    #[test]
    fn a_viewer_field_is_found_in_fragments_and_under_an_alias() {
        assert_eq!(shown("...on RoomMuted { room { id } }", ""), ViewerShown::Never);
        let muted = with(&["RoomMuted"]);
        assert_eq!(shown("...on RoomMuted { room { v: viewer { muted } } }", ""), muted);
        assert_eq!(shown("...R", "fragment R on RoomMuted { room { viewer { muted } } }"), muted);
        assert_eq!(shown("...on RoomMuted { room { ...R } }", "fragment R on Room { viewer { muted } }"), muted);
        let through =
            "fragment R on Room { ...S } fragment S on Room { viewer { ...T } } fragment T on RoomViewer { muted }";
        assert_eq!(shown("cursor ...on RoomMuted { room { ...R } } ...on RoomLeft { roomId }", through), muted);
    }

    #[test]
    fn of_the_types_of_events_only_those_depend_on_the_viewer_that_it_is_named_for() {
        const ROOM: &str = "room { viewer { muted } }";
        assert_eq!(
            shown(
                &format!("...on RoomMuted {{ {ROOM} }} ...on MessagePosted {{ at ...on MessagePosted {{ {ROOM} }} }}"),
                ""
            ),
            with(&["MessagePosted", "RoomMuted"])
        );
        assert_eq!(shown(&format!("...on Event {{ cursor ...on RoomMuted {{ {ROOM} }} }}"), ""), with(&["RoomMuted"]));
        assert_eq!(shown(&format!("... {{ ...on RoomMuted {{ {ROOM} }} }}"), ""), with(&["RoomMuted"]));
        // Whatever stands within a type is for events of this type.
        assert_eq!(
            shown(&format!("...on RoomLeft {{ ...on Event {{ ...on RoomMuted {{ {ROOM} }} }} }}"), ""),
            with(&["RoomLeft"])
        );
        // The same fragment within several types.
        assert_eq!(
            shown(
                "...on RoomLeft { ...E } ...on RoomGap { ...E }",
                &format!("fragment E on Event {{ ...on Event {{ {ROOM} }} }}")
            ),
            with(&["RoomGap", "RoomLeft"])
        );
    }

    #[test]
    fn what_is_named_for_all_events_depends_on_the_viewer_for_all() {
        for (selection, fragments) in [
            ("viewer { id }", ""),
            ("...on Event { me { id } }", ""),
            ("... { x { viewer { id } } }", ""),
            ("...on RoomMuted { at } ...E", "fragment E on Event { viewer { id } }"),
        ] {
            assert_eq!(shown(selection, fragments), ViewerShown::Always, "{selection} {fragments}");
        }
        let posts = "subscription { messagePosted { ...on Message { room { viewer { muted } } } } }";
        assert_eq!(shape(posts, &serde_json::json!({})).viewer_shown, ViewerShown::Always);
    }

    #[test]
    fn fragments_that_spread_each_other_are_looked_through_once() {
        let doubling: String = (0..60)
            .fold(String::new(), |text, n| text + &format!("fragment F{n} on Event {{ ...F{0} ...F{0} }} ", n + 1));
        let last = "fragment F60 on Event { ...on RoomMuted { room { viewer { muted } } } ...F0 }";
        assert_eq!(shown("...F0", &(doubling + last)), with(&["RoomMuted"]));
    }

    #[test]
    fn only_a_subscription_has_a_shape() {
        assert_eq!(shape_of("{ me { id } }", &Variables::default()), None);
    }
}
