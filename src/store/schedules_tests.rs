//! One due time is one watcher's, whatever happens to marks and watchers.
#![allow(clippy::disallowed_methods, reason = "the tests place files and processes by hand")]

use std::fs;
use std::process::{Command, Stdio};

use super::*;
use crate::sys::sim::Sim;

const LINE: &str = "0 3 * * *";

fn place() -> (tempfile::TempDir, Layout, Sim) {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::new(fs::canonicalize(dir.path()).unwrap());
    fs::create_dir_all(layout.state_dir()).unwrap();
    let sim = Sim::new(&layout.root);
    (dir, layout, sim)
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

#[test]
fn a_due_time_is_taken_once_and_marks_only_go_forward() {
    let (_dir, layout, sim) = place();
    let sys = sim.sys();
    let take = |due| take(&sys, &layout, "nightly", LINE, at(due)).unwrap();
    assert_eq!(read(&sys, &layout, "nightly").unwrap(), None);
    seen(&sys, &layout, "nightly", LINE).unwrap();
    let first = Mark { last: at("2026-01-01T00:00:00Z"), cron: LINE.into() };
    assert_eq!(read(&sys, &layout, "nightly").unwrap(), Some(first));
    assert_eq!(
        [take("2026-01-01T00:00:00Z"), take("2026-01-01T03:00:00Z"), take("2026-01-01T03:00:00Z")],
        [false, true, false]
    );
    assert_eq!([take("2026-01-03T03:00:00Z"), take("2026-01-02T03:00:00Z")], [true, false]);
    assert_eq!(
        fs::read_to_string(layout.schedule_mark("nightly")).unwrap(),
        "{\"last\":\"2026-01-03T03:00:00Z\",\"cron\":\"0 3 * * *\"}\n"
    );
    // Seeing it again changes nothing, another line begins now, and not before
    // what was taken by the old one.
    let mark = |line| {
        seen(&sys, &layout, "nightly", line).unwrap();
        read(&sys, &layout, "nightly").unwrap().unwrap()
    };
    assert_eq!(mark(LINE).last, at("2026-01-03T03:00:00Z"));
    assert_eq!(mark("@daily"), Mark { last: at("2026-01-03T03:00:00Z"), cron: "@daily".into() });
    sim.clock.advance(Duration::from_hours(24 * 9));
    assert_eq!(mark(LINE).last, at("2026-01-10T00:00:00Z"));
    assert!(!take("2026-01-09T03:00:00Z"));
}

#[test]
fn a_lost_or_damaged_mark_is_a_first_sight() {
    let (_dir, layout, sim) = place();
    let sys = sim.sys();
    let path = layout.schedule_mark("a");
    for damage in ["", "{", "{}", "{\"last\":\"soon\",\"cron\":\"x\"}", "null"] {
        seen(&sys, &layout, "a", LINE).unwrap();
        sim.clock.advance(Duration::from_mins(1));
        let due = Timestamp(sys.clock.now_ms());
        assert!(take(&sys, &layout, "a", LINE, due).unwrap());
        fs::write(&path, damage).unwrap();
        sim.clock.advance(Duration::from_secs(1));
        assert_eq!(read(&sys, &layout, "a").unwrap(), None, "{damage}");
        assert!(!take(&sys, &layout, "a", LINE, due).unwrap(), "{damage}");
        assert!(!take(&sys, &layout, "a", LINE, due).unwrap(), "{damage}");
        fs::remove_dir_all(layout.locks_dir()).unwrap();
        assert!(!take(&sys, &layout, "a", LINE, due).unwrap(), "{damage}");
    }
    // What is no file is not waited for and not overwritten.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(read(&sys, &layout, "a").unwrap(), None);
    assert!(take(&sys, &layout, "a", LINE, at("2026-02-01T00:00:00Z")).is_err());
}

#[test]
fn names_stay_in_their_folder_and_apart() {
    let (_dir, layout, sim) = place();
    let sys = sim.sys();
    for name in ["..", "@lock", "a/b", "a"] {
        seen(&sys, &layout, name, LINE).unwrap();
    }
    let mut names = sys.fs.list(&layout.schedule_marks_dir()).unwrap();
    names.sort();
    assert_eq!(names, ["%2E%2E", "%40lock", "@lock", "a", "a%2Fb"]);
}

#[test]
fn a_lock_that_is_kept_is_not_waited_for_without_end() {
    let (_dir, layout, sim) = place();
    let sys = sim.sys();
    seen(&sys, &layout, "a", LINE).unwrap();
    let held = lock(&sys, &layout).unwrap();
    let due = at("2026-01-01T03:00:00Z");
    let error = take(&sys, &layout, "a", LINE, due).unwrap_err();
    assert_eq!(
        error.message,
        "the schedules are locked by another `orch watch`; gave up after 2 s"
    );
    drop(held);
    assert!(take(&sys, &layout, "a", LINE, due).unwrap());
}

#[test]
fn no_fault_gives_a_due_time_twice() {
    let (_dir, layout, sim) = place();
    let sys = sim.sys();
    seen(&sys, &layout, "a", LINE).unwrap();
    let mut calls = 0;
    for die in [false, true] {
        for n in 1.. {
            sim.clock.advance(Duration::from_hours(24));
            let due = Timestamp(sys.clock.now_ms());
            sim.fs.reset();
            if die {
                sim.fs.crash_at(n);
            } else {
                sim.fs.fail_at(n, 5);
            }
            let first = take(&sys, &layout, "a", LINE, due);
            calls = sim.fs.count();
            sim.fs.reset();
            let second = take(&sys, &layout, "a", LINE, due).unwrap();
            assert!(!(first == Ok(true) && second), "{n}");
            assert!(!take(&sys, &layout, "a", LINE, due).unwrap());
            assert!(read(&sys, &layout, "a").unwrap().is_some());
            if n > calls {
                assert_eq!(first, Ok(true));
                break;
            }
        }
    }
    assert!(calls > 8);
    seen(&sys, &layout, "a", "@daily").unwrap();
    let names = sys.fs.list(&layout.schedule_marks_dir()).unwrap();
    assert_eq!(names.len(), 2, "nothing is left behind: {names:?}");
}

/// Where one of the processes below works, and who it is.
const INSIDE: &str = "ORCH_TEST_SCHEDULES";
const DUE_TIMES: i64 = 60;

/// Takes what it can of the due times that all want.
fn take_all(layout: &Layout) -> usize {
    let sys = Sys::real();
    let due = |n: i64| Timestamp(1_900_000_000_000 + n * 1_000);
    (1..=DUE_TIMES).filter(|n| take(&sys, layout, "all", LINE, due(*n)).unwrap()).count()
}

#[test]
fn of_many_watchers_one_takes_each_due_time() {
    if let Some(root) = std::env::var_os(INSIDE) {
        println!("took {}.", take_all(&Layout::new(root)));
        return;
    }
    let (_dir, layout, _sim) = place();
    seen(&Sys::real(), &layout, "all", LINE).unwrap();
    let path = module_path!().split_once("::").unwrap().1;
    let processes: Vec<_> = (0..3)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "--nocapture"])
                .arg(format!("{path}::of_many_watchers_one_takes_each_due_time"))
                .env(INSIDE, &layout.root)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let threads: usize = std::thread::scope(|scope| {
        let all: Vec<_> = (0..3).map(|_| scope.spawn(|| take_all(&layout))).collect();
        all.into_iter().map(|one| one.join().unwrap()).sum()
    });
    let others = processes.into_iter().map(|process| {
        let output = process.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let number = said.split_once("took ").and_then(|(_, rest)| rest.split_once('.'));
        number.unwrap_or_else(|| panic!("{said}")).0.parse::<usize>().unwrap()
    });
    assert_eq!(threads + others.sum::<usize>(), usize::try_from(DUE_TIMES).unwrap());
}
