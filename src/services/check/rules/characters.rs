//! `control-character`, `hidden-text`, `invisible-character`: a ledger must look
//! like what it says.
//!
//! Here: the words, and where in a file it was. Not here: which characters those
//! are, and where a script needs one (`model::hidden`). Every line of a file is
//! looked at, for an agent reads detail sections as it reads rows.

use crate::model::hidden::{self, HANGUL_FILLER, Hides};
use crate::model::severity::Severity;
use crate::services::check::book::{At, Book, Region};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};

pub(super) const LOOKS: &[Look] = &[Look::Pages(look)];

/// Characters that drive terminals or reorder text.
pub static CONTROL_CHARACTER: Rule = Rule {
    code: "control-character",
    severity: Severity::Error,
    says: "a row or a section holds a control or bidirectional character",
    why: "Such characters drive terminals, or turn a line round so that it reads as something \
          else. No command writes one.",
    example: "| 001 | Pay invoice U+202E fdp.exe | READY | ada |",
    mend: "Look at the line with its code points, and delete the character.",
};

/// Characters that spell what nobody sees.
pub static HIDDEN_TEXT: Rule = Rule {
    code: "hidden-text",
    severity: Severity::Error,
    says: "tags or variation selectors spell a text that people do not see",
    why: "An agent reads such a text as it reads any other, and may do what it says; whoever \
          reviews the ledger sees nothing. No command writes one. The flags of England, Scotland \
          and Wales, and one selector behind a character, are no hidden text.",
    example: "| 001 | Sort the mail U+E0069 U+E0067 U+E006E … | READY | ada |",
    mend: "Delete the characters, and ask who put them there: `orch log ID` may know.",
};

/// Characters without a width.
pub static INVISIBLE_CHARACTER: Rule = Rule {
    code: "invisible-character",
    severity: Severity::Warning,
    says: "a row or a section holds a character that shows nothing",
    why: "Two values that look the same are not: an id with a zero-width space is another id, and \
          a name with one is another name. Joiners and marks where Arabic, Hindi, Thai or an \
          emoji needs one are left alone.",
    example: "| 001 | Paint the fence | READY | WORK@a<U+200B>da |",
    mend: "Delete the character, unless the script needs it.",
};

fn look(book: &Book<'_>, n: usize, found: &mut Found) {
    let page = &book.pages[n];
    // Two ledgers in one file are two pages of one text.
    if n > 0 && std::ptr::eq(book.pages[n - 1].text, page.text) {
        return;
    }
    let text = page.text;
    let bytes = text.as_bytes();
    let filler = memchr::memmem::Finder::new(const { FILLER.as_bytes() });
    let next_filler = |from: usize| filler.find(&bytes[from..]).map(|at| from + at);
    let mut suspect = hidden::next_suspect(bytes, 0);
    let mut fill = next_filler(0);
    // One finding of a kind in a row or section: the rest is seen beside it.
    let mut told: [Option<Region>; 3] = [const { None }; 3];
    while let Some(at) = [suspect, fill].into_iter().flatten().min() {
        let start = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |n| n + 1);
        let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |n| at + n);
        let line = text[start..end].trim_start_matches(if start == 0 { BOM } else { '\n' });
        let start = end - line.len();
        for hidden in hidden::find(line) {
            let span = start + hidden.range.start..start + hidden.range.end;
            let region = page.region(span.start);
            let last = &mut told[hidden.hides as usize];
            if *last == Some(region) {
                continue;
            }
            *last = Some(region);
            let (rule, message, help) = words(hidden.hides, hidden.first, &text[span.clone()]);
            let row = page.id_of(region);
            found.add(rule, At::Span { page: n, span }, row, message).help(help);
        }
        suspect = hidden::next_suspect(bytes, end);
        fill = fill.and_then(|fill| if fill < end { next_filler(end) } else { Some(fill) });
    }
}

