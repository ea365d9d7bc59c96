//! Everything in one run, and the page that tells of it: `bench/RESULTS.md` with its plots.

use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::databases::{self, Kind};
use crate::delivery::Run;
use crate::fanout::{self, AT_A_TIME, Measured, Plan};
use crate::subject::{ALL, PARLOR, PARLOR_EVENTS, RAW, Subject};
use crate::table::{Section, Table, verdicts};
use crate::{
    joining, nodes, plot, posts, reactions, reading, reconnecting, refused, search, synapse, syncing, uploads,
};

/// How long posts that are followed are measured. Synapse posts few in a second.
const FOLLOWED_TIME: Duration = Duration::from_secs(10);

/// Whether the figures are worth having, or only show that it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// All of it: about half an hour on two cores.
    Full,
    /// A minute or two, with whatever profile it was built.
    Small,
}

impl Form {
    fn fan_out(self) -> Plan {
        match self {
            Self::Full => Plan {
                sockets: vec![500, 2_000, 8_000],
                compared_at: 2_000,
                rooms: vec![62, 250, 1_000],
                rounds: 3,
                time: Duration::from_secs(3),
                crowd: 5_000,
            },
            Self::Small => Plan {
                sockets: vec![20],
                compared_at: 20,
                rooms: vec![4],
                rounds: 1,
                time: Duration::from_millis(300),
                crowd: 50,
            },
        }
    }

    fn posters(self) -> &'static [usize] {
        match self {
            Self::Full => &[1, 16, 64, 256],
            Self::Small => &[1, 8],
        }
    }

    fn refusing_time(self) -> Duration {
        match self {
            Self::Full => Duration::from_secs(3),
            Self::Small => Duration::from_millis(300),
        }
    }

    /// Members of a group, and how often a hundred join it: it ends at 5,000.
    fn joining(self) -> (usize, usize) {
        match self {
            Self::Full => (4_000, 5),
            Self::Small => (40, 2),
        }
    }

    fn reactions(self) -> reactions::Size {
        match self {
            Self::Full => reactions::Size { members: 500, posting: Duration::from_secs(3) },
            Self::Small => reactions::Size { members: 30, posting: Duration::from_millis(200) },
        }
    }

    fn posters_of_nodes(self) -> usize {
        match self {
            Self::Full => 64,
            Self::Small => 6,
        }
    }

    fn returning_sockets(self) -> usize {
        match self {
            Self::Full => 5_000,
            Self::Small => 40,
        }
    }

    fn synced_users(self) -> usize {
        match self {
            Self::Full => 100_000,
            Self::Small => 250,
        }
    }

    fn searching(self) -> search::Shape {
        match self {
            Self::Full => {
                search::Shape { messages: 1_000_000, posting: (4, Duration::from_secs(10)), synapse: Some(5_000) }
            }
            Self::Small => search::Shape { messages: 4_000, posting: (1, Duration::from_millis(500)), synapse: None },
        }
    }

    fn uploaded_mib(self) -> usize {
        match self {
            Self::Full => 1_000,
            Self::Small => 8,
        }
    }

    fn answering_time(self) -> Duration {
        match self {
            Self::Full => Duration::from_secs(2),
            Self::Small => Duration::from_millis(100),
        }
    }

    fn posting_time(self) -> Duration {
        match self {
            Self::Full => Duration::from_secs(5),
            Self::Small => Duration::from_millis(500),
        }
    }
}

