//! Several watches on one workspace, which know nothing of each other.

use super::crashes::alone;
use super::shop::{Shop, claims, count, ready, results, runner, until};
use crate::support::{Stopwatch, say, scale};

#[test]
fn t58_several_watches_run_every_task_once() {
    for watchers in [2, 3] {
        let tasks = (30 * scale()).min(500);
        let script = "echo b $ORCH_TASK_ID $ORCH_LEASE_TOKEN >>runs
            sleep 0.0$((ORCH_LEASE_TOKEN % 40 + 10))
            echo e $ORCH_TASK_ID $ORCH_LEASE_TOKEN >>runs";
        let shop = Shop::new(&ready(tasks), &runner(script, "", "max_parallel: 4"));
        let time = Stopwatch::start();
        let watches: Vec<_> = (0..watchers).map(|_| shop.watch()).collect();
        until("all is done", || shop.states().get("REVIEW") == Some(&tasks));
        let took = time.elapsed();
        let told: Vec<_> = watches.into_iter().map(super::shop::Watch::closes).collect();
        let lines = shop.lines("runs");
        alone(&lines, 4);
        assert_eq!(lines.len(), 2 * tasks);
        let journal = shop.journal();
        for id in shop.ground.rows().keys() {
            assert_eq!(
                (claims(&journal, id), results(&journal, id)),
                (1, vec!["ok".to_owned()]),
                "{id}"
            );
        }
        let each: Vec<usize> = told.iter().map(|told| count(told, "started", "")).collect();
        assert_eq!(each.iter().sum::<usize>(), tasks, "{each:?}");
        shop.is_sound();
        say("T58", format_args!("{watchers} watches, {tasks} tasks, {took:.1?}: {each:?}"));
    }
}

#[test]
fn t58_a_watch_takes_over_from_one_that_dies_beside_it() {
    let script = "echo b $ORCH_TASK_ID $ORCH_LEASE_TOKEN >>runs
        until [ -e go ]; do sleep 0.02; done
        echo e $ORCH_TASK_ID $ORCH_LEASE_TOKEN >>runs";
    let shop = Shop::new(&ready(6), &runner(script, "", "max_parallel: 3"));
    let mut first = shop.watch();
    until("three run", || shop.lines("runs").len() == 3);
    let mut second = shop.watch();
    second.event("watching", "");
    // It has nothing to do with them while their own watch lives.
    shop.does(&["note", "T-1", "a look", "--as", "CMD@eve"]);
    first.die();
    for _ in 0..3 {
        second.event("recovered", "");
    }
    assert_eq!(shop.lines("runs").len(), 3, "no room for more");
    std::fs::write(shop.path("go"), "").unwrap();
    until("all is done", || shop.states().get("REVIEW") == Some(&6));
    second.closes();
    alone(&shop.lines("runs"), 3);
    assert_eq!(shop.lines("runs").len(), 12);
    shop.is_sound();
}

#[test]
fn t58_the_runners_of_two_settings_that_match_one_task_take_turns_at_most() {
    // Two runners of one file: the first that matches takes it, whoever watches.
    let script = |name: &str| format!("[sh, -c, 'echo {name} $ORCH_TASK_ID >>runs']");
    let settings = format!(
        "watch: {{max_parallel: 4, runners: [{{name: one, match: {{id: 'T-[12]'}}, run: {}}}, \
         {{name: two, run: {}}}]}}\n",
        script("one"),
        script("two"),
    );
    let shop = Shop::new(&ready(4), &settings);
    let watches = [shop.watch(), shop.watch()];
    until("all is done", || shop.states().get("REVIEW") == Some(&4));
    for watch in watches {
        watch.closes();
    }
    let mut runs = shop.lines("runs");
    runs.sort();
    assert_eq!(runs, ["one T-1", "one T-2", "two T-3", "two T-4"]);
    shop.is_sound();
}

/// Notes when another of its task, or too many at all, are still there. It needs
/// its whole grace to end.
const SLOW: &str =
    "for old in $(cat $ORCH_TASK_ID); do kill -0 $old && echo $ORCH_TASK_ID >>twice; done
    for old in $(cat all); do kill -0 $old && echo $old; done >beside.$$
    wc -l <beside.$$ >>most; echo $$ >>$ORCH_TASK_ID; echo $$ >>all
    trap '' TERM; until [ -e go ]; do sleep 0.02; done";

/// A run that was told to end is still there for a while, and its task is free:
/// neither its own watch nor another may begin the next beside it.
#[test]
fn t58_nothing_begins_beside_a_run_of_the_same_task_that_is_ending() {
    for watchers in [1, 2] {
        let settings = runner(SLOW, "grace: 1s", "max_parallel: 3");
        let shop = Shop::new(&ready(1), &settings);
        for name in ["T-1", "all", "twice"] {
            std::fs::write(shop.path(name), "").unwrap();
        }
        let watches: Vec<_> = (0..watchers).map(|_| shop.watch()).collect();
        until("it runs", || shop.lines("T-1").len() == 1);
        shop.does(&["release", "T-1", "--as", "CMD@eve"]);
        until("it runs again", || shop.lines("T-1").len() == 2);
        assert_eq!(shop.read("twice"), "", "of {watchers} watches one ran it beside itself");
        std::fs::write(shop.path("go"), "").unwrap();
        shop.until_state("T-1", "REVIEW");
        for watch in watches {
            watch.closes();
        }
        shop.is_sound();
    }
}

#[test]
fn t58_a_run_that_is_ending_takes_its_place_for_all_who_watch() {
    let settings = runner(SLOW, "grace: 1s", "max_parallel: 1");
    let shop = Shop::new(&ready(2), &settings);
    for name in ["T-1", "T-2", "all", "twice"] {
        std::fs::write(shop.path(name), "").unwrap();
    }
    let watches = [shop.watch(), shop.watch()];
    until("one runs", || shop.lines("all").len() == 1);
    shop.does(&["hold", "T-1", "--as", "CMD@eve"]);
    until("the other runs", || shop.lines("all").len() == 2);
    assert_eq!(shop.lines("most"), ["0", "0"], "more than `max_parallel` at once");
    std::fs::write(shop.path("go"), "").unwrap();
    shop.until_state("T-2", "REVIEW");
    for watch in watches {
        watch.closes();
    }
    shop.is_sound();
}
