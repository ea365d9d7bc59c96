//! Who is asking.

use chrono::{DateTime, Utc};

use crate::ids::{SessionId, UserId};

/// An authenticated user, made from a token at the edge and passed to every rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// The user.
    pub user: UserId,
    /// The session that the token belongs to; `None` for a token that was minted without one.
    pub session: Option<SessionId>,
    /// When a socket of this viewer must end: with its session or, without one, with its token.
    pub until: DateTime<Utc>,
}
