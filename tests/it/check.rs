//! `check` in whole workspaces: what needs files, git or the journal.

use crate::schemas::validator;
use crate::support::workspace::{APPROVALS, Ran, TASKS, Workspace, mins};
use std::fs;
use std::process::Command;

mod paths;
mod staged;

const TASK_HEAD: &str = "\
| task_id | title | state | owner | lock | lock_owner | lock_expires_at | due | artifact | notes |
|---|---|---|---|---|---|---|---|---|---|
";
const APPROVAL_HEAD: &str = "\
| appr_id | task_id | op | status | requested_by | approver | approver_role | ts_req | ts_dec | evidence |
|---|---|---|---|---|---|---|---|---|---|
";

fn task(id: &str, state: &str, notes: &str) -> String {
    format!("| {id} | Paint | {state} | - | - | - | - | - | - | {notes} |\n")
}

fn approval(id: &str, status: &str, evidence: &str) -> String {
    let decision = match status {
        "pending" => "- | - | 2025-12-01T00:00:00Z | -",
        _ => "CMD@eve | CMD | 2025-12-01T00:00:00Z | 2025-12-02T00:00:00Z",
    };
    format!("| {id} | 1 | merge | {status} | WORK@ada | {decision} | {evidence} |\n")
}

fn team(tasks: &str, approvals: &str) -> Workspace {
    Workspace::new()
        .ledger(&format!("{TASK_HEAD}{tasks}"))
        .approvals(&format!("{APPROVAL_HEAD}{approvals}"))
}

/// Code and row of each finding.
fn codes(ran: &Ran) -> Vec<String> {
    let json = ran.json();
    assert_eq!(json["kind"], "check", "{json}");
    let findings = json["data"]["findings"].as_array().expect("a list");
    assert_eq!(json["data"]["total"], findings.len());
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    findings.iter().map(|f| format!("{} {}", text(&f["code"]), text(&f["row"]))).collect()
}

fn checked(ws: &Workspace, options: &str) -> Vec<String> {
    codes(&ws.run(&format!("check --json {options}")))
}

#[test]
fn a_task_that_an_archive_has_too_is_changed_by_nobody() {
    let ws = Workspace::new().init();
    let _ = ws.run("add One --as CMD@eve").ok();
    let _ = ws.run("drop 001 --as CMD@eve").ok();
    let text = ws.read(TASKS);
    let _ = ws.run("archive --as CMD@eve").ok();
    // What a merge leaves where the other side had changed the row.
    ws.write(TASKS, text.replace("DROP", "READY"));
    let archive = "ORCH/STATE/archive/TASKS-2026.md";
    let archived = ws.read(archive);
    for words in [
        "claim 001 --as WORK@ada",
        "note 001 x --as WORK@ada",
        "set 001 title=Two --as CMD@eve",
        "hold 001 --as CMD@eve",
        "drop 001 --as CMD@eve",
        "move 001 PLAN --as CMD@eve",
        "request 001 --op x --as WORK@ada",
    ] {
        let ran = ws.run(words).exit(10);
        let says = "TASKS.md:9:3: the id `001` stands twice: here, and in line 5 of the archive of";
        assert!(ran.stderr.contains(says), "{words}: {ran:?}");
        assert!(ran.stderr.contains("hint: orch check"), "{words}: {ran:?}");
    }
    // It stops nobody else.
    let next = ws.run("next --as WORK@ada").ok();
    assert!(next.stdout.contains("stands in an archive, too"), "{next:?}");
    let _ = ws.run("claim --next --as WORK@ada").exit(12);
    let _ = ws.run("add Two --state READY --as CMD@eve").ok();
    let claim = ws.run("claim --next --as WORK@ada").ok();
    assert!(claim.stdout.starts_with("002 DOING"), "{claim:?}");
    let drop = |line: &str| {
        if line.contains("One") { line.replace("READY", "DROP") } else { line.to_owned() }
    };
    ws.write(TASKS, ws.read(TASKS).split_inclusive('\n').map(drop).collect::<String>());
    assert!(ws.read(TASKS).contains("| DROP"));
    let _ = ws.run("archive --as CMD@eve").ok();
    assert_eq!(ws.read(archive), archived, "no second row");
    // Without the row of the archive it is a task like any.
    let kept: String = archived.split_inclusive('\n').filter(|l| !l.contains("001")).collect();
    ws.write(archive, kept);
    let _ = ws.run("reopen 001 --note again --as CMD@eve").ok();
}

