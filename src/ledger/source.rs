//! The bytes of a ledger: what may be read, where a line is, how lines end.
//!
//! Invariant: text that passed [`text`] is UTF-8 without NUL; offsets into it
//! fit in 32 bits.

use crate::error::{Error, Result};
use crate::ledger::scan;

/// The byte order mark that some editors put first.
pub const BOM: &str = "\u{feff}";

/// The largest ledger that is read, in bytes.
pub const MAX_BYTES: usize = 256 * 1024 * 1024;

/// Checks the bytes of a ledger and gives their text, without copying.
///
/// # Errors
/// `LedgerInvalid` with line and column (and the byte offset in the message)
/// for text that is not UTF-8 or holds NUL, and for files over [`MAX_BYTES`].
pub fn text<'a>(bytes: &'a [u8], path: &str) -> Result<&'a str> {
    unmerged(bytes, path)?;
    if bytes.len() > MAX_BYTES {
        return Err(Error::invalid(format!(
            "the file has {} bytes, more than the {MAX_BYTES} that a ledger may have",
            bytes.len()
        ))
        .at(path, 0, 0)
        .hint("orch archive --dry-run"));
    }
    let Ok(text) = simdutf8::basic::from_utf8(bytes) else {
        let at = simdutf8::compat::from_utf8(bytes).err().map_or(0, |e| e.valid_up_to());
        return Err(unreadable(bytes, at, path, "is not UTF-8"));
    };
    match memchr::memchr(0, bytes) {
        None => Ok(text),
        Some(at) => Err(unreadable(bytes, at, path, "is NUL")),
    }
}

fn unreadable(bytes: &[u8], at: usize, path: &str, what: &str) -> Error {
    let start = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |n| n + 1);
    let line = memchr::memchr_iter(b'\n', &bytes[..at]).count() + 1;
    let column = String::from_utf8_lossy(&bytes[start..at]).chars().count() + 1;
    let byte = bytes.get(at).copied().unwrap_or_default();
    Error::invalid(format!("the byte 0x{byte:02x} at offset {at} {what}; nothing was changed"))
        .at(path, line, column)
        .hint("orch doctor")
}

/// Checks a text that is about to be written: it must load again.
///
/// # Errors
/// `Usage` with the first line that [`text`] would refuse.
pub fn loads(text: &str, path: &str) -> Result<()> {
    self::text(text.as_bytes(), path).map(|_| ()).map_err(|error| {
        let place = error.place.map_or_else(|| path.to_owned(), |place| place.to_string());
        Error::usage(format!(
            "the change would make `{path}` unreadable at `{place}`: {}; nothing was changed",
            error.message.trim_end_matches("; nothing was changed")
        ))
    })
}

/// Refuses a file in which git left two versions of some lines. Marks inside a
/// code fence are somebody's example.
fn unmerged(bytes: &[u8], path: &str) -> Result<()> {
    let at_line = |mark: &'static [u8; 8], from: usize| {
        let begins = move |at: &usize| *at == 0 || bytes[at - 1] == b'\n';
        let signs = memchr::memchr_iter(mark[0], &bytes[from..]).map(move |at| from + at);
        signs.filter(begins).filter(move |at| bytes[*at..].starts_with(mark))
    };
    let mut starts = at_line(b"<<<<<<< ", 0).peekable();
    if starts.peek().is_none() {
        return Ok(());
    }
    let fences = simdutf8::basic::from_utf8(bytes).map(scan::fences).unwrap_or_default();
    let is_fenced = |at: usize| {
        let before = fences.partition_point(|fence| fence.start <= at);
        before.checked_sub(1).is_some_and(|n| fences[n].contains(&at))
    };
    let Some(ours) = starts.find(|at| !is_fenced(*at)) else { return Ok(()) };
    let Some(theirs) = at_line(b">>>>>>> ", ours).next() else { return Ok(()) };
    if memchr::memmem::find(&bytes[ours..theirs], b"\n=======").is_none() {
        return Ok(());
    }
    let line = |at: usize| memchr::memchr_iter(b'\n', &bytes[..at]).count() + 1;
    let message = format!(
        "lines {} to {} are an unresolved merge: git left both versions between its marks",
        line(ours),
        line(theirs)
    );
    Err(Error::invalid(message).at(path, line(ours), 1).hint("git status"))
}

