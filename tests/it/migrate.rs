//! `migrate` where its transcript does not go: whatever is read, nothing of it is
//! lost, nothing that was there moves, and the way back leads to the same bytes.
#![allow(clippy::disallowed_methods, reason = "places links by hand")]

use crate::support::Workspace;
use crate::support::workspace::{APPROVALS, TASKS};
use std::fs;

/// Headings with bullets, as a team keeps them that never had a table.
const HEADINGS: &str = "\
# Garden

Intro, with a table that is none of tasks:

| bed | size |
|---|---|
| A | 2 |

### Open

#### G-1: Dig the bed
- **task_id**: G-1
- **state**: DOING
- **assigned_to**: WORK1
- **priority**: high
- **due_date**: 2026/03/01
- **acceptance_criteria**:
  - a spade deep
  - no stones
- **dependencies**: []
- **notes**: by the fence
- **lock**: G-1-LOCK
- **lock_owner**: WORK1
- **lock_expires_at**: 2026-01-01T18:00:00+09:00

#### G-2: Sow
- **title**: Sow the peas
- **state**: todo
- **dependencies**: [G-1]
- **deadline**: next spring
- **crop**: peas

More words about G-2.

### Legend

- **PLAN**: not begun

---
kept by the gardener";

fn in_place(text: &str) -> Workspace {
    Workspace::new().ledger(text)
}

/// Every line of the text that is no bullet of a field is there afterwards.
#[track_caller]
fn keeps_prose(before: &str, after: &str) {
    let mut rest = after;
    for line in before.lines().filter(|line| !line.trim_start().starts_with('-')) {
        let at = rest.find(line).unwrap_or_else(|| panic!("`{line}` is gone:\n{after}"));
        rest = &rest[at..];
    }
}

#[test]
fn a_ledger_of_headings_is_turned_in_place_and_back() {
    for text in [HEADINGS.to_owned(), HEADINGS.replace('\n', "\r\n"), format!("\u{feff}{HEADINGS}")]
    {
        let ws = in_place(&text);
        let _ = ws.run("list").exit(10);
        let _ = ws.run("migrate --as CMD@eve").ok();
        let after = ws.read(TASKS);
        keeps_prose(&text, &after);
        assert_eq!(after.contains("\r\n"), text.contains("\r\n"));
        assert_eq!(after.replace("\r\n", "").contains('\n'), !text.contains("\r\n"));
        let task = &ws.run("show G-1 --json").ok().json()["data"]["task"];
        for (field, value) in [
            ("title", "Dig the bed"),
            ("state", "DOING"),
            ("owner", "WORK1"),
            ("due", "2026-03-01"),
            ("lock", "G-1-LOCK"),
            ("lock_owner", "WORK1"),
            ("lock_expires_at", "2026-01-01T09:00:00Z"),
            ("notes", "priority=HIGH・by the fence"),
            ("priority", "HIGH"),
        ] {
            assert_eq!(task[field], value, "{field}: {task}");
        }
        let shown = ws.run("show G-2 --json").ok().json();
        let task = &shown["data"]["task"];
        assert_eq!((&task["title"], &task["state"]), (&"Sow the peas".into(), &"PLAN".into()));
        assert_eq!(task["depends"], serde_json::json!(["G-1"]));
        assert_eq!(task["notes"], "depends=G-1・crop=peas");
        assert_eq!(task["due"], serde_json::Value::Null, "a time that is not certain is no due");
        let shown = ws.run("show G-2").ok().stdout;
        assert!(shown.contains("next spring") && shown.contains("More words"), "{shown}");
        let shown = ws.run("show G-1").ok().stdout;
        assert!(shown.contains("a spade deep") && shown.contains("no stones"), "{shown}");
        // Again is already, and changes no byte.
        let again = ws.run("migrate --as CMD@eve --json").ok().json();
        assert_eq!(again["data"]["already"], true);
        assert_eq!(ws.read(TASKS), after);
        let _ = ws.run("migrate --rollback --as CMD@eve").ok();
        assert_eq!(ws.read(TASKS), text);
        let _ = ws.run("audit verify").ok();
        let back = ws.run("migrate --rollback --as CMD@eve --json").ok().json();
        assert_eq!(back["data"]["already"], true);
        // And once more from the beginning.
        let _ = ws.run("migrate --as CMD@eve").ok();
        assert_eq!(ws.read(TASKS), after);
    }
}

