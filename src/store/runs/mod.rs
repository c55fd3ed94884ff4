//! Runs: the folder of each, and what its files say.
//!
//! Lives here: their names, their shapes, reading and writing them. Not here:
//! processes (`watch::keeper`), what a run does to its task (`services`).
//! Invariant: a file of a run is whole or not there, whoever dies while writing
//! it; nothing in here is the ledger's truth, it only helps to find a process
//! again and to learn how it ended.
//!
//! ```text
//!   run.json      by the watch, before anything is started   [`Record`]
//!   watch.lock    locked by the watch that is responsible; its death frees it
//!   lease.json    by the watch before the keeper is started, and at each renewal;
//!                 none: a run without a lease                 [`Deadline`]
//!   process.json  by the keeper, before it starts the command and after it
//!                                                             [`KeeperFile`]
//!   stop.json     by the watch, before it asks the keeper to end  [`Stop`]
//!   run.log       by the keeper; while the command runs also run.log.1, run.log.2
//!   result.json   by the keeper, last of all                  [`RunEnd`]
//!   settled       by the watch: what came of it is in the ledger, or changes
//!                 nothing
//! ```
//!
//! The folder may be read by those who may write in `STATE`'s group, and by
//! nobody else: commands print what they like, secrets too.

mod index;

pub use index::{all, going, prune, prune_all, prune_schedule};

use crate::error::{Error, Result};
use crate::store::layout::{Layout, is_absent};
use crate::sys::{FileKind, LockFile, Stat, Sys};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// What is to be run, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The task, or the schedule.
    pub task: String,
    /// The runner of orch.yaml.
    pub runner: String,
    /// Who holds the lease.
    pub actor: String,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// The fencing token of the lease; 0 of a schedule, which has none.
    pub token: u64,
    /// The host.
    pub host: String,
    /// See [`crate::sys::Process::machine`].
    pub machine: String,
    /// The watch that started it.
    pub watch_pid: u32,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// When it was claimed, UTC with milliseconds.
    pub started_at: String,
    /// How long it may take.
    pub timeout_ms: u64,
    /// How long it has to end when it is asked to.
    pub grace_ms: u64,
    /// How many bytes its log may have.
    pub max_log: u64,
}

/// A process: its number alone may be somebody else's tomorrow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it started, see [`crate::sys::Process::started`].
    pub start: u64,
    /// Where both mean something.
    pub machine: String,
}

/// Who keeps a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeeperFile {
    /// The keeper.
    pub keeper: Process,
    /// The command, once it was started; it leads a process group.
    pub command: Option<Process>,
}

/// Until when a lease is ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadline {
    /// Whose clock that is.
    pub machine: String,
    /// Milliseconds since that machine started.
    pub at_ms: i64,
}

/// Why a run is to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// In words.
    pub why: String,
    /// How long it has to end by itself.
    pub kill_after_ms: u64,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEnd {
    /// The fencing token of the run.
    pub token: u64,
    /// How.
    pub end: End,
    /// When the command was started, UTC with milliseconds.
    pub started_at: String,
    /// When it ended.
    pub ended_at: String,
    /// What is between them, on a clock that nobody sets.
    pub took_ms: u64,
    /// Why it was asked to end, if it was: [`Stop::why`].
    pub stopped: Option<String>,
    /// How many bytes of what it printed are in the log.
    pub log_bytes: u64,
    /// How many are not.
    pub left_out: u64,
}

/// How a command ended.
///
/// One that is asked to end and then ends by itself has its own end: a number,
/// or a signal that was not the one it was asked with. One that ran out of time
/// or of lease has that end, whatever it did in the time it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// By itself, with this number.
    Exit(u8),
    /// By a signal of this number.
    Signal(u8),
    /// It took longer than it may.
    TimedOut,
    /// Its lease was about to end, or had ended.
    LeaseEnded,
    /// It was asked to end, and that ended it.
    Stopped,
    /// It could not be started; why, in words.
    NotStarted(String),
}

/// The name of a run's log; while it is written, two more follow it.
pub const LOG: &str = "run.log";

/// The end of a log that goes in a circle: the older part, and the newer.
pub const LOG_PARTS: [&str; 2] = ["run.log.1", "run.log.2"];

/// More than any of the files of a run has.
const MOST: u64 = 1 << 20;

/// How many settled runs of a task are kept.
const KEPT: usize = 20;

