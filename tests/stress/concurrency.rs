//! Crowds: many writers at once, and everything that was said twice.

use std::collections::BTreeMap;

use super::support::ground::{Ground, nth};
use super::support::judge::unbroken;
use super::support::{Dice, at_once, say, scale};
use serde_json::Value;

#[test]
fn t13_of_many_claimers_no_two_ever_get_one_task() {
    let (crowd, each) = ((16 * scale()).min(64), 10);
    // A few too few, so that the last ones find nothing.
    let tasks = crowd * each - crowd / 2;
    let ground = Ground::of_rows(tasks, "READY");
    let ends = at_once(crowd, |w| {
        (0..each)
            .map(|_| ground.orch(&["claim", "--next", "--json", "--as", &format!("WORK@w{w}")]))
            .collect::<Vec<_>>()
    });
    let (mut won, mut none) = (BTreeMap::new(), 0);
    for (w, ran) in ends.iter().enumerate().flat_map(|(w, ends)| ends.iter().map(move |r| (w, r))) {
        match ran.exit {
            0 => {
                let before = won.insert(ran.id(), (format!("WORK@w{w}"), ran.token()));
                assert_eq!(before, None, "`{}` was claimed twice", ran.id());
            }
            12 => none += 1,
            _ => panic!("{ran:?}"),
        }
    }
    assert_eq!((won.len(), none), (tasks, crowd * each - tasks));
    for (id, row) in ground.rows() {
        assert_eq!((row["state"].as_str(), &row["lock_owner"]), ("DOING", &won[&id].0), "{id}");
    }
    let journal = unbroken(&ground, "T13");
    let claims: Vec<&Value> = journal.iter().filter(|e| e["command"] == "claim").collect();
    let tokens: Vec<u64> = claims.iter().map(|e| e["token"].as_u64().unwrap()).collect();
    assert!(tokens.windows(2).all(|pair| pair[0] < pair[1]), "tokens grow: {tokens:?}");
    for entry in &claims {
        let (actor, token) = &won[entry["task"].as_str().unwrap()];
        assert_eq!(entry["actor"], **actor, "{entry}");
        assert_eq!(entry["token"].as_u64(), Some(*token), "{entry}");
    }
    assert_eq!(claims.len(), tasks);
    say("T13", format_args!("{crowd} × {each} claims: {tasks} won, 0 twice, {none} found nothing"));
}

#[test]
fn t14_no_acknowledged_edit_of_a_storm_is_lost() {
    let (crowd, each) = ((12 * scale()).min(32), 8 * scale().min(25));
    let ground = Ground::of_rows(8, "PLAN");
    // Four writers share a row; each has a cell of its own, one adds rows.
    let cell = |w: usize| (nth(1 + w / 4), ["due", "artifact", "title", "owner"][w % 4]);
    let value = |w: usize, n: usize| match w % 4 {
        0 => format!("20{:02}-{:02}-{:02}", 30 + w, 1 + n / 28 % 12, 1 + n % 28),
        3 => format!("WORK@w{w}n{n}"),
        _ => format!("by-{w}-{n}"),
    };
    at_once(crowd, |w| {
        let (id, column) = cell(w);
        for n in 0..each {
            let set = format!("{column}={}", value(w, n));
            ground.orch(&["set", &id, &set, "--as", "CMD@boss"]).ok();
        }
        ground.orch(&["add", &format!("row of {w}"), "--as", "CMD@boss"]).ok();
    });
    let (rows, journal) = (ground.rows(), unbroken(&ground, "T14"));
    for w in 0..crowd {
        let (id, column) = cell(w);
        assert_eq!(rows[&id][column], value(w, each - 1), "`{id}` {column}");
        assert_eq!(rows.values().filter(|r| r["title"] == format!("row of {w}")).count(), 1);
    }
    assert_eq!(rows.len(), 8 + crowd);
    // Each edit has a line, in the order in which its writer made it.
    let said: Vec<&str> = journal.iter().map(|e| e["diff"].as_str().unwrap_or("")).collect();
    for w in 0..crowd {
        let mut from = 0;
        for n in 0..each {
            let word = format!(" {} ", value(w, n));
            let brings = |diff: &&str| {
                let has = |sign| diff.lines().any(|l| l.starts_with(sign) && l.contains(&word));
                has('+') && !has('-')
            };
            let at = said[from..].iter().position(brings);
            let at = at.unwrap_or_else(|| panic!("`{word}` has no line after line {from}"));
            from += at + 1;
        }
    }
    assert_eq!(journal.len(), 1 + crowd * (each + 1));
    ground.no_temporaries("T14");
    say("T14", format_args!("{crowd} × {each} edits of 8 rows, all there, all in the journal"));
}

/// A random command that may or may not be possible just then.
fn any(ground: &Ground, n: usize, dice: &mut Dice) -> String {
    let ids: Vec<String> = ground.rows().into_keys().collect();
    let id = dice.pick(&ids).clone();
    let actor = *dice.pick(&["WORK@ada", "WORK@bob", "CMD@boss", "AUDIT@eve"]);
    let line = match dice.below(14) {
        0 => format!("add title{n} --state READY"),
        1 => format!("add title{n} --priority HIGH --due 2030-01-01"),
        2 => format!("set {id} due=2030-01-{:02}", 1 + n % 28),
        3 => format!("set {id} priority=LOW artifact=a{n}"),
        4 => format!("note {id} text{n}"),
        5 => format!("ready {id}"),
        6 => format!("claim {id}"),
        7 => "claim --next".to_owned(),
        8 => format!("submit {id}"),
        9 => format!("release {id}"),
        10 => format!("done {id}"),
        11 => format!("fix {id} --note no"),
        12 => format!("hold {id}"),
        _ => format!("resume {id}"),
    };
    format!("{line} --as {actor} --op-id k{n} --json")
}

#[test]
fn t22_a_thousand_operations_said_twice_are_done_once() {
    let (mut dice, rounds) = (Dice::new("T22"), 100 * scale().min(50));
    let ground = Ground::of_rows(12, "READY");
    let mut done: Vec<(String, Value)> = Vec::new();
    for n in 0..rounds {
        let line = any(&ground, n, &mut dice);
        let ran = ground.run(&line);
        ran.ended_by_itself(&line);
        // Only what committed is remembered.
        if ran.exit == 0 && ran.json()["data"]["already"] == false {
            done.push((line, ran.json()["data"].clone()));
        }
    }
    assert!(done.len() > rounds / 5, "{} of {rounds} were possible", done.len());
    let before = ground.files();
    for (line, first) in &done {
        let mut data = ground.run(line).ok().json()["data"].clone();
        assert_eq!(data["already"], true, "{line}");
        data["already"] = false.into();
        assert_eq!(&data, first, "{line}");
    }
    assert_eq!(ground.files(), before, "the second time changed something");
    for (line, _) in done.iter().step_by(7) {
        let other = line.replace("--as", "--note other --as");
        assert_eq!(ground.run(&other).exit, 2, "another command with a used key: {other}");
    }
    unbroken(&ground, "T22");
    say("T22", format_args!("{} operations said twice, done once, 0 bytes changed", done.len()));
}
