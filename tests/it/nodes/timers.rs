//! Timers on several nodes: each fires exactly once.

use super::{nodes, stop};
use crate::support::{Database, Process, within};

/// Resolved reports with texts, whose timers are not due; and a note in a table of each time that a text was forgotten.
const MADE: [&str; 6] = [
    r#"INSERT INTO report (id, user_id, reason, created_at, outcome, resolved_at, note)
       SELECT gen_random_uuid(), id, 1, created_at, 1, created_at, 'said' FROM "user", generate_series(1, 400)"#,
    "INSERT INTO timer (kind, subject_id, due_at) SELECT 10, id, resolved_at + interval '90 days' FROM report",
    "CREATE TABLE forgotten (report uuid)",
    "CREATE FUNCTION note_forgotten() RETURNS trigger LANGUAGE plpgsql AS \
     'BEGIN INSERT INTO forgotten VALUES (NEW.id); RETURN NEW; END'",
    "CREATE TRIGGER note_forgotten AFTER UPDATE ON report FOR EACH ROW EXECUTE FUNCTION note_forgotten()",
    "UPDATE timer SET due_at = due_at - interval '90 days'",
];

async fn number(database: &Database, sql: &str) -> i64 {
    database.text(sql, sql).await.parse().expect("a number")
}

/// How many timers have fired on this node.
async fn fired(node: &Process) -> i64 {
    let text = within("the metrics", node.endpoint().get("/metrics").await.text()).await.expect("metrics are text");
    let count = text.lines().find_map(|line| line.strip_prefix("parlor_timers_fired_total{kind=\"report_texts\"} "));
    count.expect("it is shown").parse().expect("a number")
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn timers_fire_exactly_once_on_two_nodes_one_of_which_is_killed() {
    let database = Database::new().await;
    let [a, b, c] = nodes(&database, None).await;
    a.endpoint().user("ann").await;
    for sql in MADE {
        database.execute(sql).await;
    }
    within("some timers to fire", async {
        while number(&database, "SELECT count(*)::text FROM forgotten").await == 0 {}
    })
    .await;
    let all = [a, b, c];
    let mut busy = None;
    for (n, node) in all.iter().enumerate() {
        if fired(node).await > 0 {
            busy = Some(n);
        }
    }
    let mut all = Vec::from(all);
    // It may be that the first hundred have fired, and their node hasn't counted them yet.
    all.remove(busy.unwrap_or(0)).kill().await;
    within("all timers to fire", async { while number(&database, "SELECT count(*)::text FROM timer").await > 0 {} })
        .await;
    assert_eq!(number(&database, "SELECT count(*)::text FROM forgotten").await, 400);
    assert_eq!(number(&database, "SELECT count(DISTINCT report)::text FROM forgotten").await, 400);
    assert_eq!(number(&database, "SELECT count(*)::text FROM report WHERE note IS NOT NULL").await, 0);

    database.execute(MADE[0]).await;
    database.execute(&MADE[1].replace("+ interval '90 days' FROM report", "FROM report WHERE note IS NOT NULL")).await;
    within("all timers to fire", async { while number(&database, "SELECT count(*)::text FROM timer").await > 0 {} })
        .await;
    assert_eq!(number(&database, "SELECT count(*)::text FROM forgotten").await, 800);
    let counted = async {
        loop {
            let mut sum = 0;
            for node in &all {
                sum += fired(node).await;
            }
            if sum >= 400 {
                return sum;
            }
        }
    };
    assert!(within("the nodes to have counted them", counted).await <= 800);
    stop(all).await;
}
