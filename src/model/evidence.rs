//! What an evidence file says of a change, apart from the change itself.
//!
//! Here: the front matter and how large such a file may be. Not here: the file's
//! text (`ledger::evidence`), the diff in it (`ledger::git_diff`), what a cell of
//! the ledger names (`evidence_path`). Invariant: content hashes are SHA-256, 64
//! lower-case hexadecimal digits.

/// The most bytes an evidence file may have.
pub const MAX_BYTES: u64 = 64 << 20;

/// The front matter of an evidence file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Front {
    /// The approval that it was made for.
    pub appr_id: String,
    /// The task of that approval.
    pub task_id: String,
    /// What is to be approved.
    pub op: String,
    /// The actor who asked, and the author of the evidence.
    pub requested_by: String,
    /// When, as the ledger spells times.
    pub ts_req: String,
    /// The commit that the diff is against; none before the first commit, and
    /// for a patch that fits none that is known.
    pub base: Option<String>,
    /// The work tree that the diff was read from, as an absolute path; none for
    /// a patch that somebody handed in.
    pub worktree: Option<String>,
    /// The files that change, in the order of the diff.
    pub files: Vec<ListedFile>,
    /// Of the diff: the bytes between the fence lines, final newline included.
    pub sha256: String,
}

/// A file that the diff changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListedFile {
    /// From the top of its repository, with `/`.
    pub path: String,
    /// Lines that come.
    pub added: u64,
    /// Lines that go.
    pub removed: u64,
    /// Of the file after the change; none where it is deleted, or where a patch
    /// was handed in that has not been applied to anything known.
    pub sha256: Option<String>,
    /// Whether the change takes the file away.
    pub deleted: bool,
}
