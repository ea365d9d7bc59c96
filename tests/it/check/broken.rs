//! Every rule can be broken; the report then names it, and the rows that break it.

mod attachments;
mod log;
mod messages;
mod rooms;
mod search;
mod ways_in;
mod webhooks;

use std::collections::BTreeSet;

use super::{be_busy, check, expect_whole};
use crate::support::TestApp;

/// A way to break a rule, and the way back. Statements run on both databases unless there is one for each.
struct Case {
    rule: &'static str,
    /// Part of what the report says.
    told: &'static str,
    broken: Sql,
    mended: Sql,
}

#[derive(Clone, Copy)]
enum Sql {
    Both(&'static str),
    Each { sqlite: &'static str, postgres: &'static str },
}

/// Runs only on this database.
const NOWHERE: &str = "";

impl Sql {
    /// None: there is no such rule on the database that the tests run on.
    fn here(self) -> Option<&'static str> {
        let on_postgres = std::env::var_os("PARLOR_TEST_POSTGRES").is_some_and(|server| !server.is_empty());
        let sql = match self {
            Self::Both(sql) => sql,
            Self::Each { postgres, .. } if on_postgres => postgres,
            Self::Each { sqlite, .. } => sqlite,
        };
        (sql != NOWHERE).then_some(sql)
    }
}

const fn case(rule: &'static str, told: &'static str, broken: &'static str, mended: &'static str) -> Case {
    Case { rule, told, broken: Sql::Both(broken), mended: Sql::Both(mended) }
}

const AUTHOR_IS_ANN: &str =
    r#"UPDATE message SET author_id = (SELECT id FROM "user" WHERE username = 'ann') WHERE client_id = 'of-ann'"#;

/// Every way to break a rule; each rule has one at least.
fn cases() -> impl Iterator<Item = &'static Case> {
    [log::CASES, rooms::CASES, messages::CASES, ways_in::CASES, webhooks::CASES, search::CASES, attachments::CASES]
        .into_iter()
        .flatten()
}

#[tokio::test]
async fn what_breaks_a_rule_is_told_by_the_rule_and_fails() {
    let mut app = TestApp::start().await;
    be_busy(&app).await;
    app.stop().await;
    let here = cases().filter(|case| case.broken.here().is_some());
    let named: BTreeSet<&str> = here.map(|case| case.rule).collect();
    assert_eq!(named.len(), expect_whole(&app, "before").await, "every rule has a case: {named:?}");

    for Case { rule, told, broken, mended } in cases() {
        let (Some(broken), Some(mended)) = (broken.here(), mended.here()) else { continue };
        app.execute(broken).await;
        let (whole, report) = check(&app).await;
        assert!(!whole, "{rule} should be broken by {broken}: {report}");
        let finding = report.lines().find(|line| line.starts_with(&format!("{rule}: ")) && line.contains(told));
        assert!(finding.is_some(), "expected {rule} to tell that {told} after {broken}, got {report}");
        assert!(report.lines().last().is_some_and(|line| line.starts_with("not whole: ")), "{report}");
        app.execute(mended).await;
        expect_whole(&app, mended).await;
    }
}

#[tokio::test]
async fn of_many_findings_twenty_are_told_and_the_rest_counted() {
    let mut app = TestApp::start().await;
    be_busy(&app).await;
    app.stop().await;
    // What a deleted room has left may be gone by now, or not.
    app.execute(
        "UPDATE message SET body = '' WHERE seq <= 25 AND room_id IN (SELECT id FROM room WHERE deleted_at IS NULL)",
    )
    .await;
    // Nothing is told of an index that is to be made anew.
    app.execute("UPDATE search_state SET form = 0").await;

    let (whole, report) = check(&app).await;

    assert!(!whole);
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines.len(), 22, "{report}");
    assert!(lines[..20].iter().all(|line| line.starts_with("message_body: msg_")), "{report}");
    assert_eq!(lines[20], "message_body: and 5 more");
    assert!(lines[21].ends_with("in 25 places"), "{report}");
}
