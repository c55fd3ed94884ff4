//! What changed between two versions of a ledger: row by row and cell by cell,
//! and line by line outside of rows.
//!
//! Invariant: `patch::apply` of the result to the old text gives the new one,
//! but for padding, for the order of rows, and for rows whose id stands twice
//! or not at all where they share a line change with a table's end.

use crate::ledger::change::{RowChange, RowChangeKind, TextChange};
use crate::ledger::document::Document;
use crate::ledger::source;
use crate::ledger::table::{is_empty_value, trim};
use similar::{Algorithm, DiffOp, capture_diff_slices};
use std::collections::{BTreeMap, BTreeSet};

/// Rows that came, went or have other values, in the order of the new text;
/// rows that went come last. Padding is no change, and neither is one way to
/// spell an empty cell instead of another.
pub fn rows(old: &Document<'_>, new: &Document<'_>, file: &str) -> Vec<RowChange> {
    rows_as(old, new, file, false)
}

/// Everything that changed, padding included. Where no value did, rows are
/// lines like others: their borders may have changed too.
pub fn spelling(
    old: &Document<'_>,
    new: &Document<'_>,
    file: &str,
) -> (Vec<RowChange>, Vec<TextChange>) {
    if rows(old, new, file).is_empty() {
        return (Vec::new(), texts(old, new, file, true));
    }
    (rows_as(old, new, file, true), texts(old, new, file, false))
}

fn rows_as(old: &Document<'_>, new: &Document<'_>, file: &str, spelled: bool) -> Vec<RowChange> {
    let (before, after) = (old.by_id(), new.by_id());
    let mut changes = Vec::new();
    for (index, row) in new.grid().rows.iter().enumerate() {
        let id = new.id(row);
        if after.get(&id).copied().flatten() != Some(index) {
            continue;
        }
        let change = match before.get(&id).copied() {
            None => inserted(new, index),
            Some(None) => continue,
            Some(Some(was)) => {
                let was = &old.grid().rows[was];
                if old.line(was) == new.line(row) {
                    continue;
                }
                let mut change = set(old, was, new, row);
                change.cells.retain(|_, (a, b)| spelled || value(a) != value(b));
                // Only what has no name changed: blanks outside of columns.
                if spelled && change.cells.is_empty() {
                    change.line = Some(old.line(was).to_owned());
                }
                change
            }
        };
        if !change.cells.is_empty() || (spelled && change.line.is_some()) {
            changes.push(RowChange { file: file.to_owned(), row: id.into_owned(), ..change });
        }
    }
    for (index, row) in old.grid().rows.iter().enumerate() {
        let id = old.id(row);
        if before.get(&id).copied().flatten() == Some(index) && !after.contains_key(&id) {
            let change = removed(old, index);
            changes.push(RowChange { file: file.to_owned(), row: id.into_owned(), ..change });
        }
    }
    changes
}

/// A cell's value for comparing: without padding, empty for every empty one.
pub fn value(raw: &str) -> &str {
    let text = trim(raw);
    if is_empty_value(text) { "" } else { text }
}

/// What happened to the rows with these ids, padding included. Rows that come or
/// go are in the order in which they stand, since one may be above the next.
pub fn of_ids(old: &Document<'_>, new: &Document<'_>, ids: &[&str], file: &str) -> Vec<RowChange> {
    let few = ids.len() < 8;
    let (before, after) = if few { Default::default() } else { (old.by_id(), new.by_id()) };
    let find = |document: &Document<'_>, id: &str, index: &std::collections::HashMap<_, _>| {
        if few { document.find(id) } else { index.get(id).copied().flatten() }
    };
    let mut changes: Vec<(usize, RowChange)> = ids
        .iter()
        .filter_map(|id| {
            let (place, change) = match (find(old, id, &before), find(new, id, &after)) {
                (None, None) => return None,
                (None, Some(index)) => (index, inserted(new, index)),
                (Some(index), None) => (index, removed(old, index)),
                (Some(was), Some(is)) => {
                    (is, set(old, &old.grid().rows[was], new, &new.grid().rows[is]))
                }
            };
            Some((place, RowChange { file: file.to_owned(), row: (*id).to_owned(), ..change }))
        })
        .collect();
    if changes.iter().any(|(_, change)| change.kind != RowChangeKind::Set) {
        changes.sort_by_key(|(place, _)| *place);
    }
    changes.into_iter().map(|(_, change)| change).collect()
}

