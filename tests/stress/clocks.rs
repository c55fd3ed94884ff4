//! Clocks that jump, stand still or disagree, and holders that are paused.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};

use super::support::ground::{Ground, HEAD, Ran, clean, program, row};
use super::support::judge::{sound, unbroken};
use super::support::{Dice, Stopwatch, has, pause, say, scale, skip};

const MINUTE: i64 = 60;
const GRACE: i64 = 5 * MINUTE;

fn faketime_works(test: &str) -> bool {
    has(test, "faketime", &["-f", "+1d", "true"])
}

/// A line by somebody whose clock is so many seconds ahead.
fn ahead(ground: &Ground, seconds: i64, line: &str) -> Ran {
    // The tool itself fails where one that was killed had the same number: it does
    // not begin the command then.
    for _ in 0..100 {
        let ran = ground.under(&["faketime", "-f", &format!("{seconds:+}s")], line);
        if !ran.err.contains("faketime: sem_open") {
            return ran;
        }
    }
    panic!("faketime never begins");
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

fn seconds(text: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(text).expect("a time").timestamp()
}

fn leased() -> Ground {
    let ground = Ground::with(format!("{HEAD}{}", row("T-1", "One", "READY")));
    ground.settings("lock_wait: 10s\nleases: {ttl: 10m, grace: 5m}\n");
    ground
}

/// Every moment that an observer may take for now: its clock, or a time of the
/// journal that is less than an hour ahead of it. The newest line and the
/// newest time are two where clocks disagree; then both are thought of.
fn moments(ground: &Ground, clock: i64) -> Vec<i64> {
    let journal = ground.journal_text();
    let times: Vec<i64> = journal
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|entry| seconds(entry["ts"].as_str().unwrap()))
        .collect();
    let close = |t: &i64| *t > clock && *t < clock + 3600;
    let newest = [times.iter().max(), times.last(), times.iter().filter(|t| close(t)).max()];
    let bounds = newest.into_iter().flatten().filter(|t| close(t)).copied();
    bounds.chain([clock]).collect()
}

#[test]
fn t20_no_lease_is_stolen_before_its_time_whatever_clocks_say() {
    if !faketime_works("T20") {
        return;
    }
    let (mut dice, rounds) = (Dice::new("T20"), 60 * scale().min(50));
    let day = 24 * 60 * MINUTE;
    let offsets = [-day, -5 * MINUTE, -MINUTE, 0, 4 * MINUTE, 9 * MINUTE, 12 * MINUTE];
    let offsets = [&offsets[..], &[16 * MINUTE, 50 * MINUTE, 120 * MINUTE, day]].concat();
    let (mut taken, mut held, mut stale) = (0, 0, 0);
    let mut ground = leased();
    let mut holders: Vec<(String, u64)> = Vec::new();
    let mut history: Vec<String> = Vec::new();
    for n in 0..rounds {
        if n % 12 == 0 {
            ground = leased();
            holders.clear();
            history.clear();
        }
        let offset = *dice.pick(&offsets);
        let row = ground.rows().remove("T-1").unwrap();
        let moments = moments(&ground, now() + offset);
        let line = format!("claim T-1 --json --as WORK@w{n}");
        let claim = ahead(&ground, offset, &line);
        history.push(format!("{offset:+} s: {line}: {}", claim.exit));
        let at = format!("T20, {history:#?}: {row:?}: {claim:?}");
        if row["state"] == "DOING" {
            let ends = seconds(&row["lock_expires_at"]) + GRACE;
            // Five seconds either way: commands take time.
            if moments.iter().all(|moment| *moment < ends - 5) {
                assert_eq!(claim.exit, 5, "a lease was stolen: {at}");
                held += 1;
            } else if moments.iter().all(|moment| *moment > ends + 5) {
                assert_eq!(claim.exit, 0, "a dead lease is not given: {at}");
                taken += 1;
            }
        }
        assert!(matches!(claim.exit, 0 | 5), "{at}");
        if claim.exit == 0 {
            let token = claim.token();
            assert!(holders.iter().all(|(_, older)| *older < token), "tokens grow: {at}");
            holders.push((format!("WORK@w{n}"), token));
        }
        // Nobody but the last holder can finish it, at any time of theirs.
        if holders.len() > 1 {
            let (actor, token) = dice.pick(&holders[..holders.len() - 1]).clone();
            let before = ground.ledgers();
            // Releasing what has expired is anybody's right.
            let verb = *dice.pick(&["submit", "renew"]);
            let offset = *dice.pick(&offsets);
            let line = format!("{verb} T-1 --token {token} --as {actor}");
            let ran = ahead(&ground, offset, &line);
            history.push(format!("{offset:+} s: {line}: {}", ran.exit));
            assert_eq!(ran.exit, 6, "T20: a stale `{verb}`, {history:#?}: {ran:?}");
            assert_eq!(ground.ledgers(), before);
            stale += 1;
        }
    }
    unbroken(&ground, "T20");
    say("T20", format_args!("{held} refused, {taken} given, {stale} stale, none wrong"));
    assert!(held > 0 && taken > 0 && stale > 0);
}

