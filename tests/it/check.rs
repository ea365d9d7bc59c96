//! `parlor check`: a database that the server has written is whole, and one that somebody else has written is not.

use std::collections::BTreeSet;
use std::process::Output;

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Database, Room, TestApp, TestUser, documents, within};

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

const CASES: &[Case] = &[
    Case {
        rule: "integrity",
        told: "NULL value in room.last_seq",
        broken: Sql::Each {
            sqlite: "CREATE TABLE whole (sql TEXT); INSERT INTO whole SELECT sql FROM sqlite_schema WHERE name = 'room'; \
                     PRAGMA writable_schema = ON; \
                     UPDATE sqlite_schema SET sql = replace(sql, 'last_seq INTEGER NOT NULL', 'last_seq INTEGER') \
                     WHERE name = 'room'; PRAGMA writable_schema = RESET; \
                     UPDATE room SET last_seq = NULL WHERE member_count = 3; PRAGMA writable_schema = ON; \
                     UPDATE sqlite_schema SET sql = (SELECT sql FROM whole) WHERE name = 'room'",
            postgres: NOWHERE,
        },
        mended: Sql::Each {
            sqlite: "UPDATE room SET last_seq = (SELECT max(seq) FROM message WHERE room_id = room.id) \
                     WHERE member_count = 3; DROP TABLE whole",
            postgres: NOWHERE,
        },
    },
    Case {
        rule: "constraints",
        told: "never validated",
        broken: Sql::Each {
            sqlite: NOWHERE,
            postgres: "ALTER TABLE session ADD CONSTRAINT fresh CHECK (client <> '') NOT VALID",
        },
        mended: Sql::Each { sqlite: NOWHERE, postgres: "ALTER TABLE session DROP CONSTRAINT fresh" },
    },
    Case {
        rule: "foreign_keys",
        told: "a",
        broken: Sql::Each {
            sqlite: "PRAGMA foreign_keys = OFF; UPDATE message SET author_id = id WHERE client_id = 'of-ann'",
            postgres: "SET session_replication_role = replica; \
                       UPDATE message SET author_id = id WHERE client_id = 'of-ann'",
        },
        mended: Sql::Both(AUTHOR_IS_ANN),
    },
    case(
        "events_dense",
        "comes after",
        "UPDATE event SET position = position + 1 WHERE position = (SELECT max(position) FROM event)",
        "UPDATE event SET position = position - 1 WHERE position = (SELECT max(position) FROM event)",
    ),
    Case {
        rule: "event_audience",
        told: "is for a room and a user",
        broken: Sql::Each {
            sqlite: "PRAGMA ignore_check_constraints = ON; UPDATE event SET user_id = room_id WHERE kind = 1",
            postgres: "ALTER TABLE event DROP CONSTRAINT event_check; \
                       UPDATE event SET user_id = room_id WHERE kind = 1",
        },
        mended: Sql::Each {
            sqlite: "UPDATE event SET user_id = NULL WHERE kind = 1",
            postgres: "UPDATE event SET user_id = NULL WHERE kind = 1; \
                       ALTER TABLE event ADD CONSTRAINT event_check CHECK ((room_id IS NULL) <> (user_id IS NULL))",
        },
    },
    case(
        "event_shape",
        "not of its shape",
        "UPDATE event SET kind = 99 WHERE kind = 7",
        "UPDATE event SET kind = 7 WHERE kind = 99",
    ),
    case(
        "event_names",
        "a room that is not there",
        "UPDATE event SET room_id = message_id WHERE kind = 2",
        "UPDATE event SET room_id = (SELECT room_id FROM message WHERE id = event.message_id) WHERE kind = 2",
    ),
    case(
        "event_message",
        "another",
        "UPDATE event SET seq = seq + 1 WHERE kind = 2",
        "UPDATE event SET seq = seq - 1 WHERE kind = 2",
    ),
    case(
        "posts_in_order",
        "posts message",
        "UPDATE event SET seq = seq + 1 WHERE position = (SELECT max(position) FROM event WHERE kind = 1)",
        "UPDATE event SET seq = seq - 1 WHERE position = (SELECT max(position) FROM event WHERE kind = 1)",
    ),
    case(
        "message_event",
        "no event says so",
        "UPDATE event SET kind = 99 WHERE position = (SELECT max(position) FROM event WHERE kind = 1)",
        "UPDATE event SET kind = 1 WHERE kind = 99",
    ),
    case(
        "seq_dense",
        "has seq 102 after",
        "UPDATE message SET seq = seq + 100 WHERE seq = 2",
        "UPDATE message SET seq = seq - 100 WHERE seq = 102",
    ),
    case(
        "room_last_seq",
        "and messages up to",
        "UPDATE room SET last_seq = last_seq + 1 WHERE deleted_at IS NULL",
        "UPDATE room SET last_seq = last_seq - 1 WHERE deleted_at IS NULL",
    ),
    case(
        "room_deletion",
        "is deleted, and still stands for its members",
        "UPDATE room SET deleted_at = created_at WHERE deleted_at IS NULL",
        "UPDATE room SET deleted_at = NULL WHERE member_key IS NOT NULL",
    ),
    case(
        "room_deletion",
        "and has message",
        "UPDATE room SET last_seq = last_seq - 1 WHERE deleted_at IS NOT NULL",
        "UPDATE room SET last_seq = last_seq + 1 WHERE deleted_at IS NOT NULL",
    ),
    case(
        "room_member_count",
        "has member_count",
        "UPDATE room SET member_count = member_count + 1",
        "UPDATE room SET member_count = member_count - 1",
    ),
    case(
        "room_last_position",
        "its newest event is",
        "UPDATE room SET last_position = last_position - 1",
        "UPDATE room SET last_position = last_position + 1",
    ),
    case(
        "room_last_position",
        "a member who joined at",
        "UPDATE room SET last_position = last_position - 1000",
        "UPDATE room SET last_position = last_position + 1000",
    ),
    case(
        "member_positions",
        "and left at",
        "UPDATE member SET left_position = joined_position WHERE left_position IS NULL",
        "UPDATE member SET left_position = NULL WHERE left_position = joined_position",
    ),
    case(
        "member_positions",
        "the log ends at",
        "UPDATE member SET joined_position = joined_position + 1000",
        "UPDATE member SET joined_position = joined_position - 1000",
    ),
    case(
        "member_joined",
        "the event there does not say so",
        "UPDATE member SET joined_position = joined_position + 1",
        "UPDATE member SET joined_position = joined_position - 1",
    ),
    case(
        "joined_first",
        "no event before it has let the member in",
        "UPDATE event SET subject_id = message_id, message_id = subject_id WHERE kind = 4 AND user_id IN (
           SELECT subject_id FROM event WHERE kind = 5)",
        "UPDATE event SET subject_id = message_id, message_id = subject_id WHERE kind = 4 AND user_id IN (
           SELECT subject_id FROM event WHERE kind = 5)",
    ),
    case(
        "member_left",
        "the event there does not say so",
        "UPDATE member SET left_position = left_position - 1 WHERE left_position IS NOT NULL",
        "UPDATE member SET left_position = left_position + 1 WHERE left_position IS NOT NULL",
    ),
    case(
        "member_read_seq",
        "has read up to",
        "UPDATE member SET read_seq = read_seq + 1000",
        "UPDATE member SET read_seq = read_seq - 1000",
    ),
    case(
        "read_mark_seq",
        "and a mark says",
        "UPDATE member SET read_seq = read_seq - 1",
        "UPDATE member SET read_seq = read_seq + 1",
    ),
    case(
        "read_mark_event",
        "does not tell of it",
        "UPDATE read_mark SET position = position - 1",
        "UPDATE read_mark SET position = position + 1",
    ),
    case(
        "marks_moved",
        "there are none",
        "UPDATE read_mark SET position = position - 1",
        "UPDATE read_mark SET position = position + 1",
    ),
    case(
        "message_body",
        "is deleted, and has text",
        "UPDATE message SET deleted_at = created_at WHERE body <> ''",
        "UPDATE message SET deleted_at = NULL WHERE body <> ''",
    ),
    case(
        "message_author",
        "never in the room",
        r#"UPDATE message SET author_id = (SELECT id FROM "user" WHERE username = 'eve') WHERE client_id = 'of-ann'"#,
        AUTHOR_IS_ANN,
    ),
    case(
        "client_ids",
        "under one client id",
        "DROP INDEX message_client_id; UPDATE message SET client_id = 'of-ann' WHERE client_id IS NULL",
        "UPDATE message SET client_id = NULL WHERE client_digest IS NULL; CREATE UNIQUE INDEX message_client_id \
         ON message (room_id, author_id, client_id) WHERE client_id IS NOT NULL",
    ),
    case(
        "user_deletion",
        "a name or a password",
        r#"UPDATE "user" SET password_hash = 'x' WHERE deleted_at IS NOT NULL"#,
        r#"UPDATE "user" SET password_hash = NULL WHERE deleted_at IS NOT NULL"#,
    ),
    case(
        "user_deletion",
        "a session that was not ended",
        r#"UPDATE session SET revoked_at = NULL
           WHERE user_id = (SELECT id FROM "user" WHERE deleted_at IS NOT NULL)"#,
        r#"UPDATE session SET revoked_at = created_at
           WHERE user_id = (SELECT id FROM "user" WHERE deleted_at IS NOT NULL)"#,
    ),
    case(
        "user_deletion",
        "still in a room",
        r#"UPDATE "user" SET deleted_at = created_at WHERE username = 'ann'"#,
        r#"UPDATE "user" SET deleted_at = NULL WHERE username = 'ann'"#,
    ),
];

