//! Beginning runs, keeping their leases, taking expired ones back.

use super::Dispatcher;
use super::going::Going;
use super::hear::Wake;
use crate::error::{Error, ErrorKind, Result};
use crate::model::actor::Actor;
use crate::model::time::Timestamp;
use crate::services::config::Runner;
use crate::services::context::{Identity, Run};
use crate::services::runs::{self, Claimed, Renewed};
use crate::store::runs::{Deadline, Record, RunDir};
use crate::sys::{Child, LockFile, Own};
use crate::watch::event::{Event, Kind};
use crate::watch::plan::Due;
use crate::watch::runner;
use std::cell::RefCell;
use std::ffi::OsString;
use std::time::Duration;

/// A run is renewed when this part of its lease has passed.
const RENEW: u32 = 3;
/// Between two attempts at a renewal that did not succeed.
const RENEW_AGAIN: Duration = Duration::from_secs(2);
/// So many characters of a title are told.
const TITLE: usize = 80;
/// A schedule's command that takes longer than this is ended.
const SCHEDULE_LIMIT: Duration = Runner::TIMEOUT;

/// A run whose folder is ours, with all that its keeper has to know in it.
struct Made {
    record: Record,
    dir: RunDir,
    ours: Box<dyn LockFile>,
    /// The variables of its command.
    env: Vec<(OsString, OsString)>,
}

