//! Settings, ledgers, folders and clocks that change under a working watch.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use super::crashes::alone;
use super::shop::{Shop, claims, count, ready, results, runner, tool, until};
use crate::support::ground::program;
use crate::support::{Stopwatch, has, pause, say, scale, skip};

const RUNS: &str = "echo $ORCH_TASK_ID one >>runs";

/// Adds a task and waits until it was run.
fn one_more(shop: &Shop) -> String {
    let ran = shop.does(&["add", "Fine", "--state", "READY", "--as", "CMD@eve", "--json"]);
    let id = ran.id();
    shop.until_state(&id, "REVIEW");
    id
}

fn troubles(told: &[Value]) -> Vec<&str> {
    let is_so = |e: &&Value| e["event"] == "trouble";
    told.iter().filter(is_so).filter_map(|e| e["message"].as_str()).collect()
}

#[test]
fn settings_that_break_stay_as_they_were_and_that_is_told_once() {
    let good = runner(RUNS, "", "");
    let shop = Shop::new("", &good);
    let mut watch = shop.watch();
    // A person's commands need settings that can be read, so the rows come by hand.
    let add = |id: &str| {
        let row = crate::support::ground::row(id, "By hand", "READY");
        let text = shop.ground.text() + &row;
        fs::write(shop.ground.tasks(), text).unwrap();
        let ran = format!("{id} one");
        until(&ran, || shop.lines("runs").contains(&ran));
    };
    add("T-1");
    shop.ground.settings("watch: {runers: []}\n");
    watch.event("trouble", "");
    for id in ["T-2", "T-3", "T-4"] {
        add(id);
    }
    let told = watch.told().to_vec();
    assert_eq!(troubles(&told).len(), 1, "{told:#?}");
    assert!(troubles(&told)[0].contains("runers") && troubles(&told)[0].contains("old settings"));
    let alerts = |state: &str| {
        let log = shop.ground.root().join("ORCH/LOGS");
        let months = fs::read_dir(log).unwrap().flatten();
        let text: String = months
            .map(|m| fs::read_to_string(m.path().join("alerts.jsonl")).unwrap_or_default())
            .collect();
        text.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|a| a["kind"] == "settings_invalid" && a["state"] == state)
            .count()
    };
    until("an alert fires", || alerts("firing") == 1);
    // Another runner from now on.
    shop.ground.settings(&runner("echo $ORCH_TASK_ID two >>runs", "", ""));
    watch.event("reloaded", "");
    let id = one_more(&shop);
    assert!(shop.lines("runs").contains(&format!("{id} two")));
    until("the alert is resolved", || alerts("resolved") == 1);
    watch.closes();
    shop.is_sound();
}

#[test]
fn a_ledger_that_breaks_is_told_once_and_keeps_no_processor_busy() {
    let shop = Shop::new("", &runner(RUNS, "", "poll: 100ms"));
    let mut watch = shop.watch();
    one_more(&shop);
    let process = watch.process();
    let whole = fs::read(shop.ground.tasks()).unwrap();
    let breaks: [&dyn Fn(); 4] = [
        &|| fs::write(shop.ground.tasks(), b"| a \0 |\n").unwrap(),
        &|| fs::write(shop.ground.tasks(), b"| \xff\xfe |\n").unwrap(),
        &|| fs::write(shop.ground.tasks(), "# no table\n").unwrap(),
        &|| fs::remove_file(shop.ground.tasks()).unwrap(),
    ];
    for (n, break_it) in breaks.into_iter().enumerate() {
        let before = (watch.told().len(), process.ticks());
        break_it();
        let seconds = 1 + scale() as u64 / 5;
        let time = Stopwatch::start();
        while time.elapsed() < Duration::from_secs(seconds) {
            pause(Duration::from_millis(50));
        }
        let ticks = process.ticks() - before.1;
        let told = watch.told()[before.0..].to_vec();
        assert!(!watch.has_ended(), "{n}: {told:#?}");
        // A debug build reads slowly; a busy loop takes all of it.
        assert!(ticks < 40 * seconds, "{n}: {ticks} hundredths of a second in {seconds} s");
        // That there is no file is said as one that was just there, or as no workspace.
        let most = if n == 3 { 2 } else { 1 };
        assert!(troubles(&told).len() <= most, "{n}: {told:#?}");
        fs::write(shop.ground.tasks(), &whole).unwrap();
        let time = Stopwatch::start();
        one_more(&shop);
        say("broken", format_args!("{n}: {ticks} ticks, works again after {:.1?}", time.elapsed()));
        fs::write(shop.path("whole"), "").unwrap();
    }
    watch.closes();
}

