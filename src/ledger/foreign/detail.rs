//! What a row cannot say, as the text of a detail section.
//!
//! Invariant: what leaves here stays inside its section, whatever it holds: no
//! heading in it ends that, no fence or comment in it swallows the next one, and
//! no table in it is taken for a ledger.

use crate::ledger::document::Kind;
use crate::ledger::foreign::{Field, Form, Item, Value};
use crate::ledger::scan;
use crate::ledger::schema;
use crate::ledger::section;
use crate::ledger::source;
use crate::ledger::table::Grid;
use std::fmt::Write as _;
use std::ops::Range;

/// The text of an item that its row does not say. `kept` are the fields that
/// became no cell.
pub fn text(source: &str, item: &Item, kept: &[&Field]) -> String {
    if item.form == Form::Headings {
        return without(source, item, kept).trim_matches(['\n', '\r']).to_owned();
    }
    let mut out = String::new();
    for field in kept {
        let key = &field.key;
        let _ = match &field.value {
            Value::Nothing => Ok(()),
            Value::Text(text) => writeln!(out, "- **{key}**: {text}"),
            Value::List(list) => {
                let _ = writeln!(out, "- **{key}**:");
                list.iter().try_for_each(|entry| writeln!(out, "  - {entry}"))
            }
            Value::Block => {
                writeln!(out, "{}", fenced(source[field.span.clone()].trim_end(), "yaml"))
            }
        };
    }
    let body = &source[item.body.clone()];
    let body = match item.form {
        Form::Checkboxes => dedented(body),
        _ => body.trim_matches(['\n', '\r']).to_owned(),
    };
    if !out.is_empty() && !body.trim().is_empty() && item.form != Form::Checkboxes {
        out.push('\n');
    }
    out.push_str(body.trim_end());
    out.trim_end().to_owned()
}

/// The lines of an item's fields that became cells: what goes out of its section.
pub fn taken<'i>(item: &'i Item, kept: &'i [&Field]) -> impl Iterator<Item = Range<usize>> + 'i {
    let fields = item.fields.iter().filter(|field| field.has_lines);
    let fields = fields.filter(|field| !kept.iter().any(|k| k.span == field.span));
    item.id_lines.iter().cloned().chain(fields.map(|field| field.span.clone()))
}

fn without(source: &str, item: &Item, kept: &[&Field]) -> String {
    let mut gone: Vec<Range<usize>> = taken(item, kept).collect();
    gone.sort_by_key(|span| span.start);
    let (mut out, mut at) = (String::new(), item.body.start);
    for span in gone {
        out.push_str(&source[at..span.start]);
        at = span.end;
    }
    out.push_str(&source[at..item.body.end]);
    out
}

/// A text in a fence longer than any run of backticks in it.
fn fenced(text: &str, language: &str) -> String {
    let runs = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat((runs + 1).max(3));
    format!("{fence}{language}\n{text}\n{fence}")
}

/// Lines without the blanks that all of them begin with.
fn dedented(text: &str) -> String {
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    let blanks = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let common = lines().map(blanks).min().unwrap_or(0);
    let cut = text.lines().map(|line| line.get(common..).unwrap_or("").trim_end());
    cut.collect::<Vec<_>>().join("\n")
}

/// A text made fit for a section of this level: its headings are deeper, and one
/// that begins with the id of another row (`is_other`) has that in backticks, or
/// it would be the section of that row. Where that cannot be, the text comes in a
/// fence, and the second value says so.
pub fn fit(text: &str, level: u8, is_other: &dyn Fn(&str) -> bool) -> (String, bool) {
    let text = text.replace("\r\n", "\n");
    let text = quoted(&deeper(&text, level), is_other);
    if stays(&text) { (text, false) } else { (fenced(&text, "text"), true) }
}

/// Whether nothing in a text reaches beyond its end, or into the ledger.
fn stays(text: &str) -> bool {
    let probe = format!("{text}\n\n# end\n");
    let last = scan::blocks(&probe).headings.pop();
    let ends = last.is_some_and(|heading| heading.span.start == text.len() + 2);
    let is_ledger = |kind: Kind| {
        let grid = Grid::parse(text, |names| match kind {
            Kind::Tasks => schema::is_task_header(names),
            Kind::Approvals => schema::is_approval_header(names),
        });
        !grid.tables.is_empty()
    };
    ends && !is_ledger(Kind::Tasks) && !is_ledger(Kind::Approvals)
}

