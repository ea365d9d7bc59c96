//! What is kept of a deleted user's name while nobody else may have it, and whether the messages are to go, too. Ended
//! sessions no longer have a name.

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

const UP: &str = r#"
ALTER TABLE "user" ADD COLUMN name_digest {bytes};
ALTER TABLE "user" ADD COLUMN erases_messages {bool} NOT NULL DEFAULT {false};
CREATE INDEX user_name_digest ON "user" (name_digest) WHERE name_digest IS NOT NULL;
CREATE INDEX user_name_held ON "user" (deleted_at) WHERE name_digest IS NOT NULL;
CREATE INDEX user_to_erase ON "user" (id) WHERE erases_messages;
UPDATE session SET client = NULL WHERE revoked_at IS NOT NULL;
"#;
