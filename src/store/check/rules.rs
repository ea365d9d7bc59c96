//! What holds in a whole database: one statement per rule, which returns the rows that break the rule.
//!
//! Each runs on SQLite and PostgreSQL unless it says otherwise, and reads each table a fixed number of times, however
//! many rows there are: joins and windows, no subquery per row.

use sea_orm::DbBackend;

use super::rule::{Breach, Rule, only_on, rule};

/// Every rule, in the order in which they are checked.
pub(super) const RULES: &[Rule] = &[
    only_on(
        DbBackend::Sqlite,
        "integrity",
        Breach::Database,
        "SELECT integrity_check AS what FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
    ),
    only_on(
        DbBackend::Sqlite,
        "foreign_keys",
        Breach::Database,
        r#"SELECT "table" || ' row ' || COALESCE(CAST("rowid" AS text), '?') || ' names a row of ' || "parent"
             || ' that is not there' AS what
           FROM pragma_foreign_key_check"#,
    ),
    only_on(
        DbBackend::Postgres,
        "constraints",
        Breach::Database,
        "SELECT 'constraint ' || conname || ' of ' || conrelid::regclass || ' was never validated' AS what
         FROM pg_constraint WHERE connamespace = current_schema()::regnamespace AND NOT convalidated
         UNION ALL
         SELECT 'index ' || pg_index.indexrelid::regclass || ' is not valid'
         FROM pg_index JOIN pg_class ON pg_class.oid = pg_index.indexrelid
         WHERE pg_class.relnamespace = current_schema()::regnamespace AND NOT (indisvalid AND indisready)",
    ),
    // A restore that turns triggers off can break foreign keys that PostgreSQL still calls valid.
    only_on(
        DbBackend::Postgres,
        "foreign_keys",
        Breach::Row,
        r#"SELECT session.id, 'is a session without its user' AS what
           FROM session LEFT JOIN "user" ON "user".id = session.user_id WHERE "user".id IS NULL
           UNION ALL
           SELECT room.id, 'is a room without its initiator'
           FROM room LEFT JOIN "user" ON "user".id = room.initiator_id
           WHERE room.initiator_id IS NOT NULL AND "user".id IS NULL
           UNION ALL
           SELECT member.user_id, 'is a member of no room'
           FROM member LEFT JOIN room ON room.id = member.room_id WHERE room.id IS NULL
           UNION ALL
           SELECT member.room_id, 'has a member who is no user'
           FROM member LEFT JOIN "user" ON "user".id = member.user_id WHERE "user".id IS NULL
           UNION ALL
           SELECT read_mark.room_id, 'has a read mark of no member'
           FROM read_mark LEFT JOIN member
             ON member.room_id = read_mark.room_id AND member.user_id = read_mark.user_id
           WHERE member.user_id IS NULL
           UNION ALL
           SELECT message.id, 'is a message without its room'
           FROM message LEFT JOIN room ON room.id = message.room_id WHERE room.id IS NULL
           UNION ALL
           SELECT message.id, 'is a message without its author'
           FROM message LEFT JOIN "user" ON "user".id = message.author_id WHERE "user".id IS NULL
           UNION ALL
           SELECT block.user_id, 'blocks somebody, and is no user'
           FROM block LEFT JOIN "user" ON "user".id = block.user_id WHERE "user".id IS NULL
           UNION ALL
           SELECT block.blocked_id, 'is blocked, and no user'
           FROM block LEFT JOIN "user" ON "user".id = block.blocked_id WHERE "user".id IS NULL
           UNION ALL
           SELECT invite.id, 'is an invite into no room'
           FROM invite LEFT JOIN room ON room.id = invite.room_id WHERE room.id IS NULL
           UNION ALL
           SELECT room_word.room_id, 'is found by a word, and no room'
           FROM room_word LEFT JOIN room ON room.id = room_word.room_id WHERE room.id IS NULL"#,
    ),
    rule(
        "events_dense",
        Breach::Event,
        "SELECT position, 'comes after ' || previous AS what
         FROM (SELECT position, lag(position) OVER (ORDER BY position) AS previous FROM event) AS kept
         WHERE position <> previous + 1
         UNION ALL
         SELECT position, 'is below 1' FROM event WHERE position < 1",
    ),
    rule(
        "event_audience",
        Breach::Event,
        "SELECT position, CASE WHEN room_id IS NULL THEN 'is for nobody' ELSE 'is for a room and a user' END AS what
         FROM event WHERE (room_id IS NULL) = (user_id IS NULL)",
    ),
    rule(
        "event_shape",
        Breach::Event,
        "SELECT position, 'is of kind ' || kind || ', but not of its shape' AS what FROM event
         WHERE CASE
           WHEN kind IN ({about_message}) THEN room_id IS NULL OR message_id IS NULL OR seq IS NULL
           WHEN kind IN ({about_member}) THEN room_id IS NULL OR subject_id IS NULL
           WHEN kind IN ({to_room}) THEN room_id IS NULL
           WHEN kind IN ({names_room}, {about_block}, {about_invite}, {about_report}) THEN user_id IS NULL OR subject_id IS NULL
           WHEN kind IN ({to_user}) THEN user_id IS NULL
           ELSE 1 = 1
         END",
    ),
    rule(
        "event_names",
        Breach::Event,
        r#"SELECT event.position, 'is for a room that is not there' AS what
           FROM event LEFT JOIN room ON room.id = event.room_id WHERE event.room_id IS NOT NULL AND room.id IS NULL
           UNION ALL
           SELECT event.position, 'is for a user who is not there'
           FROM event LEFT JOIN "user" ON "user".id = event.user_id
           WHERE event.user_id IS NOT NULL AND "user".id IS NULL
           UNION ALL
           SELECT event.position, 'is about a room that is not there'
           FROM event LEFT JOIN room ON room.id = event.subject_id
           WHERE event.kind IN ({names_room}) AND room.id IS NULL
           UNION ALL
           SELECT event.position, 'is about a user who is not there'
           FROM event LEFT JOIN "user" ON "user".id = event.subject_id
           WHERE event.kind IN ({about_member}, {about_block}) AND "user".id IS NULL"#,
    ),
    rule(
        "event_message",
        Breach::Event,
        "SELECT event.position, 'names message ' || event.seq || ' of its room, which is '
           || CASE WHEN message.id IS NULL THEN 'not there' ELSE 'another' END AS what
         FROM event JOIN room ON room.id = event.room_id AND room.deleted_at IS NULL
         LEFT JOIN message ON message.id = event.message_id
         WHERE event.kind IN ({about_message})
           AND (message.id IS NULL OR message.room_id <> event.room_id OR message.seq <> event.seq)",
    ),
    rule(
        "posts_in_order",
        Breach::Event,
        "SELECT position, 'posts message ' || seq || ' after ' || previous AS what
         FROM (SELECT position, seq, lag(seq) OVER (PARTITION BY room_id ORDER BY position) AS previous
               FROM event WHERE kind = {MessagePosted}) AS posted
         WHERE seq <> previous + 1",
    ),
    rule(
        "message_event",
        Breach::Message,
        "SELECT message.id, 'was posted as ' || message.seq || ', and no event says so' AS what
         FROM message JOIN room ON room.id = message.room_id AND room.deleted_at IS NULL
         LEFT JOIN event ON event.message_id = message.id AND event.kind = {MessagePosted}
         LEFT JOIN (SELECT room_id, min(seq) AS seq FROM event WHERE kind = {MessagePosted} GROUP BY room_id) AS kept
           ON kept.room_id = message.room_id
         WHERE event.position IS NULL
           AND (message.seq > kept.seq OR {first_kept} = 1 OR message.created_at > {settled})",
    ),
    rule(
        "seq_dense",
        Breach::Message,
        "SELECT id, 'has seq ' || seq || ' after ' || previous AS what
         FROM (SELECT message.id, message.seq,
                 lag(message.seq, 1, 0) OVER (PARTITION BY message.room_id ORDER BY message.seq) AS previous
               FROM message JOIN room ON room.id = message.room_id AND room.deleted_at IS NULL) AS numbered
         WHERE seq <> previous + 1",
    ),
    rule(
        "room_last_seq",
        Breach::Room,
        "SELECT room.id, 'has last_seq ' || room.last_seq || ', and messages up to ' || COALESCE(newest.seq, 0) AS what
         FROM room LEFT JOIN (SELECT room_id, max(seq) AS seq FROM message GROUP BY room_id) AS newest
           ON newest.room_id = room.id
         WHERE room.deleted_at IS NULL AND room.last_seq <> COALESCE(newest.seq, 0)",
    ),
    rule(
        "room_deletion",
        Breach::Room,
        "SELECT room.id, 'is deleted up to ' || room.last_seq || ', and has message ' || message.seq AS what
         FROM room JOIN message ON message.room_id = room.id AND message.seq > room.last_seq
         WHERE room.deleted_at IS NOT NULL
         UNION ALL
         SELECT id, 'is deleted, and still stands for its members' FROM room
         WHERE deleted_at IS NOT NULL AND (member_key IS NOT NULL OR external_id IS NOT NULL OR client_id IS NOT NULL)
         UNION ALL
         SELECT id, 'stands for no set of members' FROM room WHERE deleted_at IS NULL AND kind = 1 AND member_key IS NULL
         UNION ALL
         SELECT id, 'is a group, and stands for a set of members' FROM room WHERE kind <> 1 AND member_key IS NOT NULL",
    ),
    rule(
        "room_member_count",
        Breach::Room,
        "SELECT room.id, 'has member_count ' || room.member_count || ', and ' || COALESCE(present.members, 0)
           || ' members' AS what
         FROM room LEFT JOIN (SELECT room_id, count(*) AS members FROM member WHERE left_position IS NULL OR hidden
                              GROUP BY room_id) AS present ON present.room_id = room.id
         WHERE room.member_count <> COALESCE(present.members, 0)",
    ),
    // To a room of two a member comes back without an event of the room: the other one isn't told.
    rule(
        "room_last_position",
        Breach::Room,
        "SELECT room.id, 'has last_position ' || room.last_position || '; its newest event is '
           || COALESCE(CAST(newest.position AS text), 'not kept') AS what
         FROM room
         LEFT JOIN (SELECT room_id, max(position) AS position FROM event WHERE room_id IS NOT NULL
                    GROUP BY room_id) AS newest ON newest.room_id = room.id
         LEFT JOIN event AS opening
           ON opening.position = room.last_position AND opening.kind = {RoomJoined} AND opening.subject_id = room.id
         WHERE room.last_position <> newest.position
           OR (newest.position IS NULL AND opening.position IS NULL AND room.last_position >= {first_kept})
         UNION ALL
         SELECT room.id, 'has last_position ' || room.last_position || ', and a member who joined at '
           || latest.position
         FROM room JOIN (SELECT room_id, max(joined_position) AS position, count(*) AS members FROM member
                         GROUP BY room_id) AS latest ON latest.room_id = room.id
         WHERE latest.position > room.last_position AND latest.members > 2",
    ),
    rule(
        "member_positions",
        Breach::Member,
        "SELECT room_id, user_id, 'joined at ' || joined_position
           || COALESCE(' and left at ' || left_position, '') || '; the log ends at '
           || COALESCE((SELECT max(position) FROM event), 0) AS what
         FROM member
         WHERE joined_position < 1 OR left_position <= joined_position
           OR joined_position > COALESCE((SELECT max(position) FROM event), 0)
           OR left_position > COALESCE((SELECT max(position) FROM event), 0)",
    ),
    rule(
        "member_joined",
        Breach::Member,
        "SELECT member.room_id, member.user_id, 'joined at ' || member.joined_position
           || ', and the event there does not say so' AS what
         FROM member LEFT JOIN event ON event.position = member.joined_position AND event.kind = {RoomJoined}
           AND event.user_id = member.user_id AND event.subject_id = member.room_id
         WHERE event.position IS NULL AND member.joined_position >= {first_kept}",
    ),
    rule(
        "joined_first",
        Breach::Event,
        "SELECT event.position, 'says that a member came back, and no event before it has let the member in' AS what
         FROM event LEFT JOIN event AS joining
           ON joining.user_id = event.subject_id AND joining.subject_id = event.room_id
             AND joining.kind = {RoomJoined} AND joining.position < event.position
         WHERE event.kind = {MemberJoined} AND joining.position IS NULL AND event.position > {first_kept}",
    ),
    rule(
        "members_joined",
        Breach::Event,
        "SELECT event.position, 'says that ' || COALESCE(event.seq, 0) || ' users joined, and the events right before it that '
           || count(joining.position) || ' did' AS what
         FROM event LEFT JOIN event AS joining
           ON joining.position < event.position AND joining.position >= event.position - event.seq
             AND joining.kind = {RoomJoined} AND joining.subject_id = event.room_id
         WHERE event.kind = {MembersJoined} AND event.position - COALESCE(event.seq, 0) >= {first_kept}
         GROUP BY event.position, event.seq
         HAVING COALESCE(event.seq, 0) < 1 OR count(joining.position) <> event.seq",
    ),
    rule(
        "member_left",
        Breach::Member,
        "SELECT member.room_id, member.user_id, 'left at ' || member.left_position
           || ', and the event there does not say so' AS what
         FROM member LEFT JOIN event ON event.position = member.left_position
           AND ((event.kind = {RoomDeleted} AND event.room_id = member.room_id)
             OR (event.kind IN ({MemberLeft}, {MemberRemoved}, {MemberBanned}) AND event.room_id = member.room_id
               AND event.subject_id = member.user_id)
             OR (event.kind = {RoomHidden} AND event.user_id = member.user_id AND event.subject_id = member.room_id))
         WHERE event.position IS NULL AND member.left_position >= {first_kept}",
    ),
    rule(
        "member_hidden",
        Breach::Member,
        "SELECT member.room_id, member.user_id, 'has hidden a room ' || CASE
           WHEN member.left_position IS NULL THEN 'and is in it'
           WHEN room.deleted_at IS NOT NULL THEN 'that is deleted'
           ELSE 'of ' || founders.members || ' users' END AS what
         FROM member JOIN room ON room.id = member.room_id
         JOIN (SELECT room_id, count(*) AS members FROM member GROUP BY room_id) AS founders
           ON founders.room_id = member.room_id
         WHERE member.hidden
           AND (member.left_position IS NULL OR room.deleted_at IS NOT NULL OR founders.members <> 2)",
    ),
    rule(
        "member_read_seq",
        Breach::Member,
        "SELECT member.room_id, member.user_id, 'has read up to ' || member.read_seq || ' of ' || room.last_seq AS what
         FROM member JOIN room ON room.id = member.room_id AND room.deleted_at IS NULL
         WHERE member.read_seq < 0 OR member.read_seq > room.last_seq",
    ),
    rule(
        "read_mark_seq",
        Breach::Member,
        "SELECT member.room_id, member.user_id, 'has read up to ' || member.read_seq || ', and a mark says '
           || latest.seq AS what
         FROM member JOIN (SELECT room_id, user_id, max(seq) AS seq FROM read_mark GROUP BY room_id, user_id) AS latest
           ON latest.room_id = member.room_id AND latest.user_id = member.user_id
         WHERE latest.seq > member.read_seq",
    ),
    rule(
        "read_mark_event",
        Breach::Member,
        "SELECT read_mark.room_id, read_mark.user_id, 'has a mark of position ' || read_mark.position
           || ', and the event there does not tell of it' AS what
         FROM read_mark LEFT JOIN event ON event.position = read_mark.position
           AND ((event.kind IN ({MessagePosted}, {ReadMarksMoved}) AND event.room_id = read_mark.room_id)
             OR (event.kind = {OwnReadMarkMoved} AND event.user_id = read_mark.user_id AND event.subject_id = read_mark.room_id))
         WHERE event.position IS NULL AND read_mark.position >= {first_kept}",
    ),
    rule(
        "marks_moved",
        Breach::Event,
        "SELECT event.position, 'tells of read marks, and there are none' AS what
         FROM event JOIN room ON room.id = event.room_id AND room.deleted_at IS NULL
         LEFT JOIN read_mark ON read_mark.position = event.position AND read_mark.room_id = event.room_id
         WHERE event.kind = {ReadMarksMoved} AND read_mark.position IS NULL",
    ),
    rule(
        "message_body",
        Breach::Message,
        "SELECT id, CASE WHEN body = '' THEN 'is empty, and not deleted' ELSE 'is deleted, and has text' END AS what
         FROM message WHERE (deleted_at IS NULL) = (body = '') AND (body <> '' OR attachment_count = 0)",
    ),
    rule(
        "message_author",
        Breach::Message,
        "SELECT message.id, 'was written by somebody who was never in the room' AS what
         FROM message LEFT JOIN member ON member.room_id = message.room_id AND member.user_id = message.author_id
         WHERE member.user_id IS NULL",
    ),
    rule(
        "client_ids",
        Breach::Room,
        "SELECT room_id AS id, 'has ' || count(*) || ' messages of one author under one client id' AS what
         FROM message WHERE client_id IS NOT NULL GROUP BY room_id, author_id, client_id HAVING count(*) > 1",
    ),
    rule(
        "user_deletion",
        Breach::User,
        r#"SELECT id, 'is deleted, and still has a name or a password' AS what FROM "user"
           WHERE deleted_at IS NOT NULL
             AND (password_hash IS NOT NULL OR username NOT LIKE '~%' OR display_name <> '' OR search_name <> '')
           UNION ALL
           SELECT "user".id, 'is deleted, and has a session that was not ended'
           FROM "user" JOIN session ON session.user_id = "user".id AND session.revoked_at IS NULL
           WHERE "user".deleted_at IS NOT NULL
           UNION ALL
           SELECT "user".id, 'is deleted, and still in a room'
           FROM "user" JOIN member ON member.user_id = "user".id
             AND (member.left_position IS NULL OR member.hidden)
           WHERE "user".deleted_at IS NOT NULL
           UNION ALL
           SELECT "user".id, 'is deleted, and still found by a word of the name'
           FROM "user" JOIN user_word ON user_word.user_id = "user".id
           WHERE "user".deleted_at IS NOT NULL
           UNION ALL
           SELECT "user".id, 'is deleted, and still blocks somebody'
           FROM "user" JOIN block ON block.user_id = "user".id
           WHERE "user".deleted_at IS NOT NULL"#,
    ),
];
