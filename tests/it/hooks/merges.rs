//! What holds behind merges that git makes with our driver: what two branches
//! did counts as done, and nothing of it as edited by hand.

use super::ground::{APPROVALS, Repo, TASKS};
use serde_json::Value;
use std::fs;

/// Six tasks, READY, in a first commit.
fn six() -> Repo {
    let repo = Repo::installed();
    for title in ["One", "Two", "Three", "Four", "Five", "Six"] {
        repo.orch(&format!("add {title} --state READY --as CMD@eve")).ok();
    }
    repo.commit_all("six");
    repo
}

/// Does one thing on a branch `other` and one on `main`, where it ends.
fn apart(repo: &Repo, theirs: &[&str], ours: &[&str]) {
    repo.git("checkout -q -b other").ok();
    for words in theirs {
        repo.orch(words).ok();
    }
    repo.commit_all("theirs");
    repo.git("checkout -q main").ok();
    for words in ours {
        repo.orch(words).ok();
    }
    repo.commit_all("ours");
}

fn claimed(repo: &Repo, id: &str, actor: &str) -> u64 {
    let ran = repo.orch(&format!("claim {id} --as {actor} --json")).ok();
    ran.json()["data"]["lease"]["token"].as_u64().unwrap()
}

/// Nobody finds anything: not `check`, not `audit verify`, not a reader, not the
/// next change.
#[track_caller]
fn nothing_odd(repo: &Repo) {
    let found = repo.orch("check --json").ok().json();
    let severe = |finding: &&Value| finding["severity"] != "note";
    let findings = found["data"]["findings"].as_array().unwrap();
    assert_eq!(findings.iter().filter(severe).count(), 0, "{found:#}");
    assert_eq!(found["warnings"], serde_json::json!([]));
    repo.orch("audit verify").ok();
    let before = external(repo);
    let ran = repo.orch("note 006 next --as WORK@zoe").ok();
    assert!(!ran.err.contains("warning"), "{ran:?}");
    assert_eq!(external(repo), before, "nothing was edited by hand");
    repo.orch("audit verify").ok();
    repo.orch("check").ok();
}

/// How many operations were made outside.
fn external(repo: &Repo) -> usize {
    let log = repo.orch("log --json --limit 0").ok().json();
    let entries = log["data"]["entries"].as_array().unwrap().clone();
    entries.iter().filter(|entry| entry["command"] == "external").count()
}

/// Leaves one half of each conflict: ours, or theirs.
fn resolve(repo: &Repo, file: &str, ours: bool) {
    let (mut out, mut half) = (String::new(), None);
    for line in repo.read(file).split_inclusive('\n') {
        match (half, line.get(..7)) {
            (_, Some("<<<<<<<")) => half = Some(true),
            (Some(_), Some("=======")) => half = Some(false),
            (_, Some(">>>>>>>")) => half = None,
            (half, _) if half.is_none_or(|is_ours| is_ours == ours) => out.push_str(line),
            _ => {}
        }
    }
    repo.write(file, &out);
}

#[test]
fn what_two_branches_did_is_done() {
    let ways: [(&str, &[&str]); 3] = [
        ("merge", &["merge -q --no-edit other"]),
        ("rebase", &["checkout -q other", "rebase -q main"]),
        ("cherry-pick", &["cherry-pick other"]),
    ];
    for (name, way) in ways {
        let repo = six();
        let theirs = [
            "claim 001 --as WORK@ada",
            "submit 001 --as WORK@ada",
            "claim 003 --as WORK@ada",
            "note 005 theirs --as WORK@ada",
            "add Seven --detail Words --as CMD@eve",
        ];
        let ours = [
            "claim 002 --as WORK@bob",
            "note 005 ours --as WORK@bob",
            "set 004 due=2030-01-01 --as CMD@eve",
        ];
        apart(&repo, &theirs, &ours);
        for words in way {
            repo.git(words).ok();
        }
        let states = ["001", "002", "003"].map(|id| repo.cell(id, "state"));
        assert_eq!(states, ["REVIEW", "DOING", "DOING"], "{name}");
        let notes = repo.cell("005", "notes");
        assert!(notes.contains("theirs") && notes.contains("ours"), "{name}: {notes}");
        nothing_odd(&repo);
        repo.orch("renew 002 --as WORK@bob").ok();
        repo.orch("renew 003 --as WORK@ada").ok();
        // Who handed it in is known: it is not theirs to accept.
        repo.orch("done 001 --as AUDIT@ada").exits(8);
        repo.orch("done 001 --as AUDIT@kim").ok();
        repo.commit_all("after");
    }
}

