//! The rows of the speed contract, measured side by side in one run.
//!
//! ```text
//! cargo bench --bench contract                     every row, full sizes
//! cargo bench --bench contract -- --small          a few seconds; the one that may fail
//! cargo bench --bench contract -- --save           also into tests/bench/runs/
//! cargo test --bench contract                      every row once, tiny, no instructions
//! ```
//!
//! Here: the modes and what fails. Beside it: `ledgers` (what is measured on),
//! `programs` (how children are run and counted), `report`, and one file a
//! topic: `start`, `readers`, `parse`, `writers`.
//!
//! Wall times are compared with a reference in the same run, since machines are
//! noisy, and fail nothing. Instructions are the same on every run: `--small`
//! fails where they pass a goal by more than a tenth, and where an update is
//! lost.
#![allow(
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "measuring the real world, in figures that are rounded anyway"
)]

mod ledgers;
mod parse;
mod programs;
mod readers;
mod report;
mod start;
mod writers;

use anyhow::{Result, bail};
use std::io::Write as _;
use std::process::ExitCode;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// What the contract says.
    Full,
    /// A few seconds; instructions are judged.
    Small,
    /// Everything once, on tiny ledgers, so that the benches never rot.
    Smoke,
}

impl Size {
    /// One of three, by size.
    pub fn pick<T>(self, full: T, small: T, smoke: T) -> T {
        match self {
            Self::Full => full,
            Self::Small => small,
            Self::Smoke => smoke,
        }
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| args.iter().any(|arg| arg == name);
    if has("--list") {
        // A test runner asks for the names of tests; there are none.
        return Ok(true);
    }
    // `cargo bench` says so, `cargo test` does not.
    let size = match (has("--bench"), has("--small")) {
        (false, _) => Size::Smoke,
        (true, true) => Size::Small,
        (true, false) => Size::Full,
    };
    if has("--save") && size != Size::Full {
        bail!("only a full run is saved");
    }
    let mut rows = start::rows(size)?;
    rows.extend(readers::rows(size)?);
    rows.extend(parse::rows(size)?);
    rows.extend(writers::rows(size)?);
    let table = report::table(&rows);
    let mut out = std::io::stdout().lock();
    out.write_all(table.as_bytes())?;
    for skipped in rows.iter().filter_map(|row| row.skipped.as_deref()) {
        writeln!(out, "\nSKIPPED: {skipped}")?;
    }
    if has("--save") {
        writeln!(out, "\nsaved as {}", report::save(&table)?)?;
    }
    let failed: Vec<_> = rows.iter().filter(|row| row.fails).collect();
    for row in &failed {
        writeln!(out, "\nFAILED: {}: {}, and the goal is {}", row.work, row.measured, row.goal)?;
    }
    Ok(failed.is_empty() || size == Size::Full)
}
