//! Reports as those see and resolve them who keep order in a room.

use serde_json::{Value, json};

use crate::support::{Answer, Room, TestApp, TestUser};

const REPORT: &str = "mutation Report($input: ReportInput!) { report(input: $input) { reportId } }";
const OF_ROOM: &str = "query OfRoom($id: ID!, $first: Int, $after: String) { room(id: $id) { viewer { id
    reports(first: $first, after: $after) { nodes { id reporter { id } userId reportedBody note outcome }
      pageInfo { hasNextPage endCursor } } } } }";
const RESOLVE: &str = "mutation Resolve($id: ID!, $outcome: ReportOutcome!) {
    resolveReport(reportId: $id, outcome: $outcome) { report { outcome resolvedBy { id } } } }";
const UNKNOWN: &str = "report_00000000000000000000000000";

/// A group of ann, who owns it, bob and max, moderators, and kim and eve, members. Each has said one thing, and eve, or kim
/// of what eve has said, has reported it: `reports` are of ann, bob, max, kim and eve.
struct Club {
    app: TestApp,
    users: [TestUser; 5],
    room: Room,
    reports: Vec<String>,
}

impl Club {
    async fn start() -> Self {
        let app = TestApp::start_with(|config| config.poll_ms = 60_000).await;
        let users = app.users(["ann", "bob", "max", "kim", "eve"]).await;
        let [ann, bob, max, kim, eve] = &users;
        let members = json!([{ "userId": bob.id, "role": "MODERATOR" }, { "userId": max.id, "role": "MODERATOR" },
            { "userId": kim.id }, { "userId": eve.id }]);
        let document = "mutation($input: CreateRoomInput!) { createRoom(input: $input) { room { id } } }";
        let made = ann.graphql(document, json!({ "input": { "members": members } })).await;
        let room = Room { id: made.text("/createRoom/room/id").to_owned() };
        let mut reports = Vec::new();
        for user in &users {
            let message = user.post(&room, &format!("by {}", user.username)).await;
            let reporter = if user.id == eve.id { kim } else { eve };
            reports.push(report(reporter, &message.id).await);
        }
        Self { app, users, room, reports }
    }
}

/// The five, each under a name of its own.
fn named(reports: &[String]) -> [&str; 5] {
    let reports: Vec<&str> = reports.iter().map(String::as_str).collect();
    reports.try_into().expect("five reports")
}

async fn report(user: &TestUser, message: &str) -> String {
    let input = json!({ "messageId": message, "reason": "SPAM", "note": "look" });
    user.graphql(REPORT, json!({ "input": input })).await.text("/report/reportId").to_owned()
}

async fn seen(user: &TestUser, room: &Room) -> Vec<String> {
    let answer = user.graphql(OF_ROOM, json!({ "id": room.id, "first": 100 })).await;
    let id = |node: &Value| node["id"].as_str().expect("an id").to_owned();
    answer.list("/room/viewer/reports/nodes").iter().map(id).collect()
}

async fn resolve(user: &TestUser, report: &str, outcome: &str) -> Answer {
    user.graphql(RESOLVE, json!({ "id": report, "outcome": outcome })).await
}

#[tokio::test]
async fn reports_are_seen_newest_first_by_who_has_more_say_than_whom_they_are_about() {
    let Club { app: _app, users: [ann, bob, max, kim, eve], room, reports } = Club::start().await;
    let [_of_ann, of_bob, of_max, of_kim, of_eve] = named(&reports);

    assert_eq!(seen(&ann, &room).await, [of_eve, of_kim, of_max, of_bob]);
    for moderator in [&bob, &max] {
        assert_eq!(seen(moderator, &room).await, [of_eve, of_kim], "nothing of a moderator");
    }
    for member in [&kim, &eve] {
        assert!(seen(member, &room).await.is_empty());
    }
    // Page by page.
    let first = ann.graphql(OF_ROOM, json!({ "id": room.id, "first": 3 })).await;
    let reports = "/room/viewer/reports";
    assert_eq!(first[&*format!("{reports}/nodes/1/id")], json!(of_kim));
    assert_eq!(first[&*format!("{reports}/nodes/1/reportedBody")], "by kim");
    assert_eq!(first[&*format!("{reports}/nodes/1/reporter/id")], json!(eve.id));
    assert_eq!(first[&*format!("{reports}/pageInfo/hasNextPage")], true);
    let after = first.text(&format!("{reports}/pageInfo/endCursor")).to_owned();
    let rest = ann.graphql(OF_ROOM, json!({ "id": room.id, "first": 3, "after": after })).await;
    assert_eq!(rest.list(&format!("{reports}/nodes")).len(), 1);
    assert_eq!(rest[&*format!("{reports}/pageInfo/hasNextPage")], false);
    let other = ann.initiate_chat([&bob]).await;
    let foreign = ann.graphql(OF_ROOM, json!({ "id": other.id, "after": after })).await;
    assert_eq!((foreign.error_code(), foreign.error_field()), ("BAD_USER_INPUT", "after"));
}

