//! Commands at set times, run by real watches: several at once, and one that
//! starts when something was missed.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

const ORCH: &str = env!("CARGO_BIN_EXE_orch");

/// A workspace with one schedule, which adds a line to `ran`.
fn workspace(cron: &str, catch_up: bool) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let status = Command::new(ORCH).arg("init").current_dir(dir.path()).output().unwrap().status;
    assert!(status.success());
    let settings = format!(
        "watch:\n  max_parallel: 8\n  schedules:\n  - name: one\n    cron: \"{cron}\"\n    \
         run: [sh, -c, echo done >>ran]\n    catch_up: {catch_up}\n"
    );
    fs::write(dir.path().join("ORCH/orch.yaml"), settings).unwrap();
    dir
}

fn watch(dir: &Path, once: bool) -> Child {
    Command::new(ORCH)
        .args(["watch", "--format=jsonl"])
        .args(once.then_some("--once"))
        .current_dir(dir)
        .env_remove("ORCH_ROOT")
        .env_remove("ORCH_ACTOR")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a watch tells until it ends, which must be well.
fn events(mut child: Child) -> Vec<String> {
    let out = BufReader::new(child.stdout.take().unwrap());
    let kinds = out.lines().map(|line| kind(&line.unwrap())).collect();
    assert!(child.wait().unwrap().success(), "{kinds:?}");
    kinds
}

fn kind(line: &str) -> String {
    let event: Value = serde_json::from_str(line).unwrap();
    event["event"].as_str().unwrap().to_owned()
}

fn once(dir: &Path) -> Vec<String> {
    events(watch(dir, true))
}

fn ran(dir: &Path) -> usize {
    fs::read_to_string(dir.join("ran")).unwrap_or_default().lines().count()
}

fn count(kinds: &[String], kind: &str) -> usize {
    kinds.iter().filter(|other| *other == kind).count()
}

/// As if a watch had last run it long ago.
fn age(dir: &Path, cron: &str) {
    let mark = format!("{{\"last\":\"2020-01-01T00:00:00Z\",\"cron\":\"{cron}\"}}\n");
    fs::write(dir.join("ORCH/STATE/LOCKS/schedules/one"), mark).unwrap();
}

const LEAP: &str = "0 12 29 2 *";

#[test]
fn what_was_missed_is_made_up_for_once_however_many_watch() {
    let dir = workspace(LEAP, true);
    assert_eq!(once(dir.path()), ["watching", "stopped"], "a new schedule has no past");
    age(dir.path(), LEAP);
    let watches: Vec<_> = (0..5).map(|_| watch(dir.path(), true)).collect();
    let told: Vec<_> = watches.into_iter().flat_map(events).collect();
    assert_eq!((ran(dir.path()), count(&told, "started"), count(&told, "ended")), (1, 1, 1));
    assert_eq!(count(&once(dir.path()), "started"), 0);
    assert_eq!(ran(dir.path()), 1);
}

#[test]
fn without_catch_up_what_was_missed_is_only_told_and_by_one() {
    let dir = workspace(LEAP, false);
    once(dir.path());
    age(dir.path(), LEAP);
    let watches: Vec<_> = (0..5).map(|_| watch(dir.path(), true)).collect();
    let told: Vec<_> = watches.into_iter().flat_map(events).collect();
    assert_eq!((ran(dir.path()), count(&told, "started"), count(&told, "missed")), (0, 0, 1));
}

#[test]
fn each_second_has_one_run_of_two_watches() {
    let dir = workspace("* * * * * *", false);
    let mut watches = [watch(dir.path(), false), watch(dir.path(), false)];
    // Reading one of them is enough: what it does not take, the other does, and
    // that ends too.
    let (tell, told) = std::sync::mpsc::channel();
    let readers = watches.each_mut().map(|child| {
        let out = BufReader::new(child.stdout.take().unwrap());
        let tell = tell.clone();
        std::thread::spawn(move || {
            for line in out.lines() {
                let _ = tell.send(kind(&line.unwrap()));
            }
        })
    });
    let mut started = 0;
    let mut ended = 0;
    let mut heard = |kind: String| {
        started += usize::from(kind == "started");
        ended += usize::from(kind == "ended");
        ended
    };
    while heard(told.recv().unwrap()) < 4 {}
    for child in &watches {
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }
    drop(tell);
    for kind in told {
        heard(kind);
    }
    for (mut child, reader) in watches.into_iter().zip(readers) {
        assert!(child.wait().unwrap().success());
        reader.join().unwrap();
    }
    // A folder is a due time.
    let folders = fs::read_dir(dir.path().join("ORCH/runs/@schedules/one")).unwrap().count();
    assert_eq!((started, ended, folders), (ran(dir.path()), started, started.min(20)));
}
