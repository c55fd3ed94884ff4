//! One person under many spellings is refused, and another person never is:
//! separation of duties against names that are made to be mistaken (T36).

use crate::support::Workspace;
use crate::support::workspace::{APPROVALS, Ran, TASKS};

const HEAD: &str = "| appr_id | task_id | op | status | requested_by | approver | approver_role | ts_req | ts_dec | evidence |
|---|---|---|---|---|---|---|---|---|---|
";

/// Spellings of `bob` as people and attackers type them into a ledger.
const BOB: [&str; 40] = [
    "WORK@bob",
    "WORK@BOB",
    "WORK@Bob",
    "CMD@bob",
    "AUDIT@boB",
    "bob",
    "Bob",
    "BOB",
    "work@bob",
    "Work@Bob",
    "WORK@bob\u{a0}",
    "WORK@bob\u{2009}",
    "WORK@bob\u{200b}",
    "WORK@b\u{200d}ob",
    "\u{feff}WORK@bob",
    "WORK@bo\u{ad}b",
    "WORK@\u{2060}bob",
    "WORK@bob\u{3000}",
    "WORK @bob",
    "WORK@ bob",
    "W O R K@bob",
    "\u{ff37}\u{ff2f}\u{ff32}\u{ff2b}@bob",
    "WORK\u{ff20}bob",
    "WORK@\u{ff42}\u{ff4f}\u{ff42}",
    "WORK@b\u{43e}b",
    "W\u{41e}RK@bob",
    "WORK@b\u{3bf}b",
    "WORK@b\u{585}b",
    "WORK@\u{430}\u{43e}b@bob",
    "WORK@\u{1d41b}\u{1d428}\u{1d41b}",
    "WORK@bob\u{fe0f}",
    "WORK@\u{e0001}bob",
    "WORK@b\u{34f}ob",
    "WORK@bob\u{180e}",
    "BOSS@bob",
    "@bob",
    "WORK@bob\u{200e}",
    "WORK@@bob",
    "WORK@x@bob",
    "WORK@bob\t",
];

/// Spellings of other people, whom `bob` resembles or not.
const OTHERS: [(&str, &str); 30] = [
    ("adam", "WORK@ada"),
    ("ada", "WORK@adam"),
    ("ada", "ada1"),
    ("adam", "WORK@adarn"),
    ("adam", "adarn"),
    ("adarn", "adam"),
    ("rn", "m"),
    ("rn", "WORK@m"),
    ("al", "WORK@a1"),
    ("al", "a1"),
    ("l1", "ll"),
    ("ian", "lan"),
    ("o", "0"),
    ("o", "WORK@0"),
    ("w", "vv"),
    ("d", "cl"),
    ("eve", "\u{5c71}\u{7530}"),
    ("eve", "WORK@\u{5c71}\u{7530}"),
    ("eve", "\u{5c71}\u{7530}@eva"),
    ("bob", "WORK@b\u{f6}b"),
    ("bob", "bo\u{301}b"),
    ("bob", "bobby"),
    ("bob", "robob"),
    ("bob", "b.ob"),
    ("bob", "b-ob"),
    ("bob", "bob2"),
    ("ada", "ada-laptop"),
    ("eve", "WORK"),
    ("eve", "somebody"),
    ("eve", "\u{415}\u{432}\u{430}"),
];

/// A ledger typed by hand: a task in REVIEW, a request by `requested_by`, a
/// holder and an author of evidence where they are given.
fn typed(requested_by: &str, author: Option<&str>) -> Workspace {
    let ws = Workspace::new().task("T-1", "Ship it").settings("durability: fast\n");
    let evidence = if let Some(author) = author {
        ws.write("ORCH/patches/2026-01/e.diff.md", evidence(author));
        "ORCH/patches/2026-01/e.diff.md"
    } else {
        "-"
    };
    let row = format!(
        "| A1 | T-1 | merge | pending | {requested_by} | - | - | 2026-01-01T08:00:00Z | - | {evidence} |\n"
    );
    ws.approvals(&format!("{HEAD}{row}"))
}

