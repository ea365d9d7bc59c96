//! One index holds everything that is asked about all of a user's memberships together: which rooms, since and until
//! when, and whether muted. It doesn't hold how far the user has read, because that changes with every message.

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
