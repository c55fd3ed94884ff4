//! Laws of changing: what an edit may touch, and that it reads back.

use super::Outcome;
use super::reading::*;
use orch::error::{Error, ErrorKind};
use orch::ledger::approvals::ApprovalLedger;
use orch::ledger::edit::Edits;
use orch::ledger::render::{self, Documents};
use orch::ledger::source;
use orch::ledger::table::{Grid, Row, is_empty_value, trim};
use orch::ledger::tasks::{RowId, TaskLedger};
use orch::model::field::TaskField;
use orch::model::operation::{CellChange, Column, Operation};
use orch::model::value::refused_char;
use std::collections::BTreeMap;
use std::ops::Range;
use unicode_width::UnicodeWidthStr;

/// The value has a character or a line break that is refused.
struct NoCellTakesIt;

/// How a value reads back: trimmed, `<br>` for a line break where the column
/// takes one, `-` and nothing are empty. `None` where no cell takes it.
///
/// Written apart from `render::encode`, which it judges.
fn reads_back(value: &str, takes_lines: bool) -> Result<Option<String>, NoCellTakesIt> {
    let value = value.replace("\r\n", "\n");
    let value = value.trim_end_matches('\n').trim_matches([' ', '\t']);
    if value.contains('\n') && !takes_lines {
        return Err(NoCellTakesIt);
    }
    let value = value.replace('\n', "<br>");
    if refused_char(&value).is_some() {
        return Err(NoCellTakesIt);
    }
    Ok((!value.is_empty() && value != "-").then_some(value))
}

pub(super) fn takes_lines(column: &Column) -> bool {
    matches!(column, Column::Known(TaskField::Title | TaskField::Notes))
}

/// The column at a place of a table, as an operation names it.
pub(super) fn column_at(ledger: &TaskLedger<'_>, table: usize, at: usize) -> Column {
    let known = TaskField::ALL
        .into_iter()
        .find(|field| ledger.column_in(table, &Column::Known(*field)) == Some(at));
    known.map_or_else(
        || {
            let grid = ledger.grid();
            let names = grid.headers(&grid.tables[table]);
            Column::Extra(names[at].to_string())
        },
        Column::Known,
    )
}

pub(super) fn run(
    ledger: &TaskLedger<'_>,
    operations: &[Operation],
) -> Result<Option<String>, Error> {
    let approvals = ApprovalLedger::parse("", "APPROVALS.md").expect("empty is a ledger");
    let documents =
        Documents { tasks: ledger, approvals: &approvals, archives: &BTreeMap::new(), flags: "" };
    let rendered = render::render(&documents, operations)?;
    assert_eq!(rendered.approvals, None);
    assert!(rendered.archives.is_empty());
    Ok(rendered.tasks)
}

pub(super) fn line_count(text: &str) -> usize {
    let mut at = 0;
    let mut lines = 0;
    while at < text.len() {
        at = source::next_line(text, at);
        lines += 1;
    }
    lines
}

/// Whether Markdown may take the row for something else than a row once a cell
/// is changed: it has no leading pipe and the first cell changes, or it begins
/// with a fence that only a backtick further on keeps from being one; or it is
/// detached and nothing but dashes.
pub(super) fn may_be_no_row(ledger: &TaskLedger<'_>, row: RowId, column: usize) -> bool {
    let r = ledger.row(row);
    let dashes = |c: char| matches!(c, '-' | ':' | ' ' | '\t');
    let line = &ledger.grid().text()[r.span.range()];
    (!r.opens && (column == 0 || line.starts_with("```")))
        || (r.detached && ledger.id(row).chars().all(dashes))
}