#[tokio::test]
async fn a_report_is_resolved_by_those_who_see_it_and_by_nobody_else() {
    let Club { app, users: [ann, bob, max, kim, eve], room, reports } = Club::start().await;
    let [of_ann, of_bob, of_max, of_kim, _] = named(&reports);
    let of_user = json!({ "userId": kim.id, "reason": "SPAM" });
    let of_user = bob.graphql(REPORT, json!({ "input": of_user })).await.text("/report/reportId").to_owned();
    let stranger = app.user("sam").await;
    let mut statements = app.watch_statements();

    let mut ran = Vec::new();
    for (user, report) in [(&bob, UNKNOWN), (&bob, of_ann), (&bob, of_bob), (&bob, of_max), (&bob, &of_user)]
        .into_iter()
        .chain([(&kim, of_kim), (&eve, of_kim), (&stranger, of_kim), (&ann, of_ann)])
    {
        user.sync_cursor().await;
        statements.texts();
        let refused = resolve(user, report, "DISMISSED").await;
        assert_eq!((refused.error_code(), refused.error_field()), ("NOT_FOUND", "reportId"));
        ran.push((refused.status, refused.body, statements.texts()));
    }
    for seen in &ran {
        assert_eq!(seen, &ran[0]);
    }

    let resolved = resolve(&bob, of_kim, "ACTED").await;
    assert_eq!(resolved["/resolveReport/report/resolvedBy/id"], json!(bob.id));
    assert_eq!(resolve(&max, of_kim, "ACTED").await.data(), resolved.data(), "the same again is no news");
    assert_eq!(resolve(&max, of_kim, "DISMISSED").await.error_code(), "CONFLICT");
    assert_eq!(resolve(&ann, of_kim, "DISMISSED").await.error_code(), "CONFLICT");
    resolve(&bob, of_kim, "DISMISSED").await.data();
    assert!(!seen(&ann, &room).await.iter().any(|id| id == of_kim), "it is no longer open");
    let backend = app.backend("backend").await;
    let changed = backend.graphql(RESOLVE, json!({ "id": of_kim, "outcome": "ACTED" })).await;
    assert_eq!(changed["/resolveReport/report/outcome"], "ACTED");
    assert_eq!(changed["/resolveReport/report/resolvedBy"], Value::Null);
    let acting = backend.acting_for(&kim.id, RESOLVE, json!({ "id": of_ann, "outcome": "ACTED" })).await;
    assert_eq!(acting["/resolveReport/report/resolvedBy/id"], json!(kim.id));
}

