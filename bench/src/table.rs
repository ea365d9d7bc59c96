//! What a scenario has found out: tables, as Markdown.

use std::fmt::{self, Display};

/// One part of the results: a heading, what is to be known of it, and tables.
#[derive(Debug, Default)]
pub struct Section {
    /// The heading.
    pub title: String,
    /// Markdown before the tables: what was done and how.
    pub text: String,
    /// The tables.
    pub tables: Vec<Table>,
    /// What was asked, and whether it is so.
    pub targets: Vec<Target>,
}

/// A table, its first column set left and all others right.
#[derive(Debug, Default)]
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// As many cells each as there are columns.
    pub rows: Vec<Vec<String>>,
}

/// A figure that was asked for.
#[derive(Debug)]
pub struct Target {
    /// What was asked.
    pub asked: String,
    /// What was measured.
    pub measured: String,
    /// Whether that is enough.
    pub met: bool,
}

impl Table {
    /// An empty table with these columns.
    pub fn new<'c>(columns: impl IntoIterator<Item = &'c str>) -> Self {
        Self { columns: columns.into_iter().map(str::to_owned).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row<C: Display>(&mut self, cells: impl IntoIterator<Item = C>) {
        let cells: Vec<String> = cells.into_iter().map(|cell| cell.to_string()).collect();
        debug_assert_eq!(cells.len(), self.columns.len(), "{cells:?}");
        self.rows.push(cells);
    }

    /// Adds a figure at three sizes, with what it has become.
    pub fn ratios(&mut self, name: &str, [one, four, sixteen]: [f64; 3]) {
        let figures = [one, four, sixteen, four / one, sixteen / one].map(figure);
        self.row([name.to_owned()].into_iter().chain(figures));
    }
}

/// What was asked, what was measured, and whether that is enough.
pub fn verdicts<'t>(targets: impl IntoIterator<Item = &'t Target>) -> Table {
    let mut table = Table::new(["asked", "measured", "verdict"]);
    for target in targets {
        let verdict = if target.met { "met" } else { "**missed**" };
        table.row([&*target.asked, &*target.measured, verdict]);
    }
    table
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} |", self.columns.join(" | "))?;
        writeln!(f, "|---|{}", "--:|".repeat(self.columns.len().saturating_sub(1)))?;
        self.rows.iter().try_for_each(|row| writeln!(f, "| {} |", row.join(" | ")))
    }
}

impl Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "## {}\n\n{}\n", self.title, self.text.trim())?;
        self.tables.iter().try_for_each(|table| write!(f, "\n{table}"))
    }
}

/// A number with as many digits as it deserves: three that count.
pub fn figure(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        tiny if tiny < 10.0 => format!("{value:.2}"),
        small if small < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
