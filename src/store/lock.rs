//! The one lock of writers.
//!
//! Lives here: taking the OS lock with a deadline, naming its holder, noticing
//! that the file was swapped. Not here: leases, which are text in the ledger
//! and outlive a process. Invariant: two [`LedgerLock`]s of one workspace never
//! exist at once, in one process or several, while the file keeps its name.
//!
//! # Concurrency
//! `flock` belongs to the open file, so two opens exclude each other even within
//! a process, and the kernel frees a dead holder's lock: there are no stale
//! locks and nothing ever breaks one. A file that was removed or renamed while
//! somebody waited for it is a lock that others do not see:
//!
//! ```text
//!   A: open ledger (inode 1), flock     B: open ledger (inode 1), wait …
//!   somebody: rm -r LOCKS               C: open ledger (inode 2), flock
//!   A: drop                             B: has inode 1, and so has C its own
//! ```
//!
//! so whoever gets the lock checks that the path still names the file, and
//! checks again just before the commit point. Between that look and the commit
//! the name can be lost once more; three who each have a lock of their own could
//! then undo each other. So writers also lock the folder of the ledgers, which
//! nobody removes by mistake, as far as its file system can.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::layout::Layout;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::{FileKind, LockFile, Stat, Sys};

/// The right to write. Dropping it unlocks.
pub struct LedgerLock {
    file: Box<dyn LockFile>,
    path: PathBuf,
    _folder: Option<Box<dyn LockFile>>,
}

/// What a lock is for: a word for messages, its file, and the folder that is
/// locked with it.
struct Guarded {
    what: &'static str,
    path: PathBuf,
    folder: Option<PathBuf>,
}

impl fmt::Debug for LedgerLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LedgerLock").field("path", &self.path).finish_non_exhaustive()
    }
}

impl LedgerLock {
    /// Takes the lock, waiting up to `wait`; zero tries once. `holder_note` is
    /// what others are told while we have it, see [`holder_note`].
    ///
    /// # Errors
    /// `busy` after the wait, naming the holder; `failed` where the lock file
    /// cannot be used.
    pub fn acquire(sys: &Sys, layout: &Layout, wait: Duration, holder_note: &str) -> Result<Self> {
        let guarded = Guarded {
            what: "the ledger is",
            path: layout.os_lock(),
            folder: Some(layout.state_dir()),
        };
        Self::take(sys, layout, guarded, wait, holder_note)
    }

    /// The same for the alerts: held by those who watch, for a moment at a time,
    /// and no right to change a ledger.
    ///
    /// # Errors
    /// As [`LedgerLock::acquire`].
    pub fn of_alerts(sys: &Sys, layout: &Layout, wait: Duration) -> Result<Self> {
        let guarded = Guarded { what: "the alerts are", path: layout.alerts_lock(), folder: None };
        Self::take(sys, layout, guarded, wait, &holder_note(sys, "watch", "orch watch"))
    }

    fn take(
        sys: &Sys,
        layout: &Layout,
        Guarded { what, path, folder }: Guarded,
        wait: Duration,
        holder_note: &str,
    ) -> Result<Self> {
        make_folder(sys, layout)?;
        let mut waiting = Waiting::new(sys, wait);
        loop {
            let mut file = open(sys, layout, &path)?;
            while !file.try_exclusive().map_err(|e| Error::io("lock", &path, &e))? {
                if !waiting.pause() {
                    return Err(busy(what, &mut *file, wait));
                }
            }
            let mut folder = folder.as_ref().and_then(|dir| sys.fs.open_folder_lock(dir).ok());
            // What cannot be locked locks nobody out.
            while folder.as_mut().is_some_and(|folder| matches!(folder.try_exclusive(), Ok(false)))
            {
                if !waiting.pause() {
                    return Err(swapped(&path));
                }
            }
            if file.same_file_as(&path).map_err(|e| Error::io("check", &path, &e))? {
                // A note that cannot be written (a full disk, a colleague's
                // file) costs a name in a message, not the lock.
                let _ = file.write_note(holder_note);
                return Ok(Self { file, path, _folder: folder });
            }
            if !waiting.pause() {
                return Err(swapped(&path));
            }
        }
    }

    /// Makes sure, just before the commit point, that the path still names the
    /// file that is locked.
    ///
    /// # Errors
    /// `busy` where it does not: another writer may be at work.
    pub fn still_ours(&self) -> Result<()> {
        match self.file.same_file_as(&self.path) {
            Ok(true) => Ok(()),
            Ok(false) => Err(swapped(&self.path)),
            Err(error) => Err(Error::io("check", &self.path, &error)),
        }
    }
}

