//! Values as one line of YAML in flow style, as a person would write it.
//!
//! Not here: which settings there are (`entries`). Invariant: a YAML reader
//! gives back the value that was printed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::model::{duration, size};

/// A value on its way to one line of YAML.
pub(super) enum Flow {
    /// What needs no quotes: a number, a duration, one of a few words.
    Word(String),
    /// Any text.
    Text(String),
    List(Vec<Flow>),
    Map(Vec<(String, Flow)>),
}

pub(super) fn word(value: impl fmt::Display) -> Flow {
    Flow::Word(value.to_string())
}

pub(super) fn text(text: &str) -> Flow {
    Flow::Text(text.to_owned())
}

pub(super) fn span(span: Duration) -> Flow {
    Flow::Word(duration::format(span))
}

pub(super) fn bytes(bytes: u64) -> Flow {
    Flow::Word(size::format(bytes))
}

pub(super) fn optional<T>(value: Option<T>, print: impl FnOnce(T) -> Flow) -> Flow {
    value.map_or_else(|| word("-"), print)
}

pub(super) fn list<T>(values: &[T], print: impl Fn(&T) -> Flow) -> Flow {
    Flow::List(values.iter().map(print).collect())
}

pub(super) fn map<T>(values: &BTreeMap<String, T>, print: impl Fn(&T) -> Flow) -> Flow {
    Flow::Map(values.iter().map(|(key, value)| (key.clone(), print(value))).collect())
}

pub(super) fn fields(fields: impl IntoIterator<Item = (&'static str, Flow)>) -> Flow {
    Flow::Map(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => f.write_str(word),
            Self::Text(text) => write_text(text, f),
            Self::List(values) => {
                f.write_str("[")?;
                for (i, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Map(values) => {
                f.write_str("{")?;
                for (i, (key, value)) in values.iter().enumerate() {
                    f.write_str(if i == 0 { "" } else { ", " })?;
                    write_text(key, f)?;
                    write!(f, ": {value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

/// Plain where that is safe, in single quotes where a backslash or a quote would
/// need escapes, else in double quotes.
fn write_text(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if is_plain(text) {
        return f.write_str(text);
    }
    if !text.contains(char::is_control) {
        return if text.contains(['\\', '"']) {
            write!(f, "'{}'", text.replace('\'', "''"))
        } else {
            write!(f, "\"{text}\"")
        };
    }
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            // YAML has escapes of two, four and eight digits.
            c if c.is_control() => write!(f, "\\U{:08X}", u32::from(c))?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

/// Whether YAML reads the bare text as this very text. The words that older
/// readers take for booleans are quoted too.
fn is_plain(text: &str) -> bool {
    let old_booleans = ["y", "n", "yes", "no", "on", "off"];
    text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@' | '+'))
        && text.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '/' | '-' | '.'))
        && text.contains(char::is_alphanumeric)
        && !old_booleans.iter().any(|word| text.eq_ignore_ascii_case(word))
        && serde_yaml::from_str::<serde_yaml::Value>(text)
            .is_ok_and(|value| value.as_str() == Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back() {
        for plain in ["ada", "-p", "metrics.json", "WORK@ada", "/bin/sh", "日本"] {
            assert_eq!(text(plain).to_string(), plain);
        }
        for (odd, printed) in [
            ("", "\"\""),
            ("-", "\"-\""),
            ("-1", "\"-1\""),
            ("007", "\"007\""),
            ("true", "\"true\""),
            ("No", "\"No\""),
            ("null", "\"null\""),
            ("~", "\"~\""),
            ("T-{:04}", "\"T-{:04}\""),
            ("a: b", "\"a: b\""),
            ("it's", "\"it's\""),
            ("C:\\work", "'C:\\work'"),
            ("\"it's\"", "'\"it''s\"'"),
            ("a\nb\u{85}", "\"a\\U0000000Ab\\U00000085\""),
        ] {
            assert_eq!(text(odd).to_string(), printed);
            let line = format!("[{printed}]");
            let back: Vec<String> = serde_yaml::from_str(&line).unwrap();
            assert_eq!(back, [odd]);
        }
    }

    #[test]
    fn lists_and_maps() {
        let pairs = BTreeMap::from([("a b".to_owned(), 1), ("c".to_owned(), 2)]);
        assert_eq!(map(&pairs, |n| word(n)).to_string(), "{\"a b\": 1, c: 2}");
        assert_eq!(list(&[1, 2], |n| word(n)).to_string(), "[1, 2]");
        assert_eq!(list(&[] as &[u8], |n| word(n)).to_string(), "[]");
    }
}
