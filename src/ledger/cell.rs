//! How a value is spelled in a cell.
//!
//! Here: escapes, padding, what an empty cell looks like. Not here: which cells
//! change (`render`), whole rows (`row`). Invariant: what [`encode`] accepts
//! reads back as it was given.

use crate::error::{Error, Result};
use crate::ledger::table::{Align, Grid, Table, is_empty_value, trim};
use crate::model::operation::{CellChange, Column};
use crate::model::value::{refused_char, refused_kind};
use unicode_width::UnicodeWidthStr;

/// A value as a cell spells it: `\|` for a pipe, `<br>` for a newline where
/// the column takes one.
///
/// # Errors
/// `Usage`, with the code point, for a character that no cell takes.
pub fn encode(name: &str, takes_lines: bool, value: &str) -> Result<String> {
    let value = value.replace("\r\n", "\n");
    let value = trim(value.trim_end_matches('\n'));
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '|' => out.push_str("\\|"),
            '\n' if takes_lines => out.push_str("<br>"),
            '\n' => {
                return Err(Error::usage(format!(
                    "`{name}` takes one line, but the value has a line break (U+000A)"
                )));
            }
            c => out.push(c),
        }
    }
    if let Some(c) = refused_char(&out) {
        return Err(Error::usage(format!(
            "the value for `{name}` holds U+{:04X}, {}; a ledger must look like what it says",
            c as u32,
            refused_kind(c)
        )));
    }
    Ok(out)
}

pub(super) fn takes_lines(column: &Column) -> bool {
    matches!(column, Column::Known(field) if field.takes_lines())
}

pub(super) fn column_name(column: &Column) -> &str {
    match column {
        Column::Known(field) => field.name(),
        Column::Extra(name) => name,
    }
}

/// The encoded value of a change; `None` to clear.
pub(super) fn encoded(change: &CellChange) -> Result<Option<String>> {
    let Some(value) = &change.value else { return Ok(None) };
    let text = encode(column_name(&change.column), takes_lines(&change.column), value)?;
    Ok((!is_empty_value(&text)).then_some(text))
}

/// What the nearest other empty cell of the column uses, else `-`.
pub(super) fn empty_spelling<'a>(
    grid: &Grid<'a>,
    table: &Table,
    index: usize,
    column: usize,
) -> &'a str {
    let rows = &table.rows;
    let reach = (index.saturating_sub(rows.start)).max(rows.end.saturating_sub(index));
    for distance in 1..=reach {
        let above = index.checked_sub(distance).filter(|i| *i >= rows.start);
        let below = Some(index + distance).filter(|i| *i < rows.end);
        for i in [above, below].into_iter().flatten() {
            let row = &grid.rows[i];
            let text = grid.trimmed(row, column);
            if column < row.len() && is_empty_value(text) {
                return text;
            }
        }
    }
    "-"
}

/// A cell's new spelling: the cell keeps its width where the value fits, else
/// it has one blank each side. Widths are display columns (UAX #11).
pub(super) fn fit(raw: &str, value: &str, align: Align) -> String {
    let old = trim(raw);
    let (before, after) = if old.is_empty() {
        // An all-blank cell: one blank in front, the rest behind.
        let lead = raw.len().min(1);
        (lead, raw.len() - lead)
    } else {
        let before = raw.len() - raw.trim_start_matches([' ', '\t']).len();
        (before, raw.len() - raw.trim_end_matches([' ', '\t']).len())
    };
    let width = raw.width();
    let needed = value.width();
    let pad = usize::from(before > 0) + usize::from(after > 0);
    if needed + pad > width || (value.ends_with('\\') && after == 0) {
        return if value.is_empty() { " ".to_owned() } else { format!(" {value} ") };
    }
    let free = width - needed;
    let lead = match align {
        Align::Left => before.min(free - usize::from(after > 0)),
        Align::Right => free - after.min(free - usize::from(before > 0)),
        Align::Center => free / 2,
    };
    format!("{}{value}{}", " ".repeat(lead), " ".repeat(free - lead))
}

pub(super) fn overlap() -> Error {
    Error::usage("two changes of one command meet in one cell; give each cell one value")
}
