//! Ways to break messages, and what is left of a deleted user.

use super::{AUTHOR_IS_ANN, Case, case};

pub(super) const CASES: &[Case] = &[
    case(
        "message_event",
        "no event says so",
        "UPDATE event SET kind = 99 WHERE position = (SELECT max(position) FROM event WHERE kind = 1)",
        "UPDATE event SET kind = 1 WHERE kind = 99",
    ),
    case(
        "seq_dense",
        "has seq 102 after",
        "UPDATE message SET seq = seq + 100 WHERE seq = 2",
        "UPDATE message SET seq = seq - 100 WHERE seq = 102",
    ),
    case(
        "message_body",
        "is deleted, and has text",
        "UPDATE message SET deleted_at = created_at WHERE body <> ''",
        "UPDATE message SET deleted_at = NULL WHERE body <> ''",
    ),
    case(
        "message_author",
        "never in the room",
        r#"UPDATE message SET author_id = (SELECT id FROM "user" WHERE username = 'eve') WHERE client_id = 'of-ann'"#,
        AUTHOR_IS_ANN,
    ),
    case(
        "mentions",
        "is deleted, and mentions somebody",
        "UPDATE message SET mentions_room = TRUE WHERE deleted_at IS NOT NULL",
        "UPDATE message SET mentions_room = FALSE WHERE deleted_at IS NOT NULL",
    ),
    case(
        "mentions_added",
        "which is no edit",
        "INSERT INTO mention_added (position, user_id) SELECT 1, author_id FROM message WHERE client_id = 'of-ann'",
        "DELETE FROM mention_added WHERE position = 1",
    ),
    case(
        "pins",
        "is deleted, and pinned",
        "INSERT INTO pin (room_id, seq, by_id, at) SELECT room_id, seq, author_id, created_at FROM message \
         WHERE deleted_at IS NOT NULL",
        "DELETE FROM pin WHERE seq IN (SELECT message.seq FROM message WHERE message.room_id = pin.room_id \
         AND message.deleted_at IS NOT NULL)",
    ),
    case(
        "replies",
        "which is not there",
        "UPDATE message SET reply_to_seq = seq WHERE client_id = 'of-ann'",
        "UPDATE message SET reply_to_seq = NULL WHERE client_id = 'of-ann'",
    ),
    case(
        "member_unread",
        "has 7 own messages marked as unread",
        "UPDATE member SET unread_own = 7 WHERE unread_from IS NULL",
        "UPDATE member SET unread_own = 0 WHERE unread_from IS NULL",
    ),
    case(
        "client_ids",
        "under one client id",
        "DROP INDEX message_client_id; UPDATE message SET client_id = 'of-ann' WHERE client_id IS NULL",
        "UPDATE message SET client_id = NULL WHERE client_digest IS NULL; CREATE UNIQUE INDEX message_client_id \
         ON message (room_id, author_id, client_id) WHERE client_id IS NOT NULL",
    ),
    case(
        "user_deletion",
        "a name or a password",
        r#"UPDATE "user" SET password_hash = 'x' WHERE deleted_at IS NOT NULL"#,
        r#"UPDATE "user" SET password_hash = NULL WHERE deleted_at IS NOT NULL"#,
    ),
    case(
        "user_deletion",
        "a session that was not ended",
        r#"UPDATE session SET revoked_at = NULL
           WHERE user_id = (SELECT id FROM "user" WHERE deleted_at IS NOT NULL)"#,
        r#"UPDATE session SET revoked_at = created_at
           WHERE user_id = (SELECT id FROM "user" WHERE deleted_at IS NOT NULL)"#,
    ),
    case(
        "user_deletion",
        "still in a room",
        r#"UPDATE "user" SET deleted_at = created_at WHERE username = 'ann'"#,
        r#"UPDATE "user" SET deleted_at = NULL WHERE username = 'ann'"#,
    ),
    case(
        "reaction_counts",
        "has 3 reactions of a kind of which 2 stand",
        "UPDATE reaction_count SET count = count + 1",
        "UPDATE reaction_count SET count = count - 1",
    ),
];
