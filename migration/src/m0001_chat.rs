//! Users and their sessions, rooms with members and messages, and the event log.

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
CREATE TABLE "user" (
    id {uuid} NOT NULL PRIMARY KEY,
    username {text} NOT NULL UNIQUE,
    display_name {text} NOT NULL,
    search_name {text} NOT NULL,
    type {text} NOT NULL,
    password_hash {text},
    tokens_valid_after {time} NOT NULL,
    created_at {time} NOT NULL,
    deleted_at {time}
) {strict};
CREATE INDEX user_search_name ON "user" (search_name);

CREATE TABLE session (
    id {uuid} NOT NULL PRIMARY KEY,
    user_id {uuid} NOT NULL REFERENCES "user" (id),
    family_hash {bytes} NOT NULL,
    refresh_hash {bytes} NOT NULL UNIQUE,
    client {text},
    created_at {time} NOT NULL,
    last_used_at {time} NOT NULL,
    expires_at {time} NOT NULL,
    revoked_at {time}
) {strict};
CREATE INDEX session_of_user ON session (user_id);

CREATE TABLE room (
    id {uuid} NOT NULL PRIMARY KEY,
    type {text} NOT NULL,
    initiator_id {uuid} REFERENCES "user" (id),
    member_key {bytes} UNIQUE,
    member_count {int} NOT NULL,
    last_seq {int} NOT NULL,
    last_position {bigint} NOT NULL,
    created_at {time} NOT NULL,
    last_activity_at {time} NOT NULL,
    deleted_at {time}
) {strict};

CREATE INDEX room_to_purge ON room (id) WHERE deleted_at IS NOT NULL AND last_seq > 0;

CREATE TABLE member (
    room_id {uuid} NOT NULL REFERENCES room (id),
    user_id {uuid} NOT NULL REFERENCES "user" (id),
    joined_position {bigint} NOT NULL,
    left_position {bigint},
    read_seq {int} NOT NULL,
    muted {bool} NOT NULL,
    joined_at {time} NOT NULL,
    PRIMARY KEY (room_id, user_id)
) {clustered};
CREATE INDEX member_user ON member (user_id, room_id);

CREATE TABLE read_mark (
    room_id {uuid} NOT NULL,
    user_id {uuid} NOT NULL,
    seq {int} NOT NULL,
    at {time} NOT NULL,
    position {bigint} NOT NULL,
    PRIMARY KEY (room_id, user_id, seq),
    FOREIGN KEY (room_id, user_id) REFERENCES member (room_id, user_id)
) {clustered};
CREATE INDEX read_mark_position ON read_mark (position);

CREATE TABLE message (
    id {uuid} NOT NULL PRIMARY KEY,
    room_id {uuid} NOT NULL REFERENCES room (id),
    seq {int} NOT NULL,
    author_id {uuid} NOT NULL REFERENCES "user" (id),
    client_id {text},
    client_digest {bigint},
    type {text} NOT NULL,
    body {text} NOT NULL,
    created_at {time} NOT NULL,
    edited_at {time},
    deleted_at {time}
) {strict};
CREATE UNIQUE INDEX message_room_seq ON message (room_id, seq);
CREATE UNIQUE INDEX message_client_id ON message (room_id, author_id, client_id) WHERE client_id IS NOT NULL;
CREATE INDEX message_deleted ON message (room_id, seq) WHERE deleted_at IS NOT NULL;

CREATE TABLE event (
    position {bigint} NOT NULL PRIMARY KEY,
    tag {bigint} NOT NULL,
    room_id {uuid},
    user_id {uuid},
    kind {smallint} NOT NULL,
    message_id {uuid},
    subject_id {uuid},
    seq {int},
    at {time} NOT NULL,
    CHECK ((room_id IS NULL) <> (user_id IS NULL))
) {strict};
CREATE INDEX event_room ON event (room_id, position) WHERE room_id IS NOT NULL;
CREATE INDEX event_user ON event (user_id, position) WHERE user_id IS NOT NULL;
CREATE INDEX event_altered ON event (room_id, position) WHERE kind IN (2, 3);
"#;
