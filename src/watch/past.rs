//! What monitor and metrics need of the journal, followed line by line.
//!
//! Here: a fold over the lines, once for each, however often the journal is
//! asked about. Not here: questions about one task (`store::journal`), what is
//! counted of it (`tally`) and of a runner (`runners`). Invariant: following a
//! journal as it grows comes to the same as telling it whole.
//!
//! Cost: one pass over the journal at first, then the new lines only, as long as
//! each follows the one before it. After a merge of branches it is told anew, in
//! the order of the graph. Diffs are skipped and not kept. About 6 µs a line of 1.1 kB
//! in an optimised build; where nothing is new a look at the last line.

mod runners;
mod tally;

pub use runners::{NEWEST, RunnerPast};
pub use tally::Tally;

use crate::model::run::RunResult;
use crate::model::task_state::State;
use crate::model::time::Timestamp;
use crate::store::entry::RunMark;
use crate::store::graph::{Line, lines};
use crate::store::journal::{APPROVALS, Journal, TASKS};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// The past, as far as those who watch ask about it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Past {
    told: Told,
    /// The newest move of each task that is in READY, FIX or REVIEW.
    moves: HashMap<String, (State, Timestamp)>,
    /// When each pending approval was asked for.
    asked: HashMap<String, Timestamp>,
    /// The tasks that the dispatcher gave up, until somebody touches them.
    given_up: HashMap<String, GivenUp>,
    /// The run that goes on, by task.
    runs: HashMap<String, Begun>,
    /// Of each runner that ever ran something.
    runners: BTreeMap<String, RunnerPast>,
    /// What is counted.
    tally: Tally,
}

/// Up to where the journal was told.
#[derive(Debug, Clone, Default, PartialEq)]
struct Told {
    /// Month and bytes of each file.
    files: Vec<(String, usize)>,
    /// The hashes of the lines that no line follows yet.
    heads: Vec<String>,
}

/// A task that the dispatcher gave up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// When.
    pub at: Timestamp,
    /// Whose runs those were.
    pub runner: String,
    /// How the last ended.
    pub result: RunResult,
}

/// A run that has no end yet.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Begun {
    token: u64,
    runner: String,
    at: Timestamp,
}

/// What is read of a line.
#[derive(Deserialize)]
struct Said<'j> {
    #[serde(borrow)]
    ts: Cow<'j, str>,
    #[serde(borrow)]
    actor: Cow<'j, str>,
    #[serde(borrow)]
    command: Cow<'j, str>,
    #[serde(default)]
    run: Option<RunMark>,
    #[serde(default, borrow)]
    task: Option<Cow<'j, str>>,
    #[serde(default, borrow)]
    via: Option<Cow<'j, str>>,
    #[serde(default, borrow)]
    changes: Vec<Changed<'j>>,
}

/// What is read of a row's change.
#[derive(Deserialize)]
struct Changed<'j> {
    #[serde(borrow)]
    file: Cow<'j, str>,
    #[serde(borrow)]
    row: Cow<'j, str>,
    #[serde(borrow)]
    cells: Cells<'j>,
}

/// A cell before and after.
type Pair<'j> = Option<(Cow<'j, str>, Cow<'j, str>)>;

#[derive(Deserialize)]
struct Cells<'j> {
    #[serde(default, borrow)]
    state: Pair<'j>,
    #[serde(default, borrow)]
    lock: Pair<'j>,
    #[serde(default, borrow)]
    lock_owner: Pair<'j>,
    #[serde(default, borrow)]
    status: Pair<'j>,
    #[serde(default, borrow)]
    ts_req: Pair<'j>,
}

fn value(raw: &str) -> &str {
    let text = raw.trim_matches([' ', '\t']);
    if text == "-" { "" } else { text }
}

fn pair<'c>(cell: &'c Pair<'_>) -> Option<(&'c str, &'c str)> {
    cell.as_ref().map(|(before, after)| (value(before), value(after)))
}

impl Past {
    /// Tells a journal.
    pub fn of(journal: &Journal) -> Self {
        let mut past = Self::default();
        past.follow(journal);
        past
    }

