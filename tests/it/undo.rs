//! Undo and redo from outside: what comes back, byte for byte, and for whom.

use crate::documents::{self, Choices};
use crate::laws::number;
use crate::support::Workspace;
use crate::support::workspace::{APPROVALS, TASKS, mins};
use orch::ledger::tasks::TaskLedger;
use orch::model::task::{Expiry, Lease, Task};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};

/// Every ledger, by its path; an archive without rows is as good as none.
fn ledgers(ws: &Workspace) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for path in [TASKS, APPROVALS] {
        files.insert(path.to_owned(), ws.read(path));
    }
    for year in 2020..2032 {
        let path = format!("ORCH/STATE/archive/TASKS-{year}.md");
        let Some(text) = ws.existing(&path) else { continue };
        if TaskLedger::parse_any(&text, "archive").rows().next().is_some() {
            files.insert(path, text);
        }
    }
    files
}

/// The id of the newest operation by a command.
fn newest(ws: &Workspace, command: &str) -> String {
    let journal = ws.read("ORCH/LOGS/2026-01/journal.jsonl");
    let by = format!("\"command\":\"{command}\"");
    let line = journal.lines().rfind(|line| line.contains(&by)).expect("it was journalled");
    let entry: serde_json::Value = serde_json::from_str(line).unwrap();
    entry["id"].as_str().unwrap().to_owned()
}

fn journalled(ws: &Workspace) -> usize {
    ws.read("ORCH/LOGS/2026-01/journal.jsonl").lines().count()
}

const LEDGER: &str = "# Tasks

| task_id | title          | state | owner | lock | lock_owner | lock_expires_at | due | artifact | notes |
|---------|----------------|-------|-------|------|------------|-----------------|-----|----------|-------|
| T-1     | Write parser   | PLAN  |       |      |            |                 |     |          |       |
| T-2     | Paint the door | READY | -     | -    | -          | -               | -   | -        | x     |
|T-3|ragged|DONE|
| T-4     | Close | DROP | - | - | - | - | - | - | depends=T-1 |

### T-2 Paint the door

Blue.
";

const LIFE: &[(&str, &str)] = &[
    ("add 'One more'", "CMD@eve"),
    ("add 'One more' --state READY --detail 'Some text' --note n --due 2026-02-02", "CMD@eve"),
    ("set T-1 title='Write the parser' owner=WORK priority=HIGH", "CMD@eve"),
    ("set T-2 detail='Green. Or red.'", "CMD@eve"),
    ("set T-1 detail='New section'", "CMD@eve"),
    ("set T-3 artifact=a.txt", "CMD@eve"),
    ("note T-2 'and twice'", "WORK@bob"),
    ("ready T-1", "CMD@eve"),
    ("move T-2 PLAN", "CMD@eve"),
    ("hold T-1 T-2", "CMD@eve"),
    ("drop T-1", "CMD@eve"),
    ("reopen T-3 --note why", "CMD@eve"),
    ("reopen T-4 --note why", "CMD@eve"),
    ("archive", "CMD@eve"),
    ("fmt", "CMD@eve"),
];

/// Runs an operation, takes it back, makes it again, takes it back again.
fn there_and_back(ws: &Workspace, command: &str, who: &str) {
    let before = ledgers(ws);
    let _ = ws.run_as(who, command).ok();
    let after = ledgers(ws);
    assert_ne!(before, after, "{command}");
    for _ in 0..2 {
        let _ = ws.run_as(who, "undo").ok();
        assert_eq!(ledgers(ws), before, "undo of {command}");
        let _ = ws.run_as(who, "redo").ok();
        assert_eq!(ledgers(ws), after, "redo of {command}");
    }
    let _ = ws.run_as(who, "undo").ok();
    assert_eq!(ledgers(ws), before, "undo of {command}");
}

#[test]
fn every_operation_comes_back_byte_for_byte() {
    for ending in ["\n", "\r\n"] {
        for (command, who) in LIFE {
            let ws = Workspace::new().ledger(&LEDGER.replace('\n', ending));
            there_and_back(&ws, command, who);
        }
    }
}