/// The folder of a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// The one at a path, whether or not it is there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// That of a lease.
    pub fn of(layout: &Layout, task: &str, token: u64) -> Self {
        Self::new(layout.run_dir(task, &token.to_string()))
    }

    /// That of a schedule's run.
    pub fn of_schedule(layout: &Layout, name: &str, due_ms: i64) -> Self {
        Self::new(layout.schedule_run_dir(name, due_ms))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is that of a schedule's run.
    pub fn is_schedule(&self, layout: &Layout) -> bool {
        self.path.starts_with(layout.schedules_dir())
    }

    /// Makes it, like `STATE`, and lets git ignore all runs. Nothing happens where
    /// it is there.
    ///
    /// # Errors
    /// `failed`; `ledger_invalid` where a link leads out of the workspace.
    pub fn create(&self, sys: &Sys, layout: &Layout) -> Result<()> {
        let (top, state) = (layout.runs_dir(), layout.state_dir());
        let like = sys.fs.stat(&state).map_err(|e| Error::io("open", &state, &e))?;
        let made = sys.fs.create_dir_all(&self.path, Some(&like));
        made.map_err(|e| Error::io("make", &self.path, &e))?;
        index::begin(sys, layout, &self.path, &like)?;
        // Best effort: without it git only shows what it could hide.
        if let Ok(mut file) = sys.fs.create_new(&top.join(".gitignore")) {
            let _ = file.set_attributes(&Stat { mode: 0o644, ..like });
            let _ = file.write_all(b"*\n");
        }
        Ok(())
    }

    /// What is to be run; none where nothing says so.
    ///
    /// # Errors
    /// `failed` where it cannot be read, as the others.
    pub fn read_record(&self, sys: &Sys) -> Result<Option<Record>> {
        self.read(sys, "run.json")
    }

    /// Says what is to be run.
    ///
    /// # Errors
    /// `failed`; what was there before still is, as with the others.
    pub fn write_record(&self, sys: &Sys, record: &Record) -> Result<()> {
        self.write(sys, "run.json", record)
    }

    /// Who keeps it.
    pub fn read_process(&self, sys: &Sys) -> Result<Option<KeeperFile>> {
        self.read(sys, "process.json")
    }

    /// Says who keeps it.
    pub fn write_process(&self, sys: &Sys, process: &KeeperFile) -> Result<()> {
        self.write(sys, "process.json", process)
    }

    /// Whether there was a keeper already.
    pub fn was_begun(&self, sys: &Sys) -> bool {
        let is_there = |name| sys.fs.lstat(&self.path.join(name)).is_ok();
        is_there("process.json") || is_there("result.json")
    }

    /// Until when its lease is ours.
    pub fn read_deadline(&self, sys: &Sys) -> Result<Option<Deadline>> {
        self.read(sys, "lease.json")
    }

    /// Says until when its lease is ours.
    pub fn write_deadline(&self, sys: &Sys, deadline: &Deadline) -> Result<()> {
        self.write(sys, "lease.json", deadline)
    }

    /// Why it is to end.
    pub fn read_stop(&self, sys: &Sys) -> Result<Option<Stop>> {
        self.read(sys, "stop.json")
    }

    /// Says why it is to end; the keeper looks when it gets SIGTERM, and before it
    /// starts the command.
    pub fn write_stop(&self, sys: &Sys, stop: &Stop) -> Result<()> {
        self.write(sys, "stop.json", stop)
    }

    /// How it ended.
    pub fn read_end(&self, sys: &Sys) -> Result<Option<RunEnd>> {
        self.read(sys, "result.json")
    }

    /// Says how it ended, and outlives a power cut.
    pub fn write_end(&self, sys: &Sys, end: &RunEnd) -> Result<()> {
        self.put(sys, "result.json", &json(end), true)
    }

    /// Takes the responsibility for it, unless somebody living has it.
    pub fn lock(&self, sys: &Sys) -> Result<Option<Box<dyn LockFile>>> {
        let path = self.path.join("watch.lock");
        let failed = |e: io::Error| Error::io("lock", &path, &e);
        let mut file = sys.fs.open_lock(&path).map_err(failed)?;
        let is_ours =
            file.try_exclusive().map_err(failed)? && file.same_file_as(&path).map_err(failed)?;
        Ok(is_ours.then_some(file))
    }

    /// Whether there is nothing left to do about it.
    pub fn is_settled(&self, sys: &Sys) -> bool {
        sys.fs.lstat(&self.path.join("settled")).is_ok()
    }

    /// Marks it so.
    pub fn settle(&self, sys: &Sys, layout: &Layout) -> Result<()> {
        if !self.is_settled(sys) {
            self.put(sys, "settled", b"", false)?;
        }
        index::end(sys, layout, &self.path);
        Ok(())
    }

    /// Removes it, as if it had never been.
    pub fn remove(&self, sys: &Sys, layout: &Layout) {
        let _ = sys.fs.remove_tree(&self.path);
        index::end(sys, layout, &self.path);
    }

    /// Removes what a process left that died while it wrote. Only for whoever has
    /// the lock, or of a run that is settled.
    pub fn clean(&self, sys: &Sys) {
        for name in sys.fs.list(&self.path).unwrap_or_default() {
            if name.starts_with('.') && name.contains(".orch-") {
                let _ = sys.fs.remove_file(&self.path.join(name));
            }
        }
    }

    /// The last bytes of its log, of a command that still runs too. What was left
    /// out between the beginning and the end of the log is marked once the
    /// command has ended, not before.
    pub fn tail(&self, sys: &Sys, bytes: usize) -> Vec<u8> {
        // The newer part becomes the older one while we look: then once more.
        let mut last = Vec::new();
        for _ in 0..8 {
            let older = self.path.join(LOG_PARTS[0]);
            let before = sys.fs.lstat(&older).ok().map(|stat| stat.ino);
            last = self.last(sys, bytes);
            if before == sys.fs.lstat(&older).ok().map(|stat| stat.ino) {
                break;
            }
        }
        last
    }

    /// Removes its log, as far as that works.
    pub fn remove_log(&self, sys: &Sys) {
        for name in [LOG, LOG_PARTS[0], LOG_PARTS[1]] {
            let _ = sys.fs.remove_file(&self.path.join(name));
        }
    }

    fn last(&self, sys: &Sys, bytes: usize) -> Vec<u8> {
        let mut last = Vec::new();
        for name in [LOG_PARTS[1], LOG_PARTS[0], LOG] {
            let missing = bytes - last.len();
            let path = self.path.join(name);
            let Ok(stat) = sys.fs.lstat(&path) else { continue };
            let from = stat.len.saturating_sub(missing as u64);
            let mut part = sys.fs.read_part(&path, from, missing).unwrap_or_default();
            part.append(&mut last);
            last = part;
        }
        last
    }

    fn read<T: DeserializeOwned>(&self, sys: &Sys, name: &str) -> Result<Option<T>> {
        let path = self.path.join(name);
        let failed = |e: io::Error| Error::io("read", &path, &e);
        let stat = match sys.fs.lstat(&path) {
            Ok(stat) => stat,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        if stat.kind != FileKind::File || stat.len > MOST {
            let message = format!("`{}` is no file of a run", path.display());
            return Err(Error::invalid(message));
        }
        let bytes = sys.fs.read(&path).map_err(failed)?;
        serde_json::from_slice(&bytes).map(Some).map_err(|e| {
            Error::invalid(format!("`{}` does not say what it should: {e}", path.display()))
        })
    }

    fn write<T: Serialize>(&self, sys: &Sys, name: &str, value: &T) -> Result<()> {
        self.put(sys, name, &json(value), false)
    }

    fn put(&self, sys: &Sys, name: &str, bytes: &[u8], is_durable: bool) -> Result<()> {
        let path = self.path.join(name);
        let copy = self.path.join(format!(".{name}.orch-{}", sys.random_hex()));
        let put = || -> io::Result<()> {
            let mut file = sys.fs.create_new(&copy)?;
            file.set_attributes(&attributes(sys, &self.path)?)?;
            file.write_all(bytes)?;
            if is_durable {
                file.sync()?;
            }
            sys.fs.rename(&copy, &path)?;
            if is_durable { sys.fs.sync_dir(&self.path) } else { Ok(()) }
        };
        put().map_err(|error| {
            let _ = sys.fs.remove_file(&copy);
            Error::io("write", &path, &error)
        })
    }
}

/// What files in the folder of a run have: the group's rights where the group may
/// write in the folder.
pub fn attributes(sys: &Sys, dir: &Path) -> io::Result<Stat> {
    let folder = sys.fs.stat(dir)?;
    let mode = if folder.mode & 0o020 == 0 { 0o600 } else { 0o660 };
    Ok(Stat { mode, ..folder })
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(value).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests;
