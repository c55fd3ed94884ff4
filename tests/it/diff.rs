//! `diff` and `log --commits` where repositories are odd: worktrees, links,
//! folders, merges, texts that cannot be read.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "places files by hand")]

use crate::support::Workspace;
use crate::support::workspace::TASKS;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// Real git, which sees nothing of the machine's settings.
fn git(dir: &Path, words: &str) -> String {
    let mut git = Command::new("git");
    git.args(words.split(' ')).current_dir(dir).env_clear();
    git.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    for who in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{who}_NAME"), "ada");
        git.env(format!("GIT_{who}_EMAIL"), "ada@example.org");
    }
    let ran = git.output().unwrap();
    assert!(ran.status.success(), "git {words}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}

fn commit(ws: &Workspace, message: &str) {
    git(ws.root(), "add -A");
    git(ws.root(), &format!("commit -q -m {message}"));
}

/// A task in the first commit, a claim since.
fn claimed() -> Workspace {
    let ws = Workspace::new().init();
    git(ws.root(), "init -q -b main");
    let _ = ws.run("add One --state READY --as CMD@eve").ok();
    commit(&ws, "first");
    let _ = ws.run("claim 001 --as WORK@ada").ok();
    ws
}

const CLAIM: &str = "
001 One
  state: READY → DOING
  lease: - → WORK@ada until [..]
1 task moved
";

#[test]
fn a_linked_worktree_asks_the_main_one_whose_ledger_it_shares() {
    let ws = claimed();
    git(ws.root(), "worktree add -q -b side tree");
    commit(&ws, "second");
    ws.cd("tree");
    let _ = ws.run("diff 'HEAD~1'").ok().stdout(CLAIM);
    assert_eq!(ws.run("diff").ok().stdout, "");
    // Its own ledger, its own HEAD.
    ws.write("tree/ORCH/orch.yaml", "worktrees: own\n");
    assert_eq!(ws.run("diff").ok().stdout, "");
    let _ = ws.run("diff HEAD main").ok().stdout(CLAIM);
    assert_eq!(ws.run("diff 'HEAD~1'").exit(3).stdout, "");
}

#[test]
fn a_workspace_in_a_folder_of_a_repository_is_found_there() {
    let ws = Workspace::new();
    git(ws.root(), "init -q -b main");
    fs::create_dir_all(ws.root().join("a b/ü")).unwrap();
    ws.cd("a b/ü");
    let _ = ws.run("init --team --lang en").ok();
    let _ = ws.run("add One --state READY --as CMD@eve").ok();
    commit(&ws, "first");
    let _ = ws.run("claim 001 --as WORK@ada").ok();
    let _ = ws.run("diff").ok().stdout(CLAIM);
    ws.cd("ORCH/STATE");
    let _ = ws.run("diff HEAD -- 001").ok().stdout(CLAIM);
    let log = ws.run("log --commits --json").ok().json();
    let head = git(ws.root(), "rev-parse HEAD");
    let commits: Vec<_> =
        log["data"]["entries"].as_array().unwrap().iter().map(|e| e["commit"].clone()).collect();
    let head = serde_json::json!(head);
    assert_eq!(commits, [serde_json::Value::Null, head.clone(), head]);
}

#[test]
fn two_revisions_without_a_ledger_here_are_not_alike() {
    let ws = claimed();
    commit(&ws, "second");
    git(ws.root(), "tag v2");
    fs::create_dir(ws.root().join("sub")).unwrap();
    git(ws.root(), "mv ORCH sub/ORCH");
    commit(&ws, "moved");
    ws.cd("sub");
    for words in ["diff 'v2~1' v2", "diff 'v2~1..v2' --json", "diff v2 v2 -- 001"] {
        let ran = ws.run(words).exit(3);
        let says = "`v2` has `sub/ORCH/STATE/TASKS.md`: nothing to compare";
        assert!(ran.stderr.contains(says) && ran.stderr.contains("neither `"), "{ran:?}");
        assert!(ran.stderr.ends_with("hint: orch log --commits\n"), "{ran:?}");
    }
    // One of the two has it.
    let _ = ws.run("diff v2 HEAD").ok();
}

#[test]
fn links_are_followed_to_where_git_has_the_files() {
    // The whole folder, as it is now.
    let ws = claimed();
    git(ws.root(), "mv ORCH tracker");
    symlink("tracker", ws.root().join("ORCH")).unwrap();
    commit(&ws, "moved");
    let _ = ws.run("note 001 linked --as WORK@ada").ok();
    let _ = ws.run("diff").ok().stdout("\n001 One\n  notes: + linked\n1 task changed\n");
    // One ledger, in the revision too.
    let ws = claimed();
    fs::rename(ws.root().join(TASKS), ws.root().join("tasks.md")).unwrap();
    symlink("../../tasks.md", ws.root().join(TASKS)).unwrap();
    commit(&ws, "linked");
    let _ = ws.run("note 001 linked --as WORK@ada").ok();
    let _ = ws.run("diff").ok().stdout("\n001 One\n  notes: + linked\n1 task changed\n");
    let _ = ws.run("diff 'HEAD~1' HEAD").ok().stdout(CLAIM);
}

#[test]
fn what_a_merge_left_in_a_ledger_and_bytes_that_are_no_text_end_it() {
    let ws = claimed();
    let text = ws.read(TASKS);
    let row = text.lines().find(|line| line.starts_with("| 001")).unwrap();
    let torn = format!("<<<<<<< ours\n{row}\n=======\n{row}\n>>>>>>> theirs");
    let torn = text.replace(row, &torn);
    let marks = |at: &str| format!("{at}ORCH/STATE/TASKS.md:");
    // Now, and in a revision: no row of it is a change.
    ws.write(TASKS, &torn);
    for words in ["diff", "diff -- 001", "diff --json"] {
        let ran = ws.run(words).exit(10);
        assert!(ran.stderr.contains("are an unresolved merge"), "{ran:?}");
        assert!(ran.stderr.contains(&marks("")) && !ran.stdout.contains("<<<"), "{ran:?}");
    }
    commit(&ws, "torn");
    ws.write(TASKS, &text);
    let ran = ws.run("diff").exit(10);
    assert!(ran.stderr.contains(&marks("HEAD:")) && ran.stdout.is_empty(), "{ran:?}");
    ws.write(TASKS, b"\xff");
    commit(&ws, "bytes");
    ws.write(TASKS, &text);
    let ran = ws.run("diff").exit(10);
    assert!(ran.stderr.contains("HEAD:ORCH/STATE/TASKS.md"), "{ran:?}");
    // What is before them can be compared all the same.
    let _ = ws.run("diff 'HEAD~2'").ok().stdout(CLAIM);
}

#[test]
fn what_was_typed_is_a_revision_and_nothing_else() {
    let ws = claimed();
    git(ws.root(), "tag -a -m note v1");
    git(ws.root(), "branch --no-track -- odd/näme");
    for revision in ["v1", "odd/näme", "HEAD^{tree}", "@", ":/first", "main@{0}"] {
        let _ = ws.run(&format!("diff {revision}")).ok().stdout(CLAIM);
    }
    let tree = ws.run("diff HEAD^{tree} --json").ok().json();
    assert_eq!(tree["data"]["from"], serde_json::json!({"rev": "HEAD^{tree}", "commit": null}));
    let words = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        ws.run_words(&words, b"")
    };
    let before = ws.kept();
    let odd =
        ["", "nope", "--output=x", "a\nb", "HEAD:ORCH", "^HEAD", "HEAD -- x", ":!x", "\u{1b}[m"];
    for revision in odd {
        let ran = words(&["diff", revision]);
        let is_tree = revision == "HEAD:ORCH";
        assert!(matches!((ran.exit, is_tree), (2 | 3, false) | (0, true)), "{revision}: {ran:?}");
        assert!(!ran.stderr.contains('\u{1b}'), "{ran:?}");
    }
    let _ = words(&["diff", "v1", "nope"]).exit(3);
    let _ = words(&["diff", "v1..nope"]).exit(3);
    assert_eq!(ws.kept(), before, "a reader writes nothing");
    // Histories without a commit in common.
    git(ws.root(), "checkout -q --orphan other");
    git(ws.root(), "commit -q --allow-empty -m other");
    assert!(words(&["diff", "main...other"]).exit(3).stderr.contains("no commit in common"));
}

#[test]
fn a_line_that_came_to_be_in_a_merge_has_the_merge() {
    let ws = claimed();
    git(ws.root(), "checkout -q -b side");
    commit(&ws, "claim");
    let claim = git(ws.root(), "rev-parse HEAD");
    git(ws.root(), "checkout -q main");
    git(ws.root(), "merge -q --no-ff --no-commit side");
    let _ = ws.run("note 001 merged --as WORK@ada").ok();
    commit(&ws, "merge");
    let merge = git(ws.root(), "rev-parse HEAD");
    let log = ws.run("log 001 --commits --json").ok().json();
    let of = |n: usize| log["data"]["entries"][n]["commit"].as_str().unwrap_or_default();
    assert_eq!((of(0), of(1)), (merge.as_str(), claim.as_str()), "{log}");
    // Not asked for, not there.
    let log = ws.run("log 001 --json").ok().json();
    assert!(log["data"]["entries"][0].get("commit").is_none());
    let out = ws.run("log 001 --commits --format csv").ok().stdout;
    assert!(out.starts_with("seq,id,commit,ts,"), "{out}");
    let _ = ws.run("log 001 --commits --blame").exit(2);
    let _ = Workspace::new().init().run("log --commits").exit(3);
}