#[test]
fn a_fix_takes_blank_lines_away_and_undo_brings_the_bytes_back() {
    let rows = format!(
        "{}\r\n \t\r\n{}{}",
        task("1", "PLAN", "-"),
        task("2", "PLAN", "-"),
        task("3", "PLAN", "-")
    );
    let text =
        format!("\u{feff}# T\n\n{TASK_HEAD}{rows}\nprose | with a pipe\n").replace("\r\n", "\n");
    let ws = team("", &format!("\n{}", approval("A1", "approved", "-"))).ledger(&text);
    let before = [ws.read(TASKS), ws.read(APPROVALS)];
    assert_eq!(checked(&ws, ""), ["detached-row 2", "detached-row 3", "detached-row A1"]);
    let dry = ws.run_as("CMD@eve", "check --fix --dry-run").ok();
    assert_eq!([ws.read(TASKS), ws.read(APPROVALS)], before);
    assert_eq!(
        dry.stdout.lines().filter(|l| l.starts_with('-') && !l.starts_with("---")).count(),
        3
    );
    let _ = ws.run_as("CMD@eve", "check --fix").ok();
    assert_eq!(ws.read(TASKS), before[0].replace("\n\n \t\n| 2", "\n| 2"));
    assert_eq!(ws.read(APPROVALS), before[1].replace("\n\n", "\n"));
    assert_eq!(checked(&ws, ""), [""; 0]);
    let again = ws.run_as("CMD@eve", "check --fix --json").ok().json();
    assert_eq!((&again["kind"], &again["data"]["already"]), (&"check.fix".into(), &true.into()));
    let _ = ws.run_as("CMD@eve", "undo").ok();
    assert_eq!([ws.read(TASKS), ws.read(APPROVALS)], before, "undo restores every byte");
    let _ = ws.run_as("CMD@eve", "redo").ok();
    assert_eq!(checked(&ws, ""), [""; 0]);
    let _ = ws.run("audit verify").ok();
}

#[test]
fn a_mirror_that_is_left_over_goes_and_undo_means_what_came_before() {
    let ws = team(&task("1", "READY", "-"), "");
    let _ = ws.run_as("WORK@ada", "claim 1").ok();
    let mirror = "ORCH/STATE/LOCKS/1.lock";
    let left = ws.read(mirror);
    let _ = ws.run_as("WORK@ada", "submit 1").ok();
    let _ = ws.run_as("WORK@ada", "note 1 dry").ok();
    assert_eq!(checked(&ws, ""), [""; 0]);
    ws.write(mirror, &left);
    ws.write("ORCH/STATE/LOCKS/2.lock", "nonsense");
    assert_eq!(checked(&ws, "--strict"), ["mirror 1", "mirror -"]);
    let _ = ws.run("check --strict").ok();
    let _ = ws.run_as("WORK@ada", "check --fix").ok();
    assert_eq!((ws.existing(mirror), checked(&ws, "")), (None, vec!["mirror -".to_owned()]));
    let undone = ws.run_as("WORK@ada", "undo").ok();
    assert!(undone.stdout.contains("undid note"), "{undone:?}");
}

