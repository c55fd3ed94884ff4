//! What `--json` prints is what `orch schema` says, and what `next` names runs.
//!
//! In-process, on the world of `faults`. Here: every kind at least once, errors
//! of each code that can be had, the next commands of every answer. In the
//! folder: the validator, the manual asked again in JSON, and the kept shapes with
//! what may become of them.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "places files by hand")]

mod grown;
mod manual;
mod shapes;
pub mod validator;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::faults::world::{LEDGER, Ran, World};
use crate::support::workspace::Workspace;

fn schemas() -> BTreeMap<String, Value> {
    let ran = World::empty().run("schema --json");
    let answer: Value = serde_json::from_str(&ran.out).unwrap();
    let kinds = answer["data"]["kinds"].as_object().unwrap();
    kinds.iter().map(|(kind, schema)| (kind.clone(), schema.clone())).collect()
}

/// One object on one line, valid by the schema of its kind.
#[track_caller]
fn valid(schemas: &BTreeMap<String, Value>, line: &str, ran: &Ran) -> Value {
    assert_eq!(ran.out.lines().count(), 1, "{line}: {ran:?}");
    let value: Value = serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{line}: {e}"));
    let kind = value["kind"].as_str().unwrap_or_default();
    let schema = schemas.get(kind).unwrap_or_else(|| panic!("{line}: no schema of `{kind}`"));
    let errors = validator::errors(schema, &value);
    assert!(errors.is_empty(), "{line}: {}\n{value:#}", errors.join("\n"));
    value
}

/// Splits as a shell does: blanks, single and double quotes.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (None, ' ') => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(q), c) if c == q => quote = None,
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    assert_eq!(quote, None, "{line}");
    words.extend(word);
    words
}

/// Every command in `next` is whole and runs as printed.
#[track_caller]
fn next_commands_run(world: &World, line: &str, answer: &Value) {
    for command in answer["next"].as_array().into_iter().flatten() {
        let command = command.as_str().unwrap();
        let words = words(command);
        assert_eq!(words[0], "orch", "{line}: {command}");
        assert!(!words.iter().any(|w| w.contains(['<', '>', '…'])), "{line}: {command}");
        let ran = world.copy().run_words(words[1..].iter().map(String::as_str));
        assert_eq!(ran.exit, 0, "{line}: next: {command}: {ran:?}");
        let mut again: Vec<_> = words[1..].iter().map(String::as_str).collect();
        again.push("--dry-run");
        let before = world.files();
        let ran = world.run_words(again.into_iter());
        // A reader does not know the option; a command that changes does.
        assert!(matches!(ran.exit, 0 | 2), "{line}: next: {command}: {ran:?}");
        assert_eq!(world.files(), before, "{line}: next: {command}");
    }
}

/// What an ordinary life of a ledger prints. `+2h` moves the clock.
const LIFE: &[&str] = &[
    "list",
    "list --state READY --sort due --limit 1",
    "next",
    "next --as WORK@ada",
    "show T-1",
    "show T-3",
    "leases",
    "status",
    "prime",
    "config",
    "doctor",
    "metrics",
    "watch --dry-run",
    "watch --once",
    "check",
    "check --explain duplicate-id",
    "check --accept --as CMD@boss",
    "check --fix --as CMD@boss",
    "schema",
    "schema task.list",
    "",
    "add Title --as WORK@ada",
    "add Title --state READY --due 2030-01-01 --detail Text --op-id key --as CMD@boss",
    "add Title --state READY --due 2030-01-01 --detail Text --op-id key --as CMD@boss",
    "set T-4 priority=HIGH owner=WORK --as CMD@boss",
    "note T-4 text --as WORK@ada",
    "handover T-4 --note Half --as WORK@ada",
    "request T-4 --op deploy --patch p.diff --as WORK@ada",
    "approvals",
    "flag AUTO_DECIDE=on --as CMD@boss",
    "decide --explain --as WORK@ada",
    "flag AUTO_DECIDE=off --as CMD@boss",
    "decide",
    "withdraw A001 --as WORK@ada",
    "request T-4 --op deploy --note Please --as WORK@ada",
    "approve A002 --as CMD@boss",
    "approve A002 --as CMD@boss",
    "request T-4 --op more --as WORK@ada",
    "reject A003 --note no --as CMD@boss",
    "approvals --status approved",
    "flag FREEZE=on --as WORK@ada",
    "flag FREEZE=off --as CMD@boss",
    "ready T-2 T-4 --as CMD@boss",
    "claim T-1 --as WORK@ada",
    "claim T-2 T-3 --as WORK@bob",
    "leases",
    "show T-1",
    "status --as WORK@ada",
    "renew T-1 --as WORK@ada",
    "handover T-1 --note half --as WORK@ada",
    "release T-2 --as WORK@bob",
    "submit T-1 --artifact out.txt --claim-next --as WORK@ada",
    "submit T-3 --as WORK@bob",
    "submit T-3 --as WORK@bob",
    "done T-1 --as CMD@boss",
    "fix T-3 --note wrong --as CMD@boss",
    "hold T-3 --as CMD@boss",
    "hold T-3 --as CMD@boss",
    "resume T-3 --as CMD@boss",
    "move T-3 PLAN --as CMD@boss",
    "drop T-3 --as CMD@boss",
    "reopen T-3 --note why --as CMD@boss",
    "drop T-3 --as CMD@boss",
    "undo --as CMD@boss",
    "redo --as CMD@boss",
    "archive --as CMD@boss",
    "undo --as CMD@boss",
    "redo --as CMD@boss",
    "archive --as CMD@boss",
    "show T-3",
    "lock list",
    "lock acquire deploy src/** --as WORK@ada",
    "lock renew deploy --ttl 2h --as WORK@ada",
    "lock list",
    "lock release deploy src/** --as WORK@ada",
    "+2h",
    "leases",
    "status",
    "reap --as WORK@bob",
    "reap --as WORK@bob",
    "claim --next --as WORK@bob",
    "claim --next --as WORK@bob",
    "claim --next --as WORK@bob",
    "claim --next --as WORK@bob",
    "next --as WORK@bob",
    "fmt --as WORK@ada",
    "fmt --as WORK@ada",
    "migrate more.md --as CMD@boss",
    "migrate more.md --as CMD@boss",
    "migrate --rollback --as CMD@boss",
    "migrate --rollback --as CMD@boss",
    "log",
    "log --limit 3",
    "log T-1 --blame",
    "audit verify",
];

