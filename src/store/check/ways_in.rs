//! What holds of the ways into groups: open rooms and invites. As [`rules`](super::rules).

use super::rule::{Breach, Rule, rule};

/// Every rule of them.
pub(super) const WAYS_IN: &[Rule] = &[
    rule(
        "room_words",
        Breach::Room,
        "SELECT room.id, 'is found by a word of its name, and is not open' AS what
         FROM room_word JOIN room ON room.id = room_word.room_id
         WHERE room.join_policy <> 2 OR room.kind <> 2 OR room.deleted_at IS NOT NULL",
    ),
    rule(
        "invites",
        Breach::Row,
        r#"SELECT id, 'is a link that was used too often' AS what FROM invite WHERE uses_left < 0
           UNION ALL
           SELECT id, 'is an invite for one user that counts its uses' FROM invite
           WHERE invitee_id IS NOT NULL AND uses_left IS NOT NULL
           UNION ALL
           SELECT invite.id, 'is an invite into a room that is deleted, or no group'
           FROM invite JOIN room ON room.id = invite.room_id WHERE room.deleted_at IS NOT NULL OR room.kind <> 2
           UNION ALL
           SELECT invite.id, 'is open, for somebody who is in the room'
           FROM invite JOIN member ON member.room_id = invite.room_id AND member.user_id = invite.invitee_id
             AND member.left_position IS NULL
           WHERE invite.closed_at IS NULL
           UNION ALL
           SELECT later.id, 'is the second open invite of a room for one user'
           FROM invite AS later JOIN invite AS earlier ON earlier.room_id = later.room_id
             AND earlier.invitee_id = later.invitee_id AND earlier.id < later.id
           WHERE later.closed_at IS NULL AND earlier.closed_at IS NULL
           UNION ALL
           SELECT invite.id, 'is an invite for somebody who is deleted'
           FROM invite JOIN "user" ON "user".id = invite.invitee_id WHERE "user".deleted_at IS NOT NULL
           UNION ALL
           SELECT invite.id, 'is an invite by somebody who is deleted'
           FROM invite JOIN "user" ON "user".id = invite.inviter_id WHERE "user".deleted_at IS NOT NULL"#,
    ),
];
