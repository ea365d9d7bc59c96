//! What the server reports about itself: metrics in [`Metrics`], logs by [`init_logs`].

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};

use prometheus::{
    Encoder, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use serde::{Deserialize, Serialize};
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{ParseError, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry as Logs, fmt};

mod lines;

pub use lines::Lines;

/// The form of a line of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line, for programs.
    Json,
}

/// Parses a `tracing` filter such as `info,parlor=debug`.
///
/// # Errors
/// When it isn't one.
pub fn parse_filter(filter: &str) -> Result<EnvFilter, ParseError> {
    // Migrations that have nothing to do log that at every start; the filter may still ask for it.
    EnvFilter::builder().parse(format!("sea_orm_migration=warn,sqlx::postgres::notice=warn,{filter}"))
}

/// Whether a line may be logged, whatever the filter asks for. Below `info`, libraries log what passes through them:
/// frames of sockets, statements with their parameters, headers. They hold messages, tokens and passwords, and only this
/// crate knows which.
fn holds_no_secrets(line: &Metadata<'_>) -> bool {
    let own = line
        .target()
        .strip_prefix(env!("CARGO_CRATE_NAME"))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
    own || *line.level() <= Level::INFO
}

/// Why nothing can be logged.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter is none.
    #[error(transparent)]
    Filter(#[from] ParseError),
    /// There is no thread that writes.
    #[error("the log can't be written: {0}")]
    Thread(#[from] io::Error),
}

/// Starts logging to standard error, for the whole process, panics included. A second call changes nothing. What is
/// returned must be flushed before the process ends.
///
/// # Errors
/// When the filter can't be parsed, or no thread can be started.
pub fn init_logs(filter: &str, format: LogFormat) -> Result<Lines, InitError> {
    let filter = parse_filter(filter)?;
    let out = Lines::to_stderr()?;
    let lines = fmt::layer().with_writer(out.clone()).with_ansi(io::stderr().is_terminal());
    let lines: Box<dyn Layer<_> + Send + Sync> = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let logs = Logs::default().with(lines).with(filter).with(filter_fn(holds_no_secrets));
    // Fails only when the process logs already, such as a test that runs several servers.
    if logs.try_init().is_ok() {
        log_panics(out.clone());
    }
    Ok(out)
}

/// The usual report of a panic waits for whoever reads standard error.
fn log_panics(lines: Lines) {
    std::panic::set_hook(Box::new(move |panic| {
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| tracing::field::display(backtrace));
        let thread = std::thread::current();
        tracing::error!(thread = thread.name(), backtrace, "{panic}");
        if thread.name() == Some("main") {
            lines.flush();
        }
    }));
}

/// Every metric of one server. README lists names and meanings.
pub struct Metrics {
    registry: Registry,
    /// Open WebSockets.
    pub sockets: IntGauge,
    /// Open streams of events over HTTP.
    pub streams: IntGauge,
    /// Users online on this node, those without a socket for up to 5 s included.
    pub users_online: IntGauge,
    /// Running subscription operations.
    pub subscriptions: IntGauge,
    /// Of these, those that wait for a database that can't be read.
    pub subscriptions_waiting: IntGauge,
    /// Groups of subscriptions that share one rendering.
    pub render_groups: IntGauge,
    /// Events handed to a socket.
    pub deliveries: IntCounter,
    /// Events rendered, once per group.
    pub renders: IntCounter,
    /// Subscriptions whose mailbox overflowed, so that they went back to catching up.
    pub mailbox_overflows: IntCounter,
    /// Catch-ups by kind: `empty` (nothing was missed), `replay`, `gap` (with a `RoomGap`), `resync` (with a
    /// `ResyncRequired`).
    pub replays: IntCounterVec,
    /// Requests, documents and sockets refused, by reason.
    pub refusals: IntCounterVec,
    /// SQL statements run.
    pub sql_statements: IntCounter,
    /// Those of work that a node does by itself.
    pub sql_background_statements: IntCounter,
    /// Seconds from the beginning of an append transaction to its commit. Waiting for the log's lock is included.
    pub append_seconds: Histogram,
    /// Commands in one append transaction.
    pub append_batch: Histogram,
    /// Last position handed to the hub.
    pub tail_position: IntGauge,
    /// Seconds from an event's time, which is read under the log's lock when its append begins, to its hand-over to the
    /// hub.
    pub tail_lag_seconds: Histogram,
    /// Failed readings of the log since the last good one; above 0 the server isn't ready.
    pub tail_errors: IntGauge,
    /// By consumer: whether it runs on this node.
    pub consumer_running: IntGaugeVec,
    /// By consumer: for how many seconds the oldest event has waited that it has not dealt with.
    pub consumer_lag: GaugeVec,
    /// By consumer: events that it has passed on this node.
    pub consumer_events: IntCounterVec,
    /// By consumer: how often it failed on this node, and tried again.
    pub consumer_failures: IntCounterVec,
    /// By consumer: how often events were trimmed before it had read them.
    pub consumer_missed: IntCounterVec,
    /// By result: requests to receivers of webhooks, from this node.
    pub webhook_attempts: IntCounterVec,
    /// By state: webhooks that there are.
    pub webhooks: IntGaugeVec,
    /// By service and outcome: notifications that this node has sent to devices.
    pub notifications: IntCounterVec,
    /// By kind: timers that have fired on this node.
    pub timers_fired: IntCounterVec,
}

