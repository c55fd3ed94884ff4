//! The time zone in which a `due` date ends.
//!
//! Not here: what time it is (`sys::Clock`). Invariant: for every date,
//! `date_of_ms(end_of_day_ms(date) - 1)` is that date, unless the zone left the
//! date out altogether.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime};
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone};

const HOUR_MS: i64 = 3_600_000;
/// 9998-01-01 and its mirror: beyond four-digit years nothing is written, and
/// within them no offset can leave chrono's range.
const FARTHEST_MS: i64 = 253_339_228_800_000;

/// The machine's zone, or one from the tz database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Zone {
    /// What the machine is set to.
    Local,
    /// A zone of the tz database, such as `Asia/Tokyo`.
    Named(TimeZone),
}

/// When clocks show a local time: once, twice, or never.
enum Instants {
    One(i64),
    Two(i64, i64),
    None,
}

impl Zone {
    /// Reads a zone name; the database's own spelling counts.
    ///
    /// # Errors
    /// A sentence for people that names the nearest zone.
    pub fn parse(name: &str) -> Result<Self, String> {
        if let Ok(zone) = TimeZone::get(name) {
            return Ok(Self::Named(zone));
        }
        let all: Vec<String> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
        let known = all.iter().map(String::as_str);
        let nearest = super::keys::closest(name, known, 0.85)
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        Err(format!("unknown time zone `{name}`{nearest}"))
    }

    /// The instant at which the next day begins here, in ms since 1970 UTC.
    ///
    /// Where midnight does not exist it is the first instant after the date;
    /// where the clock falls back over midnight it is the one after which the
    /// date does not come back.
    pub fn end_of_day_ms(&self, date: NaiveDate) -> i64 {
        let next = date.succ_opt().unwrap_or(date);
        let midnight = next.and_time(NaiveTime::MIN);
        match self.instants_ms(midnight) {
            Instants::One(ms) => ms,
            // Clocks that go from 01:00 back to 00:00 pass midnight twice within
            // the new day; clocks that go from 00:01 back to 23:01 return to the
            // old one in between.
            Instants::Two(first, second) => {
                if self.date_of_ms(second - 1) == date {
                    second
                } else {
                    first
                }
            }
            Instants::None => self.first_after(date, midnight),
        }
    }

    /// The date here at an instant in ms since 1970 UTC.
    pub fn date_of_ms(&self, ms: i64) -> NaiveDate {
        let ms = ms.clamp(-FARTHEST_MS, FARTHEST_MS);
        let here = Timestamp::from_millisecond(ms).unwrap_or_default().to_zoned(self.tz());
        let date = here.date();
        let (month, day) = (date.month().cast_unsigned(), date.day().cast_unsigned());
        NaiveDate::from_ymd_opt(date.year().into(), month.into(), day.into()).unwrap_or_default()
    }

    fn tz(&self) -> TimeZone {
        match self {
            Self::Local => TimeZone::system(),
            Self::Named(zone) => zone.clone(),
        }
    }

    /// The instants at which clocks here show a local time, on a whole minute.
    fn instants_ms(&self, local: NaiveDateTime) -> Instants {
        let date = local.date();
        let part = |n: u32| i8::try_from(n).unwrap_or(1);
        let year = i16::try_from(date.year()).unwrap_or(civil::Date::MAX.year());
        let Ok(day) = civil::Date::new(year, part(date.month()), part(date.day())) else {
            return Instants::One(local.and_utc().timestamp_millis());
        };
        let time = day.at(0, 0, 0, 0);
        let at = |offset: jiff::tz::Offset| {
            offset.to_timestamp(time).map_or(FARTHEST_MS, Timestamp::as_millisecond)
        };
        match self.tz().to_ambiguous_timestamp(time).offset() {
            AmbiguousOffset::Unambiguous { offset } => Instants::One(at(offset)),
            AmbiguousOffset::Fold { before, after } => Instants::Two(at(before), at(after)),
            AmbiguousOffset::Gap { .. } => Instants::None,
        }
    }

