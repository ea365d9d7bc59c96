//! Ways to break what is known of files.

use super::{Case, case};

pub(super) const CASES: &[Case] = &[
    case(
        "attachments",
        "is a file that is there, in an object of which nothing is known",
        "UPDATE upload SET is_kept = NOT is_kept",
        "UPDATE upload SET is_kept = NOT is_kept",
    ),
    case(
        "attachments",
        "is a file that isn't there, and was posted",
        "UPDATE attachment SET state = 1",
        "UPDATE attachment SET state = 3",
    ),
    case(
        "attachments",
        "is a file of a message of somebody else, or in another room",
        "UPDATE attachment SET room_id = id",
        "UPDATE attachment SET room_id = (SELECT room_id FROM message WHERE message.id = attachment.message_id)",
    ),
    case(
        "attachment_counts",
        " has 1 files, and there are 0",
        "UPDATE message SET attachment_count = 1 WHERE client_id = 'of-ann'",
        "UPDATE message SET attachment_count = 0 WHERE client_id = 'of-ann'",
    ),
];
