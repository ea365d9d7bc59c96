//! Ways to break the index of messages.

use super::{Case, NOWHERE, Sql, case};

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
            postgres: NOWHERE,
        },
        mended: Sql::Each {
            sqlite: "INSERT INTO search_index (search_index, rowid, tokens) VALUES ('delete', 999999, 'hay')",
            postgres: NOWHERE,
        },
    },
    // A page of one token, `hay`, which one message has.
    Case {
        rule: "search_index",
        told: "the index has a message at 999999, where none is to be found",
        broken: Sql::Each {
            sqlite: NOWHERE,
            postgres: "INSERT INTO search_segment VALUES (999999, 999999, 1);
                INSERT INTO search_page VALUES (999999, 'hay', 999999, '\\x00000000000f423f036861790100')",
        },
        mended: Sql::Each {
            sqlite: NOWHERE,
            postgres: "DELETE FROM search_segment WHERE upto = 999999; DELETE FROM search_page WHERE upto = 999999",
        },
    },
    Case {
        rule: "search_index",
        told: "a page of the segment up to ",
        broken: Sql::Each { sqlite: NOWHERE, postgres: "UPDATE search_page SET page = page || '\\x5f'" },
        mended: Sql::Each {
            sqlite: NOWHERE,
            postgres: "UPDATE search_page SET page = substring(page FOR length(page) - 1)",
        },
    },
    Case {
        rule: "search_index",
        told: ", which there isn't",
        broken: Sql::Each { sqlite: NOWHERE, postgres: "UPDATE search_page SET upto = upto + 1000000" },
        mended: Sql::Each { sqlite: NOWHERE, postgres: "UPDATE search_page SET upto = upto - 1000000" },
    },
    Case {
        rule: "search_index",
        told: "the index has other words of the message at ",
        broken: Sql::Each {
            sqlite: NOWHERE,
            postgres: "UPDATE message SET body = body || ' and more' WHERE position = (SELECT min(low) FROM search_segment)",
        },
        mended: Sql::Each {
            sqlite: NOWHERE,
            postgres: "UPDATE message SET body = replace(body, ' and more', '')
                WHERE position = (SELECT min(low) FROM search_segment)",
        },
    },
    Case {
        rule: "search_index",
        told: " is not in the index",
        broken: Sql::Each {
            sqlite: "INSERT INTO search_index (search_index) VALUES ('delete-all')",
            postgres: "DELETE FROM search_segment; DELETE FROM search_page",
        },
        // To be made anew at the next start.
        mended: Sql::Both("UPDATE search_state SET form = 0"),
    },
];