#[test]
fn a_live_lease_that_was_taken_by_hand_keeps_its_mirror() {
    let ws = team(&task("1", "READY", "-"), "");
    let _ = ws.run_as("WORK@ada", "claim 1").ok();
    ws.write(TASKS, ws.read(TASKS).replace("DOING", "READY"));
    assert_eq!(checked(&ws, ""), ["lease-by-hand 1", "lock-mismatch 1", "mirror 1"]);
    let _ = ws.run_as("CMD@eve", "check --fix").ok();
    assert!(ws.existing("ORCH/STATE/LOCKS/1.lock").is_some(), "its holder may still submit");
}

#[test]
fn what_cmd_accepts_shows_with_all_only() {
    let rows = task("1", "LATER", "depends=9") + &task("2", "SOON", "-") + &task("3", "DOING", "-");
    let ws = team(&rows, &approval("A1", "Approved", "-"));
    let all = [
        "unknown-state 1",
        "dangling-dependency 1",
        "unknown-state 2",
        "lease-expired 3",
        "unknown-status A1",
    ];
    assert_eq!(checked(&ws, ""), all);
    let _ = ws.run_as("WORK@ada", "check --accept").exit(4);
    let _ = ws.run_as("CMD@eve", "check --accept nonsense").exit(3);
    let _ = ws.run_as("CMD@eve", "check --accept lease-expired").exit(3);
    let _ = ws.run_as("CMD@eve", "check --accept 1").ok();
    assert_eq!(checked(&ws, ""), all[2..]);
    let _ = ws.run("check").exit(10);
    let _ = ws.run_as("CMD@eve", "check --accept unknown-state unknown-status").ok();
    assert_eq!(checked(&ws, ""), ["lease-expired 3"]);
    let _ = ws.run("check --strict").ok();
    let shown = ws.run("check --all --json").ok();
    assert_eq!(codes(&shown), all);
    let accepted = shown.json()["data"]["findings"].as_array().unwrap().clone();
    assert_eq!(accepted.iter().filter(|f| f["accepted"] == true).count(), 4);
    let again = ws.run_as("CMD@eve", "check --accept --json").ok();
    assert_eq!(again.json()["data"]["already"], true);
    // Another row with the same fault is another finding, and so is another value.
    ws.write(TASKS, ws.read(TASKS) + &task("4", "LATER", "-"));
    assert_eq!(checked(&ws, ""), ["lease-expired 3", "unknown-state 4"]);
    let before = ws.read(TASKS);
    ws.write(TASKS, before.replacen("SOON", "SOMEDAY", 1));
    assert_eq!(checked(&ws, ""), ["unknown-state 2", "lease-expired 3", "unknown-state 4"]);
    ws.write(TASKS, before);
    let audit = ws.read("ORCH/LOGS/2026-01/APPROVALS-2026-01-01.md");
    assert!(
        audit.contains("id=unknown-state/ORCH/STATE/TASKS.md/2/89e764ff op=accept by=CMD@eve"),
        "{audit}"
    );
}

#[test]
fn an_edit_that_was_accepted_shows_with_all_as_long_as_it_stands() {
    let ws = team(&task("1", "REVIEW", "-"), &approval("A1", "pending", "-"));
    let _ = ws.run_as("WORK@ada", "note 1 x").ok();
    ws.write(TASKS, ws.read(TASKS).replace("REVIEW", "DONE"));
    assert_eq!(checked(&ws, ""), ["done-pending 1", "done-by-hand 1"]);
    let _ = ws.run_as("CMD@eve", "check --accept done-by-hand").ok();
    assert_eq!(checked(&ws, ""), ["done-pending 1"]);
    assert_eq!(checked(&ws, "--all"), ["done-pending 1", "done-by-hand 1"]);
    let _ = ws.run_as("CMD@eve", "reopen 1 --note again").ok();
    assert_eq!(checked(&ws, "--all"), [""; 0]);
}