const AUTHOR_IS_ANN: &str =
    r#"UPDATE message SET author_id = (SELECT id FROM "user" WHERE username = 'ann') WHERE client_id = 'of-ann'"#;

/// Does one of everything that can be done, some of it at once.
async fn be_busy(app: &TestApp) -> Room {
    let [ann, bob, cid, eve] = app.users(["ann", "bob", "cid", "eve"]).await;
    let (room, pair) = tokio::join!(ann.initiate_chat([&bob, &cid]), eve.initiate_chat([&cid]));
    ann.post_as(&room, "of-ann", "hello").await;
    let posts = [&ann, &bob, &cid].into_iter().flat_map(|user| (0..8).map(move |n| (user, n)));
    join_all(posts.map(async |(user, n)| user.post(&room, &format!("{n}")).await)).await;
    let last = ann.post(&room, "read this").await;
    join_all([&bob, &cid].map(|user| user.mark_read(&room, last.seq))).await;
    tokio::join!(eve.post(&pair, "is anybody there?"), bob.mute(&room, true));
    let (edited, deleted) = tokio::join!(ann.post(&room, "helo"), bob.post(&room, "oops"));
    tokio::join!(ann.edit(&edited, "hello"), bob.delete(&deleted));
    bob.leave(&room).await;
    ann.initiate_chat([&bob, &cid]).await;
    bob.initiate_chat([&ann, &cid]).await;
    cid.post(&room, "all here").await;
    eve.delete_room(&pair).await;
    eve.initiate_chat([&cid]).await;
    bob.sign_in().await.sign_out().await;
    let dan = app.user("dan").await;
    dan.initiate_chat([&ann]).await;
    dan.delete_account().await;
    room
}

