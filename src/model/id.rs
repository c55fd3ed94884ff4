//! Ids of tasks and approvals: how a new one is spelled and what comes next.
//!
//! Existing ids of any spelling work (`006-P∞`); only new ones are held to the
//! grammar. Invariant: a proposed id is never one that was given before.

use std::fmt;

/// Whether `text` may be given to something new:
/// `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
pub fn is_new_id(text: &str) -> bool {
    let b = text.as_bytes();
    (1..=64).contains(&b.len())
        && b[0].is_ascii_alphanumeric()
        && b.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// The spelling of new ids: fixed text around one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdFormat {
    /// The text before the number.
    pub prefix: String,
    /// The least number of digits, filled up with zeros; 1 for `{}`.
    pub width: usize,
    /// The text after the number.
    pub suffix: String,
}

/// The longest id that `add` takes.
const LONGEST: usize = 64;

impl IdFormat {
    /// Reads `T-{:04}`, `A{:03}` or `X{}`.
    ///
    /// # Errors
    /// A sentence for people, where the text has not exactly one number field or
    /// could give an id that is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let not_one = || {
            format!(
                "`{text}` needs exactly one `{{}}` or `{{:04}}` for the number, such as `T-{{:04}}`"
            )
        };
        let (prefix, rest) = text.split_once('{').ok_or_else(not_one)?;
        let (field, suffix) = rest.split_once('}').ok_or_else(not_one)?;
        if [prefix, suffix].iter().any(|part| part.contains(['{', '}'])) {
            return Err(not_one());
        }
        let width = match field.strip_prefix(":0") {
            None if field.is_empty() => 1,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().ok().filter(|width| *width > 0).ok_or_else(not_one)?
            }
            _ => return Err(not_one()),
        };
        let is_id_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if let Some(bad) = prefix.chars().chain(suffix.chars()).find(|c| !is_id_char(*c)) {
            return Err(format!(
                "`{text}` has `{bad}`, but ids are made of `A-Z`, `a-z`, `0-9`, `.`, `_` and `-`"
            ));
        }
        if prefix.starts_with(['.', '_', '-']) {
            return Err(format!("`{text}` must begin with a letter or a digit"));
        }
        if prefix.len().saturating_add(width).saturating_add(suffix.len()) > LONGEST {
            return Err(format!("`{text}` gives ids longer than {LONGEST} characters"));
        }
        Ok(Self { prefix: prefix.to_owned(), width, suffix: suffix.to_owned() })
    }

    /// The id with this number.
    pub fn format(&self, number: u64) -> String {
        let Self { prefix, width, suffix } = self;
        format!("{prefix}{number:0width$}{suffix}")
    }

    /// The number of an id of this format, whatever its width; `None` for others.
    pub fn number(&self, id: &str) -> Option<u64> {
        let digits = id.strip_prefix(&self.prefix)?.strip_suffix(&self.suffix)?;
        let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if all_digits { digits.parse().ok() } else { None }
    }

    /// The format of an existing id: what stands before its last digits, and
    /// their width. `None` where it has no digits.
    pub fn of(id: &str) -> Option<Self> {
        let end = id.rfind(|c: char| c.is_ascii_digit())? + 1;
        let start = id[..end]
            .rfind(|c: char| !c.is_ascii_digit())
            .map_or(0, |at| at + id[at..].chars().next().map_or(0, char::len_utf8));
        Some(Self { prefix: id[..start].to_owned(), width: end - start, suffix: String::new() })
    }

    /// The digits that an id would have in this format; a tail behind them is
    /// ignored (`006-P∞` counts as 6 of the format without prefix).
    fn digits_in<'i>(&self, id: &'i str) -> Option<&'i str> {
        let rest = id.strip_prefix(self.prefix.as_str())?;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        (end > 0).then(|| rest[..end].trim_start_matches('0'))
    }

    /// The first id of this format above all that were ever given. Numbers are
    /// counted as decimal text: an id may be longer than any integer.
    pub fn next<'a>(&self, given: impl IntoIterator<Item = &'a str>) -> String {
        let top = given
            .into_iter()
            .filter_map(|id| self.digits_in(id))
            .max_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)))
            .unwrap_or("");
        let mut digits: Vec<u8> = top.bytes().collect();
        let carry = digits.iter_mut().rev().all(|digit| {
            *digit = if *digit == b'9' { b'0' } else { *digit + 1 };
            *digit == b'0'
        });
        let mut number: String = digits.into_iter().map(char::from).collect();
        if carry {
            number.insert(0, '1');
        }
        format!("{}{number:0>width$}{}", self.prefix, self.suffix, width = self.width)
    }
}

