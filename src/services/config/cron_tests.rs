//! When cron lines are due, above all where clocks jump.

use super::*;

fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap()
}

fn cron(text: &str) -> Cron {
    Cron::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap_or_else(|| panic!("{text}"))
}

/// Every due time after one instant and up to another, as clocks of the zone
/// show them.
fn due(line: &str, place: &str, after: &str, until: &str) -> Vec<String> {
    let (cron, place) = (cron(line), zone(place));
    let mut found = Vec::new();
    let mut after = at(after);
    while let Some(next) = cron.next_after(&place, after).filter(|next| *next <= at(until)) {
        assert!(next > after);
        // Looking back finds the same one until the next is due.
        assert_eq!(cron.newest(&place, next), Some(next));
        let later = cron.next_after(&place, next).unwrap();
        assert_eq!(cron.newest(&place, Timestamp(later.0 - 1)), Some(next));
        let shown = place.stretch(next.0).shown(next.0);
        let offset = (shown.and_utc().timestamp_millis() - next.0) / 60_000;
        found.push(format!("{}{:+}", shown.format("%d %H:%M:%S"), offset));
        after = next;
    }
    found
}

#[test]
fn a_time_that_is_jumped_over_is_due_at_the_jump_and_one_that_comes_twice_once() {
    let march = ["2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z"];
    let october = ["2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z"];
    let berlin = |line, [from, to]: [&str; 2]| due(line, "Europe/Berlin", from, to);
    assert_eq!(
        berlin("30 2 * * *", march),
        ["28 02:30:00+60", "29 03:00:00+120", "30 02:30:00+120"]
    );
    assert_eq!(berlin("30 2 * * *", october), ["25 02:30:00+120", "26 02:30:00+60"]);
    // Several in one jump are one, and one with what is due after it anyway.
    assert_eq!(
        berlin("0,30 1-3 29 * *", march),
        ["29 01:00:00+60", "29 01:30:00+60", "29 03:00:00+120", "29 03:30:00+120"]
    );
    assert_eq!(
        berlin("0,30 1-3 25 * *", october),
        [
            "25 01:00:00+120",
            "25 01:30:00+120",
            "25 02:00:00+120",
            "25 02:30:00+120",
            "25 03:00:00+60",
            "25 03:30:00+60"
        ]
    );
    assert_eq!(berlin("*/20 59 1 29 * *", march).len(), 3);
    assert_eq!(berlin("*/20 30 2 29 * *", march), ["29 03:00:00+120"]);
    assert_eq!(berlin("*/20 30 2 25 * *", october).len(), 3);
    assert_eq!(
        due("30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", "2026-03-08T12:00:00Z"),
        ["08 03:00:00-240"]
    );
    assert_eq!(
        due("30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", "2026-11-01T12:00:00Z"),
        ["01 01:30:00-240"]
    );
    // Half an hour only.
    assert_eq!(
        due("15 2 * * *", "Australia/Lord_Howe", "2026-10-02T16:00:00Z", "2026-10-04T16:00:00Z"),
        ["04 02:30:00+660", "05 02:15:00+660"]
    );
    assert_eq!(
        due("45 1 * * *", "Australia/Lord_Howe", "2026-04-03T16:00:00Z", "2026-04-05T16:00:00Z"),
        ["05 01:45:00+660", "06 01:45:00+630"]
    );
    assert_eq!(
        due("30 2 * * *", "Asia/Tokyo", "2026-03-28T00:00:00Z", "2026-03-30T00:00:00Z"),
        ["29 02:30:00+540", "30 02:30:00+540"]
    );
}

