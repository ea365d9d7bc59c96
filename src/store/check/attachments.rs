//! What holds of files. As [`rules`](super::rules).

use super::rule::{Breach, Rule, rule};

/// Every rule of them.
pub(super) const ATTACHMENTS: &[Rule] = &[
    rule(
        "attachments",
        Breach::Row,
        "SELECT attachment.id, 'is a file that is there, in an object of which nothing is known' AS what
         FROM attachment LEFT JOIN upload ON upload.object_id = attachment.object_id AND upload.is_kept
         WHERE attachment.state = 3 AND attachment.deleted_at IS NULL AND upload.object_id IS NULL
         UNION ALL
         SELECT id, 'is a file that isn''t there, and was posted' FROM attachment
         WHERE state <> 3 AND message_id IS NOT NULL
         UNION ALL
         SELECT attachment.id, 'is a file of a message that is deleted, or isn''t there'
         FROM attachment LEFT JOIN message ON message.id = attachment.message_id AND message.deleted_at IS NULL
         WHERE attachment.message_id IS NOT NULL AND attachment.deleted_at IS NULL AND message.id IS NULL
         UNION ALL
         SELECT attachment.id, 'is a file of a message of somebody else, or in another room'
         FROM attachment JOIN message ON message.id = attachment.message_id
         WHERE message.author_id <> attachment.owner_id OR message.room_id <> attachment.room_id
         UNION ALL
         SELECT attachment.id, 'is a file that was posted, of somebody who is deleted'
         FROM attachment JOIN \"user\" ON \"user\".id = attachment.owner_id
         WHERE attachment.message_id IS NOT NULL AND attachment.deleted_at IS NULL AND \"user\".deleted_at IS NOT NULL",
    ),
    rule(
        "attachment_counts",
        Breach::Message,
        "SELECT message.id, 'has ' || message.attachment_count || ' files, and there are ' || count(attachment.id) AS what
         FROM message JOIN \"user\" ON \"user\".id = message.author_id AND \"user\".deleted_at IS NULL
         LEFT JOIN attachment ON attachment.message_id = message.id AND attachment.deleted_at IS NULL
         WHERE message.deleted_at IS NULL
         GROUP BY message.id, message.attachment_count HAVING count(attachment.id) <> message.attachment_count",
    ),
];
