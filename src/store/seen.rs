//! Whether the files are as the newest operation left them.
//!
//! Here: comparing status, then bytes, and finding the former text. Not here:
//! what a difference means (`services::hand_edits`). Invariant: a file whose
//! status is what the checkpoint says is not read.

use crate::error::Result;
use crate::ledger::document::Kind;
use crate::ledger::patch::{self, Way};
use crate::ledger::source;
use crate::store::accepted::key;
use crate::store::checkpoint::{Checkpoint, Known, Mark};
use crate::store::entry::{Forbidden, RowChange, sha256_hex};
use crate::store::install::{hashed, look};
use crate::store::journal::Journal;
use crate::store::layout::Layout;
use crate::store::snapshot::Files;
use crate::sys::{FileKind, Stat, Sys};
use std::path::PathBuf;

/// One watched file: a ledger, the settings or the flags.
#[derive(Debug, Clone)]
pub struct SeenFile {
    /// As the journal names it.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// As it is now; none where it is not there.
    pub stat: Option<Stat>,
    /// SHA-256 now; none where it is not there.
    pub sha: Option<String>,
    /// What the newest operation left; none before first use.
    pub known: Option<Known>,
    /// Its bytes, where it differs and they are not in the snapshot.
    pub bytes: Option<Vec<u8>>,
}

impl SeenFile {
    /// Whether somebody else changed it since the newest operation.
    pub fn differs(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.sha != self.sha)
    }

    /// Whether its status alone says that it is as it was left.
    pub fn is_marked(&self) -> bool {
        let mark = self.known.as_ref().and_then(|known| known.mark);
        mark.is_some() && mark == self.stat.as_ref().map(Mark::from)
    }
}

/// A hand edit that counts for nothing until it is accepted or undone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suspended {
    /// The `external` operation.
    pub op: String,
    /// What it must not have done.
    pub forbidden: Forbidden,
    /// The row's change.
    pub change: RowChange,
}

impl Suspended {
    /// What accepting it alone is written as.
    pub fn key(&self) -> String {
        key(&self.op, &self.forbidden.code, &self.forbidden.row)
    }
}

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Before first use there is nothing to compare with.
    Reads,
    /// The first line of the journal says what was found.
    Writes,
}

/// Every watched file.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Tasks, approvals, settings, flags.
    pub files: Vec<SeenFile>,
    /// What this machine saw last.
    pub checkpoint: Option<Checkpoint>,
}

impl Seen {
    /// Looks at every watched file. `journal` is asked only where there is no
    /// checkpoint or a file is not as it says.
    ///
    /// # Errors
    /// `failed` where a file cannot be read.
    pub fn look<'j>(
        sys: &Sys,
        layout: &Layout,
        files: &Files,
        checkpoint: Option<Checkpoint>,
        who: Who,
        journal: impl Fn() -> Result<&'j Journal>,
    ) -> Result<Self> {
        let first_use = checkpoint.is_none() && journal()?.is_empty();
        if first_use && who == Who::Reads {
            return Ok(Self::default());
        }
        let mut seen = Vec::with_capacity(4);
        for path in [layout.tasks(), layout.approvals(), layout.settings(), layout.flags(&*sys.fs)]
        {
            let name = layout.display(&path);
            let read = files.named(layout, &path);
            let stat = match read {
                Some(read) => read.map(|r| r.stat.clone()),
                None => sys.fs.stat(&path).ok(),
            };
            // What is no regular file, or too large, is refused where it is needed; reading a
            // pipe would wait for ever.
            let usable =
                |stat: &Stat| stat.kind == FileKind::File && stat.len <= source::MAX_BYTES as u64;
            let stat = stat.filter(usable);
            let known = match &checkpoint {
                Some(checkpoint) => Some(checkpoint.files.get(&name).cloned().unwrap_or_default()),
                None if first_use => None,
                None => Some(Known { sha: journal()?.last_sha(&name), ..Known::default() }),
            };
            let mut file = SeenFile { name, path, stat, sha: None, known, bytes: None };
            if file.stat.is_some() && file.is_marked() {
                file.sha = file.known.as_ref().and_then(|known| known.sha.clone());
            } else if let Some(Some(read)) = read {
                file.sha = Some(sha256_hex(&read.bytes));
            } else if file.stat.is_some() {
                let found = hashed(sys, &file.path)?;
                (file.bytes, file.sha) = found.map_or((None, None), |(b, s)| (Some(b), Some(s)));
            }
            // Lines that came with a merge or a pull may say what stands there.
            if file.differs()
                && checkpoint.is_some()
                && let Some(sha) = journal()?.last_sha(&file.name)
                && Some(&sha) == file.sha.as_ref()
            {
                file.known = Some(Known { sha: Some(sha), ..Known::default() });
            }
            seen.push(file);
        }
        Ok(Self { files: seen, checkpoint })
    }

    /// One of the files.
    pub fn file(&self, name: &str) -> Option<&SeenFile> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Whether any differs.
    pub fn differs(&self) -> bool {
        self.files.iter().any(SeenFile::differs)
    }
}

/// The text that the newest operation left, made from the base; none where it
/// can no longer be known.
pub fn former(
    sys: &Sys,
    layout: &Layout,
    file: &SeenFile,
    journal: &Journal,
) -> Result<Option<String>> {
    let Some(known) = &file.known else { return Ok(None) };
    let Some(sha) = &known.sha else { return Ok(Some(String::new())) };
    let path = layout.base(&file.name);
    if look(sys, &path).ok().flatten().is_none() {
        return Ok(None);
    }
    let Some((bytes, found)) = hashed(sys, &path)? else { return Ok(None) };
    let Ok(text) = String::from_utf8(bytes) else { return Ok(None) };
    if &found == sha {
        return Ok(Some(text));
    }
    let Some(entry) = known.op.as_ref().and_then(|op| journal.find(op)) else { return Ok(None) };
    let kind = kind_of(&file.name);
    let rows: Vec<_> = entry.changes.into_iter().filter(|c| c.file == file.name).collect();
    let texts: Vec<_> = entry.texts.into_iter().filter(|c| c.file == file.name).collect();
    let after = patch::apply(kind, &text, &rows, &texts, Way::Forward).ok();
    Ok(after.filter(|after| sha256_hex(after.as_bytes()) == *sha))
}

/// Which ledger a file is; anything but APPROVALS.md is one of tasks.
pub fn kind_of(name: &str) -> Kind {
    if name.ends_with("/APPROVALS.md") { Kind::Approvals } else { Kind::Tasks }
}
