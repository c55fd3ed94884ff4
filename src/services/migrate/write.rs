//! The new text of one of our ledgers.
//!
//! Invariant: of a ledger that is turned in place only the lines go that a row
//! says now; everything else stays byte for byte.

use crate::error::{Error, Result};
use crate::ledger::document::{Document, Kind};
use crate::ledger::edit::Edits;
use crate::ledger::foreign::place::{self, NewDetail, NewRow};
use crate::ledger::foreign::{Form, detail};
use crate::ledger::scan;
use crate::ledger::section::Sections;
use crate::ledger::source;
use crate::ledger::table::Grid;
use crate::services::migrate::Asked;
use crate::services::migrate::map::Row;
use crate::services::migrate::plan::Plan;
use std::collections::BTreeSet;
use std::ops::Range;

/// The text after the migration; none where it stays as it is. `own` is the
/// source that is this very ledger.
pub(super) fn write(
    asked: Asked<'_>,
    kind: Kind,
    own: Option<usize>,
    rows: &[Row],
    plan: &mut Plan,
) -> Result<Option<String>> {
    let (text, path) = match kind {
        Kind::Tasks => (asked.snapshot.tasks.grid().text(), asked.snapshot.tasks.path()),
        Kind::Approvals => {
            (asked.snapshot.approvals.grid().text(), asked.snapshot.approvals.path())
        }
    };
    let has_table = !place::grid(kind, text).tables.is_empty();
    let mut edits = Edits::new();
    if own.is_some() && has_table {
        let missing = place::missing_columns(kind, text);
        if !missing.is_empty() {
            place::add_columns(kind, text, path, &mut edits)?;
            plan.columns.push((path.to_owned(), missing));
        }
    }
    if rows.is_empty() && edits.is_empty() {
        return Ok(None);
    }
    let in_place: Vec<&Row> = rows.iter().filter(|row| own == Some(row.source)).collect();
    first_of_its_name(text, path, &in_place)?;
    let gone = gone(text, &in_place);
    if !has_table && !rows.is_empty() {
        if kind == Kind::Tasks && in_place.is_empty() {
            return Err(Error::invalid("the ledger has no table that rows could come into")
                .at(path, 0, 0)
                .hint("orch migrate"));
        }
        make_table(kind, text, rows, &in_place, &gone, &mut edits)?;
        plan.tables.push(path.to_owned());
    }
    take_out(text, &in_place, &gone, &mut edits)?;
    let text = edits.apply(text);
    let new: Vec<NewRow> =
        rows.iter().map(|row| NewRow { id: row.id.clone(), cells: row.cells.clone() }).collect();
    let text = place::add_rows(kind, &text, path, &new)?;
    let level = place::level(kind, &text);
    let grid = place::grid(kind, &text);
    let document = Document::view(kind, &grid);
    let ids = document.by_id();
    let mut details = Vec::new();
    for row in rows.iter().filter(|row| !row.detail.is_empty()) {
        if own == Some(row.source) && row.form == Form::Headings {
            continue;
        }
        let (text, fenced) =
            detail::fit(&row.detail, level, &|id| id != row.id && ids.contains_key(id));
        if fenced {
            plan.fenced.push(row.id.clone());
        }
        let title = row.cell("title").unwrap_or_default().to_owned();
        details.push(NewDetail { id: row.id.clone(), title, text });
    }
    place::add_details(kind, &text, &details).map(Some)
}

/// A section in place is found by its id, so no heading above it may begin with
/// that; which of the two is to be spelt otherwise, only a person can say.
fn first_of_its_name(text: &str, path: &str, in_place: &[&Row]) -> Result<()> {
    let headings = scan::blocks(text).headings;
    let sections = Sections::new(text, &headings);
    for row in in_place {
        let stays = row.form == Form::Headings && !row.detail.is_empty();
        let Some((first, _)) = sections.of(&row.id).filter(|_| stays) else { continue };
        if first.start < row.span.start {
            let (line, column) = source::position(text, first.start);
            return Err(Error::invalid(format!(
                "the heading begins with `{}` and would be taken for the section of that task, \
                 which is in line {}; begin it with another word",
                row.id, row.line
            ))
            .at(path, line, column)
            .hint("orch migrate --help"));
        }
    }
    Ok(())
}

