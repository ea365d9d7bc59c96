//! The result of a load, and the times that it took.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use crate::oracle::Findings;
use crate::receiver::Log;
use crate::sender::Acked;

/// The result of a load.
pub struct Finished {
    /// What the oracle found.
    pub findings: Findings,
    /// Every acknowledged post.
    pub acked: Vec<Acked>,
    /// How often each error was answered.
    pub errors: BTreeMap<String, usize>,
    /// What `parlor check` finds wrong with the database, if anything.
    pub checked: Result<(), String>,
    /// Whether the last posts reached everybody in time.
    pub settled: bool,
    /// How often receivers connected.
    pub connections: usize,
    /// Whether the database was replaced by a copy that lacked messages.
    pub was_replaced: bool,
    /// How many receivers were told to fetch everything anew.
    pub resynced: usize,
    /// What each receiver received.
    pub logs: Vec<Log>,
}

impl Finished {
    /// The longest time without an acknowledgement between these moments, by this node if one is named.
    pub fn longest_silence(&self, from: Instant, to: Instant, node: Option<usize>) -> Duration {
        let mut at: Vec<Instant> = self
            .acked
            .iter()
            .filter(|acked| node.is_none_or(|node| acked.node == node))
            .map(|acked| acked.answered)
            .filter(|at| (from..to).contains(at))
            .collect();
        at.extend([from, to]);
        at.sort();
        at.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// The times from acknowledgement to delivery of the posts acknowledged between these moments, shortest first. A
    /// post that arrived before it was acknowledged counts as zero.
    pub fn latencies(&self, from: Instant, to: Instant) -> Vec<Duration> {
        self.arrivals(|acked| acked.answered, from, to)
    }

    /// The same from the moment at which the post was first sent, which includes the time that writing took.
    pub fn latencies_from_sending(&self, from: Instant, to: Instant) -> Vec<Duration> {
        self.arrivals(|acked| acked.sent, from, to)
    }

    /// How many events came to the first receiver between these moments.
    pub fn arrived(&self, from: Instant, to: Instant) -> usize {
        let Some(log) = self.logs.first() else { return 0 };
        let log = log.lock();
        log.iter().flat_map(|connection| &connection.events).filter(|(at, _)| (from..to).contains(at)).count()
    }

    fn arrivals(&self, begin: impl Fn(&Acked) -> Instant, from: Instant, to: Instant) -> Vec<Duration> {
        let times = self.acked.iter().map(|acked| ((&*acked.post.room, acked.post.seq), begin(acked)));
        let times: HashMap<(&str, i64), Instant> = times.filter(|(_, at)| (from..to).contains(at)).collect();
        let mut latencies = Vec::new();
        for log in &self.logs {
            for (at, event) in log.lock().iter().flat_map(|connection| &connection.events) {
                if event.kind == "MessagePosted" {
                    let message = event.message();
                    let since = times.get(&(&*message.room_id, message.seq));
                    latencies.extend(since.map(|since| at.saturating_duration_since(*since)));
                }
            }
        }
        latencies.sort();
        latencies
    }
}

/// The 99th percentile of sorted times.
pub fn p99(sorted: &[Duration]) -> Duration {
    sorted.get(sorted.len() * 99 / 100).copied().unwrap_or_default()
}