    /// Tells what is new in a journal; all of it where it did not just grow.
    pub fn follow(&mut self, journal: &Journal) {
        let Some(new) = self.told.new_lines(journal) else {
            let graph = journal.graph();
            *self = Self::default();
            for line in graph.lines() {
                self.tell(line.bytes);
            }
            self.told.heads = journal.tip().parents;
            self.told.files = read_files(journal);
            return;
        };
        for line in &new {
            self.tell(line.bytes);
        }
        if let Some(last) = new.last() {
            self.told.heads = vec![last.hash.to_owned()];
        }
        self.told.files = read_files(journal);
    }

    /// Since when a task is in a state, where the journal knows.
    pub fn since(&self, task: &str, state: State) -> Option<Timestamp> {
        self.moves.get(task).filter(|(now, _)| *now == state).map(|(_, at)| *at)
    }

    /// When a pending approval was asked for, where the journal knows.
    pub fn asked(&self, approval: &str) -> Option<Timestamp> {
        self.asked.get(approval).copied()
    }

    /// How the dispatcher gave a task up, where nobody touched it since.
    pub fn given_up(&self, task: &str) -> Option<&GivenUp> {
        self.given_up.get(task)
    }

    /// How the runs of a runner went.
    pub fn runner(&self, name: &str) -> Option<&RunnerPast> {
        self.runners.get(name)
    }

    /// What is counted.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    fn tell(&mut self, line: &[u8]) {
        let Ok(said) = serde_json::from_slice::<Said<'_>>(line) else { return };
        let Some(at) = Timestamp::parse_millis(&said.ts) else { return };
        if said.command == "genesis" {
            return;
        }
        let result = said.run.as_ref().and_then(|mark| RunResult::parse(mark.result.as_deref()?));
        let given_up = match (&said.run, result) {
            (Some(mark), Some(result)) => self.end_run(&said, mark, result, at),
            _ => None,
        };
        for change in &said.changes {
            if change.file == TASKS {
                self.tally.take_lease(&said.command, change);
                self.move_task(&said, change, at);
            } else if change.file == APPROVALS {
                self.approval(&said, change, at);
            }
        }
        self.given_up.extend(given_up);
        if let (Some(mark), Some(task)) = (&said.run, &said.task)
            && mark.attempt.is_some()
        {
            let runner = mark.runner.clone().unwrap_or_else(|| UNKNOWN.to_owned());
            self.runs.insert(task.to_string(), Begun { token: mark.token, runner, at });
        }
    }

    /// Ends a run; gives its task where that was given up with it.
    fn end_run(
        &mut self,
        said: &Said<'_>,
        mark: &RunMark,
        result: RunResult,
        at: Timestamp,
    ) -> Option<(String, GivenUp)> {
        let begun = said.task.as_ref().and_then(|task| self.runs.remove(&**task));
        let begun = begun.filter(|begun| begun.token == mark.token);
        let runner = mark.runner.clone().or_else(|| begun.as_ref().map(|b| b.runner.clone()));
        let runner = runner.unwrap_or_else(|| UNKNOWN.to_owned());
        let took = mark.took_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
        self.ended(&runner, result, took, at);
        self.tally.recover(result, mark.adopted);
        let to_fix = |change: &Changed<'_>| {
            change.file == TASKS && pair(&change.cells.state).is_some_and(|(_, to)| to == "FIX")
        };
        let mut changes = said.changes.iter().filter(|_| said.command == "watch");
        let task = changes.find(|change| to_fix(change))?.row.to_string();
        Some((task, GivenUp { at, runner, result }))
    }

    fn ended(&mut self, runner: &str, result: RunResult, took_ms: Option<i64>, at: Timestamp) {
        self.tally.end_run(runner, result.label());
        let measured = match result {
            RunResult::Drained | RunResult::NotStarted | RunResult::Lost => None,
            _ => took_ms,
        };
        if let Some(ms) = measured {
            self.tally.run_duration.observe_ms(ms);
        }
        let of_runner = self.runners.entry(runner.to_owned()).or_default();
        of_runner.end(result, measured, at);
    }

    fn move_task(&mut self, said: &Said<'_>, change: &Changed<'_>, at: Timestamp) {
        let task = &*change.row;
        let state = pair(&change.cells.state).filter(|(before, after)| before != after);
        let holder = pair(&change.cells.lock_owner).filter(|(before, after)| before != after);
        let left = state.is_some_and(|(before, _)| before == "DOING");
        // A takeover by the same actor changes `lock` alone.
        let taken = said.command == "claim" && change.cells.lock.is_some();
        if (left || holder.is_some() || taken)
            && let Some(begun) = self.runs.remove(task)
        {
            // An end of its own was told before.
            if said.run.as_ref().is_some_and(|mark| mark.token == begun.token) {
                self.ended(&begun.runner, RunResult::Ok, Some(at.since(begun.at)), at);
            } else {
                self.tally.end_run(&begun.runner, "cancelled");
            }
        }
        if let Some((before, after)) = state {
            if after == "DOING"
                && matches!(&*said.command, "claim" | "submit")
                && let Some((_, since)) = self.moves.get(task)
                && matches!(before, "READY" | "FIX")
            {
                self.tally.queue_wait.observe_ms(at.since(*since));
            }
            match State::parse(after) {
                Some(state @ (State::Ready | State::Fix | State::Review)) => {
                    self.moves.insert(task.to_owned(), (state, at));
                }
                _ => drop(self.moves.remove(task)),
            }
        }
        let is_a_persons = said.run.is_none()
            && said.via.as_deref() != Some("git")
            && !matches!(&*said.command, "reap" | "renew");
        if is_a_persons || state.is_some() {
            self.given_up.remove(task);
        }
    }

    fn approval(&mut self, said: &Said<'_>, change: &Changed<'_>, at: Timestamp) {
        let Some((before, after)) = pair(&change.cells.status) else { return };
        let by_hand = said.command == "external";
        match after {
            "pending" if before != "pending" => {
                let typed = pair(&change.cells.ts_req).and_then(|(_, ts)| Timestamp::parse(ts));
                let asked = if by_hand { typed.unwrap_or(at) } else { at };
                self.asked.insert(change.row.to_string(), asked);
            }
            "approved" | "rejected" => {
                let asked = self.asked.remove(&*change.row);
                // One that was typed counts for nothing, or was decided elsewhere.
                if !by_hand {
                    self.tally.decide(&said.actor, asked.map(|asked| at.since(asked)));
                }
            }
            _ => drop(self.asked.remove(&*change.row)),
        }
    }
}

