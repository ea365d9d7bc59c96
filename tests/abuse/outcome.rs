//! What an attack has cost, against what it may cost.

use std::fmt::{Display, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// By how much a debug build's bounds of time are wider.
const DEBUG: u32 = if cfg!(debug_assertions) { 16 } else { 1 };

/// The figures of one attack.
#[derive(Default)]
pub struct Outcome {
    figures: Vec<Figure>,
}

struct Figure {
    text: String,
    holds: bool,
}

impl Outcome {
    /// Something that must be true, as text.
    pub fn expect(mut self, holds: bool, text: impl Display) -> Self {
        self.figures.push(Figure { text: text.to_string(), holds });
        self
    }

    /// A time that may be at most so long; in a debug build, several times as long.
    pub fn within(self, what: &str, took: Duration, most: Duration) -> Self {
        let most = most * DEBUG;
        self.expect(took <= most, format_args!("{what} {} ms (≤ {})", took.as_millis(), most.as_millis()))
    }

    /// A number of MiB that may be at most so large.
    pub fn mib(self, what: &str, mib: u64, most: u64) -> Self {
        self.expect(mib <= most, format_args!("{what} {mib} MiB (≤ {most})"))
    }

    /// The line of the table.
    pub fn row(&self, name: &str) -> String {
        let figures: Vec<&str> = self.figures.iter().map(|figure| &*figure.text).collect();
        let verdict = if self.broken().is_empty() { "held" } else { "**FAILED**" };
        format!("| {} | {} | {verdict} |", name.replace('_', " ").replace("::", ": "), figures.join("; "))
    }

    /// What isn't as it must be.
    pub fn broken(&self) -> Vec<String> {
        self.figures.iter().filter(|figure| !figure.holds).map(|figure| figure.text.clone()).collect()
    }
}

/// Writes the table with the command that made it.
pub fn write(path: &Path, command: &str, rows: &[String]) {
    let date = printed("date", &["-u", "+%Y-%m-%d"]);
    let (processors, system) = (printed("nproc", &[]), printed("uname", &["-sm"]));
    let mut text = String::new();
    let _ = writeln!(
        text,
        "# Abuse\n\nWhat hostile and greedy clients cost the server and everybody else. Made on {date} (UTC) by\n\n```\n{command}\n```\n\n\
         on {processors} processors, {system}; attackers, bystander and server share the machine. Each attack has a server of its own on\n\
         SQLite, with the default limits. In brackets stands the bound beyond which the suite fails. Memory is resident memory.\n\n\
         | Attack | Figures | Verdict |\n|---|---|---|"
    );
    for row in rows {
        let _ = writeln!(text, "{row}");
    }
    std::fs::write(path, text).expect("the report can be written");
}

fn printed(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