#[tokio::test]
async fn who_has_left_has_no_say_and_no_role_and_a_deleted_account_takes_no_report_along() {
    let Club { app: _app, users: [ann, bob, max, kim, eve], room, reports } = Club::start().await;
    let [of_ann, of_bob, of_max, of_kim, of_eve] = named(&reports);

    max.leave(&room).await;
    assert_eq!(seen(&bob, &room).await, [of_eve, of_kim, of_max], "a role ends with the membership");
    assert_eq!(resolve(&max, of_kim, "ACTED").await.error_code(), "NOT_FOUND");
    assert_eq!(max.graphql(OF_ROOM, json!({ "id": room.id })).await["/room"], Value::Null);
    kim.delete_account().await;
    eve.graphql("mutation { deleteAccount(messages: DELETE) { userId } }", json!({})).await.data();
    let answer = bob.graphql(OF_ROOM, json!({ "id": room.id })).await;
    let nodes = answer.list("/room/viewer/reports/nodes");
    assert_eq!(nodes.iter().map(|node| &node["id"]).collect::<Vec<_>>(), [of_eve, of_kim, of_max]);
    assert!(nodes.iter().all(|node| node["reporter"].is_null()), "their reporters are gone");
    assert_eq!((&nodes[0]["reportedBody"], &nodes[1]["reportedBody"]), (&Value::Null, &json!("by kim")));

    // The heir of the owner sees what the owner saw, and still not what is about the own words.
    ann.leave(&room).await;
    assert_eq!(seen(&bob, &room).await, [of_eve, of_kim, of_max, of_ann]);
    resolve(&bob, of_ann, "DISMISSED").await.data();
    assert_eq!(resolve(&bob, of_bob, "DISMISSED").await.error_code(), "NOT_FOUND");
    bob.delete_room(&room).await;
    assert_eq!(resolve(&bob, of_eve, "DISMISSED").await.error_code(), "NOT_FOUND");
}

#[tokio::test]
async fn the_support_side_sees_what_is_reported_of_those_who_ask() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let sue = app.support_user("sue").await;
    let (support, _) = ann.initiate([&sue], "CONSUMER_TO_SUPPORT").await;
    let direct = ann.initiate_chat([&bob]).await;
    let (asked, answered) = (ann.post(&support, "rude").await, sue.post(&support, "no").await);
    let of_ann = report(&sue, &asked.id).await;
    let of_sue = report(&ann, &answered.id).await;
    let between = report(&bob, &ann.post(&direct, "rude").await.id).await;

    assert_eq!(seen(&sue, &support).await, [&*of_ann]);
    assert!(seen(&ann, &support).await.is_empty(), "not even what is about the other side");
    for user in [&ann, &bob] {
        assert!(seen(user, &direct).await.is_empty(), "nobody keeps order in a room of two");
    }
    for (user, report) in [(&sue, &of_sue), (&ann, &of_sue), (&ann, &of_ann), (&ann, &between), (&bob, &between)] {
        assert_eq!(resolve(user, report, "ACTED").await.error_code(), "NOT_FOUND");
    }
    resolve(&sue, &of_ann, "ACTED").await.data();
    assert!(seen(&sue, &support).await.is_empty());
}

#[tokio::test]
async fn the_reports_of_many_rooms_take_as_many_statements_as_those_of_few_and_read_by_indexes() {
    const ALL: &str = "query All($first: Int) { rooms(first: $first) { nodes { viewer { reports(first: 2) {
        nodes { id reporter { id } user { id } } pageInfo { hasNextPage } } } } } }";
    let app = TestApp::start_with(|config| config.poll_ms = 60_000).await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let document = "mutation($input: CreateRoomInput!) { createRoom(input: $input) { room { id } } }";
    for _ in 0..12 {
        let made = ann.graphql(document, json!({ "input": { "members": [{ "userId": bob.id }] } })).await;
        let room = Room { id: made.text("/createRoom/room/id").to_owned() };
        for n in 0..3 {
            let message = bob.post(&room, &n.to_string()).await;
            let input = json!({ "messageId": message.id, "reason": "SPAM" });
            ann.graphql(REPORT, json!({ "input": input })).await.data();
        }
    }
    ann.sync_cursor().await;
    let mut statements = app.watch_statements();
    let mut taken = Vec::new();
    for count in [2, 12] {
        statements.texts();
        let answer = ann.graphql(ALL, json!({ "first": count })).await;
        let mut ran = statements.texts();
        ran.sort();
        taken.push(ran.len());
        let rooms = answer.list("/rooms/nodes");
        assert_eq!(rooms.len(), count);
        for room in rooms {
            let page = &room["viewer"]["reports"];
            assert_eq!(
                (page["nodes"].as_array().map(Vec::len), &page["pageInfo"]["hasNextPage"]),
                (Some(2), &json!(true))
            );
        }
    }
    assert_eq!(taken[0], taken[1]);
    ann.graphql(ALL, json!({ "first": 5 })).await.data();
    resolve(&ann, UNKNOWN, "ACTED").await;
    statements.expect_no_scan(&app, "reports of rooms").await;
}
