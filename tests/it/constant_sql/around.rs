//! Messages with all that can be around them: a page of them costs as many statements as one of few, and an event as many
//! for many sockets as for two.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Feed, Message, Room, TestApp, TestUser};

/// All that is shown of a message.
const WHOLE: &str = "fragment whole on Message { id seq body custom author { id displayName } mentions { id username } mentionsRoom
    reactions { emoji count users { id displayName } } attachments { id name contentType url thumbnailUrl }
    replyToSeq replyTo { id body author { username } reactions { emoji count users { id } } attachments { name url } mentions { id } }
    readBy { user { id } readAt } }";

const PAGE: &str = "query($room: ID!, $last: Int!) { room(id: $room) { messages(last: $last) { nodes { ...whole viewer { reactions mentioned } } } } } ";
const PINNED: &str = "query($room: ID!) { room(id: $room) {
    pinnedMessages { message { ...whole viewer { reactions } } pinnedBy { id username } } } } ";
const MENTIONS: &str =
    "query($last: Int!) { viewer { mentions(first: $last) { nodes { ...whole room { id name } } } } } ";
const EVENTS: &str = "subscription($after: Cursor) { events(after: $after) { __typename cursor
    ... on MessagePosted { message { ...all } authorMember { lastReadSeq } } ... on MessageEdited { message { ...all } }
    ... on MessageDeleted { message { ...all } } ... on ReactionsChanged { message { ...all } changes { user { id } emoji on } }
    ... on PinsChanged { by { id } message { ...all } room { id pinnedMessages { pinnedBy { id } message { id } } } } } }
    fragment all on Message { id seq body custom author { id displayName } mentions { username } mentionsRoom
        reactions { emoji count users { id } } attachments { name url thumbnailUrl } readBy { user { id } }
        replyToSeq replyTo { id body author { username } attachments { name } } }";

const POST: &str = "mutation($room: ID!, $to: ID, $users: [ID!], $files: [ID!]) { postMessage(roomId: $room, body: \"decorated\",
    replyToId: $to, mentions: $users, mentionsRoom: true, attachmentIds: $files, custom: { kind: \"order\" }) { message {
        id seq body clientId createdAt editedAt deletedAt author { id } room { id } } } }";
const REACT: &str =
    "mutation($m: ID!, $emoji: String!) { setReaction(messageId: $m, emoji: $emoji) { message { id } } }";
const PIN: &str = "mutation($m: ID!) { pinMessage(messageId: $m) { room { id } } }";
const EDIT: &str =
    "mutation($m: ID!, $users: [ID!]) { editMessage(messageId: $m, body: \"decorated anew\", mentions: $users) {
    message { id } } }";

/// The first of `members` answers the message, with two files, and mentions one of the others and the room.
async fn answer(members: &[TestUser], room: &Room, to: Option<&Message>) -> Message {
    let (one, other) = tokio::join!(members[0].upload("a.txt", b"one"), members[0].upload("b.txt", b"another"));
    let to = to.map(|to| &to.id);
    let variables = json!({ "room": room.id, "to": to, "users": [members[1].id], "files": [one, other] });
    Message::of(&members[0].graphql(POST, variables).await["/postMessage/message"])
}

/// A message of the first of `members` with all that can be around one: three of them react to it, one pins it.
async fn decorate(members: &[TestUser], room: &Room, to: Option<&Message>) -> Message {
    let message = answer(members, room, to).await;
    for (user, emoji) in members.iter().zip(["👍", "❤", "🎉"]) {
        user.graphql(REACT, json!({ "m": message.id, "emoji": emoji })).await.data();
    }
    members[1].graphql(PIN, json!({ "m": message.id })).await.data();
    message
}

fn whole(document: &str) -> String {
    format!("{document}{WHOLE}")
}

