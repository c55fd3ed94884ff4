//! Appending lines to the journal and to the audit file of a day.
//!
//! Here: where they may be written, and what happens to a line that a crash cut
//! off. Not here: reading them (`store::journal`). Invariant: a line is written
//! once however often it is appended, and a torn one is finished, not spoiled.

use crate::error::{Error, Result};
use crate::store::layout::Layout;
use crate::store::replace::{self, Durability, Target, resolve, resolve_dir};
use crate::sys::{Handle, Sys};
use std::path::{Path, PathBuf};

/// A file that lines are appended to, in the workspace, in a folder that is
/// there.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    target: Target,
}

/// What is known of the file's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Under this lock it was seen to have so many bytes and to end in a line
    /// end: new lines can follow.
    Whole(u64),
    /// A writer may have died here: look first.
    Unknown,
}

impl Place {
    /// Makes the folder. Called before the commit point, so that what is wrong
    /// with the place is told while nothing has changed.
    ///
    /// # Errors
    /// `ledger_invalid` where a link leads out of the workspace or the file is
    /// no regular one, `failed` where the folder cannot be made.
    pub fn make(sys: &Sys, layout: &Layout, path: PathBuf) -> Result<Self> {
        let dir = path.parent().unwrap_or(&path);
        if sys.fs.stat(&layout.logs_dir()).is_ok() {
            // A folder is not made where a link leads, either.
            resolve_dir(sys, layout, &layout.logs_dir())?;
        }
        if sys.fs.stat(dir).is_err() {
            let like = sys.fs.stat(&layout.state_dir()).ok();
            let made = sys.fs.create_dir_all(dir, like.as_ref());
            made.map_err(|e| Error::io("create", dir, &e))?;
        }
        let mut target = resolve(sys, layout, &path)?;
        if target.stat.as_ref().is_some_and(|stat| stat.nlink > 1) {
            part_from_other_names(sys, &path, &target)?;
            target = resolve(sys, layout, &path)?;
        }
        Ok(Self { path, target })
    }

    /// Appends lines, with one write and one fsync.
    ///
    /// # Errors
    /// `failed`; any part may have been written.
    ///
    /// # Durability
    /// With a new file every folder up to ORCH is synced, since any of them may
    /// be new.
    pub fn append(&self, sys: &Sys, lines: &[String], end: End, sync: bool) -> Result<()> {
        let path = &self.target.path;
        let is_new = self.target.stat.is_none();
        let len = self.target.stat.as_ref().map_or(0, |stat| stat.len);
        let text = match end {
            End::Whole(seen) if seen == len => whole(lines),
            _ if is_new => whole(lines),
            _ => missing(&self.read(sys)?, lines),
        };
        if !text.is_empty() {
            let mut file = sys.fs.append(path).map_err(|e| Error::io("open", &self.path, &e))?;
            let before = if is_new { 0 } else { len };
            if let Err(e) = self.write(sys, &mut *file, &text, before) {
                // What came of it goes again, so that it spoils no line; where
                // it cannot go, the next writer finishes it. Where there is more
                // than we wrote it is not ours to cut.
                let now = sys.fs.stat(path).map(|stat| stat.len);
                if now.is_ok_and(|now| now < before + text.len() as u64) {
                    let _ = file.cut(before);
                }
                return Err(Error::io("append to", &self.path, &e));
            }
            if sync {
                file.sync().map_err(|e| Error::io("sync", &self.path, &e))?;
            }
        }
        if sync {
            // Month, LOGS, ORCH.
            for dir in self.path.ancestors().skip(1).take(if is_new { 3 } else { 0 }) {
                sys.fs.sync_dir(dir).map_err(|e| Error::io("sync", dir, &e))?;
            }
        }
        Ok(())
    }

    /// Whether a line stands in the file, whole.
    ///
    /// # Errors
    /// `failed` where it cannot be read.
    pub fn holds(&self, sys: &Sys, line: &str) -> Result<bool> {
        if self.target.stat.is_none() {
            return Ok(false);
        }
        Ok(stands_in(&self.read(sys)?, line))
    }

    /// Writes, and looks whether all of it arrived.
    fn write(
        &self,
        sys: &Sys,
        file: &mut dyn Handle,
        text: &[u8],
        before: u64,
    ) -> std::io::Result<()> {
        file.write_all(text)?;
        let now = sys.fs.stat(&self.target.path)?.len;
        if now == before + text.len() as u64 {
            return Ok(());
        }
        Err(std::io::Error::new(
            std::io::ErrorKind::WriteZero,
            format!("it has {now} bytes after {} were added to {before}", text.len()),
        ))
    }

    fn read(&self, sys: &Sys) -> Result<Vec<u8>> {
        sys.fs.read(&self.target.path).map_err(|e| Error::io("read", &self.path, &e))
    }
}

/// Gives a file that has other names a copy of its own: a copy of the folder made
/// of hard links must stay as it was when it was made.
fn part_from_other_names(sys: &Sys, path: &Path, target: &Target) -> Result<()> {
    replace::clean_temporaries_of(sys, target)?;
    let bytes = sys.fs.read(&target.path).map_err(|e| Error::io("read", path, &e))?;
    replace::replace(sys, target, target.stat.as_ref(), &bytes, Durability::Full)
}

fn whole(lines: &[String]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect()
}

fn stands_in(text: &[u8], line: &str) -> bool {
    memchr::memmem::find_iter(text, line.as_bytes())
        .any(|at| (at == 0 || text[at - 1] == b'\n') && text.get(at + line.len()) == Some(&b'\n'))
}

/// What is to be written so that every line stands in the file. A last line
/// without an end is what a crash in the middle of a write leaves: where it is
/// the beginning of a line that is to come, only the rest of that one is
/// written; else it gets its end, so that it spoils no other line.
fn missing(text: &[u8], lines: &[String]) -> Vec<u8> {
    let mut open: Vec<&String> = lines.iter().filter(|line| !stands_in(text, line)).collect();
    let torn = &text[memchr::memrchr(b'\n', text).map_or(0, |at| at + 1)..];
    let mut out = Vec::new();
    if !torn.is_empty() {
        match open.first() {
            Some(first) if first.as_bytes().starts_with(torn) => {
                out.extend_from_slice(&first.as_bytes()[torn.len()..]);
                open.remove(0);
            }
            _ => {}
        }
        out.push(b'\n');
    }
    for line in open {
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_once_from_every_cut() {
        let lines = vec!["{\"first\":1}".to_owned(), "{\"second\":2}".to_owned()];
        let before = b"{\"zeroth\":0}\n".to_vec();
        let full = [before.clone(), whole(&lines)].concat();
        for cut in before.len()..=full.len() {
            let mut text = full[..cut].to_vec();
            text.extend(missing(&text, &lines));
            assert_eq!(text, full, "cut at {cut}");
        }
    }

    #[test]
    fn a_stranger_without_an_end_gets_one() {
        let lines = vec!["{}".to_owned()];
        assert_eq!(missing(b"{\"x", &lines), b"\n{}\n");
        assert_eq!(missing(b"", &lines), b"{}\n");
        assert_eq!(missing(b"{}", &lines), b"\n");
        assert_eq!(missing(b"{} {}\n", &lines), b"{}\n");
    }
}