/// Setting one cell changes the bytes of that cell alone, reads back as the
/// value, and setting the old value back gives the old value.
pub fn a_set_changes_only_its_cell(
    text: &str,
    row_pick: usize,
    column_pick: usize,
    value: &str,
) -> Outcome {
    let Ok(ledger) = TaskLedger::parse(text, "TASKS.md") else { return Outcome::Nothing };
    let grid = ledger.grid();
    let rows: Vec<RowId> = ledger.rows().collect();
    if rows.is_empty() {
        return Outcome::Nothing;
    }
    let row = rows[row_pick % rows.len()];
    let id = ledger.id(row).into_owned();
    let table = ledger.row(row).table as usize;
    let columns = grid.tables[table].header.len();
    let lacking = TaskField::ALL
        .into_iter()
        .map(Column::Known)
        .filter(|column| ledger.column_in(table, column).is_none());
    let names: Vec<Column> =
        (0..columns).map(|at| column_at(&ledger, table, at)).chain(lacking).collect();
    let names: Vec<Column> =
        names.into_iter().filter(|name| *name != TaskField::TaskId.into()).collect();
    let column = names[column_pick % names.len()].clone();
    let expected = reads_back(value, takes_lines(&column));
    let target = ledger.column_of(row, &column);
    let change = CellChange { column: column.clone(), value: Some(value.to_owned()) };
    let operation = Operation::SetTask { id: id.clone(), cells: vec![change] };
    let answer = run(&ledger, std::slice::from_ref(&operation));
    let refusal = |kinds: &[ErrorKind], why: &str| {
        let error = answer.as_ref().expect_err(why);
        assert!(kinds.contains(&error.kind), "{why}, but the error is {error:?}\n{text:?}");
        Outcome::Refused
    };
    if ledger.rows_of(&id).len() > 1 {
        return refusal(&[ErrorKind::LedgerInvalid], "the id stands twice");
    }
    let Ok(expected) = expected else {
        return refusal(&[ErrorKind::Usage], "no cell takes the value");
    };
    if !grid.cross_check(ledger.row(row)) && (target.is_some() || expected.is_none()) {
        assert!(has_odd_blanks(&text[ledger.row(row).span.range()]), "{id}\n{text:?}");
        return refusal(&[ErrorKind::LedgerInvalid], "the parsers split the row otherwise");
    }
    let Some(target) = target else {
        if expected.is_some() {
            return refusal(&[ErrorKind::LedgerInvalid], "the column is missing");
        }
        assert_eq!(answer, Ok(None), "an empty cell of a missing column is empty\n{text:?}");
        return Outcome::Held;
    };
    let old = grid.filled(ledger.row(row), target).map(String::from);
    let new = match answer {
        Ok(Some(new)) => new,
        Ok(None) => {
            assert_eq!(old, expected, "nothing was written, but the value differs\n{text:?}");
            return Outcome::Held;
        }
        Err(error) => {
            assert_eq!(error.kind, ErrorKind::Usage, "{error:?}\n{text:?}");
            assert!(
                may_be_no_row(&ledger, row, target),
                "{error:?} for setting {column:?} of `{id}` to {value:?}\n{text:?}"
            );
            return Outcome::Refused;
        }
    };
    let what =
        format!("setting {column:?} of `{id}` to {value:?}\nbefore {text:?}\nafter  {new:?}");
    assert!(old != expected, "written, but it was so already: {what}");
    only_its_cell(&ledger, row, target, expected.as_deref(), &new, &what);

    let after = TaskLedger::parse(&new, "TASKS.md").expect("still a ledger");
    assert_eq!(after.grid().rows.len(), grid.rows.len(), "{what}");
    assert_eq!(after.id(row), id, "{what}");
    for (i, (then, now)) in grid.rows.iter().zip(&after.grid().rows).enumerate() {
        for c in 0..then.len().max(now.len()) {
            if i == row.0 && c == target {
                continue;
            }
            let (then, now) = (grid.filled(then, c), after.grid().filled(now, c));
            assert_eq!(then, now, "row {i} cell {c} moved: {what}");
        }
    }
    let read = after.grid().filled(after.row(row), target).map(String::from);
    assert_eq!(read, expected, "{what}");

    let change = CellChange { column, value: old.clone() };
    let back = Operation::SetTask { id, cells: vec![change] };
    match run(&after, &[back]) {
        Ok(again) => {
            let again = again.expect("the value differs");
            let again = TaskLedger::parse(&again, "TASKS.md").expect("still a ledger");
            let read = again.grid().filled(again.row(row), target).map(String::from);
            assert_eq!(read, old, "set back: {what}");
        }
        Err(error) => assert!(
            has_odd_blanks(&new[after.row(row).span.range()])
                || old.as_deref().is_some_and(|old| refused_char(old).is_some())
                || may_be_no_row(&after, row, target),
            "setting {old:?} back is refused with {error:?}: {what}"
        ),
    }
    Outcome::Held
}

