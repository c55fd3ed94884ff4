//! The end of a run, and what that does to its task.
//!
//! Invariants: nothing but the lease decides whether an end counts; what could not
//! be written is tried again until it is, or until the lease is another's.

use super::Dispatcher;
use super::ends::MOST_TRIES;
use super::going::{Going, Why};
use crate::error::ErrorKind;
use crate::model::run::{RunResult, backoff};
use crate::model::secrets;
use crate::model::time::Timestamp;
use crate::model::value::refused_char;
use crate::services::config::Runner;
use crate::services::runs::{self, Settled, Verdict};
use crate::store::entry::RunMark;
use crate::store::journal::Journal;
use crate::store::runs::{self as folders, End, RunEnd};
use crate::watch::event::{Event, Kind};
use std::time::Duration;

/// So many commands in a row that cannot be started, and their runner rests.
const BREAKER: u32 = 5;
/// How many of the last lines go into the notes of a task that is given up.
const NOTE_LINES: usize = 3;
/// And how many characters of them.
const NOTE_CHARS: usize = 300;
/// The logs of runs that have ended take no more than this.
pub(super) const MOST_LOGS: u64 = 1 << 30;
/// How many ends of runs pass between two looks at that.
const PRUNE_AFTER: u64 = 32;
/// What is said of a run whose lease is another's by now.
const GONE: &str = "its lease was gone; nothing was changed";
/// Between two attempts to write an outcome, at first; it doubles.
const TRY_AGAIN: Duration = Duration::from_millis(500);

/// The end of a run whose command, or keeper, could not be started.
pub(super) fn not_started(token: u64, why: String, now_ms: i64) -> RunEnd {
    let at = Timestamp(now_ms).to_millis_string();
    RunEnd {
        token,
        end: End::NotStarted(why),
        started_at: at.clone(),
        ended_at: at,
        took_ms: 0,
        stopped: None,
        log_bytes: 0,
        left_out: 0,
    }
}

