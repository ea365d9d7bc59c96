//! A database that only servers have written is whole at every moment; what is no such database is not judged.

use chrono::TimeDelta;
use serde_json::json;

use super::{be_busy, check, expect_whole, outcome};
use crate::support::{Database, TestApp, TestUser, documents, within};

#[tokio::test]
async fn a_database_is_whole_however_it_was_used() {
    let mut app = TestApp::start().await;
    expect_whole(&app, "at the start").await;
    let [zoe, zac] = app.users(["zoe", "zac"]).await;
    zoe.initiate_chat([&zac]).await;
    let long_ago = zoe.sync_cursor().await;
    let room = be_busy(&app).await;
    expect_whole(&app, "after much use").await;

    // Pruning begins as soon as the server has started, and is finished before it stops.
    app.clock().advance(TimeDelta::days(200));
    app.restart().await;
    // Nothing is pruned by a clock that is ahead of all that has happened.
    app.sign_in("ann").await.post(&room, "after half a year").await;
    app.restart().await;

    let [zoe, bob] = [app.sign_in("zoe").await, app.sign_in("bob").await];
    assert_eq!(zoe.subscribe_after(&long_ago).await.next_event().await.kind, "ResyncRequired");
    expect_whole(&app, "after the log was trimmed").await;
    bob.post(&room, "and on").await;
    expect_whole(&app, "after going on").await;
}

#[tokio::test]
async fn beside_a_server_that_goes_on_writing_the_database_is_whole_at_every_moment() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;

    let write = async |user: &TestUser, name: &str| {
        for n in 0..60 {
            let message = user.post_as(&room, &format!("{name}{n}"), "hello").await;
            user.mark_read(&room, message.seq).await;
            if n % 10 == 0 {
                user.leave(&room).await;
                user.initiate_chat([if name == "ann" { &bob } else { &ann }]).await;
            }
        }
    };
    let checks = async {
        for n in 0..5 {
            expect_whole(&app, &format!("check {n}")).await;
        }
    };
    tokio::join!(write(&ann, "ann"), write(&bob, "bob"), checks);
    expect_whole(&app, "at the end").await;
}

#[tokio::test]
async fn a_check_makes_no_database_where_there_is_none() {
    let database = Database::new().await;

    let output = within("the check", database.parlor(&["check"]).output()).await.expect("the program can be run");

    let (whole, told) = outcome(&output);
    assert!(!whole && told.starts_with("parlor: "), "{told}");
    assert!(!database.data_dir().exists(), "nothing was made");
}

#[tokio::test]
async fn a_database_of_another_version_is_not_judged() {
    let app = TestApp::start().await;

    app.execute("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)").await;
    let (whole, told) = check(&app).await;
    assert!(!whole && told.contains("newer") && told.contains("m9999_later"), "{told}");

    app.execute("DELETE FROM seaql_migrations").await;
    let (whole, told) = check(&app).await;
    assert!(!whole && told.contains("older") && told.contains("parlor migrate"), "{told}");
    let me = app.user("ann").await.graphql(documents::MESSAGES, json!({ "roomId": "room_none", "last": 1 })).await;
    assert_ne!(me.status, 500, "the server goes on");
}
