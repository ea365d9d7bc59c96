//! The statements that a server runs, and the plans by which its database runs them.

use std::collections::HashMap;

use parlor::store::Watched;
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, Statement, Value};
use tokio::sync::mpsc::UnboundedReceiver;

use super::TestApp;

/// Makes PostgreSQL choose an index wherever one applies, although the tables are small here. The plan is that of a
/// statement that is prepared once for parameters of any value.
const INDEXES_IF_POSSIBLE: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; \
     SET plan_cache_mode = force_generic_plan";

/// The first column of each index of PostgreSQL: a condition on other columns alone reads the whole index.
const LEADING_COLUMNS: &str = "SELECT class.relname::text, attribute.attname::text FROM pg_index \
     JOIN pg_class AS class ON class.oid = pg_index.indexrelid \
     JOIN pg_attribute AS attribute ON attribute.attrelid = pg_index.indrelid AND attribute.attnum = pg_index.indkey[0]";

/// Indexes of rows with pending work, which are empty when it is done: reading them whole is their purpose. And a table of
/// twenty rows at most.
const WORK_LISTS: [&str; 6] = [
    "room_to_purge",
    "user_to_erase",
    "message_without_position",
    "webhook",
    "attachment_to_purge",
    "upload_to_collect",
];

/// The statements that a server has run since it was first watched.
pub struct Statements(pub(super) UnboundedReceiver<Watched>);

impl Statements {
    /// The statements since the last call, each text once.
    pub fn so_far(&mut self) -> Vec<Statement> {
        let mut ran: Vec<Statement> = Vec::new();
        while let Ok(Watched { statement, .. }) = self.0.try_recv() {
            if ran.iter().all(|known| known.sql != statement.sql) {
                ran.push(statement);
            }
        }
        ran
    }

    /// The texts of all statements since the last call, in order, but for what the server does by itself meanwhile.
    pub fn texts(&mut self) -> Vec<String> {
        let ran = std::iter::from_fn(|| self.0.try_recv().ok());
        ran.filter(|ran| !ran.in_background).map(|ran| ran.statement.sql).collect()
    }

    /// Panics if a statement that ran since the last call reads a whole table. Returns how many ran.
    pub async fn expect_no_scan(&mut self, app: &TestApp, doing: &str) -> usize {
        let ran = self.so_far();
        let planner = Planner::connect(app).await;
        let mut faults = String::new();
        for statement in &ran {
            let plan = planner.plan(statement).await;
            if plan.iter().any(|step| step.reads_a_whole_table) {
                let steps: Vec<String> = plan
                    .iter()
                    .map(|step| format!("{}{}", if step.reads_a_whole_table { "> " } else { "  " }, step.text))
                    .collect();
                faults.extend(["\n", &statement.sql, "\n", &steps.join("\n"), "\n"]);
            }
        }
        planner.connection.close().await.expect("the connection closes");
        assert!(faults.is_empty(), "{doing} reads whole tables:\n{faults}");
        ran.len()
    }
}

/// One line of a plan.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// As the database prints it.
    pub text: String,
    /// Whether it reads a table or an index from end to end, and nothing stops it early.
    pub reads_a_whole_table: bool,
}

/// A connection that asks for the plans of statements.
struct Planner {
    connection: DatabaseConnection,
    /// By index; PostgreSQL only.
    leading_columns: HashMap<String, String>,
}

impl Planner {
    async fn connect(app: &TestApp) -> Self {
        // One connection, because the settings belong to it.
        let mut options = ConnectOptions::new(app.database_url());
        options.max_connections(1).sqlx_logging(false);
        let connection = sea_orm::Database::connect(options).await.expect("the server's database can be opened");
        if connection.get_database_backend() == DbBackend::Postgres {
            connection.execute_unprepared(INDEXES_IF_POSSIBLE).await.expect("the settings are known");
        }
        let mut planner = Self { connection, leading_columns: HashMap::new() };
        if planner.connection.get_database_backend() == DbBackend::Postgres {
            let none = Statement::from_string(DbBackend::Postgres, "");
            let indexes = planner.rows(LEADING_COLUMNS, &none, 0).await;
            let columns = planner.rows(LEADING_COLUMNS, &none, 1).await;
            planner.leading_columns = indexes.into_iter().zip(columns).collect();
        }
        planner
    }

    async fn plan(&self, statement: &Statement) -> Vec<Step> {
        if self.connection.get_database_backend() == DbBackend::Postgres {
            return postgres_steps(&self.postgres_plan(statement).await, &self.leading_columns);
        }
        let mut steps = Vec::new();
        for one in each(statement) {
            let plan = self.rows(&format!("EXPLAIN QUERY PLAN {}", one.sql), &one, 3).await;
            steps.extend(sqlite_steps(&one, plan));
        }
        steps
    }

