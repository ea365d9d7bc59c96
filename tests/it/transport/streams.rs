//! Subscriptions over HTTP: server-sent events and multipart.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

use crate::presence::presence;
use crate::support::{EVENT_STREAM, Feed, MULTIPART, Stream, TestApp, TestUser, documents};

const POSTED: &str = "subscription Posted($after: Cursor) { messagePosted(after: $after) { id body } }";

/// A stream of events that has said where it begins.
async fn synced(user: &TestUser) -> Stream {
    let mut stream = user.stream(EVENT_STREAM, documents::EVENTS, json!({})).await;
    assert_eq!(stream.next_payload().await["data"]["events"]["__typename"], "Synced");
    stream
}

async fn synced_multipart(user: &TestUser) -> Stream {
    let mut stream = user.stream(MULTIPART, documents::EVENTS, json!({})).await;
    assert_eq!(stream.next_part_payload().await["data"]["events"]["__typename"], "Synced");
    stream
}

fn body_of(payload: &Value) -> &Value {
    &payload["data"]["events"]["message"]["body"]
}

#[tokio::test]
async fn events_come_with_their_cursors_as_they_happen() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut stream = bob.stream(EVENT_STREAM, documents::EVENTS, json!({})).await;
    assert_eq!(stream.status(), 200);
    for (name, value) in [
        ("content-type", "text/event-stream; charset=utf-8"),
        ("cache-control", "no-store, no-transform"),
        ("x-accel-buffering", "no"),
    ] {
        assert_eq!(stream.headers()[name], value);
    }
    assert!(!stream.headers().contains_key("content-encoding"));
    let first = stream.next_block().await.expect("something comes immediately");
    let retry: u64 = first.strip_prefix("retry: ").and_then(|ms| ms.parse().ok()).expect("when to come back");
    assert!((500..10_000).contains(&retry));
    assert_eq!(stream.next_payload().await["data"]["events"]["__typename"], "Synced");

    ann.post(&room, "two\nlines").await;

    let event = stream.next_event().await.expect("an event");
    assert_eq!(*body_of(&event.data), "two\nlines");
    assert_eq!(event.id.as_deref(), event.data["data"]["events"]["cursor"].as_str(), "the same text for all");
}

#[tokio::test]
async fn parts_of_a_multipart_answer_are_payloads() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut stream = bob.stream(MULTIPART, documents::EVENTS, json!({})).await;
    assert_eq!(stream.headers()["content-type"], "multipart/mixed;boundary=\"graphql\";subscriptionSpec=1.0");
    assert_eq!(stream.next_part().await, Some(json!({})), "something comes immediately");
    assert_eq!(stream.next_part_payload().await["data"]["events"]["__typename"], "Synced");
    ann.post(&room, "hello").await;
    assert_eq!(*body_of(&stream.next_part_payload().await), "hello");
}

#[tokio::test]
async fn heartbeats_come_at_the_rhythm_of_a_sockets_pings() {
    let app = TestApp::start_with(|config| config.keepalive_secs = 1).await;
    let ann = app.user("ann").await;
    let (mut events, mut parts) = (synced(&ann).await, synced_multipart(&ann).await);
    for _ in 0..2 {
        assert_eq!(events.next_block().await.as_deref(), Some(":"));
        assert_eq!(parts.next_part().await, Some(json!({})));
    }
}

