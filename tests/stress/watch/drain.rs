//! Signals to a watch: nothing new is begun, what goes on is given its time, and
//! nothing of it is used up.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::shop::{Shop, claims, count, ready, results, runner};
use crate::support::{Stopwatch, is_shipped, say};

/// Four at once: one that ends in its time, one that ends when asked, one that
/// does not care, and one that begins others which do not.
const MIXED: &str = "trap 'exit 9' TERM
    case $ORCH_TASK_ID in
        T-1) trap '' TERM; echo $$ >T-1; until [ -e go ]; do sleep 0.01; done; exit 0;;
        T-2) echo $$ >T-2; sleep 600 & wait;;
        T-3) trap '' TERM; echo $$ >T-3; while :; do sleep 600; done;;
        *) (trap '' TERM; setsid sleep 600 & sleep 600) & trap '' TERM
           echo $$ >T-4; while :; do sleep 600; done;;
    esac";

const IDS: [&str; 4] = ["T-1", "T-2", "T-3", "T-4"];

fn after<'t>(told: &'t [Value], event: &str) -> &'t [Value] {
    let at = told.iter().position(|line| line["event"] == event).expect("it was told");
    &told[at + 1..]
}

fn generous(time: Duration) -> Duration {
    if is_shipped() { time } else { time * 6 }
}

#[test]
fn t54_a_drain_begins_nothing_and_uses_up_nothing() {
    for signal in [Signal::TERM, Signal::INT] {
        // With no retries at all a counted attempt would be FIX.
        let settings = runner(MIXED, "retries: {max: 0}", "max_parallel: 4, grace: 1s");
        let shop = Shop::new(&ready(7), &settings);
        let mut watch = shop.watch();
        for id in IDS {
            let _ = shop.noted(id);
        }
        let time = Stopwatch::start();
        watch.signal(signal);
        watch.event("draining", "");
        // Neither room nor a change is a reason to begin anything now.
        std::fs::write(shop.path("go"), "").unwrap();
        shop.does(&["add", "One more", "--state", "READY", "--as", "CMD@eve"]);
        let (exit, told) = watch.ends();
        let took = time.elapsed();
        assert_eq!(exit, 0, "{signal:?}: {told:#?}");
        assert!(took < generous(Duration::from_secs(3)), "{signal:?}: {took:?}");
        assert_eq!(count(after(&told, "draining"), "started", ""), 0, "{told:#?}");
        assert_eq!(told.last().unwrap()["event"], "stopped");
        assert_eq!(shop.processes(), [], "{signal:?}");
        let leases = shop.does(&["leases", "--json"]).json();
        assert_eq!(leases["data"]["total"], 0, "{leases}");
        let journal = shop.journal();
        assert_eq!(results(&journal, "T-1"), ["ok"]);
        for id in &IDS[1..] {
            assert_eq!(results(&journal, id), ["drained"], "{id}");
            assert_eq!(shop.state(id), "READY", "{id}");
        }
        assert_eq!((shop.states()["READY"], shop.states()["REVIEW"]), (7, 1));
        let mut next = shop.watch();
        assert_eq!(next.event("started", "T-2")["attempt"], 1);
        next.die();
        say("T54", format_args!("{signal:?}: ended {took:.1?} after it, with a grace of 1 s"));
    }
}

#[test]
fn t54_a_second_signal_ends_everything_at_once() {
    for signals in [[Signal::TERM; 2], [Signal::INT; 2], [Signal::TERM, Signal::INT]] {
        let more = "grace: 10m, retries: {max: 0}";
        let settings = runner(MIXED, more, "max_parallel: 4, grace: 10m");
        let shop = Shop::new(&ready(4), &settings);
        let mut watch = shop.watch();
        for id in IDS {
            let _ = shop.noted(id);
        }
        watch.signal(signals[0]);
        watch.event("draining", "");
        let time = Stopwatch::start();
        watch.signal(signals[1]);
        let (exit, told) = watch.ends();
        let took = time.elapsed();
        assert_eq!(exit, 0, "{told:#?}");
        assert!(took < generous(Duration::from_secs(2)), "{signals:?}: {took:?}");
        assert_eq!(shop.processes(), []);
        assert_eq!(shop.states().get("READY"), Some(&4), "{:?}", shop.states());
        shop.is_sound();
    }
}

#[test]
fn t54_one_that_waits_ends_at_once_and_once_drains_too() {
    let shop = Shop::new("", &runner("exit 0", "", "grace: 10m"));
    let mut watch = shop.watch();
    watch.event("watching", "");
    let time = Stopwatch::start();
    let told = watch.closes();
    assert!(time.elapsed() < generous(Duration::from_secs(2)));
    assert_eq!(count(&told, "stopped", ""), 1, "{told:#?}");
    let shop = Shop::new(&ready(1), &runner("echo $$ >pid; sleep 600", "", "grace: 0s"));
    let program = crate::support::ground::program();
    let once = shop.watch_with(&[&program, "watch", "--once", "--format=jsonl"]);
    let _ = shop.noted("pid");
    once.closes();
    assert_eq!((shop.state("T-1").as_str(), claims(&shop.journal(), "T-1")), ("READY", 1));
    shop.is_sound();
}
