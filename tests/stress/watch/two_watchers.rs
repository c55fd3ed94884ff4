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
            assert_eq!((claims(&journal, id), results(&journal, id).len()), (1, 1), "{id}");
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
