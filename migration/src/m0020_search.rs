//! Messages are found by what is said in them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, UP).await?;
        let index = match manager.get_database_backend() {
            DbBackend::Postgres => POSTGRES,
            _ => SQLITE,
        };
        dialect::run(manager, index).await
    }
}

// A message's position is that of the event of its posting. Messages from before this have one below 0, in the order in which
// they were posted. Nodes of an older version, which may still run, give none; the index gives it then.
const UP: &str = "
ALTER TABLE message ADD COLUMN position {bigint};
UPDATE message SET position = numbered.number - numbered.total - 1 FROM (
    SELECT id, row_number() OVER (ORDER BY created_at, id) AS number, count(*) OVER () AS total FROM message
) AS numbered WHERE numbered.id = message.id;
CREATE UNIQUE INDEX message_position ON message (position);
CREATE TABLE search_state (
    id {smallint} NOT NULL PRIMARY KEY CHECK (id = 1),
    form {int} NOT NULL,
    upto {bigint} NOT NULL
) {strict};
INSERT INTO search_state (id, form, upto) VALUES (1, 0, -9223372036854775808);
";

// Every character that is not ASCII is part of a token. Nothing is kept but which messages have a token. What is deleted is
// overwritten: the index is told what to delete, and it removes it from its pages at once.
const SQLITE: &str = "
CREATE VIRTUAL TABLE search_index USING fts5(tokens, content = '', detail = none, columnsize = 0, tokenize = ascii);
INSERT INTO search_index (search_index, rank) VALUES ('secure-delete', 1);
CREATE VIRTUAL TABLE search_tokens USING fts5vocab(search_index, instance);
";

const POSTGRES: &str = "
CREATE TABLE search_index (
    position {bigint} NOT NULL PRIMARY KEY,
    tokens tsvector NOT NULL
);
CREATE INDEX search_index_tokens ON search_index USING gin (tokens) WITH (gin_pending_list_limit = 512);
CREATE INDEX message_without_position ON message (id) WHERE position IS NULL;
";