#[test]
fn a_fix_reaches_archives() {
    let ws = team(&task("1", "PLAN", "-"), "");
    let archive = "ORCH/STATE/archive/TASKS-2025.md";
    let text = format!("{TASK_HEAD}{}\n{}", task("8", "DONE", "-"), task("9", "DONE", "-"));
    ws.write(archive, &text);
    assert_eq!(checked(&ws, ""), ["detached-row 9"]);
    let _ = ws.run_as("CMD@eve", "check --fix").ok();
    assert_eq!((checked(&ws, ""), ws.read(archive)), (vec![], text.replace("\n\n", "\n")));
    let _ = ws.run_as("CMD@eve", "undo").ok();
    assert_eq!(ws.read(archive), text);
}

#[test]
fn a_setting_counts_only_where_it_was_named() {
    let people = "| 2 | Sweep | PLAN | WORK@bob | - | - | - | - | - | - |\n";
    let ws = team(&(task("1", "PLAN", "-") + people), "")
        .settings("hand_edits: review\napprovals: {required: [\"d-*\"]}\n");
    let _ = ws.run_as("WORK@ada", "note 1 x").ok();
    ws.write("ORCH/orch.yaml", "solo: true\n");
    let loosened = ["policy-by-hand approvals", "policy-by-hand hand_edits", "policy-by-hand solo"];
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    assert_eq!(sorted(checked(&ws, "")), loosened);
    let _ = ws.run_as("CMD@eve", "check --accept hand_edits").ok();
    assert_eq!(sorted(checked(&ws, "")), [loosened[0], loosened[2]]);
    let value = |key: &str| {
        let config = ws.run("config --json").json();
        let settings = config["data"]["settings"].as_array().unwrap().clone();
        settings.iter().find(|s| s["key"] == key).unwrap()["value"].as_str().unwrap().to_owned()
    };
    assert_eq!((value("hand_edits"), value("solo")), ("trust".into(), "false".into()));
    assert!(value("approvals.required").contains("d-*"));
    let _ = ws.run_as("CMD@eve", "check --accept").ok();
    assert_eq!((checked(&ws, ""), value("solo")), (vec![], "true".into()));
}

#[test]
fn evidence_is_looked_for_where_the_row_says() {
    let cells = [
        ("A1", "ORCH/patches/gone.diff.md"),
        ("A2", "ORCH\\patches\\there.md"),
        ("A3", "../outside.md"),
        ("A4", "link.md"),
        ("A5", "folder/inner.md"),
        ("A6", "C:\\repo\\ORCH\\patches\\there.md"),
        ("A7", "/etc/passwd"),
        ("A8", "we talked about it"),
        ("A9", "ORCH/patches"),
        ("A10", "loose.md"),
    ];
    let rows: String = cells.iter().map(|(id, cell)| approval(id, "pending", cell)).collect();
    let ws = team(&task("1", "PLAN", "-"), &rows).settings("evidence: {root: 'C:\\repo'}\n");
    ws.write("ORCH/patches/there.md", "seen");
    let outside = ws.root().parent().expect("it has one").join("tmp");
    fs::write(outside.join("x.md"), "x").unwrap();
    std::os::unix::fs::symlink(outside.join("x.md"), ws.root().join("link.md")).unwrap();
    fs::write(outside.join("inner.md"), "x").unwrap();
    std::os::unix::fs::symlink(&outside, ws.root().join("folder")).unwrap();
    std::os::unix::fs::symlink(ws.root().join("nowhere.md"), ws.root().join("loose.md")).unwrap();
    let expected = [
        "evidence-missing A1",
        "evidence-unsafe A3",
        "evidence-unsafe A4",
        "evidence-unsafe A5",
        "evidence-elsewhere A7",
        "evidence-unclear A8",
        "evidence-unsafe A9",
        "evidence-missing A10",
    ];
    assert_eq!(checked(&ws, ""), expected);
    ws.write("ORCH/orch.yaml", "");
    assert!(checked(&ws, "").contains(&"evidence-elsewhere A6".to_owned()));
}

