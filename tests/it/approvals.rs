//! Approvals from outside: asking, deciding, what binds a decision, and what
//! ends with a round of work.

use crate::support::Workspace;
use crate::support::workspace::{APPROVALS, TASKS, mins};
use std::time::Duration;

const JOURNAL: &str = "ORCH/LOGS/2026-01/journal.jsonl";

/// A task that WORK@ada handed in, and an approval for it with evidence.
fn asked() -> Workspace {
    let ws = Workspace::new().task("T-1", "Ship it").settings("approvals: {required: [T-*]}");
    ws.write("ev.txt", "what was done\n");
    let _ = ws.run_as("WORK@ada", "claim T-1").ok();
    let _ = ws.run_as("WORK@ada", "request T-1 --op merge --evidence ev.txt").ok();
    let _ = ws.run_as("WORK@ada", "submit T-1 --artifact out.zip").ok();
    ws
}

fn approved() -> Workspace {
    let ws = asked();
    let _ = ws.run_as("CMD@eve", "approve A001").ok();
    ws
}

/// The cells of an approval's row.
fn row(ws: &Workspace, id: &str) -> Vec<String> {
    let text = ws.read(APPROVALS);
    let line = text.lines().find(|line| line.starts_with(&format!("| {id} ")));
    let line = line.unwrap_or_else(|| panic!("no row `{id}` in\n{text}"));
    line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
}

fn status(ws: &Workspace, id: &str) -> String {
    row(ws, id)[3].clone()
}

fn edit(ws: &Workspace, path: &str, from: &str, to: &str) {
    let text = ws.read(path);
    assert!(text.contains(from), "{path} has no `{from}`");
    ws.write(path, text.replacen(from, to, 1));
}

#[test]
fn a_request_is_a_pending_row_in_one_operation() {
    let ws = asked();
    assert_eq!(
        row(&ws, "A001")[..9],
        ["A001", "T-1", "merge", "pending", "WORK@ada", "-", "-", "2026-01-01T09:00:00Z", "-"]
    );
    assert_eq!(row(&ws, "A001")[9], "ev.txt");
    let _ = ws.run_as("WORK@bob", "claim T-1").exit(4);
    let _ = ws.run_as("CMD@eve", "done T-1").exit(7);
    // Asking again for the same withdraws the older request, another op does not.
    let _ = ws.run_as("WORK@ada", "request T-1 --op merge").ok();
    let _ = ws.run_as("WORK@ada", "request T-1 --op deploy").ok();
    assert_eq!(
        ["A001", "A002", "A003"].map(|id| status(&ws, id)),
        ["expired", "pending", "pending"]
    );
    let answer = ws.run_as("WORK@ada", "withdraw A002 --json").ok().json();
    assert_eq!(answer["kind"], "approval.withdraw");
    assert_eq!(answer["data"]["approval"]["status"], "expired");
    let answer = ws.run_as("WORK@ada", "withdraw A002 --json").ok().json();
    assert_eq!(answer["data"]["already"], true);
    let _ = ws.run_as("WORK@bob", "withdraw A003").exit(4);
    let _ = ws.run_as("CMD@eve", "withdraw A003").ok();
    let _ = ws.run_as("CMD@eve", "request T-9 --op merge").exit(3);
    let _ = ws.run_as("CMD@eve", "request T-1 --op ' '").exit(2);
}

#[test]
fn a_waiting_task_cannot_be_claimed() {
    let ws = Workspace::new().task("T-1", "Ship it");
    let _ = ws.run_as("WORK@ada", "request T-1 --op start").ok();
    let _ = ws.run_as("WORK@ada", "claim T-1").exit(7);
    let _ = ws.run_as("WORK@ada", "claim --next").exit(12);
    let _ = ws.run_as("CMD@eve", "approve A001").ok();
    let _ = ws.run_as("WORK@ada", "claim T-1").ok();
}

