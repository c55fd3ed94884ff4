//! Text that hides: characters that people do not see and programs read.
//!
//! Here: which characters those are, and where a script or an emoji needs one of
//! them, so that honest text is left alone. Not here: what follows from it
//! (`value` refuses some, `services::check` tells of all). Invariant: a line of
//! Japanese, English, Persian, Hindi or emoji as keyboards write it hides
//! nothing, and time grows with the length of the line and no faster.
//!
//! Sources: Unicode UAX #9 (bidirectional text), UTS #51 (emoji sequences, tags),
//! UTS #37 (variation selectors of ideographs), `Default_Ignorable_Code_Point` of
//! `DerivedCoreProperties.txt`.

use std::ops::Range;

/// How something hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hides {
    /// It drives terminals, or turns a line round.
    Control,
    /// Characters that spell a text which nobody sees: tags, or variation
    /// selectors in a row.
    Text,
    /// It shows nothing, and two values that look the same are not.
    NoWidth,
}

/// Something in a text that hides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// How.
    pub hides: Hides,
    /// Its bytes: one character, or a run of them that spells a text.
    pub range: Range<usize>,
    /// The first character.
    pub first: char,
}

/// What hides in one line, in its order.
pub fn find(line: &str) -> Vec<Hidden> {
    let mut found = Vec::new();
    let mut add = |hides, range: Range<usize>, first| found.push(Hidden { hides, range, first });
    // Marks of direction belong into lines that run both ways.
    let mut runs_left = None;
    let mut before = '\n';
    let mut rest = line.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        if matches!(c, ' '..='~') {
            before = c;
            continue;
        }
        let here = at..at + c.len_utf8();
        let mut last = c;
        if is_control(c) {
            add(Hides::Control, here, c);
        } else if is_tag(c) || is_selector(c) {
            let same = if is_tag(c) { is_tag } else { is_selector };
            let mut end = here.end;
            while let Some((at, c)) = rest.next_if(|(_, next)| same(*next)) {
                end = at + c.len_utf8();
                last = c;
            }
            let run = &line[at..end];
            if is_tag(c) {
                if !(before == '\u{1f3f4}' && FLAGS.contains(&run)) {
                    add(Hides::Text, at..end, c);
                }
            } else if run.len() > here.len() && !is_doubled(run) {
                add(Hides::Text, at..end, c);
            } else if !selects(before, c) {
                add(Hides::NoWidth, here, c);
            }
        } else if is_mark(c) {
            if !*runs_left.get_or_insert_with(|| line.chars().any(is_right_to_left)) {
                add(Hides::NoWidth, here, c);
            }
        } else if has_no_width(c) {
            let next = rest.peek().map_or('\n', |(_, next)| *next);
            if !is_needed(before, c, next) {
                add(Hides::NoWidth, here, c);
            }
        }
        before = last;
    }
    found
}

/// The first byte at or behind a place that begins something that may hide, apart
/// from U+3164, whose first byte is that of all kana.
pub fn next_suspect(bytes: &[u8], from: usize) -> Option<usize> {
    // In pieces, which the compiler looks at many bytes at a time.
    const PIECE: usize = 64;
    let mut at = from;
    while at < bytes.len() {
        let piece = &bytes[at..bytes.len().min(at + PIECE)];
        if piece.iter().fold(false, |any, b| any | is_suspect(*b)) {
            let begins = |n: &usize| is_suspect(piece[*n]) && may_hide(&bytes[at + n..]);
            if let Some(n) = (0..piece.len()).find(begins) {
                return Some(at + n);
            }
        }
        at += piece.len();
    }
    None
}

/// Whether a text that begins with a suspect byte begins with a character that may
/// hide: nearly all that begin so, such as `…` and full-width brackets, do not.
const fn may_hide(text: &[u8]) -> bool {
    match *text {
        [b, ..] if b < 0x80 => true,
        [0xc2, b, ..] => b < 0xa0 || b == 0xad,
        [0xcd, b, ..] => b == 0x8f,
        [0xd8, b, ..] => b == 0x9c,
        [0xe1, 0x85 | 0x9e | 0xa0, ..] => true,
        [0xe2, 0x80, 0x8b..=0x8f | 0xa8..=0xae, ..] | [0xe2, 0x81, 0xa0..=0xaf, ..] => true,
        [0xef, 0xb8, 0x80..=0x8f, ..] | [0xef, 0xbb, 0xbf, ..] => true,
        [0xef, 0xbe, 0xa0, ..] | [0xef, 0xbf, 0xb0..=0xbb, ..] => true,
        [0xf0, 0x9b | 0x9d, ..] => true,
        [0xf3, 0xa0, ..] => true,
        _ => false,
    }
}

