//! `check --staged` in real repositories.

use super::{APPROVAL_HEAD, TASK_HEAD, approval, checked, git, task, team};
use crate::support::workspace::{APPROVALS, TASKS, Workspace};
use std::fs;

fn repository(tasks: &str, approvals: &str) -> Workspace {
    let ws = team(tasks, approvals);
    git(&ws, "", "init -q");
    ws
}

fn commit(ws: &Workspace) {
    git(ws, "", "add -A");
    git(ws, "", "commit -q -m x");
}

#[test]
fn only_what_the_commit_brings_in_counts() {
    let ws = repository(&(task("1", "PLAN", "-") + &task("1", "LATER", "-")), "");
    git(&ws, "", "add -A");
    assert_eq!(checked(&ws, "--staged"), ["duplicate-id 1", "unknown-state 1"], "all of it is new");
    let _ = ws.run("check --staged").exit(10);
    commit(&ws);
    assert_eq!(checked(&ws, "--staged"), [""; 0]);
    let _ = ws.run("check").exit(10);
    // The work tree is not what is committed.
    ws.write(TASKS, ws.read(TASKS) + &task("2", "PLAN", "depends=2"));
    assert_eq!(checked(&ws, "--staged"), [""; 0]);
    git(&ws, "", "add -A");
    assert_eq!(checked(&ws, "--staged"), ["dependency-cycle 2"]);
    let ran = ws.run("check --staged").exit(10);
    assert!(ran.stdout.contains(&format!("{TASKS}:5:")), "{ran:?}");
    ws.write(TASKS, ws.read(TASKS).replace("depends=2", "-"));
    let _ = ws.run("check --staged").exit(10);
    git(&ws, "", "add -A");
    let _ = ws.run("check --staged").ok();
}

#[test]
fn a_warning_that_is_new_fails_with_strict_only() {
    let ws = repository(&task("1", "LATER", "-"), "");
    commit(&ws);
    let _ = ws.run("check --staged --strict").ok();
    ws.write(TASKS, ws.read(TASKS) + &task("2", "SOON", "-"));
    git(&ws, "", "add -A");
    let _ = ws.run("check --staged").ok();
    let _ = ws.run("check --staged --strict").exit(10);
}

/// The index has no version of its own then, and taking HEAD's back would throw
/// the other side's away.
#[test]
fn a_merge_that_nobody_resolved_is_not_a_ledger_taken_away() {
    let ws = repository(&task("1", "PLAN", "-"), "");
    commit(&ws);
    git(&ws, "", "switch -q -c other");
    for (branch, state) in [("other", "HOLD"), ("-", "READY")] {
        if branch == "-" {
            git(&ws, "", "switch -q -");
        }
        ws.write(TASKS, ws.read(TASKS).replace("PLAN", state));
        commit(&ws);
    }
    let ran = std::process::Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@b", "merge", "-q", "other"])
        .current_dir(ws.root())
        .output()
        .unwrap();
    assert!(!ran.status.success(), "both moved the task: {ran:?}");
    assert_eq!(checked(&ws, "--staged"), ["unreadable-file -"]);
    let ran = ws.run("check --staged").exit(10);
    assert!(ran.stdout.contains("unresolved merge") && !ran.stdout.contains("restore"), "{ran:?}");
}

#[test]
fn copies_of_leases_are_not_judged_by_a_ledger_that_nobody_can_read() {
    let ws = team(&task("1", "READY", "-"), "");
    let _ = ws.run("claim 1 --as WORK@ada").ok();
    let whole = ws.read(TASKS);
    ws.write(TASKS, format!("<<<<<<< a\n{whole}=======\n{whole}>>>>>>> b\n"));
    assert_eq!(checked(&ws, "--all"), ["unreadable-file -"]);
    let _ = ws.run("check --fix --as CMD@eve");
    ws.write(TASKS, &whole);
    assert!(ws.existing("ORCH/STATE/LOCKS/1.lock").is_some(), "the copy is still there");
}

