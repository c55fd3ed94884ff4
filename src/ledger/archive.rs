//! Rows that move between the ledger and an archive, byte for byte where both
//! have the same columns.

use crate::error::Result;
use crate::ledger::cell::encoded;
use crate::ledger::edit::Edits;
use crate::ledger::row::{insert_lines, remove_row, set_cells};
use crate::ledger::source;
use crate::ledger::task_row::add_task;
use crate::ledger::tasks::{RowId, TaskLedger};
use crate::model::field::TaskField;
use crate::model::operation::{CellChange, Column};

/// An archive with rows of one table of the ledger appended, byte for byte, to
/// its table with the same columns, else to a new one.
pub(super) fn append_to_archive(
    ledger: &TaskLedger<'_>,
    table: usize,
    rows: &[RowId],
    year: i32,
    archive: String,
) -> Result<String> {
    let grid = ledger.grid();
    let table = &grid.tables[table];
    let lines: Vec<&str> = rows.iter().map(|r| &grid.text()[ledger.row(*r).span.range()]).collect();
    let headers = grid.headers(table);
    let there = TaskLedger::parse_any(&archive, "archive");
    let same = there.grid().tables.iter().find(|t| there.grid().headers(t) == headers);
    if let Some(same) = same {
        let mut edits = Edits::new();
        insert_lines(there.grid(), same, &lines, &mut edits)?;
        return Ok(edits.apply(&archive));
    }
    let ending = source::line_ending_near(grid.text(), table.header.span.range().start);
    let mut out = archive;
    if out.is_empty() {
        out = format!("# Archive {year}{ending}");
    } else if !out.ends_with('\n') {
        out.push_str(ending);
    }
    let head = [&table.header, &table.delimiter].map(|row| &grid.text()[row.span.range()]);
    for part in [""].into_iter().chain(head).chain(lines) {
        out.push_str(part);
        out.push_str(ending);
    }
    Ok(out)
}

/// Takes a row out of an archive and puts it back, with some cells changed.
/// Gives the archive without it.
pub(super) fn unarchive(
    ledger: &TaskLedger<'_>,
    id: &str,
    archive: &str,
    changes: &[CellChange],
    edits: &mut Edits,
) -> Result<String> {
    let there = TaskLedger::parse_any(archive, "archive");
    let row = there.find(id)?;
    let r = there.row(row);
    let grid = ledger.grid();
    let mut removal = Edits::new();
    remove_row(archive, r, &mut removal)?;
    let source_headers = there.grid().headers(&there.grid().tables[r.table as usize]);
    let same = grid.tables.iter().position(|t| grid.headers(t) == source_headers);
    if let Some(table) = same {
        let mut changed = Edits::new();
        let mut sets = Vec::new();
        for change in changes {
            if let Some(column) = there.column_of(row, &change.column) {
                sets.push((column, encoded(change)?));
            }
        }
        set_cells(there.grid(), row.0, &sets, &mut changed)?;
        let after = changed.apply(archive);
        let grown = after.len().cast_signed() - archive.len().cast_signed();
        let span = r.span.range();
        let line = &after[span.start..span.end.wrapping_add_signed(grown)];
        insert_lines(grid, &grid.tables[table], &[line], edits)?;
        return Ok(removal.apply(archive));
    }
    // Other columns today: map by name; what has no column goes to the notes.
    let task = there.task(row);
    let mut cells: Vec<CellChange> = TaskField::ALL
        .into_iter()
        .filter(|field| *field != TaskField::TaskId)
        .filter_map(|field| there.cell(row, field).map(|v| CellChange::set(field, v)))
        .collect();
    for (name, value) in &task.extra {
        let Some(value) = value else { continue };
        let column = Column::Extra((*name).to_owned());
        if ledger.column_in(0, &column).is_some() {
            cells.push(CellChange::set(column, value.as_ref()));
        } else if let Some(notes) = cells.iter_mut().find(|c| c.column == TaskField::Notes.into()) {
            notes.value = notes.value.as_ref().map(|n| format!("{n}・{name}: {value}"));
        } else {
            cells.push(CellChange::set(TaskField::Notes, format!("{name}: {value}")));
        }
    }
    for change in changes {
        cells.retain(|c| c.column != change.column);
        cells.push(change.clone());
    }
    add_task(ledger, id, &cells, edits)?;
    Ok(removal.apply(archive))
}
