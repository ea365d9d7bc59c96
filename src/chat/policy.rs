//! What the operator has decided about users.

/// Whom a user finds, by every way of naming a user. A server key that acts for a user finds everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Directory {
    /// Every user.
    #[default]
    All,
    /// Those with whom the user shares a room.
    Sharers,
    /// The same can be looked up, because the rooms show them. Nobody can be searched for, and a user opens no rooms.
    None,
}

/// What the operator has decided about users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether people sign up and in with names and passwords of this server.
    pub accounts: bool,
    /// Whom a user finds.
    pub directory: Directory,
    /// Whether users change their own names and pictures.
    pub profiles: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { accounts: true, directory: Directory::All, profiles: true }
    }
}
