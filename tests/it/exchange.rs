//! What leaves by `export` comes back by `import`, over ledgers with the values that
//! each format has trouble with.
//!
//! The oracle is `list --json` of both workspaces, and cells that the test itself wrote
//! into the first ledger. `ORCH_PROPTEST_SEED` sets the seed, which every run says.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::laws::number;
use crate::support::Workspace;
use crate::support::workspace::TASKS;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

const HEADER: &str = "| task_id | title | state | owner | lock | lock_owner | lock_expires_at \
                      | due | artifact | notes | bed |\n|---|---|---|---|---|---|---|---|---|---|---|\n";

/// A row that is to travel.
#[derive(Debug, Clone)]
struct Row {
    title: String,
    state: &'static str,
    owner: &'static str,
    due: &'static str,
    artifact: String,
    notes: String,
    bed: String,
    detail: Option<String>,
}

/// Words that mean something to one format or another.
fn words() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        "[a-z台é]{1,4}",
        proptest::sample::select(vec![
            "x",
            "X",
            "(A)",
            "(a)",
            "2026-01-01",
            "id:9",
            "due:2026-02-02",
            "due:",
            "pri:A",
            "state:DONE",
            "priority:LOW",
            "http://x.y",
            "\\x",
            "\\(A)",
            "id\\:9",
            "=1+1",
            "'=1",
            "''@a",
            "+home",
            "@phone",
            "-1",
            "'",
            "\"",
            "a,b",
            ";",
            "a;b",
            "<br>",
            "- [x]",
            "#",
            "[ ]",
            "{\"a\":1}",
            "\u{1f600}",
            "\\n",
            "&amp;",
            "%20",
            "<!-- a -->",
            "`a`",
            "*b*",
        ])
        .prop_map(str::to_owned),
    ];
    vec(word, 1..5).prop_map(|words| words.join(" "))
}

fn row() -> impl Strategy<Value = Row> {
    let select = proptest::sample::select::<&'static str>;
    (
        words(),
        select(vec!["PLAN", "READY", "DONE", "DROP", "HOLD", "REVIEW", "FIX"]),
        select(vec!["-", "WORK", "WORK@ada", "AUDIT@eve"]),
        select(vec!["-", "2026-03-01", "2026-03-01T10:00:00Z"]),
        prop_oneof![Just("-".to_owned()), words()],
        (
            select(vec!["", "priority=HIGH", "priority=low", "depends=000+x-1", "sprint=7"]),
            prop_oneof![Just(String::new()), words()],
        ),
        prop_oneof![Just("-".to_owned()), words()],
        proptest::option::of("[a-z][a-z台:=\"',]{0,8}(\n\n?  ?[a-z0-9.]{1,6}){0,3}"),
    )
        .prop_map(|(title, state, owner, due, artifact, (word, text), bed, detail)| {
            let notes = [word, &text].into_iter().filter(|part| !part.is_empty());
            let notes = notes.collect::<Vec<_>>().join("・");
            let notes = if notes.is_empty() { "-".to_owned() } else { notes };
            Row { title, state, owner, due, artifact, notes, bed, detail }
        })
}

/// A ledger of these rows, the first of which is 001.
fn ledger(rows: &[Row]) -> String {
    let mut text = HEADER.to_owned();
    for (n, row) in rows.iter().enumerate() {
        let Row { title, state, owner, due, artifact, notes, bed, .. } = row;
        text.push_str(&format!(
            "| {:03} | {title} | {state} | {owner} | - | - | - | {due} | {artifact} | {notes} | {bed} |\n",
            n + 1
        ));
    }
    for (n, row) in rows.iter().enumerate() {
        if let Some(detail) = &row.detail {
            text.push_str(&format!("\n### {:03} x\n\n{detail}\n", n + 1));
        }
    }
    text
}

fn words_of(line: &[&str]) -> Vec<String> {
    line.iter().map(|word| (*word).to_owned()).collect()
}

