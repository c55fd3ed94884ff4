//! Findings as compilers show errors: the line, and what of it is meant.
//!
//! The only module that knows `annotate-snippets`. Lines come from ledgers, so
//! they are made safe first, and are cut here to the width that there is.
//! Invariant: what is underlined is what the finding means, whatever was
//! escaped or cut in front of it.

use crate::cli::render::safe::safe;
use crate::model::hidden::shows_nothing;
use crate::model::severity::Severity;
use crate::services::check::{Finding, Snippet};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer};
use std::borrow::Cow;
use std::ops::Range;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What is known of the width where nobody looks at a terminal.
const WIDTH: usize = 120;
/// What stands in front of a line: its number and a bar.
const MARGIN: usize = 8;

/// A finding in several lines, with a line end.
pub fn text(finding: &Finding, width: Option<usize>, color: bool) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note | Severity::Ok => Level::NOTE,
    };
    let accepted = if finding.is_accepted { " (accepted)" } else { "" };
    let message = format!("{}{accepted}", safe(&*finding.message));
    let path = safe(&*finding.file).into_owned();
    let title = level.primary_title(message).id(finding.code);
    let room = width.unwrap_or(WIDTH).saturating_sub(MARGIN).max(24);
    let line = finding.snippet.as_ref().map(|snippet| cut(snippet, room));
    let mut shown_column = 0;
    let mut group: Group<'_> = match &line {
        Some((line, span)) => {
            shown_column = line[..span.start].chars().count() + 1;
            let mark = AnnotationKind::Primary.span(span.clone());
            let source = annotate_snippets::Snippet::source(line.as_str())
                .line_start(finding.line)
                .path(path.as_str())
                .annotation(mark);
            title.element(source)
        }
        None if finding.line > 0 => {
            let origin = Origin::path(path.as_str()).line(finding.line);
            title.element(origin.char_column(finding.column))
        }
        None => title.element(Origin::path(path.as_str())),
    };
    if let Some(help) = &finding.help {
        group = group.element(Level::HELP.message(safe(&**help)));
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut out = renderer.term_width(usize::from(u16::MAX)).render(&[group]);
    // The column of the file, not of what is left of the line here.
    if shown_column > 0 && shown_column != finding.column {
        let place = |column: usize| format!("{path}:{}:{column}", finding.line);
        out = out.replacen(&place(shown_column), &place(finding.column), 1);
    }
    out.push('\n');
    out
}

/// A line made safe, and cut to so many columns around what is meant.
fn cut(snippet: &Snippet, room: usize) -> (String, Range<usize>) {
    let Snippet { text, span } = snippet;
    let before = safe(&text[..span.start]);
    let marked = visible(&text[span.clone()]);
    let after = safe(&text[span.end..]);
    if before.width() + marked.width() + after.width() <= room {
        let span = before.len()..before.len() + marked.len();
        return (format!("{before}{marked}{after}"), span);
    }
    let marked = head(&marked, room - 2);
    let left = (room - 2).saturating_sub(marked.width());
    // What the end of the line leaves free goes to its beginning.
    let behind = after.width().min(left / 2).max(left.saturating_sub(before.width()));
    let (shown_after, shown_before) =
        (head(&after, behind), tail(&before, left - behind.min(left)));
    let dots = |is_cut: bool| if is_cut { "…" } else { "" };
    let start = format!("{}{shown_before}", dots(shown_before.len() < before.len()));
    let end_is_cut = shown_after.len() < after.len() || marked.len() < snippet.span.len();
    let span = start.len()..start.len() + marked.len();
    (format!("{start}{marked}{shown_after}{}", dots(end_is_cut)), span)
}

/// What is meant, safe, and with all that shows nothing spelled out: it may be what
/// the finding is about.
fn visible(marked: &str) -> Cow<'_, str> {
    if !marked.is_empty() && marked.chars().all(shows_nothing) {
        return marked.chars().flat_map(char::escape_unicode).collect();
    }
    safe(marked)
}

/// The beginning of a text, in at most so many columns.
fn head(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > columns {
            return &text[..at];
        }
    }
    text
}

/// The end of a text, in at most so many columns.
fn tail(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if used > columns {
            return &text[at + c.len_utf8()..];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(line: &str, meant: &str) -> Finding {
        let at = line.find(meant).unwrap();
        Finding {
            code: "unknown-state",
            severity: Severity::Warning,
            file: "ORCH/STATE/TASKS.md".into(),
            line: 12,
            column: line[..at].chars().count() + 1,
            end_column: line[..at + meant.len()].chars().count() + 1,
            snippet: Some(Snippet::of(line, at..at + meant.len())),
            message: format!("the state `{meant}` is not known"),
            help: Some("states are PLAN and others".into()),
            row: Some("1".into()),
            op: None,
            is_accepted: false,
        }
    }

    /// The line and the marks below it, without what stands in front.
    fn lines(finding: &Finding, width: usize) -> [String; 2] {
        let out = text(finding, Some(width), false);
        let lines: Vec<&str> = out.lines().collect();
        let at = lines.iter().position(|line| line.starts_with("12 | ")).expect(&out);
        [lines[at], lines[at + 1]].map(|line| line.get(5..).unwrap_or_default().to_owned())
    }

    #[test]
    fn a_finding_looks_like_a_compilers() {
        let line = "| 1 | 台帳を直す | LATER | - |";
        assert_eq!(
            text(&finding(line, "LATER"), None, false),
            "\
warning[unknown-state]: the state `LATER` is not known
  --> ORCH/STATE/TASKS.md:12:15
   |
12 | | 1 | 台帳を直す | LATER | - |
   |                    ^^^^^
   |
   = help: states are PLAN and others
"
        );
        let whole_file =
            Finding { snippet: None, line: 0, column: 0, help: None, ..finding(line, "1") };
        assert_eq!(
            text(&whole_file, None, false),
            "warning[unknown-state]: the state `1` is not known\n--> ORCH/STATE/TASKS.md\n"
        );
        assert!(text(&finding(line, "LATER"), None, true).contains("\x1b["));
    }

    #[test]
    fn what_is_escaped_or_cut_moves_the_marks_with_it() {
        let [line, marks] = lines(&finding("| 1 | a\u{1b}[2J | LATER | - |", "LATER"), 200);
        assert_eq!(line, "| 1 | a\\u{1b}[2J | LATER | - |");
        assert_eq!(marks.find('^'), line.find("LATER"));
        let long = format!("| 1 | {} | LATER | {} |", "台帳".repeat(80), "備考".repeat(80));
        for width in [30, 60, 100] {
            let found = finding(&long, "LATER");
            let [line, marks] = lines(&found, width);
            assert!(line.starts_with('…') && line.ends_with('…'), "{line}");
            assert!(line.width() + 5 <= width, "{width}: {line}");
            let before = line.split("LATER").next().unwrap().width();
            assert_eq!(marks.find('^'), Some(before), "{line}\n{marks}");
            let place = format!("TASKS.md:12:{}\n", found.column);
            assert!(text(&found, Some(width), false).contains(&place), "{place}");
        }
    }

    #[test]
    fn a_long_cell_is_cut_itself() {
        let cell = "あ".repeat(100);
        let [line, marks] = lines(&finding(&format!("| 1 | {cell} | x |"), &cell), 60);
        assert!(line.width() + 5 <= 60 && line.ends_with('…'), "{line}");
        assert!(marks.contains("^^^^^^"));
    }
}
