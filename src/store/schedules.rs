//! Which due times of schedules were taken: `LOCKS/schedules/<name>`, one file
//! each.
//!
//! Here: reading the marks, and taking a due time for one of all watchers. Not
//! here: when a schedule is due and what is run then (`watch`). Invariants: one
//! due time is given to one watcher at most; a mark never goes back in time; and
//! a mark that is lost or damaged counts as a schedule that is seen for the first
//! time, so that at worst one due time is given to nobody.
//!
//! # Concurrency
//! Changes exclude each other by `flock` on a file of the folder that is never
//! renamed. Reading needs no lock: marks are replaced whole.
//!
//! # Durability
//! A mark is synced before its due time is run: after a power cut it is not run
//! again.

use crate::error::{Error, ErrorKind, Result};
use crate::model::time::Timestamp;
use crate::store::layout::Layout;
use crate::store::lock::{self, Waiting};
use crate::store::replace::{self, Durability};
use crate::sys::{FileKind, LockFile, Stat, Sys};
use serde::{Deserialize, Serialize};
use std::io;
use std::time::Duration;

/// How long another watcher is waited for. It holds the lock for milliseconds, and
/// whoever waits has leases to renew.
const WAIT: Duration = Duration::from_secs(2);

/// The longest file that is read as a mark.
const LARGEST: u64 = 64 * 1024;

/// How far a schedule is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The newest due time that was taken, or when the line was seen first.
    pub last: Timestamp,
    /// The line that it is about.
    pub cron: String,
}

#[derive(Serialize, Deserialize)]
struct Content {
    last: String,
    cron: String,
}

/// Reads the mark of a schedule; `None` where there is none, or none that can be
/// understood.
///
/// # Errors
/// `failed` where it cannot be looked at.
pub fn read(sys: &Sys, layout: &Layout, name: &str) -> Result<Option<Mark>> {
    let path = layout.schedule_mark(name);
    let absent =
        |e: &io::Error| matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    // Looked at first: reading a pipe would wait for ever.
    let bytes = match sys.fs.lstat(&path) {
        Ok(Stat { kind: FileKind::File, len, .. }) if len <= LARGEST => sys.fs.read(&path),
        Ok(_) => return Ok(None),
        Err(error) => Err(error),
    };
    match bytes {
        Ok(bytes) => Ok(parse(&bytes)),
        Err(error) if absent(&error) => Ok(None),
        Err(error) => Err(Error::io("read", &path, &error)),
    }
}

/// Makes sure that a schedule has a mark of this line: one that is seen for the
/// first time, or has another line now, has nothing to make up for. For each
/// schedule when settings are read.
///
/// # Errors
/// `busy` where another watcher keeps the lock; else as for files.
pub fn seen(sys: &Sys, layout: &Layout, name: &str, cron: &str) -> Result<()> {
    if read(sys, layout, name)?.is_some_and(|mark| mark.cron == cron) {
        return Ok(());
    }
    let lock = lock(sys, layout)?;
    replace::clean_temporaries(sys, &layout.schedule_marks_dir())?;
    match read(sys, layout, name)? {
        Some(mark) if mark.cron == cron => Ok(()),
        mark => begin(sys, layout, name, cron, mark.as_ref()),
    }?;
    drop(lock);
    Ok(())
}

/// Takes a due time: true for one of all that ask, and only if no later one was
/// taken. Without a mark it is nobody's, since nobody knows whether it was run.
///
/// # Errors
/// `busy` where another watcher keeps the lock; else as for files. It is not to
/// be run then, and may count as taken.
pub fn take(sys: &Sys, layout: &Layout, name: &str, cron: &str, due: Timestamp) -> Result<bool> {
    let due = due.whole_seconds();
    let lock = lock(sys, layout)?;
    let taken = match read(sys, layout, name)? {
        None => begin(sys, layout, name, cron, None).map(|()| false),
        Some(mark) if due <= mark.last => Ok(false),
        Some(_) => {
            let mark = Mark { last: due, cron: cron.to_owned() };
            write(sys, layout, name, &mark).map(|()| true)
        }
    };
    drop(lock);
    taken
}

fn begin(sys: &Sys, layout: &Layout, name: &str, cron: &str, mark: Option<&Mark>) -> Result<()> {
    let now = Timestamp(sys.clock.now_ms()).whole_seconds();
    let last = mark.map_or(now, |mark| mark.last.max(now));
    write(sys, layout, name, &Mark { last, cron: cron.to_owned() })
}

fn write(sys: &Sys, layout: &Layout, name: &str, mark: &Mark) -> Result<()> {
    let target = replace::resolve(sys, layout, &layout.schedule_mark(name))?;
    let expected = target.stat.as_ref();
    replace::replace(sys, &target, expected, print(mark).as_bytes(), Durability::Full)
}

fn parse(bytes: &[u8]) -> Option<Mark> {
    let content: Content = serde_json::from_slice(bytes).ok()?;
    Some(Mark { last: Timestamp::parse(&content.last)?, cron: content.cron })
}

fn print(mark: &Mark) -> String {
    let content = Content { last: mark.last.to_string(), cron: mark.cron.clone() };
    let mut json = serde_json::to_string(&content).unwrap_or_default();
    json.push('\n');
    json
}

/// The lock of all marks; made with its folder where they are missing.
fn lock(sys: &Sys, layout: &Layout) -> Result<Box<dyn LockFile>> {
    let (dir, path) = (layout.schedule_marks_dir(), layout.schedules_lock());
    lock::make_folder(sys, layout)?;
    let like = sys.fs.stat(&layout.state_dir()).ok();
    sys.fs.create_dir_all(&dir, like.as_ref()).map_err(|e| Error::io("make", &dir, &e))?;
    replace::resolve_dir(sys, layout, &dir)?;
    let mut waiting = Waiting::new(sys, WAIT);
    loop {
        let mut file = sys.fs.open_lock(&path).map_err(|e| Error::io("open", &path, &e))?;
        while !file.try_exclusive().map_err(|e| Error::io("lock", &path, &e))? {
            if !waiting.pause() {
                return Err(busy());
            }
        }
        // Somebody may have removed the folder meanwhile, see `store::lock`.
        if file.same_file_as(&path).map_err(|e| Error::io("check", &path, &e))? {
            return Ok(file);
        }
        if !waiting.pause() {
            return Err(busy());
        }
    }
}

fn busy() -> Error {
    let waited = WAIT.as_secs();
    let message =
        format!("the schedules are locked by another `orch watch`; gave up after {waited} s");
    Error::new(ErrorKind::Busy, message)
}

#[cfg(test)]
#[path = "schedules_tests.rs"]
mod tests;
