//! Alerts of several processes in one workspace.
//!
//! Each process is this test program itself, started anew for one test.

use orch::model::alert::{Condition, Kind};
use orch::model::time::Timestamp;
use orch::store::alerts::{Alerts, State};
use orch::store::layout::Layout;
use orch::sys::Sys;
use std::fs;
use std::process::{Command, Stdio};

/// Names the workspace for a process of the test below.
const ROOT: &str = "ORCH_TEST_ALERTS_ROOT";
const PROCESSES: usize = 4;
const ROUNDS: i64 = 20;

/// What one process does: in each round it sees the same as the others. It says
/// how many changes it was the one to tell.
#[test]
fn one_of_several_processes() {
    let Some(root) = std::env::var_os(ROOT) else { return };
    let (sys, layout) = (Sys::real(), Layout::new(root));
    let mut told = 0;
    for round in 0..ROUNDS {
        // A key for each round, so that nobody waits for anybody. Months pass.
        let now = Timestamp(1_767_225_600_000 + round * 8 * 86_400_000);
        let found: Vec<_> =
            (0..=round).map(|n| Condition::new(Kind::Overdue, format!("k{n}"), "late")).collect();
        let mut alerts = Alerts::default();
        let new = loop {
            // On a busy machine others may be at it for longer than a second.
            if let Ok(new) = alerts.sync(&sys, &layout, now, &found, &[]) {
                break new;
            }
        };
        assert!(new.iter().all(|alert| alert.state == State::Firing));
        told += new.len();
    }
    eprintln!("told {told}");
}

#[test]
fn a_change_that_several_processes_see_is_told_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::new(fs::canonicalize(dir.path()).unwrap());
    fs::create_dir_all(layout.state_dir()).unwrap();
    let start = |_| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["alerts::one_of_several_processes", "--exact", "--nocapture"]);
        command.env(ROOT, &layout.root).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..PROCESSES).map(start).collect();
    let mut told = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let number = said.lines().find_map(|line| line.strip_prefix("told "));
        told += number.and_then(|n| n.parse::<usize>().ok()).expect("it says a number");
    }
    let rounds = usize::try_from(ROUNDS).unwrap();
    assert_eq!(told, rounds);
    let mut lines = 0;
    for month in fs::read_dir(layout.logs_dir()).unwrap().map(|entry| entry.unwrap().path()) {
        let text = fs::read_to_string(month.join("alerts.jsonl")).unwrap_or_default();
        lines += text.lines().count();
    }
    assert_eq!(lines, rounds);
    let alerts = Alerts::read(&Sys::real(), &layout).unwrap();
    assert_eq!(alerts.firing().count(), rounds);
}
