//! Finding messages by what they say.

use serde_json::{Value, json};

use crate::support::{Answer, Room, TestApp, TestUser, within};

mod faces;
mod index;
mod isolation;
mod locales;
mod newest;
mod paging;
mod same;
mod strange;

const SEARCH: &str = "query($text: String!, $room: ID, $by: ID, $first: Int, $after: String) {
    search(text: $text, roomId: $room, authorId: $by, first: $first, after: $after) {
        nodes { message { id body author { username } room { id } } fragments { text isMatch } }
        edges { cursor node { message { id } } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

pub(crate) async fn search(user: &TestUser, variables: Value) -> Answer {
    user.graphql(SEARCH, variables).await
}

fn bodies(answer: &Answer) -> Vec<String> {
    answer.list("/search/nodes").iter().map(|hit| hit["message"]["body"].as_str().expect("a text").to_owned()).collect()
}

/// What of all that the viewer may see is found by this text, the newest first.
pub(crate) async fn found(user: &TestUser, text: &str) -> Vec<String> {
    bodies(&search(user, json!({ "text": text })).await)
}

const BEHIND: &str = "SELECT CAST(count(*) AS text) FROM message, search_state \
    WHERE search_state.form = 0 OR message.position IS NULL OR message.position > search_state.upto";

/// Until all messages that there are are in the index, but for the last few that it waits for others with.
pub(crate) async fn indexed(app: &TestApp) {
    const FEW: [&str; 4] = ["0", "1", "2", "3"];
    within("the index to be complete", async { while !FEW.contains(&&*app.text(BEHIND, BEHIND).await) {} }).await;
}

#[tokio::test]
async fn messages_are_found_in_ten_scripts_by_one_character_by_emoji_and_by_names_of_files() {
    expect_ten_scripts(&TestApp::start().await).await;
}

/// That what is said in ten scripts is found, the same on every database.
async fn expect_ten_scripts(app: &TestApp) {
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let texts = [
        "The merger is on Friday",
        "Crème brûlée",
        "Αναστάσιος",
        "Ёлка в лесу",
        "שָׁלוֹם לכם",
        "مُحَمَّد",
        "हिन्दी कुमार",
        "我住在上海市",
        "昨日東京タワーに行った",
        "한국어를 배워요",
        "ฉันพูดภาษาไทย",
        "thanks 🌻👍🏽",
        "q3-report_2026.final.pdf",
    ];
    for text in texts {
        ann.post(&room, text).await;
    }
    indexed(app).await;
    for (text, expected) in [
        ("merg frid", &["The merger is on Friday"][..]),
        ("MERGER", &["The merger is on Friday"]),
        ("erger", &[]),
        ("creme", &["Crème brûlée"]),
        ("ΑΝΑΣΤΑΣΙΟΣ", &["Αναστάσιος"]),
        ("елка", &["Ёлка в лесу"]),
        ("שלום", &["שָׁלוֹם לכם"]),
        ("محمد", &["مُحَمَّد"]),
        ("कुमार", &["हिन्दी कुमार"]),
        ("上海", &["我住在上海市"]),
        ("市", &["我住在上海市"]),
        ("住", &["我住在上海市"]),
        ("上市", &[]),
        ("タワー", &["昨日東京タワーに行った"]),
        ("국어", &["한국어를 배워요"]),
        ("ภาษา", &["ฉันพูดภาษาไทย"]),
        ("🌻", &["thanks 🌻👍🏽"]),
        ("👍", &["thanks 🌻👍🏽"]),
        ("report 2026 pdf", &["q3-report_2026.final.pdf"]),
        ("t", &["thanks 🌻👍🏽", "The merger is on Friday"]),
        ("i f", &["The merger is on Friday"]),
        ("''\" & | ! * (", &[]),
        ("", &[]),
    ] {
        assert_eq!(found(&bob, text).await, expected, "{text:?}");
    }
    let hit = search(&bob, json!({ "text": "MERG fri" })).await;
    let fragments: Vec<_> =
        hit.list("/search/nodes/0/fragments").iter().map(|it| (it["text"].clone(), it["isMatch"].clone())).collect();
    let expected = [("The ", false), ("merg", true), ("er is on ", false), ("Fri", true), ("day", false)];
    assert_eq!(fragments, expected.map(|(text, is_match)| (json!(text), json!(is_match))));
}

#[tokio::test]
async fn pages_are_in_order_and_end_where_nothing_more_is_found() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let (one, other) = (ann.initiate_chat([&bob]).await, ann.initiate_chat([&bob, &eve]).await);
    for n in 0..25 {
        let (author, room) = if n % 2 == 0 { (&ann, &one) } else { (&bob, &other) };
        author.post(room, &format!("needle {n}")).await;
        author.post(room, "hay").await;
    }
    indexed(&app).await;
    let (mut all, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = search(&ann, json!({ "text": "needle", "first": 7, "after": after })).await;
        all.extend(bodies(&page));
        let info = &page["/search/pageInfo"];
        assert_eq!(info["hasPreviousPage"], json!(!after.is_null()));
        assert_eq!(info["endCursor"], page.list("/search/edges").last().expect("a hit")["cursor"]);
        after = info["endCursor"].clone();
        if info["hasNextPage"] == json!(false) {
            break;
        }
    }
    assert_eq!(all, (0..25).rev().map(|n| format!("needle {n}")).collect::<Vec<_>>());

    let room = |room: &Room, by: Value| json!({ "text": "needle", "room": room.id, "by": by, "first": 100 });
    assert_eq!(bodies(&search(&ann, room(&one, Value::Null)).await).len(), 13);
    assert_eq!(bodies(&search(&ann, room(&other, json!(bob.id))).await).len(), 12);
    assert_eq!(bodies(&search(&ann, room(&other, json!(ann.id))).await).len(), 0);
    assert_eq!(bodies(&search(&ann, json!({ "text": "needle", "by": ann.id, "first": 100 })).await).len(), 13);
    assert_eq!(
        search(&ann, json!({ "text": "needle", "first": 0 })).await["/search/pageInfo/hasNextPage"],
        json!(true)
    );
    for refused in [
        json!({ "text": "needle", "first": 101 }),
        json!({ "text": "needle", "first": -1 }),
        json!({ "text": "needle", "after": "x" }),
        json!({ "text": "a b c d e f g h i" }),
        json!({ "text": "é".repeat(129) }),
    ] {
        assert_eq!(search(&ann, refused.clone()).await.error_code(), "BAD_USER_INPUT", "{refused}");
    }
}

#[tokio::test]
async fn text_that_was_edited_or_deleted_is_not_found_from_that_moment_on() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let (edited, deleted) = (ann.post(&room, "before one").await, ann.post(&room, "before two").await);
    indexed(&app).await;
    assert_eq!(found(&bob, "before").await, ["before two", "before one"]);
    ann.edit(&edited, "after one").await;
    assert_eq!(found(&bob, "before").await, ["before two"]);
    assert_eq!(found(&bob, "after").await, ["after one"]);
    ann.delete(&deleted).await;
    assert_eq!(found(&bob, "before").await, [""; 0]);
    // Whether the index has come to a message or not.
    for n in 0..20 {
        let message = ann.post(&room, &format!("first{n}")).await;
        if n % 2 == 0 {
            ann.edit(&message, &format!("second{n}")).await;
        } else {
            ann.delete(&message).await;
        }
        assert_eq!(found(&bob, "first").await, [""; 0]);
    }
    indexed(&app).await;
    assert_eq!(found(&bob, "first").await, [""; 0]);
    assert_eq!(found(&bob, "second").await.len(), 10);
    ann.delete_account().await;
    assert_eq!(found(&bob, "after").await, ["after one"]);
    expect_whole(&app).await;
}

