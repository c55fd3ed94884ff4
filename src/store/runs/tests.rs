//! What the files of a run say, who may have it, and which are kept.
#![allow(clippy::disallowed_methods, reason = "the tests place files by hand")]

use super::*;
use crate::sys::sim::Sim;
use std::fs;

fn place() -> (tempfile::TempDir, Layout, Sim) {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::new(fs::canonicalize(dir.path()).unwrap());
    fs::create_dir_all(layout.state_dir()).unwrap();
    let sim = Sim::new(&layout.root);
    (dir, layout, sim)
}

fn record() -> Record {
    Record {
        task: "T-1".to_owned(),
        runner: "coder".to_owned(),
        actor: "WORK@coder".to_owned(),
        attempt: 1,
        token: 7,
        host: "testhost".to_owned(),
        machine: "sim".to_owned(),
        watch_pid: 4242,
        argv: vec!["true".to_owned()],
        started_at: "2026-01-01T00:00:00.000Z".to_owned(),
        timeout_ms: 1000,
        grace_ms: 100,
        max_log: 1 << 20,
    }
}

fn end(end: End) -> RunEnd {
    RunEnd {
        token: 7,
        end,
        started_at: "2026-01-01T00:00:00.000Z".to_owned(),
        ended_at: "2026-01-01T00:00:01.000Z".to_owned(),
        took_ms: 1000,
        stopped: None,
        log_bytes: 0,
        left_out: 0,
    }
}

#[test]
fn what_is_written_is_what_is_read() {
    let (_dir, layout, sim) = place();
    let sys = sim.sys();
    let run = RunDir::of(&layout, "T-1", 7);
    assert_eq!(run.read_record(&sys).unwrap(), None);
    assert!(run.write_record(&sys, &record()).is_err(), "no folder yet");
    run.create(&sys, &layout).unwrap();
    run.create(&sys, &layout).unwrap();
    assert!(run.path().ends_with("ORCH/runs/T-1/7"));
    assert_eq!(fs::read(layout.runs_dir().join(".gitignore")).unwrap(), b"*\n");
    let keeper = Process { pid: 1, start: 2, machine: "m".to_owned() };
    let process = KeeperFile { keeper, command: None };
    let deadline = Deadline { machine: "m".to_owned(), at_ms: 5 };
    let stop = Stop { why: "drain".to_owned(), kill_after_ms: 3 };
    run.write_record(&sys, &record()).unwrap();
    run.write_process(&sys, &process).unwrap();
    run.write_deadline(&sys, &deadline).unwrap();
    run.write_deadline(&sys, &Deadline { at_ms: 9, ..deadline.clone() }).unwrap();
    run.write_stop(&sys, &stop).unwrap();
    run.write_end(&sys, &end(End::Exit(3))).unwrap();
    assert_eq!(run.read_record(&sys).unwrap(), Some(record()));
    assert_eq!(run.read_process(&sys).unwrap(), Some(process));
    assert_eq!(run.read_deadline(&sys).unwrap().unwrap().at_ms, 9);
    assert_eq!(run.read_stop(&sys).unwrap(), Some(stop));
    assert_eq!(run.read_end(&sys).unwrap(), Some(end(End::Exit(3))));
    let names = sys.fs.list(run.path()).unwrap();
    assert_eq!(names, ["lease.json", "process.json", "result.json", "run.json", "stop.json"]);
    assert_eq!(sys.fs.stat(&run.path().join("run.json")).unwrap().mode, 0o600);
}