    async fn postgres_plan(&self, statement: &Statement) -> Vec<String> {
        let values = statement.values.iter().flat_map(|values| &values.0);
        let types: Vec<&str> = values.map(postgres_type).collect();
        let (declared, given) = match types.len() {
            0 => (String::new(), String::new()),
            count => (format!("({})", types.join(", ")), format!("({})", vec!["NULL"; count].join(", "))),
        };
        let prepare = format!("PREPARE asked_about {declared} AS {}", statement.sql);
        self.connection.execute_unprepared(&prepare).await.unwrap_or_else(|error| panic!("{prepare}: {error}"));
        let none = Statement::from_string(DbBackend::Postgres, "");
        let plan = self.rows(&format!("EXPLAIN (COSTS OFF) EXECUTE asked_about {given}"), &none, 0).await;
        self.connection.execute_unprepared("DEALLOCATE asked_about").await.expect("it was prepared");
        plan
    }

    /// A column of the rows that `sql` returns, given the parameters of `statement`.
    async fn rows(&self, sql: &str, statement: &Statement, column: usize) -> Vec<String> {
        let values = statement.values.iter().flat_map(|values| values.0.clone());
        let asked = Statement::from_sql_and_values(self.connection.get_database_backend(), sql, values);
        let rows = self.connection.query_all_raw(asked).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        rows.iter().map(|row| row.try_get_by_index(column).expect("a line of the plan")).collect()
    }
}

/// The statements of one text, each with its parameters. Where there are several, none of their parameters has a number.
fn each(statement: &Statement) -> Vec<Statement> {
    let mut values = statement.values.iter().flat_map(|values| values.0.clone());
    let texts: Vec<&str> = statement.sql.split("; ").collect();
    if let [_] = *texts {
        return vec![statement.clone()];
    }
    let own = |sql: &str| {
        let values: Vec<Value> = values.by_ref().take(sql.matches('?').count()).collect();
        Statement::from_sql_and_values(statement.db_backend, sql, values)
    };
    texts.into_iter().map(own).collect()
}

/// The type with which the driver sends a value.
fn postgres_type(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        Value::SmallInt(_) => "smallint",
        Value::Int(_) => "integer",
        Value::BigInt(_) | Value::BigUnsigned(_) | Value::Unsigned(_) => "bigint",
        Value::String(_) => "text",
        Value::Bytes(_) => "bytea",
        Value::Uuid(_) => "uuid",
        Value::ChronoDateTimeUtc(_) => "timestamptz",
        Value::Array(r#type, _) => match format!("{type:?}").as_str() {
            "Bool" => "boolean[]",
            "Uuid" => "uuid[]",
            "SmallInt" => "smallint[]",
            "Int" => "integer[]",
            "BigInt" => "bigint[]",
            "String" => "text[]",
            "Bytes" => "bytea[]",
            "ChronoDateTimeUtc" => "timestamptz[]",
            other => panic!("expected an array of a known type, got {other}"),
        },
        other => panic!("expected a value of a known type, got {other:?}"),
    }
}

/// SQLite says `SCAN` for everything that it reads from end to end: tables, and also values in the statement itself.
/// `AUTOMATIC` is an index that it builds for this one statement.
fn sqlite_steps(statement: &Statement, plan: Vec<String>) -> Vec<Step> {
    let sorts = plan.iter().any(|step| step.contains("TEMP B-TREE FOR ORDER BY"));
    let upper = statement.sql.to_uppercase();
    // It reads only the first rows, in the order in which they are stored.
    let stops_early = upper.contains(" LIMIT ") && !upper.contains(" WHERE ") && !sorts;
    let made: Vec<String> = ["CO-ROUTINE ", "MATERIALIZE "]
        .iter()
        .flat_map(|kind| plan.iter().filter_map(move |step| step.strip_prefix(kind)).map(str::to_owned))
        .collect();
    let step = |text: String| {
        let mut words = text.split_whitespace();
        let (verb, what) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let in_the_statement = text.contains("CONSTANT ROW")
            || text.ends_with("VALUES CLAUSE")
            || made.iter().any(|name| name == what)
            || statement.sql.contains(&format!("WITH {what} ("));
        let is_work = text.split_whitespace().any(|word| WORK_LISTS.contains(&word));
        // FTS5 says with an `M` that it looks for tokens.
        let in_the_statement = in_the_statement || text.contains("VIRTUAL TABLE INDEX") && text.contains(":M");
        let whole = verb == "SCAN" && !stops_early || verb == "SEARCH" && text.contains("AUTOMATIC");
        Step { reads_a_whole_table: whole && !in_the_statement && !is_work, text }
    };
    plan.into_iter().map(step).collect()
}

