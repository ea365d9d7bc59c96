//! The life of the process: it starts with settings that are understood, ends in good order when asked to, and loses
//! nothing when it isn't asked.

use std::cell::RefCell;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Database, Process, TestUser, documents, within};

#[tokio::test]
async fn an_unknown_setting_stops_the_start_by_its_name() {
    let database = Database::new().await;
    for (name, value) in [("PARLOR_FOO", "1"), ("PARLOR_KEEPALIVE_SECS", "often"), ("PARLOR_LISTEN", "here")] {
        let child = database.parlor(&["serve"]).env(name, value).spawn().expect("the program can be run");
        let output = within("the program to end", child.wait_with_output()).await.expect("its output can be read");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && complaint.contains(name), "{name}: {complaint}");
        assert!(output.stdout.is_empty(), "nothing was asked for and given");
        assert!(!database.data_dir().exists(), "nothing is made by a server that doesn't start");
    }
}

/// A POST of this operation, cut in two: what is sent first, and what is still missing.
fn halves(user: &TestUser, document: &str, variables: &Value) -> (Vec<u8>, Vec<u8>) {
    let body = json!({ "query": document, "variables": variables }).to_string().into_bytes();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        user.endpoint().addr,
        user.access_token,
        body.len()
    );
    let (first, rest) = body.split_at(body.len() / 2);
    ([head.as_bytes(), first].concat(), rest.to_vec())
}

#[tokio::test]
async fn asked_to_stop_it_finishes_requests_tells_sockets_and_closes_the_database() {
    let database = Database::new().await;
    let server = Process::start(&database, &[]).await;
    let (ann, bob) = tokio::join!(server.endpoint().user("ann"), server.endpoint().user("bob"));
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = bob.subscribe().await;
    let (first, rest) = halves(&ann, documents::POST_MESSAGE, &json!({ "roomId": room.id, "body": "in flight" }));
    let mut request = TcpStream::connect(server.endpoint().addr).await.expect("the server listens");
    request.write_all(&first).await.expect("the request can be begun");
    // The server has begun to read it when it has answered another that came later.
    ann.post(&room, "before").await;
    feed.next_of("MessagePosted").await;

    let in_flight = async {
        assert_eq!(feed.socket().next_close().await, (1012, "Service restart".to_owned()));
        request.write_all(&rest).await.expect("the request can be finished");
        let mut response = String::new();
        within("the response", request.read_to_string(&mut response)).await.expect("the response can be read");
        response
    };
    let (output, response) = tokio::join!(server.terminate(), in_flight);

    assert!(output.status.success(), "{output:?}");
    assert!(response.starts_with("HTTP/1.1 200") && response.contains("in flight"), "{response}");
    let wal = database.data_dir().join("parlor.db-wal");
    assert!(!wal.metadata().is_ok_and(|wal| wal.len() > 0), "the database's log is folded in");
    let server = Process::start(&database, &[]).await;
    let bodies: Vec<String> =
        server.endpoint().sign_in("bob").await.messages(&room).await.into_iter().map(|message| message.body).collect();
    assert_eq!(bodies, ["before", "in flight"]);
    server.terminate().await;
}