#[test]
fn a_dry_run_shows_the_bytes_that_come() {
    let ws = in_place(HEADINGS);
    let dry = ws.run("migrate --dry-run --as CMD@eve --json").ok().json();
    assert_eq!(ws.read(TASKS), HEADINGS);
    assert_eq!(dry["data"]["backup"], serde_json::Value::Null);
    let diff = dry["data"]["diff"].as_str().unwrap().to_owned();
    assert!(!diff.contains("LOGS"), "the backup is in no diff: {diff}");
    let _ = ws.run("migrate --as CMD@eve").ok();
    let reverted = orch::ledger::unified::revert(&diff, TASKS, &ws.read(TASKS));
    assert_eq!(reverted.as_deref(), Some(HEADINGS));
}

#[test]
fn only_cmd_migrates() {
    let ws = in_place(HEADINGS);
    // Anybody may look at a plan.
    let _ = ws.run_as("WORK@ada", "migrate --dry-run").ok();
    for words in ["migrate", "migrate --rollback"] {
        let _ = ws.run_as("WORK@ada", words).exit(4);
        let _ = ws.run_as("AUDIT@bob", words).exit(4);
    }
    assert_eq!(ws.read(TASKS), HEADINGS);
    ws.write("ORCH/orch.yaml", "solo: true\n");
    let _ = ws.run("migrate").ok();
    assert!(ws.read("ORCH/LOGS/2026-01/journal.jsonl").contains("\"waivers\":[\"role\"]"));
}

#[test]
fn a_table_gets_the_columns_that_it_lacks() {
    let text = "\
Before.

| id | 件名 | 状態 | 担当 |
|----|------|:----:|------|
| 1 | one \\| two | READY | WORK |
| 2 | short |

| 3 | detached | PLAN | - |

After.
";
    let ws = in_place(text);
    let error = ws.run("claim 1 --as WORK@ada").exit(10);
    assert!(error.stderr.contains("orch migrate"), "{error:?}");
    let _ = ws.run("migrate ORCH/STATE/TASKS.md --as CMD@eve").ok();
    let after = ws.read(TASKS);
    assert!(
        after.contains("| id | 件名 | 状態 | 担当 | ロック | ロック所有者 | ロック期限 |"),
        "{after}"
    );
    assert!(after.contains("| 1 | one \\| two | READY | WORK | - | - | - |"), "{after}");
    let _ = ws.run("claim 1 --as WORK@ada").ok();
    let _ = ws.run("note 2 x --as WORK@ada").ok();
    let _ = ws.run("note 3 x --as WORK@ada").ok();
    let error = ws.run("migrate --rollback --as CMD@eve").exit(9);
    assert!(error.stderr.contains("orch undo"), "{error:?}");
    // A row with more cells than its header has no place for new ones.
    let ws = in_place("| id | title | state | owner |\n|-|-|-|-|\n| 1 | a | PLAN | - | more |\n");
    let before = ws.read(TASKS);
    let error = ws.run("migrate --as CMD@eve").exit(10);
    assert!(error.stderr.contains("TASKS.md:3:1"), "{error:?}");
    assert_eq!(ws.read(TASKS), before);
}