#[tokio::test]
async fn forty_messages_with_all_around_them_take_as_many_statements_as_four() {
    let app = TestApp::start_with(|config| config.poll_ms = 60_000).await;
    let (few, many) = tokio::join!(app.crowd("few", 4), app.crowd("many", 4));
    let mut rooms = Vec::new();
    for (members, count) in [(&few, 4), (&many, 40)] {
        let room = members[0].initiate_chat(&members[1..]).await;
        let mut last = None;
        for n in 0..count {
            // Not always the same is the author.
            let mut members = members.clone();
            members.rotate_left(n % 4);
            last = Some(decorate(&members, &room, last.as_ref()).await);
        }
        rooms.push(room);
    }
    for user in few.iter().chain(&many) {
        user.sync_cursor().await;
    }
    let mut ran = app.watch_statements();
    let mut count = async |user: &TestUser, room: &Room, document: &str, last: usize| -> (usize, Answer) {
        ran.texts();
        let answer = user.graphql(&whole(document), json!({ "room": room.id, "last": last })).await;
        answer.data();
        (ran.texts().len(), answer)
    };
    let (few, many) = (&few[3], &many[3]);
    for (document, at) in
        [(PAGE, "/room/messages/nodes"), (PINNED, "/room/pinnedMessages"), (MENTIONS, "/viewer/mentions/nodes")]
    {
        let (for_few, shown) = count(few, &rooms[0], document, 50).await;
        // Of some, the user is the author.
        assert!((3..=4).contains(&shown.list(at).len()), "{document}: {:?}", shown.body);
        let (for_many, shown) = count(many, &rooms[1], document, 50).await;
        assert!((30..=40).contains(&shown.list(at).len()), "{document}: {:?}", shown.body);
        assert!(for_few >= 5, "the statements are counted");
        assert_eq!(for_many, for_few, "{document}");
    }
    let (_, page) = count(many, &rooms[1], PAGE, 40).await;
    for message in &page.list("/room/messages/nodes")[1..] {
        let shown = ["reactions", "attachments", "mentions"].map(|list| message[list].as_array().map_or(0, Vec::len));
        assert_eq!(shown, [3, 2, 1], "{message:#}");
        assert_eq!(
            (&message["replyTo"]["body"], &message["custom"]),
            (&json!("decorated"), &json!({ "kind": "order" }))
        );
        assert_eq!(message["replyTo"]["reactions"].as_array().map_or(0, Vec::len), 3);
    }
}

/// Until each has received an event of this kind.
async fn received(feeds: &mut [Feed], kind: &str) -> Vec<Value> {
    join_all(
        feeds.iter_mut().map(|feed| async { feed.until(|event| event.kind == kind).await.pop().expect("one").body }),
    )
    .await
}

/// The statements that everything takes that may happen to a message, while this many sockets of each of these listen.
async fn statements(app: &mut TestApp, members: &[TestUser], sockets: usize) -> Vec<(&'static str, usize)> {
    let room = members[0].initiate_chat(&members[1..]).await;
    let first = decorate(members, &room, None).await;
    // What was said is in the memory of recent events only then, and nothing is prepared any more.
    app.restart().await;
    let mut feeds = Vec::new();
    for user in members {
        for _ in 0..sockets {
            feeds.push(user.subscribe_to(EVENTS, json!({})).await);
        }
    }
    decorate(members, &room, Some(&first)).await;
    received(&mut feeds, "PinsChanged").await;
    let files = [members[0].upload("a.txt", b"one").await, members[0].upload("b.txt", b"another").await];
    let mut ran = app.watch_statements();
    let mut taken = Vec::new();
    let mut message = None;
    for kind in ["MessagePosted", "ReactionsChanged", "PinsChanged", "MessageEdited", "MessageDeleted"] {
        let rendered = app.metric("parlor_renders_total").await;
        ran.texts();
        let id = message.as_ref().map(|message: &Message| &message.id);
        let answer = match kind {
            "MessagePosted" => {
                let variables = json!({ "room": room.id, "to": first.id, "users": [members[1].id], "files": files });
                members[0].graphql(POST, variables).await
            }
            "ReactionsChanged" => members[1].graphql(REACT, json!({ "m": id, "emoji": "👍" })).await,
            "PinsChanged" => members[1].graphql(PIN, json!({ "m": id })).await,
            "MessageEdited" => members[0].graphql(EDIT, json!({ "m": id, "users": [members[1].id] })).await,
            _ => {
                let delete = "mutation($m: ID!) { deleteMessage(messageId: $m) { message { id } } }";
                members[0].graphql(delete, json!({ "m": id })).await
            }
        };
        answer.data();
        if kind == "MessagePosted" {
            message = Some(Message::of(&answer["/postMessage/message"]));
        }
        let shown = received(&mut feeds, kind).await;
        assert!(shown.windows(2).all(|pair| pair[0] == pair[1]), "{kind}: all receive the same");
        let events = if kind == "MessageDeleted" {
            // It is unpinned with its message.
            received(&mut feeds, "PinsChanged").await;
            2.0
        } else {
            1.0
        };
        let renders = app.metric("parlor_renders_total").await - rendered;
        assert_eq!(format!("{renders}"), format!("{events}"), "{kind} is rendered once");
        // Whether the consumer has put it into the index already is another matter.
        let ran = ran.texts().iter().filter(|text| !text.contains("INTO search_index")).count();
        taken.push((kind, ran));
    }
    taken
}

#[tokio::test]
async fn an_event_with_all_around_it_takes_as_many_statements_for_forty_sockets_as_for_four() {
    let mut app = TestApp::start_with(|config| config.poll_ms = 60_000).await;
    let (few, many) = tokio::join!(app.crowd("few", 4), app.crowd("many", 20));
    let for_few = statements(&mut app, &few, 1).await;
    let for_many = statements(&mut app, &many, 2).await;
    assert_eq!(for_many, for_few);
}
