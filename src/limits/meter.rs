//! Charges what one operation does.
//!
//! By HTTP, what exceeds a limit is refused. On a socket it waits for its turn: a client that was offline sends what it
//! has kept as fast as it can, and all of it is to arrive. Operations of one socket wait in the order in which they
//! asked, for at most [`MAX_WAIT`] from their arrival, and are refused after that.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use super::{Charge, Exceeded, Limits, Origin, PLACES, PerUser};

/// How long an operation on a socket may wait to be within the limits.
pub const MAX_WAIT: Duration = Duration::from_secs(15);

/// What every operation counts for, in fields asked for, before anything is known of it.
const BASE_COMPLEXITY: usize = 100;

/// Bytes of a document that count as one field: parsing and validating them takes about as long.
const BYTES_PER_FIELD: usize = 10;

/// The order in which the operations of one socket wait.
pub struct Pace([Semaphore; PLACES]);

impl Default for Pace {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Semaphore::new(1)))
    }
}

/// Charges one operation to its caller. Clones charge the same operation.
#[derive(Clone)]
pub struct Meter(Arc<Operation>);

struct Operation {
    limits: Arc<Limits>,
    origin: Origin,
    user: Option<Uuid>,
    /// How long it waits, and in which order. `None`: not at all.
    patience: Option<(Arc<Pace>, Instant)>,
    waits: Mutex<Waits>,
}

/// How long an operation has waited. Its fields may wait at the same time.
#[derive(Default)]
struct Waits {
    /// By those that are over.
    total: Duration,
    /// How many wait, and since when any does.
    waiting: u32,
    since: Option<Instant>,
}

impl Meter {
    /// Refuses what exceeds a limit.
    #[must_use]
    pub fn refusing(limits: &Arc<Limits>, origin: Origin, user: Option<Uuid>) -> Self {
        Self::new(limits, origin, user, None)
    }

    /// Waits for what exceeds a limit, at this pace, for [`MAX_WAIT`] after the operation arrived.
    #[must_use]
    pub fn pacing(limits: &Arc<Limits>, origin: Origin, user: Uuid, pace: &Arc<Pace>, arrived: Instant) -> Self {
        Self::new(limits, origin, Some(user), Some((Arc::clone(pace), arrived + MAX_WAIT)))
    }

    fn new(limits: &Arc<Limits>, origin: Origin, user: Option<Uuid>, patience: Option<(Arc<Pace>, Instant)>) -> Self {
        Self(Arc::new(Operation { limits: Arc::clone(limits), origin, user, patience, waits: Mutex::default() }))
    }

