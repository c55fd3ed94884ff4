//! Commands at set times: which of a schedule's due times has come.
//!
//! Pure. Not here: when a line is due (`services::config::cron`), who of several
//! watchers takes a due time (`store::schedules`), running it (`dispatcher`).
//! Invariants: what was taken is never due again, whatever the clock does; and as
//! long as a watch looks at least once a minute, each due time has its turn.
//!
//! ```text
//!   ── mark ──┬──────── missed ────────┬── a minute ── now ── next ──▶
//!             │ with catch_up one run  │ each is run,
//!             │ of the newest, else    │ oldest first
//!             │ passed over            │
//! ```
//!
//! A run that is late by less than a minute also makes up for what was missed
//! before it. A watch that starts counts from the mark: what came before it began
//! was missed, however short ago; a schedule that nobody has seen before has no
//! past.

use std::time::Duration;

use crate::model::time::Timestamp;
use crate::services::config::Schedule;
use crate::services::config::zone::Zone;
use crate::store::schedules::Mark;

/// How late a run may be without having been missed.
pub const LATE: Duration = Duration::from_mins(1);

/// How far the clock may be behind the mark before somebody is told.
pub const AHEAD: Duration = Duration::from_hours(1);

/// What to do about a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It has no mark, or this watch first sees a line that the mark is not about:
    /// make one with `store::schedules::seen`, and look again.
    Unseen,
    /// Its turn has come: take this due time and, if it is ours, run it; then
    /// look again. What is taken must be run, even where it waits for room.
    Run(Timestamp),
    /// The newest of those that were missed: take it and run nothing; if it is
    /// ours, say so; then look again.
    Skip(Timestamp),
    /// Nothing before this, if ever.
    Wait(Option<Timestamp>),
    /// The mark is far ahead of the clock, which was wrong once, or is. Nothing
    /// runs until then: tell somebody, who may remove the mark.
    Ahead(Timestamp),
}

/// Decides. `started` is when this watch first saw the schedule as it is now;
/// `mark` is what is on the disk.
pub fn turn(
    schedule: &Schedule,
    zone: &Zone,
    mark: Option<&Mark>,
    started: Timestamp,
    now: Timestamp,
) -> Turn {
    let Some(mark) = mark else { return Turn::Unseen };
    if mark.last > now.plus(AHEAD) {
        return Turn::Ahead(mark.last);
    }
    // A mark of another line says what was taken, not what this one missed.
    let is_ours = mark.cron == schedule.cron.as_str();
    if !is_ours && started >= now {
        return Turn::Unseen;
    }
    let since = if is_ours { mark.last } else { mark.last.max(started) };
    let cron = &schedule.cron;
    let Some(newest) = cron.newest(zone, now).filter(|newest| *newest > since) else {
        return Turn::Wait(cron.next_after(zone, since.max(now)));
    };
    if newest <= started {
        // It came while this watch was not there.
        return if schedule.catch_up { Turn::Run(newest) } else { Turn::Skip(newest) };
    }
    let since = since.max(started);
    let late = i64::try_from(LATE.as_millis()).unwrap_or(i64::MAX);
    if now.since(newest) <= late {
        // Just before the oldest that is not too late; it is the newest at last.
        let before = Timestamp(now.0.saturating_sub(late).saturating_sub(1));
        return Turn::Run(cron.next_after(zone, since.max(before)).unwrap_or(newest));
    }
    if schedule.catch_up { Turn::Run(newest) } else { Turn::Skip(newest) }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
