//! A user's live sessions are found in the order in which they began, without those that were ended.

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
CREATE INDEX session_of_user_live ON session (user_id, id) WHERE revoked_at IS NULL;
DROP INDEX session_of_user;
";
