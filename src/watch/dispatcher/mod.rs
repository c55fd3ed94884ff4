//! The loop: hear, look, plan, act.
//!
//! ```text
//!   ┌─▶ hear   files, signals, ended runs, or time has passed
//!   │   settle what ended                    (`settle`)
//!   │   look   at the ledger, when it changed (`look`)
//!   │   plan   pure                           (`plan`)
//!   └── act    reap, end, renew, start        (`start`)
//! ```
//!
//! Here: the loop and its ways out. In the folder: each of its steps, and taking
//! over what a dead watch left (`adopt`). Invariants: one thread acts; nothing it
//! does waits longer than `lock_wait`; a run that goes on while this loop stands
//! still is ended by its keeper in time.

mod adopt;
mod ends;
mod going;
mod hear;
mod look;
mod settle;
mod start;
mod tend;
mod turns;

use crate::error::{Error, ErrorKind, Result};
use crate::model::time::Timestamp;
use crate::services::context::{Context, Identity};
use crate::services::runs;
use crate::store::alerts::Alerts;
use crate::sys::{Listener, Listening, Sys};
use crate::watch::event::{Event, Kind};
use crate::watch::metrics::{Exhibit, OwnFigures};
use crate::watch::notify::Notifier;
use crate::watch::past::Past;
use crate::watch::plan::{Action, Due, Mode, Now, Plan};
use ends::Phase;
use going::Going;
use hear::Wake;
use look::Look;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// What a watch is asked.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Start what can start now, wait for it, and end.
    pub once: bool,
    /// Where to serve metrics.
    pub metrics: Option<String>,
}

/// A watch at work.
pub struct Dispatcher<'d> {
    /// The outside as it is, and as far as the workspace reaches.
    outside: Sys,
    sys: Sys,
    dir: Option<PathBuf>,
    ctx: Context,
    who: Identity,
    request: Request,
    phase: Phase,
    runs: BTreeMap<u64, Going>,
    /// Runners that could not start their commands: how often in a row, and until
    /// when they are not used.
    failing: BTreeMap<String, (u32, Option<Timestamp>)>,
    /// What is told of once and not at every look.
    said: Vec<String>,
    /// Looks that failed in a row.
    blind: u32,
    /// Actions that failed in a row, and until when none is tried again.
    stumbles: u32,
    rests_until_ms: i64,
    hears: bool,
    wakes: (Sender<Wake>, Receiver<Wake>),
    tell: &'d mut dyn FnMut(&Event),
    seen: Option<look::Marks>,
    /// Whether something of ours asks for a look.
    dirty: bool,
    /// When to look whatever happens, and when to look at the status of files.
    look_at_ms: i64,
    poll_at_ms: i64,
    /// Why `once` did not come about.
    failure: Option<Error>,
    /// What is wrong with the settings as they are now.
    broken: Option<String>,
    schedules_run: u64,
    /// Runs that ended here.
    settled: u64,
    /// When each schedule was first seen as it is now, and due times that were
    /// taken and wait for room.
    first_seen: BTreeMap<String, (String, Timestamp)>,
    queued: Vec<Due>,
    /// Runs that hold leases and are not ours.
    others: Vec<(String, u64)>,
    /// The journal so far, and the alerts.
    past: Past,
    alerts: Alerts,
    notifier: Notifier,
    /// What is shown to others, where an address is given; and the address.
    exhibit: Exhibit,
    listener: Option<Box<dyn Listener>>,
    own: OwnFigures,
    /// As long as it is there, files are listened to.
    listening: Option<Box<dyn Listening>>,
}

impl std::fmt::Debug for Dispatcher<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatcher").field("runs", &self.runs).finish_non_exhaustive()
    }
}

/// How many kinds of trouble are remembered as told.
const MOST_SAID: usize = 32;
/// The longest sleep: alerts and leftovers of other watches are looked at so often.
const LONGEST: Duration = Duration::from_mins(1);

