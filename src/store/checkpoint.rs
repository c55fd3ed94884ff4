//! What this machine saw last: heads of the journal, and every file of the
//! workspace as the newest operation left it.
//!
//! A runtime file that may be lost at any time: without it the journal is read
//! instead. Invariant: it only saves work and notices more; no content comes
//! from it that the journal or the ledger contradicts.
//!
//! ```text
//!  orch checkpoint 1
//!  head <seq>:<hash>[ <seq>:<hash>…]
//!  file <name> <sha|-> <len> <mtime_ns> <dev> <ino> <op|-> <base…|->
//!  standing <n>
//!  end
//! ```

use crate::error::Result;
use crate::store::layout::Layout;
use crate::store::replace::{Durability, replace, resolve};
use crate::sys::{Stat, Sys};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// The parts of a [`Stat`] that tell one content from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    len: u64,
    mtime_ns: i128,
    dev: u64,
    ino: u64,
}

impl Mark {
    /// Whether it was taken of this very file, whatever its content was then.
    pub const fn is_of(&self, stat: &Stat) -> bool {
        self.dev == stat.dev && self.ino == stat.ino
    }
}

impl From<&Stat> for Mark {
    fn from(stat: &Stat) -> Self {
        Self { len: stat.len, mtime_ns: stat.mtime_ns, dev: stat.dev, ino: stat.ino }
    }
}

/// One file as an operation left it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// SHA-256; none for no file.
    pub sha: Option<String>,
    /// What it was; none where that could not tell one content from another.
    pub mark: Option<Mark>,
    /// The operation that leads from the base to it; none where the base is it.
    pub op: Option<String>,
    /// What the base was when it was kept; none where there is no base.
    pub base: Option<Mark>,
}

/// What this machine saw last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Number and hash of the journal's newest lines.
    pub heads: Vec<(u64, String)>,
    /// The files by name.
    pub files: BTreeMap<String, Known>,
    /// How many hand edits stand that count for nothing.
    pub standing: usize,
}