/// Runs everything and writes the page into this directory.
pub async fn write(form: Form, directory: &Path) -> io::Result<()> {
    let begun = Instant::now();
    build(form)?;
    std::fs::create_dir_all(directory.join("plots"))?;
    let (plan, postgres) = (form.fan_out(), databases::postgres()?);
    let mut measured = Measured::default();
    let mut sections = Sections::default();
    sections.push(fanout::one_room(&plan, &mut measured).await?);
    sections.push(fanout::many_rooms(&plan, &mut measured).await?);
    sections.push(fanout::beside_a_crowd(plan.crowd, plan.time).await?);
    let (members, times) = form.joining();
    sections.push(joining::run(members, times).await?);
    sections.push(reactions::run(&postgres, form.reactions()).await?);
    let (posting, posted) =
        posts::run(&[Kind::Sqlite, Kind::Postgres(&postgres)], form.posters(), form.posting_time(), form == Form::Full)
            .await?;
    sections.push(posting);
    sections.push(nodes::run(&postgres, form.posters_of_nodes(), form.posting_time()).await?);
    let mut followed = synapse::Bars::new();
    if form == Form::Full {
        let (section, bars) = synapse::run(FOLLOWED_TIME).await?;
        sections.push(section);
        followed = bars;
    }
    sections.push(reading::run(&postgres, form == Form::Small).await?);
    sections.push(reading::beside_the_limit(form.answering_time(), form == Form::Small).await?);
    sections.push(reconnecting::run(&[Kind::Sqlite, Kind::Postgres(&postgres)], form.returning_sockets()).await?);
    sections.push(search::run(&[Kind::Sqlite, Kind::Postgres(&postgres)], form.searching()).await?);
    sections.push(syncing::run(&[Kind::Sqlite, Kind::Postgres(&postgres)], form.synced_users()).await?);
    sections.push(uploads::run(form.uploaded_mib()).await?);
    sections.push(refused::run(form.refusing_time()).await?);
    sections.push(growth(&plan, &measured));
    plots(directory, &plan, &measured, &posted)?;
    if form == Form::Full {
        let title = "Server CPU per post and its four deliveries, µs (64 posters in rooms of four)";
        plot::bars(&directory.join("plots/followed.svg"), title, &followed)?;
    }
    std::fs::write(directory.join("RESULTS.md"), page(form, &sections.0, begun.elapsed()))
}

/// What has been measured so far. Each section is printed as soon as it is there, so that a run that fails later has told it.
#[derive(Default)]
struct Sections(Vec<Section>);

impl Sections {
    fn push(&mut self, section: Section) {
        println!("{section}");
        self.0.push(section);
    }
}

/// Builds what is measured, as this program itself was built, and fetches what the servers on Node need. The small form
/// goes without the one that must be compiled, which stores posts, and without Synapse.
fn build(form: Form) -> io::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let release: &[&str] = if cfg!(debug_assertions) { &[] } else { &["--release"] };
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut binaries = Command::new(cargo);
    // What `cargo run` tells this program of its package would have build scripts run anew, and all that needs them built.
    let of_package =
        |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "OUT_DIR";
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_package)) {
        binaries.env_remove(name);
    }
    run(binaries.args(["build", "-p", "parlor", "-p", "parlor-bench", "--bins"]).args(release).current_dir(here))?;
    let mut packages = Command::new("npm");
    packages.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(here.join("peers/node"));
    match form {
        Form::Small => packages.arg("--omit=optional"),
        // The headers of Node are where Node is.
        Form::Full => packages.env("npm_config_build_from_source", "true").env("npm_config_nodedir", node_prefix()),
    };
    run(&mut packages)?;
    if form == Form::Full { synapse::install() } else { Ok(()) }
}

fn node_prefix() -> PathBuf {
    let printed = Command::new("node").args(["--print", "process.execPath"]).output();
    let program = printed.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    Path::new(&program).ancestors().nth(2).unwrap_or_else(|| Path::new("/usr")).to_owned()
}

