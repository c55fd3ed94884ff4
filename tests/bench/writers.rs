//! Changing: one `claim --next` beside the least that a safe write costs, and
//! many processes at once beside sqlite3.

use crate::programs::{children_cpu, database, is_installed, orch, time};
use crate::report::{Row, at_share, median, ms};
use crate::{Size, ledgers};
use anyhow::{Context as _, Result, anyhow};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// The most processor time that a claim on 10,000 rows may take.
const GOAL_CPU: Duration = Duration::from_millis(15);

pub fn rows(size: Size) -> Result<Vec<Row>> {
    let mut rows = claim(size, size.pick(10_000, 1_000, 200), 2.5)?;
    if size == Size::Full {
        rows.extend(claim(size, 100_000, 3.0)?);
    }
    rows.extend(race(size)?);
    Ok(rows)
}

fn claim(size: Size, count: usize, factor: f64) -> Result<Vec<Row>> {
    let dir = ledgers::workspace(count)?;
    let args = ["claim", "--next", "--as", "WORK@bench", "-q"];
    let ledger = dir.path().join("ORCH/STATE/TASKS.md");
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    // The first also begins the journal.
    time(&mut orch(dir.path(), &args))?;
    let runs = size.pick(if count > 50_000 { 8 } else { 25 }, 5, 1);
    let mut cpu = Duration::ZERO;
    for _ in 0..runs {
        let before = children_cpu();
        ours.push(time(&mut orch(dir.path(), &args))?);
        if let (Some(before), Some(after)) = (before, children_cpu()) {
            cpu += after.saturating_sub(before);
        }
        let bytes = fs::read(&ledger)?;
        floor.push(safe_write(dir.path(), &bytes)?);
    }
    let (ours, floor) = (median(&mut ours), median(&mut floor));
    let ratio = ours.as_secs_f64() / floor.as_secs_f64();
    let judged = size == Size::Full;
    let mut rows = vec![Row {
        work: format!("claim --next, {count} rows, wall"),
        measured: ms(ours),
        reference: format!("write + fsync + rename + directory fsync {}", ms(floor)),
        ratio: Some(ratio),
        goal: format!("≤ {factor} × that"),
        met: judged.then_some(ratio <= factor),
        ..Row::default()
    }];
    if children_cpu().is_some() && count <= 10_000 {
        let mean = cpu / runs;
        rows.push(Row {
            work: format!("claim --next, {count} rows, CPU"),
            measured: ms(mean),
            goal: format!("≤ {}", ms(GOAL_CPU)),
            met: judged.then_some(mean <= GOAL_CPU),
            ..Row::default()
        });
    }
    Ok(rows)
}

/// What nobody who replaces a file safely can do without.
fn safe_write(dir: &Path, bytes: &[u8]) -> Result<Duration> {
    let start = Instant::now();
    let new = dir.join("floor.new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, dir.join("floor"))?;
    File::open(dir)?.sync_all()?;
    Ok(start.elapsed())
}

/// What came of several processes that all change one thing.
struct Raced {
    lost: usize,
    p95: Duration,
}

fn race(size: Size) -> Result<Vec<Row>> {
    let (processes, updates, count) = size.pick((8, 25, 300), (8, 5, 300), (2, 2, 50));
    let work = format!("{processes} processes × {updates} updates, {count} rows");
    let dir = ledgers::workspace(count)?;
    let ours = run_race(processes, updates, |id, mark| {
        orch(dir.path(), &["set", id, &format!("title={mark}"), "-q"])
    })?;
    let ours = ours.judge(&fs::read_to_string(dir.path().join("ORCH/STATE/TASKS.md"))?);
    let theirs = if is_installed("sqlite3") {
        let path = dir.path().join("tasks.db");
        database(&path, count)?;
        let raced = run_race(processes, updates, |id, mark| {
            let mut command = Command::new("sqlite3");
            command.args(["-cmd", ".timeout 10000", "-cmd", "pragma synchronous=full"]);
            command.arg(&path);
            command.arg(format!("update tasks set title='{mark}' where task_id='{id}'"));
            command
        })?;
        let out = Command::new("sqlite3")
            .arg(&path)
            .arg("select '| ' || task_id || ' | ' || title || ' |' from tasks")
            .output()?;
        Some(raced.judge(&String::from_utf8(out.stdout)?))
    } else {
        None
    };
    let lost = Row {
        work: format!("{work}, lost"),
        measured: format!("{} lost", ours.lost),
        reference: theirs.as_ref().map_or_else(String::new, |t| format!("sqlite3 {}", t.lost)),
        goal: "0 lost".to_owned(),
        met: Some(ours.lost == 0),
        fails: ours.lost > 0,
        ..Row::default()
    };
    let work = format!("{work}, p95");
    let slowest = match theirs {
        None => Row::skipped(&work, "below sqlite3", "sqlite3 is not installed"),
        Some(theirs) => Row {
            work,
            measured: ms(ours.p95),
            reference: format!("sqlite3 {}", ms(theirs.p95)),
            ratio: Some(ours.p95.as_secs_f64() / theirs.p95.as_secs_f64()),
            goal: "below sqlite3".to_owned(),
            met: (size == Size::Full).then_some(ours.p95 <= theirs.p95),
            ..Row::default()
        },
    };
    Ok(vec![lost, slowest])
}

/// The updates that were made, and how long each took.
struct Updates {
    made: Vec<(String, String)>,
    times: Vec<Duration>,
}

impl Updates {
    /// Looks for every update in the rows that there are afterwards.
    fn judge(mut self, text: &str) -> Raced {
        let titles: HashMap<&str, &str> = text
            .lines()
            .filter_map(|line| {
                let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
                Some((cells.next()?, cells.next()?))
            })
            .collect();
        let is_there = |(id, mark): &&(String, String)| titles.get(&**id) == Some(&&**mark);
        let lost = self.made.len() - self.made.iter().filter(is_there).count();
        Raced { lost, p95: at_share(&mut self.times, 0.95) }
    }
}

/// Each process changes rows of its own, so that every update can be found. A
/// command that fails counts as an error, not as lost: it said so.
fn run_race(
    processes: usize,
    updates: usize,
    command: impl Fn(&str, &str) -> Command + Sync,
) -> Result<Updates> {
    let mut all = Updates { made: Vec::new(), times: Vec::new() };
    thread::scope(|scope| {
        let command = &command;
        let running: Vec<_> = (0..processes)
            .map(|process| {
                scope.spawn(move || {
                    (0..updates)
                        .map(|n| {
                            let id = ledgers::id(1 + n * processes + process);
                            let mark = format!("process {process} update {n}");
                            let took = time(&mut command(&id, &mark))
                                .with_context(|| format!("process {process}, update {n}"))?;
                            Ok((id, mark, took))
                        })
                        .collect::<Result<Vec<_>>>()
                })
            })
            .collect();
        for thread in running {
            let made = thread.join().map_err(|_| anyhow!("a thread of the race died"))??;
            for (id, mark, took) in made {
                all.made.push((id, mark));
                all.times.push(took);
            }
        }
        Ok(all)
    })
}
