//! Messages mention users and rooms, members mark messages as unread, and messages are pinned.

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

// Whom a message mentions stands in its own row, from which it is shown, and once more in `mention`, by which a user's are
// counted and listed without a look at any message. A mention of the room has no rows but its message's, however many members
// the room has. `position` is that of the message. `unread_own` is how many of a member's own messages stand from `unread_from` up
// to `read_seq`, which a count of unread ones leaves out without a look at them. `event_altered` has the kinds that alter messages.
const UP: &str = "
ALTER TABLE message ADD COLUMN mentions {text};
ALTER TABLE message ADD COLUMN mentions_room {bool} NOT NULL DEFAULT {false};
CREATE INDEX message_mentions_room ON message (room_id, seq) WHERE mentions_room;
CREATE INDEX message_mentions_room_at ON message (room_id, position) WHERE mentions_room;
CREATE TABLE mention (
    user_id {uuid} NOT NULL REFERENCES \"user\" (id),
    room_id {uuid} NOT NULL,
    seq {int} NOT NULL,
    author_id {uuid} NOT NULL,
    position {bigint} NOT NULL,
    PRIMARY KEY (user_id, room_id, seq),
    FOREIGN KEY (room_id, seq) REFERENCES message (room_id, seq) ON DELETE CASCADE
) {clustered};
CREATE INDEX mention_of_user ON mention (user_id, position);
CREATE INDEX mention_of_message ON mention (room_id, seq);
CREATE TABLE pin (
    room_id {uuid} NOT NULL,
    seq {int} NOT NULL,
    by_id {uuid} NOT NULL REFERENCES \"user\" (id),
    at {time} NOT NULL,
    PRIMARY KEY (room_id, seq),
    FOREIGN KEY (room_id, seq) REFERENCES message (room_id, seq) ON DELETE CASCADE
) {clustered};
DROP INDEX event_altered;
CREATE INDEX event_altered ON event (room_id, position) WHERE kind IN (2, 3, 13, 23);
ALTER TABLE member ADD COLUMN unread_from {int};
ALTER TABLE member ADD COLUMN unread_own {int} NOT NULL DEFAULT 0;
";
