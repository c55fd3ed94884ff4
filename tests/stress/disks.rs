//! Power cuts, full disks, limits: real file systems that lose or refuse.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use super::support::ground::{Ground, rows_text};
use super::support::image::{self, Mounted};
use super::support::judge::{SCENES, Side, chain, unbroken};
use super::support::strace::{self, Point, calls, killed, sample};
use super::support::{Cases, Dice, has, say, scale, skip};

/// What a power cut leaves of an image: what has reached it so far, and nothing
/// that the system still held in memory.
fn after_the_cut(image: &Path, scratch: &Path, look: impl FnOnce(&Ground)) {
    let copy = scratch.join("after");
    fs::copy(image, &copy).unwrap();
    let mounted = Mounted::image(&copy, &scratch.join("look"));
    look(&Ground::at(&mounted.at().join("work")));
}

/// Acknowledges changes on a disk of its own and cuts the power after each.
/// Says how many acknowledged changes were not there afterwards.
fn lost_to_the_cut(runner: Option<&str>, rounds: usize) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let disk = dir.path().join("disk");
    let mut lost = 0;
    for n in 0..rounds {
        // A new disk now and then: the first use makes journal and folders.
        let fresh = n % 20 == 0;
        if fresh {
            image::format(&disk, 8);
        }
        let mounted = Mounted::image(&disk, &dir.path().join("live"));
        let root = mounted.at().join("work");
        if fresh {
            Ground::on(&root, &rows_text(20, "READY"));
            rustix::fs::sync();
        }
        let ground = Ground::at(&root);
        let line = format!("add cut{n}. --as CMD@boss --op-id k{n} --json");
        match runner {
            Some(runner) => ground.under(&[runner], &line).ok(),
            None => ground.run(&line).ok(),
        };
        after_the_cut(&disk, dir.path(), |ground| {
            let there = |ground: &Ground| {
                fs::read_to_string(ground.tasks()).is_ok_and(|t| t.contains(&format!("cut{n}.")))
            };
            if !there(ground) || !ground.journal_text().contains(&format!("\"k{n}\"")) {
                // A committed change may wait for the next command.
                let _ = ground.run("set T-0001 due=2031-01-01 --as CMD@boss");
            }
            let journal = ground.journal_text().contains(&format!("\"k{n}\""));
            if !there(ground) || !journal {
                lost += 1;
            } else {
                let at = format!("T6, round {n}");
                let again = ground.run(&line);
                assert!(again.exit == 0 && again.json()["data"]["already"] == true, "{again:?}");
                chain(&ground.journal_text(), &at);
                ground.no_temporaries(&at);
            }
        });
        drop(mounted);
    }
    lost
}

#[test]
fn t06_a_power_cut_after_an_acknowledgement_loses_nothing() {
    if !image::works("T6") {
        return;
    }
    let rounds = 12 * scale().min(400);
    let lost = lost_to_the_cut(None, rounds);
    say("T6", format_args!("{rounds} cuts after an acknowledgement: {lost} lost"));
    assert_eq!(lost, 0, "of {rounds}");
    // The test can see a loss: without fsync everything is lost.
    if has("T6 (control)", "eatmydata", &["true"]) {
        let rounds = 4 * scale().min(5);
        let lost = lost_to_the_cut(Some("eatmydata"), rounds);
        say("T6", format_args!("without fsync: {lost} of {rounds} lost, as it must be"));
        assert!(lost * 2 > rounds, "the control shows that a loss would be seen: {lost}/{rounds}");
    }
}

