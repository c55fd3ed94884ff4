//! The changes of one row, gathered before they become an operation.
//!
//! Invariant: one value a column, the last one given; notes are appended to
//! what the row will hold, not to what it held.

use crate::error::{Error, Result};
use crate::model::field::TaskField;
use crate::model::operation::{CellChange, Column};
use crate::model::task::Task;
use crate::model::value;

/// A row's changes in the making.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Which task.
    pub id: String,
    notes: String,
    notes_before: String,
    cells: Vec<CellChange>,
}

impl Draft {
    /// Starts from a task as it is.
    pub fn of(task: &Task<'_>) -> Self {
        let notes = task.notes.as_deref().unwrap_or("").to_owned();
        Self {
            id: task.id.clone().into_owned(),
            notes_before: notes.clone(),
            notes,
            cells: Vec::new(),
        }
    }

    /// Starts a new row.
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            notes: String::new(),
            notes_before: String::new(),
            cells: Vec::new(),
        }
    }

    /// Sets or clears a cell.
    pub fn set(&mut self, column: impl Into<Column>, value: Option<String>) {
        let column = column.into();
        if column == Column::Known(TaskField::Notes) {
            self.notes = value.unwrap_or_default();
            return;
        }
        self.cells.retain(|cell| cell.column != column);
        self.cells.push(CellChange { column, value });
    }

    /// Appends to the notes with `・`.
    pub fn note(&mut self, text: &str) {
        let text = text.trim_matches(['\n', ' ']);
        self.notes = value::append(&self.notes, text).into_owned();
    }

    /// Sets or removes an attribute in the notes.
    ///
    /// # Errors
    /// `usage` for a value with a separator in it: it would read back shorter.
    pub fn attribute(&mut self, key: &str, new: Option<&str>) -> Result<()> {
        self.notes = value::with_attribute(&self.notes, key, new);
        match new {
            Some(new) if value::attribute(&self.notes, key) != Some(new) => {
                Err(Error::usage(format!(
                    "`{key}` is kept as a word in `notes`, so `{new}` cannot hold blanks or separators"
                )))
            }
            _ => Ok(()),
        }
    }

    /// Clears the lock cells that are set.
    pub fn unlock(&mut self, task: &Task<'_>) {
        for (field, cell) in [
            (TaskField::Lock, &task.lock),
            (TaskField::LockOwner, &task.lock_owner),
            (TaskField::LockExpiresAt, &task.lock_expires_at),
        ] {
            if cell.is_some() {
                self.set(field, None);
            }
        }
    }

    /// The cells to set.
    pub fn into_cells(mut self) -> Vec<CellChange> {
        if self.notes != self.notes_before {
            let value = (!self.notes.is_empty()).then_some(self.notes);
            self.cells.push(CellChange { column: TaskField::Notes.into(), value });
        }
        self.cells
    }
}