impl Drop for LedgerLock {
    fn drop(&mut self) {
        // So that a later holder who cannot write notes is not taken for us.
        let _ = self.file.write_note("");
    }
}

/// What others are told of a holder: process, host, actor, command, since when.
pub fn holder_note(sys: &Sys, actor: &str, command: &str) -> String {
    let since = chrono::DateTime::from_timestamp_millis(sys.clock.now_ms())
        .map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_default();
    let (pid, host) = (sys.env.pid(), sys.env.host());
    format!("{actor}, `{command}`, process {pid} on {host}, since {since}")
}

/// A wait with a deadline. Time slept counts beside the clock, so that a wall
/// clock set back while we wait does not make us wait for ever.
pub(super) struct Waiting<'a> {
    sys: &'a Sys,
    from_ms: i64,
    slept: Duration,
    wait: Duration,
}

impl<'a> Waiting<'a> {
    /// A wait that begins now.
    pub(super) fn new(sys: &'a Sys, wait: Duration) -> Self {
        Self { sys, from_ms: sys.clock.now_ms(), slept: Duration::ZERO, wait }
    }

    /// Sleeps a little; false, without sleeping, once the time is over.
    pub(super) fn pause(&mut self) -> bool {
        let passed = self.sys.clock.now_ms().saturating_sub(self.from_ms);
        let passed = Duration::from_millis(u64::try_from(passed).unwrap_or(0)).max(self.slept);
        let left = self.wait.saturating_sub(passed);
        if left.is_zero() {
            return false;
        }
        // Uneven steps, so that several waiting processes do not march in step
        // and the same one lose every time.
        let mut byte = [0];
        self.sys.entropy.fill(&mut byte);
        let step = Duration::from_millis(1 + u64::from(byte[0]) % 5).min(left);
        self.sys.clock.sleep(step);
        self.slept += step;
        true
    }
}

/// Makes `LOCKS/` where it is missing. It ignores itself: what is in it is
/// nobody's history.
pub(super) fn make_folder(sys: &Sys, layout: &Layout) -> Result<()> {
    let dir = layout.locks_dir();
    let state = layout.state_dir();
    match sys.fs.lstat(&dir) {
        Ok(Stat { kind: FileKind::Dir, .. }) => return Ok(()),
        Ok(_) => return Err(unusable(layout, &dir, "folder")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("open", &dir, &error)),
    }
    let like = sys.fs.stat(&state).map_err(|e| Error::io("open", &state, &e))?;
    sys.fs.create_dir_all(&dir, Some(&like)).map_err(|e| Error::io("make", &dir, &e))?;
    // Best effort: another process may have been first, and without the file
    // git only shows what it could hide.
    if let Ok(mut file) = sys.fs.create_new(&dir.join(".gitignore")) {
        let _ = file.set_attributes(&Stat { mode: 0o644, ..like });
        let _ = file.write_all(b"*\n");
    }
    Ok(())
}

fn open(sys: &Sys, layout: &Layout, path: &Path) -> Result<Box<dyn LockFile>> {
    sys.fs.open_lock(path).map_err(|error| match sys.fs.lstat(path) {
        Ok(Stat { kind: FileKind::File, .. }) | Err(_) => Error::io("open", path, &error),
        Ok(_) => unusable(layout, path, "regular file"),
    })
}

fn unusable(layout: &Layout, path: &Path, kind: &str) -> Error {
    let message = format!("`{}` is not a {kind}, so it cannot lock", layout.display(path));
    Error::new(ErrorKind::Failed, message)
}

fn busy(what: &str, file: &mut dyn LockFile, wait: Duration) -> Error {
    let note = file.read_note().unwrap_or_default();
    let holder = match note.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() => line,
        _ => "a process that left no note",
    };
    let waited = wait.as_secs_f64();
    let message = format!("{what} locked by {holder}; gave up after {waited} s");
    Error::new(ErrorKind::Busy, message).hint("orch status")
}