#[test]
fn only_a_pending_one_is_decided_and_once() {
    let ws = asked();
    let _ = ws.run_as("WORK@bob", "approve A001").exit(4);
    let _ = ws.run_as("CMD@ada", "approve A001").exit(8);
    let _ = ws.run_as("CMD", "approve A001").exit(8);
    let _ = ws.run_as("CMD@eve", "approve A009").exit(3);
    let before = ws.read(APPROVALS);
    let answer = ws.run_as("AUDIT@eve", "approve A001 --json").ok().json();
    assert_eq!(answer["kind"], "approval.approve");
    let approval = &answer["data"]["approval"];
    assert_eq!(
        (&approval["approver"], &approval["approver_role"]),
        (&"AUDIT@eve".into(), &"AUDIT".into())
    );
    assert_eq!(row(&ws, "A001")[8], "2026-01-01T09:00:00Z");
    // Four cells of one row, and nothing else.
    let changed: Vec<(usize, &str)> = before
        .lines()
        .enumerate()
        .filter(|(at, line)| ws.read(APPROVALS).lines().nth(*at) != Some(line))
        .collect();
    assert_eq!(changed.len(), 1);
    let journal = ws.read(JOURNAL);
    assert_eq!(ws.run_as("CMD@bob", "approve A001 --json").ok().json()["data"]["already"], true);
    assert_eq!(ws.read(JOURNAL), journal);
    let _ = ws.run_as("CMD@bob", "reject A001").exit(4);
    let _ = ws.run_as("CMD@bob", "withdraw A001").exit(4);
    let _ = ws.run_as("CMD@eve", "done T-1").ok();
    let _ = ws.run_as("WORK@ada", "request T-1 --op again").exit(4);
}

#[test]
fn what_was_shown_is_what_is_decided_on() {
    let ws = asked();
    let list = ws.run("approvals --json").ok().json();
    let sha = list["data"]["approvals"][0]["evidence_sha256"].as_str().unwrap().to_owned();
    let _ = ws.run_as("CMD@eve", "approve A001 --sha 0000").exit(9);
    let _ = ws.run_as("CMD@eve", "approve A001 --sha xyz").exit(2);
    ws.write("ev.txt", "something else\n");
    let _ = ws.run_as("CMD@eve", "approve A001").exit(9);
    let _ = ws.run_as("CMD@eve", &format!("approve A001 --sha {}", &sha[..8])).exit(9);
    std::fs::remove_file(ws.root().join("ev.txt")).unwrap();
    let _ = ws.run_as("CMD@eve", "approve A001").exit(9);
    ws.write("ev.txt", "what was done\n");
    let _ = ws.run_as("CMD@eve", &format!("approve A001 --sha {}", sha[..8].to_uppercase())).ok();
}

#[test]
fn a_decision_binds_title_artifact_and_evidence_and_comes_back_with_them() {
    type Change<'c> = (&'c str, &'c str, &'c str);
    let changes: [Change<'_>; 3] = [
        (TASKS, "Ship it", "Ship them"),
        (TASKS, "out.zip", "other.zip"),
        ("ev.txt", "what", "that"),
    ];
    let ws = approved();
    for (path, from, to) in changes {
        edit(&ws, path, from, to);
        let _ = ws.run_as("CMD@eve", "done T-1").exit(9);
        let list = ws.run("approvals --json").ok().json();
        assert_eq!(list["data"]["approvals"][0]["in_force"], false, "{path} {to}");
        edit(&ws, path, to, from);
    }
    for field in ["due=2026-05-05", "owner=WORK", "priority=HIGH"] {
        let _ = ws.run_as("CMD@eve", &format!("set T-1 {field}")).ok();
    }
    let list = ws.run("approvals --json").ok().json();
    assert_eq!(list["data"]["approvals"][0]["in_force"], true);
    let _ = ws.run_as("CMD@eve", "done T-1").ok();
}

#[test]
fn an_artifact_that_was_empty_binds_nothing() {
    let ws = Workspace::new().task("T-1", "Ship it").settings("approvals: {required: [T-*]}");
    let _ = ws.run_as("WORK@ada", "request T-1 --op merge").ok();
    let _ = ws.run_as("CMD@eve", "approve A001").ok();
    let _ = ws.run_as("WORK@ada", "claim T-1").ok();
    let _ = ws.run_as("WORK@ada", "submit T-1 --artifact out.zip").ok();
    let _ = ws.run_as("CMD@eve", "done T-1").ok();
}

