//! Making an operation's changes in a text, or taking them back.
//!
//! Here: recovery makes them, undo takes them back, both on a text that others
//! may have edited since. Not here: whose right that is (`services::undo`).
//! Invariant: a cell, row or line is only replaced where it still is what the
//! change found or left there; anything else is a [`Clash`] and no text.

use crate::ledger::change::{RowChange, RowChangeKind, TextChange};
use crate::ledger::compare::value;
use crate::ledger::document::{Document, Kind};
use crate::ledger::edit::Edits;
use crate::ledger::row::{insert_after, remove_row, set_cells};
use crate::ledger::source;
use crate::ledger::table::Row;
use std::borrow::Cow;
use std::collections::HashMap;

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As it was done.
    Forward,
    /// Back to what was before.
    Back,
}

/// What is no longer as the change left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// The row's id; empty for lines outside of rows.
    pub row: String,
    /// The column; empty where the whole row came or went.
    pub column: String,
    /// What stands there now.
    pub now: String,
}

/// Makes changes in a text, all or none.
///
/// # Errors
/// The first thing that is not as the changes need it.
pub fn apply(
    kind: Kind,
    text: &str,
    rows: &[RowChange],
    texts: &[TextChange],
    way: Way,
) -> Result<String, Clash> {
    let document = Document::parse(kind, text);
    let mut edits = Edits::new();
    let index = document.by_id();
    // Rows that come behind one that only comes now stand where that one does.
    let mut places: HashMap<&str, Place> = HashMap::new();
    for change in rows {
        let at = index.get(change.row.as_str()).copied();
        let comes = match (change.kind, way) {
            (RowChangeKind::Set, _) => {
                let Some(row) = at.flatten() else { return Err(gone(&change.row)) };
                set(&document, row, change, way, &mut edits)?;
                continue;
            }
            (RowChangeKind::Insert, Way::Forward) | (RowChangeKind::Remove, Way::Back) => true,
            (RowChangeKind::Insert, Way::Back) | (RowChangeKind::Remove, Way::Forward) => false,
        };
        match (comes, at) {
            (true, None) => {
                let Some(place) = place(&document, &index, change, &places) else {
                    return Err(gone(&change.row));
                };
                let line = change.line.as_deref().unwrap_or_default();
                insert_after(document.grid(), place.row(&document), &[line], &mut edits)
                    .map_err(|_| gone(&change.row))?;
                places.insert(&change.row, place);
            }
            (false, Some(Some(row))) => {
                let row = &document.grid().rows[row];
                same_cells(&document, row, change)?;
                remove_row(text, row, &mut edits).map_err(|_| gone(&change.row))?;
            }
            (true, Some(Some(row))) => same_cells(&document, &document.grid().rows[row], change)?,
            (false, None) => {}
            (_, Some(None)) => return Err(gone(&change.row)),
        }
    }
    for change in texts {
        lines(text, change, way, &mut edits)?;
    }
    Ok(edits.apply(text))
}

fn gone(row: &str) -> Clash {
    Clash { row: row.to_owned(), column: String::new(), now: String::new() }
}

/// Where a row comes: behind a row, or at the top of a table.
#[derive(Debug, Clone, Copy)]
enum Place {
    Behind(usize),
    Top(usize),
}

impl Place {
    fn row<'d>(self, document: &'d Document<'_>) -> &'d Row {
        match self {
            Self::Behind(row) => &document.grid().rows[row],
            Self::Top(table) => &document.grid().tables[table].delimiter,
        }
    }
}

fn place(
    document: &Document<'_>,
    index: &HashMap<Cow<'_, str>, Option<usize>>,
    change: &RowChange,
    places: &HashMap<&str, Place>,
) -> Option<Place> {
    let tables = document.grid().tables.len();
    let table = (change.table as usize).min(tables.checked_sub(1)?);
    let Some(above) = change.above.as_deref() else { return Some(Place::Top(table)) };
    if let Some(place) = places.get(above) {
        return Some(*place);
    }
    if let Some(row) = index.get(above).copied().flatten() {
        return Some(Place::Behind(row));
    }
    // The row above is gone: at the end, as a new row would be.
    let rows = &document.grid().tables[table].rows;
    Some(rows.clone().next_back().map_or(Place::Top(table), Place::Behind))
}