#[test]
fn an_id_is_not_given_again() {
    let ws = Workspace::new().ledger(LEDGER);
    let _ = ws.run_as("CMD@eve", "add One").ok().stdout("T-5 PLAN One");
    let _ = ws.run_as("CMD@eve", "undo").ok();
    assert_eq!(ws.read(TASKS), LEDGER);
    let _ = ws.run_as("CMD@eve", "add Two").ok().stdout("T-6 PLAN Two");
    let undone = newest(&ws, "undo");
    let _ = ws.run_as("CMD@eve", &format!("undo {}", &undone[..14])).ok();
    assert!(ws.read(TASKS).contains("| T-5"), "an undo of an undo is a redo");
}

#[test]
fn what_others_did_meanwhile_stays() {
    for (command, who) in LIFE {
        let ws = Workspace::new().ledger(LEDGER);
        let _ = ws.run_as(who, command).ok();
        let _ = ws.run_as("CMD@zoe", "add 'Of somebody else'").ok();
        let with_both = ledgers(&ws);
        if command.starts_with("fmt") {
            continue;
        }
        let _ = ws.run_as(who, "undo").ok();
        let text = ws.read(TASKS);
        assert!(text.contains("Of somebody else"), "{command}\n{text}");
        let without = text.lines().filter(|line| !line.contains("Of somebody else"));
        let without: String = without.flat_map(|line| [line, "\n"]).collect();
        assert_eq!(without, LEDGER, "{command}");
        let _ = ws.run_as(who, "redo").ok();
        assert_eq!(ledgers(&ws), with_both, "{command}");
    }
}

#[test]
fn a_closed_task_comes_back_to_its_place_in_the_archive() {
    let ws = Workspace::new().ledger(LEDGER);
    let _ = ws.run_as("CMD@eve", "archive").ok();
    for id in ["T-3", "T-4"] {
        there_and_back(&ws, &format!("reopen {id} --note why"), "CMD@eve");
    }
    there_and_back(&ws, "reopen T-4 T-3 --note why", "CMD@eve");
}

#[test]
fn to_undo_a_claim_is_to_release_it() {
    let ws = Workspace::new().ledger(LEDGER);
    let before = ledgers(&ws);
    let _ = ws.run_as("WORK@ada", "claim T-2").ok();
    let _ = ws.run_as("WORK@bob", &format!("undo {}", newest(&ws, "claim"))).exit(4);
    assert!(ws.root().join("ORCH/STATE/LOCKS/T-2.lock").exists());
    let _ = ws.run_as("WORK@ada", "undo").ok();
    assert_eq!(ledgers(&ws), before);
    assert!(!ws.root().join("ORCH/STATE/LOCKS/T-2.lock").exists());
    let _ = ws.run_as("WORK@ada", "redo").exit(4);
    assert_eq!(ledgers(&ws), before);
    // It was its own release: no token is asked for.
    let _ = ws.run_as("WORK@ada", "claim T-2").ok();
    let _ = ws.run_as("WORK@ada", "submit T-2").ok();
}

#[test]
fn a_bare_role_gives_its_token() {
    let ws = Workspace::new().ledger(LEDGER);
    let claim = ws.run_as("WORK", "claim T-2 --json").ok().json();
    let _ = ws.run_as("WORK", "undo").exit(6);
    let token = &claim["data"]["lease"]["token"];
    let _ = ws.run_as("WORK", &format!("undo --token {token}")).ok();
    assert_eq!(ws.read(TASKS), LEDGER);
}

#[test]
fn a_claim_that_was_taken_over_is_not_undone() {
    let ws = Workspace::new().ledger(LEDGER);
    let _ = ws.run_as("WORK@ada", "claim T-2 --ttl 5m").ok();
    let claim = newest(&ws, "claim");
    ws.clock().advance(mins(11));
    let _ = ws.run_as("WORK@bob", "claim T-2").ok();
    let held = ledgers(&ws);
    let _ = ws.run_as("WORK@ada", "undo").exit(6);
    let _ = ws.run_as("CMD@eve", &format!("undo {claim}")).exit(9);
    assert_eq!(ledgers(&ws), held);
    let _ = ws.run_as("WORK@bob", "renew T-2").ok();
    let _ = ws.run_as("WORK@bob", "undo").ok();
    let task = ws.run("show T-2 --json").ok().json()["data"]["task"].clone();
    assert_eq!((&task["state"], task["lock_owner"].is_null()), (&"READY".into(), true));
}

