//! Texts to search for that no keyboard has, and requests that no client sends.

use serde_json::json;

use super::{SEARCH, bodies, found, indexed, search};
use crate::support::{Answer, TestApp, within};

#[tokio::test]
async fn a_text_without_anything_to_find_finds_nothing_and_a_long_one_is_refused() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    for text in ["a \u{301}b", "\u{200f}שלום\u{200e}", "! . ,", "e\u{301}\u{302}\u{303}", "na\u{ad}ive", "0123456789"]
    {
        ann.post(&room, text).await;
    }
    let (marks, marked) = ("\u{301}".repeat(128), format!("e{}", "\u{302}".repeat(127)));
    for round in 0..2 {
        for nothing in [
            "",
            " \t\n\r",
            "\u{a0}\u{3000}\u{2003}\u{feff}",
            "!?.,;:()[]{}<>'\"`*&|^~\\/%_-+=#$@",
            "\0",
            "\0\0 \u{1}\u{7f}\u{85}",
            "\u{301}",
            marks.as_str(),
            "\u{94d}\u{e34}\u{5b0}\u{64e}",
            "\u{200f}\u{200e}\u{202e}\u{2066}\u{2069}",
            "\u{200d}\u{fe0f}\u{20e3}",
            "\u{e000}\u{f8ff}\u{10ffff}",
            "\u{fffd}\u{fffe}",
            "。、「」・",
        ] {
            assert_eq!(found(&bob, nothing).await, [""; 0], "{nothing:?} in round {round}");
        }
        for (text, expected) in [
            // What separates does so wherever it stands, also beneath what a database takes for its own.
            ("\0שלום\0", "\u{200f}שלום\u{200e}"),
            ("\u{202e}של", "\u{200f}שלום\u{200e}"),
            ("é", "e\u{301}\u{302}\u{303}"),
            (marked.as_str(), "e\u{301}\u{302}\u{303}"),
            ("naive", "na\u{ad}ive"),
            ("\"0123456789\"* AND NOT b", ""),
            ("\u{e000}0123456789", "0123456789"),
            ("0123456789' OR '1'='1", ""),
        ] {
            let expected: Vec<&str> = Some(expected).filter(|text| !text.is_empty()).into_iter().collect();
            assert_eq!(found(&bob, text).await, expected, "{text:?} in round {round}");
        }
        for long in [" ".repeat(257), "\0".repeat(10_000), "a".repeat(10_000), "🌻".repeat(65), "\u{301}".repeat(129)]
        {
            let refused = search(&bob, json!({ "text": long })).await;
            assert_eq!((refused.error_code(), refused.error_field()), ("BAD_USER_INPUT", "text"));
        }
        for n in 0..12 {
            bob.post(&room, &format!("hay {n}")).await;
        }
        indexed(&app).await;
    }
}

#[tokio::test]
async fn families_of_emoji_and_words_of_several_scripts_are_found_by_each_of_their_parts() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let family = "👨🏾\u{200d}👩🏻\u{200d}👧\u{200d}👦 at home";
    let mixed = "привет上海hello한국🌻ไทย";
    let heart = "❤\u{fe0f}\u{200d}🔥 1\u{fe0f}\u{20e3}";
    for text in [family, mixed, heart] {
        ann.post(&room, text).await;
    }
    for round in 0..2 {
        for (text, expected) in [
            ("👨\u{200d}👩\u{200d}👧\u{200d}👦", family),
            ("👩👦", family),
            ("👧\u{200d}", family),
            ("\u{200d}👨🏿", family),
            ("привет hello", mixed),
            ("上海hel", mixed),
            ("прив上", mixed),
            ("ไทย 한국", mixed),
            (mixed, mixed),
            ("❤", heart),
            ("❤\u{fe0e}", heart),
            ("🔥❤\u{fe0f}", heart),
            ("1\u{fe0f}\u{20e3}", heart),
        ] {
            assert_eq!(found(&bob, text).await, [expected], "{text:?} in round {round}");
        }
        for other in ["👨\u{200d}👩\u{200d}👧\u{200d}👶", "ello", "海上", "💔", "приветы"] {
            assert_eq!(found(&bob, other).await, [""; 0], "{other:?} in round {round}");
        }
        for n in 0..12 {
            bob.post(&room, &format!("hay {n}")).await;
        }
        indexed(&app).await;
    }
}

#[tokio::test]
async fn half_a_surrogate_and_arguments_of_other_types_are_refused_and_harm_nothing() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "needle 😀").await;
    let document = json!(SEARCH).to_string();
    let asked = async |text: &str| {
        let body = format!(r#"{{"query":{document},"variables":{{"text":"{text}"}}}}"#);
        let asked = bob.endpoint().http.post(bob.endpoint().url("/graphql")).bearer_auth(&bob.access_token);
        let sent = asked.header("content-type", "application/json").body(body).send();
        let answer = within("the answer", sent).await.expect("the server responds");
        Answer { status: answer.status().as_u16(), body: answer.json().await.expect("it is JSON") }
    };
    for half in [r"\ud83d", r"needle \ude00", r"\ude00\ud83d", r"\ud83dx"] {
        assert_eq!(asked(half).await.error_code(), "BAD_USER_INPUT", "{half}");
    }
    assert_eq!(bodies(&asked(r"needle \ud83d\ude00").await), ["needle 😀"]);

    for arguments in [
        json!({ "text": null }),
        json!({ "text": 7 }),
        json!({ "text": ["needle"] }),
        json!({ "text": "needle", "first": "1" }),
        json!({ "text": "needle", "first": 4_294_967_296_u64 }),
        json!({ "text": "needle", "first": i32::MAX }),
        json!({ "text": "needle", "first": i32::MIN }),
        json!({ "text": "needle", "first": -1 }),
        json!({ "text": "needle", "first": 101 }),
        json!({ "text": "needle", "room": "needle" }),
        json!({ "text": "needle", "room": ann.id }),
        json!({ "text": "needle", "by": room.id }),
        json!({ "text": "needle", "room": "" }),
    ] {
        let refused = search(&bob, arguments.clone()).await;
        assert!(refused.body["errors"].as_array().is_some_and(|errors| !errors.is_empty()), "{arguments}");
    }
    // Nothing is asked of what nobody is in, whatever the text.
    let eve = app.user("eve").await;
    for text in ["", "!", "needle"] {
        let refused = search(&eve, json!({ "text": text, "room": room.id })).await;
        assert_eq!((refused.error_code(), refused.error_field()), ("NOT_FOUND", "roomId"), "{text:?}");
    }
    let nobody = search(&bob, json!({ "text": "needle", "by": "user_00000000000000000000000000" })).await;
    assert_eq!(nobody["/search/nodes"], json!([]));
    let none = search(&bob, json!({ "text": "needle", "first": 0 })).await;
    let info = json!({ "hasNextPage": true, "hasPreviousPage": false, "startCursor": null, "endCursor": null });
    assert_eq!((&none["/search/nodes"], &none["/search/pageInfo"]), (&json!([]), &info));
    assert_eq!(found(&bob, "needle").await, ["needle 😀"]);
}
