//! Edits of whole rows: setting cells, inserting and removing lines.
//!
//! Invariant: an edit of cells lies inside them or at the row's end; an insert
//! adds whole lines in the style of the row above.

use crate::error::{Error, Result};
use crate::ledger::cell::{empty_spelling, fit, overlap};
use crate::ledger::edit::Edits;
use crate::ledger::source;
use crate::ledger::table::{Grid, Row, Table, is_empty_value, trim};
use std::collections::BTreeMap;
use unicode_width::UnicodeWidthStr;

/// A table that has no place for what a command must write. `kind` is what the
/// table holds.
pub(super) fn missing_column(
    grid: &Grid<'_>,
    path: &str,
    table: usize,
    kind: &str,
    column: &str,
) -> Error {
    let (line, at) = grid.place(&grid.tables[table].header);
    Error::invalid(format!(
        "the {kind} table has no column `{column}`, which this command must write; add it to the \
         header and the delimiter row, or let `orch migrate` do it"
    ))
    .at(path, line, at)
    .hint("orch migrate --dry-run")
}

/// A row whose cells would be guesswork.
pub(super) fn unclear_row(path: &str, (line, column): (usize, usize)) -> Error {
    Error::invalid(
        "Markdown splits this row otherwise than it looks; write `\\|` for a pipe inside a cell",
    )
    .at(path, line, column)
    .hint("orch doctor")
}

/// Sets cells of one row: existing cells in place, missing ones at its end.
pub(super) fn set_cells(
    grid: &Grid<'_>,
    index: usize,
    sets: &[(usize, Option<String>)],
    edits: &mut Edits,
) -> Result<()> {
    let row = &grid.rows[index];
    let table = &grid.tables[row.table as usize];
    let mut missing: BTreeMap<usize, Option<&str>> = BTreeMap::new();
    for (column, value) in sets {
        let Some(span) = grid.span(row, *column) else {
            missing.insert(*column, value.as_deref());
            continue;
        };
        let raw = grid.raw(row, *column);
        if trim(raw) == value.as_deref().unwrap_or_default()
            || (value.is_none() && is_empty_value(trim(raw)))
        {
            continue;
        }
        let value = match value {
            Some(value) => value.as_str(),
            None => empty_spelling(grid, table, index, *column),
        };
        let by = fit(raw, value, grid.align(table, *column));
        edits.replace(grid.text(), span, by).map_err(|_| overlap())?;
    }
    if missing.values().all(Option::is_none) {
        return Ok(());
    }
    let last = missing.keys().next_back().copied().unwrap_or_default();
    let mut tail = String::new();
    let raw_last = row.len().checked_sub(1).map_or("", |c| grid.raw(row, c));
    if !row.closes {
        tail.push_str(if raw_last.ends_with(' ') || raw_last.is_empty() { "|" } else { " |" });
    }
    for column in row.len()..=last {
        let value = missing.get(&column).copied().flatten();
        let value = value.unwrap_or_else(|| empty_spelling(grid, table, index, column));
        tail.push_str(&format!(" {value} |"));
    }
    let end = row.span.range().end;
    edits.replace(grid.text(), end..end, tail).map_err(|_| overlap())
}

/// Inserts a row after the last row of a table, in the style of the row above.
pub(super) fn insert_row(
    grid: &Grid<'_>,
    table: usize,
    values: &[Option<String>],
    edits: &mut Edits,
) -> Result<()> {
    let table = &grid.tables[table];
    let line = new_row(grid, table, values);
    insert_lines(grid, table, &[&line], edits)
}

pub(super) fn last_row<'g>(grid: &'g Grid<'_>, table: &'g Table) -> &'g Row {
    table.rows.clone().next_back().map_or(&table.delimiter, |i| &grid.rows[i])
}

pub(super) fn insert_lines(
    grid: &Grid<'_>,
    table: &Table,
    lines: &[&str],
    edits: &mut Edits,
) -> Result<()> {
    insert_after(grid, last_row(grid, table), lines, edits)
}

