//! Separation of duties, from outside: who asked, who held, who wrote, who
//! judges, through every door (T39). The table is CONTRACT's, sections 3, 7 and
//! 9, as it is written here, not as `src` has it.
//!
//! `look_alikes` has the spellings of one person, `in_force` what a decision is
//! about. Here all names are as `orch` takes them.

use crate::support::Workspace;
use crate::support::workspace::{APPROVALS, TASKS};
use std::fmt::Write as _;

mod world;

use world::{AUDIT, DECIDERS, PARTIES, PRINCIPALS, Tally, ask, expected, held_by, role, same};

#[test]
fn t39_who_asked_held_or_wrote_does_not_decide() {
    let mut tally = Tally::default();
    let nobody: &[&str] = &[];
    for holders in std::iter::once(nobody).chain(PARTIES.chunks(1)) {
        let ws = held_by(holders, PRINCIPALS);
        let before = ws.kept();
        for requester in PARTIES {
            for author in [None, Some("CMD@eve"), Some("WORK@ada"), Some("WORK")] {
                ask(&ws, requester, author);
                let what =
                    format!("asked by {requester}, held by {holders:?}, written by {author:?}");
                let others: Vec<&str> =
                    [requester].iter().chain(holders).copied().chain(author).collect();
                for decider in DECIDERS {
                    // One rule for both: every other case tries the other.
                    let verb = ["approve A001", "reject A001"]
                        [(tally.cases + tally.cases / DECIDERS.len()) % 2];
                    let exit = expected(decider, &others);
                    tally.case(&ws, &what, exit, |ws| ws.run_as(decider, verb));
                }
                ws.back_to(&before);
            }
        }
    }
    tally.finish(1_300);
}

/// Every door to DONE and to FIX.
const FINISH: [&str; 6] = [
    "done T-1",
    "fix T-1",
    "move T-1 DONE",
    "move T-1 FIX",
    "set T-1 state=DONE",
    "set T-1 state=FIX",
];

#[test]
fn t39_who_held_does_not_finish() {
    let mut tally = Tally::default();
    let mut rounds: Vec<Vec<&str>> = vec![Vec::new()];
    for party in PARTIES {
        rounds.extend([
            vec![party],
            vec!["WORK@ada", party],
            vec![party, "WORK@ada"],
            vec![party, "WORK"],
        ]);
    }
    for holders in rounds {
        let ws = held_by(&holders, PRINCIPALS);
        for decider in DECIDERS {
            for door in FINISH {
                let what = format!("held by {holders:?}");
                tally.case(&ws, &what, expected(decider, &holders), |ws| ws.run_as(decider, door));
            }
        }
    }
    tally.finish(1_000);
}

#[test]
fn t39_only_the_holders_of_this_round_count() {
    let mut tally = Tally::default();
    for party in PARTIES {
        let ws = held_by(&[party], PRINCIPALS);
        let _ = ws.run_as("AUDIT@may", "fix T-1").ok();
        // Somebody else does it anew; then both rounds are one again.
        let lease = ws.run_as("WORK@zoe", "claim T-1 --json").ok().json();
        let token = &lease["data"]["lease"]["token"];
        let _ = ws.run_as("WORK@zoe", &format!("submit T-1 --token {token}")).ok();
        for decider in DECIDERS {
            let what = format!("held by {party} in an earlier round, by WORK@zoe in this one");
            for door in FINISH {
                tally.case(&ws, &what, expected(decider, &["WORK@zoe"]), |ws| {
                    ws.run_as(decider, door)
                });
            }
        }
        tally.case(&ws, "held by WORK@zoe", 8, |ws| ws.run_as("CMD@ZOE", "done T-1"));
    }
    tally.finish(250);
}

/// Undo needs the right to the undone move where there is no move back.
#[test]
fn t39_nobody_undoes_what_they_may_not_do() {
    let mut tally = Tally::default();
    for party in PARTIES {
        for done in ["done", "fix"] {
            let ws = held_by(&[party], PRINCIPALS);
            let _ = ws.run_as("AUDIT@may", &format!("{done} T-1")).ok();
            let op = newest(&ws);
            for decider in DECIDERS {
                let what = format!("held by {party}, {done} by AUDIT@may");
                // Another's operation is CMD's to undo, before anything else.
                let exit = if role(decider) == "CMD" { expected(decider, &[party]) } else { 4 };
                tally.case(&ws, &what, exit, |ws| ws.run_as(decider, &format!("undo {op}")));
            }
            let what = format!("held by {party}, {done} by AUDIT@may, their own");
            tally.case(&ws, &what, 0, |ws| ws.run_as("AUDIT@may", "undo"));
        }
        // A decision stands, whoever asks.
        for verb in ["approve", "reject"] {
            let ws = held_by(&[], PRINCIPALS);
            ask(&ws, party, None);
            let _ = ws.run_as("AUDIT@may", &format!("{verb} A001")).ok();
            let op = newest(&ws);
            for decider in DECIDERS.iter().chain(&["AUDIT@may", "CMD@may"]) {
                let what = format!("{verb} by AUDIT@may of what {party} asked");
                tally.case(&ws, &what, 4, |ws| ws.run_as(decider, &format!("undo {op}")));
            }
        }
    }
    tally.finish(200);
}

