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

/// A workspace whose settings are those of the example, and a stand-in for the
/// agent that keeps what it was told.
fn with_agent() -> (tempfile::TempDir, std::ffi::OsString) {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = workspace();
    let settings = dir.path().join("ORCH/orch.yaml");
    std::fs::copy(examples().join("agent-runner.yaml"), settings).unwrap();
    let bin = dir.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let script = "#!/bin/sh\n[ \"$1\" = -p ] && printf '%s\\n' \"$2\" >\"told-$ORCH_TASK_ID\"\n";
    std::fs::write(bin.join("claude"), script).unwrap();
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(bin.join("claude"), mode).unwrap();
    let old = std::env::var_os("PATH").unwrap();
    let all = [bin, Path::new(ORCH).parent().unwrap().to_owned()];
    let path = std::env::join_paths(all.into_iter().chain(std::env::split_paths(&old)));
    (dir, path.unwrap())
}

#[test]
fn an_agent_is_told_each_task_and_cron_runs_it() {
    let (dir, path) = with_agent();
    // Each time what has room: the third may be one for the second time.
    for _ in 0..2 {
        let output = Command::new("sh")
            .arg(examples().join("cron-watch.sh"))
            .args([dir.path(), &dir.path().join("log")])
            .env("PATH", &path)
            .env_remove("ORCH_ACTOR")
            .env_remove("ORCH_ROOT")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{said}");
    }
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    assert_eq!(states(dir.path()), ["001,REVIEW", "002,REVIEW", "003,REVIEW"], "{log}");
    let told = std::fs::read_to_string(dir.path().join("told-001")).unwrap();
    assert!(told.contains("Title: First") && told.contains("orch submit 001"), "{told}");
}

#[test]
fn the_unit_starts_a_watch_and_waits_until_runs_have_ended() {
    let unit = std::fs::read_to_string(examples().join("orch-watch.service")).unwrap();
    let value = |key: &str| {
        let mut lines = unit.lines();
        let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        value.unwrap_or_else(|| panic!("no {key}"))
    };
    let (program, verb) = value("ExecStart").split_once(' ').unwrap();
    assert!(program.ends_with("/orch"));
    let dir = workspace();
    orch(dir.path(), &[verb, "--help"]);
    let grace = orch::services::config::Watch::default().grace;
    let stop = std::time::Duration::from_secs(value("TimeoutStopSec").parse().unwrap());
    assert!(stop >= grace * 2, "{stop:?}");
    assert_eq!(value("KillSignal"), "SIGTERM");
    if let Ok(output) = Command::new("systemd-analyze")
        .args(["--user", "verify"])
        .arg(examples().join("orch-watch.service"))
        .output()
    {
        let said = String::from_utf8_lossy(&output.stderr);
        let ours: Vec<_> = said.lines().filter(|line| line.contains("Unknown")).collect();
        assert!(ours.is_empty(), "{said}");
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
