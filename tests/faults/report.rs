//! The table of scenarios and their results.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::oracle::Counts;
use crate::scenario::Outcome;

/// One line of the table per scenario, in the order in which they ended, and everything that was not as it must be.
#[derive(Default)]
pub struct Report(Mutex<(Vec<String>, Vec<String>)>);

impl Report {
    /// Adds a scenario's result.
    pub fn add(&self, name: &str, seed: u64, took: Duration, outcome: &Outcome) {
        let Counts { lost, doubled, reordered, phantom, leaked, differing, faults } = outcome.counts;
        let Outcome { asked, measured, failures, .. } = outcome;
        let verdict = if failures.is_empty() { "held" } else { "**FAILED**" };
        let secs = took.as_secs_f64();
        let row = format!(
            "| {} | {seed} | {secs:.1} s | {lost} | {doubled} | {reordered} | {phantom} | {leaked} | {differing} | {faults} | {asked} | {measured} | {verdict} |",
            name.replace('_', " ").replace("::", ": "),
        );
        println!("    {row}");
        let (rows, failed) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rows.push(row);
        failed.extend(failures.iter().map(|failure| format!("{name}: {}", failure.replace('\n', " "))));
    }

    /// Writes the table with the command that made it.
    pub fn write(&self, path: &Path, command: &str) {
        let (rows, failed) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let date = printed("date", &["-u", "+%Y-%m-%d"]);
        let (processors, system) = (printed("nproc", &[]), printed("uname", &["-sm"]));
        let mut text = String::from("# Faults\n\n");
        let _ = write!(
            text,
            "What `tests/faults` did to servers, and what clients noticed. Made on {date} (UTC) by\n\n```\n{command}\n```\n\n\
             on {processors} processors, {system}. Clients, servers, PostgreSQL and NATS share the machine. Rows beginning with \"control\" run a\n\
             reader that is wrong on purpose: there the suite fails unless the oracle finds losses.\n\n\
             | Scenario | Seed | Took | Lost | Doubled | Reordered | Phantom | Leaked | State ≠ refetch | Faults | Asked | Measured | Verdict |\n\
             |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
        );
        for row in rows {
            text.push_str(row);
            text.push('\n');
        }
        if !failed.is_empty() {
            text.push_str("\nWhat was not as it must be:\n\n");
        }
        for failure in failed {
            let _ = writeln!(text, "- {failure}");
        }
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).expect("the directory can be made");
        }
        std::fs::write(path, text).expect("the report can be written");
    }
}

fn printed(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