/// A lease across a change of the clock: 14 minutes after a claim for 10 with 5
/// of grace it is held, 16 minutes after it is free.
#[test]
fn t20_summer_time_leap_seconds_and_2038_move_no_lease() {
    if !faketime_works("T20") {
        return;
    }
    let moments = [
        ("America/New_York", "2026-03-08 06:55:00 UTC"),
        ("America/New_York", "2026-11-01 05:55:00 UTC"),
        ("Europe/London", "2027-03-28 00:55:00 UTC"),
        ("Pacific/Apia", "2011-12-30 09:55:00 UTC"),
        ("Asia/Tokyo", "2016-12-31 23:55:00 UTC"),
        ("UTC", "2038-01-19 03:09:00 UTC"),
        ("Asia/Kathmandu", "2099-12-31 23:55:00 UTC"),
    ];
    for (zone, moment) in moments {
        let ground = leased();
        let start = seconds(&format!("{}Z", moment[..19].replace(' ', "T")));
        let at = |after: i64, line: &str| {
            let time = chrono::DateTime::from_timestamp(start + after, 0).unwrap();
            let time = time.format("%Y-%m-%d %H:%M:%S UTC").to_string();
            let program = program();
            let words: Vec<&str> =
                [time.as_str(), program.as_str()].into_iter().chain(line.split(' ')).collect();
            let ran: Ran = ground.tool("faketime", &words).env("TZ", zone).output().unwrap().into();
            ran
        };
        let first = at(0, "claim T-1 --json --as WORK@ada").ok();
        let expires = ground.rows()["T-1"]["lock_expires_at"].clone();
        let late = seconds(&expires) - start - 10 * MINUTE;
        assert!((0..=5).contains(&late), "{zone} {moment}: {expires}");
        let held = at(14 * MINUTE, "claim T-1 --as WORK@bob");
        assert_eq!(held.exit, 5, "{zone} {moment}: {held:?}");
        at(16 * MINUTE, "claim T-1 --as WORK@bob").ok();
        let line = format!("submit T-1 --token {} --as WORK@ada", first.token());
        assert_eq!(at(17 * MINUTE, &line).exit, 6, "{zone} {moment}");
    }
    say("T20", format_args!("{} changes of clocks moved no lease", moments.len()));
}

/// The machine's other clocks, which begin at its start, count for nothing.
#[test]
fn t20_a_machine_that_was_started_at_another_time_steals_nothing() {
    let shift = ["--time", "--boottime", "864000", "--monotonic", "864000"];
    if !has("T20", "unshare", &[&shift[..], &["true"]].concat()) {
        return;
    }
    let ground = leased();
    let token = ground.run("claim T-1 --json --as WORK@ada").ok().token();
    let elsewhere = [&["unshare"][..], &shift].concat();
    assert_eq!(ground.under(&elsewhere, "claim T-1 --as WORK@bob").exit, 5);
    ground.under(&elsewhere, &format!("submit T-1 --token {token} --as WORK@ada")).ok();
    unbroken(&ground, "T20");
}

