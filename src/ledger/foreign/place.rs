//! Putting into one of our documents what was read elsewhere: columns, a table,
//! rows, detail sections.
//!
//! Invariant: whatever is not added stays byte for byte; a value that no cell
//! takes is an error and no text.

use crate::error::{Error, Result};
use crate::ledger::cell::{encode, overlap};
use crate::ledger::document::Kind;
use crate::ledger::edit::Edits;
use crate::ledger::row::{insert_row, missing_column};
use crate::ledger::schema::{self, Columns};
use crate::ledger::section;
use crate::ledger::source;
use crate::ledger::table::{Grid, Row, Table, is_empty_value};
use crate::model::field::{ApprovalField, TaskField};
use std::borrow::Cow;

/// A row to be added: its id, and cells by canonical name or header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRow {
    /// Its id.
    pub id: String,
    /// Its other cells that are not empty.
    pub cells: Vec<(String, String)>,
}

/// A detail section to be added, or to be added to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDetail {
    /// Whose it is.
    pub id: String,
    /// For the heading of a new section.
    pub title: String,
    /// The text below the heading, fit for [`level`].
    pub text: String,
}

/// The ledger tables of a document.
pub fn grid(kind: Kind, text: &str) -> Grid<'_> {
    match kind {
        Kind::Tasks => Grid::parse(text, schema::is_task_header),
        Kind::Approvals => Grid::parse(text, schema::is_approval_header),
    }
}

fn columns(kind: Kind, headers: &[Cow<'_, str>]) -> Columns {
    match kind {
        Kind::Tasks => schema::task_columns(headers),
        Kind::Approvals => schema::approval_columns(headers),
    }
}

/// Names of the canonical columns, each with its aliases.
fn all_names(kind: Kind) -> [&'static [&'static str]; 10] {
    match kind {
        Kind::Tasks => TaskField::ALL.map(schema::task_names),
        Kind::Approvals => ApprovalField::ALL.map(schema::approval_names),
    }
}

/// The canonical columns that some ledger table of a document lacks, each once.
pub fn missing_columns(kind: Kind, text: &str) -> Vec<&'static str> {
    let grid = grid(kind, text);
    let mut names = Vec::new();
    for table in &grid.tables {
        let there = columns(kind, &grid.headers(table));
        for (names_of, column) in all_names(kind).into_iter().zip(there) {
            if column.is_none() && !names.contains(&names_of[0]) {
                names.push(names_of[0]);
            }
        }
    }
    names
}

/// Gives every ledger table the columns that it lacks, empty, behind its others.
///
/// # Errors
/// `ledger_invalid` for a row that has more cells than its header: they would
/// get a name that they have not.
pub fn add_columns(kind: Kind, text: &str, path: &str, edits: &mut Edits) -> Result<()> {
    let grid = grid(kind, text);
    for table in &grid.tables {
        let headers = grid.headers(table);
        let there = columns(kind, &headers);
        // In the language of the header.
        let japanese = headers.iter().any(|name| !name.is_ascii());
        let lacking: Vec<&str> = all_names(kind)
            .into_iter()
            .zip(there)
            .filter(|(_, column)| column.is_none())
            .map(|(names, _)| {
                let other = names.iter().find(|name| japanese && !name.is_ascii());
                other.copied().unwrap_or(names[0])
            })
            .collect();
        if lacking.is_empty() {
            continue;
        }
        let width = table.header.len();
        let rules: Vec<String> = lacking.iter().map(|name| "-".repeat(name.len() + 2)).collect();
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        extend(&grid, &table.header, &lacking, " ", edits)?;
        extend(&grid, &table.delimiter, &rules, "", edits)?;
        for row in &grid.rows[table.rows.clone()] {
            if row.len() > width {
                let (line, column) = grid.place(row);
                return Err(Error::invalid(format!(
                    "the row has {} cells and its header {width}; its columns cannot be told \
                     apart from new ones",
                    row.len()
                ))
                .at(path, line, column)
                .hint("orch check"));
            }
            let cells = vec!["-"; width - row.len() + lacking.len()];
            extend(&grid, row, &cells, " ", edits)?;
        }
    }
    Ok(())
}

/// Adds cells behind the last one of a row.
fn extend(
    grid: &Grid<'_>,
    row: &Row,
    cells: &[&str],
    blank: &str,
    edits: &mut Edits,
) -> Result<()> {
    let mut tail = String::new();
    for cell in cells {
        if row.closes {
            tail.push_str(&format!("{blank}{cell}{blank}|"));
        } else {
            tail.push_str(&format!("{blank}|{blank}{cell}"));
        }
    }
    let end = row.span.range().end;
    edits.replace(grid.text(), end..end, tail).map_err(|_| overlap())
}

/// A ledger table without rows: our columns, and others behind them.
pub fn new_table(kind: Kind, others: &[String], ending: &str) -> Result<String> {
    let mut names: Vec<String> = all_names(kind).map(|names| names[0].to_owned()).to_vec();
    for name in others {
        let name = encode("header", false, name)?;
        if !names.iter().any(|known| schema::same(known, &name)) {
            names.push(name);
        }
    }
    let rules: Vec<String> = names
        .iter()
        .map(|name| "-".repeat(unicode_width::UnicodeWidthStr::width(name.as_str()) + 2))
        .collect();
    Ok(format!("| {} |{ending}|{}|{ending}", names.join(" | "), rules.join("|")))
}

