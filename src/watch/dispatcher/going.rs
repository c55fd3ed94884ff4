//! A run that goes on: what is known of it, and asking it to end.

use super::Dispatcher;
use super::start::ms;
use crate::services::config::Runner;
use crate::services::context::Identity;
use crate::store::runs::{Record, RunDir, Stop};
use crate::sys::{LockFile, Signal, Sys};
use crate::watch::event::{Event, Kind};
use crate::watch::plan;
use std::path::Path;
use std::time::Duration;

/// A run, from its claim until its outcome is in the ledger.
pub(super) struct Going {
    /// The task, or the schedule.
    pub name: String,
    /// Its runner, as it was when it began; none for a schedule.
    pub runner: Option<Runner>,
    /// Who acts for it, bound to its lease.
    pub who: Identity,
    /// Which attempt it is.
    pub attempt: u32,
    /// Its folder.
    pub dir: RunDir,
    /// As long as this is open, it is ours to settle.
    pub _ours: Box<dyn LockFile>,
    /// Whether another watch had begun it.
    pub adopted: bool,
    /// Whether its lease is its own, as far as is known.
    pub is_held: bool,
    /// When to renew: milliseconds since the start of the machine.
    pub renew_at_ms: i64,
    /// Why it was asked to end.
    pub stop: Option<Why>,
    /// Whether it has heard of that.
    pub told: bool,
    /// When its keeper must have ended, by the clock that does not jump: one that
    /// stands still is not waited for.
    pub must_end_ms: i64,
    /// Since when its row is missing or stands twice.
    pub unclear_since_ms: Option<i64>,
    /// When a command that gave its lease up by itself is asked to end.
    pub leave_at_ms: Option<i64>,
    /// Whether its keeper has ended.
    pub ended: bool,
    /// When to write its outcome, where that failed before.
    pub settle_at_ms: Option<i64>,
    /// How often that failed.
    pub tries: u32,
}

impl std::fmt::Debug for Going {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Going").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How much longer than it may take a keeper is given to come to its end.
pub(super) const SLACK: Duration = Duration::from_secs(5);

/// Why a run is ended by the watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// Its lease is gone.
    Gone,
    /// The watch ends.
    Drain,
}

impl Why {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gone => "lease gone",
            Self::Drain => "drain",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [Self::Gone, Self::Drain].into_iter().find(|why| why.word() == word)
    }
}

impl Going {
    /// A run that begins, or was found, at that time since the start of the
    /// machine. Its folder is ours for as long as this lock is open.
    pub fn begun(
        record: &Record,
        runner: Option<Runner>,
        who: Identity,
        (dir, ours): (RunDir, Box<dyn LockFile>),
        from_ms: i64,
    ) -> Self {
        let limit = Duration::from_millis(record.timeout_ms.saturating_add(record.grace_ms));
        Self {
            name: record.task.clone(),
            runner,
            who,
            attempt: record.attempt,
            dir,
            _ours: ours,
            adopted: false,
            is_held: true,
            renew_at_ms: i64::MAX,
            stop: None,
            told: false,
            must_end_ms: from_ms.saturating_add(ms(limit.saturating_add(SLACK))),
            unclear_since_ms: None,
            leave_at_ms: None,
            ended: false,
            settle_at_ms: None,
            tries: 0,
        }
    }

    /// Its fencing token; none for a schedule.
    pub fn token(&self) -> Option<u64> {
        self.who.run.as_ref().map(|run| run.token)
    }

    /// As the plan sees it.
    pub fn view(&self, key: u64) -> plan::Run {
        plan::Run {
            token: key,
            name: self.name.clone(),
            has_lease: self.runner.is_some(),
            is_held: self.is_held,
            renew_at_ms: self.renew_at_ms,
            is_ending: self.stop.is_some() || self.ended || self.leave_at_ms.is_some(),
        }
    }

