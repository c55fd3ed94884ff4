//! Whether evidence is still what was asked for or decided on.
//!
//! The journal has the hash of the whole file, from when it was asked for, first
//! seen or decided on, whichever was last; a file of ours says the hash of its
//! diff and which files that changes. Not here: whether an approval counts
//! (`approvals::force`). Invariant: nothing is written.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::evidence::{self as text, diff_sha256};
use crate::ledger::git_diff;
use crate::model::approval::Approval;
use crate::services::context::Context;
use crate::services::evidence::work_tree::listed;
use crate::services::evidence::{Stored, load};
use crate::store::entry::Subject;
use crate::store::snapshot::Snapshot;

/// How evidence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// As the journal has it.
    Ok,
    /// Another content.
    Altered,
    /// It is gone, or nothing that could be read.
    Missing,
    /// Its path is none that may be read.
    Unsafe,
    /// It is there, and the journal does not know it yet.
    Unrecorded,
}

impl Status {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Altered => "altered",
            Self::Missing => "missing",
            Self::Unsafe => "unsafe",
            Self::Unrecorded => "unrecorded",
        }
    }

    /// The error that it is, if it is one.
    pub const fn error(self) -> Option<ErrorKind> {
        match self {
            Self::Ok | Self::Unrecorded => None,
            Self::Altered | Self::Missing => Some(ErrorKind::Stale),
            Self::Unsafe => Some(ErrorKind::LedgerInvalid),
        }
    }
}

/// The evidence of one approval, looked at.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The approval.
    pub appr_id: String,
    /// The file from the workspace's root; the cell where that is no path.
    pub path: String,
    /// How it stands.
    pub status: Status,
    /// SHA-256 that the journal has of the whole file.
    pub expected: Option<String>,
    /// What is wrong, in words.
    pub why: Option<String>,
    /// The file, where it can be read.
    pub stored: Option<Stored>,
}

impl Verified {
    /// SHA-256 of the whole file as it is.
    pub fn sha(&self) -> Option<&str> {
        self.stored.as_ref().map(|stored| stored.sha.as_str())
    }
}

/// Looks at the evidence of these approvals, or of every one that names any.
///
/// # Errors
/// `not_found` for an approval that is not there or names none; `failed` where
/// a file is there and cannot be read.
pub fn verify(ctx: &Context, snapshot: &Snapshot<'_>, ids: &[String]) -> Result<Vec<Verified>> {
    let ledger = &snapshot.approvals;
    let mut found = Vec::new();
    if ids.is_empty() {
        let subjects = snapshot.journal()?.subjects();
        for approval in ledger.rows().map(|row| ledger.approval(row)) {
            if approval.evidence.is_some() {
                found.push(examine(ctx, &approval, subjects.get(&*approval.id))?);
            }
        }
    }
    for id in ids {
        found.push(one(ctx, snapshot, id)?);
    }
    Ok(found)
}

/// Looks at the evidence of one approval.
///
/// # Errors
/// As [`verify`]; `ledger_invalid` where the id stands twice.
pub fn one(ctx: &Context, snapshot: &Snapshot<'_>, id: &str) -> Result<Verified> {
    let approval = snapshot.approvals.approval(snapshot.approvals.find(id)?);
    if approval.evidence.is_none() {
        return Err(Error::not_found(format!("`{id}` names no evidence")).hint("orch approvals"));
    }
    examine(ctx, &approval, snapshot.journal()?.subject_of(id).as_ref())
}

fn examine(ctx: &Context, approval: &Approval<'_>, known: Option<&Subject>) -> Result<Verified> {
    let cell = approval.evidence.as_deref().unwrap_or_default();
    let mut verified = Verified {
        appr_id: approval.id.clone().into_owned(),
        path: cell.to_owned(),
        status: Status::Ok,
        expected: known.and_then(|subject| subject.sha_for(cell)).map(str::to_owned),
        why: None,
        stored: None,
    };
    let stored = match load(ctx, cell) {
        Ok(stored) => stored,
        Err(error) => {
            verified.status = match error.kind {
                ErrorKind::Stale => Status::Missing,
                ErrorKind::LedgerInvalid => Status::Unsafe,
                _ => return Err(error),
            };
            verified.why = Some(error.message);
            return Ok(verified);
        }
    };
    verified.path.clone_from(&stored.name);
    let name = &stored.name;
    (verified.status, verified.why) = match &verified.expected {
        Some(expected) if *expected != stored.sha => (
            Status::Altered,
            Some(format!("the evidence `{name}` was altered: the journal has another hash of it")),
        ),
        recorded => match contradiction(&stored) {
            Some(why) => (Status::Altered, Some(format!("the evidence `{name}` {why}"))),
            None if recorded.is_none() => (Status::Unrecorded, None),
            None => (Status::Ok, None),
        },
    };
    verified.stored = Some(stored);
    Ok(verified)
}

/// Where a file of ours contradicts itself; what people wrote by hand cannot.
fn contradiction(stored: &Stored) -> Option<&'static str> {
    let whole = std::str::from_utf8(&stored.bytes).ok()?;
    let evidence = text::parse(whole).ok()?;
    if diff_sha256(evidence.diff) != evidence.front.sha256 {
        return Some("holds another diff than its front matter says");
    }
    let Ok(files) = git_diff::parse(evidence.diff) else {
        return Some("holds a diff that cannot be read");
    };
    let mut files = listed(&files, |_| Ok(None)).ok()?;
    let said = evidence.front.files;
    files.retain(|file| {
        !said.iter().any(|said| {
            (&said.path, said.deleted, said.added, said.removed)
                == (&file.path, file.deleted, file.added, file.removed)
        })
    });
    (!files.is_empty()).then_some("does not list every file that its diff changes")
}