impl Dispatcher<'_> {
    /// Claims a task and starts its command.
    pub(super) fn start(&mut self, task: &str, index: usize) -> Result<bool> {
        let Some(runner) = self.ctx.settings.watch.runners.get(index).cloned() else {
            return Ok(false);
        };
        let made: RefCell<Option<Made>> = RefCell::new(None);
        let from = self.sys.clock.boot_ms();
        let make = |claimed: &Claimed| {
            // Of an attempt that came to nothing: its token was never given.
            if let Some(Made { dir, .. }) = made.take() {
                dir.remove(&self.sys, &self.ctx.layout);
            }
            made.replace(Some(self.make(&runner, claimed)?));
            Ok(())
        };
        let room = self.ctx.settings.watch.max_parallel as usize;
        let claimed = runs::start(&self.ctx, &runner, task, room, &make);
        self.took(from);
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                if let Some(Made { dir, .. }) = made.take() {
                    dir.remove(&self.sys, &self.ctx.layout);
                }
                // Somebody was quicker, or it is not to be run any more: the next
                // look says so too.
                return if is_no(error.kind) { Ok(false) } else { Err(error) };
            }
        };
        let Some(Made { record, dir, ours, env }) = made.take() else { return Ok(false) };
        let run = Run { task: claimed.task.clone(), token: claimed.token };
        let who = runs::identity(&runner, Some(run))?;
        let going = Going {
            renew_at_ms: from + ms(claimed.left / RENEW),
            ..Going::begun(&record, Some(runner), who, (dir, ours), from)
        };
        let spawned = going
            .dir
            .write_deadline(&self.sys, &self.deadline(from, claimed.left))
            .map_err(|e| e.to_string())
            .and_then(|()| self.spawn(&going.dir, env));
        self.launched(claimed.token, going, spawned, shortened(&claimed.title));
        Ok(true)
    }

    /// The folder of a run, with all that its keeper has to know.
    fn make(&self, runner: &Runner, claimed: &Claimed) -> Result<Made> {
        let dir = RunDir::of(&self.ctx.layout, &claimed.task, claimed.token);
        let attempts = runner.retries.max.saturating_add(1);
        let prompt = runner::prompt(claimed, attempts);
        let root = &self.ctx.layout.root;
        let env = runner::variables(self.sys.env.vars(), runner, claimed, &prompt, root);
        let record = Record {
            runner: runner.name.clone(),
            actor: claimed.actor.clone(),
            attempt: claimed.attempt,
            token: claimed.token,
            timeout_ms: millis(runner.timeout),
            grace_ms: millis(runner.grace),
            max_log: runner.max_log,
            ..self.record(&claimed.task, runner::argv(runner, claimed, &prompt))
        };
        self.fill(dir, record, env)?
            .ok_or_else(|| Error::new(ErrorKind::Busy, "another watch has this run"))
    }

    /// Runs the command of a schedule whose due time was taken.
    pub(super) fn start_schedule(&mut self, due: &Due) -> Result<bool> {
        let schedules = &self.ctx.settings.watch.schedules;
        let schedule = schedules.iter().find(|s| s.name == due.name).cloned();
        self.queued.retain(|queued| queued != due);
        let Some(schedule) = schedule else { return Ok(false) };
        self.schedules_run += 1;
        // No token has this bit: those are milliseconds.
        let key = (1 << 63) | self.schedules_run;
        self.begin_schedule(&schedule.run, due, key)?;
        Ok(true)
    }

    fn begin_schedule(&mut self, run: &[String], due: &Due, key: u64) -> Result<()> {
        let layout = &self.ctx.layout;
        let dir = RunDir::of_schedule(layout, &due.name, due.at.0);
        let mut env = runner::plain(self.sys.env.vars());
        env.push(("ORCH_ROOT".into(), layout.root.clone().into()));
        let from = self.sys.clock.boot_ms();
        let made = self.fill(dir, self.record(&due.name, run.to_vec()), env)?;
        let Some(Made { record, dir, ours, env }) = made else { return Ok(()) };
        let who = Identity { run: None, ..self.who.clone() };
        let going = Going::begun(&record, None, who, (dir, ours), from);
        let spawned = self.spawn(&going.dir, env);
        self.launched(key, going, spawned, format!("schedule, due {}", due.at.whole_seconds()));
        Ok(())
    }

    /// What a keeper has to know of a command of ours that has no lease.
    fn record(&self, name: &str, argv: Vec<String>) -> Record {
        Record {
            task: name.to_owned(),
            runner: String::new(),
            actor: self.who.actor.to_string(),
            attempt: 1,
            token: 0,
            host: self.sys.env.host(),
            machine: self.sys.process.machine(),
            watch_pid: self.sys.env.pid(),
            argv,
            started_at: Timestamp(self.now_ms()).to_millis_string(),
            timeout_ms: millis(SCHEDULE_LIMIT),
            grace_ms: millis(self.ctx.settings.watch.grace),
            max_log: Runner::MAX_LOG,
        }
    }

    /// Makes the folder of a run, with its record in it; none where another watch has
    /// it.
    fn fill(
        &self,
        dir: RunDir,
        record: Record,
        env: Vec<(OsString, OsString)>,
    ) -> Result<Option<Made>> {
        dir.create(&self.sys, &self.ctx.layout)?;
        let Some(ours) = dir.lock(&self.sys)? else { return Ok(None) };
        dir.write_record(&self.sys, &record)?;
        Ok(Some(Made { record, dir, ours, env }))
    }

    /// A lease that lasts so long from that time, for a keeper to know.
    fn deadline(&self, from_ms: i64, left: Duration) -> Deadline {
        Deadline { machine: self.sys.process.machine(), at_ms: from_ms + ms(left) }
    }

    /// A run is one of ours from now on, whether its keeper could be started or not.
    fn launched(
        &mut self,
        key: u64,
        going: Going,
        spawned: std::result::Result<Box<dyn Child>, String>,
        message: String,
    ) {
        match spawned {
            Ok(child) => {
                let event = Event { message, ..going.event(Kind::Started) };
                self.wait_for(key, child);
                self.runs.insert(key, going);
                self.tell(event);
            }
            Err(why) => {
                let token = going.token().unwrap_or(0);
                let end = super::settle::not_started(token, why, self.now_ms());
                let _ = going.dir.write_end(&self.sys, &end);
                self.runs.insert(key, going);
                self.ended(key);
            }
        }
    }

    /// Starts the keeper of a run.
    fn spawn(
        &self,
        dir: &RunDir,
        env: Vec<(OsString, OsString)>,
    ) -> std::result::Result<Box<dyn Child>, String> {
        let args = vec!["__run".into(), dir.path().into()];
        let own = Own { args, env, dir: self.ctx.layout.root.clone() };
        self.sys.process.spawn_self(&own).map_err(|e| format!("its keeper: {e}"))
    }

    /// Hears of the end of a process.
    pub(super) fn wait_for(&self, key: u64, mut child: Box<dyn Child>) {
        let wake = self.wakes.0.clone();
        std::thread::spawn(move || {
            while matches!(child.wait(Duration::from_hours(1)), Ok(None)) {}
            let _ = wake.send(Wake::Ended(key));
        });
    }

    /// Renews the leases of runs, in one operation.
    pub(super) fn renew(&mut self, keys: &[u64]) {
        let of = |key: &u64| {
            let who = &self.runs.get(key)?.who;
            Some((who.run.clone()?, who.actor.clone()))
        };
        let leases: Vec<(Run, Actor)> = keys.iter().filter_map(of).collect();
        let from = self.sys.clock.boot_ms();
        let renewed = runs::renew(&self.ctx, &self.who, &leases);
        self.took(from);
        let Renewed { kept, gone, left } = match renewed {
            Ok(renewed) => renewed,
            Err(error) => {
                self.trouble(&error);
                Renewed::default()
            }
        };
        let again = self.after(RENEW_AGAIN.min(self.ctx.settings.leases.ttl / 12));
        let deadline = self.deadline(from, left);
        for key in keys {
            let Some(going) = self.runs.get_mut(key) else { continue };
            going.renew_at_ms = again;
            if gone.contains(key) {
                going.is_held = false;
            } else if kept.contains(key) {
                going.is_held = true;
                going.renew_at_ms = from + ms(left / RENEW);
                // Without it the keeper ends the run in time.
                let _ = going.dir.write_deadline(&self.sys, &deadline);
            }
        }
    }

    /// Takes expired leases back.
    pub(super) fn reap(&mut self) -> Result<bool> {
        let from = self.sys.clock.boot_ms();
        let reaped = runs::reap(&self.ctx, &self.who);
        self.took(from);
        let reaped = reaped?;
        for task in &reaped {
            let message = "its lease had expired".to_owned();
            let task = Some(task.clone());
            self.tell(Event { kind: Kind::Reaped, task, message, ..Event::default() });
        }
        Ok(!reaped.is_empty())
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.sys.clock.now_ms()
    }
}

/// A title that fits a line.
fn shortened(title: &str) -> String {
    match title.char_indices().nth(TITLE) {
        Some((end, _)) => format!("{}…", &title[..end]),
        None => title.to_owned(),
    }
}

/// Whether an error says that somebody else has it or that it is not to be.
fn is_no(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound | ErrorKind::NotAllowed | ErrorKind::Held | ErrorKind::ApprovalRequired
    )
}

pub(super) fn ms(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX / 4)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
