//! The index of messages on PostgreSQL takes less room than their text.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            dialect::run(manager, POSTGRES).await?;
        }
        Ok(())
    }
}

// What was in the index is made anew by the server. Nodes of an older version, which may still run, are told by the number of
// the form to leave it alone. Pages are as small as they are so that they are neither compressed nor put elsewhere.
const POSTGRES: &str = "
DROP TABLE search_index;
CREATE TABLE search_segment (
    upto {bigint} NOT NULL PRIMARY KEY,
    low {bigint} NOT NULL,
    messages {int} NOT NULL
);
CREATE TABLE search_page (
    upto {bigint} NOT NULL,
    token {bytes} NOT NULL,
    low {bigint} NOT NULL,
    page {bytes} NOT NULL,
    PRIMARY KEY (upto, token, low)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.5);
ALTER TABLE search_page ALTER COLUMN token SET STORAGE PLAIN;
ALTER TABLE search_page ALTER COLUMN page SET STORAGE PLAIN;
UPDATE search_state SET form = 2, upto = -9223372036854775808;
";
