//! What people search for that nobody thinks of first, and what happens between two pages.

use serde_json::{Value, json};

use super::{bodies, found, indexed, search};
use crate::support::TestApp;

#[tokio::test]
async fn flags_people_of_several_signs_and_further_scripts_are_found_before_and_after_they_are_in_the_index() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let texts = [
        "საქართველო და სომხეთი",
        "Հայաստան",
        "ආයුබෝවන්",
        "from 🇪🇸 to 🇩🇰",
        "lift-off 👩🏽\u{200d}🚀",
        "\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}",
        "ﾄｳｷｮｳ",
        "ไปกินข้าว",
        "naïve café №5",
    ];
    for text in texts {
        ann.post(&room, text).await;
    }
    for round in 0..2 {
        for (text, expected) in [
            ("საქ", &["საქართველო და სომხეთი"][..]),
            ("ᲡᲐᲥ", &["საქართველო და სომხეთი"]),
            ("ՀԱՅ", &["Հայաստան"]),
            ("ආයු", &["ආයුබෝවන්"]),
            ("🇪🇸", &["from 🇪🇸 to 🇩🇰"]),
            ("🇩🇰 🇪🇸", &["from 🇪🇸 to 🇩🇰"]),
            ("🇩🇪", &[]),
            ("🇸🇩", &[]),
            ("👩\u{200d}🚀", &["lift-off 👩🏽\u{200d}🚀"]),
            ("한국", &["\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}"]),
            ("トウ", &["ﾄｳｷｮｳ"]),
            ("กิน", &["ไปกินข้าว"]),
            ("ก", &["ไปกินข้าว"]),
            ("naive cafe", &["naïve café №5"]),
            ("CAFÉ", &["naïve café №5"]),
        ] {
            assert_eq!(found(&bob, text).await, expected, "{text:?} in round {round}");
        }
        for n in 0..12 {
            bob.post(&room, &format!("hay {n}")).await;
        }
        indexed(&app).await;
    }
}

#[tokio::test]
async fn what_arrives_between_two_pages_is_on_neither() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    for n in 0..20 {
        ann.post(&room, &format!("needle {n}")).await;
    }
    let (mut all, mut after) = (Vec::new(), Value::Null);
    for round in 0.. {
        let page = search(&bob, json!({ "text": "needle", "first": 3, "after": after })).await;
        all.extend(bodies(&page));
        after = page["/search/pageInfo/endCursor"].clone();
        if page["/search/pageInfo/hasNextPage"] == json!(false) {
            break;
        }
        for n in 0..3 {
            ann.post(&room, &format!("needle of round {round}, {n}")).await;
        }
        // They come into the index meanwhile, and parts of it are merged.
        indexed(&app).await;
    }
    assert_eq!(all, (0..20).rev().map(|n| format!("needle {n}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn who_blocks_an_author_finds_of_them_what_the_room_shows() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    for n in 0..6 {
        ann.post(&room, &format!("needle of ann {n}")).await;
        bob.post(&room, &format!("needle of bob {n}")).await;
    }
    indexed(&app).await;
    for blocked in [true, false] {
        eve.block(&ann, blocked).await;
        let mut shown: Vec<String> = eve.messages(&room).await.into_iter().map(|message| message.body).collect();
        shown.retain(|body| body.starts_with("needle"));
        let mut hits = found(&eve, "needle").await;
        shown.sort();
        hits.sort();
        assert_eq!(hits, shown, "blocked: {blocked}");
    }
}
