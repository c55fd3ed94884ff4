//! Tasks that are headings with bullets: `#### T-1: title`, `- **state**: DOING`.
//!
//! A heading is a task where the bullets right below it say an id or a state.
//! Deeper headings below are its text, up to one that is a task of its own.

use crate::error::{Error, Result};
use crate::ledger::document::Kind;
use crate::ledger::foreign::names::{self, Meaning};
use crate::ledger::foreign::outline::{ListItem, Outline};
use crate::ledger::foreign::{Ask, Field, Form, Found, Item, Left, Taken, Value, Why};
use crate::ledger::scan::Heading;
use crate::ledger::source::{self, Lines};
use crate::model::field::{ApprovalField, TaskField};
use std::ops::Range;

pub(super) fn read(
    text: &str,
    ask: Ask<'_>,
    outline: &Outline,
    lines: &Lines<'_>,
    rows: &dyn Fn(&str) -> bool,
    taken: &mut Taken,
    found: &mut Found,
) -> Result<()> {
    let first = found.items.len();
    for (at, heading) in outline.headings.iter().enumerate() {
        let below = outline.headings.get(at + 1).map_or(text.len(), |next| next.span.start);
        if taken.has(heading.span.start) {
            continue;
        }
        let bullets = outline.items_in(heading.span.end..below);
        let fields: Vec<Field> = bullets.filter_map(|bullet| field(text, bullet)).collect();
        let Some(kind) = kind(ask, &fields) else { continue };
        let line = lines.position(heading.span.start).0;
        let named = Named::of(text, heading);
        let (id, fields, id_lines) = match own_id(ask, kind, fields, &named) {
            Ok(Some(found)) => found,
            Ok(None) => {
                found.left.push(Left { line, count: 1, why: Why::NoId });
                continue;
            }
            Err(other) => {
                return Err(Error::invalid(format!(
                    "the heading names `{}` and a bullet below it `{other}`; one task has one id",
                    named.id.unwrap_or_default()
                ))
                .at(ask.path, line, 1)
                .hint("orch migrate --help"));
            }
        };
        if ask.own == Some(kind) && rows(&id) {
            // The row is the truth, and this its detail section.
            continue;
        }
        let level = |other: &&Heading| other.level <= heading.level;
        let end = outline.headings[at + 1..].iter().find(level);
        let end = end.map_or(text.len(), |next| source::line_start(text, next.span.start));
        let begins = named.id == Some(id.as_str()) && named.is_bare;
        let mut fields = fields;
        let has_title = fields.iter().any(|field| is_title(ask, kind, &field.key));
        if let Some(title) = named.rest.filter(|_| !has_title && kind == Kind::Tasks) {
            fields.insert(
                0,
                Field {
                    key: "title".to_owned(),
                    value: Value::Text(text[title.clone()].to_owned()),
                    span: title,
                    has_lines: false,
                },
            );
        }
        found.items.push(Item {
            kind,
            form: Form::Headings,
            id,
            fields,
            span: heading.span.start..end,
            body: heading.span.end.min(end)..end,
            id_lines,
            unnamed: (!begins).then_some(named.start),
            line,
        });
    }
    // A task below another one is not part of its text.
    let items = &mut found.items[first..];
    for n in 0..items.len() {
        if let Some(next) = items.get(n + 1).map(|next| next.span.start) {
            let item = &mut items[n];
            item.span.end = item.span.end.min(next);
            item.body.end = item.body.end.min(next);
        }
    }
    for item in &found.items[first..] {
        taken.add(item.span.clone());
    }
    Ok(())
}

/// A heading's text, as far as it says an id and a title.
struct Named<'t> {
    /// The first word, without brackets and the like.
    id: Option<&'t str>,
    /// Whether it stood without them.
    is_bare: bool,
    /// Where the text behind it is.
    rest: Option<Range<usize>>,
    /// Where the heading's text begins.
    start: usize,
}

impl<'t> Named<'t> {
    fn of(text: &'t str, heading: &Heading) -> Self {
        let end = source::line_end(text, heading.span.start);
        let line = &text[heading.span.start..end];
        let title = line.trim_start_matches([' ', '#']);
        let start = end - title.len();
        let title = title.trim_end().trim_end_matches('#').trim_end();
        let is_end =
            |c: char| matches!(c, ':' | '：' | '(' | '（' | '\u{3000}') || c == ' ' || c == '\t';
        let word_end = title.find(is_end).unwrap_or(title.len());
        let word = &title[..word_end];
        let bare = word.trim_matches(['[', ']', '`', '*', '_', '【', '】']);
        let says_so = title[word_end..].trim_start().starts_with([':', '：']) || bare != word;
        let is_id = !bare.is_empty() && (names::is_id(bare) || (says_so && bare.is_ascii()));
        let begins = |c: char| c.is_whitespace() || matches!(c, ':' | '：' | '-' | '–' | '—');
        let from = if is_id { word_end } else { 0 };
        let rest = title[from..].trim_start_matches(begins);
        let at = start + title.len() - rest.len();
        Self {
            id: is_id.then_some(bare),
            is_bare: bare == word,
            rest: (!rest.is_empty()).then(|| at..at + rest.len()),
            start,
        }
    }
}

/// An id, the other fields, and the lines that said it.
type OwnId = (String, Vec<Field>, Option<Range<usize>>);

