//! Where SQLite and PostgreSQL spell a type differently.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

/// Runs a script of statements, each ended by a semicolon at the end of a line, with `{uuid}`, `{time}`, `{bool}`,
/// `{false}`, `{bytes}`, `{bigint}`, `{int}`, `{smallint}`, `{text}` (compared byte by byte) and the table options
/// `{strict}` and `{clustered}` replaced by what the database calls them. `{holding}` stands between the columns of an
/// index by which rows are found and those that it only holds, so that rows need not be read for them.
///
/// # Errors
/// The first statement that the database refuses.
pub async fn run(manager: &SchemaManager<'_>, script: &str) -> Result<(), DbErr> {
    let words: &[(&str, &str)] = match manager.get_database_backend() {
        DbBackend::Postgres => &[
            ("{uuid}", "uuid"),
            ("{time}", "timestamptz"),
            ("{bool}", "boolean"),
            ("{false}", "false"),
            ("{bytes}", "bytea"),
            ("{bigint}", "bigint"),
            ("{int}", "integer"),
            ("{smallint}", "smallint"),
            ("{text}", "text COLLATE \"C\""),
            ("{holding}", ") INCLUDE ("),
            ("{strict}", ""),
            ("{clustered}", ""),
        ],
        _ => &[
            ("{uuid}", "BLOB"),
            ("{time}", "TEXT"),
            ("{bool}", "INTEGER"),
            ("{false}", "0"),
            ("{bytes}", "BLOB"),
            ("{bigint}", "INTEGER"),
            ("{int}", "INTEGER"),
            ("{smallint}", "INTEGER"),
            ("{text}", "TEXT"),
            ("{holding}", ","),
            ("{strict}", "STRICT"),
            ("{clustered}", "STRICT, WITHOUT ROWID"),
        ],
    };
    let mut script = script.to_owned();
    for (placeholder, name) in words {
        script = script.replace(placeholder, name);
    }
    for statement in script.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()) {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}