#[test]
fn commits_that_are_replayed_one_by_one_are_done_once() {
    let repo = six();
    repo.git("checkout -q -b other").ok();
    let steps = ["claim 001", "submit 001", "claim 003", "release 003", "claim 004"];
    for step in steps {
        repo.orch(&format!("{step} --as WORK@ada")).ok();
        repo.commit_all(step);
    }
    repo.git("checkout -q main").ok();
    let ours = claimed(&repo, "002", "WORK@bob");
    repo.commit_all("ours");
    repo.git("checkout -q other").ok();
    repo.git("rebase -q main").ok();
    nothing_odd(&repo);
    let log = repo.orch("log --json --limit 0").json();
    let entries = log["data"]["entries"].as_array().unwrap().clone();
    assert_eq!(entries.iter().filter(|entry| entry["command"] == "claim").count(), 4);
    assert!(claimed(&repo, "003", "WORK@ada") > ours);
}

#[test]
fn a_stash_comes_back_on_top_of_what_others_did() {
    let repo = six();
    repo.orch("set 004 due=2030-01-01 --as CMD@eve").ok();
    repo.git("stash -q").ok();
    repo.orch("list").ok();
    repo.orch("set 005 due=2031-01-01 --as CMD@eve").ok();
    repo.commit_all("between");
    repo.git("stash pop -q").ok();
    assert_eq!(
        (&*repo.cell("004", "due"), &*repo.cell("005", "due")),
        ("2030-01-01", "2031-01-01")
    );
    nothing_odd(&repo);
    repo.commit_all("both");
}

#[test]
fn a_clone_of_a_merge_knows_as_much() {
    let mut repo = six();
    apart(
        &repo,
        &["claim 003 --as WORK@ada", "note 005 theirs --as WORK@ada"],
        &["claim 002 --as WORK@bob"],
    );
    repo.git("merge -q --no-edit other").ok();
    repo.git("clone -q . ../clone").ok();
    repo.cd("../clone");
    nothing_odd(&repo);
    repo.orch("renew 003 --as WORK@ada").ok();
    repo.orch("renew 002 --as WORK@bob").ok();
    repo.orch("renew 002 --as WORK@ada").exits(5);
}

#[test]
fn a_task_that_both_claimed_is_of_whom_the_merge_says() {
    for winner_is_ours in [true, false] {
        let mut repo = six();
        repo.git("checkout -q -b other").ok();
        let theirs = claimed(&repo, "001", "WORK@ada");
        repo.commit_all("theirs");
        repo.git("checkout -q main").ok();
        let ours = claimed(&repo, "001", "WORK@bob");
        repo.commit_all("ours");
        repo.git("merge --no-edit other").exits(1).says("CONFLICT");
        repo.orch("claim 002 --as WORK@zoe").exits(10).says("ORCH/STATE/TASKS.md:");
        repo.git("add -A").ok();
        repo.git("commit -q --no-edit").fails().says("unresolved merge");
        resolve(&repo, TASKS, winner_is_ours);
        repo.commit_all("resolved");
        let (winner, token, loser, lost) = if winner_is_ours {
            ("WORK@bob", ours, "WORK@ada", theirs)
        } else {
            ("WORK@ada", theirs, "WORK@bob", ours)
        };
        for verb in ["renew", "submit", "release"] {
            repo.orch(&format!("{verb} 001 --as {loser}")).exits(6);
            repo.orch(&format!("{verb} 001 --token {lost} --as {loser}")).exits(6);
        }
        // A clone has no memory of its own, and sees the same.
        repo.git("clone -q . ../clone").ok();
        let work = repo.root().to_owned();
        repo.cd("../clone");
        nothing_odd(&repo);
        repo.orch(&format!("renew 001 --as {winner}")).ok();
        repo.orch(&format!("renew 001 --as {loser}")).exits(6);
        repo.cd(work.to_str().unwrap());
        nothing_odd(&repo);
        repo.orch(&format!("renew 001 --token {token} --as {winner}")).ok();
        repo.orch(&format!("renew 001 --as {winner}")).ok();
        repo.orch(&format!("release 001 --as {winner}")).ok();
        // The loser may begin anew, with a token above both.
        let new = claimed(&repo, "001", loser);
        assert!(new > ours && new > theirs);
        repo.orch(&format!("renew 001 --token {lost} --as {loser}")).exits(6);
        repo.orch(&format!("submit 001 --token {new} --as {loser}")).ok();
        nothing_odd(&repo);
    }
}

#[test]
fn half_of_one_lease_and_half_of_another_is_an_error() {
    let repo = six();
    apart(&repo, &["claim 001 --ttl 5h --as WORK@ada"], &["claim 001 --ttl 1h --as WORK@bob"]);
    repo.git("merge --no-edit other").exits(1);
    let conflict = repo.read(TASKS);
    let end = |side: bool| {
        repo.write(TASKS, &conflict);
        resolve(&repo, TASKS, side);
        repo.cell("001", "lock_expires_at")
    };
    let (theirs, ours) = (end(false), end(true));
    assert_ne!(ours, theirs);
    repo.write(TASKS, &repo.read(TASKS).replace(&ours, &theirs));
    repo.git("add -A").ok();
    let ran = repo.git("commit -q --no-edit").fails();
    ran.says("lock-mismatch").says("`WORK@ada` had on another branch");
    repo.orch("check").exits(10);
    repo.write(TASKS, &repo.read(TASKS).replace(&theirs, &ours));
    repo.commit_all("resolved");
    nothing_odd(&repo);
}

