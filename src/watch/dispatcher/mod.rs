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
mod going;
mod look;
mod settle;
mod start;
mod tend;
mod turns;

use crate::error::{Error, ErrorKind, Result};
use crate::model::time::Timestamp;
use crate::services::context::{Context, Identity};
use crate::store::alerts::Alerts;
use crate::sys::{Heard, Listener, Listening, Signal, Sys};
use crate::watch::event::{Event, Kind};
use crate::watch::metrics::{Exhibit, OwnFigures};
use crate::watch::notify::Notifier;
use crate::watch::past::Past;
use crate::watch::plan::{Action, Due, Mode, Now, Plan};
use going::Going;
use look::Look;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// What a watch is asked.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Start what can start now, wait for it, and end.
    pub once: bool,
    /// Where to serve metrics.
    pub metrics: Option<String>,
}

/// What wakes the loop.
#[derive(Debug)]
enum Wake {
    /// Files changed, or may have.
    Files,
    /// Nothing is heard of files any more.
    Deaf,
    /// The keeper of a run ended.
    Ended(u64),
    /// A signal reached us.
    Signal(Signal),
    /// Somebody who is to be told of alerts cannot be, or was not.
    Untold(String),
}

/// Whether, and how, the watch is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It works.
    Open,
    /// It begins nothing new, and ends with its runs.
    Closing,
    /// The same, and at a time its runs are ended: milliseconds since the start
    /// of the machine.
    Draining(i64),
}

/// A watch at work.
pub struct Dispatcher<'d> {
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

