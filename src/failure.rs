//! Who is at fault when something fails: the one distinction by which every layer acts.

/// A kind of failure. Later ones are graver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// The client's: the request can't be served. The client sees why, and the same request fails in the same way
    /// again.
    Client,
    /// The server's: a defect, or something that took too long. Nothing suggests that trying again helps.
    Server,
    /// An outage: the database is away, or the server is stopping. Trying again later may help.
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

/// What went wrong, with its causes: for the log and for the operator, never for a client.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
