//! What text a cell may take, and attributes inside notes.
//!
//! Here: the characters that are refused, and `key=value` words. Not here: how
//! a value is spelled in a cell (`ledger::render`).

use crate::model::hidden::{self, Hides};
use std::borrow::Cow;

/// A character no cell may take: controls (C0, DEL, C1), the line and
/// paragraph separators, bidirectional embeddings, overrides and isolates
/// (Unicode UAX #9), and tags and selectors that spell what nobody sees.
pub fn refused_char(text: &str) -> Option<char> {
    let refused = text.chars().find(|c| is_refused(*c));
    // Tags begin with 0xf3, selectors with that or 0xef.
    let spells = || memchr::memchr2(0xef, 0xf3, text.as_bytes()).is_some();
    refused.or_else(|| {
        let found = if spells() { hidden::find(text) } else { Vec::new() };
        found.into_iter().find(|found| found.hides == Hides::Text).map(|found| found.first)
    })
}

/// What such a character is.
pub fn refused_kind(c: char) -> &'static str {
    if is_refused(c) {
        "a control or bidirectional character"
    } else {
        "which spells what nobody sees"
    }
}

/// Whether it is one of those.
pub fn is_refused(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// What separates words in notes.
fn is_separator(c: char) -> bool {
    matches!(c, ' ' | ',' | ';' | '、' | '。' | '・')
}

/// One `key=value` word of a notes text, with its byte range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Before the first `=`.
    pub key: &'a str,
    /// After it.
    pub value: &'a str,
    /// Byte offset of the key in the text.
    pub start: usize,
    /// Byte offset behind the value.
    pub end: usize,
}

/// The attributes of a notes text, in order. Words are separated by blank,
/// `,` `;` `、` `。` `・` or `<br>`.
pub fn attributes(notes: &str) -> impl Iterator<Item = Attribute<'_>> {
    let skip = memchr::memchr(b'=', notes.as_bytes()).is_none();
    words(if skip { "" } else { notes }).filter_map(|(start, word)| {
        let (key, value) = word.split_once('=')?;
        let is_key = !key.is_empty()
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
        is_key.then(|| Attribute { key, value, start, end: start + word.len() })
    })
}

/// The first value of an attribute.
pub fn attribute<'a>(notes: &'a str, key: &str) -> Option<&'a str> {
    attributes(notes).find(|a| a.key == key).map(|a| a.value)
}

fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest_at = 0;
    std::iter::from_fn(move || {
        while rest_at < text.len() {
            let rest = &text[rest_at..];
            let mut end = rest.len();
            let mut next = rest.len();
            for (at, c) in rest.char_indices() {
                let separator = if is_separator(c) {
                    c.len_utf8()
                } else if c == '<' && is_break(&rest[at..]) {
                    break_len(&rest[at..])
                } else {
                    continue;
                };
                end = at;
                next = at + separator;
                break;
            }
            let start = rest_at;
            rest_at += next;
            if end > 0 {
                return Some((start, &text[start..start + end]));
            }
        }
        None
    })
}

fn break_len(text: &str) -> usize {
    let b = text.as_bytes();
    if b.len() < 4 || !b[..3].eq_ignore_ascii_case(b"<br") {
        return 0;
    }
    let tail = &text[3..];
    let trimmed = tail.trim_start_matches([' ', '/']);
    if trimmed.starts_with('>') { 3 + (tail.len() - trimmed.len()) + 1 } else { 0 }
}

fn is_break(text: &str) -> bool {
    break_len(text) > 0
}

/// `notes` with an attribute set, changed in place where it stands, else
/// appended with `・`; `None` removes it.
pub fn with_attribute(notes: &str, key: &str, value: Option<&str>) -> String {
    let found = attributes(notes).find(|a| a.key == key);
    match (found, value) {
        (Some(a), Some(value)) => {
            format!("{}{key}={value}{}", &notes[..a.start], &notes[a.end..])
        }
        (Some(a), None) => {
            let before = notes[..a.start].trim_end_matches(is_separator);
            let after = notes[a.end..].trim_start_matches(is_separator);
            append(before, after).into_owned()
        }
        (None, Some(value)) => append(notes, &format!("{key}={value}")).into_owned(),
        (None, None) => notes.to_owned(),
    }
}

/// Appends to notes with `・`.
pub fn append<'a>(notes: &'a str, text: &'a str) -> Cow<'a, str> {
    match (notes.is_empty() || notes == "-", text.is_empty()) {
        (true, _) => Cow::Borrowed(text),
        (false, true) => Cow::Borrowed(notes),
        (false, false) => Cow::Owned(format!("{notes}・{text}")),
    }
}

/// How urgent a task is. No priority counts as MEDIUM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// `priority=LOW`
    Low,
    /// `priority=MEDIUM`
    Medium,
    /// `priority=HIGH`
    High,
    /// `priority=CRITICAL`
    Critical,
}

impl Priority {
    /// Every priority, lowest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// As notes spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }

    /// Reads it, without regard to case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str().eq_ignore_ascii_case(text))
    }
}

/// The ids in a `depends` value: `001+002`.
pub fn depends(value: &str) -> impl Iterator<Item = &str> {
    value.split(['+', ',', ' ']).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_words_with_an_equals_sign() {
        let notes = "priority=HIGH・調査済み、depends=001+002<br>lang=rust; x = y,tests=100%";
        let found: Vec<_> = attributes(notes).map(|a| (a.key, a.value)).collect();
        assert_eq!(
            found,
            [("priority", "HIGH"), ("depends", "001+002"), ("lang", "rust"), ("tests", "100%")]
        );
        assert_eq!(attribute(notes, "lang"), Some("rust"));
        assert_eq!(attribute("no words here", "lang"), None);
    }

    #[test]
    fn setting_an_attribute_leaves_the_rest() {
        assert_eq!(
            with_attribute("a・priority=LOW・b", "priority", Some("HIGH")),
            "a・priority=HIGH・b"
        );
        assert_eq!(with_attribute("a", "priority", Some("HIGH")), "a・priority=HIGH");
        assert_eq!(with_attribute("-", "priority", Some("HIGH")), "priority=HIGH");
        assert_eq!(with_attribute("a・priority=LOW・b", "priority", None), "a・b");
        assert_eq!(with_attribute("priority=LOW", "priority", None), "");
        assert_eq!(with_attribute("a", "priority", None), "a");
    }

    #[test]
    fn refused_characters() {
        assert_eq!(refused_char("タスク — ok"), None);
        assert_eq!(refused_char("a\u{1b}[31m"), Some('\u{1b}'));
        assert_eq!(refused_char("a\tb"), Some('\t'));
        assert_eq!(refused_char("x\u{202e}y"), Some('\u{202e}'));
        assert_eq!(refused_char("x\u{85}y"), Some('\u{85}'));
        assert_eq!(refused_char("x\u{e0041}y"), Some('\u{e0041}'));
        assert_eq!(refused_char("😀\u{e0120}\u{e0121}"), Some('\u{e0120}'));
        assert_eq!(refused_char("葛\u{e0100}飾 ❤\u{fe0f}"), None);
    }

    #[test]
    fn depends_is_a_list() {
        assert_eq!(depends("001+002").collect::<Vec<_>>(), ["001", "002"]);
        assert_eq!(depends("").count(), 0);
    }
}
