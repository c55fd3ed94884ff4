//! A unified diff, for eyes or for `git apply`.
//!
//! Lives here: colouring a diff that exists. Not here: making one (`git::diff`).
//! Invariant: `Look::Exact` writes the bytes it was given and nothing else, so
//! that `--dry-run | git apply` works; the other looks are safe for a terminal.

use std::io::{self, Write};

use super::safe::SafeLines;
use super::style::Style;

/// How a diff is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Byte for byte: a program reads it.
    Exact,
    /// For a terminal without colour: control characters are made visible.
    Plain,
    /// For people, with colour: control characters are made visible.
    Colored,
}

impl Look {
    /// The look for a stream: exact where it is neither coloured nor a terminal.
    pub const fn of(terminal: bool, color: bool) -> Self {
        match (terminal, color) {
            (_, true) => Self::Colored,
            (true, false) => Self::Plain,
            (false, false) => Self::Exact,
        }
    }
}

/// Writes a unified diff.
///
/// # Errors
/// Those of the writer, as they are.
pub fn write(out: &mut dyn Write, diff: &str, look: Look) -> io::Result<()> {
    match look {
        Look::Exact => out.write_all(diff.as_bytes()),
        Look::Plain => write!(out, "{}", SafeLines(diff)),
        Look::Colored => {
            let mut hunk = Hunk::default();
            for line in diff.split_inclusive('\n') {
                let (text, end) = line.strip_suffix('\n').map_or((line, ""), |text| (text, "\n"));
                let style = hunk.style(text);
                write!(out, "{}{}{}{end}", style.open(), SafeLines(text), style.close())?;
            }
            Ok(())
        }
    }
}

/// The lines of the current hunk that are still to come.
///
/// Without counting, a removed line that starts with `-- ` (as in SQL or Lua)
/// would look like the header of another file.
#[derive(Default)]
struct Hunk {
    old: usize,
    new: usize,
}

impl Hunk {
    fn style(&mut self, line: &str) -> Style {
        if line.starts_with('\\') {
            return Style::Dim; // `\ No newline at end of file`
        }
        if self.old == 0 && self.new == 0 {
            let Some((old, new)) = hunk_header(line) else { return Style::Bold };
            (self.old, self.new) = (old, new);
            return Style::Cyan;
        }
        match line.as_bytes().first() {
            Some(b'+') => {
                self.new = self.new.saturating_sub(1);
                Style::Green
            }
            Some(b'-') => {
                self.old = self.old.saturating_sub(1);
                Style::Red
            }
            // Some editors strip the blank of an empty context line.
            _ => {
                self.old = self.old.saturating_sub(1);
                self.new = self.new.saturating_sub(1);
                Style::Plain
            }
        }
    }
}

/// The counts of `@@ -a,b +c,d @@`; a count that is left out is 1.
fn hunk_header(line: &str) -> Option<(usize, usize)> {
    let (ranges, _) = line.strip_prefix("@@ -")?.split_once(" @@")?;
    let (old, new) = ranges.split_once(" +")?;
    let count = |range: &str| range.split_once(',').map_or(Some(1), |(_, n)| n.parse().ok());
    Some((count(old)?, count(new)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "diff --git a/T.md b/T.md\n--- a/T.md\n+++ b/T.md\n@@ -1,3 +1,2 @@ 見出し\n \
                        context\n--- a comment\n-| T-1 | 題名\x1b[2J |\r\n+++ added\n\
                        \\ No newline at end of file\n--- a/U.md\n+++ b/U.md\n@@ -1 +0,0 @@\n-x\n";

    fn show(diff: &str, look: Look) -> String {
        let mut out = Vec::new();
        write(&mut out, diff, look).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn exact_is_exact() {
        assert_eq!(show(DIFF, Look::Exact), DIFF);
        assert_eq!(show("no end", Look::Exact), "no end");
    }

    #[test]
    fn plain_is_safe_and_has_the_same_lines() {
        let shown = show(DIFF, Look::Plain);
        assert_eq!(shown, DIFF.replace('\x1b', "\\u{1b}").replace('\r', "\\u{d}"));
    }

    #[test]
    fn colour_follows_the_hunk_not_the_look_of_a_line() {
        let expected = [
            "\x1b[1mdiff --git a/T.md b/T.md\x1b[0m",
            "\x1b[1m--- a/T.md\x1b[0m",
            "\x1b[1m+++ b/T.md\x1b[0m",
            "\x1b[36m@@ -1,3 +1,2 @@ 見出し\x1b[0m",
            " context",
            "\x1b[31m--- a comment\x1b[0m",
            "\x1b[31m-| T-1 | 題名\\u{1b}[2J |\\u{d}\x1b[0m",
            "\x1b[32m+++ added\x1b[0m",
            "\x1b[2m\\ No newline at end of file\x1b[0m",
            "\x1b[1m--- a/U.md\x1b[0m",
            "\x1b[1m+++ b/U.md\x1b[0m",
            "\x1b[36m@@ -1 +0,0 @@\x1b[0m",
            "\x1b[31m-x\x1b[0m",
        ];
        let shown = show(DIFF, Look::Colored);
        assert_eq!(shown.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn odd_headers_do_not_panic() {
        for line in
            ["@@", "@@ -", "@@ -1 @@", "@@ -1,x +1 @@", "@@ -99999999999999999999 +1 @@\n-", ""]
        {
            show(line, Look::Colored);
        }
        assert_eq!(hunk_header("@@ -3 +4,0 @@"), Some((1, 0)));
        assert_eq!(hunk_header("@@ -3,x +4 @@"), None);
    }

    #[test]
    fn the_look_of_a_stream() {
        assert_eq!(Look::of(false, false), Look::Exact);
        assert_eq!(Look::of(true, false), Look::Plain);
        assert_eq!(Look::of(true, true), Look::Colored);
        assert_eq!(Look::of(false, true), Look::Colored);
    }
}
