//! Truncation, as far as git and this machine's checkpoint can tell it.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "places files by hand")]

use crate::support::Workspace;
use serde_json::Value;
use std::process::Command;

const JOURNAL: &str = "ORCH/LOGS/2026-01/journal.jsonl";
const CHECKPOINT: &str = "ORCH/STATE/LOCKS/checkpoint";

/// Real git, which sees nothing of the machine's settings.
fn git(ws: &Workspace, words: &str) {
    let mut git = Command::new("git");
    git.args(words.split(' ')).current_dir(ws.root()).env_clear();
    git.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    for who in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{who}_NAME"), "ada");
        git.env(format!("GIT_{who}_EMAIL"), "ada@example.org");
    }
    let ran = git.output().unwrap();
    assert!(ran.status.success(), "git {words}: {}", String::from_utf8_lossy(&ran.stderr));
}

/// Four operations, of which git has three in HEAD.
fn committed() -> Workspace {
    let ws = Workspace::new().init();
    for line in ["add One --state READY --as CMD@eve", "claim 001 --as WORK@ada"] {
        let _ = ws.run(line).ok();
    }
    git(&ws, "init -q -b main");
    git(&ws, "add -A");
    git(&ws, "commit -q -m three");
    let _ = ws.run("note 001 more --as WORK@ada").ok();
    // Each test says itself whether this machine saw more than git.
    std::fs::remove_file(ws.root().join(CHECKPOINT)).unwrap();
    ws
}

fn cut(ws: &Workspace, lines: usize) {
    let text = ws.read(JOURNAL);
    let kept = text.lines().count() - lines;
    ws.write(JOURNAL, text.split_inclusive('\n').take(kept).collect::<String>());
}

fn verify(ws: &Workspace) -> Value {
    let ran = ws.run("audit verify --json");
    let json = ran.json();
    let has_errors = findings(&json).iter().any(|(_, severity, _)| severity == "error");
    let _ = ran.exit(if has_errors { 10 } else { 0 });
    json
}

fn findings(answer: &Value) -> Vec<(String, String, String)> {
    let findings = answer["data"]["findings"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    findings
        .filter(|f| f["code"] != "not-journalled")
        .map(|f| (text(&f["code"]), text(&f["severity"]), text(&f["message"])))
        .collect()
}

#[track_caller]
fn finds(ws: &Workspace, expected: &[(&str, &str)]) {
    let found = findings(&verify(ws));
    let codes: Vec<_> = found.iter().map(|(code, s, _)| (code.as_str(), s.as_str())).collect();
    assert_eq!(codes, expected, "{found:?}");
}

fn write_checkpoint(ws: &Workspace) {
    let head = verify(ws)["data"]["heads"][0].as_str().unwrap().to_owned();
    ws.write(CHECKPOINT, format!("orch checkpoint 1\nhead {head}\nstanding 0\nend\n"));
}

#[test]
fn evidence_is_held_against_its_hash_in_the_journal() {
    let ws = Workspace::new().init();
    ws.write("draft.md", "one\n");
    let _ = ws.run("add One --state READY --as CMD@eve").ok();
    let _ = ws.run("request 001 --op x --evidence draft.md --as WORK@ada").ok();
    let _ = ws.run("approve A001 --as CMD@eve").ok();
    finds(&ws, &[]);
    ws.write("draft.md", "two\n");
    finds(&ws, &[("evidence-altered", "error")]);
    let ran = ws.run("audit verify").exit(10);
    let said = "ORCH/STATE/APPROVALS.md:10:1: the evidence `draft.md` of `A001` is not what";
    assert!(ran.stdout.contains(said), "{ran:?}");
    let _ = ws.run("check --accept evidence-altered --as CMD@eve").ok();
    finds(&ws, &[("evidence-altered", "note")]);
    std::fs::remove_file(ws.root().join("draft.md")).unwrap();
    finds(&ws, &[("evidence-missing", "error")]);
    ws.write("draft.md", "one\n");
    finds(&ws, &[]);
    // A file of ours is told of once: as evidence, not as one of the journal's.
    git(&ws, "init -q -b main");
    let _ = ws.run("request 001 --op y --diff HEAD --as WORK@ada");
    git(&ws, "add -A");
    git(&ws, "commit -q -m first");
    ws.write("src.txt", "new\n");
    let _ = ws.run("request 001 --op y --diff --as WORK@ada").ok();
    let path = "ORCH/patches/2026-01/001-A002.diff.md";
    ws.write(path, ws.read(path).replace("new", "old"));
    let json = verify(&ws);
    let codes: Vec<_> = json["data"]["findings"].as_array().unwrap().iter().collect();
    assert_eq!((codes.len(), codes[0]["code"].as_str()), (1, Some("evidence-altered")), "{json}");
}

#[test]
fn t42_what_head_has_must_be_there() {
    let ws = committed();
    finds(&ws, &[]);
    // The fourth was never committed: nobody but a checkpoint knows it.
    cut(&ws, 1);
    finds(&ws, &[]);
    for k in 1..=3 {
        cut(&ws, 1);
        let found = findings(&verify(&ws));
        assert_eq!((found[0].0.as_str(), found[0].1.as_str()), ("missing", "error"));
        let lines = if k == 1 { "a line".to_owned() } else { format!("{k} lines") };
        assert!(found[0].2.contains(&lines) && found[0].2.contains("HEAD"), "{found:?}");
    }
    // To add the cut file to the index hides nothing while HEAD has it.
    git(&ws, "add -A");
    finds(&ws, &[("missing", "error")]);
}

#[test]
fn t42_what_the_index_has_must_be_there() {
    let ws = committed();
    git(&ws, "add -A");
    cut(&ws, 1);
    let found = findings(&verify(&ws));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].2.contains("index"), "{found:?}");
}

