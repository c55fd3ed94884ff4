//! What a rule found, with its place in a file.

use crate::model::severity::Severity;
use crate::store::accepted;
use crate::store::entry::sha256_hex;
use std::ops::Range;

/// The most bytes of a line that a finding keeps.
const LONGEST: usize = 1_000;

/// Something in a file that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule's code; stable.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// The file, by its path from the workspace root, else as it was named.
    pub file: String,
    /// 1-based line; 0 where it is about the whole file.
    pub line: usize,
    /// 1-based column in characters; 0 where it is about the whole file.
    pub column: usize,
    /// The column behind the last character that it is about.
    pub end_column: usize,
    /// The line, and which bytes of it are meant.
    pub snippet: Option<Snippet>,
    /// What is wrong: lower case, no full stop, values in backticks.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
    /// The id of the row, or the name of the setting.
    pub row: Option<String>,
    /// The operation that did it by hand.
    pub op: Option<String>,
    /// Whether CMD accepted it.
    pub is_accepted: bool,
}

impl Finding {
    /// One about a whole file, of which nothing else is said yet.
    pub(super) fn of_file(file: &str) -> Self {
        Self {
            code: "",
            severity: Severity::Ok,
            file: file.to_owned(),
            line: 0,
            column: 0,
            end_column: 0,
            snippet: None,
            message: String::new(),
            help: None,
            row: None,
            op: None,
            is_accepted: false,
        }
    }

    /// What accepting it is written as: `<code>/<file>/<row>`, with the beginning
    /// of the SHA-256 of the cell that is meant, and for an operation by hand
    /// `<operation>/<code>/<row>`. Another value in the cell is another finding.
    pub fn key(&self) -> String {
        let row = self.row.as_deref().unwrap_or_default();
        if let Some(op) = &self.op {
            return accepted::key(op, self.code, row);
        }
        let key = format!("{}/{}/{row}", self.code, self.file);
        let marked = self.snippet.as_ref().map_or("", |s| &s.text[s.span.clone()]);
        if marked.is_empty() || marked.starts_with('|') {
            return key;
        }
        format!("{key}/{}", &sha256_hex(marked.as_bytes())[..8])
    }

    /// Whether somebody means it by this word: its code, row or operation.
    pub fn is_named(&self, name: &str) -> bool {
        self.code == name || self.row.as_deref() == Some(name) || self.op.as_deref() == Some(name)
    }
}

/// One line of a file, cut around the bytes that are meant where it is long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// The line without its end.
    pub text: String,
    /// Which of its bytes are meant.
    pub span: Range<usize>,
}

impl Snippet {
    /// Of a line, at these bytes of it.
    pub fn of(line: &str, span: Range<usize>) -> Self {
        let span = span.start.min(line.len())..span.end.min(line.len());
        if line.len() <= LONGEST {
            return Self { text: line.to_owned(), span };
        }
        let end = line.floor_char_boundary(span.end.min(span.start + LONGEST / 2));
        let room = (LONGEST - (end - span.start)) / 2;
        let from = line.floor_char_boundary(span.start.saturating_sub(room));
        let to = line.ceil_char_boundary(end.saturating_add(room).min(line.len()));
        let (before, after) =
            (if from > 0 { "…" } else { "" }, if to < line.len() { "…" } else { "" });
        let at = before.len() + span.start - from;
        let text = format!("{before}{}{after}", &line[from..to]);
        Self { text, span: at..at + end - span.start }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_around_what_is_meant() {
        let short = Snippet::of("| a | b |", 6..7);
        assert_eq!((&short.text[short.span.clone()], short.text.len()), ("b", 9));
        let line = format!("| {} | 台帳 | {} |", "あ".repeat(2_000), "い".repeat(2_000));
        let at = line.find("台帳").unwrap();
        let cut = Snippet::of(&line, at..at + 6);
        assert_eq!(&cut.text[cut.span.clone()], "台帳");
        assert!(cut.text.starts_with('…') && cut.text.ends_with('…'));
        assert!(cut.text.len() < LONGEST + 16, "{}", cut.text.len());
        let whole = Snippet::of(&line, 0..line.len());
        assert!(whole.text.len() < LONGEST + 16 && whole.span.start == 0);
    }
}
