//! The server as a process: what it makes, what it prints, and how it ends.

use futures_util::future::join_all;
use serde_json::json;

use tokio::process::Command;

use crate::support::{Database, Endpoint, Process, TestApp, documents, within};

#[tokio::test]
async fn the_first_start_makes_everything_it_needs_for_its_owner_alone() {
    let database = Database::new().await;
    let server = Process::start(&database, &[]).await;

    assert_eq!(server.endpoint().get("/readyz").await.status(), 200);
    let url = server.endpoint().url("/graphql");
    assert!(server.printed.contains(&server.endpoint().addr.to_string()), "{}", server.printed);
    let output = server.terminate().await;

    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(printed.contains(&url) && printed.contains("Playground") && printed.contains("Data"), "{printed}");
    #[cfg(unix)]
    for (path, expected) in [("", 0o700), ("token-secret", 0o600)] {
        use std::os::unix::fs::PermissionsExt;
        let path = database.data_dir().join(path);
        let mode = path.metadata().expect("it was made").permissions().mode() & 0o777;
        assert_eq!(mode, expected, "{}", path.display());
    }
}

#[tokio::test]
async fn the_database_is_its_owners_alone_even_where_others_may_look() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    let modes = |database: &Database| -> Vec<(String, u32)> {
        let files = fs::read_dir(database.data_dir()).expect("it is there").map(|file| file.expect("is readable"));
        let mode = |file: &fs::DirEntry| file.metadata().expect("is readable").permissions().mode() & 0o777;
        files.map(|file| (file.file_name().to_string_lossy().into_owned(), mode(&file))).collect()
    };
    let database = Database::new().await;
    fs::create_dir(database.data_dir()).expect("it is missing");
    fs::set_permissions(database.data_dir(), Permissions::from_mode(0o755)).expect("it is ours");
    for _ in 0..2 {
        let server = Process::start(&database, &[]).await;
        server.endpoint().user(&format!("u{}", uuid::Uuid::now_v7().simple())[..30]).await;
        let found = modes(&database);
        server.kill().await;

        for name in if database.url().starts_with("sqlite:") {
            &["parlor.db", "parlor.db-wal", "parlor.db-shm"][..]
        } else {
            &[]
        } {
            assert!(found.iter().any(|(file, _)| file == name), "{name} is among {found:?}");
        }
        assert!(found.iter().any(|(file, _)| file == "token-secret"), "{found:?}");
        let own = |file: &str| if file == "files" { 0o700 } else { 0o600 };
        assert!(found.iter().all(|(file, mode)| *mode == own(file)), "{found:?}");
        // An older version has left them readable for everybody; it had no lock.
        for (file, _) in
            found.iter().filter(|(file, _)| !["token-secret", "parlor.db.lock", "files"].contains(&&**file))
        {
            fs::set_permissions(database.data_dir().join(file), Permissions::from_mode(0o644)).expect("it is ours");
        }
    }
}

#[tokio::test]
async fn the_logs_hold_no_text_and_no_secrets_whatever_the_filter_asks_for() {
    let every_library = "trace,tungstenite=trace,tungstenite::protocol=trace,tokio_tungstenite=trace,hyper=trace,hyper_util=trace,\
        axum=trace,tower_http=trace,async_graphql=trace,sqlx=trace,sqlx::query=trace,sea_orm=trace,sqlx_core=trace,\
        sqlx_sqlite=trace,sqlx_postgres=trace,async_nats=trace,mio=trace,log=trace";
    let filters =
        ["trace", "tungstenite::protocol=trace,info", every_library, "parlor=trace,[request]=trace,[{id}]=trace"];
    join_all(filters.map(expect_no_secrets)).await;
}

async fn expect_no_secrets(filter: &str) {
    let database = Database::new().await;
    let server = Process::start(&database, &[("PARLOR_LOG", filter)]).await;
    let (ann, bob) = tokio::join!(server.endpoint().user("ann"), server.endpoint().user("bob"));
    let mut feed = bob.subscribe().await;
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post(&room, "a very private matter").await;
    feed.next_message().await;
    ann.edit(&message, "an even more private matter").await;
    let refresh = json!({ "token": ann.refresh_token });
    server.endpoint().graphql(None, documents::REFRESH_SESSION, refresh).await.data();
    let inline =
        format!("mutation {{ postMessage(roomId: \"{}\", body: \"private, too\") {{ message {{ id }} }} }}", room.id);
    ann.graphql(&inline, json!({})).await.data();
    ann.graphql(documents::POST_MESSAGE, json!({ "roomId": bob.id, "body": "private, though refused" })).await.error();

    let output = server.terminate().await;

    let logs = [output.stdout, output.stderr].concat();
    let logs = String::from_utf8_lossy(&logs);
    assert!(logs.contains("/graphql"), "requests are logged under {filter}: {logs:.500}");
    for secret in ["private", &ann.password(), &ann.access_token, &ann.refresh_token, &bob.access_token] {
        let line = logs.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "expected no {secret} in the logs under {filter}");
    }
}

