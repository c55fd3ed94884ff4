//! Kills at any moment, recovery that is itself killed, redo records that rot.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

use super::support::ground::{Ground, number, rows_text};
use super::support::judge::{PROBE, SCENES, Side, Stage, chain, sound, timeless, unbroken};
use super::support::strace::{calls, killed, sample, works};
use super::support::{Cases, Dice, Stopwatch, pause, say, scale};

/// What one round of T1 does, and how one sees that it was done.
struct Round {
    line: String,
    /// A word that stands in the ledger once it is done, and only then.
    mark: Option<String>,
}

/// The next thing that one of two workers or the boss could do.
fn round(ground: &Ground, n: usize, dice: &mut Dice) -> Round {
    let rows = ground.rows();
    let in_state = |state: &str| {
        let mut ids = rows.iter().filter(|(_, row)| row["state"] == state);
        ids.next().map(|(id, row)| (id.clone(), row["lock_owner"].clone()))
    };
    let line = |line: String| Round { line: format!("{line} --op-id k{n} --json"), mark: None };
    match dice.below(8) {
        0 => line("claim --next --as WORK@ada".to_owned()),
        1 => match in_state("DOING") {
            Some((id, owner)) => line(format!("submit {id} --as {owner}")),
            None => line("claim --next --as WORK@bob".to_owned()),
        },
        2 => match in_state("REVIEW") {
            Some((id, _)) => line(format!("done {id} --as CMD@boss")),
            None => line("claim --next --as WORK@eve".to_owned()),
        },
        3 => match in_state("DONE") {
            Some(_) => line("archive --as CMD@boss".to_owned()),
            None => line("claim --next --as WORK@eve".to_owned()),
        },
        4 => match in_state("DOING") {
            Some((id, owner)) => line(format!("release {id} --as {owner}")),
            None => line("claim --next --as WORK@ada".to_owned()),
        },
        5 => {
            let (mark, id) = (format!("note{n}."), rows.keys().next().unwrap());
            let line = format!("note {id} {mark} --op-id k{n} --json --as CMD@boss");
            Round { line, mark: Some(mark) }
        }
        _ => {
            let mark = format!("add{n}.");
            let line = format!("add {mark} --state READY --op-id k{n} --json --as CMD@boss");
            Round { line, mark: Some(mark) }
        }
    }
}

/// How long a command takes here, so that kills fall into it and not after it.
fn usual(ground: &Ground) -> Duration {
    let copy = ground.copy();
    let watch = Stopwatch::start();
    for n in 0..5 {
        copy.run(&format!("add warm{n} --as CMD@boss")).ok();
    }
    watch.elapsed() / 5
}

#[test]
fn t01_a_kill_at_any_moment_loses_nothing_acknowledged_and_mixes_nothing() {
    let (mut dice, rounds) = (Dice::new("T1"), 100 * scale());
    let (mut dead, mut acked, mut new) = (0, 0, 0);
    let mut ground = Ground::of_rows(30, "READY");
    let longest = (usual(&ground) * 3 / 2).min(Duration::from_millis(20));
    let mut marks: BTreeSet<String> = BTreeSet::new();
    for n in 0..rounds {
        // A first use now and then: the first command makes journal and locks.
        if n % 100 == 50 {
            unbroken(&ground, "T1");
            sound(&ground, "T1");
            ground = Ground::of_rows(30, "READY");
            marks.clear();
        }
        let Round { line, mark } = round(&ground, n, &mut dice);
        let args: Vec<_> = line.split(' ').collect();
        let before = timeless(&ground.text());
        let mut child =
            ground.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let micros = usize::try_from(longest.as_micros()).unwrap();
        pause(Duration::from_micros(dice.below(micros) as u64));
        child.kill().unwrap();
        let exit = number(child.wait().unwrap());
        let at = format!("T1, round {n}: `{line}` ended with {exit}");
        assert!(matches!(exit, 0 | 12 | 137), "{at}");
        let between = timeless(&ground.text());
        // A reader has an answer before anybody mends anything.
        let list = ground.run("list --json");
        assert_eq!(list.exit, 0, "{at}: {list:?}");
        let again = ground.run(&line);
        assert!(again.exit == 0 || (again.exit == 12 && exit != 0), "{at}: repeated: {again:?}");
        let after = timeless(&ground.text());
        let whole = between == before || between == after;
        assert!(whole, "{at}: mixed, or done twice:\n{between}\nand then\n{after}");
        if again.exit == 0 {
            let already = again.json()["data"]["already"] == true;
            assert!(exit != 0 || already, "{at}: acknowledged and lost: {again:?}");
            assert!(already || between == before, "{at}: done without a trace: {again:?}");
            new += usize::from(already && exit == 137);
        }
        dead += usize::from(exit == 137);
        acked += usize::from(exit == 0);
        ground.no_temporaries(&at);
        marks.extend(mark);
        let everything: String =
            ground.ledgers().values().map(|b| String::from_utf8_lossy(b).into_owned()).collect();
        for mark in &marks {
            // Archived rows keep their marks too; a title stands in one row.
            assert_eq!(everything.matches(mark.as_str()).count(), 1, "{at}: `{mark}`");
        }
        if n % 25 == 0 {
            chain(&ground.journal_text(), &at);
        }
    }
    unbroken(&ground, "T1");
    sound(&ground, "T1");
    say("T1", format_args!("{rounds} kills: {dead} died ({new} after the commit), {acked} acked"));
    assert!(dead > 0 && acked > 0, "kills fall on both sides: {dead} died, {acked} acked");
}