#[tokio::test]
async fn killed_in_the_midst_of_posts_it_loses_none_that_was_acknowledged_and_clients_resume() {
    let database = Database::new().await;
    let server = Process::start(&database, &[]).await;
    let names = ["ann", "bob", "cat", "dan", "eve"];
    let users = join_all(names.map(|name| server.endpoint().user(name))).await;
    let room = users[0].initiate_chat(&users[1..]).await;
    let cursor = users[4].sync_cursor().await;
    let mut feed = users[4].subscribe().await;
    let acknowledged = RefCell::new(Vec::new());

    let posting = join_all(users[..4].iter().map(async |user| {
        for n in 0.. {
            let body = format!("{} {n}", user.username);
            let variables = json!({ "roomId": room.id, "body": body, "clientId": body });
            let answer =
                user.endpoint().try_graphql(Some(&user.access_token), documents::POST_MESSAGE, variables).await;
            let Ok(answer) = answer else { return n };
            let seq = answer.number("/postMessage/message/seq");
            acknowledged.borrow_mut().push((seq, body));
        }
        unreachable!("somebody kills the server first")
    }));
    let killing = async {
        let mut seen = Vec::new();
        while seen.len() < 40 {
            let event = feed.next_of("MessagePosted").await;
            seen.push((event.message().seq, event.message().body));
        }
        server.kill().await;
        (seen, feed.cursor)
    };
    let (unanswered, (seen, last_cursor)) = tokio::join!(posting, killing);

    let server = Process::start(&database, &[]).await;
    let users = join_all(names.map(|name| server.endpoint().sign_in(name))).await;
    // Each posts again what was not answered; whether it was written before makes no difference.
    for (user, n) in users.iter().zip(unanswered) {
        let body = format!("{} {n}", user.username);
        let again = user.post_as(&room, &body, &body).await;
        acknowledged.borrow_mut().push((again.seq, body));
    }
    let kept: Vec<(i64, String)> = {
        let mut feed = users[4].subscribe_after(&cursor).await;
        let missed = feed.until_synced().await;
        if missed.iter().any(|event| event.kind == "RoomGap") {
            let between = users[4].messages(&room).await;
            between.into_iter().map(|message| (message.seq, message.body)).collect()
        } else {
            missed.iter().map(|event| (event.message().seq, event.message().body)).collect()
        }
    };
    let seqs: Vec<i64> = kept.iter().map(|(seq, _)| *seq).collect();
    let first = seqs[0];
    assert_eq!(seqs, (first..first + i64::try_from(seqs.len()).expect("few")).collect::<Vec<_>>());
    for post in acknowledged.into_inner().iter().chain(&seen).filter(|(seq, _)| *seq >= first) {
        assert!(kept.contains(post), "{post:?} was acknowledged or shown, and is gone");
    }
    let mut bodies: Vec<&String> = kept.iter().map(|(_, body)| body).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), kept.len(), "nothing was posted twice");

    let mut feed = users[4].subscribe_after(&last_cursor.expect("something was seen")).await;
    let resumed = feed.until_synced().await;
    let next = seen.last().expect("forty").0 + 1;
    if resumed.iter().all(|event| event.kind == "MessagePosted") {
        let rest: Vec<(i64, String)> =
            resumed.iter().map(|event| (event.message().seq, event.message().body)).collect();
        let expected: Vec<(i64, String)> = kept.into_iter().filter(|(seq, _)| *seq >= next).collect();
        assert_eq!(rest, expected, "what was seen and what is replayed is all, once");
    } else {
        assert_eq!(resumed[0].body["fromSeq"].as_i64(), Some(next));
    }
    server.terminate().await;
}

#[tokio::test]
async fn users_are_added_by_two_others_at_once_while_it_serves() {
    let database = Database::new().await;
    let server = Process::start(&database, &[]).await;
    let ann = server.endpoint().user("ann").await;

    let adding = join_all(["sue", "tom"].map(|name| {
        let arguments = ["user", "add", name, "--type", "support", "--display-name", "Support"];
        let child = database.parlor(&arguments).spawn().expect("the program can be run");
        within("parlor user add to end", child.wait_with_output())
    }));
    let (added, ()) = tokio::join!(adding, async {
        for _ in 0..5 {
            ann.sign_in().await;
        }
    });

    for output in added {
        let output = output.expect("its output can be read");
        assert!(output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("password: "), "{output:?}");
    }
    let found = ann.graphql(documents::USERS, json!({ "search": "support" })).await;
    let found: Vec<(&Value, &Value)> =
        found.list("/users/nodes").iter().map(|user| (&user["username"], &user["type"])).collect();
    assert_eq!(found, [(&json!("sue"), &json!("SUPPORT")), (&json!("tom"), &json!("SUPPORT"))]);
    server.terminate().await;
}
