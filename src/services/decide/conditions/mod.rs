//! What must hold before an approval is decided without a person: one file a
//! condition.
//!
//! Here: their common shape, and those that look at the diff alone. Not here:
//! when they are measured and what follows (`decide`). Invariant: a condition
//! that could not be measured does not hold.

pub mod canary;
pub mod commands;
pub mod line_ends;
pub mod metrics;
pub mod protected;
pub mod secrets;
pub mod size;

use crate::ledger::git_diff::FileDiff;
use crate::services::config::AutoDecide;
use crate::services::decide::source::Source;
use crate::sys::Sys;

/// Whether a condition holds, and what follows where it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// It does.
    Yes,
    /// It does not: people decide, whatever else holds.
    Breach,
    /// A command failed: what that means is a setting.
    Fails,
    /// It was not measured, since something before it did not hold.
    Skipped,
}

/// A condition as it was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// Its name.
    pub name: &'static str,
    /// Whether it holds.
    pub holds: Holds,
    /// What was found.
    pub measured: String,
    /// What is asked for.
    pub limit: String,
    /// Why it does not hold.
    pub reason: Option<String>,
    /// The end of what a failing command wrote, without secrets.
    pub output: Option<String>,
}

impl Measured {
    /// One that holds.
    pub fn yes(name: &'static str, measured: impl Into<String>, limit: impl Into<String>) -> Self {
        Self {
            name,
            holds: Holds::Yes,
            measured: measured.into(),
            limit: limit.into(),
            reason: None,
            output: None,
        }
    }

    /// One that does not hold, and is left to people.
    pub fn breach(
        name: &'static str,
        measured: impl Into<String>,
        limit: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        let reason = Some(reason.into());
        Self { holds: Holds::Breach, reason, ..Self::yes(name, measured, limit) }
    }

    /// One that was not measured.
    pub fn skipped(name: &'static str, limit: impl Into<String>) -> Self {
        Self { holds: Holds::Skipped, ..Self::yes(name, "not measured", limit) }
    }

    /// One that holds unless there are reasons why it does not.
    fn unless(
        name: &'static str,
        measured: String,
        limit: impl Into<String>,
        reasons: &[String],
    ) -> Self {
        let (first, rest) = match reasons {
            [] => return Self::yes(name, measured, limit),
            [first, rest @ ..] => (first, rest.len()),
        };
        let more = if rest > 0 { format!(" (and {rest} more)") } else { String::new() };
        Self::breach(name, measured, limit, format!("{first}{more}"))
    }
}

/// The conditions that only read, in the order in which they are told. `source`
/// is the repository that the diff is for.
pub fn at_rest(sys: &Sys, files: &[FileDiff], source: &Source, auto: &AutoDecide) -> Vec<Measured> {
    vec![
        size::measure(files, auto),
        protected::measure(sys, files, &source.top, &source.prefix, auto),
        secrets::measure(files),
        line_ends::measure(files),
    ]
}

/// The conditions that need a scratch copy, as long as none was made.
pub fn not_run(auto: &AutoDecide) -> Vec<Measured> {
    let mut skipped = vec![Measured::skipped(commands::NAME, commands::limit(auto))];
    if let Some(metrics) = &auto.metrics {
        skipped.push(Measured::skipped(metrics::NAME, metrics::limit(metrics)));
    }
    if let Some(canary) = &auto.canary {
        skipped.push(Measured::skipped(canary::NAME, canary::limit(canary)));
    }
    skipped
}

/// `1 line`, `2 lines`.
pub(super) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