impl Dispatcher<'_> {
    /// Hears that keepers ended, and looks which others wrote an end: what ended
    /// together is settled together, in the order in which it began.
    pub(super) fn have_ended(&mut self, keys: &[u64]) {
        if keys.is_empty() {
            return;
        }
        let wrote = |going: &Going| matches!(going.dir.read_end(&self.sys), Ok(Some(_)));
        let others = self.runs.iter().filter(|(_, going)| !going.ended && wrote(going));
        let others: Vec<u64> = others.map(|(key, _)| *key).collect();
        for key in keys.iter().copied().chain(others) {
            self.ended(key);
        }
    }

    /// Hears that the keeper of a run ended.
    pub(super) fn ended(&mut self, key: u64) {
        // Whose end was read before its keeper's end was heard of is not told twice.
        if let Some(going) = self.runs.get_mut(&key).filter(|going| going.settle_at_ms.is_none()) {
            going.ended = true;
            going.settle_at_ms = Some(i64::MIN);
        }
        self.dirty = true;
    }

    /// Writes the outcomes that are due.
    pub(super) fn settle_due(&mut self) {
        let now = self.sys.clock.boot_ms();
        let due = |going: &Going| going.settle_at_ms.is_some_and(|at| at <= now);
        let keys: Vec<u64> = self.runs.iter().filter(|(_, g)| due(g)).map(|(k, _)| *k).collect();
        for key in keys {
            self.settle(key);
        }
    }

    fn settle(&mut self, key: u64) {
        let Some(going) = self.runs.get(&key) else { return };
        let end = going.dir.read_end(&self.sys).ok().flatten();
        if end.is_none() {
            self.end_rests(key);
        }
        let Some(going) = self.runs.get(&key) else { return };
        let result = result_of(end.as_ref(), going.stop.or_else(|| asked(end.as_ref())));
        if let (Some(result), Some(runner), 0) = (result, going.runner.clone(), going.tries) {
            self.count_starts(&runner, result, end.as_ref());
        }
        let Some(going) = self.runs.get(&key) else { return };
        let took_ms = end.as_ref().map(|end| end.took_ms);
        let message = match (going.runner.is_some(), result) {
            (true, Some(result)) => match self.timed(key, result, end.as_ref()) {
                Ok(outcome) => outcome,
                Err(error) if is_final(error.kind) => error.message,
                Err(error) => {
                    self.trouble(&error);
                    return self.settle_later(key);
                }
            },
            (false, Some(_)) => String::new(),
            (_, None) => GONE.to_owned(),
        };
        let Some(going) = self.runs.remove(&key) else { return };
        match runs::give_back(&self.ctx, &going.who) {
            Ok(tasks) => self.tell_given(tasks),
            Err(error) => self.trouble(&error),
        }
        let _ = going.dir.settle(&self.sys, &self.ctx.layout);
        let mut message = message;
        let has_printed = end.as_ref().is_none_or(|end| end.log_bytes > 0);
        if has_printed && result.is_some_and(RunResult::is_failure) {
            let log = self.ctx.layout.display(&going.dir.path().join("run.log"));
            message.push_str(&format!("; its output is in {log}"));
        }
        let result = result.map(|result| say(result, end.as_ref()));
        let event = Event { result, took_ms, message, ..going.event(Kind::Ended) };
        let (sys, layout) = (&self.sys, &self.ctx.layout);
        self.settled += 1;
        // Best effort: the next end of a run does it too.
        if self.settled.is_multiple_of(PRUNE_AFTER) {
            let _ = folders::prune_all(sys, layout, MOST_LOGS);
        }
        let _ = if going.runner.is_some() {
            folders::prune(sys, layout, &going.name)
        } else {
            folders::prune_schedule(sys, layout, &going.name)
        };
        self.tell(event);
        self.dirty = true;
    }

    fn tell_given(&mut self, tasks: Vec<String>) {
        for task in tasks {
            let message = "the command of another run had claimed it: given back".to_owned();
            let task = Some(task);
            self.tell(Event { kind: Kind::Reaped, task, message, ..Event::default() });
        }
    }

    fn settle_later(&mut self, key: u64) {
        let tries = self.runs.get(&key).map_or(0, |going| going.tries);
        let at = self.after(TRY_AGAIN.saturating_mul(1 << tries.min(6)));
        if let Some(going) = self.runs.get_mut(&key) {
            going.tries += 1;
            going.settle_at_ms = Some(at);
        }
    }

    fn timed(
        &mut self,
        key: u64,
        result: RunResult,
        end: Option<&RunEnd>,
    ) -> crate::error::Result<String> {
        let from = self.sys.clock.boot_ms();
        let going = self.runs.get(&key);
        let written = going.map_or(Ok(String::new()), |going| self.write(going, result, end));
        self.took(from);
        written
    }

    /// Writes an outcome under the run's lease. Gives what that did, in words.
    fn write(
        &self,
        going: &Going,
        result: RunResult,
        end: Option<&RunEnd>,
    ) -> crate::error::Result<String> {
        let (Some(runner), Some(token)) = (&going.runner, going.token()) else {
            return Ok(String::new());
        };
        let journal = Journal::read(&self.sys, &self.ctx.layout)?;
        let attempts = journal.attempts(&going.name);
        let now = self.ctx.now(journal.newest());
        let verdict = if result == RunResult::Ok {
            Verdict::Submit
        } else if result.counts() && !attempts.has_left(runner.retries.max) {
            Verdict::Fix { result, note: self.last_words(going, result, attempts.used, end) }
        } else {
            let not_before = result.counts().then(|| {
                let mut draw = [0; 8];
                self.sys.entropy.fill(&mut draw);
                let retries = &runner.retries;
                let draw = u64::from_be_bytes(draw);
                now.plus(backoff(attempts.used, retries.backoff, retries.max_backoff, draw))
            });
            let note = format!("{}: {}", runner.name, say(result, end));
            Verdict::Back { result, not_before, note }
        };
        let mark = RunMark {
            token,
            runner: Some(runner.name.clone()),
            took_ms: end.map(|end| end.took_ms),
            adopted: going.adopted,
            ..RunMark::default()
        };
        let settled =
            runs::finish(&self.ctx, &going.who, &verdict, &mark, going.tries < MOST_TRIES)?;
        Ok(match (settled, &verdict) {
            (Settled::ByItself, _) => "its command had moved the task by itself".to_owned(),
            (Settled::Gone, _) => GONE.to_owned(),
            (Settled::Moved, Verdict::Submit) => "handed in".to_owned(),
            (Settled::Moved, Verdict::Fix { .. }) => {
                let s = if attempts.used == 1 { "" } else { "s" };
                format!("given up after {} attempt{s}: FIX", attempts.used)
            }
            (Settled::Moved, Verdict::Back { not_before: None, .. }) => "given back".to_owned(),
            (Settled::Moved, Verdict::Back { not_before: Some(at), .. }) => {
                format!("given back; again from {}", at.ceil_seconds())
            }
        })
    }

    /// For the notes of a task that is given up: how, and the last lines. A word
    /// with `=` in it would be an attribute of the task, and a secret is none of
    /// the ledger's business.
    fn last_words(
        &self,
        going: &Going,
        result: RunResult,
        attempts: u32,
        end: Option<&RunEnd>,
    ) -> String {
        let runner = going.runner.as_ref().map_or("", |runner| &runner.name);
        let tail = going.dir.tail(&self.sys, 16 << 10);
        let tail = String::from_utf8_lossy(&tail);
        let s = if attempts == 1 { "" } else { "s" };
        let mut note = format!("{runner}: {attempts} attempt{s}, the last: {}", say(result, end));
        let lines = last_lines(&tail);
        if !lines.is_empty() {
            note.push_str(": ");
            note.push_str(&lines);
        }
        note
    }

    /// Ends what a run left behind whose keeper died.
    pub(super) fn end_rests(&self, key: u64) {
        let Some(going) = self.runs.get(&key) else { return };
        going.end_rests(&self.sys, &self.ctx.layout.root);
    }

    /// A runner whose commands cannot be started rests after a while, so that it
    /// does not use up the attempts of every task.
    fn count_starts(&mut self, runner: &Runner, result: RunResult, end: Option<&RunEnd>) {
        if result != RunResult::NotStarted {
            self.failing.remove(&runner.name);
            return;
        }
        let now = Timestamp(self.now_ms());
        let (times, until) = self.failing.entry(runner.name.clone()).or_default();
        *times += 1;
        if *times < BREAKER {
            return;
        }
        let rest = runner.retries.max_backoff.max(Duration::from_secs(1));
        let until = *until.insert(now.plus(rest));
        let why = say(result, end);
        let message = format!("{why}; next try at {}", until.ceil_seconds());
        let runner = Some(runner.name.clone());
        self.tell(Event { kind: Kind::Paused, runner, message, ..Event::default() });
    }
}

