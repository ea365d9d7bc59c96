//! Reports: what is kept, who may make one, and the queue of the app's backend.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, TestUser, documents};

const REPORT: &str = "mutation Report($input: ReportInput!) { report(input: $input) { reportId } }";
const REPORTS: &str = "query Reports($resolved: Boolean!, $first: Int, $after: String) {
    reports(resolved: $resolved, first: $first, after: $after) { nodes { id reporter { id } messageId roomId userId
      user { id } reportedBody reason note outcome resolvedAt } pageInfo { hasNextPage endCursor } } }";
const RESOLVE: &str = "mutation Resolve($id: ID!, $outcome: ReportOutcome!) {
    resolveReport(reportId: $id, outcome: $outcome) { report { id outcome resolvedAt } } }";

async fn report(user: &TestUser, input: Value) -> Answer {
    user.graphql(REPORT, json!({ "input": input })).await
}

#[tokio::test]
async fn a_report_keeps_the_text_as_it_was_and_is_for_the_key_alone() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post(&room, "as it was").await;
    let mut feed = ann.subscribe().await;

    let input = json!({ "messageId": message.id, "reason": "HATE", "note": " look " });
    let made = report(&bob, input.clone()).await;
    let again = report(&bob, input).await;
    assert_eq!(made["/report/reportId"], again["/report/reportId"]);
    report(&bob, json!({ "userId": ann.id, "reason": "SPAM" })).await.data();
    ann.edit(&message, "nicer").await;
    ann.delete(&message).await;
    feed.next_of("MessageEdited").await;
    feed.next_of("MessageDeleted").await;
    let marker = bob.post(&room, "marker").await;
    feed.expect_silence_until(&marker).await;

    let backend = app.backend("backend").await;
    let open = backend.graphql(REPORTS, json!({ "resolved": false, "first": 1 })).await;
    let kept = &open["/reports/nodes/0"];
    assert_eq!((&kept["reportedBody"], &kept["note"]), (&json!("as it was"), &json!("look")));
    assert_eq!((&kept["reporter"]["id"], &kept["userId"]), (&json!(bob.id), &json!(ann.id)));
    assert_eq!(
        (&kept["messageId"], &kept["roomId"], &kept["reason"]),
        (&json!(message.id), &json!(room.id), &json!("HATE"))
    );
    let after = open.text("/reports/pageInfo/endCursor");
    let rest = backend.graphql(REPORTS, json!({ "resolved": false, "after": after })).await;
    assert_eq!(rest["/reports/nodes/0/messageId"], Value::Null);
    assert_eq!(rest.list("/reports/nodes").len(), 1);

    for user in [&ann, &bob] {
        let refused = user.graphql(REPORTS, json!({ "resolved": false })).await;
        assert_eq!(refused.error()["extensions"]["reason"], "SERVER_KEY_NEEDED");
        let refused = user.graphql(RESOLVE, json!({ "id": kept["id"], "outcome": "DISMISSED" })).await;
        assert_eq!((refused.error_code(), refused.error_field()), ("NOT_FOUND", "reportId"));
    }
    let resolved = backend.graphql(RESOLVE, json!({ "id": kept["id"], "outcome": "ACTED" })).await;
    assert_eq!(resolved["/resolveReport/report/outcome"], "ACTED");
    let same = backend.graphql(RESOLVE, json!({ "id": kept["id"], "outcome": "ACTED" })).await;
    assert_eq!(same["/resolveReport"], resolved["/resolveReport"]);
    let done = backend.graphql(REPORTS, json!({ "resolved": true })).await;
    assert_eq!(done.list("/reports/nodes").len(), 1);
    let unknown = json!({ "id": "report_00000000000000000000000000", "outcome": "ACTED" });
    let unknown = backend.graphql(RESOLVE, unknown).await;
    assert_eq!((unknown.error_code(), unknown.error_field()), ("NOT_FOUND", "reportId"));
}

