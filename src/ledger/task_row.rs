//! A task's row: cells by column name, set or written anew.

use crate::error::{Error, Result};
use crate::ledger::cell::{column_name, encoded};
use crate::ledger::edit::Edits;
use crate::ledger::row::{insert_row, missing_column, set_cells, unclear_row};
use crate::ledger::tasks::TaskLedger;
use crate::model::field::TaskField;
use crate::model::operation::{CellChange, Column};

fn missing(ledger: &TaskLedger<'_>, table: usize, column: &Column) -> Error {
    missing_column(ledger.grid(), ledger.path(), table, "task", column_name(column))
}

pub(super) fn set_task(
    ledger: &TaskLedger<'_>,
    id: &str,
    cells: &[CellChange],
    edits: &mut Edits,
) -> Result<()> {
    let row = ledger.find(id)?;
    let mut sets = Vec::with_capacity(cells.len());
    for change in cells {
        let value = encoded(change)?;
        match ledger.column_of(row, &change.column) {
            Some(column) => sets.push((column, value)),
            // An empty cell of a missing column is empty already.
            None if value.is_none() => {}
            None => {
                return Err(missing(ledger, ledger.row(row).table as usize, &change.column));
            }
        }
    }
    let grid = ledger.grid();
    if !grid.cross_check(ledger.row(row)) {
        return Err(unclear_row(ledger.path(), ledger.place(row, TaskField::TaskId)));
    }
    set_cells(grid, row.0, &sets, edits)
}

pub(super) fn add_task(
    ledger: &TaskLedger<'_>,
    id: &str,
    cells: &[CellChange],
    edits: &mut Edits,
) -> Result<()> {
    let grid = ledger.grid();
    let mut values: Vec<Option<String>> = vec![None; grid.tables[0].header.len()];
    let with_id = [CellChange::set(TaskField::TaskId, id)];
    for change in with_id.iter().chain(cells) {
        let value = encoded(change)?;
        match ledger.column_in(0, &change.column) {
            Some(column) => values[column] = value,
            None if value.is_none() => {}
            None => return Err(missing(ledger, 0, &change.column)),
        }
    }
    insert_row(grid, 0, &values, edits)
}
