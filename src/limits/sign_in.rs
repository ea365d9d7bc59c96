//! Attempts to sign in.
//!
//! Only failures are charged: a cell is taken before the password is verified, and given back if it was right. Attempts
//! for one account from one address are made one after the other, so that none is refused for what others have taken
//! and are about to give back. Failures are counted per address, and per account *and* address, so that nobody can lock
//! another out: whoever tries wrong passwords for an account exhausts only the own address. Guessing from many addresses
//! slows every attempt down, the right one as well, but refuses none.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::bucket::Bucket;
use super::fair_queue::{FairQueue, Turn};
use super::lanes::{InLane, Lanes};
use super::{Exceeded, LimitSettings, Limits, Network, Origin};

/// How much longer an attempt takes when an account has been tried in vain too often.
const SLOWED_BY: Duration = Duration::from_secs(3);

/// Passwords that are verified or hashed at a time; the rules hash fewer at a time, so some are always ready.
const AT_ONCE: usize = 8;

/// Passwords that may wait besides. Together it is what the rules accept.
const MAX_WAITING: usize = 56;

/// Attempts for one account from one address, the one that is made included. They are made one after the other, and
/// more would wait for longer than an operation may take.
const MAX_IN_LANE: usize = 32;

/// When whoever found no place may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// An account as somebody names it, whether it exists or not: a hash, with a key of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Account(u64);

/// An account, and the address from which it is tried.
type Attempted = (Account, Network);

/// Who waits for a password to be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waiter {
    /// At this address.
    At(Network),
    /// For this account, behind a proxy that nobody declared.
    Of(Account),
}

/// The limits on signing in, signing up and refreshing.
pub(super) struct SignIns {
    accounts: RandomState,
    by_network: Bucket<Network>,
    by_account: Bucket<Attempted>,
    ceiling: Bucket<Account>,
    attempts: Bucket<Attempted>,
    lanes: Arc<Lanes<Attempted>>,
    turns: Arc<FairQueue<Waiter>>,
}

impl SignIns {
    pub(super) fn new(settings: &LimitSettings) -> Self {
        Self {
            accounts: RandomState::new(),
            by_network: Bucket::new(&settings.sign_in_failures),
            by_account: Bucket::new(&settings.account_failures),
            ceiling: Bucket::new(&settings.account_ceiling),
            attempts: Bucket::new(&settings.sign_ins),
            lanes: Arc::default(),
            turns: FairQueue::new(AT_ONCE, MAX_WAITING),
        }
    }

    pub(super) fn sweep(&self) {
        self.by_network.sweep();
        self.by_account.sweep();
        self.ceiling.sweep();
        self.attempts.sweep();
    }
}

/// An attempt to sign in or to refresh. Unless it is [settled](Self::settle), it counts as a failure.
#[must_use]
pub struct Attempt<'l> {
    limits: &'l Limits,
    account: Account,
    origin: Origin,
    /// Whether the account is guarded, too: not for a refresh token, which nobody can guess.
    guarded: bool,
    /// Whether it was below the account's ceiling, and counts there.
    below_ceiling: bool,
    /// Held while its password is verified.
    _turn: Option<(InLane<Attempted>, Turn<Waiter>)>,
}

