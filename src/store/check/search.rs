//! What holds of the index of messages.

use sea_orm::DbBackend;

use super::rule::{Breach, Rule, only_on, rule};

/// Every rule of it, in the order in which they are checked.
pub(super) const SEARCH: &[Rule] = &[
    rule(
        "message_positions",
        Breach::Message,
        "SELECT message.id, 'is at position ' || message.position || ', where the log has another event' AS what
         FROM message JOIN event ON event.position = message.position
         WHERE event.kind <> {MessagePosted} OR event.message_id <> message.id
         UNION ALL
         SELECT message.id, 'was posted at ' || event.position || ' and is at position ' || message.position
         FROM event JOIN message ON message.id = event.message_id
         WHERE event.kind = {MessagePosted} AND message.position > 0 AND message.position <> event.position",
    ),
    // A message has the token of its room, and no other token begins like that.
    only_on(
        DbBackend::Sqlite,
        "search_index",
        Breach::Database,
        "SELECT 'the message at ' || message.position || ' is not in the index' AS what
         FROM search_state JOIN message ON message.position <= search_state.upto AND message.deleted_at IS NULL
         WHERE search_state.form > 0 AND message.position NOT IN
           (SELECT doc FROM search_tokens WHERE term >= char(57344) AND term < char(57345))
         UNION ALL
         SELECT 'the index has a message at ' || found.doc || ', where none is to be found'
         FROM (SELECT DISTINCT doc FROM search_tokens) AS found JOIN search_state ON search_state.form > 0
         LEFT JOIN message ON message.position = found.doc
         WHERE message.id IS NULL OR message.deleted_at IS NOT NULL OR message.position > search_state.upto",
    ),
];