#[test]
fn ends_are_spelled_as_scripts_read_them() {
    let spelled = |end: End| serde_json::to_string(&end).unwrap();
    assert_eq!(spelled(End::Exit(3)), r#"{"exit":3}"#);
    assert_eq!(spelled(End::Signal(9)), r#"{"signal":9}"#);
    assert_eq!(spelled(End::TimedOut), r#""timed_out""#);
    assert_eq!(spelled(End::LeaseEnded), r#""lease_ended""#);
    assert_eq!(spelled(End::Stopped), r#""stopped""#);
    assert_eq!(spelled(End::NotStarted("x".to_owned())), r#"{"not_started":"x"}"#);
}

#[test]
fn the_group_of_the_workspace_reads_along_and_nobody_else() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_dir, layout, sim) = place();
    fs::set_permissions(layout.state_dir(), fs::Permissions::from_mode(0o2775)).unwrap();
    let (sys, run) = (sim.sys(), RunDir::of(&layout, "T-1", 7));
    run.create(&sys, &layout).unwrap();
    run.write_record(&sys, &record()).unwrap();
    let mode = |path: &Path| sys.fs.stat(path).unwrap().mode;
    assert_eq!((mode(run.path()), mode(&run.path().join("run.json"))), (0o2775, 0o660));
}

#[test]
fn what_is_no_file_of_ours_is_not_read() {
    let (_dir, layout, sim) = place();
    let (sys, run) = (sim.sys(), RunDir::of(&layout, "T-1", 7));
    run.create(&sys, &layout).unwrap();
    for text in ["", "{", r#"{"machine":"m"}"#] {
        fs::write(run.path().join("lease.json"), text).unwrap();
        assert!(run.read_deadline(&sys).unwrap_err().message.contains("lease.json"));
    }
    fs::write(layout.root.join("other"), r#"{"machine":"m","at_ms":1}"#).unwrap();
    fs::remove_file(run.path().join("lease.json")).unwrap();
    std::os::unix::fs::symlink(layout.root.join("other"), run.path().join("lease.json")).unwrap();
    assert!(run.read_deadline(&sys).is_err());
}

#[test]
fn a_fault_leaves_what_was_there() {
    let (_dir, layout, sim) = place();
    let (sys, run) = (sim.sys(), RunDir::of(&layout, "T-1", 7));
    run.create(&sys, &layout).unwrap();
    run.write_end(&sys, &end(End::Stopped)).unwrap();
    sim.fs.reset();
    run.write_end(&sys, &end(End::TimedOut)).unwrap();
    for n in 1..=sim.fs.count() {
        sim.fs.reset();
        run.write_end(&sys, &end(End::Stopped)).unwrap();
        sim.fs.reset();
        sim.fs.fail_at(n, 28);
        let failed = run.write_end(&sys, &end(End::TimedOut)).is_err();
        let now = run.read_end(&sys).unwrap().unwrap().end;
        assert!(failed && [End::Stopped, End::TimedOut].contains(&now), "{n}: {now:?}");
        assert_eq!(sys.fs.list(run.path()).unwrap(), ["result.json"], "{n}");
    }
}

#[test]
fn one_watch_is_responsible_and_its_end_frees_it() {
    let (_dir, layout, sim) = place();
    let (sys, run) = (sim.sys(), RunDir::of(&layout, "T-1", 7));
    run.create(&sys, &layout).unwrap();
    let first = run.lock(&sys).unwrap();
    assert!(first.is_some() && run.lock(&sys).unwrap().is_none());
    drop(first);
    assert!(run.lock(&sys).unwrap().is_some());
}

#[test]
fn the_last_bytes_come_from_all_parts_of_the_log() {
    let (_dir, layout, sim) = place();
    let (sys, run) = (sim.sys(), RunDir::of(&layout, "T-1", 7));
    run.create(&sys, &layout).unwrap();
    let tail = |bytes| String::from_utf8(run.tail(&sys, bytes)).unwrap();
    assert_eq!(tail(9), "");
    fs::write(run.path().join("run.log"), "abcdef").unwrap();
    assert_eq!((tail(0).as_str(), tail(2).as_str(), tail(9).as_str()), ("", "ef", "abcdef"));
    fs::write(run.path().join("run.log.2"), "xyz").unwrap();
    assert_eq!((tail(2).as_str(), tail(5).as_str()), ("yz", "efxyz"));
    fs::write(run.path().join("run.log.1"), "123").unwrap();
    assert_eq!((tail(5).as_str(), tail(7).as_str()), ("23xyz", "f123xyz"));
}

#[test]
fn every_run_is_found_and_the_oldest_settled_ones_go() {
    let (_dir, layout, sim) = place();
    let sys = sim.sys();
    assert_eq!(all(&sys, &layout).unwrap(), []);
    for token in [9, 10, 100].into_iter().chain(1000..1020) {
        let run = RunDir::of(&layout, "T/1", token);
        run.create(&sys, &layout).unwrap();
        if token != 9 {
            run.settle(&sys, &layout).unwrap();
            run.settle(&sys, &layout).unwrap();
        }
    }
    let schedule = RunDir::of_schedule(&layout, "nightly", 1_767_225_600_000);
    schedule.create(&sys, &layout).unwrap();
    assert!(schedule.path().ends_with("ORCH/runs/@schedules/nightly/1767225600000"));
    let found = all(&sys, &layout).unwrap();
    assert_eq!(found.len(), 24);
    assert_eq!(found.iter().filter(|run| run.is_schedule(&layout)).count(), 1);
    prune(&sys, &layout, "T/1").unwrap();
    prune_schedule(&sys, &layout, "nightly").unwrap();
    let mut left = all(&sys, &layout).unwrap();
    left.retain(|run| !run.is_schedule(&layout));
    assert_eq!(left.len(), 21);
    let is_left = |token| left.contains(&RunDir::of(&layout, "T/1", token));
    assert!(is_left(9) && !is_left(10) && !is_left(100) && is_left(1000) && is_left(1019));
}

#[test]
fn the_oldest_logs_go_when_all_take_too_much() {
    let (_dir, layout, sim) = place();
    let sys = sim.sys();
    for (task, token, is_settled) in
        [("a", 1, true), ("b", 2, true), ("a", 3, false), ("c", 4, true)]
    {
        let dir = RunDir::of(&layout, task, token);
        dir.create(&sys, &layout).unwrap();
        fs::write(dir.path().join(LOG), vec![b'x'; 1000]).unwrap();
        if is_settled {
            dir.settle(&sys, &layout).unwrap();
        }
    }
    let there = || {
        let mut there: Vec<u64> = all(&sys, &layout)
            .unwrap()
            .iter()
            .filter_map(|dir| index::number(dir.path()))
            .collect();
        there.sort_unstable();
        there
    };
    prune_all(&sys, &layout, 3000).unwrap();
    assert_eq!(there(), [1, 2, 3, 4], "what goes on does not count");
    prune_all(&sys, &layout, 1500).unwrap();
    assert_eq!(there(), [3, 4]);
    prune_all(&sys, &layout, 0).unwrap();
    assert_eq!(there(), [3], "a run that goes on stays");
}
