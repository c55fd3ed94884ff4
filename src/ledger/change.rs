//! What an operation did to a ledger, precise enough to do it again or back.
//!
//! Here: the shape, which is also how the journal spells it. Not here: finding
//! the changes between two texts (`ledger::compare`) and making them in a third
//! (`ledger::patch`). Invariant: cells are as spelled, blanks included, so that
//! taking a change back brings the former bytes.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What happened to one row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowChange {
    /// The file, by its path from the workspace root.
    pub file: String,
    /// insert, set or remove.
    pub kind: RowChangeKind,
    /// The row's id.
    pub row: String,
    /// Column to cell before and after, as spelled, blanks included.
    pub cells: BTreeMap<String, (String, String)>,
    /// The whole line, without its end, of a row that is inserted or removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// The row above an inserted or removed one; none for the first of a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<String>,
    /// Which ledger table of the file an inserted or removed row is of, counted
    /// from 0.
    #[serde(default, skip_serializing_if = "is_first")]
    pub table: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_first(table: &u32) -> bool {
    *table == 0
}

/// A change of lines that are no ledger rows. Lines have their ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextChange {
    /// The file, by its path from the workspace root.
    pub file: String,
    /// The number of the first line after the change, counted from 1.
    pub at: usize,
    /// The lines that were there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub before: String,
    /// The lines that are there now.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub after: String,
    /// The line above, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<String>,
    /// The line below, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<String>,
}

/// What happened to a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowChangeKind {
    /// It is new.
    Insert,
    /// Cells of it changed.
    #[default]
    Set,
    /// It is gone.
    Remove,
}