/// Whether something is left for recovery: a redo record.
fn is_unfinished(ground: &Ground) -> bool {
    ground.temporaries().iter().any(|name| name.ends_with(".orch-redo"))
}

/// A state that a death left with a redo record.
struct Left {
    what: String,
    ground: Ground,
    /// What recovery makes of it, when nobody kills that: a record may be whole
    /// and in force, or only begun.
    side: Side,
}

/// The states that deaths of a command leave with a redo record.
fn unfinished(stage: &Stage) -> Vec<Left> {
    let line = stage.scene.keyed();
    let (points, _) = calls(&stage.start, &line);
    let mut found = Vec::new();
    for point in points.into_iter().filter(super::support::strace::Point::changes) {
        let ground = stage.start.copy();
        if killed(&ground, &point.name, point.nth, &line) && is_unfinished(&ground) {
            let what = format!("`{line}` killed at {} {}", point.name, point.nth);
            let side = stage.settle(&ground.copy(), &what);
            found.push(Left { what, ground, side });
        }
    }
    found
}

fn probe() -> String {
    format!("set {PROBE} due=2031-01-01 --as CMD@boss")
}

#[test]
fn t05_recovery_that_is_itself_killed_recovers() {
    if !works("T5") {
        return;
    }
    let mut dice = Dice::new("T5");
    let stage = SCENES[0].stage();
    let states = unfinished(&stage);
    let in_force = states.iter().filter(|left| left.side == Side::New).count();
    assert!(in_force > 0, "no death leaves a redo record in force: nothing to recover");
    let (mut cases, mut deaths, mut deepest) = (Cases::new("T5"), 0, 0);
    // Every call of the recovery of some of these states …
    let step = (states.len() / (2 * scale())).max(1);
    for Left { what, ground: state, side } in states.iter().step_by(step) {
        for line in [probe(), "doctor".to_owned()] {
            let (points, _) = calls(state, &line);
            for point in sample(points, 24) {
                let at = format!("T5: {what}, then `{line}` at {} {}", point.name, point.nth);
                let ground = state.copy();
                if killed(&ground, &point.name, point.nth, &line) {
                    deaths += 1;
                    cases.judge(|| {
                        stage.each_is_whole(&ground, &at);
                        assert_eq!(stage.settle(&ground, &at), *side, "{at}");
                    });
                }
            }
        }
    }
    // … and deaths of recoveries of recoveries.
    for n in 0..20 * scale() {
        let Left { what, ground: state, side } = dice.pick(&states);
        let (ground, mut at, mut depth) = (state.copy(), format!("T5, walk {n}: {what}"), 0);
        while depth < 3 && is_unfinished(&ground) {
            let (points, _) = calls(&ground, &probe());
            let point = dice.pick(&points);
            at += &format!(", then at {} {}", point.name, point.nth);
            deaths += usize::from(killed(&ground, &point.name, point.nth, &probe()));
            depth += 1;
            stage.each_is_whole(&ground, &at);
        }
        deepest = deepest.max(depth);
        cases.judge(|| {
            assert_eq!(stage.settle(&ground, &at), *side, "{at}");
            sound(&ground, &at);
        });
    }
    cases.finish();
    say("T5", format_args!("{} states, {deaths} deaths, {deepest} deep", states.len()));
}

