//! An editor that saves without the lock, beside writers.
//!
//! What holds today: a writer looks at the live file just before it renames its
//! copy over it, and gives way to a save that it sees. Between that look and
//! the rename a save can slip through and be lost; `faults` visits every other
//! moment one by one and shows that this is the only one. The next step makes
//! the rename an exchange and looks at what it displaced, and then no save is
//! lost at any moment; until then this test counts them and says so.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::ground::{Ground, at_once};

const WRITERS: usize = 4;
const ROUNDS: usize = 12;

/// One save: what the editor had, and when it was written, in ticks.
struct Save {
    base: String,
    ended: usize,
}

#[test]
fn an_acknowledged_change_goes_only_where_an_older_copy_was_saved_over_it() {
    for in_place in [false, true] {
        let ground = Ground::of_rows(20, "READY");
        let ticks = AtomicUsize::new(0);
        let tick = || ticks.fetch_add(1, Ordering::SeqCst);
        let writing = AtomicUsize::new(WRITERS);
        let done = at_once(WRITERS + 1, |n| {
            if n == WRITERS {
                return (Vec::new(), edit(&ground, in_place, &tick, &writing));
            }
            let mut acks = Vec::new();
            for i in 0..ROUNDS {
                let title = format!("ack {n}-{i}.");
                let began = tick();
                let ran = ground.orch(&["add", &title, "--as", "WORK@ada"]);
                match ran.exit {
                    0 => acks.push((title, began)),
                    // The file kept changing, or was half a file: their bytes
                    // stay and ours were never acknowledged.
                    11 => {}
                    10 if in_place => {}
                    _ => panic!("{ran:?}"),
                }
            }
            writing.fetch_sub(1, Ordering::SeqCst);
            (acks, Vec::new())
        });
        let text = ground.text();
        let (mut acks, mut saves) = (Vec::new(), Vec::new());
        for (some_acks, some_saves) in done {
            acks.extend(some_acks);
            saves.extend(some_saves);
        }
        assert!(!acks.is_empty() && !saves.is_empty());
        let mut taken_back = 0;
        for (title, began) in &acks {
            if text.contains(title) {
                continue;
            }
            taken_back += 1;
            let by = saves.iter().any(|s| s.ended > *began && !s.base.contains(title));
            assert!(by, "`{title}` is gone, and no save from an older copy came after it");
        }
        let lost = (0..saves.len()).filter(|n| !text.contains(&mark(*n))).count();
        eprintln!(
            "in place: {in_place}; {} acknowledged, {taken_back} taken back by a save, {} saves, \
             {lost} not in the file",
            acks.len(),
            saves.len(),
        );
        // The journal knows every acknowledged change, taken back or not.
        let journal = ground.journal_text();
        assert!(acks.iter().all(|(title, _)| journal.contains(title.as_str())));
        ground.journal();
        ground.run("add Last --as WORK@ada").ok();
        ground.no_temporaries();
    }
}

fn mark(n: usize) -> String {
    format!("editor's line {n}.\n")
}

/// Reads, looks at something else for as long as a command takes, adds a line at
/// the end, saves; as long as anybody writes.
fn edit(
    ground: &Ground,
    in_place: bool,
    tick: &dyn Fn() -> usize,
    writing: &AtomicUsize,
) -> Vec<Save> {
    let mut saves = Vec::new();
    while writing.load(Ordering::SeqCst) > 0 {
        let base = ground.text();
        ground.run("list --json");
        let text = base.clone() + &mark(saves.len());
        if in_place {
            fs::write(ground.tasks(), &text).unwrap();
        } else {
            let copy = ground.state().join("TASKS.md~");
            fs::write(&copy, &text).unwrap();
            fs::rename(&copy, ground.tasks()).unwrap();
        }
        saves.push(Save { base, ended: tick() });
    }
    saves
}
