//! The redo record: what makes a change of several files one change.
//!
//! Here: its format, writing and reading it. Not here: acting on it
//! (`store::install`, `store::recovery`). Invariant: a record that can be read
//! whole names copies that were durable before it was written; one that cannot
//! was never committed.
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
use crate::sys::Sys;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;

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
    serde_json::from_str(json).ok().map(Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redo() -> Redo {
        Redo {
            op: "06a".into(),
            files: vec![RedoFile { name: "ORCH/STATE/TASKS.md".into(), ..RedoFile::default() }],
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
