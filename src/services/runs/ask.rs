//! Questions about runs: what could be run, what is running, what is still alive.
//!
//! Not here: beginning and ending one (`services::runs`). Pure but for `seen` and
//! `lives`, which look at the files of runs.

use super::identity;
use crate::error::Result;
use crate::ledger::tasks::RowId;
use crate::model::field::TaskField;
use crate::model::run::{Attempts, backoff};
use crate::model::task::Task;
use crate::model::task_state::State;
use crate::model::time::Timestamp;
use crate::services::config::{Runner, RunnerMatch};
use crate::services::context::Context;
use crate::services::queue;
use crate::store::mirror;
use crate::store::runs::{self as folders, End, Process, RunDir};

use crate::store::snapshot::Snapshot;
use std::collections::HashSet;
use std::time::Duration;

/// The unit in which Linux tells when a process started: proc(5), `USER_HZ`.
const TICK_MS: u64 = 10;

/// How much of an output is looked at for its last line.
const LAST_LINE: usize = 4096;

/// A task that a runner may work on now, as far as the ledger says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Free {
    /// Its id.
    pub task: String,
    /// The runner, by its place in orch.yaml: the first that matches.
    pub runner: usize,
}

/// What runners could take, best first: of each task the first runner that
/// matches. Cost: one pass over the ledger for each runner.
///
/// # Errors
/// `failed` where journal or archives cannot be read.
pub fn free(ctx: &Context, snapshot: &Snapshot<'_>, now: Timestamp) -> Result<Vec<Free>> {
    let mut taken: HashSet<RowId> = HashSet::new();
    let mut found: Vec<(RowId, usize)> = Vec::new();
    for (index, runner) in ctx.settings.watch.runners.iter().enumerate() {
        let who = identity(runner, None)?;
        let rows = queue::candidates(ctx, snapshot, &who, now, &|_| false, &HashSet::new())?;
        for row in rows {
            if matches(&runner.matches, &snapshot.tasks.task(row)) && taken.insert(row) {
                found.push((row, index));
            }
        }
    }
    let zone = ctx.settings.zone();
    found.sort_by_cached_key(|(row, _)| queue::rank(&zone, &snapshot.tasks.task(*row), *row));
    let of = |(row, runner)| Free { task: snapshot.tasks.id(row).into_owned(), runner };
    Ok(found.into_iter().map(of).collect())
}

/// Whether a runner takes a task of this kind. What is absent matches everything.
pub fn matches(wanted: &RunnerMatch, task: &Task<'_>) -> bool {
    let owner = wanted.owner.as_deref().is_none_or(|wanted| match task.owner.as_deref() {
        None => wanted == "WORK",
        Some(owner) => owner.eq_ignore_ascii_case(wanted),
    });
    let state = task.state.as_deref().is_some_and(|s| wanted.state.iter().any(|w| w == s));
    let id = wanted.id.as_deref().is_none_or(|glob| {
        globset::Glob::new(glob).is_ok_and(|glob| glob.compile_matcher().is_match(&*task.id))
    });
    let attr = || wanted.attr.iter().all(|(key, value)| task.word(key) == Some(value.as_str()));
    owner && state && id && attr()
}

/// The runs that hold a lease, wherever they run: task and token.
///
/// # Errors
/// `failed` where the journal cannot be read.
pub fn running(snapshot: &Snapshot<'_>) -> Result<Vec<(String, u64)>> {
    let journal = snapshot.journal()?;
    let doing = snapshot.tasks.rows().filter(|row| {
        snapshot.tasks.cell(*row, TaskField::State).as_deref() == Some(State::Doing.as_str())
    });
    let of = |row| {
        let task = snapshot.tasks.id(row).into_owned();
        let token = journal.attempts(&task).running?;
        Some((task, token))
    };
    Ok(doing.filter_map(of).collect())
}

/// A run that goes on, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The task.
    pub task: String,
    /// The runner.
    pub runner: String,
    /// Which attempt.
    pub attempt: u32,
    /// How long it has been going on, in milliseconds.
    pub age_ms: u64,
    /// The last line that its command printed; as it is, so make it safe.
    pub last_line: Option<String>,
}

