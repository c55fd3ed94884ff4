//! Text from a ledger, made safe to show to a person.
//!
//! Lives here: which characters are made visible, and how. Not here: ledger or
//! JSON escaping, which keep the value; this form is for eyes and is not read
//! back (`\u{1b}` typed by hand looks the same as an escaped ESC).
//! Invariant: the result has no control, bidirectional or zero-width character
//! of the list below, whether the reader is a terminal, a pager or a log file.
//!
//! Shown as `\u{…}`: C0 (with TAB, CR and LF), DEL, C1; U+200B–200F, U+061C,
//! U+202A–202E, U+2060–206F (word joiner, invisible operators, isolates, the
//! deprecated controls); U+2028, U+2029; U+FEFF; the tags U+E0000–E007F.
//! Why: ESC, OSC 8 and OSC 52 drive the terminal, CR and bidirectional controls
//! make a line read as something else (Trojan Source), tags and zero-width
//! characters hide text from people that programs read.
//! ZWJ (U+200D) is escaped between emoji too: a family emoji falls apart, but
//! the rule stays one that can be checked at a glance. Combining marks and
//! variation selectors stay, because Japanese names need them.

use std::borrow::Cow;
use std::fmt;

/// One line of text: everything on the list is escaped, line ends too.
///
/// Width and alignment flags of the formatter are ignored; see `width::pad`.
#[derive(Debug, Clone, Copy)]
pub struct Safe<'a>(pub &'a str);

/// Text of several lines: as [`Safe`], but LF and TAB stay.
#[derive(Debug, Clone, Copy)]
pub struct SafeLines<'a>(pub &'a str);

impl fmt::Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(f, self.0, Keep::Nothing)
    }
}

impl fmt::Display for SafeLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(f, self.0, Keep::Lines)
    }
}

/// One line of safe text; borrows when nothing needs escaping.
pub fn safe<'a>(text: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
    cow(text.into(), Keep::Nothing)
}

/// Safe text of several lines; borrows when nothing needs escaping.
pub fn safe_lines<'a>(text: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
    cow(text.into(), Keep::Lines)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Nothing,
    Lines,
}

fn cow(text: Cow<'_, str>, keep: Keep) -> Cow<'_, str> {
    let Some((first, _)) = next_hazard(&text, 0, keep) else { return text };
    let mut shown = String::with_capacity(text.len() + 16);
    shown.push_str(&text[..first]);
    escape(&mut shown, &text[first..], keep).expect("writing to a string does not fail");
    Cow::Owned(shown)
}

fn escape(to: &mut dyn fmt::Write, text: &str, keep: Keep) -> fmt::Result {
    let mut from = 0;
    while let Some((start, end)) = next_hazard(text, from, keep) {
        to.write_str(&text[from..start])?;
        for c in text[start..end].chars() {
            write!(to, "{}", c.escape_unicode())?;
        }
        from = end;
    }
    to.write_str(&text[from..])
}

/// The next character to escape at or after `from`, as a byte range.
///
/// Works on bytes: one table look-up passes printable ASCII, kana and kanji,
/// and only controls and five lead bytes need a second look.
fn next_hazard(text: &str, from: usize, keep: Keep) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut at = from;
    loop {
        at += bytes.get(at..)?.iter().position(|&b| SUSPECT[usize::from(b)])?;
        let len = hazard_len(&bytes[at..]);
        if len > 0 && !(keep == Keep::Lines && matches!(bytes[at], b'\n' | b'\t')) {
            return Some((at, at + len));
        }
        // A lead byte or a kept control; continuation bytes are never suspect.
        at += 1;
    }
}

/// Bytes that may start a character on the list.
static SUSPECT: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0;
    while b < 0x20 {
        table[b] = true;
        b += 1;
    }
    table[0x7f] = true;
    table[0xc2] = true; // C1
    table[0xd8] = true; // U+061C
    table[0xe2] = true; // U+2000..2FFF
    table[0xef] = true; // U+F000..FFFF
    table[0xf3] = true; // U+C0000..FFFFF
    table
};

/// The length of the character on the list that `bytes` starts with, else 0.
fn hazard_len(bytes: &[u8]) -> usize {
    match *bytes {
        [0x00..=0x1f | 0x7f, ..] => 1,
        [0xc2, 0x80..=0x9f, ..] | [0xd8, 0x9c, ..] => 2,
        [0xe2, 0x80, 0x8b..=0x8f | 0xa8..=0xae, ..]
        | [0xe2, 0x81, 0xa0..=0xaf, ..]
        | [0xef, 0xbb, 0xbf, ..] => 3,
        [0xf3, 0xa0, 0x80..=0x81, ..] => 4,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list of the file header, by code point.
    fn listed(c: char) -> bool {
        matches!(u32::from(c),
            0..=0x1f | 0x7f..=0x9f | 0x061c | 0x200b..=0x200f | 0x2028..=0x202e
            | 0x2060..=0x206f | 0xfeff | 0xe0000..=0xe007f)
    }

    #[test]
    fn every_character_is_escaped_exactly_if_it_is_on_the_list() {
        let mut buffer = [0; 4];
        for c in '\0'..=char::MAX {
            let text: &str = c.encode_utf8(&mut buffer);
            let shown = safe(text);
            if listed(c) {
                assert_eq!(shown, format!("\\u{{{:x}}}", u32::from(c)));
            } else {
                assert!(matches!(shown, Cow::Borrowed(s) if s == text), "{c:?}");
            }
        }
    }

    #[test]
    fn clean_text_is_borrowed() {
        for text in ["", "plain", "日本語の題名", "が", "👍🏽", "…、。「」", "葛\u{e0100}"]
        {
            assert!(matches!(safe(text), Cow::Borrowed(_)), "{text}");
            assert!(matches!(safe_lines(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn attacks_become_visible() {
        let cases = [
            ("\x1b[2J", "\\u{1b}[2J"),
            ("\x1b]52;c;QQ==\x07", "\\u{1b}]52;c;QQ==\\u{7}"),
            ("\x1b]8;;http://x\x1b\\go", "\\u{1b}]8;;http://x\\u{1b}\\go"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("ok\rFAILED", "ok\\u{d}FAILED"),
            ("a\nhint: b", "a\\u{a}hint: b"),
            ("user\u{202e}txt.exe", "user\\u{202e}txt.exe"),
            ("日\u{200d}本\u{2066}", "日\\u{200d}本\\u{2066}"),
            ("x\u{e0041}", "x\\u{e0041}"),
            ("\u{feff}", "\\u{feff}"),
        ];
        for (text, shown) in cases {
            assert_eq!(safe(text), shown);
            assert_eq!(safe(text.to_owned()), shown);
            assert_eq!(Safe(text).to_string(), shown);
        }
    }

    #[test]
    fn lines_keep_line_feed_and_tab_only() {
        assert!(matches!(safe_lines("a\tb\n"), Cow::Borrowed("a\tb\n")));
        assert_eq!(safe_lines("a\n\x1b\tb\r\n"), "a\n\\u{1b}\tb\\u{d}\n");
        assert_eq!(SafeLines("a\n\x0bb").to_string(), "a\n\\u{b}b");
    }
}