/// Every cell is what the change left, or what it found.
fn same_cells(document: &Document<'_>, row: &Row, change: &RowChange) -> Result<(), Clash> {
    for (name, (before, after)) in &change.cells {
        let there = if change.kind == RowChangeKind::Insert { after } else { before };
        let now = document.column(row, name).map_or("", |c| document.grid().raw(row, c));
        if value(now) != value(there) {
            return Err(Clash {
                row: change.row.clone(),
                column: name.clone(),
                now: value(now).to_owned(),
            });
        }
    }
    Ok(())
}

fn set(
    document: &Document<'_>,
    index: usize,
    change: &RowChange,
    way: Way,
    edits: &mut Edits,
) -> Result<(), Clash> {
    let grid = document.grid();
    let row = &grid.rows[index];
    let mut missing = Vec::new();
    for (name, (before, after)) in &change.cells {
        let (from, to) = if way == Way::Forward { (before, after) } else { (after, before) };
        let clash = |now: &str| Clash {
            row: change.row.clone(),
            column: name.clone(),
            now: value(now).to_owned(),
        };
        let Some(column) = document.column(row, name) else { return Err(clash("")) };
        let now = grid.raw(row, column);
        let Some(span) = grid.span(row, column) else {
            if value(from).is_empty() {
                missing.push((column, Some(value(to).to_owned()).filter(|v| !v.is_empty())));
                continue;
            }
            return Err(clash(now));
        };
        if now == to || (value(now) == value(to) && now != from) {
            continue;
        }
        if value(now) != value(from) {
            return Err(clash(now));
        }
        let by = if to.is_empty() { " - " } else { to.as_str() };
        edits.replace(grid.text(), span, by).map_err(|_| clash(now))?;
    }
    if !missing.is_empty() {
        set_cells(grid, index, &missing, edits).map_err(|_| gone(&change.row))?;
    }
    if way == Way::Back
        && let Some(line) = &change.line
    {
        whole_line(document, row, line, edits);
    }
    Ok(())
}

/// Where taking cells back leaves a row that says what its former line said,
/// that line comes back whole.
fn whole_line(document: &Document<'_>, row: &Row, line: &str, edits: &mut Edits) {
    let text = document.grid().text();
    let span = row.span.range();
    let mut own = Edits::new();
    for edit in edits.iter().filter(|e| span.contains(&e.span.start) || e.span.start == span.end) {
        let shifted = edit.span.start - span.start..edit.span.end - span.start;
        if own.replace(&text[span.clone()], shifted, edit.text.clone()).is_err() {
            return;
        }
    }
    let says = |line: &str| {
        let cells: Vec<String> = line.split('|').map(|c| value(c).to_owned()).collect();
        let last = cells.iter().rposition(|c| !c.is_empty()).map_or(0, |n| n + 1);
        cells[..last].to_vec()
    };
    if says(&own.apply(&text[span.clone()])) == says(line) {
        edits.remove_within(&span);
        let _ = edits.replace(text, span, line);
    }
}

/// Replaces lines where they stand, nearest to where they stood.
fn lines(text: &str, change: &TextChange, way: Way, edits: &mut Edits) -> Result<(), Clash> {
    let (from, to) = match way {
        Way::Forward => (&change.before, &change.after),
        Way::Back => (&change.after, &change.before),
    };
    let clash = || Clash {
        row: String::new(),
        column: String::new(),
        now: change.above.clone().unwrap_or_default(),
    };
    let mut starts = vec![0];
    while let Some(next) = starts.last().map(|at| source::next_line(text, *at)) {
        if next == *starts.last().unwrap_or(&0) {
            break;
        }
        starts.push(next);
    }
    let fits = |at: usize, strict: bool| {
        text[at..].starts_with(from.as_str())
            && (!strict
                || (change.above.as_deref().is_none_or(|line| text[..at].ends_with(line))
                    && change
                        .below
                        .as_deref()
                        .is_none_or(|line| text[at + from.len()..].starts_with(line))))
    };
    let nearest = |strict: bool| {
        let wanted = change.at - 1;
        (0..starts.len()).filter(|n| fits(starts[*n], strict)).min_by_key(|n| n.abs_diff(wanted))
    };
    let found = nearest(true).or_else(|| if from.is_empty() { None } else { nearest(false) });
    let at = match found {
        Some(line) => starts[line],
        None => return Err(clash()),
    };
    edits.replace(text, at..at + from.len(), to.as_str()).map_err(|_| clash())
}
