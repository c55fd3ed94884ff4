//! The redo record: what makes a change of several files one change.
//!
//! Here: its format, writing and reading it. Not here: acting on it
//! (`store::install`, `store::recovery`). Invariant: a record that can be read
//! whole names copies that were durable before it was written; one that cannot
//! was never committed. Neither was one with a name that no writer would write:
//! a folder that somebody hands on may hold a record that leads out of it.
//!
//! ```text
//!  orch redo 1
//!  {"op":"…","files":[{"path":…,"staged":…,"sha_in":…,"sha_out":…}],"journal":{…}}
//!  <SHA-256 of the lines above>
//! ```

use crate::error::{Error, Result};
use crate::store::entry::{Entry, sha256_hex};
use crate::store::layout::Layout;
use crate::store::mirror::MirrorChange;
use crate::store::named_locks::LockText;
use crate::store::replace::is_temporary;
use crate::sys::Sys;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Component, Path, PathBuf};

/// The first line up to the version.
const MAGIC: &str = "orch redo ";
/// The version that this program writes and reads.
const VERSION: u32 = 1;

/// A change that is decided and staged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Redo {
    /// The operation's id.
    pub op: String,
    /// The files, in the order in which they are put in their places.
    pub files: Vec<RedoFile>,
    /// `YYYY-MM` of the journal.
    pub month: String,
    /// The journal lines, without line ends; the operation's own is the last.
    pub lines: Vec<String>,
    /// Audit lines, each with its date.
    #[serde(default)]
    pub audit: Vec<(String, String)>,
    /// The lease mirrors to write or remove.
    #[serde(default)]
    pub mirrors: Vec<MirrorChange>,
    /// The files of named locks to write or remove.
    #[serde(default)]
    pub locks: Vec<LockText>,
}

/// One file of a change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedoFile {
    /// As the journal names it: from the workspace root.
    pub name: String,
    /// Where it is, without links, from the workspace root.
    pub path: String,
    /// The name of the copy, in the same folder.
    pub staged: String,
    /// SHA-256 before; none for a file that was not there.
    pub sha_in: Option<String>,
    /// SHA-256 after.
    pub sha_out: String,
}

impl RedoFile {
    /// The file itself.
    pub fn live(&self, layout: &Layout) -> PathBuf {
        layout.root.join(&self.path)
    }

    /// The copy beside it: the new bytes, and once they are in their place what
    /// was there before.
    pub fn copy(&self, layout: &Layout) -> PathBuf {
        self.live(layout).with_file_name(&self.staged)
    }
}

/// What stands where a record would.
#[derive(Debug, PartialEq)]
pub enum Found {
    /// A change that is committed.
    Record(Box<Redo>),
    /// Something that was never a whole record.
    Torn(Vec<u8>),
}

impl Redo {
    /// The operation's own journal line.
    pub fn entry(&self) -> Option<Entry> {
        serde_json::from_str(self.lines.last()?).ok()
    }

    /// The record's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let json = serde_json::to_string(self).unwrap_or_default();
        let text = format!("{MAGIC}{VERSION}\n{json}\n");
        let sum = sha256_hex(text.as_bytes());
        format!("{text}{sum}\n").into_bytes()
    }

    /// Reads a record's bytes.
    ///
    /// # Errors
    /// `ledger_invalid` for a record of another version: only the program that
    /// wrote it may act on it.
    pub fn decode(bytes: Vec<u8>, name: &str) -> Result<Found> {
        let Some(redo) = std::str::from_utf8(&bytes).ok().and_then(parse) else {
            return Ok(Found::Torn(bytes));
        };
        match redo {
            Ok(redo) => Ok(Found::Record(Box::new(redo))),
            Err(version) => Err(Error::invalid(format!(
                "`{name}` was written by another version of orch (format {version}, this one \
                 knows {VERSION}); nothing was touched"
            ))
            .hint("orch --version")),
        }
    }

    /// Reads the record of a workspace, if there is one. Only reads.
    pub fn read(sys: &Sys, layout: &Layout) -> Result<Option<Found>> {
        let path = layout.redo();
        match sys.fs.lstat(&path) {
            Ok(stat) if stat.kind != crate::sys::FileKind::File => {
                return Err(Error::invalid(format!(
                    "`{}` is not a regular file, so nobody can say whether a change is unfinished",
                    layout.display(&path)
                ))
                .hint("orch doctor"));
            }
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("look for", &path, &e)),
        }
        match sys.fs.read(&path) {
            Ok(bytes) => Self::decode(bytes, &layout.display(&path)).map(Some),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("read", &path, &e)),
        }
    }
}