#[tokio::test]
async fn a_line_that_an_operation_logs_names_its_request() {
    let database = Database::new().await;
    let server = Process::start(&database, &[]).await;
    let ann = server.endpoint().user("ann").await;
    let refresh = async |token: &str| {
        server.endpoint().graphql(None, documents::REFRESH_SESSION, json!({ "token": token })).await
    };
    let next = refresh(&ann.refresh_token).await;
    refresh(next.text("/refreshSession/refreshToken")).await.data();
    refresh(&ann.refresh_token).await.error();

    let logs = server.terminate().await.stderr;

    let logs = String::from_utf8_lossy(&logs);
    let line = logs.lines().find(|line| line.contains("replaced refresh token")).expect("the reuse is logged");
    assert!(line.contains("request{id="), "{line}");
}

#[tokio::test]
async fn what_was_acknowledged_survives_being_killed() {
    let database = Database::new().await;
    let server = Process::start(&database, &[]).await;
    let (ann, bob) = tokio::join!(server.endpoint().user("ann"), server.endpoint().user("bob"));
    let room = ann.initiate_chat([&bob]).await;
    let bodies: Vec<String> = (0..20).map(|n| format!("message {n}")).collect();
    let mut posted = join_all(bodies.iter().map(|body| ann.post(&room, body))).await;
    server.kill().await;

    let server = Process::start(&database, &[]).await;
    let bob = server.endpoint().sign_in("bob").await;
    let mut kept = bob.messages(&room).await;

    kept.sort_by(|a, b| a.id.cmp(&b.id));
    posted.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(kept, posted);
    assert_eq!(bob.post(&room, "and on").await.seq, 21);
    assert!(server.terminate().await.status.success());
}

#[tokio::test]
async fn stopping_finishes_the_requests_under_way() {
    let mut app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;

    let endpoint = app.endpoint().clone();
    let posts = join_all((0..40).map(|n| {
        let variables = json!({ "roomId": room.id, "body": "hello", "clientId": format!("c{n}") });
        endpoint.try_graphql(Some(&ann.access_token), documents::POST_MESSAGE, variables)
    }));
    let (posts, ()) = tokio::join!(posts, app.restart());

    let acknowledged: Vec<String> = posts
        .into_iter()
        .filter_map(Result::ok)
        .filter(|answer| answer.body.get("errors").is_none())
        .map(|answer| answer.text("/postMessage/message/id").to_owned())
        .collect();
    assert!(!acknowledged.is_empty(), "expected some posts to be acknowledged");
    let kept: Vec<String> = bob.messages(&room).await.into_iter().map(|message| message.id).collect();
    let lost: Vec<&String> = acknowledged.iter().filter(|id| !kept.contains(id)).collect();
    assert!(lost.is_empty(), "acknowledged but lost: {lost:?}");
}

#[tokio::test]
async fn a_log_that_nobody_reads_holds_nobody_up_and_its_last_lines_come_all_the_same() {
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
    // More than a pipe holds by default, and less than waits to be written.
    const REQUESTS: usize = 1_500;
    let database = Database::new().await;
    let mut command = database.parlor(&["serve", "--listen", "127.0.0.1:0"]);
    let mut server = command.env("PARLOR_DRAIN_SECS", "0").spawn().expect("the program can be run");
    let mut stdout = BufReader::new(server.stdout.take().expect("the program has an output")).lines();
    let addr = loop {
        let line = within("the server to say where it listens", stdout.next_line()).await;
        let line = line.expect("the output can be read").expect("it goes on");
        if let Some((_, addr)) = line.split_once("listening on ") {
            break addr.trim().parse().expect("an address");
        }
    };
    let endpoint = Endpoint::new(addr);
    let ann = endpoint.user("ann").await;
    for _ in 0..REQUESTS / 50 {
        join_all((0..50).map(|_| ann.graphql("{ me { id } }", json!({})))).await.iter().for_each(|me| {
            me.data();
        });
    }
    assert_eq!(endpoint.get("/readyz").await.status(), 200);

    // It ends, and what has waited comes out.
    let id = server.id().expect("the process runs").to_string();
    let sent = Command::new("kill").args(["-TERM", &id]).status();
    assert!(within("the signal to be sent", sent).await.expect("there is a kill program").success());
    let mut logged = String::new();
    let mut stderr = server.stderr.take().expect("the program has an error output");
    let (status, read) =
        within("the process to stop", async { tokio::join!(server.wait(), stderr.read_to_string(&mut logged)) }).await;
    read.expect("it is text");
    assert!(status.expect("it ends").success());
    assert!(logged.len() > 2 * 64 * 1024, "{}", logged.len());
    assert_eq!(logged.matches("answered").count(), REQUESTS + 1, "none is lost");
    assert!(logged.trim_end().ends_with("stopped"), "{}", &logged[logged.len() - 300..]);
}
