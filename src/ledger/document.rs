//! A ledger of either kind as rows with an id and named cells.
//!
//! Here: what tasks and approvals have in common, for comparing and patching.
//! Not here: what the cells mean (`ledger::tasks`, `ledger::approvals`).

use crate::ledger::schema;
use crate::ledger::table::{Grid, Row, is_empty_value};
use crate::model::field::{ApprovalField, TaskField};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Which ledger a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// TASKS.md and its archives.
    Tasks,
    /// APPROVALS.md.
    Approvals,
}

/// The rows of one document, each with its id.
#[derive(Debug)]
pub struct Document<'a> {
    grid: Cow<'a, Grid<'a>>,
    names: Vec<Vec<String>>,
    /// Where the id stands in each table.
    ids: Vec<Option<usize>>,
}

impl<'a> Document<'a> {
    /// Parses a text.
    pub fn parse(kind: Kind, text: &'a str) -> Self {
        let grid = match kind {
            Kind::Tasks => Grid::parse(text, schema::is_task_header),
            Kind::Approvals => Grid::parse(text, schema::is_approval_header),
        };
        Self::of(kind, Cow::Owned(grid))
    }

    /// Looks at tables that were parsed already.
    pub fn view(kind: Kind, grid: &'a Grid<'a>) -> Self {
        Self::of(kind, Cow::Borrowed(grid))
    }

    fn of(kind: Kind, grid: Cow<'a, Grid<'a>>) -> Self {
        let names: Vec<Vec<String>> =
            grid.tables.iter().map(|table| names_of(kind, &grid.headers(table))).collect();
        let id = match kind {
            Kind::Tasks => TaskField::TaskId.name(),
            Kind::Approvals => ApprovalField::ApprId.name(),
        };
        let ids = names.iter().map(|names| names.iter().position(|name| name == id)).collect();
        Self { grid, names, ids }
    }

    /// The tables.
    pub fn grid(&self) -> &Grid<'a> {
        &self.grid
    }

    /// A row's id; empty where it has none.
    pub fn id(&self, row: &Row) -> Cow<'a, str> {
        match self.ids[row.table as usize] {
            Some(column) if !is_empty_value(self.grid.trimmed(row, column)) => {
                self.grid.value(row, column)
            }
            _ => Cow::Borrowed(""),
        }
    }

    /// Rows by id; an id that stands twice has none.
    pub fn by_id(&self) -> HashMap<Cow<'a, str>, Option<usize>> {
        let mut rows: HashMap<Cow<'a, str>, Option<usize>> = HashMap::new();
        for (index, row) in self.grid.rows.iter().enumerate() {
            let id = self.id(row);
            if !id.is_empty() {
                rows.entry(id).and_modify(|at| *at = None).or_insert(Some(index));
            }
        }
        rows
    }

    /// The one row with an id.
    pub fn find(&self, id: &str) -> Option<usize> {
        let mut found =
            (0..self.grid.rows.len()).filter(|row| self.id(&self.grid.rows[*row]) == id);
        let row = found.next()?;
        found.next().is_none().then_some(row)
    }

    /// Where a column stands in a row's table, by its canonical name or header.
    pub fn column(&self, row: &Row, name: &str) -> Option<usize> {
        let names = &self.names[row.table as usize];
        names
            .iter()
            .position(|n| n == name)
            .or_else(|| names.iter().position(|n| schema::same(n, name)))
    }

    /// Column to cell as spelled; columns without a name have none.
    pub fn cells(&self, row: &Row) -> BTreeMap<String, String> {
        let names = &self.names[row.table as usize];
        names
            .iter()
            .enumerate()
            .filter(|(_, name)| !name.is_empty())
            .map(|(column, name)| (name.clone(), self.grid.raw(row, column).to_owned()))
            .collect()
    }

    /// A table's columns: canonical names of known ones, headers of others,
    /// nothing for a column whose name stood before.
    pub fn names(&self, table: usize) -> &[String] {
        &self.names[table]
    }

    /// The whole line of a row, from its first byte to its last.
    pub fn line(&self, row: &Row) -> &'a str {
        &self.grid.text()[row.span.range()]
    }

    /// The id of the row above one in its table; none for the first.
    pub fn above(&self, index: usize) -> Option<String> {
        let table = &self.grid.tables[self.grid.rows[index].table as usize];
        let above = index.checked_sub(1).filter(|above| table.rows.contains(above))?;
        Some(self.id(&self.grid.rows[above]).into_owned())
    }
}

/// Canonical names of known columns, headers of others, nothing for a column
/// whose name stood before.
fn names_of(kind: Kind, headers: &[Cow<'_, str>]) -> Vec<String> {
    let columns = match kind {
        Kind::Tasks => schema::task_columns(headers),
        Kind::Approvals => schema::approval_columns(headers),
    };
    let canonical = |at: usize| {
        let field = columns.iter().position(|c| c.map(usize::from) == Some(at))?;
        Some(match kind {
            Kind::Tasks => TaskField::ALL[field].name(),
            Kind::Approvals => ApprovalField::ALL[field].name(),
        })
    };
    let mut seen: HashSet<String> = HashSet::new();
    headers
        .iter()
        .enumerate()
        .map(|(at, header)| {
            let name = canonical(at).unwrap_or(header.as_ref()).to_owned();
            if seen.insert(name.clone()) { name } else { String::new() }
        })
        .collect()
}