#[test]
fn evidence_is_held_against_the_journal_and_against_itself() {
    let ws = team(&task("1", "PLAN", "-"), "");
    let patch = "--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1 @@\n+hello\n";
    ws.write("p.patch", patch);
    let asked = ws.run_as("WORK@ada", "request 1 --op merge --patch p.patch --json").ok().json();
    let name = asked["data"]["approval"]["evidence"].as_str().expect("a path").to_owned();
    assert_eq!(checked(&ws, ""), [""; 0]);
    let before = ws.read(&name);
    ws.write(&name, before.replace("+hello", "+other"));
    assert_eq!(checked(&ws, ""), ["evidence-altered A001"]);
    let _ = ws.run("check").exit(10);
    // The journal is gone: what the file says of its own diff still tells.
    fs::remove_dir_all(ws.root().join("ORCH/LOGS")).unwrap();
    fs::remove_dir_all(ws.root().join("ORCH/STATE/LOCKS")).unwrap();
    assert_eq!(checked(&ws, ""), ["evidence-altered A001"]);
    ws.write(&name, &before);
    assert_eq!(checked(&ws, ""), [""; 0]);
    let token = ["gh", "p_0123456789abcdefABCDEF0123456789abcd"].concat();
    ws.write("x.diff", format!("@@ -1 +1 @@\n-{token}\n+key = {token}\n"));
    ws.write(
        APPROVALS,
        ws.read(APPROVALS)
            + &approval("A2", "pending", "x.diff")
            + &approval("A3", "pending", "x.diff"),
    );
    let ran = ws.run("check --json");
    assert_eq!(codes(&ran), ["secret A2"], "told once");
    let found = &ran.json()["data"]["findings"][0];
    assert_eq!(
        (&found["file"], &found["line"], &found["column"]),
        (&"x.diff".into(), &3.into(), &8.into())
    );
    assert!(!ran.stdout.contains(&token[4..]) && !ws.run("check").stdout.contains(&token[4..]));
}

#[test]
fn whoever_held_the_task_cannot_have_decided() {
    let ws = team(&(task("1", "READY", "-") + &task("2", "READY", "-")), "");
    let _ = ws.run_as("WORK@ada", "claim 1").ok();
    let _ = ws.run_as("WORK@bob", "claim 2").ok();
    ws.clock().advance(mins(1));
    let row = "| A1 | 1 | merge | approved | WORK@eve | CMD@Ada | CMD | 2026-01-01T09:00:00Z | 2026-01-01T09:01:00Z | - |\n";
    ws.write(APPROVALS, format!("{APPROVAL_HEAD}{row}"));
    assert_eq!(checked(&ws, ""), ["approved-by-hand A1"]);
    let _ = ws.run_as("CMD@zoe", "check --accept approved-by-hand").ok();
    assert_eq!(checked(&ws, ""), ["self-approval A1"]);
    ws.write(APPROVALS, format!("{APPROVAL_HEAD}{}", row.replace("| 1 |", "| 2 |")));
    assert!(!checked(&ws, "").contains(&"self-approval A1".to_owned()), "bob held that one");
}

#[test]
fn whoever_wrote_the_evidence_cannot_have_decided_however_little_it_says() {
    let rows = approval("A1", "approved", "x.diff") + &approval("A2", "approved", "y.diff");
    let ws = team(&task("1", "PLAN", "-"), &rows);
    ws.write("x.diff", "---\nrequested_by: WORK@ada\nrequested_by: WORK@Eve\n---\n+x\n");
    ws.write("y.diff", "---\nrequested_by: WORK@ada\n---\n+y\n");
    assert_eq!(checked(&ws, ""), ["self-approval A1"]);
}

#[test]
fn solo_waives_and_the_journal_says_so() {
    let ws = Workspace::new();
    let _ = ws.run("init").ok();
    for line in [
        "add Paint --state READY",
        "claim 001",
        "request 001 --op merge",
        "approve A001",
        "submit 001",
        "done 001",
    ] {
        let _ = ws.run(line).ok();
        ws.clock().advance(mins(1));
    }
    assert_eq!(checked(&ws, "--strict"), [""; 0]);
    let _ = ws.run("check --strict").ok();
}

