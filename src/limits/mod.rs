//! Limits on what users and addresses may do: rates, by the [generic cell rate
//! algorithm](https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm), and how many of something there may be.
//!
//! All of it is in the memory of one node, so that a refusal costs no statement; several nodes multiply the rates by
//! their number. What is refused by HTTP waits on a socket: see [`meter`].
//!
//! | File | Holds |
//! |---|---|
//! | [`settings`], [`rate`] | how much is allowed |
//! | [`network`] | addresses as limits see them |
//! | [`bucket`] | what is left, by key |
//! | [`meter`] | charges one operation |
//! | [`sign_in`] | attempts to sign in: failures are charged, and the others given back |
//! | [`fair_queue`] | who is next where many wait for something costly |
//! | [`lanes`] | one at a time of each key |
//! | [`count`] | how many there are at a time |

use std::num::NonZeroU32;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub mod bucket;
pub mod count;
pub mod fair_queue;
pub mod lanes;
pub mod meter;
pub mod network;
pub mod rate;
pub mod settings;
pub mod sign_in;

pub use meter::{Meter, Pace};
pub use network::{Network, Origin};
pub use settings::LimitSettings;

use bucket::Bucket;
use count::Counts;
use sign_in::SignIns;

/// How often keys whose buckets are full again are forgotten.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// There was more than is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests")]
pub struct Exceeded {
    /// How long to wait before the next attempt, if nothing else is done meanwhile.
    pub retry_after: Duration,
}

/// What is limited per user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PerUser {
    /// Fields asked for.
    Complexity,
    /// Messages posted.
    Posts,
    /// Read marks moved.
    Marks,
    /// Reports of typing.
    Typing,
    /// Every other change.
    Writes,
    /// Fields at the root of queries, and subscriptions begun.
    Reads,
    /// Rooms opened.
    NewRooms,
    /// Reports of messages and users.
    Reports,
    /// Sockets that resume.
    Resumes,
    /// Searches for messages.
    Searches,
    /// Files announced.
    Uploads,
}

/// What is limited per address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PerNetwork {
    /// Requests, and operations on sockets.
    Requests,
    /// Sockets opened.
    Sockets,
    /// Accounts created.
    SignUps,
}

/// What one thing is charged to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// The bucket of the caller.
    User(PerUser),
    /// The bucket of the caller's address.
    Network(PerNetwork),
    /// The bucket of posts into this room.
    Room(Uuid),
}

/// How many values [`Charge::place`] has.
const PLACES: usize = 15;

impl Charge {
    /// A stable label for metrics.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::User(PerUser::Complexity) => "limit_complexity",
            Self::User(PerUser::Posts) => "limit_posts",
            Self::User(PerUser::Marks) => "limit_marks",
            Self::User(PerUser::Typing) => "limit_typing",
            Self::User(PerUser::Writes) => "limit_writes",
            Self::User(PerUser::Reads) => "limit_reads",
            Self::User(PerUser::NewRooms) => "limit_new_rooms",
            Self::User(PerUser::Reports) => "limit_reports",
            Self::User(PerUser::Resumes) => "limit_resumes",
            Self::User(PerUser::Searches) => "limit_searches",
            Self::User(PerUser::Uploads) => "limit_uploads",
            Self::Network(PerNetwork::Requests) => "limit_requests",
            Self::Network(PerNetwork::Sockets) => "limit_sockets_opened",
            Self::Network(PerNetwork::SignUps) => "limit_sign_ups",
            Self::Room(_) => "limit_room_posts",
        }
    }

    /// Charges of one kind wait for each other on a socket.
    fn place(self) -> usize {
        match self {
            Self::User(what) => what as usize,
            Self::Network(what) => 11 + what as usize,
            Self::Room(_) => 14,
        }
    }
}

/// All limits of one node.
pub struct Limits {
    users: [Bucket<Uuid>; 11],
    networks: [Bucket<Network>; 3],
    rooms: Bucket<Uuid>,
    keys: Bucket<Uuid>,
    sign_ins: SignIns,
    sockets: Counts<Uuid>,
    on_refusal: Box<dyn Fn(&'static str) + Send + Sync>,
}

impl Limits {
    /// These limits. `on_refusal` receives the reason of each refusal.
    #[must_use]
    pub fn new(settings: &LimitSettings, on_refusal: impl Fn(&'static str) + Send + Sync + 'static) -> Self {
        let settings = settings.in_force();
        let users = [
            &settings.complexity,
            &settings.posts,
            &settings.marks,
            &settings.typing,
            &settings.writes,
            &settings.reads,
            &settings.new_rooms,
            &settings.reports,
            &settings.resumes,
            &settings.searches,
            &settings.uploads,
        ];
        let networks = [&settings.requests, &settings.sockets_opened, &settings.sign_ups];
        Self {
            users: users.map(Bucket::new),
            networks: networks.map(Bucket::new),
            rooms: Bucket::new(&settings.room_posts),
            keys: Bucket::new(&settings.server_keys),
            sign_ins: SignIns::new(&settings),
            sockets: Counts::new(settings.sockets),
            on_refusal: Box::new(on_refusal),
        }
    }

    /// Charges a user.
    ///
    /// # Errors
    /// When not so much is left.
    pub fn charge_user(&self, user: Uuid, what: PerUser) -> Result<(), Exceeded> {
        self.counted(Charge::User(what).reason(), self.users[what as usize].take(&user, NonZeroU32::MIN))
    }

    /// Charges an address, if it is known whose it is.
    ///
    /// # Errors
    /// When not so much is left.
    pub fn charge_network(&self, origin: Origin, what: PerNetwork) -> Result<(), Exceeded> {
        let Some(network) = origin.network else { return Ok(()) };
        self.counted(Charge::Network(what).reason(), self.networks[what as usize].take(&network, NonZeroU32::MIN))
    }

    /// Charges a request to a server key.
    ///
    /// # Errors
    /// When not so much is left.
    pub fn charge_key(&self, key: Uuid) -> Result<(), Exceeded> {
        self.counted("limit_server_keys", self.keys.take(&key, NonZeroU32::MIN))
    }

    /// Gives back what [`Self::charge_network`] took.
    pub fn give_back_network(&self, origin: Origin, what: PerNetwork) {
        if let Some(network) = origin.network {
            self.networks[what as usize].give_back(&network, NonZeroU32::MIN);
        }
    }

    /// A place for one more socket of this user, taken until it is dropped. `None`: there are as many as may be.
    #[must_use]
    pub fn socket(&self, user: Uuid) -> Option<count::Place<Uuid>> {
        let place = self.sockets.enter(user);
        if place.is_none() {
            (self.on_refusal)("limit_sockets");
        }
        place
    }

    /// Forgets what need not be remembered, now and then, until cancelled.
    pub async fn sweep(&self, stop: CancellationToken) {
        let mut rounds = tokio::time::interval(SWEEP_INTERVAL);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = rounds.tick() => {}
            }
            self.users.iter().for_each(Bucket::sweep);
            self.networks.iter().for_each(Bucket::sweep);
            self.rooms.sweep();
            self.keys.sweep();
            self.sign_ins.sweep();
        }
    }

    fn counted<T>(&self, reason: &'static str, outcome: Result<T, Exceeded>) -> Result<T, Exceeded> {
        outcome.inspect_err(|_| (self.on_refusal)(reason))
    }
}
