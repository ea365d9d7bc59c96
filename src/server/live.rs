//! Presence and typing: what the rules need of the delivery, and the tasks behind it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chat::presence;
use crate::clock::Clock;
use crate::config::Config;
use crate::delivery::Hub;
use crate::ephemeral::{Live, LiveLimits, notifier, peers};
use crate::ids::{RoomId, UserId};
use crate::log::doorbell::Doorbell;
use crate::telemetry::Metrics;

impl presence::Live for Live {
    fn is_online(&self, user: UserId) -> bool {
        self.is_online(user)
    }

    fn last_seen(&self, user: UserId) -> Option<DateTime<Utc>> {
        self.last_seen(user)
    }

    fn typing(&self, room: RoomId, user: UserId) {
        self.typing(room, user);
    }
}

/// Nobody is online yet.
pub(super) fn new(config: &Config, clock: Clock, metrics: Arc<Metrics>) -> Arc<Live> {
    let limits = LiveLimits {
        max_members: config.live_max_members,
        typing: config.typing_time,
        linger: config.presence_linger,
        heartbeat: config.presence_heartbeat,
        node_timeout: config.presence_node_timeout,
    };
    Arc::new(Live::new(limits, clock, metrics))
}

/// Has presence and typing kept true and told, until cancelled.
pub(super) fn run(
    tasks: &TaskTracker,
    live: &Arc<Live>,
    hub: &Arc<Hub>,
    doorbell: &Doorbell,
    stop: &CancellationToken,
) {
    tasks.spawn(peers::run(live.clone(), doorbell.clone(), stop.clone()));
    tasks.spawn(notifier::run(live.clone(), hub.clone(), stop.clone()));
}
