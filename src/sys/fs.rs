//! What the file system is to `orch`: single calls, each of which can fail.
//!
//! Lives here: the traits and what they speak of. Not here: the real one
//! (`sys::disk`), the faulty one (`sys::sim`), any order of calls (`store`).
//! Invariant: one method is one effect, so that failing the n-th call for every
//! n visits every state that a crash can leave.

use std::io;
use std::path::{Path, PathBuf};

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link (from `lstat` only).
    Symlink,
    /// A pipe, socket or device.
    Other,
}

/// Where a file's bytes live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FsKind {
    /// On this machine: advisory locks hold between all its processes.
    Local,
    /// Elsewhere or in user space, by name: locks may be local to each client.
    Network(&'static str),
}

/// What the system says of a file. Two equal ones of one path mean that nobody
/// replaced it, and as far as the clock's grain shows, nobody wrote to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Bytes.
    pub len: u64,
    /// Last change of the content, nanoseconds since 1970.
    pub mtime_ns: i128,
    /// Device.
    pub dev: u64,
    /// File number on the device.
    pub ino: u64,
    /// Permission bits, set-id and sticky included (`0o7777`).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Names that the file has.
    pub nlink: u64,
    /// What it is.
    pub kind: FileKind,
}

impl Stat {
    /// The same file on the same device, whatever its content.
    pub fn is_same_file(&self, other: &Self) -> bool {
        (self.dev, self.ino) == (other.dev, other.ino)
    }
}

/// Files, call by call. Paths are absolute.
pub trait Fs: Send + Sync {
    /// All bytes, in one allocation of the file's size. Waits where the path is
    /// a pipe that nobody writes to: `stat` first what others may have placed.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// At most so many bytes behind an offset; fewer only at the end. A link or
    /// anything but a regular file is an error.
    fn read_part(&self, path: &Path, from: u64, most: usize) -> io::Result<Vec<u8>>;
    /// What the path leads to; follows links.
    fn stat(&self, path: &Path) -> io::Result<Stat>;
    /// What the path names itself.
    fn lstat(&self, path: &Path) -> io::Result<Stat>;
    /// The path without links, `.` and `..`; it must exist.
    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf>;
    /// Where a symbolic link says that it leads; bytes that are not UTF-8 stay.
    fn read_link(&self, path: &Path) -> io::Result<PathBuf>;
    /// The names in a folder, sorted; bytes that are not UTF-8 are replaced.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// Makes a folder and its missing parents. Those it makes get mode and,
    /// where allowed, owner of `like`; none of them is synced.
    fn create_dir_all(&self, dir: &Path, like: Option<&Stat>) -> io::Result<()>;
    /// A new folder that only we may look into (0700); fails where the name is
    /// taken.
    fn create_private_dir(&self, dir: &Path) -> io::Result<()>;
    /// Removes a folder with all that is in it. Links in it are removed and not
    /// followed, folders that refuse it are made to agree.
    fn remove_tree(&self, dir: &Path) -> io::Result<()>;
    /// A new file of mode 0600; fails where the name is taken, by a link too.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn Handle>>;
    /// A file whose writes go to its end; made with mode 0644 (less the umask).
    /// A link or anything but a regular file is an error.
    fn append(&self, path: &Path) -> io::Result<Box<dyn Handle>>;
    /// Puts `from` in the place of `to`, in one step.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Lets two names change places, in one step: afterwards each names what the
    /// other did. `Unsupported` or `InvalidInput` where the file system cannot.
    fn exchange(&self, one: &Path, other: &Path) -> io::Result<()>;
    /// Gives a file a name that must be free, in one step; `AlreadyExists` where
    /// it is taken. Errors as [`Fs::exchange`].
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file's name.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Makes the names of a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// A file to lock: made when missing (0644 less the umask), never cut,
    /// read-only where it cannot be written. A link or anything but a regular
    /// file is an error.
    fn open_lock(&self, path: &Path) -> io::Result<Box<dyn LockFile>>;
    /// A folder to lock, which must be there. It takes no notes, and not every
    /// file system of a network can lock it.
    fn open_folder_lock(&self, dir: &Path) -> io::Result<Box<dyn LockFile>>;
    /// What kind of file system holds the path.
    fn fs_type(&self, path: &Path) -> io::Result<FsKind>;
}

/// A file being written.
pub trait Handle: Send + Sync {
    /// Writes all of it; after an error any part may have been written.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Gives it mode and, where the system allows, owner and group of `like`.
    fn set_attributes(&mut self, like: &Stat) -> io::Result<()>;
    /// Sets the time of the last change of its content. A time finer than the
    /// steps in which the kernel counts is not met by chance again, so that any
    /// later write can be told from none.
    fn stamp(&mut self, mtime_ns: i128) -> io::Result<()>;
    /// Takes back what was written behind so many bytes.
    fn cut(&mut self, len: u64) -> io::Result<()>;
    /// Makes content and attributes durable. After an error the file is lost:
    /// the kernel may have dropped the pages and forgotten that they were
    /// dirty, so a second call can succeed without having written them (Rebello
    /// et al., ATC 20). Throw it away; never call this again.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file that can be locked. Dropping it unlocks.
pub trait LockFile: Send + Sync {
    /// Takes the exclusive lock if it is free, without waiting.
    fn try_exclusive(&mut self) -> io::Result<bool>;
    /// Whether the path still names this very file; false where it is missing.
    fn same_file_as(&self, path: &Path) -> io::Result<bool>;
    /// What the last holder noted; at most 4 KiB of it.
    fn read_note(&mut self) -> io::Result<String>;
    /// Replaces the note, in place: information for people, never relied upon.
    /// An error where the file has other names, which may be other people's.
    fn write_note(&mut self, note: &str) -> io::Result<()>;
}