fn evidence(author: &str) -> String {
    use orch::ledger::evidence::{diff_sha256, render};
    use orch::model::evidence::Front;
    let diff = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-1\n+2\n";
    let front = Front {
        appr_id: "A1".into(),
        task_id: "T-1".into(),
        op: "merge".into(),
        requested_by: author.into(),
        ts_req: "2026-01-01T08:00:00Z".into(),
        base: None,
        worktree: None,
        files: Vec::new(),
        sha256: diff_sha256(diff),
    };
    render(&front, "Ship it", diff)
}

/// A task that `holder` holds by the cells of the first look, handed in.
fn held(holder: &str) -> Workspace {
    let head = "| task_id | title | state | owner | lock | lock_owner | lock_expires_at | due | artifact | notes |\n|---|---|---|---|---|---|---|---|---|---|\n";
    let row = format!(
        "| T-1 | Ship it | DOING | - | {holder}@2026-01-01T07:00:00Z | {holder} | 2026-01-01T07:30:00Z | - | - | - |\n"
    );
    let ws = Workspace::new().settings("durability: fast\n").ledger(&format!("{head}{row}"));
    // The first change takes the lease, which is over, as it is found.
    let _ = ws.run_as("WORK@zoe", "note T-1 seen").ok();
    let text = ws.read(TASKS);
    let lease = format!("{holder}@2026-01-01T07:00:00Z | {holder} | 2026-01-01T07:30:00Z");
    assert!(text.contains(&lease), "{text}");
    ws.write(TASKS, text.replace(&lease, "- | - | -").replace("DOING", "REVIEW"));
    ws
}

fn words(ws: &Workspace, line: &[&str]) -> Ran {
    ws.run_words(&line.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), b"")
}

fn is_pending(ws: &Workspace) -> bool {
    ws.read(APPROVALS).contains("| A1 | T-1 | merge | pending |")
}

/// Every refusal, counted.
#[derive(Default)]
struct Tally {
    cases: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn refused(&mut self, ws: &Workspace, ran: &Ran, exit: u8, what: &str) {
        self.cases += 1;
        if ran.exit != exit || !is_pending(ws) {
            self.wrong.push(format!("{what}: exit {}, not {exit}: {}", ran.exit, ran.stderr));
        }
    }

    fn allowed(&mut self, ran: &Ran, what: &str) {
        self.cases += 1;
        if ran.exit != 0 {
            self.wrong.push(format!("{what}: exit {}: {}", ran.exit, ran.stderr));
        }
    }

    #[track_caller]
    fn finish(self) {
        let (wrong, cases) = (self.wrong.len(), self.cases);
        assert!(self.wrong.is_empty(), "{wrong} of {cases}:\n{}", self.wrong.join("\n"));
    }
}

#[test]
fn t36_whoever_is_spelt_as_one_in_the_ledger_cannot_be_judged_by_them() {
    let mut tally = Tally::default();
    for spelling in BOB {
        for verb in ["approve", "reject"] {
            let ws = typed(spelling, None);
            let ran = words(&ws, &[verb, "A1", "--as", "CMD@bob"]);
            tally.refused(&ws, &ran, 8, &format!("{verb}, asked by {spelling:?}"));
        }
        let ws = typed("WORK@ada", Some(spelling));
        let ran = words(&ws, &["approve", "A1", "--as", "AUDIT@BOB"]);
        tally.refused(&ws, &ran, 8, &format!("approve, evidence by {spelling:?}"));
    }
    tally.finish();
}

