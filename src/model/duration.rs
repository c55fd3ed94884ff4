//! Durations as people write them: one whole number and one unit, `30m`.
//!
//! Not here: points in time, and sizes in bytes (`size`). Invariant: what
//! `format` prints, `parse` reads back as the same duration.

use std::time::Duration;

use crate::error::{Error, Result};

/// The units with their length in milliseconds, longest first.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A hundred years. A longer wait is a typing error, and below this bound
/// "now plus a duration" stays within years of four digits.
const LONGEST_MS: u64 = 36_500 * 86_400_000;

/// Reads `500ms`, `30s`, `10m`, `2h` or `7d`; at most `36500d`.
///
/// # Errors
/// `Usage`, naming the units, for everything else: no unit, a sign, a fraction,
/// a blank, a duration that is too long.
pub fn parse(text: &str) -> Result<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let Some(&(_, unit_ms)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(not_a_duration(text));
    };
    if digits.is_empty() {
        return Err(not_a_duration(text));
    }
    // Only digits are left, so a failure to parse is a number beyond `u64`.
    digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit_ms))
        .filter(|ms| *ms <= LONGEST_MS)
        .map(Duration::from_millis)
        .ok_or_else(|| Error::usage(format!("`{text}` is too long, the longest is `36500d`")))
}

/// Prints the shortest form that says exactly this, `90s` or `2h`; zero is `0s`.
///
/// The finest unit is the millisecond; what is below it is left out.
pub fn format(duration: Duration) -> String {
    let ms = duration.as_millis();
    if ms == 0 {
        return "0s".to_owned();
    }
    let (unit, unit_ms) = UNITS
        .into_iter()
        .find(|(_, unit_ms)| ms.is_multiple_of(u128::from(*unit_ms)))
        .unwrap_or(("ms", 1));
    format!("{}{unit}", ms / u128::from(unit_ms))
}

fn not_a_duration(text: &str) -> Error {
    Error::usage(format!(
        "`{text}` is not a duration: write one whole number and one of `ms`, `s`, `m`, `h`, `d`, such as `30m`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn reads_every_unit() {
        for (text, ms) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("10m", 600_000),
            ("2h", 7_200_000),
            ("7d", 604_800_000),
            ("0s", 0),
            ("007m", 420_000),
            ("36500d", LONGEST_MS),
        ] {
            assert_eq!(parse(text).unwrap(), Duration::from_millis(ms), "{text}");
        }
    }

    #[test]
    fn prints_the_shortest_exact_form() {
        for (text, printed) in [
            ("1000ms", "1s"),
            ("1500ms", "1500ms"),
            ("60s", "1m"),
            ("90s", "90s"),
            ("24h", "1d"),
            ("36h", "36h"),
            ("0ms", "0s"),
            ("0d", "0s"),
        ] {
            let duration = parse(text).unwrap();
            assert_eq!(format(duration), printed, "{text}");
            assert_eq!(parse(printed).unwrap(), duration, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_duration_and_names_the_units() {
        for text in
            ["", "30", "m", "-5m", "+5m", "1.5h", "5 m", " 5m", "5M", "5min", "1h30m", "５m", "5w"]
        {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Usage, "{text}");
            assert!(error.message.contains("`ms`, `s`, `m`, `h`, `d`"), "{}", error.message);
        }
    }

    #[test]
    fn overflow_is_an_error_not_a_wrap() {
        for text in ["36501d", "18446744073709551615d", "99999999999999999999999ms"] {
            let error = parse(text).unwrap_err();
            assert!(error.message.contains("too long"), "{}", error.message);
        }
    }
}
