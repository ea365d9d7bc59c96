//! The report of `parlor check`.

use super::{assert_snapshot, in_a_terminal};
use crate::support::TestApp;

/// Does a little of most things, one after the other: the report must not depend on what came first.
async fn be_used(app: &TestApp) {
    let [ann, bob, eve] = [app.user("ann").await, app.user("bob").await, app.user("eve").await];
    let room = ann.initiate_chat([&bob]).await;
    for n in 1..=24 {
        ann.post(&room, &format!("message {n}")).await;
    }
    bob.mark_read(&room, 20).await;
    bob.post(&room, "the last").await;
    eve.delete_account().await;
}

async fn check(app: &TestApp) -> String {
    in_a_terminal(&["check"], &app.parlor(&["check"]).await)
}

#[tokio::test]
async fn the_report_on_a_whole_database_is_one_line() {
    let app = TestApp::start().await;
    be_used(&app).await;
    assert_snapshot("check", "whole", &check(&app).await);
}

#[tokio::test]
async fn the_report_on_a_broken_database_names_every_broken_rule_and_its_rows() {
    let mut app = TestApp::start().await;
    be_used(&app).await;
    app.stop().await;
    for broken in [
        // To be made anew: how far the server came with it, and whether it holds texts, differs.
        "UPDATE search_state SET form = 0",
        "UPDATE room SET last_position = last_position - 1",
        "UPDATE event SET position = position + 10 WHERE position = (SELECT max(position) FROM event)",
        "UPDATE message SET body = '' WHERE seq <= 22",
        "UPDATE message SET seq = 100 WHERE seq = 25",
        "UPDATE room SET member_count = member_count + 1",
        r#"UPDATE member SET read_seq = 1000 WHERE user_id = (SELECT id FROM "user" WHERE username = 'bob')"#,
        r#"UPDATE "user" SET password_hash = 'x' WHERE deleted_at IS NOT NULL"#,
    ] {
        app.execute(broken).await;
    }
    assert_snapshot("check", "broken", &check(&app).await);
}

#[tokio::test]
async fn a_database_of_another_version_is_refused_with_what_to_do() {
    let app = TestApp::start().await;
    app.execute("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)").await;
    let newer = check(&app).await;
    app.execute("DELETE FROM seaql_migrations").await;
    let older = check(&app).await;
    app.execute("ALTER TABLE seaql_migrations RENAME TO elsewhere").await;
    let foreign = check(&app).await;
    assert_snapshot("check", "other_versions", &[newer, older, foreign].join("\n"));
}
