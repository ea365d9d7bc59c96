//! The index: it follows what is posted through every accident, and can be made anew.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::{expect_whole, found, indexed, search};
use crate::support::{Database, Process, TestApp, documents};

#[tokio::test]
async fn an_index_is_made_anew_while_posts_go_on() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    for n in 0..30 {
        ann.post(&room, &format!("needle {n}")).await;
    }
    indexed(&app).await;
    let posting = async {
        for n in 30..60 {
            let message = ann.post(&room, &format!("needle {n}")).await;
            if n % 3 == 0 {
                ann.edit(&message, &format!("needle {n} again")).await;
            }
        }
    };
    let rebuilding = async {
        for _ in 0..3 {
            let output = app.parlor(&["search", "rebuild"]).await;
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    };
    let is_done = AtomicBool::new(false);
    let working = async {
        tokio::join!(posting, rebuilding);
        is_done.store(true, Ordering::SeqCst);
    };
    let searching = async {
        while !is_done.load(Ordering::SeqCst) {
            let page = search(&bob, json!({ "text": "needle", "first": 100 })).await;
            let seqs: Vec<_> = page.list("/search/nodes").iter().map(|hit| hit["message"]["id"].clone()).collect();
            let different: BTreeSet<_> = seqs.iter().map(ToString::to_string).collect();
            assert_eq!(different.len(), seqs.len(), "none is found twice");
        }
    };
    tokio::join!(working, searching);
    indexed(&app).await;
    assert_eq!(search(&bob, json!({ "text": "needle", "first": 100 })).await.list("/search/nodes").len(), 60);
    assert_eq!(found(&bob, "again").await.len(), 10);
    expect_whole(&app).await;
}

#[tokio::test]
async fn an_index_of_another_form_is_made_anew_at_the_start() {
    let mut app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post(&room, "needle").await;
    indexed(&app).await;
    app.stop().await;
    app.execute("UPDATE search_state SET form = 0").await;
    app.resume().await;
    indexed(&app).await;
    assert_eq!(found(&bob, "needle").await, ["needle"]);
    ann.edit(&message, "thread").await;
    assert_eq!(found(&bob, "thread").await, ["thread"]);
    expect_whole(&app).await;
}

#[tokio::test]
async fn messages_of_which_the_log_tells_nothing_any_more_are_found() {
    let mut app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "needle one").await;
    ann.post(&room, "needle two").await;
    indexed(&app).await;
    app.stop().await;
    // As an older version has left them.
    app.execute("UPDATE message SET position = seq - 3").await;
    app.execute("UPDATE search_state SET form = 0").await;
    app.execute("DELETE FROM consumer").await;
    app.execute("DELETE FROM event WHERE position < (SELECT max(position) FROM event)").await;
    app.resume().await;
    indexed(&app).await;
    assert_eq!(found(&bob, "needle").await, ["needle two", "needle one"]);
}

#[tokio::test]
async fn a_consumer_that_was_killed_goes_on_where_the_index_ends() {
    let database = Database::new().await;
    let mut posted = 0;
    let (mut token, mut room) = (String::new(), String::new());
    for round in 0..3 {
        let server = Process::start(&database, &[]).await;
        if round == 0 {
            let ann = server.endpoint().user("ann").await;
            let bob = server.endpoint().user("bob").await;
            (token, room) = (ann.access_token.clone(), ann.initiate_chat([&bob]).await.id);
        }
        for _ in 0..40 {
            let variables = json!({ "roomId": room, "body": format!("needle {posted}") });
            server.endpoint().graphql(Some(&token), documents::POST_MESSAGE, variables).await.data();
            posted += 1;
        }
        server.kill().await;
    }
    let server = Process::start(&database, &[]).await;
    crate::support::within("all to be found", async {
        loop {
            let variables = json!({ "text": "needle", "first": 100 });
            let answer = server.endpoint().graphql(Some(&token), super::SEARCH, variables).await;
            if answer.list("/search/nodes").len() == 100 && answer["/search/pageInfo/hasNextPage"] == json!(true) {
                let behind = database.text(super::BEHIND, super::BEHIND).await;
                if behind.parse::<u32>().is_ok_and(|behind| behind < 4) {
                    return;
                }
            }
        }
    })
    .await;
    assert!(server.terminate().await.status.success());
    let output = database.parlor(&["check"]).output().await.expect("the program can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
