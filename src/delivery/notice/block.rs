//! What subscribers receive of whom they block.

use crate::ids::UserId;

/// The subscriber blocks somebody, or no longer does.
#[derive(Clone, Copy, Debug)]
pub struct BlockNotice {
    /// The other.
    pub user_id: UserId,
    /// Whether the other is blocked, as it is now.
    pub blocked: bool,
}
