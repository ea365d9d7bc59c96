//! The suite of `tests/it` once more, on PostgreSQL: same rules, same order, same errors. What no database can change is
//! left out.
//!
//! Starts a throwaway server from the installed binaries and runs each test of the suite in a process of its own, which
//! finds the server in its environment and makes a database for every `TestApp`. Where PostgreSQL isn't installed, the
//! tests are listed as ignored, after a line that says what to install.

#[path = "servers/mod.rs"]
#[expect(dead_code, reason = "shared with the tests of several nodes, which need more of it")]
mod servers;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::OnceLock;

use libtest_mimic::{Arguments, Failed, Trial};

use servers::s3::S3;
use servers::{Missing, Nats, Pooler, Postgres, faketime};

/// Tests that are about SQLite itself, start no server, or are about what stands before any database, so that another one
/// shows nothing new.
const NOT_HERE: [&str; 13] = [
    "contract::",
    "http::",
    "transport::dialects::",
    "transport::handshake::",
    "transport::keepalive::",
    "transport::limits::",
    "schema::",
    "dependencies::",
    "files::",
    "hostile::",
    "lifecycle::",
    "snapshots::command_line::",
    "database_file::",
];

/// Seconds that a test may take.
const TIME_LIMIT: &str = "180";

/// Whether something is installed.
type Installed = fn() -> Result<(), Missing>;

/// Tests that need something more, which is another thing to install.
const NEEDS: [(&str, Installed); 2] =
    [("nodes::pooler::", Pooler::installed), ("nodes::clocks::", || faketime().map(drop))];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let suite = suite();
    let names = list(&suite);
    assert!(!names.is_empty(), "the suite lists its tests");
    let server = match installed() {
        // The tests of several nodes need a broker as well.
        Ok(()) if !arguments.list => Some(Postgres::start(false)),
        Ok(()) => None,
        Err(missing) => {
            println!("{}", missing.0);
            None
        }
    };
    let url = server.as_ref().map(|server| server.url("postgres"));
    let ignored = installed().is_err();
    let lacking: Vec<(&str, Missing)> =
        NEEDS.iter().filter_map(|(tests, installed)| Some((*tests, installed().err()?))).collect();
    for (tests, missing) in &lacking {
        println!("{tests} is ignored. {}", missing.0);
    }
    let trials = names.into_iter().map(|name| {
        let (suite, url, test) = (suite.clone(), url.clone(), name.clone());
        let ignored = ignored || lacking.iter().any(|(tests, _)| test.starts_with(tests));
        Trial::test(name, move || run(&suite, &test, url.as_deref())).with_ignored_flag(ignored)
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    drop(server);
    conclusion.exit_code()
}

fn installed() -> Result<(), Missing> {
    Postgres::installed().and(Nats::installed())
}

/// The compiled suite, which cargo has built with the same profile, or builds now.
fn suite() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut compile = Command::new(cargo);
    compile.args(["test", "--package", "parlor", "--test", "it", "--no-run", "--message-format=json"]);
    if !cfg!(debug_assertions) {
        compile.arg("--release");
    }
    // What cargo tells this program of its package would have build scripts run anew, and all that needs them built: here,
    // and once more after the tests.
    let of_package =
        |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "OUT_DIR";
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_package)) {
        compile.env_remove(name);
    }
    let built = compile.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("cargo runs");
    let messages = String::from_utf8_lossy(&built.stdout);
    let executable = messages.lines().rev().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        (message["target"]["name"] == "it").then(|| message["executable"].as_str().map(PathBuf::from))?
    });
    executable.unwrap_or_else(|| panic!("cargo built no suite: {}", String::from_utf8_lossy(&built.stderr)))
}

fn list(suite: &Path) -> Vec<String> {
    let listed = Command::new(suite).args(["--list", "--format=terse"]).output().expect("the suite runs");
    let listed = String::from_utf8_lossy(&listed.stdout);
    let names = listed.lines().filter_map(|line| line.strip_suffix(": test"));
    names.filter(|name| !NOT_HERE.iter().any(|module| name.starts_with(module))).map(str::to_owned).collect()
}

fn run(suite: &Path, test: &str, url: Option<&str>) -> Result<(), Failed> {
    // Of the coreutils: a test that waits for what never comes is a failure, and ends.
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", TIME_LIMIT]).arg(suite).args([
        "--exact",
        test,
        "--include-ignored",
        "--nocapture",
        "--test-threads=1",
    ]);
    if test.contains("in_s3") {
        // One for all of them, which else would start one each.
        static STORAGE: OnceLock<S3> = OnceLock::new();
        let storage = STORAGE.get_or_init(|| S3::start(true));
        command.env("PARLOR_TEST_S3", format!("{} {}", storage.endpoint(), storage.filer_url()));
    }
    command.env("PARLOR_TEST_POSTGRES", url.unwrap_or_default()).current_dir(env!("CARGO_MANIFEST_DIR"));
    let ended = command.output().map_err(|error| format!("the suite doesn't run: {error}"))?;
    let output = String::from_utf8_lossy(&ended.stdout);
    // A filter that matches nothing would pass as well.
    if ended.status.success() && output.contains("1 passed") {
        return Ok(());
    }
    Err(format!("{output}{}", String::from_utf8_lossy(&ended.stderr)).into())
}