/// Where the text begins behind a byte order mark.
pub fn body_start(text: &str) -> usize {
    if text.starts_with(BOM) { BOM.len() } else { 0 }
}

/// 1-based line and 1-based column in characters of a byte offset.
pub fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..offset.min(text.len())];
    let start = memchr::memrchr(b'\n', before).map_or(0, |n| n + 1);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let column =
        text.get(start..offset).map_or(1, |s| s.trim_start_matches(BOM).chars().count() + 1);
    (line, column)
}

/// Where each line begins: positions of many offsets for one pass over the text.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    text: &'a str,
    starts: Vec<u32>,
}

impl<'a> Lines<'a> {
    /// Looks through a text that passed [`text`].
    #[allow(clippy::cast_possible_truncation)] // MAX_BYTES fits
    pub fn of(text: &'a str) -> Self {
        let ends = memchr::memchr_iter(b'\n', text.as_bytes());
        Self { text, starts: [0].into_iter().chain(ends.map(|at| at as u32 + 1)).collect() }
    }

    /// As [`position`]. Cost: the length of the line.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|start| *start as usize <= offset).max(1);
        let start = self.starts[line - 1] as usize;
        let before = self.text.get(start..offset);
        (line, before.map_or(1, |s| s.trim_start_matches(BOM).chars().count() + 1))
    }

    /// The bytes of the line that holds an offset, without its end.
    pub fn line_at(&self, offset: usize) -> std::ops::Range<usize> {
        let line = self.starts.partition_point(|start| *start as usize <= offset).max(1);
        let start = self.starts[line - 1] as usize;
        let end = self.starts.get(line).map_or(self.text.len(), |next| *next as usize);
        let content = self.text[start..end].trim_end_matches(['\n', '\r']);
        let skipped = content.len() - content.trim_start_matches(BOM).len();
        start + skipped..start + content.len()
    }
}

/// Where the line that holds `offset` begins. A carriage return alone ends a
/// line, as in `CommonMark`.
pub fn line_start(text: &str, offset: usize) -> usize {
    let b = text.as_bytes();
    let mut at = offset;
    while at > 0 {
        match memchr::memrchr2(b'\n', b'\r', &b[..at]) {
            None => return body_start(text).min(offset),
            Some(n) if b[n] == b'\r' && b.get(n + 1) == Some(&b'\n') => {
                if n + 1 < offset {
                    return n + 2;
                }
                at = n;
            }
            Some(n) => return n + 1,
        }
    }
    0
}

/// Where the line that holds `offset` ends, before its line end.
pub fn line_end(text: &str, offset: usize) -> usize {
    let b = text.as_bytes();
    memchr::memchr2(b'\n', b'\r', &b[offset..]).map_or(b.len(), |n| offset + n)
}

/// Where the next line begins, or the end of the text.
pub fn next_line(text: &str, offset: usize) -> usize {
    let end = line_end(text, offset);
    end + line_ending(&text[end..]).len()
}

/// The line end that `text` begins with; empty where there is none.
pub fn line_ending(text: &str) -> &'static str {
    match text.as_bytes() {
        [b'\r', b'\n', ..] => "\r\n",
        [b'\n', ..] => "\n",
        [b'\r', ..] => "\r",
        _ => "",
    }
}

/// How a new line after the one at `offset` is to end: as that line does, else
/// as the line before it, else as most of the text.
pub fn line_ending_near(text: &str, offset: usize) -> &'static str {
    let own = line_ending(&text[line_end(text, offset)..]);
    if !own.is_empty() {
        return own;
    }
    let start = line_start(text, offset);
    match &text.as_bytes()[..start] {
        [.., b'\r', b'\n'] => "\r\n",
        [.., b'\r'] => "\r",
        [.., b'\n'] => "\n",
        _ => "\n",
    }
}