#[test]
fn t06_a_power_cut_at_any_call_leaves_old_or_new() {
    if !image::works("T6") || !strace::works("T6") {
        return;
    }
    let mut dice = Dice::new("T6");
    let stage = SCENES[0].stage();
    let line = stage.scene.keyed();
    let (points, _) = calls(&stage.start, &line);
    let points: Vec<_> = sample(points, 60).into_iter().filter(Point::changes).collect();
    let dir = tempfile::tempdir().unwrap();
    let (disk, first) = (dir.path().join("disk"), dir.path().join("first"));
    image::format(&first, 8);
    {
        let mounted = Mounted::image(&first, &dir.path().join("live"));
        super::support::ground::copy_dir(stage.start.root(), &{
            let root = mounted.at().join("work");
            fs::create_dir(&root).unwrap();
            root
        });
    }
    let rounds = (8 * scale()).min(points.len());
    let mut cases = Cases::new("T6");
    let (mut cuts, mut new, offset) = (0, 0, dice.below(points.len()));
    for n in 0..rounds {
        let point = &points[(offset + n * points.len() / rounds) % points.len()];
        let at = format!("T6: cut at {} {}: {}", point.name, point.nth, point.line);
        fs::copy(&first, &disk).unwrap();
        let mounted = Mounted::image(&disk, &dir.path().join("live"));
        let live = Ground::at(&mounted.at().join("work"));
        if !killed(&live, &point.name, point.nth, &line) {
            continue;
        }
        cuts += 1;
        after_the_cut(&disk, dir.path(), |ground| {
            let side = cases.judge(|| {
                stage.each_is_whole(ground, &at);
                stage.settle(ground, &at)
            });
            new += usize::from(side == Some(Side::New));
        });
    }
    cases.finish();
    say("T6", format_args!("{cuts} cuts amid a commit: {new} new, the others old"));
    assert!(cuts > 0);
}

/// Fills the disk but for so many bytes.
fn fill(path: &Path, free: u64) {
    let mut file = File::create(path).unwrap();
    let mut size = 65_536;
    while size >= 512 {
        if file.write_all(&vec![b'x'; size]).is_err() {
            size /= 2;
        }
    }
    let full = file.metadata().unwrap().len();
    file.set_len(full.saturating_sub(free)).unwrap();
    file.sync_all().unwrap();
}

/// A change on a disk with so much room: done, or refused with nothing changed;
/// and it works once there is room.
fn in_little_room(root: &Path, free: u64, what: &str) -> i32 {
    let at = format!("T7: {what}, {free} bytes free");
    let ground = Ground::on(root, &rows_text(60, "READY"));
    ground.run("note T-0001 before --as WORK@ada").ok();
    let (old, journal) = (ground.ledgers(), ground.journal_text());
    let ballast = root.parent().unwrap().join("ballast");
    fill(&ballast, free);
    let line = "claim T-0002 --op-id k --as WORK@ada --json";
    let ended = ground.run(line);
    ended.ended_by_itself(&at);
    match ended.exit {
        1 => {
            assert_eq!(ground.ledgers(), old, "{at}");
            assert_eq!(ground.journal_text(), journal, "{at}");
            assert!(
                ended.err.contains("no space left") || ended.err.contains("space"),
                "{ended:?}"
            );
        }
        0 | 13 => {}
        _ => panic!("{at}: {ended:?}"),
    }
    // Readers need no room.
    ground.run("list --json").ok();
    fs::remove_file(ballast).unwrap();
    ground.run("claim T-0003 --as WORK@bob").ok();
    let done = ground.rows()["T-0002"]["state"] == "DOING";
    assert_eq!(done, ended.exit != 1, "{at}: {ended:?}");
    let again = ground.run(line).ok();
    assert_eq!(again.json()["data"]["already"] == true, done, "{at}: {again:?}");
    ground.no_temporaries(&at);
    unbroken(&ground, &at);
    ended.exit
}

