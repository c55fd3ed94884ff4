//! Aligned tables for people: no borders, two blanks between columns.
//!
//! Lives here: column widths, shrinking to the terminal, styles of cells. Not
//! here: which rows and columns to show (`cli::commands`). Cost: linear in the
//! text; each cell is escaped and measured once, when it is added.
//! Invariant: every cell of a column starts at the same display column (right-
//! aligned ones end there), except after a cell wider than `PAD_LIMIT`; no line
//! ends in blanks; without a width nothing is cut.

use std::borrow::Cow;
use std::io::{self, Write};

use super::safe::safe;
use super::style::Style;
use super::width;

/// Blanks between two columns.
const GAP: usize = 2;
/// A flexible column does not shrink below this many columns.
const MIN_FLEXIBLE: usize = 8;

/// No column is cut below this, however narrow the terminal.
const MIN_ANY: usize = 3;
/// Without this, one cell of ten megabytes would pad every other row to ten.
const PAD_LIMIT: usize = 256;
/// Output is handed on in pieces of about this size.
const CHUNK: usize = 64 * 1024;

/// One column: its title and how its cells look.
#[derive(Debug, Clone)]
pub struct Column {
    title: String,
    flexible: bool,
    right: bool,
    style: Style,
}

impl Column {
    /// A left-aligned column of fixed width; the title is shown in upper case.
    pub fn new(title: &str) -> Self {
        let title = safe(title).to_uppercase();
        Self { title, flexible: false, right: false, style: Style::Plain }
    }

    /// Lets the column shrink, with `…`, where the table is too wide.
    #[must_use]
    pub fn flexible(mut self) -> Self {
        self.flexible = true;
        self
    }

    /// Aligns to the right, for numbers.
    #[must_use]
    pub fn right(mut self) -> Self {
        self.right = true;
        self
    }

    /// The style of its cells that have none of their own.
    #[must_use]
    pub fn style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }
}

/// One cell: text that is already safe, its width, and perhaps a style.
#[derive(Debug, Clone)]
pub struct Cell<'a> {
    text: Cow<'a, str>,
    width: usize,
    style: Style,
}

impl<'a> Cell<'a> {
    /// A cell in the style of its column.
    pub fn new(text: impl Into<Cow<'a, str>>) -> Self {
        let text = safe(text);
        Self { width: width::width(&text), text, style: Style::Plain }
    }

    /// A style of its own, before that of the column; `Plain` has no effect.
    #[must_use]
    pub fn style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }
}

