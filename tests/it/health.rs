//! How the server tells how it is: readiness, metrics, request ids.

use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::support::{TestApp, within};

#[tokio::test]
async fn the_server_tells_how_it_is() {
    let app = TestApp::start().await;
    assert_eq!(app.get("/livez").await.status(), 200);
    let ready = app.get("/readyz").await;
    assert_eq!(ready.status(), 200);
    let body: Value = ready.json().await.expect("readiness is JSON");
    assert_eq!(body["ready"], true, "{body}");
    let metrics = app.get("/metrics").await;
    assert_eq!(metrics.status(), 200);
    assert!(metrics.headers()[CONTENT_TYPE].to_str().is_ok_and(|media_type| media_type.starts_with("text/plain")));
    assert_eq!(app.get("/nothing").await.status(), 404);
}

#[tokio::test]
async fn a_broken_database_makes_the_server_unready_and_not_dead() {
    let app = TestApp::start().await;
    app.execute("ALTER TABLE event RENAME TO elsewhere").await;
    let unready = async {
        while app.get("/readyz").await.status() != 503 {
            tokio::task::yield_now().await;
        }
    };
    within("the server to notice that the log can't be read", unready).await;
    assert_eq!(app.get("/livez").await.status(), 200);

    app.execute("ALTER TABLE elsewhere RENAME TO event").await;
    let ready = async {
        while app.get("/readyz").await.status() != 200 {
            tokio::task::yield_now().await;
        }
    };
    within("the server to be ready again", ready).await;
}

#[tokio::test]
async fn every_metric_is_exposed_from_the_start() {
    let app = TestApp::start().await;
    for name in [
        "parlor_sockets",
        "parlor_streams",
        "parlor_deliveries_total",
        "parlor_append_seconds_count",
        "parlor_append_batch_size_count",
        "parlor_tail_position",
        "parlor_sql_statements_total",
    ] {
        app.metric(name).await;
    }
}

#[tokio::test]
async fn a_response_names_its_request() {
    let app = TestApp::start().await;
    let response = app.get("/livez").await;
    assert!(!response.headers()["x-request-id"].is_empty());

    let request = app.endpoint().http.get(app.endpoint().url("/livez")).header("x-request-id", "mine-1");
    let response = within("a response", request.send()).await.expect("the server responds");
    assert_eq!(response.headers()["x-request-id"], "mine-1");
}

#[tokio::test]
async fn requests_that_hold_every_connection_keep_nobody_from_hearing_and_the_node_stays_ready() {
    const POST: &str = "mutation($id: ID!) { postMessage(roomId: $id, body: \"hello\") { __typename } }";
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = bob.subscribe().await;

    let held = app.hold_reads().await;
    ann.graphql(POST, json!({ "id": room.id })).await.data();
    assert_eq!(feed.next_message().await.body, "hello");
    assert_eq!(app.get("/readyz").await.status(), 200);
    drop(held);
}

#[tokio::test]
async fn a_consumer_that_is_far_behind_degrades_every_node_and_takes_none_out_of_service() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    ann.post(&room, "soon gone").await;
    let consumers = async || {
        let response = app.get("/readyz").await;
        let status = response.status().as_u16();
        let body: Value = response.json().await.expect("readiness is JSON");
        (status, body["consumers"].as_str().expect("a text").to_owned())
    };
    assert_eq!(consumers().await, (200, "ok".to_owned()));

    app.execute("ALTER TABLE read_mark RENAME TO elsewhere").await;
    ann.delete_room(&room).await;
    app.until_metric_is("parlor_consumer_failures_total", |failures| failures > 0.0).await;
    app.clock().advance(chrono::TimeDelta::minutes(6));
    within("the consumer to be far behind", async {
        while consumers().await != (200, "degraded: purge".to_owned()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    app.until_metric_is("parlor_consumer_lag_seconds", |lag| lag >= 300.0).await;

    app.execute("ALTER TABLE elsewhere RENAME TO read_mark").await;
    within("the consumer to be up again", async {
        while consumers().await != (200, "ok".to_owned()) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