async fn check(app: &TestApp) -> (bool, String) {
    outcome(&app.parlor(&["check"]).await)
}

fn outcome(output: &Output) -> (bool, String) {
    let printed = [&*output.stdout, &*output.stderr].concat();
    (output.status.success(), String::from_utf8(printed).expect("the report is text"))
}

/// How many rules hold.
async fn expect_whole(app: &TestApp, when: &str) -> usize {
    let (whole, report) = check(app).await;
    assert!(whole, "{when}: {report}");
    let rules = report.strip_prefix("whole: all ").and_then(|rest| rest.split(' ').next()?.parse().ok());
    rules.unwrap_or_else(|| panic!("expected the number of rules, got {report}"))
}

#[tokio::test]
async fn a_database_is_whole_however_it_was_used() {
    let mut app = TestApp::start().await;
    expect_whole(&app, "at the start").await;
    let [zoe, zac] = app.users(["zoe", "zac"]).await;
    zoe.initiate_chat([&zac]).await;
    let long_ago = zoe.sync_cursor().await;
    let room = be_busy(&app).await;
    expect_whole(&app, "after much use").await;

    // Upkeep begins as soon as the server has started, and is finished before it stops.
    app.clock().advance(TimeDelta::days(200));
    app.restart().await;
    app.sign_in("ann").await;
    app.restart().await;

    let [zoe, bob] = [app.sign_in("zoe").await, app.sign_in("bob").await];
    assert_eq!(zoe.subscribe_after(&long_ago).await.next_event().await.kind, "ResyncRequired");
    expect_whole(&app, "after the log was trimmed").await;
    bob.post(&room, "and on").await;
    expect_whole(&app, "after going on").await;
}

