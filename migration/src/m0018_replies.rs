//! Around a message: what it answers, and what the app keeps about it.

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
ALTER TABLE message ADD COLUMN reply_to_seq {int};
ALTER TABLE message ADD COLUMN custom {text};
";
