//! What holds of webhooks. As [`rules`](super::rules).

use super::rule::{Breach, Rule, rule};

/// Every rule of them.
pub(super) const WEBHOOKS: &[Rule] = &[
    rule(
        "webhooks",
        Breach::Row,
        "SELECT id, 'is a webhook that is told what happens, and is said to have failed' AS what FROM webhook
         WHERE state = 1 AND (attempts <> 0 OR next_at IS NOT NULL OR failing_since IS NOT NULL)
         UNION ALL
         SELECT id, 'is a webhook that is paused, and is never tried again' FROM webhook
         WHERE state = 2 AND (attempts < 1 OR next_at IS NULL OR failing_since IS NULL)
         UNION ALL
         SELECT webhook.id, 'is a webhook of a key that was revoked, and is told what happens'
         FROM webhook JOIN server_key ON server_key.id = webhook.key_id AND server_key.revoked_at IS NOT NULL
         WHERE webhook.state <> 3
         UNION ALL
         SELECT webhook_failure.webhook_id, 'is a webhook that has refused ' || webhook_failure.position
           || ', where the log has another event'
         FROM webhook_failure JOIN event ON event.position = webhook_failure.position
         WHERE event.tag <> webhook_failure.tag",
    ),
    rule(
        "webhook_places",
        Breach::Database,
        "SELECT 'there are ' || webhooks.n || ' webhooks, and ' || places.n || ' places of webhooks in the log' AS what
         FROM (SELECT count(*) AS n FROM webhook) AS webhooks
         JOIN (SELECT count(*) AS n FROM consumer WHERE name LIKE 'webhook:%') AS places ON places.n <> webhooks.n",
    ),
];
