//! What an approval is about, and when it no longer counts: title, evidence and
//! artifact byte for byte, and the round of work (T37).
//!
//! Beside `approvals`, which shows the commands: here every change that could be
//! made, by `orch` and by hand, forth and back.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "places files by hand")]

use crate::support::Workspace;
use crate::support::workspace::{APPROVALS, TASKS};
use std::fs;
use std::os::unix::fs::symlink;

const EVIDENCE: &str = "docs/ev idence.txt";
const BYTES: &str = "what was done, line one\nline two\r\n\n";

/// Handed in by WORK@ada, approved by CMD@eve; DONE needs the approval.
fn approved() -> Workspace {
    let ws = Workspace::new().task("T-1", "Ship it").task("T-2", "Other");
    let ws = ws.settings("approvals: {required: [T-*]}\ndurability: fast\n");
    ws.write(EVIDENCE, BYTES);
    for line in [
        "claim T-1 --as WORK@ada",
        "request T-1 --op merge --evidence 'docs/ev idence.txt' --as WORK@ada",
        "submit T-1 --artifact out.zip --as WORK@ada",
        "approve A001 --as CMD@eve",
    ] {
        let _ = ws.run(line).ok();
    }
    ws
}

fn in_force(ws: &Workspace) -> bool {
    let list = ws.run("approvals --json").ok().json();
    let all = list["data"]["approvals"].as_array().unwrap().clone();
    let first = all.iter().find(|a| a["appr_id"] == "A001").unwrap();
    first["in_force"] == true
}

/// By hand: the first place of a text in a file.
fn edit(ws: &Workspace, path: &str, from: &str, to: &str) {
    let text = ws.read(path);
    assert!(text.contains(from), "`{path}` has no {from:?}");
    ws.write(path, text.replacen(from, to, 1));
}

