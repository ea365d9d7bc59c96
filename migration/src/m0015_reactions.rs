//! Members react to messages.

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

// A reaction that was taken back keeps its row, which says so: by the position in it the event that told of it finds what it
// tells. Both tables go with the messages of a deleted room. `event_altered` has the kinds that alter messages.
const UP: &str = "
CREATE TABLE reaction (
    message_id {uuid} NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    emoji {text} NOT NULL,
    user_id {uuid} NOT NULL REFERENCES \"user\" (id),
    is_on {bool} NOT NULL,
    at {time} NOT NULL,
    position {bigint} NOT NULL,
    PRIMARY KEY (message_id, emoji, user_id)
) {clustered};
CREATE INDEX reaction_first ON reaction (message_id, emoji, at) WHERE is_on;
CREATE INDEX reaction_of_user ON reaction (user_id, message_id);
CREATE INDEX reaction_of_event ON reaction (position);
CREATE TABLE reaction_count (
    message_id {uuid} NOT NULL REFERENCES message (id) ON DELETE CASCADE,
    emoji {text} NOT NULL,
    count {int} NOT NULL,
    first_at {time} NOT NULL,
    PRIMARY KEY (message_id, emoji)
) {clustered};
DROP INDEX event_altered;
CREATE INDEX event_altered ON event (room_id, position) WHERE kind IN (2, 3, 13);
";
