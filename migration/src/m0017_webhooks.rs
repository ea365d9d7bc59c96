//! Webhooks: where the app's own backend is told of what happens, and what it could not be told.

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

// A webhook's secret is in no column: it is derived from the salt and the token secret.
const UP: &str = "
CREATE TABLE webhook (
    id {uuid} NOT NULL PRIMARY KEY,
    key_id {uuid} NOT NULL REFERENCES server_key (id),
    url {text} NOT NULL,
    query {text} NOT NULL,
    ordered {bool} NOT NULL,
    salt {bytes} NOT NULL,
    old_salt {bytes},
    old_salt_until {time},
    state {smallint} NOT NULL,
    version {bigint} NOT NULL,
    attempts {int} NOT NULL,
    failing_since {time},
    next_at {time},
    last_status {smallint},
    last_error {text},
    created_at {time} NOT NULL
) {strict};
CREATE TABLE webhook_failure (
    webhook_id {uuid} NOT NULL REFERENCES webhook (id),
    position {bigint} NOT NULL,
    tag {bigint} NOT NULL,
    attempts {int} NOT NULL,
    next_at {time},
    status {smallint},
    error {text} NOT NULL,
    PRIMARY KEY (webhook_id, position)
) {clustered};
CREATE INDEX webhook_failure_due ON webhook_failure (webhook_id, next_at) WHERE next_at IS NOT NULL;
";
