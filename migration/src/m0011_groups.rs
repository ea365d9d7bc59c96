//! Rooms of a kind that people join and leave, with names and roles; who did what the log tells.

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

// kind: 1 direct, 2 group. role: 1 owner, 2 moderator, 3 member. join_policy: 1 by invitation, 2 open. posting_policy:
// 1 everyone, 2 moderators.
const UP: &str = "
ALTER TABLE room ADD COLUMN kind {smallint} NOT NULL DEFAULT 1;
ALTER TABLE room ADD COLUMN external_id {text};
ALTER TABLE room ADD COLUMN client_id {text};
ALTER TABLE room ADD COLUMN name {text};
ALTER TABLE room ADD COLUMN topic {text};
ALTER TABLE room ADD COLUMN avatar_url {text};
ALTER TABLE room ADD COLUMN custom {text};
ALTER TABLE room ADD COLUMN join_policy {smallint} NOT NULL DEFAULT 1;
ALTER TABLE room ADD COLUMN posting_policy {smallint} NOT NULL DEFAULT 1;
ALTER TABLE room ADD COLUMN slow_mode_secs {int} NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX room_external_id ON room (external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX room_client_id ON room (initiator_id, client_id) WHERE client_id IS NOT NULL;
ALTER TABLE member ADD COLUMN role {smallint} NOT NULL DEFAULT 3;
ALTER TABLE member ADD COLUMN timeout_until {time};
ALTER TABLE member ADD COLUMN last_post_at {time};
CREATE TABLE ban (
    room_id {uuid} NOT NULL REFERENCES room (id),
    user_id {uuid} NOT NULL REFERENCES \"user\" (id),
    by_id {uuid},
    reason {text},
    until {time},
    at {time} NOT NULL,
    PRIMARY KEY (room_id, user_id)
) {clustered};
CREATE TABLE invite (
    id {uuid} NOT NULL PRIMARY KEY,
    room_id {uuid} NOT NULL REFERENCES room (id),
    inviter_id {uuid},
    invitee_id {uuid},
    code_hash {bytes} UNIQUE,
    uses_left {int},
    expires_at {time},
    created_at {time} NOT NULL,
    closed_at {time},
    CHECK ((invitee_id IS NULL) <> (code_hash IS NULL))
) {strict};
CREATE INDEX invite_of_room ON invite (room_id);
CREATE UNIQUE INDEX invite_open ON invite (room_id, invitee_id) WHERE closed_at IS NULL AND invitee_id IS NOT NULL;
CREATE INDEX invite_of_user ON invite (invitee_id) WHERE closed_at IS NULL AND invitee_id IS NOT NULL;
ALTER TABLE event ADD COLUMN actor_id {uuid};
";