#[tokio::test]
async fn one_response_is_an_event_and_the_end_where_a_stream_is_wanted() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    for (document, variables, expected) in [
        ("{ me { username } }", json!({}), json!({ "data": { "me": { "username": "ann" } } })),
        (
            "mutation($room: ID!) { postMessage(roomId: $room, body: \"hi\") { message { seq } } }",
            json!({ "room": room.id }),
            json!({ "data": { "postMessage": { "message": { "seq": 1 } } } }),
        ),
    ] {
        let mut stream = ann.stream(EVENT_STREAM, document, variables.clone()).await;
        assert_eq!(stream.next_payload().await, expected);
        let last = stream.next_event().await.expect("it is complete");
        assert_eq!((&*last.event, last.data), ("complete", Value::Null));
        assert_eq!(stream.next_event().await, None);
    }
    for accept in [MULTIPART, "application/json, text/event-stream"] {
        let plain = ann.stream(accept, "{ me { username } }", json!({})).await;
        assert_eq!(plain.headers()["content-type"], "application/json; charset=utf-8", "{accept}");
        assert_eq!(plain.json().await, json!({ "data": { "me": { "username": "ann" } } }));
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_operation_is_told_in_the_stream() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    for (document, code) in [
        ("{ me {", "GRAPHQL_PARSE_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { events { nothing } }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { messagePosted(roomId: \"room_01h455vb4pex5vsknk084sn02q\") { id } }", "NOT_FOUND"),
    ] {
        let mut stream = ann.stream(EVENT_STREAM, document, json!({})).await;
        assert_eq!(stream.status(), 200, "{document}");
        assert_eq!(stream.next_payload().await["errors"][0]["extensions"]["code"], code, "{document}");
        assert_eq!(stream.next_event().await.expect("it is over").event, "complete");
    }
    let document = "subscription { messagePosted(roomId: \"room_01h455vb4pex5vsknk084sn02q\") { id } }";
    let mut parts = ann.stream(MULTIPART, document, json!({})).await;
    assert_eq!(parts.next_part_payload().await["errors"][0]["extensions"]["code"], "NOT_FOUND");
    assert_eq!(parts.next_part().await, None);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_has_a_status() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut stranger = ann.clone();
    stranger.access_token = "ended".to_owned();
    for accept in [EVENT_STREAM, MULTIPART] {
        let refused = stranger.stream(accept, documents::EVENTS, json!({})).await;
        assert_eq!(refused.status(), 401);
        assert_eq!(refused.json().await["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
        assert_eq!(ann.stream_with(accept, &json!([]), &[]).await.status(), 400);
    }
    let body = json!({ "query": documents::EVENTS });
    let refused = ann.stream_with(EVENT_STREAM, &body, &[("last-event-id", "nonsense")]).await;
    assert_eq!(refused.status(), 400);
    assert!(refused.json().await["errors"][0]["message"].as_str().expect("a text").contains("Last-Event-ID"));

    let refused = ann.stream("application/json", documents::EVENTS, json!({})).await;
    assert_eq!(refused.status(), 400);
    let refused = refused.json().await;
    let message = refused["errors"][0]["message"].as_str().expect("a text");
    assert!(
        ["WebSocket", EVENT_STREAM, "multipart/mixed;subscriptionSpec=1.0"].iter().all(|way| message.contains(way))
    );
}

#[tokio::test]
async fn who_is_cut_off_anywhere_resumes_by_the_last_id_and_misses_nothing() {
    const POSTS: usize = 100;
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let after = bob.sync_cursor().await;
    let posting = async {
        for n in 0..POSTS {
            ann.post(&room, &n.to_string()).await;
        }
    };
    let reading = async {
        let end = format!("\"body\":\"{}\"}}}}}}", POSTS - 1);
        let (mut last, mut received, mut cuts) = (after, Vec::new(), 0);
        while received.len() < POSTS {
            let body = json!({ "query": POSTED });
            let stream = bob.stream_with(EVENT_STREAM, &body, &[("last-event-id", &last)]).await;
            assert_eq!(stream.status(), 200);
            // A prime, so that each cut is at another place of an event.
            let bytes = 100 + cuts * 211 % 2_000;
            for event in stream.cut(bytes, &end).await {
                assert_eq!(event.event, "next", "{event:?}");
                received.push(event.data["data"]["messagePosted"]["body"].as_str().expect("a text").to_owned());
                last = event.id.expect("where to resume");
            }
            cuts += 1;
        }
        received
    };
    let ((), received) = tokio::join!(posting, reading);
    assert_eq!(received, (0..POSTS).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_cursor_of_the_operation_comes_before_the_last_id() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let early = bob.sync_cursor().await;
    ann.post(&room, "one").await;
    let late = bob.sync_cursor().await;
    ann.post(&room, "two").await;
    let resume = async |last: &str, variables: Value| {
        let body = json!({ "query": documents::EVENTS, "variables": variables });
        let mut stream = bob.stream_with(EVENT_STREAM, &body, &[("last-event-id", last)]).await;
        body_of(&stream.next_payload().await).clone()
    };
    assert_eq!(resume(&early, json!({})).await, "one");
    assert_eq!(resume(&late, json!({})).await, "two");
    assert_eq!(resume(&late, json!({ "after": early })).await, "one");
    assert_eq!(resume(&early, json!({ "after": late })).await, "two");
}

#[tokio::test]
async fn streams_end_with_their_session() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let (mut events, mut parts) = (synced(&ann).await, synced_multipart(&ann).await);

    ann.sign_out().await;

    assert_eq!(events.next_block().await.as_deref(), Some(": session ended"));
    assert_eq!(events.next_event().await, None, "not complete: a client that comes back is told why it may not");
    let end = parts.next_part().await.expect("an error");
    assert!(end["payload"].is_null());
    assert_eq!(end["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
    assert_eq!(parts.next_part().await, None);
    assert_eq!(ann.stream(EVENT_STREAM, documents::EVENTS, json!({})).await.status(), 401);
    app.until_metric("parlor_streams", 0.0).await;
}

#[tokio::test]
async fn streams_end_when_the_server_stops_and_go_on_at_the_next() {
    let mut app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut events = bob.stream(EVENT_STREAM, documents::EVENTS, json!({})).await;
    let last = events.next_event().await.and_then(|synced| synced.id).expect("where it begins");
    let mut parts = synced_multipart(&bob).await;

    app.stop().await;

    assert_eq!(events.next_block().await.as_deref(), Some(": service restart"));
    assert_eq!(events.next_event().await, None);
    assert_eq!(parts.next_part().await.expect("an error")["errors"][0]["extensions"]["code"], "UNAVAILABLE");
    assert_eq!(parts.next_part().await, None);

    app.resume().await;
    ann.post(&room, "meanwhile").await;
    let body = json!({ "query": documents::EVENTS });
    let mut events = bob.stream_with(EVENT_STREAM, &body, &[("last-event-id", &last)]).await;
    assert_eq!(*body_of(&events.next_payload().await), "meanwhile");
}

#[tokio::test]
async fn a_stream_shows_its_user_online_for_as_long_as_it_is_open() {
    let limits =
        parlor::ephemeral::EphemeralLimits { linger: std::time::Duration::from_millis(100), ..Default::default() };
    let app = TestApp::start_with_limits(limits, |_| {}).await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    ann.initiate_chat([&bob]).await;
    let stream = synced(&bob).await;
    assert!(presence(&ann, &bob).await.0);
    assert!((app.metric("parlor_streams").await - 1.0).abs() < f64::EPSILON);
    drop(stream);
    app.until_metric("parlor_streams", 0.0).await;
    app.until_metric("parlor_users_online", 0.0).await;
    assert!(!presence(&ann, &bob).await.0);
}

#[tokio::test]
async fn all_transports_share_one_rendering() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = Feed::open(bob.socket().await, documents::EVENTS, json!({})).await;
    feed.until_synced().await;
    let (mut events, mut parts) = (synced(&bob).await, synced_multipart(&bob).await);
    assert!((app.metric("parlor_render_groups").await - 1.0).abs() < f64::EPSILON);
    let rendered = app.metric("parlor_renders_total").await;

    ann.post(&room, "to all").await;

    let event = feed.next_of("MessagePosted").await;
    let by_socket = json!({ "data": { "events": event.body } });
    assert_eq!(events.next_payload().await, by_socket);
    assert_eq!(parts.next_part_payload().await, by_socket);
    assert!((app.metric("parlor_renders_total").await - rendered - 1.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn streams_that_nobody_reads_keep_neither_connections_nor_permits() {
    let app = TestApp::start_with(|config| config.database_connections = 2).await;
    let [eve, bob] = app.users(["eve", "bob"]).await;
    let room = eve.initiate_chat([&bob]).await;
    let after = bob.sync_cursor().await;
    let body = "x".repeat(16 * 1024);
    futures_util::future::join_all((0..100).map(|_| eve.post(&room, &body))).await;
    let mut stuck = Vec::new();
    for accept in [EVENT_STREAM, MULTIPART].repeat(10) {
        let tcp = TcpSocket::new_v4().expect("a socket can be made");
        tcp.set_recv_buffer_size(16 * 1024).expect("the size is acceptable");
        let mut tcp = tcp.connect(app.endpoint().addr).await.expect("the server accepts connections");
        let body = json!({ "query": documents::EVENTS, "variables": { "after": after } }).to_string();
        let request = format!(
            "POST /graphql HTTP/1.1\r\nhost: parlor\r\naccept: {accept}\r\ncontent-type: application/json\r\n\
             authorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
            bob.access_token,
            body.len()
        );
        tcp.write_all(request.as_bytes()).await.expect("the server reads");
        stuck.push(tcp);
    }
    app.until_metric("parlor_streams", 20.0).await;
    for n in 0..10 {
        eve.graphql("{ me { id } rooms { nodes { id lastMessage { seq } } } }", json!({})).await.data();
        assert_eq!(app.get("/readyz").await.status(), 200, "after {n} rounds");
        let mut feed = eve.subscribe_after(&eve.sync_cursor().await).await;
        feed.until_synced().await;
        eve.post(&room, "on").await;
    }
}
