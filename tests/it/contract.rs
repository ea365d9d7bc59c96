//! What the specification asks of a server: variables by their types, only the operation that is meant, objects as they
//! were selected; by HTTP and by socket alike, the first time and from the cache.

use serde_json::{Value, json};

use crate::support::{Answer, Socket, TestApp, TestUser, documents};

/// The response to an operation by POST.
async fn by_post(user: &TestUser, payload: &str) -> Value {
    let request = user.endpoint().http.post(user.endpoint().url("/graphql")).bearer_auth(&user.access_token);
    let request = request.header("content-type", "application/json").body(payload.to_owned());
    request.send().await.expect("an answer").json().await.expect("JSON")
}

/// The response to an operation by socket, which goes on; a refusal looks as it does by POST.
async fn by_socket(socket: &mut Socket, payload: &str) -> Value {
    socket.send_text(&format!(r#"{{"type":"subscribe","id":"x","payload":{payload}}}"#)).await;
    let message = socket.next_json().await;
    assert_eq!(message["id"], "x", "{message}");
    if message["type"] == "error" {
        return json!({ "errors": message["payload"] });
    }
    assert_eq!(socket.next_json().await, json!({ "type": "complete", "id": "x" }));
    message["payload"].clone()
}

/// The one response that each way of asking gives, twice.
async fn all_ways(user: &TestUser, payload: &str) -> Value {
    let mut socket = user.socket().await;
    let first = by_post(user, payload).await;
    assert_eq!(by_post(user, payload).await, first, "{payload}");
    for _ in 0..2 {
        assert_eq!(by_socket(&mut socket, payload).await, first, "{payload}");
    }
    first
}

fn code(answer: &Value) -> (&str, &str) {
    let extensions = &answer["errors"][0]["extensions"];
    (extensions["code"].as_str().unwrap_or_default(), extensions["field"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn variables_are_checked_before_anything_runs() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let post = |variables: &str| {
        let document = "mutation($r: ID!, $b: String!, $c: ID) { postMessage(roomId: $r, body: $b, clientId: $c) { message { seq } } \
            b: postMessage(roomId: $r, body: $b) { message { seq } } }";
        format!(r#"{{"query":{},"variables":{variables}}}"#, json!(document))
    };
    for (variables, field) in [
        (r#"{"r":"ROOM"}"#, "body"),
        (r#"{"r":"ROOM","b":null}"#, "body"),
        (r#"{"r":"ROOM","b":5}"#, "body"),
        (r#"{"r":"ROOM","b":["a"]}"#, "body"),
        (r#"{"r":"ROOM","b":{}}"#, "body"),
        (r#"{"r":"ROOM","b":"half an emoji \ud83d"}"#, "body"),
        (r#"{"r":"ROOM","b":"\ude00 half"}"#, "body"),
        (r#"{"r":true,"b":"a"}"#, "roomId"),
        (r#"{"r":1.5,"b":"a"}"#, "roomId"),
        (r#"{"r":"ROOM","b":"a","c":1e999}"#, "clientId"),
        (r#"{"r":"ROOM","b":"a","c":[[[[[]]]]]}"#, "clientId"),
    ] {
        let answer = all_ways(&ann, &post(&variables.replace("ROOM", &room.id))).await;
        assert_eq!(code(&answer), ("BAD_USER_INPUT", field), "{variables}: {answer}");
        assert_eq!(answer.get("data"), None, "{variables}");
    }
    assert_eq!(bob.messages(&room).await, []);
}

#[tokio::test]
async fn a_document_that_does_not_fit_never_runs() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let posts = format!("postMessage(roomId: \"{}\", body: \"must not be posted\") {{ message {{ id }} }}", room.id);
    for document in [
        format!("mutation($x: Int) {{ {posts} muteRoom(roomId: $x, muted: true) {{ room {{ id }} }} }}"),
        format!("mutation {{ {posts} initiateChat(userIds: [\"a\"], type: \"CONSUMER_TO_CONSUMER\") {{ isNew }} }}"),
        format!("mutation {{ {posts} b: postMessage(roomId: \"x\") {{ message {{ id }} }} }}"),
        format!(
            "mutation {{ {posts} b: signIn(input: {{ username: \"a\", username: \"b\", password: \"c\" }}) {{ sessionId }} }}"
        ),
        format!("mutation {{ {posts} b: signIn(input: [\"a\"]) {{ sessionId }} }}"),
        format!(
            "mutation($x: [ID]!) {{ {posts} b: initiateChat(userIds: $x, type: CONSUMER_TO_CONSUMER) {{ isNew }} }}"
        ),
        format!("mutation A {{ {posts} }} query B($n: Int!) {{ me {{ id }} }}"),
    ] {
        let payload = json!({ "query": document, "variables": { "x": [] }, "operationName": document.contains("query B").then_some("A") });
        let answer = all_ways(&ann, &payload.to_string()).await;
        assert_eq!(code(&answer), ("GRAPHQL_VALIDATION_FAILED", ""), "{document}: {answer}");
    }
    assert_eq!(bob.messages(&room).await, []);
}

#[tokio::test]
async fn values_are_read_as_json_has_them() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let ids = |ids: &str| {
        format!(r#"{{"query":"query($i: [ID!]!) {{ nodes(ids: $i) {{ id }} }}","variables":{{"i":{ids}}}}}"#)
    };
    let nodes = all_ways(&ann, &ids(&format!("\"{}\"", bob.id))).await;
    assert_eq!(nodes["data"]["nodes"], json!([{ "id": bob.id }]), "one is a list of one");
    for number in ["99999999999999999999", "-9223372036854775809", "5"] {
        let answer = all_ways(&ann, &ids(number)).await;
        assert_eq!(answer["errors"][0]["path"], json!(["nodes"]), "{number} is an id, and none of a thing: {answer}");
    }
    for first in ["2", "2.0", "2e0"] {
        let payload = format!(
            r#"{{"query":"query($n: Int = 1) {{ users(first: $n) {{ nodes {{ username }} }} }}","variables":{{"n":{first},"unknown":1e999}}}}"#
        );
        assert_eq!(
            all_ways(&ann, &payload).await["data"]["users"]["nodes"].as_array().map(Vec::len),
            Some(2),
            "{first}"
        );
    }
    let escaped = r#"{"qu\u0065ry":"{ users(search: \"\\ud83d\\ude00 \\u{1F600}\") { nodes { id } } }"}"#;
    assert_eq!(all_ways(&ann, escaped).await, json!({ "data": { "users": { "nodes": [] } } }));
    let described =
        r#"{"query":"\"What it is\" query Q(\"how many\" $n: Int = 1) { users(first: $n) { nodes { id } } }"}"#;
    assert_eq!(all_ways(&ann, described).await["data"]["users"]["nodes"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn defaults_fill_in_everywhere_and_other_operations_are_asked_nothing() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let ask = async |document: &str, variables: Value, name: Option<&str>| {
        all_ways(&ann, &json!({ "query": document, "variables": variables, "operationName": name }).to_string()).await
    };
    for (document, variables, expected) in [
        ("query($s: Boolean = true) { me { username id @skip(if: $s) } }", json!({}), json!({ "username": "ann" })),
        (
            "query($s: Boolean! = false) { me { username id @include(if: $s) } }",
            json!({}),
            json!({ "username": "ann" }),
        ),
        (
            "query($s: Boolean = true) { me { ...F @include(if: $s) } } fragment F on User { username }",
            json!({}),
            json!({ "username": "ann" }),
        ),
        (
            "query($s: Boolean = true) { me { ... @skip(if: $s) { username } } }",
            json!({ "s": false }),
            json!({ "username": "ann" }),
        ),
    ] {
        assert_eq!(ask(document, variables, None).await, json!({ "data": { "me": expected } }), "{document}");
    }
    let null = ask("query($s: Boolean = true) { me { id @skip(if: $s) } }", json!({ "s": null }), None).await;
    assert_eq!(code(&null), ("BAD_USER_INPUT", "if"));

    let two = "query Me { me { username } } query Others($n: Int!, $i: ID!) { user(id: $i) { id } users(first: $n) { nodes { id } } }";
    assert_eq!(ask(two, json!({}), Some("Me")).await, json!({ "data": { "me": { "username": "ann" } } }));
    assert_eq!(code(&ask(two, json!({}), Some("Others")).await), ("BAD_USER_INPUT", "first"));
    let directives = "username @skip(if: false) ".repeat(21);
    let large = format!("query Me {{ me {{ username }} }} query Large {{ me {{ {directives} }} }}");
    assert_eq!(ask(&large, json!({}), Some("Me")).await, json!({ "data": { "me": { "username": "ann" } } }));
    assert_eq!(code(&ask(&large, json!({}), Some("Large")).await), ("GRAPHQL_VALIDATION_FAILED", ""));
}

#[tokio::test]
async fn what_nothing_is_selected_of_is_empty_and_not_null() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post(&room, "hello").await;
    let variables = json!({ "yes": true, "room": room.id, "user": bob.id, "message": message.id });
    for (document, expected) in [
        ("{ me @skip(if: $yes) { id } }", json!({})),
        ("{ me { id @skip(if: $yes) } }", json!({ "me": {} })),
        ("{ ... @skip(if: $yes) { me { id } } }", json!({})),
        ("{ node(id: $room) { ... on User { id } } }", json!({ "node": {} })),
        ("{ node(id: $room) { ...U } } fragment U on User { id }", json!({ "node": {} })),
        (
            "{ nodes(ids: [$user, $room]) { ... on User { username } } }",
            json!({ "nodes": [{ "username": "bob" }, {}] }),
        ),
        ("{ rooms { nodes { id @skip(if: $yes) } } }", json!({ "rooms": { "nodes": [{}] } })),
        (
            "{ rooms { nodes { lastMessage { ... @skip(if: $yes) { id } } } } }",
            json!({ "rooms": { "nodes": [{ "lastMessage": {} }] } }),
        ),
        ("{ node(id: \"user_00000000000000000000000000\") { ... on Room { id } } }", json!({ "node": null })),
    ] {
        let declared = "query($yes: Boolean = true, $room: ID = \"ROOM\", $user: ID = \"USER\")";
        let used: Vec<&str> = ["$yes", "$room", "$user"].into_iter().filter(|name| document.contains(name)).collect();
        let declared: Vec<&str> = declared[6..declared.len() - 1]
            .split(", ")
            .filter(|it| used.iter().any(|name| it.starts_with(name)))
            .collect();
        let head = if declared.is_empty() { "query".to_owned() } else { format!("query({})", declared.join(", ")) };
        let payload = json!({ "query": format!("{head} {document}"), "variables": variables }).to_string();
        assert_eq!(all_ways(&ann, &payload).await, json!({ "data": expected }), "{document}");
    }
}

#[tokio::test]
async fn fields_stand_in_the_order_of_the_document() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "hello").await;
    let text = async |document: &str| {
        let request = ann.endpoint().http.post(ann.endpoint().url("/graphql")).bearer_auth(&ann.access_token);
        let answer = request.json(&json!({ "query": document, "variables": { "r": room.id } })).send().await;
        answer.expect("an answer").text().await.expect("a text")
    };
    for (document, keys) in [
        (
            "query($r: ID!) { room(id: $r) { lastMessage { author { username } seq body } type id } b: me { id } a: __typename }",
            &["room", "lastMessage", "author", "username", "seq", "body", "type", "id", "b", "id", "a"][..],
        ),
        (
            "query($r: ID!) { node(id: $r) { ...F id ... on Room { type } ... on User { id username } } } fragment F on Room { lastMessage { seq } createdAt }",
            &["node", "lastMessage", "seq", "createdAt", "id", "type"],
        ),
        (
            "query($r: ID!) { room(id: $r) { id } me { username } room(id: $r) { lastMessage { seq } type } }",
            &["room", "id", "lastMessage", "seq", "type", "me", "username"],
        ),
        (
            "query($r: ID!) { room(id: $r) { type lastMessage { seq } id lastMessage { body } } }",
            &["room", "type", "lastMessage", "seq", "body", "id"],
        ),
        (
            "query($r: ID!, $no: Boolean = false) { room(id: $r) { lastMessage { author { username } } ...A viewer { muted }
                ... on Node { id } lastMessage { body author { id } } type @skip(if: $no) lastMessage @include(if: $no) { type } } }
                fragment A on Room { lastMessage { seq author { displayName } } viewer { id } }",
            &["room", "lastMessage", "author", "username", "displayName", "id", "seq", "body", "viewer", "id", "muted", "id", "type"],
        ),
        (
            "query($r: ID!) { node(id: $r) { ... on Room { lastMessage { body } id lastMessage { author { id } seq author { username } } } __typename } }",
            &["node", "lastMessage", "body", "author", "id", "username", "seq", "id", "__typename"],
        ),
    ] {
        let answer = text(document).await;
        let mut rest = answer.strip_prefix("{\"data\":").unwrap_or_else(|| panic!("{answer}"));
        for key in keys {
            let quoted = format!("\"{key}\":");
            let found = rest.find(&quoted).unwrap_or_else(|| panic!("{key} comes not where it should in {answer}"));
            rest = &rest[found + quoted.len()..];
        }
        assert!(!answer.contains("\"\":"), "{answer}");
    }
}

#[tokio::test]
async fn a_mutation_that_is_named_twice_happens_once_and_nothing_comes_after_a_failed_one() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let ask = async |document: &str| -> Answer { ann.graphql(document, json!({ "r": room.id })).await };

    let once = ask("mutation($r: ID!) { ...A postMessage(roomId: $r, body: \"once\") { message { body } } }
        fragment A on Mutation { postMessage(roomId: $r, body: \"once\") { message { seq } } }")
    .await;
    assert_eq!(once.body, json!({ "data": { "postMessage": { "message": { "seq": 1, "body": "once" } } } }));

    let stopped = ask("mutation($r: ID!) { a: postMessage(roomId: $r, body: \"first\") { message { seq } }
        b: postMessage(roomId: $r, body: \"\") { message { seq } }
        c: postMessage(roomId: $r, body: \"third\") { message { seq } } }")
    .await;
    assert_eq!((stopped.error_code(), &stopped.body["data"]), ("BAD_USER_INPUT", &json!(null)));
    let bodies: Vec<String> = bob.messages(&room).await.into_iter().map(|message| message.body).collect();
    assert_eq!(bodies, ["once", "first"]);
}

#[tokio::test]
async fn fragments_at_the_root_of_a_subscription_give_events_and_share_one_rendering() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let cursor = bob.sync_cursor().await;
    for document in [
        "subscription($after: Cursor) { ...F } fragment F on Subscription { messagePosted(after: $after) { body } }",
        "subscription($after: Cursor) { ... on Subscription { messagePosted(after: $after) { body } } }",
        "subscription($after: Cursor) { ... { ...G } } fragment G on Subscription { ...F } fragment F on Subscription { messagePosted(after: $after) { body } }",
        "subscription($after: Cursor) { messagePosted(after: $after) { id } ...F } fragment F on Subscription { messagePosted(after: $after) { body } }",
        "query Other($after: Cursor) { me { id } } subscription S($after: Cursor) { messagePosted(after: $after) { body } }",
    ] {
        let mut socket = bob.socket().await;
        let groups = app.metric("parlor_render_groups").await;
        for (n, after) in [json!(null), json!(cursor), json!(bob.sync_cursor().await)].iter().enumerate() {
            let name = document.contains("subscription S").then_some("S");
            let document = document.replace("query Other($after: Cursor)", "query Other");
            let payload = json!({ "query": document, "variables": { "after": after }, "operationName": name });
            socket.send(&json!({ "type": "subscribe", "id": format!("{n}"), "payload": payload })).await;
        }
        socket.send(&json!({ "type": "subscribe", "id": "done", "payload": { "query": "{ __typename }" } })).await;
        while socket.next_json().await["type"] != "complete" {}
        ann.post(&room, document).await;
        let mut heard = Vec::new();
        while heard.len() < 3 {
            let next = socket.next_json().await;
            assert_eq!(next["type"], "next", "{document}: {next}");
            if next["payload"]["data"]["messagePosted"]["body"] == document {
                heard.push(next["id"].clone());
            }
        }
        heard.sort_by_key(ToString::to_string);
        assert_eq!(json!(heard), json!(["0", "1", "2"]), "{document}");
        let started = app.metric("parlor_render_groups").await - groups;
        assert!((started - 1.0).abs() < f64::EPSILON, "{document}: {started} groups");
        socket.close().await;
    }
}

#[tokio::test]
async fn what_a_subscription_may_not_be_ends_that_operation_alone() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = ann.socket().await;
    let kept = socket.subscribe(documents::EVENTS, &json!({})).await;
    assert_eq!(socket.next_json().await["id"], json!(kept));
    for (document, variables) in [
        ("subscription { messagePosted @skip(if: true) { body } }", json!({})),
        ("subscription { messagePosted @include(if: false) { body } }", json!({})),
        (
            "subscription($s: Boolean!) { ...F @skip(if: $s) } fragment F on Subscription { messagePosted { body } }",
            json!({ "s": true }),
        ),
        ("subscription { ... @include(if: false) { messagePosted { body } } }", json!({})),
        ("subscription { ...F } fragment F on Subscription { messagePosted @skip(if: true) { body } }", json!({})),
        ("subscription { messagePosted { body } events { cursor } }", json!({})),
        ("subscription { __typename }", json!({})),
        ("subscription($r: ID!) { messagePosted(roomId: $r) { body } }", json!({})),
        ("subscription($r: ID!) { messagePosted(roomId: $r) { body } }", json!({ "r": null })),
        ("subscription($r: Int) { messagePosted(roomId: $r) { body } }", json!({ "r": 1 })),
        ("subscription { nothing }", json!({})),
    ] {
        let id = socket.subscribe(document, &variables).await;
        let refused = socket.next_json().await;
        assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!(id)), "{document}: {refused}");
    }
    for payload in [
        "null",
        "1",
        "[]",
        "\"x\"",
        "{}",
        r#"{"query":1}"#,
        r#"{"query":"{a}\ud83d"}"#,
        r#"{"query":"{a}","variables":[]}"#,
    ] {
        socket.send_text(&format!(r#"{{"t\u0079pe":"subscribe","id":"p","payload":{payload}}}"#)).await;
        let refused = socket.next_json().await;
        assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("p")), "{payload}");
        assert_eq!(refused["payload"][0]["extensions"]["code"], "BAD_USER_INPUT", "{payload}");
    }
    socket.send_text(r#"{"type":"pi\u006eg"}"#).await;
    assert_eq!(socket.next_json().await, json!({ "type": "pong" }));
}

#[tokio::test]
async fn an_outbox_of_many_posts_and_many_mistakes_is_served_on_one_socket() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut socket = ann.socket().await;
    for n in 0..140 {
        let document = if n % 2 == 0 { documents::POST_MESSAGE } else { "{ nothing }" };
        socket.subscribe(document, &json!({ "roomId": room.id, "body": format!("{n}") })).await;
    }
    let (mut completed, mut refused) = (0, 0);
    while completed + refused < 140 {
        match socket.next_json().await["type"].as_str() {
            Some("complete") => completed += 1,
            Some("error") => refused += 1,
            _ => {}
        }
    }
    assert_eq!((completed, refused), (70, 70));
    let posted: Vec<String> = bob.messages(&room).await.into_iter().map(|message| message.body).collect();
    assert_eq!(posted, (0..140).step_by(2).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn ending_what_has_ended_costs_nothing() {
    let app = TestApp::start().await;
    let ann = app.user("ann").await;
    let mut socket = ann.socket().await;
    for n in 0..300 {
        let id = socket.subscribe("{ __typename }", &json!({})).await;
        assert_eq!(socket.next_json().await["type"], "next", "{n}");
        assert_eq!(socket.next_json().await["type"], "complete", "{n}");
        socket.send(&json!({ "type": "complete", "id": id })).await;
    }
    // More ends than beginnings are messages like others.
    for n in 0..200 {
        socket.send(&json!({ "type": "complete", "id": format!("made up {n}") })).await;
    }
    assert_eq!(socket.until_close().await.0, 1013);
}