#[test]
fn a_policy_that_nobody_can_satisfy_is_told_at_once() {
    let ws = team(&task("d-1", "PLAN", "-"), "")
        .settings("principals: {ada: [ada, ada-laptop]}\napprovals: {required: [\"d-*\"]}\n");
    assert_eq!(checked(&ws, ""), ["unsatisfiable-policy approvals.required"]);
    let config = ws.run("config").ok();
    assert!(config.stderr.contains("nobody could approve `d-*`"), "{config:?}");
    let _ = ws.run("check --strict").exit(10);
    let _ = ws.run_as("CMD@eve", "note d-1 x").ok();
    let _ = ws.run_as("WORK@bob", "note d-1 y").ok();
    assert_eq!(checked(&ws, ""), [""; 0]);
    assert_eq!(ws.run("config").ok().stderr, "");
}

#[test]
fn a_report_is_sarif() {
    let rows = task("1", "LATER", "depends=2")
        + &task("2", "PLAN", "depends=1")
        + &task("3", "DOING", "-");
    let ws = team(&rows, &approval("A1", "Approved", "docs/台帳 1.md"));
    let _ = ws.run_as("CMD@eve", "check --accept unknown-state").ok();
    let ran = ws.run("check --all --format sarif").exit(10);
    let report = ran.json();
    let schema: serde_json::Value = serde_json::from_str(include_str!("check/sarif.json")).unwrap();
    assert_eq!(validator::errors(&schema, &report), Vec::<String>::new());
    let run = &report["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let results = run["results"].as_array().unwrap();
    assert!(results.len() >= 4, "{results:?}");
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert_eq!(rules[index]["defaultConfiguration"]["level"], result["level"]);
    }
    assert_eq!(results.iter().filter(|r| r.get("suppressions").is_some()).count(), 1);
    // Each part of the schema can fail.
    for (pointer, bad) in [
        ("/version", serde_json::json!("2.0.0")),
        ("/runs/0/results/0/level", serde_json::json!("fatal")),
        ("/runs/0/results/0/locations/0/physicalLocation/region/startLine", serde_json::json!(0)),
        ("/runs/0/results/0/message", serde_json::json!("words")),
        ("/runs/0/tool", serde_json::json!({})),
        ("/runs/0/columnKind", serde_json::json!("bytes")),
    ] {
        let mut broken = report.clone();
        *broken.pointer_mut(pointer).expect(pointer) = bad;
        assert!(!validator::errors(&schema, &broken).is_empty(), "{pointer}");
    }
    let refused = ws.run("list --format sarif").exit(2);
    assert!(refused.stderr.contains("`orch check`"), "{refused:?}");
}

#[test]
fn a_report_is_lines_that_github_reads() {
    let ws = team(&task("1", "LATER", "-"), "");
    let ran = ws.run("check --format github").ok();
    assert_eq!(
        ran.stdout,
        "::warning file=ORCH/STATE/TASKS.md,line=3,col=15,endColumn=20,title=unknown-state::the \
         state `LATER` is not known%0Astates are PLAN, READY, DOING, REVIEW, FIX, DONE, HOLD, DROP\n"
    );
    let _ = git(&ws, "", "init -q ..");
    assert!(ws.run("check --format github").ok().stdout.contains("file=work/ORCH/STATE/TASKS.md"));
}

/// Real git in a folder of the workspace; what it printed.
fn git(ws: &Workspace, dir: &str, words: &str) -> String {
    let line = crate::support::shell::parse(words).expect("words");
    let ran = Command::new("git")
        .args([
            "-c",
            "user.name=ada",
            "-c",
            "user.email=ada@example.org",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(&line.pipeline[0])
        .current_dir(ws.root().join(dir))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("git is installed");
    assert!(ran.status.success(), "git {words}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8_lossy(&ran.stdout).into_owned()
}