/// The filler that Hangul keyboards can type, which shows an empty square or nothing.
pub const HANGUL_FILLER: char = '\u{3164}';

const fn is_suspect(b: u8) -> bool {
    (b < 0x20 && b != b'\t' && b != b'\n' && b != b'\r')
        || matches!(b, 0x7f | 0xc2 | 0xcd | 0xd8 | 0xe1 | 0xe2 | 0xef | 0xf0 | 0xf3)
}

/// Controls, line and paragraph separators, and what turns a line round. Blanks
/// and line ends are none.
fn is_control(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Tags: an ASCII that nobody sees, kept by emoji for the flags of regions.
pub const fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0000}'..='\u{e007f}')
}

/// The flags that vendors draw, behind U+1F3F4: England, Scotland, Wales.
const FLAGS: [&str; 3] = [
    "\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    "\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
    "\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}",
];

/// What tags and variation selectors spell; `None` where it is nothing readable.
pub fn spelled(run: &str) -> Option<String> {
    let byte = |c: char| {
        let code = u32::from(c);
        let byte = match code {
            0xe0020..=0xe007e => code - 0xe0000,
            0xfe00..=0xfe0f => code - 0xfe00,
            0xe0100..=0xe01ef => code - 0xe0100 + 16,
            _ => return None,
        };
        u8::try_from(byte).ok()
    };
    let text = String::from_utf8(run.chars().filter_map(byte).collect()).ok()?;
    (!text.is_empty() && !text.chars().any(char::is_control)).then_some(text)
}

const fn is_selector(c: char) -> bool {
    matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Keyboards double the selector of emoji now and then.
fn is_doubled(run: &str) -> bool {
    run == "\u{fe0f}\u{fe0f}"
}

/// Whether a selector chooses among the shapes of the character before it.
const fn selects(base: char, selector: char) -> bool {
    match selector {
        '\u{e0100}'..='\u{e01ef}' => is_ideograph(base),
        _ => !base.is_ascii() || matches!(base, '0'..='9' | '#' | '*'),
    }
}

const fn is_ideograph(c: char) -> bool {
    matches!(c,
        '\u{3005}'..='\u{3007}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Marks of direction, which turn nothing but what stands beside them.
const fn is_mark(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}')
}

const fn is_right_to_left(c: char) -> bool {
    matches!(c,
        '\u{590}'..='\u{61b}' | '\u{61d}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}'
        | '\u{fe70}'..='\u{fefe}' | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// Whether it shows nothing at all, selectors and tags included.
pub const fn shows_nothing(c: char) -> bool {
    has_no_width(c) || is_mark(c) || is_tag(c) || is_selector(c)
}

const fn has_no_width(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}'
        | '\u{206a}'..='\u{206f}' | HANGUL_FILLER | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0080}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}')
}

/// Whether the script or the emoji around it needs a character without a width.
const fn is_needed(before: char, c: char, next: char) -> bool {
    match c {
        // A joiner between two pictures makes one of them.
        '\u{200d}' if is_picture(before) => is_picture(next),
        '\u{200c}' | '\u{200d}' => is_joined(before),
        '\u{200b}' => has_no_blanks(before) && has_no_blanks(next),
        // Where a word may be parted; and what holds its marks apart.
        '\u{ad}' => before.is_ascii_alphabetic() || matches!(before, '\u{c0}'..='\u{7ff}'),
        '\u{34f}' => !before.is_ascii(),
        '\u{115f}' | '\u{1160}' => is_jamo(before) || is_jamo(next),
        '\u{17b4}' | '\u{17b5}' => matches!(before, '\u{1780}'..='\u{17ff}'),
        '\u{180b}'..='\u{180f}' => matches!(before, '\u{1800}'..='\u{18af}'),
        '\u{1bca0}'..='\u{1bca3}' => matches!(before, '\u{1bc00}'..='\u{1bc9f}'),
        '\u{1d173}'..='\u{1d17a}' => matches!(before, '\u{1d100}'..='\u{1d1ff}'),
        _ => false,
    }
}

const fn is_jamo(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11ff}' | '\u{a960}'..='\u{a97f}' | '\u{d7b0}'..='\u{d7ff}')
}

/// Letters of scripts whose letters join: Arabic, Syriac, N'Ko, those of India and
/// of its neighbours, Mongolian.
const fn is_joined(c: char) -> bool {
    matches!(c,
        '\u{620}'..='\u{8ff}' | '\u{900}'..='\u{109f}' | '\u{1700}'..='\u{18af}'
        | '\u{1900}'..='\u{1cff}' | '\u{a800}'..='\u{a8ff}' | '\u{a980}'..='\u{aaff}'
        | '\u{abc0}'..='\u{abff}' | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}'
        | '\u{10a00}'..='\u{11fff}' | '\u{1e900}'..='\u{1e95f}')
}