/// A task in REVIEW, of which a pending approval is required.
fn in_review() -> Repo {
    let repo = Repo::installed();
    repo.append("ORCH/orch.yaml", "approvals: {required: ['*']}\n");
    repo.write("patch.md", "what is asked for\n");
    for words in [
        "add One --state READY --as CMD@eve",
        "claim 001 --as WORK@ada",
        "set 001 artifact=out.txt --as WORK@ada",
        "submit 001 --as WORK@ada",
        "request 001 --op merge --evidence patch.md --as WORK@ada",
    ] {
        repo.orch(words).ok();
    }
    for title in ["Two", "Three", "Four", "Five", "Six"] {
        repo.orch(&format!("add {title} --as CMD@eve")).ok();
    }
    repo.commit_all("in review");
    repo
}

#[test]
fn an_approval_counts_only_for_what_it_was_given_on() {
    let approve = ["approve A001 --as AUDIT@kim"];
    for (words, exit) in [
        ("set 002 title=Other --as CMD@eve", 0),
        ("set 001 title=Other --as CMD@eve", 9),
        ("set 001 artifact=other.txt --as CMD@eve", 9),
    ] {
        let repo = in_review();
        apart(&repo, &approve, &[words]);
        repo.git("merge -q --no-edit other").ok();
        repo.orch("audit verify").ok();
        repo.orch("done 001 --as CMD@eve").exits(exit);
    }
    let repo = in_review();
    repo.git("checkout -q -b other").ok();
    repo.orch(approve[0]).ok();
    repo.commit_all("approved");
    repo.git("checkout -q main").ok();
    repo.write("patch.md", "something else\n");
    repo.commit_all("other evidence");
    let merged = repo.git("merge --no-edit other");
    if merged.exit > 0 {
        // The hook before the merge's commit says so already.
        merged.says("evidence-altered");
        repo.git("commit -q --no-verify --no-edit").ok();
    }
    repo.orch("done 001 --as CMD@eve").exits(9);
}

#[test]
fn who_approved_did_not_know_that_the_round_was_over() {
    let repo = in_review();
    let again = ["fix 001 --as CMD@eve", "claim 001 --as WORK@ada", "submit 001 --as WORK@ada"];
    apart(&repo, &again, &["approve A001 --as AUDIT@kim"]);
    // The verdict stands against an expired request: for people to say.
    repo.git("merge --no-edit other").exits(1);
    resolve(&repo, APPROVALS, true);
    repo.git("add -A").ok();
    let ran = repo.git("commit -q --no-edit");
    assert_eq!(ran.exit, 0, "{ran:?}");
    repo.orch("done 001 --as CMD@eve").exits(9).says("earlier round");
}

#[test]
fn two_verdicts_are_never_one() {
    let repo = in_review();
    apart(&repo, &["approve A001 --as AUDIT@kim"], &["reject A001 --note no --as CMD@eve"]);
    repo.git("merge --no-edit other").exits(1).says("CONFLICT");
    let before = fs::read(repo.path(APPROVALS)).unwrap();
    repo.orch("done 001 --as CMD@eve").exits(10);
    assert_eq!(fs::read(repo.path(APPROVALS)).unwrap(), before);
    resolve(&repo, APPROVALS, true);
    repo.commit_all("rejected");
    repo.orch("done 001 --as CMD@eve").exits(7);
}

#[test]
fn what_a_merge_breaks_is_told_at_once() {
    // Each waits for the other: no cell conflicts, and the hook before the
    // merge's commit says so.
    let repo = six();
    apart(&repo, &["set 001 depends=002 --as CMD@eve"], &["set 002 depends=001 --as CMD@eve"]);
    let ran = repo.git("merge --no-edit other").fails();
    ran.says("dependency-cycle").says("the commit is refused");
    repo.orch("set 002 depends= --as CMD@eve").ok();
    repo.commit_all("merged");
    nothing_odd(&repo);
    // Pulled without the hook before: it is told behind.
    let repo = six();
    repo.git("checkout -q -b other").ok();
    repo.append(
        TASKS,
        "\n| id | title | state | owner |\n|---|---|---|---|\n| 001 | Twice | PLAN | - |\n",
    );
    repo.git("commit -q -a --no-verify -m twice").ok();
    repo.git("checkout -q main").ok();
    let ran = repo.git("merge -q other").ok();
    ran.says("the ledger has 1 error after this").says("next: orch").says("check");
}
