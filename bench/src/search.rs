//! Finding messages by what they say, in one room and in many, beside the indexes of trigrams that databases bring along.

use std::io;
use std::time::{Duration, Instant};

use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde_json::json;

use crate::databases::{Database, Kind};
use crate::http::Client;
use crate::seed;
use crate::seed::chat::{Chat, Written};
use crate::server::{SECRET, Server, parlor, sibling};
use crate::stats::Spread;
use crate::table::{Section, Table, Target, figure};

mod posting;
mod synapse;

/// Rooms of the reader.
const READER_ROOMS: usize = 300;

/// Times that each search is timed.
const REPETITIONS: usize = 60;

/// How long half of the searches may take, and 99 of 100, in ms.
const ASKED: [f64; 2] = [20.0, 100.0];

/// How large the index may be, as a share of the text.
const ASKED_SHARE: f64 = 0.4;

/// Words of the made-up language.
const WORDS: u64 = 50_000;

const SEARCH: &str = "query($text: String!, $room: ID) { search(text: $text, roomId: $room) {
    nodes { message { id } fragments { text isMatch } } pageInfo { endCursor hasNextPage } } }";

/// What is searched for: by its name, and the text.
fn searches() -> [(&'static str, String); 8] {
    [
        ("the most common word", word(0)),
        ("a common word", word(40)),
        ("a rare word", word(WORDS / 2)),
        ("a beginning of two letters", word(3).chars().take(2).collect()),
        ("two words", format!("{} {}", word(5), word(60))),
        ("the words of a message", said(7).split(' ').take(5).collect::<Vec<_>>().join(" ")),
        ("two characters of Han", han(0).chars().take(2).collect()),
        ("a word that nobody says", "qqzzqq".to_owned()),
    ]
}

/// The same word for the same number.
fn word(n: u64) -> String {
    const SYLLABLES: [&str; 32] = [
        "ta", "ne", "ri", "so", "lu", "mi", "ka", "den", "ver", "tor", "al", "in", "ste", "ga", "po", "wen", "sha",
        "ur", "bel", "co", "man", "ti", "res", "ja", "no", "pil", "ham", "dy", "fo", "ke", "zu", "ex",
    ];
    let (mut rest, mut word) = (n * 7 + 3, String::new());
    loop {
        word.push_str(SYLLABLES[(rest % 32) as usize]);
        rest /= 32;
        if rest == 0 {
            return word;
        }
    }
}

/// A few characters of Han that are often together.
fn han(n: u64) -> String {
    (0..6)
        .map(|place| char::from_u32(0x4e00 + ((n * 31 + place * 17 + place * place) % 1_500) as u32).unwrap_or('上'))
        .collect()
}

/// What the message of this number says: words as often as people say them, about one over their rank; in each tenth
/// message Han.
fn said(n: usize) -> String {
    let mut dice = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut roll = || {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice >> 11
    };
    if n.is_multiple_of(10) {
        return (0..3).map(|_| han(roll() % 2_000)).collect::<Vec<_>>().join("，");
    }
    let count = 4 + roll() % 16;
    let rank = |share: f64| ((WORDS as f64).powf(share) - 1.0) as u64;
    (0..count).map(|_| word(rank((roll() % 1_000_000) as f64 / 1e6))).collect::<Vec<_>>().join(" ")
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Messages that are searched.
    pub messages: usize,
    /// How often, and for how long, it is posted with the index and without.
    pub posting: (usize, Duration),
    /// Messages that are posted to Synapse, which must be installed. `None`: it isn't measured.
    pub synapse: Option<usize>,
}

/// Searches so many messages.
pub async fn run(databases: &[Kind<'_>], shape: Shape) -> io::Result<Section> {
    let messages = shape.messages;
    let mut latencies = Table::new([
        "search",
        "database",
        "rooms",
        "p50, ms",
        "p99, ms",
        "server's CPU, ms",
        "trigrams: p50, ms",
        "p99, ms",
    ]);
    let mut sizes =
        Table::new(["database", "text, MB", "index, MB", "of the text", "trigrams, MB", "messages indexed/s"]);
    let mut targets = Vec::new();
    for kind in databases {
        let (database, written) = write(*kind, messages).await?;
        let began = Instant::now();
        let server =
            Server::start(parlor(&sibling("parlor"), database.dir.path(), database.url.as_deref(), &[])).await?;
        let connection = connect(&database).await?;
        while number(&connection, BEHIND).await? > 0.0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let took = began.elapsed();
        database.settle().await?;
        let text = number(&connection, "SELECT CAST(sum(octet_length(body)) AS double precision) FROM message").await?;
        let index = index_bytes(&connection).await?;
        let trigrams = trigrams(&connection).await?;
        let mut client = Client::connect(server.addr, Some(&seed::token(SECRET, written.reader))).await?;
        let mut slowest = Spread::default();
        for (name, text) in searches() {
            for room in [None, Some(written.largest)] {
                let variables = json!({ "text": text, "room": room.map(|room| room.to_string()) });
                let (ours, cpu) = ours(&server, &mut client, &variables).await?;
                let peer = peer(&connection, &written, &text, room.is_some(), trigrams.is_some()).await?;
                let shown =
                    |figure_of: fn(&Spread) -> f64| peer.map_or("–".to_owned(), |peer| figure(figure_of(&peer)));
                latencies.row([
                    name.to_owned(),
                    kind.name().to_owned(),
                    if room.is_some() { "1" } else { "300" }.to_owned(),
                    figure(ours.p50),
                    figure(ours.p99),
                    figure(cpu),
                    shown(|spread| spread.p50),
                    shown(|spread| spread.p99),
                ]);
                slowest = Spread { p50: slowest.p50.max(ours.p50), p99: slowest.p99.max(ours.p99), ..slowest };
            }
        }
        sizes.row([
            kind.name().to_owned(),
            figure(text / 1e6),
            figure(index / 1e6),
            format!("{:.0} %", 100.0 * index / text),
            trigrams.map_or("–".to_owned(), |bytes| figure(bytes / 1e6)),
            figure(messages as f64 / took.as_secs_f64()),
        ]);
        targets.push(Target {
            asked: format!("every search within {} ms, p99 {} ms: {}", ASKED[0], ASKED[1], kind.name()),
            measured: format!("the slowest {} ms, p99 {} ms", figure(slowest.p50), figure(slowest.p99)),
            met: slowest.p50 <= ASKED[0] && slowest.p99 <= ASKED[1],
        });
        targets.push(Target {
            asked: format!("an index of {:.0} % of the text at most: {}", 100.0 * ASKED_SHARE, kind.name()),
            measured: format!("{:.0} %", 100.0 * index / text),
            met: index <= ASKED_SHARE * text,
        });
        connection.close().await.map_err(io::Error::other)?;
        server.stop().await?;
    }
    let (posting, verdicts) = posting::run(databases, shape.posting.0, shape.posting.1).await?;
    targets.extend(verdicts);
    let mut tables = vec![latencies, sizes, posting];
    let mut beside = String::new();
    if let Some(messages) = shape.synapse {
        tables.push(synapse::run(messages).await?);
        beside = format!(
            " Beside Synapse, {messages} of these messages were posted to one room of each server, on SQLite; it is asked \
             for the most recent."
        );
    }
    Ok(Section {
        title: "Searching".to_owned(),
        text: format!(
            "{messages} messages, of which a tenth are Han; a reader in {READER_ROOMS} rooms searches all of them or the largest, \
             {REPETITIONS} times each, over HTTP. Beside it, by SQL alone and without looking at what is found: FTS5's `trigram`, \
             and `pg_trgm`, on the same messages. They can't find two characters by the index; what takes them 20 s is given up. It is posted by 64 users at the same time, {} times \
             {} s with the index and without.{beside}",
            shape.posting.0,
            shape.posting.1.as_secs_f64()
        ),
        tables,
        targets,
    })
}

/// How long a search takes, and how much of the server's CPU, in ms.
async fn ours(server: &Server, client: &mut Client, variables: &serde_json::Value) -> io::Result<(Spread, f64)> {
    let mut times = Vec::with_capacity(REPETITIONS);
    let cpu = server.cpu()?;
    for _ in 0..REPETITIONS {
        let began = Instant::now();
        client.graphql(SEARCH, variables.clone()).await?;
        times.push(began.elapsed());
    }
    let cpu = server.cpu()?.saturating_sub(cpu).as_secs_f64() * 1e3 / REPETITIONS as f64;
    Ok((Spread::of_millis(&mut times), cpu))
}

/// How many positions of messages the index has not come to. Every message has one here, and the newest is found by an index:
/// who asks must not disturb what is measured.
const BEHIND: &str = "SELECT CAST(CASE WHEN form = 0 OR upto < 0 THEN 1 ELSE newest - upto END AS double precision) \
    FROM search_state, (SELECT max(position) AS newest FROM message) AS messages";

async fn write(kind: Kind<'_>, messages: usize) -> io::Result<(Database, Written)> {
    let rooms = (messages / 100).max(READER_ROOMS + 1);
    let chat = Chat {
        users: rooms,
        rooms,
        members_per_room: 4,
        reader_rooms: READER_ROOMS,
        messages,
        in_largest: messages / 5,
        last_rounds: 2,
        body: said,
    };
    let database = kind.create().await?;
    let store = database.open().await?;
    let written = chat.write(&store).await?;
    store.close().await.map_err(io::Error::other)?;
    database.settle().await?;
    Ok((database, written))
}

async fn connect(database: &Database) -> io::Result<DatabaseConnection> {
    let file = format!("sqlite:{}", database.dir.path().join("parlor.db").display());
    let mut options = ConnectOptions::new(database.url.clone().unwrap_or(file));
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options).await.map_err(io::Error::other)
}

async fn number(connection: &DatabaseConnection, sql: &str) -> io::Result<f64> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await.map_err(io::Error::other)?;
    row.map_or(Ok(0.0), |row| row.try_get_by_index(0)).map_err(io::Error::other)
}

