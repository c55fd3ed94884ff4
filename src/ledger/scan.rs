//! Where the tables and headings of a document are.
//!
//! pulldown-cmark decides: it knows fences, comments, quotes and lists. Since
//! it reads 0.2 to 0.4 GB/s and a ledger is nearly all rows, it is given a
//! *skeleton*: the document without the inner rows of whatever may be a table.
//!
//! ```text
//! # Tasks                    # Tasks
//! | id | title |             | id | title |
//! |----|-------|             |----|-------|
//! | 1  | one   |    ──▶      | 3  | three |
//! | 2  | two   |
//! | 3  | three |             prose
//! prose
//! ```
//!
//! Why that changes no decision: a line that begins with `|` opens no block
//! (`CommonMark` 0.31, §4–5), so inside a table it is a row, inside a paragraph
//! text, inside a fence or comment content. What could still matter is kept:
//! delimiter rows and the line before each, the last line of every run, lines
//! indented otherwise than the delimiter row (they may leave a list item), lines
//! with nothing but a `|` (they end a table), and everything where an HTML block
//! is open (a row may hold its `-->`), in a paragraph that began with `[` (a row
//! may end a reference definition), or where lines end in a lone carriage
//! return. The law `skeleton == whole` is tested by proptest and fuzzing.

use crate::ledger::source;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use std::borrow::Cow;
use std::ops::Range;

/// A table: where its header row and its body stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Start of the header row's content, behind list and quote markers.
    pub header: usize,
    /// From the first line behind the delimiter row to the end of the last
    /// row, its line end included.
    pub body: Range<usize>,
    /// Where each row's content begins, for a table in a block quote; else the
    /// rows are the lines of the body.
    pub quoted_rows: Option<Vec<usize>>,
}

/// A heading outside quotes and lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// 1 to 6.
    pub level: u8,
    /// Its whole text with markers and line end.
    pub span: Range<usize>,
}

/// What pulldown-cmark found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blocks {
    /// Every table, in order.
    pub tables: Vec<Extent>,
    /// Every heading, in order.
    pub headings: Vec<Heading>,
}

/// Finds the tables and headings, in time that is nearly all `memchr`.
pub fn blocks(text: &str) -> Blocks {
    let skeleton = Skeleton::build(text);
    skeleton.blocks(text)
}

/// The same without the skeleton: what the law compares with.
pub fn blocks_of_whole(text: &str) -> Blocks {
    Skeleton::whole(text).blocks(text)
}

/// Finds the code fences, their own lines included, in order.
pub fn fences(text: &str) -> Vec<Range<usize>> {
    let skeleton = Skeleton::build(text);
    let fenced =
        |event: &Event<'_>| matches!(event, Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))));
    Parser::new_ext(&skeleton.kept, Options::ENABLE_TABLES)
        .into_offset_iter()
        .filter(|(event, _)| fenced(event))
        .map(|(_, range)| skeleton.origin(range.start)..skeleton.origin_end(range.end))
        .collect()
}

/// The kept text, and where each kept piece came from.
struct Skeleton {
    kept: String,
    /// (offset in `kept`, offset in the document), ascending.
    pieces: Vec<(usize, usize)>,
}

impl Skeleton {
    fn whole(text: &str) -> Self {
        let start = source::body_start(text);
        let kept = one_byte_line_ends(&text[start..]).into_owned();
        Self { kept, pieces: vec![(0, start)] }
    }

    fn build(text: &str) -> Self {
        if source::has_lone_cr(text) {
            return Self::whole(text);
        }
        let bytes = text.as_bytes();
        let mut s = Self { kept: String::new(), pieces: Vec::new() };
        let mut piece = source::body_start(text);
        let mut html_open = false;
        let mut reference_open = false;
        // The indentation of the delimiter row whose rows may be dropped.
        let mut indent: Option<&[u8]> = None;
        // The lines that are being dropped, the last one apart: it stays.
        let mut run: Option<usize> = None;
        let mut last = piece;
        let mut line = piece;
        while line < bytes.len() {
            let end = memchr::memchr(b'\n', &bytes[line..]).map_or(bytes.len(), |n| line + n + 1);
            let this = &bytes[line..end];
            let matters = |row: &[u8]| {
                reference_open
                    || (html_open && memchr::memchr(b'>', row).is_some())
                    || is_delimiter(row)
                    || is_lone_pipe(row)
            };
            let droppable = indent.is_some_and(|indent| {
                this.get(indent.len()) == Some(&b'|')
                    && this.starts_with(indent)
                    && !matters(&this[indent.len()..])
            });
            if droppable {
                if run.is_none() {
                    run = Some(line);
                }
            } else {
                if let Some(from) = run.take() {
                    s.keep(text, piece..from);
                    piece = last;
                }
                let blank = this.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
                let rest = &this[blank..];
                indent = is_delimiter(rest).then_some(&this[..blank]);
                let content = behind_markers(rest);
                html_open |= opens_html(content);
                // Blank lines end a paragraph, and a definition with it.
                reference_open = content.first() == Some(&b'[')
                    || (reference_open && !rest.trim_ascii().is_empty());
            }
            last = line;
            line = end;
        }
        if let Some(from) = run {
            s.keep(text, piece..from);
            piece = last;
        }
        s.keep(text, piece..text.len());
        s
    }