impl Metrics {
    /// A registry of its own for each server, so that several can run in one process.
    ///
    /// # Panics
    /// Never: the names are constants and differ.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        registry.register(Box::new(lines::LOST.clone())).expect("the name is not taken");
        let register = Register(&registry);
        Self {
            sockets: register.gauge("parlor_sockets", "Open WebSockets"),
            streams: register.gauge("parlor_streams", "Open streams of events over HTTP"),
            users_online: register.gauge("parlor_users_online", "Users online on this node"),
            subscriptions: register.gauge("parlor_subscriptions", "Running subscription operations"),
            subscriptions_waiting: register
                .gauge("parlor_subscriptions_waiting", "Subscriptions that wait for a database that can't be read"),
            render_groups: register.gauge("parlor_render_groups", "Groups of subscriptions that share a rendering"),
            deliveries: register.counter("parlor_deliveries_total", "Events handed to a socket"),
            renders: register.counter("parlor_renders_total", "Events rendered, once per group"),
            mailbox_overflows: register
                .counter("parlor_mailbox_overflows_total", "Subscriptions that fell back to catching up"),
            replays: register.counters("parlor_replays_total", "Catch-ups of subscriptions by kind", "kind"),
            refusals: register.counters("parlor_refusals_total", "Requests, documents and sockets refused", "reason"),
            sql_statements: register
                .counter("parlor_sql_statements_total", "SQL statements run for requests and delivery"),
            sql_background_statements: register
                .counter("parlor_sql_background_statements_total", "SQL statements run by background work"),
            append_seconds: register.histogram(
                "parlor_append_seconds",
                "Seconds from the beginning of an append transaction to its commit",
                prometheus::exponential_buckets(0.000_25, 2.0, 16),
            ),
            append_batch: register.histogram(
                "parlor_append_batch_size",
                "Commands in an append transaction",
                prometheus::exponential_buckets(1.0, 2.0, 9),
            ),
            tail_position: register.gauge("parlor_tail_position", "Last log position handed to the hub"),
            tail_lag_seconds: register.histogram(
                "parlor_tail_lag_seconds",
                "Seconds from an event's time to its hand-over to the hub",
                prometheus::exponential_buckets(0.000_25, 2.0, 16),
            ),
            tail_errors: register.gauge("parlor_tail_errors", "Failed readings of the log since the last good one"),
            consumer_running: register.gauges(
                "parlor_consumer_running",
                "Whether a consumer runs on this node",
                "name",
            ),
            consumer_lag: register.add(GaugeVec::new(
                Opts::new("parlor_consumer_lag_seconds", "For how long the oldest event has waited for a consumer"),
                &["name"],
            )),
            consumer_events: register.counters("parlor_consumer_events_total", "Events that consumers passed", "name"),
            consumer_failures: register.counters("parlor_consumer_failures_total", "Failures of consumers", "name"),
            consumer_missed: register.counters(
                "parlor_consumer_missed_total",
                "How often events were trimmed before a consumer had read them",
                "name",
            ),
            webhook_attempts: register.counters(
                "parlor_webhook_attempts_total",
                "Requests to receivers of webhooks",
                "result",
            ),
            webhooks: register.gauges("parlor_webhooks", "Webhooks that there are", "state"),
            notifications: register.add(IntCounterVec::new(
                Opts::new("parlor_notifications_total", "Notifications sent to devices"),
                &["service", "outcome"],
            )),
            timers_fired: register.counters("parlor_timers_fired_total", "Timers that have fired", "kind"),
            registry,
        }
    }

    /// All metrics in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "the metrics could not be encoded");
        }
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

struct Register<'r>(&'r Registry);

impl Register<'_> {
    fn add<C: prometheus::core::Collector + Clone + 'static>(&self, metric: prometheus::Result<C>) -> C {
        let metric = metric.expect("the name is well formed");
        self.0.register(Box::new(metric.clone())).expect("the name is not taken");
        metric
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::new(name, help))
    }

    fn gauges(&self, name: &str, help: &str, label: &str) -> IntGaugeVec {
        self.add(IntGaugeVec::new(Opts::new(name, help), &[label]))
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.add(IntCounter::new(name, help))
    }

    fn counters(&self, name: &str, help: &str, label: &str) -> IntCounterVec {
        self.add(IntCounterVec::new(Opts::new(name, help), &[label]))
    }

    fn histogram(&self, name: &str, help: &str, buckets: prometheus::Result<Vec<f64>>) -> Histogram {
        let buckets = buckets.expect("the buckets are well formed");
        self.add(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets)))
    }
}