impl Checkpoint {
    /// Reads it; none where there is none or it cannot be understood.
    pub fn read(sys: &Sys, layout: &Layout) -> Option<Self> {
        let path = layout.checkpoint();
        // Looked at first: reading a pipe would wait for ever.
        if sys.fs.lstat(&path).ok()?.kind != crate::sys::FileKind::File {
            return None;
        }
        Self::parse(std::str::from_utf8(&sys.fs.read(&path).ok()?).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != "orch checkpoint 1" {
            return None;
        }
        let mut checkpoint = Self::default();
        for line in lines {
            let mut words = line.split(' ');
            match words.next()? {
                "head" => {
                    for word in words {
                        let (seq, hash) = word.split_once(':')?;
                        checkpoint.heads.push((seq.parse().ok()?, hash.to_owned()));
                    }
                }
                "file" => {
                    let name = words.next()?.to_owned();
                    let sha = given(words.next()?);
                    let here = mark(words.next()?)?;
                    let op = given(words.next()?);
                    let base = mark(words.next()?)?;
                    checkpoint.files.insert(name, Known { sha, mark: here, op, base });
                }
                "standing" => checkpoint.standing = words.next()?.parse().ok()?,
                "end" => return Some(checkpoint),
                _ => return None,
            }
        }
        None
    }

    fn to_text(&self) -> String {
        let mut text = String::from("orch checkpoint 1\nhead");
        for (seq, hash) in &self.heads {
            let _ = write!(text, " {seq}:{hash}");
        }
        let spell = |mark: &Option<Mark>| {
            mark.map_or_else(
                || "-".to_owned(),
                |m| format!("{},{},{},{}", m.len, m.mtime_ns, m.dev, m.ino),
            )
        };
        for (name, known) in &self.files {
            let _ = write!(
                text,
                "\nfile {name} {} {} {} {}",
                known.sha.as_deref().unwrap_or("-"),
                spell(&known.mark),
                known.op.as_deref().unwrap_or("-"),
                spell(&known.base)
            );
        }
        let _ = write!(text, "\nstanding {}\nend\n", self.standing);
        text
    }

    /// Writes it, best effort: without it the next command reads the journal.
    pub fn write(&self, sys: &Sys, layout: &Layout) -> Result<()> {
        let target = resolve(sys, layout, &layout.checkpoint())?;
        replace(sys, &target, target.stat.as_ref(), self.to_text().as_bytes(), Durability::Fast)
    }

    /// Writes it, or takes a stale one away: none is right, a wrong one is not.
    pub fn settle(&self, sys: &Sys, layout: &Layout) {
        if self.write(sys, layout).is_err() {
            let _ = sys.fs.remove_file(&layout.checkpoint());
        }
    }

    /// The SHA-256 of a file, if its status says that it is as it was left.
    pub fn sha_of(&self, name: &str, stat: &Stat) -> Option<&str> {
        let known = self.files.get(name)?;
        if known.mark == Some(Mark::from(stat)) { known.sha.as_deref() } else { None }
    }
}

/// Keeps a file aside as the base of its live one. `was` is what it was when it
/// was read: an editor that had opened it may write into it even now.
pub fn keep_base(
    sys: &Sys,
    layout: &Layout,
    name: &str,
    from: &Path,
    was: Option<&Stat>,
) -> Option<Mark> {
    let path = layout.base(name);
    if sys.fs.rename(from, &path).is_err() {
        let dir = path.parent()?;
        let like = sys.fs.stat(&layout.state_dir()).ok();
        sys.fs.create_dir_all(dir, like.as_ref()).ok()?;
        sys.fs.rename(from, &path).ok()?;
    }
    match was {
        Some(was) => Some(Mark::from(was)),
        None => sys.fs.lstat(&path).ok().map(|stat| Mark::from(&stat)),
    }
}

/// Writes the base of a file that no operation displaced.
pub fn write_base(sys: &Sys, layout: &Layout, name: &str, bytes: &[u8]) -> Option<Mark> {
    let path = layout.base(name);
    let dir = path.parent()?;
    let like = sys.fs.stat(&layout.state_dir()).ok();
    sys.fs.create_dir_all(dir, like.as_ref()).ok()?;
    let target = resolve(sys, layout, &path).ok()?;
    replace(sys, &target, target.stat.as_ref(), bytes, Durability::Fast).ok()?;
    sys.fs.lstat(&path).ok().map(|stat| Mark::from(&stat))
}

fn given(word: &str) -> Option<String> {
    (word != "-").then(|| word.to_owned())
}

/// `None` for what is no mark, `Some(None)` for `-`.
#[allow(clippy::option_option, reason = "malformed, none and some are three things")]
fn mark(word: &str) -> Option<Option<Mark>> {
    if word == "-" {
        return Some(None);
    }
    let mut parts = word.split(',');
    let mark = Mark {
        len: parts.next()?.parse().ok()?,
        mtime_ns: parts.next()?.parse().ok()?,
        dev: parts.next()?.parse().ok()?,
        ino: parts.next()?.parse().ok()?,
    };
    parts.next().is_none().then_some(Some(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back_and_a_part_of_it_does_not() {
        let mark = Mark { len: 7, mtime_ns: -3, dev: 1, ino: 9 };
        let known =
            Known { sha: Some("ab".into()), mark: Some(mark), op: Some("06".into()), base: None };
        let checkpoint = Checkpoint {
            heads: vec![(3, "cd".into()), (4, "ef".into())],
            files: BTreeMap::from([
                ("ORCH/STATE/TASKS.md".to_owned(), known),
                ("ORCH/STATE/FLAGS.md".to_owned(), Known::default()),
            ]),
            standing: 2,
        };
        let text = checkpoint.to_text();
        assert_eq!(Checkpoint::parse(&text).as_ref(), Some(&checkpoint));
        for end in 0..text.len() - 1 {
            assert_eq!(Checkpoint::parse(&text[..end]), None, "cut at {end}");
        }
    }
}