/// A clock set back while a command waits does not make it wait for ever.
#[test]
fn t20_a_clock_that_jumps_while_a_command_waits_ends_the_wait_in_time() {
    if !faketime_works("T20") {
        return;
    }
    let ground = leased();
    ground.run("claim T-1 --as WORK@ada").ok();
    let env = ground.tool("faketime", &["-f", "+0", "env"]).output().unwrap();
    let env = String::from_utf8(env.stdout).unwrap();
    let Some(library) = env.lines().find_map(|line| line.strip_prefix("LD_PRELOAD=")) else {
        return skip("T20", "faketime names no library to preload");
    };
    for jump in ["-1d", "+1m", "-5m"] {
        let file = ground.root().join("clock");
        fs::write(&file, "+0\n").unwrap();
        let program = program();
        let words =
            ["-s", "KILL", "30", &program, "claim", "T-1", "--wait", "2s", "--as", "WORK@bob"];
        let watch = Stopwatch::start();
        let mut child = ground.tool("timeout", &words);
        child.env("LD_PRELOAD", library).env("FAKETIME_NO_CACHE", "1");
        child.env("FAKETIME_TIMESTAMP_FILE", &file);
        let child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        pause(Duration::from_millis(300));
        fs::write(&file, format!("{jump}\n")).unwrap();
        let ran: Ran = child.wait_with_output().unwrap().into();
        assert_eq!(ran.exit, 5, "T20: {jump}: {ran:?}");
        assert!(watch.elapsed() < Duration::from_secs(8), "T20: {jump}: {:?}", watch.elapsed());
    }
}

/// A holder that stands still, for as long as others please, finds out when it
/// goes on.
#[test]
fn t21_a_holder_that_was_stopped_finds_its_lease_lost() {
    if !faketime_works("T21") {
        return;
    }
    let rounds = 5 * scale().min(20);
    for n in 0..rounds {
        let ground = leased();
        let verb = ["submit", "renew", "release"][n % 3];
        // Claims, stops itself, and goes on with what it holds.
        let script = format!(
            "answer=$(\"$0\" claim T-1 --json --as WORK@ada) || exit 99
            token=$(printf %s \"$answer\" | sed 's/.*\"lease\":{{\"token\":\\([0-9]*\\).*/\\1/')
            echo holds
            kill -STOP $$
            exec \"$0\" {verb} T-1 --token \"$token\" --as WORK@ada"
        );
        let mut holder = Command::new("sh");
        clean(&mut holder).args(["-c", &script, &program()]).current_dir(ground.root());
        let mut holder = holder.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        let mut out = BufReader::new(holder.stdout.take().unwrap());
        out.read_line(&mut said).unwrap();
        assert_eq!(said, "holds\n");
        // Three times its TTL later, for everybody else.
        let taken = ahead(&ground, 31 * MINUTE, "claim T-1 --json --as WORK@bob").ok();
        let before = ground.ledgers();
        let pid = Pid::from_child(&holder);
        let mut status = None;
        // It may not have stopped yet; then it goes on only with a later signal.
        for _ in 0..10_000 {
            kill_process(pid, Signal::CONT).unwrap();
            pause(Duration::from_millis(1));
            status = holder.try_wait().unwrap();
            if status.is_some() {
                break;
            }
        }
        let exit = super::support::ground::number(status.expect("it goes on"));
        assert_eq!(exit, 6, "T21: `{verb}` after a takeover");
        assert_eq!(ground.ledgers(), before, "T21: nothing was written");
        let line = format!("submit T-1 --token {} --as WORK@bob", taken.token());
        ahead(&ground, 32 * MINUTE, &line).ok();
        sound(&ground, "T21");
    }
    say("T21", format_args!("{rounds} of {rounds} stopped holders got 6"));
}