impl<'d> Dispatcher<'d> {
    /// Opens a workspace for watching.
    ///
    /// # Errors
    /// What [`Context::open`] says.
    pub fn new(
        sys: &Sys,
        dir: Option<PathBuf>,
        ctx: Context,
        who: Identity,
        request: Request,
        tell: &'d mut dyn FnMut(&Event),
    ) -> Self {
        let wakes = channel();
        let said: Sender<Wake> = wakes.0.clone();
        let log = Arc::new(move |words: &str| {
            let _ = said.send(Wake::Untold(words.to_owned()));
        });
        let entries = &ctx.settings.watch.notify;
        Self {
            notifier: Notifier::new(sys, &ctx.layout.root, entries, log),
            outside: sys.clone(),
            sys: ctx.sys.clone(),
            dir,
            ctx,
            who,
            request,
            exhibit: Exhibit::new(sys),
            listener: None,
            own: OwnFigures::default(),
            phase: Phase::Open,
            runs: BTreeMap::new(),
            failing: BTreeMap::new(),
            said: Vec::new(),
            blind: 0,
            stumbles: 0,
            rests_until_ms: i64::MIN,
            hears: false,
            wakes,
            tell,
            seen: None,
            dirty: true,
            look_at_ms: i64::MIN,
            poll_at_ms: i64::MIN,
            failure: None,
            broken: None,
            schedules_run: 0,
            settled: 0,
            first_seen: BTreeMap::new(),
            queued: Vec::new(),
            others: Vec::new(),
            past: Past::default(),
            alerts: Alerts::default(),
            listening: None,
        }
    }

    /// Works until it is told to end; with `once` until what it started ended.
    ///
    /// # Errors
    /// `failed` where signals cannot be heard. Trouble with the ledger is told and
    /// tried again.
    pub fn run(&mut self) -> Result<()> {
        self.listen()?;
        if let Some(address) = self.request.metrics.clone() {
            self.listener = Some(self.exhibit.serve(&address)?);
        }
        let mut message = self.ctx.layout.root.display().to_string();
        if let Some(listener) = &self.listener {
            message.push_str(&format!(", http://{}/metrics", listener.address()));
        }
        self.tell(Event { kind: Kind::Watching, message, ..Event::default() });
        self.recover();
        let mut sleep = Duration::ZERO;
        loop {
            let heard = self.hear(sleep);
            self.have_ended(&heard.ended);
            self.settle_due();
            self.end_again();
            self.end_stuck();
            sleep = self.turn(heard.files);
            self.show_vitals(sleep);
            self.end_in_time();
            let is_over = self.phase != Phase::Open && self.runs.is_empty();
            if is_over {
                break;
            }
            if self.has_waited_enough() {
                let message = format!(
                    "runs that could not be settled: {}; the next watch does it",
                    self.runs.len()
                );
                self.fail(&Error::new(ErrorKind::Failed, message));
                break;
            }
        }
        self.let_all_be_told();
        self.tell(Event { kind: Kind::Stopped, ..Event::default() });
        self.failure.take().map_or(Ok(()), Err)
    }

    /// What would be done now, and what waits for what.
    ///
    /// # Errors
    /// Where the ledger cannot be read.
    pub fn dry_run(&mut self) -> Result<Plan> {
        Ok(self.look(true)?.plan)
    }

    /// Looks, plans and acts. Gives how long nothing changes by itself.
    fn turn(&mut self, files: bool) -> Duration {
        if !self.is_time_to_look(files) {
            return self.until_next();
        }
        match self.look(false) {
            Ok(Look { plan, found, turns, unfinished }) => {
                if self.blind > 0 {
                    self.blind = 0;
                    self.said.clear();
                    let message = "the ledger can be used again".to_owned();
                    self.tell(Event { kind: Kind::Reloaded, message, ..Event::default() });
                }
                let tend = self.alert(&found);
                let reaps = plan.actions.contains(&Action::Reap);
                let sleep = plan.sleep.unwrap_or(LONGEST).min(tend);
                self.look_at_ms = self.after(sleep);
                if unfinished {
                    self.complete();
                }
                self.dirty |= self.act(plan);
                self.take_turns(turns);
                self.recover_others();
                // What failed is not waited for: the next one tries it.
                let is_begun = !reaps && self.queued.is_empty();
                if self.request.once
                    && (is_begun || self.failure.is_some())
                    && self.phase == Phase::Open
                {
                    self.phase = Phase::Closing;
                }
                // What was done may have made room or work for more.
                if self.dirty { Duration::ZERO } else { self.until_next() }
            }
            Err(error) => {
                if self.request.once && self.phase == Phase::Open {
                    self.phase = Phase::Closing;
                    self.fail(&error);
                } else {
                    self.trouble(&error);
                }
                let found = self.found_nothing(&error);
                self.alert(&found);
                self.blind += 1;
                let poll = self.ctx.settings.watch.poll;
                let again = poll.saturating_mul(1 << self.blind.min(5)).min(LONGEST);
                self.look_at_ms = self.after(again);
                self.until_next()
            }
        }
    }