fn run(command: &mut Command) -> io::Result<()> {
    let status = command.stdin(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{command:?}: {status}"))) }
}

/// One figure of a run.
type Figure = fn(&Run) -> f64;

/// What a figure becomes when there is four times as much, and sixteen times.
fn growth(plan: &Plan, measured: &Measured) -> Section {
    let mut table = Table::new(["figure", "×1", "×4", "×16", "×4 / ×1", "×16 / ×1"]);
    for subject in [RAW, PARLOR, PARLOR_EVENTS] {
        let runs: Vec<_> = plan
            .sockets
            .iter()
            .filter_map(|sockets| measured.one_room.get(&(subject.name, *sockets, AT_A_TIME[1])))
            .collect();
        let figures: [(&str, Figure); 2] =
            [("µs per delivery", |run| run.micros), ("KiB per socket", |run| run.kib_per_socket)];
        for (name, of) in figures {
            let [one, four, sixteen] = &*runs.iter().map(|run| of(run)).collect::<Vec<_>>() else { continue };
            table.ratios(&format!("{}, {name}, sockets in a room", subject.name), [*one, *four, *sixteen]);
        }
        let runs: Vec<_> =
            plan.rooms.iter().filter_map(|rooms| measured.many_rooms.get(&(subject.name, *rooms))).collect();
        let [one, four, sixteen] = &*runs.iter().map(|run| run.micros).collect::<Vec<_>>() else { continue };
        table.ratios(&format!("{}, µs per delivery with posting, rooms of 8", subject.name), [*one, *four, *sixteen]);
    }
    Section {
        title: "Growth".to_owned(),
        text: format!(
            "The same figures with four and sixteen times as much: sockets in one room ({:?}), and rooms of eight sockets ({:?}). \
             For messages and rooms in the database, see Reading.",
            plan.sockets, plan.rooms
        ),
        tables: vec![table],
        targets: Vec::new(),
    }
}

fn plots(directory: &Path, plan: &Plan, measured: &Measured, posted: &[posts::Series]) -> io::Result<()> {
    let at = |name: &str| directory.join("plots").join(name);
    let bars = |of: Figure| -> Vec<(&str, f64)> {
        let run = |subject: &Subject| measured.one_room.get(&(subject.name, plan.compared_at, AT_A_TIME[1]));
        ALL.iter().filter_map(|subject| Some((subject.name, of(run(subject)?)))).collect()
    };
    let title = format!(
        "Server CPU per delivered event, µs ({} sockets in one room, {} posts at a time)",
        plan.compared_at, AT_A_TIME[1]
    );
    plot::bars(&at("delivery.svg"), &title, &bars(|run| run.micros))?;
    let title = format!("Memory per idle subscribed socket, KiB ({} sockets)", plan.compared_at);
    plot::bars(&at("memory.svg"), &title, &bars(|run| run.kib_per_socket))?;
    let lines = |of: fn(&posts::Run) -> f64| -> Vec<(String, Vec<(f64, f64)>)> {
        let line = |(name, runs): &posts::Series| {
            (name.clone(), runs.iter().map(|(posters, run)| (*posters as f64, of(run))).collect())
        };
        posted.iter().map(line).collect()
    };
    let axes = ("posters", "durable posts per second");
    plot::lines(&at("posting.svg"), "Durable posts per second over HTTP", axes, &lines(|run| run.per_sec))?;
    let axes = ("posters", "p99, ms");
    plot::lines(&at("posting-p99.svg"), "How long 99 of 100 posts take at most", axes, &lines(|run| run.latency.p99))
}

fn page(form: Form, sections: &[Section], took: Duration) -> String {
    let mut text = String::from("# Results\n\n");
    let printed = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let command = match form {
        Form::Full => "cargo run --release -p parlor-bench -- all",
        Form::Small => "cargo run -p parlor-bench -- all --small",
    };
    let commit = printed("git", &["rev-parse", "--short", "HEAD"]);
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let _ = write!(
        text,
        "Made on {} (UTC), at commit {commit}, in {} minutes, by\n\n```\n{command}\n```\n\n\
         on {} processors ({}), {}; {}, Node {}, {}. Servers, databases and the load share the machine, so only what stands in one \
         table was measured under the same conditions, and ratios tell more than figures. The load is a process of its own; where \
         it uses about as many cores as there are left, it is the bottleneck of what is reached per second, though not of CPU per \
         delivery.\n",
        printed("date", &["-u", "+%Y-%m-%d"]),
        took.as_secs() / 60,
        printed("nproc", &[]),
        processor.trim_start_matches([' ', '\t', ':']),
        printed("uname", &["-sr"]),
        printed("rustc", &["--version"]),
        printed("node", &["--version"]),
        postgres_version(),
    );
    text.push_str("\n![CPU per delivered event](plots/delivery.svg)\n\n## Targets\n\n");
    let targets = verdicts(sections.iter().flat_map(|section| &section.targets));
    let reasons = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("REASONS.md")).unwrap_or_default();
    let _ = write!(text, "{targets}\n{}\n", reasons.trim());
    let followed = if form == Form::Full { ", [posts that are followed](plots/followed.svg)" } else { "" };
    let _ = writeln!(
        text,
        "\nMore plots: [memory](plots/memory.svg), [posts](plots/posting.svg), [their p99](plots/posting-p99.svg){followed}."
    );
    for section in sections {
        let _ = write!(text, "\n{section}");
    }
    text
}

fn postgres_version() -> String {
    let programs = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = programs.map(|version| version.path().join("bin/postgres")).collect();
    versions.sort();
    let asked = versions.pop().and_then(|program| Command::new(program).arg("--version").output().ok());
    asked.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