    /// The first instant with a later date, by halving. Offsets lie between -12
    /// and +14 hours and the longest gap known is a day (Samoa, 2011-12-30), so
    /// the instant lies within the bounds.
    fn first_after(&self, date: NaiveDate, midnight: NaiveDateTime) -> i64 {
        let as_utc = midnight.and_utc().timestamp_millis();
        let (mut before, mut after) = (as_utc - 24 * HOUR_MS, as_utc + 48 * HOUR_MS);
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            if self.date_of_ms(middle) > date {
                after = middle;
            } else {
                before = middle;
            }
        }
        after
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(zone: &str, date: &str) -> String {
        let zone = Zone::parse(zone).unwrap();
        let date: NaiveDate = date.parse().unwrap();
        let ms = zone.end_of_day_ms(date);
        assert!(zone.date_of_ms(ms) > date);
        assert!(zone.date_of_ms(ms - 1) <= date);
        crate::model::time::Timestamp(ms).to_string()
    }

    #[test]
    fn plain_days() {
        assert_eq!(end("Asia/Tokyo", "2026-03-31"), "2026-03-31T15:00:00Z");
        assert_eq!(end("UTC", "2026-12-31"), "2027-01-01T00:00:00Z");
        assert_eq!(end("Europe/Berlin", "2026-01-15"), "2026-01-15T23:00:00Z");
        assert_eq!(end("Europe/Berlin", "2026-07-15"), "2026-07-15T22:00:00Z");
    }

    #[test]
    fn days_of_another_length() {
        assert_eq!(end("Europe/Berlin", "2026-03-28"), "2026-03-28T23:00:00Z");
        assert_eq!(end("Europe/Berlin", "2026-03-29"), "2026-03-29T22:00:00Z");
        assert_eq!(end("Europe/Berlin", "2026-10-25"), "2026-10-25T23:00:00Z");
    }

    #[test]
    fn a_midnight_that_does_not_exist() {
        assert_eq!(end("America/Sao_Paulo", "2018-11-03"), "2018-11-04T03:00:00Z");
        // 23:30 became 00:30: the new day begins at half past.
        assert_eq!(end("America/Toronto", "1919-03-30"), "1919-03-31T04:30:00Z");
        // A date that the zone left out.
        assert_eq!(end("Pacific/Apia", "2011-12-29"), "2011-12-30T10:00:00Z");
        assert_eq!(end("Pacific/Apia", "2011-12-30"), "2011-12-30T10:00:00Z");
    }

    #[test]
    fn a_midnight_that_comes_twice() {
        // 00:00 went back to 23:00: the date ends at the second midnight.
        assert_eq!(end("America/Sao_Paulo", "2018-02-17"), "2018-02-18T03:00:00Z");
        // 00:01 went back to 23:01.
        assert_eq!(end("America/St_Johns", "2009-10-31"), "2009-11-01T03:30:00Z");
        // 01:00 went back to 00:00: the new day began at the first.
        assert_eq!(end("America/Havana", "2026-10-31"), "2026-11-01T04:00:00Z");
    }

    #[test]
    fn dates_of_instants() {
        let tokyo = Zone::parse("Asia/Tokyo").unwrap();
        assert_eq!(tokyo.date_of_ms(0).to_string(), "1970-01-01");
        assert_eq!(tokyo.date_of_ms(15 * HOUR_MS).to_string(), "1970-01-02");
        assert_eq!(tokyo.date_of_ms(-10 * HOUR_MS).to_string(), "1969-12-31");
        for ms in [i64::MIN, i64::MAX] {
            let _ = tokyo.date_of_ms(ms);
            let _ = Zone::Local.date_of_ms(ms);
        }
    }

    #[test]
    fn the_ends_of_the_calendar_do_not_panic() {
        for zone in [
            Zone::Local,
            Zone::parse("Asia/Tokyo").unwrap(),
            Zone::parse("America/Sao_Paulo").unwrap(),
        ] {
            for date in [NaiveDate::MIN, NaiveDate::MAX] {
                let _ = zone.end_of_day_ms(date);
            }
        }
    }

    #[test]
    fn an_unknown_zone_names_the_nearest() {
        assert_eq!(
            Zone::parse("Asia/Tokio").unwrap_err(),
            "unknown time zone `Asia/Tokio`; did you mean `Asia/Tokyo`?"
        );
        assert_eq!(Zone::parse("here").unwrap_err(), "unknown time zone `here`");
    }
}
