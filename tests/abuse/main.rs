//! What hostile and greedy clients cost the server and everybody else, each with its figure and a bound that can fail.
//!
//! `cargo test --test abuse` runs a short form. The figures, and the table of them:
//!
//! ```text
//! cargo test --release --test abuse -- --full --report docs/abuse.md
//! ```
//!
//! Every attack has a server of its own, the built program with its default limits, and runs alone. Memory is the
//! server's resident memory as the system reports it. While an attack goes on, a bystander reads, posts and listens
//! (`bystander`), and what that takes is a figure, too. A debug build is several times slower, so it has wider bounds.

mod answers;
mod bystander;
mod heavy;
mod outcome;
mod passwords;
mod server;
mod slow;
mod unread;

#[path = "../servers/mod.rs"]
#[expect(dead_code, reason = "shared with tests/it, which needs more of it")]
mod servers;
#[path = "../it/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "shared with tests/it, which needs more of it")]
mod support;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use libtest_mimic::{Arguments, Failed, Trial};

use outcome::{Outcome, write};

/// How long an attack may take.
const TIME_LIMIT: Duration = Duration::from_mins(4);

/// The extent of a run.
#[derive(Clone, Copy)]
pub struct Form {
    /// Rounds of the bystander.
    pub rounds: usize,
}

type Attack = fn(Form) -> LocalBoxFuture<'static, Outcome>;

macro_rules! attacks {
    ($($module:ident :: $name:ident),* $(,)?) => {
        &[$((concat!(stringify!($module), "::", stringify!($name)), |form| $module::$name(form).boxed_local())),*]
    };
}

const ATTACKS: &[(&str, Attack)] = attacks![
    unread::sockets_that_catch_up_and_read_nothing,
    unread::sockets_that_query_and_read_nothing,
    unread::sockets_that_post_and_read_nothing,
    answers::half_a_kilobyte_that_asks_for_megabytes,
    answers::many_large_answers_at_once,
    slow::connections_that_read_no_answer,
    slow::connections_that_send_half_a_request,
    slow::files_that_come_as_slowly_as_they_may,
    heavy::queries_on_eight_connections,
    heavy::subscriptions_that_differ_in_a_space,
    passwords::accounts_one_after_the_other_and_at_once,
];

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    let (mut report, mut full) = (None::<PathBuf>, false);
    let mut rest: Vec<String> = arguments.next().into_iter().collect();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--full" => full = true,
            "--report" => report = Some(arguments.next().expect("--report takes a path").into()),
            _ => rest.push(argument),
        }
    }
    let mut arguments = Arguments::from_iter(rest);
    arguments.test_threads = Some(1);
    let form = Form { rounds: if full { 100 } else { 20 } };
    let rows = Arc::new(Mutex::new(Vec::new()));
    let trials = ATTACKS.iter().map(|(name, attack)| {
        let rows = rows.clone();
        Trial::test(*name, move || run(name, *attack, form, &rows))
    });
    let trials = trials.collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if let Some(path) = report.filter(|_| !arguments.list) {
        let profile = if cfg!(debug_assertions) { "" } else { "--release " };
        let form = if full { " --full" } else { "" };
        let command = format!("cargo test {profile}--test abuse --{form} --report {}", path.display());
        write(&path, &command, &rows.lock().unwrap_or_else(PoisonError::into_inner));
    }
    conclusion.exit_code()
}

fn run(name: &str, attack: Attack, form: Form, rows: &Mutex<Vec<String>>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be made");
    let outcome = runtime.block_on(async { tokio::time::timeout(TIME_LIMIT, attack(form)).await });
    runtime.shutdown_timeout(Duration::from_secs(5));
    let outcome = outcome.map_err(|_| Failed::from(format!("not done in {TIME_LIMIT:?}")))?;
    let row = outcome.row(name);
    println!("    {row}");
    rows.lock().unwrap_or_else(PoisonError::into_inner).push(row);
    match outcome.broken() {
        broken if broken.is_empty() => Ok(()),
        broken => Err(broken.join("\n").into()),
    }
}
