//! Rows and cells of ledger tables, as spans into the text.
//!
//! `scan` says where tables are; this file splits their rows, because neither
//! Markdown parser can be the cell editor: both drop cells beyond the header
//! and invent missing ones. A row is split at every `|` that has no `\` right
//! before it (GFM 0.29 §4.10), and [`Grid::cross_check`] asks pulldown-cmark
//! whether it sees the same cells.

use crate::ledger::scan::{self, Extent, Heading};
use crate::ledger::source;
use pulldown_cmark::{Event, Options, Parser, Tag};
use std::borrow::Cow;
use std::ops::Range;

/// A byte range of the text; 32 bits each, so that 100,000 rows stay small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// Behind the last byte.
    pub end: u32,
}

impl Span {
    #[allow(clippy::cast_possible_truncation)] // source::MAX_BYTES fits
    const fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, end: end as u32 }
    }

    /// As a range of `usize`.
    pub const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One row: where it stands and which of the grid's cells are its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Its content, from the first pipe or character to the last.
    pub span: Span,
    first_cell: u32,
    cells: u32,
    /// The table it belongs to.
    pub table: u32,
    /// Whether it begins with a pipe.
    pub opens: bool,
    /// Whether it ends with a pipe.
    pub closes: bool,
    /// Whether a `\|` stands in it.
    pub escaped: bool,
    /// Whether blank lines separate it from its table.
    pub detached: bool,
}

impl Row {
    /// How many cells it has, those beyond the header included.
    pub const fn len(&self) -> usize {
        self.cells as usize
    }

    /// Whether it has no cell at all.
    pub const fn is_empty(&self) -> bool {
        self.cells == 0
    }
}

/// How a column's cells lean, from the colons of the delimiter row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// `---` or `:---`
    Left,
    /// `---:`
    Right,
    /// `:---:`
    Center,
}

/// A ledger table: header, delimiter row, and which rows are its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The header row.
    pub header: Row,
    /// The delimiter row.
    pub delimiter: Row,
    /// Its rows, detached ones included, as indices into the grid's rows.
    pub rows: Range<usize>,
}

/// The ledger tables of one document.
#[derive(Debug, Clone)]
pub struct Grid<'a> {
    text: &'a str,
    /// The ledger tables, in order.
    pub tables: Vec<Table>,
    /// Their rows, in order.
    pub rows: Vec<Row>,
    cells: Vec<Span>,
    /// Headings of the document, for detail sections.
    pub headings: Vec<Heading>,
}