#[test]
fn every_kind_of_answer_is_what_its_schema_says() {
    let schemas = schemas();
    let mut seen = BTreeSet::new();
    let mut look = |line: &str, ran: &Ran, world: &World| {
        assert!(matches!(ran.exit, 0 | 12), "{line}: {ran:?}");
        let answer = valid(&schemas, line, ran);
        next_commands_run(world, line, &answer);
        seen.insert(answer["kind"].as_str().unwrap().to_owned());
    };
    for line in ["--json", "init --team --dry-run --json", "init --json", "demo --json"] {
        let world = World::empty();
        look(line, &world.run(line), &world);
    }
    let mut world = World::new();
    let mut nothing_ready = 0;
    for line in LIFE {
        if *line == "+2h" {
            world.ok(line);
            continue;
        }
        let json = format!("{line} --json");
        if let Some((verb, _)) = line.split_once(" --as ")
            && !verb.starts_with("next")
            && !verb.starts_with("status")
        {
            let dry = format!("{json} --dry-run");
            look(&dry, &world.run(&dry), &world);
        }
        let ran = world.run(&json);
        nothing_ready += usize::from(ran.exit == 12);
        look(&json, &ran, &world);
        world.sim.clock.advance(std::time::Duration::from_secs(1));
    }
    assert!(nothing_ready > 0, "a claim that finds nothing is an ordinary answer too");
    std::fs::write(world.path("more.csv"), "id,title\nM-1,More\n").unwrap();
    for line in ["import more.csv --json --dry-run", "import more.csv --json"] {
        look(line, &world.run(line), &world);
    }
    for line in [
        "evidence show A001",
        "evidence verify",
        "evidence apply A001 --check",
        "diff",
        "log --commits",
        "hooks install --dry-run",
        "hooks install",
        "hooks status",
        "hooks uninstall",
    ] {
        let line = format!("{line} --json");
        let ran = with_evidence().run(&line);
        let ran = Ran { exit: ran.exit, out: ran.stdout, err: ran.stderr };
        let answer = valid(&schemas, &line, &ran);
        seen.insert(answer["kind"].as_str().unwrap().to_owned());
    }
    seen.insert("error".to_owned());
    assert_eq!(seen, schemas.keys().cloned().collect());
}

/// A repository in which somebody asked for a change.
fn with_evidence() -> Workspace {
    let ws = Workspace::new().init();
    let _ = ws.run("add One --state READY --as CMD@eve").ok();
    // Hooks of its own, wherever the machine's settings want them.
    for args in [&["init", "-q"][..], &["config", "core.hooksPath", ".git/hooks"]] {
        let git = std::process::Command::new("git").args(args).current_dir(ws.root()).status();
        assert!(git.unwrap().success());
    }
    ws.write("x", "x\n");
    let _ = ws.run("request 001 --op merge --diff --as WORK@ada").ok();
    ws
}

#[test]
fn odd_ledgers_print_by_the_same_schemas() {
    let schemas = schemas();
    let odd =
        LEDGER.replace(" notes |", " notes | 工数 |").replace("|---|\n", "|---|---|\n").replace(
            "\n\n###",
            "\n| T-1 | Twice | DOING | me |\n| 006-P∞ | <br> | LATER | - | x |\n\n###",
        );
    let world = World::new();
    std::fs::write(world.tasks(), odd).unwrap();
    std::fs::write(
        world.path("ORCH/STATE/APPROVALS.md"),
        "| appr_id | task_id | op | status | who |\n|---|---|---|---|---|\n\
         | A001 | T-3 | deploy | pending | me |\n| A001 | T-9 |\n",
    )
    .unwrap();
    std::fs::write(world.path("ORCH/orch.yaml"), "lock_wiat: 3s\n").unwrap();
    for line in
        ["list", "next", "show T-1", "show T-3", "show 006-P∞", "leases", "status", "doctor"]
    {
        let line = format!("{line} --json");
        let ran = world.run(&line);
        assert!(matches!(ran.exit, 0 | 10), "{line}: {ran:?}");
        let answer = valid(&schemas, &line, &ran);
        assert!(answer["warnings"].is_array(), "{line}");
    }
}

