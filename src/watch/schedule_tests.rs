//! Turns of schedules, one by one and in simulated weeks over jumps of the clock.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::services::config::cron::Cron;

const MINUTE: i64 = 60_000;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap_or_else(|| panic!("{text}"))
}

fn schedule(cron: &str, catch_up: bool) -> Schedule {
    let cron = Cron::parse(cron).unwrap();
    Schedule { name: "nightly".into(), cron, run: vec!["true".into()], catch_up }
}

fn utc() -> Zone {
    Zone::parse("UTC").unwrap()
}

fn mark(last: &str, cron: &str) -> Mark {
    Mark { last: at(last), cron: cron.into() }
}

/// The turn of `0 3 * * *` whose newest taken time is that of 1 March.
fn nightly(catch_up: bool, now: &str) -> Turn {
    let schedule = schedule("0 3 * * *", catch_up);
    let mark = mark("2026-03-01T03:00:00Z", "0 3 * * *");
    turn(&schedule, &utc(), Some(&mark), at("2026-02-01T00:00:00Z"), at(now))
}

#[test]
fn a_time_is_run_when_it_comes_and_missed_after_a_minute() {
    let next = Turn::Wait(Some(at("2026-03-02T03:00:00Z")));
    for catch_up in [false, true] {
        assert_eq!(nightly(catch_up, "2026-03-01T03:00:00Z"), next);
        assert_eq!(nightly(catch_up, "2026-03-02T02:59:59Z"), next);
        let due = Turn::Run(at("2026-03-02T03:00:00Z"));
        assert_eq!(nightly(catch_up, "2026-03-02T03:00:00Z"), due);
        assert_eq!(nightly(catch_up, "2026-03-02T03:01:00Z"), due);
    }
    let missed = at("2026-03-02T03:00:00Z");
    assert_eq!(nightly(false, "2026-03-02T03:01:01Z"), Turn::Skip(missed));
    assert_eq!(nightly(true, "2026-03-02T03:01:01Z"), Turn::Run(missed));
}

#[test]
fn of_many_that_were_missed_the_newest_makes_up_for_all() {
    assert_eq!(nightly(true, "2026-03-09T02:00:00Z"), Turn::Run(at("2026-03-08T03:00:00Z")));
    assert_eq!(nightly(false, "2026-03-09T02:00:00Z"), Turn::Skip(at("2026-03-08T03:00:00Z")));
    // What is in time makes up for it just as well.
    for catch_up in [false, true] {
        let turn = nightly(catch_up, "2026-03-09T03:00:30Z");
        assert_eq!(turn, Turn::Run(at("2026-03-09T03:00:00Z")));
    }
}

#[test]
fn within_a_minute_each_has_its_turn() {
    let every = schedule("*/20 * * * * *", false);
    let now = at("2026-03-01T12:00:45Z");
    let mut last = mark("2026-03-01T11:00:00Z", "*/20 * * * * *");
    let mut turns = Vec::new();
    let started = at("2026-03-01T11:59:50Z");
    while let Turn::Run(due) = turn(&every, &utc(), Some(&last), started, now) {
        last.last = due;
        turns.push(due.to_string());
    }
    assert_eq!(turns, ["2026-03-01T12:00:00Z", "2026-03-01T12:00:20Z", "2026-03-01T12:00:40Z"]);
}

#[test]
fn what_came_before_a_watch_began_was_missed_however_short_ago() {
    let now = at("2026-03-01T12:00:45Z");
    let last = mark("2026-03-01T12:00:00Z", "*/20 * * * * *");
    let newest = at("2026-03-01T12:00:40Z");
    let turn =
        |catch_up| turn(&schedule("*/20 * * * * *", catch_up), &utc(), Some(&last), now, now);
    assert_eq!(turn(false), Turn::Skip(newest));
    assert_eq!(turn(true), Turn::Run(newest), "one for all that were missed");
}