/// Inserts lines behind a row, with its line end and its prefix.
pub(super) fn insert_after(
    grid: &Grid<'_>,
    above: &Row,
    lines: &[&str],
    edits: &mut Edits,
) -> Result<()> {
    let text = grid.text();
    let end = source::line_end(text, above.span.range().end);
    let ending = source::line_ending_near(text, above.span.range().start);
    let prefix = grid.prefix(above);
    let mut inserted = String::new();
    for line in lines {
        for part in [ending, prefix, line] {
            inserted.push_str(part);
        }
    }
    edits.replace(text, end..end, inserted).map_err(|_| overlap())
}

/// Spells a row. A column that the rows above keep as wide as its header is
/// aligned, and stays so; elsewhere a cell has the blanks that the cell above has.
pub(super) fn new_row(grid: &Grid<'_>, table: &Table, values: &[Option<String>]) -> String {
    let above = last_row(grid, table);
    let is_delimiter = table.rows.is_empty();
    // A detached row must have both pipes; so must a row whose first value
    // would otherwise begin a list, a quote or a heading.
    let plain = values.first().is_some_and(|v| v.as_deref().is_some_and(begins_as_text));
    let opens = table.header.opens || above.opens || !plain;
    let closes = table.header.closes || above.closes;
    // Without a blank in the row above there is none in this one.
    let tight = !is_delimiter
        && (0..above.len()).all(|c| trim(grid.raw(above, c)).len() == grid.raw(above, c).len());
    let mut line = String::new();
    if opens {
        line.push('|');
    }
    for (column, value) in values.iter().enumerate() {
        if column > 0 {
            line.push('|');
        }
        let value = match value {
            Some(value) => value.as_str(),
            None => empty_spelling(grid, table, table.rows.end, column),
        };
        let header = grid.raw(&table.header, column);
        let aligned = !tight && is_aligned(grid, table, column);
        if aligned {
            line.push_str(&fit(header, value, grid.align(table, column)));
        } else if tight && !value.ends_with('\\') {
            line.push_str(value);
        } else {
            line.push(' ');
            line.push_str(value);
            if !value.is_empty() {
                line.push(' ');
            }
        }
    }
    if closes {
        line.push('|');
    }
    let line = if opens { &line } else { line.trim_start_matches(' ') };
    let line = if closes { line } else { line.trim_end_matches(' ') };
    line.to_owned()
}

/// How many rows are asked whether their table is aligned.
const ASKED: usize = 16;

/// Whether a column is padded to its header's width. The nearest row that can
/// tell decides: one with blanks to spare says yes, a narrower cell says no, a
/// wider one or a chance fit says nothing. Without such a row the delimiter does.
fn is_aligned(grid: &Grid<'_>, table: &Table, column: usize) -> bool {
    let width = grid.raw(&table.header, column).width();
    for row in table.rows.clone().rev().take(ASKED).map(|i| &grid.rows[i]) {
        let raw = grid.raw(row, column);
        if column >= row.len() || raw.width() > width {
            continue;
        }
        if raw.width() < width {
            return false;
        }
        if raw.len() - trim(raw).len() > 2 {
            return true;
        }
    }
    let fits = |row: &Row| column < row.len() && grid.raw(row, column).width() == width;
    fits(last_row(grid, table)) || (table.rows.is_empty() && fits(&table.delimiter))
}

/// Whether a line that begins with this value begins no other block than text.
pub(super) fn begins_as_text(value: &str) -> bool {
    let rest = value.trim_start_matches(|c: char| c.is_ascii_digit());
    match rest.chars().next() {
        Some(c) if rest.len() == value.len() => c.is_alphabetic(),
        Some(c) => !matches!(c, '.' | ')'),
        None => !value.is_empty(),
    }
}

/// Removes a row's whole line.
pub(super) fn remove_row(text: &str, row: &Row, edits: &mut Edits) -> Result<()> {
    let start = source::line_start(text, row.span.range().start);
    let end = source::next_line(text, row.span.range().end);
    edits.replace(text, start..end, "").map_err(|_| overlap())
}
