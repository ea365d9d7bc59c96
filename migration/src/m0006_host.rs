//! Users that the app's own backend knows, and the keys with which it calls.

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
ALTER TABLE \"user\" ADD COLUMN external_id {text};
ALTER TABLE \"user\" ADD COLUMN external_hash {bytes};
ALTER TABLE \"user\" ADD COLUMN avatar_url {text};
ALTER TABLE \"user\" ADD COLUMN custom {text};
ALTER TABLE \"user\" ADD COLUMN bot {bool} NOT NULL DEFAULT {false};
ALTER TABLE \"user\" ADD COLUMN deactivated_at {time};
CREATE UNIQUE INDEX user_external_id ON \"user\" (external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX user_external_hash ON \"user\" (external_hash) WHERE external_hash IS NOT NULL;
CREATE TABLE server_key (
    id {uuid} NOT NULL PRIMARY KEY,
    name {text} NOT NULL,
    hash {bytes} NOT NULL UNIQUE,
    created_at {time} NOT NULL,
    revoked_at {time}
) {strict};
CREATE UNIQUE INDEX server_key_name ON server_key (name) WHERE revoked_at IS NULL;
";
