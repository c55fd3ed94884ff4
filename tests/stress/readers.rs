//! Readers beside writers: each sees one moment of the ledgers, and writes
//! nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::support::ground::{Ground, nth};
use super::support::judge::unbroken;
use super::support::{Stopwatch, at_once, is_shipped, say, scale, strace};

const WRITERS: usize = 8;

/// What one read saw: how far each writer had come.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    steps: Vec<usize>,
    /// How far each writer's acknowledgements were when the read began, and
    /// what each had begun when it ended.
    least: Vec<usize>,
    most: Vec<usize>,
}

/// Each writer moves two rows of its own at once, to HOLD and back, and counts
/// in the title of a third. A read in which two rows of a pair differ is torn;
/// two reads of which neither is the earlier one belong to no serial order.
#[test]
fn t16_every_read_is_one_moment_of_a_serial_order() {
    let ground = Ground::of_rows(3 * WRITERS, "READY");
    // At ten times the readers are sixteen, and each takes from the writers.
    let rounds = 6 * (1 + scale() / 5);
    let (begun, acked): (Vec<_>, Vec<_>) =
        (0..WRITERS).map(|_| (AtomicUsize::new(0), AtomicUsize::new(0))).unzip();
    let writing = AtomicUsize::new(WRITERS);
    let readers = (4 * scale()).min(16);
    let now = |of: &[AtomicUsize]| of.iter().map(|n| n.load(Ordering::SeqCst)).collect::<Vec<_>>();
    let ends = at_once(WRITERS + readers, |w| {
        let (mut seen, mut times, mut starts) = (Vec::new(), Vec::new(), Vec::new());
        if w < WRITERS {
            let [one, two, count] = [1, 2, 3].map(|n| nth(3 * w + n));
            for n in 1..=rounds {
                begun[w].store(n, Ordering::SeqCst);
                ground.run(&format!("set {count} title={n} --as CMD@boss")).ok();
                acked[w].store(n, Ordering::SeqCst);
                ground.run(&format!("hold {one} {two} --as CMD@boss")).ok();
                ground.run(&format!("resume {one} {two} --as CMD@boss")).ok();
            }
            writing.fetch_sub(1, Ordering::SeqCst);
            return (seen, times, starts);
        }
        while writing.load(Ordering::SeqCst) > 0 {
            let (least, watch) = (now(&acked), Stopwatch::start());
            let list = ground.run("list --json").ok();
            times.push(watch.elapsed());
            let most = now(&begun);
            let watch = Stopwatch::start();
            ground.run("--version").ok();
            starts.push(watch.elapsed());
            let list = list.json();
            let tasks = list["data"]["tasks"].as_array().unwrap();
            assert_eq!(tasks.len(), 3 * WRITERS, "T16: rows are missing");
            let steps = tasks
                .chunks(3)
                .map(|rows| {
                    let [one, two] = [&rows[0]["state"], &rows[1]["state"]];
                    assert_eq!(one, two, "T16: a torn read: {rows:?}");
                    rows[2]["title"].as_str().unwrap().parse().unwrap_or(0)
                })
                .collect();
            seen.push(Seen { steps, least, most });
        }
        (seen, times, starts)
    });
    let (mut seen, mut times, mut starts) = (Vec::new(), Vec::new(), Vec::new());
    for (s, t, bare) in ends {
        seen.extend(s);
        times.extend(t);
        starts.extend(bare);
    }
    for read in &seen {
        let between = |w: usize| read.least[w] <= read.steps[w] && read.steps[w] <= read.most[w];
        assert!((0..WRITERS).all(between), "T16: a read of another time: {read:?}");
    }
    let total = |read: &Seen| read.steps.iter().sum::<usize>();
    seen.sort_by_key(total);
    for pair in seen.windows(2) {
        let later = (0..WRITERS).all(|w| pair[0].steps[w] <= pair[1].steps[w]);
        assert!(later, "T16: two reads of no serial order: {:?} {:?}", pair[0], pair[1]);
    }
    assert!(!times.is_empty());
    let p99 = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() * 99 / 100]
    };
    let (read, start) = (p99(times), p99(starts));
    let reads = seen.len();
    say(
        "T16",
        format_args!("{reads} reads beside {WRITERS} writers, p99 {read:?}, starts {start:?}"),
    );
    // A machine that has other things to do is as slow for what only starts.
    let limit = Duration::from_millis(if is_shipped() { 250 } else { 1_000 }).max(start * 4);
    assert!(read < limit, "p99 is {read:?}, and of bare starts {start:?}");
    unbroken(&ground, "T16");
}

/// A row on its way from one file to the other is never nowhere.
#[test]
fn t16_a_row_that_moves_between_files_is_always_somewhere() {
    let ground = Ground::of_rows(40, "READY");
    ground.run("drop T-0007 --as CMD@boss").ok();
    let rounds = 15 * (1 + scale() / 5);
    let writing = AtomicUsize::new(1);
    let reads = at_once(4, |w| {
        let mut reads = 0;
        if w == 0 {
            for n in 0..rounds {
                ground.run("archive --as CMD@boss").ok();
                ground.run(&format!("reopen T-0007 --note n{n} --as CMD@boss")).ok();
                ground.run("drop T-0007 --as CMD@boss").ok();
            }
            writing.fetch_sub(1, Ordering::SeqCst);
            return reads;
        }
        while writing.load(Ordering::SeqCst) > 0 {
            let show = ground.run("show T-0007 --json");
            assert_eq!(show.exit, 0, "T16: a row is nowhere: {show:?}");
            let state = show.json()["data"]["task"]["state"].clone();
            assert!(state == "DROP" || state == "PLAN", "{state}");
            reads += 1;
        }
        reads
    });
    let reads: usize = reads.iter().sum();
    say("T16", format_args!("{reads} reads of a row that moved {} times", 2 * rounds));
    assert!(reads > 0);
    unbroken(&ground, "T16");
}

const READERS: [&str; 12] = [
    "list",
    "list --json",
    "next",
    "show T-0001",
    "status",
    "leases",
    "config",
    "schema",
    "check",
    "log",
    "approvals",
    "audit verify",
];

#[test]
fn t16_readers_open_nothing_to_write() {
    if !strace::works("T16") {
        return;
    }
    let ground = Ground::of_rows(5, "READY");
    ground.run("claim T-0001 --as WORK@ada").ok();
    let calls = "trace=openat,open,creat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,\
         rmdir,link,linkat,symlink,symlinkat,truncate,ftruncate,chmod,fchmod,fchmodat,utimensat,\
         flock,fsync,fdatasync";
    // What one open of one journal's file changes on disk: nothing, not a time.
    let before = ground.files();
    for line in READERS {
        let (ran, log) = strace::traced(&ground, &["-e", "signal=none", "-e", calls], line);
        assert!(matches!(ran.exit, 0 | 2 | 12), "{line}: {ran:?}");
        for call in log.lines() {
            let opens = call.contains("open") && !call.contains("/dev/");
            let harmless = opens
                && !["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"].iter().any(|f| call.contains(f));
            let device = call.contains("open") && call.contains("/dev/");
            assert!(harmless || device, "T16: `{line}` is a reader: {call}");
        }
    }
    assert_eq!(ground.files(), before);
}
