//! Watches that are killed: what they hold goes free at once, and what they left
//! is taken over or ended by the next.

use std::fs;
use std::process::Command;
use std::time::Duration;

use super::shop::{Shop, claims, ready, results, runner, until};
use crate::support::ground::program;
use crate::support::strace::works;
use crate::support::{Cases, Dice, Stopwatch, is_shipped, pause, say, scale};

#[test]
fn t17_a_killed_watch_leaves_no_lock_to_its_children() {
    let shop = Shop::new(&ready(1), &runner("echo $$ >pid; exec sleep 60", "", ""));
    let mut watch = shop.watch();
    watch.event("started", "T-1");
    let command = shop.noted("pid");
    watch.die();
    let mut best = Duration::MAX;
    for line in ["list", "note T-1 hello", "list", "note T-1 again", "note T-1 more"] {
        let time = Stopwatch::start();
        let _ = shop.ground.run(line).ok();
        if line != "list" {
            best = best.min(time.elapsed());
        }
    }
    let limit = if is_shipped() { 100 } else { 5000 };
    assert!(best < Duration::from_millis(limit), "a note took {best:?}");
    let family = shop.processes();
    assert!(family.len() == 2 && family.contains(&command), "{family:?}");
    for process in family {
        for handle in fs::read_dir(format!("/proc/{}/fd", process.pid)).unwrap().flatten() {
            let to = fs::read_link(handle.path()).unwrap_or_default();
            let name = to.to_string_lossy();
            let ours = name.contains("ORCH/STATE") || name.ends_with("watch.lock");
            assert!(!ours, "{process:?} has {name} open");
        }
    }
    // And the next one takes the run over instead of beginning another.
    let mut next = shop.watch();
    next.event("recovered", "T-1");
    assert_eq!(shop.lines("pid").len(), 1);
    assert!(!command.is_gone());
    say("T17", format_args!("a note {best:?} after the kill"));
}

#[test]
fn t50_killed_at_any_moment_it_loses_and_repeats_nothing() {
    let (mut dice, kills) = (Dice::new("T50"), 10 * scale().min(20));
    let tasks = 10 + 2 * kills;
    let script = "echo b $ORCH_TASK_ID $ORCH_LEASE_TOKEN >>runs
        sleep 0.0$((ORCH_LEASE_TOKEN % 90 + 10))
        echo e $ORCH_TASK_ID $ORCH_LEASE_TOKEN >>runs
        case $((ORCH_LEASE_TOKEN % 7)) in 0) exit 75;; 1) exit 1;; 2) kill -SEGV $$;; esac";
    let more = "retries: {max: 3, backoff: 1ms}";
    let shop = Shop::new(&ready(tasks), &runner(script, more, "max_parallel: 8"));
    let time = Stopwatch::start();
    for _ in 0..kills {
        let mut watch = shop.watch();
        pause(Duration::from_millis(5 + dice.next() % 250));
        watch.die();
    }
    let mut watch = shop.watch();
    until("all is done", || {
        watch.told();
        shop.states().keys().all(|state| state == "REVIEW" || state == "FIX")
    });
    until("the last one is settled", || shop.processes().is_empty());
    watch.closes();
    shop.is_sound();
    let journal = shop.journal();
    let mut lost = 0;
    for id in shop.ground.rows().keys() {
        let (claims, results) = (claims(&journal, id), results(&journal, id));
        assert!((1..=4).contains(&claims), "{id}: {claims} runs");
        assert_eq!(results.len(), claims, "{id}: {results:?}");
        lost += results.iter().filter(|result| *result == "lost").count();
        let state = shop.state(id);
        let last = results.last().map(String::as_str);
        assert_eq!(state == "REVIEW", last == Some("ok"), "{id}: {state} after {results:?}");
    }
    alone(&shop.lines("runs"), 8);
    let took = time.elapsed();
    say("T50", format_args!("{kills} kills, {tasks} tasks, {lost} runs lost, {took:.1?}"));
}

/// The calls of a watch's only acting thread that change something; its keepers are
/// not touched.
const CALLS: [&str; 16] = [
    "write",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "flock",
    "mkdir",
    "mkdirat",
    "clone3",
    "fchmod",
    "ftruncate",
];