#[test]
fn t42_the_checkpoint_knows_what_git_never_had() {
    let ws = committed();
    write_checkpoint(&ws);
    finds(&ws, &[]);
    cut(&ws, 1);
    finds(&ws, &[("truncated", "error")]);
    // A commit explains nothing: it takes no line out of the work tree.
    git(&ws, "commit -q --allow-empty -m unrelated");
    finds(&ws, &[("truncated", "error")]);
}

#[test]
fn a_checkout_a_stash_and_a_reset_are_explained() {
    let ws = committed();
    write_checkpoint(&ws);
    git(&ws, "stash -q");
    finds(&ws, &[("moved", "note")]);
    git(&ws, "stash pop -q");
    finds(&ws, &[]);
    git(&ws, "checkout -q -b other");
    git(&ws, "commit -q -a -m four");
    git(&ws, "checkout -q main");
    finds(&ws, &[("moved", "note")]);
    git(&ws, "checkout -q other");
    finds(&ws, &[]);
    git(&ws, "reset -q --hard main");
    git(&ws, "branch -q -D main");
    finds(&ws, &[("moved", "note")]);
}

#[test]
fn lines_that_a_commit_removed_are_reverted_and_not_missing() {
    let ws = committed();
    write_checkpoint(&ws);
    git(&ws, "commit -q -a -m four");
    git(&ws, "revert --no-edit HEAD");
    finds(&ws, &[("reverted", "note"), ("moved", "note")]);
    // In the middle of the chain too: the line behind it stays.
    let ws = committed();
    git(&ws, "commit -q -a -m four");
    let text = ws.read(JOURNAL);
    let without_third = text.split_inclusive('\n').enumerate().filter(|(n, _)| *n != 2);
    ws.write(JOURNAL, without_third.map(|(_, line)| line).collect::<String>());
    finds(&ws, &[("missing", "error"), ("missing", "error")]);
    git(&ws, "commit -q -a -m without");
    let found = findings(&verify(&ws));
    assert!(found.iter().all(|(code, ..)| code != "missing"), "{found:?}");
    assert!(found.iter().any(|(code, severity, _)| code == "reverted" && severity == "note"));
}

#[test]
fn a_union_merge_of_two_branches_is_in_order() {
    let ws = committed();
    git(&ws, "checkout -q -b ours");
    git(&ws, "commit -q -a -m ours");
    git(&ws, "checkout -q main");
    let _ = ws.run("add Other --as CMD@eve").ok();
    git(&ws, "commit -q -a -m theirs");
    // TASKS.md merges by hand here; the journal by `merge=union`.
    git(&ws, "merge -q -X theirs ours");
    let answer = verify(&ws);
    assert_eq!(answer["data"]["heads"].as_array().unwrap().len(), 2, "{answer}");
    assert_eq!(findings(&answer), []);
    let log = ws.run("log --json").ok().json();
    assert_eq!(log["data"]["total"], 5);
}

#[test]
fn the_callers_git_variables_change_nothing() {
    let ws = committed();
    ws.var("GIT_DIR", Some("/nowhere"));
    cut(&ws, 2);
    finds(&ws, &[("missing", "error")]);
}
