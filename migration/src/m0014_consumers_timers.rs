//! Durable readers of the log, and what falls due.

use sea_orm_migration::prelude::*;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, UP).await
    }
}

const UP: &str = "
CREATE TABLE consumer (
    name {text} NOT NULL PRIMARY KEY,
    position {bigint} NOT NULL,
    tag {bigint} NOT NULL,
    updated_at {time} NOT NULL
) {strict};
CREATE TABLE timer (
    kind {smallint} NOT NULL,
    subject_id {uuid} NOT NULL,
    due_at {time} NOT NULL,
    PRIMARY KEY (kind, subject_id)
) {clustered};
CREATE INDEX timer_due ON timer (due_at);
";