#[test]
fn t11_a_redo_record_with_any_byte_wrong_is_never_applied_wrongly() {
    if !works("T11") {
        return;
    }
    let mut dice = Dice::new("T11");
    let stage = SCENES[0].stage();
    // Committed, and nothing of it in place yet: the record is all there is.
    let states = unfinished(&stage);
    let early = |ground: &Ground| {
        super::support::judge::timeless(&ground.text()) == {
            let old = &stage.old["ORCH/STATE/TASKS.md"];
            String::from_utf8(old.clone()).unwrap()
        }
    };
    let mut in_force = states.iter().filter(|left| left.side == Side::New);
    let state = in_force.find(|left| early(&left.ground)).map(|left| &left.ground);
    let state = state.expect("some death leaves a redo record in force and the old ledger");
    let name = state.temporaries().into_iter().find(|n| n.ends_with(".orch-redo")).unwrap();
    let record = fs::read(state.root().join(&name)).unwrap();
    let mut records: Vec<(String, Vec<u8>)> = Vec::new();
    for at in 0..record.len() {
        let mut flipped = record.clone();
        flipped[at] ^= 1 << dice.below(8);
        records.push((format!("byte {at} flipped"), flipped));
        records.push((format!("cut at {at}"), record[..at].to_vec()));
    }
    let all = records.len();
    assert!(all > 100, "a redo record says something: {all}");
    let step = (all / (60 * scale())).max(1);
    let offset = dice.below(step);
    let (mut cases, mut old, mut new) = (Cases::new("T11"), 0, 0);
    for (what, bytes) in records.into_iter().skip(offset).step_by(step) {
        let ground = state.copy();
        fs::write(ground.root().join(&name), &bytes).unwrap();
        let at = format!("T11: {what} of {}", record.len());
        let side = cases.judge(|| {
            stage.each_is_whole(&ground, &at);
            let ran = ground.run(&probe());
            assert_eq!(ran.exit, 0, "{at}: {ran:?}");
            stage.judge(&ground, &at)
        });
        match side {
            Some(Side::Old) => old += 1,
            Some(Side::New) => new += 1,
            None => {}
        }
    }
    cases.finish();
    say("T11", format_args!("{} of {all} broken records: {old} old, {new} new", old + new));
}

/// The bigger ledger only makes the window wider; the verdict is the same.
#[test]
fn t01_a_kill_amid_a_large_ledger_leaves_a_whole_one() {
    let (mut dice, rounds) = (Dice::new("T1"), 10 * scale().min(20));
    let text = rows_text(3_000, "READY");
    let ground = Ground::with(&text);
    ground.run("note T-0001 first --as CMD@boss").ok();
    let longest = usual(&ground) * 3 / 2;
    for n in 0..rounds {
        let before = ground.text();
        let line = format!("note T-3000 n{n}. --as CMD@boss --op-id k{n} --json");
        let args: Vec<_> = line.split(' ').collect();
        let mut child =
            ground.command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let micros = usize::try_from(longest.as_micros()).unwrap();
        pause(Duration::from_micros(dice.below(micros) as u64));
        child.kill().unwrap();
        let exit = number(child.wait().unwrap());
        let between = ground.text();
        ground.run(&line).ok();
        let after = ground.text();
        assert!(between == before || between == after, "T1: round {n} is mixed");
        assert!(exit != 0 || between == after, "T1: round {n} is lost");
        assert_eq!(after.matches(&format!("n{n}.")).count(), 1);
    }
    unbroken(&ground, "T1");
}
