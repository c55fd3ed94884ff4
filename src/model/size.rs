//! Sizes in bytes as people write them: `8MiB`, `512KiB`, or a plain number.
//!
//! Not here: durations (`duration`). Invariant: what `format` prints, `parse`
//! reads back as the same number of bytes.

use crate::error::{Error, Result};

/// The units, largest first. Powers of two only: `MB` means two things.
const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1)];

/// Reads a whole number of bytes, or one with `KiB`, `MiB` or `GiB`.
///
/// # Errors
/// `Usage`, naming the units, for everything else and for a size beyond 2^63.
pub fn parse(text: &str) -> Result<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let Some(&(_, unit_bytes)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(not_a_size(text));
    };
    if digits.is_empty() {
        return Err(not_a_size(text));
    }
    // File offsets are signed 64-bit numbers, so nothing larger can be meant.
    digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit_bytes))
        .filter(|bytes| i64::try_from(*bytes).is_ok())
        .ok_or_else(|| Error::usage(format!("`{text}` is too large for a size in bytes")))
}

/// Prints the shortest form that says exactly this, `8MiB` or `1000`.
pub fn format(bytes: u64) -> String {
    let (unit, unit_bytes) = UNITS
        .into_iter()
        .find(|(_, unit_bytes)| bytes >= *unit_bytes && bytes.is_multiple_of(*unit_bytes))
        .unwrap_or(("", 1));
    format!("{}{unit}", bytes / unit_bytes)
}

fn not_a_size(text: &str) -> Error {
    Error::usage(format!(
        "`{text}` is not a size: write whole bytes, or one whole number and one of `KiB`, `MiB`, `GiB`, such as `8MiB`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn reads_and_prints() {
        for (text, bytes, printed) in [
            ("8MiB", 8 << 20, "8MiB"),
            ("512KiB", 512 << 10, "512KiB"),
            ("1GiB", 1 << 30, "1GiB"),
            ("1024MiB", 1 << 30, "1GiB"),
            ("1500", 1500, "1500"),
            ("2048", 2048, "2KiB"),
            ("0", 0, "0"),
            ("0GiB", 0, "0"),
        ] {
            assert_eq!(parse(text).unwrap(), bytes, "{text}");
            assert_eq!(format(bytes), printed, "{text}");
            assert_eq!(parse(printed).unwrap(), bytes, "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in ["", "MiB", "8MB", "8mib", "8 MiB", "-1", "1.5GiB", "99999999999GiB"] {
            assert_eq!(parse(text).unwrap_err().kind, ErrorKind::Usage, "{text}");
        }
    }
}
