//! A file system that counts its calls and fails the one a test chose.
//!
//! Lives here: the wrapper over any [`Fs`], its handles and lock files
//! included. Not here: what must hold after a fault (the tests of `store`).
//! Invariant: a call that is made to fail has no effect, but for `write_all`,
//! which leaves the first half as a full disk does.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::sys::{Fs, FsKind, Handle, LockFile, Stat};

const CRASH: &str = "the simulated process is dead";

/// Whether the error stands for a process that is no longer there.
pub fn is_crash(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.to_string() == CRASH)
}

/// Counts, records and fails the calls of another file system.
pub struct FaultFs {
    inner: Arc<dyn Fs>,
    plan: Plan,
}

/// Shared by the file system and everything it opened.
#[derive(Clone, Default)]
struct Plan(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    calls: Vec<String>,
    fail_at: Option<(usize, i32)>,
    crash_at: Option<usize>,
    before: Option<(usize, Box<dyn FnOnce() + Send>)>,
}

impl FaultFs {
    /// Passes everything through until told otherwise.
    pub fn new(inner: Arc<dyn Fs>) -> Self {
        Self { inner, plan: Plan::default() }
    }

    /// Makes the n-th call, counted from 1, fail once with an OS error number.
    pub fn fail_at(&self, n: usize, errno: i32) {
        self.plan.state().fail_at = Some((n, errno));
    }

    /// Makes the n-th call, counted from 1, and all later ones fail, as if the
    /// process had died before it. Dropping a lock still unlocks, as the kernel
    /// does for the dead.
    pub fn crash_at(&self, n: usize) {
        self.plan.state().crash_at = Some(n);
    }

    /// Does something just before the n-th call, counted from 1, as another
    /// process might: what it does to files is not counted.
    pub fn before(&self, n: usize, act: impl FnOnce() + Send + 'static) {
        self.plan.state().before = Some((n, Box::new(act)));
    }

    /// Forgets plan and calls; counting begins again at 1. What is still open
    /// belongs to the new life.
    pub fn reset(&self) {
        *self.plan.state() = State::default();
    }

    /// How many calls there were.
    pub fn count(&self) -> usize {
        self.plan.state().calls.len()
    }

    /// The calls so far: method and last part of the path, `rename TASKS.md`.
    pub fn calls(&self) -> Vec<String> {
        self.plan.state().calls.clone()
    }
}

impl Plan {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a call and says whether it is to fail.
    fn enter(&self, name: &str, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let last = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        state.calls.push(format!("{name} {last}"));
        let n = state.calls.len();
        if let Some((_, act)) = state.before.take_if(|(at, _)| *at == n) {
            // Not under the mutex: it may use this very file system.
            drop(state);
            act();
            state = self.state();
        }
        if state.crash_at.is_some_and(|at| n >= at) {
            return Err(io::Error::other(CRASH));
        }
        match state.fail_at {
            Some((at, errno)) if at == n => Err(io::Error::from_raw_os_error(errno)),
            _ => Ok(()),
        }
    }

    fn open<T: ?Sized>(&self, inner: Box<T>, path: &Path) -> Opened<T> {
        Opened { inner, plan: self.clone(), path: path.to_owned() }
    }
}