#[test]
fn a_table_of_other_columns_becomes_the_ledger() {
    let text = "\
# Work

| No | ID | Task | Status | Assignee | Priority | Sprint goal |
|----|----|------|--------|----------|----------|-------------|
| 1 | W-1 | Paint | In Progress | ada | P1 | a \\| b |
| 2 | W-2 | Clean | 完了 | - | - | - |

Behind it.
";
    let ws = in_place(text);
    let _ = ws.run("migrate --as CMD@eve --owner ada=WORK@ada").ok();
    let task = &ws.run("show W-1 --json").ok().json()["data"]["task"];
    assert_eq!((&task["state"], &task["owner"]), (&"DOING".into(), &"WORK@ada".into()));
    assert_eq!(task["priority"], "HIGH");
    assert_eq!(task["extra"]["Sprint goal"], "a | b");
    assert_eq!(task["extra"]["No"], "1");
    assert_eq!(ws.run("show W-2 --json").ok().json()["data"]["task"]["state"], "DONE");
    let after = ws.read(TASKS);
    assert!(after.starts_with("# Work\n\n| task_id |"), "{after}");
    assert!(after.ends_with("|\n\nBehind it.\n"), "{after}");
    let _ = ws.run("migrate --rollback --as CMD@eve").ok();
    assert_eq!(ws.read(TASKS), text);
    // A line right behind a row is one to Markdown: without an id it stays.
    let ws = in_place(&text.replace("|\n\nBehind", "|\nBehind"));
    let answer = ws.run("migrate --as CMD@eve --json").ok().json();
    assert_eq!(
        (&answer["data"]["tasks"], &answer["data"]["left"][0]["line"]),
        (&2.into(), &7.into())
    );
    let after = ws.read(TASKS);
    assert!(after.contains("|\n\n| No | ID |") && after.ends_with("|\nBehind it.\n"), "{after}");
}

#[test]
fn several_forms_in_one_file_and_what_is_not_taken() {
    let ws = Workspace::new().init();
    ws.write(
        "plan.md",
        "\
| key | subject | status |
|---|---|---|
| P-1 | From a table | open |

## P-2: From a heading
- state: review

# Rest

- [x] P-3 (期限：2026-02-03) From a box
- [ ] no id here

~~~
| key | subject | status |
|---|---|---|
| P-9 | In a fence | open |
- [ ] P-8 in a fence
~~~

> - [ ] P-7 quoted
",
    );
    let answer = ws.run("migrate plan.md --as CMD@eve --json").ok().json();
    let data = &answer["data"];
    assert_eq!(
        data["sources"][0]["forms"],
        serde_json::json!({"headings": 1, "table": 1, "checkboxes": 1})
    );
    assert_eq!(data["states"], serde_json::json!({"DONE": 1, "PLAN": 1, "REVIEW": 1}));
    assert_eq!(data["left"].as_array().unwrap().len(), 1);
    assert_eq!(data["left"][0]["line"], 11);
    assert_eq!(ws.run("show P-3 --json").ok().json()["data"]["task"]["due"], "2026-02-03");
    for id in ["P-7", "P-8", "P-9"] {
        let _ = ws.run(&format!("show {id}")).exit(3);
    }
    let listed = ws.run("list --json").ok().json();
    assert_eq!(listed["data"]["total"], 3);
}

#[test]
fn a_heading_in_a_text_is_no_section_of_another_task() {
    let ws = Workspace::new().init();
    ws.write("board/1.md", "---\nid: 007\ntitle: Seven\n---\nBody\n# H\n## task-2: from it\n");
    ws.write("board/2.md", "---\nid: task-2\ntitle: Two\n---\nIts own words\n");
    let _ = ws.run("migrate board --as CMD@eve").ok();
    assert!(ws.read(TASKS).contains("\n##### `task-2`: from it\n"), "{}", ws.read(TASKS));
    let shown = ws.run("show task-2").ok().stdout;
    assert!(shown.contains("Its own words") && !shown.contains("from it"), "{shown}");
    let again = ws.run("migrate board --as CMD@eve --json").ok().json();
    assert_eq!(again["data"]["already"], true);
    // What stands in our own ledger is not spelt otherwise by itself.
    let own =
        "# T\n\n## T-1: a\n- state: DONE\n\n### T-2 next\n\nx\n\n## T-2: b\n- state: DONE\n\ny\n";
    let ws = in_place(own);
    let stderr = ws.run("migrate --as CMD@eve").exit(10).stderr;
    assert!(stderr.contains("ORCH/STATE/TASKS.md:6:1: ") && stderr.contains("`T-2`"), "{stderr}");
    assert_eq!(ws.read(TASKS), own);
}