/// What is outside the cell, or outside the gap at the row's end, is the same
/// bytes; inside, the spelling is the one that the contract names.
pub(super) fn only_its_cell(
    ledger: &TaskLedger<'_>,
    row: RowId,
    target: usize,
    expected: Option<&str>,
    new: &str,
    what: &str,
) {
    let grid = ledger.grid();
    let text = grid.text();
    let r = ledger.row(row);
    let end = r.span.range().end;
    let span = grid.span(r, target);
    let cell = span.clone().unwrap_or(end..end);
    let grown = new.len().checked_sub(text.len() - cell.len()).expect("no byte is lost outside");
    assert_eq!(new.get(..cell.start), text.get(..cell.start), "before the cell: {what}");
    let tail = cell.start + grown;
    assert_eq!(new.get(tail..), text.get(cell.end..), "behind the cell: {what}");
    assert_eq!(line_count(new), line_count(text), "{what}");
    let spelled = &new[cell.start..tail];
    let escaped = expected.map(|value| value.replace('|', "\\|"));
    let nearest = nearest_empty(ledger, row, target);
    let fill = |text: &str| match &escaped {
        Some(escaped) => text == escaped,
        None if nearest.is_empty() => text == "-",
        None => nearest.contains(&text),
    };
    if span.is_none() {
        let added = spelled.trim_start_matches([' ', '|']);
        let added = added.strip_suffix(" |").unwrap_or(added);
        assert!(
            escaped.as_deref().is_none_or(|e| added.ends_with(e)),
            "the row's end reads {spelled:?}: {what}"
        );
        return;
    }
    assert!(fill(trim(spelled)), "the cell reads {spelled:?}: {what}");
    let raw = &text[cell];
    let value = trim(spelled);
    let (front, back) = if trim(raw).is_empty() {
        (!raw.is_empty(), raw.len() > 1)
    } else {
        (raw.starts_with([' ', '\t']), raw.ends_with([' ', '\t']))
    };
    let fits = value.width() + usize::from(front) + usize::from(back) <= raw.width()
        && (back || !value.ends_with('\\'));
    if fits {
        assert_eq!(spelled.width(), raw.width(), "{raw:?} became {spelled:?}: {what}");
    } else if value.is_empty() {
        assert_eq!(spelled, " ", "{what}");
    } else {
        assert_eq!(spelled, format!(" {value} "), "{what}");
    }
}

/// How the nearest other empty cells of a column are spelled: one, or two at
/// the same distance.
pub(super) fn nearest_empty<'a>(
    ledger: &TaskLedger<'a>,
    row: RowId,
    column: usize,
) -> Vec<&'a str> {
    let grid = ledger.grid();
    let table = &grid.tables[ledger.row(row).table as usize];
    let empty = |i: usize| {
        let r = &grid.rows[i];
        let cell = grid.trimmed(r, column);
        (column < r.len() && is_empty_value(cell)).then_some((i.abs_diff(row.0), cell))
    };
    let all: Vec<_> = table.rows.clone().filter(|i| *i != row.0).filter_map(empty).collect();
    let nearest = all.iter().map(|(distance, _)| *distance).min();
    all.iter().filter(|(d, _)| Some(*d) == nearest).map(|(_, cell)| *cell).collect()
}