impl Fs for FaultFs {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.plan.enter("read", path)?;
        self.inner.read(path)
    }

    fn read_part(&self, path: &Path, from: u64, most: usize) -> io::Result<Vec<u8>> {
        self.plan.enter("read_part", path)?;
        self.inner.read_part(path, from, most)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.plan.enter("stat", path)?;
        self.inner.stat(path)
    }

    fn lstat(&self, path: &Path) -> io::Result<Stat> {
        self.plan.enter("lstat", path)?;
        self.inner.lstat(path)
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        self.plan.enter("canonicalize", path)?;
        self.inner.canonicalize(path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.plan.enter("read_link", path)?;
        self.inner.read_link(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.plan.enter("list", dir)?;
        self.inner.list(dir)
    }

    fn create_dir_all(&self, dir: &Path, like: Option<&Stat>) -> io::Result<()> {
        self.plan.enter("create_dir_all", dir)?;
        self.inner.create_dir_all(dir, like)
    }

    fn create_private_dir(&self, dir: &Path) -> io::Result<()> {
        self.plan.enter("create_private_dir", dir)?;
        self.inner.create_private_dir(dir)
    }

    fn remove_tree(&self, dir: &Path) -> io::Result<()> {
        self.plan.enter("remove_tree", dir)?;
        self.inner.remove_tree(dir)
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        self.plan.enter("create_new", path)?;
        Ok(Box::new(self.plan.open(self.inner.create_new(path)?, path)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        self.plan.enter("append", path)?;
        Ok(Box::new(self.plan.open(self.inner.append(path)?, path)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.plan.enter("rename", to)?;
        self.inner.rename(from, to)
    }

    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()> {
        self.plan.enter("exchange", other)?;
        self.inner.exchange(one, other)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.plan.enter("rename_new", to)?;
        self.inner.rename_new(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.plan.enter("remove_file", path)?;
        self.inner.remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.plan.enter("sync_dir", dir)?;
        self.inner.sync_dir(dir)
    }

    fn open_lock(&self, path: &Path) -> io::Result<Box<dyn LockFile>> {
        self.plan.enter("open_lock", path)?;
        Ok(Box::new(self.plan.open(self.inner.open_lock(path)?, path)))
    }

    fn open_folder_lock(&self, dir: &Path) -> io::Result<Box<dyn LockFile>> {
        self.plan.enter("open_folder_lock", dir)?;
        Ok(Box::new(self.plan.open(self.inner.open_folder_lock(dir)?, dir)))
    }

    fn fs_type(&self, path: &Path) -> io::Result<FsKind> {
        self.plan.enter("fs_type", path)?;
        self.inner.fs_type(path)
    }
}

/// Something open: a handle or a lock file.
struct Opened<T: ?Sized> {
    inner: Box<T>,
    plan: Plan,
    path: PathBuf,
}

impl Handle for Opened<dyn Handle> {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.plan.enter("write_all", &self.path) {
            if !is_crash(&error) {
                self.inner.write_all(&bytes[..bytes.len() / 2])?;
            }
            return Err(error);
        }
        self.inner.write_all(bytes)
    }

    fn set_attributes(&mut self, like: &Stat) -> io::Result<()> {
        self.plan.enter("set_attributes", &self.path)?;
        self.inner.set_attributes(like)
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.plan.enter("cut", &self.path)?;
        self.inner.cut(len)
    }

    fn stamp(&mut self, mtime_ns: i128) -> io::Result<()> {
        self.plan.enter("stamp", &self.path)?;
        self.inner.stamp(mtime_ns)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.plan.enter("sync", &self.path)?;
        self.inner.sync()
    }
}

impl LockFile for Opened<dyn LockFile> {
    fn try_exclusive(&mut self) -> io::Result<bool> {
        self.plan.enter("try_exclusive", &self.path)?;
        self.inner.try_exclusive()
    }

    fn same_file_as(&self, path: &Path) -> io::Result<bool> {
        self.plan.enter("same_file_as", path)?;
        self.inner.same_file_as(path)
    }

    fn read_note(&mut self) -> io::Result<String> {
        self.plan.enter("read_note", &self.path)?;
        self.inner.read_note()
    }

    fn write_note(&mut self, note: &str) -> io::Result<()> {
        self.plan.enter("write_note", &self.path)?;
        self.inner.write_note(note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::Disk;

    #[test]
    fn a_fault_comes_once_and_a_crash_stays() {
        let dir = tempfile::tempdir().unwrap();
        let fs = FaultFs::new(Arc::new(Disk));
        let path = dir.path().join("f");
        fs.fail_at(2, 28);
        let mut file = fs.create_new(&path).unwrap();
        let full = file.write_all(b"abcd").unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        file.write_all(b"ef").unwrap();
        assert_eq!(fs.read(&path).unwrap(), b"abef", "a full disk leaves half");
        assert_eq!(fs.calls(), ["create_new f", "write_all f", "write_all f", "read f"]);

        fs.reset();
        fs.crash_at(2);
        fs.stat(&path).unwrap();
        assert!(is_crash(&file.write_all(b"gh").unwrap_err()));
        assert!(is_crash(&fs.remove_file(&path).unwrap_err()));
        assert!(!is_crash(&full));
        fs.reset();
        assert_eq!(fs.read(&path).unwrap(), b"abef");
    }

    #[test]
    fn somebody_else_acts_once_before_a_call() {
        let dir = tempfile::tempdir().unwrap();
        let fs = FaultFs::new(Arc::new(Disk));
        let path = dir.path().join("f");
        let theirs = path.clone();
        fs.before(2, move || {
            Disk.append(&theirs).unwrap().write_all(b"x").unwrap();
        });
        assert!(fs.stat(&path).is_err());
        assert_eq!(fs.stat(&path).unwrap().len, 1);
        assert_eq!(fs.stat(&path).unwrap().len, 1);
        assert_eq!(fs.count(), 3);
    }
}