    /// Acts, and says whether something came of it. What fails is not tried again
    /// at once: the reason may last.
    fn act(&mut self, plan: Plan) -> bool {
        let mut done = false;
        let rests = self.sys.clock.boot_ms() < self.rests_until_ms;
        for action in plan.actions {
            let came = match action {
                Action::End(token) => {
                    self.end(token, going::Why::Gone, None);
                    Ok(true)
                }
                Action::Renew(tokens) => {
                    self.renew(&tokens);
                    Ok(true)
                }
                Action::Reap | Action::Schedule(_) | Action::Start { .. } if rests => {
                    self.look_at_ms = self.look_at_ms.min(self.rests_until_ms);
                    continue;
                }
                Action::Reap => self.reap(),
                Action::Schedule(due) => self.start_schedule(&due),
                Action::Start { task, runner } => self.start(&task, runner),
            };
            match came {
                Ok(came) => done |= came,
                Err(error) => {
                    self.stumble(&error);
                    return done;
                }
            }
        }
        if done && !rests && self.stumbles > 0 {
            self.stumbles = 0;
            self.said.clear();
        }
        done
    }

    /// Completes what a dead writer, or one of ours that could not, left half done.
    fn complete(&mut self) {
        if self.sys.clock.boot_ms() < self.rests_until_ms {
            self.look_at_ms = self.look_at_ms.min(self.rests_until_ms);
            return;
        }
        match runs::complete(&self.ctx, &self.who) {
            Ok(()) => self.dirty = true,
            Err(error) => self.stumble(&error),
        }
    }

    /// Tells of an action that failed, and lets some time pass before the next.
    fn stumble(&mut self, error: &Error) {
        if self.request.once {
            self.fail(error);
        } else {
            self.trouble(error);
        }
        let pause = self.ctx.settings.watch.poll.saturating_mul(1 << self.stumbles.min(5));
        self.stumbles += 1;
        self.rests_until_ms = self.after(pause.min(LONGEST));
        self.look_at_ms = self.look_at_ms.min(self.rests_until_ms);
    }

    /// A transaction of ours ended that began at that time.
    fn took(&mut self, from_ms: i64) {
        let ms = self.sys.clock.boot_ms().saturating_sub(from_ms);
        self.own.transaction(Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
    }

    fn mode(&self) -> Mode {
        if self.phase == Phase::Open { Mode::Open } else { Mode::Closing }
    }

    fn now(&self, newest: Option<Timestamp>) -> Now {
        Now { wall: self.ctx.now(newest), boot_ms: self.sys.clock.boot_ms() }
    }

    /// So much later, by the clock that does not jump.
    fn after(&self, span: Duration) -> i64 {
        let ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        self.sys.clock.boot_ms().saturating_add(ms)
    }

    fn tell(&mut self, event: Event) {
        let at = Timestamp(self.sys.clock.now_ms());
        (self.tell)(&Event { at: Some(at), ..event });
    }

    /// Ends with this error, which is told then and not before.
    fn fail(&mut self, error: &Error) {
        if self.failure.is_some() {
            return self.trouble(error);
        }
        self.is_news(&error.to_string());
        self.failure = Some(error.clone());
    }

    /// Tells of trouble once for as long as it is the same.
    fn trouble(&mut self, error: &Error) {
        let message = error.to_string();
        if self.is_news(&message) {
            self.tell(Event { kind: Kind::Trouble, message, ..Event::default() });
        }
    }

    /// Whether nothing like it was told, which is remembered.
    fn is_news(&mut self, message: &str) -> bool {
        // The same but for a number, such as a token, is the same.
        let kind = message.split(|c: char| c.is_ascii_digit()).collect::<String>();
        let is_news = !self.said.contains(&kind);
        if is_news {
            if self.said.len() == MOST_SAID {
                self.said.remove(0);
            }
            self.said.push(kind);
        }
        is_news
    }
}

#[cfg(test)]
mod tests;
