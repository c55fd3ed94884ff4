//! What a watch costs while nothing happens, and how soon it acts when something
//! does.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use super::shop::{Shop, runner, tool, until};
use crate::support::ground::{HEAD, row, rows_text};
use crate::support::{Stopwatch, is_shipped, pause, say, scale};

#[test]
fn a_watch_of_a_thousand_rows_that_has_nothing_to_do_costs_nothing() {
    let rows = rows_text(1000, "PLAN");
    let shop = Shop::new("", &runner("exit 0", "", ""));
    fs::write(shop.ground.tasks(), rows).unwrap();
    // A journal, an approval and a lease make it a workspace in use.
    for line in ["ready T-0001 --as CMD@eve", "claim T-0001 --as WORK@ada", "request T-0001 --op x"]
    {
        let _ = shop.ground.run(line);
    }
    let mut watch = shop.watch();
    watch.event("watching", "");
    let process = watch.process();
    // Its first look is no idling.
    let mut before = process.ticks();
    until("it rests", || {
        pause(Duration::from_millis(300));
        let rested = process.ticks() == before;
        before = process.ticks();
        rested
    });
    let seconds = (5 * scale() as u64).min(60);
    let time = Stopwatch::start();
    while time.elapsed() < Duration::from_secs(seconds) {
        pause(Duration::from_millis(250));
    }
    let ticks = process.ticks() - before;
    // In thousandths of a percent; a tick is ten milliseconds.
    let share = ticks * 1_000_000 / u64::try_from(time.elapsed().as_millis()).unwrap();
    let share = format!("{}.{:03}", share / 1000, share % 1000);
    let resident = process.resident();
    say("idle", format_args!("{share} % of a processor in {seconds} s, {resident} KiB resident"));
    // A hundredth of a second is the unit in which it is counted.
    let most = if is_shipped() { 1 + seconds / 5 } else { 10 * seconds };
    assert!(ticks <= most, "{ticks} hundredths of a second in {seconds} s");
    assert!(!is_shipped() || resident <= 20 << 10, "{resident} KiB");
    watch.closes();
}

#[test]
fn a_hand_edit_is_a_running_command_at_once() {
    let shop = Shop::new("", &runner("echo $ORCH_TASK_ID >line", "", "max_parallel: 4"));
    let rows = |n: usize| -> String {
        let state = |k| if k == n { "READY" } else { "PLAN" };
        let rows = (1..=1000).map(|k| row(&format!("T-{k}"), "Task", state(k)));
        format!("{HEAD}{}", rows.collect::<String>())
    };
    fs::write(shop.ground.tasks(), rows(0)).unwrap();
    assert!(tool("mkfifo", &[shop.path("line").to_str().unwrap()]).status().unwrap().success());
    let line = File::options().read(true).write(true).open(shop.path("line")).unwrap();
    let mut said = BufReader::new(line).lines();
    let mut watch = shop.watch();
    watch.event("watching", "");
    // Its eyes are open once it took a first change.
    let mut times = Vec::new();
    for n in 1..=31 {
        // As an editor does it: on top of what is there now, by another file.
        let text = shop.ground.text().replace(
            &row(&format!("T-{n}"), "Task", "PLAN"),
            &row(&format!("T-{n}"), "Task", "READY"),
        );
        let beside = shop.ground.state().join("TASKS.md.new");
        fs::write(&beside, text).unwrap();
        let time = Stopwatch::start();
        fs::rename(&beside, shop.ground.tasks()).unwrap();
        assert_eq!(said.next().unwrap().unwrap(), format!("T-{n}"));
        if n > 1 {
            times.push(time.elapsed());
        }
        shop.until_state(&format!("T-{n}"), "REVIEW");
    }
    times.sort();
    let (middle, most) = (times[times.len() / 2], times[times.len() * 95 / 100]);
    say("reaction", format_args!("p50 {middle:.1?}, p95 {most:.1?} of {} edits", times.len()));
    assert!(!is_shipped() || most <= Duration::from_millis(100), "p95 is {most:?}");
    // Without file events it would be a matter of seconds.
    assert!(middle < Duration::from_secs(1), "p50 is {middle:?}");
    watch.closes();
}
