//! Everything that is asked of a user's memberships at once is in one index: which rooms, since and until when, and
//! whether muted. How far the user has read is not, for that changes with every message.

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

const UP: &str = r"
CREATE INDEX member_memberships ON member (user_id, room_id {holding} left_position, joined_position, muted);
DROP INDEX member_user;
";
