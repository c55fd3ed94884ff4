//! Columns on a terminal: how wide text is, and cutting it to fit.
//!
//! Lives here: measuring, cutting, padding. Not here: escaping (`safe` comes
//! first, because a control character has no width). Widths are those of the
//! `unicode-width` crate: East Asian wide is 2, combining marks 0, ambiguous
//! (`…`, `①`) 1 as most terminals have it.
//! Invariant: what `prefix` returns is never wider than asked for, never ends
//! inside a character, and keeps combining marks with their base.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The mark that ends text that was cut; one column.
pub const ELLIPSIS: &str = "…";

/// The columns that text takes.
pub fn width(text: &str) -> usize {
    simple_width(text.as_bytes()).unwrap_or_else(|| UnicodeWidthStr::width(text))
}

/// Text in at most `max` columns, with `…` as the last if it was cut.
///
/// Where a wide character does not fit, the result is one column narrower than
/// `max`: a caller that pads by `width` leaves that column blank, and the next
/// cell still starts where it should.
pub fn truncate(text: &str, max: usize) -> Cow<'_, str> {
    if width(text) <= max {
        return Cow::Borrowed(text);
    }
    let Some(room) = max.checked_sub(1) else { return Cow::Borrowed("") };
    let (kept, _) = prefix(text, room);
    Cow::Owned([kept, ELLIPSIS].concat())
}

/// The longest beginning of whole characters in `max` columns, and its width.
pub fn prefix(text: &str, max: usize) -> (&str, usize) {
    let (mut end, mut used) = (0, 0);
    while end < text.len() {
        let Some((len, columns)) = simple(&text.as_bytes()[end..]) else {
            return prefix_in_context(text, max);
        };
        if used + columns > max {
            break;
        }
        end += len;
        used += columns;
    }
    (&text[..end], used)
}

/// As `prefix`, for text with marks, emoji and scripts that join.
fn prefix_in_context(text: &str, max: usize) -> (&str, usize) {
    let (mut end, mut used) = (0, 0);
    while end < text.len() {
        let len = cluster_len(&text[end..]);
        used += width(&text[end..end + len]);
        if used > max {
            break;
        }
        end += len;
    }
    // Some scripts measure differently in context; the sum is only an estimate.
    let mut kept = &text[..end];
    loop {
        let columns = width(kept);
        if columns <= max {
            return (kept, columns);
        }
        let last = kept.chars().next_back().map_or(0, char::len_utf8);
        kept = &kept[..kept.len() - last];
    }
}

/// Appends `count` blanks.
pub fn pad(to: &mut Vec<u8>, mut count: usize) {
    const BLANKS: [u8; 64] = [b' '; 64];
    while count > 0 {
        let some = count.min(BLANKS.len());
        to.extend_from_slice(&BLANKS[..some]);
        count -= some;
    }
}

/// The bytes of the first character with the marks and modifiers that follow.
fn cluster_len(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    chars.find(|&(_, c)| !extends(c)).map_or(text.len(), |(at, _)| at)
}

fn extends(c: char) -> bool {
    matches!(c, '\u{1f3fb}'..='\u{1f3ff}') || (!c.is_ascii() && c.width() == Some(0))
}

/// The width of text that is all `simple`; `None` at the first other character,
/// since context may matter from there on.
///
/// Nearly every cell is like this, and it is several times faster than the
/// full tables.
fn simple_width(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut columns) = (0, 0);
    while at < bytes.len() {
        let (len, wide) = simple(&bytes[at..])?;
        at += len;
        columns += wide;
    }
    Some(columns)
}