fn inserted(document: &Document<'_>, index: usize) -> RowChange {
    let row = &document.grid().rows[index];
    let cells = document.cells(row).into_iter().filter(|(_, raw)| !raw.is_empty());
    RowChange {
        kind: RowChangeKind::Insert,
        cells: cells.map(|(name, raw)| (name, (String::new(), raw))).collect(),
        line: Some(document.line(row).to_owned()),
        above: document.above(index),
        table: row.table,
        ..RowChange::default()
    }
}

fn removed(document: &Document<'_>, index: usize) -> RowChange {
    let row = &document.grid().rows[index];
    let cells = document.cells(row).into_iter().filter(|(_, raw)| !raw.is_empty());
    RowChange {
        kind: RowChangeKind::Remove,
        cells: cells.map(|(name, raw)| (name, (raw, String::new()))).collect(),
        line: Some(document.line(row).to_owned()),
        above: document.above(index),
        table: row.table,
        ..RowChange::default()
    }
}

fn set(
    old: &Document<'_>,
    was: &crate::ledger::table::Row,
    new: &Document<'_>,
    is: &crate::ledger::table::Row,
) -> RowChange {
    let (before, after) = (old.cells(was), new.cells(is));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let get = |map: &BTreeMap<String, String>, name| map.get(name).cloned().unwrap_or_default();
    let cells = names
        .into_iter()
        .map(|name| (name.clone(), (get(&before, name), get(&after, name))))
        .filter(|(_, (a, b))| a != b)
        .collect();
    // A row that was filled up, or cut, comes back as a whole line.
    let line = (was.len() != is.len()).then(|| old.line(was).to_owned());
    RowChange { kind: RowChangeKind::Set, cells, line, ..RowChange::default() }
}

/// Stands for a run of rows between other lines, so that no change of lines
/// reaches across it.
const ROWS: &str = "\0";

/// Changes of lines that are no rows. With `whole`, rows are lines like others.
pub fn texts(old: &Document<'_>, new: &Document<'_>, file: &str, whole: bool) -> Vec<TextChange> {
    let (before, after) = (Lines::of(old, whole), Lines::of(new, whole));
    let ops = capture_diff_slices(Algorithm::Myers, &before.shown, &after.shown);
    ops.into_iter()
        .filter_map(|op| match op {
            DiffOp::Equal { .. } => None,
            DiffOp::Delete { old_index, old_len, new_index } => {
                Some((old_index..old_index + old_len, new_index..new_index))
            }
            DiffOp::Insert { old_index, new_index, new_len } => {
                Some((old_index..old_index, new_index..new_index + new_len))
            }
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                Some((old_index..old_index + old_len, new_index..new_index + new_len))
            }
        })
        .map(|(was, is)| {
            let all = &after.all;
            let at = after.numbers.get(is.start).copied().unwrap_or(all.len());
            let end = is.end.checked_sub(1).and_then(|last| after.numbers.get(last));
            let end = if is.is_empty() { at } else { end.map_or(at, |last| last + 1) };
            let take = |lines: &[&str]| lines.iter().filter(|l| **l != ROWS).copied().collect();
            TextChange {
                file: file.to_owned(),
                at: at + 1,
                before: take(&before.shown[was]),
                after: take(&after.shown[is]),
                above: at.checked_sub(1).map(|n| all[n].to_owned()),
                below: all.get(end).map(|line| (*line).to_owned()),
            }
        })
        .filter(|change| change.before != change.after)
        .collect()
}

/// The lines of a text, and those of them that are compared.
struct Lines<'a> {
    all: Vec<&'a str>,
    shown: Vec<&'a str>,
    /// Where each shown line stands among all.
    numbers: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(document: &Document<'a>, whole: bool) -> Self {
        let text = document.grid().text();
        let ids = document.by_id();
        let mut rows = document
            .grid()
            .rows
            .iter()
            .enumerate()
            .filter(|(index, row)| !whole && ids.get(&document.id(row)) == Some(&Some(*index)))
            .map(|(_, row)| row.span.range().start)
            .peekable();
        let mut lines = Self { all: Vec::new(), shown: Vec::new(), numbers: Vec::new() };
        let mut at = 0;
        while at < text.len() {
            let end = source::next_line(text, at);
            let line = &text[at..end];
            let is_row = rows.next_if(|start| *start < end).is_some();
            if !is_row || lines.shown.last() != Some(&ROWS) {
                lines.numbers.push(lines.all.len());
                lines.shown.push(if is_row { ROWS } else { line });
            }
            lines.all.push(line);
            at = end;
        }
        lines
    }
}
