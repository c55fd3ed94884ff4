//! The keeper of a run: a process of ours that owns the command.
//!
//! Lives here: what `orch __run DIR` does. Not here: who starts it and what comes
//! of the run (`dispatcher`), when time is over (`limits`), what is kept of the
//! output (`log`), processes (`sys::keeping`). Invariant: a command runs only while
//! its keeper knows a lease for it (or it needs none), nothing of it is left when
//! the keeper has ended, and nothing that cannot be read, written or reached keeps
//! the keeper from ending it in time.
//!
//! ```text
//!   watch                      keeper                       command
//!   run.json, lease.json
//!   spawn ───────────────────▶ session of its own
//!                              process.json
//!                              start ─────────────────────▶ group of its own
//!                              process.json, with both
//!   lease.json at each renewal   wait: time, lease, signals
//!   stop.json, SIGTERM ──────▶ SIGTERM ───────────────────▶
//!                              … SIGKILL ─────────────────▶ ends
//!                              SIGKILL to all that it left
//!                              run.log whole, result.json
//!   hears of its end ◀──────── exit
//! ```
//!
//! It outlives a watch that dies; a watch that finds the folder takes the keeper
//! over by what is in process.json. Background processes that a command leaves
//! running are ended with it: they would work on under a lease that is somebody
//! else's by then.

mod limits;

use crate::error::{Error, ErrorKind, Result};
use crate::model::time::Timestamp;
use crate::store::runs::{End, KeeperFile, Process, Record, RunDir, RunEnd};
use crate::sys::{Ended, FileKind, Keeping, Printing, Signal, Sys, Woken};
use crate::watch::log::{self, Log, Totals};
use limits::{Cause, Lease, Limits, Step};
use std::io;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long the last of the output may take to arrive once all who could print
/// it are gone.
const DRAIN: Duration = Duration::from_millis(500);
/// How long the log may take to become one file.
const ASSEMBLE: Duration = Duration::from_secs(10);
/// How often, and with what pauses, the end is written where that fails.
const TRIES: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(250);
/// `ENOEXEC`.
const NO_PROGRAM: i32 = 8;

/// Runs the command of a run to its end.
///
/// # Errors
/// `not_allowed` where the run was begun before; `failed` where nothing says what
/// to run, or the end could not be written down. The command has ended then too.
pub fn keep(sys: &Sys, dir: &Path) -> Result<()> {
    // First of all: from here on neither a terminal nor the watch's end reaches us.
    let hold = sys.process.become_keeper();
    let hold =
        hold.map_err(|e| Error::new(ErrorKind::Failed, format!("cannot keep a run: {e}")))?;
    let dir = sys.fs.canonicalize(dir).map_err(|e| Error::io("open", dir, &e))?;
    let sys = sys.within(&dir);
    let run = RunDir::new(dir);
    let record = run.read_record(&sys)?.ok_or_else(|| {
        Error::not_found(format!("nothing in `{}` says what to run", run.path().display()))
    })?;
    if run.was_begun(&sys) {
        let message = format!("the run in `{}` was begun before", run.path().display());
        return Err(Error::not_allowed(message));
    }
    Keeper { sys: &sys, run: &run, record: &record, stopped: None }.keep(hold)
}

struct Keeper<'k> {
    sys: &'k Sys,
    run: &'k RunDir,
    record: &'k Record,
    /// Why we were told to end the command, if we were.
    stopped: Option<String>,
}

/// A command that was started.
struct Begun {
    limits: Limits,
    collector: Collector,
}