/// A table where the first task stands, else at the end.
fn make_table(
    kind: Kind,
    text: &str,
    rows: &[Row],
    in_place: &[&Row],
    gone: &[Range<usize>],
    edits: &mut Edits,
) -> Result<()> {
    let ending = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let known = |name: &str| match kind {
        Kind::Tasks => crate::model::field::TaskField::ALL.iter().any(|f| f.name() == name),
        Kind::Approvals => crate::model::field::ApprovalField::ALL.iter().any(|f| f.name() == name),
    };
    let mut others: Vec<String> = Vec::new();
    for (name, _) in rows.iter().flat_map(|row| &row.cells) {
        if !known(name) && !others.contains(name) {
            others.push(name.clone());
        }
    }
    let table = place::new_table(kind, &others, ending)?;
    let at = match in_place.first() {
        Some(row) if row.form == Form::Table => {
            table_of(text, row).map_or(row.span.start, |t| t.start)
        }
        Some(row) => row.span.start,
        None => text.len(),
    };
    let before = &text[source::body_start(text)..at];
    let gap = match before.trim_end_matches([' ', '\t']) {
        "" if kind == Kind::Approvals && text.trim().is_empty() => {
            format!("# Approvals{ending}{ending}")
        }
        "" => String::new(),
        some if some.ends_with("\n\n") || some.ends_with("\n\r\n") => String::new(),
        some if some.ends_with('\n') => ending.to_owned(),
        _ => ending.repeat(2),
    };
    // What stays behind it must not be read as another row.
    let mut behind = at;
    for span in gone.iter().filter(|span| span.end > at) {
        if !span.contains(&behind) {
            break;
        }
        behind = span.end;
    }
    let first = text[behind..].lines().next().unwrap_or_default();
    let below = if first.trim().is_empty() { "" } else { ending };
    edits
        .replace(text, at..at, format!("{gap}{table}{below}"))
        .map_err(|_| Error::invalid("two changes meet in one place"))
}

/// The lines of the table that a row stands in, where all its rows go.
fn table_of(text: &str, row: &Row) -> Option<Range<usize>> {
    let grid = Grid::parse(text, |_| true);
    let at = grid.rows.iter().find(|r| row.span.contains(&r.span.range().start))?.table;
    let table = &grid.tables[at as usize];
    let start = source::line_start(text, table.header.span.range().start);
    Some(start..source::next_line(text, table.delimiter.span.range().end))
}

/// The lines that rows say now, in order.
fn gone(text: &str, in_place: &[&Row]) -> Vec<Range<usize>> {
    let mut gone: Vec<Range<usize>> = Vec::new();
    let going: BTreeSet<usize> =
        in_place.iter().filter(|row| row.form == Form::Table).map(|row| row.span.start).collect();
    if !going.is_empty() {
        // A table whose rows all go has nothing to be the head of.
        let grid = Grid::parse(text, |_| true);
        for table in &grid.tables {
            let starts = || {
                let rows = grid.rows[table.rows.clone()].iter();
                rows.map(|row| source::line_start(text, row.span.range().start))
            };
            if starts().next().is_some() && starts().all(|start| going.contains(&start)) {
                let start = source::line_start(text, table.header.span.range().start);
                gone.push(start..source::next_line(text, table.delimiter.span.range().end));
            }
        }
    }
    for row in in_place {
        match row.form {
            Form::Headings if !is_empty_section(row) => gone.extend(row.said.iter().cloned()),
            _ => gone.push(row.span.clone()),
        }
    }
    gone.sort_by_key(|span| span.start);
    gone
}

/// Whether a section says nothing any more that the row does not say.
fn is_empty_section(row: &Row) -> bool {
    row.detail.trim().is_empty() && !row.heading_says_more
}

/// Takes those lines out. A section whose heading does not begin with the id
/// could not be found: it gets the id.
fn take_out(text: &str, in_place: &[&Row], gone: &[Range<usize>], edits: &mut Edits) -> Result<()> {
    let clash = |_| Error::invalid("two tasks stand in the same lines");
    for row in in_place.iter().filter(|row| row.form == Form::Headings && !is_empty_section(row)) {
        if let Some(at) = row.unnamed {
            edits.replace(text, at..at, format!("{}: ", row.id)).map_err(clash)?;
        }
    }
    for span in gone {
        edits.replace(text, span.clone(), "").map_err(clash)?;
    }
    Ok(())
}