fn swapped(path: &Path) -> Error {
    let message = format!("the lock file `{}` was replaced while in use", path.display());
    Error::new(ErrorKind::Busy, message).hint("orch status")
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the tests place files by hand")]
mod tests {
    use std::fs;

    use super::*;
    use crate::sys::sim::Sim;

    const WAIT: Duration = Duration::from_secs(10);

    fn place() -> (tempfile::TempDir, Layout, Sim) {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(fs::canonicalize(dir.path()).unwrap());
        fs::create_dir_all(layout.state_dir()).unwrap();
        let sim = Sim::new(&layout.root);
        (dir, layout, sim)
    }

    #[test]
    fn a_second_holder_waits_for_the_deadline_and_names_the_first() {
        let (_dir, layout, sim) = place();
        let sys = sim.sys();
        let note = holder_note(&sys, "WORK@ada", "orch claim T-1");
        let first = LedgerLock::acquire(&sys, &layout, WAIT, &note).unwrap();
        first.still_ours().unwrap();
        let before = sys.clock.now_ms();
        let error = LedgerLock::acquire(&sys, &layout, WAIT, "me").unwrap_err();
        assert_eq!(sys.clock.now_ms() - before, 10_000);
        assert_eq!((error.kind, error.hint.as_deref()), (ErrorKind::Busy, Some("orch status")));
        assert_eq!(
            error.message,
            "the ledger is locked by WORK@ada, `orch claim T-1`, process 4242 on testhost, \
             since 2026-01-01T00:00:00Z; gave up after 10 s"
        );
        drop(first);
        LedgerLock::acquire(&sys, &layout, Duration::ZERO, "me").unwrap();
    }

    #[test]
    fn the_folder_is_like_state_and_ignores_itself() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_dir, layout, sim) = place();
        fs::set_permissions(layout.state_dir(), fs::Permissions::from_mode(0o770)).unwrap();
        LedgerLock::acquire(&sim.sys(), &layout, WAIT, "x").unwrap();
        let mode = |path: &Path| sim.sys().fs.stat(path).unwrap().mode;
        assert_eq!(mode(&layout.locks_dir()), 0o770);
        let ignore = layout.locks_dir().join(".gitignore");
        assert_eq!((fs::read(&ignore).unwrap(), mode(&ignore)), (b"*\n".to_vec(), 0o644));
    }

    #[test]
    fn a_lock_on_a_removed_file_is_noticed() {
        let (_dir, layout, sim) = place();
        let sys = sim.sys();
        let old = LedgerLock::acquire(&sys, &layout, WAIT, "old").unwrap();
        fs::remove_file(layout.os_lock()).unwrap();
        assert_eq!(old.still_ours().unwrap_err().kind, ErrorKind::Busy);
        // Until the old one is gone there is no new one: it may be committing.
        let error = LedgerLock::acquire(&sys, &layout, WAIT, "new").unwrap_err();
        assert!(error.message.ends_with("was replaced while in use"), "{error}");
        drop(old);
        let new = LedgerLock::acquire(&sys, &layout, WAIT, "new").unwrap();
        new.still_ours().unwrap();
        let error = LedgerLock::acquire(&sys, &layout, Duration::ZERO, "x").unwrap_err();
        assert!(error.message.contains("locked by new;"), "{error}");
    }

    #[test]
    fn links_and_other_kinds_are_refused() {
        let (_dir, layout, sim) = place();
        fs::create_dir(layout.root.join("away")).unwrap();
        std::os::unix::fs::symlink(layout.root.join("away"), layout.locks_dir()).unwrap();
        let refused = || LedgerLock::acquire(&sim.sys(), &layout, WAIT, "x").unwrap_err();
        assert!(refused().message.contains("`ORCH/STATE/LOCKS` is not a folder"));
        fs::remove_file(layout.locks_dir()).unwrap();
        fs::create_dir(layout.locks_dir()).unwrap();
        std::os::unix::fs::symlink(layout.root.join("away/f"), layout.os_lock()).unwrap();
        assert_eq!(refused().kind, ErrorKind::Failed);
        assert!(refused().message.contains("`ORCH/STATE/LOCKS/ledger` is not a regular file"));
        assert!(!layout.root.join("away/f").exists());
    }

    #[test]
    fn no_single_fault_leaves_the_lock_held() {
        let (_dir, layout, sim) = place();
        let sys = sim.sys();
        drop(LedgerLock::acquire(&sys, &layout, WAIT, "x").unwrap());
        for n in 1..=sim.fs.count() {
            fs::remove_dir_all(layout.locks_dir()).unwrap();
            sim.fs.reset();
            sim.fs.fail_at(n, 13);
            if let Err(error) = LedgerLock::acquire(&sys, &layout, WAIT, "x") {
                assert_eq!(error.kind, ErrorKind::Failed);
                assert!(error.message.contains("ORCH/STATE"), "{error}");
            }
            LedgerLock::acquire(&sys, &layout, Duration::ZERO, "x").unwrap();
        }
    }

    #[test]
    fn a_clock_set_back_does_not_prolong_the_wait() {
        let (_dir, _layout, sim) = place();
        let sys = sim.sys();
        let mut waiting = Waiting::new(&sys, WAIT);
        let mut steps = 0;
        while waiting.pause() {
            sim.clock.set(0);
            steps += 1;
            assert!(steps <= 10_000);
        }
        assert_eq!(waiting.slept, WAIT);
    }
}
