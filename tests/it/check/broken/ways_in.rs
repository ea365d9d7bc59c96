//! Open rooms, invites and devices.

use super::{Case, case};

pub const CASES: &[Case] = &[
    case("devices", "without its keys", "UPDATE device SET p256dh = NULL", "UPDATE device SET p256dh = auth"),
    case(
        "devices",
        "of a session that was ended",
        "UPDATE session SET revoked_at = created_at WHERE id IN (SELECT session_id FROM device)",
        "UPDATE session SET revoked_at = NULL WHERE id IN (SELECT session_id FROM device)",
    ),
    case(
        "room_words",
        "and is not open",
        "UPDATE room SET join_policy = 1 WHERE join_policy = 2",
        "UPDATE room SET join_policy = 2 WHERE id IN (SELECT room_id FROM room_word)",
    ),
    case(
        "invites",
        "used too often",
        "UPDATE invite SET uses_left = -1 WHERE code_hash IS NOT NULL",
        "UPDATE invite SET uses_left = NULL WHERE code_hash IS NOT NULL",
    ),
    case(
        "invites",
        "for somebody who is in the room",
        "UPDATE invite SET closed_at = NULL WHERE invitee_id IS NOT NULL",
        "UPDATE invite SET closed_at = created_at WHERE invitee_id IS NOT NULL",
    ),
];
