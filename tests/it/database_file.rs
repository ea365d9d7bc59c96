//! The SQLite file: who may have it, and what happens when it is taken away.

use std::fs;
use std::path::PathBuf;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Answer, Database, Process, Room, TestApp, TestUser, documents, within};

/// The file of this server's database.
fn file_of(app: &TestApp) -> PathBuf {
    app.database_url().strip_prefix("sqlite:").expect("these tests run on SQLite").into()
}

async fn post(user: &TestUser, room: &Room, body: &str) -> Answer {
    user.graphql(documents::POST_MESSAGE, json!({ "roomId": room.id, "body": body })).await
}

async fn until_ready(app: &TestApp, status: u16) {
    within(format_args!("/readyz to be {status}"), async {
        while app.get("/readyz").await.status() != status {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_is_acknowledged_into_a_file_that_was_deleted_or_replaced() {
    for suffix in ["", "-wal"] {
        for replaced in [false, true] {
            let app = TestApp::start().await;
            let [ann, bob] = app.users(["ann", "bob"]).await;
            let room = ann.initiate_chat([&bob]).await;
            let mut file = file_of(&app).into_os_string();
            file.push(suffix);
            let (file, aside) = (PathBuf::from(&file), file_of(&app).with_extension("aside"));

            fs::rename(&file, &aside).expect("the file can be moved");
            if replaced {
                fs::copy(&aside, &file).expect("the file can be copied");
            }
            for _ in 0..3 {
                assert_eq!(post(&ann, &room, "into nothing").await.error_code(), "UNAVAILABLE", "{file:?} {replaced}");
            }
            assert_eq!(app.get("/readyz").await.status(), 503);
            // Signing up is written beside the log.
            let input =
                json!({ "input": { "username": "eve", "displayName": "Eve", "password": "correct horse battery" } });
            let signed_up = app.endpoint().graphql(None, documents::SIGN_UP, input).await;
            assert_eq!(signed_up.error_code(), "UNAVAILABLE");

            fs::rename(&aside, &file).expect("the file can be moved back");
            post(&ann, &room, "it is back").await.data();
            until_ready(&app, 200).await;
            assert_eq!(ann.messages(&room).await.len(), 1);
        }
    }
}

#[tokio::test]
async fn a_second_server_on_the_same_file_is_refused_by_name_and_commands_are_not() {
    let database = Database::new().await;
    let first = Process::start(&database, &[]).await;
    let link = database.data_dir().with_file_name("link.db");
    std::os::unix::fs::symlink(database.data_dir().join("parlor.db"), &link).expect("a link can be made");
    for url in [database.url(), format!("sqlite:{}", link.display())] {
        let mut second = database.parlor(&["serve", "--listen", "127.0.0.1:0"]);
        let ended = within("the second to end", second.env("PARLOR_DATABASE_URL", url).output()).await;
        let ended = ended.expect("the program can be run");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(!ended.status.success(), "it started");
        assert!(said.contains("parlor.db is in use by another server (process "), "{said}");
    }
    for command in [&["user", "add", "zoe", "--type", "consumer"][..], &["check"], &["migrate"]] {
        let ended = within("the command to end", database.parlor(command).output()).await;
        let ended = ended.expect("the program can be run");
        assert!(ended.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ended.stderr));
    }

    first.kill().await;
    let third = Process::start(&database, &[]).await;
    assert!(third.terminate().await.status.success());
}

#[tokio::test]
async fn a_start_without_its_file_names_it_and_the_cause() {
    let database = Database::new().await;
    fs::create_dir_all(database.data_dir().join("dir.db")).expect("a directory can be made");
    let text = database.data_dir().join("text.db");
    fs::write(
        &text,
        "this is no database, and longer than the header of one would be; nor is it empty, which would do. ",
    )
    .expect("a file can be written");
    for (file, cause) in [
        ("elsewhere/parlor.db", "there is no directory "),
        ("dir.db", "dir.db is a directory"),
        ("text.db", "text.db is no SQLite database"),
    ] {
        let url = format!("sqlite:{}?mode=rwc", database.data_dir().join(file).display());
        for command in [&["serve", "--listen", "127.0.0.1:0"][..], &["migrate"]] {
            let ended =
                within("the program to end", database.parlor(command).env("PARLOR_DATABASE_URL", &url).output());
            let ended = ended.await.expect("the program can be run");
            let said = String::from_utf8_lossy(&ended.stderr);
            assert!(!ended.status.success() && said.contains(cause), "{command:?}: {said}");
        }
    }
}

/// Where the text is in what is left of the database after a clean stop, by file and byte.
fn found(app: &TestApp, text: &str) -> Vec<String> {
    let file = file_of(app);
    let files = ["", "-wal", "-shm", "-journal"].map(|suffix| format!("{}{suffix}", file.display()));
    let found = files.iter().filter_map(|file| {
        let bytes = fs::read(file).ok()?;
        let at = bytes.windows(text.len()).position(|window| window == text.as_bytes())?;
        Some(format!("{text} in {file} at {at}"))
    });
    found.collect()
}

#[tokio::test]
async fn what_was_deleted_is_not_in_the_file_after_a_clean_stop() {
    let mut app = TestApp::start().await;
    let [bob, eve] = app.users(["bob", "eve"]).await;
    let input = json!({ "username": "vanishing.username", "password": "correct horse battery",
        "displayName": "Vanishing Display", "client": "vanishing device" });
    let signed_up = app.anonymous(documents::SIGN_UP, json!({ "input": input })).await;
    let ann = TestUser::from_session(app.endpoint().clone(), &signed_up["/signUp"]);
    let (room, left) = (ann.initiate_chat([&bob]).await, ann.initiate_chat([&bob, &eve]).await);
    // Enough for pages to be split, merged and given back.
    let long = |n: usize, text: &str| format!("{text} {n} {}", "and much more of it ".repeat(n % 7 * 40));
    let posted = join_all((0..400).map(|n| {
        let (room, author) = (if n % 2 == 0 { &room } else { &left }, if n % 3 == 0 { &ann } else { &bob });
        async move { (n, author, author.post(room, &long(n, "vanishing-text")).await) }
    }))
    .await;
    bob.post(&room, "what stays is found").await;
    join_all(posted.iter().filter(|(n, ..)| n % 2 == 1).map(|(n, author, message)| async move {
        author.edit(message, &long(*n, "replaced-text")).await;
    }))
    .await;
    join_all(
        posted
            .iter()
            .filter(|(n, author, _)| n % 2 == 0 && author.id == bob.id)
            .map(|(_, author, message)| author.delete(message)),
    )
    .await;
    let mut feed = bob.subscribe().await;
    ann.graphql("mutation { deleteAccount(messages: DELETE) { userId } }", json!({})).await.data();
    let mut due = posted.iter().filter(|(_, author, _)| author.id == ann.id).count();
    while due > 0 {
        due -= usize::from(feed.next_event().await.kind == "MessageDeleted");
    }
    drop(feed);

    app.stop().await;

    assert!(!found(&app, "what stays is found").is_empty() && !found(&app, "replaced-text").is_empty());
    let left: Vec<String> = [
        "vanishing",
        "vanishing-text",
        "vanishing.username",
        "Vanishing Display",
        "vanishing display",
        "vanishing device",
    ]
    .iter()
    .flat_map(|text| found(&app, text))
    .collect();
    assert!(left.is_empty(), "{left:#?}");
}
