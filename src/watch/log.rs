//! The output of a run, as far as it is kept.
//!
//! Lives here: the beginning and the end of it in files. Not here: reading it from
//! the command (`sys::keeping`), showing it (`cli`). Invariant: at no moment do
//! the files of a log have more bytes together than the log may have, and what
//! they hold is the beginning of the output, then one unbroken piece of it that
//! reaches to its end; what cannot be written is left out, and nobody waits.
//!
//! ```text
//!   run.log       run.log.1      run.log.2           while the command runs
//!   ┌────────┐    ┌────────┐    ┌─────┐
//!   │ head   │ …  │ older  │    │newer│ ◀── written; full: becomes the older
//!   └────────┘    └────────┘    └─────┘
//!   run.log                                          once it has ended
//!   ┌────────┬──────────────────────────┬────────┬─────┐
//!   │ head   │ [orch: 7 bytes left out] │ older  │newer│
//!   └────────┴──────────────────────────┴────────┴─────┘
//! ```
//!
//! The head is a quarter of the whole. The other files get a third of the rest
//! each, because at the end there is a copy of one of them for a moment. What is
//! printed is in a file as soon as it was read; no line is waited for.

use crate::store::runs::{LOG, LOG_PARTS, attributes};
use crate::sys::{Fs, Handle, Printing, Stat, Sys};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Room for the line that says what was left out.
const MARK: u64 = 64;
/// How much is read and copied at once.
const CHUNK: usize = 64 << 10;

/// What became of the bytes of an output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many are in the log.
    pub kept: u64,
    /// How many are not.
    pub left_out: u64,
}