#[test]
fn submit_and_claim_next_come_back_together() {
    let ws = Workspace::new().task("T-1", "one").task("T-2", "two");
    let before = ledgers(&ws);
    let _ = ws.run_as("WORK@ada", "claim T-1").ok();
    let _ = ws.run_as("WORK@ada", "submit T-1 --claim-next").ok();
    let _ = ws.run_as("WORK@ada", "undo").ok();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words(&ws.read(TASKS)), words(&before[TASKS]));
    let _ = ws.run_as("WORK@ada", "redo").exit(4);
}

#[test]
fn a_task_never_returns_to_doing() {
    for (command, who) in
        [("hold T-1", "CMD@eve"), ("drop T-1", "CMD@eve"), ("submit T-1", "WORK@ada")]
    {
        let ws = Workspace::new().task("T-1", "one");
        let _ = ws.run_as("WORK@ada", "claim T-1").ok();
        let _ = ws.run_as(who, command).ok();
        let _ = ws.run_as(who, "undo").ok();
        let task = ws.run("show T-1 --json").ok().json()["data"]["task"].clone();
        assert_eq!(task["state"], "READY", "{command}");
        assert!(task["lock_owner"].is_null() && task["lock"].is_null(), "{command}: {task}");
    }
    for command in ["release T-1", "reap T-1"] {
        let ws = Workspace::new().task("T-1", "one");
        let _ = ws.run_as("WORK@ada", "claim T-1 --ttl 5m").ok();
        ws.clock().advance(mins(11));
        let _ = ws.run_as("WORK@ada", command).ok();
        let lines = journalled(&ws);
        let _ = ws.run_as("WORK@ada", "undo").exit(4);
        assert_eq!(journalled(&ws), lines, "{command}");
    }
}

#[test]
fn whoever_held_it_may_not_undo_the_judgement() {
    let ws = Workspace::new().task("T-1", "one");
    let _ = ws.run_as("WORK@ada", "claim T-1").ok();
    let _ = ws.run_as("WORK@ada", "submit T-1").ok();
    let _ = ws.run_as("AUDIT@eve", "fix T-1").ok();
    let fix = newest(&ws, "fix");
    let _ = ws.run_as("WORK@ada", &format!("undo {fix}")).exit(4);
    let _ = ws.run_as("CMD@ada", &format!("undo {fix}")).exit(8);
    let _ = ws.run_as("CMD@zoe", &format!("undo {fix}")).ok();
    // The round is the old one again.
    let _ = ws.run_as("CMD@ada", "done T-1").exit(8);
    let _ = ws.run_as("AUDIT@eve", "done T-1").ok();
    let done = newest(&ws, "done");
    let _ = ws.run_as("CMD@ada", &format!("undo {done}")).exit(8);
    let _ = ws.run_as("AUDIT@eve", "undo").ok();
    let _ = ws.run_as("AUDIT@eve", "redo").ok();
}

#[test]
fn a_task_is_done_again_only_as_its_approvals_let_it() {
    const HEAD: &str = "| appr_id | task_id | op | status | requested_by | approver | approver_role | ts_req | ts_dec | evidence |\n|---|---|---|---|---|---|---|---|---|---|\n";
    let ws = Workspace::new().task("T-1", "one");
    let _ = ws.run_as("WORK@ada", "claim T-1").ok();
    let _ = ws.run_as("WORK@ada", "submit T-1").ok();
    let _ = ws.run_as("AUDIT@eve", "done T-1").ok();
    let _ = ws.run_as("CMD@zoe", "reopen T-1 --note why").ok();
    ws.write(
        APPROVALS,
        format!(
            "{HEAD}| A1 | T-1 | merge | pending | WORK@ada | - | - | 2026-01-01T09:00:00Z | - | - |\n"
        ),
    );
    let _ = ws.run_as("CMD@zoe", "undo").exit(7);
    ws.write(APPROVALS, HEAD);
    let _ = ws.run_as("CMD@zoe", "undo").ok();
    let _ = ws.run_as("CMD@ada", "reopen T-1 --note again").ok();
}