const FILLER: &str = "\u{3164}";
const _: () = assert!(HANGUL_FILLER as u32 == 0x3164);
/// A byte order mark is the file's and no character of its first line.
const BOM: char = '\u{feff}';

fn words(hides: Hides, first: char, run: &str) -> (&'static Rule, String, &'static str) {
    let code = first as u32;
    match hides {
        Hides::Control => (
            &CONTROL_CHARACTER,
            format!("here is U+{code:04X}, a control or bidirectional character"),
            "it was typed or pasted: no command writes such a character; delete it in an editor",
        ),
        Hides::Text => {
            let (count, what) =
                (run.chars().count(), if hidden::is_tag(first) { "tag" } else { "selector" });
            let s = if count == 1 { "" } else { "s" };
            let spelled = hidden::spelled(run)
                .map_or_else(String::new, |text| format!(", which spell `{}`", shortened(&text)));
            (
                &HIDDEN_TEXT,
                format!("here are {count} {what}{s} that nobody sees{spelled}"),
                "it is not there by chance: delete it in an editor, and ask who put it there",
            )
        }
        Hides::NoWidth => (
            &INVISIBLE_CHARACTER,
            format!("here is U+{code:04X}, which shows nothing"),
            "delete it in an editor, unless the script needs it",
        ),
    }
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use crate::services::check::book::Expect;
    use crate::services::check::testing::{APPROVALS, Case, TASKS};

    fn codes(title: &str) -> Vec<&'static str> {
        Case::tasks(&format!("| 1 | {title} | PLAN | - | - | - | - | - | - | - |\n")).codes()
    }

    #[test]
    fn every_kind() {
        for title in
            ["a\u{1b}[2J", "a\u{7f}", "a\u{9b}", "\u{202e}fdp", "a\u{2066}b", "a\u{2028}b"]
        {
            assert_eq!(codes(title), ["control-character"], "{title:?}");
        }
        for title in ["x\u{e0041}", "😀\u{e0158}\u{e0159}"] {
            assert_eq!(codes(title), ["hidden-text"], "{title:?}");
        }
        for title in ["a\u{200b}b", "a\u{200d}b", "\u{2060}", "a\u{feff}", "a\u{3164}", "a\u{200e}"]
        {
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
        assert_eq!(case.found("invisible-character").len(), 1);
        let case = Case::tasks("| 1 | a\u{e0068}\u{e0069} | PLAN | - | - | - | - | - | - | - |\n");
        assert_eq!(
            case.found("hidden-text"),
            ["T.md:3:8 [\u{e0068}\u{e0069}] here are 2 tags that nobody sees, which spell `hi`"]
        );
    }

    #[test]
    fn sections_and_prose_are_looked_at_too() {
        let rows = "| 1 | One | PLAN | - | - | - | - | - | - | - |\n";
        let text = format!(
            "\u{feff}# Plan\u{200b}\n\n{TASKS}{rows}\n### 1 One\n\na\u{200b}b\nc\u{200b}d\u{e0041}\n\n\
             #### Deeper\n\ne\u{200b}\n\n### Other\n\nf\u{200b}\n"
        );
        let case = Case::default().page("T.md", Expect::Tasks, &text);
        let found: Vec<_> = case
            .findings()
            .into_iter()
            .map(|f| format!("{}:{} {} {}", f.line, f.column, f.code, f.row.unwrap_or_default()))
            .collect();
        assert_eq!(
            found,
            [
                "1:7 invisible-character ",
                "9:2 invisible-character 1",
                "10:4 hidden-text 1",
                "14:2 invisible-character 1",
                "18:2 invisible-character ",
            ]
        );
    }

    #[test]
    fn a_file_of_both_ledgers_is_looked_at_once() {
        let text = format!("{TASKS}| 1\u{200b} | a | PLAN | - |\n\n{APPROVALS}");
        let case = Case::default().page("B.md", Expect::Either, &text);
        assert_eq!(case.found("invisible-character").len(), 1);
    }
}