#[test]
fn fix_and_reopen_end_a_round_and_no_other_move_does() {
    let ws = approved();
    for command in ["hold T-1", "resume T-1"] {
        let _ = ws.run_as("CMD@eve", command).ok();
    }
    assert_eq!(ws.run("approvals --json").ok().json()["data"]["approvals"][0]["in_force"], true);
    let _ = ws.run_as("WORK@ada", "request T-1 --op deploy").ok();
    let _ = ws.run_as("CMD@eve", "fix T-1").ok();
    assert_eq!([status(&ws, "A001"), status(&ws, "A002")], ["approved", "expired"]);
    assert_eq!(ws.run("approvals --json").ok().json()["data"]["approvals"][0]["in_force"], false);
    // Taken back, the round and its pending approval live again.
    let _ = ws.run_as("CMD@eve", "undo").ok();
    assert_eq!(status(&ws, "A002"), "pending");
    assert_eq!(ws.run("approvals --json").ok().json()["data"]["approvals"][0]["in_force"], true);
    let _ = ws.run_as("CMD@eve", "redo").ok();
    assert_eq!(status(&ws, "A002"), "expired");
    let _ = ws.run_as("WORK@ada", "claim T-1").ok();
    let _ = ws.run_as("WORK@ada", "submit T-1").ok();
    let _ = ws.run_as("CMD@eve", "done T-1").exit(9);
    let _ = ws.run_as("WORK@ada", "request T-1 --op merge").ok();
    let _ = ws.run_as("CMD@eve", "approve A003").ok();
    let _ = ws.run_as("CMD@eve", "done T-1").ok();
    let _ = ws.run_as("CMD@eve", "reopen T-1 --note again").ok();
    for command in ["ready T-1", "claim T-1 --as WORK@ada", "submit T-1 --as WORK@ada"] {
        let who = if command.contains("--as") { "" } else { " --as CMD@eve" };
        let _ = ws.run(&format!("{command}{who}")).ok();
    }
    let _ = ws.run_as("CMD@eve", "done T-1").exit(9);
}

#[test]
fn a_rejection_holds_the_task_until_its_op_is_decided_otherwise() {
    let ws = asked();
    let _ = ws.run_as("CMD@eve", "reject A001 --note 'no tests'").ok();
    assert!(ws.read(TASKS).contains("no tests"));
    let _ = ws.run_as("CMD@eve", "done T-1").exit(7);
    let _ = ws.run_as("WORK@ada", "request T-1 --op other").ok();
    let _ = ws.run_as("CMD@eve", "approve A002").ok();
    let _ = ws.run_as("CMD@eve", "done T-1").exit(7);
    let _ = ws.run_as("WORK@ada", "request T-1 --op merge").ok();
    let _ = ws.run_as("CMD@eve", "approve A003").ok();
    let _ = ws.run_as("CMD@eve", "done T-1").ok();
}

#[test]
fn a_request_expires() {
    let ws = Workspace::new().task("T-1", "Ship it").settings("approvals: {expire_after: 1h}");
    let _ = ws.run_as("WORK@ada", "request T-1 --op merge").ok();
    ws.clock().advance(mins(60));
    let _ = ws.run_as("WORK@ada", "claim T-1").exit(7);
    ws.clock().advance(Duration::from_secs(1));
    assert_eq!(ws.run("approvals --json").ok().json()["data"]["approvals"][0]["status"], "expired");
    let _ = ws.run_as("CMD@eve", "approve A001").exit(4);
    assert_eq!(status(&ws, "A001"), "pending", "a refusal writes no ledger");
    // The next change writes it down.
    let _ = ws.run_as("WORK@ada", "claim T-1").ok();
    assert_eq!(status(&ws, "A001"), "expired");
}

#[test]
fn undo_of_a_request_is_withdraw_and_a_decision_stands() {
    let ws = asked();
    let request = operation(&ws, "request");
    let _ = ws.run_as("WORK@bob", &format!("undo {request}")).exit(4);
    let _ = ws.run_as("WORK@ada", &format!("undo {request}")).ok();
    assert_eq!(status(&ws, "A001"), "expired");
    let _ = ws.run_as("WORK@ada", "redo").exit(4);
    let _ = ws.run_as("WORK@ada", "request T-1 --op merge").ok();
    let _ = ws.run_as("CMD@eve", "approve A002").ok();
    let _ = ws.run_as("CMD@eve", "undo").exit(4);
    let _ = ws.run_as("WORK@ada", "undo").exit(9);
    let _ = ws.run_as("CMD@eve", "flag FREEZE=on").ok();
    let _ = ws.run_as("CMD@eve", "undo").exit(4);
}

