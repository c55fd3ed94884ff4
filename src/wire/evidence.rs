//! The answers of `evidence`.

use crate::model;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `evidence show`
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceShown {
    /// The evidence.
    pub evidence: Evidence,
}

/// An evidence file.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The approval that names it.
    pub appr_id: String,
    /// The task of that approval.
    pub task_id: Option<String>,
    /// The file from the workspace's root, with `/`.
    pub path: String,
    /// SHA-256 of the whole file: what `approve --sha` takes the beginning of.
    pub sha256: String,
    /// SHA-256 of the diff in it; `null` where it is no file that `orch` wrote.
    pub diff_sha256: Option<String>,
    /// The commit that the diff is against, where there is one.
    pub base: Option<String>,
    /// The work tree that the diff was read from.
    pub worktree: Option<String>,
    /// The files that the diff changes.
    pub files: Vec<EvidenceFile>,
    /// The diff, which `git apply` takes.
    pub diff: Option<String>,
    /// The whole text of a file that `orch` did not write; bytes that are not
    /// UTF-8 are replaced.
    pub text: Option<String>,
}

/// A file that a diff changes.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceFile {
    /// From the top of its repository, with `/`.
    pub path: String,
    /// Lines that come.
    pub added: u64,
    /// Lines that go.
    pub removed: u64,
    /// SHA-256 of the file after the change, where it is known.
    pub sha256: Option<String>,
    /// Whether the change takes it away.
    pub deleted: bool,
}

impl From<model::evidence::ListedFile> for EvidenceFile {
    fn from(file: model::evidence::ListedFile) -> Self {
        Self {
            path: file.path,
            added: file.added,
            removed: file.removed,
            sha256: file.sha256,
            deleted: file.deleted,
        }
    }
}

/// `evidence verify`
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceList {
    /// The evidence of each approval that was asked for.
    pub evidence: Vec<Verified>,
    /// How many there are.
    pub total: usize,
    /// How many are given.
    pub returned: usize,
    /// Whether some are left out.
    pub truncated: bool,
}

/// Evidence, as it was found.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// The approval that names it.
    pub appr_id: String,
    /// The file from the workspace's root; the cell where that is no path.
    pub path: String,
    /// ok, altered, missing, unsafe, or unrecorded: the journal does not know it
    /// yet.
    pub status: String,
    /// SHA-256 of the whole file as it is.
    pub sha256: Option<String>,
    /// SHA-256 that the journal has of it.
    pub expected: Option<String>,
    /// What is wrong, in words.
    pub reason: Option<String>,
}

/// `evidence apply`
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceApplied {
    /// The approval.
    pub appr_id: String,
    /// Its evidence, from the workspace's root.
    pub path: String,
    /// SHA-256 of the whole evidence file.
    pub sha256: String,
    /// The top of the work tree.
    pub worktree: String,
    /// The files that the change touches, from there.
    pub files: Vec<String>,
    /// Whether it was only looked at.
    pub check: bool,
    /// Whether the change was taken back.
    pub reverse: bool,
    /// Whether the work tree was so already.
    pub already: bool,
}
