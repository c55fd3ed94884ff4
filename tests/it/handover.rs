//! Who may hand over, what it writes, and what the ways back make of it.

use crate::support::Workspace;
use crate::support::workspace::TASKS;

const LEDGER: &str = "\
| task_id | title | state | owner | lock | lock_owner | lock_expires_at | due | artifact | notes |
|---|---|---|---|---|---|---|---|---|---|
| T-1 | One | READY | - | - | - | - | - | - | - |
| T-2 | Two | DONE | - | - | - | - | - | - | - |
| T-3 | Three | PLAN | - | - | - | - | - | - | - |

### T-1 One

Text.

### T-3 Three

Other.
";

fn ws() -> Workspace {
    Workspace::new().settings("durability: fast\n").ledger(LEDGER)
}

#[test]
fn who_may_is_the_holder_or_cmd_and_everybody_where_nobody_holds_it() {
    let ws = ws();
    let _ = ws.run("handover T-1 --note 'free for all' --as WORK@bob").ok();
    let claim = ws.run("claim T-1 --as WORK@ada --json").ok().json();
    let token = claim["data"]["lease"]["token"].to_string();
    let before = ws.read(TASKS);
    let _ = ws.run("handover T-1 --note no --as WORK@bob").exit(5);
    let _ = ws.run("handover T-1 --note no --as AUDIT@kim").exit(5);
    let _ = ws.run("handover T-1 --note no --token 17 --as WORK@ada").exit(6);
    let _ = ws.run("handover T-2 --note no --as WORK@ada").exit(4);
    let _ = ws.run("handover T-9 --note no --as WORK@ada").exit(3);
    for note in ["''", "' '", "-"] {
        let _ = ws.run(&format!("handover T-1 --note {note} --as WORK@ada")).exit(2);
    }
    let _ = ws.run("handover T-1 --as WORK@ada").exit(2);
    let long = "x".repeat((16 << 10) + 1);
    let _ = ws.run(&format!("handover T-1 --note {long} --as WORK@ada")).exit(2);
    let words = ["handover", "T-1", "--as", "WORK@ada", "--note"].map(str::to_owned);
    let hidden = [words.as_slice(), &["a\u{1b}b".to_owned()]].concat();
    let _ = ws.run_words(&hidden, b"").exit(2);
    assert_eq!(ws.read(TASKS), before);
    let own = ws
        .run(&format!("handover T-1 --note mine --token {token} --as WORK@ada --json"))
        .ok()
        .json();
    assert_eq!(own["kind"], "task.handover");
    assert_eq!(own["data"]["lease"]["token"].to_string(), token);
    let next = own["next"].to_string();
    for verb in ["submit", "renew", "release"] {
        assert!(next.contains(&format!("orch {verb} T-1 --token {token} --as WORK@ada")), "{next}");
    }
    let _ = ws.run("handover T-1 --note directed --as CMD@eve").ok();
    // Whose lease was taken over says nothing more.
    ws.clock().advance(crate::support::workspace::mins(40));
    let _ = ws.run("claim T-1 --as WORK@cyd").ok();
    let _ = ws.run("handover T-1 --note late --as WORK@ada").exit(6);
}

#[test]
fn it_is_an_operation_like_any_other() {
    let ws = ws();
    let dry = ws.run("handover T-1 --note 'Half.' --dry-run --as WORK@ada").ok();
    assert!(dry.stdout.contains("+> Half.") && dry.tasks_diff.is_empty(), "{dry:?}");
    let ran = ws.run("handover T-1 --note 'Half.' --op-id k --as WORK@ada --json").ok();
    let (first, text) = (ran.json(), ws.read(TASKS));
    assert!(
        ran.tasks_diff.lines().filter(|l| l.starts_with('-') && !l.starts_with("---")).count() == 0
    );
    let again = ws.run("handover T-1 --note 'Half.' --op-id k --as WORK@ada --json").ok().json();
    assert_eq!(
        (&again["data"]["op"], &again["data"]["already"]),
        (&first["data"]["op"], &true.into())
    );
    // The same again says nothing new, by the same hand.
    let same = ws.run("handover T-1 --note 'Half.' --as WORK@ada --json").ok().json();
    assert_eq!((&same["data"]["already"], ws.read(TASKS)), (&true.into(), text.clone()));
    let _ = ws.run("handover T-1 --note 'Half.' --as WORK@bob").ok();
    assert_ne!(ws.read(TASKS), text);
    let _ = ws.run("undo --as WORK@bob").ok();
    assert_eq!(ws.read(TASKS), text);
    // Another's work on the section stays where one handover is taken back.
    let _ = ws.run("handover T-3 --note later --as WORK@bob").ok();
    let _ = ws.run("undo --as WORK@ada").ok();
    let left = ws.read(TASKS);
    assert!(left.contains("> later") && !left.contains("> Half."), "{left}");
    let _ = ws.run("redo --as WORK@ada").ok();
    assert!(ws.read(TASKS).contains("> Half."));
    let _ = ws.run("audit verify").ok();
    let log = ws.run("log T-1 --json").ok().stdout;
    assert!(log.contains("handover"), "{log}");
}