#[test]
fn t07_a_full_disk_refuses_whole_and_works_again_with_room() {
    if !image::works("T7") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let rooms = if scale() > 1 { 24 } else { 7 };
    for in_memory in [true, false] {
        let what = if in_memory { "tmpfs of 256 KiB" } else { "ext4 of 8 MiB" };
        let mut exits = Vec::new();
        for n in 0..rooms {
            let at = dir.path().join("at");
            let _mounted = if in_memory {
                Mounted::memory(&at, 256)
            } else {
                let disk = dir.path().join("disk");
                image::format(&disk, 8);
                Mounted::image(&disk, &at)
            };
            exits.push(in_little_room(&at.join("work"), 4096 * n, what));
        }
        say("T7", format_args!("{what}, 0 to {} pages free: exits {exits:?}", rooms - 1));
        assert!(exits.contains(&1), "{what}: {exits:?}");
        assert_eq!(exits[0], 1, "{what}: {exits:?}");
    }
}

/// A command under a limit: done, or refused with nothing changed.
fn limited(limit: &str, exits: &[i32]) -> i32 {
    let ground = Ground::of_rows(60, "READY");
    ground.run("note T-0001 before --as WORK@ada").ok();
    let (old, journal) = (ground.ledgers(), ground.journal_text());
    let line = "claim T-0002 --op-id k --as WORK@ada --json";
    let ended = ground.under(&["prlimit", limit], line);
    let at = format!("T8: {limit}: {ended:?}");
    assert!(exits.contains(&ended.exit), "{at}");
    if !matches!(ended.exit, 0 | 13) {
        assert_eq!((ground.ledgers(), ground.journal_text()), (old, journal), "{at}");
    }
    ground.run("claim T-0003 --as WORK@bob").ok();
    let done = ground.rows()["T-0002"]["state"] == "DOING";
    assert_eq!(done, matches!(ended.exit, 0 | 13), "{at}");
    let again = ground.run(line).ok();
    assert_eq!(again.json()["data"]["already"] == true, done, "{at}: {again:?}");
    ground.no_temporaries(&at);
    unbroken(&ground, &at);
    ended.exit
}

fn has_limits() -> bool {
    has("T8", "prlimit", &["--fsize=1000000", "true"])
}

/// Through the ledger's size and the journal's.
#[test]
fn t08_a_limit_on_the_size_of_files_refuses_whole() {
    if !has_limits() {
        return;
    }
    let step = if scale() > 1 { 256 } else { 1024 };
    let sizes = (0..9_000).step_by(step);
    let mut cases = Cases::new("T8");
    let exits: Vec<_> = sizes
        .filter_map(|size| cases.judge(|| limited(&format!("--fsize={size}:{size}"), &[0, 1, 13])))
        .collect();
    say("T8", format_args!("limits on the size of files: exits {exits:?}"));
    cases.finish();
    assert!(exits.contains(&0) && exits.contains(&1), "{exits:?}");
}

/// Below four no program starts at all: its libraries are files too.
#[test]
fn t08_a_limit_on_open_files_refuses_whole() {
    if !has_limits() {
        return;
    }
    let exits: Vec<_> =
        (3..12).map(|n| limited(&format!("--nofile={n}:{n}"), &[0, 1, 10, 13, 127])).collect();
    say("T8", format_args!("limits on open files: exits {exits:?}"));
    assert!(exits.contains(&0), "{exits:?}");
}

/// A program without memory cannot say so, but it does nothing by halves.
#[test]
fn t08_a_limit_on_memory_changes_nothing_by_halves() {
    if !has_limits() {
        return;
    }
    // Below this the program does not even start: the system ends it.
    let ground = Ground::of_rows(1, "READY");
    let starts = |kib: &u64| {
        let limit = format!("--as={}", kib << 10);
        ground.under(&["prlimit", &limit], "--version").exit == 0
    };
    let Some(least) = (16..1024).map(|n| n * 256).find(starts) else {
        return skip("T8", "no limit on memory lets the program start");
    };
    let mut exits = Vec::new();
    for step in [0, 64, 128, 192, 256, 320, 384, 512, 1024, 4096, 65536] {
        exits.push(limited(&format!("--as={}", (least + step) << 10), &[0, 1, 13, 134]));
    }
    say("T8", format_args!("limits on memory, from {least} KiB: exits {exits:?}"));
    assert!(exits.contains(&0), "{exits:?}");
}