/// Keeps an output until its end.
pub fn collect(mut output: Box<dyn Printing>, mut log: Log, totals: &Mutex<Totals>) {
    let mut buffer = vec![0; CHUNK];
    loop {
        match output.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => log.write(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
        *totals.lock().unwrap_or_else(PoisonError::into_inner) = log.totals();
    }
    log.finish();
    *totals.lock().unwrap_or_else(PoisonError::into_inner) = log.totals();
}

/// A log that is being written.
pub struct Log {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    like: Option<Stat>,
    most: u64,
    head: Part,
    /// Whether everything so far is in the head.
    is_whole: bool,
    /// Whether the head ends with a line.
    ends_line: bool,
    /// How long the older part is.
    older: u64,
    newer: Part,
    left_out: u64,
}

/// A file of the log.
#[derive(Default)]
struct Part {
    file: Option<Box<dyn Handle>>,
    len: u64,
    most: u64,
}

impl Log {
    /// A log of at most so many bytes, in a folder where there is none yet. Never
    /// fails: what cannot be written is left out.
    pub fn new(sys: &Sys, dir: &Path, most: u64) -> Self {
        let head = most / 4;
        let part = most.saturating_sub(head + MARK) / 3;
        let mut log = Self {
            fs: sys.fs.clone(),
            dir: dir.to_owned(),
            like: attributes(sys, dir).ok(),
            most,
            head: Part { most: head, ..Part::default() },
            is_whole: true,
            ends_line: true,
            older: 0,
            newer: Part { most: part, ..Part::default() },
            left_out: 0,
        };
        log.head.file = log.open(LOG).ok();
        log
    }

    /// Takes the next bytes.
    pub fn write(&mut self, mut bytes: &[u8]) {
        if self.is_whole {
            let (now, later) = bytes.split_at(self.head.fits(bytes));
            match self.head.append(now) {
                Ok(()) => {
                    self.ends_line = now.last().map_or(self.ends_line, |last| *last == b'\n');
                    bytes = later;
                }
                Err(_) => self.is_whole = false,
            }
            self.is_whole &= bytes.is_empty();
        }
        while !bytes.is_empty() {
            if self.newer.most == 0 {
                self.left_out += bytes.len() as u64;
                return;
            }
            let now = match self.newer.fits(bytes) {
                0 => self.turn().map(|()| self.newer.fits(bytes)),
                fits => Ok(fits),
            };
            let fits = *now.as_ref().unwrap_or(&bytes.len());
            let (now_bytes, later) = bytes.split_at(fits);
            if now.and_then(|_| self.append_newer(now_bytes)).is_err() {
                // The end must be unbroken, so it begins anew behind these. What
                // was there gives way, which may be all the room that is missing.
                self.left_out += self.older + self.newer.len + fits as u64;
                self.forget();
            }
            bytes = later;
        }
    }

    /// Puts everything into one file.
    pub fn finish(&mut self) {
        if self.head.file.is_none() && self.head.len == 0 {
            self.head.file = self.open(LOG).ok();
        }
        self.newer.file = None;
        // Whatever fails leaves the parts where they are: together they still are
        // the log, and as long as before.
        let _ = self.assemble();
        self.head.file = None;
    }

    fn assemble(&mut self) -> io::Result<()> {
        let mut whole = Part { file: self.head.file.take(), len: self.head.len, most: self.most };
        if self.left_out > 0 {
            let line = format!("[orch: {} bytes left out]\n", self.left_out);
            let line = if self.ends_line { line } else { format!("\n{line}") };
            if whole.fits(line.as_bytes()) == line.len() {
                whole.append(line.as_bytes())?;
            }
        }
        for (name, len) in LOG_PARTS.into_iter().zip([self.older, self.newer.len]) {
            if len > 0 {
                self.copy(name, len, &mut whole)?;
            }
        }
        Ok(())
    }

    /// Appends a part and removes it.
    fn copy(&self, name: &str, len: u64, whole: &mut Part) -> io::Result<()> {
        let (path, from) = (self.dir.join(name), whole.len);
        let mut copied = 0;
        while copied < len {
            let read = self.fs.read_part(&path, copied, CHUNK).and_then(|bytes| {
                whole.append(&bytes)?;
                if bytes.is_empty() {
                    Err(io::ErrorKind::UnexpectedEof.into())
                } else {
                    Ok(bytes.len())
                }
            });
            match read {
                Ok(read) => copied += read as u64,
                Err(error) => {
                    whole.cut(from);
                    return Err(error);
                }
            }
        }
        // There once, not twice.
        self.fs.remove_file(&path).inspect_err(|_| whole.cut(from))
    }

    /// What became of the bytes so far.
    pub fn totals(&self) -> Totals {
        let kept = self.head.len + self.older + self.newer.len;
        Totals { kept, left_out: self.left_out }
    }

    fn append_newer(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.newer.file.is_none() {
            self.newer.file = Some(self.open(LOG_PARTS[1])?);
        }
        self.newer.append(bytes)
    }

    /// The newer part is full: it becomes the older one.
    fn turn(&mut self) -> io::Result<()> {
        self.newer.file = None;
        let [older, newer] = LOG_PARTS.map(|name| self.dir.join(name));
        self.fs.rename(&newer, &older)?;
        self.left_out += self.older;
        self.older = std::mem::take(&mut self.newer.len);
        Ok(())
    }

    /// Removes both parts.
    fn forget(&mut self) {
        (self.newer.file, self.newer.len, self.older) = (None, 0, 0);
        for name in LOG_PARTS {
            let _ = self.fs.remove_file(&self.dir.join(name));
        }
    }

    /// A new file to append to.
    fn open(&self, name: &str) -> io::Result<Box<dyn Handle>> {
        let path = self.dir.join(name);
        let mut file = self.fs.create_new(&path)?;
        if let Some(like) = &self.like {
            let _ = file.set_attributes(like);
        }
        self.fs.append(&path)
    }
}

impl Part {
    /// How many of these bytes have room.
    fn fits(&self, bytes: &[u8]) -> usize {
        let room = usize::try_from(self.most - self.len).unwrap_or(usize::MAX);
        bytes.len().min(room)
    }

    /// All of them, or as good as none.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        match file.write_all(bytes) {
            Ok(()) => self.len += bytes.len() as u64,
            Err(error) => {
                self.cut(self.len);
                return Err(error);
            }
        }
        Ok(())
    }

    fn cut(&mut self, len: u64) {
        self.len = len;
        if let Some(file) = &mut self.file {
            let _ = file.cut(len);
        }
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
