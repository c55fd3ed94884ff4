//! The library reads a ledger without the command line: how many tasks are in
//! each state? Usage: `cargo run --example count_states -- ORCH/STATE/TASKS.md`
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "an example is a program of its own"
)]

use orch::ledger::{source, tasks::TaskLedger};
use orch::model::field::TaskField;
use std::collections::BTreeMap;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("which file?")?;
    let bytes = std::fs::read(&path)?;
    let ledger = TaskLedger::parse(source::text(&bytes, &path)?, &path)?;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for row in ledger.rows() {
        let state = ledger.cell(row, TaskField::State).unwrap_or_default();
        *counts.entry(state.into_owned()).or_default() += 1;
    }
    for (state, count) in counts {
        println!("{state} {count}");
    }
    Ok(())
}