#[tokio::test]
async fn only_what_is_seen_is_reported_and_nothing_of_ones_own() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    let (message, deleted) = (ann.post(&room, "one").await, ann.post(&room, "two").await);
    ann.delete(&deleted).await;
    eve.leave(&room).await;

    let nothing = "msg_00000000000000000000000000";
    let (left, unknown) = (
        report(&eve, json!({ "messageId": message.id, "reason": "SPAM" })).await,
        report(&eve, json!({ "messageId": nothing, "reason": "SPAM" })).await,
    );
    assert_eq!((left.error_code(), left.error_field()), ("NOT_FOUND", "messageId"));
    assert_eq!(left.body, unknown.body, "who has left sees it no more than if it weren't there");
    for (user, input, code) in [
        (&bob, json!({ "messageId": deleted.id, "reason": "SPAM" }), "CONFLICT"),
        (&ann, json!({ "messageId": message.id, "reason": "SPAM" }), "BAD_USER_INPUT"),
        (&ann, json!({ "userId": ann.id, "reason": "SPAM" }), "BAD_USER_INPUT"),
        (&bob, json!({ "reason": "SPAM" }), "BAD_USER_INPUT"),
        (&bob, json!({ "userId": ann.id, "messageId": message.id, "reason": "SPAM" }), "BAD_USER_INPUT"),
        (&bob, json!({ "userId": "user_00000000000000000000000000", "reason": "SPAM" }), "NOT_FOUND"),
        (&bob, json!({ "userId": ann.id, "reason": "SPAM", "note": "x".repeat(1_001) }), "BAD_USER_INPUT"),
        (&bob, json!({ "userId": ann.id, "reason": "SPAM", "note": "a\u{0}b" }), "BAD_USER_INPUT"),
    ] {
        assert_eq!(report(user, input.clone()).await.error_code(), code, "{input}");
    }
    let count = app.text("SELECT CAST(count(*) AS text) FROM report", "SELECT count(*)::text FROM report").await;
    assert_eq!(count, "0");
}

#[tokio::test]
async fn what_was_reported_goes_with_the_account_where_its_messages_go() {
    let app = TestApp::start().await;
    let [ann, bob, eve] = app.users(["ann", "bob", "eve"]).await;
    let room = ann.initiate_chat([&bob, &eve]).await;
    let (of_ann, of_bob) = (ann.post(&room, "by ann").await, bob.post(&room, "by bob").await);
    for message in [&of_ann, &of_bob] {
        report(&eve, json!({ "messageId": message.id, "reason": "SPAM", "note": "eve says" })).await.data();
    }
    ann.delete_account().await;
    bob.graphql("mutation { deleteAccount(messages: DELETE) { __typename } }", json!({})).await.data();
    let backend = app.backend("backend").await;
    let open = backend.graphql(REPORTS, json!({ "resolved": false })).await;
    let bodies: Vec<&Value> = open.list("/reports/nodes").iter().map(|it| &it["reportedBody"]).collect();
    assert_eq!(bodies, [&json!("by ann"), &Value::Null], "leaving is no way to take the evidence along");
    assert!(open.list("/reports/nodes").iter().all(|it| it["user"].is_null() && it["note"] == "eve says"));

    eve.graphql(documents::DELETE_ACCOUNT, json!({})).await.data();
    let open = backend.graphql(REPORTS, json!({ "resolved": false })).await;
    assert!(open.list("/reports/nodes").iter().all(|it| it["reporter"].is_null() && it["note"].is_null()));
}

#[tokio::test]
async fn who_goes_on_after_a_report_was_resolved_is_reported_again() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let backend = app.backend("backend").await;
    let room = ann.initiate_chat([&bob]).await;
    let message = ann.post(&room, "hello").await;
    let of_user = json!({ "userId": ann.id, "reason": "SPAM" });
    let of_message = json!({ "messageId": message.id, "reason": "SPAM" });
    let (user, about) = (report(&bob, of_user).await, report(&bob, of_message.clone()).await);
    for made in [&user, &about] {
        let variables = json!({ "id": made["/report/reportId"], "outcome": "DISMISSED" });
        backend.graphql(RESOLVE, variables).await.data();
    }

    let again = report(&bob, json!({ "userId": ann.id, "reason": "HATE", "note": "worse" })).await;
    assert_eq!(again["/report/reportId"], user["/report/reportId"]);
    assert_eq!(report(&bob, of_message).await["/report/reportId"], about["/report/reportId"]);

    let open = backend.graphql(REPORTS, json!({ "resolved": false })).await;
    let [waiting] = open.list("/reports/nodes") else { panic!("expected one report: {open:?}") };
    assert_eq!((&waiting["id"], &waiting["reason"]), (&user["/report/reportId"], &json!("HATE")));
    assert_eq!((&waiting["note"], &waiting["outcome"]), (&json!("worse"), &Value::Null));
}

