//! Whom edits have messages mention who weren't mentioned before.

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

// Those who are to be notified of an edit, by the position of its event, with which the row goes. The id of zeros stands for
// everybody in the room.
const UP: &str = "
CREATE TABLE mention_added (
    position {bigint} NOT NULL,
    user_id {uuid} NOT NULL,
    PRIMARY KEY (position, user_id)
) {clustered};
";