#[test]
fn a_file_that_nobody_can_read_stops_every_commit() {
    let ws = repository(&task("1", "PLAN", "-"), "");
    ws.write(APPROVALS, "| id | task_id | op | status |\n|---|---|\n");
    commit(&ws);
    assert_eq!(checked(&ws, "--staged"), ["no-table -"]);
    let _ = ws.run("check --staged").exit(10);
    ws.write(APPROVALS, APPROVAL_HEAD);
    ws.write("ORCH/orch.yaml", "lock_wait: [\n");
    git(&ws, "", "add -A");
    ws.write("ORCH/orch.yaml", "");
    assert_eq!(checked(&ws, "--staged"), ["unreadable-file -"]);
}

#[test]
fn settings_are_those_of_the_index() {
    let ws = repository(&task("d-1", "DONE", "-"), "");
    commit(&ws);
    ws.write("ORCH/orch.yaml", "approvals: {required: [\"d-*\"]}\n");
    git(&ws, "", "add -A");
    ws.write("ORCH/orch.yaml", "");
    assert_eq!(checked(&ws, "--staged"), [""; 0], "HEAD has it under these settings, too");
    ws.write(TASKS, ws.read(TASKS) + &task("d-2", "DONE", "-"));
    git(&ws, "", "add ORCH/STATE/TASKS.md");
    assert_eq!(checked(&ws, "--staged"), ["done-unapproved d-2"]);
}

#[test]
fn evidence_that_the_commit_takes_away_counts_though_its_row_stays() {
    let row =
        approval("A1", "pending", "ORCH/patches/x.md") + &approval("A2", "pending", "gone.md");
    let ws = repository(&task("1", "PLAN", "-"), &row);
    ws.write("ORCH/patches/x.md", "seen");
    commit(&ws);
    assert_eq!(checked(&ws, "--staged"), [""; 0], "A2 was so before");
    git(&ws, "", "rm -q ORCH/patches/x.md");
    assert_eq!(checked(&ws, "--staged"), ["evidence-missing A1"]);
}

#[test]
fn a_hook_is_asked_about_the_index_that_it_is_given() {
    let ws = repository(&task("1", "PLAN", "-"), "");
    commit(&ws);
    ws.write(TASKS, ws.read(TASKS) + &task("1", "PLAN", "-"));
    // What `git commit -a` does: an index of its own, which the hook is told of.
    fs::copy(ws.root().join(".git/index"), ws.root().join(".git/next-index")).unwrap();
    let name = ws.root().join(".git/next-index");
    let added = std::process::Command::new("git")
        .args(["add", "-A"])
        .current_dir(ws.root())
        .env("GIT_INDEX_FILE", &name)
        .status();
    assert!(added.unwrap().success());
    let _ = ws.run("check --staged").ok();
    ws.var("GIT_INDEX_FILE", Some(".git/next-index"));
    let _ = ws.run("check --staged").exit(10);
    ws.var("GIT_INDEX_FILE", None);
    let _ = ws.run("check --staged").ok();
}

#[test]
fn a_linked_worktree_has_an_index_of_its_own() {
    let ws = repository(&task("1", "PLAN", "-"), "");
    commit(&ws);
    git(&ws, "", "worktree add -q ../linked");
    let linked = ws.root().parent().unwrap().join("linked");
    let text = format!("{TASK_HEAD}{}", task("1", "PLAN", "-").repeat(2));
    fs::write(linked.join(TASKS), text).unwrap();
    git(&ws, "../linked", "add -A");
    let _ = ws.run("check --staged").ok();
    ws.cd("../linked");
    let _ = ws.run("check --staged").exit(10);
    let _ = ws.run("check").ok();
}

#[test]
fn without_a_repository_or_a_tracked_ledger_nothing_is_staged() {
    let ws = team(&task("1", "PLAN", "-"), "");
    let ran = ws.run("check --staged").exit(3);
    assert!(ran.stderr.contains("in no git repository"), "{ran:?}");
    git(&ws, "", "init -q");
    assert_eq!(checked(&ws, "--staged"), [""; 0]);
}
