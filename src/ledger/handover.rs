//! Handovers in a detail section: each a heading with time and actor, and its text
//! as a block quote.
//!
//! ```text
//! ### T-1 Parser
//!
//! Reads all of the grammar.
//!
//! #### Handover 2026-11-22T03:00:00Z WORK@ada
//!
//! > The lexer is done. Left: comments, in `src/lexer.rs`.
//! ```
//!
//! Invariant: whatever the text of a handover holds, it stays in its quote. Every
//! line begins with `>`, so that no heading, fence, comment or mark of a merge in
//! it counts; and a line that could be a table's delimiter row begins with `\`,
//! since a table in a quote is a table. What is spelled reads back as it was.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::scan::Heading;
use crate::ledger::section;
use crate::ledger::source;
use crate::model::handover::Handover;
use crate::model::time::Timestamp;
use crate::model::value::is_refused;
use std::ops::Range;

/// What the heading of a handover begins with.
const WORD: &str = "Handover ";
/// No heading is deeper.
const DEEPEST: u8 = 6;

/// The level of a section's heading.
pub fn level_of(headings: &[Heading], heading: &Range<usize>) -> u8 {
    headings.iter().find(|h| h.span == *heading).map_or(3, |h| h.level)
}

/// A handover as it stands in a section of this level, with `\n` and no line end
/// behind it.
///
/// # Errors
/// `Usage` for characters that no ledger takes; `NotAllowed` where no heading could
/// stand below the section's.
pub fn spell(handover: &Handover, level: u8) -> Result<String> {
    let Handover { at, actor, text } = handover;
    if level >= DEEPEST {
        return Err(Error::new(
            ErrorKind::NotAllowed,
            "the detail section has a heading of the sixth level, and a handover needs one below it",
        )
        .hint("orch list"));
    }
    if let Some(c) = text.chars().find(|c| !matches!(c, '\n' | '\t') && is_refused(*c)) {
        return Err(Error::usage(format!(
            "the handover holds U+{:04X}, a control or bidirectional character",
            c as u32
        )));
    }
    let marks = "#".repeat(usize::from(level) + 1);
    let mut out = format!("{marks} {WORD}{} {actor}\n", at.whole_seconds());
    for line in text.split('\n') {
        out.push_str("\n>");
        if !line.is_empty() {
            out.push(' ');
        }
        if is_row_of_dashes(line) {
            out.push('\\');
        }
        out.push_str(line);
    }
    Ok(out)
}

/// Whether a line, backslashes before it apart, is nothing but what a delimiter row
/// is made of.
fn is_row_of_dashes(line: &str) -> bool {
    let line = line.trim_start_matches('\\');
    line.contains('-')
        && line.contains('|')
        && line.chars().all(|c| matches!(c, '|' | '-' | ':' | '>' | ' ' | '\t'))
}

/// The handovers of a section in their order, each with its bytes.
pub fn of_section(
    text: &str,
    headings: &[Heading],
    heading: &Range<usize>,
    body: &Range<usize>,
) -> Vec<(Handover, Range<usize>)> {
    let mut found = Vec::new();
    let first = headings.partition_point(|h| h.span.start < heading.end);
    for (n, sub) in headings.iter().enumerate().skip(first) {
        if sub.span.start >= body.end {
            break;
        }
        let Some((at, actor)) = signature(section::title(text, sub).0) else { continue };
        let from = sub.span.end.min(body.end);
        let next = headings.get(n + 1).map_or(body.end, |next| next.span.start.min(body.end));
        let next = source::line_start(text, next).max(from).min(body.end);
        let (said, end) = said(text, from..if next < body.end { next } else { body.end });
        let actor = actor.to_owned();
        found.push((Handover { at, actor, text: said }, sub.span.start..end));
    }
    found
}

/// Time and actor of a heading that is a handover's.
fn signature(title: &str) -> Option<(Timestamp, &str)> {
    let (at, actor) = title.strip_prefix(WORD)?.trim().split_once(' ')?;
    let actor = actor.trim();
    let is_one = !actor.is_empty() && !actor.contains(char::is_whitespace);
    Timestamp::parse(at).filter(|_| is_one).map(|at| (at, actor))
}

/// What a handover says, and where that ends: its quote or, where somebody wrote
/// without one, everything up to the next heading.
fn said(text: &str, span: Range<usize>) -> (String, usize) {
    let (mut lines, mut end, mut at) = (Vec::new(), span.start, span.start);
    while at < span.end {
        let line = &text[at..source::line_end(text, at)];
        at = source::next_line(text, at);
        match line.strip_prefix('>') {
            Some(quoted) => {
                let quoted = quoted.strip_prefix(' ').unwrap_or(quoted);
                let is_escaped = quoted.starts_with('\\') && is_row_of_dashes(quoted);
                lines.push(if is_escaped { &quoted[1..] } else { quoted });
                end = at;
            }
            None if lines.is_empty() && line.trim().is_empty() => {}
            None => break,
        }
    }
    if lines.is_empty() {
        let plain = text[span.clone()].trim_matches(['\n', '\r', ' ', '\t']);
        return (plain.replace("\r\n", "\n"), span.end);
    }
    (lines.join("\n"), end)
}

/// The newest handover of a section.
pub fn last(found: &[(Handover, Range<usize>)]) -> Option<&Handover> {
    // Of equal ones the last: branches that met may stand in any order.
    found.iter().map(|(handover, _)| handover).max_by_key(|handover| handover.at)
}

#[cfg(test)]
#[path = "handover_tests.rs"]
mod tests;