impl<'a> From<Cow<'a, str>> for Cell<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self::new(text)
    }
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(text: &'a str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Cell<'_> {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// A table that collects its rows and then writes itself.
#[derive(Debug, Clone)]
pub struct Table<'a> {
    columns: Vec<Column>,
    titles: Vec<Cell<'static>>,
    /// The widest cell of each column, the title included.
    natural: Vec<usize>,
    /// All rows, one after the other.
    cells: Vec<Cell<'a>>,
}

/// What the layout allows one column.
struct Slot {
    /// Wider cells are cut to this.
    cut: usize,
    /// Narrower cells are padded to this.
    pad: usize,
}

impl<'a> Table<'a> {
    /// An empty table of these columns.
    pub fn new(columns: Vec<Column>) -> Self {
        let titles: Vec<_> =
            columns.iter().map(|c| Cell::new(c.title.clone()).style(Style::Bold)).collect();
        let natural = titles.iter().map(|title| title.width).collect();
        Self { columns, titles, natural, cells: Vec::new() }
    }

    /// Room for this many more rows.
    pub fn reserve(&mut self, rows: usize) {
        self.cells.reserve(rows.saturating_mul(self.columns.len()));
    }

    /// Adds a row, one cell a column: missing ones are blank, extra ones a bug.
    pub fn row<C: Into<Cell<'a>>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let mut cells = cells.into_iter();
        for natural in &mut self.natural {
            let cell = cells.next().map_or_else(|| Cell::new(""), Into::into);
            *natural = (*natural).max(cell.width);
            self.cells.push(cell);
        }
        debug_assert!(cells.next().is_none(), "a row has more cells than the table has columns");
    }

    /// How many rows were added.
    pub fn len(&self) -> usize {
        self.cells.len().checked_div(self.columns.len()).unwrap_or(0)
    }

    /// Whether no row was added; the header alone would be written.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Writes the header and the rows, cut to `width` columns if one is given.
    ///
    /// # Errors
    /// Those of the writer, as they are.
    pub fn write(&self, out: &mut dyn Write, width: Option<usize>, color: bool) -> io::Result<()> {
        if self.columns.is_empty() {
            return Ok(());
        }
        let slots = self.layout(width);
        let mut buffer = Vec::with_capacity(CHUNK + CHUNK / 8);
        self.line(&mut buffer, &self.titles, &slots, color);
        for row in self.cells.chunks_exact(self.columns.len()) {
            self.line(&mut buffer, row, &slots, color);
            if buffer.len() >= CHUNK {
                out.write_all(&buffer)?;
                buffer.clear();
            }
        }
        out.write_all(&buffer)
    }

    fn line(&self, to: &mut Vec<u8>, row: &[Cell<'_>], slots: &[Slot], color: bool) {
        // Blanks wait until text follows, so that no line ends in them.
        let mut blanks = 0;
        for ((cell, column), slot) in row.iter().zip(&self.columns).zip(slots) {
            if cell.text.is_empty() {
                blanks += slot.pad + GAP;
                continue;
            }
            let cut = cell.width > slot.cut;
            let (text, columns) = if cut {
                let (kept, columns) = width::prefix(&cell.text, slot.cut - 1);
                (kept, columns + 1)
            } else {
                (&*cell.text, cell.width)
            };
            let padding = slot.pad.saturating_sub(columns);
            let (before, after) = if column.right { (padding, 0) } else { (0, padding) };
            let style = if cell.style == Style::Plain { column.style } else { cell.style };
            let style = style.when(color);
            width::pad(to, blanks + before);
            to.extend_from_slice(style.open().as_bytes());
            to.extend_from_slice(text.as_bytes());
            if cut {
                to.extend_from_slice(width::ELLIPSIS.as_bytes());
            }
            to.extend_from_slice(style.close().as_bytes());
            blanks = after + GAP;
        }
        to.push(b'\n');
    }

    fn layout(&self, limit: Option<usize>) -> Vec<Slot> {
        let widest_pad = limit.unwrap_or(0).max(PAD_LIMIT);
        let mut slots: Vec<Slot> = self
            .natural
            .iter()
            .map(|&natural| Slot { cut: usize::MAX, pad: natural.min(widest_pad) })
            .collect();
        let Some(limit) = limit else { return slots };
        let total = self.natural.iter().sum::<usize>() + GAP * (self.columns.len() - 1);
        if total <= limit {
            return slots;
        }
        // Where shrinking the flexible columns is not enough, all of them give way.
        let least: usize = (0..self.columns.len())
            .map(|i| {
                if self.columns[i].flexible {
                    MIN_FLEXIBLE.min(self.natural[i])
                } else {
                    self.natural[i]
                }
            })
            .sum::<usize>()
            + GAP * (self.columns.len() - 1);
        let all = least > limit;
        let floor = if all { MIN_ANY } else { MIN_FLEXIBLE };
        let flexible = || (0..self.columns.len()).filter(|&i| all || self.columns[i].flexible);
        let wanted: usize = flexible().map(|i| self.natural[i]).sum();
        let room = limit.saturating_sub(total - wanted);
        let taken = |cap: usize| flexible().map(|i| self.natural[i].min(cap)).sum::<usize>();
        // The widest give way first: the largest cap under which all fit.
        let (mut cap, mut too_wide) = (floor, wanted.max(floor) + 1);
        while too_wide - cap > 1 {
            let middle = cap + (too_wide - cap) / 2;
            if taken(middle) <= room { cap = middle } else { too_wide = middle }
        }
        let mut spare = room.saturating_sub(taken(cap));
        for i in flexible().filter(|&i| self.natural[i] > cap) {
            // What the division left over goes to the first columns.
            let extra = spare.min(1);
            spare -= extra;
            slots[i] = Slot { cut: cap + extra, pad: cap + extra };
        }
        slots
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
