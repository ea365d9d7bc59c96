//! Ways to break the index of messages.

use super::{Case, Sql, case};

pub(super) const CASES: &[Case] = &[
    case(
        "message_positions",
        ", where the log has another event",
        "UPDATE message SET position = 1 WHERE client_id = 'of-ann'",
        "UPDATE message SET position = (SELECT position FROM event WHERE kind = 1 AND message_id = message.id)
         WHERE client_id = 'of-ann'",
    ),
    Case {
        rule: "search_index",
        told: "the index has a message at 999999, where none is to be found",
        broken: Sql::Each {
            sqlite: "INSERT INTO search_index (rowid, tokens) VALUES (999999, 'hay')",
            postgres: "INSERT INTO search_index (position, tokens) VALUES (999999, array_to_tsvector(ARRAY['hay']))",
        },
        mended: Sql::Each {
            sqlite: "INSERT INTO search_index (search_index, rowid, tokens) VALUES ('delete', 999999, 'hay')",
            postgres: "DELETE FROM search_index WHERE position = 999999",
        },
    },
    Case {
        rule: "search_index",
        told: " is not in the index",
        broken: Sql::Each {
            sqlite: "INSERT INTO search_index (search_index) VALUES ('delete-all')",
            postgres: "DELETE FROM search_index",
        },
        // To be made anew at the next start.
        mended: Sql::Both("UPDATE search_state SET form = 0"),
    },
];