/// Something that is done to the workspace, and what takes it back.
type Step = Box<dyn Fn(&Workspace)>;
type Change = (&'static str, Step, Step);

fn orch(line: &'static str) -> Step {
    Box::new(move |ws| drop(ws.run_as("CMD@eve", line).ok()))
}

fn hand(path: &'static str, from: &'static str, to: &'static str) -> Step {
    Box::new(move |ws| edit(ws, path, from, to))
}

fn write(bytes: &'static str) -> Step {
    Box::new(move |ws| ws.write(EVIDENCE, bytes))
}

fn by_file(change: fn(&std::path::Path)) -> Step {
    Box::new(move |ws| change(&ws.root().join(EVIDENCE)))
}

/// What an approval is about, changed.
fn that_matter() -> Vec<Change> {
    vec![
        ("title", orch("set T-1 'title=Ship them'"), orch("set T-1 'title=Ship it'")),
        ("title, one letter", orch("set T-1 'title=ship it'"), orch("set T-1 'title=Ship it'")),
        ("title by hand", hand(TASKS, "Ship it", "Ship  it"), hand(TASKS, "Ship  it", "Ship it")),
        ("title gone", hand(TASKS, "Ship it", "-"), hand(TASKS, "T-1 | - ", "T-1 | Ship it ")),
        ("artifact", orch("set T-1 artifact=other.zip"), orch("set T-1 artifact=out.zip")),
        ("artifact by hand", hand(TASKS, "out.zip", "Out.zip"), hand(TASKS, "Out.zip", "out.zip")),
        ("artifact gone", orch("set T-1 artifact=-"), orch("set T-1 artifact=out.zip")),
        ("first byte", write("What was done, line one\nline two\r\n\n"), write(BYTES)),
        ("last byte", write("what was done, line one\nline two\r\n"), write(BYTES)),
        ("one byte more", write("what was done, line one\nline two\r\n\n\n"), write(BYTES)),
        ("line end", write("what was done, line one\nline two\n\n"), write(BYTES)),
        (
            "a mark before it",
            write("\u{feff}what was done, line one\nline two\r\n\n"),
            write(BYTES),
        ),
        ("nothing in it", write(""), write(BYTES)),
        ("evidence gone", by_file(|path| fs::remove_file(path).unwrap()), write(BYTES)),
        (
            "a folder in its place",
            by_file(|path| {
                fs::remove_file(path).unwrap();
                fs::create_dir(path).unwrap();
            }),
            Box::new(|ws| {
                fs::remove_dir(ws.root().join(EVIDENCE)).unwrap();
                ws.write(EVIDENCE, BYTES);
            }),
        ),
        (
            "a link that leads out",
            by_file(|path| {
                fs::remove_file(path).unwrap();
                symlink("/etc/hostname", path).unwrap();
            }),
            Box::new(|ws| {
                fs::remove_file(ws.root().join(EVIDENCE)).unwrap();
                ws.write(EVIDENCE, BYTES);
            }),
        ),
    ]
}

#[test]
fn t37_done_is_stale_while_what_was_approved_is_otherwise() {
    for (name, change, back) in that_matter() {
        let ws = approved();
        assert!(in_force(&ws), "{name}: before");
        change(&ws);
        assert!(!in_force(&ws), "{name}: still in force");
        let ran = ws.run_as("CMD@eve", "done T-1");
        // A path that is no longer safe is an invalid ledger before anything else.
        let exits: &[u8] = if name.contains("leads out") { &[9, 10] } else { &[9] };
        assert!(exits.contains(&ran.exit), "{name}: exit {}: {}", ran.exit, ran.stderr);
        // Other doors to DONE are the same door.
        for line in ["move T-1 DONE", "set T-1 state=DONE"] {
            let ran = ws.run_as("AUDIT@may", line);
            assert!(exits.contains(&ran.exit), "{name}: `{line}`: {}", ran.stderr);
        }
        // A hint is something that may be typed.
        assert!(ran.stderr.contains("\nhint: orch "), "{name}: {}", ran.stderr);
        back(&ws);
        assert!(in_force(&ws), "{name}: brought back");
        let _ = ws.run_as("CMD@eve", "done T-1").ok();
    }
}

#[test]
fn t37_a_value_that_comes_back_by_undo_brings_it_back() {
    let ws = approved();
    let _ = ws.run_as("CMD@eve", "set T-1 title=Other").ok();
    assert!(!in_force(&ws));
    let _ = ws.run_as("CMD@eve", "undo").ok();
    assert!(in_force(&ws));
    let _ = ws.run_as("CMD@eve", "redo").ok();
    assert!(!in_force(&ws));
    let _ = ws.run_as("CMD@eve", "undo").ok();
    let _ = ws.run_as("CMD@eve", "done T-1").ok();
}

#[test]
fn t37_nothing_else_matters() {
    let changes: Vec<Step> = vec![
        orch("set T-1 due=2027-01-01"),
        orch("set T-1 owner=WORK@bob"),
        orch("set T-1 priority=LOW"),
        orch("set T-1 depends=T-2"),
        orch("note T-1 'by the way'"),
        orch("set T-1 detail='more of it'"),
        orch("set T-2 title=Different"),
        hand(TASKS, "| T-1 |", "|   T-1   |"),
        hand(TASKS, "Different", "Differently"),
        hand(APPROVALS, "| A001 |", "|  A001  |"),
        Box::new(|ws| ws.write("docs/other.txt", "new")),
        Box::new(|ws| edit(ws, TASKS, "Ship it |", "Ship it   |")),
        orch("fmt"),
        Box::new(|ws| {
            // The same bytes under a link that stays inside.
            let path = ws.root().join(EVIDENCE);
            fs::rename(&path, ws.root().join("docs/real.txt")).unwrap();
            symlink("real.txt", &path).unwrap();
        }),
    ];
    let ws = approved();
    for (n, change) in changes.iter().enumerate() {
        change(&ws);
        assert!(in_force(&ws), "change {n}");
    }
    let _ = ws.run_as("CMD@eve", "set T-1 depends=-").ok();
    let _ = ws.run_as("CMD@eve", "done T-1").ok();
}

#[test]
fn t37_an_approval_without_artifact_or_evidence_binds_the_title_alone() {
    let ws = Workspace::new().task("T-1", "Ship it").settings("approvals: {required: [T-*]}\n");
    for line in [
        "request T-1 --op merge --as WORK@ada",
        "approve A001 --as CMD@eve",
        "claim T-1 --as WORK@ada",
        "submit T-1 --artifact one.zip --as WORK@ada",
        "set T-1 artifact=two.zip --as CMD@eve",
    ] {
        let _ = ws.run(line).ok();
    }
    assert!(in_force(&ws));
    let _ = ws.run_as("CMD@eve", "set T-1 title=x").ok();
    let _ = ws.run_as("CMD@eve", "done T-1").exit(9);
    let _ = ws.run_as("CMD@eve", "set T-1 'title=Ship it'").ok();
    let _ = ws.run_as("CMD@eve", "done T-1").ok();
}

/// Moves that leave the round as it is, from REVIEW back to REVIEW.
const WITHIN: [&[&str]; 5] = [
    &["hold T-1 --as CMD@eve", "resume T-1 --as CMD@eve"],
    &["drop T-1 --as CMD@eve", "undo --as CMD@eve"],
    &["done T-1 --as CMD@eve", "undo --as CMD@eve"],
    &["fix T-1 --as CMD@eve", "undo --as CMD@eve"],
    &["note T-1 x --as CMD@eve", "undo --as CMD@eve"],
];

#[test]
fn t37_no_other_move_ends_a_round() {
    for moves in WITHIN {
        let ws = approved();
        for line in moves {
            let _ = ws.run(line).ok();
        }
        assert!(in_force(&ws), "{moves:?}");
        let _ = ws.run_as("CMD@eve", "done T-1").ok();
    }
    // Before it is handed in: give back, take again, expire, take over, answer.
    let before: [&[&str]; 3] = [
        &["release T-1 --as WORK@ada", "claim T-1 --as WORK@bob"],
        &[
            "release T-1 --needs-input why --as WORK@ada",
            "ready T-1 --as CMD@eve",
            "claim T-1 --as WORK@bob",
        ],
        &["hold T-1 --as CMD@eve", "resume T-1 --as CMD@eve", "claim T-1 --as WORK@bob"],
    ];
    for moves in before {
        let ws = Workspace::new().task("T-1", "Ship it").settings("approvals: {required: [T-*]}\n");
        let start = [
            "claim T-1 --as WORK@ada",
            "request T-1 --op merge --as WORK@ada",
            "approve A001 --as CMD@eve",
        ];
        for line in start.iter().chain(moves) {
            let _ = ws.run(line).ok();
        }
        let _ = ws.run("submit T-1 --as WORK@bob").ok();
        assert!(in_force(&ws), "{moves:?}");
        // Both held it in this round, whoever handed it in.
        let _ = ws.run_as("CMD@ada", "done T-1").exit(8);
        let _ = ws.run_as("CMD@bob", "done T-1").exit(8);
        let _ = ws.run_as("CMD@eve", "done T-1").ok();
    }
}

#[test]
fn t37_fix_and_reopen_end_it_by_every_door() {
    let ends: [&[&str]; 5] = [
        &["fix T-1 --as CMD@eve"],
        &["move T-1 FIX --as AUDIT@may"],
        &["set T-1 state=FIX --as AUDIT@may"],
        &["done T-1 --as CMD@eve", "reopen T-1 --note n --as CMD@eve", "ready T-1 --as CMD@eve"],
        &["drop T-1 --as CMD@eve", "move T-1 PLAN --note n --as CMD@eve", "ready T-1 --as CMD@eve"],
    ];
    for moves in ends {
        let ws = approved();
        let _ = ws.run("request T-1 --op deploy --as WORK@ada").ok();
        let _ = ws.run("approve A002 --as CMD@eve").ok();
        for line in moves {
            let _ = ws.run(line).ok();
        }
        assert!(!in_force(&ws), "{moves:?}");
        for line in ["claim T-1 --as WORK@ada", "submit T-1 --as WORK@ada"] {
            let _ = ws.run(line).ok();
        }
        let _ = ws.run_as("CMD@eve", "done T-1").exit(9);
        // Decided anew in the new round, it is in order again.
        let _ = ws.run("request T-1 --op merge --as WORK@ada").ok();
        let _ = ws.run_as("CMD@eve", "done T-1").exit(7);
        let _ = ws.run("approve A003 --as CMD@eve").ok();
        let _ = ws.run_as("CMD@eve", "done T-1").ok();
    }
}

#[test]
fn t37_what_waited_when_a_round_ended_waits_again_when_that_is_undone() {
    let ws = approved();
    let _ = ws.run("request T-1 --op deploy --as WORK@ada").ok();
    let pending = |ws: &Workspace| ws.read(APPROVALS).contains("| A002 | T-1 | deploy | pending |");
    let _ = ws.run("fix T-1 --as CMD@eve").ok();
    assert!(!pending(&ws) && !in_force(&ws));
    let _ = ws.run("undo --as CMD@eve").ok();
    assert!(pending(&ws) && in_force(&ws));
    let _ = ws.run_as("CMD@eve", "done T-1").exit(7);
    let _ = ws.run("approve A002 --as CMD@eve").ok();
    let _ = ws.run_as("CMD@eve", "done T-1").ok();
}

#[test]
fn t37_a_rejection_counts_in_its_round_only() {
    let ws = Workspace::new().task("T-1", "Ship it");
    for line in [
        "claim T-1 --as WORK@ada",
        "request T-1 --op merge --as WORK@ada",
        "submit T-1 --as WORK@ada",
        "reject A001 --as CMD@eve",
    ] {
        let _ = ws.run(line).ok();
    }
    // A title changed or changed back makes a rejection no approval.
    let _ = ws.run_as("CMD@eve", "done T-1").exit(7);
    let _ = ws.run_as("CMD@eve", "set T-1 title=x").ok();
    let _ = ws.run_as("CMD@eve", "done T-1").exit(7);
    let _ = ws.run_as("CMD@eve", "fix T-1").ok();
    for line in ["claim T-1 --as WORK@ada", "submit T-1 --as WORK@ada"] {
        let _ = ws.run(line).ok();
    }
    let _ = ws.run_as("CMD@eve", "done T-1").ok();
}