impl<'a> Grid<'a> {
    /// Parses a document. `is_ledger` is given each table's header cells.
    pub fn parse(text: &'a str, is_ledger: impl Fn(&[Cow<'a, str>]) -> bool) -> Self {
        let blocks = scan::blocks(text);
        let mut grid = Self {
            text,
            tables: Vec::new(),
            rows: Vec::new(),
            cells: Vec::new(),
            headings: blocks.headings,
        };
        for (i, extent) in blocks.tables.iter().enumerate() {
            let kept = grid.cells.len();
            let header = grid.split_line(extent.header);
            let names: Vec<_> = (0..header.len()).map(|c| grid.value(&header, c)).collect();
            if !is_ledger(&names) {
                grid.cells.truncate(kept);
                continue;
            }
            let next =
                blocks.tables.get(i + 1).map_or(text.len(), |t| source::line_start(text, t.header));
            grid.add_table(header, extent, next);
        }
        grid
    }

    /// The document.
    pub const fn text(&self) -> &'a str {
        self.text
    }

    fn add_table(&mut self, mut header: Row, extent: &Extent, next: usize) {
        #[allow(clippy::cast_possible_truncation)]
        let table = self.tables.len() as u32;
        header.table = table;
        let delimiter_at = source::next_line(self.text, extent.header);
        let mut delimiter = self.split_line(delimiter_at);
        if extent.quoted_rows.is_some() {
            delimiter = self.split_quoted(delimiter_at);
        }
        delimiter.table = table;
        let first = self.rows.len();
        match &extent.quoted_rows {
            Some(starts) => {
                for &start in starts {
                    let row = self.split_line(start);
                    self.rows.push(Row { table, ..row });
                }
            }
            None => self.split_lines(extent.body.clone(), table),
        }
        self.add_detached(extent.body.end, next, header.len(), table);
        self.tables.push(Table { header, delimiter, rows: first..self.rows.len() });
    }

    /// The line at `offset` in a quote: its markers are skipped.
    fn split_quoted(&mut self, offset: usize) -> Row {
        let line = &self.text[offset..source::line_end(self.text, offset)];
        let content = line.len() - line.trim_start_matches([' ', '\t', '>']).len();
        self.split_line(offset + content)
    }

    /// Rows behind blank lines only, with the table's cell count, that are no
    /// part of a table of their own.
    fn add_detached(&mut self, from: usize, next: usize, columns: usize, table: u32) {
        let mut at = from;
        let mut behind_blank = false;
        while at < next {
            let end = source::line_end(self.text, at);
            let line = &self.text[at..end];
            let content = line.trim_start_matches(' ');
            if content.trim_matches([' ', '\t']).is_empty() {
                behind_blank = true;
            } else {
                let indent = line.len() - content.len();
                if !behind_blank || indent > 3 || !content.starts_with('|') {
                    return;
                }
                let kept = self.cells.len();
                let row = self.split_line(at);
                if row.len() != columns || !row.closes || scan::is_delimiter(content.as_bytes()) {
                    self.cells.truncate(kept);
                    return;
                }
                self.rows.push(Row { table, detached: true, ..row });
            }
            at = source::next_line(self.text, at);
        }
    }

    /// Splits every line of a body: the hot loop.
    fn split_lines(&mut self, body: Range<usize>, table: u32) {
        const SAMPLE: usize = 16;
        if source::has_lone_cr(&self.text[body.clone()]) {
            let mut at = body.start;
            while at < body.end {
                let row = self.split_line(at);
                self.rows.push(Row { table, ..row });
                at = source::next_line(self.text, at);
            }
            return;
        }
        let bytes = &self.text.as_bytes()[..body.end];
        let mut splitter = Splitter::at(bytes, body.start, &self.cells);
        let first = self.rows.len();
        each_mark(&bytes[body.clone()], |hit| {
            let at = body.start + hit;
            if bytes[at] == b'|' {
                splitter.pipe(bytes, at, &mut self.cells);
                return;
            }
            let row = splitter.finish(bytes, at, table, &mut self.cells);
            if self.rows.len() == first + SAMPLE {
                // The first rows tell how much room the others need, and a bit more.
                let rows = (SAMPLE + 2) * body.len() / (at - body.start);
                self.rows.reserve(rows);
                self.cells.reserve(rows.saturating_mul(row.len().min(64)));
            }
            self.rows.push(row);
            splitter = Splitter::at(bytes, at + 1, &self.cells);
        });
        if splitter.line < body.end {
            let row = splitter.finish(bytes, body.end, table, &mut self.cells);
            self.rows.push(row);
        }
    }

    /// Splits the one line whose content begins at `start`.
    fn split_line(&mut self, start: usize) -> Row {
        let end = source::line_end(self.text, start);
        let bytes = self.text.as_bytes();
        let mut splitter = Splitter::at(bytes, start, &self.cells);
        for hit in memchr::memchr_iter(b'|', &bytes[start..end]) {
            splitter.pipe(bytes, start + hit, &mut self.cells);
        }
        splitter.finish(bytes, end, 0, &mut self.cells)
    }

    /// The span of a cell, blanks included; `None` where the row lacks it.
    #[inline]
    pub fn span(&self, row: &Row, column: usize) -> Option<Range<usize>> {
        (column < row.len()).then(|| self.cells[row.first_cell as usize + column].range())
    }

    /// A cell as it stands, blanks included; empty where the row lacks it.
    #[inline]
    pub fn raw(&self, row: &Row, column: usize) -> &'a str {
        self.span(row, column).map_or("", |span| &self.text[span])
    }

    /// A cell's text without blanks, still escaped. Only blank and tab are
    /// padding: U+3000 and U+00A0 are content, as both parsers have it.
    #[inline]
    pub fn trimmed(&self, row: &Row, column: usize) -> &'a str {
        trim(self.raw(row, column))
    }

    /// A cell's value: trimmed, `\|` read as `|`.
    #[inline]
    pub fn value(&self, row: &Row, column: usize) -> Cow<'a, str> {
        let text = self.trimmed(row, column);
        if row.escaped && text.contains("\\|") {
            Cow::Owned(text.replace("\\|", "|"))
        } else {
            Cow::Borrowed(text)
        }
    }

    /// A cell's value, `None` where it is empty: `-` or nothing.
    #[inline]
    pub fn filled(&self, row: &Row, column: usize) -> Option<Cow<'a, str>> {
        let value = self.value(row, column);
        (!is_empty_value(&value)).then_some(value)
    }

    /// Line and column where a row begins, from 1.
    pub fn place(&self, row: &Row) -> (usize, usize) {
        source::position(self.text, row.span.range().start)
    }

    /// What stands before a row's content on its line: indentation, quote marks.
    pub fn prefix(&self, row: &Row) -> &'a str {
        let start = row.span.start as usize;
        &self.text[source::line_start(self.text, start)..start]
    }

    /// The header row's cells.
    pub fn headers(&self, table: &Table) -> Vec<Cow<'a, str>> {
        (0..table.header.len()).map(|c| self.value(&table.header, c)).collect()
    }

    /// How a column leans.
    pub fn align(&self, table: &Table, column: usize) -> Align {
        let cell = self.trimmed(&table.delimiter, column);
        match (cell.starts_with(':'), cell.ends_with(':')) {
            (true, true) if cell.len() > 1 => Align::Center,
            (false, true) => Align::Right,
            _ => Align::Left,
        }
    }

    /// Whether pulldown-cmark sees the cells of this row where we do, as far as
    /// the header reaches: asked before a row is edited.
    ///
    /// It says no where a cell begins or ends with U+000B or U+000C, which are
    /// padding to pulldown-cmark and content here.
    pub fn cross_check(&self, row: &Row) -> bool {
        let table = &self.tables[row.table as usize];
        let line = |row: &Row| &self.text[row.span.range()];
        let head = format!("{}\n{}\n", line(&table.header), line(&table.delimiter));
        let document = format!("{head}{}\n", line(row));
        let mut cells = Vec::new();
        let mut in_row = false;
        for (event, range) in Parser::new_ext(&document, Options::ENABLE_TABLES).into_offset_iter()
        {
            match event {
                Event::Start(Tag::TableRow) => in_row = true,
                Event::Start(Tag::TableCell) if in_row && !range.is_empty() => cells.push(range),
                _ => {}
            }
        }
        let shift = row.span.start as usize;
        let reach = row.len().min(table.header.len());
        let ours = (0..reach).filter_map(|c| self.span(row, c)).filter(|span| !span.is_empty());
        let theirs = cells
            .iter()
            .filter(|c| c.start >= head.len())
            .map(|c| c.start - head.len() + shift..c.end - head.len() + shift);
        ours.map(|r| trim(&self.text[r]))
            .eq(theirs.map(|r| trim(self.text.get(r).unwrap_or_default())))
    }
}