#[test]
fn an_empty_ledger_lists_nothing_and_says_so() {
    let schemas = schemas();
    let world = World::empty();
    world.run("init --team");
    let answer = valid(&schemas, "list", &world.run("list --json"));
    let data = serde_json::json!({
        "tasks": [], "total": 0, "returned": 0, "truncated": false, "untrusted": ["tasks"]
    });
    assert_eq!(answer["data"], data);
    for (format, out) in [("jsonl", ""), ("csv", "task_id,")] {
        let ran = world.run(&format!("list --format {format}"));
        assert_eq!((ran.exit, ran.out.starts_with(out)), (0, true), "{ran:?}");
    }
    let ran = world.run("claim --next --json --as WORK@ada");
    assert_eq!(ran.exit, 12);
    valid(&schemas, "claim --next", &ran);
}

#[test]
fn an_error_is_an_object_on_stdout_and_words_on_stderr() {
    let schemas = schemas();
    let mut world = World::new();
    world.ok("claim T-1 --as WORK@ada");
    world.ok("ready T-2 --as CMD@boss");
    world.ok("claim T-2 --as WORK@ada");
    world.ok("submit T-2 --as WORK@ada");
    std::fs::write(
        world.path("ORCH/STATE/APPROVALS.md"),
        "| appr_id | task_id | op | status |\n|---|---|---|---|\n| A001 | T-3 | deploy | pending |\n",
    )
    .unwrap();
    let cases = [
        ("nonsense --json", "usage"),
        ("add --json", "usage"),
        ("list --json --nope", "usage"),
        ("list --nope --format=json", "usage"),
        ("list --sort nope --json", "usage"),
        ("set T-1 nope=1 --json --as CMD@boss", "usage"),
        ("show T-9 --json", "not_found"),
        ("schema nope --json", "not_found"),
        ("claim T-9 --json --as WORK@ada", "not_found"),
        ("done T-1 --json --as CMD@boss", "not_allowed"),
        ("set T-1 task_id=T-7 --json --as CMD@boss", "not_allowed"),
        ("init --json", "not_allowed"),
        ("done T-2 --json --as AUDIT@ada", "separation_of_duties"),
        ("claim T-1 --json --as WORK@bob", "held"),
        ("renew T-1 --token 7 --json --as WORK@ada", "lease_lost"),
        ("claim T-3 --json --as WORK@bob", "approval_required"),
    ];
    let mut seen = BTreeSet::new();
    let before = world.files();
    for (line, code) in cases {
        let ran = world.run(line);
        let answer = valid(&schemas, line, &ran);
        let error = &answer["error"];
        assert_eq!((&answer["kind"], &error["code"]), (&"error".into(), &code.into()), "{line}");
        assert_eq!(error["exit"].as_u64(), Some(u64::from(ran.exit)), "{line}");
        let said = format!("error: {}", error["message"].as_str().unwrap());
        let first = ran.err.lines().find(|line| !line.starts_with("warning: "));
        assert_eq!(first, Some(said.as_str()), "{line}: {ran:?}");
        if let Some(hint) = error["hint"].as_str() {
            assert!(ran.err.contains(&format!("hint: {hint}\n")), "{line}: {ran:?}");
            // A hint is safe to type and leads on.
            let words = words(hint);
            let ran = world.copy().run_words(words[1..].iter().map(String::as_str));
            assert!(words[0] == "orch" && ran.exit != 2, "{line}: {hint}: {ran:?}");
        }
        // Without the option the same is said to people only.
        let plain = line.replace(" --json", "").replace(" --format=json", "");
        let plain = world.run(&plain);
        assert_eq!(
            (plain.exit, plain.out.as_str(), &plain.err),
            (ran.exit, "", &ran.err),
            "{line}"
        );
        seen.insert(code);
    }
    // A refusal for who somebody is stands in the audit file of the day.
    let mut after = world.files();
    let audit = after.remove("ORCH/LOGS/2026-03/APPROVALS-2026-03-01.md").unwrap();
    assert_eq!((audit.lines().count(), audit.contains("result=FAIL")), (1, true), "{audit}");
    assert_eq!(after, before, "an error writes nothing else");
    std::fs::write(world.tasks(), b"no table").unwrap();
    let ran = world.run("list --json");
    assert_eq!((ran.exit, &valid(&schemas, "list", &ran)["error"]["exit"]), (10, &10.into()));
    assert!(seen.len() >= 7, "{seen:?}");
}