/// Edits lead to a text and back again, byte for byte. A cut is (start, length,
/// replacement); one that overlaps an earlier one is given back.
pub fn an_edit_inverts(text: &str, cuts: &[(usize, usize, &str)]) -> Outcome {
    let boundary = |at: usize| {
        let at = at % (text.len() + 1);
        (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
    };
    let mut edits = Edits::new();
    let mut taken: Vec<Range<usize>> = Vec::new();
    for (start, length, by) in cuts {
        let start = boundary(*start);
        let end = boundary(start.saturating_add(*length).min(text.len())).max(start);
        let span = start..end;
        if edits.replace(text, span.clone(), *by).is_ok() {
            taken.push(span);
        } else {
            let meets = |other: &Range<usize>| other.start <= span.end && span.start <= other.end;
            assert!(
                taken.iter().any(meets),
                "{span:?} was refused, but meets none of {taken:?}\n{text:?}"
            );
        }
    }
    let changed = edits.apply(text);
    let inverse = edits.inverse(text);
    assert_eq!(inverse.apply(&changed), text, "{edits:?} does not invert\n{changed:?}");
    assert_eq!(inverse.inverse(&changed).apply(text), changed, "{edits:?} does not return");
    let mut at = 0;
    for edit in edits.iter() {
        assert!(edit.span.start >= at && edit.span.end >= edit.span.start, "{edits:?}");
        at = edit.span.end;
    }
    if edits.is_empty() { Outcome::Nothing } else { Outcome::Held }
}

/// A new task is one new line, right behind the last row of the first table.
/// A value is (which column, its text); of two for one column the last counts.
pub fn an_added_row_is_one_line(text: &str, id: &str, values: &[(usize, &str)]) -> Outcome {
    let Ok(ledger) = TaskLedger::parse(text, "TASKS.md") else { return Outcome::Nothing };
    let grid = ledger.grid();
    let table = &grid.tables[0];
    let columns = table.header.len();
    let mut picked: BTreeMap<usize, &str> = BTreeMap::new();
    for (pick, value) in values {
        picked.insert(pick % columns, value);
    }
    let mut cells: Vec<CellChange> = Vec::new();
    let mut expected: BTreeMap<usize, Option<String>> = BTreeMap::new();
    let mut refused = false;
    for (at, value) in picked {
        let column = column_at(&ledger, 0, at);
        // Of two unknown columns with one name, the first is written.
        let at = ledger.column_in(0, &column).expect("it was taken from the header");
        if column == TaskField::TaskId.into() || expected.contains_key(&at) {
            continue;
        }
        let reads = reads_back(value, takes_lines(&column));
        refused |= reads.is_err();
        expected.insert(at, reads.unwrap_or(None));
        cells.push(CellChange::set(column, value));
    }
    let answer = run(&ledger, &[Operation::AddTask { id: id.to_owned(), cells }]);
    let refusal = |kind: ErrorKind, why: &str| {
        let error: &Error = answer.as_ref().expect_err(why);
        assert_eq!(error.kind, kind, "{why}: {error:?}\n{text:?}");
        Outcome::Refused
    };
    if refused {
        return refusal(ErrorKind::Usage, "no cell takes a value");
    }
    if !ledger.rows_of(id).is_empty() {
        return refusal(ErrorKind::LedgerInvalid, "the id is there already");
    }
    let new = match answer {
        Ok(new) => new.expect("a row is a change"),
        Err(error) => panic!("adding `{id}` with {expected:?} is refused: {error:?}\n{text:?}"),
    };
    let what = format!("adding `{id}` with {expected:?}\nbefore {text:?}\nafter  {new:?}");
    let last = table.rows.clone().next_back().map_or(&table.delimiter, |i| &grid.rows[i]);
    let at = source::line_end(text, last.span.range().end);
    let grown = new.len().checked_sub(text.len()).expect("a row is added");
    assert_eq!(new.get(..at), text.get(..at), "before the row: {what}");
    assert_eq!(new.get(at + grown..), text.get(at..), "behind the row: {what}");
    let added = &new[at..at + grown];
    let ending = source::line_ending(added);
    assert!(!ending.is_empty() && !added[ending.len()..].contains(['\n', '\r']), "{what}");
    assert_eq!(ending, source::line_ending_near(text, last.span.range().start), "{what}");
    let after = TaskLedger::parse(&new, "TASKS.md").expect("still a ledger");
    assert_eq!(after.grid().rows.len(), grid.rows.len() + 1, "{what}");
    let row = RowId(table.rows.end);
    assert_eq!(after.id(row), id, "{what}");
    let r = after.row(row);
    assert!(r.len() <= columns && r.len() + 1 >= columns, "{what}");
    let id_at = after.column(row, TaskField::TaskId);
    for c in (0..columns).filter(|c| Some(*c) != id_at) {
        let read = after.grid().filled(r, c).map(String::from);
        assert_eq!(read, expected.get(&c).cloned().flatten(), "cell {c}: {what}");
    }
    Outcome::Held
}

/// `fmt` twice is `fmt` once; it moves blanks and dashes in the rows of ledger
/// tables only, and the rows that have every cell are equally wide after it.
pub fn fmt_is_idempotent_and_keeps_values(text: &str) -> Outcome {
    let tasks = format_keeps_values(
        text,
        &Operation::FormatTasks,
        TaskLedger::parse_any(text, "TASKS.md").grid(),
        |text| TaskLedger::parse_any(text, "TASKS.md").grid().clone(),
    );
    let Ok(approvals) = ApprovalLedger::parse(text, "APPROVALS.md") else { return tasks };
    let approvals =
        format_keeps_values(text, &Operation::FormatApprovals, approvals.grid(), |text| {
            ApprovalLedger::parse(text, "APPROVALS.md").expect("as before").grid().clone()
        });
    if tasks == Outcome::Nothing { approvals } else { tasks }
}

pub(super) fn format_keeps_values(
    text: &str,
    operation: &Operation,
    grid: &Grid<'_>,
    parse: impl for<'t> Fn(&'t str) -> Grid<'t>,
) -> Outcome {
    let run = |text: &str| {
        let tasks = TaskLedger::parse_any(text, "TASKS.md");
        let is_tasks = *operation == Operation::FormatTasks;
        let approvals = if is_tasks { "" } else { text };
        let approvals = ApprovalLedger::parse(approvals, "APPROVALS.md").expect("as before");
        let documents = Documents {
            tasks: &tasks,
            approvals: &approvals,
            archives: &BTreeMap::new(),
            flags: "",
        };
        let operations = std::slice::from_ref(operation);
        let rendered = render::render(&documents, operations).expect("fmt is never refused");
        if is_tasks { rendered.tasks } else { rendered.approvals }
    };
    let once = run(text);
    let changed = once.is_some();
    let once = once.unwrap_or_else(|| text.to_owned());
    let what = format!("{operation:?}\nbefore {text:?}\nafter  {once:?}");
    let after = parse(&once);
    assert_eq!(run(&once), None, "fmt twice is not fmt once: {what}");

    // What is between the rows, the text before the first and behind the last.
    let between = |grid: &Grid<'_>| {
        let mut rest = Vec::new();
        let mut at = 0;
        for table in &grid.tables {
            let rows = table.rows.clone().map(|i| &grid.rows[i]);
            for row in [&table.header, &table.delimiter].into_iter().chain(rows) {
                rest.push(grid.text()[at..row.span.range().start].to_owned());
                at = row.span.range().end;
            }
        }
        rest.push(grid.text()[at..].to_owned());
        rest
    };
    assert_eq!(between(grid), between(&after), "outside the rows: {what}");
    assert_eq!(grid.rows.len(), after.rows.len(), "{what}");
    for (then, now) in grid.rows.iter().zip(&after.rows) {
        assert_eq!(then.len(), now.len(), "a row has other cells: {what}");
        for c in 0..then.len() {
            assert_eq!(grid.trimmed(then, c), after.trimmed(now, c), "{what}");
        }
    }
    for (then, now) in grid.tables.iter().zip(&after.tables) {
        assert_eq!(grid.headers(then), after.headers(now), "{what}");
        for c in 0..now.header.len() {
            assert_eq!(grid.align(then, c), after.align(now, c), "{what}");
        }
        let rows = now.rows.clone().map(|i| &after.rows[i]);
        let full = rows.filter(|row| row.len() == now.header.len());
        let width = |row: &Row| once[row.span.range()].width();
        for row in [&now.delimiter].into_iter().chain(full) {
            assert_eq!(width(row), width(&now.header), "rows of unequal width: {what}");
        }
    }
    if changed { Outcome::Held } else { Outcome::Nothing }
}
