//! What a webhook is told: a subscription document, which is read as any other, and executed for nobody.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet};
use async_graphql::{Positioned, Variables};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use sea_orm::Iterable;

use crate::chat::webhook::CheckWebhook;
use crate::delivery::notice::name::{dotted, type_name};
use crate::delivery::{Feed, MakeRequest, Notice, Shape, ViewerShown};
use crate::graphql::{self, Contract, GivenVariables, Schema};
use crate::http::guard::{Guard, Limits};
use crate::log::Kind;
use crate::outgoing::Outgoing;

/// The only field at the root.
const ROOT: &str = "events";

/// The interface of all events. What is selected on it is said of every event, and asks for none.
const INTERFACE: &str = "Event";

/// The type as which webhooks are told of notifications.
const NOTIFICATION: &str = "NotificationDue";

/// Reads documents, and says which are those of webhooks.
pub struct Documents {
    guard: Guard,
    contract: Contract,
    /// Weighs what a document asks for. Nothing is read by it.
    schema: Schema,
    outgoing: Outgoing,
}

/// What a webhook is told.
pub(super) struct Document {
    /// Makes the requests by which events are rendered.
    pub request: MakeRequest,
    /// The kinds that are told, with the `type` that a receiver is told.
    pub types: HashMap<Kind, String>,
    /// Whether it is told that somebody is to be notified, which isn't in the log.
    pub tells_notifications: bool,
}

impl Documents {
    /// What reads documents of this contract, to be sent by this client.
    #[must_use]
    pub fn new(contract: Contract, outgoing: Outgoing) -> Self {
        Self { guard: Guard::new(Limits::default()), contract, schema: graphql::bare_schema(), outgoing }
    }

    /// Reads a document.
    pub(super) fn read(&self, query: &str) -> Result<Document, String> {
        let document = self.guard.admit(query).map_err(|refusal| format!("can't be: {refusal}"))?;
        document.validate(&self.contract).map_err(|problems| {
            let told = problems.first().map(|problem| problem.to_error().message).unwrap_or_default();
            format!("is not valid: {told}")
        })?;
        let chosen = document.choose(None).map_err(|_| "must be one operation".to_owned())?;
        let plan = Arc::clone(chosen.map_err(|refusal| format!("can't be: {refusal}"))?);
        if plan.kind() != OperationType::Subscription {
            return Err("must be a subscription".to_owned());
        }
        let given = GivenVariables::default();
        let variables = plan.coerce(&self.contract, &given).map_err(|_| "must need no variables".to_owned())?;
        let executed = plan.document(&variables);
        let shape = Shape::of(document.text(), &executed, None, &variables);
        if shape.is_none_or(|shape| shape.viewer_shown != ViewerShown::Never) {
            return Err("must not ask for `viewer` or `me`: nobody asks".to_owned());
        }
        let wanted =
            wanted(&executed, &variables).ok_or("must ask for `events`, without arguments, and nothing else")?;
        let types = Kind::iter().filter(|kind| Notice::is_for_backend(*kind)).filter_map(|kind| {
            let name = type_name(kind);
            wanted.contains(&name).then(|| (kind, dotted(&name)))
        });
        let types: HashMap<Kind, String> = types.collect();
        let tells_notifications = wanted.contains(NOTIFICATION);
        if types.is_empty() && !tells_notifications {
            return Err(format!("must have a fragment on what is to be told: {}", all_types().join(", ")));
        }
        let contract = self.contract.clone();
        Ok(Document { request: Arc::new(move || plan.request(&contract, &variables)), types, tells_notifications })
    }

    async fn check(&self, query: &str) -> Result<(), String> {
        let document = self.read(query)?;
        // It ends without an event, or with what is wrong with it.
        let request = (document.request)().data(Feed::of_nothing());
        match self.schema.execute_stream(request).next().await {
            Some(response) => {
                let told = response.errors.first().map(|error| error.message.clone()).unwrap_or_default();
                Err(format!("is not valid: {told}"))
            }
            None => Ok(()),
        }
    }
}

impl CheckWebhook for Documents {
    fn check_url(&self, url: &str) -> Result<(), String> {
        self.outgoing.locate(url).map(drop)
    }

    fn check_query<'a>(&'a self, query: &'a str) -> BoxFuture<'a, Result<(), String>> {
        self.check(query).boxed()
    }
}

/// The names of the types for which the only field at the root has a fragment. `None`: there are others, or it has
/// arguments.
fn wanted(document: &ExecutableDocument, variables: &Variables) -> Option<HashSet<String>> {
    let (_, operation) = document.operations.iter().next()?;
    let [Positioned { node: Selection::Field(root), .. }] = &operation.node.selection_set.node.items[..] else {
        return None;
    };
    if root.node.name.node != ROOT || !root.node.arguments.is_empty() {
        return None;
    }
    let mut names = HashSet::new();
    collect(&root.node.selection_set.node, (document, variables), &mut names);
    Some(names)
}

/// Adds the types on which something is selected. The guard has bounded the nesting, and the contract has refused circles.
fn collect(set: &SelectionSet, of: (&ExecutableDocument, &Variables), names: &mut HashSet<String>) {
    let (document, variables) = of;
    for item in set.items.iter().filter(|item| graphql::is_included(&item.node, variables)) {
        let (condition, beneath) = match &item.node {
            Selection::Field(_) => continue,
            Selection::InlineFragment(inline) => (inline.node.type_condition.as_ref(), &inline.node.selection_set.node),
            Selection::FragmentSpread(spread) => match document.fragments.get(&spread.node.fragment_name.node) {
                Some(fragment) => (Some(&fragment.node.type_condition), &fragment.node.selection_set.node),
                None => continue,
            },
        };
        match condition.map(|condition| condition.node.on.node.as_str()) {
            None | Some(INTERFACE) => collect(beneath, of, names),
            Some(name) => drop(names.insert(name.to_owned())),
        }
    }
}