/// Collects the cells of one line.
struct Splitter {
    line: usize,
    /// Start of the content.
    content: usize,
    /// Start of the next cell.
    cell: usize,
    first_cell: usize,
    opens: bool,
    escaped: bool,
}

impl Splitter {
    fn at(bytes: &[u8], line: usize, cells: &[Span]) -> Self {
        let blank = bytes[line..].iter().take_while(|b| is_blank(**b)).count();
        let content = line + blank;
        let opens = bytes.get(content) == Some(&b'|');
        let cell = content + usize::from(opens);
        Self { line, content, cell, first_cell: cells.len(), opens, escaped: false }
    }

    #[inline]
    fn pipe(&mut self, bytes: &[u8], at: usize, cells: &mut Vec<Span>) {
        // The one that opens the row ends no cell.
        if at < self.cell {
            return;
        }
        if bytes[at - 1] == b'\\' {
            self.escaped = true;
            return;
        }
        cells.push(Span::new(self.cell, at));
        self.cell = at + 1;
    }

    fn finish(&self, bytes: &[u8], end: usize, table: u32, cells: &mut Vec<Span>) -> Row {
        let blank = bytes[self.line..end]
            .iter()
            .rev()
            .take_while(|b| is_blank(**b) || **b == b'\r')
            .count();
        let end = end - blank;
        // Of a line with nothing but blanks the content is where it begins.
        let content = self.content.min(end);
        // Behind the last pipe the next cell would begin.
        let closes = end > content + 1 && self.cell == end;
        if !closes && self.cell < end {
            cells.push(Span::new(self.cell, end));
        }
        #[allow(clippy::cast_possible_truncation)]
        Row {
            span: Span::new(content, end),
            first_cell: self.first_cell as u32,
            cells: (cells.len() - self.first_cell) as u32,
            table,
            opens: self.opens,
            closes,
            escaped: self.escaped,
            detached: false,
        }
    }
}

