//! CSV as RFC 4180 has it, for spreadsheets.
//!
//! Here: reading with a place for every cell, and the guard of cells that a
//! spreadsheet would take for a formula (CWE-1236): they get a `'` in front, which
//! reading takes off. Not here: CSV for scripts (`cli::render::csv`), which is not
//! guarded. Invariant: `unguarded(guarded(x)) == x` for every text.

use super::sheet::{Cell, Row, Sheet, Source};
use crate::error::Result;
use crate::ledger::schema;
use std::borrow::Cow;

/// Whether a spreadsheet could run it, quotes in front or not: those count too, so
/// that a text which begins with one stays what it is.
fn needs_guard(text: &str) -> bool {
    let inner = text.trim_start_matches('\'');
    matches!(inner.as_bytes().first(), Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r'))
}

/// A cell that no spreadsheet runs.
pub fn guarded(text: Cow<'_, str>) -> Cow<'_, str> {
    if needs_guard(&text) { Cow::Owned(format!("'{text}")) } else { text }
}

/// The cell that was guarded.
pub fn unguarded(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if needs_guard(rest) => rest,
        _ => text,
    }
}

/// Appends a row: guarded, quoted where it must be, ended with CR LF.
pub fn write<'c>(cells: impl IntoIterator<Item = Cow<'c, str>>, to: &mut String) {
    for (n, cell) in cells.into_iter().enumerate() {
        if n > 0 {
            to.push(',');
        }
        let cell = guarded(cell);
        if cell.contains([',', '"', '\r', '\n']) {
            to.push('"');
            to.push_str(&cell.replace('"', "\"\""));
            to.push('"');
        } else {
            to.push_str(&cell);
        }
    }
    to.push_str("\r\n");
}

/// Reads a file whose first line names the columns. Cells are separated by `,`; by
/// `;` or TAB where the first line has those and no `,`.
///
/// # Errors
/// `usage` for a row of another length, a quote that does not close, and a name that
/// stands twice.
pub fn read(source: &Source) -> Result<Sheet> {
    let mut reader = Reader { source, separator: separator(source.text()), at: 0 };
    let mut sheet = Sheet::default();
    let Some(header) = reader.row()? else {
        return Err(source.error(0, "the file is empty; its first line must name the columns"));
    };
    let mut names = Vec::with_capacity(header.len());
    for (at, text) in &header {
        let text = unguarded(text.trim());
        let is_taken = sheet.names.iter().any(|name| schema::same(&name.text, text));
        let name = sheet.name(text, false);
        if !text.is_empty() && is_taken {
            return Err(source.error(*at, format!("two columns are called `{text}`")));
        }
        names.push(name);
    }
    while let Some(row) = reader.row()? {
        let start = row.first().map_or(reader.at, |(at, _)| *at);
        let (has, wants) = (row.len(), names.len());
        let beyond = row.iter().skip(wants).find(|(_, text)| !text.is_empty());
        if has < wants || beyond.is_some() {
            let at = beyond.map_or(start, |(at, _)| *at);
            let message = format!(
                "the row has {has} cells, but the header names {wants} columns; a cell with the \
                 separator in it must stand in quotes"
            );
            return Err(source.error(at, message));
        }
        let mut cells = Vec::with_capacity(wants);
        for ((at, text), name) in row.into_iter().zip(&names) {
            let unnamed = sheet.names[*name].text.is_empty();
            if unnamed && !text.is_empty() {
                return Err(source.error(at, "this cell stands in a column without a name"));
            }
            if !unnamed {
                let plain = unguarded(&text);
                let text = if plain.len() == text.len() { text } else { plain.to_owned() };
                cells.push(Cell { name: *name, text, at });
            }
        }
        sheet.rows.push(Row { at: start, cells });
    }
    Ok(sheet)
}

fn separator(text: &str) -> char {
    let header = text.lines().next().unwrap_or_default();
    let is = |c: &char| header.contains(*c);
    [',', ';', '\t'].into_iter().find(is).unwrap_or(',')
}

struct Reader<'s> {
    source: &'s Source,
    separator: char,
    at: usize,
}

