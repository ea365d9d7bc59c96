//! Users block each other, and report messages and each other.

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

// A report without a reporter was made by the list of words. `message_id` is no foreign key, because the messages of a
// deleted room go, and the report stays; nor are those of which there is no index of all reports, which a foreign key
// would go through.
const UP: &str = "
CREATE TABLE block (
    user_id {uuid} NOT NULL REFERENCES \"user\" (id),
    blocked_id {uuid} NOT NULL REFERENCES \"user\" (id),
    at {time} NOT NULL,
    PRIMARY KEY (user_id, blocked_id)
) {clustered};
CREATE INDEX block_reverse ON block (blocked_id, user_id);
CREATE TABLE report (
    id {uuid} NOT NULL PRIMARY KEY,
    reporter_id {uuid} REFERENCES \"user\" (id),
    room_id {uuid},
    message_id {uuid},
    user_id {uuid} NOT NULL REFERENCES \"user\" (id),
    body {text},
    reason {smallint} NOT NULL,
    note {text},
    created_at {time} NOT NULL,
    outcome {smallint},
    resolved_by {uuid},
    resolved_at {time}
) {strict};
CREATE UNIQUE INDEX report_of_message ON report (reporter_id, message_id) WHERE message_id IS NOT NULL;
CREATE UNIQUE INDEX report_of_user ON report (reporter_id, user_id) WHERE message_id IS NULL;
CREATE UNIQUE INDEX report_by_words ON report (message_id) WHERE reporter_id IS NULL AND resolved_at IS NULL;
CREATE INDEX report_by ON report (reporter_id, created_at);
CREATE INDEX report_about ON report (user_id);
CREATE INDEX report_open ON report (id) WHERE resolved_at IS NULL;
CREATE INDEX report_resolved ON report (id) WHERE resolved_at IS NOT NULL;
CREATE INDEX report_texts ON report (resolved_at)
    WHERE resolved_at IS NOT NULL AND (body IS NOT NULL OR note IS NOT NULL);
CREATE INDEX report_room ON report (room_id, id) WHERE resolved_at IS NULL;
";
