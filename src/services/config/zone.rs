//! The zone of this workspace: when a date ends here, and what clocks show.
//!
//! Not here: what time it is (`sys::Clock`), cron fields (`cron`). Invariant:
//! for every date, `date_of_ms(end_of_day_ms(date) - 1)` is that date, unless
//! the zone left the date out altogether; and `first_showing_ms` never falls
//! where its time rises.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

/// 9998-01-01 and its mirror: beyond four-digit years nothing is written, and
/// within them no offset can leave chrono's range.
const FARTHEST_MS: i64 = 253_339_228_800_000;

/// The machine's zone, or one from the tz database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Zone {
    /// What the machine is set to; UTC where that cannot be told.
    Local,
    /// A zone of the tz database, such as `Asia/Tokyo`.
    Named(TimeZone),
}

/// A stretch of time in which clocks here do not jump. In milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// How far clocks here are ahead of UTC.
    offset: i64,
    /// Its first instant, since 1970 UTC; none where it has no beginning.
    pub from: Option<i64>,
    /// The first instant after it; none where it has no end.
    pub until: Option<i64>,
}

impl Stretch {
    /// What clocks show at an instant of it.
    pub fn shown(&self, ms: i64) -> NaiveDateTime {
        let ms = ms.saturating_add(self.offset);
        DateTime::from_timestamp_millis(ms).unwrap_or_default().naive_utc()
    }

    /// The instant at which they would show a time, if it is in the stretch.
    pub fn showing(&self, local: NaiveDateTime) -> i64 {
        local.and_utc().timestamp_millis() - self.offset
    }
}

/// When clocks show a local time: once, twice, or never.
enum Instants {
    One(i64),
    Two(i64, i64),
    /// They jump over it, at this instant.
    Skipped(i64),
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
        match self.instants_ms(next.and_time(NaiveTime::MIN)) {
            Instants::One(ms) | Instants::Skipped(ms) => ms,
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
        }
    }

    /// The date here at an instant in ms since 1970 UTC.
    pub fn date_of_ms(&self, ms: i64) -> NaiveDate {
        let ms = ms.clamp(-FARTHEST_MS, FARTHEST_MS);
        let offset = offset_ms(&self.tz(), instant(ms));
        DateTime::from_timestamp_millis(ms + offset).unwrap_or_default().date_naive()
    }

    /// The first instant at which clocks here show a time, or, where they jump
    /// over it, a later one; in ms since 1970 UTC. Of the two instants of a time
    /// that comes twice it is the first.
    pub fn first_showing_ms(&self, local: NaiveDateTime) -> i64 {
        match self.instants_ms(local) {
            Instants::One(ms) | Instants::Two(ms, _) | Instants::Skipped(ms) => ms,
        }
    }

    /// The latest time that clocks here have shown up to an instant, to the
    /// second. It stands still while they show the same times again.
    pub fn latest_shown(&self, ms: i64) -> NaiveDateTime {
        let stretch = self.stretch(ms);
        let now = stretch.shown(ms.clamp(-FARTHEST_MS, FARTHEST_MS));
        let before = stretch.from.map_or(now, |from| {
            let last = from - 1_000;
            self.stretch(last).shown(last)
        });
        let latest = now.max(before);
        latest.with_nanosecond(0).unwrap_or(latest)
    }

    /// The stretch around an instant in ms since 1970 UTC.
    pub fn stretch(&self, ms: i64) -> Stretch {
        let tz = self.tz();
        let at = instant(ms);
        let offset = offset_ms(&tz, at);
        // `preceding` looks before its instant, and one on it is the beginning.
        let after = at.checked_add(jiff::SignedDuration::from_nanos(1)).unwrap_or(at);
        let ms =
            |transition: jiff::tz::TimeZoneTransition<'_>| transition.timestamp().as_millisecond();
        Stretch {
            offset,
            from: tz.preceding(after).next().map(ms).filter(|ms| *ms > -FARTHEST_MS),
            until: tz.following(at).next().map(ms).filter(|ms| *ms < FARTHEST_MS),
        }
    }

    fn tz(&self) -> TimeZone {
        match self {
            Self::Local => TimeZone::system(),
            Self::Named(zone) => zone.clone(),
        }
    }

    /// The instants at which clocks here show a local time, on a whole second.
    fn instants_ms(&self, local: NaiveDateTime) -> Instants {
        let (date, time) = (local.date(), local.time());
        let part = |n: u32| i8::try_from(n).unwrap_or(1);
        let year = i16::try_from(date.year()).unwrap_or(civil::Date::MAX.year());
        let Ok(day) = civil::Date::new(year, part(date.month()), part(date.day())) else {
            return Instants::One(local.and_utc().timestamp_millis());
        };
        let local = day.at(part(time.hour()), part(time.minute()), part(time.second()), 0);
        let at = |offset: Offset| {
            offset.to_timestamp(local).map_or(FARTHEST_MS, Timestamp::as_millisecond)
        };
        let tz = self.tz();
        match tz.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => Instants::One(at(offset)),
            AmbiguousOffset::Fold { before, after } => Instants::Two(at(before), at(after)),
            AmbiguousOffset::Gap { before, after } => {
                // Read by the new offset it lies before the jump, by the old one
                // behind it.
                let jump = tz.following(instant(at(after))).next();
                Instants::Skipped(jump.map_or(at(before), |t| t.timestamp().as_millisecond()))
            }
        }
    }
}