#[test]
fn a_box_of_another_mark_is_told() {
    let ws = Workspace::new().init();
    ws.write("boxes.md", "- [ ] A-1 one\n- [-] A-4 cancelled?\n- [~] A-5 half\n- [x](y.md) link\n");
    let data = &ws.run("migrate boxes.md --as CMD@eve --json").ok().json()["data"];
    let lines: Vec<_> =
        data["left"].as_array().unwrap().iter().map(|l| l["line"].clone()).collect();
    assert_eq!(lines, [2, 3]);
}

#[test]
fn one_field_is_the_id() {
    let ws = Workspace::new().init();
    ws.write("t.md", "| ID | Component | title | state |\n|-|-|-|-|\n| A-1 | C-1 | x | PLAN |\n");
    let stderr = ws.run("migrate t.md --map Component=task_id --as CMD@eve").exit(2).stderr;
    assert!(stderr.contains("two fields for task_id: `Component`"), "{stderr}");
    let _ = ws.run("migrate t.md --map ID=task_id --as CMD@eve").ok();
}

#[test]
fn what_is_there_already_is_skipped_or_refused() {
    let ws = Workspace::new().init();
    ws.write("a.md", "- [ ] Q-1 One\n  - detail\n- [ ] Q-2 Two\n");
    let _ = ws.run("migrate a.md --as CMD@eve").ok();
    let before = ws.read(TASKS);
    ws.write("b.md", "- [ ] Q-1 One\n  - detail\n- [ ] Q-3 Three\n");
    let answer = ws.run("migrate b.md --as CMD@eve --json").ok().json();
    assert_eq!(
        (&answer["data"]["tasks"], &answer["data"]["sources"][0]["same"]),
        (&1.into(), &1.into())
    );
    let _ = ws.run("migrate --rollback --as CMD@eve").ok();
    assert_eq!(ws.read(TASKS), before);
    for (other, says) in [
        ("- [ ] Q-1 Other\n", "title"),
        ("- [x] Q-1 One\n", "state"),
        ("- [ ] Q-1 One\n  - other detail\n", "text"),
    ] {
        ws.write("c.md", other);
        let refused = ws.run("migrate c.md --as CMD@eve").exit(4);
        assert!(
            refused.stderr.contains("c.md:1:1") && refused.stderr.contains(says),
            "{refused:?}"
        );
        assert!(refused.stderr.contains("TASKS.md`, line"), "{refused:?}");
    }
    ws.write("d.md", "- [ ] Q-5 x\n");
    ws.write("e.md", "- [ ] Q-5 x\n");
    let refused = ws.run("migrate d.md e.md --as CMD@eve").exit(10);
    assert!(
        refused.stderr.contains("e.md:1:1") && refused.stderr.contains("`d.md`"),
        "{refused:?}"
    );
    let _ = ws.run("drop Q-2 --as CMD@eve").ok();
    let _ = ws.run("archive --as CMD@eve").ok();
    ws.write("f.md", "- [ ] Q-2 Two\n");
    let refused = ws.run("migrate f.md --as CMD@eve").exit(4);
    assert!(refused.stderr.contains("archive"), "{refused:?}");
}

