//! What the oracle knows, and what it counts. [`judge`](crate::judge) counts it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::{AddAssign, Range};

/// What must be zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Acknowledged and not in the database, or in the database and not delivered to a member: neither as an event nor
    /// in a gap that was announced.
    pub lost: usize,
    /// Delivered again although the receiver had resumed from behind it, or written twice under one client id.
    pub doubled: usize,
    /// Delivered after something that happened later.
    pub reordered: usize,
    /// Delivered, and not in the database.
    pub phantom: usize,
    /// Delivered to somebody who was not a member then.
    pub leaked: usize,
    /// Clients whose state, made from events, is not what a fresh fetch gives.
    pub differing: usize,
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

/// What the database says.
#[derive(Debug, Default)]
pub struct Truth {
    /// By position.
    pub posts: BTreeMap<i64, Post>,
    /// By user and room: from which position, and before which, somebody was a member.
    pub stays: HashMap<(String, String), Vec<Range<i64>>>,
}

/// What one subscription was sent.
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
    /// What it told.
    pub what: What,
}

/// What an event tells the oracle.
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
    /// What lies between was left out; the client fetches it.
    Gap {
        /// The room.
        room: String,
        /// The first message.
        from: i64,
        /// The last message.
        to: i64,
    },
    /// The receiver came to the room and fetches it whole, or left it.
    Turned(String),
    /// The client fetches everything anew.
    Resync,
    /// From here on all is live.
    Synced,
    /// Another event of the log.
    Other,
    /// Presence or typing: not of the log, so it has no place of its own.
    Passing,
}

/// Who received what.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// The user.
    pub user: String,
    /// One after the other.
    pub connections: Vec<Connection>,
}

/// The counts, and what they were counted from.
#[derive(Debug, Default)]
pub struct Findings {
    /// The counts.
    pub counts: Counts,
    /// The first few that were counted.
    pub examples: Vec<String>,
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
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lost, doubled, reordered, phantom, leaked, differing } = self;
        write!(
            f,
            "lost {lost}, doubled {doubled}, reordered {reordered}, phantom {phantom}, leaked {leaked}, state ≠ refetch {differing}"
        )
    }
}

impl Findings {
    /// Keeps an example, if there are few yet.
    pub fn note(&mut self, example: impl FnOnce() -> String) {
        if self.examples.len() < 12 {
            self.examples.push(example());
        }
    }
}
