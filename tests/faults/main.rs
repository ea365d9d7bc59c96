//! What clients notice when servers, brokers, databases and connections fail: nothing is lost, doubled or reordered.
//!
//! `cargo test --test faults` runs a short form of every scenario. The figures in full, and the table of them:
//!
//! ```text
//! cargo test --release --test faults -- --full --report docs/faults.md
//! ```
//!
//! `--seed N` repeats the random choices of an earlier run, which has printed its seed; a name runs the scenarios that
//! contain it. `PARLOR_FAULTS=full`, `PARLOR_FAULTS_REPORT` and `PARLOR_FAULTS_SEED` do the same as the flags, and
//! `PARLOR_FAULTS_KEEP` keeps the nodes' logs.
//!
//! Scenarios run one after the other, because they measure times. Each starts clients (`load`), causes a fault, and has
//! the `oracle` compare the answers to the senders, what the receivers received, and what the database holds. The
//! scenarios of `control` have a reader that is wrong: the suite fails unless the oracle notices.

mod absence;
mod alterations;
mod blame;
mod broker;
mod clients;
mod clocks;
mod consumers;
mod control;
mod crash;
mod data;
mod deaths;
mod dice;
mod disk;
mod fabricated;
mod failover;
mod files;
mod finished;
mod freeze;
mod judge;
mod line;
mod load;
mod membership;
mod network;
mod node;
mod notifications;
mod oracle;
mod postgres;
mod proxy;
mod receiver;
mod report;
mod restore;
mod rolling;
mod scenario;
mod search;
mod sender;
mod silence;
mod slow;
mod storm;
mod trimming;
mod truth;
mod webhooks;

#[path = "../servers/mod.rs"]
#[expect(dead_code, reason = "shared with tests/it, which needs more of it")]
mod servers;
#[path = "../it/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "shared with tests/it, which needs more of it")]
mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};

use report::Report;
use scenario::{Context, Outcome, Scenario, Servers};

/// How long a scenario may take.
const TIME_LIMIT: (Duration, Duration) = (Duration::from_secs(90), Duration::from_mins(15));

const SCENARIOS: &[Scenario] = &[
    scenario!(Postgres, control::a_reader_of_uncommitted_order_loses_events),
    scenario!(Nothing, control::a_client_that_forgets_its_cursor_loses_events),
    scenario!(Both, control::a_tail_that_trusts_the_doorbell_loses_events),
    scenario!(NodeJs, control::several_subscriptions_with_one_cursor_lose_events),
    scenario!(Nothing, crash::a_node_is_killed_again_and_again),
    scenario!(Both, crash::a_node_is_killed_between_commit_and_doorbell),
    scenario!(Both, freeze::a_node_is_frozen),
    scenario!(Both, freeze::a_node_is_frozen_within_its_append),
    scenario!(Both, broker::the_broker_is_away),
    scenario!(Both, broker::doorbells_are_dropped_doubled_and_late),
    scenario!(Postgres, postgres::the_database_is_stopped_at_once),
    scenario!(Postgres, postgres::the_database_is_away_when_all_clients_come_back),
    scenario!(Both, failover::a_standby_without_the_last_commits_is_promoted),
    scenario!(Postgres, failover::a_cursor_ahead_of_a_node_outlives_the_log_that_it_was_of),
    scenario!(Postgres, failover::the_next_commit_on_another_log_falls_on_the_next_position),
    scenario!(Nothing, restore::the_database_is_restored_from_an_older_copy),
    scenario!(Nothing, slow::a_reader_takes_a_byte_a_second),
    scenario!(Nothing, network::connections_are_cut_at_any_byte),
    scenario!(Nothing, network::half_open_connections_are_closed),
    scenario!(NodeJs, clients::several_subscriptions_on_one_socket_are_cut),
    scenario!(SmallDisk, disk::the_disk_is_full),
    scenario!(SmallDisk, disk::the_write_ahead_log_alone_does_not_fill_the_disk),
    scenario!(Both, membership::members_come_and_go_under_traffic),
    scenario!(Both, membership::rooms_of_two_are_hidden_while_nodes_are_killed),
    scenario!(Both, membership::groups_are_moderated_while_nodes_are_killed),
    scenario!(Both, membership::a_user_listens_on_three_nodes),
    scenario!(Nothing, absence::a_client_was_away_for_long),
    scenario!(Nothing, trimming::old_events_are_let_go_of_under_traffic),
    scenario!(Both, silence::open_connections_to_the_database_fall_silent),
    scenario!(Postgres, silence::an_answer_of_the_database_is_the_last_on_its_connection),
    scenario!(Both, alterations::what_was_answered_has_happened),
    scenario!(Both, deaths::users_of_dead_nodes_go_offline),
    scenario!(Clocks, clocks::three_nodes_have_three_clocks),
    scenario!(Both, rolling::nodes_are_restarted_one_after_the_other),
    scenario!(Both, rolling::everything_fails_at_once),
    scenario!(Both, consumers::the_node_with_the_consumer_is_killed_or_frozen),
    scenario!(Postgres, consumers::a_standby_that_has_missed_the_consumers_place_is_promoted),
    scenario!(Nothing, consumers::the_database_is_restored_with_the_consumers_place),
    scenario!(Nothing, search::the_node_is_killed_while_it_fills_the_index),
    scenario!(Postgres, webhooks::the_node_that_tells_is_killed),
    scenario!(Postgres, webhooks::the_node_that_tells_is_frozen),
    scenario!(Postgres, webhooks::a_standby_that_has_missed_what_was_told_is_promoted),
    scenario!(Nothing, webhooks::the_database_is_restored_with_the_webhooks_place),
    scenario!(Postgres, notifications::the_node_that_notifies_is_killed_or_frozen),
    scenario!(Nothing, storm::all_sockets_come_back_at_once),
];

