//! A client that keeps every event, and resumes from its cursor whenever its connection is cut.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::dice::Dice;
use crate::line::{Line, Lost, position};
use crate::oracle::{self, Seen, What};
use crate::support::{Event, Message};

/// How long a client waits before it connects again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);

/// What a receiver does at a reconnect, and how often it cuts itself off.
#[derive(Clone, Copy, Debug, Default)]
pub struct Habits {
    /// Forgets its cursor, which a client must not do.
    pub forgetful: bool,
    /// Of a hundred events, after how many it reconnects by itself.
    pub restless_percent: usize,
}

/// Everything that one subscription received.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The cursor that it resumed from.
    pub after: String,
    /// In the order of arrival.
    pub events: Vec<(Instant, Event)>,
}

/// One receiver's connections, the last of which may still be open, and what it was told that it never should be.
#[derive(Clone, Default)]
pub struct Log {
    connections: Arc<Mutex<Vec<Connection>>>,
    faults: Arc<Mutex<Vec<String>>>,
}

impl Log {
    /// What has come so far.
    pub fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that it was told this, which it never should be.
    pub fn blame(&self, fault: String) {
        self.faults().push(fault);
    }

    fn faults(&self) -> MutexGuard<'_, Vec<String>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this message, posted at this position, has come, is in a gap that was announced, or is among what was to
    /// be fetched anew. What had come before that is not there any more: after a failover, another message may have had
    /// the same number.
    pub fn has(&self, message: &Message, posted: i64) -> bool {
        let log = self.lock();
        let newest_first = log.iter().rev().flat_map(|connection| connection.events.iter().rev());
        for (_, event) in newest_first {
            match what(event) {
                What::Posted { message: id, .. } if id == message.id => return true,
                What::Gap { room, from, to } if room == message.room_id && (from..=to).contains(&message.seq) => {
                    return true;
                }
                What::Resync => return position(&event.cursor) >= posted,
                _ => {}
            }
        }
        false
    }

    /// Whether it was told to fetch everything anew.
    pub fn was_resynced(&self) -> bool {
        self.lock().iter().flat_map(|connection| &connection.events).any(|(_, event)| event.kind == "ResyncRequired")
    }

    /// How often it was connected.
    pub fn connections(&self) -> usize {
        self.lock().len()
    }

    /// What it received, in the oracle's form.
    pub fn judged(&self, user: &str) -> oracle::Receiver {
        let log = self.lock();
        let connections = log.iter().map(|connection| oracle::Connection {
            after: position(&connection.after),
            seen: connection.events.iter().map(|(_, event)| seen(event)).collect(),
        });
        oracle::Receiver {
            user: user.to_owned(),
            connections: connections.collect(),
            forgotten: Vec::new(),
            faults: self.faults().clone(),
        }
    }
}

/// A client that listens.
pub struct Receiver {
    /// Where to connect: to the next address when one can't be reached.
    pub nodes: Vec<SocketAddr>,
    /// The user's token.
    pub token: String,
    /// Where to begin.
    pub after: String,
    /// What it does at a reconnect.
    pub habits: Habits,
    /// Its own choices.
    pub dice: Dice,
    /// What it keeps.
    pub log: Log,
}

impl Receiver {
    /// Listens until stopped.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut node = 0;
        while !stop.is_cancelled() {
            let lost = tokio::select! {
                () = stop.cancelled() => return,
                Err(lost) = self.listen(self.nodes[node % self.nodes.len()]) => lost,
            };
            self.log.faults().extend(lost.blame);
            if lost.why != OF_ITS_OWN_ACCORD {
                node += 1;
                tokio::time::sleep(RECONNECT_PAUSE).await;
            }
        }
    }

    async fn listen(&mut self, addr: SocketAddr) -> Result<(), Lost> {
        let after = (!self.habits.forgetful).then_some(&*self.after);
        let mut line = Line::events(addr, &self.token, after).await?;
        self.log.lock().push(Connection { after: self.after.clone(), events: Vec::new() });
        loop {
            let event = line.next().await?;
            self.after.clone_from(&event.cursor);
            if let Some(connection) = self.log.lock().last_mut() {
                connection.events.push((Instant::now(), event));
            }
            if self.dice.below(1_000) < self.habits.restless_percent * 10 {
                return Err(Lost::cut(OF_ITS_OWN_ACCORD));
            }
        }
    }
}

const OF_ITS_OWN_ACCORD: &str = "of its own accord";

/// A receiver with one connection, which received these events after this cursor.
pub fn resumed(user: &str, after: &str, events: &[Event]) -> oracle::Receiver {
    let connection = oracle::Connection { after: position(after), seen: events.iter().map(seen).collect() };
    oracle::Receiver { user: user.to_owned(), connections: vec![connection], forgotten: Vec::new(), faults: Vec::new() }
}

fn seen(event: &Event) -> Seen {
    Seen { position: position(&event.cursor), what: what(event) }
}

/// What the event says to the oracle.
pub fn what(event: &Event) -> What {
    match &*event.kind {
        "MessagePosted" => {
            let message = event.message();
            What::Posted { message: message.id, room: message.room_id, seq: message.seq }
        }
        "RoomGap" => {
            let number = |field: &str| event.body[field].as_i64().expect("a gap has bounds");
            What::Gap { room: event.room_id(), from: number("fromSeq"), to: number("toSeq") }
        }
        "RoomJoined" | "RoomLeft" => What::Turned(event.room_id()),
        "ResyncRequired" => What::Resync,
        "Synced" => What::Synced,
        "PresenceChanged" | "UserChanged" | "TypingChanged" => What::Passing,
        _ => What::Other,
    }
}
