//! The data that the oracle compares, and its counts. [`judge`](crate::judge) does the counting.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write};
use std::ops::{AddAssign, Range};

/// The counts, all of which must be zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Acknowledged but not in the database, or in the database but not delivered to a member: neither as an event nor
    /// in an announced gap.
    pub lost: usize,
    /// Delivered again although the receiver had resumed from a later cursor, or written twice under one client id.
    pub doubled: usize,
    /// Delivered after a later event.
    pub reordered: usize,
    /// Delivered but not in the database.
    pub phantom: usize,
    /// Delivered to somebody who was not a member then.
    pub leaked: usize,
    /// Clients whose state, built from events, differs from a fresh fetch.
    pub differing: usize,
    /// Errors and closes that a client without faults must never see, because it does not come back after them.
    pub faults: usize,
}

/// A post that the server acknowledged.
#[derive(Clone, Debug)]
pub struct Acked {
    /// Its room.
    pub room: String,
    /// Its author.
    pub author: String,
    /// The author's own name for it.
    pub client_id: String,
    /// Its number in the room.
    pub seq: i64,
}

/// A post as the database has it.
#[derive(Clone, Debug)]
pub struct Post {
    /// Which message.
    pub message: String,
    /// Its room.
    pub room: String,
    /// Its author.
    pub author: String,
    /// The author's own name for it.
    pub client_id: Option<String>,
    /// Its number in the room.
    pub seq: i64,
}

/// The truth, according to the database.
#[derive(Debug, Default)]
pub struct Truth {
    /// By position.
    pub posts: BTreeMap<i64, Post>,
    /// By user and room: the position from which on, and the one before which, the user was a member.
    pub stays: HashMap<(String, String), Vec<Range<i64>>>,
    /// What the log says of rooms and users, by position, for who looks for the cause of a loss.
    pub log: BTreeMap<i64, String>,
}

/// What one subscription received.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    /// The position that the receiver resumed from.
    pub after: i64,
    /// In the order of arrival.
    pub seen: Vec<Seen>,
}

/// One event as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Where a client that resumes from here stands.
    pub position: i64,
    /// What it says.
    pub what: What,
}

/// What an event says to the oracle.
#[derive(Clone, Debug)]
pub enum What {
    /// A message was posted.
    Posted {
        /// Which.
        message: String,
        /// Its room.
        room: String,
        /// Its number in the room.
        seq: i64,
    },
    /// Messages from one seq to another were left out; the client fetches them.
    Gap {
        /// The room.
        room: String,
        /// The first message.
        from: i64,
        /// The last message.
        to: i64,
    },
    /// The receiver joined the room and fetches it whole, or left it.
    Turned(String),
    /// The client fetches everything anew.
    Resync,
    /// From here on, events come as they happen.
    Synced,
    /// Another event of the log.
    Other,
    /// Presence or typing: not in the log, so it has no position of its own.
    Passing,
}

/// What one user received.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// The user.
    pub user: String,
    /// One after the other.
    pub connections: Vec<Connection>,
    /// What it had received before it was told to fetch everything anew, for who looks for a cause.
    pub forgotten: Vec<Connection>,
    /// What it was told that a client without faults must never be told.
    pub faults: Vec<String>,
}

/// The counts, and examples of what was counted.
#[derive(Debug, Default)]
pub struct Findings {
    /// The counts.
    pub counts: Counts,
    /// The first few examples.
    pub examples: Vec<String>,
}

impl Receiver {
    /// What counts after the last time that the receiver was told to fetch everything anew: what it had received before
    /// that is gone from the device.
    pub fn since_resync(mut self) -> Self {
        let last = self.connections.iter().enumerate().rev().find_map(|(n, connection)| {
            let seen = connection.seen.iter().rposition(|seen| matches!(seen.what, What::Resync))?;
            Some((n, seen))
        });
        if let Some((n, seen)) = last {
            self.forgotten.extend(self.connections.drain(..n));
            let connection = &mut self.connections[0];
            let seen = connection.seen.drain(..=seen).collect::<Vec<_>>();
            let resynced = seen.last().map_or(connection.after, |seen| seen.position);
            self.forgotten.push(Connection { after: std::mem::replace(&mut connection.after, resynced), seen });
        }
        self
    }

    /// What it received at the positions around this one, and each time that it was told to fetch everything anew: for
    /// who looks for the cause of a loss.
    pub fn near(&self, position: i64) -> String {
        let around = position - 6..position + 6;
        let mut text = format!("{} connections, of which {} forgotten", self.connections.len(), self.forgotten.len());
        for (n, connection) in self.forgotten.iter().chain(&self.connections).enumerate() {
            for (at, seen) in connection.seen.iter().enumerate() {
                if around.contains(&seen.position) || matches!(seen.what, What::Resync) {
                    let _ =
                        write!(text, "\n      {n}.{at} from {}: {} {:?}", connection.after, seen.position, seen.what);
                }
            }
        }
        text
    }

    /// Whether the receiver was told to fetch everything anew.
    pub fn was_resynced(&self) -> bool {
        self.connections.iter().flat_map(|connection| &connection.seen).any(|seen| matches!(seen.what, What::Resync))
    }
}

impl Counts {
    /// Whether nothing was found.
    pub fn clean(&self) -> bool {
        *self == Self::default()
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.reordered += other.reordered;
        self.phantom += other.phantom;
        self.leaked += other.leaked;
        self.differing += other.differing;
        self.faults += other.faults;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, doubled, reordered, phantom, leaked, differing, faults } = self;
        write!(
            f,
            "lost {lost}, doubled {doubled}, reordered {reordered}, phantom {phantom}, leaked {leaked}, state ≠ refetch {differing}, \
             faults {faults}"
        )
    }
}

impl Findings {
    /// Keeps an example, unless there are enough.
    pub fn note(&mut self, example: impl FnOnce() -> String) {
        if self.examples.len() < 12 {
            self.examples.push(example());
        }
    }
}