#[test]
fn t36_whoever_decides_is_themselves_by_every_door() {
    let mut tally = Tally::default();
    // As typed; the second is the exit: another spelling is no actor at all.
    let spellings = [
        ("CMD@bob", 8),
        ("CMD@BOB", 8),
        ("AUDIT@Bob", 8),
        ("CMD", 8),
        ("AUDIT", 8),
        ("WORK@bob", 4),
        ("CMD@bob ", 2),
        (" CMD@bob", 2),
        ("CMD@bob\u{a0}", 2),
        ("CMD@bob\u{200b}", 2),
        ("CMD@b\u{43e}b", 2),
        ("C\u{41c}D@eve", 2),
        ("cmd@eve", 2),
        ("CMD@", 2),
        ("@eve", 2),
        ("CMD@\u{ff45}\u{ff56}\u{ff45}", 2),
        ("CMD@e v e", 2),
        ("CMD@eve@bob", 2),
        ("CMD@\u{131}an", 2),
        ("AUDIT@auto", 4),
        ("AUDIT@AUTO", 4),
        ("AUDIT@Auto", 4),
        ("CMD@eve\n", 2),
    ];
    for (spelling, exit) in spellings {
        let ws = typed("WORK@bob", None);
        let ran = words(&ws, &["approve", "A1", "--as", spelling]);
        tally.refused(&ws, &ran, exit, &format!("--as {spelling:?}"));
        ws.var("ORCH_ACTOR", Some(spelling));
        let ran = words(&ws, &["approve", "A1"]);
        tally.refused(&ws, &ran, exit, &format!("$ORCH_ACTOR={spelling:?}"));
        ws.var("ORCH_ACTOR", None);
        ws.write("ORCH/orch.yaml", format!("actor: {spelling:?}\n"));
        // Settings that reserve the actor of automatic decisions are no settings.
        let exit = if spelling.eq_ignore_ascii_case("AUDIT@auto") { 2 } else { exit };
        let ran = words(&ws, &["approve", "A1"]);
        tally.refused(&ws, &ran, exit, &format!("actor: {spelling:?}"));
    }
    // Other names of one person, and bare roles.
    let principals = "principals: {robert: [bob, Bob-Laptop], ada: [bobby]}\n";
    for (requester, decider, exit) in [
        ("WORK@bob", "CMD@bob-laptop", 8),
        ("WORK@BOB-LAPTOP", "CMD@bob", 8),
        ("WORK@robert", "AUDIT@BOB", 8),
        ("b\u{43e}b-laptop", "CMD@robert", 8),
        ("CMD", "CMD", 8),
        ("AUDIT", "AUDIT", 8),
        ("WORK1", "CMD@work1", 8),
        ("WORK1", "CMD", 8),
        ("\u{421}MD", "CMD", 8),
        ("somebody", "AUDIT", 8),
    ] {
        let ws = typed(requester, None).settings(principals);
        let ran = words(&ws, &["approve", "A1", "--as", decider]);
        tally.refused(&ws, &ran, exit, &format!("asked by {requester}, decided by {decider}"));
    }
    tally.finish();
}

#[test]
fn t36_a_run_decides_as_nobody_else() {
    let mut tally = Tally::default();
    let ws = typed("WORK@bob", None);
    let _ = ws.run_as("CMD@eve", "add Other --id T-2 --state READY --owner AUDIT").ok();
    let lease = ws.run_as("AUDIT@bob", "claim T-2 --json").ok().json();
    let token = lease["data"]["lease"]["token"].to_string();
    ws.var("ORCH_TASK_ID", Some("T-2"));
    ws.var("ORCH_LEASE_TOKEN", Some(&token));
    // As itself it is who asked; as anybody else it is not allowed to be.
    for (actor, exit) in
        [("", 8), ("AUDIT@bob", 8), ("CMD@eve", 4), ("AUDIT@eve", 4), ("CMD", 4), ("CMD@bob", 4)]
    {
        let mut line = vec!["approve", "A1"];
        if !actor.is_empty() {
            line.extend(["--as", actor]);
        }
        let ran = words(&ws, &line);
        tally.refused(&ws, &ran, exit, &format!("a run as {actor:?}"));
        if !actor.is_empty() {
            ws.var("ORCH_ACTOR", Some(actor));
            let ran = words(&ws, &["approve", "A1"]);
            tally.refused(&ws, &ran, exit, &format!("a run with $ORCH_ACTOR={actor}"));
            ws.var("ORCH_ACTOR", None);
        }
    }
    // Nor does solo help it: the default actor is not a run's.
    ws.write("ORCH/orch.yaml", "solo: true\nactor: AUDIT@bob\n");
    let ran = words(&ws, &["approve", "A1"]);
    tally.refused(&ws, &ran, 8, "a run where solo is on");
    tally.finish();
}