fn tasks(ws: &Workspace) -> Vec<Value> {
    let listed = ws.run("list --json").ok().json();
    listed["data"]["tasks"].as_array().unwrap().clone()
}

/// What comes of a ledger that travels into an empty one with the same columns.
fn travelled(rows: &[Row], format: &str) -> (Vec<Value>, Vec<Value>, Workspace, Workspace) {
    let from = Workspace::new().ledger(&ledger(rows)).settings("durability: fast\n");
    let exported = from.run_words(&words_of(&["export", format, "--quiet"]), b"").ok();
    let to = Workspace::new().ledger(HEADER).settings("durability: fast\n");
    let import = ["import", "-", "--from", format, "--as", "CMD@eve", "--quiet"];
    let _ = to.run_words(&words_of(&import), exported.stdout.as_bytes()).ok();
    (tasks(&from), tasks(&to), from, to)
}

/// Runs a law over rows.
fn law(name: &str, law: impl Fn(&[Row])) {
    let seed = number("ORCH_PROPTEST_SEED").unwrap_or(29);
    let cases = number("ORCH_PROPTEST_CASES").and_then(|n| u32::try_from(n).ok()).unwrap_or(60);
    eprintln!("{name}: {cases} cases, ORCH_PROPTEST_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let result = runner.run(&vec(row(), 1..5), |rows| {
        law(&rows);
        Ok(())
    });
    if let Err(why) = result {
        panic!("{name} broke with ORCH_PROPTEST_SEED={seed}: {why}");
    }
}

#[test]
fn what_comes_in_as_done_is_told_in_the_days_audit_file() {
    let ws = Workspace::new().init();
    ws.write("d.csv", "id,title,state\nD-1,One,DONE\nD-2,Two,PLAN\n");
    let _ = ws.run("import d.csv --as CMD@eve").ok();
    ws.write("d.md", "- [x] D-3 Three\n- [ ] D-4 Four\n");
    let _ = ws.run("migrate d.md --as CMD@eve --note 'from paper'").ok();
    let audit = ws.read("ORCH/LOGS/2026-01/APPROVALS-2026-01-01.md");
    let told: Vec<&str> = audit.lines().filter(|line| line.contains(" id=D-")).collect();
    assert_eq!(told.len(), 2, "{audit}");
    let one = " id=D-1 op=import by=CMD@eve ";
    assert!(told[0].contains(one) && told[0].ends_with("note=\"it came in as DONE\""), "{audit}");
    let three = " id=D-3 op=migrate by=CMD@eve ";
    assert!(told[1].contains(three) && told[1].ends_with("note=\"from paper\""), "{audit}");
}

#[test]
fn jsonl_carries_everything() {
    law("jsonl", |rows| {
        let (before, after, from, to) = travelled(rows, "jsonl");
        assert_eq!(before, after);
        for n in 1..=rows.len() {
            let detail = |ws: &Workspace| {
                ws.run(&format!("show {n:03} --json")).ok().json()["data"]["detail"].clone()
            };
            assert_eq!(detail(&from), detail(&to));
        }
    });
}

#[test]
fn csv_carries_every_column() {
    law("csv", |rows| {
        let (before, after, from, to) = travelled(rows, "csv");
        assert_eq!(before, after);
        // Again, and nothing is there to do.
        let exported = from.run("export csv").ok();
        let mut read = csv::ReaderBuilder::new().from_reader(exported.stdout.as_bytes());
        for cell in read
            .records()
            .flat_map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>())
        {
            assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
        }
        let import = ["import", "-", "--from", "csv", "--existing", "update", "--as", "CMD@eve"];
        let before = to.read(TASKS);
        let _ = to.run_words(&words_of(&import), exported.stdout.as_bytes()).ok();
        assert_eq!(to.read(TASKS), before);
    });
}

/// What every line of text can say of a task.
fn gist(tasks: &[Value]) -> Vec<[String; 5]> {
    let text = |task: &Value, name: &str| task[name].as_str().unwrap_or_default().to_owned();
    tasks
        .iter()
        .map(|task| {
            let done = ["DONE", "DROP"].contains(&task["state"].as_str().unwrap());
            [
                text(task, "task_id"),
                text(task, "title"),
                done.to_string(),
                text(task, "priority"),
                text(task, "due"),
            ]
        })
        .collect()
}

