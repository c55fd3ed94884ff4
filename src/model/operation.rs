//! What a command decided to change, before any text is touched.
//!
//! A closed list: a new kind of change is a new variant, and the compiler
//! names the places to follow. `ledger::render` turns operations into edits.

use crate::model::approval::ApprovalStatus;
use crate::model::field::{ApprovalField, TaskField};
use crate::model::flags::Flag;
use crate::model::handover::Handover;

/// A column of the task table: a known one, or an unknown one by its header.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Column {
    /// A canonical column.
    Known(TaskField),
    /// The column whose header is this text.
    Extra(String),
}

impl From<TaskField> for Column {
    fn from(field: TaskField) -> Self {
        Self::Known(field)
    }
}

/// One cell to set; `None` clears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellChange {
    /// Which column.
    pub column: Column,
    /// The new value, unescaped.
    pub value: Option<String>,
}

impl CellChange {
    /// Sets a cell.
    pub fn set(column: impl Into<Column>, value: impl Into<String>) -> Self {
        Self { column: column.into(), value: Some(value.into()) }
    }

    /// Clears a cell.
    pub fn clear(column: impl Into<Column>) -> Self {
        Self { column: column.into(), value: None }
    }
}

/// Who decided an approval, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The actor.
    pub approver: String,
    /// Its role.
    pub role: &'static str,
    /// When, UTC with seconds.
    pub at: String,
}

/// One change of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A new row after the last row of the first task table.
    AddTask {
        /// Its id.
        id: String,
        /// Its other cells.
        cells: Vec<CellChange>,
    },
    /// Cells of one task. Inverse: the same with the former spelling.
    SetTask {
        /// Which task.
        id: String,
        /// What to set.
        cells: Vec<CellChange>,
    },
    /// The detail section of a task, made where there is none; empty removes
    /// its text but not its heading.
    SetDetail {
        /// Which task.
        id: String,
        /// For the heading of a new section.
        title: String,
        /// The text below the heading.
        text: String,
    },
    /// A handover at the end of a task's detail section, which is made where
    /// there is none.
    AddHandover {
        /// Which task.
        id: String,
        /// For the heading of a new section.
        title: String,
        /// What is left for others.
        handover: Handover,
    },
    /// A closed row moves to `archive/TASKS-<year>.md`.
    Archive {
        /// Which task.
        id: String,
        /// Which archive.
        year: i32,
    },
    /// An archived row moves back to TASKS.md, with some cells changed.
    Unarchive {
        /// Which task.
        id: String,
        /// Which archive.
        year: i32,
        /// What to set on the way.
        cells: Vec<CellChange>,
    },
    /// A new row after the last row of the first approval table, which is made
    /// where there is none.
    AddApproval {
        /// Its id.
        id: String,
        /// Its other cells that are not empty.
        cells: Vec<(ApprovalField, String)>,
    },
    /// The status of one approval, and whose decision that is. Nothing else of
    /// an approval's row ever changes.
    SetApproval {
        /// Which approval.
        id: String,
        /// The new status.
        status: ApprovalStatus,
        /// Who decided; none where nobody did: it was withdrawn or is too old.
        decision: Option<Signature>,
    },
    /// One flag of FLAGS.md, which is made where there is none.
    SetFlag(Flag),
    /// A new file of evidence.
    AddEvidence {
        /// Its path from the workspace root, with `/`.
        path: String,
        /// All of it.
        text: String,
    },
    /// The ledger tables of TASKS.md are aligned.
    FormatTasks,
    /// The ledger tables of APPROVALS.md are aligned.
    FormatApprovals,
}
