//! Real processes of the real binary on one ledger.
//!
//! Here: what many writers and readers at once may count on. In the folder:
//! odd files (`files`), odd streams and disks (`streams`), editors beside
//! writers (`editors`), named locks (`locks`). Nothing sleeps and nothing is measured in seconds.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests of processes place files by hand and say what they skip"
)]

mod editors;
mod files;
pub mod ground;
mod locks;
mod streams;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};

use ground::{Ground, at_once, row, unbroken};
use serde_json::Value;

#[test]
fn no_acknowledged_change_of_many_writers_is_lost() {
    const WRITERS: usize = 32;
    let ground = Ground::of_rows(8, "PLAN");
    let before = ground.rows();
    let acks = at_once(WRITERS, |w| {
        let mut acks: Vec<(String, &str, String)> = Vec::new();
        let mut add = |n: usize| {
            let title = format!("by {w} number {n}");
            let ran = ground.orch(&["add", &title, "--json", "--as", &format!("WORK@w{w}")]).ok();
            acks.push((ran.id(), "title", title));
        };
        add(0);
        add(1);
        // Four writers share a row, and each has a column of its own.
        let id = format!("T-{:04}", 1 + w / 4);
        let column = ["due", "artifact", "title", "priority"][w % 4];
        for n in 0..2 {
            let value = match column {
                "due" => format!("2030-01-{:02}", 1 + n + w % 20),
                "priority" => ["LOW", "HIGH"][n].to_owned(),
                _ => format!("{column}-{w}-{n}"),
            };
            ground.orch(&["set", &id, &format!("{column}={value}"), "--as", "CMD@boss"]).ok();
            if n == 1 {
                acks.push((id.clone(), column, value));
            }
        }
        acks
    });
    let after = ground.rows();
    let journal = ground.journal();
    unbroken(&journal, &ground.text());
    let mut added = BTreeSet::new();
    let mut expected = before.clone();
    for (id, column, value) in acks.into_iter().flatten() {
        if !before.contains_key(&id) {
            assert!(added.insert(id.clone()), "`{id}` was given twice");
            let mut cells: BTreeMap<_, _> =
                before["T-0001"].keys().map(|name| (name.clone(), "-".to_owned())).collect();
            cells.insert("task_id".into(), id.clone());
            cells.insert("state".into(), "PLAN".into());
            expected.insert(id.clone(), cells);
        }
        let cells = expected.get_mut(&id).unwrap();
        match column {
            "priority" => cells.insert("notes".into(), format!("priority={value}")),
            column => cells.insert(column.into(), value),
        };
    }
    assert_eq!(after, expected, "every acknowledged change, and nothing else");
    assert!(ground.text().ends_with("\nText after the table stays.\n"));
    assert_eq!(added.len(), 2 * WRITERS);
    // One line an operation, and the rows that it says it made are these.
    assert_eq!(journal.len(), 1 + 4 * WRITERS);
    let made: BTreeSet<_> = journal.iter().filter(|e| e["command"] == "add").collect_tasks();
    assert_eq!(made, added);
    ground.no_temporaries();
}

trait CollectTasks {
    fn collect_tasks(self) -> BTreeSet<String>;
}