impl Keeper<'_> {
    fn keep(mut self, mut hold: Box<dyn Keeping>) -> Result<()> {
        let (from_ms, started_at) = (self.boot_ms(), self.now());
        let (end, totals) = match self.begin(&mut *hold) {
            Ok(mut begun) => {
                self.follow(&mut *hold, &mut begun.limits);
                let token = self.record.token.to_string();
                // Another workspace may have the same task and, its claim being of
                // the same millisecond, the same token.
                let root = self.sys.env.var("ORCH_ROOT");
                let mut marks =
                    vec![("ORCH_TASK_ID", &*self.record.task), ("ORCH_LEASE_TOKEN", &*token)];
                marks.extend(root.as_deref().map(|root| ("ORCH_ROOT", root)));
                let has_token = self.record.token != 0;
                let ended = hold.end_all(if has_token { &marks } else { &[] });
                (end_of(&begun.limits, ended.ok()), Some(begun.collector))
            }
            Err(end) => (end, None),
        };
        let took_ms = u64::try_from(self.boot_ms() - from_ms).unwrap_or(0);
        let ended_at = self.now();
        let totals = totals.map(|collector| collector.finish(&mut *hold)).unwrap_or_default();
        let (token, stopped) = (self.record.token, self.stopped.take());
        let Totals { kept: log_bytes, left_out } = totals;
        self.tell(RunEnd {
            token,
            end,
            started_at,
            ended_at,
            took_ms,
            stopped,
            log_bytes,
            left_out,
        })
    }

    /// Says who we are, looks whether the command may begin, and starts it.
    fn begin(&mut self, hold: &mut dyn Keeping) -> Result<Begun, End> {
        let (sys, run, record) = (self.sys, self.run, self.record);
        let machine = sys.process.machine();
        let process = |pid: u32, start| Process { pid, start, machine: machine.clone() };
        let me = sys.env.pid();
        // A start of 0 is nobody's, so that nobody is taken for us.
        let keeper = process(me, sys.process.started(me).unwrap_or(0));
        let mut known = KeeperFile { keeper, command: None };
        run.write_process(sys, &known).map_err(|e| End::NotStarted(e.message))?;
        // Only now: a watch that finds no keeper says `stop` and then looks again.
        if let Ok(Some(stop)) = run.read_stop(sys) {
            self.stopped = Some(stop.why);
            return Err(End::Stopped);
        }
        if let Woken::Signal(signal) = hold.wait(Some(self.boot_ms())) {
            self.hear(signal, None);
            return Err(End::Stopped);
        }
        let now = self.boot_ms();
        let lease = match run.read_deadline(sys) {
            Ok(None) => None,
            Ok(Some(lease)) if lease.machine == machine && lease.at_ms > now => Some(lease.at_ms),
            Ok(Some(_)) => return Err(End::LeaseEnded),
            Err(error) => return Err(End::NotStarted(error.message)),
        };
        let log = Log::new(sys, run.path(), record.max_log);
        let collector = Collector::new(log)
            .map_err(|e| End::NotStarted(format!("there is no thread left for its output: {e}")))?;
        let limits = Limits::new(now, record.timeout_ms, record.grace_ms, lease);
        let (pid, output) =
            hold.start(&record.argv).map_err(|e| End::NotStarted(self.why_not(&e)))?;
        collector.take(output);
        known.command = sys.process.started(pid).map(|start| process(pid, start));
        // Best effort: without it, what is left of a dead keeper's command is found
        // by its variables alone.
        let _ = run.write_process(sys, &known);
        Ok(Begun { limits, collector })
    }

    /// Waits for the end of the command, and sees to it.
    fn follow(&mut self, hold: &mut dyn Keeping, limits: &mut Limits) {
        loop {
            let now = self.boot_ms();
            match limits.next(now) {
                Step::LookAtLease => limits.lease_is(now, self.lease()),
                Step::Ask => hold.signal(Signal::Terminate),
                Step::Kill => hold.signal(Signal::Kill),
                Step::Wait(until) => match hold.wait(until) {
                    Woken::Ended => return,
                    Woken::Signal(signal) => self.hear(signal, Some(limits)),
                    Woken::Time => {}
                },
            }
        }
    }

    fn lease(&self) -> Lease {
        match self.run.read_deadline(self.sys) {
            Ok(Some(lease)) if lease.machine == self.sys.process.machine() => {
                Lease::Until(lease.at_ms)
            }
            Ok(Some(_)) => Lease::Strange,
            Ok(None) | Err(_) => Lease::Unknown,
        }
    }

    /// We are to end the command.
    fn hear(&mut self, signal: Signal, limits: Option<&mut Limits>) {
        let stop = self.run.read_stop(self.sys).ok().flatten();
        let kill_after_ms = stop.as_ref().map_or(self.record.grace_ms, |stop| stop.kill_after_ms);
        let why = || format!("its keeper got signal {}", signal.number());
        self.stopped = Some(stop.map_or_else(why, |stop| stop.why));
        if let Some(limits) = limits {
            // A session that ends says so twice, and means it once.
            limits.stop(self.boot_ms(), kill_after_ms, signal != Signal::Hangup);
        }
    }

    /// Why the command could not be started, in words.
    fn why_not(&self, error: &io::Error) -> String {
        let Some(name) = self.record.argv.first() else {
            return "no program is named".to_owned();
        };
        let Ok(folder) = self.sys.env.current_dir() else {
            return "the folder to run it in is gone".to_owned();
        };
        let path = name.contains('/').then(|| folder.join(name));
        let kind = path.as_ref().and_then(|path| self.sys.fs.stat(path).ok()).map(|s| s.kind);
        match (error.kind(), path, kind) {
            (io::ErrorKind::NotFound, None, _) => format!("there is no program `{name}` in $PATH"),
            (io::ErrorKind::NotFound, Some(_), None) => format!("there is no file `{name}`"),
            (io::ErrorKind::NotFound, Some(_), Some(_)) => {
                format!("`{name}` is there, but not the program that is to run it")
            }
            (io::ErrorKind::PermissionDenied, _, Some(FileKind::Dir)) => {
                format!("`{name}` is a folder")
            }
            (io::ErrorKind::PermissionDenied, ..) => format!("`{name}` is not executable"),
            (io::ErrorKind::NotADirectory, ..) => format!("there is no file `{name}`"),
            (io::ErrorKind::ArgumentListTooLong, ..) => {
                format!("the arguments of `{name}` and its variables are too long")
            }
            _ if error.raw_os_error() == Some(NO_PROGRAM) => {
                format!("`{name}` is no program; a script begins with `#!`")
            }
            _ => format!("`{name}` cannot be started: {error}"),
        }
    }

    /// Writes down how it ended.
    fn tell(&self, mut end: RunEnd) -> Result<()> {
        let mut tries = 0;
        while let Err(error) = self.run.write_end(self.sys, &end) {
            tries += 1;
            let folder = self.sys.fs.lstat(self.run.path());
            if tries == TRIES || folder.is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
                return Err(error);
            }
            if tries == 2 {
                // On a full disk the log gives way: how it ended is worth more.
                self.run.remove_log(self.sys);
                end.left_out += std::mem::take(&mut end.log_bytes);
            }
            self.sys.clock.sleep(BETWEEN);
        }
        Ok(())
    }

    fn boot_ms(&self) -> i64 {
        self.sys.clock.boot_ms()
    }

    fn now(&self) -> String {
        Timestamp(self.sys.clock.now_ms()).to_millis_string()
    }
}