/// `watch --once` under strace, without what it starts.
fn traced(shop: &Shop, options: &[&str]) -> String {
    let log = tempfile::NamedTempFile::new().unwrap();
    let words = ["-qq", "-e", "signal=none", "-o", log.path().to_str().unwrap()];
    let mut command = shop.ground.tool("strace", &[&words[..], options].concat());
    command.args([program().as_str(), "watch", "--once"]).output().unwrap();
    fs::read_to_string(log.path()).unwrap()
}

#[test]
fn t50_killed_at_any_call_it_loses_and_repeats_nothing() {
    if !works("T50") {
        return;
    }
    let script = "echo b $ORCH_TASK_ID $ORCH_LEASE_TOKEN >>runs; sleep 0.05
        echo e $ORCH_TASK_ID $ORCH_LEASE_TOKEN >>runs";
    let fresh = || Shop::new(&ready(1), &runner(script, "retries: {max: 3, backoff: 1ms}", ""));
    let log = traced(&fresh(), &["-e", &format!("trace={}", CALLS.join(","))]);
    let mut points: Vec<(&str, usize)> = Vec::new();
    for name in CALLS {
        let times = log.lines().filter(|line| line.starts_with(&format!("{name}("))).count();
        points.extend((1..=times).map(|nth| (name, nth)));
    }
    let all = points.len();
    assert!(all > 40, "{log}");
    // At the usual size a part will do.
    let mut dice = Dice::new("T50");
    while points.len() > 12 * scale() {
        points.swap_remove(dice.below(points.len()));
    }
    let (mut again, mut cases) = (0, Cases::new("T50"));
    for (name, nth) in &points {
        cases.judge(|| {
            let at = format!("{name} {nth}");
            let shop = fresh();
            let inject = format!("inject={name}:signal=SIGKILL:when={nth}");
            traced(&shop, &["-e", &format!("trace={name}"), "-e", &inject]);
            let mut tries = 0;
            while shop.state("T-1") != "REVIEW" {
                tries += 1;
                assert!(tries <= 4, "{at}: {}: {:?}", shop.state("T-1"), shop.journal());
                shop.once();
            }
            shop.once();
            alone(&shop.lines("runs"), 1);
            let claims = claims(&shop.journal(), "T-1");
            let results = results(&shop.journal(), "T-1");
            assert_eq!(shop.lines("runs").len(), 2, "{at}: {results:?}");
            assert!(claims == 1 || results == ["lost", "ok"], "{at}: {results:?}");
            again += claims - 1;
            shop.is_sound();
        });
    }
    cases.finish();
    let points = points.len();
    say("T50", format_args!("killed at {points} of {all} calls: {again} runs lost, none repeated"));
}

#[test]
fn t50_what_a_killed_watch_left_in_the_folders_of_runs_is_cleared() {
    let shop = Shop::new(&ready(1), &runner("exit 0", "", ""));
    shop.once();
    let run = shop.runs("T-1").remove(0);
    fs::write(run.join(".settled.orch-0123456789abcdef"), "").unwrap();
    // Killed inside of a claim that was never committed.
    let never = shop.path("ORCH/runs/T-1/1700000000000");
    fs::create_dir(&never).unwrap();
    fs::write(never.join("watch.lock"), "").unwrap();
    fs::write(never.join(".run.json.orch-0123456789abcdef"), "{").unwrap();
    // One that is younger may be in the making.
    let old = Command::new("touch").args(["-d", "1 hour ago"]).arg(&never).status();
    assert!(old.unwrap().success());
    for _ in 0..2 {
        shop.once();
    }
    let left = shop.ground.temporaries();
    assert!(left.is_empty() && !never.exists(), "{left:?}, {}", never.exists());
}

/// Of lines `b TASK TOKEN` and `e TASK TOKEN` in the order of time: no task runs
/// twice at once, no run begins twice, and never more than `most` go on. A run
/// that was killed has no second line; then another of its task may begin.
#[track_caller]
pub fn alone(lines: &[String], most: usize) {
    let mut going: Vec<(&str, &str)> = Vec::new();
    let mut begun = std::collections::BTreeSet::new();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let [kind, task, token] = words[..] else { panic!("a torn line: {line}") };
        if kind == "e" {
            going.retain(|run| *run != (task, token));
            continue;
        }
        assert!(begun.insert(token), "the run {token} of {task} began twice");
        let beside = going.iter().find(|(other, _)| *other == task);
        assert_eq!(beside, None, "{task} runs twice at once, {token} beside");
        going.push((task, token));
        assert!(going.len() <= most, "{} runs at once: {going:?}", going.len());
    }
}