async fn index_bytes(connection: &DatabaseConnection) -> io::Result<f64> {
    let sql = match connection.get_database_backend() {
        DbBackend::Postgres => {
            "SELECT CAST(pg_total_relation_size('search_page') + pg_total_relation_size('search_segment') AS double precision)"
        }
        _ => "SELECT CAST(sum(length(block)) AS double precision) FROM search_index_data",
    };
    number(connection, sql).await
}

/// Makes the other index, and says how large it is. `None`: the database can't.
async fn trigrams(connection: &DatabaseConnection) -> io::Result<Option<f64>> {
    let (make, size): (&[&str], _) = match connection.get_database_backend() {
        DbBackend::Postgres => (
            &[
                "CREATE EXTENSION pg_trgm",
                "CREATE INDEX peer ON message USING gin (body gin_trgm_ops)",
                "ANALYZE message",
            ],
            "SELECT CAST(pg_relation_size('peer') AS double precision)",
        ),
        _ => (
            &[
                "CREATE VIRTUAL TABLE peer USING fts5(body, content = '', tokenize = trigram)",
                "INSERT INTO peer (rowid, body) SELECT position, body FROM message ORDER BY position",
            ],
            "SELECT CAST(sum(length(block)) AS double precision) FROM peer_data",
        ),
    };
    for statement in make {
        if let Err(error) = connection.execute_unprepared(statement).await {
            eprintln!("{statement}: {error}");
            return Ok(None);
        }
    }
    let bytes = number(connection, size).await?;
    if connection.get_database_backend() == DbBackend::Postgres {
        let give_up = format!("SET statement_timeout = {}", GIVEN_UP.as_millis());
        connection.execute_unprepared(&give_up).await.map_err(io::Error::other)?;
    }
    Ok(Some(bytes))
}

