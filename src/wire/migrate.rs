//! Migrations in answers: `ledger.migrate`, `ledger.rollback`.

use crate::wire::change::Op;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What `migrate` answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Migrated {
    /// What was read.
    pub sources: Vec<Source>,
    /// What each field became.
    pub mappings: Vec<Mapping>,
    /// Words that were read as others.
    pub words: Vec<Word>,
    /// Values that stay as they are written.
    pub kept: Vec<Kept>,
    /// What stays text.
    pub left: Vec<Left>,
    /// Columns that a ledger got, by its path.
    pub columns: BTreeMap<String, Vec<String>>,
    /// Ledgers that got a table.
    pub tables: Vec<String>,
    /// How many tasks came.
    pub tasks: usize,
    /// How many of each state.
    pub states: BTreeMap<String, usize>,
    /// How many approvals came.
    pub approvals: usize,
    /// How many of each status.
    pub statuses: BTreeMap<String, usize>,
    /// How many of them have a detail section.
    pub details: usize,
    /// What `check` says of the new ledgers: how many findings of each code.
    pub findings: BTreeMap<String, usize>,
    /// The backup's folder; `null` where nothing changes.
    pub backup: Option<String>,
    /// The report for people, in it.
    pub report: Option<String>,
    /// Whether all of it was there already.
    pub already: bool,
    /// The operation; `null` where nothing was written.
    pub op: Option<Op>,
    /// `--dry-run`: the unified diff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// The file.
    pub name: String,
    /// Whether it is a ledger of this workspace, turned in place.
    pub own: bool,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// How many tasks and approvals are in it, by `headings`, `table`,
    /// `checkboxes` or `board`.
    pub forms: BTreeMap<String, usize>,
    /// How many of them are there already with the same values.
    pub same: usize,
}

/// What a field became.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mapping {
    /// As it is written.
    pub field: String,
    /// `column`, `attribute` or `detail`.
    pub target: String,
    /// The column's or attribute's name.
    pub name: Option<String>,
    /// How often.
    pub count: usize,
}

/// A word that was read as another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Word {
    /// The column or attribute.
    pub name: String,
    /// As it is written.
    pub from: String,
    /// As it is now.
    pub to: String,
    /// How often.
    pub count: usize,
}

/// A value that stays as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Kept {
    /// The file.
    pub file: String,
    /// Where the task begins in it.
    pub line: usize,
    /// The task or approval.
    pub id: String,
    /// The field.
    pub field: String,
    /// Why.
    pub reason: String,
}

/// What stays text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Left {
    /// The file.
    pub file: String,
    /// Where it begins.
    pub line: usize,
    /// How many tasks it may be.
    pub count: usize,
    /// Why.
    pub reason: String,
}

/// What `migrate --rollback` answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RolledBack {
    /// The operation that was the migration.
    pub migration: String,
    /// Files that have their former bytes again.
    pub files: Vec<Restored>,
    /// The backup's folder, which stays.
    pub backup: String,
    /// Whether it was rolled back before.
    pub already: bool,
    /// The operation; `null` where nothing was written.
    pub op: Option<Op>,
    /// `--dry-run`: the unified diff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// A file with its former bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Restored {
    /// Its path from the workspace root.
    pub file: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
}