/// The options given on the command line or in the environment.
struct Options {
    full: bool,
    seed: u64,
    report: Option<PathBuf>,
    rest: Vec<String>,
}

impl Options {
    fn read() -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let mut arguments = std::env::args();
        let mut options = Self {
            full: variable("PARLOR_FAULTS").is_some_and(|form| form == "full"),
            seed: variable("PARLOR_FAULTS_SEED").map_or_else(random_seed, |seed| number(&seed)),
            report: variable("PARLOR_FAULTS_REPORT").map(PathBuf::from),
            rest: arguments.next().into_iter().collect(),
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--full" => options.full = true,
                "--seed" => options.seed = number(&arguments.next().expect("--seed takes a number")),
                "--report" => options.report = Some(arguments.next().expect("--report takes a path").into()),
                _ => options.rest.push(argument),
            }
        }
        options
    }
}

fn number(text: &str) -> u64 {
    text.parse().expect("a seed is a whole number")
}

fn random_seed() -> u64 {
    u64::from(getrandom::u32().expect("the system gives random numbers"))
}

fn main() -> ExitCode {
    let options = Options::read();
    let mut arguments = Arguments::from_iter(options.rest.clone());
    arguments.test_threads = Some(1);
    let (servers, report) = (Arc::new(Servers::default()), Arc::new(Report::default()));
    let passes = |test: fn()| {
        test();
        Ok(())
    };
    let fabricated = fabricated::TESTS.iter().map(|(name, test)| Trial::test(*name, move || passes(*test)));
    let mut trials: Vec<Trial> = fabricated.collect();
    for scenario in SCENARIOS {
        let missing = scenario.needs.installed().err();
        if let Some(missing) = missing {
            println!("{} is ignored. {}", scenario.name, missing.0);
        }
        let context = Context { full: options.full, seed: options.seed, servers: servers.clone() };
        let report = report.clone();
        let trial = Trial::test(scenario.name, move || run(*scenario, context, &report));
        trials.push(trial.with_ignored_flag(missing.is_some()));
    }
    if !arguments.list {
        println!("seed {}, {} form", options.seed, if options.full { "full" } else { "short" });
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    drop(servers);
    if let Some(path) = options.report.filter(|_| !arguments.list) {
        let profile = if cfg!(debug_assertions) { "" } else { "--release " };
        let form = if options.full { " --full" } else { "" };
        let command =
            format!("cargo test {profile}--test faults --{form} --seed {} --report {}", options.seed, path.display());
        report.write(&path, &command);
    }
    conclusion.exit_code()
}

fn run(scenario: Scenario, context: Context, report: &Report) -> Result<(), Failed> {
    let limit = if context.full { TIME_LIMIT.1 } else { TIME_LIMIT.0 };
    let (seed, started) = (context.seed, Instant::now());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be made");
    let ended = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let ended = tokio::time::timeout(limit, (scenario.run)(context)).await;
            ended.unwrap_or_else(|_| Outcome::new("", "").expect(false, format_args!("not done in {limit:?}")))
        })
    }));
    let outcome = ended.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Outcome::new("", "").expect(false, text.unwrap_or("it panicked"))
    });
    runtime.shutdown_timeout(Duration::from_secs(5));
    report.add(scenario.name, seed, started.elapsed(), &outcome);
    if outcome.failures.is_empty() {
        return Ok(());
    }
    Err(format!("seed {seed}\n{}", outcome.failures.join("\n")).into())
}
