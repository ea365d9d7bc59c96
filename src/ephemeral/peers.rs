//! What nodes tell each other of presence and typing, and the task that keeps both true.
//!
//! Each node publishes who comes, who goes and who types as it happens and, every heartbeat, all who are there. Nothing
//! is lost for good when a message is: the next heartbeat makes up for it. Without a broker the task only goes on with
//! the time. Whoever may publish on the broker can make users look online or typing, and no more.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Subscriber;
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::presence::{Moves, NodeId, Roll};
use super::{Live, Outbox};
use crate::ids::{RoomId, UserId};
use crate::log::doorbell::{BrokerState, Doorbell, DoorbellError};

/// The one subject on which nodes tell.
const SUBJECT: &str = "parlor.live";

/// Messages of another version are passed over.
const VERSION: u8 = 1;

/// Users in one message at most: some 400 KB, where NATS takes 1 MiB.
const PART_SIZE: usize = 10_000;

/// How long publishing may take before it is given up; the next heartbeat makes up for it.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(1);

/// How often it is looked whether a broker that is away has come back.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What one node tells the others.
#[derive(Serialize, Deserialize, Debug, PartialEq, Eq)]
struct Message {
    v: u8,
    node: Uuid,
    told: Told,
}

#[derive(Serialize, Deserialize, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Told {
    /// I have just come to the broker: tell me who is there.
    Hello,
    /// A part of all who are online here.
    Roll { round: u64, parts: u32, users: Vec<Uuid> },
    /// These came, and these went.
    Moves { came: Vec<Uuid>, left: Vec<(Uuid, DateTime<Utc>)> },
    /// These are typing.
    Typing { typed: Vec<(Uuid, Uuid)> },
    /// I stop.
    Stop,
}

/// A node's end of the gossip.
struct Gossip {
    live: Arc<Live>,
    doorbell: Doorbell,
    node: NodeId,
    rings: Option<Subscriber>,
    was_reachable: bool,
    round: u64,
    heartbeat_at: Instant,
}

/// Keeps presence and typing true, with other nodes through the doorbell's broker, until cancelled.
pub async fn run(live: Arc<Live>, doorbell: Doorbell, stop: CancellationToken) {
    let rings = match listen(&doorbell).await {
        Ok(rings) => rings,
        Err(error) => {
            tracing::error!(%error, "presence and typing on other nodes are not heard of");
            None
        }
    };
    let node = NodeId(Uuid::now_v7());
    let heartbeat_at = Instant::now();
    let mut gossip = Gossip { live, doorbell, node, rings, was_reachable: false, round: 0, heartbeat_at };
    let live = gossip.live.clone();
    loop {
        gossip.go_on().await;
        let due = gossip.due();
        tokio::select! {
            () = stop.cancelled() => break,
            () = live.stirred.notified() => {}
            heard = gossip.next() => gossip.hear(&heard),
            () = sleep_until(due) => {}
        }
    }
    if gossip.is_reachable() {
        gossip.publish(Told::Stop).await;
        gossip.flush().await;
    }
}

async fn listen(doorbell: &Doorbell) -> Result<Option<Subscriber>, DoorbellError> {
    match doorbell {
        Doorbell::Local => Ok(None),
        Doorbell::Nats(client) => Ok(Some(client.subscribe(SUBJECT).await?)),
    }
}

impl Gossip {
    fn is_reachable(&self) -> bool {
        self.rings.is_some() && self.doorbell.state() == BrokerState::Connected
    }

    /// When there is something to do, whatever happens till then.
    fn due(&self) -> Instant {
        let look_again = match self.rings {
            Some(_) if !self.was_reachable => Instant::now() + LOOK_AGAIN,
            _ => self.heartbeat_at,
        };
        self.live.next_tick().map_or(look_again, |tick| tick.min(look_again)).min(self.heartbeat_at)
    }