/// The runner of a run whose line names none.
const UNKNOWN: &str = "unknown";

/// The end of the last whole line.
fn whole(bytes: &[u8]) -> usize {
    memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1)
}

fn read_files(journal: &Journal) -> Vec<(String, usize)> {
    journal.files().map(|(month, bytes)| (month.to_owned(), whole(bytes))).collect()
}

impl Told {
    /// The lines behind what was told, where each follows the one before it.
    fn new_lines<'j>(&self, journal: &'j Journal) -> Option<Vec<Line<'j>>> {
        let files: Vec<(&str, &[u8])> = journal.files().collect();
        let mut new = Vec::new();
        for (n, (month, bytes)) in files.iter().enumerate() {
            let from = match self.files.get(n) {
                None => 0,
                Some((told, _)) if told != month => return None,
                Some((_, len)) if n + 1 == self.files.len() => *len,
                Some((_, len)) if *len == whole(bytes) => continue,
                Some(_) => return None,
            };
            let bytes = bytes.get(..whole(bytes))?;
            self.still_ends_at(bytes.get(..from)?, n)?;
            new.extend(lines(&bytes[from..]).filter_map(Line::parse));
        }
        if files.len() < self.files.len() {
            return None;
        }
        let mut heads: Vec<&str> = self.heads.iter().map(String::as_str).collect();
        for line in &new {
            let mut parents: Vec<&str> = line.parents().collect();
            parents.sort_unstable();
            heads.sort_unstable();
            if parents != heads {
                return None;
            }
            heads = vec![line.hash];
        }
        Some(new)
    }

    /// Whether a file still ends, where it was told up to, in the line that it
    /// ended in then.
    fn still_ends_at(&self, told: &[u8], n: usize) -> Option<()> {
        if told.is_empty() || n + 1 != self.files.len() {
            return Some(());
        }
        let begins = memchr::memrchr(b'\n', &told[..told.len() - 1]).map_or(0, |at| at + 1);
        let last = lines(&told[begins..]).next().and_then(Line::parse)?;
        let is_known = told.ends_with(b"\n") && self.heads.iter().any(|head| *head == last.hash);
        is_known.then_some(())
    }
}

#[cfg(test)]
#[path = "past_tests.rs"]
mod tests;
