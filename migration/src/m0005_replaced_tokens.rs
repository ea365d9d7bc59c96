//! A refresh token that was replaced a moment ago is recognised, because its answer may have been lost.

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
ALTER TABLE session ADD COLUMN previous_hash {bytes};
ALTER TABLE session ADD COLUMN replaced_at {time};
";
