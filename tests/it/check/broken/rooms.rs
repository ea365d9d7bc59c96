//! Ways to break rooms, memberships and read marks.

use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    case(
        "room_last_seq",
        "and messages up to",
        "UPDATE room SET last_seq = last_seq + 1 WHERE deleted_at IS NULL",
        "UPDATE room SET last_seq = last_seq - 1 WHERE deleted_at IS NULL",
    ),
    case(
        "room_deletion",
        "is deleted, and still stands for its members",
        "UPDATE room SET deleted_at = created_at WHERE deleted_at IS NULL",
        "UPDATE room SET deleted_at = NULL WHERE member_key IS NOT NULL OR kind <> 1",
    ),
    case(
        "room_deletion",
        "and has message",
        "UPDATE room SET deleted_at = created_at, last_seq = last_seq - 1 WHERE deleted_at IS NULL AND member_count = 3",
        "UPDATE room SET deleted_at = NULL, last_seq = last_seq + 1 WHERE member_key IS NOT NULL AND deleted_at IS NOT NULL",
    ),
    case(
        "room_member_count",
        "has member_count",
        "UPDATE room SET member_count = member_count + 1",
        "UPDATE room SET member_count = member_count - 1",
    ),
    case(
        "room_last_position",
        "its newest event is",
        "UPDATE room SET last_position = last_position - 1",
        "UPDATE room SET last_position = last_position + 1",
    ),
    case(
        "room_last_position",
        "a member who joined at",
        "UPDATE room SET last_position = last_position - 1000",
        "UPDATE room SET last_position = last_position + 1000",
    ),
    case(
        "member_positions",
        "and left at",
        "UPDATE member SET left_position = joined_position WHERE left_position IS NULL",
        "UPDATE member SET left_position = NULL WHERE left_position = joined_position",
    ),
    case(
        "member_positions",
        "the log ends at",
        "UPDATE member SET joined_position = joined_position + 1000",
        "UPDATE member SET joined_position = joined_position - 1000",
    ),
    case(
        "member_joined",
        "the event there does not say so",
        "UPDATE member SET joined_position = joined_position + 1",
        "UPDATE member SET joined_position = joined_position - 1",
    ),
    case(
        "joined_first",
        "no event before it has let the member in",
        "UPDATE event SET subject_id = message_id, message_id = subject_id WHERE kind = 4 AND user_id IN (
           SELECT subject_id FROM event WHERE kind = 5)",
        "UPDATE event SET subject_id = message_id, message_id = subject_id WHERE kind = 4 AND user_id IN (
           SELECT subject_id FROM event WHERE kind = 5)",
    ),
    case(
        "members_joined",
        "says that 3 users joined, and the events right before it that 2 did",
        "UPDATE event SET seq = 3 WHERE kind = 36 AND seq = 2",
        "UPDATE event SET seq = 2 WHERE kind = 36 AND seq = 3",
    ),
    case(
        "member_left",
        "the event there does not say so",
        "UPDATE member SET left_position = left_position - 1 WHERE left_position IS NOT NULL",
        "UPDATE member SET left_position = left_position + 1 WHERE left_position IS NOT NULL",
    ),
    case(
        "member_hidden",
        "and is in it",
        "UPDATE member SET hidden = TRUE WHERE left_position IS NULL",
        "UPDATE member SET hidden = FALSE WHERE left_position IS NULL",
    ),
    case(
        "member_read_seq",
        "has read up to",
        "UPDATE member SET read_seq = read_seq + 1000",
        "UPDATE member SET read_seq = read_seq - 1000",
    ),
    case(
        "read_mark_seq",
        "and a mark says",
        "UPDATE member SET read_seq = read_seq - 1",
        "UPDATE member SET read_seq = read_seq + 1",
    ),
    case(
        "read_mark_event",
        "does not tell of it",
        "UPDATE read_mark SET position = position - 1",
        "UPDATE read_mark SET position = position + 1",
    ),
    case(
        "marks_moved",
        "there are none",
        "UPDATE read_mark SET position = position - 1",
        "UPDATE read_mark SET position = position + 1",
    ),
    case(
        "blocks",
        "blocks itself",
        r#"INSERT INTO block (user_id, blocked_id, at) SELECT id, id, created_at FROM "user" WHERE username = 'ann'"#,
        "DELETE FROM block WHERE user_id = blocked_id",
    ),
    case(
        "reports",
        "and not both",
        r#"INSERT INTO report (id, user_id, reason, created_at, outcome)
           SELECT id, id, 1, created_at, 1 FROM "user" WHERE username = 'ann'"#,
        "DELETE FROM report WHERE resolved_at IS NULL AND outcome IS NOT NULL",
    ),
    case(
        "timers",
        "is no resolved report",
        r#"INSERT INTO timer (kind, subject_id, due_at) SELECT 10, id, created_at FROM "user" WHERE username = 'ann'"#,
        "DELETE FROM timer",
    ),
    case(
        "timers",
        "nobody will forget",
        r#"INSERT INTO report (id, user_id, reason, created_at, outcome, resolved_at, note)
           SELECT id, id, 1, created_at, 1, created_at, 'said' FROM "user" WHERE username = 'ann'"#,
        "DELETE FROM report WHERE note = 'said'",
    ),
];