fn newest(ws: &Workspace) -> String {
    let log = ws.run("log --json --limit 1").ok().json();
    log["data"]["entries"][0]["id"].as_str().expect("something was done").to_owned()
}

/// A key belongs to the command and the actor that it came with.
#[test]
fn t39_a_key_gives_nobody_a_right() {
    let mut tally = Tally::default();
    for party in PARTIES {
        let ws = held_by(&[party], PRINCIPALS);
        ask(&ws, party, None);
        let others = [party];
        for decider in DECIDERS.into_iter().filter(|d| expected(d, &others) > 0) {
            let exit = expected(decider, &others);
            for verb in ["approve A001", "reject A001"] {
                let line = format!("{verb} --op-id k");
                // Refused it is not remembered: whoever may can use it.
                let before = ws.kept();
                let _ = ws.run_as(decider, &line).exit(exit);
                let what = format!("asked by {party}, tried by {decider}");
                tally.case(&ws, &what, 0, |ws| ws.run_as("AUDIT@may", &line));
                ws.back_to(&before);
            }
            // Used, it is no other actor's, and decides nothing for them.
            let before = ws.kept();
            let _ = ws.run_as("AUDIT@may", "reject A001 --op-id k").ok();
            tally.case(&ws, &format!("a used key, asked by {party}"), 2, |ws| {
                ws.run_as(decider, "approve A001 --op-id k")
            });
            ws.back_to(&before);
        }
    }
    tally.finish(50);
}

/// What is typed into the ledger decides and finishes nothing.
#[test]
fn t39_a_decision_by_hand_is_nobodys() {
    let mut tally = Tally::default();
    for party in PARTIES {
        for approver in ["CMD@eve", "AUDIT@may", "CMD"] {
            let ws = held_by(&[party], &format!("{PRINCIPALS}approvals: {{required: [T-*]}}\n"));
            ask(&ws, party, None);
            let role = role(approver);
            let now = "2026-01-01T09:00:00Z";
            let row = ws.read(APPROVALS).replace(
                &format!("pending | {party} | - | - | {now} | - |"),
                &format!("approved | {party} | {approver} | {role} | {now} | {now} |"),
            );
            assert_ne!(row, ws.read(APPROVALS));
            ws.write(APPROVALS, row);
            let what = format!("approved by hand as {approver}, held by {party}");
            for decider in ["CMD@eve", "AUDIT@may", "CMD", "WORK@bob"] {
                for door in ["done T-1", "move T-1 DONE", "approve A001"] {
                    tally.case(&ws, &what, 10, |ws| ws.run_as(decider, door));
                }
            }
        }
        let ws = held_by(&[party], &format!("{PRINCIPALS}approvals: {{required: [T-*]}}\n"));
        ws.write(TASKS, ws.read(TASKS).replace("REVIEW", "DONE"));
        for decider in ["CMD@eve", "AUDIT@may", "CMD"] {
            tally.case(&ws, "DONE by hand without its approval", 10, |ws| {
                ws.run_as(decider, "reopen T-1 --note n")
            });
        }
    }
    tally.finish(250);
}

