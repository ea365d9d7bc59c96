//! The table: everything that can be asked about a room, a message, a report or a user of it, and what those may who are in
//! the room.

use serde_json::{Value, json};

use super::sdl::{Sdl, everything};
use crate::support::documents;

/// What a question is about.
#[derive(Clone, Debug)]
pub struct About {
    /// The room, by its id or the app's own.
    pub room: String,
    /// A message in it.
    pub message: String,
    /// A report of that message.
    pub report: String,
    /// A member of it.
    pub member: String,
}

impl About {
    /// What there isn't, beside a user who is there.
    pub fn nothing(member: &str) -> Self {
        Self {
            room: "room_00000000000000000000000000".to_owned(),
            message: "msg_00000000000000000000000000".to_owned(),
            report: "report_00000000000000000000000000".to_owned(),
            member: member.to_owned(),
        }
    }
}

/// One question.
pub struct Row {
    /// The operation.
    pub document: String,
    /// Its variables.
    pub variables: fn(&About) -> Value,
    /// What becomes of it in a group for a member, a moderator, an owner and a server key by itself: `ok`, or the reason or code
    /// of the error. The message is another member's, and so is the one who is named.
    pub outcomes: [&'static str; 4],
}

const OK: [&str; 4] = ["ok"; 4];
/// What everybody in it may do, for themselves.
const OWN: [&str; 4] = ["ok", "ok", "ok", "USER_NEEDED"];
const KEEPERS: [&str; 4] = ["MODERATOR_NEEDED", "ok", "ok", "ok"];
const OWNERS: [&str; 4] = ["OWNER_NEEDED", "OWNER_NEEDED", "ok", "ok"];
const KEYS: [&str; 4] = ["SERVER_KEY_NEEDED", "SERVER_KEY_NEEDED", "SERVER_KEY_NEEDED", "ok"];

fn row(document: impl Into<String>, variables: fn(&About) -> Value, outcomes: [&'static str; 4]) -> Row {
    Row { document: document.into(), variables, outcomes }
}

/// The whole table. What is read below a room or a message is all that the contract has there, as it is now.
pub fn rows(sdl: &Sdl) -> Vec<Row> {
    let (room, message) = (everything(sdl, "Room", 3), everything(sdl, "Message", 3));
    let mut rows = reading(&room, &message);
    rows.extend(posting());
    rows.extend(keeping_order());
    rows
}

fn reading(room: &str, message: &str) -> Vec<Row> {
    let node = |of: &str| format!("query($id: ID!) {{ node(id: $id) {{ __typename id ... on {of} }} }}");
    let (of_room, of_message) = (node(&format!("Room {room}")), node(&format!("Message {message}")));
    vec![
        row(format!("query($id: ID!) {{ room(id: $id) {room} }}"), |it| json!({ "id": it.room }), OWN),
        row(documents::MESSAGES, |it| json!({ "roomId": it.room, "last": 5 }), OWN),
        row(documents::READ_BY, |it| json!({ "roomId": it.room }), OWN),
        row(
            "query($id: ID!, $by: ID!) { search(text: \"secret\", roomId: $id, authorId: $by, first: 5, after: null) {
                nodes { message { id } fragments { text } } pageInfo { hasNextPage endCursor } } }",
            |it| json!({ "id": it.room, "by": it.member }),
            OWN,
        ),
        row(of_room, |it| json!({ "id": it.room }), OWN),
        row(of_message, |it| json!({ "id": it.message }), OWN),
        row(
            "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }",
            |it| json!({ "ids": [it.room, it.message] }),
            OWN,
        ),
        row(
            "query($id: ID!) { roomByExternalId(externalId: $id) { id } }",
            |it| json!({ "id": it.room.trim_start_matches("ext:") }),
            KEYS,
        ),
    ]
}