/// Scripts that write words without a blank between them.
const fn has_no_blanks(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{1950}'..='\u{1aaf}' | '\u{a9e0}'..='\u{a9ff}' | '\u{aa60}'..='\u{aadf}')
}

const fn is_picture(c: char) -> bool {
    matches!(c,
        '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}' | '\u{2600}'..='\u{27bf}'
        | '\u{2b00}'..='\u{2bff}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hides(line: &str) -> Vec<Hides> {
        let bytes = line.as_bytes();
        let found = find(line);
        // The look at the bytes misses nothing.
        if !found.is_empty() && !line.contains(HANGUL_FILLER) {
            let suspect = next_suspect(bytes, 0);
            assert!(suspect.is_some_and(|at| at <= found[0].range.start), "{line:?}");
        }
        found.into_iter().map(|hidden| hidden.hides).collect()
    }

    #[test]
    fn honest_text_hides_nothing() {
        for line in [
            "plain | text\twith <b>tags</b>",
            "台帳、直す…「」（全角）ｶﾞ",
            "葛\u{e0100}城市、辻\u{e0101}、神\u{fe00}",
            "👩\u{200d}🔧 👨\u{200d}👩\u{200d}👧\u{200d}👦 🏴\u{200d}☠\u{fe0f} ❤\u{fe0f}\u{200d}🔥",
            "🙂\u{200d}↔\u{fe0f} 🐦\u{200d}⬛ 1\u{fe0f}\u{20e3} ❤\u{fe0f}\u{fe0f} ©\u{fe0f} 👍🏽",
            "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f} wins",
            "می\u{200c}خواهم",
            "क्\u{200d}ष र्\u{200d}",
            "سلام\u{200f}! שלום\u{200e} (abc)",
            "ภาษา\u{200b}ไทย",
            "ᠮᠣᠩ\u{180b}",
            "Donau\u{ad}dampf\u{ad}schiff",
            "\u{1112}\u{1160}",
            "Ünïcödé — …",
        ] {
            assert_eq!(hides(line), [], "{line:?}");
        }
    }

    #[test]
    fn what_hides_is_found() {
        use Hides::{Control, NoWidth, Text};
        for (line, expected) in [
            ("a\u{1b}[2J", vec![Control]),
            ("a\u{7f}\u{9b}", vec![Control, Control]),
            ("\u{202e}fdp a\u{2066}b a\u{2028}b", vec![Control; 3]),
            ("x\u{e0041}\u{e0042}", vec![Text]),
            // A flag of another region, and more than a flag.
            ("🏴\u{e0075}\u{e0073}\u{e0063}\u{e0061}\u{e007f}", vec![Text]),
            ("🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}\u{e0041}", vec![Text]),
            ("😀\u{e0158}\u{e0159}", vec![Text]),
            ("☺\u{fe0e}\u{fe0f}", vec![Text]),
            ("a\u{e0158} か\u{e0158} a\u{fe01}", vec![NoWidth; 3]),
            ("a\u{200b}b a\u{200d}b \u{2060} a\u{feff}", vec![NoWidth; 4]),
            ("👩\u{200d}x", vec![NoWidth]),
            ("a\u{200e}b \u{61c}", vec![NoWidth; 2]),
            ("\u{3164} \u{ffa0} \u{115f}", vec![NoWidth; 3]),
            ("x \u{ad}y か\u{ad}な", vec![NoWidth; 2]),
            ("\u{fff9}a\u{fffb} \u{e0fff} \u{1d173} \u{1bca0} \u{180e}", vec![NoWidth; 6]),
        ] {
            assert_eq!(hides(line), expected, "{line:?}");
        }
    }

    #[test]
    fn every_character_that_shows_nothing_is_found_by_itself() {
        for c in ('\0'..=char::MAX).filter(|c| is_control(*c) || shows_nothing(*c)) {
            assert_eq!(hides(&format!("a{c}b")).len(), usize::from(c != '\u{ad}'), "{c:?}");
        }
    }

    #[test]
    fn what_is_spelled_can_be_read() {
        let tags: String =
            "ignore".chars().filter_map(|c| char::from_u32(0xe0000 + u32::from(c))).collect();
        assert_eq!(spelled(&tags).as_deref(), Some("ignore"));
        let selectors: String =
            "do it".bytes().filter_map(|b| char::from_u32(0xe0100 + u32::from(b) - 16)).collect();
        assert_eq!(spelled(&selectors).as_deref(), Some("do it"));
        assert_eq!(spelled("\u{fe0f}\u{fe00}"), None);
    }
}
