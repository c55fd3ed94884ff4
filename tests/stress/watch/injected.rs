//! The table of failures: each kind is injected many times, and counted is how many
//! tasks end as they should without a person.

use std::fs;
use std::time::Duration;

use rustix::process::Signal;

use super::heartbeat::fill;
use super::shop::{Process, Shop, Watch, each_run_ends_once, ready, runner, until};
use crate::support::ground::Ground;
use crate::support::image::Mounted;
use crate::support::{Dice, Stopwatch, at_once, pause, say, scale, skip};

/// How many of each kind.
fn each() -> usize {
    12 * scale()
}

/// One line of the table.
#[derive(Debug, Default)]
struct Row {
    kind: &'static str,
    injected: usize,
    /// In REVIEW, handed in once.
    right: usize,
    /// In FIX or HOLD, and it says why.
    to_people: usize,
    wrong: Vec<String>,
    took: Duration,
}

/// The first attempt lives until it is killed or goes on by itself; the next ones
/// are done soon.
const WAITS: &str = "[ $ORCH_ATTEMPT = 1 ] || exit 0
    echo $$ >pid.$ORCH_TASK_ID; trap '' TERM; while :; do sleep 600; done";

const MORE: &str = "retries: {max: 3, backoff: 1ms}, grace: 100ms";

impl Row {
    /// Does a kind of harm to every task, and looks how that ends.
    fn of(kind: &'static str, script: &str, more: &str, harm: impl Fn(&Shop, &mut Watch)) -> Self {
        let settings = runner(script, more, "max_parallel: 6");
        let shop = Shop::new(&ready(each()), &settings);
        Self::on(&shop, kind, harm)
    }

    fn on(shop: &Shop, kind: &'static str, harm: impl Fn(&Shop, &mut Watch)) -> Self {
        let time = Stopwatch::start();
        let mut watch = shop.watch();
        harm(shop, &mut watch);
        let is_done = || {
            let states = shop.states();
            states.keys().all(|state| ["REVIEW", "FIX", "HOLD"].contains(&state.as_str()))
        };
        while !is_done() && time.elapsed() < super::shop::LONG {
            watch.told();
            pause(Duration::from_millis(5));
        }
        until("no process is left", || shop.processes().is_empty());
        watch.closes();
        let mut row = Self { kind, took: time.elapsed(), ..Self::default() };
        let journal = shop.journal();
        each_run_ends_once(&journal);
        for (id, cells) in shop.ground.rows() {
            row.injected += 1;
            let submits =
                journal.iter().filter(|e| e["task"] == *id && e["command"] == "submit").count();
            match (cells["state"].as_str(), submits) {
                ("REVIEW", 1) => row.right += 1,
                ("FIX" | "HOLD", 0) if cells["notes"].len() > 3 => row.to_people += 1,
                (state, submits) => row.wrong.push(format!("{id} {state} {submits}")),
            }
        }
        sound(&shop.ground);
        row
    }
}

fn sound(ground: &Ground) {
    for line in ["doctor", "audit verify", "check"] {
        let _ = ground.run(line).ok();
    }
}

/// Does something to the processes of each task's first run, once it lives.
fn to_each(shop: &Shop, act: impl Fn(Process)) {
    for n in 1..=each() {
        act(shop.noted(&format!("pid.T-{n}")));
    }
}

/// The keeper of a command.
fn keeper(command: Process) -> Process {
    let status = fs::read_to_string(format!("/proc/{}/status", command.pid)).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    let pid = line.unwrap().trim().parse().unwrap();
    let start = super::shop::started(pid).expect("it lives");
    let keeper = Process { pid, start };
    assert!(keeper.is_keeper(), "{keeper:?}");
    keeper
}

fn full_disk() -> Option<Row> {
    if !rustix::process::geteuid().is_root() {
        skip("injected", "only root can mount a disk that is full soon");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let disk = Mounted::memory(&fs::canonicalize(dir.path()).unwrap(), 4096 * scale());
    let script = "sleep 0.0$((ORCH_LEASE_TOKEN % 90 + 10)); echo some words; exit 0";
    let shop = Shop::on(disk.at(), &ready(each()), &runner(script, MORE, "max_parallel: 6"));
    let row = Row::on(&shop, "full disk", |shop, watch| {
        watch.event("started", "");
        // Each time some runs begin, go on or end while nothing can be written.
        for _ in 0..each() / 3 {
            fill(&shop.path("full"));
            pause(Duration::from_millis(150));
            fs::remove_file(shop.path("full")).unwrap();
            pause(Duration::from_millis(100));
        }
    });
    drop(shop);
    drop(disk);
    Some(row)
}

#[test]
fn injected_failures_end_as_they_should() {
    let kinds: [&(dyn Fn() -> Option<Row> + Sync); 7] = [
        &|| Some(Row::of("crash", "[ $ORCH_ATTEMPT -gt 2 ] || kill -SEGV $$", MORE, |_, _| {})),
        &|| Some(Row::of("hang", WAITS, &format!("{MORE}, timeout: 200ms"), |_, _| {})),
        &|| {
            Some(Row::of("kill of the child", WAITS, MORE, |shop, _| {
                to_each(shop, |command| command.signal(Signal::KILL));
            }))
        },
        &|| {
            Some(Row::of("kill of the keeper", WAITS, MORE, |shop, _| {
                to_each(shop, |command| keeper(command).signal(Signal::KILL));
            }))
        },
        &|| {
            Some(Row::of("kill of both", WAITS, MORE, |shop, _| {
                to_each(shop, |command| {
                    let keeper = keeper(command);
                    command.signal(Signal::KILL);
                    keeper.signal(Signal::KILL);
                });
            }))
        },
        &|| {
            Some(Row::of("kill of the watch", "sleep 0.1", MORE, |shop, watch| {
                let mut dice = Dice::new("injected");
                for _ in 0..each() {
                    pause(Duration::from_millis(dice.next() % 120));
                    watch.die();
                    *watch = shop.watch();
                }
            }))
        },
        &full_disk,
    ];
    let rows: Vec<Row> = at_once(kinds.len(), |n| kinds[n]()).into_iter().flatten().collect();
    let total = |of: fn(&Row) -> usize| rows.iter().map(of).sum::<usize>();
    let (all, right, to_people) =
        (total(|r| r.injected), total(|r| r.right), total(|r| r.to_people));
    say("injected", "kind                 injected  right  FIX/HOLD  wrong   took");
    for row in &rows {
        let Row { kind, injected, right, to_people, wrong, took } = row;
        let wrong = wrong.len();
        let line =
            format!("{kind:<20} {injected:>8} {right:>6} {to_people:>9} {wrong:>6} {took:>6.1?}");
        say("injected", line);
    }
    let share = right * 1000 / all;
    let share = format!("{}.{} %", share / 10, share % 10);
    say("injected", format_args!("{right} of {all} end right without a person: {share}"));
    let wrong: Vec<&Row> = rows.iter().filter(|row| !row.wrong.is_empty()).collect();
    assert!(all >= 60 && right + to_people == all, "{wrong:#?}");
    assert!(right * 100 >= all * 95, "{share}: {rows:#?}");
}