/// Gives the place of every `|` and line feed, in order. By blocks: cells are so
/// short that a call of `memchr` for each costs more.
#[inline]
fn each_mark(bytes: &[u8], mut found: impl FnMut(usize)) {
    let (blocks, rest) = bytes.as_chunks::<64>();
    let mut last = [0; 64];
    last[..rest.len()].copy_from_slice(rest);
    for n in 0..=blocks.len() {
        let mut marks = marks(blocks.get(n).unwrap_or(&last));
        while marks != 0 {
            found(64 * n + marks.trailing_zeros() as usize);
            marks &= marks - 1;
        }
    }
}

/// One bit a byte, set for `|` and line feed. The first loop becomes vector
/// instructions; the product moves the lowest bits of eight bytes into one.
#[inline]
fn marks(block: &[u8; 64]) -> u64 {
    let mut found = [0_u8; 64];
    for (found, b) in found.iter_mut().zip(block) {
        *found = u8::from(*b == b'|') | u8::from(*b == b'\n');
    }
    let (eights, _) = found.as_chunks::<8>();
    eights.iter().enumerate().fold(0, |bits, (n, eight)| {
        let product = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080);
        bits | (product >> 56) << (8 * n)
    })
}

const fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t')
}

/// Without blanks and tabs at both ends.
#[inline]
pub fn trim(text: &str) -> &str {
    let bytes = text.as_bytes();
    let (mut start, mut end) = (0, bytes.len());
    while start < end && is_blank(bytes[start]) {
        start += 1;
    }
    while start < end && is_blank(bytes[end - 1]) {
        end -= 1;
    }
    &text[start..end]
}