#[test]
fn a_section_is_made_as_add_makes_one_and_line_ends_stay() {
    let crlf = LEDGER.replace('\n', "\r\n");
    let ws = Workspace::new().settings("durability: fast\n").ledger(&crlf);
    let _ = ws
        .run_words(
            &["handover", "T-1", "--note", "-", "--as", "WORK@ada"].map(str::to_owned),
            b"One.\r\nTwo.\n",
        )
        .ok();
    let new = ws.read(TASKS);
    assert!(!new.replace("\r\n", "").contains(['\r', '\n']), "{new:?}");
    assert!(new.contains("> One.\r\n> Two.\r\n\r\n### T-3 Three"), "{new}");
    let _ = ws.run("undo --as WORK@ada").ok();
    assert_eq!(ws.read(TASKS), crlf);
    let ws = Workspace::new().task("T-7", "Seven").settings("durability: fast\n");
    let _ = ws.run("handover T-7 --note 'First.' --as WORK@ada").ok();
    let new = ws.read(TASKS);
    assert!(
        new.ends_with(
            "\n\n### T-7 Seven\n\n#### Handover 2026-01-01T09:00:00Z WORK@ada\n\n> First.\n"
        ),
        "{new}"
    );
}

#[test]
fn the_newest_of_several_is_the_one_that_is_told() {
    let ws = ws();
    for (name, note) in [("ada", "first"), ("bob", "second")] {
        let _ = ws.run(&format!("handover T-1 --note {note} --as WORK@{name}")).ok();
        ws.clock().advance(crate::support::workspace::mins(1));
    }
    let claim = ws.run("claim T-1 --as WORK@cyd --json").ok().json();
    assert_eq!(claim["data"]["handover"]["text"], "second");
    assert_eq!(claim["data"]["detail"], "Text.");
    let shown = ws.run("show T-1 --json").ok().json();
    assert!(shown["data"]["detail"].as_str().unwrap().contains("> first"), "all of them are there");
}

#[test]
fn a_task_named_like_a_handover_is_not_given_one_by_accident() {
    let ws = Workspace::new().task("Handover", "x").task("T-1", "y");
    let _ = ws.run("handover T-1 --note text --as WORK@ada").exit(4);
}

/// What git's merges make of two branches that both handed over.
#[test]
fn handovers_of_two_branches_are_a_conflict_of_lines_that_keeps_both() {
    use orch::ledger::document::Kind;
    use orch::ledger::merge::{Labels, Sides, merge};
    let with = |id: &str, name: &str| {
        let ws = ws();
        let _ = ws.run(&format!("handover {id} --note 'by {name}' --as WORK@{name}")).ok();
        ws.read(TASKS)
    };
    let three = |ours: &str, theirs: &str| {
        merge(Kind::Tasks, &Sides { base: LEDGER, ours, theirs }, &Labels::default(), 7)
    };
    // On two tasks they merge by themselves.
    let merged = three(&with("T-1", "ada"), &with("T-3", "bob"));
    assert_eq!(merged.conflicts, []);
    assert!(merged.text.contains("> by ada") && merged.text.contains("> by bob"));
    // On one task nobody can tell which comes first: people do.
    let merged = three(&with("T-1", "ada"), &with("T-1", "bob"));
    assert_eq!(merged.conflicts.len(), 1, "{}", merged.text);
    assert!(
        merged.text.contains("> by ada") && merged.text.contains("> by bob"),
        "{}",
        merged.text
    );
}