    /// Goes on with the time, and tells what there is to tell.
    async fn go_on(&mut self) {
        let reachable = self.is_reachable();
        let Outbox { moves, typed } = self.live.tick(reachable);
        let has_come = !std::mem::replace(&mut self.was_reachable, reachable) && reachable;
        if reachable {
            if moves != Moves::default() {
                self.publish(Told::moves(moves)).await;
            }
            if !typed.is_empty() {
                self.publish(Told::Typing { typed: typed.into_iter().map(|(room, user)| (room.0, user.0)).collect() })
                    .await;
            }
            if has_come {
                self.publish(Told::Hello).await;
            }
        }
        let now = Instant::now();
        if has_come || self.heartbeat_at <= now {
            self.heartbeat_at = now + self.live.limits().heartbeat;
            self.round += 1;
            let roll = if reachable { self.live.roll(self.round, PART_SIZE) } else { Vec::new() };
            for part in roll {
                self.publish(Told::roll(part)).await;
            }
        }
    }

    /// What another node tells next; pending without a broker.
    async fn next(&mut self) -> async_nats::Message {
        if let Some(rings) = &mut self.rings
            && let Some(message) = rings.next().await
        {
            return message;
        }
        std::future::pending().await
    }

    fn hear(&mut self, message: &async_nats::Message) {
        let Ok(Message { v: VERSION, node, told }) = serde_json::from_slice(&message.payload) else {
            return tracing::debug!("what another node told is not understood");
        };
        let node = NodeId(node);
        match told {
            _ if node == self.node => {}
            Told::Hello => self.heartbeat_at = Instant::now(),
            Told::Roll { round, parts, users } => {
                self.live.hear_roll(node, Roll { round, parts, users: users.into_iter().map(UserId).collect() });
            }
            Told::Moves { came, left } => {
                let came = came.into_iter().map(UserId).collect();
                let left = left.into_iter().map(|(user, at)| (UserId(user), at)).collect();
                self.live.hear_moves(node, Moves { came, left });
            }
            Told::Typing { typed } => {
                for (room, user) in typed {
                    self.live.hear_typing(RoomId(room), UserId(user));
                }
            }
            Told::Stop => self.live.hear_stop(node),
        }
    }

    async fn publish(&self, told: Told) {
        let Doorbell::Nats(client) = &self.doorbell else { return };
        let message = Message { v: VERSION, node: self.node.0, told };
        let Ok(message) = serde_json::to_vec(&message) else { return };
        match timeout(PUBLISH_TIMEOUT, client.publish(SUBJECT, message.into())).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "other nodes could not be told"),
            Err(_) => tracing::debug!("telling other nodes took too long"),
        }
    }

    async fn flush(&self) {
        let Doorbell::Nats(client) = &self.doorbell else { return };
        // Who doesn't hear it finds out by itself.
        let _ = timeout(PUBLISH_TIMEOUT, client.flush()).await;
    }
}

impl Told {
    fn moves(moves: Moves) -> Self {
        let came = moves.came.into_iter().map(|user| user.0).collect();
        let left = moves.left.into_iter().map(|(user, at)| (user.0, at)).collect();
        Self::Moves { came, left }
    }

    fn roll(roll: Roll) -> Self {
        let users = roll.users.into_iter().map(|user| user.0).collect();
        Self::Roll { round: roll.round, parts: roll.parts, users }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_its_json() {
        let user = Uuid::now_v7();
        for told in [
            Told::Hello,
            Told::Roll { round: 1, parts: 2, users: vec![user] },
            Told::Moves { came: vec![user], left: vec![(user, DateTime::UNIX_EPOCH)] },
            Told::Typing { typed: vec![(user, user)] },
            Told::Stop,
        ] {
            let message = Message { v: VERSION, node: user, told };
            let json = serde_json::to_vec(&message).expect("JSON");
            assert_eq!(serde_json::from_slice::<Message>(&json).expect("a message"), message);
        }
    }

    #[test]
    fn a_full_part_of_a_roll_is_a_message_that_nats_takes() {
        let told = Told::Roll { round: u64::MAX, parts: u32::MAX, users: vec![Uuid::max(); PART_SIZE] };
        let message = Message { v: VERSION, node: Uuid::max(), told };
        assert!(serde_json::to_vec(&message).expect("JSON").len() < 1024 * 1024 / 2);
    }
}
