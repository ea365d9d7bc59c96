//! What users are notified of, and on which devices.

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

// A device goes with its session. That a user has notifications on a device is looked up by user and room at every post, so
// `pushed` has both; it has rows only of those who have devices, and they go when the notification does.
const UP: &str = "
ALTER TABLE member ADD COLUMN mentions_only {bool} NOT NULL DEFAULT {false};
CREATE TABLE device (
    id {uuid} NOT NULL PRIMARY KEY,
    user_id {uuid} NOT NULL REFERENCES \"user\" (id),
    session_id {uuid} REFERENCES session (id) ON DELETE CASCADE,
    platform {smallint} NOT NULL,
    token {text} NOT NULL,
    p256dh {bytes},
    auth {bytes},
    label {text},
    created_at {time} NOT NULL,
    last_used_at {time} NOT NULL
) {strict};
CREATE UNIQUE INDEX device_token ON device (platform, token);
CREATE INDEX device_of_user ON device (user_id, last_used_at);
CREATE INDEX device_of_session ON device (session_id) WHERE session_id IS NOT NULL;
CREATE TABLE pushed (
    user_id {uuid} NOT NULL REFERENCES \"user\" (id),
    room_id {uuid} NOT NULL REFERENCES room (id),
    seq {int} NOT NULL,
    at {time} NOT NULL,
    PRIMARY KEY (user_id, room_id)
) {clustered};
CREATE INDEX pushed_of_room ON pushed (room_id);
CREATE TABLE push_key (
    id {smallint} NOT NULL PRIMARY KEY,
    pkcs8 {bytes} NOT NULL,
    created_at {time} NOT NULL
) {strict};
";