/// Where a name stands in a table.
fn column_at(kind: Kind, headers: &[Cow<'_, str>], name: &str) -> Option<usize> {
    let known = all_names(kind).iter().position(|names| names[0] == name);
    if let Some(known) = known {
        return columns(kind, headers)[known].map(usize::from);
    }
    headers.iter().position(|header| schema::same(header, name))
}

/// Headers of the first ledger table that are none of ours.
pub fn other_columns(kind: Kind, text: &str) -> Vec<String> {
    let grid = grid(kind, text);
    let Some(table) = grid.tables.first() else { return Vec::new() };
    let headers = grid.headers(table);
    let known = columns(kind, &headers);
    let is_known = |at: usize| known.iter().flatten().any(|k| usize::from(*k) == at);
    let others = headers.iter().enumerate().filter(|(at, name)| !is_known(*at) && !name.is_empty());
    others.map(|(_, name)| name.to_string()).collect()
}

/// A value as its cell spells it; none where that is an empty one.
///
/// # Errors
/// `usage` for a character that no cell takes.
pub fn spelled(name: &str, value: &str) -> Result<Option<String>> {
    let takes_lines = matches!(name, "title" | "notes");
    let text = encode(name, takes_lines, value)?;
    Ok((!is_empty_value(&text)).then_some(text))
}

/// Adds rows behind the last one of the first ledger table, in its style.
///
/// # Errors
/// `ledger_invalid` where the table lacks a column that a row needs.
pub fn add_rows(kind: Kind, text: &str, path: &str, rows: &[NewRow]) -> Result<String> {
    let grid = grid(kind, text);
    let Some(table) = grid.tables.first() else {
        return Err(Error::invalid("no ledger table to put rows into").at(path, 0, 0));
    };
    let headers = grid.headers(table);
    let id_name = all_names(kind)[0][0];
    let mut edits = Edits::new();
    for row in rows {
        let mut values: Vec<Option<String>> = vec![None; table.header.len()];
        let id = (id_name.to_owned(), row.id.clone());
        for (name, value) in [&id].into_iter().chain(&row.cells) {
            let Some(value) = spelled(name, value)? else { continue };
            let at =
                column_at(kind, &headers, name).ok_or_else(|| lacks(&grid, path, kind, name))?;
            values[at] = Some(value);
        }
        insert_row(&grid, 0, &values, &mut edits)?;
    }
    Ok(edits.apply(text))
}

fn lacks(grid: &Grid<'_>, path: &str, kind: Kind, name: &str) -> Error {
    let what = match kind {
        Kind::Tasks => "task",
        Kind::Approvals => "approval",
    };
    missing_column(grid, path, 0, what, name).hint("orch migrate")
}

/// The level of a document's detail sections.
pub fn level(kind: Kind, text: &str) -> u8 {
    let grid = grid(kind, text);
    let ids = ids(kind, &grid);
    if grid.headings.len() > 1 { section::level(text, &grid.headings, ids.into_iter()) } else { 3 }
}

fn ids(kind: Kind, grid: &Grid<'_>) -> Vec<String> {
    let of = |table: &Table| columns(kind, &grid.headers(table))[0].map(usize::from);
    let places: Vec<Option<usize>> = grid.tables.iter().map(of).collect();
    let rows = grid.rows.iter();
    rows.filter_map(|row| {
        let id = grid.filled(row, places[row.table as usize]?)?;
        Some(id.into_owned())
    })
    .collect()
}

/// Adds detail sections at the end, or to the end of those that are there.
///
/// # Errors
/// `usage` for a title that no heading takes.
pub fn add_details(kind: Kind, text: &str, details: &[NewDetail]) -> Result<String> {
    let parsed = grid(kind, text);
    let marks = "#".repeat(usize::from(level(kind, text)));
    let ending = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut edits = Edits::new();
    let mut tail = String::new();
    let sections = section::Sections::new(text, &parsed.headings);
    for NewDetail { id, title, text: detail } in details {
        let detail = detail.replace("\r\n", "\n");
        let detail = detail.trim_matches('\n').replace('\n', ending);
        if let Some((_, body)) = sections.of(id) {
            let there = text[body.clone()].trim_end();
            let at = body.start + there.len();
            let gap = if there.is_empty() { ending.to_owned() } else { ending.repeat(2) };
            let rest = if text[at..].is_empty() { ending } else { "" };
            edits.replace(text, at..at, format!("{gap}{detail}{rest}")).map_err(|_| overlap())?;
            continue;
        }
        // Prose, not a cell: a pipe stays a pipe.
        let title = encode("title", true, title)?.replace("\\|", "|");
        let heading = format!("{marks} {id} {title}");
        tail.push_str(&format!("{ending}{}{ending}{ending}{detail}{ending}", heading.trim_end()));
    }
    let mut out = edits.apply(text);
    if !tail.is_empty()
        && !out.is_empty()
        && source::line_ending(&out[out.trim_end_matches(['\n', '\r']).len()..]).is_empty()
    {
        out.push_str(ending);
    }
    out.push_str(&tail);
    Ok(out)
}