/// Why its keeper says that it was ended.
fn asked(end: Option<&RunEnd>) -> Option<Why> {
    Why::parse(end?.stopped.as_deref()?)
}

/// How a run ended; none where that is of no account, because its lease was gone.
fn result_of(end: Option<&RunEnd>, stop: Option<Why>) -> Option<RunResult> {
    let result = match end.map(|end| &end.end) {
        None => RunResult::Lost,
        Some(End::Exit(code)) => RunResult::of_code(*code),
        Some(End::Signal(signal)) => RunResult::Signal(*signal),
        Some(End::TimedOut) => RunResult::TimedOut,
        // Nobody renewed it: whoever should have was stopped, or could not.
        Some(End::LeaseEnded) => RunResult::Lost,
        // Not by us, unless a drain says so below: a command that ends its own
        // keeper has failed.
        Some(End::Stopped) => RunResult::Lost,
        Some(End::NotStarted(_)) => RunResult::NotStarted,
    };
    match stop {
        Some(Why::Gone) => None,
        Some(Why::Drain) if result != RunResult::Ok => Some(RunResult::Drained),
        Some(Why::Drain) | None => Some(result),
    }
}

/// In words, with the system's own where the command could not be started.
fn say(result: RunResult, end: Option<&RunEnd>) -> String {
    match end.map(|end| &end.end) {
        Some(End::NotStarted(why)) => format!("not started: {why}"),
        Some(End::LeaseEnded) => "ended: its lease could not be renewed".to_owned(),
        _ => result.to_string(),
    }
}