#[test]
fn todo_txt_carries_the_gist() {
    law("todo.txt", |rows| {
        let (before, after, ..) = travelled(rows, "todo.txt");
        assert_eq!(gist(&before), gist(&after));
    });
}

#[test]
fn task_lists_carry_the_gist_and_details() {
    law("checkbox", |rows| {
        let (before, after, from, to) = travelled(rows, "checkbox");
        assert_eq!(gist(&before), gist(&after));
        for n in 1..=rows.len() {
            let detail = |ws: &Workspace| {
                ws.run(&format!("show {n:03} --json")).ok().json()["data"]["detail"].clone()
            };
            assert_eq!(detail(&from), detail(&to));
        }
    });
}

#[test]
fn a_lease_does_not_travel() {
    let from = Workspace::new().task("T-1", "Write parser").task("T-2", "Write tests");
    let _ = from.run_as("WORK@ada", "claim T-1").ok();
    let exported = from.run("export jsonl").ok().stdout;
    let to = Workspace::new().task("X-1", "Other");
    let import = words_of(&["import", "-", "--from", "jsonl", "--as", "CMD@eve", "--json"]);
    let ran = to.run_words(&import, exported.as_bytes()).ok();
    let answer = ran.json();
    assert_eq!(answer["kind"], "task.import");
    assert_eq!(answer["data"]["tasks"][0]["state"], "READY");
    assert_eq!(answer["data"]["tasks"][0]["lock_owner"], Value::Null);
    assert_eq!(answer["warnings"].as_array().unwrap().len(), 2, "{answer}");
    let _ = to.run_as("WORK@bob", "claim T-1").ok();
    // Nor does an import take one away.
    let import = ["import", "-", "--from", "jsonl", "--existing", "update", "--as", "CMD@eve"];
    let before = to.read(TASKS);
    let _ = to.run_words(&words_of(&import), exported.as_bytes()).ok();
    assert_eq!(to.read(TASKS), before);
}

#[test]
fn a_key_is_for_the_bytes() {
    let ws = Workspace::new().task("T-1", "Write parser");
    let line = words_of(&["import", "-", "--from", "csv", "--op-id", "k", "--json"]);
    let first = ws.run_words(&line, b"id,title\nT-5,a\n").ok().json();
    let again = ws.run_words(&line, b"id,title\nT-5,a\n").ok().json();
    assert_eq!(again["data"]["already"], true);
    assert_eq!(first["data"]["tasks"], again["data"]["tasks"]);
    let _ = ws.run_words(&line, b"id,title\nT-5,b\n").exit(2);
}

#[test]
fn what_cannot_be_read_changes_nothing() {
    let ws = Workspace::new().task("T-1", "Write parser");
    let before = ws.read(TASKS);
    for (bytes, place) in [
        (&b"id,title\nT-5,M\xfcller\n"[..], "stdin:2:6"),
        (b"id,title\nT-5,a\0b\n", "stdin:2:6"),
        (b"id,title\nT-5,\"a\x1bb\"\n", "stdin:2:5"),
        (b"id,title\nT-5,a\nT-6,\xe2\x80\xaeb\n", "stdin:3:5"),
        (b"\xff\xfei\0d\0", "stdin"),
        (b"", "stdin:1:1"),
        (b"id,title\n", "stdin:1:1"),
        (b"id,title\nT-5,\n", "stdin:2:1"),
        (b"id,title,due\nT-5,a,\"2026-\n01-01\"\n", "stdin:2:7"),
    ] {
        let ran = ws.run_words(&words_of(&["import", "-", "--from", "csv"]), bytes).exit(2);
        assert!(ran.stderr.starts_with(&format!("error: {place}: ")), "{}", ran.stderr);
        assert_eq!(ws.read(TASKS), before);
        assert_eq!(ws.existing("ORCH/LOGS/2026-01/journal.jsonl"), None, "{}", ran.stderr);
    }
    // A byte order mark and CR LF are no trouble.
    let ran = ws.run_words(
        &words_of(&["import", "-", "--from", "csv"]),
        b"\xef\xbb\xbfid,title\r\nT-5,\"a\r\nb\"\r\n",
    );
    assert_eq!(ran.ok().stdout, "T-5 PLAN a<br>b\n");
}

