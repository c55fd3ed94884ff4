//! The examples that people copy do what they say, with the real binary.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ORCH: &str = env!("CARGO_BIN_EXE_orch");

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// A shell command with `orch` on the path and no actor of its own.
fn shell(dir: &Path, script: &str, args: &[&str]) -> Output {
    let bin = Path::new(ORCH).parent().unwrap();
    let path = std::env::join_paths(
        std::iter::once(bin.to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    Command::new("sh")
        .arg(examples().join(script))
        .args(args)
        .current_dir(dir)
        .env("PATH", path.unwrap())
        .env_remove("ORCH_ACTOR")
        .env_remove("ORCH_ROOT")
        .output()
        .unwrap()
}

fn orch(dir: &Path, args: &[&str]) -> String {
    let output = Command::new(ORCH).args(args).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn workspace() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    orch(dir.path(), &["init", "--team", "--lang", "en"]);
    for (title, due) in [("First", "2001-02-03"), ("Second", "2000-01-01"), ("Third", "2999-01-01")]
    {
        orch(dir.path(), &["add", title, "--due", due, "--as", "CMD@eve"]);
    }
    orch(dir.path(), &["ready", "001", "002", "003", "--as", "CMD@eve"]);
    dir
}

fn states(dir: &Path) -> Vec<String> {
    let csv = orch(dir, &["list", "--format", "csv", "--fields", "task_id,state"]);
    csv.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn the_agent_loop_works_until_nothing_is_left() {
    let dir = workspace();
    let output =
        shell(dir.path(), "agent-loop.sh", &["WORK@robo", "sh", "-c", "echo did $TASK >> log"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(states(dir.path()), ["001,REVIEW", "002,REVIEW", "003,REVIEW"]);
    let log =
        std::process::Command::new("cat").arg(dir.path().join("log")).output().unwrap().stdout;
    assert_eq!(String::from_utf8(log).unwrap(), "did 002\ndid 001\ndid 003\n");
}

#[test]
fn the_agent_loop_gives_back_what_fails() {
    let dir = workspace();
    let output = shell(dir.path(), "agent-loop.sh", &["WORK@robo", "false"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(states(dir.path()), ["001,READY", "002,READY", "003,READY"]);
    assert!(orch(dir.path(), &["show", "002"]).contains("the command failed"));
}

#[test]
fn overdue_prints_a_line_a_task() {
    let dir = workspace();
    let output = shell(dir.path(), "overdue.sh", &[]);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "002,2000-01-01,Second\n001,2001-02-03,First\n"
    );
}

#[test]
fn cron_is_safe_to_repeat() {
    let dir = workspace();
    orch(dir.path(), &["drop", "003", "--as", "CMD@eve"]);
    for _ in 0..2 {
        let output = shell(dir.path(), "cron-reap.sh", &[".", "2999-12-31"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(states(dir.path()), ["001,READY", "002,READY"]);
    }
}

#[test]
fn torture_counts_what_was_lost_and_finds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let has_timeout = Command::new("timeout").args(["1", "true"]).status();
    if !has_timeout.is_ok_and(|status| status.success()) {
        eprintln!("skipped: there is no `timeout` to kill commands with");
        return;
    }
    let output = Command::new("sh")
        .arg(examples().join("torture.sh"))
        .arg("2")
        .current_dir(dir.path())
        .env("ORCH", ORCH)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{err}");
    assert!(said.ends_with("lost: 0\n"), "{said}{err}");
}
