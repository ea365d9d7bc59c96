use std::fmt::Debug;
use std::sync::atomic::AtomicUsize;

use chrono::{DateTime, Utc};
use sea_orm::{DbBackend, FromQueryResult, ModelTrait};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::ids::{MessageId, RoomId, UserId};
use crate::position::Position;
use crate::store::Store;
use crate::store::entity::message::MessageType;
use crate::store::entity::user::UserType;
use crate::store::entity::{message, user};

/// A database, what reads it here, and how many statements have run here.
struct Opened {
    store: Store,
    direct: Arc<Direct>,
    ran: Arc<AtomicUsize>,
    _dir: TempDir,
}

row! {
    #[derive(Debug, PartialEq)]
    struct Few {
        number: i32,
        at: Option<DateTime<Utc>>,
    }
}

async fn opened() -> Opened {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::connect(&Store::sqlite_url(dir.path()), 2, Arc::new(|_| {})).await.expect("a database");
    let ran = Arc::<AtomicUsize>::default();
    let count = ran.clone();
    let counted = Ran::new(Arc::new(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
    }));
    let direct = Direct::open(&dir.path().join("parlor.db"), &counted);
    Opened { store, direct, ran, _dir: dir }
}

fn statement(sql: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Statement {
    Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)
}

/// Has the database say these models: what is given as a parameter comes back.
async fn come_back<M>(models: Vec<M>)
where
    M: ModelTrait + FromQueryResult + PartialEq + Debug + Sync,
    M::Entity: EntityTrait<Model = M>,
    <M::Entity as EntityTrait>::ActiveModel: TryIntoModel<M>,
{
    let opened = opened().await;
    for model in models {
        let columns = <M::Entity as EntityTrait>::Column::iter();
        let (sql, values): (Vec<String>, Vec<Value>) = columns
            .enumerate()
            .map(|(n, column)| (format!("${} AS \"{}\"", n + 1, column.as_str()), model.get(column)))
            .unzip();
        let asked = statement(format!("SELECT {}", sql.join(", ")), values);
        let found = opened.direct.models::<M::Entity>(&asked);
        assert_eq!(found, Some(vec![model]));
        assert_eq!(found, usual(&opened, asked).await);
    }
}

/// What the usual way finds.
async fn usual<M: FromQueryResult + Send + Sync>(opened: &Opened, asked: Statement) -> Option<Vec<M>> {
    M::find_by_statement(asked).all(opened.store.read()).await.ok()
}

#[tokio::test]
async fn what_is_in_the_tables_comes_back_as_it_does_in_the_usual_way() {
    let at = |micros| DateTime::from_timestamp_micros(micros).expect("a moment");
    let message = message::Model {
        id: MessageId(Uuid::max()),
        room_id: RoomId(Uuid::nil()),
        seq: i32::MIN,
        author_id: UserId(Uuid::from_u128(7)),
        client_id: None,
        client_digest: Some(i64::MIN),
        r#type: MessageType::Text,
        body: "a\0b 🌻 \"'$1?".to_owned(),
        created_at: at(1_700_000_000_123_456),
        edited_at: Some(at(1_700_000_000_000_000)),
        deleted_at: None,
        author_behind: true,
        position: Some(Position(i64::MAX)),
        reply_to_seq: None,
        custom: Some(String::new()),
        attachment_count: i16::MAX,
        mentions: None,
        mentions_room: false,
    };
    let bare = message::Model { body: String::new(), client_digest: None, edited_at: None, ..message.clone() };
    come_back(vec![message, bare]).await;
    let user = user::Model {
        id: UserId(Uuid::from_u128(1)),
        username: "ann".to_owned(),
        display_name: "Ann".to_owned(),
        search_name: "ann".to_owned(),
        r#type: UserType::Support,
        password_hash: None,
        tokens_valid_after: at(0),
        created_at: at(-1),
        last_seen_at: Some(at(253_402_300_799_999_999)),
        external_id: Some("x".repeat(255)),
        external_hash: Some(vec![0, 255]),
        avatar_url: None,
        custom: Some("{}".to_owned()),
        bot: true,
        deactivated_at: None,
        deleted_at: None,
        name_digest: Some(Vec::new()),
        erases_messages: true,
    };
    let bare = user::Model { external_hash: None, name_digest: None, last_seen_at: None, bot: false, ..user.clone() };
    come_back(vec![user, bare]).await;
}