#[test]
fn new_ids_are_such_as_a_shell_and_a_path_take() {
    let ws = Workspace::new().task("T-1", "x");
    let line = words_of(&["import", "-", "--from", "csv"]);
    let before = ws.read(TASKS);
    for id in [
        "-rf", ".h", "..", "x/../y", "a;b", "$(id)", "`id`", "[x]", "a\\b", "a&b", "~", "a'b", "#1",
    ] {
        let ran = ws.run_words(&line, format!("title,id\nx,{id}\n").as_bytes()).exit(2);
        let begins = format!("error: stdin:2:3: `{id}` cannot be an id: ");
        assert!(ran.stderr.starts_with(&begins), "{}", ran.stderr);
        assert_eq!(ws.read(TASKS), before);
    }
    for id in ["日本-1", "006-P∞", "祭.03", "a_b"] {
        let ran = ws.run_words(&line, format!("title,id\nx,{id}\n").as_bytes()).ok();
        assert_eq!(ran.stdout, format!("{id} PLAN x\n"));
    }
    // A row that is there may have any.
    let ws = Workspace::new()
        .ledger(&format!("{HEADER}| a/b | x | PLAN | - | - | - | - | - | - | - | - |\n"));
    let line = words_of(&["import", "-", "--from", "csv", "--existing", "update"]);
    let ran = ws.run_words(&line, b"id,title,due\na/b,x,2026-01-02\n").ok();
    assert_eq!(ran.stdout, "a/b PLAN x\n");
}

#[test]
fn a_header_that_was_disarmed_comes_back() {
    let header = HEADER.replace("| bed |", "| =bed |");
    let row = "| T-1 | x | PLAN | - | - | - | - | - | - | a | @x |\n";
    let from = Workspace::new().ledger(&format!("{header}{row}"));
    let exported = from.run("export csv").ok().stdout;
    assert!(exported.contains(",'=bed") && exported.contains(",'@x"), "{exported}");
    let to = Workspace::new().ledger(&header);
    let ran = to.run_words(&words_of(&["import", "-", "--from", "csv"]), exported.as_bytes()).ok();
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    assert_eq!(tasks(&to), tasks(&from));
}

#[test]
fn an_import_that_was_undone_can_be_done_again() {
    let ws = Workspace::new().task("T-1", "x");
    let import = |words: &[&str]| {
        let line = [&["import", "-", "--from", "csv"], words].concat();
        ws.run_words(&words_of(&line), b"title,id\nfirst,T-4\nwrong,T-5\n")
    };
    let _ = import(&[]).ok();
    let whole = ws.read(TASKS);
    let ran = import(&[]).exit(4);
    assert!(ran.stderr.starts_with("error: stdin:2:7: `T-4`, `T-5` are in"), "{}", ran.stderr);
    let _ = ws.run("undo").ok();
    let ran = import(&[]).exit(4);
    assert!(ran.stderr.starts_with("error: stdin:2:7: the ids were given"), "{}", ran.stderr);
    // Both ways that it names.
    assert!(ran.stderr.contains("`orch redo`") && ran.stderr.contains("`--map id=`"));
    let _ = ws.run("redo").ok();
    assert_eq!(ws.read(TASKS), whole);
    let _ = ws.run("undo").ok();
    assert_eq!(import(&["--map", "id="]).ok().stdout, "T-6 PLAN first\nT-7 PLAN wrong\n");
}