/// Whether a carriage return stands alone somewhere: it ends a line.
pub fn has_lone_cr(text: &str) -> bool {
    let b = text.as_bytes();
    memchr::memchr_iter(b'\r', b).any(|at| b.get(at + 1) != Some(&b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_text_is_refused_with_its_place() {
        let error = text(b"ab\nc\xff", "T.md").unwrap_err();
        assert_eq!(
            error.to_string(),
            "T.md:2:2: the byte 0xff at offset 4 is not UTF-8; nothing was changed"
        );
        let error = text(b"a\0", "T.md").unwrap_err();
        assert!(error.to_string().starts_with("T.md:1:2: the byte 0x00 at offset 1 is NUL"));
        assert_eq!(text("日本".as_bytes(), "T.md").unwrap(), "日本");
    }

    #[test]
    fn marks_of_a_merge_count_outside_of_fences_only() {
        let marks = "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> x\n";
        let line = |before: &str| {
            let whole = format!("{before}{marks}");
            text(whole.as_bytes(), "T.md").err().and_then(|error| Some(error.place?.line))
        };
        assert_eq!(line(""), Some(1));
        assert_eq!(line("\n"), Some(2));
        assert_eq!(line("```\n"), None);
        assert_eq!(line("~~~~ text\n```\n"), None);
        assert_eq!(line("```\n```\n"), Some(3));
        // A mark at the beginning of a line ends what it is not indented for.
        assert_eq!(line("- x\n\n  ```\n"), Some(4));
        assert_eq!(line("> ```\n"), Some(2));
        // An example does not hide what stands behind it.
        assert_eq!(line(&format!("```\n{marks}```\n")), Some(8));
        // Nor do rows that the scanner leaves out move anything.
        let table = format!("| a |\n|---|\n{}\n", "| 1 |\n".repeat(9));
        assert_eq!(line(&format!("{table}```\n")), None);
        assert_eq!(line(&format!("{table}x\n")), Some(14));
    }

    #[test]
    fn what_would_not_load_is_not_written() {
        assert!(loads("a\n```\n<<<<<<< a\n=======\n>>>>>>> b\n", "T.md").is_ok());
        let error = loads("a\n<<<<<<< a\n=======\n>>>>>>> b\n", "T.md").unwrap_err();
        assert_eq!(error.kind, crate::error::ErrorKind::Usage);
        assert!(error.message.contains("`T.md:2:1`: lines 2 to 4 are an unresolved"), "{error}");
        assert!(loads("a\0", "T.md").is_err());
    }

    #[test]
    fn lines_end_in_three_ways() {
        let text = "a\r\nb\rc\nd";
        assert_eq!(line_start(text, 3), 3);
        assert_eq!(line_start(text, 2), 0);
        assert_eq!(line_start(text, 5), 5);
        assert_eq!(line_start(text, 7), 7);
        assert_eq!(line_end(text, 0), 1);
        assert_eq!(next_line(text, 0), 3);
        assert_eq!(next_line(text, 3), 5);
        assert_eq!(next_line(text, 7), 8);
        assert_eq!(line_ending_near(text, 0), "\r\n");
        assert_eq!(line_ending_near(text, 7), "\n");
        assert!(has_lone_cr(text) && !has_lone_cr("a\r\nb"));
    }

    #[test]
    fn a_position_counts_characters() {
        assert_eq!(position("日本\nタスク", 7 + 6), (2, 3));
        assert_eq!(position("\u{feff}ab", 4), (1, 2));
    }

    #[test]
    fn an_index_of_lines_says_the_same() {
        for text in ["", "a", "\u{feff}日本\nタスク\r\nx\n", "\n\n", "a\rb\nc"] {
            let lines = Lines::of(text);
            for offset in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
                assert_eq!(lines.position(offset), position(text, offset), "{text:?} {offset}");
            }
        }
        let text = "\u{feff}a\r\n日本\n";
        let lines = Lines::of(text);
        assert_eq!(&text[lines.line_at(3)], "a");
        assert_eq!(&text[lines.line_at(9)], "日本");
        assert_eq!(lines.line_at(text.len()), text.len()..text.len());
    }
}
