//! How long reading takes, and whether that grows with what is not read.
//!
//! | File | Holds |
//! |---|---|
//! | `operations` | what a client asks for |
//! | `measure` | how long that takes, and what the database does for it |
//! | `beside` | what an answer costs beside the least that it can cost |

use std::io;

use crate::databases::Kind;
use crate::seed::chat::{Chat, small_talk};
use crate::servers::Postgres;
use crate::table::{Section, Table, Target, figure};

mod beside;
mod measure;
mod operations;

pub use beside::run as beside_the_limit;
use measure::Figures;
use operations::Operation;

/// How many times as many rooms and messages.
const TIMES: [usize; 3] = [1, 4, 16];

/// How much longer an operation may take where there is [`TIMES`] as much that it doesn't answer: an index over 16 times
/// as many rows is a level deeper at most, and fewer of its pages are in memory.
const ASKED_RATIO: f64 = 1.5;

/// Rows may differ by so much: authors are told once on a page, and where there are more users, fewer of them are the
/// same.
const ASKED_ROWS: f64 = 1.05;

/// How much is done.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// At ×1.
    chat: Chat,
    /// Missed events of a short absence and of a long one.
    missed: [usize; 2],
    /// Times that each operation is timed.
    repetitions: usize,
    /// Rooms of the reader where these grow and all else stays.
    reader_rooms: [usize; 3],
}

impl Plan {
    fn new(small: bool) -> Self {
        if small {
            let chat = Chat {
                users: 60,
                rooms: 24,
                members_per_room: 4,
                reader_rooms: 20,
                messages: 400,
                in_largest: 200,
                last_rounds: 6,
                body: small_talk,
            };
            Self { chat, missed: [10, 50], repetitions: 3, reader_rooms: [20, 30, 40] }
        } else {
            let chat = Chat {
                users: 625,
                rooms: 625,
                members_per_room: 8,
                reader_rooms: 300,
                messages: 62_500,
                in_largest: 12_500,
                last_rounds: 35,
                body: small_talk,
            };
            Self { chat, missed: [10, 10_000], repetitions: 300, reader_rooms: [75, 300, 1_200] }
        }
    }

    /// So many times as many users, rooms and messages; the reader is in as many rooms as before.
    fn times(&self, times: usize) -> Chat {
        let Chat { users, rooms, messages, in_largest, .. } = self.chat;
        Chat {
            users: users * times,
            rooms: rooms * times,
            messages: messages * times,
            in_largest: in_largest * times,
            ..self.chat
        }
    }

    /// A chat of ×4 in which the reader is in so many rooms, with fewer messages, for they don't matter here.
    fn with_reader_in(&self, reader_rooms: usize) -> Chat {
        let Chat { rooms, last_rounds, .. } = self.chat;
        let (rooms, per_room) = (rooms * 4, last_rounds + 1);
        Chat { reader_rooms, messages: rooms * per_room, in_largest: per_room, ..self.times(4) }
    }

    fn operations(&self) -> [Operation; 5] {
        let [few, many] = self.missed;
        [
            Operation::Rooms,
            Operation::PageNearStart,
            Operation::PageNearEnd,
            Operation::Resume { missed: few },
            Operation::Resume { missed: many },
        ]
    }
}

/// Measures on SQLite and on this PostgreSQL. `small`: shows that it works, in seconds.
pub async fn run(postgres: &Postgres, small: bool) -> io::Result<Section> {
    let plan = Plan::new(small);
    let (mut grown, mut of_reader) = (Vec::new(), Vec::new());
    for database in [Kind::Sqlite, Kind::Postgres(postgres)] {
        let mut sizes = Vec::new();
        for times in TIMES {
            sizes.push(measure::all(database, plan.times(times), &plan.operations(), plan.repetitions).await?);
        }
        grown.push((database.name(), sizes));
        let mut sizes = Vec::new();
        for rooms in plan.reader_rooms {
            let figures =
                measure::all(database, plan.with_reader_in(rooms), &[Operation::Rooms], plan.repetitions).await?;
            sizes.extend(figures);
        }
        of_reader.push((database.name(), sizes));
    }
    let largest = plan.times(TIMES[TIMES.len() - 1]);
    Ok(Section {
        title: "Reading".to_owned(),
        text: text(&plan, largest),
        tables: vec![latencies(&plan, &grown), growth(&plan, &grown), own_rooms(&plan, &of_reader)],
        targets: targets(&plan, &grown),
    })
}

fn text(plan: &Plan, largest: Chat) -> String {
    format!(
        "{messages} messages in {rooms} rooms of {members} members; the reader is in {own} of them, one of which has \
         {in_largest} messages (×16; at ×1 and ×4 there are as many fewer of all but the reader's rooms). By HTTP and \
         WebSocket, one request after the other, {repetitions} times each after a warm-up. A resumption is timed from \
         connecting to `Synced`. A long absence is answered with at most 1,000 events, and a `RoomGap` for each other \
         room. CPU is the server's. Statements are those of `parlor_sql_statements_total`. Rows are those that PostgreSQL fetched from tables (`seq_tup_read` and `idx_tup_fetch` of \
         `pg_stat_user_tables`).\n\n\
         The first table is for ×16, the second for what isn't answered growing. Where a table is small, PostgreSQL reads \
         all of it rather than use an index, so it may read fewer rows at ×16. What does grow is in the third: to find the {first} with the latest activity, `rooms(first: {first})` looks at each of the reader's own rooms.",
        messages = largest.messages,
        rooms = largest.rooms,
        members = largest.members_per_room,
        own = largest.reader_rooms,
        in_largest = largest.in_largest,
        repetitions = plan.repetitions,
        first = operations::ROOMS_AT_ONCE,
    )
}