/// The longest id that a heading begins with goes into backticks.
fn quoted(text: &str, is_other: &dyn Fn(&str) -> bool) -> String {
    let (mut out, mut at) = (String::with_capacity(text.len() + 16), 0);
    for heading in scan::blocks(text).headings {
        let (title, from) = section::title(text, &heading);
        if let Some(id) = section::ids(title).filter(|id| is_other(id)).last() {
            out.push_str(&text[at..from]);
            out.push_str(&format!("`{id}`"));
            at = from + id.len();
        }
    }
    out.push_str(&text[at..]);
    out
}

/// Every heading moved below a level, their order kept as far as six levels do.
fn deeper(text: &str, level: u8) -> String {
    let headings = scan::blocks(text).headings;
    let Some(highest) = headings.iter().map(|h| h.level).min().filter(|min| *min <= level) else {
        return text.to_owned();
    };
    let by = level + 1 - highest;
    let (mut out, mut at) = (String::with_capacity(text.len() + 64), 0);
    for heading in headings {
        out.push_str(&text[at..heading.span.start]);
        let whole = &text[heading.span.clone()];
        let marks = "#".repeat(usize::from((heading.level + by).min(6)));
        let content = whole.trim_start_matches(' ');
        if content.starts_with('#') {
            let rest = content.trim_start_matches('#');
            out.push_str(&format!("{marks}{rest}"));
        } else {
            // Underlined: all lines but the last are its text.
            let lines: Vec<&str> = whole.trim_end().lines().collect();
            let words = lines[..lines.len().saturating_sub(1)].iter().map(|line| line.trim());
            out.push_str(&format!("{marks} {}\n", words.collect::<Vec<_>>().join(" ")));
        }
        at = heading.span.end;
    }
    out.push_str(&text[at..]);
    out
}

/// The first character that no ledger takes, with its place.
pub fn refused(text: &str) -> Option<(char, usize)> {
    let is_bad = |c: char| !matches!(c, '\n' | '\r' | '\t') && crate::model::value::is_refused(c);
    text[source::body_start(text)..]
        .char_indices()
        .find(|(_, c)| is_bad(*c))
        .map(|(at, c)| (c, at + source::body_start(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_go_below_the_section() {
        let (text, fence) = fit("## Plan\n\nx\n\n### Step\n\nName\n====\n", 3, &|_| false);
        assert_eq!(text, "##### Plan\n\nx\n\n###### Step\n\n#### Name\n");
        assert!(!fence);
        assert_eq!(fit("#### deep\n", 3, &|_| false), ("#### deep\n".to_owned(), false));
    }

    #[test]
    fn a_heading_is_no_section_of_another_row() {
        let ids = |id: &str| matches!(id, "T-1" | "T-1 b");
        let text = "#### T-1: x\n\n#### T-10 y\n\n#### T-1 b\n\n#### see T-1\n";
        let (text, fence) = fit(text, 3, &ids);
        assert_eq!(text, "#### `T-1`: x\n\n#### T-10 y\n\n#### `T-1 b`\n\n#### see T-1\n");
        assert!(!fence);
    }

    #[test]
    fn what_would_swallow_the_next_section_is_fenced() {
        for open in ["```\nnever closed\n", "<!-- never closed\n", "<pre>\nnever closed\n"] {
            let (text, fence) = fit(open, 3, &|_| false);
            assert!(fence && stays(&text), "{text}");
        }
        let ledger = "| id | title | state | owner |\n|---|---|---|---|\n| 1 | x | PLAN | - |\n";
        let (text, fence) = fit(ledger, 3, &|_| false);
        assert!(fence && stays(&text) && text.contains(ledger.trim_end()), "{text}");
        assert_eq!(fit("a `b` c\n", 3, &|_| false), ("a `b` c\n".to_owned(), false));
    }

    #[test]
    fn nested_lines_lose_what_they_share() {
        assert_eq!(dedented("  - a:\n    - b\n\n  - c\n"), "- a:\n  - b\n\n- c");
    }
}
