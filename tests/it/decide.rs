//! Decisions without a person: what is decided, and everything that is not.

#[path = "decide/refusals.rs"]
mod refusals;
#[path = "decide/repo.rs"]
mod repo;
#[path = "decide/running.rs"]
mod running;

use crate::support::workspace::{APPROVALS, TASKS};
use orch::store::entry::sha256_hex;
use repo::{Repo, TRUE, edit};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Every file below a folder but those of `ORCH/`, by its content.
fn files(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("ORCH") {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            found.insert(path.display().to_string(), sha256_hex(&bytes));
        }
    }
    found
}

const JOURNAL: &str = "ORCH/LOGS/2026-01/journal.jsonl";
const AUDIT: &str = "ORCH/LOGS/2026-01/APPROVALS-2026-01-01.md";

#[test]
fn what_holds_in_everything_is_approved_and_nothing_else_is_touched() {
    let check = "commands: [{run: [sh, -c, 'grep -q TWO src/a.txt && git log -1 --format= \
                 && git diff --cached --quiet -- src/b.txt && echo junk >src/b.txt']}]";
    let repo = Repo::new(check);
    let id = repo.ask(&Repo::small());
    let before = files(repo.ws.root());
    let decided = repo.decide();
    decided.is("approve");
    assert_eq!(files(repo.ws.root()), before, "work tree, index, HEAD and references");
    assert_eq!(decided.0["task_id"], "T-1");
    assert_eq!(decided.0["reasons"], serde_json::json!([]));
    for (name, measured, limit) in [
        ("size", "2 lines in 1 file", "50 lines in 3 files"),
        ("protected", "no path", "none of `ORCH/**`, `.git*`"),
        ("secrets", "0 secrets", "0 secrets"),
        ("line_ends", "as before", "as before"),
    ] {
        let condition = decided.condition(name);
        assert_eq!(condition["holds"], true);
        assert_eq!(
            (&condition["measured"], &condition["limit"]),
            (&measured.into(), &limit.into())
        );
    }
    assert_eq!(decided.condition("commands")["measured"], "1 of 1 succeeded");
    assert_eq!((repo.status(&id), repo.cell(&id, 5)), ("approved".into(), "AUDIT@auto".into()));
    assert_eq!(
        (repo.cell(&id, 6), repo.cell(&id, 8)),
        ("AUDIT".into(), "2026-01-01T09:00:00Z".into())
    );
    let last = repo.ws.read(JOURNAL).lines().last().unwrap().to_owned();
    assert!(last.contains(r#""actor":"AUDIT@auto""#) && last.contains(r#""command":"decide""#));
    assert!(last.contains(r#""appr":"A001""#), "{last}");
    let audit = repo.ws.read(AUDIT);
    let line = audit.lines().find(|line| line.contains("by=AUDIT@auto")).unwrap();
    assert!(line.contains("id=A001 op=approve") && line.contains("2 lines in 1 file"), "{line}");
    // Nothing is pending any more, and the task can be finished.
    assert_eq!(repo.ws.run("decide --json").ok().json()["data"]["total"], 0);
    let named = repo.ws.run("decide A001 --json").ok().json();
    assert_eq!(
        named["data"]["approvals"][0]["reasons"][0],
        "it is approved, and only a pending approval is decided"
    );
    let _ = repo.ws.run_as("WORK@ada", "submit T-1").ok();
    let _ = repo.ws.run("decide A009").exit(3);
    let _ = repo.ws.run_as("AUDIT@auto", "decide").exit(4);
}

#[test]
fn several_are_decided_in_one_operation_and_each_by_itself() {
    let repo = Repo::new(TRUE);
    let first = repo.ask(&Repo::small());
    let second = repo.ask(&edit("migrations/../.github/x", "a\n", "a", "b"));
    let third = repo.ask(&edit("src/b.txt", "1\n2\n3\n", "2", "II"));
    let lines = repo.ws.read(JOURNAL).lines().count();
    let answer = repo.ws.run("decide --json").ok().json();
    let verdicts: Vec<_> = answer["data"]["approvals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| (a["appr_id"].as_str().unwrap(), a["verdict"].as_str().unwrap()))
        .collect();
    assert_eq!(verdicts, [(&*first, "approve"), (&second, "leave"), (&third, "approve")]);
    assert_eq!(answer["kind"], "approval.decide");
    assert!(answer["data"]["op"]["seq"].is_u64());
    assert_eq!(answer["next"], serde_json::json!(["orch evidence show A002"]));
    assert!(answer["data"]["approvals"][0].get("conditions").is_none());
    assert_eq!(repo.ws.read(JOURNAL).lines().count(), lines + 1);
    assert_eq!(
        ["A001", "A002", "A003"].map(|id| repo.status(id)),
        ["approved", "pending", "approved"]
    );
    let table = repo.ws.run("decide").ok();
    let _ = table.stdout("ID    TASK  VERDICT  REASONS\nA002  T-1   leave    [..]`.git*`[..]\n");
}

#[test]
fn a_dry_run_shows_the_diff_and_a_key_makes_it_once() {
    let repo = Repo::new(TRUE);
    let id = repo.ask(&Repo::small());
    let before = (repo.ws.read(APPROVALS), repo.ws.read(JOURNAL), repo.ws.read(AUDIT));
    let dry = repo.ws.run("decide --dry-run --json").ok().json();
    assert_eq!(dry["data"]["approvals"][0]["verdict"], "approve");
    let diff = dry["data"]["diff"].as_str().unwrap();
    assert!(diff.contains("| approved | WORK@ada     | AUDIT@auto |"), "{diff}");
    assert_eq!((repo.ws.read(APPROVALS), repo.ws.read(JOURNAL), repo.ws.read(AUDIT)), before);
    let first = repo.ws.run("decide --op-id k --note because --json").ok().json();
    assert_eq!((&first["data"]["already"], repo.status(&id)), (&false.into(), "approved".into()));
    assert!(repo.ws.read(TASKS).contains("because") && repo.ws.read(AUDIT).contains("because"));
    let again = repo.ws.run("decide --op-id k --note because --json").ok().json();
    assert_eq!(again["data"]["already"], true);
    assert_eq!(again["data"]["approvals"], first["data"]["approvals"]);
    let _ = repo.ws.run("decide --op-id k --explain").exit(2);
    // The diff was that of the real run.
    std::fs::write(repo.ws.root().join(APPROVALS), &before.0).unwrap();
    std::fs::write(repo.ws.root().join("../d"), diff).unwrap();
    repo.git(&["apply", "--unsafe-paths", "../d"]);
    assert_eq!(repo.status(&id), "approved");
}

#[test]
fn off_frozen_and_without_commands_nothing_is_decided_or_run() {
    let repo = Repo::new("commands: [{run: [sh, -c, 'touch ../../ran']}]");
    let id = repo.ask(&Repo::small());
    let journal = repo.ws.read(JOURNAL);
    let _ = repo.ws.run_as("CMD@eve", "flag AUTO_DECIDE=off").ok();
    repo.decide().is("leave").says("AUTO_DECIDE is off");
    let _ = repo.ws.run_as("CMD@eve", "flag AUTO_DECIDE=on").ok();
    let _ = repo.ws.run_as("WORK@bob", "flag FREEZE=on").ok();
    repo.decide().is("leave").says("FREEZE is on");
    let _ = repo.ws.run_as("CMD@eve", "flag FREEZE=off").ok();
    repo.rules("max_lines: 50");
    repo.decide().is("leave").says("names no command");
    assert_eq!(repo.status(&id), "pending");
    assert!(!repo.ws.root().join("../tmp/ran").exists());
    assert!(!repo.ws.read(JOURNAL)[journal.len()..].contains("AUDIT@auto"));
}

/// Shadow lines of the audit file of a day.
fn shadows(repo: &Repo, day: &str) -> Vec<String> {
    let text = repo.ws.read(&format!("ORCH/LOGS/2026-01/APPROVALS-{day}.md"));
    text.lines().filter(|l| l.contains("op=decide")).map(str::to_owned).collect()
}

#[test]
fn a_shadow_is_one_line_for_each_approval_and_verdict() {
    let repo = Repo::new("commands: [{run: [test, -e, src/a.txt]}]");
    let _ = repo.ws.run_as("CMD@eve", "flag AUTO_DECIDE=shadow").ok();
    let id = repo.ask(&Repo::small());
    let _ = repo.ask(&edit("migrations/1.sql", "select 1;\n", "1", "AKIA"));
    let before = (repo.ws.read(APPROVALS), repo.ws.read(TASKS), repo.ws.read(JOURNAL));
    let verdicts = || {
        let data = repo.ws.run("decide --json").ok().json()["data"].take();
        [0, 1].map(|n| data["approvals"][n]["verdict"].as_str().unwrap().to_owned())
    };
    assert_eq!(verdicts(), ["approve", "approve"]);
    let lines = shadows(&repo, "2026-01-01");
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("id=A001 op=decide by=AUDIT@auto"), "{}", lines[0]);
    assert!(lines[0].contains("note=\"shadow: approve, evidence "), "{}", lines[0]);
    let _ = repo.ws.run("decide --dry-run").ok();
    assert_eq!(verdicts(), ["approve", "approve"]);
    assert_eq!((repo.ws.read(APPROVALS), repo.ws.read(TASKS), repo.ws.read(JOURNAL)), before);
    repo.ws.clock().advance(Duration::from_hours(48));
    assert_eq!(verdicts(), ["approve", "approve"]);
    assert_eq!(shadows(&repo, "2026-01-01").len(), 2);
    assert_eq!(shadows(&repo, "2026-01-03").len(), 0);
    // Another verdict is another line.
    repo.rules("commands: [{run: ['true']}]\nprotected: [migrations/**]");
    assert_eq!(verdicts(), ["approve", "leave"]);
    let lines = shadows(&repo, "2026-01-03");
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("id=A002") && lines[0].contains("shadow: leave"), "{}", lines[0]);
    assert!(lines[0].contains("(`migrations/**`)"), "{}", lines[0]);
    assert_eq!(repo.status(&id), "pending");
    repo.is_clean();
}

#[test]
fn after_a_persons_rejection_people_decide_until_one_approves() {
    let repo = Repo::new(TRUE);
    let first = repo.ask(&Repo::small());
    let _ = repo.ws.run_as("CMD@eve", &format!("reject {first}")).ok();
    let second = repo.ask(&Repo::small());
    repo.decide().is("leave").says("`CMD@eve` rejected `A001`");
    let _ = repo.ws.run_as("CMD@eve", &format!("approve {second}")).ok();
    let third = repo.ask(&Repo::small());
    repo.decide().is("approve");
    assert_eq!(repo.status(&third), "approved");
    // What the rules rejected stops nobody.
    repo.rules("commands: [{run: ['false']}]\non_failure: reject");
    let fourth = repo.ask(&Repo::small());
    repo.decide().is("reject").says("`false` ended with 1");
    assert_eq!(repo.status(&fourth), "rejected");
    repo.rules(TRUE);
    let _ = repo.ask(&Repo::small());
    repo.decide().is("approve");
}

#[test]
fn nobody_is_auto_on_both_sides() {
    let repo = Repo::new(TRUE);
    let diff = Repo::small();
    let id = repo.ask_with(&diff, |front| front.requested_by = "WORK@Auto".to_owned());
    repo.decide().is("leave").says("the same person");
    let _ = repo.ws.run_as("WORK@ada", &format!("withdraw {id}")).ok();
    let evidence =
        std::fs::read_to_string(repo.ws.root().join("ORCH/patches/2026-01/T-1-A001.diff.md"));
    let own = evidence.unwrap().replace("A001", "A002").replace("WORK@Auto", "WORK@ada");
    repo.ask_by("WORK@auto", &own);
    repo.decide().is("leave").says("the same person");
}

#[test]
fn the_workspace_may_lie_below_the_top_of_its_repository() {
    let rules = "commands: [{run: [test, -e, ORCH/STATE/TASKS.md]}]\nprotected: [db/**]";
    let repo = Repo::below("api", rules);
    repo.write("api/x.txt", "one\ntwo\n");
    repo.write("api/db/1.sql", "one\ntwo\n");
    repo.commit();
    let _ = repo.ask(&edit("api/x.txt", "one\ntwo\n", "two", "2"));
    repo.decide().is("approve");
    for path in ["api/db/1.sql", "api/ORCH/orch.yaml", "db/1.sql"] {
        let id = repo.ask(&edit(path, "one\ntwo\n", "two", "2"));
        repo.decide().is("leave").says("is protected");
        let _ = repo.ws.run_as("WORK@ada", &format!("withdraw {id}")).ok();
    }
}
