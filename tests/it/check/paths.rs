//! `check PATH`: ledgers of other places, without a workspace.

use super::{APPROVAL_HEAD, TASK_HEAD, approval, codes, task};
use crate::support::workspace::Workspace;

fn other() -> Workspace {
    let ws = Workspace::new();
    ws.write("a/TASKS.md", format!("{TASK_HEAD}{}", task("1", "DONE", "-")));
    ws.write("a/APPROVALS.md", format!("{APPROVAL_HEAD}{}", approval("A1", "pending", "gone.md")));
    ws.write("a/b/list.md", format!("{TASK_HEAD}{}", task("1", "LATER", "-")));
    ws.write("a/b/prose.md", "| a | b |\n|---|---|\n");
    ws.write("a/.hidden/x.md", format!("{TASK_HEAD}{}", task("1", "LATER", "-").repeat(2)));
    ws.write("a/target/x.md", format!("{TASK_HEAD}{}", task("1", "LATER", "-").repeat(2)));
    ws
}

#[test]
fn files_and_folders_are_looked_at_by_themselves() {
    let ws = other();
    let found = |paths: &str| codes(&ws.run(&format!("check --json {paths}")));
    assert_eq!(found("a/b/list.md"), ["unknown-state 1"]);
    assert_eq!(found("a/TASKS.md"), [""; 0], "by itself it has no approvals");
    assert_eq!(found("a"), ["done-pending 1", "unknown-state 1"], "the two belong together");
    assert_eq!(found("a/b a/b/list.md"), ["unknown-state 1", "unknown-state 1"]);
    assert_eq!(found("a/b/list.md a/b/list.md"), ["unknown-state 1"]);
    assert_eq!(found("a/b/prose.md"), ["no-table -"]);
    let ran = ws.run("check a/b/list.md").ok();
    assert!(ran.stdout.contains("--> a/b/list.md:3:15"), "{ran:?}");
    let _ = ws.run("check a").exit(10);
}

#[test]
fn what_is_not_there_is_said_to_be_so() {
    let ws = other();
    let _ = ws.run("check nowhere.md").exit(3);
    ws.write("empty/x.md", "prose\n");
    let ran = ws.run("check empty").exit(3);
    assert!(ran.stderr.contains("no ledger in `empty`"), "{ran:?}");
    let _ = ws.run("check --fix a").exit(2);
    let _ = ws.run("check --staged a").exit(2);
}

#[test]
fn a_folder_that_is_a_workspace_is_looked_at_as_one() {
    let ws = other();
    ws.write("w/ORCH/STATE/TASKS.md", format!("{TASK_HEAD}{}", task("d-1", "DONE", "-")));
    ws.write("w/ORCH/orch.yaml", "approvals: {required: [\"d-*\"]}\n");
    let ran = ws.run("check w --json").exit(10);
    assert_eq!(codes(&ran), ["done-unapproved d-1"]);
    assert_eq!(ran.json()["data"]["findings"][0]["file"], "w/ORCH/STATE/TASKS.md");
}
