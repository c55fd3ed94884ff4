//! Diffs as `git diff` and `diff -u` write them, read as `git apply` reads them.
//!
//! Here: every file that a diff touches, its names, modes and lines. Not here:
//! going from line to line (`git_reader`), spelling of names (`git_name`), the file that a diff is kept in (`evidence`),
//! writing one (`unified`). Invariant: nothing that `git apply` would act on is
//! passed over. What is not understood is an error with its line, so that a rule
//! over a [`FileDiff`] speaks of all that would happen.
//!
//! ```text
//!   diff --git a/x b/x                    --- x.orig  2024-05-01 12:00:00 +0000
//!   old mode, new mode, rename from, …    +++ x       2024-05-02 12:00:00 +0000
//!   --- a/x, +++ b/x                      @@ -1,2 +1,3 @@
//!   @@ -1,2 +1,3 @@ or GIT binary patch
//! ```

use super::git_reader::Reader;
use std::fmt;

pub use super::git_name::is_inside;

/// What a diff does to one file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileDiff {
    /// Before: from the top of the repository, with `/`; none for `/dev/null`.
    pub old: Option<String>,
    /// After; none for `/dev/null`.
    pub new: Option<String>,
    /// The mode before, as git writes it (`0o100644`), where the diff says it.
    pub old_mode: Option<u32>,
    /// The mode after, where the diff says it.
    pub new_mode: Option<u32>,
    /// Whether `new` comes from `old`, which goes.
    pub is_rename: bool,
    /// Whether `new` comes from `old`, which stays.
    pub is_copy: bool,
    /// Whether the content is not text to the diff.
    pub is_binary: bool,
    /// The changes, from the top of the file.
    pub hunks: Vec<Hunk>,
}

/// Lines that change together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hunk {
    /// The first line before, from 1; 0 where there is none.
    pub old_start: u64,
    /// The first line after, from 1; 0 where there is none.
    pub new_start: u64,
    /// All lines, in order.
    pub lines: Vec<Line>,
}

/// A line of a hunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What happens to it.
    pub kind: LineKind,
    /// Without the line end; a carriage return is content and stays.
    pub text: String,
    /// Whether the file ends with it, without a line end.
    pub no_newline: bool,
}

/// What happens to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// It stays.
    Context,
    /// It comes.
    Added,
    /// It goes.
    Removed,
}

/// What is no diff, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiffError {
    /// The line of the diff, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for DiffError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for DiffError {}

/// The mode of a symbolic link.
const SYMLINK: u32 = 0o120_000;
/// The mode of a submodule.
pub const SUBMODULE: u32 = 0o160_000;

impl FileDiff {
    /// Lines that come.
    pub fn added(&self) -> u64 {
        self.count(LineKind::Added)
    }

    /// Lines that go.
    pub fn removed(&self) -> u64 {
        self.count(LineKind::Removed)
    }

    fn count(&self, kind: LineKind) -> u64 {
        let lines = self.hunks.iter().flat_map(|hunk| &hunk.lines);
        lines.filter(|line| line.kind == kind).count() as u64
    }

    /// The names before and after, each once.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let new = self.new.as_deref().filter(|new| self.old.as_deref() != Some(*new));
        self.old.as_deref().into_iter().chain(new)
    }

    /// The lines that come, each with its number in the new file.
    pub fn added_lines(&self) -> impl Iterator<Item = (u64, &Line)> {
        self.hunks.iter().flat_map(|hunk| {
            let mut next = hunk.new_start;
            hunk.lines.iter().filter_map(move |line| {
                let at = next;
                next = next.saturating_add(u64::from(line.kind != LineKind::Removed));
                (line.kind == LineKind::Added).then_some((at, line))
            })
        })
    }

    /// Where the file leads after the change, if it is a symbolic link.
    pub fn symlink_target(&self) -> Option<String> {
        if self.new_mode != Some(SYMLINK) || self.hunks.is_empty() {
            return None;
        }
        let lines: Vec<&str> = self.added_lines().map(|(_, line)| line.text.as_str()).collect();
        Some(lines.join("\n"))
    }
}

/// Reads a diff of any number of files.
///
/// # Errors
/// The first line that is no part of one: text around it, `diff --cc`, names
/// that contradict each other, hunks that are cut short.
pub fn parse(diff: &str) -> Result<Vec<FileDiff>, DiffError> {
    Reader::of(diff).files()
}

#[cfg(test)]
#[path = "git_diff_tests.rs"]
mod tests;
