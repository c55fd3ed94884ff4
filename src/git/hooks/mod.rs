//! What git runs of ours: setting it up, taking it away, how it stands.
//!
//! ```text
//!   settings of the repository   merge.orch.driver ──▶ orch merge-driver
//!   ORCH/.gitattributes          which files that driver merges
//!   hooks                        pre-commit, pre-merge-commit ──▶ orch check --staged
//!                                post-merge, post-rewrite     ──▶ what now differs
//!                                commit-msg (--trailer)       ──▶ the journal's head
//! ```
//!
//! Here: which of these parts there are and what is done to each. In the folder:
//! how it stands (`status`), what is done (`install`),
//! what git says (`repository`), texts (`script`, `attributes`), files (`place`),
//! what the hooks then do (`running`), what `doctor` says (`health`). Not here:
//! merging (`merge_driver`). Invariant: nothing of somebody else's is lost, and
//! doing it twice is doing it once.

mod attributes;
mod health;
mod install;
mod place;
mod program;
mod repository;
mod running;
mod script;
mod status;

pub use health::examine;
pub use running::{Commit, Held};
pub use status::Setup;

/// A hook that we have something to do in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// Before a commit.
    PreCommit,
    /// Before the commit of a merge without conflicts, which asks nobody else.
    PreMergeCommit,
    /// With the message of a commit.
    CommitMsg,
    /// Behind a merge or a pull.
    PostMerge,
    /// Behind a rebase.
    PostRewrite,
}

impl Hook {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::PreCommit,
        Self::PreMergeCommit,
        Self::PostMerge,
        Self::PostRewrite,
        Self::CommitMsg,
    ];

    /// As git names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PreCommit => "pre-commit",
            Self::PreMergeCommit => "pre-merge-commit",
            Self::CommitMsg => "commit-msg",
            Self::PostMerge => "post-merge",
            Self::PostRewrite => "post-rewrite",
        }
    }

    /// Whether it can stop a commit.
    pub const fn refuses(self) -> bool {
        matches!(self, Self::PreCommit | Self::PreMergeCommit)
    }
}

/// How a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Installed,
    /// Somebody's own hook asks us.
    Called,
    /// Not there.
    Missing,
    /// Of another version.
    Outdated,
    /// Ours, and changed by somebody since.
    Altered,
    /// Somebody else's is in its place.
    Foreign,
    /// The program that it starts is not there.
    Gone,
}

impl State {
    /// One word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Called => "called",
            Self::Missing => "missing",
            Self::Outdated => "outdated",
            Self::Altered => "altered",
            Self::Foreign => "foreign",
            Self::Gone => "gone",
        }
    }

    /// Whether nothing is left to do.
    pub const fn is_whole(self) -> bool {
        matches!(self, Self::Installed | Self::Called)
    }
}

/// What was done to a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Did {
    /// Nothing: it is as it should be, or was not there.
    Kept,
    /// It was not there and is now.
    Made,
    /// Another version of ours, or another value, gave way to it.
    Replaced,
    /// Somebody else's hook was moved aside and runs first.
    Moved,
    /// It was taken away.
    Removed,
    /// It was taken away, and what was there before is back.
    Restored,
    /// It cannot be done here; the part is not ours to touch.
    Left,
}

impl Did {
    /// One word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Made => "made",
            Self::Replaced => "replaced",
            Self::Moved => "moved",
            Self::Removed => "removed",
            Self::Restored => "restored",
            Self::Left => "left",
        }
    }
}

/// A part, how it stands, and what was done to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// `driver`, `attributes`, or a hook's name.
    pub name: &'static str,
    /// How it stands.
    pub state: State,
    /// What was done; none where it was only looked at.
    pub did: Option<Did>,
    /// A setting's key, or a file as people name it.
    pub place: String,
    /// What else there is to say.
    pub detail: Option<String>,
}

impl Part {
    /// Whether nothing is left to do. What only tells is nobody's loss where
    /// somebody else's hook is in its place.
    pub fn is_whole(&self) -> bool {
        let tells = [Hook::PostMerge, Hook::PostRewrite].iter().any(|h| h.name() == self.name);
        self.state.is_whole() || (tells && self.state == State::Foreign)
    }
}

/// What is asked of `install`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools, reason = "three options that are given or not")]
pub struct Wanted {
    /// `--locks`
    pub locks: bool,
    /// `--trailer`
    pub trailer: bool,
    /// `--dry-run`
    pub dry_run: bool,
}
