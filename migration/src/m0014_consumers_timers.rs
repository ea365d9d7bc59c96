//! Durable readers of the log, and what falls due.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::dialect;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        dialect::run(manager, UP).await?;
        let in_90_days = match manager.get_database_backend() {
            DbBackend::Postgres => "resolved_at + interval '90 days'",
            _ => "strftime('%Y-%m-%dT%H:%M:%f+00:00', resolved_at, '+90 days')",
        };
        dialect::run(manager, &REPORTS.replace("{in_90_days}", in_90_days)).await
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

// What was said in the reports that are resolved already falls due as well (kind 10).
const REPORTS: &str = "
INSERT INTO timer (kind, subject_id, due_at) SELECT 10, id, {in_90_days} FROM report
    WHERE resolved_at IS NOT NULL AND (body IS NOT NULL OR note IS NOT NULL);
DROP INDEX report_texts;
";