impl fmt::Display for IdFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.width {
            1 => write!(f, "{}{{}}{}", self.prefix, self.suffix),
            width => write!(f, "{}{{:0{width}}}{}", self.prefix, self.suffix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_reads_numbers() {
        for (text, number, id) in [
            ("T-{:04}", 7, "T-0007"),
            ("A{:03}", 1234, "A1234"),
            ("X{}", 9, "X9"),
            ("{:03}", 22, "022"),
            ("v{:02}-b", 3, "v03-b"),
            ("{}", u64::MAX, "18446744073709551615"),
        ] {
            let format = IdFormat::parse(text).unwrap();
            assert_eq!(format.format(number), id);
            assert_eq!(format.number(id), Some(number));
            assert_eq!(format.to_string(), text);
        }
    }

    #[test]
    fn knows_ids_of_other_formats() {
        let format = IdFormat::parse("T-{:04}").unwrap();
        for id in ["T-", "T", "U-0001", "T-00x1", "T-99999999999999999999999", "T-+1", "T-1-b"] {
            assert_eq!(format.number(id), None, "{id}");
        }
        assert_eq!(format.number("T-12345"), Some(12_345));
    }

    #[test]
    fn refuses_what_is_no_format() {
        for text in [
            "",
            "T-",
            "T-{",
            "T-}",
            "{}{}",
            "{:04}{:04}",
            "{{}}",
            "T-{:4}",
            "T-{:00}",
            "T-{:0}",
            "T-{:0x}",
            "T-{n}",
            "T-}{",
            "-{}",
            "._{}",
            "a b{}",
            "タ{}",
            "{:099}",
            "{:0+4}",
            "{:099999999999999999999}",
        ] {
            assert!(IdFormat::parse(text).is_err(), "{text}");
        }
    }

    fn next(last: &str, given: &[&str]) -> String {
        IdFormat::of(last).unwrap().next(given.iter().copied())
    }

    #[test]
    fn the_next_id_continues_the_pattern() {
        assert_eq!(next("022", &["001", "022"]), "023");
        assert_eq!(next("T-104", &["T-104", "T-9"]), "T-105");
        assert_eq!(next("A018", &["A001", "A018"]), "A019");
        assert_eq!(next("999", &["999"]), "1000");
        assert_eq!(next("18446744073709551615", &["18446744073709551615"]), "18446744073709551616");
        assert_eq!(
            next("00999999999999999999999", &["00999999999999999999999"]),
            "01000000000000000000000"
        );
        assert_eq!(next("006-P∞", &["004-P3", "006-P∞"]), "007");
        assert_eq!(next("タスク9", &["タスク9"]), "タスク10");
        assert_eq!(IdFormat::of("alpha"), None);
    }

    #[test]
    fn an_archived_number_is_not_given_again() {
        assert_eq!(next("T-2", &["T-2", "T-7"]), "T-8");
    }

    #[test]
    fn new_ids_are_plain() {
        for good in ["1", "T-1", "a.b_c-d", "001"] {
            assert!(is_new_id(good), "{good}");
        }
        for bad in ["", "-rf", ".x", "a b", "a/b", "タスク", "a|b", "a\n"] {
            assert!(!is_new_id(bad), "{bad}");
        }
        assert!(!is_new_id(&"x".repeat(65)));
    }
}
