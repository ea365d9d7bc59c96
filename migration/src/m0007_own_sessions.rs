//! A user's live sessions are found without those that were ended.

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
CREATE INDEX session_of_user_live ON session (user_id, revoked_at);
DROP INDEX session_of_user;
";