/// PostgreSQL names the node, and on the lines below it the conditions on an index. Unless the index's first column is
/// among them, or a `Limit` is right above, the node reads the whole index.
fn postgres_steps(plan: &[String], leading_columns: &HashMap<String, String>) -> Vec<Step> {
    let is_node = |line: &str| line.contains("->") || !line.starts_with(' ');
    let mut limited = false;
    let mut steps = Vec::with_capacity(plan.len());
    for (n, line) in plan.iter().enumerate() {
        let details = || plan[n + 1..].iter().take_while(|line| !is_node(line));
        let by_index = line.contains("Index Scan") || line.contains("Index Only Scan");
        let words = || line.split_whitespace();
        let index = words().skip_while(|word| !matches!(*word, "using" | "on")).nth(1).unwrap_or_default();
        let looks_up = || {
            let column = leading_columns.get(index).unwrap_or_else(|| panic!("expected a known index in {line}"));
            details()
                .filter(|line| line.contains("Index Cond:"))
                .any(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == column))
        };
        let whole = line.contains("Seq Scan on") || is_node(line) && by_index && !looks_up();
        // With a filter, the rows may be found only at the very end.
        let stops_early = limited && !details().any(|line| line.contains("Filter:"));
        let is_work = WORK_LISTS.contains(&index);
        steps.push(Step { text: line.clone(), reads_a_whole_table: whole && !stops_early && !is_work });
        if is_node(line) {
            limited = line.trim_start().trim_start_matches("->").trim_start().starts_with("Limit");
        }
    }
    steps
}

#[test]
fn what_reads_a_whole_table_is_told_from_what_does_not() {
    let read = |steps: Vec<Step>| steps.into_iter().map(|step| step.reads_a_whole_table).collect::<Vec<_>>();
    let sqlite = |sql: &str, step: &str| {
        read(sqlite_steps(&Statement::from_string(DbBackend::Sqlite, sql), vec![step.to_owned()]))
    };
    assert_eq!(sqlite("SELECT 1 FROM event WHERE kind = 1 LIMIT 1", "SCAN event"), [true]);
    assert_eq!(sqlite("SELECT 1 FROM event", "SCAN event USING COVERING INDEX event_room"), [true]);
    assert_eq!(sqlite("SELECT 1 FROM event ORDER BY position LIMIT 1", "SCAN event"), [false]);
    assert_eq!(sqlite("WITH asked (id) AS (VALUES (1)) SELECT 1 FROM asked", "SCAN asked"), [false]);
    assert_eq!(sqlite("SELECT 1", "SCAN 2 CONSTANT ROWS"), [false]);
    assert_eq!(sqlite("SELECT 1 WHERE 1", "SCAN search_index VIRTUAL TABLE INDEX 192:M1<"), [false]);
    assert_eq!(sqlite("SELECT 1 WHERE 1", "SCAN search_index VIRTUAL TABLE INDEX 0:"), [true]);
    assert_eq!(sqlite("SELECT 1", "SEARCH member USING AUTOMATIC COVERING INDEX (user_id=?)"), [true]);
    assert_eq!(sqlite("SELECT 1", "SEARCH member USING PRIMARY KEY (room_id=? AND user_id=?)"), [false]);

    let leading = [("room_pkey", "id"), ("member_pkey", "room_id"), ("event_pkey", "position")];
    let leading = leading.map(|(index, column)| (index.to_owned(), column.to_owned())).into();
    let postgres =
        |lines: &[&str]| read(postgres_steps(&lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>(), &leading));
    assert_eq!(postgres(&["Nested Loop", "  ->  Seq Scan on room"]), [false, true]);
    assert_eq!(postgres(&["Index Scan using room_pkey on room", "  Index Cond: (id = $1)"]), [false, false]);
    assert_eq!(postgres(&["Index Scan using room_pkey on room", "  Filter: (id > $1)"]), [true, false]);
    assert_eq!(postgres(&["Index Scan using member_pkey on member", "  Index Cond: (user_id = $1)"]), [true, false]);
    assert_eq!(postgres(&["Bitmap Index Scan on member_pkey", "  Index Cond: (room_id = $1)"]), [false, false]);
    assert_eq!(postgres(&["Limit", "  ->  Index Only Scan using event_pkey on event"]), [false, false]);
    assert_eq!(postgres(&["Limit", "  ->  Seq Scan on room", "        Filter: (last_seq > $1)"]), [false, true, false]);
}