impl Limits {
    /// An attempt to sign in under this name, once it has its turn. Takes longer if there were too many in vain.
    ///
    /// # Errors
    /// When there were too many failures from this address, or for this account from this address; or too many wait.
    pub async fn sign_in(&self, origin: Origin, username: &str) -> Result<Attempt<'_>, Exceeded> {
        let account = self.account(&username.trim().to_ascii_lowercase());
        let below_ceiling = self.sign_ins.ceiling.take(&account, NonZeroU32::MIN).is_ok();
        if !below_ceiling {
            (self.on_refusal)("limit_account_slowed");
            tokio::time::sleep(SLOWED_BY).await;
        }
        let (lane, attempt) = match self.enter(origin, account).await {
            Ok((lane, attempt)) => (lane, Attempt { below_ceiling, ..attempt }),
            Err(exceeded) => {
                if below_ceiling {
                    self.sign_ins.ceiling.give_back(&account, NonZeroU32::MIN);
                }
                return Err(exceeded);
            }
        };
        match self.hashing(origin, username).await {
            Ok(turn) => Ok(Attempt { _turn: Some((lane, turn)), ..attempt }),
            Err(exceeded) => {
                attempt.settle();
                Err(exceeded)
            }
        }
    }

    /// Waits for the attempts before this one, and reserves its failure.
    async fn enter(&self, origin: Origin, account: Account) -> Result<(InLane<Attempted>, Attempt<'_>), Exceeded> {
        let lane = self.sign_ins.lanes.enter((account, origin.claimed), MAX_IN_LANE).await;
        let lane = self.counted("limit_hashing", lane.ok_or(Exceeded { retry_after: RETRY_AFTER }))?;
        let reserved = self.charge_attempt(origin, account).and_then(|()| self.reserve(origin, account));
        Ok((lane, self.counted("limit_sign_in", reserved)?))
    }

    /// An attempt to refresh a session.
    ///
    /// # Errors
    /// When there were too many failures from this address, or the same session is refreshed again and again.
    pub fn refresh(&self, origin: Origin, token: &str) -> Result<Attempt<'_>, Exceeded> {
        // What a token begins with names its session, and stays the same.
        let account = self.account(token.get(..21).unwrap_or(token));
        let reserved = self.charge_attempt(origin, account).and_then(|()| match origin.network {
            Some(network) => self.sign_ins.by_network.take(&network, NonZeroU32::MIN),
            None => Ok(()),
        });
        self.counted("limit_refresh", reserved)?;
        Ok(Attempt { limits: self, account, origin, guarded: false, below_ceiling: false, _turn: None })
    }

    /// Waits for a turn at hashing a password, next to which nobody's crowd comes first.
    ///
    /// # Errors
    /// When too many wait.
    pub async fn hashing(&self, origin: Origin, username: &str) -> Result<Turn<Waiter>, Exceeded> {
        let waiter = match origin.network {
            Some(network) => Waiter::At(network),
            None => Waiter::Of(self.account(&username.trim().to_ascii_lowercase())),
        };
        let turn = self.sign_ins.turns.wait(waiter).await;
        self.counted("limit_hashing", turn.ok_or(Exceeded { retry_after: RETRY_AFTER }))
    }

    /// Charges an attempt that may be right, too: each of those is a row written.
    fn charge_attempt(&self, origin: Origin, account: Account) -> Result<(), Exceeded> {
        self.sign_ins.attempts.take(&(account, origin.claimed), NonZeroU32::MIN)
    }

    fn reserve(&self, origin: Origin, account: Account) -> Result<Attempt<'_>, Exceeded> {
        let of_address = (account, origin.claimed);
        self.sign_ins.by_account.take(&of_address, NonZeroU32::MIN)?;
        if let Some(network) = origin.network {
            self.sign_ins.by_network.take(&network, NonZeroU32::MIN).inspect_err(|_| {
                self.sign_ins.by_account.give_back(&of_address, NonZeroU32::MIN);
            })?;
        }
        Ok(Attempt { limits: self, account, origin, guarded: true, below_ceiling: false, _turn: None })
    }

    fn account(&self, name: &str) -> Account {
        Account(self.sign_ins.accounts.hash_one(name))
    }
}

impl Attempt<'_> {
    /// It wasn't a failure of whoever attempted it: what was taken is given back.
    pub fn settle(self) {
        let (sign_ins, cell) = (&self.limits.sign_ins, NonZeroU32::MIN);
        if let Some(network) = self.origin.network {
            sign_ins.by_network.give_back(&network, cell);
        }
        if self.guarded {
            sign_ins.by_account.give_back(&(self.account, self.origin.claimed), cell);
        }
        if self.below_ceiling {
            sign_ins.ceiling.give_back(&self.account, cell);
        }
    }

    /// It was a failure, which is counted.
    pub fn fail(self) {
        (self.limits.on_refusal)(if self.guarded { "sign_in_failed" } else { "refresh_failed" });
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn limits() -> Limits {
        Limits::new(&LimitSettings::default(), |_| {})
    }

    fn from(last: u8) -> Origin {
        let address = IpAddr::V4(Ipv4Addr::new(203, 0, 113, last)).into();
        Origin { network: Some(address), claimed: address }
    }

    #[tokio::test]
    async fn failures_lock_out_the_address_that_makes_them_and_no_other() {
        let limits = limits();
        for _ in 0..5 {
            limits.sign_in(from(1), "ann").await.expect("five are allowed").fail();
        }
        let refused = limits.sign_in(from(1), " ANN ").await.map(Attempt::settle).expect_err("the sixth is not");
        assert!((170..=180).contains(&refused.retry_after.as_secs()), "{refused:?}");
        limits.sign_in(from(2), "ann").await.expect("from elsewhere").settle();
        limits.sign_in(from(1), "bob").await.expect("another account").settle();
    }

    #[tokio::test]
    async fn right_passwords_use_nothing_up_even_at_the_same_time() {
        let limits = limits();
        let rights = (0..30).map(|_| async {
            let attempt = limits.sign_in(from(1), "ann").await.expect("all are right");
            tokio::task::yield_now().await;
            attempt.settle();
        });
        futures_util::future::join_all(rights).await;
    }

    #[tokio::test]
    async fn an_address_may_fail_thirty_times_a_minute_whatever_the_names() {
        let limits = limits();
        let mut failed = 0;
        for n in 0..100 {
            match limits.sign_in(from(1), &format!("user{n}")).await {
                Ok(attempt) => {
                    attempt.fail();
                    failed += 1;
                }
                Err(_) => break,
            }
        }
        assert!((30..=32).contains(&failed), "{failed}");
        assert!(limits.refresh(from(1), "a token").is_err());
        assert!(limits.refresh(from(2), "a token").is_ok());
    }

    #[tokio::test]
    async fn guessing_from_many_addresses_slows_and_refuses_nobody() {
        let limits = limits();
        for n in 0..100 {
            limits.sign_in(from(n), "ann").await.expect("each from an address of its own").fail();
        }
        let started = tokio::time::Instant::now();
        limits.sign_in(from(200), "ann").await.expect("the right one").settle();
        assert!(started.elapsed() >= SLOWED_BY);
    }
}
