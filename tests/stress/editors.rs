//! A person who saves beside writers, by each of the ways editors have.
//!
//! The editor reads the file before each save, as editors do that notice a
//! change, adds a line of its own below the table and saves. It never removes a
//! line. What it read may be old when it saves: then its save takes back what
//! was acknowledged in between, and the journal has to name that.
//!
//! A save in place is several calls. One that began before our replacement and
//! ended after it went into a file that no longer had the name; no program can
//! promise to keep that, so such saves are counted and said, not judged.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::support::ground::Ground;
use super::support::judge::{sound, unbroken};
use super::support::{Dice, Stopwatch, at_once, is_shipped, pause, say, scale};

const WRITERS: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    /// A new file, renamed over the old one.
    Rename,
    /// The file cut to nothing and written again in three pieces.
    InPlace,
    /// A line added at the end.
    Append,
}

/// One save.
#[derive(Debug)]
struct Save {
    mark: String,
    /// What the editor had read.
    base: String,
    ended: usize,
    /// It went into a file that was no longer the ledger.
    astray: bool,
}

/// Something acknowledged: its mark, and when its command began.
struct Ack {
    mark: String,
    began: usize,
}

fn save(ground: &Ground, how: How, mark: &str) -> (String, bool) {
    let path = ground.tasks();
    let base = fs::read_to_string(&path).unwrap();
    let line = format!("\n{mark}\n");
    match how {
        How::Rename => {
            let copy = ground.state().join("TASKS.md~");
            fs::write(&copy, base.clone() + &line).unwrap();
            fs::rename(&copy, &path).unwrap();
            (base, false)
        }
        How::InPlace => {
            let text = base.clone() + &line;
            let bytes = text.as_bytes();
            let mut file = OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
            for piece in bytes.chunks(bytes.len().div_ceil(3)) {
                file.write_all(piece).unwrap();
            }
            (base, is_astray(ground, &file))
        }
        How::Append => {
            let mut file = OpenOptions::new().append(true).open(&path).unwrap();
            file.write_all(line.as_bytes()).unwrap();
            (base, is_astray(ground, &file))
        }
    }
}

/// Whether the open file is no longer the one that has the ledger's name.
fn is_astray(ground: &Ground, file: &File) -> bool {
    let mine = file.metadata().unwrap();
    fs::symlink_metadata(ground.tasks()).map(|live| live.ino()).ok() != Some(mine.ino())
}

/// Saves beside writers until these are done, then judges.
fn beside_writers(how: How) {
    let dice = Dice::new("T15");
    let ground = Ground::of_rows(20, "READY");
    // A minute at thirty times; a debug build is slower than the editor is fast.
    let long = Duration::from_secs(2 * scale().min(30) as u64);
    let pace = if is_shipped() { 4_000 } else { 25_000 };
    ground.settings("lock_wait: 3s\n");
    let watch = Stopwatch::start();
    let ticks = AtomicUsize::new(0);
    let tick = || ticks.fetch_add(1, Ordering::SeqCst);
    let writing = AtomicUsize::new(WRITERS);
    let ends = at_once(WRITERS + 1, |w| {
        let (mut acks, mut saves, mut gave_way) = (Vec::new(), Vec::new(), 0);
        let mut dice = dice.split(w);
        if w == WRITERS {
            while writing.load(Ordering::SeqCst) > 0 {
                pause(Duration::from_micros(pace + dice.below(2_000) as u64));
                let mark = format!("By hand {}.", saves.len());
                let (base, astray) = save(&ground, how, &mark);
                saves.push(Save { mark, base, ended: tick(), astray });
            }
            return (acks, saves, gave_way);
        }
        for n in 0.. {
            if watch.elapsed() > long {
                break;
            }
            let (mark, began) = (format!("ack{w}-{n}."), tick());
            let ran = ground.orch(&["add", &mark, "--as", "WORK@ada"]);
            match ran.exit {
                0 => acks.push(Ack { mark, began }),
                // It kept changing, or what was there was half a file: theirs
                // stays, and ours was never acknowledged.
                11 => gave_way += 1,
                10 if how == How::InPlace => gave_way += 1,
                _ => panic!("T15: {ran:?}"),
            }
        }
        writing.fetch_sub(1, Ordering::SeqCst);
        (acks, saves, gave_way)
    });
    let (mut acks, mut saves, mut gave_way) = (Vec::new(), Vec::new(), 0);
    for (a, s, g) in ends {
        acks.extend(a);
        saves.extend(s);
        gave_way += g;
    }
    // The last save is a hand edit that the next command takes in.
    ground.run("add Last --as WORK@ada").ok();
    ground.no_temporaries("T15");
    let journal = unbroken(&ground, "T15");
    let kept = everything(&ground);
    let mut lost = Vec::new();
    for save in saves.iter().filter(|save| !kept.contains(&format!("\n{}\n", save.mark))) {
        lost.push(save);
    }
    let astray = lost.iter().filter(|save| save.astray).count();
    let taken: Vec<&Ack> = acks.iter().filter(|ack| !kept.contains(&ack.mark)).collect();
    say(
        "T15",
        format_args!(
            "{how:?}: {} saves, {} lost, {astray} more written past us; {} acknowledged, {} taken \
             back by a save, {gave_way} gave way",
            saves.len(),
            lost.len() - astray,
            acks.len(),
            taken.len(),
        ),
    );
    let marks: Vec<_> = lost.iter().filter(|s| !s.astray).map(|s| s.mark.as_str()).collect();
    assert_eq!(marks, Vec::<&str>::new(), "saves that nobody took back are nowhere");
    assert!(!saves.is_empty() && !acks.is_empty());
    for Ack { mark, began } in taken {
        let mut older = saves.iter().filter(|s| s.ended > *began && !s.base.contains(mark));
        assert!(older.next().is_some(), "`{mark}` is gone, and no older copy was saved over it");
        let named = journal.iter().any(|entry| {
            let diff = entry["diff"].as_str().unwrap_or_default();
            let takes = |line: &str| line.starts_with('-') && line.contains(mark);
            entry["actor"] == "external" && diff.lines().any(takes)
        });
        assert!(named, "`{mark}` was taken back, and no operation by `external` says so");
    }
    for Ack { mark, .. } in &acks {
        let said = journal.iter().any(|e| e["diff"].as_str().is_some_and(|d| d.contains(mark)));
        assert!(said, "`{mark}` was acknowledged and the journal does not know it");
    }
    sound(&ground, "T15");
}

/// The ledger and every conflict file.
fn everything(ground: &Ground) -> String {
    let mut files = ground.files();
    files.retain(|name, _| name.ends_with("TASKS.md") || name.contains(".orch-conflict-"));
    files.values().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
}

#[test]
fn t15_no_save_by_rename_is_lost() {
    beside_writers(How::Rename);
}

#[test]
fn t15_no_save_in_place_is_lost() {
    beside_writers(How::InPlace);
}

#[test]
fn t15_no_line_added_at_the_end_is_lost() {
    beside_writers(How::Append);
}