#[tokio::test]
async fn what_an_erased_user_wrote_and_a_deleted_room_held_leaves_the_index() {
    const ERASE: &str = "mutation { deleteAccount(messages: DELETE) { userId } }";
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let (kept, gone) = (ann.initiate_chat([&bob, &eve]).await, eve.initiate_chat([&bob]).await);
    ann.post(&kept, "secret of ann").await;
    bob.post(&kept, "secret of bob").await;
    eve.post(&gone, "secret of eve").await;
    let output = app.parlor(&["search", "rebuild"]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(app.text(HELD.0, HELD.1).await, "3");
    eve.delete_room(&gone).await;
    assert_eq!(found(&eve, "secret").await, ["secret of bob", "secret of ann"]);
    ann.graphql(ERASE, json!({})).await.data();
    within("it to be erased", async { while found(&eve, "secret").await != ["secret of bob"] {} }).await;
    let left = "SELECT CAST(count(*) AS text) FROM message WHERE body <> ''";
    within("the room to be purged", async { while app.text(left, left).await != "1" {} }).await;
    assert_eq!(app.text(HELD.0, HELD.1).await, "1");
    expect_whole(&app).await;
}

/// How many messages are in the index: on SQLite, and on PostgreSQL.
const HELD: (&str, &str) = (
    "SELECT CAST(count(DISTINCT doc) AS text) FROM search_tokens",
    "SELECT CAST(coalesce(sum(messages), 0) AS text) FROM search_segment",
);

/// That all rules hold, with those of the index.
pub(crate) async fn expect_whole(app: &TestApp) {
    let output = app.parlor(&["check"]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
