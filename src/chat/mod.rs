//! The rules of the chat: who may do what, and what it means. Knows neither HTTP nor GraphQL.
//!
//! Reading goes straight to the database, within what the viewer may see. Every change that others are notified of is a
//! [`Change`], applied by the scribe inside the transaction that appends it to the log, so the rule is checked against
//! rows that can't change under it.

use std::sync::Arc;

use tokio::sync::{Notify, Semaphore, oneshot};

use crate::clock::Clock;
use crate::files::Files;
use crate::ids::UserId;
use crate::issuers::Issuers;
use crate::log::ScribeHandle;
use crate::store::Store;

pub(crate) mod access;
pub mod attachment;
pub(crate) mod block;
pub(crate) mod change;
pub(crate) mod command;
pub mod custom;
pub mod device;
pub(crate) mod error;
pub mod invite;
pub mod key;
pub(crate) mod log;
pub mod message;
pub(crate) mod page;
mod policy;
pub(crate) mod presence;
pub(crate) mod purge;
pub(crate) mod reading;
pub mod report;
pub(crate) mod retention;
pub mod room;
pub(crate) mod search;
pub mod session;
pub mod timer;
pub mod user;
pub(crate) mod viewer;
pub mod webhook;
pub mod words;

pub use command::Command;
pub use device::PushServices;
pub use error::{Argument, Error, Reason};
pub use key::ServerKey;
pub use page::{Slice, Window};
pub use policy::{Directory, Policy};
pub use viewer::{Actor, Viewer};

use attachment::Uploads;
use change::{Change, Pending};
use key::KeyCache;
use presence::{Nobody, PresenceSource};
use session::token::Tokens;
use session::{TokenCache, Uses};
use user::HeldNames;
use user::password::Passwords;
use webhook::Webhooks;
use words::WordList;

/// The chat: every rule is one of its methods, in the file of its noun. Cheap to clone.
#[derive(Clone)]
pub struct Chat {
    store: Store,
    clock: Clock,
    scribe: ScribeHandle<Command>,
    passwords: Passwords,
    tokens: Arc<Tokens>,
    token_cache: Arc<TokenCache>,
    keys: Arc<KeyCache>,
    uses: Arc<Uses>,
    issuers: Arc<Issuers>,
    receipts_max_members: u32,
    quotas: Quotas,
    policy: Policy,
    push: Arc<PushServices>,
    presence: Arc<dyn PresenceSource>,
    /// `None`: every word may be said.
    words: Option<Arc<WordList>>,
    /// `None`: nobody is told.
    webhooks: Option<Arc<Webhooks>>,
    /// `None`: no name is held.
    held_names: Option<Arc<HeldNames>>,
    /// Notified when messages of a deleted user are to be deleted.
    erasure: Arc<Notify>,
    /// How many searches may run at a time.
    searches: Arc<Semaphore>,
    /// `None`: no files are kept.
    files: Option<Arc<Files>>,
    /// How many bytes of files a user may announce within a day; 0 is any number.
    daily_bytes: u64,
    /// How many files each user is sending.
    uploads: Arc<Uploads>,
}

/// How many searches run at a time on a node.
const SEARCHES: usize = 2;

/// The most of something that a user may have; 0 is any number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quotas {
    /// Live sessions. One more ends the one that was unused for longest.
    pub sessions: u32,
    /// Rooms that the user has opened and that still exist. One more is refused.
    pub rooms: u32,
}

impl Chat {
    /// The chat in this database, in which nobody is online: see [`Self::with_presence`]. `receipts_max_members`: the
    /// largest room, in members, whose members are notified of each other's reading.
    #[must_use]
    pub fn new(
        store: Store,
        clock: Clock,
        scribe: ScribeHandle<Command>,
        tokens: Tokens,
        receipts_max_members: u32,
    ) -> Self {
        Self {
            store,
            clock,
            scribe,
            passwords: Passwords::default(),
            tokens: Arc::new(tokens),
            token_cache: Arc::default(),
            keys: Arc::default(),
            uses: Arc::default(),
            issuers: Arc::new(Issuers::none()),
            receipts_max_members,
            quotas: Quotas::default(),
            policy: Policy::default(),
            push: Arc::default(),
            presence: Arc::new(Nobody),
            words: None,
            webhooks: None,
            held_names: None,
            erasure: Arc::default(),
            searches: Arc::new(Semaphore::new(SEARCHES)),
            files: None,
            daily_bytes: 0,
            uploads: Arc::default(),
        }
    }

    /// The same chat, in which names of deleted users are held.
    #[must_use]
    pub fn with_held_names(self, names: HeldNames) -> Self {
        Self { held_names: Some(Arc::new(names)), ..self }
    }

    /// The same chat, in which not every word may be said.
    #[must_use]
    pub fn with_word_list(self, words: Option<WordList>) -> Self {
        Self { words: words.map(Arc::new), ..self }
    }

    /// The same chat, whose events webhooks are told.
    #[must_use]
    pub fn with_webhooks(self, webhooks: Arc<Webhooks>) -> Self {
        Self { webhooks: Some(webhooks), ..self }
    }

    /// The same chat, in which users may have so much.
    #[must_use]
    pub fn with_quotas(self, quotas: Quotas) -> Self {
        Self { quotas, ..self }
    }

    /// The same chat, under what the operator has decided.
    #[must_use]
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// The same chat, whose users are notified by these services.
    #[must_use]
    pub fn with_push_services(self, push: PushServices) -> Self {
        Self { push: Arc::new(push), ..self }
    }

    /// The same chat, whose browsers subscribe to push services with this key.
    #[must_use]
    pub fn with_push_key(self, key: Arc<str>) -> Self {
        Self { push: Arc::new(PushServices { key: Some(key), ..(*self.push).clone() }), ..self }
    }

    /// The same chat, which takes these issuers' tokens beside its own.
    #[must_use]
    pub fn with_issuers(self, issuers: Arc<Issuers>) -> Self {
        Self { issuers, ..self }
    }

    /// The database, for those who show what events name.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The time by this chat's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Has the scribe apply a change, and waits until it is committed.
    async fn change<C: Change>(&self, change: C) -> Result<C::Outcome, Error>
    where
        Command: From<Pending<C>>,
    {
        let (reply, outcome) = oneshot::channel();
        self.scribe.submit(Pending::new(change, reply).into()).await.map_err(|_| Error::ShuttingDown)?;
        outcome.await.unwrap_or(Err(Error::ShuttingDown))
    }

    /// As [`Self::change`], for a change that ends sessions of this user. Whatever its outcome, and even if the caller
    /// doesn't wait for it, the user's tokens are removed from the token cache. The cache learns of the end from the log as well, but perhaps only after the
    /// caller is answered.
    async fn end_sessions<C: Change>(&self, user: UserId, change: C) -> Result<C::Outcome, Error>
    where
        Command: From<Pending<C>>,
    {
        let _forget = Forget { tokens: &self.token_cache, user };
        self.change(change).await
    }
}

/// Forgets the tokens of this user when it is dropped.
struct Forget<'c> {
    tokens: &'c TokenCache,
    user: UserId,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.tokens.forget(self.user);
    }
}