#[test]
fn it_is_exit_9_where_somebody_changed_it_since() {
    let ws = Workspace::new().ledger(LEDGER);
    let _ = ws.run_as("CMD@eve", "set T-1 title=new").ok();
    let set = newest(&ws, "set");
    let _ = ws.run_as("CMD@zoe", "set T-1 title=newer").ok();
    let before = ledgers(&ws);
    let refused = ws.run_as("CMD@eve", "undo").exit(9);
    assert!(refused.stderr.contains("`title` of `T-1` is `newer` now"), "{}", refused.stderr);
    assert_eq!(ledgers(&ws), before);
    // A hand edit that nobody journalled yet counts as well.
    let _ = ws.run_as("CMD@zoe", "undo").ok();
    ws.write(TASKS, ws.read(TASKS).replace("| new ", "| by hand "));
    let _ = ws.run_as("CMD@eve", &format!("undo {set}")).exit(9);
    let _ = ws.run_as("CMD@eve", "add x").ok();
    let added = newest(&ws, "add");
    let _ = ws.run_as("CMD@eve", "drop T-5").ok();
    let _ = ws.run_as("CMD@eve", "archive").ok();
    let _ = ws.run_as("CMD@eve", &format!("undo {added}")).exit(9);
}

#[test]
fn a_hand_edit_is_undone_by_cmd() {
    let ws = Workspace::new().ledger(LEDGER);
    let _ = ws.run_as("CMD@eve", "note T-1 first").ok();
    let before = ws.read(TASKS);
    let edited =
        before.replace("Blue.", "Green,\nor red.").replace("| T-2     | Paint", "| T-2 | Brush");
    let edited = edited
        .replace("|T-3|ragged|DONE|\n", "| T-9 | by hand | PLAN | - | - | - | - | - | - | - |\n");
    ws.write(TASKS, &edited);
    let _ = ws.run_as("WORK@bob", "note T-4 hello").ok();
    let _ = ws.run_as("WORK@bob", "undo").ok();
    assert_eq!(ws.read(TASKS), edited);
    let external = newest(&ws, "external");
    let _ = ws.run_as("WORK@bob", &format!("undo {external}")).exit(4);
    let _ = ws.run_as("CMD@eve", &format!("undo {external}")).ok();
    assert_eq!(ws.read(TASKS), before);
    let again = ws.run_as("CMD@eve", &format!("undo {external} --json")).ok().json();
    assert_eq!(again["data"]["already"], true);
    let _ = ws.run_as("CMD@eve", "redo").ok();
    assert_eq!(ws.read(TASKS), edited);
}

#[test]
fn a_save_from_an_older_copy_gives_back_what_it_took() {
    let ws = Workspace::new().ledger(LEDGER);
    let _ = ws.run_as("CMD@eve", "note T-1 first").ok();
    let old = ws.read(TASKS);
    let _ = ws.run_as("CMD@eve", "set T-2 title='Paint the gate'").ok();
    let _ = ws.run_as("CMD@eve", "add 'Much later'").ok();
    let with_ours = ws.read(TASKS);
    ws.write(TASKS, old.replace("Write parser  ", "Write a parser"));
    let _ = ws.run_as("WORK@bob", "note T-4 hello").ok();
    let _ = ws.run_as("CMD@eve", &format!("undo {}", newest(&ws, "external"))).ok();
    let _ = ws.run_as("WORK@bob", "undo").ok();
    assert_eq!(ws.read(TASKS), with_ours.replace("Write parser  ", "Write a parser"));
}