/// How long the rest of a burst of file events is waited for: editors write in
/// several steps.
const SETTLE: Duration = Duration::from_millis(10);
/// How long a watch that ends by itself tries to tell of alerts.
const NO_HURRY: Duration = Duration::from_secs(30);
/// How many kinds of trouble are remembered as told.
const MOST_SAID: usize = 32;
/// How long the end of a drain waits for a ledger that cannot be written: what is
/// not settled then is the next watch's.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// The most events that are taken at once.
const BURST: u32 = 64;
/// How long a run has between SIGTERM and SIGKILL when the watch itself ends.
const LAST_GRACE: Duration = Duration::from_secs(1);
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
            sys: sys.clone(),
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
            for token in heard.ended {
                self.ended(token);
            }
            self.settle_due();
            self.end_again();
            sleep = self.turn(heard.files);
            self.show_vitals(sleep);
            self.end_in_time();
            let is_over = self.phase != Phase::Open && self.runs.is_empty();
            if is_over || self.has_waited_enough() {
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

    /// Lets everybody be told of alerts: a watch that ends by itself has time for
    /// it, one that was asked to end has little.
    fn let_all_be_told(&mut self) {
        let from = self.sys.clock.boot_ms();
        let has_time = |from: i64, now: i64| now < from.saturating_add(start::ms(NO_HURRY));
        while !matches!(self.phase, Phase::Draining(_))
            && has_time(from, self.sys.clock.boot_ms())
            && !self.notifier.wait(SETTLE)
        {
            let _ = self.hear(SETTLE);
        }
        self.notifier.drain(LAST_WORDS);
        let _ = self.hear(Duration::ZERO);
    }

    /// Looks, plans and acts. Gives how long nothing changes by itself.
    fn turn(&mut self, files: bool) -> Duration {
        if !self.is_time_to_look(files) {
            return self.until_next();
        }
        match self.look(false) {
            Ok(Look { plan, found, turns }) => {
                if self.blind > 0 {
                    self.blind = 0;
                    self.said.clear();
                    let message = "the ledger can be used again".to_owned();
                    self.tell(Event { kind: Kind::Reloaded, message, ..Event::default() });
                }
                let tend = self.alert(&found);
                let reaps = plan.actions.contains(&Action::Reap);
                let sleep = plan.sleep.unwrap_or(LONGEST).min(tend);
                self.dirty = !plan.actions.is_empty();
                self.look_at_ms = self.after(sleep);
                self.act(plan);
                self.take_turns(turns);
                self.recover_others();
                if self.request.once
                    && !reaps
                    && self.queued.is_empty()
                    && self.phase == Phase::Open
                {
                    self.phase = Phase::Closing;
                }
                // What was done may have made room or work for more.
                if self.dirty { Duration::ZERO } else { self.until_next() }
            }
            Err(error) => {
                self.trouble(&error);
                let found = self.found_nothing(&error);
                self.alert(&found);
                self.blind += 1;
                if self.request.once && self.phase == Phase::Open {
                    self.phase = Phase::Closing;
                    self.failure = Some(error);
                }
                let poll = self.ctx.settings.watch.poll;
                let again = poll.saturating_mul(1 << self.blind.min(5)).min(LONGEST);
                self.look_at_ms = self.after(again);
                self.until_next()
            }
        }
    }

    fn act(&mut self, plan: Plan) {
        for action in plan.actions {
            match action {
                Action::Reap => self.reap(),
                Action::End(token) => self.end(token, going::Why::Gone, None),
                Action::Renew(tokens) => self.renew(&tokens),
                Action::Schedule(due) => self.start_schedule(&due),
                Action::Start { task, runner } => self.start(&task, runner),
            }
        }
    }

    /// Hears of files, signals and ended runs.
    fn listen(&mut self) -> Result<()> {
        let wake = self.wakes.0.clone();
        let signals = self.sys.process.on_signal(Box::new(move |signal| {
            let _ = wake.send(Wake::Signal(signal));
        }));
        signals.map_err(|e| {
            Error::new(ErrorKind::Failed, format!("cannot listen for signals: {e}"))
        })?;
        self.listen_to_files();
        Ok(())
    }

    fn listen_to_files(&mut self) {
        let wake = self.wakes.0.clone();
        let layout = &self.ctx.layout;
        let dirs = [layout.orch_dir(), layout.state_dir()];
        let heard = Box::new(move |heard: Heard| {
            let _ = wake.send(match heard {
                Heard::Changed(_) => Wake::Files,
                Heard::Lost => Wake::Deaf,
            });
        });
        let listening = self.sys.events.watch(&dirs, heard);
        self.hears = listening.is_ok();
        self.listening = listening.ok();
    }

    /// Waits, and takes everything that came.
    fn hear(&mut self, at_most: Duration) -> HeardSo {
        let mut so = HeardSo::default();
        let mut wait = at_most;
        let mut heard = 0;
        loop {
            // Somebody who writes all the time must not keep us from looking.
            if heard > BURST {
                return so;
            }
            heard += 1;
            match self.wakes.1.recv_timeout(wait) {
                Ok(Wake::Files) => {
                    so.files = true;
                    wait = SETTLE;
                }
                Ok(Wake::Deaf) => {
                    self.listen_to_files();
                    so.files = true;
                    wait = SETTLE;
                }
                Ok(Wake::Untold(message)) => {
                    self.tell(Event { kind: Kind::Trouble, message, ..Event::default() });
                    wait = Duration::ZERO;
                }
                Ok(Wake::Ended(token)) => {
                    so.ended.push(token);
                    wait = Duration::ZERO;
                }
                Ok(Wake::Signal(signal)) => {
                    self.signalled(signal);
                    so.files = true;
                    wait = Duration::ZERO;
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return so,
            }
        }
    }

    fn signalled(&mut self, signal: Signal) {
        match (signal, self.phase) {
            (Signal::Hangup, _) => self.dirty = true,
            (_, Phase::Open | Phase::Closing) => {
                self.dirty = true;
                let grace = self.ctx.settings.watch.grace;
                self.phase = Phase::Draining(self.after(grace));
                let message = format!(
                    "nothing new is started; runs going on: {}, with {} to end",
                    self.runs.len(),
                    crate::model::duration::format(grace)
                );
                self.tell(Event { kind: Kind::Draining, message, ..Event::default() });
            }
            // Once more: now.
            (_, Phase::Draining(_)) => {
                self.phase = Phase::Draining(self.sys.clock.boot_ms());
                let tokens: Vec<u64> = self.runs.keys().copied().collect();
                for token in tokens {
                    self.end(token, going::Why::Drain, Some(Duration::ZERO));
                }
            }
        }
    }

    /// Ends what goes on when the time of a drain is over.
    fn end_in_time(&mut self) {
        let now = self.sys.clock.boot_ms();
        if let Phase::Draining(at) = self.phase
            && at <= now
        {
            let tokens: Vec<u64> = self.runs.keys().copied().collect();
            for token in tokens {
                self.end(token, going::Why::Drain, Some(LAST_GRACE));
            }
        }
    }

    /// A transaction of ours ended that began at that time.
    fn took(&mut self, from_ms: i64) {
        let ms = self.sys.clock.boot_ms().saturating_sub(from_ms);
        self.own.transaction(Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
    }

    /// Whether a drain goes on though every run has ended, or should have.
    fn has_waited_enough(&self) -> bool {
        let now = self.sys.clock.boot_ms();
        let past = |at: i64| at.saturating_add(start::ms(LAST_WORDS)) <= now;
        matches!(self.phase, Phase::Draining(at) if past(at))
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

    /// Tells of trouble once for as long as it is the same.
    fn trouble(&mut self, error: &Error) {
        let message = error.to_string();
        if !self.said.contains(&message) {
            if self.said.len() == MOST_SAID {
                self.said.remove(0);
            }
            self.said.push(message.clone());
            self.tell(Event { kind: Kind::Trouble, message, ..Event::default() });
        }
    }
}

/// What was heard at once.
#[derive(Debug, Default)]
struct HeardSo {
    files: bool,
    ended: Vec<u64>,
}
