//! A file that was read: rows of named cells, each with its place.
//!
//! Here: the bytes of a foreign file, and what every format turns them into. Not
//! here: what a name means (`fields`).

use crate::error::{Error, Result};
use crate::ledger::source::{self, BOM};
use std::collections::HashMap;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: u64 = 100 * 1000 * 1000;

/// What to type where a file cannot be imported.
const HELP: &str = "orch import --help";

/// A foreign file: its name, for people, and its text.
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    text: String,
}

impl Source {
    /// Takes the bytes of a file, without a byte order mark.
    ///
    /// # Errors
    /// `usage` for what is no UTF-8, holds NUL, or is too large.
    pub fn new(name: &str, bytes: Vec<u8>) -> Result<Self> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(too_large(name, bytes.len() as u64));
        }
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return Err(Error::usage("the file is UTF-16; save it as UTF-8")
                .at(name, 0, 0)
                .hint(HELP));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes();
            let message = format!(
                "the byte 0x{:02x} is not UTF-8; save the file as UTF-8 (from Latin-1: `iconv -f \
                 latin1 -t utf-8`)",
                bytes.get(at).copied().unwrap_or_default()
            );
            let (line, column) = place(&String::from_utf8_lossy(&bytes[..at]));
            Error::usage(message).at(name, line, column).hint(HELP)
        })?;
        let text = text.strip_prefix(BOM).map(str::to_owned).unwrap_or(text);
        let source = Self { name: name.to_owned(), text };
        match memchr::memchr(0, source.text.as_bytes()) {
            Some(at) => Err(source.error(at, "the text holds NUL")),
            None => Ok(source),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is wrong at a byte of it.
    pub fn error(&self, at: usize, message: impl Into<String>) -> Error {
        self.locate(at, Error::usage(message))
    }

    /// An error with a place in it, unless it has one.
    pub fn locate(&self, at: usize, error: Error) -> Error {
        if error.place.is_some() {
            return error;
        }
        let (line, column) = source::position(&self.text, at.min(self.text.len()));
        let error = error.at(&self.name, line, column);
        if error.hint.is_some() { error } else { error.hint(HELP) }
    }

    /// The line of a byte.
    pub fn line(&self, at: usize) -> usize {
        source::position(&self.text, at.min(self.text.len())).0
    }

    /// Its lines with the offset of each, without their ends.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut at = 0;
        self.text.split_inclusive('\n').map(move |line| {
            let start = at;
            at += line.len();
            let line = line.strip_suffix('\n').unwrap_or(line);
            (start, line.strip_suffix('\r').unwrap_or(line))
        })
    }
}

/// Why a file is not read at all.
pub fn too_large(name: &str, bytes: u64) -> Error {
    Error::usage(format!(
        "the file has {bytes} bytes, more than the {MAX_BYTES} that are imported at once; split it"
    ))
    .at(name, 0, 0)
    .hint(HELP)
}

/// Line and column, from 1, of what follows a text.
fn place(before: &str) -> (usize, usize) {
    let line = before.matches('\n').count() + 1;
    let last = before.rsplit('\n').next().unwrap_or_default();
    (line, last.chars().count() + 1)
}

/// What a cell is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Whether it can only be that of an unknown column.
    pub is_extra: bool,
}

/// The cells of a file.
#[derive(Debug, Clone, Default)]
pub struct Sheet {
    /// Every name that there is, in order.
    pub names: Vec<Name>,
    /// The rows.
    pub rows: Vec<Row>,
    /// What the reader should be told of: something was left out.
    pub notices: Vec<String>,
    known: HashMap<Name, usize>,
}

/// One row: a task to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Where it begins.
    pub at: usize,
    /// Its cells; a name that is missing says nothing, a cell that is empty says so.
    pub cells: Vec<Cell>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Which name, by its place in [`Sheet::names`].
    pub name: usize,
    /// What it holds.
    pub text: String,
    /// Where it begins.
    pub at: usize,
}

impl Sheet {
    /// The place of a name, which is made where it is new.
    pub fn name(&mut self, text: &str, is_extra: bool) -> usize {
        let name = Name { text: text.to_owned(), is_extra };
        if let Some(known) = self.known.get(&name) {
            return *known;
        }
        let place = self.names.len();
        self.names.push(name.clone());
        self.known.insert(name, place);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(bytes: &[u8]) -> String {
        Source::new("x.csv", bytes.to_vec()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_place() {
        assert!(why(b"id\nM\xfcller").starts_with("x.csv:2:2: the byte 0xfc is not UTF-8"));
        assert_eq!(why(b"a\0"), "x.csv:1:2: the text holds NUL");
        assert!(why(b"\xff\xfea\0").contains("UTF-16"));
        assert_eq!(Source::new("x", b"\xef\xbb\xbfid".to_vec()).unwrap().text(), "id");
    }

    #[test]
    fn lines_have_their_offsets() {
        let source = Source::new("x", b"a\r\n\nb".to_vec()).unwrap();
        let lines: Vec<_> = source.lines().collect();
        assert_eq!(lines, [(0, "a"), (3, ""), (4, "b")]);
    }
}
