//! Reading: `list` and `show` beside the sqlite3 command on the same tasks, and
//! the memory of a long `list`.

use crate::programs::{database, instructions, is_installed, orch, peak_memory, time};
use crate::report::{Row, median, ms};
use crate::{Size, ledgers};
use anyhow::Result;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What is compared: its name, how it is asked, how sqlite3 is asked, the goal.
struct Case {
    work: &'static str,
    orch: &'static [&'static str],
    sqlite: &'static [&'static str],
    goal: u64,
}

const CASES: [Case; 4] = [
    Case {
        work: "list, jsonl",
        orch: &["list", "--format", "jsonl"],
        sqlite: &["-json", "DATABASE", "select * from tasks"],
        goal: 8_000_000,
    },
    Case {
        work: "list, csv",
        orch: &["list", "--format", "csv"],
        sqlite: &["-csv", "DATABASE", "select * from tasks"],
        goal: 8_000_000,
    },
    Case {
        work: "list, table",
        orch: &["list", "--format", "table"],
        sqlite: &["-table", "DATABASE", "select task_id,state,owner,due,title from tasks"],
        goal: 20_000_000,
    },
    Case {
        work: "show one",
        orch: &["show", "T-000500"],
        sqlite: &["-line", "DATABASE", "select * from tasks where task_id='T-000500'"],
        goal: 2_400_000,
    },
];

pub fn rows(size: Size) -> Result<Vec<Row>> {
    let count = size.pick(1000, 1000, 500);
    let dir = ledgers::workspace(count)?;
    let sqlite = is_installed("sqlite3");
    let path = dir.path().join("tasks.db");
    if sqlite {
        database(&path, count)?;
    }
    let mut rows = Vec::new();
    for case in &CASES {
        rows.extend(case.rows(size, count, dir.path(), sqlite.then_some(&*path))?);
    }
    rows.push(memory(size)?);
    Ok(rows)
}

impl Case {
    fn rows(&self, size: Size, count: usize, dir: &Path, path: Option<&Path>) -> Result<Vec<Row>> {
        let ours = || orch(dir, self.orch);
        let sqlite = |path: &Path| {
            let mut command = Command::new("sqlite3");
            for arg in self.sqlite {
                match *arg {
                    "DATABASE" => command.arg(path),
                    arg => command.arg(arg),
                };
            }
            command
        };
        let work = format!("{}, {count} rows", self.work);
        let mut rows = Vec::new();
        if is_installed("valgrind") && size != Size::Smoke {
            let reference = path.map(|path| instructions(&sqlite(path))).transpose()?;
            let reference = reference.map(|count| ("sqlite3", count));
            rows.push(Row::instructions(&work, instructions(&ours())?, reference, self.goal));
        } else {
            let work = format!("{work}, instructions");
            let goal = format!("≤ {}", crate::report::millions(self.goal));
            rows.push(Row::skipped(&work, &goal, "valgrind is not used here"));
        }
        let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
        for _ in 0..size.pick(60, 10, 1) {
            our_times.push(time(&mut ours())?);
            if let Some(path) = path {
                their_times.push(time(&mut sqlite(path))?);
            }
        }
        let ours = median(&mut our_times);
        let theirs = path.map(|_| median(&mut their_times));
        rows.push(Row {
            work: format!("{work}, wall"),
            measured: ms(ours),
            reference: theirs.map_or_else(String::new, |t| format!("sqlite3 {}", ms(t))),
            ratio: theirs.map(|theirs| ours.as_secs_f64() / theirs.as_secs_f64()),
            goal: "-".to_owned(),
            ..Row::default()
        });
        Ok(rows)
    }
}

/// Small ledgers cannot be judged: the program itself takes most of it.
fn memory(size: Size) -> Result<Row> {
    let count = size.pick(100_000, 10_000, 500);
    let work = format!("list of {count}, peak memory");
    let goal = "≤ 2.5 × the file";
    if !Path::new("/proc/self/status").exists() {
        return Ok(Row::skipped(&work, goal, "this system has no /proc"));
    }
    let dir = ledgers::workspace(count)?;
    let file = fs::metadata(dir.path().join("ORCH/STATE/TASKS.md"))?.len();
    let (peak, _) = peak_memory(&mut orch(dir.path(), &["list", "--format", "jsonl"]))?;
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    Ok(Row {
        work,
        measured: megabytes(peak),
        reference: format!("the file {}", megabytes(file)),
        ratio: Some(peak as f64 / file as f64),
        goal: goal.to_owned(),
        met: (size == Size::Full).then_some(peak as f64 <= 2.5 * file as f64),
        ..Row::default()
    })
}