/// A whole record, or the version of one that is not ours.
fn parse(text: &str) -> Option<std::result::Result<Redo, String>> {
    let (first, rest) = text.strip_prefix(MAGIC)?.split_once('\n')?;
    let (json, sum) = rest.split_once('\n')?;
    let covered = text.len() - sum.len();
    if sum.strip_suffix('\n')? != sha256_hex(&text.as_bytes()[..covered]) {
        return None;
    }
    if first != VERSION.to_string() {
        // The sum says that it is whole, whatever the version.
        return first.bytes().all(|b| b.is_ascii_digit()).then(|| Err(first.to_owned()));
    }
    let redo: Redo = serde_json::from_str(json).ok()?;
    redo.stays_inside().then_some(Ok(redo))
}

impl Redo {
    /// Whether every name in it is one that a writer gives: files of the ledger,
    /// wherever links lead them in the workspace, and copies beside them.
    /// Mirrors and locks are safe as they are: ids are encoded in their names.
    fn stays_inside(&self) -> bool {
        let digits = |text: &str, shape: &str| {
            let fits = |(b, s): (u8, u8)| if s == b'd' { b.is_ascii_digit() } else { b == s };
            text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(fits)
        };
        let is_known = |file: &RedoFile| {
            file.name.starts_with("ORCH/")
                && is_plain(&file.name)
                && is_plain(&file.path)
                && !file.staged.contains('/')
                && is_temporary(&file.staged)
        };
        digits(&self.month, "dddd-dd")
            && self.audit.iter().all(|(date, _)| digits(date, "dddd-dd-dd"))
            && self.files.iter().all(is_known)
    }
}

/// Whether a path goes down from where it begins and never elsewhere.
fn is_plain(path: &str) -> bool {
    let mut parts = Path::new(path).components().peekable();
    parts.peek().is_some() && parts.all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redo() -> Redo {
        let name = "ORCH/STATE/TASKS.md".to_owned();
        let staged = ".TASKS.md.orch-0123456789abcdef".to_owned();
        let file = RedoFile { path: name.clone(), name, staged, ..RedoFile::default() };
        Redo {
            op: "06a".into(),
            files: vec![file],
            month: "2026-01".into(),
            lines: vec!["{}".into()],
            ..Redo::default()
        }
    }

    #[test]
    fn a_record_reads_back_and_nothing_else_does() {
        let bytes = redo().encode();
        let whole = Redo::decode(bytes.clone(), "r").unwrap();
        assert_eq!(whole, Found::Record(Box::new(redo())));
        for end in 0..bytes.len() {
            let torn = Redo::decode(bytes[..end].to_vec(), "r").unwrap();
            assert!(matches!(torn, Found::Torn(_)), "cut at {end}");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let found = Redo::decode(flipped, "r").unwrap();
                assert!(matches!(found, Found::Torn(_)), "bit {bit} of {at}");
            }
        }
    }

    #[test]
    fn a_record_with_a_name_that_no_writer_gives_was_never_committed() {
        let changed = |change: &dyn Fn(&mut Redo)| {
            let mut redo = redo();
            change(&mut redo);
            matches!(Redo::decode(redo.encode(), "r").unwrap(), Found::Torn(_))
        };
        assert!(!changed(&|r| r.files[0].path = "docs/ledger/TASKS.md".into()));
        assert!(!changed(&|r| r.audit = vec![("2026-01-31".into(), "x".into())]));
        for away in ["", "/", "/etc/x", "..", "../x", "ORCH/../x", "ORCH/STATE/../../../x"] {
            assert!(changed(&|r| r.files[0].path = away.into()), "path {away}");
            assert!(changed(&|r| r.files[0].name = away.into()), "name {away}");
            assert!(changed(&|r| r.files[0].staged = away.into()), "staged {away}");
            assert!(changed(&|r| r.month = away.into()), "month {away}");
            assert!(changed(&|r| r.audit = vec![(away.into(), "x".into())]), "audit {away}");
        }
        for other in ["TASKS.md", "x/.TASKS.md.orch-0123456789abcdef", ".TASKS.md.orch-redo"] {
            assert!(changed(&|r| r.files[0].staged = other.into()), "staged {other}");
        }
        assert!(changed(&|r| r.files[0].name = ".git/hooks/pre-commit".into()));
    }

    #[test]
    fn another_version_is_named_and_left_alone() {
        let text = String::from_utf8(redo().encode()).unwrap();
        let newer = text.replacen("orch redo 1", "orch redo 27", 1);
        let body = newer.rsplit_once('\n').and_then(|(body, _)| body.rsplit_once('\n'));
        let body = format!("{}\n", body.unwrap().0);
        let newer = format!("{body}{}\n", sha256_hex(body.as_bytes()));
        let error = Redo::decode(newer.into_bytes(), "r").unwrap_err();
        assert!(error.message.contains("format 27"), "{error}");
    }
}
