//! Files: what was announced, uploaded and posted, and the objects that may be in the storage of files.

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

// `upload` is written before the storage is: whatever ends in between, what may be there is known and is collected. It has
// no foreign key, so that it outlives what it was for.
const UP: &str = "
CREATE TABLE attachment (
    id {uuid} NOT NULL PRIMARY KEY,
    owner_id {uuid} NOT NULL REFERENCES \"user\" (id),
    room_id {uuid},
    message_id {uuid},
    place {smallint},
    name {text} NOT NULL,
    content_type {text} NOT NULL,
    declared_size {bigint} NOT NULL,
    size {bigint} NOT NULL,
    sha256 {bytes},
    width {int},
    height {int},
    thumbhash {bytes},
    thumbnails {smallint} NOT NULL,
    object_id {uuid},
    state {smallint} NOT NULL,
    created_at {time} NOT NULL,
    deleted_at {time}
) {strict};
CREATE INDEX attachment_of_message ON attachment (message_id, place) WHERE message_id IS NOT NULL;
CREATE INDEX attachment_loose ON attachment (created_at) WHERE message_id IS NULL AND deleted_at IS NULL;
CREATE INDEX attachment_to_purge ON attachment (id) WHERE deleted_at IS NOT NULL;
CREATE INDEX attachment_of_owner ON attachment (owner_id, created_at);
CREATE TABLE upload (
    object_id {uuid} NOT NULL PRIMARY KEY,
    attachment_id {uuid} NOT NULL,
    begun_at {time} NOT NULL,
    is_kept {bool} NOT NULL
) {strict};
CREATE INDEX upload_of_attachment ON upload (attachment_id);
CREATE INDEX upload_to_collect ON upload (begun_at) WHERE NOT is_kept;
ALTER TABLE message ADD COLUMN attachment_count {smallint} NOT NULL DEFAULT 0;
";
