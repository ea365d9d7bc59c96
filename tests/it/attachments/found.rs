//! Messages are found by the names of their files.

use serde_json::json;

use crate::search::{expect_whole, found, indexed, search};
use crate::support::TestApp;

#[tokio::test]
async fn messages_are_found_by_what_their_files_are_called_for_as_long_as_they_have_them() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    let [report, picture, alone, theirs] = [
        ann.send("Q3-Bericht_2026 (für Börse).pdf", b"1").await,
        ann.send("上海の写真.txt", b"2").await,
        ann.send("contract-draft.txt", b"3").await,
        eve.send("hers.txt", b"4").await,
    ];
    ann.post_files(&room, "the figures", &[&report, &picture]).await.data();
    ann.post_files(&room, "", &[&alone]).await.data();
    eve.post_files(&room, "mine", &[&theirs]).await.data();
    // Whether they are in the index yet or not.
    for round in 0..2 {
        for (text, expected) in [
            ("bericht 2026 pdf", &["the figures"][..]),
            ("borse", &["the figures"]),
            ("figures 写真", &["the figures"]),
            ("contr draft", &[""]),
            ("txt", &["mine", "", "the figures"]),
            ("bericht contract", &[]),
        ] {
            assert_eq!(found(&bob, text).await, expected, "{text:?} in round {round}");
        }
        for n in 0..12 {
            bob.post(&room, &format!("hay {n}")).await;
        }
        indexed(&app).await;
    }
    let fragments = async |text| {
        let answer = search(&bob, json!({ "text": text })).await;
        let shown = answer.list("/search/nodes/0/fragments").iter().map(|it| it["text"].as_str().unwrap_or_default());
        shown.collect::<Vec<_>>().join("|")
    };
    assert_eq!(fragments("figures").await, "the |figures", "the names aren't shown where the text says it");
    assert_eq!(fragments("bericht").await, "the figures\nQ3-|Bericht|_2026 (für Börse).pdf\n上海の写真.txt");

    // An edit keeps the files.
    let id = search(&bob, json!({ "text": "bericht" })).await.text("/search/nodes/0/message/id").to_owned();
    let edit = "mutation($id: ID!) { editMessage(messageId: $id, body: \"other numbers\") { message { id } } }";
    ann.graphql(edit, json!({ "id": id })).await.data();
    assert_eq!(found(&bob, "bericht numbers").await, ["other numbers"]);
    assert_eq!(found(&bob, "figures").await, [""; 0]);
    let delete = "mutation($id: ID!) { deleteMessage(messageId: $id) { message { id } } }";
    ann.graphql(delete, json!({ "id": id })).await.data();
    assert_eq!(found(&bob, "bericht").await, [""; 0]);
    // With its user goes a file, and the message stays.
    eve.delete_account().await;
    assert_eq!(found(&bob, "hers").await, [""; 0]);
    assert_eq!(found(&bob, "mine").await, ["mine"]);
    expect_whole(&app).await;
    ann.graphql("mutation { deleteAccount(messages: DELETE) { userId } }", json!({})).await.data();
    crate::support::within("it to be erased", async { while !found(&bob, "contract").await.is_empty() {} }).await;
    expect_whole(&app).await;
}