#[tokio::test]
async fn parameters_with_and_without_numbers_are_what_they_are_in_the_usual_way() {
    let opened = opened().await;
    let sql = "WITH asked (a, b) AS (VALUES (?, ?), (?, ?)) SELECT a * $6 + b * $5 AS number, NULL AS at FROM asked";
    let values = [1, 2, 3, 4, 10, 100].map(Value::from);
    let found = opened.direct.rows::<Few>(&statement(sql, values.clone())).expect("it is read");
    assert_eq!(found.iter().map(|row| row.number).collect::<Vec<_>>(), [120, 340]);
    assert_eq!(Some(found), usual(&opened, statement(sql, values)).await);
}

#[tokio::test]
async fn a_limit_is_kept() {
    let opened = opened().await;
    let numbers = "WITH n (x) AS (VALUES (?), (?), (?)) SELECT x AS number, NULL AS at FROM n ORDER BY x LIMIT ?";
    for limit in 0_u64..5 {
        let asked = statement(numbers, [3.into(), 1.into(), 2.into(), limit.into()]);
        let found = opened.direct.rows::<Few>(&asked);
        assert_eq!(found.as_ref().map(|rows| rows.len() as u64), Some(limit.min(3)));
        assert_eq!(found, usual(&opened, asked).await);
    }
}

#[tokio::test]
async fn a_moment_may_be_one_that_sql_has_written() {
    let opened = opened().await;
    for written in ["2026-01-02 03:04:05", "2026-01-02 03:04:05.25", "2026-01-02T03:04:05+02:00"] {
        let asked = statement("SELECT 1 AS number, $1 AS at", [written.into()]);
        let found = opened.direct.rows::<Few>(&asked);
        assert_eq!(found.as_ref().map(Vec::len), Some(1), "{written}");
        assert_eq!(found, usual(&opened, asked).await);
    }
}

#[tokio::test]
async fn what_is_too_much_or_of_another_kind_is_left_to_the_usual_way() {
    let opened = opened().await;
    let numbers = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT $1)";
    let count = |limit: usize| {
        statement(
            format!("{numbers} SELECT x AS number, NULL AS at FROM n"),
            [i64::try_from(limit).expect("small").into()],
        )
    };
    assert_eq!(opened.direct.rows::<Few>(&count(MAX_ROWS)).map(|rows| rows.len()), Some(MAX_ROWS));
    assert_eq!(opened.direct.rows::<Few>(&count(MAX_ROWS + 1)), None);
    let rows = opened.store.read().rows_by::<Few>(count(MAX_ROWS + 1)).await.expect("the usual way");
    assert_eq!(rows.len(), MAX_ROWS + 1);
    let long = format!("{numbers} SELECT 1 AS number, $2 AS at FROM n");
    let long = statement(long, [3.into(), " ".repeat(MAX_BYTES).into()]);
    for unfit in [
        statement("SELECT 1 AS number", []),
        statement("SELECT 'one' AS number, NULL AS at", []),
        statement("SELECT 3000000000 AS number, NULL AS at", []),
        statement("SELECT 1 AS number, 'today' AS at", []),
        statement("SELECT $2 AS number, NULL AS at", [1.into()]),
        statement("SELECT nonsense", []),
        statement("CREATE TABLE n (number integer) RETURNING number", []),
        long,
    ] {
        assert_eq!(opened.direct.rows::<Few>(&unfit), None, "{unfit:?}");
    }
    assert_eq!(opened.ran.load(Ordering::Relaxed), 1, "what was given up was counted");
    assert_eq!(opened.direct.rows::<Few>(&count(2)).map(|rows| rows.len()), Some(2), "it goes on");
}

#[tokio::test]
async fn a_statement_that_takes_long_is_given_up_and_then_nothing_is_tried_for_a_while() {
    let opened = opened().await;
    let forever = "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) \
                   SELECT x AS number, NULL AS at FROM n WHERE x < 0";
    assert_eq!(opened.direct.rows::<Few>(&statement(forever, [])), None);
    let short = statement("SELECT 1 AS number, NULL AS at", []);
    assert_eq!(opened.direct.rows::<Few>(&short), None);
    opened.direct.resting.store(0, Ordering::Relaxed);
    assert_eq!(opened.direct.rows::<Few>(&short).map(|rows| rows.len()), Some(1));
}

#[tokio::test]
async fn nothing_is_read_while_that_is_forbidden_nor_once_it_is_closed() {
    let opened = opened().await;
    let short = statement("SELECT 1 AS number, NULL AS at", []);
    let forbidden = opened.direct.forbid();
    assert_eq!(opened.direct.rows::<Few>(&short), None);
    drop(forbidden);
    assert!(opened.direct.rows::<Few>(&short).is_some());
    opened.direct.close();
    assert_eq!(opened.direct.rows::<Few>(&short), None);
}