#[test]
fn a_schedule_that_is_new_has_no_past() {
    let line = schedule("0 3 * * *", true);
    let turn =
        |mark: Option<&Mark>, started, now| super::turn(&line, &utc(), mark, at(started), at(now));
    assert_eq!(turn(None, "2026-03-01T00:00:00Z", "2026-03-09T03:00:00Z"), Turn::Unseen);
    // Another line under that name gets a mark of its own. Where another watch
    // still goes by the old one, it counts from when it was seen, and from what was
    // taken under the old one.
    let old = mark("2026-03-01T00:00:00Z", "@hourly");
    assert_eq!(turn(Some(&old), "2026-03-08T05:00:00Z", "2026-03-08T05:00:00Z"), Turn::Unseen);
    let wait = Turn::Wait(Some(at("2026-03-09T03:00:00Z")));
    assert_eq!(turn(Some(&old), "2026-03-08T04:00:00Z", "2026-03-08T05:00:00Z"), wait);
    let due = Turn::Run(at("2026-03-08T03:00:00Z"));
    assert_eq!(turn(Some(&old), "2026-03-08T02:00:00Z", "2026-03-08T03:00:10Z"), due);
    let newer = mark("2026-03-08T03:00:05Z", "@hourly");
    assert_eq!(turn(Some(&newer), "2026-03-08T02:00:00Z", "2026-03-08T03:00:10Z"), wait);
}

#[test]
fn a_clock_that_is_set_back_runs_nothing_again_and_a_mark_far_ahead_is_told() {
    assert_eq!(nightly(true, "2026-03-01T02:30:00Z"), Turn::Wait(Some(at("2026-03-02T03:00:00Z"))));
    assert_eq!(nightly(true, "2026-02-27T00:00:00Z"), Turn::Ahead(at("2026-03-01T03:00:00Z")));
}

/// What several watchers have on the disk, as `store::schedules` does it.
#[derive(Default)]
struct World {
    mark: Option<Mark>,
    /// When each due time was run.
    runs: BTreeMap<i64, Vec<i64>>,
}

impl World {
    fn seen(&mut self, cron: &Cron, now: i64) {
        if self.mark.is_none() {
            let last = Timestamp(now).whole_seconds();
            self.mark = Some(Mark { last, cron: cron.as_str().to_owned() });
        }
    }

    fn take(&mut self, cron: &Cron, due: Timestamp, now: i64) -> bool {
        self.seen(cron, now);
        let Some(mark) = self.mark.as_mut().filter(|mark| mark.last < due) else { return false };
        mark.last = due;
        true
    }

    /// A watcher looks, and says when it wants to look again.
    fn look(&mut self, schedule: &Schedule, zone: &Zone, started: i64, now: i64) -> Option<i64> {
        loop {
            let mark = self.mark.clone();
            let cron = &schedule.cron;
            match turn(schedule, zone, mark.as_ref(), Timestamp(started), Timestamp(now)) {
                Turn::Unseen => self.seen(cron, now),
                Turn::Run(due) => {
                    if self.take(cron, due, now) {
                        self.runs.entry(due.0).or_default().push(now);
                    }
                }
                Turn::Skip(due) => {
                    self.take(cron, due, now);
                }
                Turn::Wait(next) => return next.map(|next| next.0),
                Turn::Ahead(_) => return None,
            }
        }
    }
}

fn lines() -> impl Strategy<Value = &'static str> {
    select(vec![
        "30 2 * * *",
        "0,30 1-3 * * *",
        "*/10 * * * *",
        "@hourly",
        "15 */2 * * *",
        "@daily",
        "45 1 * * SUN",
        "*/7 2 * * *",
        "5,59 0-23 * * *",
        "30 15 2 * * *",
        "*/40 29 1,2 * * *",
    ])
}