#[tokio::test]
async fn what_breaks_a_rule_is_told_by_the_rule_and_fails() {
    let mut app = TestApp::start().await;
    be_busy(&app).await;
    app.stop().await;
    let here = CASES.iter().filter(|case| case.broken.here().is_some());
    let named: BTreeSet<&str> = here.map(|case| case.rule).collect();
    assert_eq!(named.len(), expect_whole(&app, "before").await, "every rule has a case: {named:?}");

    for Case { rule, told, broken, mended } in CASES {
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
    app.execute("UPDATE message SET body = '' WHERE seq <= 25").await;

    let (whole, report) = check(&app).await;

    assert!(!whole);
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines.len(), 22, "{report}");
    assert!(lines[..20].iter().all(|line| line.starts_with("message_body: msg_")), "{report}");
    assert_eq!(lines[20], "message_body: and 6 more");
    assert!(lines[21].ends_with("in 26 places"), "{report}");
}

#[tokio::test]
async fn beside_a_server_that_goes_on_writing_the_database_is_whole_at_every_moment() {
    let app = TestApp::start().await;
    let [ann, bob] = app.users(["ann", "bob"]).await;
    let room = ann.initiate_chat([&bob]).await;

    let write = async |user: &TestUser, name: &str| {
        for n in 0..60 {
            let message = user.post_as(&room, &format!("{name}{n}"), "hello").await;
            user.mark_read(&room, message.seq).await;
            if n % 10 == 0 {
                user.leave(&room).await;
                user.initiate_chat([if name == "ann" { &bob } else { &ann }]).await;
            }
        }
    };
    let checks = async {
        for n in 0..5 {
            expect_whole(&app, &format!("check {n}")).await;
        }
    };
    tokio::join!(write(&ann, "ann"), write(&bob, "bob"), checks);
    expect_whole(&app, "at the end").await;
}

#[tokio::test]
async fn a_check_makes_no_database_where_there_is_none() {
    let database = Database::new().await;

    let output = within("the check", database.parlor(&["check"]).output()).await.expect("the program can be run");

    let (whole, told) = outcome(&output);
    assert!(!whole && told.starts_with("parlor: "), "{told}");
    assert!(!database.data_dir().exists(), "nothing was made");
}

#[tokio::test]
async fn a_database_of_another_version_is_not_judged() {
    let app = TestApp::start().await;

    app.execute("INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)").await;
    let (whole, told) = check(&app).await;
    assert!(!whole && told.contains("newer") && told.contains("m9999_later"), "{told}");

    app.execute("DELETE FROM seaql_migrations").await;
    let (whole, told) = check(&app).await;
    assert!(!whole && told.contains("older") && told.contains("parlor migrate"), "{told}");
    let me = app.user("ann").await.graphql(documents::MESSAGES, json!({ "roomId": "room_none", "last": 1 })).await;
    assert_ne!(me.status, 500, "the server goes on");
}