#[test]
fn sources_that_cannot_be_used_change_nothing() {
    let ws = Workspace::new().init();
    let before = ws.read(TASKS);
    fs::create_dir(ws.root().join("empty")).unwrap();
    fs::create_dir(ws.root().join("board")).unwrap();
    ws.write("nothing.md", "");
    ws.write("prose.md", "# Prose\n\n- [ ] buy milk\n");
    ws.write("binary.md", b"- [ ] T-1 x\xff\n");
    ws.write("nul.md", b"- [ ] T-1 x\0\n");
    ws.write("bidi.md", "- [ ] T-1 x\u{202e}y\n");
    ws.write("board/one.md", "---\nid: B-1\ntitle: [x\n---\n");
    ws.write("twice.md", "- [ ] T-1 x\n- [ ] T-1 y\n");
    ws.write("two-ids.md", "## T-1: x\n- task_id: T-2\n- state: PLAN\n");
    std::os::unix::fs::symlink("/nowhere", ws.root().join("dangling.md")).unwrap();
    for (file, exit, says) in [
        ("nothing.md", 10, "no task"),
        ("prose.md", 10, "prose.md:3"),
        ("binary.md", 10, "binary.md:1:12"),
        ("nul.md", 10, "NUL"),
        ("bidi.md", 10, "U+202E"),
        ("empty", 2, "no Markdown file"),
        ("board", 10, "board/one.md:"),
        ("twice.md", 10, "twice.md:2:1"),
        ("two-ids.md", 10, "`T-2`"),
        ("dangling.md", 2, "cannot read"),
        ("missing.md", 2, "cannot read"),
        ("plan.md --map x=", 2, "dropped"),
        ("twice.md --map colour=due", 2, "no source has a field"),
        ("twice.md --state done=AWAY", 2, "no state"),
        ("--rollback", 3, "no migration"),
    ] {
        let ran = ws.run(&format!("migrate {file} --as CMD@eve")).exit(exit);
        assert!(ran.stderr.contains(says), "{file}: {ran:?}");
        assert_eq!(ws.read(TASKS), before, "{file}");
    }
    assert!(!ws.root().join("ORCH/LOGS").exists(), "nothing was journalled");
}

