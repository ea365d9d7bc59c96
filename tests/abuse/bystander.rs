//! Somebody else, who uses the server while it is attacked.

use std::time::{Duration, Instant};

use serde_json::json;

use super::outcome::Outcome;
use super::server::Server;
use crate::support::{Feed, Room, TestUser};

/// Between two rounds: within what a user may post.
const PAUSE: Duration = Duration::from_millis(250);

/// How long anything may take at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most that 99 of 100 actions may take.
const MOST: Duration = Duration::from_millis(500);

const INBOX: &str = "{ rooms(first: 20) { nodes { id lastMessage { seq body } viewer { unreadCount } } } }";

/// A user with a friend and a subscription.
pub struct Bystander {
    user: TestUser,
    room: Room,
    feed: Feed,
}

/// What the bystander's actions took, each kind sorted.
pub struct Experience {
    reads: Vec<Duration>,
    posts: Vec<Duration>,
    heard: Vec<Duration>,
    not_ready: usize,
    failed: usize,
}

impl Bystander {
    /// Signs up, with a friend, and subscribes.
    pub async fn arrive(server: &Server) -> Self {
        let (user, friend) = (server.user("bystander").await, server.user("friend").await);
        let room = user.initiate_chat([&friend]).await;
        let feed = user.subscribe().await;
        Self { user, room, feed }
    }

    /// Uses the server for so many rounds.
    pub async fn live(&mut self, server: &Server, rounds: usize) -> Experience {
        let mut experience =
            Experience { reads: Vec::new(), posts: Vec::new(), heard: Vec::new(), not_ready: 0, failed: 0 };
        for _ in 0..rounds {
            tokio::time::sleep(PAUSE).await;
            let begun = Instant::now();
            let read = self.user.graphql(INBOX, json!({})).await;
            experience.reads.push(begun.elapsed());
            let begun = Instant::now();
            let document =
                "mutation($room: ID!) { postMessage(roomId: $room, body: \"still here\") { message { id } } }";
            let posted = self.user.graphql(document, json!({ "room": self.room.id })).await;
            experience.posts.push(begun.elapsed());
            let is_posted = posted.body["errors"].is_null();
            if is_posted {
                let heard = tokio::time::timeout(PATIENCE, self.feed.next_message()).await;
                experience.failed += usize::from(heard.is_err());
                experience.heard.push(begun.elapsed());
            }
            experience.failed += usize::from(!read.body["errors"].is_null()) + usize::from(!is_posted);
            experience.not_ready += usize::from(!server.is_ready().await);
        }
        experience
    }
}

impl Experience {
    /// Adds what it was like to the outcome, with its bounds.
    pub fn judge(mut self, outcome: Outcome) -> Outcome {
        let rounds = self.reads.len();
        // Readiness is a bound on time as well: of how long the log wasn't read.
        let most_not_ready = if cfg!(debug_assertions) { rounds / 10 } else { 0 };
        let not_ready = self.not_ready;
        outcome
            .expect(self.failed == 0, format_args!("{} of {} actions of others failed (0)", self.failed, 3 * rounds))
            .expect(
                not_ready <= most_not_ready,
                format_args!("{not_ready} of {rounds} times not ready (≤ {most_not_ready})"),
            )
            .within("others' p99: reading", p99(&mut self.reads), MOST)
            .within("posting", p99(&mut self.posts), MOST)
            .within("hearing it", p99(&mut self.heard), MOST)
    }
}

fn p99(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    let at = (times.len() * 99).div_ceil(100).saturating_sub(1);
    times.get(at).copied().unwrap_or(PATIENCE)
}
