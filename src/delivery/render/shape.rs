//! The parts of a subscription operation that decide which subscriptions can share its rendering.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet};
use async_graphql::{Name, Positioned, Value as ConstValue, Variables};

use crate::position::CursorText;

/// Fields below which a response depends on the viewer. A document that names one of them anywhere is rendered for each
/// user separately.
const VIEWER_FIELDS: [&str; 2] = ["viewer", "me"];

/// The argument that only says where to begin, and so makes no difference to how an event is rendered.
const CURSOR_ARGUMENT: &str = "after";

/// A subscription operation as far as sharing is concerned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    document: Arc<str>,
    operation: Option<String>,
    /// The variables except for the cursor, as JSON with sorted names.
    variables: String,
    /// Whether some field depends on the viewer.
    pub depends_on_viewer: bool,
    cursor_variable: Option<Name>,
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
            depends_on_viewer: depends_on_viewer(executed),
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

/// Whether any field of the document is one of [`VIEWER_FIELDS`]. The guard has bounded the nesting.
fn depends_on_viewer(document: &ExecutableDocument) -> bool {
    let operations = document.operations.iter().map(|(_, operation)| &operation.node.selection_set);
    let fragments = document.fragments.values().map(|fragment| &fragment.node.selection_set);
    operations.chain(fragments).any(|set| names_viewer_field(&set.node))
}

fn names_viewer_field(set: &SelectionSet) -> bool {
    set.items.iter().any(|item| match &item.node {
        Selection::Field(field) => {
            VIEWER_FIELDS.contains(&field.node.name.node.as_str()) || names_viewer_field(&field.node.selection_set.node)
        }
        Selection::InlineFragment(fragment) => names_viewer_field(&fragment.node.selection_set.node),
        Selection::FragmentSpread(_) => false,
    })
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

    #[test]
    fn a_viewer_field_is_found_in_fragments_and_under_an_alias() {
        let plain = "subscription { events { ...on RoomMuted { room { id } } } }";
        let inline = "subscription { events { ...on RoomMuted { room { v: viewer { muted } } } } }";
        let spread = "subscription { events { ...R } } fragment R on RoomMuted { room { viewer { muted } } }";
        assert!(!shape(plain, &serde_json::json!({})).depends_on_viewer);
        assert!(shape(inline, &serde_json::json!({})).depends_on_viewer);
        assert!(shape(spread, &serde_json::json!({})).depends_on_viewer);
    }

    #[test]
    fn only_a_subscription_has_a_shape() {
        assert_eq!(shape_of("{ me { id } }", &Variables::default()), None);
    }
}