#[test]
fn a_line_that_follows_the_clock_goes_on_through_jumps() {
    let night = |line, place, from, to| due(line, place, from, to).join(" ");
    assert_eq!(
        night("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T01:30:00Z"),
        "29 01:30:00+60 29 03:00:00+120 29 03:30:00+120"
    );
    assert_eq!(
        night("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", "2026-10-25T02:00:00Z"),
        "25 02:00:00+120 25 02:30:00+120 25 02:00:00+60 25 02:30:00+60 25 03:00:00+60"
    );
    assert_eq!(
        night("0 * * * *", "Australia/Lord_Howe", "2026-10-03T14:00:00Z", "2026-10-03T16:00:00Z"),
        "04 01:00:00+630 04 03:00:00+660"
    );
    assert_eq!(
        night(
            "*/15 * * * *",
            "Australia/Lord_Howe",
            "2026-04-04T14:30:00Z",
            "2026-04-04T15:30:00Z"
        ),
        "05 01:45:00+660 05 01:30:00+630 05 01:45:00+630 05 02:00:00+630"
    );
    assert_eq!(
        night("0 */2 * * *", "America/New_York", "2026-03-08T04:59:00Z", "2026-03-08T09:00:00Z"),
        "08 00:00:00-300 08 04:00:00-240"
    );
    assert_eq!(
        night("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z"),
        ""
    );
    assert_eq!(
        night("*/30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z"),
        "25 02:00:00+120 25 02:30:00+120 25 02:00:00+60 25 02:30:00+60"
    );
    // Real time: as many as there are ten minutes in the week, whatever clocks do.
    for (place, from, to) in [
        ("Europe/Berlin", "2026-03-26T00:00:00Z", "2026-04-02T00:00:00Z"),
        ("America/New_York", "2026-10-29T00:00:00Z", "2026-11-05T00:00:00Z"),
        ("Asia/Tokyo", "2026-03-26T00:00:00Z", "2026-04-02T00:00:00Z"),
        ("Australia/Lord_Howe", "2026-04-01T00:00:00Z", "2026-04-08T00:00:00Z"),
    ] {
        assert_eq!(due("*/10 * * * *", place, from, to).len(), 7 * 24 * 6, "{place}");
    }
}

#[test]
fn fields_are_read_as_everywhere() {
    let year = |line| due(line, "UTC", "2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z");
    let days = |line| -> Vec<String> {
        year(line).into_iter().map(|due| due.trim_end_matches("+0").to_owned()).collect()
    };
    assert_eq!(days("0 9 L * *"), ["31 09:00:00", "28 09:00:00", "31 09:00:00"]);
    assert_eq!(days("0 9 LW * *"), ["30 09:00:00", "27 09:00:00", "31 09:00:00"]);
    assert_eq!(days("0 9 15W * *"), ["15 09:00:00", "16 09:00:00", "16 09:00:00"]);
    assert_eq!(days("0 9 * * MON#2"), ["12 09:00:00", "09 09:00:00", "09 09:00:00"]);
    assert_eq!(days("0 9 * * friL"), ["30 09:00:00", "27 09:00:00", "27 09:00:00"]);
    assert_eq!(days("30 0 9 13 * +FRI"), ["13 09:00:30", "13 09:00:30"]);
    assert_eq!(days("@monthly"), ["01 00:00:00", "01 00:00:00", "01 00:00:00"]);
    assert_eq!((days("@weekly").len(), days("0 0 ? mar-apr 0,7").len()), (13, 5));
    let every = |line: &str| cron(line).next_after(&zone("UTC"), at("2026-01-01T00:00:00Z"));
    assert_eq!(every("* * * * * *"), Some(at("2026-01-01T00:00:01Z")));
    assert_eq!(every(" @hourly "), Some(at("2026-01-01T01:00:00Z")));
    assert_eq!(every("0 0 29 2 *"), Some(at("2028-02-29T00:00:00Z")));
    assert_eq!(cron("0 3 * * *").to_string(), "0 3 * * *");
    // Within a second nothing is due twice, and nothing too early.
    let noon = cron("0 12 * * *");
    let utc = zone("UTC");
    let due = at("2026-01-01T12:00:00Z");
    assert_eq!(noon.next_after(&utc, Timestamp(due.0 - 1)), Some(due));
    assert_eq!(noon.next_after(&utc, Timestamp(due.0 + 999)), Some(at("2026-01-02T12:00:00Z")));
    assert_eq!(noon.newest(&utc, Timestamp(due.0 - 1)), Some(at("2025-12-31T12:00:00Z")));
    assert_eq!(noon.newest(&utc, Timestamp(due.0 + 999)), Some(due));
}