    fn keep(&mut self, text: &str, piece: Range<usize>) {
        if !piece.is_empty() {
            self.pieces.push((self.kept.len(), piece.start));
            self.kept.push_str(&text[piece]);
        }
    }

    /// The document's offset of a kept byte.
    fn origin(&self, kept: usize) -> usize {
        let i = self.pieces.partition_point(|(at, _)| *at <= kept);
        self.pieces.get(i.wrapping_sub(1)).map_or(kept, |(at, from)| from + (kept - at))
    }

    /// The document's offset behind the last kept byte of a range.
    fn origin_end(&self, end: usize) -> usize {
        if end == 0 { 0 } else { self.origin(end - 1) + 1 }
    }

    fn blocks(&self, text: &str) -> Blocks {
        let mut blocks = Blocks::default();
        let mut quotes = 0usize;
        let mut containers = 0usize;
        let mut rows: Vec<usize> = Vec::new();
        let mut head = 0;
        let parser = Parser::new_ext(&self.kept, Options::ENABLE_TABLES);
        for (event, range) in parser.into_offset_iter() {
            match event {
                Event::Start(Tag::BlockQuote(_)) => {
                    quotes += 1;
                    containers += 1;
                }
                Event::End(TagEnd::BlockQuote(_)) => {
                    quotes -= 1;
                    containers -= 1;
                }
                Event::Start(Tag::Item) => containers += 1,
                Event::End(TagEnd::Item) => containers -= 1,
                Event::Start(Tag::Table(_)) => rows.clear(),
                Event::Start(Tag::TableHead) => head = self.origin(range.start),
                Event::Start(Tag::TableRow) if quotes > 0 => rows.push(self.origin(range.start)),
                Event::End(TagEnd::Table) => {
                    let delimiter = source::next_line(text, head);
                    let start = source::next_line(text, delimiter);
                    let end = self.origin_end(range.end).max(start);
                    blocks.tables.push(Extent {
                        header: head,
                        body: start..end,
                        quoted_rows: (quotes > 0).then(|| rows.clone()),
                    });
                }
                Event::Start(Tag::Heading { level, .. }) if containers == 0 => {
                    let start = self.origin(range.start);
                    let end = self.origin_end(range.end);
                    blocks.headings.push(Heading { level: level as u8, span: start..end });
                }
                _ => {}
            }
        }
        blocks
    }
}

/// A text in which a lone carriage return is a line feed, so that no offset
/// moves. pulldown-cmark takes a carriage return for a line end nearly
/// everywhere, but not where it looks for the end of a fence's info string.
pub fn one_byte_line_ends(text: &str) -> Cow<'_, str> {
    if !source::has_lone_cr(text) {
        return Cow::Borrowed(text);
    }
    let mut rest = text.chars().peekable();
    let mut out = String::with_capacity(text.len());
    while let Some(c) = rest.next() {
        out.push(if c == '\r' && rest.peek() != Some(&'\n') { '\n' } else { c });
    }
    Cow::Owned(out)
}

/// Whether a line that starts with `|` could be a delimiter row: only `|`,
/// `-`, `:` and blanks, with at least one `-`.
pub fn is_delimiter(line: &[u8]) -> bool {
    if line.first() != Some(&b'|') {
        return false;
    }
    let mut dash = false;
    for b in line {
        match b {
            b'-' => dash = true,
            b'|' | b':' | b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => return false,
        }
    }
    dash
}

/// Whether a line that starts with `|` has nothing behind it: such a line ends
/// a table.
fn is_lone_pipe(line: &[u8]) -> bool {
    line[1..].iter().all(|b| matches!(b, b' ' | b'\t'..=b'\r'))
}

/// A line without the markers of containers that may stand first. Errs on the
/// side of too many.
fn behind_markers(rest: &[u8]) -> &[u8] {
    let at = rest.iter().position(|b| {
        !matches!(b, b'>' | b' ' | b'\t' | b'-' | b'*' | b'+' | b'.' | b')') && !b.is_ascii_digit()
    });
    at.map_or(&[], |at| &rest[at..])
}

