//! What it costs an app's backend to send all of its users again, as many do each night.

use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::databases::Kind;
use crate::http::Client;
use crate::server::{SECRET, Server, parlor, sibling};
use crate::table::{Section, Table, Target, figure};

/// Users of one call, which is as many as there may be.
const AT_A_TIME: usize = 100;

/// How long the largest app asked about may wait for its unchanged users.
const ASKED: Duration = Duration::from_mins(1);

const UPSERT: &str = "mutation ($users: [UserInput!]!) { upsertUsers(users: $users) { users { outcome } } }";

/// A pass over all users: what the backend says of them, and what must become of each.
struct Pass {
    name: &'static str,
    plan: &'static str,
    outcome: &'static str,
}

static PASSES: [Pass; 3] = [
    Pass { name: "new", plan: "free", outcome: "CREATED" },
    Pass { name: "unchanged", plan: "free", outcome: "UNCHANGED" },
    Pass { name: "changed", plan: "gold", outcome: "UPDATED" },
];

/// Sends so many users three times, one call after the other.
pub async fn run(databases: &[Kind<'_>], users: usize) -> io::Result<Section> {
    let mut table = Table::new(["users", "s", "users/s", "server's µs of CPU per user", "events"]);
    let mut targets = Vec::new();
    for database in databases {
        let created = database.create().await?;
        let store = created.open().await?;
        store.close().await.map_err(io::Error::other)?;
        let key = server_key(created.dir.path(), created.url.as_deref()).await?;
        let server = Server::start(parlor(&sibling("parlor"), created.dir.path(), created.url.as_deref(), &[])).await?;
        let mut client = Client::connect(server.addr, Some(&key)).await?;
        for pass in &PASSES {
            let (began, cpu, log) = (Instant::now(), server.cpu()?, log_position(&server).await?);
            for first in (0..users).step_by(AT_A_TIME) {
                send(&mut client, first..users.min(first + AT_A_TIME), pass).await?;
            }
            let (took, cpu) = (began.elapsed(), server.cpu()?.saturating_sub(cpu));
            let events = log_position(&server).await? - log;
            let (name, count) = (database.name(), users as f64);
            table.row([
                format!("{}, {name}", pass.name),
                figure(took.as_secs_f64()),
                figure(count / took.as_secs_f64()),
                figure(cpu.as_secs_f64() * 1e6 / count),
                figure(events),
            ]);
            if pass.outcome == "UNCHANGED" {
                targets.push(Target {
                    asked: format!("{users} unchanged users in {} s and no event: {name}", ASKED.as_secs()),
                    measured: format!("{} s, {} events", figure(took.as_secs_f64()), figure(events)),
                    met: took <= ASKED && events == 0.0,
                });
            }
        }
        server.stop().await?;
    }
    Ok(Section {
        title: "Sending all users again".to_owned(),
        text: format!(
            "`upsertUsers` by a server key, {AT_A_TIME} users in a call, one call after the other, each with a name, a picture and \
             an object of the app's own: {users} users who are new, then as they are, then with another object."
        ),
        tables: vec![table],
        targets,
    })
}

/// One call, which must come out as the pass has it.
async fn send(client: &mut Client, users: std::ops::Range<usize>, pass: &Pass) -> io::Result<()> {
    let count = users.len();
    let users: Vec<Value> = users
        .map(|n| {
            json!({
                "externalId": format!("customer:{n}"),
                "displayName": format!("Customer number {n}"),
                "avatarUrl": format!("https://example.com/pictures/{n}.jpg"),
                "custom": { "plan": pass.plan, "country": "NO" },
            })
        })
        .collect();
    let answer = client.graphql(UPSERT, json!({ "users": users })).await?;
    let outcomes = answer["upsertUsers"]["users"].as_array().map(Vec::as_slice).unwrap_or_default();
    if outcomes.len() == count && outcomes.iter().all(|user| user["outcome"] == pass.outcome) {
        Ok(())
    } else {
        Err(io::Error::other(format!("{}: {answer}", pass.name)))
    }
}

/// The log's last position, as far as the server has followed it.
async fn log_position(server: &Server) -> io::Result<f64> {
    let samples = server.metric("parlor_tail_position").await?;
    samples.first().map(|(_, position)| *position).ok_or_else(|| io::Error::other("there is no such metric"))
}

/// A new server key of this data.
async fn server_key(data_dir: &std::path::Path, database_url: Option<&str>) -> io::Result<String> {
    let mut command = tokio::process::Command::new(sibling("parlor"));
    command.args(["key", "add", "bench", "--data-dir"]).arg(data_dir).env("PARLOR_TOKEN_SECRET", SECRET);
    command.args(database_url.map(|url| ["--database-url", url]).into_iter().flatten());
    let made = command.output().await?;
    if made.status.success() {
        Ok(String::from_utf8_lossy(&made.stdout).trim().to_owned())
    } else {
        Err(io::Error::other(String::from_utf8_lossy(&made.stderr).into_owned()))
    }
}
