//! Whoever leaves a room of two has hidden it: the membership is over for that user, and goes on for the other. Rooms of two
//! that were left before are hidden from now on, so that the other's next message brings them back.

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
ALTER TABLE member ADD COLUMN hidden {bool} NOT NULL DEFAULT {false};
UPDATE member SET hidden = NOT {false} WHERE left_position IS NOT NULL
    AND user_id IN (SELECT id FROM "user" WHERE deleted_at IS NULL)
    AND room_id IN (SELECT member.room_id FROM member JOIN room ON room.id = member.room_id
        WHERE room.member_key IS NOT NULL AND room.deleted_at IS NULL GROUP BY member.room_id HAVING count(*) = 2);
CREATE INDEX member_hidden ON member (room_id) WHERE hidden;
UPDATE room SET member_count = member_count
    + (SELECT count(*) FROM member WHERE member.room_id = room.id AND member.hidden)
    WHERE id IN (SELECT room_id FROM member WHERE hidden);
DROP INDEX member_memberships;
CREATE INDEX member_memberships ON member (user_id, room_id {holding} left_position, joined_position, muted, hidden);
"#;