impl Reader<'_> {
    /// The next row that is no blank line: each cell with its place.
    fn row(&mut self) -> Result<Option<Vec<(usize, String)>>> {
        let text = self.source.text();
        while let Some(c @ (b'\n' | b'\r')) = text.as_bytes().get(self.at) {
            self.at += if *c == b'\r' && text[self.at..].starts_with("\r\n") { 2 } else { 1 };
        }
        if self.at == text.len() {
            return Ok(None);
        }
        let mut cells = Vec::new();
        loop {
            let start = self.at;
            let cell = if text[start..].starts_with('"') { self.quoted()? } else { self.plain() };
            cells.push((start, cell));
            let rest = &text[self.at..];
            if rest.starts_with(self.separator) {
                self.at += 1;
                continue;
            }
            let end = ["\r\n", "\n", "\r"].into_iter().find(|end| rest.starts_with(end));
            self.at += end.map_or(0, str::len);
            return Ok(Some(cells));
        }
    }

    fn plain(&mut self) -> String {
        let rest = &self.source.text()[self.at..];
        let end = rest.find([self.separator, '\n', '\r']).unwrap_or(rest.len());
        self.at += end;
        rest[..end].to_owned()
    }

    fn quoted(&mut self) -> Result<String> {
        let text = self.source.text();
        let start = self.at;
        let mut cell = String::new();
        let mut from = start + 1;
        loop {
            let Some(quote) = memchr::memchr(b'"', &text.as_bytes()[from..]) else {
                return Err(self.source.error(start, "the quote that begins here does not close"));
            };
            cell.push_str(&text[from..from + quote]);
            from += quote + 1;
            let rest = &text[from..];
            if rest.starts_with('"') {
                cell.push('"');
                from += 1;
                continue;
            }
            if !rest.is_empty() && !rest.starts_with([self.separator, '\n', '\r']) {
                let message = "text stands behind the quote that closed; a quote inside a cell is \
                               written twice";
                return Err(self.source.error(from, message));
            }
            self.at = from;
            return Ok(cell);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows(text: &str) -> Result<Vec<Vec<String>>> {
        let sheet = read(&Source::new("x.csv", text.as_bytes().to_vec())?)?;
        let row = |row: Row| row.cells.into_iter().map(|cell| cell.text).collect();
        Ok(sheet.rows.into_iter().map(row).collect())
    }

    #[test]
    fn what_the_rfc_allows() {
        let read = rows("id,title\r\n1,\"a,\"\"b\"\"\r\nc\"\r\n\r\n2,\n").unwrap();
        assert_eq!(read, [["1", "a,\"b\"\r\nc"], ["2", ""]]);
        assert_eq!(rows("id;title\n1;a,b").unwrap(), [["1", "a,b"]]);
        assert_eq!(rows("id\ttitle\n1\tx\n").unwrap(), [["1", "x"]]);
        assert_eq!(rows("id,title\r1,x\r").unwrap(), [["1", "x"]]);
    }

    #[test]
    fn what_it_does_not_is_refused_with_its_place() {
        let why = |text: &str| rows(text).unwrap_err().to_string();
        assert!(why("id,title\n1\n").starts_with("x.csv:2:1: the row has 1 cells"));
        assert!(why("id,title\n1,a,b\n").starts_with("x.csv:2:5: the row has 3 cells"));
        assert!(why("id,title\n1,\"a\n").starts_with("x.csv:2:3: the quote"));
        assert!(why("id,title\n1,\"a\"b\n").starts_with("x.csv:2:6: text stands"));
        assert!(why("id,title,ID\n").starts_with("x.csv:1:10: two columns"));
        assert!(why("id,,title\n1,x,y\n").contains("without a name"));
        assert!(why("").contains("empty"));
    }

    proptest! {
        #[test]
        fn the_guard_comes_off_again(text in "['=+@\t\r a-]{0,6}|.*") {
            let guarded = guarded(Cow::Borrowed(&text));
            prop_assert!(!matches!(
                guarded.as_bytes().first(),
                Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r')
            ));
            prop_assert_eq!(unguarded(&guarded), text.as_str());
        }

        #[test]
        fn what_is_written_is_read(cells in proptest::collection::vec("['=a,\"\r\n-]{0,5}", 2)) {
            let mut text = "a,b\r\n".to_owned();
            write(cells.iter().map(|cell| Cow::Borrowed(cell.as_str())), &mut text);
            prop_assert_eq!(rows(&text).unwrap(), [cells]);
        }
    }
}
