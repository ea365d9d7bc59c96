//! What an answer costs beside the least that it can cost: the same documents, asked of the limit and of Parlor in turn on
//! copies of one SQLite file, by one client that asks again as soon as it is answered.

use std::fmt::Write;
use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Plan;
use super::operations::{FROM_THE_EDGE, MESSAGES, MESSAGES_AT_ONCE, ROOMS, ROOMS_AT_ONCE, full};
use crate::databases::{Database, Kind};
use crate::http::Client;
use crate::seed::chat::Written;
use crate::server::{self, SECRET, Server, sibling};
use crate::stats::{Spread, at_share};
use crate::table::{Section, Table, Target, figure};
use crate::{limit, seed};

/// How many times each server is asked everything; the middle one by CPU counts.
const ROUNDS: usize = 3;

/// What part of the time is a warm-up.
const WARM_UP: u32 = 4;

/// What Parlor may cost.
#[derive(Clone, Copy)]
enum Asked {
    /// So many times the limit's CPU.
    Times(f64),
    /// So many µs of CPU.
    Micros(f64),
}

/// A document with its variables, as it is sent.
struct Document {
    name: String,
    body: String,
    asked: Asked,
}

/// What one answer took.
#[derive(Clone)]
struct Cost {
    cpu_micros: f64,
    latency: Spread,
    answer: String,
}

/// Measures each document on each server for this long, again and again.
pub async fn run(time: Duration, small: bool) -> io::Result<Section> {
    let database = Kind::Sqlite.create().await?;
    let plan = Plan::new(small);
    let store = database.open().await?;
    let written = plan.chat.write_as_consumed(&store).await?;
    store.close().await.map_err(io::Error::other)?;
    let copy = limit::copy(&database).await?;
    let (documents, token) = (documents(&written), seed::token(SECRET, written.reader));
    let (mut least, mut parlor) = (vec![Vec::new(); documents.len()], vec![Vec::new(); documents.len()]);
    for _ in 0..if small { 1 } else { ROUNDS } {
        let server = limit::start(&copy, [(&*token, written.reader)]).await?;
        measure(server, &token, &documents, time, &mut least).await?;
        let server = start_parlor(&database).await?;
        measure(server, &token, &documents, time, &mut parlor).await?;
    }
    let middle = |mut costs: Vec<Cost>| {
        costs.sort_by(|a, b| a.cpu_micros.total_cmp(&b.cpu_micros));
        at_share(&costs, 0.5).cloned().ok_or_else(|| io::Error::other("nothing was measured"))
    };
    let mut table = Table::new([
        "an answer, SQLite",
        "µs of CPU: the limit",
        "Parlor",
        "× the limit",
        "p50 ms: the limit",
        "Parlor",
        "bytes: the limit",
        "Parlor",
    ]);
    let mut targets = Vec::new();
    for (document, (least, parlor)) in documents.iter().zip(least.into_iter().zip(parlor)) {
        let (least, parlor) = (middle(least)?, middle(parlor)?);
        if shown(&least.answer)? != shown(&parlor.answer)? {
            return Err(io::Error::other(format!("{}: {}\n{}", document.name, least.answer, parlor.answer)));
        }
        let times = parlor.cpu_micros / least.cpu_micros;
        table.row([
            document.name.clone(),
            figure(least.cpu_micros),
            figure(parlor.cpu_micros),
            figure(times),
            figure(least.latency.p50),
            figure(parlor.latency.p50),
            least.answer.len().to_string(),
            parlor.answer.len().to_string(),
        ]);
        targets.push(target(&document.name, document.asked, parlor.cpu_micros, times));
    }
    Ok(Section { title: "Answering".to_owned(), text: text(&plan, time, small), tables: vec![table], targets })
}

fn text(plan: &Plan, time: Duration, small: bool) -> String {
    let mut text = format!(
        "What an answer costs beside the least that it can cost. The limit is axum and `rusqlite` with prepared statements, \
         and serde for JSON; it parses no document, looks tokens up in memory, reads on the thread that serves the \
         connection, and has two indexes more. Both work on copies of one file, {messages} messages in {rooms} rooms of \
         {members} members, {own} of them the reader's, and give the same answers, but for cursors; one client asks again as \
         soon as it is answered, {secs} s for each document and server in turn.",
        messages = plan.chat.messages,
        rooms = plan.chat.rooms,
        members = plan.chat.members_per_room,
        own = plan.chat.reader_rooms,
        secs = time.as_secs_f64(),
    );
    if !small {
        let _ = write!(text, " The middle one of {ROUNDS} runs by CPU.");
    }
    text
}