fn instant(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms.clamp(-FARTHEST_MS, FARTHEST_MS)).unwrap_or_default()
}

fn offset_ms(tz: &TimeZone, at: Timestamp) -> i64 {
    i64::from(tz.to_offset(at).seconds()) * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;

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

    /// What clocks show an instant before and at a jump, and when that is.
    #[track_caller]
    fn jump(zone: &str, after: &str, shows: [&str; 2], at: &str) {
        let zone = Zone::parse(zone).unwrap();
        let ms = |text: &str| crate::model::time::Timestamp::parse(text).unwrap().0;
        let stretch = zone.stretch(ms(after));
        let until = stretch.until.unwrap();
        assert_eq!(crate::model::time::Timestamp(until).to_string(), at);
        let next = zone.stretch(until);
        assert_eq!(next.from, Some(until));
        let shown = [stretch.shown(until - 1000), next.shown(until)].map(|t| t.to_string());
        assert_eq!(shown, shows);
        assert_eq!(stretch.showing(stretch.shown(until - 1000)), until - 1000);
        // Whatever is jumped over is first shown, or passed, at the jump.
        let [before, behind] = [stretch.shown(until), next.shown(until)];
        if before < behind {
            for part in [0, 1, 2] {
                let skipped = before + (behind - before) * part / 2;
                assert_eq!(zone.first_showing_ms(skipped), until, "{skipped}");
            }
        } else {
            assert_eq!(zone.first_showing_ms(behind), until - (before - behind).num_milliseconds());
            assert_eq!(zone.latest_shown(until + 1), before - chrono::TimeDelta::seconds(1));
            assert_eq!(zone.first_showing_ms(before), until + (before - behind).num_milliseconds());
        }
    }

    #[test]
    fn jumps_of_the_clock() {
        jump(
            "Europe/Berlin",
            "2026-02-01T00:00:00Z",
            ["2026-03-29 01:59:59", "2026-03-29 03:00:00"],
            "2026-03-29T01:00:00Z",
        );
        jump(
            "Europe/Berlin",
            "2026-06-01T00:00:00Z",
            ["2026-10-25 02:59:59", "2026-10-25 02:00:00"],
            "2026-10-25T01:00:00Z",
        );
        jump(
            "Australia/Lord_Howe",
            "2026-08-01T00:00:00Z",
            ["2026-10-04 01:59:59", "2026-10-04 02:30:00"],
            "2026-10-03T15:30:00Z",
        );
        // Beyond what the database has written out.
        jump(
            "America/New_York",
            "2060-06-01T00:00:00Z",
            ["2060-11-07 01:59:59", "2060-11-07 01:00:00"],
            "2060-11-07T06:00:00Z",
        );
        jump(
            "Pacific/Apia",
            "2011-12-01T00:00:00Z",
            ["2011-12-29 23:59:59", "2011-12-31 00:00:00"],
            "2011-12-30T10:00:00Z",
        );
    }

    #[test]
    fn where_clocks_never_jump() {
        let utc = Zone::parse("UTC").unwrap();
        assert_eq!(utc.stretch(5), Stretch { offset: 0, from: None, until: None });
        let noon = NaiveDate::from_ymd_opt(2026, 3, 29).unwrap().and_hms_opt(12, 0, 7).unwrap();
        assert_eq!(utc.first_showing_ms(noon), noon.and_utc().timestamp_millis());
        let tokyo = Zone::parse("Asia/Tokyo").unwrap();
        let ms = tokyo.first_showing_ms(noon);
        assert_eq!((tokyo.stretch(ms).until, tokyo.latest_shown(ms + 999)), (None, noon));
        for zone in [&utc, &tokyo, &Zone::Local] {
            for ms in [i64::MIN, i64::MAX] {
                zone.latest_shown(ms);
            }
            for date in [NaiveDate::MIN, NaiveDate::MAX] {
                zone.first_showing_ms(date.and_time(NaiveTime::MIN));
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
