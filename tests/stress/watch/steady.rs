//! A watch that works for long, whose reader goes away, or that cron starts again
//! before the last has ended.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::Value;

use super::crashes::alone;
use super::shop::{Shop, Watch, claims, count, ready, runner, tool, until};
use crate::support::ground::number;
use crate::support::{at_once, is_shipped, say, scale};

const MARKS: &str = "echo b $ORCH_TASK_ID $ORCH_LEASE_TOKEN >>runs; sleep 0.02
    echo e $ORCH_TASK_ID $ORCH_LEASE_TOKEN >>runs";

/// Open files, threads, and KiB of memory.
fn holds(watch: &Watch) -> (usize, usize, u64) {
    let process = watch.process();
    let entries = |name| fs::read_dir(format!("/proc/{}/{name}", process.pid)).unwrap().count();
    (entries("fd"), entries("task"), process.resident())
}

#[test]
fn t58_after_many_runs_it_holds_no_more_than_after_few() {
    let (few, many) = (20, 60 * scale());
    let shop = Shop::new(&ready(few), &runner("exit 0", "", "max_parallel: 4"));
    let mut watch = shop.watch();
    let done = |n: usize| until("all are run", || shop.states().get("REVIEW") == Some(&n));
    let rests = |watch: &Watch| {
        // A thread ends a little later than what it waited for.
        let mut last = holds(watch);
        until("it rests", || {
            let before = std::mem::replace(&mut last, holds(watch));
            shop.processes().is_empty() && before == last && last.1 <= 6
        });
        last
    };
    done(few);
    let first = rests(&watch);
    let rows: String = ready(many).lines().skip(few).map(|row| row.to_owned() + "\n").collect();
    fs::write(shop.ground.tasks(), shop.ground.text() + &rows).unwrap();
    done(many);
    let mut second = rests(&watch);
    // The last one's files may be open a moment longer; a leak stays open.
    until("it holds no more than after few", || {
        second = holds(&watch);
        second.0 <= first.0 && second.1 <= first.1
    });
    say(
        "T58",
        format_args!("files, threads, KiB after {few} runs {first:?}, after {many} {second:?}"),
    );
    // What the journal says is kept, and allocators round up.
    let most = first.2 + (2 << 10) + if is_shipped() { 2 << 10 } else { 6 << 10 } * scale() as u64;
    assert!(second.2 <= most, "{first:?}, {second:?}");
    assert_eq!(count(watch.told(), "trouble", ""), 0);
    watch.closes();
    shop.is_sound();
}

#[test]
fn a_reader_that_goes_away_ends_neither_the_watch_nor_its_runs() {
    let shop = Shop::new(&ready(4), &runner("sleep 0.1", "", ""));
    let mut command = shop.ground.command(&["watch", "--json"]);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut watch = command.spawn().unwrap();
    let mut out = BufReader::new(watch.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    until("all are run", || shop.states().get("REVIEW") == Some(&4));
    assert_eq!(watch.try_wait().unwrap(), None, "it went on");
    let pid = rustix::process::Pid::from_child(&watch);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(number(watch.wait().unwrap()), 0);
    shop.is_sound();
}

#[test]
fn hanging_up_reads_the_settings_anew_and_ends_nothing() {
    let shop = Shop::new(&ready(1), &runner("echo x >>runs; sleep 0.3", "", ""));
    let mut watch = shop.watch();
    until("it runs", || shop.lines("runs").len() == 1);
    for _ in 0..3 {
        watch.signal(Signal::HUP);
    }
    shop.until_state("T-1", "REVIEW");
    assert_eq!(count(watch.told(), "ending", ""), 0);
    assert_eq!(claims(&shop.journal(), "T-1"), 1);
    watch.closes();
}

#[test]
fn once_that_begins_before_the_last_has_ended_runs_nothing_twice() {
    let shop = Shop::new(&ready(8), &runner(MARKS, "", "max_parallel: 3"));
    let mut rounds = 0;
    while shop.states().get("REVIEW") != Some(&8) {
        rounds += 1;
        assert!(rounds <= 8, "each round runs something");
        let told: Vec<Vec<Value>> = at_once(4, |_| shop.once());
        assert!(told.iter().all(|told| count(told, "stopped", "") == 1), "{told:#?}");
    }
    alone(&shop.lines("runs"), 3);
    assert_eq!(shop.lines("runs").len(), 16);
    shop.is_sound();
}

/// Two workspaces give one token to tasks of one name, in the same millisecond.
#[test]
fn t58_a_run_of_another_workspace_is_nobody_of_ours() {
    let script = "echo $ORCH_LEASE_TOKEN >token; until [ -e go ]; do sleep 0.01; done; exit $1";
    for end in ["it ends", "its keeper is killed"] {
        let shop = Shop::new(&ready(1), &runner(script, "retries: {max: 0}", ""));
        let watch = shop.watch();
        until("it runs", || shop.read("token").ends_with('\n'));
        let token = shop.lines("token").remove(0);
        let mut other = tool("sleep", &["600"]);
        other.env("ORCH_TASK_ID", "T-1").env("ORCH_LEASE_TOKEN", token).env("ORCH_ROOT", "/else");
        let mut other = other.spawn().unwrap();
        if end == "it ends" {
            fs::write(shop.path("go"), "").unwrap();
        } else {
            let keeper = shop.processes().into_iter().find(|process| process.is_keeper());
            keeper.expect("it lives").signal(Signal::KILL);
        }
        until("it is settled", || shop.state("T-1") != "DOING" && shop.processes().is_empty());
        let alive = other.try_wait().unwrap().is_none();
        let _ = other.kill();
        let _ = other.wait();
        assert!(alive, "{end}, and takes a stranger along");
        watch.closes();
    }
}