#[test]
fn a_file_outside_is_read_and_never_written() {
    let ws = Workspace::new().init();
    let outside = tempfile::tempdir().unwrap();
    let path = outside.path().join("out.md");
    fs::write(&path, "- [ ] O-1 Outside\n").unwrap();
    std::os::unix::fs::symlink(&path, ws.root().join("link.md")).unwrap();
    for typed in [path.to_string_lossy().into_owned(), "link.md".to_owned()] {
        let words = ["migrate", &typed, "--as", "CMD@eve"].map(str::to_owned);
        let _ = ws.run_words(&words, b"").ok();
        assert_eq!(fs::read_to_string(&path).unwrap(), "- [ ] O-1 Outside\n");
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    // A link to the ledger is the ledger.
    std::os::unix::fs::symlink(ws.root().join(TASKS), ws.root().join("mine.md")).unwrap();
    let answer = ws.run("migrate mine.md --as CMD@eve --json").ok().json();
    assert_eq!(answer["data"]["sources"][0]["own"], true);
}

#[test]
fn approvals_come_with_all_that_they_say() {
    let source = "\
| id | task_id | scope | op | status | requested_by | approver | approver_role | ts_req | ts_dec | evidence | signed |
|----|---|---|---|---|---|---|---|---|---|---|---|
| R-1 | X-1 | a, b | merge | approved | WORK@ada | AUDIT@bob | AUDIT | 2025-11-07T06:20:00Z | 2025-11-07T07:30:00Z | x.md | YES |
| R-2 | X-1 | - | ship | 申請中 | WORK@ada | - | - | 2025-11-08 | - | - | - |
";
    // With a table of ours, what it has no column for becomes text.
    let ws = Workspace::new().init();
    ws.write("old.md", source);
    let _ = ws.run("migrate old.md --as CMD@eve").ok();
    let text = ws.read(APPROVALS);
    assert!(text.contains("### R-1\n\n- **scope**: a, b\n- **signed**: YES\n"), "{text}");
    let approvals = ws.run("approvals --json").ok().json();
    assert_eq!(approvals["data"]["approvals"][1]["status"], "pending");
    assert_eq!(approvals["data"]["approvals"][1]["ts_req"], serde_json::Value::Null);
    assert!(text.contains("- **ts_req**: 2025-11-08"), "{text}");
    let _ = ws.run("migrate --rollback --as CMD@eve").ok();
    assert!(!ws.read(APPROVALS).contains("R-1"));
    // A decision on a task that is open here opens no gate.
    let _ = ws.run("add Thing --id X-1 --as CMD@eve").ok();
    let refused = ws.run("migrate old.md --as CMD@eve").exit(4);
    assert!(refused.stderr.contains("open here"), "{refused:?}");
    // As the ledger itself its columns stay columns: nothing is to be done.
    let ws = Workspace::new().task("X-1", "x").approvals(source);
    let answer = ws.run("migrate --as CMD@eve --json").ok().json();
    assert_eq!(answer["data"]["already"], true);
    assert_eq!(ws.read(APPROVALS), source);
}

#[test]
fn the_backup_is_whole_and_a_rollback_needs_it_whole() {
    let ws = in_place(HEADINGS);
    ws.write("more.md", "- [ ] M-1 More\n");
    let answer = ws.run("migrate ORCH/STATE/TASKS.md more.md --as CMD@eve --json").ok().json();
    let folder = answer["data"]["backup"].as_str().unwrap().to_owned();
    assert_eq!(ws.read(&format!("{folder}/before-TASKS.md")), HEADINGS);
    assert_eq!(ws.read(&format!("{folder}/source-001-more.md")), "- [ ] M-1 More\n");
    let manifest: serde_json::Value =
        serde_json::from_str(&ws.read(&format!("{folder}/manifest.json"))).unwrap();
    for file in manifest["files"].as_array().unwrap() {
        let bytes = ws.read(file["copy"].as_str().unwrap());
        let sha = orch::store::entry::sha256_hex(bytes.as_bytes());
        assert_eq!(file["sha256"], sha.as_str());
    }
    assert!(ws.read(&format!("{folder}/report.md")).starts_with("# Migration\n"));
    let after = ws.read(TASKS);
    let copy = format!("{folder}/before-TASKS.md");
    ws.write(&copy, "forged\n");
    let _ = ws.run("migrate --rollback --as CMD@eve").exit(9);
    assert_eq!(ws.read(TASKS), after);
    ws.write(&copy, HEADINGS);
    let id = answer["data"]["op"]["id"].as_str().unwrap();
    let refused = ws.run(&format!("undo {id} --as CMD@eve")).exit(4);
    assert!(refused.stderr.contains(&format!("orch migrate --rollback {id}")), "{refused:?}");
    ws.write(TASKS, format!("{after}\nby hand\n"));
    let refused = ws.run("migrate --rollback --as CMD@eve").exit(9);
    assert!(refused.stderr.contains(&copy), "{refused:?}");
    ws.write(TASKS, &after);
    let _ = ws.run("migrate --rollback --as CMD@eve").ok();
    assert_eq!(ws.read(TASKS), HEADINGS);
    assert_eq!(ws.read("more.md"), "- [ ] M-1 More\n");
}

#[test]
fn an_op_id_migrates_once() {
    let ws = Workspace::new().init();
    ws.write("a.md", "- [ ] K-1 One\n");
    let first = ws.run("migrate a.md --op-id k --as CMD@eve --json").ok().json();
    let again = ws.run("migrate a.md --op-id k --as CMD@eve --json").ok().json();
    assert_eq!(first["data"]["op"], again["data"]["op"]);
    assert_eq!(again["data"]["already"], true);
    let _ = ws.run("migrate a.md --op-id k --from table --as CMD@eve").exit(2);
}
