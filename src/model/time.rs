//! Instants and due dates as the ledger spells them.
//!
//! Here: `YYYY-MM-DDTHH:MM:SSZ` (RFC 3339, UTC, whole seconds) and plain dates.
//! Not here: the present (`sys::Clock`) and time zones (`services::config`).

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, Timelike, Utc};
use std::fmt;
use std::time::Duration;

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Reads `YYYY-MM-DDTHH:MM:SSZ`; nothing else is a time in a ledger.
    pub fn parse(text: &str) -> Option<Self> {
        let b = text.as_bytes();
        if b.len() != 20
            || b[4] != b'-'
            || b[7] != b'-'
            || b[10] != b'T'
            || b[13] != b':'
            || b[16] != b':'
            || b[19] != b'Z'
        {
            return None;
        }
        let n = |range: std::ops::Range<usize>| digits(&b[range]);
        let date = NaiveDate::from_ymd_opt(i32::try_from(n(0..4)?).ok()?, n(5..7)?, n(8..10)?)?;
        let time = date.and_hms_opt(n(11..13)?, n(14..16)?, n(17..19)?)?;
        Some(Self(time.and_utc().timestamp_millis()))
    }

    /// This instant cut to whole seconds, as the ledger can hold it.
    #[must_use]
    pub const fn whole_seconds(self) -> Self {
        Self(self.0 - self.0.rem_euclid(1000))
    }

    /// This instant rounded up to whole seconds: a lease never ends early.
    #[must_use]
    pub const fn ceil_seconds(self) -> Self {
        Self(self.0 + (1000 - self.0.rem_euclid(1000)) % 1000)
    }

    /// Later by `duration`; saturates.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Milliseconds from `earlier` to here; negative where it is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// With milliseconds, as the journal writes it: `2026-01-01T09:00:00.000Z`.
    pub fn to_millis_string(self) -> String {
        self.utc().to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// Reads the journal's spelling, with or without milliseconds.
    pub fn parse_millis(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|t| Self(t.timestamp_millis()))
    }

    /// The `YYYY-MM` that names the month's folder, in UTC.
    pub fn month(self) -> String {
        let t = self.utc();
        format!("{:04}-{:02}", t.year(), t.month())
    }

    /// The date in UTC.
    pub fn date(self) -> NaiveDate {
        self.utc().date_naive()
    }

    fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or(DateTime::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = self.utc();
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            t.year(),
            t.month(),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        )
    }
}

/// When a task is due: an instant, or the end of a day in the ledger's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// `YYYY-MM-DD`: the end of that day.
    Date(NaiveDate),
    /// `YYYY-MM-DDTHH:MM:SSZ`.
    Instant(Timestamp),
}

impl Due {
    /// Reads either spelling.
    pub fn parse(text: &str) -> Option<Self> {
        parse_date(text).map(Self::Date).or_else(|| Timestamp::parse(text).map(Self::Instant))
    }

    /// The first instant at which the task is overdue.
    pub fn deadline(self, end_of_day: impl Fn(NaiveDate) -> Timestamp) -> Timestamp {
        match self {
            Self::Date(date) => end_of_day(date),
            Self::Instant(at) => at,
        }
    }

    /// The calendar year, in UTC for instants.
    pub fn year(self) -> i32 {
        match self {
            Self::Date(date) => date.year(),
            Self::Instant(at) => at.date().year(),
        }
    }

    /// The calendar date, in UTC for instants.
    pub fn date(self) -> NaiveDate {
        match self {
            Self::Date(date) => date,
            Self::Instant(at) => at.date(),
        }
    }
}

/// Reads `YYYY-MM-DD`.
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    let b = text.as_bytes();
    if b.len() != 10 || b[4] != b'-' || b[7] != b'-' {
        return None;
    }
    NaiveDate::from_ymd_opt(
        i32::try_from(digits(&b[0..4])?).ok()?,
        digits(&b[5..7])?,
        digits(&b[8..10])?,
    )
}

fn digits(b: &[u8]) -> Option<u32> {
    b.iter().try_fold(0u32, |n, c| c.is_ascii_digit().then(|| n * 10 + u32::from(c - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_prints_as_it_was_read() {
        for text in ["1970-01-01T00:00:00Z", "2026-11-21T10:00:59Z", "2099-12-31T23:59:59Z"] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_spellings_are_not_times() {
        for text in [
            "",
            "-",
            "2026-11-21",
            "2026-11-21T10:00:59",
            "2026-11-21T10:00:59+09:00",
            "2026-13-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21t10:00:59z",
            "20２6-11-21T10:00:5Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn seconds_round_outward() {
        assert_eq!(Timestamp(1001).whole_seconds(), Timestamp(1000));
        assert_eq!(Timestamp(1001).ceil_seconds(), Timestamp(2000));
        assert_eq!(Timestamp(2000).ceil_seconds(), Timestamp(2000));
        assert_eq!(Timestamp(-1).whole_seconds(), Timestamp(-1000));
    }

    #[test]
    fn due_is_a_date_or_an_instant() {
        let day = Due::parse("2026-03-01").unwrap();
        assert_eq!(day.deadline(|_| Timestamp(7)), Timestamp(7));
        let at = Due::parse("2026-03-01T12:00:00Z").unwrap();
        assert_eq!(
            at.deadline(|_| Timestamp(7)),
            Timestamp::parse("2026-03-01T12:00:00Z").unwrap()
        );
        assert_eq!(Due::parse("soon"), None);
    }
}
