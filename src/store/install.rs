//! Putting a staged copy in the place of the live file, and noticing saves.
//!
//! Here: the exchange of two names, the look at what it displaced, the way
//! back. Not here: staging (`store::replace`), the order of files
//! (`store::transaction`). Invariant: bytes that somebody saved are never left
//! without a name: what was displaced and is not what we read goes back.
//!
//! ```text
//!   we: read TASKS (h0) … stage copy (h1)       an editor: saves TASKS (e)
//!   exchange(copy, TASKS)     TASKS = h1, copy = e
//!   look at copy: not h0
//!   exchange(copy, TASKS)     TASKS = e,  copy = h1      → Interrupted
//! ```
//!
//! # Concurrency
//! An editor that opened the file before the exchange and writes after it
//! writes into what was displaced. That file is kept as the base of the next
//! operation, and a change in it is found then (`store::checkpoint`).

use crate::error::{Error, Result};
use crate::store::entry::sha256_hex;
use crate::store::layout::Layout;
use crate::store::redo::RedoFile;
use crate::sys::{Stat, Sys};
use std::io;
use std::path::PathBuf;

/// A modification time is trusted to tell two contents apart when it is older
/// than this: clocks of file systems advance in steps of up to 10 ms.
pub const GRAIN_NS: i128 = 20_000_000;

/// One file of a change, staged.
#[derive(Debug, Clone)]
pub struct Piece {
    /// As the redo record names it.
    pub file: RedoFile,
    /// The live file.
    pub live: PathBuf,
    /// The copy beside it.
    pub copy: PathBuf,
    /// What the live file was when it was read; none for no file.
    pub expected: Option<Stat>,
    /// Whether a write to the live file would have changed its status.
    pub sure: bool,
    /// What the copy is.
    pub ours: Stat,
}

/// What came of putting a copy in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is there; what was there before has the copy's name.
    Done,
    /// Somebody saved in between; their bytes are in place.
    Interrupted,
}

impl Piece {
    /// Whether the live file is still the one that was read, as far as its
    /// status tells. The exchange looks closer.
    pub fn undisturbed(&self, sys: &Sys) -> io::Result<bool> {
        Ok(look(sys, &self.live)? == self.expected)
    }

    /// Puts the copy in its place.
    ///
    /// # Errors
    /// The system's; nothing is displaced then.
    pub fn put(&self, sys: &Sys, layout: &Layout) -> io::Result<Put> {
        let Some(expected) = &self.expected else {
            return match sys.fs.rename_new(&self.copy, &self.live) {
                Ok(()) => Ok(Put::Done),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(Put::Interrupted),
                Err(e) if is_unsupported(&e) => match look(sys, &self.live)? {
                    Some(_) => Ok(Put::Interrupted),
                    None => sys.fs.rename(&self.copy, &self.live).map(|()| Put::Done),
                },
                Err(e) => Err(e),
            };
        };
        match sys.fs.exchange(&self.copy, &self.live) {
            Ok(()) => {}
            // Some editors remove a file and write it anew.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                return match look(sys, &self.copy)? {
                    Some(_) => Ok(Put::Interrupted),
                    None => Err(e),
                };
            }
            // Where names cannot change places, a last look and a rename: a save
            // in between is lost, and the documentation says so.
            Err(e) if is_unsupported(&e) => {
                if look(sys, &self.live)?.as_ref() != Some(expected) {
                    return Ok(Put::Interrupted);
                }
                return sys.fs.rename(&self.copy, &self.live).map(|()| Put::Done);
            }
            Err(e) => return Err(e),
        }
        if self.displaced_is(sys, expected) {
            return Ok(Put::Done);
        }
        self.take_back(sys, layout)?;
        Ok(Put::Interrupted)
    }

    /// Whether what was displaced is what was read: by its status where that
    /// can tell, else by its bytes.
    fn displaced_is(&self, sys: &Sys, expected: &Stat) -> bool {
        let now_ns = i128::from(sys.clock.now_ms()) * 1_000_000;
        match look(sys, &self.copy) {
            Ok(Some(stat))
                if stat == *expected && (self.sure || now_ns - stat.mtime_ns > GRAIN_NS) =>
            {
                true
            }
            Ok(Some(stat)) if stat.len != expected.len => false,
            _ => sys.fs.read(&self.copy).is_ok_and(|b| Some(sha256_hex(&b)) == self.file.sha_in),
        }
    }

    /// Puts what was displaced back in its place.
    ///
    /// # Errors
    /// The system's; ours is still in place then.
    pub fn take_back(&self, sys: &Sys, layout: &Layout) -> io::Result<()> {
        if self.expected.is_none() {
            // A new file goes, unless somebody made it theirs meanwhile.
            return match look(sys, &self.live)? {
                Some(stat) if stat.is_same_file(&self.ours) => {
                    sys.fs.rename_new(&self.live, &self.copy)
                }
                _ => Ok(()),
            };
        }
        sys.fs.exchange(&self.copy, &self.live)?;
        let came_back = look(sys, &self.copy)?;
        if came_back.is_some_and(|stat| stat.is_same_file(&self.ours)) {
            return Ok(());
        }
        // Somebody replaced ours in the moment it was in place: the newest save
        // stays, the older one gets a name of its own.
        sys.fs.exchange(&self.copy, &self.live)?;
        sys.fs.rename(&self.copy, &layout.conflict(&self.file.name, &sys.random_hex()))
    }
}

/// What a path names; none where nothing has the name.
pub fn look(sys: &Sys, path: &std::path::Path) -> io::Result<Option<Stat>> {
    match sys.fs.lstat(path) {
        Ok(stat) => Ok(Some(stat)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// The bytes of a file and their SHA-256; none where there is none.
pub fn hashed(sys: &Sys, path: &std::path::Path) -> Result<Option<(Vec<u8>, String)>> {
    match sys.fs.read(path) {
        Ok(bytes) => {
            let sha = sha256_hex(&bytes);
            Ok(Some((bytes, sha)))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::io("read", path, &e)),
    }
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput)
        // ENOSYS, which has no kind of its own everywhere.
        || error.raw_os_error() == Some(38)
}
