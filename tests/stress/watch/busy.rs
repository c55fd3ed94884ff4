//! What cannot be done is tried again, and not all the time: no failure keeps a
//! processor busy, and none is told again and again. And a keeper that stands still
//! is not waited for.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use super::heartbeat::fill;
use super::shop::{Shop, Watch, count, ready, runner, until};
use crate::support::ground::{HEAD, row};
use crate::support::image::Mounted;
use crate::support::{Stopwatch, pause, say, scale, skip};

/// How many hundredths of a second a watch works in a second, on average.
fn load(watch: &Watch) -> u64 {
    let seconds = 1 + scale() as u64 / 5;
    let (before, time) = (watch.process().ticks(), Stopwatch::start());
    while time.elapsed() < Duration::from_secs(seconds) {
        pause(Duration::from_millis(20));
    }
    (watch.process().ticks() - before) / seconds
}

#[track_caller]
fn is_calm(name: &str, watch: &mut Watch) {
    // The first tries are made at once.
    pause(Duration::from_millis(300));
    let load = load(watch);
    let troubles = count(watch.told(), "trouble", "");
    say("busy", format_args!("{name}: {load} % of a processor, {troubles} messages"));
    assert!(load < 25, "{name}: {load} % of a processor: {:#?}", watch.told());
    assert!(troubles <= 3, "{name}: {:#?}", watch.told());
}

#[test]
fn runs_whose_folder_cannot_be_made_keep_no_processor_busy() {
    let shop = Shop::new(&ready(3), &runner("exit 0", "", ""));
    fs::write(shop.path("ORCH/runs"), "in the way\n").unwrap();
    let mut watch = shop.watch();
    watch.event("trouble", "");
    is_calm("no folder", &mut watch);
    fs::remove_file(shop.path("ORCH/runs")).unwrap();
    shop.does(&["note", "T-1", "mended", "--as", "CMD@eve"]);
    until("all are run", || shop.states().get("REVIEW") == Some(&3));
    watch.closes();
}

#[test]
fn a_ledger_that_cannot_be_written_keeps_no_processor_busy() {
    if !rustix::process::geteuid().is_root() {
        return skip("busy", "only root can mount a disk that is full soon");
    }
    let dir = tempfile::tempdir().unwrap();
    let disk = Mounted::memory(&fs::canonicalize(dir.path()).unwrap(), 1024);
    let shop = Shop::on(disk.at(), "", &runner("exit 0", "", ""));
    let mut watch = shop.watch();
    watch.event("watching", "");
    shop.does(&["add", "Fine", "--id", "T-0", "--state", "READY", "--as", "CMD@eve"]);
    shop.until_state("T-0", "REVIEW");
    let beside = shop.ground.state().join("next");
    fs::write(&beside, shop.ground.text() + &ready(3)).unwrap();
    fill(&shop.path("full"));
    fs::rename(&beside, shop.ground.tasks()).unwrap();
    watch.event("trouble", "");
    is_calm("full disk", &mut watch);
    fs::remove_file(shop.path("full")).unwrap();
    until("all are run", || shop.states().get("REVIEW") == Some(&4));
    watch.closes();
    drop(shop);
}

#[test]
fn rows_that_stand_twice_keep_no_processor_busy_and_are_not_run() {
    let rows = format!("{}{}{}", ready(2), row("T-1", "Again", "READY"), row("T-3", "x", "READY"));
    let shop = Shop::new("", &runner("echo $ORCH_TASK_ID >>runs", "", ""));
    fs::write(shop.ground.tasks(), format!("{HEAD}{rows}")).unwrap();
    let mut watch = shop.watch();
    until("the others are run", || shop.lines("runs").len() >= 2);
    is_calm("twice", &mut watch);
    let mut runs = shop.lines("runs");
    runs.sort();
    assert_eq!(runs, ["T-2", "T-3"]);
    watch.closes();
}

#[test]
fn expired_leases_of_runs_that_live_keep_no_processor_busy() {
    let settings = runner("echo x >>runs; sleep 600", "timeout: 3d", "");
    let shop = Shop::new(&ready(1), &format!("leases: {{ttl: 5m, grace: 0s}}\n{settings}"));
    let _here = shop.watch();
    until("it runs", || shop.lines("runs").len() == 1);
    let Some(library) = super::surprises::library() else { return };
    let program = crate::support::ground::program();
    let words = ["env", &library, "FAKETIME=+2h", "DONT_FAKE_MONOTONIC=1", &program, "watch"];
    let mut there = shop.watch_with(&[&words[..], &["--json"]].concat());
    there.event("watching", "");
    is_calm("expired but alive", &mut there);
    assert_eq!(shop.lines("runs").len(), 1);
}

#[test]
fn a_lock_that_others_hold_keeps_no_processor_busy() {
    let settings = format!("lock_wait: 100ms\n{}", runner("exit 0", "", ""));
    let shop = Shop::new(&ready(3), &settings);
    shop.does(&["note", "T-1", "makes the lock", "--as", "CMD@eve"]);
    let lock = fs::File::options().write(true).open(shop.ground.lock()).unwrap();
    lock.lock().unwrap();
    let mut watch = shop.watch();
    watch.event("trouble", "");
    is_calm("lock", &mut watch);
    drop(lock);
    until("all are run", || shop.states().get("REVIEW") == Some(&3));
    watch.closes();
}

/// Its keeper is stopped: by its command here, by a debugger or a job control
/// elsewhere. Nobody keeps the time limit then but the watch.
const STOPS_ITS_KEEPER: &str = "echo $$ >pid; [ $ORCH_ATTEMPT = 1 ] || exit 0
    kill -STOP $PPID; sleep 600";

/// A limit of its own: what hangs here hangs for ever.
#[track_caller]
fn soon(what: &str, mut is_so: impl FnMut() -> bool) {
    let time = Stopwatch::start();
    while !is_so() {
        assert!(time.elapsed() < Duration::from_secs(20), "not after 20 s: {what}");
        pause(Duration::from_millis(5));
    }
}

#[test]
fn a_keeper_that_stands_still_does_not_keep_its_task_for_ever() {
    let more = "timeout: 300ms, grace: 100ms, retries: {max: 1, backoff: 1ms}";
    let shop = Shop::new(&ready(1), &runner(STOPS_ITS_KEEPER, more, ""));
    let _watch = shop.watch();
    let _ = shop.noted("pid");
    soon("its time limit counts all the same", || shop.state("T-1") == "REVIEW");
}

#[test]
fn a_keeper_that_stands_still_does_not_outlive_its_lease() {
    let shop = Shop::new(&ready(1), &runner(STOPS_ITS_KEEPER, "grace: 100ms", ""));
    let _watch = shop.watch();
    let command = shop.noted("pid");
    shop.does(&["hold", "T-1", "--as", "CMD@eve"]);
    soon("a task on HOLD has no run", || command.is_gone());
}

#[test]
fn a_keeper_that_stands_still_does_not_keep_a_drain_waiting() {
    let shop = Shop::new(&ready(1), &runner(STOPS_ITS_KEEPER, "grace: 100ms", "grace: 100ms"));
    let mut watch = shop.watch();
    let _ = shop.noted("pid");
    watch.signal(Signal::TERM);
    watch.event("draining", "");
    watch.signal(Signal::TERM);
    soon("the watch ends", || watch.has_ended());
}
