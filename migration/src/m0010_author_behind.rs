//! A message may be posted without counting as reading those before it. Those are rare, so an index of them alone says how
//! many of the messages behind a member's mark are the member's own.

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
ALTER TABLE message ADD COLUMN author_behind {bool} NOT NULL DEFAULT FALSE;
CREATE INDEX message_author_behind ON message (room_id, author_id, seq) WHERE author_behind;
";
