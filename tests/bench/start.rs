//! Starting: `orch --version` beside `true`.

use crate::Size;
use crate::programs::{instructions, is_installed, orch, time};
use crate::report::{Row, median, ms};
use anyhow::Result;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const GOAL: u64 = 900_000;
const GOAL_OVER_TRUE: Duration = Duration::from_micros(600);

pub fn rows(size: Size) -> Result<Vec<Row>> {
    let here = Path::new(".");
    let version = || orch(here, &["--version"]);
    let mut rows = Vec::new();
    if is_installed("valgrind") && size != Size::Smoke {
        let count = instructions(&version())?;
        let reference = instructions(&Command::new("true"))?;
        rows.push(Row::instructions("start", count, Some(("true", reference)), GOAL));
    } else {
        rows.push(Row::skipped("start, instructions", "≤ 0.90 M", "valgrind is not used here"));
    }
    let runs = size.pick(200, 50, 2);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        ours.push(time(&mut version())?);
        theirs.push(time(&mut Command::new("true"))?);
    }
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    rows.push(Row {
        work: "start, wall".to_owned(),
        measured: ms(ours),
        reference: format!("true {}", ms(theirs)),
        ratio: Some(ours.as_secs_f64() / theirs.as_secs_f64()),
        goal: format!("≤ {} over true", ms(GOAL_OVER_TRUE)),
        met: (size == Size::Full).then_some(ours.saturating_sub(theirs) <= GOAL_OVER_TRUE),
        ..Row::default()
    });
    Ok(rows)
}