/// What was measured on each database, at each size, of each operation.
type Grown = [(&'static str, Vec<Vec<Figures>>)];

fn latencies(plan: &Plan, grown: &Grown) -> Table {
    let mut table = Table::new(["at ×16", "p50 ms", "p99 ms", "ms of CPU", "statements", "rows read"]);
    for (database, sizes) in grown {
        for (operation, figures) in plan.operations().iter().zip(sizes.last().into_iter().flatten()) {
            table.row([
                format!("{database}, {operation}"),
                figure(figures.latency.p50),
                figure(figures.latency.p99),
                figure(figures.cpu),
                figures.statements.to_string(),
                rows(figures),
            ]);
        }
    }
    table
}

fn growth(plan: &Plan, grown: &Grown) -> Table {
    let mut table = Table::new([
        "what isn't answered grows",
        "p50 ms: ×1",
        "×4",
        "×16",
        "×16 / ×1",
        "CPU: ×16 / ×1",
        "statements: ×1",
        "×4",
        "×16",
        "rows read: ×1",
        "×4",
        "×16",
    ]);
    for (database, sizes) in grown {
        for (n, operation) in plan.operations().iter().enumerate() {
            let each: Vec<&Figures> = sizes.iter().map(|figures| &figures[n]).collect();
            let mut cells = vec![format!("{database}, {operation}")];
            cells.extend(each.iter().map(|figures| figure(figures.latency.p50)));
            cells.push(figure(ratio(&each, |figures| figures.latency.p50)));
            cells.push(figure(ratio(&each, |figures| figures.cpu)));
            cells.extend(each.iter().map(|figures| figures.statements.to_string()));
            cells.extend(each.iter().map(|figures| rows(figures)));
            table.row(cells);
        }
    }
    table
}

fn own_rooms(plan: &Plan, of_reader: &[(&'static str, Vec<Figures>)]) -> Table {
    let mut table =
        Table::new(["the reader's rooms grow", "rooms", "p50 ms", "p99 ms", "ms of CPU", "statements", "rows read"]);
    for (database, sizes) in of_reader {
        for (rooms_of_reader, figures) in plan.reader_rooms.iter().zip(sizes) {
            table.row([
                format!("{database}, {}", Operation::Rooms),
                rooms_of_reader.to_string(),
                figure(figures.latency.p50),
                figure(figures.latency.p99),
                figure(figures.cpu),
                figures.statements.to_string(),
                rows(figures),
            ]);
        }
    }
    table
}

fn targets(plan: &Plan, grown: &Grown) -> Vec<Target> {
    let operations = plan.operations();
    let of_all: Vec<(String, Vec<&Figures>)> = grown
        .iter()
        .flat_map(|(database, sizes)| {
            operations.iter().enumerate().map(move |(n, operation)| {
                (format!("{database}, {operation}"), sizes.iter().map(|figures| &figures[n]).collect())
            })
        })
        .collect();
    let met_by_all = |asked: &str, is_met: fn(&[&Figures]) -> bool| {
        let others: Vec<&str> = of_all.iter().filter(|(_, all)| !is_met(all)).map(|(name, _)| &**name).collect();
        let measured = if others.is_empty() { "so it is".to_owned() } else { format!("not of {}", others.join("; ")) };
        Target { asked: asked.to_owned(), measured, met: others.is_empty() }
    };
    let slowest =
        of_all.iter().map(|(name, all)| (ratio(all, |f| f.latency.p50), name)).max_by(|a, b| a.0.total_cmp(&b.0));
    let (most, name) = slowest.map_or((0.0, ""), |(ratio, name)| (ratio, &**name));
    vec![
        met_by_all("as many statements at ×16 of rooms and messages as at ×1", |all| {
            all.windows(2).all(|two| two[0].statements == two[1].statements)
        }),
        met_by_all("no more rows read at ×16 than at ×1 and at ×4, but for 5 %, on PostgreSQL", |all| {
            let rows: Vec<f64> = all.iter().filter_map(|figures| figures.rows).map(|rows| rows as f64).collect();
            rows.split_last().is_none_or(|(last, others)| others.iter().all(|rows| *last <= rows * ASKED_ROWS))
        }),
        Target {
            asked: format!("p50 of reading at ×16 ≤ {ASKED_RATIO} times that at ×1"),
            measured: format!("{} times at most ({name})", figure(most)),
            met: most <= ASKED_RATIO,
        },
    ]
}

/// A figure at the largest size to that at the smallest.
fn ratio(sizes: &[&Figures], of: impl Fn(&Figures) -> f64) -> f64 {
    match sizes {
        [first, .., last] => of(last) / of(first),
        _ => 1.0,
    }
}

fn rows(figures: &Figures) -> String {
    figures.rows.map_or_else(|| "–".to_owned(), |rows| rows.to_string())
}