#[test]
fn the_folders_of_a_run_may_vanish_under_it() {
    for gone in ["ORCH/runs", "ORCH/STATE/LOCKS", "ORCH/LOGS"] {
        let script = "echo $ORCH_TASK_ID >>runs; [ $ORCH_ATTEMPT = 1 ] || exit 0
            until [ -e go ]; do sleep 0.01; done";
        let shop = Shop::new(&ready(1), &runner(script, "retries: {max: 3, backoff: 1ms}", ""));
        let mut watch = shop.watch();
        until("it runs", || shop.lines("runs").len() == 1);
        fs::remove_dir_all(shop.path(gone)).unwrap();
        fs::write(shop.path("go"), "").unwrap();
        until(&format!("{gone}: it is handed in"), || {
            assert!(!watch.has_ended(), "{gone}: {:#?}", watch.told());
            shop.state("T-1") == "REVIEW"
        });
        assert!(shop.lines("runs").len() <= 2, "{gone}");
        until("no process is left", || shop.processes().is_empty());
        watch.closes();
    }
}

#[test]
fn a_schedule_runs_once_for_each_due_time_however_many_watch() {
    let settings = format!(
        "watch: {{max_parallel: 6, schedules: [{{name: each, cron: '* * * * * *', run: [sh, -c, \
         'echo {} >>ran']}}]}}\n",
        "x"
    );
    let shop = Shop::new("", &settings);
    let watches = [shop.watch(), shop.watch(), shop.watch()];
    let time = Stopwatch::start();
    until("it ran three times", || shop.lines("ran").len() >= 3);
    let least = time.elapsed();
    let mut due: Vec<String> = Vec::new();
    for watch in watches {
        let told = watch.closes();
        let of = |e: &&Value| e["event"] == "started" && e["task"] == "each";
        due.extend(told.iter().filter(of).map(|e| e["message"].to_string()));
    }
    until("all end", || shop.processes().is_empty());
    let runs = shop.lines("ran").len();
    due.sort();
    let all = due.len();
    due.dedup();
    assert_eq!((runs, all), (due.len(), due.len()), "{due:#?}");
    assert!(least > Duration::from_secs(1), "three due times take two seconds: {least:?}");
}

/// What to preload for a clock of one's own, as a variable. The tool itself would
/// stay between us and the watch, and signals would not reach that.
pub fn library() -> Option<String> {
    if !has("clocks", "faketime", &["-f", "+1d", "true"]) {
        return None;
    }
    let env = tool("faketime", &["-f", "+0", "env"]).output().unwrap();
    let env = String::from_utf8(env.stdout).unwrap();
    let found = env.lines().find(|line| line.starts_with("LD_PRELOAD="));
    if found.is_none() {
        skip("clocks", "faketime names no library to preload");
    }
    found.map(str::to_owned)
}

