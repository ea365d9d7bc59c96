//! `PgBouncer` between nodes and PostgreSQL.

use std::sync::Arc;

use parlor::store::Store;
use sea_orm::ConnectionTrait;

use crate::servers::Pooler;
use crate::support::{Database, Process, within};

/// A pooler in this mode before the server of this database, and the address of the database through it.
fn pooled(database: &Database, mode: &str) -> (Pooler, String) {
    let url = database.url();
    let (server, name) = url.rsplit_once('/').expect("the address names a database");
    let (user, port) = server.rsplit_once(':').expect("the server has a port");
    let pooler = Pooler::start(mode, port.parse().expect("a port is a number"));
    let through = format!("{user}:{}/{name}", pooler.port());
    (pooler, through)
}

#[tokio::test]
#[ignore = "needs PostgreSQL and PgBouncer: cargo test --test postgres"]
async fn a_pooler_of_sessions_is_worked_with_and_the_time_limits_hold() {
    let database = Database::new().await;
    let (_pooler, url) = pooled(&database, "session");
    let node = Process::start(&database, &[("PARLOR_DATABASE_URL", &url)]).await;
    let (ann, bob) = (node.endpoint().user("ann").await, node.endpoint().user("bob").await);
    let room = ann.initiate_chat([&bob]).await;
    let mut feed = bob.subscribe().await;
    ann.post(&room, "hello").await;
    assert_eq!(feed.next_message().await.body, "hello");
    assert!(node.terminate().await.status.success());

    let store = Store::connect(&url, 1, Arc::new(|_| {})).await.expect("the pooler lets it in");
    let tx = store.begin_write().await.expect("a transaction begins");
    for (setting, limit) in
        [("statement_timeout", "10s"), ("lock_timeout", "5s"), ("idle_in_transaction_session_timeout", "2s")]
    {
        let row = tx.query_one_raw(store.statement(&format!("SHOW {setting}"), [])).await.expect("it can be shown");
        let shown: String = row.expect("a row").try_get_by_index(0).expect("a text");
        assert_eq!(shown, limit, "{setting}");
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL and PgBouncer: cargo test --test postgres"]
async fn a_pooler_of_transactions_is_refused_with_what_to_do() {
    for mode in ["transaction", "statement"] {
        let database = Database::new().await;
        let (_pooler, url) = pooled(&database, mode);
        let mut serve = database.parlor(&["serve", "--listen", "127.0.0.1:0"]);
        let ended = within("the server to end", serve.env("PARLOR_DATABASE_URL", &url).output()).await;
        let ended = ended.expect("the program can be run");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(!ended.status.success(), "it started in mode {mode}");
        assert!(said.contains("set its pool_mode to session"), "{mode}: {said}");
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo test --test postgres"]
async fn a_start_without_its_database_names_it_and_the_cause() {
    let database = Database::new().await;
    let url = database.url();
    let (server, _) = url.rsplit_once('/').expect("the address names a database");
    let unused = crate::servers::free_port();
    for (url, named, cause) in [
        (format!("{server}/nowhere"), "/nowhere", "database \"nowhere\" does not exist"),
        (format!("postgres://parlor:hush@127.0.0.1:{unused}/parlor"), "postgres://127.0.0.1:", "refused"),
    ] {
        let mut serve = database.parlor(&["serve", "--listen", "127.0.0.1:0"]);
        let ended = within("the server to end", serve.env("PARLOR_DATABASE_URL", &url).output()).await;
        let said = String::from_utf8_lossy(&ended.expect("the program can be run").stderr).into_owned();
        assert!(said.contains(named) && said.contains(cause), "{said}");
        assert!(!said.contains("hush"), "{said}");
    }
}