/// How a command ended that was ended so.
fn end_of(limits: &Limits, ended: Option<Ended>) -> End {
    let asked = [Signal::Terminate.number(), Signal::Kill.number()];
    match (limits.cause(), ended) {
        (Some(Cause::TimedOut), _) => End::TimedOut,
        (Some(Cause::LeaseEnded), _) => End::LeaseEnded,
        (_, Some(Ended::Code(code))) => End::Exit(code),
        (Some(Cause::Stop), Some(Ended::Signal(by))) if asked.contains(&by) => End::Stopped,
        (_, Some(Ended::Signal(by))) => End::Signal(by),
        (Some(Cause::Stop), None) => End::Stopped,
        (None, None) => End::Signal(Signal::Kill.number()),
    }
}

/// The thread that keeps the output.
struct Collector {
    give: Sender<Box<dyn Printing>>,
    done: Receiver<()>,
    totals: Arc<Mutex<Totals>>,
}

impl Collector {
    fn new(log: Log) -> io::Result<Self> {
        let (give, given) = channel::<Box<dyn Printing>>();
        let (tell, done) = channel();
        let totals = Arc::<Mutex<Totals>>::default();
        let shared = totals.clone();
        let collect = move || {
            if let Ok(output) = given.recv() {
                log::collect(output, log, &shared);
            }
            let _ = tell.send(());
        };
        std::thread::Builder::new().name("log".to_owned()).spawn(collect)?;
        Ok(Self { give, done, totals })
    }

    fn take(&self, output: Box<dyn Printing>) {
        let _ = self.give.send(output);
    }

    /// Waits for the last of it. Whoever still holds the pipe, or a disk that does
    /// not answer, is not waited for.
    fn finish(self, hold: &mut dyn Keeping) -> Totals {
        if self.done.recv_timeout(DRAIN).is_err() {
            hold.close_output();
            let _ = self.done.recv_timeout(ASSEMBLE);
        }
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "keeper/tests.rs"]
mod tests;
