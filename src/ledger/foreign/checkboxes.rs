//! Tasks that are list items with a box: `- [ ] T-101 P1 (due: 2026-01-15) title`.
//!
//! An item is a task where its first word is an id. Behind it may stand a
//! priority, and in parentheses fields or a state; the rest is the title, up to
//! a dash with a field behind it.

use crate::ledger::document::Kind;
use crate::ledger::foreign::headings::{key_value, scalar};
use crate::ledger::foreign::names::{self, Meaning};
use crate::ledger::foreign::outline::{ListItem, Outline};
use crate::ledger::foreign::{Field, Form, Found, Item, Left, Taken, Value, Why};
use crate::ledger::source::{self, Lines};
use std::ops::Range;

pub(super) fn read(
    text: &str,
    outline: &Outline,
    lines: &Lines<'_>,
    rows: &dyn Fn(&str) -> bool,
    taken: &Taken,
    found: &mut Found,
) {
    for bullet in &outline.items {
        let line = lines.position(bullet.text).0;
        if bullet.ticked.is_none() {
            if !taken.has(bullet.span.start) && has_other_mark(&text[bullet.text..]) {
                found.left.push(Left { line, count: 1, why: Why::Box });
            }
            continue;
        }
        let item = item(text, bullet, line);
        if taken.has(bullet.span.start) {
            // A plain box there is a step of that task, and no task.
            found.left.extend(item.map(|_| Left { line, count: 1, why: Why::Within }));
            continue;
        }
        let Some(item) = item else {
            found.left.push(Left { line, count: 1, why: Why::NoId });
            continue;
        };
        if rows(&item.id) {
            found.left.push(Left { line, count: 1, why: Why::HasRow(item.id) });
        } else {
            found.items.push(item);
        }
    }
}

/// Whether a box stands there that is neither empty nor ticked: `[-]`, `[~]`.
fn has_other_mark(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next() == Some('[')
        && chars.next().is_some_and(|mark| !matches!(mark, ']' | '['))
        && chars.next() == Some(']')
        && chars.next().is_some_and(|c| matches!(c, ' ' | '\t' | '\u{3000}'))
}

fn item(text: &str, bullet: &ListItem, line: usize) -> Option<Item> {
    let end = source::line_end(text, bullet.text).min(bullet.span.end);
    let words = text.get(bullet.text..end)?;
    let mut rest = Rest { text: words, at: bullet.text };
    rest.skip_blanks();
    let word = rest.word();
    let bare = word.trim_end_matches([':', '：']).trim_matches(['[', ']', '`', '*']);
    if !names::is_id(bare) {
        return None;
    }
    rest.advance(word.len());
    let mut fields = Vec::new();
    let mut add = |key: &str, value: Value, span: Range<usize>| {
        fields.push(Field { key: key.to_owned(), value, span, has_lines: false });
    };
    let mark = bullet.text.saturating_sub(3)..bullet.text;
    let state = if bullet.ticked == Some(true) { "[x]" } else { "[ ]" };
    let mut says_state = None;
    loop {
        rest.skip_blanks();
        let word = rest.word();
        if let Some((inside, span)) = rest.parenthesis() {
            if names::state(inside).is_some() {
                says_state = Some((inside.trim().to_owned(), span.clone()));
            } else if let Some((key, value)) =
                key_value(inside).filter(|(key, _)| names::of_task(key) != Meaning::Unknown)
            {
                add(key, scalar(value), span.clone());
            } else if let Some(priority) = names::priority(inside.trim()) {
                add("priority", Value::Text(inside.trim().to_owned()), span.clone());
                let _ = priority;
            } else {
                break;
            }
            rest.advance(span.len());
        } else if is_priority(word) {
            let span = rest.at..rest.at + word.len();
            add("priority", Value::Text(word.to_owned()), span);
            rest.advance(word.len());
        } else {
            break;
        }
    }
    match says_state {
        Some((word, span)) => add("state", Value::Text(word), span),
        None => add("state", Value::Text(state.to_owned()), mark),
    }
    rest.skip(|c| matches!(c, ':' | '：' | '-' | '–' | '—'));
    let (title, behind) = split_fields(rest.text);
    let title = title.trim_end();
    if !title.is_empty() {
        add("title", Value::Text(title.to_owned()), rest.at..rest.at + title.len());
    }
    if let Some((at, key, value)) = behind {
        let at = rest.at + at;
        add(key, scalar(value), at..end);
    }
    let next = source::next_line(text, end).min(bullet.span.end);
    Some(Item {
        kind: Kind::Tasks,
        form: Form::Checkboxes,
        id: bare.to_owned(),
        fields,
        span: bullet.span.clone(),
        body: next..bullet.span.end,
        id_lines: None,
        unnamed: None,
        line,
    })
}

/// `P0` to `P5`, and words in capitals.
fn is_priority(word: &str) -> bool {
    let mut chars = word.chars();
    let short = chars.next() == Some('P') && chars.as_str().parse::<u8>().is_ok_and(|n| n <= 5);
    short || matches!(word, "LOW" | "MEDIUM" | "HIGH" | "CRITICAL")
}

/// A title, and a field behind a dash: where that is, its key and value.
fn split_fields(text: &str) -> (&str, Option<(usize, &str, &str)>) {
    for dash in [" — ", " – ", " -- "] {
        if let Some((title, behind)) = text.split_once(dash)
            && let Some((key, value)) = key_value(behind)
            && key.chars().count() <= 16
            && !key.contains(' ')
        {
            return (title, Some((title.len() + dash.len(), key, value)));
        }
    }
    (text, None)
}

/// What is still to be read of a line.
struct Rest<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Rest<'t> {
    fn advance(&mut self, bytes: usize) {
        self.text = &self.text[bytes..];
        self.at += bytes;
    }

    fn skip(&mut self, also: impl Fn(char) -> bool) {
        let rest = self.text.trim_start_matches(|c: char| c.is_whitespace() || also(c));
        self.advance(self.text.len() - rest.len());
    }

    fn skip_blanks(&mut self) {
        self.skip(|_| false);
    }

    fn word(&self) -> &'t str {
        let is_end = |c: char| c.is_whitespace() || matches!(c, '(' | '（');
        let end = self.text.find(is_end).unwrap_or(self.text.len());
        &self.text[..end]
    }

    /// What stands in parentheses here, and where these are.
    fn parenthesis(&self) -> Option<(&'t str, Range<usize>)> {
        let open = self.text.chars().next().filter(|c| matches!(c, '(' | '（'))?;
        let inside = &self.text[open.len_utf8()..];
        let (close, c) = inside.char_indices().find(|(_, c)| matches!(c, ')' | '）'))?;
        let length = open.len_utf8() + close + c.len_utf8();
        Some((&inside[..close], self.at..self.at + length))
    }
}