#[test]
fn what_is_no_cron_line_says_why() {
    let refused = |line| Cron::parse(line).map(|cron| cron.text).unwrap_err();
    for (line, why) in [
        (
            "* * *",
            "`* * *` has 3 cron fields: write 5 (minute, hour, day, month, weekday), or 6 with seconds first",
        ),
        ("99 3 * * *", "`99` is no minute in `99 3 * * *`: write 0 to 59, or `*`"),
        ("0 0 24 * * *", "`24` is no hour in `0 0 24 * * *`: write 0 to 23, or `*`"),
        ("0 3 * * FRY", "`FRY` is no weekday in `0 3 * * FRY`: write 0 to 7 or SUN to SAT, or `*`"),
        // Each would be a number to the reader.
        ("0 3 MON * *", "`MON` is no day in `0 3 MON * *`: write 1 to 31, or `*`"),
        ("0 3 * MON *", "`MON` is no month in `0 3 * MON *`: write 1 to 12 or JAN to DEC, or `*`"),
        ("0 3 * * JAN", "`JAN` is no weekday in `0 3 * * JAN`: write 0 to 7 or SUN to SAT, or `*`"),
        ("0 3 30 2 *", "`0 3 30 2 *` is never due: there is no such day"),
        ("0 3 31 4,6,9,11 *", "`0 3 31 4,6,9,11 *` is never due: there is no such day"),
        ("@dayly", "`@dayly` is no name of a schedule; did you mean `@daily`?"),
        ("@reboot", "`@reboot` is no name of a schedule"),
    ] {
        assert_eq!(refused(line), why);
    }
    for line in [
        "",
        "@",
        "a b c d e",
        "0 3 * * SUNMON",
        "0,,5 * * * *",
        ", * * * *",
        "5- * * * *",
        "*/0 * * * *",
        "0 3 L-1 * *",
        "0 3 * * 8",
        "0 3 0 * *",
        "0 3 * 13 *",
        "-1 * * * *",
        "1/0 * * * *",
        "0 3 * * * * 2030",
        "99999999999 * * * *",
        "日 * * * *",
        "0 3 * * 1#6",
        "0 3 * * ++1",
        "60 0 3 * * *",
    ] {
        refused(line);
    }
}

/// Minute by minute, as somebody would do who looks at clocks.
fn by_hand(line: &Cron, place: &Zone, from: i64, minutes: i64) -> Vec<i64> {
    let mut highest = place.latest_shown(from);
    let mut found = Vec::new();
    for ms in (1..=minutes).map(|minute| from + minute * 60_000) {
        let shown = place.stretch(ms).shown(ms);
        let matches = |time: &NaiveDateTime| line.calendar.is_time_matching(time).unwrap();
        let is_due = if line.follows_the_clock {
            matches(&shown)
        } else {
            let mut passed = std::iter::successors(Some(highest), |time| {
                Some(*time + chrono::TimeDelta::minutes(1)).filter(|time| *time <= shown)
            });
            passed.next();
            passed.any(|time| matches(&time))
        };
        highest = highest.max(shown);
        if is_due {
            found.push(ms);
        }
    }
    found
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 64, ..Default::default() })]

    /// Whatever the line and the zone: the due times of a week around a jump are
    /// those that one finds by looking at clocks every minute.
    #[test]
    fn due_times_are_what_clocks_show(
        minutes in proptest::sample::select(vec!["0", "*/7", "*", "15,45", "30-32", "59", "0-59/20"]),
        hours in proptest::sample::select(vec!["*", "2", "1-3", "*/2", "0,1,2,3", "23", "0-4/2"]),
        days in proptest::sample::select(vec!["* * *", "* * SUN", "L * *", "* * MON-SAT", "1-15 * *"]),
        (place, jump) in proptest::sample::select(vec![
            ("Europe/Berlin", "2026-03-29T01:00:00Z"),
            ("Europe/Berlin", "2026-10-25T01:00:00Z"),
            ("America/New_York", "2026-03-08T07:00:00Z"),
            ("America/New_York", "2026-11-01T06:00:00Z"),
            ("Asia/Tokyo", "2026-03-29T01:00:00Z"),
            ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
            ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
            ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
            ("Pacific/Apia", "2011-12-30T10:00:00Z"),
        ]),
        before in 0..4_000_i64,
    ) {
        let (line, place) = (cron(&format!("{minutes} {hours} {days}")), zone(place));
        let from = at(jump).0 - before * 60_000;
        let week = 7 * 24 * 60;
        let mut found = Vec::new();
        let mut after = Timestamp(from);
        while let Some(next) = line.next_after(&place, after)
            .filter(|next| next.0 <= from + week * 60_000) {
            proptest::prop_assert_eq!(line.newest(&place, next), Some(next));
            proptest::prop_assert!(line.newest(&place, Timestamp(next.0 - 1)).unwrap() <= after
                || found.is_empty());
            found.push(next.0);
            after = next;
        }
        proptest::prop_assert_eq!(found, by_hand(&line, &place, from, week));
    }

    /// Whatever is typed, it is read or refused, and what is read is due.
    #[test]
    fn any_line_is_read_or_refused(parts in proptest::collection::vec(
        proptest::sample::select(vec![
            "*", "0", "5", "30", "31", "2", "/", "-", ",", " ", " ", " ", "L", "W", "#", "MON", "feb", "?",
            "@daily", "+", "99", "é",
        ]),
        1..14,
    )) {
        if let Ok(cron) = Cron::parse(&parts.concat()) {
            let first = cron.next_after(&Zone::parse("UTC").unwrap(), Timestamp(0)).unwrap();
            proptest::prop_assert!(first.0 > 0);
        }
    }
}