fn places() -> impl Strategy<Value = (&'static str, &'static str)> {
    select(vec![
        ("Europe/Berlin", "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "2026-10-25T01:00:00Z"),
        ("America/New_York", "2026-03-08T07:00:00Z"),
        ("America/New_York", "2026-11-01T06:00:00Z"),
        ("Asia/Tokyo", "2026-03-29T01:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ])
}

/// Every due time after one instant and up to another.
fn due(cron: &Cron, zone: &Zone, after: i64, until: i64) -> Vec<i64> {
    let next = |last: &Timestamp| cron.next_after(zone, *last);
    std::iter::successors(next(&Timestamp(after)), next)
        .map(|due| due.0)
        .take_while(|due| *due <= until)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Two weeks over a jump of the clock: while at least one of some watchers
    /// lives and looks every minute, each due time is run once and in time; what
    /// came while none lived is made up for by at most one run.
    #[test]
    fn nothing_is_lost_while_a_watch_lives_and_nothing_is_run_twice(
        line in lines(),
        (place, jump) in places(),
        catch_up: bool,
        pauses in prop::collection::vec((0..3_000_i64, 1..2_000_i64), 0..6),
        watchers in 1..4_usize,
        delays in prop::collection::vec(0..=MINUTE, 1..9),
    ) {
        let (schedule, zone) = (schedule(line, catch_up), Zone::parse(place).unwrap());
        let mut delays = delays.into_iter().cycle();
        let mut world = World::default();
        let mut now = at(jump).0 - 7 * 24 * 60 * MINUTE;
        let end = now + 14 * 24 * 60 * MINUTE;
        let mut pauses = pauses.into_iter();
        let mut is_first = true;
        while now < end {
            // So many minutes of life, then so many of none.
            let (lives, pause) = pauses.next().unwrap_or((20_000, 0));
            let (start, stop) = (now, (now + lives * MINUTE).min(end));
            let mark = world.mark.as_ref().map_or(start, |mark| mark.last.0);
            let before = world.runs.len();
            while now <= stop {
                let mut next = None;
                for _ in 0..watchers {
                    next = world.look(&schedule, &zone, start, now);
                }
                // Whoever looks next does so in the minute after the due time.
                let delay = delays.next().unwrap_or(0);
                now = next.map_or(stop + 1, |next| next.max(now) + delay).max(now + 1);
            }
            for _ in 0..watchers {
                world.look(&schedule, &zone, start, stop);
            }
            let lived = due(&schedule.cron, &zone, start, stop);
            for due in &lived {
                prop_assert_eq!(world.runs.get(due).map(Vec::len), Some(1), "{}", Timestamp(*due));
            }
            let others = world.runs.len() - before - lived.len();
            let missed = due(&schedule.cron, &zone, mark, start);
            prop_assert!(others <= missed.len().min(1));
            let latest = missed.last().filter(|_| catch_up);
            prop_assert_eq!(others > 0, latest.is_some() && !is_first);
            if let Some(latest) = latest.filter(|_| !is_first) {
                prop_assert!(world.runs.contains_key(latest));
            }
            is_first = false;
            now = stop + pause * MINUTE;
            if stop == end {
                break;
            }
        }
        for (due, runs) in &world.runs {
            prop_assert_eq!(runs.len(), 1);
            prop_assert!(*due <= runs[0] && (catch_up || runs[0] - due <= MINUTE));
        }
    }

    /// Clocks that jump either way, by seconds or weeks, run nothing twice, and
    /// nothing that the line does not say.
    #[test]
    fn no_jump_of_the_clock_runs_anything_twice(
        line in lines(),
        (place, from) in places(),
        catch_up: bool,
        steps in prop::collection::vec(prop_oneof![
            4 => 0..120_000_i64,
            2 => 0..10_000_000_i64,
            2 => -10_000_000..0_i64,
            1 => -2_000_000_000..2_000_000_000_i64,
        ], 1..200),
    ) {
        let (schedule, zone) = (schedule(line, catch_up), Zone::parse(place).unwrap());
        let mut world = World::default();
        let start = at(from).0;
        let mut now = start;
        for step in steps {
            world.look(&schedule, &zone, start, now);
            now += step;
        }
        for (due, runs) in &world.runs {
            prop_assert_eq!(runs.len(), 1);
            prop_assert!(*due > start);
            prop_assert_eq!(schedule.cron.newest(&zone, Timestamp(*due)), Some(Timestamp(*due)));
        }
    }

    /// Nor do marks that are lost while watchers live or start.
    #[test]
    fn no_lost_mark_runs_anything_twice(
        line in lines(),
        (place, from) in places(),
        catch_up: bool,
        steps in prop::collection::vec((0..3_000_000_i64, 0..5_u8), 1..200),
    ) {
        let (schedule, zone) = (schedule(line, catch_up), Zone::parse(place).unwrap());
        let mut world = World::default();
        let mut now = at(from).0;
        let mut started = now;
        for (step, what) in steps {
            match what {
                0 => world.mark = None,
                1 => started = now,
                _ => {}
            }
            world.look(&schedule, &zone, started, now);
            now += step;
        }
        prop_assert!(world.runs.values().all(|runs| runs.len() == 1));
    }
}
