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
