//! Compares what was acknowledged, what was delivered and what is in the database.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use crate::oracle::{Acked, Findings, Post, Receiver, Seen, Truth, What};

impl Truth {
    /// What the log says around this position.
    fn near(&self, position: i64) -> String {
        let said = self.log.range(position - 8..position + 8);
        said.map(|(at, said)| format!("\n      log {at}: {said}")).collect::<Vec<_>>().concat()
    }

    fn was_member(&self, user: &str, room: &str, position: i64) -> bool {
        let stays = self.stays.get(&(user.to_owned(), room.to_owned()));
        stays.is_some_and(|stays| stays.iter().any(|stay| stay.contains(&position)))
    }

    /// Compares the logs of senders and receivers with the database. Every receiver must have listened until the end.
    pub fn judge(&self, acked: &[Acked], receivers: &[Receiver]) -> Findings {
        let mut findings = Findings::default();
        self.judge_posts(acked, &mut findings);
        for receiver in receivers {
            Self::judge_order(receiver, &mut findings);
            self.judge_contents(receiver, &mut findings);
            self.judge_completeness(receiver, &mut findings);
            Self::judge_faults(receiver, &mut findings);
        }
        findings
    }

    /// Every acknowledged post is in the database as it was acknowledged, and none is there twice.
    fn judge_posts(&self, acked: &[Acked], findings: &mut Findings) {
        let mut written: HashMap<(&str, &str, &str), BTreeSet<i64>> = HashMap::new();
        for post in self.posts.values() {
            if let Some(client_id) = &post.client_id {
                written.entry((&post.room, &post.author, client_id)).or_default().insert(post.seq);
            }
        }
        for ack in acked {
            let seqs = written.entry((&ack.room, &ack.author, &ack.client_id)).or_default();
            if !seqs.contains(&ack.seq) {
                findings.counts.lost += 1;
                findings.note(|| format!("lost: acknowledged and not in the database: {ack:?}"));
            }
            seqs.insert(ack.seq);
        }
        for (name, seqs) in written.iter().filter(|(_, seqs)| seqs.len() > 1) {
            findings.counts.doubled += seqs.len() - 1;
            findings.note(|| format!("doubled: {name:?} is {seqs:?}"));
        }
    }

    /// Nothing was told that ends a subscription for good.
    fn judge_faults(receiver: &Receiver, findings: &mut Findings) {
        findings.counts.faults += receiver.faults.len();
        for fault in &receiver.faults {
            findings.note(|| format!("fault: {} was told {fault}", receiver.user));
        }
    }

    /// Positions rise within a connection; seqs rise within a room, over all connections.
    fn judge_order(receiver: &Receiver, findings: &mut Findings) {
        let mut newest: HashMap<&str, i64> = HashMap::new();
        for connection in &receiver.connections {
            let (mut last, mut positions) = (connection.after, HashSet::new());
            for Seen { position, what } in &connection.seen {
                match what {
                    What::Gap { .. } | What::Synced | What::Passing => continue,
                    What::Resync => {
                        last = *position;
                        newest.clear();
                        continue;
                    }
                    What::Posted { .. } | What::Turned(_) | What::Other => {}
                }
                let known = !positions.insert(*position) || *position <= connection.after.min(last);
                if known {
                    findings.counts.doubled += 1;
                    findings.note(|| {
                        format!(
                            "doubled: {} again at {position}, resumed from {}: {what:?}",
                            receiver.user, connection.after
                        )
                    });
                } else if *position < last {
                    findings.counts.reordered += 1;
                    findings.note(|| format!("reordered: {} got {position} after {last}: {what:?}", receiver.user));
                } else if let What::Posted { room, seq, .. } = what {
                    let newest = newest.entry(room).or_default();
                    if seq < newest {
                        findings.counts.reordered += 1;
                        findings.note(|| format!("reordered: {} got #{seq} of {room} after #{newest}", receiver.user));
                    }
                    *newest = *seq.max(newest);
                }
                last = last.max(*position);
            }
        }
    }

    /// Everything delivered is in the database, and the receiver was a member then.
    fn judge_contents(&self, receiver: &Receiver, findings: &mut Findings) {
        for Seen { position, what } in receiver.connections.iter().flat_map(|connection| &connection.seen) {
            let What::Posted { message, room, seq } = what else { continue };
            let post = self.posts.get(position);
            if !post.is_some_and(|post| post.message == *message && post.room == *room && post.seq == *seq) {
                findings.counts.phantom += 1;
                findings.note(|| format!("phantom: {} got at {position} {what:?}; there is {post:?}", receiver.user));
            } else if !self.was_member(&receiver.user, room, *position) {
                findings.counts.leaked += 1;
                findings.note(|| format!("leaked: {} got at {position} {what:?}", receiver.user));
            }
        }
    }

    /// Everything posted after the receiver began, while it was a member, was delivered or announced.
    fn judge_completeness(&self, receiver: &Receiver, findings: &mut Findings) {
        let Some(first) = receiver.connections.first() else { return };
        let (mut delivered, mut resynced) = (HashSet::new(), 0);
        let mut gaps: HashMap<&str, Vec<(i64, i64)>> = HashMap::new();
        let mut turned: HashMap<&str, Vec<Range<i64>>> = HashMap::new();
        for connection in &receiver.connections {
            let (mut since, mut synced) = (connection.after, false);
            // A receiver that joins a room while it catches up fetches the room whole.
            let mut turns: Vec<(&str, i64)> = Vec::new();
            for Seen { position, what } in &connection.seen {
                match what {
                    What::Posted { room, seq, .. } => drop(delivered.insert((room.as_str(), *seq))),
                    What::Gap { room, from, to } => gaps.entry(room).or_default().push((*from, *to)),
                    What::Resync => resynced = resynced.max(*position),
                    // Who was taken out and came back while it caught up isn't told of what was before that: a row of a
                    // membership holds the last stay only. It fetches the room whole at the joining that follows.
                    What::Turned(room) if synced => {
                        turned.entry(room).or_default().push(connection.after..since + 1);
                    }
                    What::Turned(room) => turns.push((room, *position)),
                    What::Synced => {
                        for (room, at) in turns.drain(..) {
                            turned.entry(room).or_default().push(since..at);
                        }
                        (since, synced) = (*position, true);
                    }
                    What::Other | What::Passing => {}
                }
            }
            // The connection was cut while catching up.
            for (room, at) in turns.into_iter().filter(|_| !synced) {
                turned.entry(room).or_default().push(since..at);
            }
        }
        for (position, Post { room, seq, .. }) in self.posts.range(first.after + 1..) {
            let due = *position > resynced
                && self.was_member(&receiver.user, room, *position)
                && !delivered.contains(&(room.as_str(), *seq))
                && !gaps.get(&**room).is_some_and(|gaps| gaps.iter().any(|(from, to)| (from..=to).contains(&seq)))
                && !turned.get(&**room).is_some_and(|turns| turns.iter().any(|turn| turn.contains(position)));
            if due {
                findings.counts.lost += 1;
                findings.note(|| {
                    format!(
                        "lost: {} never got #{seq} of {room}, at {position}; {}{}",
                        receiver.user,
                        receiver.near(*position),
                        self.near(*position)
                    )
                });
            }
        }
    }
}