    /// Ends what it left behind where its keeper died: its command, and whatever
    /// that started.
    pub fn end_rests(&self, sys: &Sys, root: &Path) {
        let Some(token) = self.token() else { return };
        let here = sys.process.machine();
        let command = self.dir.read_process(sys).ok().flatten().and_then(|file| file.command);
        let group = command.filter(|c| c.machine == here).map(|c| (c.pid, c.start));
        let (token, root) = (token.to_string(), root.to_string_lossy());
        let marks = [
            ("ORCH_TASK_ID", self.name.as_str()),
            ("ORCH_LEASE_TOKEN", token.as_str()),
            ("ORCH_ROOT", &*root),
        ];
        let _ = sys.process.end_strays(group, &marks, Signal::Kill);
    }

    /// An event about it.
    pub fn event(&self, kind: Kind) -> Event {
        let of = self.runner.as_ref().map(|runner| runner.retries.max.saturating_add(1));
        Event {
            kind,
            task: Some(self.name.clone()),
            runner: self.runner.as_ref().map(|runner| runner.name.clone()),
            attempt: of.map(|of| (self.attempt, of)),
            ..Event::default()
        }
    }
}

impl Dispatcher<'_> {
    /// Asks a run to end, and lets its keeper insist after that time (that of its
    /// runner unless one is given). No time at all insists at once.
    pub(super) fn end(&mut self, key: u64, why: Why, grace: Option<Duration>) {
        let Some(going) = self.runs.get_mut(&key) else { return };
        let now = grace == Some(Duration::ZERO);
        if going.ended || (going.stop.is_some() && going.told && !now) {
            return;
        }
        if going.stop.is_none() {
            let event = Event { message: why.word().to_owned(), ..going.event(Kind::Ending) };
            going.stop = Some(why);
            self.tell(event);
        }
        let Some(going) = self.runs.get_mut(&key) else { return };
        let given = going.runner.as_ref().map_or(self.ctx.settings.watch.grace, |r| r.grace);
        let grace = grace.unwrap_or(given);
        let until = self.after(grace.saturating_add(SLACK));
        let Some(going) = self.runs.get_mut(&key) else { return };
        going.must_end_ms = going.must_end_ms.min(until);
        let kill_after_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        let stop = Stop { why: why.word().to_owned(), kill_after_ms };
        // Best effort: without it the keeper ends the run by its runner's grace.
        let _ = going.dir.write_stop(&self.sys, &stop);
        going.told = signal(&self.sys, &going.dir, Signal::Terminate);
        if now {
            signal(&self.sys, &going.dir, Signal::Terminate);
        }
    }

    /// Ends commands that stay though they gave their task up; and keepers that
    /// should have ended long ago, with what they kept.
    pub(super) fn end_stuck(&mut self) {
        let now = self.sys.clock.boot_ms();
        let leaves =
            |going: &Going| going.stop.is_none() && going.leave_at_ms.is_some_and(|at| at <= now);
        let late: Vec<u64> =
            self.runs.iter().filter(|(_, going)| leaves(going)).map(|(key, _)| *key).collect();
        for key in late {
            self.end(key, Why::Gone, None);
        }
        for going in self.runs.values_mut() {
            if going.ended || now < going.must_end_ms {
                continue;
            }
            // Once more if even that is not heard of.
            going.must_end_ms = now.saturating_add(ms(SLACK));
            signal(&self.sys, &going.dir, Signal::Kill);
            going.end_rests(&self.sys, &self.ctx.layout.root);
        }
    }

    /// Asks those once more that had no keeper yet when they were to end.
    pub(super) fn end_again(&mut self) {
        for going in self.runs.values_mut() {
            if going.stop.is_some() && !going.told && !going.ended {
                going.told = signal(&self.sys, &going.dir, Signal::Terminate);
            }
        }
    }
}

/// Signals the keeper of a run; false where it has not yet said who it is.
fn signal(sys: &Sys, dir: &RunDir, which: Signal) -> bool {
    let Ok(Some(file)) = dir.read_process(sys) else { return false };
    let keeper = file.keeper;
    if keeper.machine != sys.process.machine() {
        return true;
    }
    if let Ok(Some(mut process)) = sys.process.attach(keeper.pid, keeper.start) {
        let _ = process.signal(which);
    }
    true
}
