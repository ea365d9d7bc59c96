//! Timers: what happens when its time has come. What was said in a resolved report is forgotten by one.

use chrono::TimeDelta;
use serde_json::{Value, json};

use crate::support::{TestApp, within};

const REPORT: &str = "mutation Report($input: ReportInput!) { report(input: $input) { reportId } }";
const RESOLVE: &str = "mutation Resolve($id: ID!, $outcome: ReportOutcome!) { resolveReport(reportId: $id, outcome: $outcome) \
     { report { id } } }";

const TIMERS: &str = "SELECT CAST(count(*) AS text) FROM timer";
const TEXTS: &str = "SELECT CAST(count(*) AS text) FROM report WHERE note IS NOT NULL";

/// Resolved reports with texts, made behind the server's back from rows of the log, and their timers as migration `m0014`
/// makes them.
const MANY: [&str; 2] = [
    "INSERT INTO report (id, user_id, reason, created_at, outcome, resolved_at, note) \
     SELECT message.id, author_id, 1, created_at, 1, created_at, 'said' FROM message",
    "INSERT INTO timer (kind, subject_id, due_at) SELECT 10, id, {in_90_days} FROM report",
];

async fn number(app: &TestApp, sql: &str) -> i64 {
    app.text(sql, sql).await.parse().expect("a number")
}

async fn until(app: &TestApp, what: &str, sql: &str, expected: i64) {
    within(what, async { while number(app, sql).await != expected {} }).await;
}

#[tokio::test]
async fn what_falls_due_while_no_server_runs_happens_late_and_once() {
    let mut app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;
    for n in 0..230 {
        ann.post(&room, &format!("number {n}")).await;
    }
    app.stop().await;
    let in_90_days = app
        .text(
            "SELECT 'strftime(''%Y-%m-%dT%H:%M:%f+00:00'', resolved_at, ''+90 days'')'",
            "SELECT 'resolved_at + interval ''90 days'''",
        )
        .await;
    for sql in MANY {
        app.execute(&sql.replace("{in_90_days}", &in_90_days)).await;
    }
    app.resume().await;
    app.fire_timers().await;
    assert_eq!((number(&app, TIMERS).await, number(&app, TEXTS).await), (230, 230), "nothing is due yet");

    app.stop().await;
    app.clock().advance(TimeDelta::days(91));
    app.resume().await;
    until(&app, "all timers to fire", TIMERS, 0).await;
    assert_eq!(number(&app, TEXTS).await, 0);
    app.until_metric("parlor_timers_fired_total", 230.0).await;
    app.fire_timers().await;
}

#[tokio::test]
async fn a_timer_moves_with_what_it_is_for() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    ann.initiate_chat([&bob]).await;
    let backend = app.backend("backend").await;
    let report = async |note: &str| {
        let input = json!({ "userId": ann.id, "reason": "SPAM", "note": note });
        // Time passes, and tokens with it.
        let bob = app.sign_in("bob").await;
        bob.graphql(REPORT, json!({ "input": input })).await["/report/reportId"].clone()
    };
    let resolve = async |id: &Value, outcome: &str| {
        backend.graphql(RESOLVE, json!({ "id": id, "outcome": outcome })).await.data();
    };
    let id = report("one").await;
    assert_eq!(number(&app, TIMERS).await, 0, "an open report is kept for however long");
    resolve(&id, "ACTED").await;
    assert_eq!(number(&app, TIMERS).await, 1);

    app.clock().advance(TimeDelta::days(60));
    resolve(&id, "DISMISSED").await;
    app.clock().advance(TimeDelta::days(60));
    app.fire_timers().await;
    assert_eq!(number(&app, TEXTS).await, 1, "it was resolved anew 60 days ago");

    assert_eq!(report("two").await, id, "it waits again");
    assert_eq!(number(&app, TIMERS).await, 0);
    app.clock().advance(TimeDelta::days(60));
    app.fire_timers().await;
    assert_eq!(number(&app, TEXTS).await, 1, "an open report is kept for however long");

    resolve(&id, "ACTED").await;
    app.sign_in("bob").await.delete_account().await;
    app.clock().advance(TimeDelta::days(91));
    until(&app, "the timer to fire", TIMERS, 0).await;
    assert_eq!(number(&app, TEXTS).await, 0);
}