fn target(name: &str, asked: Asked, micros: f64, times: f64) -> Target {
    match asked {
        Asked::Times(most) => Target {
            asked: format!("≤ {most}× the limit's CPU per answer, SQLite: {name}"),
            measured: format!("{}×", figure(times)),
            met: times <= most,
        },
        Asked::Micros(most) => Target {
            asked: format!("≤ {most} µs of CPU per answer, SQLite: {name}"),
            measured: format!("{} µs", figure(micros)),
            met: micros <= most,
        },
    }
}

fn documents(written: &Written) -> [Document; 4] {
    let document = |name: String, query: &str, variables: Value, asked| Document {
        name,
        body: json!({ "query": query, "variables": variables }).to_string(),
        asked,
    };
    let to = written.largest_seq - FROM_THE_EDGE;
    let page = json!({ "room": written.largest.to_string(), "last": MESSAGES_AT_ONCE, "to": to });
    let rooms = json!({ "first": ROOMS_AT_ONCE });
    [
        document(format!("`rooms(first: {ROOMS_AT_ONCE})`"), ROOMS, rooms, Asked::Times(3.0)),
        document(format!("page of {MESSAGES_AT_ONCE}"), MESSAGES, page, Asked::Times(3.0)),
        document("`{ __typename }`".to_owned(), "{ __typename }", Value::Null, Asked::Times(2.0)),
        document("`{ me { id } }`".to_owned(), "{ me { id } }", Value::Null, Asked::Micros(120.0)),
    ]
}

async fn start_parlor(database: &Database) -> io::Result<Server> {
    Server::start(server::parlor(&sibling("parlor"), database.dir.path(), None, &[])).await
}

/// Adds what each document costs on this server, which is ended.
async fn measure(
    server: Server,
    token: &str,
    documents: &[Document],
    time: Duration,
    costs: &mut [Vec<Cost>],
) -> io::Result<()> {
    let mut client = Client::connect(server.addr, Some(token)).await?;
    for (document, costs) in documents.iter().zip(costs) {
        let answer = client.post(&document.body).await?;
        check(&answer)?;
        ask(&mut client, document, time / WARM_UP).await?;
        let cpu = server.cpu()?;
        let mut times = ask(&mut client, document, time).await?;
        let cpu = server.cpu()?.saturating_sub(cpu);
        costs.push(Cost {
            cpu_micros: cpu.as_secs_f64() * 1e6 / times.len() as f64,
            latency: Spread::of_millis(&mut times),
            answer,
        });
    }
    server.stop().await
}

/// An answer without its cursors, which each server writes as it likes.
fn shown(answer: &str) -> io::Result<Value> {
    fn hide(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| !name.ends_with("Cursor"));
                fields.values_mut().for_each(hide);
            }
            Value::Array(items) => items.iter_mut().for_each(hide),
            _ => {}
        }
    }
    let mut value = serde_json::from_str(answer).map_err(io::Error::other)?;
    hide(&mut value);
    Ok(value)
}

/// How long each answer took.
async fn ask(client: &mut Client, document: &Document, time: Duration) -> io::Result<Vec<Duration>> {
    let (mut times, end) = (Vec::new(), Instant::now() + time);
    loop {
        let begun = Instant::now();
        client.post(&document.body).await?;
        times.push(begun.elapsed());
        if begun >= end {
            return Ok(times);
        }
    }
}

/// That it is an answer, with as many items as were asked for.
fn check(answer: &str) -> io::Result<()> {
    let failed = || io::Error::other(answer.to_owned());
    let answer: Value = serde_json::from_str(answer).map_err(|_| failed())?;
    let data = &answer["data"];
    if !data.is_object() || answer.get("errors").is_some() {
        return Err(failed());
    }
    if !data["rooms"].is_null() {
        full(&data["rooms"]["nodes"], ROOMS_AT_ONCE)?;
    }
    if !data["room"].is_null() {
        full(&data["room"]["messages"]["nodes"], MESSAGES_AT_ONCE)?;
    }
    Ok(())
}
