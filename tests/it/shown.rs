//! What is decided on is what was shown: the evidence swapped by somebody else
//! before every single call of `approve`, `reject` and `request` (T38).
//!
//! `tests/stress` races the real program; here no moment is left out.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "places files by hand")]

use crate::support::Workspace;
use crate::support::workspace::APPROVALS;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const EVIDENCE: &str = "docs/change.txt";
const SHOWN: &str = "what was shown\n";
const OTHER: &str = "something else\n";
const JOURNAL: &str = "ORCH/LOGS/2026-01/journal.jsonl";

fn sha(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A way to put something else in the place of evidence.
type Way = (&'static str, fn(&Path));

const WAYS: [Way; 5] = [
    ("written in place", |path| fs::write(path, OTHER).unwrap()),
    ("renamed over it", |path| {
        let new = path.with_extension("new");
        fs::write(&new, OTHER).unwrap();
        fs::rename(&new, path).unwrap();
    }),
    ("one byte more", |path| fs::write(path, format!("{SHOWN}\n")).unwrap()),
    ("removed", |path| fs::remove_file(path).unwrap()),
    ("a link out", |path| {
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", path).unwrap();
    }),
];

fn asked() -> Workspace {
    let ws = Workspace::new().task("T-1", "Ship it").settings("durability: fast\n");
    ws.write(EVIDENCE, SHOWN);
    let _ = ws.run_as("WORK@ada", &format!("request T-1 --op merge --evidence {EVIDENCE}")).ok();
    ws
}

/// Runs a line once for each call that it makes, with the evidence swapped just
/// before it, and judges the end; gives how often it was done.
fn swapped_everywhere(
    ws: &Workspace,
    actor: &str,
    line: &str,
    ways: &[Way],
    judge: &dyn Fn(u8, &str),
) -> usize {
    let before = ws.kept();
    ws.faults().reset();
    let _ = ws.run_as(actor, line).ok();
    let calls = ws.faults().count();
    ws.back_to(&before);
    let mut done = 0;
    for (way, swap) in ways.iter().copied() {
        for n in 1..=calls {
            let path = ws.root().join(EVIDENCE);
            ws.faults().reset();
            ws.faults().before(n, move || swap(&path));
            let ran = ws.run_as(actor, line);
            ws.faults().reset();
            judge(ran.exit, &format!("{way} before call {n} of `{line}`: {}", ran.stderr));
            done += usize::from(ran.exit == 0);
            let _ = fs::remove_file(ws.root().join(EVIDENCE));
            ws.back_to(&before);
        }
    }
    assert!(calls > 20 && done > 0, "{done} of {calls}");
    done
}

/// The hash that a decision was journalled with.
fn journalled(ws: &Workspace) -> String {
    let journal = ws.read(JOURNAL);
    let entry: serde_json::Value = serde_json::from_str(journal.lines().last().unwrap()).unwrap();
    entry["subjects"][0]["sha"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn t38_nothing_is_decided_but_what_was_shown() {
    let ws = asked();
    let prefix = &sha(SHOWN)[..12];
    for (line, ways) in [
        (format!("approve A001 --sha {prefix}"), &WAYS[..]),
        ("approve A001".to_owned(), &WAYS[..2]),
        (format!("reject A001 --sha {prefix}"), &WAYS[..1]),
    ] {
        swapped_everywhere(&ws, "CMD@eve", &line, ways, &|exit, at| match exit {
            0 => {
                assert_eq!(journalled(&ws), sha(SHOWN), "{at}");
                // Swapped after it was read: the decision stands, on what was
                // there, and is in force only where that comes back.
                let list = ws.run("approvals --json").ok().json();
                let counts = line.starts_with("approve") && ws.read(EVIDENCE) == SHOWN;
                assert_eq!(list["data"]["approvals"][0]["in_force"] == true, counts, "{at}");
            }
            // Gone, altered, or no longer safe to follow.
            9 | 10 => {
                assert!(ws.read(APPROVALS).contains("| A001 | T-1 | merge | pending"), "{at}");
            }
            _ => panic!("exit {exit}: {at}"),
        });
    }
}

#[test]
fn t38_what_a_request_records_is_what_can_be_decided() {
    let ws = Workspace::new().task("T-1", "Ship it").settings("durability: fast\n");
    ws.write(EVIDENCE, SHOWN);
    let line = format!("request T-1 --op merge --evidence {EVIDENCE}");
    let done = swapped_everywhere(&ws, "WORK@ada", &line, &WAYS, &|exit, at| match exit {
        0 => {
            // Whatever was there when it was hashed: other bytes are refused.
            let now = fs::read_to_string(ws.root().join(EVIDENCE)).unwrap_or_default();
            assert!(
                [sha(SHOWN), sha(OTHER), sha(&format!("{SHOWN}\n"))].contains(&journalled(&ws))
            );
            let same = journalled(&ws) == sha(&now);
            let ran = ws.run_as("CMD@eve", "approve A001");
            let exits: &[u8] = if same { &[0] } else { &[9, 10] };
            assert!(exits.contains(&ran.exit), "{at}: then exit {}: {}", ran.exit, ran.stderr);
        }
        2 | 3 | 9 | 10 => assert!(!ws.read(APPROVALS).contains("A001"), "{at}"),
        _ => panic!("exit {exit}: {at}"),
    });
    assert!(done > 20, "{done}");
}
