//! Somebody turns folders into links that lead out, and back, while commands
//! write (T32). Not one name out there is ever made, changed or removed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::support::ground::{HEAD, copy_dir, nth, row};
use super::support::yard::Yard;
use super::support::{Dice, at_once, pause, say, scale};

const WRITERS: usize = 2;

/// The folder's name and that of a link that leads out change places until the
/// writers are done; at the end the folder is where it was.
fn flip(folder: &Path, link: &Path, writing: &AtomicUsize, dice: &mut Dice) -> usize {
    let mut flips = 0;
    // Two at a time, so that it ends as it began.
    while writing.load(Ordering::SeqCst) > 0 {
        for _ in 0..2 {
            renameat_with(CWD, folder, CWD, link, RenameFlags::EXCHANGE).unwrap();
            flips += 1;
            // Mostly at once, sometimes for as long as a command takes a step.
            if dice.below(8) == 0 {
                pause(Duration::from_micros(dice.below(300) as u64));
            }
        }
    }
    flips
}

/// What writers do: cells, audit lines, locks, archives, evidence.
fn write(yard: &Yard, writer: usize, n: usize) -> Option<String> {
    let mark = format!("mark{writer}-{n}.");
    let id = nth(1 + n % 20);
    let line = match n % 4 {
        0 => format!("add {mark} --as WORK@ada"),
        1 => format!("lock acquire {mark} --as WORK@ada"),
        2 => format!("request {id} --op={mark} --patch fix.diff --as WORK@ada"),
        _ => format!("note {id} {mark} --as WORK@ada"),
    };
    let is_in_ledger = matches!(n % 4, 0 | 3);
    (yard.line(&line, "T32").exit == 0 && is_in_ledger).then_some(mark)
}

/// Flips one folder of `ORCH` for so many writes.
fn beside_writers(place: &str, has_twin: bool, writes: usize) -> (usize, usize) {
    let dice = Dice::new("T32");
    let rows: String = (1..=20).map(|n| row(&nth(n), "Title", "READY")).collect();
    let mut yard = Yard::with(&format!("{HEAD}{rows}"));
    yard.ground.settings("lock_wait: 3s\n");
    yard.ground.run("lock acquire first --as WORK@ada").ok();
    let month = {
        let journal = yard.ground.journal_text();
        let ts = journal.split_once("\"ts\":\"").unwrap().1;
        ts[..7].to_owned()
    };
    let folder = yard.orch().join(place.replace("MONTH", &month));
    fs::create_dir_all(&folder).unwrap();
    // Where the link leads there is all that a writer looks for, or nothing.
    let out = yard.top().join("canary/out");
    fs::create_dir(&out).unwrap();
    if has_twin {
        copy_dir(&folder, &out);
        // A cleaner of temporary files must not take it for its own.
        fs::write(out.join(".TASKS.md.orch-0123456789abcdef"), "not yours\n").unwrap();
    }
    let link = folder.with_file_name("the-link");
    symlink(&out, &link).unwrap();
    yard.settle();
    let (writing, failed) = (AtomicUsize::new(WRITERS), AtomicBool::new(false));
    let ends = at_once(WRITERS + 1, |w| {
        let mut dice = dice.split(w);
        if w == WRITERS {
            return (Vec::new(), flip(&folder, &link, &writing, &mut dice));
        }
        let mut acks = Vec::new();
        for n in 0..writes / WRITERS {
            if failed.load(Ordering::SeqCst) {
                break;
            }
            // Whatever a writer meets, the flipping has to end.
            let write = std::panic::AssertUnwindSafe(|| write(&yard, w, n));
            match std::panic::catch_unwind(write) {
                Ok(ack) => acks.extend(ack),
                Err(_) => failed.store(true, Ordering::SeqCst),
            }
        }
        writing.fetch_sub(1, Ordering::SeqCst);
        (acks, 0)
    });
    let at = format!("T32: {place}, with a twin: {has_twin}");
    assert!(!failed.load(Ordering::SeqCst), "{at}: a command did not end as it should");
    yard.untouched(&at);
    fs::remove_file(&link).unwrap();
    // What was acknowledged is there, and whatever else began is settled.
    yard.line("note T-0001 last --as WORK@ada", &at).ok();
    yard.ground.no_temporaries(&at);
    let verified = yard.line("audit verify", &at);
    assert_eq!(verified.exit, 0, "{at}: {verified:?}\n{}", yard.ground.journal_text());
    let text = yard.ground.text();
    let acks: Vec<_> = ends.iter().flat_map(|(acks, _)| acks).collect();
    for mark in &acks {
        assert!(text.contains(mark.as_str()), "{at}: `{mark}` was acknowledged and is gone");
    }
    yard.untouched(&at);
    (ends[WRITERS].1, acks.len())
}

#[test]
fn t32_a_folder_that_turns_into_a_link_is_never_written_through() {
    let writes = 32 * scale();
    let (mut flips, mut acks, mut all) = (0, 0, 0);
    for place in ["STATE", "LOGS/MONTH", "LOGS", "patches/MONTH", "STATE/LOCKS", "STATE/LOCKS/base"]
    {
        for has_twin in [true, false] {
            let (flipped, acked) = beside_writers(place, has_twin, writes);
            (flips, acks, all) = (flips + flipped, acks + acked, all + writes);
        }
    }
    say("T32", format_args!("{flips} flips, {all} writes, {acks} acknowledged, none out there"));
    assert!(flips > 10_000 && acks > 0, "{flips} flips, {acks} acknowledged");
}