/// All types that webhooks can be told.
fn all_types() -> Vec<String> {
    let types: HashSet<String> = Kind::iter().filter(|kind| Notice::is_for_backend(*kind)).map(type_name).collect();
    let mut types: Vec<String> = types.into_iter().chain([NOTIFICATION.to_owned()]).collect();
    types.sort();
    types
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents() -> Documents {
        Documents::new(Contract::new(), Outgoing::new(&[]).expect("TLS can be set up"))
    }

    #[test]
    fn every_kind_that_is_told_is_an_event_of_the_schema() {
        let contract = Contract::new();
        for kind in Kind::iter().filter(|kind| Notice::is_for_backend(*kind)) {
            assert!(contract.applies(INTERFACE, &type_name(kind)), "{kind:?} is not {}", type_name(kind));
        }
        assert_eq!(dotted("MessagePosted"), "message.posted");
    }

    #[tokio::test]
    async fn a_document_says_which_types_are_told() {
        let query = "subscription Mine { events { cursor __typename ... on Event { at ... on RoomUpdated { at } }
            ...Posts ... on MemberLeft { userId } ... on RoomMuted { at } } }
            fragment Posts on MessagePosted { message { id body room { id } } }";
        let documents = documents();
        assert_eq!(documents.check(query).await, Ok(()));
        let types = documents.read(query).expect("it is one").types;
        let mut types: Vec<(String, String)> =
            types.into_iter().map(|(kind, name)| (format!("{kind:?}"), name)).collect();
        types.sort();
        let named = |kind: &str, name: &str| (kind.to_owned(), name.to_owned());
        assert_eq!(
            types,
            [
                named("MemberBanned", "member.left"),
                named("MemberLeft", "member.left"),
                named("MemberRemoved", "member.left"),
                named("MessagePosted", "message.posted"),
                named("RoomUpdated", "room.updated"),
            ]
        );
    }

    #[tokio::test]
    async fn other_documents_are_refused() {
        let documents = documents();
        let deep = "[".repeat(4_000);
        for (query, problem) in [
            ("", "can't be"),
            (&*deep, "can't be"),
            ("{ me { id } }", "must be a subscription"),
            ("mutation { signOut }", "is not valid"),
            ("subscription { messagePosted { id } }", "must ask for `events`"),
            ("subscription { events { cursor } }", "must have a fragment"),
            ("subscription { events { ... on RoomMuted { at } } }", "must have a fragment"),
            ("subscription { events { ... on MessagePosted { nothing } } }", "is not valid"),
            ("subscription($a: Cursor) { events(after: $a) { ... on MessagePosted { at } } }", "must ask for `events`"),
            ("subscription { a: events { ... on MessagePosted { at } } b: events { cursor } }", "is not valid"),
            ("subscription A { events { cursor } } subscription B { events { cursor } }", "must be one operation"),
            ("subscription($a: Boolean!) { events { ... on MessagePosted @include(if: $a) { at } } }", "must need no"),
            ("subscription { events { ... on MessagePosted { message { room { viewer { muted } } } } } }", "viewer"),
            (
                "subscription { events { ... on MessagePosted { message { room { a: viewer @include(if: true) { muted } } } } } }",
                "viewer",
            ),
            (
                "subscription($no: Boolean! = false) { events { ... on MessagePosted { message { room {
                 ... @include(if: $no) { viewer { muted } } } } } } }",
                "viewer",
            ),
            (
                "subscription { events { cursor ...A } } fragment A on Event { ...B } fragment B on RoomJoined { room { ...C } }
                 fragment C on Room { v: viewer { lastReadSeq } }",
                "viewer",
            ),
            ("subscription { ...R } fragment R on Subscription { __typename events { cursor } }", "is not valid"),
            ("subscription { __typename }", "is not valid"),
            ("subscription { a: messagePosted { id } events { ... on MessagePosted { at } } }", "is not valid"),
            ("subscription { events(after: null) { ... on MessagePosted { at } } }", "must ask for `events`"),
            ("subscription { events { ... on MessagePosted @skip(if: true) { at } } }", "must have a fragment"),
            (
                "subscription($no: Boolean = false) { events { ...P @include(if: $no) } } fragment P on MessagePosted { at }",
                "must have a fragment",
            ),
            ("subscription { events { ... on BlocksChanged { at } ... on ReadMarksMoved { at } } }", "must have a fragment"),
            ("subscription { events { ... on User { id } } }", "is not valid"),
            ("subscription { events { ... on MessagePosted { message { author { email } } } } }", "is not valid"),
            (
                "subscription { events { ...P } } fragment P on MessagePosted { message { x: viewer { id } } }",
                "viewer",
            ),
            (
                "subscription { events { ... on MessagePosted { message { room { members(first: 100) { nodes { user { id }
                 } } messages(first: 100) { nodes { room { members(first: 100) { nodes { role } } } } } } } } } }",
                "is not valid: asks for up to",
            ),
        ] {
            let refused = documents.check(query).await.expect_err(query);
            assert!(refused.contains(problem), "{query}: {refused}");
        }
    }
}
