//! Ways to break the database itself, and the log.

use super::{AUTHOR_IS_ANN, Case, NOWHERE, Sql, case};

pub(super) const CASES: &[Case] = &[
    Case {
        rule: "integrity",
        told: "NULL value in room.last_seq",
        broken: Sql::Each {
            sqlite: "CREATE TABLE whole (sql TEXT); INSERT INTO whole SELECT sql FROM sqlite_schema WHERE name = 'room'; \
                     PRAGMA writable_schema = ON; \
                     UPDATE sqlite_schema SET sql = replace(sql, 'last_seq INTEGER NOT NULL', 'last_seq INTEGER') \
                     WHERE name = 'room'; PRAGMA writable_schema = RESET; \
                     UPDATE room SET last_seq = NULL WHERE member_count = 3; PRAGMA writable_schema = ON; \
                     UPDATE sqlite_schema SET sql = (SELECT sql FROM whole) WHERE name = 'room'",
            postgres: NOWHERE,
        },
        mended: Sql::Each {
            sqlite: "UPDATE room SET last_seq = (SELECT max(seq) FROM message WHERE room_id = room.id) \
                     WHERE member_count = 3; DROP TABLE whole",
            postgres: NOWHERE,
        },
    },
    Case {
        rule: "constraints",
        told: "never validated",
        broken: Sql::Each {
            sqlite: NOWHERE,
            postgres: "ALTER TABLE session ADD CONSTRAINT fresh CHECK (client <> '') NOT VALID",
        },
        mended: Sql::Each { sqlite: NOWHERE, postgres: "ALTER TABLE session DROP CONSTRAINT fresh" },
    },
    Case {
        rule: "foreign_keys",
        told: "a",
        broken: Sql::Each {
            sqlite: "PRAGMA foreign_keys = OFF; UPDATE message SET author_id = id WHERE client_id = 'of-ann'",
            postgres: "SET session_replication_role = replica; \
                       UPDATE message SET author_id = id WHERE client_id = 'of-ann'",
        },
        mended: Sql::Both(AUTHOR_IS_ANN),
    },
    case(
        "events_dense",
        "comes after",
        "UPDATE event SET position = position + 1 WHERE position = (SELECT max(position) FROM event)",
        "UPDATE event SET position = position - 1 WHERE position = (SELECT max(position) FROM event)",
    ),
    Case {
        rule: "event_audience",
        told: "is for a room and a user",
        broken: Sql::Each {
            sqlite: "PRAGMA ignore_check_constraints = ON; UPDATE event SET user_id = room_id WHERE kind = 1",
            postgres: "ALTER TABLE event DROP CONSTRAINT event_check; \
                       UPDATE event SET user_id = room_id WHERE kind = 1",
        },
        mended: Sql::Each {
            sqlite: "UPDATE event SET user_id = NULL WHERE kind = 1",
            postgres: "UPDATE event SET user_id = NULL WHERE kind = 1; \
                       ALTER TABLE event ADD CONSTRAINT event_check CHECK ((room_id IS NULL) <> (user_id IS NULL))",
        },
    },
    case(
        "event_shape",
        "not of its shape",
        "UPDATE event SET kind = 99 WHERE kind = 7",
        "UPDATE event SET kind = 7 WHERE kind = 99",
    ),
    case(
        "event_names",
        "a room that is not there",
        "UPDATE event SET room_id = message_id WHERE kind = 2",
        "UPDATE event SET room_id = (SELECT room_id FROM message WHERE id = event.message_id) WHERE kind = 2",
    ),
    case(
        "event_message",
        "another",
        "UPDATE event SET seq = seq + 1 WHERE kind = 2",
        "UPDATE event SET seq = seq - 1 WHERE kind = 2",
    ),
    case(
        "posts_in_order",
        "posts message",
        "UPDATE event SET seq = seq + 1 WHERE position = (SELECT max(position) FROM event WHERE kind = 1 AND seq > 1)",
        "UPDATE event SET seq = seq - 1 WHERE position = (SELECT max(position) FROM event WHERE kind = 1 AND seq > 1)",
    ),
    case(
        "consumers",
        "consumer purge stands at",
        "UPDATE consumer SET position = position + 1000000",
        "UPDATE consumer SET position = position - 1000000",
    ),
];