/// Whether trying again cannot help.
fn is_final(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotAllowed | ErrorKind::LeaseLost | ErrorKind::Held)
}

/// The last lines of an output, as words for a cell.
fn last_lines(tail: &str) -> String {
    // What is mostly no text says nothing to people.
    let odd = tail.chars().filter(|c| *c == char::REPLACEMENT_CHARACTER).count();
    if odd * 4 > tail.chars().count() {
        return String::new();
    }
    let redacted = secrets::redact(tail);
    let lines: Vec<String> = redacted.lines().map(plain).filter(|line| !line.is_empty()).collect();
    let last = lines.len().saturating_sub(NOTE_LINES);
    let text = lines[last..].join(" / ");
    let skip = text.chars().count().saturating_sub(NOTE_CHARS);
    text.chars().skip(skip).collect()
}

/// One line without what a terminal would obey (ECMA-48 control sequences,
/// control and bidirectional characters) and without attributes.
fn plain(line: &str) -> String {
    let mut chars = line.chars();
    let mut shown = String::new();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            if chars.next() == Some('[') {
                let _ = chars.by_ref().find(|c| ('@'..='~').contains(c));
            }
        } else if c == '\t' || refused_char(c.encode_utf8(&mut [0; 4])).is_none() {
            shown.push(c);
        }
    }
    shown.replace('=', " = ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(end: End) -> RunEnd {
        RunEnd { end, ..not_started(1, String::new(), 0) }
    }

    #[test]
    fn an_end_counts_by_why_it_came() {
        let of = |e: Option<End>, stop| result_of(e.map(end).as_ref(), stop);
        assert_eq!(of(Some(End::Exit(0)), None), Some(RunResult::Ok));
        assert_eq!(of(Some(End::Exit(75)), None), Some(RunResult::Later));
        assert_eq!(of(Some(End::Exit(3)), None), Some(RunResult::Failed(3)));
        assert_eq!(of(Some(End::LeaseEnded), None), Some(RunResult::Lost));
        assert_eq!(of(None, None), Some(RunResult::Lost));
        // Done in the time that a drain gives is done.
        assert_eq!(of(Some(End::Exit(0)), Some(Why::Drain)), Some(RunResult::Ok));
        assert_eq!(of(Some(End::Signal(15)), Some(Why::Drain)), Some(RunResult::Drained));
        assert_eq!(of(Some(End::Stopped), Some(Why::Drain)), Some(RunResult::Drained));
        assert_eq!(of(Some(End::Stopped), None), Some(RunResult::Lost));
        for e in [End::Exit(0), End::Exit(1), End::Stopped] {
            assert_eq!(of(Some(e), Some(Why::Gone)), None);
        }
    }

    #[test]
    fn last_words_fit_a_cell_and_set_nothing() {
        let tail =
            "one\r\n\u{1b}[31mtwo\u{1b}[0m\n\npriority=CRITICAL depends=999\nthe end\u{202e}\n";
        assert_eq!(last_lines(tail), "two / priority = CRITICAL depends = 999 / the end");
        assert_eq!(last_lines(""), "");
        let long = "x".repeat(5000);
        assert_eq!(last_lines(&long).chars().count(), NOTE_CHARS);
        assert!(crate::model::value::attribute(&last_lines(tail), "priority").is_none());
    }
}