    /// The limits that it charges.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Where the operation comes from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.0.origin
    }

    /// Charges one thing.
    ///
    /// # Errors
    /// When it exceeds a limit, and waiting doesn't help or isn't meant to.
    pub async fn charge(&self, charge: Charge) -> Result<(), Exceeded> {
        self.charge_cells(charge, NonZeroU32::MIN).await
    }

    /// Charges for the beginning of an operation whose document has so many bytes, before it is parsed or executed.
    ///
    /// # Errors
    /// As [`Self::charge`].
    pub async fn charge_document(&self, bytes: usize) -> Result<(), Exceeded> {
        self.charge_complexity(BASE_COMPLEXITY + bytes / BYTES_PER_FIELD).await
    }

    /// Charges for so many fields.
    ///
    /// # Errors
    /// As [`Self::charge`].
    pub async fn charge_complexity(&self, fields: usize) -> Result<(), Exceeded> {
        match NonZeroU32::new(u32::try_from(fields).unwrap_or(u32::MAX)) {
            Some(cells) => self.charge_cells(Charge::User(PerUser::Complexity), cells).await,
            None => Ok(()),
        }
    }

    /// Gives back what [`Self::charge`] took for something that didn't happen.
    pub fn give_back(&self, charge: Charge) {
        let (limits, cells) = (&self.0.limits, NonZeroU32::MIN);
        match charge {
            Charge::User(what) => {
                if let Some(user) = self.0.user {
                    limits.users[what as usize].give_back(&user, cells);
                }
            }
            Charge::Network(what) => limits.give_back_network(self.0.origin, what),
            Charge::Room(room) => limits.rooms.give_back(&room, cells),
        }
    }

    /// How long the operation has waited so far, which doesn't count as its own time.
    #[must_use]
    pub fn waited(&self) -> Duration {
        let waits = self.waits();
        waits.total + waits.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    async fn charge_cells(&self, charge: Charge, cells: NonZeroU32) -> Result<(), Exceeded> {
        let outcome = match &self.0.patience {
            None => self.take(charge, cells),
            Some((pace, until)) => self.wait(&pace.0[charge.place()], *until, charge, cells).await,
        };
        self.0.limits.counted(charge.reason(), outcome)
    }

    fn take(&self, charge: Charge, cells: NonZeroU32) -> Result<(), Exceeded> {
        let limits = &self.0.limits;
        match (charge, self.0.user, self.0.origin.network) {
            (Charge::User(what), Some(user), _) => limits.users[what as usize].take(&user, cells),
            (Charge::Network(what), _, Some(network)) => limits.networks[what as usize].take(&network, cells),
            (Charge::Room(room), ..) => limits.rooms.take(&room, cells),
            (Charge::User(_), None, _) | (Charge::Network(_), _, None) => Ok(()),
        }
    }

    async fn wait(&self, turn: &Semaphore, until: Instant, charge: Charge, cells: NonZeroU32) -> Result<(), Exceeded> {
        // Held while it waits, so that those who asked later come later; the semaphore's queue is fair.
        let held = if let Ok(held) = turn.try_acquire() {
            Some(held)
        } else {
            let _waiting = Waiting::begin(self);
            timeout_at(until, turn.acquire()).await.ok().and_then(Result::ok)
        };
        loop {
            match self.take(charge, cells) {
                Err(exceeded) if held.is_some() && Instant::now() + exceeded.retry_after <= until => {
                    let _waiting = Waiting::begin(self);
                    sleep(exceeded.retry_after).await;
                }
                outcome => return outcome,
            }
        }
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.0.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts the time until it is dropped as waited.
struct Waiting<'m>(&'m Meter);

impl<'m> Waiting<'m> {
    fn begin(meter: &'m Meter) -> Self {
        let mut waits = meter.waits();
        waits.waiting += 1;
        waits.since.get_or_insert_with(Instant::now);
        Self(meter)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waits = self.0.waits();
        waits.waiting -= 1;
        if waits.waiting == 0
            && let Some(since) = waits.since.take()
        {
            waits.total += since.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use futures_util::future::join_all;

    use super::*;
    use crate::limits::{LimitSettings, PerNetwork};

    fn limits(set: impl FnOnce(&mut LimitSettings)) -> Arc<Limits> {
        let mut settings = LimitSettings { enabled: true, ..LimitSettings::off() };
        set(&mut settings);
        Arc::new(Limits::new(&settings, |_| {}))
    }

    fn origin() -> Origin {
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST).into();
        Origin { network: Some(here), claimed: here }
    }

    const POST: Charge = Charge::User(PerUser::Posts);

    #[tokio::test]
    async fn on_a_socket_what_exceeds_a_limit_waits_in_order() {
        let limits = limits(|settings| settings.posts = "100/s burst 2".parse().expect("a rate"));
        let (pace, user, order) = (Arc::new(Pace::default()), Uuid::from_u128(1), Mutex::new(Vec::new()));
        let operations = (0..8).map(|n| {
            let meter = Meter::pacing(&limits, origin(), user, &pace, Instant::now());
            let order = &order;
            async move {
                meter.charge(POST).await.expect("it may wait");
                order.lock().expect("not poisoned").push(n);
                meter.waited()
            }
        });
        let waited = join_all(operations).await;
        assert_eq!(*order.lock().expect("not poisoned"), (0..8).collect::<Vec<_>>());
        assert_eq!(waited[0], Duration::ZERO);
        assert!(waited[7] >= Duration::from_millis(40), "{waited:?}");
    }

    #[tokio::test]
    async fn nobody_waits_for_longer_than_fifteen_seconds_after_the_arrival() {
        let limits = limits(|settings| settings.posts = "30/min burst 1".parse().expect("a rate"));
        let (pace, user) = (Arc::new(Pace::default()), Uuid::from_u128(1));
        let meter = |arrived| Meter::pacing(&limits, origin(), user, &pace, arrived);
        meter(Instant::now()).charge(POST).await.expect("the first passes");
        let long_ago = Instant::now().checked_sub(Duration::from_millis(14_500)).expect("the machine runs");
        let refused = meter(long_ago).charge(POST).await.expect_err("the next is two seconds away");
        assert!(refused.retry_after > Duration::from_secs(1));
    }

    #[tokio::test]
    async fn by_http_it_is_refused_and_who_is_unknown_is_not_charged() {
        let limits = limits(|settings| {
            settings.posts = "1/h".parse().expect("a rate");
            settings.requests = "1/h".parse().expect("a rate");
        });
        let request = Charge::Network(PerNetwork::Requests);
        let meter = Meter::refusing(&limits, origin(), Some(Uuid::from_u128(1)));
        for charge in [POST, request] {
            assert!(meter.charge(charge).await.is_ok());
            assert!(meter.charge(charge).await.is_err());
            meter.give_back(charge);
            assert!(meter.charge(charge).await.is_ok());
        }
        let unknown = Meter::refusing(&limits, Origin { network: None, ..origin() }, None);
        for charge in [POST, request, POST, request] {
            assert!(unknown.charge(charge).await.is_ok());
        }
    }
}