/// Bytes and columns of a first character that is printable ASCII, kana, kanji
/// or a full-width form: none of them joins with what stands beside it.
#[inline]
fn simple(bytes: &[u8]) -> Option<(usize, usize)> {
    match *bytes {
        [b' '..=b'~', ..] => Some((1, 1)),
        // U+3099 and U+309A combine with the kana before them.
        [0xe3, 0x82, 0x97..=0x9a, ..] => None,
        // U+3041..30FF kana, U+5000..9FFF and U+4E00..4FFF kanji
        [0xe3, 0x81, 0x81..=0xbf, ..]
        | [0xe3, 0x82..=0x83, _, ..]
        | [0xe5..=0xe9, _, _, ..]
        | [0xe4, 0xb8..=0xbf, _, ..]
        // U+3000..3029 punctuation, U+FF01..FF60 full-width forms
        | [0xe3, 0x80, 0x80..=0xa9, ..]
        | [0xef, 0xbc, 0x81..=0xbf, ..]
        | [0xef, 0xbd, 0x80..=0xa0, ..] => Some((3, 2)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 8] = [
        "plain ascii text that is long enough for forty columns",
        "日本語の題名を書く、とても長い題名なので切られるはずです",
        "mixed 日本語 and ASCII テキスト with ｶﾀｶﾅ and ＦＵＬＬ",
        "が ぎ ぐ e\u{301}e\u{301}e\u{301} か\u{3099}か\u{3099}か\u{3099} n\u{303}",
        "👍🏽👍🏽❤\u{fe0f}❤\u{fe0f}🇯🇵🇯🇵 emoji 😀😀😀😀😀😀😀😀😀",
        "한국어 텍스트 中文字符 ①②③ →←…",
        "\u{301}\u{301}starts with marks",
        "葛\u{e0100}飾区 葛\u{e0100}飾区 葛\u{e0100}飾区 葛\u{e0100}飾区",
    ];

    #[test]
    fn the_fast_path_agrees_with_the_tables_for_every_character() {
        let mut buffer = [0; 4];
        for c in ' '..=char::MAX {
            let text: &str = c.encode_utf8(&mut buffer);
            if let Some(columns) = simple_width(text.as_bytes()) {
                assert_eq!(columns, UnicodeWidthStr::width(text), "U+{:04X}", u32::from(c));
            }
        }
        for text in TEXTS {
            assert_eq!(width(text), UnicodeWidthStr::width(text), "{text}");
        }
        assert_eq!(simple_width("日本語カナかなABC（１）、".as_bytes()), Some(25));
    }

    #[test]
    fn known_widths() {
        for (text, columns) in [
            ("", 0),
            ("abc", 3),
            ("日本", 4),
            ("ｶﾅ", 2),
            ("e\u{301}", 1),
            ("か\u{3099}", 2),
            ("…", 1),
            ("😀", 2),
        ] {
            assert_eq!(width(text), columns, "{text}");
        }
    }

    #[test]
    fn cut_text_fits_at_every_width() {
        for text in TEXTS {
            let full = width(text);
            for max in 0..=40 {
                let cut = truncate(text, max);
                let columns = width(&cut);
                assert!(columns <= max, "{text} at {max}: {columns}");
                if full <= max {
                    assert_eq!(cut, text);
                } else if max > 0 {
                    assert!(columns + 1 >= max, "{text} at {max}: {columns}");
                    let kept = cut.strip_suffix(ELLIPSIS).expect("cut text ends in an ellipsis");
                    let rest = text.strip_prefix(kept).expect("the rest is a beginning");
                    let next = rest.chars().next().expect("something was cut");
                    assert!(!extends(next), "{text} at {max}: a mark lost its base");
                }
            }
        }
    }

    #[test]
    fn text_that_is_narrower_in_context_fits_too() {
        for text in [
            "👨\u{200d}👩\u{200d}👧 と 👨\u{200d}👩\u{200d}👧",
            "السلام عليكم ورحمة الله لا لا لا لا لا لا",
        ] {
            assert!((0..=40).all(|max| width(&truncate(text, max)) <= max), "{text}");
        }
    }

    #[test]
    fn a_wide_character_that_does_not_fit_leaves_a_blank_column() {
        assert_eq!(truncate("日本語", 6), "日本語");
        assert_eq!(truncate("日本語", 5), "日本…");
        assert_eq!(truncate("日本語", 4), "日…");
        assert_eq!(width(&truncate("日本語", 4)), 3);
        assert_eq!(truncate("日本語", 1), "…");
        assert_eq!(truncate("日本語", 0), "");
    }

    #[test]
    fn padding_of_any_length() {
        for count in [0, 1, 63, 64, 65, 1000] {
            let mut to = Vec::new();
            pad(&mut to, count);
            assert_eq!(to, " ".repeat(count).as_bytes());
        }
    }
}
