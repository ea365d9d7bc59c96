//! What holds of that which stands beside messages and the log: reactions, blocks, reports, consumers and timers.

use super::rule::{Breach, Rule, rule};

/// Every rule of it, in the order in which they are checked.
pub(super) const BESIDE: &[Rule] = &[
    rule(
        "reaction_counts",
        Breach::Message,
        "SELECT message.id, 'has ' || COALESCE(counted.count, 0) || ' reactions of a kind of which '
           || COALESCE(standing.count, 0) || ' stand' AS what
         FROM (SELECT message_id, emoji FROM reaction UNION SELECT message_id, emoji FROM reaction_count) AS kind
         JOIN message ON message.id = kind.message_id
         LEFT JOIN reaction_count AS counted ON counted.message_id = kind.message_id AND counted.emoji = kind.emoji
         LEFT JOIN (SELECT message_id, emoji, count(*) AS count FROM reaction WHERE is_on GROUP BY message_id, emoji)
           AS standing ON standing.message_id = kind.message_id AND standing.emoji = kind.emoji
         WHERE COALESCE(counted.count, 0) <> COALESCE(standing.count, 0) OR counted.count < 1
         UNION ALL
         SELECT message.id, 'is deleted, and has reactions' FROM message
         WHERE message.deleted_at IS NOT NULL AND message.id IN (SELECT message_id FROM reaction_count)",
    ),
    rule(
        "mentions",
        Breach::Message,
        "SELECT message.id, 'is deleted, and mentions somebody' AS what FROM message
         WHERE deleted_at IS NOT NULL AND (mentions IS NOT NULL OR mentions_room)
         UNION ALL
         SELECT message.id, 'has ' || COALESCE(counted.count, 0) || ' rows of mentions, and names '
           || (COALESCE(length(message.mentions), -1) + 1) / 33 || ' users'
         FROM message LEFT JOIN (SELECT room_id, seq, count(*) AS count FROM mention GROUP BY room_id, seq) AS counted
           ON counted.room_id = message.room_id AND counted.seq = message.seq
         WHERE COALESCE(counted.count, 0) > (COALESCE(length(message.mentions), -1) + 1) / 33",
    ),
    rule(
        "mentions_added",
        Breach::Row,
        "SELECT mention_added.user_id AS id, 'is mentioned anew by event ' || mention_added.position || ', which is no edit' AS what
         FROM mention_added LEFT JOIN event ON event.position = mention_added.position WHERE COALESCE(event.kind, 0) <> 2",
    ),
    rule(
        "pins",
        Breach::Message,
        "SELECT message.id, 'is deleted, and pinned' AS what FROM pin
         JOIN message ON message.room_id = pin.room_id AND message.seq = pin.seq WHERE message.deleted_at IS NOT NULL",
    ),
    rule(
        "replies",
        Breach::Message,
        "SELECT message.id, 'answers message ' || message.reply_to_seq || ' of its room, which is not there' AS what
         FROM message LEFT JOIN message AS answered
           ON answered.room_id = message.room_id AND answered.seq = message.reply_to_seq
         WHERE message.reply_to_seq IS NOT NULL AND (answered.id IS NULL OR answered.seq >= message.seq)",
    ),
    rule(
        "member_unread",
        Breach::Member,
        "SELECT member.room_id, member.user_id, 'has ' || member.unread_own || ' own messages marked as unread, and wrote '
           || COALESCE(own.count, 0) AS what
         FROM member LEFT JOIN (SELECT it.room_id AS room_id, it.user_id AS user_id, count(*) AS count
             FROM member AS it JOIN message ON message.room_id = it.room_id AND message.author_id = it.user_id
               AND message.deleted_at IS NULL AND message.seq >= it.unread_from AND message.seq <= it.read_seq
             GROUP BY it.room_id, it.user_id) AS own
           ON own.room_id = member.room_id AND own.user_id = member.user_id
         WHERE member.left_position IS NULL AND (member.unread_own <> COALESCE(own.count, 0)
           OR member.unread_from > member.read_seq)",
    ),
    rule(
        "blocks",
        Breach::User,
        "SELECT user_id AS id, 'blocks itself' AS what FROM block WHERE user_id = blocked_id",
    ),
    rule(
        "reports",
        Breach::Row,
        "SELECT id, 'is a report that has an outcome or was resolved, and not both' AS what
         FROM report WHERE (outcome IS NULL) <> (resolved_at IS NULL)",
    ),
    rule(
        "consumers",
        Breach::Database,
        "SELECT 'consumer ' || consumer.name || ' stands at ' || consumer.position || ', where the log has another event'
           AS what
         FROM consumer JOIN event ON event.position = consumer.position WHERE event.tag <> consumer.tag
         UNION ALL
         SELECT 'consumer ' || name || ' stands at ' || position || '; the log ends at '
           || COALESCE((SELECT max(position) FROM event), 0)
         FROM consumer WHERE position < 0 OR position > COALESCE((SELECT max(position) FROM event), 0)",
    ),
    rule(
        "devices",
        Breach::Row,
        "SELECT device.id, 'is a device of a user who is deleted or switched off' AS what
         FROM device JOIN \"user\" ON \"user\".id = device.user_id
         WHERE \"user\".deleted_at IS NOT NULL OR \"user\".deactivated_at IS NOT NULL
         UNION ALL
         SELECT device.id, 'is a device of a session that was ended, or is another user''s'
         FROM device JOIN session ON session.id = device.session_id
         WHERE session.revoked_at IS NOT NULL OR session.user_id <> device.user_id
         UNION ALL
         SELECT id, 'is a browser without its keys' FROM device WHERE platform = 1 AND (p256dh IS NULL OR auth IS NULL)",
    ),
    rule(
        "timers",
        Breach::Row,
        "SELECT timer.subject_id AS id, 'has a timer of reports, and is no resolved report' AS what
         FROM timer LEFT JOIN report ON report.id = timer.subject_id
         WHERE timer.kind = 10 AND report.resolved_at IS NULL
         UNION ALL
         SELECT report.id, 'is a resolved report whose text nobody will forget'
         FROM report LEFT JOIN timer ON timer.kind = 10 AND timer.subject_id = report.id
         WHERE report.resolved_at IS NOT NULL AND (report.body IS NOT NULL OR report.note IS NOT NULL)
           AND timer.subject_id IS NULL",
    ),
];
