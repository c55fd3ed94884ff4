//! The answer of `check`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `check`
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    /// What was found, by file, line and column.
    pub findings: Vec<CheckFinding>,
    /// How many there are.
    pub total: usize,
    /// How many are given.
    pub returned: usize,
    /// Whether some are left out.
    pub truncated: bool,
}

/// One thing that cannot be relied on.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct CheckFinding {
    /// The rule's code; stable. `orch check --explain CODE` tells about it.
    pub code: String,
    /// note, warning or error.
    pub severity: String,
    /// The file, by its path from the workspace root, or as it was named.
    pub file: String,
    /// 1-based line; `null` where it is about the whole file.
    pub line: Option<usize>,
    /// 1-based column in characters.
    pub column: Option<usize>,
    /// The column behind its last character.
    pub end_column: Option<usize>,
    /// The line; of a very long one what stands around the place.
    pub snippet: Option<String>,
    /// In words.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
    /// The id of the task or approval, or the name of the setting.
    pub row: Option<String>,
    /// Whether CMD accepted it: `--all` shows such findings too.
    pub accepted: bool,
}

/// `check --explain CODE`
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Explained {
    /// The rule's code.
    pub code: String,
    /// note, warning or error.
    pub severity: String,
    /// What it means, in one line.
    pub says: String,
    /// Why it matters.
    pub why: String,
    /// Where it is found.
    pub example: String,
    /// How to mend it.
    pub mend: String,
}
