//! One of the three texts, as lines and as what they are.
//!
//! A text is a sequence of units: a row with an id of its own, a table's head
//! (header and delimiter row), or any other line. Invariant: the units, in
//! order, are all lines of the text.

use crate::ledger::document::{Document, Kind};
use crate::ledger::source;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// Base, ours, theirs: how arrays of three are ordered.
pub(super) const BASE: usize = 0;
pub(super) const OURS: usize = 1;
pub(super) const THEIRS: usize = 2;

/// A line: its content, and how it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub body: &'a str,
    pub end: &'a str,
    /// The ledger row that it is, as an index into the grid's rows.
    pub row: Option<usize>,
}

/// What a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A row by its number among all ids.
    Row(usize),
    /// A table's head by the table's number.
    Head(usize),
    /// A whole table whose columns both sides changed.
    Block(usize),
    /// Any other line.
    Line,
}

#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub what: What,
    /// Which of the side's lines.
    pub lines: Range<usize>,
}

/// One text.
#[derive(Debug)]
pub(super) struct Side<'a> {
    pub document: Document<'a>,
    pub bom: bool,
    pub lines: Vec<Line<'a>>,
    pub units: Vec<Unit>,
    /// What is compared: equal numbers are one thing.
    pub tokens: Vec<u32>,
}

impl<'a> Side<'a> {
    pub(super) fn parse(kind: Kind, text: &'a str) -> Self {
        let document = Document::parse(kind, text);
        let mut rows = document.grid().rows.iter().map(|row| row.span.range().start).enumerate();
        let mut next = rows.next();
        let mut lines = Vec::new();
        let mut at = source::body_start(text);
        while at < text.len() {
            let end = source::line_end(text, at);
            let behind = end + source::line_ending(&text[end..]).len();
            let mut row = None;
            // An empty last row begins where its line ends.
            while let Some((index, start)) = next
                && start < behind.max(at + 1)
            {
                row = Some(index);
                next = rows.next();
            }
            lines.push(Line { body: &text[at..end], end: &text[end..behind], row });
            at = behind;
        }
        drop(rows);
        let bom = text.starts_with(source::BOM);
        Self { document, bom, lines, units: Vec::new(), tokens: Vec::new() }
    }

    /// Which lines each table's head is on.
    pub(super) fn heads(&self) -> Vec<usize> {
        let text = self.document.grid().text();
        let mut found = Vec::new();
        let mut at = source::body_start(text);
        let mut tables =
            self.document.grid().tables.iter().map(|t| t.header.span.range().start).peekable();
        for (number, line) in self.lines.iter().enumerate() {
            let behind = at + line.body.len() + line.end.len();
            if tables.next_if(|start| *start < behind).is_some() {
                found.push(number);
            }
            at = behind;
        }
        found
    }
}

/// What all three sides number alike.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    pub ids: Vec<Cow<'a, str>>,
    numbers: HashMap<Cow<'a, str>, usize>,
    /// Where each id's row is, on each side.
    pub rows: Vec<[Option<usize>; 3]>,
}

impl<'a> Names<'a> {
    /// Numbers the ids that stand on no side twice.
    pub(super) fn of(sides: &[Side<'a>; 3]) -> Self {
        let each = [0, 1, 2].map(|n| sides[n].document.by_id());
        let twice: HashSet<&str> = each
            .iter()
            .flat_map(|ids| ids.iter().filter(|(_, at)| at.is_none()).map(|(id, _)| id.as_ref()))
            .collect();
        let mut names = Self::default();
        for (n, side) in sides.iter().enumerate() {
            for (index, row) in side.document.grid().rows.iter().enumerate() {
                let id = side.document.id(row);
                if id.is_empty() || twice.contains(id.as_ref()) {
                    continue;
                }
                let number = *names.numbers.entry(id).or_insert_with_key(|id| {
                    names.ids.push(id.clone());
                    names.rows.push([None; 3]);
                    names.ids.len() - 1
                });
                names.rows[number][n] = Some(index);
            }
        }
        names
    }

    pub(super) fn number(&self, id: &str) -> Option<usize> {
        self.numbers.get(id).copied()
    }
}

/// Divides each side into units and numbers what is equal. `tables` says which
/// number each side's tables have, `whole` which of them are merged as one.
pub(super) fn divide<'a>(
    sides: &mut [Side<'a>; 3],
    names: &Names<'a>,
    tables: &[Vec<usize>; 3],
    whole: &[bool],
) {
    let mut lines: HashMap<&'a str, u32> = HashMap::new();
    let (rows, heads) = (number(names.ids.len()), number(whole.len()));
    for (side, tables) in sides.iter_mut().zip(tables) {
        let head_lines = side.heads();
        let mut units = Vec::with_capacity(side.lines.len());
        let mut tokens = Vec::with_capacity(side.lines.len());
        let mut at = 0;
        while at < side.lines.len() {
            let line = side.lines[at];
            let (what, token, behind) = if let Ok(table) = head_lines.binary_search(&at) {
                let this = tables[table];
                let token = rows + number(this);
                if whole[this] {
                    (What::Block(this), token, end_of(side, table, at))
                } else {
                    (What::Head(this), token, (at + 2).min(side.lines.len()))
                }
            } else if let Some(id) = line.row.and_then(|row| {
                let row = &side.document.grid().rows[row];
                names.number(&side.document.id(row))
            }) {
                (What::Row(id), number(id), at + 1)
            } else {
                let next = rows + heads + number(lines.len());
                (What::Line, *lines.entry(line.body).or_insert(next), at + 1)
            };
            units.push(Unit { what, lines: at..behind });
            tokens.push(token);
            at = behind;
        }
        (side.units, side.tokens) = (units, tokens);
    }
}

/// Behind the last line of a table whose head is on a line.
fn end_of(side: &Side<'_>, table: usize, head: usize) -> usize {
    let rows = side.document.grid().tables[table].rows.clone();
    let is_last = |line: &Line<'_>| line.row.is_some_and(|row| row + 1 == rows.end);
    let last = side.lines[head..].iter().position(is_last);
    last.filter(|_| !rows.is_empty()).map_or(head + 2, |n| head + n + 1).min(side.lines.len())
}

#[allow(clippy::cast_possible_truncation)] // source::MAX_BYTES fits
const fn number(n: usize) -> u32 {
    n as u32
}
