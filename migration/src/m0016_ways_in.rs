//! Ways into a group: open rooms are found by the words of their names, and invites by whom they concern.

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

// Only open rooms that are there have words: no room was open before. That there is one open invite for a user into a room is
// the rule's, under the log's lock: an index that says so as well is one by which PostgreSQL would look for others.
const UP: &str = "
CREATE TABLE room_word (
    word {text} NOT NULL,
    room_id {uuid} NOT NULL REFERENCES room (id),
    PRIMARY KEY (word, room_id)
) {clustered};
CREATE INDEX room_word_of_room ON room_word (room_id, word);
CREATE INDEX room_open ON room (join_policy, id) WHERE join_policy = 2 AND deleted_at IS NULL;
DROP INDEX invite_of_user;
DROP INDEX invite_open;
CREATE INDEX invite_for ON invite (invitee_id, id) WHERE invitee_id IS NOT NULL;
CREATE INDEX invite_by ON invite (inviter_id) WHERE inviter_id IS NOT NULL;
";
