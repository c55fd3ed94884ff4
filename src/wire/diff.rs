//! The answer of `diff`: what differs between two moments of the ledgers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `diff`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerDiff {
    /// Tasks, then approvals, then flags.
    pub changes: Vec<Change>,
    /// How many there are.
    pub total: usize,
    /// How many are given.
    pub returned: usize,
    /// Whether some are left out.
    pub truncated: bool,
    /// The older moment.
    pub from: Moment,
    /// The newer moment.
    pub to: Moment,
    /// Files that are new or gone.
    pub files: Vec<File>,
    /// Lines that are no rows, and differ.
    pub texts: Vec<Text>,
    /// Files in which only blanks, borders or the order of rows differ.
    pub respelled: Vec<String>,
}

/// One side of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Moment {
    /// The revision as it was typed; `null` for the files as they are now.
    pub rev: Option<String>,
    /// The commit; `null` for now, before the first commit, and for a tree that
    /// is no commit's.
    pub commit: Option<String>,
}

/// What happened to a row or a flag.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Where it stands, or stood if it is gone, by its path from the workspace
    /// root.
    pub file: String,
    /// added, removed, changed, archived or restored.
    pub kind: String,
    /// The id of the task or approval, or the flag's name.
    pub id: String,
    /// The task's title, the approval's operation.
    pub title: Option<String>,
    /// The task that an approval is about.
    pub task: Option<String>,
    /// Column to value before and after; of a flag the column is `value`, and
    /// `detail` is the text of a task's detail section.
    pub cells: BTreeMap<String, Cell>,
}

/// A value before and after; empty is `null`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cell {
    /// What stood there.
    pub from: Option<String>,
    /// What stands there.
    pub to: Option<String>,
}

/// A file that is new or gone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct File {
    /// Its path from the workspace root.
    pub file: String,
    /// added or removed.
    pub kind: String,
}

/// Lines that are no rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Text {
    /// The file, by its path from the workspace root.
    pub file: String,
    /// The first line after the change, counted from 1.
    pub line: usize,
    /// How many lines are gone.
    pub removed: usize,
    /// How many lines are new.
    pub added: usize,
}