/// To accept what was decided or finished by hand is to decide or finish it.
#[test]
fn t39_nobody_accepts_by_hand_what_they_may_not_decide() {
    let mut tally = Tally::default();
    for party in PARTIES {
        let ws = held_by(&[party], &format!("{PRINCIPALS}approvals: {{required: [T-*]}}\n"));
        ask(&ws, party, None);
        let now = "2026-01-01T09:00:00Z";
        let typed = ws.read(APPROVALS).replace(
            &format!("pending | {party} | - | - | {now} | - |"),
            &format!("approved | {party} | AUDIT@may | AUDIT | {now} | {now} |"),
        );
        ws.write(APPROVALS, typed);
        for decider in ["CMD@eve", "CMD@eve-laptop", "CMD@bob", "CMD"] {
            let ran = ws.run_as(decider, "check --accept A001 --dry-run");
            let exit = expected(decider, &[party]);
            tally.cases += 1;
            if ran.exit != exit {
                let _ = writeln!(tally.wrong, "{party}: {decider}: {} not {exit}", ran.exit);
            }
        }
    }
    // DONE against a missing approval, and where every state is CMD's to accept.
    for (settings, exits) in [
        ("approvals: {required: [T-*]}\n", [("DONE", true), ("PLAN", false)]),
        ("hand_edits: review\n", [("FIX", true), ("HOLD", false)]),
    ] {
        for party in PARTIES {
            for (state, judges) in exits {
                let ws = held_by(&[party], &format!("{PRINCIPALS}{settings}"));
                ws.write(TASKS, ws.read(TASKS).replace("REVIEW", state));
                for decider in ["CMD@eve", "CMD@eve-laptop", "CMD@bob", "CMD"] {
                    let ran = ws.run_as(decider, "check --accept --dry-run");
                    let exit = if judges { expected(decider, &[party]) } else { 0 };
                    tally.cases += 1;
                    if ran.exit != exit {
                        let said = ran.stderr;
                        let _ = writeln!(
                            tally.wrong,
                            "{state} by hand, held by {party}: {decider}: {} not {exit}: {said}",
                            ran.exit
                        );
                    }
                }
            }
        }
    }
    tally.finish(100);
}

/// `solo` is for the default actor, not for a name from elsewhere, nor for a run.
#[test]
fn t39_solo_waives_for_the_default_actor_only() {
    let solo = format!("{PRINCIPALS}solo: true\nactor: WORK@eve\n");
    for party in PARTIES {
        let ws = held_by(&[party], &solo);
        ask(&ws, party, None);
        let mut tally = Tally::default();
        let what = format!("solo, asked and held by {party}");
        let waived = |ws: &Workspace, line: &str| {
            let ran = ws.run(line);
            let journal = ws.read("ORCH/LOGS/2026-01/journal.jsonl");
            let last = journal.lines().last().unwrap_or_default();
            let same = same("WORK@eve", party);
            assert_eq!(last.contains("\"separation_of_duties\""), same, "{line}: {last}");
            assert!(last.contains("\"role\""), "{line}: {last}");
            let audit = ws.read(AUDIT);
            assert!(audit.contains("waived by solo"), "{line}: {audit}");
            ran
        };
        for line in ["approve A001", "reject A001", "approve A001 --as WORK@eve", "fix T-1"] {
            tally.case(&ws, &what, 0, |ws| waived(ws, line));
        }
        for decider in DECIDERS {
            for line in ["approve A001", "reject A001", "fix T-1"] {
                let exit = expected(decider, &[party]);
                tally.case(&ws, &what, exit, |ws| ws.run_as(decider, line));
                ws.var("ORCH_ACTOR", Some(decider));
                tally.case(&ws, &what, exit, |ws| ws.run(line));
                // The very default actor, when its name comes from there.
                ws.var("ORCH_ACTOR", Some("WORK@eve"));
                tally.case(&ws, &what, 4, |ws| ws.run(line));
                ws.var("ORCH_ACTOR", None);
            }
        }
        tally.finish(50);
    }
}

/// A process that is bound to a run acts as its run, solo or not.
#[test]
fn t39_a_run_judges_as_itself() {
    let mut tally = Tally::default();
    for settings in [PRINCIPALS.to_owned(), format!("{PRINCIPALS}solo: true\nactor: AUDIT@eve\n")] {
        for party in PARTIES {
            let ws = held_by(&[party], &settings);
            ask(&ws, party, None);
            let _ = ws.run_as("CMD@boss", "add Run --id R-1 --state READY --owner AUDIT").ok();
            let lease = ws.run_as("AUDIT@eve", "claim R-1 --json").ok().json();
            ws.var("ORCH_TASK_ID", Some("R-1"));
            ws.var("ORCH_LEASE_TOKEN", Some(&lease["data"]["lease"]["token"].to_string()));
            let what = format!("a run of AUDIT@eve, asked and held by {party}");
            for line in ["approve A001", "reject A001", "fix T-1"] {
                let own = expected("AUDIT@eve", &[party]);
                tally.case(&ws, &what, own, |ws| ws.run(line));
                tally.case(&ws, &what, own, |ws| ws.run_as("AUDIT@eve", line));
                for other in DECIDERS {
                    tally.case(&ws, &what, 4, |ws| ws.run_as(other, line));
                }
            }
            for name in ["ORCH_TASK_ID", "ORCH_LEASE_TOKEN"] {
                ws.var(name, None);
            }
        }
    }
    tally.finish(300);
}
