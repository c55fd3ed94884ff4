//! Tasks that are files: YAML front matter with an id and a title or status, and
//! text below.
//!
//! The text of a number is kept as it is written: `id: 007` and `1.10` are no
//! numbers to us.

use crate::error::{Error, Result};
use crate::ledger::document::Kind;
use crate::ledger::foreign::names::{self, Meaning};
use crate::ledger::foreign::{Ask, Field, Form, Item, Value};
use crate::ledger::source;
use crate::model::field::TaskField;
use serde_yaml::Value as Yaml;
use std::ops::Range;

/// The front matter's bytes and where the text begins; none where a file has
/// none.
fn parts(text: &str) -> Option<(Range<usize>, usize)> {
    let start = source::body_start(text);
    if text[start..source::line_end(text, start)].trim_end() != "---" {
        return None;
    }
    let from = source::next_line(text, start);
    let mut at = from;
    while at < text.len() {
        let end = source::line_end(text, at);
        if matches!(text[at..end].trim_end(), "---" | "...") {
            return Some((from..at, source::next_line(text, at)));
        }
        at = source::next_line(text, at);
    }
    None
}

/// Reads a file; none where it is no task of a board.
///
/// # Errors
/// `ledger_invalid` with line and column where the front matter is no YAML.
pub fn read(text: &str, ask: Ask<'_>) -> Result<Option<Item>> {
    let Some((yaml, body)) = parts(text) else { return Ok(None) };
    let front: Yaml = serde_yaml::from_str(&text[yaml.clone()]).map_err(|why| {
        let (line, column) = why.location().map_or((1, 1), |at| (at.line(), at.column()));
        let message = why.to_string();
        let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
        Error::invalid(format!("the front matter is no YAML: {message}"))
            .at(ask.path, line + 1, column)
            .hint("orch migrate --help")
    })?;
    let Yaml::Mapping(front) = front else { return Ok(None) };
    let mut id = None;
    let mut fields = Vec::new();
    for (key, value) in &front {
        let Yaml::String(key) = key else { continue };
        let span = lines_of(text, &yaml, key);
        let value = of_yaml(value, &text[span.clone()]);
        if id.is_none() && names::of_task(ask.key(key)) == Meaning::Column(TaskField::TaskId) {
            if let Value::Text(text) = &value {
                id = Some(text.clone());
            }
            continue;
        }
        fields.push(Field { key: key.clone(), value, span, has_lines: false });
    }
    let is = |field: &Field, column| names::of_task(ask.key(&field.key)) == Meaning::Column(column);
    let is_task = fields.iter().any(|f| is(f, TaskField::Title) || is(f, TaskField::State));
    let Some(id) = id.filter(|_| is_task) else { return Ok(None) };
    Ok(Some(Item {
        kind: Kind::Tasks,
        form: Form::Board,
        id,
        fields,
        span: 0..text.len(),
        body: body..text.len(),
        id_lines: None,
        unnamed: None,
        line: 1,
    }))
}

/// The lines of a key at the top of the front matter, up to the next one.
fn lines_of(text: &str, yaml: &Range<usize>, key: &str) -> Range<usize> {
    let mut at = yaml.start;
    let mut found = None;
    while at < yaml.end {
        let line = &text[at..source::line_end(text, at).min(yaml.end)];
        let is_key = !line.starts_with([' ', '\t', '-', '#']) && line.contains(':');
        if is_key && let Some(from) = found {
            return from..at;
        }
        if is_key && line.split(':').next().map(|k| k.trim().trim_matches(['"', '\''])) == Some(key)
        {
            found = Some(at);
        }
        at = source::next_line(text, at);
    }
    found.map_or(yaml.start..yaml.start, |from| from..yaml.end)
}

fn of_yaml(value: &Yaml, lines: &str) -> Value {
    match value {
        Yaml::Null => Value::Nothing,
        Yaml::String(text) if text.trim().is_empty() => Value::Nothing,
        Yaml::String(text) if text.trim_end().contains('\n') => Value::Block,
        Yaml::String(text) => Value::Text(text.trim_end().to_owned()),
        Yaml::Bool(flag) => Value::Text(flag.to_string()),
        Yaml::Number(number) => {
            let written = lines.split_once(':').map(|(_, rest)| rest.trim());
            let written = written.map(|rest| rest.split(" #").next().unwrap_or(rest).trim());
            Value::Text(written.map_or_else(|| number.to_string(), str::to_owned))
        }
        Yaml::Sequence(list) if list.is_empty() => Value::Nothing,
        Yaml::Sequence(list) => {
            let texts: Option<Vec<String>> = list
                .iter()
                .map(|entry| match entry {
                    Yaml::String(text) if !text.contains('\n') => Some(text.trim().to_owned()),
                    Yaml::Number(number) => Some(number.to_string()),
                    Yaml::Bool(flag) => Some(flag.to_string()),
                    _ => None,
                })
                .collect();
            texts.map_or(Value::Block, Value::List)
        }
        _ => Value::Block,
    }
}
