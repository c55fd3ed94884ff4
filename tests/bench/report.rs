//! Rows of figures, and how they are printed and kept.

use anyhow::Result;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// One row of the contract, measured.
#[derive(Debug, Default)]
pub struct Row {
    /// What was done.
    pub work: String,
    /// What it took.
    pub measured: String,
    /// What the reference took.
    pub reference: String,
    /// Measured to reference.
    pub ratio: Option<f64>,
    /// What the contract wants.
    pub goal: String,
    /// Whether it holds; `None` where nothing could be judged.
    pub met: Option<bool>,
    /// Whether a small run fails over it.
    pub fails: bool,
    /// What could not be measured, and why.
    pub skipped: Option<String>,
}

impl Row {
    /// A row of something that cannot be measured here.
    pub fn skipped(work: &str, goal: &str, why: &str) -> Self {
        Self {
            work: work.to_owned(),
            measured: "not measured".to_owned(),
            goal: goal.to_owned(),
            skipped: Some(format!("{work}: {why}")),
            ..Self::default()
        }
    }

    /// A row of instructions, with a goal in instructions.
    pub fn instructions(work: &str, count: u64, reference: Option<(&str, u64)>, goal: u64) -> Self {
        Self {
            work: format!("{work}, instructions"),
            measured: millions(count),
            reference: reference
                .map_or_else(String::new, |(name, n)| format!("{name} {}", millions(n))),
            ratio: reference.map(|(_, n)| count as f64 / n as f64),
            goal: format!("≤ {}", millions(goal)),
            met: Some(count <= goal),
            fails: count > goal + goal / 10,
            skipped: None,
        }
    }
}

/// A count in millions.
pub fn millions(count: u64) -> String {
    format!("{:.2} M", count as f64 / 1e6)
}

/// A duration in milliseconds.
pub fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// Bytes a time, in GB/s.
pub fn gb_per_s(bytes: usize, time: Duration) -> f64 {
    bytes as f64 / time.as_secs_f64() / 1e9
}

/// The middle of some durations; they are sorted.
pub fn median(times: &mut [Duration]) -> Duration {
    at_share(times, 0.5)
}

/// The duration that this share of them does not pass; they are sorted.
pub fn at_share(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    times.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
}

/// The rows as a Markdown table.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| work | measured | reference | ratio | goal | met |\n|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let ratio = row.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let met = match row.met {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "-",
        };
        let reference = if row.reference.is_empty() { "-" } else { &row.reference };
        let _ = writeln!(
            text,
            "| {} | {} | {reference} | {ratio} | {} | {met} |",
            row.work, row.measured, row.goal
        );
    }
    text
}

/// Keeps a table under today's date and gives its path in the project.
pub fn save(table: &str) -> Result<String> {
    let today = jiff::Zoned::now().strftime("%Y-%m-%d");
    let name = format!("tests/bench/runs/{today}.md");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
    fs::create_dir_all(path.parent().unwrap_or(&path))?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let text = format!(
        "# {today}\n\nVersion {}, {cores} cores, {}. Figures of one run, side by side.\n\n{table}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
    );
    fs::write(path, text)?;
    Ok(name)
}
