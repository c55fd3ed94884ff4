//! Tasks that fail for ever, in one way or in all of them: their number of runs is
//! bounded, and then it is somebody's turn.

use std::time::Duration;

use super::shop::{Shop, claims, never, ready, results, runner, until};
use crate::support::say;

/// Two more tasks are done while the first is left alone: so many looks were taken.
fn let_it_look(shop: &Shop) {
    for name in ["fine one", "fine two"] {
        let ran = shop.does(&["add", name, "--state", "READY", "--as", "CMD@eve", "--json"]);
        shop.until_state(&ran.id(), "REVIEW");
    }
}

#[test]
fn t55_one_that_always_fails_ends_in_fix_until_somebody_touches_it() {
    let script = "[ $ORCH_TASK_ID = T-1 ] || exit 0
        echo $ORCH_ATTEMPT >>runs; echo first; echo the last words >&2; exit 3";
    let settings = runner(script, "retries: {max: 2, backoff: 1ms}", "");
    let shop = Shop::new(&ready(1), &settings);
    let watch = shop.watch();
    shop.until_state("T-1", "FIX");
    assert_eq!(shop.lines("runs"), ["1", "2", "3"]);
    let notes = shop.cell("T-1", "notes");
    assert!(notes.contains("the last words") && notes.contains("exit 3"), "{notes}");
    let_it_look(&shop);
    assert_eq!(shop.lines("runs").len(), 3, "it was run again");
    drop(watch);
    for _ in 0..3 {
        shop.once();
    }
    assert_eq!(shop.lines("runs").len(), 3, "another watch ran it again");
    // Whoever touches it gives it all its attempts anew.
    shop.does(&["note", "T-1", "try again", "--as", "CMD@eve"]);
    let watch = shop.watch();
    until("it is given up", || results(&shop.journal(), "T-1").len() == 6);
    assert_eq!(shop.lines("runs")[3..], ["1", "2", "3"]);
    shop.until_state("T-1", "FIX");
    let_it_look(&shop);
    assert_eq!(shop.lines("runs").len(), 6);
    watch.closes();
    shop.is_sound();
}

/// What a run does to itself, and to its keeper.
const WAYS: [(&str, &str); 12] = [
    ("a number", "exit 3"),
    ("later", "exit 75"),
    ("a signal", "kill -KILL $$"),
    ("asked to end", "kill -TERM $$; sleep 600"),
    ("the time", "sleep 600"),
    ("deaf", "trap '' TERM; while :; do sleep 600; done"),
    ("its group", "kill -KILL 0"),
    ("the keeper killed", "kill -KILL $PPID; sleep 600"),
    ("the keeper asked", "kill -TERM $PPID; sleep 600"),
    ("the keeper interrupted", "kill -INT $PPID; sleep 600"),
    ("the keeper hung up", "kill -HUP $PPID; sleep 600"),
    ("the keeper stopped and killed", "kill -STOP $PPID; kill -KILL $PPID; sleep 600"),
];

#[test]
fn t55_each_way_to_fail_is_bounded() {
    let cases: Vec<String> =
        WAYS.iter().enumerate().map(|(n, (_, way))| format!("T-{}) {way};;", n + 1)).collect();
    let cases = cases.join("\n");
    // Ten runs are too many, and enough to see that.
    let script = format!(
        "echo $ORCH_ATTEMPT >>$ORCH_TASK_ID; [ $(wc -l <$ORCH_TASK_ID) -lt 10 ] || exit 0
         case $ORCH_TASK_ID in {cases} esac"
    );
    let more = "timeout: 300ms, grace: 50ms, retries: {max: 2, backoff: 1ms}";
    let shop = Shop::new(&ready(WAYS.len()), &runner(&script, more, "max_parallel: 6"));
    let watch = shop.watch();
    until("all ended", || shop.states().keys().all(|state| state == "FIX" || state == "REVIEW"));
    let journal = shop.journal();
    let mut unbounded = Vec::new();
    for (n, (name, _)) in WAYS.iter().enumerate() {
        let id = format!("T-{}", n + 1);
        let (runs, results) = (claims(&journal, &id), results(&journal, &id));
        if (runs, shop.state(&id).as_str()) != (3, "FIX") {
            unbounded.push(format!("{name}: {runs} runs, {}: {results:?}", shop.state(&id)));
        }
    }
    assert!(unbounded.is_empty(), "of three attempts:\n{}", unbounded.join("\n"));
    watch.closes();
    shop.is_sound();
    say("T55", format_args!("{} ways to fail, each bounded", WAYS.len()));
}

