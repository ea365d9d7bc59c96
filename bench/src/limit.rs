//! The least that posting and reading can cost, `bench/peers/limit`, and how near to it Parlor is asked to be.

use std::fmt::Write;
use std::io;

use parlor::ids::UserId;
use parlor::store::Store;
use tokio::process::Command;

use crate::databases::{Database, Kind};
use crate::posts::Run;
use crate::server::{SECRET, Server, sibling};
use crate::subject::peer;
use crate::table::{Table, Target, figure};

/// From so many posters on, they are many.
pub const MANY_POSTERS: usize = 64;

/// How many times the limit's CPU a post of many posters may take.
const ASKED_CPU: f64 = 1.4;

/// The share of the limit's posts per second that is asked of many posters.
const ASKED_PER_SEC: f64 = 0.8;

/// How many times the limit's p50 the post of a lone poster may take.
const ASKED_LONE_P50: f64 = 1.2;

/// How many times the limit's CPU the post of a lone poster may take.
const ASKED_LONE_CPU: f64 = 1.5;

/// Starts the limit on an SQLite database of Parlor's. It takes these access tokens, which are Parlor's, and no others.
pub async fn start<'t>(database: &Database, tokens: impl IntoIterator<Item = (&'t str, UserId)>) -> io::Result<Server> {
    let mut lines = String::new();
    for (token, user) in tokens {
        let _ = writeln!(lines, "{token} {user}");
    }
    let path = database.dir.path().join("tokens");
    std::fs::write(&path, lines)?;
    let mut command = peer(Command::new(sibling("peer-limit")));
    command.arg("--tokens").arg(path).arg("--database").arg(file(database)?);
    Server::start(command).await
}

/// A copy of an SQLite database that nobody has open, for the limit: its indexes must not help Parlor.
pub async fn copy(database: &Database) -> io::Result<Database> {
    let copy = Kind::Sqlite.create().await?;
    std::fs::copy(file(database)?, file(&copy)?)?;
    Ok(copy)
}

/// That what the limit has written is what Parlor would have: `parlor check` finds nothing wrong with it.
pub async fn check(database: &Database) -> io::Result<()> {
    let mut check = Command::new(sibling("parlor"));
    check.args(["check", "--log", "warn", "--data-dir"]).arg(database.dir.path());
    let checked = check.env("PARLOR_TOKEN_SECRET", SECRET).output().await?;
    let [found, failed] = [&checked.stdout, &checked.stderr].map(|text| String::from_utf8_lossy(text));
    if checked.status.success() { Ok(()) } else { Err(io::Error::other(format!("the limit's rows: {found}{failed}"))) }
}

/// The file of an SQLite database.
fn file(database: &Database) -> io::Result<String> {
    let url = Store::sqlite_url(database.dir.path());
    let path = url.strip_prefix("sqlite:").and_then(|rest| rest.split('?').next());
    path.map(str::to_owned).ok_or_else(|| io::Error::other(format!("{url} names no file")))
}

/// Parlor's posts beside the limit's, each with the number of posters.
pub fn posting(parlor: &[(usize, Run)], limit: &[(usize, Run)]) -> (Table, Vec<Target>) {
    let mut table = Table::new(["Parlor, SQLite, × the limit", "posts/s", "p50", "p99", "CPU per post"]);
    let mut targets = Vec::new();
    for ((posters, parlor), (_, limit)) in parlor.iter().zip(limit) {
        let of = if *posters == 1 { "one poster".to_owned() } else { format!("{posters} posters") };
        let (per_sec, cpu) = (parlor.per_sec / limit.per_sec, parlor.cpu_micros / limit.cpu_micros);
        let p50 = parlor.latency.p50 / limit.latency.p50;
        let p99 = parlor.latency.p99 / limit.latency.p99;
        table.row([of.clone(), figure(per_sec), figure(p50), figure(p99), figure(cpu)]);
        let times = |what: &str, measured: f64, [ours, theirs]: [f64; 2], asked: f64| Target {
            asked: format!("≤ {asked}× the limit's {what}, SQLite, {of}"),
            measured: format!("{}× ({} and {})", figure(measured), figure(ours), figure(theirs)),
            met: measured <= asked,
        };
        let cpu_asked = |asked| times("µs of CPU per post", cpu, [parlor.cpu_micros, limit.cpu_micros], asked);
        if *posters == 1 {
            let both = [parlor.latency.p50, limit.latency.p50];
            targets.extend([times("p50 of a post, ms", p50, both, ASKED_LONE_P50), cpu_asked(ASKED_LONE_CPU)]);
        } else if *posters >= MANY_POSTERS {
            targets.push(cpu_asked(ASKED_CPU));
            targets.push(Target {
                asked: format!("≥ {ASKED_PER_SEC}× the limit's posts/s, SQLite, {of}"),
                measured: format!("{}× ({} and {})", figure(per_sec), figure(parlor.per_sec), figure(limit.per_sec)),
                met: per_sec >= ASKED_PER_SEC,
            });
        }
    }
    (table, targets)
}
