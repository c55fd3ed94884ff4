//! What `log` says where its transcripts do not go: hand edits, branches, every
//! format, ids that are nobody's.

use crate::support::Workspace;
use crate::support::workspace::TASKS;

fn worked_on() -> Workspace {
    let ws = Workspace::new().task("T-1", "Write parser").task("T-2", "Read it");
    for line in ["claim T-1 --as WORK@ada", "note T-1 a|b --as WORK@ada"] {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let _ = ws.run_words(&words, b"").ok();
        ws.clock().advance(std::time::Duration::from_mins(1));
    }
    ws
}

#[test]
fn blame_tells_what_was_found_set_and_edited_by_hand() {
    let ws = worked_on();
    let _ = ws.run("log T-1 --blame").ok().stdout(
        "
COLUMN           VALUE[..]
task_id          T-1                            [..] 2026-01-01T09:00:00Z  genesis  [..]
title            Write parser                   [..] 2026-01-01T09:00:00Z  genesis  [..]
[..]
",
    );
    // From here on nobody knows what else was edited.
    ws.write(TASKS, ws.read(TASKS).replace("Write parser", "Write the parser"));
    let _ = ws.run("log T-1 --blame").ok().stdout(
        "
COLUMN           VALUE[..]
task_id          T-1                            [..] not journalled
title            Write the parser               [..] not journalled
state            DOING                          WORK@ada  2026-01-01T09:00:00Z  claim    [..]
lock             WORK@ada@2026-01-01T09:00:00Z  WORK@ada  2026-01-01T09:00:00Z  claim    [..]
lock_owner       WORK@ada                       WORK@ada  2026-01-01T09:00:00Z  claim    [..]
lock_expires_at  2026-01-01T09:30:00Z           WORK@ada  2026-01-01T09:00:00Z  claim    [..]
notes            a|b                            WORK@ada  2026-01-01T09:01:00Z  note     [..]
",
    );
    let blame = ws.run("log T-1 --blame --json").ok().json();
    let title = &blame["data"]["blame"][1];
    assert_eq!(
        (&title["actor"], &title["op"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
    // A task that nobody touched has a past, which is empty.
    let untouched = ws.run("log T-2 --json").ok().json();
    assert_eq!(untouched["data"]["total"], 0);
}

#[test]
fn every_format_tells_the_same_operations() {
    let ws = worked_on();
    let json = ws.run("log --json").ok().json();
    let entries = json["data"]["entries"].as_array().unwrap();
    let ids: Vec<&str> = entries.iter().map(|e| e["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(entries[0]["changes"][0]["cells"]["notes"], serde_json::json!([null, "a|b"]));
    for format in ["jsonl", "csv", "md"] {
        let out = ws.run(&format!("log --format {format}")).ok().stdout;
        let places: Vec<_> = ids.iter().map(|id| out.find(id)).collect();
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "{format}: {out}");
    }
    let one = ws.run(&format!("log {} --json", ids[0])).ok().json();
    assert_eq!(one["data"]["entries"][0], entries[0]);
    let lines = ws.run("log --format jsonl --limit 1").ok().stdout;
    let line: serde_json::Value = serde_json::from_str(&lines).unwrap();
    assert_eq!(&line, &entries[0]);
}

#[test]
fn what_nobody_has_is_not_found() {
    let ws = worked_on();
    for id in ["T-9", "zzzz", "06d", "''"] {
        let _ = ws.run(&format!("log {id}")).exit(3);
    }
    let _ = ws.run("log --blame").exit(2);
    let _ = Workspace::new().task("T-1", "x").run("log --blame").exit(2);
    let _ = Workspace::new().task("T-1", "x").run("log").ok();
    let _ = Workspace::new().run("log").exit(3);
}