#[test]
fn t55_ways_to_fail_that_take_turns_share_one_bound() {
    let script = "echo $ORCH_ATTEMPT >>runs; case $(wc -l <runs) in
        1) exit 3;; 2) kill -KILL $$;; 3) sleep 600;; 4) exit 75;; 5) kill -KILL $PPID; sleep 600;;
        6) exit 75;; *) exit 0;; esac";
    let more = "timeout: 300ms, grace: 50ms, retries: {max: 5, backoff: 1ms}";
    let shop = Shop::new(&ready(1), &runner(script, more, ""));
    let watch = shop.watch();
    until("it is given up", || results(&shop.journal(), "T-1").len() >= 6);
    shop.until_state("T-1", "FIX");
    let expected = ["exit 3", "signal 9", "timed out", "later", "lost", "later"];
    assert_eq!(results(&shop.journal(), "T-1"), expected);
    assert_eq!(shop.lines("runs"), ["1", "2", "3", "4", "5", "6"]);
    watch.closes();
    shop.is_sound();
}

/// The watch of a run, by its record.
const WATCH: &str = "$(sed 's/.*\"watch_pid\":\\([0-9]*\\).*/\\1/' \
    ORCH/runs/$ORCH_TASK_ID/$ORCH_LEASE_TOKEN/run.json)";

#[test]
fn t55_what_kills_its_watch_each_time_is_bounded() {
    for (name, last) in [
        ("watch and keeper", "kill -KILL $PPID; sleep 600"),
        ("watch, then fails", "exit 1"),
        ("watch and itself", "kill -KILL $$"),
    ] {
        let script = format!(
            "[ $(wc -l <runs) -lt 9 ] || exit 0
             echo $ORCH_ATTEMPT >>runs; kill -KILL {WATCH}; {last}"
        );
        let shop = Shop::new(&ready(1), &runner(&script, "retries: {max: 2, backoff: 1ms}", ""));
        std::fs::write(shop.path("runs"), "").unwrap();
        for _ in 0..5 {
            let mut watch = shop.watch();
            until("it ends or gives up", || {
                watch.has_ended() || results(&shop.journal(), "T-1").len() >= 3
            });
        }
        let journal = shop.journal();
        assert_eq!(shop.lines("runs"), ["1", "2", "3"], "{name}: {:?}", results(&journal, "T-1"));
        assert_eq!(shop.state("T-1"), "FIX", "{name}");
        shop.is_sound();
    }
}

#[test]
fn t55_once_again_and_again_is_bounded_and_keeps_its_pauses() {
    let script = "echo $ORCH_ATTEMPT >>runs; exit 3";
    let more = "retries: {max: 2, backoff: 1ms, max_backoff: 1ms}";
    let shop = Shop::new(&ready(1), &runner(script, more, ""));
    for _ in 0..6 {
        shop.once();
    }
    assert_eq!(shop.lines("runs"), ["1", "2", "3"]);
    assert_eq!(shop.state("T-1"), "FIX");
    shop.is_sound();
    // The pause is drawn from nothing to the limit: hardly ever a second of an hour.
    let more = "retries: {max: 100, backoff: 1h, max_backoff: 1h}";
    let shop = Shop::new(&ready(1), &runner(script, more, ""));
    for _ in 0..6 {
        shop.once();
    }
    let runs = || shop.lines("runs").len();
    assert!(runs() <= 2, "{}", runs());
    never("it is run before its time", Duration::from_millis(50), || runs() > 2);
}
