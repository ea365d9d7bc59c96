//! Who is asking.

use chrono::{DateTime, Utc};

use crate::ids::{KeyId, SessionId, UserId};

/// Who asks for something that the app's own backend may ask for as well as a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The user, also the one for whom a server key acts. `None`: a key by itself.
    pub user: Option<UserId>,
    /// Whether a server key asks, which finds every room and has every say in it.
    pub key: bool,
}

/// An authenticated user, made from a token at the edge and passed to every rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// The user.
    pub user: UserId,
    /// The session that the token belongs to; `None` for a token that was minted without one.
    pub session: Option<SessionId>,
    /// The server key that has issued the token: it is good for as long as that is.
    pub issued_by: Option<KeyId>,
    /// Whether a server key acts for the user: it finds everybody, whatever the directory shows.
    pub acted_for: bool,
    /// What the user's tokens must be younger than, as it was when the token was found good: all that were taken back by
    /// then have nothing to do with this one.
    pub valid_after: DateTime<Utc>,
    /// When a socket of this viewer must end: with its session or, without one, with its token.
    pub until: DateTime<Utc>,
}
