//! How a diff spells the names of files: prefixes, C quotes, time stamps.
//!
//! As `git apply` reads them (`apply.c`, with its default of one part that is
//! stripped). Invariant: a name that is given out is UTF-8 without NUL, as git
//! would write it to the disk.

use jiff::tz::Offset;

/// Takes the C quotes off, as git puts them around names with special bytes.
/// Gives the name and what follows the closing quote.
pub fn unquote(text: &str) -> Result<(String, &str), String> {
    let rest = text.strip_prefix('"').ok_or("the name has no opening quote")?;
    let mut name = Vec::new();
    let bytes = rest.as_bytes();
    let mut at = 0;
    loop {
        match bytes.get(at) {
            None => return Err("the quoted name has no end".to_owned()),
            Some(b'"') => break,
            Some(b'\\') => {
                let (byte, len) = escape(&bytes[at + 1..])
                    .ok_or_else(|| "the quoted name has an escape that is none".to_owned())?;
                name.push(byte);
                at += 1 + len;
            }
            Some(byte) => {
                name.push(*byte);
                at += 1;
            }
        }
    }
    let name = String::from_utf8(name).map_err(|_| "the name is not UTF-8".to_owned())?;
    if name.contains('\0') {
        return Err("the name holds NUL".to_owned());
    }
    Ok((name, &rest[at + 1..]))
}

/// The byte behind a backslash, and how long its escape is.
fn escape(bytes: &[u8]) -> Option<(u8, usize)> {
    let byte = match bytes.first()? {
        b'a' => 7,
        b'b' => 8,
        b't' => b'\t',
        b'n' => b'\n',
        b'v' => 11,
        b'f' => 12,
        b'r' => b'\r',
        quoted @ (b'"' | b'\\') => *quoted,
        b'0'..=b'3' => {
            let digits = bytes.get(..3)?;
            let value = digits.iter().try_fold(0_u8, |value, digit| {
                matches!(digit, b'0'..=b'7').then(|| value * 8 + (digit - b'0'))
            })?;
            return Some((value, 3));
        }
        _ => return None,
    };
    Some((byte, 1))
}

/// A name behind `--- `, `+++ `, `rename from ` and the like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// `/dev/null`: no file.
    Nothing,
    /// A file, with whatever prefix the line has.
    File(String),
}

/// Reads a whole name: quoted, or up to a tab.
pub fn read(text: &str) -> Result<Name, String> {
    if text.starts_with('"') {
        let (name, rest) = unquote(text)?;
        return match rest.trim_end_matches('\r') {
            "" => Ok(Name::File(name)),
            rest if rest.starts_with('\t') => Ok(Name::File(name)),
            _ => Err("something follows the quoted name".to_owned()),
        };
    }
    let name = text.split('\t').next().unwrap_or_default();
    if name == "/dev/null" {
        return Ok(Name::Nothing);
    }
    if name.is_empty() {
        return Err("the name is empty".to_owned());
    }
    if name.starts_with("/dev/null") && name.split_whitespace().next() == Some("/dev/null") {
        return Err("something follows `/dev/null`".to_owned());
    }
    if name.contains('\0') {
        return Err("the name holds NUL".to_owned());
    }
    if name.ends_with('\r') {
        return Err("the name ends in a carriage return: the diff's line ends were changed".into());
    }
    Ok(Name::File(name.to_owned()))
}

/// The same where nothing may follow: a tab would be part of the name to git.
pub fn read_whole(text: &str) -> Result<Name, String> {
    if !text.starts_with('"') && text.contains('\t') {
        return Err("the name holds a tab and has no quotes".to_owned());
    }
    read(text)
}

/// The same where no git wrote it: a time may follow, and the beginning of time
/// is how `diff -N` says that there is no file.
pub fn read_stamped(text: &str) -> Result<Name, String> {
    let is_epoch = |stamp: &str| epoch_seconds(stamp.trim()) == Some(0);
    if let Some((_, stamp)) = text.split_once('\t') {
        return if is_epoch(stamp) { Ok(Name::Nothing) } else { read(text) };
    }
    match stamp_at(text) {
        None => read(text),
        Some(at) if is_epoch(&text[at..]) => Ok(Name::Nothing),
        Some(at) => read(text[..at].trim_end_matches(' ')),
    }
}

/// Where ` 2024-05-01 12:00:00…` begins at the end of a line without tabs.
fn stamp_at(text: &str) -> Option<usize> {
    let mut starts = text.match_indices(' ').map(|(at, _)| at);
    starts.find(|at| *at > 0 && epoch_seconds(text[*at..].trim()).is_some())
}

/// Reads `2024-05-01 12:00:00[.123] +0200`.
fn epoch_seconds(stamp: &str) -> Option<i64> {
    let mut words = stamp.split(' ');
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    if words.next().is_some() || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let at: jiff::civil::DateTime = format!("{date}T{time}").parse().ok()?;
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let digits = digits.replace(':', "");
    if digits.len() != 4 {
        return None;
    }
    let digits: i32 = digits.parse().ok()?;
    let offset = Offset::from_seconds(sign * (digits / 100 * 3600 + digits % 100 * 60)).ok()?;
    let seconds = offset.to_timestamp(at).ok()?.as_second();
    // A part of a second after the beginning is a time like any other.
    let is_whole = fraction.bytes().all(|b| b == b'0');
    Some(if seconds == 0 && !is_whole { 1 } else { seconds })
}

