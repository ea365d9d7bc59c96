//! What migrations make of what was there before them.

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};

use crate::support::Database;

/// How many migrations come before the one that hides rooms of two.
const BEFORE_HIDING: u32 = 11;

/// A database as an older version has left it.
struct Old {
    database: Database,
    connection: DatabaseConnection,
}

impl Old {
    async fn at(migrations: u32) -> Self {
        let database = Database::new().await;
        std::fs::create_dir_all(database.data_dir()).expect("the directory can be made");
        let url = format!("{}{}", database.url(), if database.url().starts_with("sqlite") { "?mode=rwc" } else { "" });
        let connection = sea_orm::Database::connect(url).await.expect("the database can be opened");
        Migrator::up(&connection, Some(migrations)).await.expect("the older migrations run");
        Self { database, connection }
    }

    fn is_postgres(&self) -> bool {
        self.connection.get_database_backend() == DbBackend::Postgres
    }

    /// An id, of which this is the last digit.
    fn id(&self, n: u32) -> String {
        let text = format!("{n:032x}");
        if self.is_postgres() { format!("'{text}'") } else { format!("X'{text}'") }
    }

    fn time(&self) -> &'static str {
        if self.is_postgres() { "'2026-01-01 00:00:00+00'" } else { "'2026-01-01 00:00:00.000000 +00:00'" }
    }

    async fn run(&self, sql: &str) {
        self.connection.execute_unprepared(sql).await.expect("the statement is accepted");
    }

    async fn user(&self, n: u32, deleted: bool) {
        let (id, time) = (self.id(n), self.time());
        let deleted = if deleted { time } else { "NULL" };
        self.run(&format!(
            "INSERT INTO \"user\" (id, username, display_name, search_name, type, tokens_valid_after, created_at, deleted_at) \
             VALUES ({id}, 'user{n}', 'User', 'user', 'consumer', {time}, {time}, {deleted})"
        ))
        .await;
    }

    /// A room with these members, each with the position at which they left, if they did.
    async fn room(&self, n: u32, key: bool, deleted: bool, members: &[(u32, Option<u32>)]) {
        let (id, time) = (self.id(n), self.time());
        let bytes = if self.is_postgres() { format!("'\\x{n:02x}'") } else { format!("X'{n:02x}'") };
        let key = if key { bytes } else { "NULL".to_owned() };
        let present = members.iter().filter(|(_, left)| left.is_none()).count();
        let deleted = if deleted { time } else { "NULL" };
        self.run(&format!(
            "INSERT INTO room (id, type, member_key, member_count, last_seq, last_position, created_at, last_activity_at, \
             deleted_at) VALUES ({id}, 'consumer_to_consumer', {key}, {present}, 0, 1, {time}, {time}, {deleted})"
        ))
        .await;
        for (user, left) in members {
            let (user, left) = (self.id(*user), left.map_or("NULL".to_owned(), |left| left.to_string()));
            self.run(&format!(
                "INSERT INTO member (room_id, user_id, joined_position, left_position, read_seq, muted, joined_at) \
                 VALUES ({id}, {user}, 1, {left}, 0, FALSE, {time})"
            ))
            .await;
        }
    }

    /// Of each room its number, count and who has hidden it.
    async fn hidden(&self, room: u32) -> String {
        let id = self.id(room);
        let of = |hex: &str| {
            format!(
                "SELECT (SELECT CAST(member_count AS text) FROM room WHERE id = {id}) || ' of ' || \
                 (SELECT CAST(count(*) AS text) FROM member WHERE room_id = {id} AND NOT hidden AND left_position IS NULL) || \
                 ' hidden by' || COALESCE((SELECT string_agg(' ' || {hex}, '' ORDER BY {hex}) FROM member \
                 WHERE room_id = {id} AND hidden), ' nobody')"
            )
        };
        let (sqlite, postgres) = ("substr(hex(user_id), 32)", "right(CAST(user_id AS text), 1)");
        self.database.text(&of(sqlite), &of(postgres)).await
    }
}

#[tokio::test]
async fn rooms_of_two_that_were_left_before_rooms_were_hidden_are_hidden_by_those_who_may_come_back() {
    let old = Old::at(BEFORE_HIDING).await;
    for (n, deleted) in [(1, false), (2, false), (3, false), (4, true)] {
        old.user(n, deleted).await;
    }
    // Left by one, by both, by nobody, and by somebody whose account is gone.
    old.room(11, true, false, &[(1, None), (2, Some(7))]).await;
    old.room(12, true, false, &[(1, Some(5)), (3, Some(7))]).await;
    old.room(13, true, false, &[(2, None), (3, None)]).await;
    old.room(14, true, false, &[(1, None), (4, Some(7))]).await;
    // Of three, deleted, and one that stands for nobody.
    old.room(15, true, false, &[(1, None), (2, Some(7)), (3, None)]).await;
    old.room(16, false, true, &[(1, Some(7)), (2, Some(7))]).await;
    old.room(17, false, false, &[(1, None), (3, Some(7))]).await;

    Migrator::up(&old.connection, None).await.expect("the newer migrations run");

    for (room, expected) in [
        (11, "2 of 1 hidden by 2"),
        (12, "2 of 0 hidden by 1 3"),
        (13, "2 of 2 hidden by nobody"),
        (14, "1 of 1 hidden by nobody"),
        (15, "2 of 2 hidden by nobody"),
        (16, "0 of 0 hidden by nobody"),
        (17, "1 of 1 hidden by nobody"),
    ] {
        assert_eq!(old.hidden(room).await, expected, "room {room}");
    }
    assert_eq!(Migrator::get_pending_migrations(&old.connection).await.expect("they are listed").len(), 0);
    old.connection.close().await.expect("the connection closes");
}

/// How many migrations come before the one by which messages are found.
const BEFORE_SEARCH: u32 = 16;

#[tokio::test]
async fn messages_from_before_they_could_be_found_have_positions_in_the_order_in_which_they_were_posted() {
    let old = Old::at(BEFORE_SEARCH).await;
    old.user(1, false).await;
    let (user, time) = (old.id(1), old.time());
    old.run(&format!(
        "INSERT INTO room (id, type, kind, member_count, last_seq, last_position, created_at, last_activity_at) \
         VALUES ({}, 'consumer_to_consumer', 1, 0, 3, 1, {time}, {time})",
        old.id(11)
    ))
    .await;
    // The ids are in another order than the times.
    for (id, seq, year) in [(23, 1, 2021), (21, 2, 2022), (22, 3, 2022)] {
        let at = time.replace("2026", &year.to_string());
        old.run(&format!(
            "INSERT INTO message (id, room_id, seq, author_id, type, body, created_at) \
             VALUES ({}, {}, {seq}, {user}, 'text', 'said', {at})",
            old.id(id),
            old.id(11)
        ))
        .await;
    }

    Migrator::up(&old.connection, None).await.expect("the newer migrations run");

    let positions = "SELECT string_agg(CAST(position AS text), ' ' ORDER BY seq) FROM message";
    assert_eq!(old.database.text(positions, positions).await, "-3 -2 -1");
}
