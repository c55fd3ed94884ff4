//! Runs that a dead watch left: taken over, or ended.
//!
//! ```text
//!   another's, and it lives (its lock is held) ─▶ leave it
//!   of another host, or another container      ─▶ leave it to its lease
//!   it wrote its end                           ─▶ settle it
//!   its keeper lives                           ─▶ take it over
//!   its keeper is gone                         ─▶ end what is left; lost
//! ```
//!
//! Invariant: nothing is signalled but a process whose machine and start time are
//! those that were written down, and processes that carry the run's own token.

use super::Dispatcher;
use super::going::{Going, Why};
use crate::services::config::{Retries, Runner, RunnerMatch};
use crate::services::context::Run;
use crate::services::runs;
use crate::store::runs::{self as folders, Record, RunDir, Stop};
use crate::watch::event::{Event, Kind};
use std::collections::BTreeMap;
use std::time::Duration;

/// A folder younger than this may be in the making.
const BEING_MADE: Duration = Duration::from_secs(10);

impl Dispatcher<'_> {
    /// Looks at the folders of all runs.
    pub(super) fn recover(&mut self) {
        let _ = folders::prune_all(&self.sys, &self.ctx.layout, super::settle::MOST_LOGS);
        let (sys, layout) = (self.sys.clone(), self.ctx.layout.clone());
        for dir in folders::all(&sys, &layout).unwrap_or_default() {
            if dir.is_settled(&sys) {
                dir.clean(&sys);
            } else {
                self.consider(dir);
            }
        }
    }

    /// Looks at the folders of runs that hold leases and are not ours: their watch
    /// may have died.
    pub(super) fn recover_others(&mut self) {
        for (task, token) in std::mem::take(&mut self.others) {
            let dir = RunDir::of(&self.ctx.layout, &task, token);
            self.consider(dir);
        }
    }

    fn consider(&mut self, dir: RunDir) {
        let sys = &self.sys;
        if dir.is_settled(sys) {
            return;
        }
        let Ok(Some(record)) = dir.read_record(sys) else {
            // Nothing was ever claimed with it, unless somebody is just making it.
            let age_ms = sys
                .fs
                .lstat(dir.path())
                .map_or(0, |stat| i128::from(sys.clock.now_ms()) - stat.mtime_ns / 1_000_000);
            let is_old = age_ms > i128::from(super::start::ms(BEING_MADE));
            let is_bare = is_old && matches!(dir.read_record(sys), Ok(None));
            if is_bare && matches!(dir.lock(sys), Ok(Some(_))) {
                dir.remove(sys, &self.ctx.layout);
            }
            return;
        };
        if record.host != sys.env.host() || self.runs.contains_key(&record.token) {
            return;
        }
        let here = sys.process.machine();
        if same_boot(&record.machine, &here) && record.machine != here {
            return;
        }
        let Ok(Some(ours)) = dir.lock(sys) else { return };
        // Another watch may have settled it between the two looks.
        if dir.is_settled(sys) {
            return;
        }
        if record.token == 0 {
            // A schedule's: it needs nobody, and has its own time limit.
            if has_ended(sys, &dir) || self.keeper(&dir).is_none() {
                let _ = dir.settle(sys, &self.ctx.layout);
            }
            return;
        }
        let runner = self.runner_of(&record);
        let run = Run { task: record.task.clone(), token: record.token };
        let Ok(who) = runs::identity(&runner, Some(run)) else { return };
        let mut going = Going {
            adopted: true,
            renew_at_ms: i64::MIN,
            stop: dir.read_stop(sys).ok().flatten().and_then(|stop| Why::parse(&stop.why)),
            ..Going::begun(&record, Some(runner), who, (dir, ours), sys.clock.boot_ms())
        };
        let ended = has_ended(sys, &going.dir);
        let keeper = if ended { None } else { self.keeper(&going.dir) };
        if keeper.is_none() {
            // Whoever wrote there is dead, and the lock is ours.
            going.dir.clean(sys);
        }
        let (message, keeper) = match keeper {
            Some(process) => ("its keeper lives: taken over", Some(process)),
            None if ended => ("it ended while nobody watched", None),
            None => {
                // One that is only just beginning must not begin.
                let stop = Stop { why: "lost".to_owned(), kill_after_ms: 0 };
                let _ = going.dir.write_stop(sys, &stop);
                going.stop = None;
                going.end_rests(sys, &self.ctx.layout.root);
                ("its keeper is gone: what was left of it was ended", None)
            }
        };
        going.ended = keeper.is_none();
        let event = Event { message: message.to_owned(), ..going.event(Kind::Recovered) };
        let key = record.token;
        self.runs.insert(key, going);
        match keeper {
            Some(process) => self.wait_for(key, process),
            None => self.ended(key),
        }
        self.tell(event);
    }

    /// The process that keeps a run, if it lives.
    fn keeper(&self, dir: &RunDir) -> Option<Box<dyn crate::sys::Child>> {
        let keeper = dir.read_process(&self.sys).ok()??.keeper;
        if keeper.machine != self.sys.process.machine() {
            return None;
        }
        self.sys.process.attach(keeper.pid, keeper.start).ok()?
    }

    /// The runner of a run, by its name; as far as the record knows it where it is
    /// no longer in orch.yaml.
    fn runner_of(&self, record: &Record) -> Runner {
        let runners = &self.ctx.settings.watch.runners;
        let known = runners.iter().find(|runner| runner.name == record.runner).cloned();
        let mut runner = known.unwrap_or_else(|| Runner {
            name: record.runner.clone(),
            matches: RunnerMatch::default(),
            run: record.argv.clone(),
            actor: record.actor.clone(),
            shell: false,
            timeout: Duration::from_millis(record.timeout_ms),
            grace: Duration::from_millis(record.grace_ms),
            retries: Retries::default(),
            max_log: record.max_log,
            env: BTreeMap::new(),
        });
        runner.actor.clone_from(&record.actor);
        runner
    }
}

/// Whether a run wrote its end.
fn has_ended(sys: &crate::sys::Sys, dir: &RunDir) -> bool {
    matches!(dir.read_end(sys), Ok(Some(_)))
}

/// Whether two names of machines are of one boot; what differs then is the
/// container, whose processes cannot be seen from here.
fn same_boot(one: &str, other: &str) -> bool {
    one.split('/').next() == other.split('/').next()
}