/// The id of the bullets, else of the heading; and the other fields. An id that
/// the heading says otherwise is an error.
fn own_id(
    ask: Ask<'_>,
    kind: Kind,
    mut fields: Vec<Field>,
    named: &Named<'_>,
) -> std::result::Result<Option<OwnId>, String> {
    let at = fields.iter().position(|field| match kind {
        Kind::Tasks => is_id_of_task(ask.key(&field.key)),
        Kind::Approvals => names::of_approval(ask.key(&field.key)) == Some(ApprovalField::ApprId),
    });
    let typed = match at.map(|at| &fields[at].value) {
        Some(Value::Text(id)) => Some(id.clone()),
        _ => None,
    };
    match (typed, named.id) {
        (Some(typed), Some(heading)) if typed != heading && names::is_id(heading) => Err(typed),
        (Some(typed), _) => {
            let lines = at.map(|at| fields.remove(at).span);
            Ok(Some((typed, fields, lines)))
        }
        (None, Some(heading)) => Ok(Some((heading.to_owned(), fields, None))),
        (None, None) => Ok(None),
    }
}

fn is_id_of_task(key: &str) -> bool {
    names::of_task(key) == Meaning::Column(TaskField::TaskId)
}

fn is_title(ask: Ask<'_>, kind: Kind, key: &str) -> bool {
    kind == Kind::Tasks && names::of_task(ask.key(key)) == Meaning::Column(TaskField::Title)
}

/// What the bullets are about; none where they are prose.
fn kind(ask: Ask<'_>, fields: &[Field]) -> Option<Kind> {
    let has = |field: ApprovalField| {
        fields.iter().any(|f| names::of_approval(ask.key(&f.key)) == Some(field))
    };
    let (by, op) = (has(ApprovalField::RequestedBy), has(ApprovalField::Op));
    if has(ApprovalField::Status) && (op || by) && has(ApprovalField::TaskId) {
        return Some(Kind::Approvals);
    }
    let says = |field: TaskField| {
        fields.iter().any(|f| names::of_task(ask.key(&f.key)) == Meaning::Column(field))
    };
    (says(TaskField::State) || says(TaskField::TaskId)).then_some(Kind::Tasks)
}

/// A bullet that is a field.
fn field(text: &str, bullet: &ListItem) -> Option<Field> {
    if bullet.ticked.is_some() {
        return None;
    }
    let end = source::line_end(text, bullet.text).min(bullet.span.end);
    let (key, rest) = key_value(text.get(bullet.text..end)?)?;
    let nested = &text[source::next_line(text, end).min(bullet.span.end)..bullet.span.end];
    Some(Field {
        key: key.to_owned(),
        value: value(rest, nested),
        span: bullet.span.clone(),
        has_lines: true,
    })
}

/// `**key**: value`, `**key:** value`, `key: value`, with a colon of any width.
pub(super) fn key_value(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    let bold = line.strip_prefix("**").and_then(|rest| rest.split_once("**"));
    let (key, rest) = if let Some((key, rest)) = bold {
        match rest.trim_start().strip_prefix([':', '：']) {
            Some(rest) => (key, rest),
            None => (key.trim_end().strip_suffix([':', '：'])?, rest),
        }
    } else {
        let at = line.find([':', '：'])?;
        let (key, rest) = line.split_at(at);
        let is_wide = rest.starts_with('：');
        let rest = &rest[if is_wide { '：'.len_utf8() } else { 1 }..];
        // `https://x` and `C:\x` are no fields.
        if !is_wide && !rest.is_empty() && !rest.starts_with([' ', '\t']) {
            return None;
        }
        (key, rest)
    };
    let key = key.trim().trim_matches(['*', '`']).trim();
    let fits = !key.is_empty() && key.chars().count() <= 40 && !key.contains(['|', '`', '<']);
    fits.then_some((key, rest.trim()))
}

/// What stands behind a key and below it.
pub(super) fn value(rest: &str, nested: &str) -> Value {
    if nested.trim().is_empty() {
        return scalar(rest);
    }
    let lines: Vec<&str> = nested.lines().filter(|line| !line.trim().is_empty()).collect();
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let first = lines.first().map_or(0, |line| indent(line));
    let entries: Option<Vec<String>> = lines
        .iter()
        .map(|line| {
            let text = line.trim().strip_prefix(['-', '*', '+'])?.strip_prefix([' ', '\t'])?;
            (indent(line) == first && !text.starts_with("[ ]") && !text.starts_with("[x]"))
                .then(|| text.trim().to_owned())
        })
        .collect();
    match entries {
        Some(entries) if rest.is_empty() => Value::List(entries),
        _ => Value::Block,
    }
}

/// A value of one line: empty, a list in brackets, or a text.
pub(super) fn scalar(text: &str) -> Value {
    let text = text.trim();
    if matches!(text, "" | "-" | "[]" | "~" | "null") {
        return Value::Nothing;
    }
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(inner) = inner.filter(|inner| !inner.contains(['[', ']'])) {
        let parts = inner.split([',', '、', '，']).map(unquoted).filter(|part| !part.is_empty());
        return Value::List(parts.map(str::to_owned).collect());
    }
    Value::Text(unquoted(text).to_owned())
}

/// Without the quotes or backticks around all of it.
fn unquoted(text: &str) -> &str {
    let text = text.trim();
    let around = |mark: char| {
        let inner = text.strip_prefix(mark)?.strip_suffix(mark)?;
        (!inner.contains(mark)).then_some(inner)
    };
    around('`').or_else(|| around('"')).unwrap_or(text)
}