/// Whether a line's content may leave an HTML block open whose end is a marker
/// (`CommonMark` §4.6, kinds 1 to 5). Errs on the side of yes.
fn opens_html(html: &[u8]) -> bool {
    if html.first() != Some(&b'<') {
        return false;
    }
    match html.get(1) {
        Some(b'!') if html.starts_with(b"<!--") => memchr::memmem::find(html, b"-->").is_none(),
        Some(b'!') => true,
        Some(b'?') => memchr::memmem::find(html, b"?>").is_none(),
        Some(c) => matches!(c.to_ascii_lowercase(), b's' | b'p' | b't'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bodies of the tables found, and that skeleton and whole agree.
    fn bodies(text: &str) -> Vec<&str> {
        let blocks = blocks(text);
        assert_eq!(blocks, blocks_of_whole(text), "{text:?}");
        blocks.tables.iter().map(|t| &text[t.body.clone()]).collect()
    }

    #[test]
    fn inner_rows_are_left_out_and_come_back() {
        let text = "# T\n\n| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n| 5 | 6 |\n\nend\n";
        assert_eq!(bodies(text), ["| 1 | 2 |\n| 3 | 4 |\n| 5 | 6 |\n"]);
        let skeleton = Skeleton::build(text);
        assert_eq!(skeleton.kept, "# T\n\n| a | b |\n|---|---|\n| 5 | 6 |\n\nend\n");
    }

    #[test]
    fn fences_comments_and_mismatched_headers_are_no_tables() {
        let rows = "| 1 | 2 |\n".repeat(5);
        let table = format!("| a | b |\n|---|---|\n{rows}");
        assert_eq!(bodies(&format!("```\n{table}```\n")), [""; 0]);
        assert_eq!(bodies(&format!("<!--\n{table}-->\n")), [""; 0]);
        assert_eq!(bodies(&format!("| a |\n|---|---|\n{rows}")), [""; 0]);
        assert_eq!(bodies(&table), [rows.as_str()]);
    }

    #[test]
    fn a_comment_may_end_inside_a_row() {
        let text = "<!-- open\n\n| a | b |\n|---|---|\n| 1 | --> |\n| c | d |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n";
        assert_eq!(bodies(text).len(), 1);
    }

    #[test]
    fn a_table_hides_behind_what_is_none() {
        let text = "| a |\n|---|---|\n| x |\n| h | i |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n";
        assert_eq!(bodies(text), ["| 1 | 2 |\n| 3 | 4 |\n"]);
        let text = "| a |\n|---|---|\n| x |\n| h | i |\n---|---\n| 1 | 2 |\n";
        assert_eq!(bodies(text), ["| 1 | 2 |\n"]);
    }

    #[test]
    fn a_lone_pipe_ends_a_table() {
        for lone in ["|", "| ", "|\t", "|\u{c}", "|\r"] {
            let rows = "| 1 | 2 |\n| 3 | 4 |\n";
            bodies(&format!("| a | b |\n|---|---|\n{rows}{lone}\n{rows}| 5 | 6 |\n"));
            bodies(&format!("| a | b |\n|---|---|\n{lone}\n{rows}\n"));
        }
    }

    #[test]
    fn a_fence_ends_where_a_carriage_return_does() {
        let table = "| a | b |\r|---|---|\r| 1 | 2 |\r";
        assert_eq!(bodies(&format!("```md\r{table}```\r\r`x`\r")), [""; 0]);
        assert_eq!(bodies(&format!("```md\r```\r{table}x")), ["| 1 | 2 |\rx"]);
    }

    #[test]
    fn a_reference_definition_may_end_inside_a_row() {
        bodies("[r]: /u 'a\n|---|\n| b'\n| c |\n| d |\n===\n");
        bodies("[r\n|---|\n| b]: /u\n| c |\n| d |\n===\n");
        bodies("- [r]:\n  |---|\n  | b |\n  'c'\n  | d |\n  ===\n");
    }

    #[test]
    fn quotes_lists_bom_and_line_ends() {
        assert_eq!(bodies("> | a | b |\n> |---|---|\n> | 1 | 2 |\n").len(), 1);
        assert_eq!(
            bodies("- x\n\n  | a | b |\n  |---|---|\n  | 1 | 2 |\n  | 3 | 4 |\n| 5 | 6 |\n").len(),
            1
        );
        assert_eq!(bodies("\u{feff}| a | b |\n|---|---|\n| 1 | 2 |\n"), ["| 1 | 2 |\n"]);
        assert_eq!(bodies("| a | b |\r\n|---|---|\r\n| 1 | 2 |\r\n"), ["| 1 | 2 |\r\n"]);
        assert_eq!(bodies("| a | b |\r|---|---|\r| 1 | 2 |\r| 3 | 4 |"), ["| 1 | 2 |\r| 3 | 4 |"]);
        assert_eq!(bodies("| a | b |\n|---|---|"), [""]);
    }

    #[test]
    fn text_right_below_is_a_row() {
        assert_eq!(bodies("| a | b |\n|---|---|\n| 1 | 2 |\nplain\n\nend"), ["| 1 | 2 |\nplain\n"]);
    }

    #[test]
    fn headings_have_levels() {
        let text = "# A\n\n### T-1 x\n\ntext\n\nB\n---\n\n> # quoted\n";
        let found: Vec<_> =
            blocks(text).headings.iter().map(|h| (h.level, &text[h.span.clone()])).collect();
        assert_eq!(found, [(1, "# A\n"), (3, "### T-1 x\n"), (2, "B\n---\n")]);
    }
}
