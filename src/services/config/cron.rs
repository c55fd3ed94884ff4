//! Cron lines: when they are due, in a zone whose clocks jump.
//!
//! The fields are croner's: `*`, lists, ranges, steps, names, `L`, `W`, `#`, and
//! names such as `@daily`. It is asked about calendars only; what clocks do is
//! done here. Not here: what is run, and what of it was run already (`watch`,
//! `store::schedules`). Invariant: a line that was read is due some day, and
//! `newest` and `next_after` speak of the same instants.
//!
//! # Clocks that jump
//! A line whose minutes and hours are plain numbers, lists or ranges names times
//! of day (`30 2 * * *`). Each is due once, when clocks first show it or, where
//! they jump over it, at the first instant after the jump; several in one jump
//! are due there together, once. When clocks go back nothing is due again.
//!
//! A line with `*` or a step in its minutes or hours follows the clock
//! (`*/10 * * * *`, `0 */2 * * *`): it is due whenever clocks show such a time.
//! What they jump over is left out, what they show twice is due twice, so that
//! every ten minutes stays every ten minutes.
//!
//! ```text
//!  Europe/Berlin          02:00 is 03:00 in March   03:00 is 02:00 in October
//!  30 2 * * *             03:00                     02:30 summer time
//!  0,30 1-3 * * *         1:00 1:30 3:00 3:30       1:00 … 2:30 once, 3:00 3:30
//!  */30 * * * *           1:00 1:30 3:00 3:30       1:00 … 2:30, 2:00 2:30, 3:00
//!  */30 2 * * *           not that day              2:00 2:30 2:00 2:30
//! ```

use std::fmt;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use croner::parser::{CronParser, Year};

use super::zone::{Stretch, Zone};
use crate::model::time::Timestamp;

/// A cron line.
#[derive(Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    calendar: croner::Cron,
    follows_the_clock: bool,
}

impl Cron {
    /// Reads five fields (minute, hour, day, month, weekday), six with seconds
    /// first, or a name such as `@daily`.
    ///
    /// # Errors
    /// A sentence for people; also for a line that is never due, as on
    /// 30 February.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let fields: Vec<&str> = text.split_whitespace().collect();
        let offset = match fields.len() {
            1 if text.starts_with('@') => return Self::named(text),
            5 => 1,
            6 => 0,
            count => {
                return Err(format!(
                    "`{text}` has {count} cron fields: write 5 (minute, hour, day, month, weekday), or 6 with seconds first"
                ));
            }
        };
        let parts = || FIELDS[offset..].iter().zip(&fields);
        let culprit = |(field, part): (&Field, &&str)| {
            let (name, range) = (field.name, field.range);
            format!("`{part}` is no {name} in `{text}`: write {range}, or `*`")
        };
        if let Some(found) = parts().find(|(field, part)| !field.has_its_words(part)) {
            return Err(culprit(found));
        }
        Self::of_fields(text, text).map_err(|why| {
            let found = parts().find(|(field, part)| !field.can_be(part));
            found.map_or(why, culprit)
        })
    }

    fn named(text: &str) -> Result<Self, String> {
        let known = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        if let Some((_, fields)) = known {
            return Self::of_fields(text, fields);
        }
        let names = NAMES.map(|(name, _)| name);
        let nearest = super::keys::closest(text, names.into_iter(), 0.8)
            .map(|near| format!("; did you mean `{near}`?"))
            .unwrap_or_default();
        Err(format!("`{text}` is no name of a schedule{nearest}"))
    }

    fn of_fields(text: &str, fields: &str) -> Result<Self, String> {
        let calendar = parser().parse(fields).map_err(|error| {
            let why = error.to_string();
            format!("`{text}` is no cron line: {}", why.trim_end_matches('.'))
        })?;
        let words: Vec<&str> = fields.split_whitespace().collect();
        let first = words.len().saturating_sub(5);
        let follows_the_clock =
            words.iter().skip(first).take(2).any(|field| field.contains(['*', '/']));
        let cron = Self { text: text.to_owned(), calendar, follows_the_clock };
        // Dates and weekdays repeat after 400 years.
        if cron.in_calendar(beginning(), true).is_none() {
            return Err(format!("`{text}` is never due: there is no such day"));
        }
        Ok(cron)
    }

    /// The line as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first due time after an instant; none within the next millennia.
    pub fn next_after(&self, zone: &Zone, after: Timestamp) -> Option<Timestamp> {
        let after = after.whole_seconds();
        if !self.follows_the_clock {
            let due = self.in_calendar(zone.latest_shown(after.0), false)?;
            return Some(Timestamp(zone.first_showing_ms(due)));
        }
        let mut from = after.0.checked_add(1_000)?;
        loop {
            let stretch = zone.stretch(from);
            let due = stretch.showing(self.in_calendar(stretch.shown(from), true)?);
            match stretch.until {
                // Before that the clock jumps.
                Some(until) if due >= until => from = until,
                _ => return Some(Timestamp(due)),
            }
        }
    }

    /// The last due time up to an instant, itself included; none since the year
    /// 1970.
    pub fn newest(&self, zone: &Zone, at: Timestamp) -> Option<Timestamp> {
        let at = at.whole_seconds();
        if !self.follows_the_clock {
            let due = self.back_in_calendar(zone.latest_shown(at.0))?;
            return Some(Timestamp(zone.first_showing_ms(due)));
        }
        let mut from = at.0;
        loop {
            let stretch: Stretch = zone.stretch(from);
            let due = stretch.showing(self.back_in_calendar(stretch.shown(from))?);
            match stretch.from {
                Some(beginning) if due < beginning => from = beginning - 1_000,
                _ => return Some(Timestamp(due)),
            }
        }
    }

    fn in_calendar(&self, from: NaiveDateTime, inclusive: bool) -> Option<NaiveDateTime> {
        self.calendar.find_next_occurrence(&from, inclusive).ok()
    }

    fn back_in_calendar(&self, from: NaiveDateTime) -> Option<NaiveDateTime> {
        let found = self.calendar.find_previous_occurrence(&from, true).ok();
        found.filter(|found| *found >= beginning())
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cron").field(&self.text).finish()
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn parser() -> CronParser {
    CronParser::builder().year(Year::Disallowed).build()
}

fn beginning() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(1970, 1, 1).unwrap_or_default().and_time(NaiveTime::MIN)
}

