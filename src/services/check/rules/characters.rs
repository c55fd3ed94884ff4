//! `control-character`, `invisible-character`: a ledger must look like what it
//! says.

use crate::model::severity::Severity;
use crate::model::value::refused_char;
use crate::services::check::book::{AnyRow, At, Book};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};

pub(super) const LOOKS: &[Look] = &[Look::Rows(look), Look::Pages(headers)];

/// Characters that drive terminals, reorder text, or hide it.
pub static CONTROL_CHARACTER: Rule = Rule {
    code: "control-character",
    severity: Severity::Error,
    says: "a row holds a control or bidirectional character",
    why: "Such characters drive terminals, or turn a line round so that it reads as something \
          else. No command writes one.",
    example: "| 001 | Pay invoice U+202E fdp.exe | READY | ada |",
    mend: "Look at the row with its code points, and delete the character.",
};

/// Characters without a width.
pub static INVISIBLE_CHARACTER: Rule = Rule {
    code: "invisible-character",
    severity: Severity::Warning,
    says: "a row holds a character that has no width, or a tag",
    why: "Two values that look the same are not: an id with a zero-width space is another id, and \
          a name with one is another name. Tags carry words that people do not see and programs \
          read.",
    example: "| 001 | Paint the fence | READY | WORK@a<U+200B>da |",
    mend: "Delete the character, unless the script needs it, as a joiner in Persian or Hindi.",
};

fn look(_: &Book<'_>, row: &AnyRow<'_, '_>, found: &mut Found) {
    let span = row.row.span.range();
    if let Some((rule, span, message)) = first(row.page.text, span) {
        let at = At::Span { page: row.at, span };
        let help = if rule.code == CONTROL_CHARACTER.code {
            "it was typed or pasted: no command writes such a character; delete it in an editor"
        } else {
            "delete it in an editor, unless the script needs it"
        };
        found.add(rule, at, row.id(), message).help(help);
    }
}

fn headers(book: &Book<'_>, n: usize, found: &mut Found) {
    let page = &book.pages[n];
    for table in page.grid().into_iter().flat_map(|grid| &grid.tables) {
        if let Some((rule, span, message)) = first(page.text, table.header.span.range()) {
            found.add(rule, At::Span { page: n, span }, "", message);
        }
    }
}

type Hit = (&'static Rule, std::ops::Range<usize>, String);

/// The first character that must not stand there, else the first that shows
/// nothing. Looked for only where a byte could begin one.
fn first(text: &str, span: std::ops::Range<usize>) -> Option<Hit> {
    let row = &text[span.clone()];
    let suspect =
        |b: u8| (b < 0x20 && b != b'\t') || matches!(b, 0x7f | 0xc2 | 0xd8 | 0xe2 | 0xef | 0xf3);
    if !row.bytes().fold(false, |any, b| any | suspect(b)) {
        return None;
    }
    let mut invisible = None;
    let mut before = ' ';
    for (at, c) in row.char_indices() {
        let here = span.start + at..span.start + at + c.len_utf8();
        if is_control(c) {
            let message =
                format!("here is U+{:04X}, a control or bidirectional character", c as u32);
            return Some((&CONTROL_CHARACTER, here, message));
        }
        // Between emoji a joiner makes one picture of two.
        let joins = c == '\u{200d}' && is_picture(before);
        if (is_invisible(c) || is_tag(c)) && invisible.is_none() && !joins {
            let what = if is_tag(c) { "a tag that shows nothing" } else { "which has no width" };
            let message = format!("here is U+{:04X}, {what}", c as u32);
            invisible = Some((&INVISIBLE_CHARACTER, here, message));
        }
        before = c;
    }
    invisible
}

fn is_control(c: char) -> bool {
    let mut bytes = [0; 4];
    // A carriage return that ends a line is no part of a row.
    c != '\t' && (refused_char(c.encode_utf8(&mut bytes)).is_some())
}

const fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0000}'..='\u{e007f}')
}

const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}'
        | '\u{feff}')
}

const fn is_picture(c: char) -> bool {
    matches!(c, '\u{2600}'..='\u{27bf}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    use crate::services::check::testing::Case;

    fn codes(title: &str) -> Vec<&'static str> {
        Case::tasks(&format!("| 1 | {title} | PLAN | - | - | - | - | - | - | - |\n")).codes()
    }

    #[test]
    fn every_kind() {
        for title in [
            "a\u{1b}[2J",
            "a\u{7f}",
            "a\u{9b}",
            "\u{202e}fdp",
            "a\u{2066}b",
            "a\u{2028}b",
        ] {
            assert_eq!(codes(title), ["control-character"], "{title:?}");
        }
        for title in ["a\u{200b}b", "a\u{200d}b", "\u{2060}", "a\u{feff}", "x\u{e0041}"] {
            assert_eq!(codes(title), ["invisible-character"], "{title:?}");
        }
        for title in ["台帳、直す", "…「」", "👩\u{200d}🔧", "葛\u{e0100}", "a\tb", "Ünïcödé", "❤️"]
        {
            assert_eq!(codes(title), Vec::<&str>::new(), "{title:?}");
        }
    }

    #[test]
    fn the_character_is_marked() {
        let case = Case::tasks("| 1 | a\u{200b}b\u{202e} | PLAN | - | - | - | - | - | - | - |\n");
        assert_eq!(
            case.found("control-character"),
            ["T.md:3:10 [\u{202e}] here is U+202E, a control or bidirectional character"]
        );
    }
}
