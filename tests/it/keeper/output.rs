//! What is kept of an output, however much of it there is.

use super::place::{Place, until};
use orch::store::runs::End;
use rustix::process::Signal as Raw;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

const MIB: u64 = 1 << 20;

/// The most memory that the keeper had, which is the parent of the command.
const MEMORY: &str = "echo; sed -n 's/^VmHWM: */memory /p' /proc/$PPID/status";

#[track_caller]
fn memory_is_small(log: &str) {
    let line = log.lines().rev().find_map(|line| line.strip_prefix("memory "));
    let kib: u64 = line.and_then(|line| line.strip_suffix(" kB")).unwrap().trim().parse().unwrap();
    assert!(kib < 64 * 1024, "{kib} KiB");
}

#[test]
fn a_flood_without_a_line_end_takes_neither_disk_nor_memory() {
    let total = 300_000_000;
    let place = Place::of(&format!("head -c {total} /dev/zero; {MEMORY}"));
    let end = place.keep();
    assert_eq!(end.end, End::Exit(0));
    let whole = end.log_bytes + end.left_out;
    assert!(whole > total && end.log_bytes > MIB / 2, "{end:?}");
    let size = fs::metadata(place.run.path().join("run.log")).unwrap().len();
    assert!(size > end.log_bytes && size <= MIB, "{size}");
    assert_eq!(place.files(), ["process.json", "result.json", "run.json", "run.log"]);
    let log = place.log();
    assert!(log.contains(&format!("\n[orch: {} bytes left out]\n", end.left_out)));
    memory_is_small(&log);
}

#[test]
fn bytes_stay_as_they_are() {
    let place = Place::of("head -c 200000 /dev/urandom | tee copy");
    let end = place.keep();
    assert_eq!((end.end, end.log_bytes, end.left_out), (End::Exit(0), 200_000, 0));
    let copy = fs::read(place.work().join("copy")).unwrap();
    assert!(place.run.tail(&place.sys, 1 << 20) == copy);
    assert!(place.run.tail(&place.sys, 1000) == copy[199_000..]);
}

#[test]
fn an_endless_flood_is_seen_while_it_lasts_and_ends_in_time() {
    let place = Place::of("echo $$ >ready; exec yes");
    let kept = place.start();
    place.noted("ready");
    let disk = || {
        let size = |name| fs::metadata(place.run.path().join(name)).map_or(0, |meta| meta.len());
        ["run.log", "run.log.1", "run.log.2"].map(size)
    };
    let (mut seen, mut turns) = (0, std::collections::BTreeSet::new());
    until("it goes in circles", || {
        let last = place.run.tail(&place.sys, 1000);
        assert!(last.iter().all(|byte| b"y\n".contains(byte)));
        seen += usize::from(last.len() == 1000);
        // One file after the other is looked at, while they change places.
        assert!(disk().into_iter().all(|size| size <= MIB / 4));
        let older = fs::metadata(place.run.path().join("run.log.1"));
        turns.extend(older.map(|meta| (meta.ino(), meta.ctime_nsec())));
        turns.len() > 3 && seen > 20
    });
    place.stop("drain", Duration::from_mins(10));
    kept.signal(Raw::TERM);
    let end = kept.ends();
    assert_eq!((&end.end, end.stopped.as_deref()), (&End::Stopped, Some("drain")));
    let sizes = disk();
    assert!(end.left_out > 0 && sizes[0] <= MIB && sizes[1..] == [0, 0], "{end:?} {sizes:?}");
}

#[test]
fn what_is_printed_is_there_at_once() {
    let place = Place::of("printf 'no line end'; mkfifo go; read x <go; printf '; more' >&2");
    let kept = place.start();
    until("it is there", || place.log() == "no line end");
    until("the pipe", || place.is_there("go"));
    fs::write(place.work().join("go"), "\n").unwrap();
    assert_eq!(kept.ends().end, End::Exit(0));
    assert_eq!(place.log(), "no line end; more");
}

#[test]
fn a_log_that_cannot_be_written_costs_output_and_nothing_else() {
    // No file may have more than 4 blocks of 512 bytes.
    let place = Place::of("head -c 1000000 /dev/zero | tr '\\0' x; echo the end; exit 3");
    let end = place.start_by("ulimit -f 4; exec \"$0\" \"$@\"").ends();
    assert_eq!(end.end, End::Exit(3));
    assert_eq!(end.log_bytes + end.left_out, 1_000_008);
    assert!(end.log_bytes <= 3 * 2048, "{end:?}");
    // Nor may it have any log at all.
    let mut place = Place::of("echo hello");
    place.record.max_log = 0;
    let end = place.keep();
    assert_eq!((end.end, end.log_bytes, end.left_out), (End::Exit(0), 0, 6));
}

#[test]
fn a_folder_that_is_gone_does_not_keep_the_command_alive() {
    let mut place = Place::of("echo $$ >ready; while :; do echo more; done");
    place.record.timeout_ms = 500;
    place.record.grace_ms = 50;
    let kept = place.start();
    let ready = place.noted("ready");
    // Files come and go in it meanwhile.
    until("it is gone", || {
        let _ = fs::remove_dir_all(place.run.path());
        !place.run.path().exists()
    });
    assert_eq!(kept.exit_number(), Some(1));
    assert!(ready.is_gone());
}
