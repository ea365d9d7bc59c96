//! What a scenario is, its parameters, and its result.

use std::fmt::Display;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard};

use crate::clocks::movable;
use crate::data::Data;
use crate::dice::Dice;
use crate::finished::Finished;
use crate::oracle::{Counts, Findings};
use crate::sender::PAST_THE_END;
use crate::servers::disk::SmallDisk;
use crate::servers::{Missing, Nats, Postgres, node_js};

/// What a scenario requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// PostgreSQL.
    Postgres,
    /// PostgreSQL and NATS.
    Both,
    /// PostgreSQL, NATS and clocks that can be moved.
    Clocks,
    /// A small file system.
    SmallDisk,
    /// Node.js, with which clients run that others have written.
    NodeJs,
}

impl Needs {
    /// Whether it is available.
    pub fn installed(self) -> Result<(), Missing> {
        match self {
            Self::Nothing => Ok(()),
            Self::Postgres => Postgres::installed(),
            Self::Both => Postgres::installed().and(Nats::installed()),
            Self::Clocks => Self::Both.installed().and(movable()),
            Self::SmallDisk => SmallDisk::possible(),
            Self::NodeJs => node_js(),
        }
    }
}

/// The future of a scenario.
pub type Run = Pin<Box<dyn Future<Output = Outcome>>>;

/// A fault, and what must hold despite it.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// What it shows, as a sentence.
    pub name: &'static str,
    /// What it needs.
    pub needs: Needs,
    /// Runs it.
    pub run: fn(Context) -> Run,
}

/// Makes a [`Scenario`] of an async function of the same name.
#[macro_export]
macro_rules! scenario {
    ($needs:ident, $module:ident :: $name:ident) => {
        $crate::scenario::Scenario {
            name: concat!(stringify!($module), "::", stringify!($name)),
            needs: $crate::scenario::Needs::$needs,
            run: |context| Box::pin($module::$name(context)),
        }
    };
}

/// The parameters of a scenario.
#[derive(Clone)]
pub struct Context {
    /// Whether to run at full length, or in a short form.
    pub full: bool,
    /// The seed of every random choice.
    pub seed: u64,
    /// Servers to share.
    pub servers: Arc<Servers>,
}

impl Context {
    /// A figure for the short form or for the full length.
    pub fn pick<T>(&self, short: T, full: T) -> T {
        if self.full { full } else { short }
    }

    /// Dice for one purpose.
    pub fn dice(&self, purpose: &str) -> Dice {
        Dice::new(self.seed, purpose)
    }

    /// A database for this scenario on the shared PostgreSQL.
    pub async fn postgres(&self) -> Data {
        let url = self.servers.postgres().await.as_ref().expect("it was started").url("postgres");
        Data::postgres(&url).await
    }
}

/// Servers that scenarios share, started when first needed.
#[derive(Default)]
pub struct Servers {
    postgres: Mutex<Option<Postgres>>,
}

impl Servers {
    /// A PostgreSQL that syncs every commit, as in production.
    pub async fn postgres(&self) -> MutexGuard<'_, Option<Postgres>> {
        let mut postgres = self.postgres.lock().await;
        if postgres.is_none() {
            *postgres = Some(tokio::task::block_in_place(|| Postgres::start(true)));
        }
        postgres
    }
}

/// What senders may be answered: nothing, that an outage passes, or, where members come and go, that they are none.
const EXPECTED: [&str; 4] = ["no answer", "UNAVAILABLE", "NOT_FOUND", "FORBIDDEN"];

/// The result of a scenario.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The oracle's counts.
    pub counts: Counts,
    /// The figure that is required.
    pub asked: String,
    /// What was measured.
    pub measured: String,
    /// Everything that was not as it must be.
    pub failures: Vec<String>,
}

impl Outcome {
    /// Sets the figure that is required, and what was measured.
    pub fn new(asked: impl Into<String>, measured: impl Into<String>) -> Self {
        Self { asked: asked.into(), measured: measured.into(), ..Self::default() }
    }

    /// Adds a condition that must hold.
    #[must_use]
    pub fn expect(mut self, holds: bool, otherwise: impl Display) -> Self {
        if !holds {
            self.failures.push(otherwise.to_string());
        }
        self
    }

    /// Adds the oracle's counts, all of which must be zero.
    #[must_use]
    pub fn clean(mut self, findings: Findings) -> Self {
        self.counts += findings.counts;
        if !findings.counts.clean() {
            self.failures.push(findings.counts.to_string());
            self.failures.extend(findings.examples);
        }
        self
    }

    /// Adds the result of a load, which must be without faults and settled in time.
    #[must_use]
    pub fn finished(mut self, finished: Finished) -> Self {
        let Finished { findings, acked, errors, checked, settled, connections, was_replaced, .. } = finished;
        let posts = acked.len();
        let with_files = acked.iter().filter(|acked| acked.files > 0).count();
        self.measured = format!("{}; {posts} posts, {with_files} with files, {connections} connections", self.measured);
        let is_expected = |code: &str| EXPECTED.contains(&code) || (was_replaced && code == PAST_THE_END);
        let unexpected = errors.keys().find(|code| !is_expected(code));
        self.expect(settled, "the last posts did not reach everybody in time")
            .expect(checked.is_ok(), format_args!("the database is not whole: {checked:?}"))
            .expect(unexpected.is_none(), format_args!("a sender was answered {unexpected:?}: {errors:?}"))
            .expect(!acked.is_empty(), "nothing was posted")
            .expect(with_files > 0 || posts < 500, "no files were posted")
            .clean(findings)
    }
}