#[test]
fn a_live_lease_that_was_removed_by_hand_comes_back() {
    let ws = Workspace::new().task("T-1", "one").task("T-2", "two");
    let claim = ws.run_as("WORK@ada", "claim T-1 --json").ok().json();
    let held = ws.read(TASKS);
    ws.write(TASKS, Workspace::new().task("T-1", "one").task("T-2", "two").read(TASKS));
    let _ = ws.run_as("CMD@eve", "note T-2 x").ok();
    let _ = ws.run_as("CMD@eve", &format!("undo {}", newest(&ws, "external"))).ok();
    let _ = ws.run_as("CMD@eve", &format!("undo {}", newest(&ws, "note"))).ok();
    assert_eq!(ws.read(TASKS), held);
    let token = &claim["data"]["lease"]["token"];
    let _ = ws.run_as("WORK@ada", &format!("renew T-1 --token {token}")).ok();
    let _ = ws.run_as("WORK@ada", "submit T-1").ok();
}

#[test]
fn a_decided_approval_that_was_altered_by_hand_comes_back() {
    const ROW: &str = "| A1 | T-1 | merge | approved | WORK@ada | CMD@eve | CMD | 2026-01-01T08:00:00Z | 2026-01-01T08:30:00Z | - |";
    let head = "| appr_id | task_id | op | status | requested_by | approver | approver_role | ts_req | ts_dec | evidence |\n|---|---|---|---|---|---|---|---|---|---|\n";
    let text = format!("{head}{ROW}\n");
    let ws = Workspace::new().task("T-1", "one").approvals(&text);
    let _ = ws.run_as("CMD@eve", "note T-1 first").ok();
    ws.write(APPROVALS, text.replace("| merge |", "| deploy |"));
    let _ = ws.run_as("CMD@eve", "note T-1 second").ok();
    let external = newest(&ws, "external");
    let warned = |ran: &crate::support::workspace::Ran| ran.stderr.contains("decided-approval");
    assert!(warned(&ws.run("list").ok()));
    let _ = ws.run_as("WORK@ada", &format!("undo {external}")).exit(4);
    let _ = ws.run_as("CMD@eve", &format!("undo {external}")).ok();
    assert_eq!(ws.read(APPROVALS), text);
    assert!(!warned(&ws.run("list").ok()));
    // To make it again would be to accept it.
    let _ = ws.run_as("CMD@eve", "redo").exit(4);
}

#[test]
fn solo_may_undo_everything_and_says_so() {
    let ws = Workspace::new().ledger(LEDGER).settings("solo: true\n");
    let _ = ws.run_as("CMD@eve", "ready T-1").ok();
    let _ = ws.run("undo").exit(3);
    let _ = ws.run(&format!("undo {}", newest(&ws, "ready"))).ok();
    assert_eq!(ws.read(TASKS), LEDGER);
    let journal = ws.read("ORCH/LOGS/2026-01/journal.jsonl");
    assert!(journal.lines().last().unwrap().contains("\"waivers\":[\"role\"]"));
}

#[test]
fn op_ids_and_notes_work_as_elsewhere() {
    let ws = Workspace::new().ledger(LEDGER);
    let _ = ws.run_as("CMD@eve", "ready T-1").ok();
    let first = ws.run_as("CMD@eve", "undo --op-id k --note because --json").ok().json();
    let lines = journalled(&ws);
    let again = ws.run_as("CMD@eve", "undo --op-id k --note because --json").ok().json();
    assert_eq!(again["data"]["undone"], first["data"]["undone"]);
    assert_eq!(again["data"]["already"], true);
    assert_eq!(journalled(&ws), lines);
    assert_eq!(first["data"]["task"]["notes"], "because");
    let _ = ws.run_as("CMD@eve", "redo").ok();
    let task = ws.run("show T-1 --json").ok().json()["data"]["task"].clone();
    assert_eq!((&task["state"], task["notes"].is_null()), (&"READY".into(), true));
}