#[tokio::test]
async fn what_was_said_is_kept_for_ninety_days_after_a_report_was_resolved() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let backend = app.backend("backend").await;
    let room = ann.initiate_chat([&bob]).await;
    let mut made = Vec::new();
    for text in ["one", "two"] {
        let message = ann.post(&room, text).await;
        made.push(report(&bob, json!({ "messageId": message.id, "reason": "SPAM", "note": text })).await);
    }
    let variables = json!({ "id": made[0]["/report/reportId"], "outcome": "ACTED" });
    backend.graphql(RESOLVE, variables).await.data();
    let kept = async |resolved: bool| {
        let answer = backend.graphql(REPORTS, json!({ "resolved": resolved })).await;
        let node = &answer.list("/reports/nodes")[0];
        (node["reportedBody"].clone(), node["note"].clone())
    };

    app.clock().advance(TimeDelta::days(89));
    app.fire_timers().await;
    assert_eq!(kept(true).await, (json!("one"), json!("one")));
    app.clock().advance(TimeDelta::days(2));
    app.fire_timers().await;
    assert_eq!(kept(true).await, (Value::Null, Value::Null));
    assert_eq!(kept(false).await, (json!("two"), json!("two")), "what waits is kept for however long");
}

#[tokio::test]
async fn the_apps_backend_is_told_of_reports_and_nobody_else() {
    const TOLD: &str = "subscription { events { __typename cursor
        ... on ReportFiled { report { ...what } } ... on ReportResolved { report { ...what } } } }
        fragment what on Report { id reporter { username } userId user { username } messageId reportedBody reason outcome }";
    let app = crate::webhooks::app().await;
    let [ann, bob, kim] = app.users(["ann", "bob", "kim"]).await;
    let (backend, receiver) = (app.backend("backend").await, crate::webhooks::Receiver::start().await);
    let (_, secret) = backend.webhook(&receiver, TOLD, true).await;
    let room = ann.initiate_chat([&bob, &kim]).await;
    let mut feeds = Vec::new();
    for user in [&ann, &bob, &kim] {
        feeds.push(user.subscribe_to(TOLD, json!({})).await);
    }
    let message = ann.post(&room, "as it was").await;
    let made = report(&bob, json!({ "messageId": message.id, "reason": "HATE" })).await;
    ann.delete(&message).await;
    let mut expected = json!({ "id": made["/report/reportId"], "reporter": { "username": "bob" }, "userId": ann.id,
        "user": { "username": "ann" }, "messageId": message.id, "reportedBody": "as it was", "reason": "HATE", "outcome": null });

    let told = receiver.next().await;
    assert_eq!((told.kind(), told.signed_by(&secret)), ("report.filed", vec![true]));
    assert_eq!(told.body["data"]["report"], expected);
    assert_eq!(told.body["audience"], json!({ "roomId": null, "userId": bob.id }));
    let resolve = json!({ "id": made["/report/reportId"], "outcome": "ACTED" });
    backend.graphql(RESOLVE, resolve).await.data();
    expected["outcome"] = json!("ACTED");
    let told = receiver.next().await;
    assert_eq!((told.kind(), &told.body["data"]["report"]), ("report.resolved", &expected));

    let pulled =
        TOLD.replace("subscription { events { __typename cursor", "{ log(first: 100) { entries { event { __typename");
    let pulled = pulled.replacen("} } } }", "} } } } } }", 1);
    let log = backend.graphql(&pulled, json!({})).await;
    let told =
        log.list("/log/entries").iter().map(|entry| &entry["event"]).filter(|event| event.get("report").is_some());
    let told: Vec<_> = told.map(|event| (&event["__typename"], &event["report"])).collect();
    assert_eq!(told, [(&json!("ReportFiled"), &expected), (&json!("ReportResolved"), &expected)]);

    let marker = kim.post(&room, "marker").await;
    let posted: Vec<_> = kim.messages(&room).await.iter().map(|message| message.id.clone()).collect();
    assert!(posted.contains(&marker.id));
    for feed in &mut feeds {
        for kind in ["MessagePosted", "MessageDeleted", "MessagePosted"] {
            assert_eq!(feed.next_event().await.kind, kind, "no socket is told");
        }
    }
}