#[test]
fn clocks_that_are_apart_do_not_run_a_task_twice() {
    let Some(library) = library() else { return };
    let orch = program();
    for offset in ["+2h", "-2h", "+2d"] {
        let script = "echo b $ORCH_TASK_ID $ORCH_LEASE_TOKEN >>runs
            case $ORCH_TASK_ID in T-1|T-2) until [ -e go ]; do sleep 0.02; done;; esac
            echo e $ORCH_TASK_ID $ORCH_LEASE_TOKEN >>runs";
        let settings = runner(script, "timeout: 3d", "max_parallel: 3, poll: 200ms");
        let shop = Shop::new(&ready(2), &format!("leases: {{ttl: 1m, grace: 0s}}\n{settings}"));
        let here = shop.watch();
        until("two run", || shop.lines("runs").len() == 2);
        // To its eyes those leases ended long ago, or begin in the time to come.
        let clock = format!("FAKETIME={offset}");
        let words = ["env", &library, &clock, "DONT_FAKE_MONOTONIC=1", &orch, "watch", "--json"];
        let mut there = shop.watch_with(&words);
        there.event("watching", "");
        for _ in 0..3 {
            let ran = shop.does(&["add", "Fine", "--state", "READY", "--as", "CMD@eve", "--json"]);
            shop.until_state(&ran.id(), "REVIEW");
        }
        // And then it is alone with them.
        drop(here);
        there.event("recovered", "T-1");
        let id = one_more(&shop);
        assert_eq!(claims(&shop.journal(), &id), 1);
        fs::write(shop.path("go"), "").unwrap();
        until("all is done", || shop.states().keys().all(|state| state == "REVIEW"));
        let told = there.closes();
        alone(&shop.lines("runs"), 3);
        let journal = shop.journal();
        for id in ["T-1", "T-2"] {
            assert_eq!((claims(&journal, id), results(&journal, id)), (1, vec!["ok".to_owned()]));
        }
        assert_eq!(count(&told, "reaped", ""), 0, "{offset}: {told:#?}");
    }
}

#[test]
fn a_clock_that_jumps_under_a_watch_does_not_end_or_repeat_its_runs() {
    let Some(library) = library() else { return };
    let script = "echo b $ORCH_TASK_ID $ORCH_LEASE_TOKEN >>runs
        [ $ORCH_TASK_ID != T-1 ] || until [ -e go ]; do sleep 0.02; done
        echo e $ORCH_TASK_ID $ORCH_LEASE_TOKEN >>runs";
    let settings = runner(script, "timeout: 3d", "max_parallel: 3, poll: 200ms");
    let shop = Shop::new(&ready(1), &format!("leases: {{ttl: 1m, grace: 0s}}\n{settings}"));
    let clock = shop.path("clock");
    let jump = |to: &str| {
        fs::write(shop.path("clock.new"), format!("{to}\n")).unwrap();
        fs::rename(shop.path("clock.new"), &clock).unwrap();
    };
    jump("+0");
    let file = format!("FAKETIME_TIMESTAMP_FILE={}", clock.display());
    let orch = program();
    let words = ["env", &library, &file, "FAKETIME_NO_CACHE=1", "DONT_FAKE_MONOTONIC=1", &orch];
    let watch = shop.watch_with(&[&words[..], &["watch", "--json"]].concat());
    until("it runs", || shop.lines("runs").len() == 1);
    for to in ["+50m", "-3h", "+2d", "+0"] {
        jump(to);
        // By hand: a person's command would have another clock.
        let n = shop.ground.rows().len() + 1;
        let row = crate::support::ground::row(&format!("T-{n}"), "Fine", "READY");
        fs::write(shop.ground.tasks(), shop.ground.text() + &row).unwrap();
        shop.until_state(&format!("T-{n}"), "REVIEW");
        assert_eq!(shop.state("T-1"), "DOING", "{to}");
    }
    fs::write(shop.path("go"), "").unwrap();
    shop.until_state("T-1", "REVIEW");
    watch.closes();
    alone(&shop.lines("runs"), 3);
    let journal = shop.journal();
    assert_eq!((claims(&journal, "T-1"), results(&journal, "T-1")), (1, vec!["ok".to_owned()]));
}
