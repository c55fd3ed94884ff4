//! What is in the files of a log, whatever is printed and whatever fails.

use super::*;
use crate::store::runs::RunDir;
use crate::sys::sim::Sim;
use proptest::prelude::*;

fn place() -> (tempfile::TempDir, Sim) {
    let dir = tempfile::tempdir().unwrap();
    let sim = Sim::new(dir.path());
    (dir, sim)
}

/// Bytes that say where they stand.
fn output(len: usize) -> Vec<u8> {
    (0..len).map(|at| b"0123456789\nabcdefghijk"[(at + at / 97) % 22]).collect()
}

fn sizes(sim: &Sim, dir: &Path) -> u64 {
    let names = [LOG, LOG_PARTS[0], LOG_PARTS[1]];
    names.iter().map(|name| sim.sys().fs.lstat(&dir.join(name)).map_or(0, |stat| stat.len)).sum()
}

fn write(log: &mut Log, output: &[u8], chunks: &[usize]) {
    let (mut rest, mut chunks) = (output, chunks.iter().cycle());
    while !rest.is_empty() {
        let (now, later) = rest.split_at((*chunks.next().unwrap()).min(rest.len()));
        log.write(now);
        rest = later;
    }
}

/// The beginning, the line that tells, the end: of a log that is one file.
fn is_of(log: &[u8], totals: Totals, output: &[u8], most: u64) {
    assert_eq!(totals.kept + totals.left_out, output.len() as u64);
    assert!(log.len() as u64 <= most, "{} of {most}", log.len());
    if totals.left_out == 0 {
        assert!(log == output);
        return;
    }
    let line = format!("[orch: {} bytes left out]\n", totals.left_out);
    let Some(at) = memchr::memmem::find(log, line.as_bytes()) else {
        // A log too small for the line has the beginning alone.
        assert!(most < 100 && output.starts_with(log));
        return;
    };
    let (mut head, tail) = (&log[..at], &log[at + line.len()..]);
    if !output.starts_with(head) || head.len() + tail.len() > usize::try_from(totals.kept).unwrap()
    {
        head = &head[..head.len() - 1];
        assert_ne!(head.last(), Some(&b'\n'));
    }
    assert!(output.starts_with(head) && output.ends_with(tail));
    assert_eq!((head.len() + tail.len()) as u64, totals.kept);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_is_the_beginning_and_the_end(
        most in 0_u64..3000, len in 0_usize..9000,
        chunks in proptest::collection::vec(1_usize..700, 1..9),
    ) {
        let (dir, sim) = place();
        let (sys, output) = (sim.sys(), output(len));
        let mut log = Log::new(&sys, dir.path(), most);
        let mut rest = &output[..];
        for chunk in chunks.iter().cycle() {
            let (now, later) = rest.split_at((*chunk).min(rest.len()));
            log.write(now);
            rest = later;
            prop_assert!(sizes(&sim, dir.path()) <= most);
            let seen = &output[..output.len() - rest.len()];
            let last = RunDir::new(dir.path()).tail(&sys, usize::try_from(log.newer.len).unwrap());
            prop_assert!(seen.ends_with(&last));
            if rest.is_empty() {
                break;
            }
        }
        log.finish();
        prop_assert_eq!(sys.fs.list(dir.path()).unwrap(), [LOG]);
        let bytes = sys.fs.read(&dir.path().join(LOG)).unwrap();
        is_of(&bytes, log.totals(), &output, most);
        // At least what a head and one part hold is there.
        let least = most / 4 + most.saturating_sub(most / 4 + MARK) / 3;
        prop_assert!(log.totals().kept >= least.min(output.len() as u64));
    }

    #[test]
    fn a_fault_costs_output_and_no_more(
        len in 0_usize..6000, at in 1_usize..60, chunk in 100_usize..700,
    ) {
        let (dir, sim) = place();
        let (sys, output, most) = (sim.sys(), output(len), 2000);
        sim.fs.fail_at(at, 28);
        let mut log = Log::new(&sys, dir.path(), most);
        write(&mut log, &output, &[chunk]);
        log.finish();
        sim.fs.reset();
        let totals = log.totals();
        prop_assert_eq!(totals.kept + totals.left_out, output.len() as u64);
        prop_assert!(sizes(&sim, dir.path()) <= most);
        // In one file or, where it could not be made one, in up to three.
        let all = RunDir::new(dir.path()).tail(&sys, 10_000);
        prop_assert!(all.len() as u64 >= totals.kept);
        if totals.left_out == 0 {
            prop_assert!(all == output);
        }
    }
}

#[test]
fn whenever_we_die_the_disk_has_no_more_than_it_may() {
    let most = 2000;
    let run = |crash_at: usize| {
        let (dir, sim) = place();
        let output = output(5000);
        sim.fs.crash_at(crash_at);
        let mut log = Log::new(&sim.sys(), dir.path(), most);
        write(&mut log, &output, &[333]);
        log.finish();
        let count = sim.fs.count();
        sim.fs.reset();
        let size = sizes(&sim, dir.path());
        assert!(size <= most, "{size} at {crash_at}");
        count
    };
    let count = run(usize::MAX);
    assert!(count > 30);
    for at in 1..=count {
        run(at);
    }
}

#[test]
fn the_line_stands_by_itself_and_a_line_end_is_not_doubled() {
    for (head, expected) in [(b"a\n", &b"a\n[orch: "[..]), (b"ab", &b"ab\n[orch: "[..])] {
        let (dir, sim) = place();
        let mut log = Log::new(&sim.sys(), dir.path(), 1000);
        log.head.most = 2;
        log.write(head);
        log.write(&output(4000));
        log.finish();
        let bytes = sim.sys().fs.read(&dir.path().join(LOG)).unwrap();
        assert!(bytes.starts_with(expected), "{}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn what_is_printed_is_seen_while_it_runs_and_a_full_disk_is_got_over() {
    let (dir, sim) = place();
    let sys = sim.sys();
    let run = RunDir::new(dir.path());
    let mut log = Log::new(&sys, dir.path(), 1000);
    log.write(b"no line end");
    assert_eq!(run.tail(&sys, 100), b"no line end");
    log.write(&output(500));
    // Both writes to the newer part and to a new one fail.
    sim.fs.reset();
    sim.fs.fail_at(1, 28);
    log.write(b"lost");
    assert_eq!(log.totals().kept, 250);
    log.write(b"the end");
    assert_eq!(run.tail(&sys, 7), b"the end");
    log.finish();
    assert_eq!(run.tail(&sys, 8), b"\nthe end");
    assert_eq!(log.totals(), Totals { kept: 257, left_out: 265 });
}

#[test]
fn a_folder_that_is_gone_keeps_nothing_and_stops_nothing() {
    let (dir, sim) = place();
    let mut log = Log::new(&sim.sys(), &dir.path().join("gone"), 1000);
    log.write(&output(3000));
    log.finish();
    assert_eq!(log.totals(), Totals { kept: 0, left_out: 3000 });
}