fn operation(ws: &Workspace, command: &str) -> String {
    let journal = ws.read(JOURNAL);
    let by = format!("\"command\":\"{command}\"");
    let line = journal.lines().rfind(|line| line.contains(&by)).expect("it was journalled");
    let entry: serde_json::Value = serde_json::from_str(line).unwrap();
    entry["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_key_asks_and_decides_once() {
    let ws = Workspace::new().task("T-1", "Ship it");
    for already in [false, true] {
        let asked = ws.run_as("WORK@ada", "request T-1 --op merge --op-id k --json").ok().json();
        assert_eq!(asked["data"]["already"], already);
        assert_eq!(asked["data"]["approval"]["appr_id"], "A001");
    }
    let _ = ws.run_as("WORK@ada", "request T-1 --op other --op-id k").exit(2);
    assert!(!ws.read(APPROVALS).contains("A002"));
    let diff = ws.run_as("CMD@eve", "approve A001 --dry-run").ok();
    assert!(diff.stdout.contains("+| A001") && status(&ws, "A001") == "pending");
}

#[test]
fn solo_waives_and_says_so() {
    let ws = Workspace::new().task("T-1", "Ship it").settings("solo: true");
    let _ = ws.run("request T-1 --op merge").ok();
    let _ = ws.run("approve A001").ok();
    let journal = ws.read(JOURNAL);
    assert!(journal.contains("\"waivers\":[\"role\",\"separation_of_duties\"]"), "{journal}");
    let _ = ws.run("request T-1 --op other").ok();
    let _ = ws.run_as("CMD@ada", "approve A002").exit(8);
}

#[test]
fn a_row_typed_by_hand_is_asked_for_by_whom_it_says_and_ever_said() {
    let ws = Workspace::new().task("T-1", "Ship it");
    let _ = ws.run_as("WORK@eve", "request T-1 --op merge").ok();
    edit(&ws, APPROVALS, "WORK@eve", "WORK@ada");
    let _ = ws.run_as("CMD@eve", "approve A001").exit(8);
    let _ = ws.run_as("CMD@ada", "approve A001").exit(8);
    let _ = ws.run_as("CMD@bob", "approve A001").ok();
    let by_hand =
        "| A002 | T-1 | deploy | pending | WORK@zoe | - | - | 2026-01-01T09:00:00Z | - | - |\n";
    let text = ws.read(APPROVALS);
    let at = text.find("| A001").unwrap();
    ws.write(APPROVALS, format!("{}{by_hand}{}", &text[..at], &text[at..]));
    let _ = ws.run_as("CMD@zoe", "approve A002").exit(8);
    let _ = ws.run_as("CMD@bob", "approve A002").ok();
}

#[test]
fn times_that_cannot_be_are_named() {
    let ws = Workspace::new().task("T-1", "Ship it");
    let rows =
        [("A1", "soon", 10), ("A2", "2027-01-01T00:00:00Z", 10), ("A3", "2026-01-01T09:30:00Z", 0)];
    let head = "| appr_id | task_id | op | status | requested_by | approver | approver_role | ts_req | ts_dec | evidence |\n|---|---|---|---|---|---|---|---|---|---|\n";
    let line = |(id, at, _): &(&str, &str, u8)| {
        format!("| {id} | T-1 | {id} | pending | WORK@ada | - | - | {at} | - | - |\n")
    };
    ws.write(APPROVALS, format!("{head}{}", rows.iter().map(line).collect::<String>()));
    for (id, _, exit) in rows {
        let _ = ws.run_as("CMD@eve", &format!("approve {id}")).exit(exit);
    }
    // A clock that is a little behind never makes a decision older than its request.
    assert_eq!(row(&ws, "A3")[8], "2026-01-01T09:30:00Z");
}

#[test]
fn flags_are_cmds_and_anybody_may_freeze() {
    let ws = Workspace::new().task("T-1", "Ship it");
    let _ = ws.run_as("WORK@ada", "flag AUTO_DECIDE=on").exit(4);
    let _ = ws.run_as("WORK@ada", "flag FREEZE=on").ok();
    let _ = ws.run_as("WORK@ada", "flag FREEZE=off").exit(4);
    let _ = ws.run_as("CMD@eve", "flag nonsense=on").exit(2);
    let answer = ws.run_as("CMD@eve", "flag FREEZE=off --json").ok().json();
    assert_eq!(answer["data"]["flag"]["value"], "off");
    assert_eq!(ws.run_as("CMD@eve", "flag FREEZE=off --json").ok().json()["data"]["already"], true);
    let _ = ws.run_as("CMD@eve", "flag AUTO_DECIDE=shadow").ok();
    assert_eq!(ws.read("ORCH/STATE/FLAGS.md"), "# Flags\n\nFREEZE=off\nAUTO_DECIDE=shadow\n");
    // What `flag` set is no hand edit.
    let said = ws.run("status").ok();
    assert!(!said.stderr.contains("outside"), "{}", said.stderr);
    let _ = ws.run("audit verify").ok();
}

#[test]
fn sending_back_what_was_approved_by_rule_turns_the_rules_off() {
    let late = |minutes: u64| {
        let by_rule = "| A1 | T-1 | merge | approved | WORK@ada | AUDIT@auto | AUDIT | 2026-01-01T09:00:00Z | 2026-01-01T09:00:00Z | - |";
        let head = "| appr_id | task_id | op | status | requested_by | approver | approver_role | ts_req | ts_dec | evidence |\n|---|---|---|---|---|---|---|---|---|---|";
        let ws = Workspace::new().task("T-1", "Ship it");
        ws.write(APPROVALS, format!("{head}\n{by_rule}\n"));
        ws.write("ORCH/STATE/FLAGS.md", "AUTO_DECIDE=on\nFREEZE=off\n");
        let _ = ws.run_as("WORK@ada", "claim T-1").ok();
        let _ = ws.run_as("WORK@ada", "submit T-1").ok();
        ws.clock().advance(mins(minutes));
        let fixed = ws.run_as("CMD@eve", "fix T-1").ok();
        let flags = ws.read("ORCH/STATE/FLAGS.md");
        assert_eq!(fixed.stderr.contains("AUTO_DECIDE is off"), flags.contains("AUTO_DECIDE=off"));
        // Taking the move back leaves them off.
        let _ = ws.run_as("CMD@eve", "undo").ok();
        assert_eq!(ws.read("ORCH/STATE/FLAGS.md"), flags);
        flags
    };
    assert_eq!(late(30 * 24 * 60), "AUTO_DECIDE=off\nFREEZE=off\n");
    assert_eq!(late(30 * 24 * 60 + 1), "AUTO_DECIDE=on\nFREEZE=off\n");
}

#[test]
fn a_ledger_without_approvals_gets_them() {
    let ws = Workspace::new().task("T-1", "Ship it");
    let _ = ws.run_as("WORK@ada", "request T-1 --op 'a | b'").ok();
    assert!(ws.read(APPROVALS).starts_with("# Approvals\n\n| appr_id |"));
    assert!(ws.read(APPROVALS).contains("a \\| b"));
    let _ = ws.run_as("WORK@ada", "request T-1 --op $'two\\nlines'").exit(2);
}

#[test]
fn whoever_wrote_the_evidence_is_not_hidden_by_a_line_less() {
    let texts = [
        "---\nrequested_by: WORK@kim\n---\ntext\n",
        "\u{feff}---\nappr_id: A9\nrequested_by: 'WORK@kim'\n",
        "---\nrequested_by: WORK@zoe\nrequested_by: WORK@kim\n---\n",
    ];
    for text in texts {
        let ws = Workspace::new().task("T-1", "Ship it");
        ws.write("own.md", text);
        let _ = ws.run_as("WORK@ada", "request T-1 --op merge --evidence own.md").ok();
        let _ = ws.run_as("CMD@kim", "approve A001").exit(8);
        let _ = ws.run_as("CMD@eve", "approve A001").ok();
    }
}

/// A ledger with one approval that somebody typed.
fn typed(requested_by: &str) -> Workspace {
    let ws = Workspace::new().task("T-1", "Ship it");
    let head = "| appr_id | task_id | op | status | requested_by | approver | approver_role | ts_req | ts_dec | evidence |\n|---|---|---|---|---|---|---|---|---|---|\n";
    ws.write(APPROVALS, format!("{head}| A1 | T-1 | x | pending | {requested_by} | - | - | 2026-01-01T08:00:00Z | - | - |\n"));
    ws
}

#[test]
fn a_requester_who_is_written_among_words_is_still_the_requester() {
    for by in ["WORK@ada (by phone)", "`WORK@ada`", "WORK@ada, WORK@bob", "WORK ada"] {
        let ws = typed(by);
        let _ = ws.run_as("CMD@ada", "approve A1").exit(8);
        let _ = ws.run_as("CMD@eve", "approve A1").ok();
    }
    let nobody = typed("-");
    let _ = nobody.run_as("CMD@eve", "approve A1").exit(10);
    let _ = nobody.run_as("CMD", "reject A1").exit(10);
}

#[test]
fn a_repeat_that_names_other_evidence_is_no_repeat() {
    let ws = approved();
    let _ = ws.run_as("CMD@eve", "approve A001 --sha dead").exit(9);
    let again = ws.run_as("CMD@eve", "approve A001 --json").ok().json();
    assert_eq!(again["data"]["already"], true);
    assert!(again["data"]["approval"]["evidence_sha256"].is_string());
}

#[test]
fn done_says_what_no_longer_counts_though_nothing_asks_for_it() {
    let ws = approved();
    ws.write("ORCH/orch.yaml", "");
    let _ = ws.run_as("CMD@eve", "check --accept").ok();
    edit(&ws, TASKS, "Ship it", "Ship them");
    let done = ws.run_as("CMD@eve", "done T-1").ok();
    assert!(done.stderr.contains("`A001` no longer counts"), "{}", done.stderr);
}

#[test]
fn a_rejection_that_is_cut_out_or_moved_by_hand_still_holds() {
    for moved in [false, true] {
        let ws = asked();
        let _ = ws.run_as("CMD@eve", "reject A001").ok();
        let row = ws.read(APPROVALS).lines().find(|l| l.starts_with("| A001")).unwrap().to_owned();
        let new = if moved { row.replacen("T-1", "T-2", 1) + "\n" } else { String::new() };
        edit(&ws, APPROVALS, &format!("{row}\n"), &new);
        let _ = ws.run_as("CMD@eve", "done T-1").exit(10);
        let _ = ws.run_as("CMD@bob", "note T-1 x").ok();
        let _ = ws.run_as("CMD@eve", "done T-1").exit(10);
    }
}

#[test]
fn approvals_are_not_set() {
    let ws = asked();
    let _ = ws.run_as("CMD@eve", "set T-1 approver=CMD@eve").exit(4);
    let _ = ws.run_as("CMD@eve", "set A001 status=approved").exit(4);
    let _ = ws.run("approvals --status bogus").exit(2);
}

#[test]
fn the_change_that_was_asked_for_last_is_the_newest() {
    let patch = |to: &str| format!("--- a/f\n+++ b/f\n@@ -0,0 +1 @@\n+{to}\n");
    let ws = Workspace::new().task("T-1", "Ship it");
    let git = |args: &[&str]| {
        let ran = std::process::Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
            .args(args)
            .current_dir(ws.root())
            .output()
            .unwrap();
        assert!(ran.status.success(), "{args:?}: {ran:?}");
    };
    git(&["init", "-q"]);
    ws.write("f", "");
    git(&["add", "f"]);
    git(&["commit", "-qm", "f"]);
    for (op, to) in [("one", "v1"), ("two", "v2")] {
        ws.write("p.diff", patch(to));
        let _ = ws.run_as("WORK@ada", &format!("request T-1 --op {op} --patch p.diff")).ok();
        ws.clock().advance(mins(1));
    }
    for id in ["A002", "A001"] {
        let _ = ws.run_as("CMD@eve", &format!("approve {id}")).ok();
        ws.clock().advance(mins(1));
    }
    let _ = ws.run_as("WORK@bob", "claim T-1").ok();
    let _ = ws.run_as("WORK@bob", "submit T-1").ok();
    ws.write("f", "v1\n");
    let stale = ws.run_as("CMD@eve", "done T-1").exit(9);
    assert!(stale.stderr.contains("`f`"), "{}", stale.stderr);
    ws.write("f", "v2\n");
    let _ = ws.run_as("CMD@eve", "done T-1").ok();
}