/// Whether a cell counts as empty: `-` or nothing.
pub fn is_empty_value(value: &str) -> bool {
    matches!(value, "" | "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn every_mark_is_found_at_its_place(bytes: Vec<u8>, pipes in "[|\n}{\x0b a台]{0,200}") {
            for bytes in [&bytes[..], pipes.as_bytes()] {
                let mut found = Vec::new();
                each_mark(bytes, |at| found.push(at));
                let slow = memchr::memchr2_iter(b'|', b'\n', bytes);
                proptest::prop_assert_eq!(found, slow.collect::<Vec<_>>());
            }
        }
    }

    fn cells(row: &str) -> Vec<String> {
        let text = format!("| a | b |\n|---|---|\n{row}\n");
        let grid = Grid::parse(&text, |_| true);
        assert_eq!(grid.rows.len(), 1, "{row:?}");
        (0..grid.rows[0].len()).map(|c| grid.raw(&grid.rows[0], c).to_owned()).collect()
    }

    #[test]
    fn rows_split_at_unescaped_pipes() {
        assert_eq!(cells("| 1 | 2 |"), [" 1 ", " 2 "]);
        assert_eq!(cells("|1|2|"), ["1", "2"]);
        assert_eq!(cells("1 | 2"), ["1 ", " 2"]);
        assert_eq!(cells("  | 1 | 2 |  "), [" 1 ", " 2 "]);
        assert_eq!(cells("| 1 | 2 | 3 |"), [" 1 ", " 2 ", " 3 "]);
        assert_eq!(cells("| 1 |"), [" 1 "]);
        assert_eq!(cells(r"| a \| b | c\\| d |"), [r" a \| b ", r" c\\| d "]);
        assert_eq!(cells("| `x|y` | 2 |"), [" `x", "y` ", " 2 "]);
        assert_eq!(cells("||x|"), ["", "x"]);
        assert_eq!(cells("plain"), ["plain"]);
        assert_eq!(cells("|　全角　| \u{a0} |"), ["　全角　", " \u{a0} "]);
    }

    #[test]
    fn values_are_trimmed_and_unescaped() {
        let text = "| a | b |\n|---|---|\n| x \\| y | - |\n";
        let grid = Grid::parse(text, |_| true);
        assert_eq!(grid.value(&grid.rows[0], 0), "x | y");
        assert_eq!(grid.filled(&grid.rows[0], 1), None);
        assert_eq!(grid.filled(&grid.rows[0], 7), None);
    }

    #[test]
    fn detached_rows_belong_to_the_table_before() {
        let table = "| a | b |\n|---|---|\n| 1 | 2 |\n";
        let count = |tail: &str| {
            let text = format!("{table}{tail}");
            let grid = Grid::parse(&text, |names| names.first().is_some_and(|n| n == "a"));
            grid.rows.iter().filter(|r| r.detached).count()
        };
        assert_eq!(count("\n| 3 | 4 |\n| 5 | 6 |\n"), 2);
        assert_eq!(count("\n\n  | 3 | 4 |\n\n| 5 | 6 |"), 2);
        assert_eq!(count("\n| 3 | 4 | 5 |\n"), 0);
        assert_eq!(count("\nprose\n\n| 3 | 4 |\n"), 0);
        assert_eq!(count("\n    | 3 | 4 |\n"), 0);
        assert_eq!(count("\n| 3 | 4 |\n|---|---|\n| 5 | 6 |\n"), 0);
        assert_eq!(count("\n  | 3 | 4 |\n  |---|---|\n"), 0, "an indented table of its own");
    }

    #[test]
    fn pulldown_sees_the_same_cells() {
        for row in [
            "| 1 | 2 |",
            "| 1 |",
            "| 1 | 2 | 3 |",
            r"| a \| b |  |",
            "x | y",
            "| `a|b` | c |",
            "||x|",
        ] {
            let text = format!("| a | b |\n|---|---|\n{row}\n");
            let grid = Grid::parse(&text, |_| true);
            assert!(grid.cross_check(&grid.rows[0]), "{row}");
        }
    }

    #[test]
    fn a_row_may_stand_in_a_quote_or_a_list() {
        for text in
            ["> | a | b |\n> |---|---|\n> | 1 | 2 |\n", "- | a | b |\n  |---|---|\n  | 1 | 2 |\n"]
        {
            let grid = Grid::parse(text, |_| true);
            assert_eq!(grid.trimmed(&grid.rows[0], 1), "2", "{text}");
            assert_eq!(grid.prefix(&grid.rows[0]).len(), 2);
            assert!(grid.cross_check(&grid.rows[0]));
        }
    }
}