impl<'v, I: Iterator<Item = &'v Value>> CollectTasks for I {
    fn collect_tasks(self) -> BTreeSet<String> {
        self.map(|entry| entry["task"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn of_sixty_four_claims_on_forty_tasks_forty_win() {
    let ground = Ground::of_rows(40, "READY");
    let ends =
        at_once(64, |w| ground.orch(&["claim", "--next", "--json", "--as", &format!("WORK@w{w}")]));
    let (mut won, mut lost) = (BTreeMap::new(), 0);
    for (w, ran) in ends.iter().enumerate() {
        let data = &ran.json()["data"];
        match ran.exit {
            0 => {
                let token = data["lease"]["token"].as_u64().unwrap();
                let before = won.insert(ran.id(), (format!("WORK@w{w}"), token));
                assert_eq!(before, None, "one task, two winners");
            }
            12 => lost += 1,
            _ => panic!("{ran:?}"),
        }
    }
    assert_eq!((won.len(), lost), (40, 24));
    for (id, row) in ground.rows() {
        assert_eq!((row["state"].as_str(), &row["lock_owner"]), ("DOING", &won[&id].0), "{id}");
    }
    let journal = ground.journal();
    unbroken(&journal, &ground.text());
    let claims: Vec<_> = journal.iter().filter(|e| e["command"] == "claim").collect();
    assert_eq!(claims.len(), 40);
    let tokens: Vec<u64> = claims.iter().map(|e| e["token"].as_u64().unwrap()).collect();
    assert!(tokens.windows(2).all(|pair| pair[0] < pair[1]), "{tokens:?}");
    for entry in claims {
        let (actor, token) = &won[entry["task"].as_str().unwrap()];
        assert_eq!(
            (entry["actor"].as_str(), entry["token"].as_u64()),
            (Some(&**actor), Some(*token))
        );
    }
}

#[test]
fn one_op_id_commits_once_however_many_ask() {
    for round in 0..8 {
        let ground = Ground::new();
        let ends = at_once(2 + round % 3, |_| {
            ground.orch(&["add", "Once", "--op-id", "key", "--json", "--as", "WORK@ada"]).ok()
        });
        let ids: BTreeSet<_> = ends.iter().map(ground::Ran::id).collect();
        assert_eq!(ids.len(), 1, "{ends:?}");
        let firsts = ends.iter().filter(|ran| ran.json()["data"]["already"] == false).count();
        assert_eq!(firsts, 1, "{ends:?}");
        assert_eq!(ground.rows().len(), 1);
        assert_eq!(ground.journal().len(), 2);
        let other = ground.orch(&["add", "Twice", "--op-id", "key", "--as", "WORK@ada"]);
        assert_eq!((other.exit, ground.rows().len()), (2, 1), "{other:?}");
    }
}

#[test]
fn readers_beside_writers_see_whole_ledgers_that_only_grow() {
    const WRITERS: usize = 4;
    let ground = Ground::of_rows(50, "READY");
    let writing = AtomicUsize::new(WRITERS);
    let reads = at_once(WRITERS + 3, |n| {
        if n < WRITERS {
            for i in 0..8 {
                ground.orch(&["add", &format!("More {n} {i}"), "--as", "WORK@ada"]).ok();
            }
            writing.fetch_sub(1, Ordering::SeqCst);
            return 0;
        }
        let (mut most, mut reads) = (0, 0);
        loop {
            let last = writing.load(Ordering::SeqCst) == 0;
            let list = ground.run("list --json").ok().json();
            let tasks = list["data"]["tasks"].as_array().unwrap();
            assert_eq!(list["data"]["total"].as_u64(), Some(tasks.len() as u64));
            assert!(tasks.len() >= most, "{} rows after {most}", tasks.len());
            assert!(tasks.iter().all(|t| t["title"].is_string() && t["state"].is_string()));
            most = tasks.len();
            reads += 1;
            if last {
                assert_eq!(most, 50 + 8 * WRITERS);
                return reads;
            }
        }
    });
    assert!(reads[WRITERS..].iter().all(|reads| *reads > 0));
}

#[test]
fn a_lock_that_somebody_holds_is_named_and_then_free() {
    let ground = Ground::of_rows(1, "READY");
    ground.settings("lock_wait: 200ms\n");
    ground.run("claim T-0001 --as WORK@ada").ok();
    let before = ground.files();
    let lock = ground.state().join("LOCKS/ledger");
    let held = File::options().write(true).open(&lock).unwrap();
    held.lock().unwrap();
    std::fs::write(&lock, "WORK@eve, `orch set`, process 7 on elsewhere").unwrap();
    let ran = ground.run("add More --as WORK@bob").exits(11);
    assert!(ran.err.contains("WORK@eve, `orch set`, process 7 on elsewhere"), "{ran:?}");
    assert_eq!(ground.files(), before, "nothing was written");
    // Readers and previews need no lock.
    ground.run("list").ok();
    ground.run("add More --dry-run --as WORK@bob").ok();
    std::fs::write(&lock, "").unwrap();
    let ran = ground.run("add More --as WORK@bob").exits(11);
    assert!(ran.err.contains("a process that left no note"), "{ran:?}");
    // Not by closing: a child that another test starts just now has a copy.
    held.unlock().unwrap();
    ground.run("add More --as WORK@bob").ok();
    assert_eq!(std::fs::read(&lock).unwrap(), b"", "the note goes with its holder");
}

#[test]
fn a_holder_that_is_killed_holds_nothing() {
    let ground = Ground::with(&format!("{}{}", ground::HEAD, row("T-1", "Kept", "READY")));
    ground.run("claim T-1 --as WORK@ada").ok();
    // `add -` would read stdin before the lock, so the holder is a shell that
    // has the very lock open and is ended without a chance to let go.
    let lock = ground.state().join("LOCKS/ledger");
    let script = "exec 9<>\"$1\"; flock 9 && echo held && exec cat";
    let mut holder = std::process::Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(&lock)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let out = holder.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut said).unwrap();
    if said == "held\n" {
        ground.settings("lock_wait: 0s\n");
        ground.run("add More --as WORK@bob").exits(11);
    } else {
        eprintln!("skipped: there is no `flock` command to hold the lock with");
    }
    holder.kill().unwrap();
    holder.wait().unwrap();
    ground.run("add More --as WORK@bob").ok();
}
