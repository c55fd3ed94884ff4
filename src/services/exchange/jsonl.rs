//! One JSON object a line: what `export jsonl` and `list --format jsonl` write.
//!
//! Here: reading. The shape that is written is `wire`'s. A number or a truth is its
//! spelling, `null` is an empty cell, a list of words is joined with `+`, the members
//! of `extra` are unknown columns.

use super::sheet::{Cell, Row, Sheet, Source};
use crate::error::{Error, Result};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// An object's members in order, those that stand twice included.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Reads a file; blank lines are passed over.
///
/// # Errors
/// `usage` for a line that is no object, and for a member that stands twice.
pub fn read(source: &Source) -> Result<Sheet> {
    let mut sheet = Sheet::default();
    for (at, line) in source.lines() {
        if line.trim().is_empty() {
            continue;
        }
        let Members(members) =
            serde_json::from_str(line).map_err(|error| wrong(source, at, line, &error))?;
        let mut row = Row { at, cells: Vec::with_capacity(members.len()) };
        let mut add = |name: &str, is_extra: bool, value: &Value| {
            let name = sheet.name(name, is_extra);
            if row.cells.iter().any(|cell| cell.name == name) {
                let name = &sheet.names[name].text;
                return Err(source.error(at, format!("`{name}` stands twice in this object")));
            }
            row.cells.push(Cell { name, text: spelled(value), at });
            Ok(())
        };
        for (name, value) in &members {
            match value {
                Value::Object(extra) if name == "extra" => {
                    for (name, value) in extra {
                        add(name, true, value)?;
                    }
                }
                _ => add(name, false, value)?,
            }
        }
        sheet.rows.push(row);
    }
    Ok(sheet)
}

fn wrong(source: &Source, at: usize, line: &str, error: &serde_json::Error) -> Error {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or(&message);
    let mut column = error.column().saturating_sub(1).min(line.len());
    while !line.is_char_boundary(column) {
        column -= 1;
    }
    source.error(at + column, format!("this line is no JSON object: {message}"))
}

fn spelled(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.iter().all(|v| !v.is_array() && !v.is_object()) => {
            list.iter().map(spelled).collect::<Vec<_>>().join("+")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str) -> Result<Vec<(String, bool, String)>> {
        let sheet = read(&Source::new("x.jsonl", text.as_bytes().to_vec())?)?;
        let of = |cell: &Cell| {
            let name = &sheet.names[cell.name];
            (name.text.clone(), name.is_extra, cell.text.clone())
        };
        Ok(sheet.rows.iter().flat_map(|row| row.cells.iter().map(of)).collect())
    }

    #[test]
    fn members_are_cells() {
        let read = cells(
            "{\"id\":7,\"due\":null,\"depends\":[\"1\",\"2\"],\"extra\":{\"id\":\"x\"}}\r\n\n",
        )
        .unwrap();
        let expected = [("id", false, "7"), ("due", false, ""), ("depends", false, "1+2")];
        let expected = expected.into_iter().chain([("id", true, "x")]);
        let expected: Vec<_> = expected.map(|(a, b, c)| (a.to_owned(), b, c.to_owned())).collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_no_object_is_refused_with_its_place() {
        let why = |text: &str| cells(text).unwrap_err().to_string();
        assert!(
            why("{}\n[1]").starts_with("x.jsonl:2:1: this line is no JSON object"),
            "{}",
            why("{}\n[1]")
        );
        assert!(why("{\"a\":1 \"b\"}").starts_with("x.jsonl:1:8: "), "{}", why("{\"a\":1 \"b\"}"));
        assert!(why("{\"a\":1,\"a\":2}").contains("`a` stands twice"));
        assert!(why(&"[".repeat(100_000)).contains("no JSON object"));
    }
}