#[test]
fn t36_whoever_held_the_task_cannot_judge_it_however_they_are_spelt() {
    let mut wrong = Vec::new();
    for spelling in BOB.iter().filter(|spelling| !spelling.contains(['\t'])) {
        for verb in ["done", "fix"] {
            let ws = held(spelling);
            let ran = words(&ws, &[verb, "T-1", "--as", "CMD@bob"]);
            if ran.exit != 8 {
                wrong.push(format!(
                    "{verb}, held by {spelling:?}: exit {}: {}",
                    ran.exit, ran.stderr
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn t36_whoever_asked_is_not_forgotten_when_the_row_says_somebody_else() {
    for (from, to) in [("WORK@bob", "WORK@ada"), ("WORK@b\u{43e}b", "-"), ("bob", "CMD@eve")] {
        let ws = typed(from, None);
        let _ = ws.run_as("WORK@zoe", "note T-1 seen").ok();
        ws.write(APPROVALS, ws.read(APPROVALS).replace(from, to));
        // In the command that first meets the edit, and after it is journalled.
        for noticed in [false, true] {
            if noticed {
                let _ = ws.run_as("WORK@zoe", "note T-1 again").ok();
            }
            let ran = ws.run_as("CMD@bob", "approve A1");
            assert_eq!(ran.exit, 8, "{from:?} to {to:?}: {}", ran.stderr);
            assert!(is_pending(&ws));
        }
        let _ = ws.run_as("AUDIT@may", "approve A1").ok();
    }
}

#[test]
fn t36_a_decision_typed_by_hand_counts_for_nothing() {
    let approvers = ["CMD@eve", "CMD@bob", "AUDIT@auto", "CMD", "-", "C\u{41c}D@eve", "CMD@eve "];
    for approver in approvers {
        let ws = typed("WORK@bob", None).settings("approvals: {required: [T-*]}\n");
        let _ = ws.run_as("WORK@ada", "claim T-1").exit(7);
        let _ = ws.run_as("WORK@ada", "note T-1 seen").ok();
        let text = ws.read(APPROVALS).replace(
            "pending | WORK@bob | - | -",
            &format!("approved | WORK@bob | {approver} | CMD"),
        );
        ws.write(APPROVALS, text.replace("08:00:00Z | - |", "08:00:00Z | 2026-01-01T08:30:00Z |"));
        let _ = ws.run_as("WORK@ada", "claim T-1").exit(10);
        ws.write(TASKS, ws.read(TASKS).replace("READY", "REVIEW"));
        let _ = ws.run_as("CMD@eve", "done T-1").exit(10);
        let _ = ws.run("check").exit(10);
    }
}

#[test]
fn t36_another_person_is_never_refused() {
    let mut tally = Tally::default();
    for (decider, other) in OTHERS {
        let cmd = format!("CMD@{decider}");
        let ws = typed(other, None);
        tally.allowed(
            &words(&ws, &["approve", "A1", "--as", &cmd]),
            &format!("{cmd}, asked by {other:?}"),
        );
        let ws = typed("WORK@zoe", Some(other));
        tally.allowed(
            &words(&ws, &["reject", "A1", "--as", &cmd]),
            &format!("{cmd}, evidence by {other:?}"),
        );
        let ws = held(other);
        tally.allowed(
            &words(&ws, &["done", "T-1", "--as", &cmd]),
            &format!("{cmd}, held by {other:?}"),
        );
    }
    tally.finish();
}
