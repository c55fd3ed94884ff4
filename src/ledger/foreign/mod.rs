//! Tasks and approvals that are written otherwise than in our tables.
//!
//! Here: text to [`Item`]s, each with the bytes that it was read from, and what
//! of the text looks like a task and is not taken. In the folder: one file a
//! form, `names` for the words of other tools, `place` for putting what was read
//! into one of our documents. Not here: what becomes of a field
//! (`services::migrate`). Invariant: reading changes nothing, and every item
//! and field says which bytes it is.

pub mod board;
mod checkboxes;
pub mod detail;
mod headings;
pub mod names;
mod outline;
pub mod place;
mod tables;

use crate::error::Result;
use crate::ledger::document::Kind;
use crate::ledger::source::Lines;
use std::collections::BTreeMap;
use std::ops::Range;

/// How a task or approval is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// A heading, and bullets with its fields below.
    Headings,
    /// A row of a table.
    Table,
    /// A list item with a box.
    Checkboxes,
    /// A file with front matter.
    Board,
}

impl Form {
    /// Every form, in the order of the help.
    pub const ALL: [Self; 4] = [Self::Headings, Self::Table, Self::Checkboxes, Self::Board];

    /// As people type it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Headings => "headings",
            Self::Table => "table",
            Self::Checkboxes => "checkboxes",
            Self::Board => "board",
        }
    }
}

/// What a field says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// It is there and empty.
    Nothing,
    /// One line.
    Text(String),
    /// Several values of one line each.
    List(Vec<String>),
    /// More than a cell can say.
    Block,
}

/// One field of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name, as it is written.
    pub key: String,
    /// What it says.
    pub value: Value,
    /// Its bytes in the text; whole lines where it has lines of its own.
    pub span: Range<usize>,
    /// Whether `span` is whole lines, which can be taken out of the text.
    pub has_lines: bool,
}

/// A task or an approval, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Which of the two.
    pub kind: Kind,
    /// How it is written.
    pub form: Form,
    /// Its id.
    pub id: String,
    /// Its fields but the id, in order. A box and words in a line are fields too.
    pub fields: Vec<Field>,
    /// All of its bytes: whole lines.
    pub span: Range<usize>,
    /// The bytes behind heading or first line: where its fields with lines of
    /// their own are, and what is none.
    pub body: Range<usize>,
    /// The lines that say its id and nothing else.
    pub id_lines: Option<Range<usize>>,
    /// Where its heading's text begins, where that does not begin with the id.
    pub unnamed: Option<usize>,
    /// 1-based line.
    pub line: usize,
}

/// Lines that look like a task and are none that can be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// 1-based first line.
    pub line: usize,
    /// How many tasks it may be.
    pub count: usize,
    /// Why.
    pub why: Why,
}

/// Why something stays text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Nothing in it is an id.
    NoId,
    /// A table that names ids, without the title of each.
    Summary,
    /// It is about a task that has a row.
    HasRow(String),
    /// It stands in the text of another task, and stays there.
    Within,
    /// Its box is neither empty nor ticked.
    Box,
    /// It is of the other ledger's kind.
    OtherLedger,
}

/// What was read of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// In the order of the text.
    pub items: Vec<Item>,
    /// Likewise.
    pub left: Vec<Left>,
}

/// What is to be read.
#[derive(Clone, Copy)]
pub struct Ask<'q> {
    /// The file, for messages.
    pub path: &'q str,
    /// Only this form.
    pub only: Option<Form>,
    /// Which of our ledgers the text is: its ledger tables are not foreign.
    pub own: Option<Kind>,
    /// Fields that a person named: what a source's field is.
    pub map: &'q [(String, String)],
}

impl Ask<'_> {
    fn wants(&self, form: Form) -> bool {
        self.only.is_none_or(|only| only == form)
    }

    /// What a field is called here: what a person said that it is, else its name.
    pub fn key<'k>(&'k self, key: &'k str) -> &'k str {
        let found = self.map.iter().find(|(field, _)| names::same(field, key));
        found.map_or(key, |(_, target)| target)
    }
}

/// Reads a text. `rows` says which ids have a row in our ledger already; only
/// asked where the text is that ledger.
///
/// # Errors
/// `ledger_invalid` where a task says two ids of itself, or front matter is
/// broken.
pub fn read(text: &str, ask: Ask<'_>, rows: &dyn Fn(&str) -> bool) -> Result<Found> {
    if ask.own.is_none()
        && ask.wants(Form::Board)
        && let Some(item) = board::read(text, ask)?
    {
        return Ok(Found { items: vec![item], left: Vec::new() });
    }
    let lines = Lines::of(text);
    let outline = outline::Outline::of(text);
    let mut taken = Taken::default();
    let mut found = Found::default();
    if let Some(kind) = ask.own {
        taken.sections_of_rows(text, kind);
    }
    if ask.wants(Form::Headings) {
        headings::read(text, ask, &outline, &lines, rows, &mut taken, &mut found)?;
    }
    if ask.wants(Form::Table) {
        tables::read(text, ask, &outline, &lines, &mut taken, &mut found);
    }
    if ask.wants(Form::Checkboxes) {
        checkboxes::read(text, &outline, &lines, rows, &taken, &mut found);
    }
    if let Some(kind) = ask.own {
        let (ours, others) = found.items.into_iter().partition(|item| item.kind == kind);
        found.items = ours;
        let others: Vec<Item> = others;
        found.left.extend(others.iter().map(|item| Left {
            line: item.line,
            count: 1,
            why: Why::OtherLedger,
        }));
    }
    found.items.sort_by_key(|item| item.span.start);
    found.left.sort_by_key(|left| left.line);
    Ok(found)
}

/// Parts of a text that belong to something already: by their start, disjoint.
#[derive(Debug, Default)]
pub(super) struct Taken(BTreeMap<usize, usize>);

impl Taken {
    fn add(&mut self, span: Range<usize>) {
        let (mut start, mut end) = (span.start, span.end);
        let touching: Vec<(usize, usize)> = self
            .0
            .range(..=end)
            .rev()
            .map(|(start, end)| (*start, *end))
            .take_while(|(_, other)| *other >= start)
            .collect();
        for (other, until) in touching {
            self.0.remove(&other);
            (start, end) = (start.min(other), end.max(until));
        }
        self.0.insert(start, end);
    }

    fn has(&self, at: usize) -> bool {
        self.0.range(..=at).next_back().is_some_and(|(_, end)| at < *end)
    }

    /// The detail sections of rows are theirs, whatever they look like.
    fn sections_of_rows(&mut self, text: &str, kind: Kind) {
        use crate::ledger::document::Document;
        let document = Document::parse(kind, text);
        let grid = document.grid();
        let sections = crate::ledger::section::Sections::new(text, &grid.headings);
        for row in &grid.rows {
            let id = document.id(row);
            if let Some((heading, body)) = sections.of(&id).filter(|_| !id.is_empty()) {
                self.add(heading.start..body.end);
            }
        }
    }
}

#[cfg(test)]
mod tests;