/// The runs of this machine that hold a lease, in table order.
///
/// # Errors
/// `failed` where the journal cannot be read.
pub fn seen(ctx: &Context, snapshot: &Snapshot<'_>) -> Result<Vec<Seen>> {
    let sys = &ctx.sys;
    let of = |(task, token): (String, u64)| {
        let dir = RunDir::of(&ctx.layout, &task, token);
        let record = dir.read_record(sys).ok().flatten()?;
        let began = Timestamp::parse_millis(&record.started_at)?;
        let age = sys.clock.now_ms().saturating_sub(began.0);
        let tail = dir.tail(sys, LAST_LINE);
        let tail = String::from_utf8_lossy(&tail);
        let last = tail.lines().rev().find(|line| !line.trim().is_empty());
        Some(Seen {
            task,
            runner: record.runner,
            attempt: record.attempt,
            age_ms: u64::try_from(age).unwrap_or(0),
            last_line: last.map(|line| line.trim().to_owned()),
        })
    };
    Ok(running(snapshot)?.into_iter().filter_map(of).collect())
}

/// Whether an expired lease is that of a run that goes on on this very machine,
/// within its time limit: a clock that is ahead is no reason to begin a second one
/// beside it. Reads files only of tasks that `watch` ran.
pub fn lives(ctx: &Context, task: &str) -> bool {
    let Some(mirrored) = mirror::read(&ctx.sys, &ctx.layout, task) else { return false };
    goes_on(ctx, &RunDir::of(&ctx.layout, task, mirrored.token))
}

/// The runs of this machine that go on, with a lease or while they are being ended:
/// their tasks and tokens; of a schedule's the token is none. Cost: one folder, and
/// the files of what is in it.
///
/// # Errors
/// `failed` where the folder cannot be listed.
pub fn going_on(ctx: &Context) -> Result<Vec<(String, u64)>> {
    let going = folders::going(&ctx.sys, &ctx.layout)?.into_iter();
    let named = |dir: RunDir| {
        let record = dir.read_record(&ctx.sys).ok().flatten()?;
        goes_on(ctx, &dir).then_some((record.task, record.token))
    };
    Ok(going.filter_map(named).collect())
}

/// Whether a run goes on: its keeper or command lives; or it is about to begin or
/// to be settled, and whoever has to do that lives.
fn goes_on(ctx: &Context, dir: &RunDir) -> bool {
    let sys = &ctx.sys;
    let Ok(Some(record)) = dir.read_record(sys) else { return false };
    if record.host != sys.env.host() || dir.is_settled(sys) {
        return false;
    }
    let limit = record.timeout_ms.saturating_add(record.grace_ms);
    let is_watched = || {
        let began = Timestamp::parse_millis(&record.started_at);
        let over = began.map(|began| began.plus(Duration::from_millis(limit)));
        over.is_none_or(|over| Timestamp(sys.clock.now_ms()) < over)
            && matches!(dir.lock(sys), Ok(None))
    };
    if let Ok(Some(end)) = dir.read_end(sys) {
        // Whose lease ran out was not renewed: nobody waits for who should have.
        return end.end != End::LeaseEnded && is_watched();
    }
    let Ok(Some(file)) = dir.read_process(sys) else { return is_watched() };
    let (here, now) = (sys.process.machine(), sys.clock.boot_ms());
    let is_there = |process: &Process| {
        let age = now.saturating_sub_unsigned(process.start.saturating_mul(TICK_MS));
        process.machine == here
            && sys.process.started(process.pid) == Some(process.start)
            && u64::try_from(age).unwrap_or(0) < limit
    };
    is_there(&file.keeper) || file.command.as_ref().is_some_and(is_there)
}

/// When the next attempt may begin. A command that gave its task back by itself
/// drew no lot: it waits as long as it might have to.
pub fn not_before(attempts: &Attempts, runner: &Runner) -> Option<Timestamp> {
    let retries = &runner.retries;
    let longest = || backoff(attempts.used, retries.backoff, retries.max_backoff, u64::MAX);
    attempts.not_before.or_else(|| Some(attempts.gave_back?.plus(longest())))
}

/// Why a free task is not run again now.
pub fn wait(attempts: &Attempts, runner: &Runner, now: Timestamp) -> Option<String> {
    if !attempts.has_left(runner.retries.max) {
        let how = attempts.last.map_or_else(String::new, |last| format!(", the last: {last}"));
        return Some(format!(
            "{} attempts are used up{how}; somebody must touch it first",
            attempts.used
        ));
    }
    let until = not_before(attempts, runner).filter(|until| now < *until)?;
    Some(format!("the next attempt begins at {}", until.ceil_seconds()))
}