/// Without the first part, `a/` or `b/` as a rule; none where there is only one.
pub fn strip(name: &str) -> Option<&str> {
    name.split_once('/').map(|(_, rest)| rest).filter(|rest| !rest.is_empty())
}

/// The one name behind `diff --git `, without prefix, where both sides have the
/// same; what a diff without any other line with a name is about.
pub fn header(text: &str) -> Option<String> {
    if text.starts_with('"') {
        let (first, rest) = unquote(text).ok()?;
        let first = strip(&first)?;
        let second = match rest.strip_prefix(' ')? {
            quoted if quoted.starts_with('"') => {
                let (second, end) = unquote(quoted).ok()?;
                if !end.is_empty() {
                    return None;
                }
                strip(&second)?.to_owned()
            }
            plain => strip(plain)?.to_owned(),
        };
        return (first == second).then_some(second);
    }
    // Names may hold blanks: where do two equal names part?
    let spaces = text.match_indices([' ', '\t']).map(|(at, _)| at);
    let mut halves = spaces.filter_map(|at| {
        let (first, second) = (strip(&text[..at])?, &text[at + 1..]);
        let second = match second.strip_prefix('"') {
            Some(_) => unquote(second).ok().filter(|(_, end)| end.is_empty())?.0,
            None => second.to_owned(),
        };
        strip(&second).filter(|second| *second == first).map(str::to_owned)
    });
    halves.next()
}

/// Whether a name stays in its repository and out of git's own folder, as
/// `git apply` demands: no part is empty, `.`, `..` or `.git`.
pub fn is_inside(name: &str) -> bool {
    name.split('/')
        .all(|part| !matches!(part, "" | "." | "..") && !part.eq_ignore_ascii_case(".git"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_come_off() {
        assert_eq!(unquote(r#""a/\346\227\245 x" b"#), Ok(("a/日 x".to_owned(), " b")));
        assert_eq!(unquote(r#""\a\b\t\n\v\f\r\"\\""#).unwrap().0, "\u{7}\u{8}\t\n\u{b}\u{c}\r\"\\");
        for bad in [r#"""#, r#""a"#, r#""\""#, r#""\x""#, r#""\40""#, r#""\777""#, r#""\377""#] {
            assert!(unquote(bad).is_err(), "{bad}");
        }
        assert!(unquote(r#""\000""#).unwrap_err().contains("NUL"));
    }

    #[test]
    fn a_name_ends_at_a_tab() {
        let file = |name: &str| Ok(Name::File(name.to_owned()));
        assert_eq!(read("a/x y\t"), file("a/x y"));
        assert_eq!(read("/dev/null"), Ok(Name::Nothing));
        assert_eq!(read("/dev/null\t1970-01-01"), Ok(Name::Nothing));
        assert_eq!(read(r#""a/\t""#), file("a/\t"));
        assert!(read("").is_err() && read("a/x\r").is_err() && read("\"a\"b").is_err());
        assert!(read("/dev/null x").is_err() && read_whole("x\ty").is_err());
    }

    #[test]
    fn a_time_is_no_part_of_a_name() {
        let file = |name: &str| Ok(Name::File(name.to_owned()));
        assert_eq!(read_stamped("a/x\t2024-05-01 12:00:00.123456789 +0200"), file("a/x"));
        assert_eq!(read_stamped("a/x y 2024-05-01 12:00:00.1 +02:00"), file("a/x y"));
        assert_eq!(read_stamped("a/x y 2024-05-01"), file("a/x y 2024-05-01"));
        assert_eq!(read_stamped("a/x\t1970-01-01 00:00:00.000000000 +0000"), Ok(Name::Nothing));
        assert_eq!(read_stamped("a/x\t1970-01-01 09:00:00 +0900"), Ok(Name::Nothing));
        assert_eq!(read_stamped("a/x\t1969-12-31 19:00:00.000000000 -0500"), Ok(Name::Nothing));
        assert_eq!(read_stamped("a/x\t1970-01-01 00:00:00.5 +0000"), file("a/x"));
    }

    #[test]
    fn a_header_has_one_name_where_both_halves_agree() {
        for (text, name) in [
            ("a/x b/x", Some("x")),
            ("a/x b/x b/x b/x", Some("x b/x")),
            ("a/a b/a b", None),
            ("a/one b/two", None),
            ("x x", None),
            (r#""a/\346\227\245" "b/\346\227\245""#, Some("日")),
            (r#""a/\t" b/x"#, None),
            (r#"a/x "b/x""#, Some("x")),
        ] {
            assert_eq!(header(text).as_deref(), name, "{text}");
        }
        assert_eq!(header("a/a b b/a b").as_deref(), Some("a b"));
    }

    #[test]
    fn a_name_stays_in_its_repository() {
        assert!(is_inside("src/x.rs") && is_inside(".gitignore") && is_inside("..."));
        for name in ["../x", "a/../x", "/etc/x", "a//x", "./x", ".git/config", "a/.GIT/x", ""] {
            assert!(!is_inside(name), "{name}");
        }
    }
}
