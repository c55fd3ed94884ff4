//! Task lists as GitHub's Markdown has them: `- [ ]` and `- [x]`.
//!
//! ```text
//!  - [ ] Sow the peas id:001 due:2026-03-01 priority:HIGH
//!
//!    Two rows, by the wall.
//! ```
//!
//! What is indented below an item is its detail, nested items included. Other lines
//! say nothing of tasks: how many they are is told.

use super::export::Card;
use super::sheet::{Cell, Row, Sheet, Source};
use super::words;
use crate::model::task_state::State;
use crate::model::value::Priority;

/// How far an item's text stands behind the beginning of its line, as we write it.
const INDENT: &str = "  ";

/// Appends a task's item.
pub fn write(card: &Card<'_>, to: &mut String) {
    let task = &card.task;
    let is_closed = task.known_state().is_some_and(State::is_closed);
    to.push_str(if is_closed { "- [x] " } else { "- [ ] " });
    to.push_str(&words::escaped(task.title.as_deref().unwrap_or_default()));
    words::append(task, to);
    words::push("priority", task.priority().map_or("", Priority::as_str), to);
    to.push('\n');
    let Some(detail) = &card.detail else { return };
    to.push('\n');
    for line in detail.lines() {
        if !line.trim().is_empty() {
            to.push_str(INDENT);
            to.push_str(line);
        }
        to.push('\n');
    }
    to.push('\n');
}

/// An item's line: its indent, where its text stands, and whether it is done.
struct Item<'l> {
    content: usize,
    done: bool,
    text: &'l str,
}

/// How many columns of blanks a line begins with; a tab counts to the next fourth.
fn indent(line: &str) -> usize {
    line.chars()
        .take_while(|c| matches!(c, ' ' | '\t'))
        .fold(0, |n, c| if c == '\t' { n / 4 * 4 + 4 } else { n + 1 })
}

fn item(line: &str) -> Option<Item<'_>> {
    let inner = line.trim_start_matches(' ');
    let before = line.len() - inner.len();
    let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
    let marker = match inner.as_bytes().get(digits)? {
        b'-' | b'*' | b'+' if digits == 0 => 1,
        b'.' | b')' if (1..=9).contains(&digits) => digits + 1,
        _ => return None,
    };
    let rest = &inner[marker..];
    let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
    let rest = &rest[blanks..];
    let done = match rest.get(..3)? {
        "[ ]" => false,
        "[x]" | "[X]" => true,
        _ => return None,
    };
    let text = rest[3..].strip_prefix([' ', '\t'])?;
    let is_item = blanks > 0 && before < 4 && !text.trim().is_empty();
    is_item.then_some(Item { content: before + marker + blanks, done, text: text.trim() })
}

/// A line without so many columns of its indent.
fn outdented(line: &str, columns: usize) -> &str {
    let mut left = columns;
    let mut rest = line;
    while left > 0 {
        match rest.strip_prefix(' ') {
            Some(inner) => (rest, left) = (inner, left - 1),
            None => match rest.strip_prefix('\t') {
                Some(inner) => (rest, left) = (inner, left.saturating_sub(4)),
                None => break,
            },
        }
    }
    rest
}

/// Reads a file.
pub fn read(source: &Source) -> Sheet {
    let mut sheet = Sheet::default();
    let mut left_out = Vec::new();
    let mut fence: Option<&str> = None;
    // Of the item above: where its text stands, and what is below it.
    let mut open: Option<(usize, Vec<&str>, usize)> = None;
    for (at, line) in source.lines() {
        if let Some((content, below, below_at)) = &mut open {
            let is_below = indent(line) >= (*content).min(2);
            if line.trim().is_empty() || is_below {
                if below.iter().all(|line| line.is_empty()) {
                    *below_at = at;
                }
                below.push(outdented(line, *content));
                continue;
            }
        }
        close(&mut open, &mut sheet);
        let bare = line.trim_start();
        if fence.is_none()
            && let Some(item) = item(line)
        {
            start(&mut sheet, at + (item.text.as_ptr() as usize - line.as_ptr() as usize), &item);
            open = Some((item.content, Vec::new(), at));
            continue;
        }
        fence = match fence {
            Some(mark) if bare.starts_with(mark) => None,
            Some(mark) => Some(mark),
            None => ["```", "~~~"].into_iter().find(|mark| bare.starts_with(mark)),
        };
        if !bare.is_empty() {
            left_out.push(at);
        }
    }
    close(&mut open, &mut sheet);
    if let Some(first) = left_out.first() {
        sheet.notices.push(format!(
            "{} lines are no task and were left out, the first of them line {}",
            left_out.len(),
            source.line(*first)
        ));
    }
    sheet
}

fn start(sheet: &mut Sheet, at: usize, item: &Item<'_>) {
    let split = words::split(item.text);
    let mut row = Row { at, cells: Vec::new() };
    let mut cell = |name: &str, text: &str, at: usize| {
        row.cells.push(Cell { name: sheet.name(name, false), text: text.to_owned(), at });
    };
    cell("title", &split.title, at);
    for (key, value, offset) in &split.words {
        cell(key, value, at + offset);
    }
    if item.done && split.words.iter().all(|(key, ..)| *key != "state") {
        cell("state", State::Done.as_str(), at);
    }
    sheet.rows.push(row);
}

/// Hands what stands below the open item to its row.
fn close(open: &mut Option<(usize, Vec<&str>, usize)>, sheet: &mut Sheet) {
    let Some((_, below, at)) = open.take() else { return };
    let text = below.join("\n");
    let text = text.trim_matches('\n').trim_end();
    if text.is_empty() {
        return;
    }
    let name = sheet.name("detail", false);
    if let Some(row) = sheet.rows.last_mut() {
        row.cells.push(Cell { name, text: text.to_owned(), at });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> (String, Vec<String>) {
        let sheet = read(&Source::new("x.md", text.as_bytes().to_vec()).unwrap());
        let of = |cell: &Cell| format!("{}={:?}", sheet.names[cell.name].text, cell.text);
        let row = |row: &Row| row.cells.iter().map(of).collect::<Vec<_>>().join(" ");
        (sheet.rows.iter().map(row).collect::<Vec<_>>().join("\n"), sheet.notices)
    }

    #[test]
    fn items_and_what_is_below_them() {
        let text = "# Plan\n\n- [ ] Sow id:1\n  - [ ] peas\n    - by the wall\n  text\n\n* [X] Dig\n\
                    1. [ ] Rake due:2026-01-01\n\n   `code`\nprose\n";
        let (rows, notices) = read_text(text);
        assert_eq!(
            rows,
            "title=\"Sow\" id=\"1\" detail=\"- [ ] peas\\n  - by the wall\\ntext\"\n\
             title=\"Dig\" state=\"DONE\"\n\
             title=\"Rake\" due=\"2026-01-01\" detail=\"`code`\""
        );
        assert_eq!(notices, ["2 lines are no task and were left out, the first of them line 1"]);
    }

    #[test]
    fn what_is_no_item() {
        for text in ["- [] a", "-[ ] a", "- [y] a", "- [ ]a", "- [ ] ", "[ ] a", "    - [ ] a"] {
            assert_eq!(read_text(text).0, "", "{text}");
        }
        assert_eq!(read_text("```\n- [ ] a\n```\n- [ ] b\n").0, "title=\"b\"");
    }
}