/// After how long a search by trigrams is given up.
const GIVEN_UP: Duration = Duration::from_secs(20);

/// How long the same takes by trigrams, at least.
async fn peer(
    connection: &DatabaseConnection,
    written: &Written,
    text: &str,
    in_largest: bool,
    is_there: bool,
) -> io::Result<Option<Spread>> {
    let backend = connection.get_database_backend();
    if !is_there || backend == DbBackend::Sqlite && text.chars().count() < 3 {
        return Ok(None);
    }
    let mut values = vec![written.reader.into(), written.largest.into()];
    let only = if in_largest { "message.room_id = $2" } else { "(1 = 1 OR message.room_id = $2)" };
    let (from, found) = if backend == DbBackend::Postgres {
        values.extend(text.split(' ').map(|word| format!("%{word}%").into()));
        let likes = (3..=values.len()).map(|n| format!("message.body ILIKE ${n}")).collect::<Vec<_>>();
        ("message", likes.join(" AND "))
    } else {
        let words = text.split(' ').map(|word| format!("\"{word}\"")).collect::<Vec<_>>();
        values.push(words.join(" AND ").into());
        ("peer CROSS JOIN message ON message.position = peer.rowid", "peer MATCH $3".to_owned())
    };
    let order = if backend == DbBackend::Postgres { "message.position" } else { "peer.rowid" };
    let sql = format!(
        "SELECT message.id FROM {from} JOIN member ON member.room_id = message.room_id AND member.user_id = $1 \
         WHERE {found} AND {only} ORDER BY {order} DESC LIMIT 21"
    );
    let mut times = Vec::with_capacity(REPETITIONS);
    let until = Instant::now() + Duration::from_secs(20);
    while times.len() < REPETITIONS && Instant::now() < until {
        let statement = Statement::from_sql_and_values(backend, &sql, values.clone());
        let began = Instant::now();
        let answer = connection.query_all_raw(statement).await;
        times.push(began.elapsed());
        match answer {
            // What they don't find by the index would take minutes.
            Err(_) if began.elapsed() >= GIVEN_UP => break,
            answer => drop(answer.map_err(io::Error::other)?),
        }
    }
    Ok(Some(Spread::of_millis(&mut times)))
}