/// Messy ledgers, random operations: each comes back byte for byte, in whatever
/// order they are taken back to the first, and forward again.
#[test]
#[allow(clippy::print_stdout, reason = "a test says what it did")]
fn random_operations_on_messy_ledgers_come_back() {
    let cases = number("ORCH_PROPTEST_CASES").unwrap_or(150);
    let seed =
        number("ORCH_PROPTEST_SEED").unwrap_or_else(|| match number("ORCH_PROPTEST_CASES") {
            Some(_) => std::hash::RandomState::new().build_hasher().finish(),
            None => 23,
        });
    println!("undo: {cases} cases, ORCH_PROPTEST_SEED={seed}");
    let mut state = seed;
    let mut held = 0;
    for case in 0..cases {
        let bytes: Vec<u8> = (0..400)
            .map(|_| {
                // Steele, Lea and Flood, SplitMix64.
                state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                (z ^ (z >> 27)).to_le_bytes()[3]
            })
            .collect();
        held += one_life(&bytes, &format!("case {case} of ORCH_PROPTEST_SEED={seed}"));
    }
    println!("undo: {held} operations");
    assert!(held >= cases, "hardly an operation was made: {held}");
}

/// A lease of a row that has nothing but a `lock` cell.
fn lock_only<'t>(task: &'t Task<'_>) -> Option<Lease<'t>> {
    task.lock.as_deref().map(|lock| Lease { holder: Some(lock), expiry: Expiry::Missing })
}

fn one_life(bytes: &[u8], case: &str) -> u64 {
    let (for_actions, for_document) = bytes.split_at(60);
    let text = documents::document(&mut Choices::new(for_document));
    let c = &mut Choices::new(for_actions);
    let Ok(ledger) = TaskLedger::parse(&text, "TASKS.md") else { return 0 };
    let ids: Vec<String> = ledger.rows().map(|row| ledger.id(row).into_owned()).collect();
    drop(ledger);
    if text.contains('\0') {
        return 0;
    }
    let ws = Workspace::new().ledger(&text).settings("solo: true\n");
    let mut past = vec![ledgers(&ws)];
    for _ in 0..6 {
        let id = ids.get(c.pick(ids.len().max(1))).cloned().unwrap_or_default();
        let value = documents::value(c);
        let words: Vec<String> = match c.pick(12) {
            0 => vec!["add".into(), format!("t{value}")],
            1 => vec!["add".into(), "--detail".into(), value, "t".into()],
            2 => vec!["set".into(), id, format!("title=t{value}")],
            3 => vec!["set".into(), id, format!("owner={value}"), format!("artifact={value}")],
            4 => vec!["set".into(), id, "detail=Some text".into()],
            5 => vec!["note".into(), "--".into(), id, value],
            6 | 7 => vec!["drop".into(), id],
            8 => vec!["archive".into()],
            9 => vec!["move".into(), id, "PLAN".into(), "--note".into(), "n".into()],
            10 => vec!["reopen".into(), id, "--note".into(), "why".into()],
            _ => vec!["fmt".into()],
        };
        // No task returns to DOING, and no lock cell is filled again.
        let there = ledgers(&ws);
        let of_lease = |text: &String| {
            let ledger = TaskLedger::parse_any(text, "TASKS.md");
            let mut tasks = ledger.rows().map(|row| ledger.task(row));
            tasks.any(|task| task.id == words[1] && task.lease().or(lock_only(&task)).is_some())
        };
        if matches!(&*words[0], "drop" | "move" | "reopen") && there.values().any(of_lease) {
            continue;
        }
        let ran = ws.run_words(&words, b"");
        let now = ledgers(&ws);
        if ran.exit == 0 && past.last() != Some(&now) {
            past.push(now);
        } else {
            assert_eq!(past.last(), Some(&now), "{case}: {words:?} wrote nothing: {ran:?}");
        }
    }
    for (at, before) in past.iter().enumerate().rev().skip(1) {
        let ran = ws.run("undo");
        assert_eq!(ran.exit, 0, "{case}: undo of operation {at}: {ran:?}\n{text:?}");
        assert_eq!(&ledgers(&ws), before, "{case}: undo of operation {at}\n{}", ran.stdout);
    }
    for (at, after) in past.iter().enumerate().skip(1) {
        let ran = ws.run("redo");
        assert_eq!(ran.exit, 0, "{case}: redo of operation {at}: {ran:?}\n{text:?}");
        assert_eq!(&ledgers(&ws), after, "{case}: redo of operation {at}\n{}", ran.stdout);
    }
    past.len() as u64 - 1
}