#[test]
fn an_empty_cell_clears_and_says_so() {
    let row = "| T-1 | x | READY | WORK@ada | - | - | - | - | - | priority=HIGH | - |\n";
    let ws = Workspace::new().ledger(&format!("{HEADER}{row}\n### T-1 x\n\ntext\n"));
    let line = ["import", "-", "--from", "csv", "--existing", "update", "--as", "CMD@eve"];
    let import = |text: &str| ws.run_words(&words_of(&line), text.as_bytes());
    let before = ws.read(TASKS);
    let ran = import("id,owner,title\nT-1,,\n").exit(2);
    assert!(ran.stderr.starts_with("error: stdin:2:6: the title is empty"), "{}", ran.stderr);
    // A column that is missing, and a state, leave what is there.
    let ran = import("id,title,state\nT-1,x,\n").ok();
    assert!(ran.stderr.contains("nothing changed"), "{}", ran.stderr);
    assert_eq!(ws.read(TASKS), before);
    let ran = import("id,title,owner,notes,detail\nT-1,x,,,\n").ok();
    assert!(ran.stderr.contains("warning: notes cleared, as the cell is empty: `T-1`\n"));
    assert!(ran.stderr.contains("warning: detail removed, as the cell is empty: `T-1`\n"));
    let task = &tasks(&ws)[0];
    assert_eq!((&task["owner"], &task["notes"]), (&Value::Null, &Value::Null));
    assert!(!ws.read(TASKS).contains("text"));
    let ran = import("id,title,owner,notes,detail\nT-1,x,,,\n").ok();
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
}

#[test]
fn what_the_ledger_cannot_hold_has_its_place() {
    let ws = Workspace::new().task("T-1", "x");
    let before = ws.read(TASKS);
    let line = words_of(&["import", "-", "--from", "csv"]);
    for id in ["J-1", ""] {
        let text = format!("title,id,detail\nfirst,,\nok,{id},\"# H\n\n## T-1: x\nfoo\"\nz,,\n");
        let ran = ws.run_words(&line, text.as_bytes()).exit(2);
        let begins = "error: stdin:3:1: the value cannot stand in this ledger: a heading";
        assert!(ran.stderr.starts_with(begins), "{}", ran.stderr);
        assert_eq!(ws.read(TASKS), before);
    }
}

#[test]
fn done_needs_what_done_needs() {
    let ws = Workspace::new().task("T-1", "x").settings("approvals: {required: [\"deploy-*\"]}\n");
    let line = words_of(&["import", "-", "--from", "csv", "--as", "CMD@eve"]);
    let before = ws.read(TASKS);
    let _ = ws.run_words(&line, b"id,title,state\nT-5,a,DONE\ndeploy-1,b,DONE\n").exit(7);
    assert_eq!(ws.read(TASKS), before);
    let _ = ws.run_words(&line, b"id,title,state\nT-5,a,DONE\ndeploy-1,b,READY\n").ok();
}

#[test]
fn an_export_is_whole_or_not_there() {
    let ws = Workspace::new().task("T-1", "Write parser");
    let whole = ws.run("export jsonl").ok().stdout;
    let before = ws.kept();
    for (line, old) in [("export jsonl -o out", None), ("export jsonl -o out --force", Some("old"))]
    {
        for n in 1.. {
            ws.back_to(&before);
            if let Some(old) = old {
                ws.write("out", old);
            }
            ws.faults().reset();
            ws.faults().fail_at(n, 5);
            let ran = ws.run(line);
            let is_hit = ws.faults().count() >= n;
            ws.faults().reset();
            let there = ws.existing("out");
            let names = std::fs::read_dir(ws.root()).unwrap().count();
            assert_eq!(names, 1 + usize::from(there.is_some()), "{n}: {}", ran.stderr);
            if there.as_deref() == old {
                assert_ne!(ran.exit, 0, "{n}");
            } else {
                assert_eq!(there.as_deref(), Some(whole.as_str()), "{n}");
            }
            if !is_hit {
                assert_eq!(ran.exit, 0, "{}", ran.stderr);
                break;
            }
        }
    }
}