const NAMES: [(&str, &str); 6] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@weekly", "0 0 * * SUN"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

const MONTHS: &[&str] =
    &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// One field of a line. The reader takes a month's name for a number wherever
/// it stands, so names are looked at here.
struct Field {
    name: &'static str,
    range: &'static str,
    words: &'static [&'static str],
    letters: &'static [&'static str],
    /// Its place among six.
    place: usize,
}

const FIELDS: [Field; 6] = [
    Field { name: "second", range: "0 to 59", words: &[], letters: &[], place: 0 },
    Field { name: "minute", range: "0 to 59", words: &[], letters: &[], place: 1 },
    Field { name: "hour", range: "0 to 23", words: &[], letters: &[], place: 2 },
    Field { name: "day", range: "1 to 31", words: &[], letters: &["L", "W", "LW"], place: 3 },
    Field { name: "month", range: "1 to 12 or JAN to DEC", words: MONTHS, letters: &[], place: 4 },
    Field {
        name: "weekday",
        range: "0 to 7 or SUN to SAT",
        words: WEEKDAYS,
        letters: &["L"],
        place: 5,
    },
];

impl Field {
    /// Whether the words in it are its own, and no item of a list is missing.
    fn has_its_words(&self, part: &str) -> bool {
        let upper = part.to_uppercase();
        let is_word = |run: &str| {
            let name = run.strip_suffix('L').unwrap_or(run);
            run.is_empty()
                || self.letters.contains(&run)
                || self.words.contains(&run)
                || (self.letters.contains(&"L") && self.words.contains(&name))
        };
        upper.split(|c: char| !c.is_alphabetic()).all(is_word)
            && upper.split(',').all(|item| !item.is_empty())
    }

    /// Whether it can be read where the others can.
    fn can_be(&self, part: &str) -> bool {
        let mut fields = ["0", "0", "0", "*", "*", "*"];
        fields[self.place] = part;
        parser().parse(&fields.join(" ")).is_ok()
    }
}

#[cfg(test)]
#[path = "cron_tests.rs"]
mod tests;