fn posting() -> Vec<Row> {
    vec![
        row(documents::POST_MESSAGE, |it| json!({ "roomId": it.room, "body": "let me in" }), OWN),
        row(
            documents::POST_LATE,
            |it| json!({ "roomId": it.room, "body": "let me in", "clientId": "c", "seenSeq": 1 }),
            OWN,
        ),
        row(
            "mutation($room: ID!, $id: ID!, $custom: JSON) { \
                postMessage(roomId: $room, body: \"so it is\", replyToId: $id, custom: $custom) \
                { message { id replyTo { id } } } }",
            |it| json!({ "room": it.room, "id": it.message, "custom": { "a": 1 } }),
            OWN,
        ),
        row(
            "mutation($room: ID!, $files: [ID!]) { \
                postMessage(roomId: $room, body: \"so it is\", attachmentIds: $files) { message { id } } }",
            |it| json!({ "room": it.room, "files": ["attachment_00000000000000000000000000"] }),
            ["NOT_FOUND", "NOT_FOUND", "NOT_FOUND", "USER_NEEDED"],
        ),
        row(
            "mutation($room: ID!, $users: [ID!]!, $all: Boolean!) { \
                postMessage(roomId: $room, body: \"look\", mentions: $users, mentionsRoom: $all) \
                { message { id mentions { id } } } }",
            |it| json!({ "room": it.room, "users": [it.member], "all": true }),
            OWN,
        ),
        row(
            "mutation($id: ID!, $users: [ID!]!, $all: Boolean!) { \
                editMessage(messageId: $id, body: \"look\", mentions: $users, mentionsRoom: $all) \
                { message { id mentions { id } } } }",
            |it| json!({ "id": it.message, "users": [it.member], "all": true }),
            ["FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "USER_NEEDED"],
        ),
        row("mutation($id: ID!) { markUnread(messageId: $id) { room { id } } }", |it| json!({ "id": it.message }), OWN),
        row(
            "mutation($id: ID!, $on: Boolean!) { pinMessage(messageId: $id, pinned: $on) { room { id } } }",
            |it| json!({ "id": it.message, "on": true }),
            ["MODERATOR_NEEDED", "ok", "ok", "USER_NEEDED"],
        ),
        row(
            "mutation($id: ID!, $custom: JSON!) { updateMessage(messageId: $id, custom: $custom) { message { id } } }",
            |it| json!({ "id": it.message, "custom": { "a": 1 } }),
            KEYS,
        ),
        row(
            "mutation($id: ID!, $on: Boolean!) { setReaction(messageId: $id, emoji: \"+\", on: $on) { message { id } } }",
            |it| json!({ "id": it.message, "on": true }),
            OWN,
        ),
        row(
            documents::EDIT_MESSAGE,
            |it| json!({ "messageId": it.message, "body": "mine" }),
            ["FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "USER_NEEDED"],
        ),
        row(
            documents::DELETE_MESSAGE,
            |it| json!({ "messageId": it.message }),
            ["MODERATOR_NEEDED", "ok", "ok", "USER_NEEDED"],
        ),
        row(documents::MARK_READ, |it| json!({ "roomId": it.room, "seq": 1 }), OWN),
        row(
            documents::MARK_READ,
            |it| json!({ "roomId": it.room, "seq": 9 }),
            ["BAD_USER_INPUT", "BAD_USER_INPUT", "BAD_USER_INPUT", "USER_NEEDED"],
        ),
        row(
            "mutation($id: ID!) { setNotifications(roomId: $id, level: MENTIONS) { room { id } } }",
            |it| json!({ "id": it.room }),
            OWN,
        ),
        row(documents::MUTE_ROOM, |it| json!({ "roomId": it.room, "muted": true }), OWN),
        row("mutation($id: ID!) { setTyping(roomId: $id) { roomId } }", |it| json!({ "id": it.room }), OWN),
        row("mutation($id: ID!) { initiateChat(roomId: $id) { room { id } } }", |it| json!({ "id": it.room }), OWN),
        row(
            "mutation($input: ReportInput!) { report(input: $input) { reportId } }",
            |it| json!({ "input": { "messageId": it.message, "reason": "SPAM", "note": "look" } }),
            OWN,
        ),
        row("mutation($id: ID!) { joinRoom(roomId: $id) { room { id } } }", |it| json!({ "id": it.room }), OWN),
        row(documents::LEAVE_ROOM, |it| json!({ "roomId": it.room }), OWN),
    ]
}

fn keeping_order() -> Vec<Row> {
    vec![
        row(
            documents::UPDATE_ROOM,
            |it| {
                json!({ "roomId": it.room, "input": { "name": "Mine", "topic": "Mine", "avatarUrl": "https://a/b",
                    "joinPolicy": "INVITE", "postingPolicy": "MODERATORS", "slowModeSecs": 5 } })
            },
            KEEPERS,
        ),
        row(documents::UPDATE_ROOM, |it| json!({ "roomId": it.room, "input": { "custom": { "a": 1 } } }), KEYS),
        row(
            "mutation($id: ID!, $users: [ID!]!) { addMembers(roomId: $id, userIds: $users) { room { id } } }",
            |it| json!({ "id": it.room, "users": [it.member] }),
            KEEPERS,
        ),
        row(
            "mutation($id: ID!, $user: ID!) { removeMember(roomId: $id, userId: $user) { userId } }",
            |it| json!({ "id": it.room, "user": it.member }),
            KEEPERS,
        ),
        row(
            "mutation($id: ID!, $user: ID!) { setMemberRole(roomId: $id, userId: $user, role: MODERATOR) {
                room { id } } }",
            |it| json!({ "id": it.room, "user": it.member }),
            OWNERS,
        ),
        row(
            "mutation($id: ID!, $user: ID!, $until: DateTime) { banMember(roomId: $id, userId: $user, banned: true,
                reason: \"so\", until: $until) { userId } }",
            |it| json!({ "id": it.room, "user": it.member, "until": null }),
            KEEPERS,
        ),
        row(
            "mutation($id: ID!, $user: ID!) { timeoutMember(roomId: $id, userId: $user, until: null) { room { id } } }",
            |it| json!({ "id": it.room, "user": it.member }),
            KEEPERS,
        ),
        row(documents::CREATE_INVITE, |it| json!({ "roomId": it.room, "maxUses": 1, "expiresAt": null }), KEEPERS),
        row(
            documents::CREATE_INVITE,
            |it| json!({ "roomId": it.room, "userId": it.member }),
            ["MODERATOR_NEEDED", "CONFLICT", "CONFLICT", "CONFLICT"],
        ),
        row(
            "mutation($id: ID!) { resolveReport(reportId: $id, outcome: ACTED) { report { id outcome } } }",
            |it| json!({ "id": it.report }),
            ["NOT_FOUND", "ok", "ok", "ok"],
        ),
        row("{ reports(resolved: false, first: 1, after: null) { nodes { id } } }", |_| json!({}), KEYS),
        row(documents::DELETE_ROOM, |it| json!({ "roomId": it.room }), OWNERS),
        // It changes nothing for anybody.
        row("{ errorCodes }", |_| json!({}), OK),
    ]
}
