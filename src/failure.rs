//! Whose fault it is when something fails: the one distinction on which every layer acts alike.

/// What kind of failure it is. Later ones weigh more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// The client's: what was asked can't be done. It is for the client to see, and the same each time.
    Client,
    /// The server's: a defect, or something that took too long. Trying again won't help, as far as anybody knows.
    Server,
    /// An outage: the database is away, or the server stops. Trying again later may help.
    Outage,
}

impl Failure {
    /// Whether the client can do nothing about it.
    #[must_use]
    pub fn is_servers(self) -> bool {
        match self {
            Self::Client => false,
            Self::Server | Self::Outage => true,
        }
    }
}
