//! Runs of simulated commands, from what is to be run to how it ended.
//!
//! Real processes are in `tests/it/keeper.rs`.

use super::*;
use crate::store::runs::{Deadline, Stop};
use crate::sys::sim::{Life, Sim};

struct Ground {
    dir: tempfile::TempDir,
    sim: Sim,
}

const SECOND: Duration = Duration::from_secs(1);

impl Ground {
    fn new(argv: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sim = Sim::new(dir.path());
        let ground = Self { dir, sim };
        let record = Record {
            task: "T-1".to_owned(),
            runner: "coder".to_owned(),
            actor: "WORK@coder".to_owned(),
            attempt: 1,
            token: 7,
            host: "testhost".to_owned(),
            machine: "sim".to_owned(),
            watch_pid: 4242,
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            started_at: "2026-01-01T00:00:00.000Z".to_owned(),
            timeout_ms: 3_600_000,
            grace_ms: 10_000,
            max_log: 10_000,
        };
        ground.change(&record, |_| {});
        ground
    }

    /// The command that ends when it is told, unless it is deaf.
    fn of(lasts: Duration, is_deaf: bool) -> Self {
        let ground = Self::new(&["work"]);
        let deaf_to = if is_deaf { vec![Signal::Terminate] } else { Vec::new() };
        ground.sim.process.know("work", Life { deaf_to, ..Life::of(lasts) });
        ground
    }

    fn change(&self, record: &Record, change: impl Fn(&mut Record)) {
        let mut record = record.clone();
        change(&mut record);
        self.run().write_record(&self.sim.sys(), &record).unwrap();
    }

    fn run(&self) -> RunDir {
        RunDir::new(self.dir.path())
    }

    fn record(&self) -> Record {
        self.run().read_record(&self.sim.sys()).unwrap().unwrap()
    }

    fn lease(&self, at_ms: i64) {
        let lease = Deadline { machine: "sim".to_owned(), at_ms };
        self.run().write_deadline(&self.sim.sys(), &lease).unwrap();
    }

    fn stop(&self, why: &str, kill_after_ms: u64) {
        let stop = Stop { why: why.to_owned(), kill_after_ms };
        self.run().write_stop(&self.sim.sys(), &stop).unwrap();
    }

    /// Tells the keeper to stop, after a while.
    fn stop_after(&self, after: Duration, signal: Signal, stop: Option<(&'static str, u64)>) {
        let (process, sys, run) = (self.sim.process.clone(), self.sim.sys(), self.run());
        self.sim.process.later(after, move || {
            if let Some((why, kill_after_ms)) = stop {
                run.write_stop(&sys, &Stop { why: why.to_owned(), kill_after_ms }).unwrap();
            }
            process.raise(signal);
        });
    }

    fn keep(&self) -> RunEnd {
        keep(&self.sim.sys(), self.dir.path()).unwrap();
        self.run().read_end(&self.sim.sys()).unwrap().unwrap()
    }
}

#[test]
fn a_command_ends_by_itself_and_what_it_printed_is_kept() {
    let ground = Ground::new(&["exit", "3"]);
    ground.sim.process.prints("exit", b"hello\n");
    let end = ground.keep();
    assert_eq!((end.token, end.end), (7, End::Exit(3)));
    assert_eq!((end.stopped, end.log_bytes, end.left_out), (None, 6, 0));
    assert_eq!(ground.run().tail(&ground.sim.sys(), 100), b"hello\n");
    let process = ground.run().read_process(&ground.sim.sys()).unwrap().unwrap();
    assert_eq!((process.keeper.pid, &*process.keeper.machine), (4242, "sim"));
    assert_eq!(process.command.map(|command| command.pid), Some(4343));
}

#[test]
fn times_are_those_of_the_command() {
    let ground = Ground::of(90 * SECOND, false);
    // The wall clock is set back meanwhile.
    let clock = ground.sim.clock.clone();
    ground.sim.process.later(30 * SECOND, move || clock.set(1_767_139_200_000));
    let end = ground.keep();
    assert_eq!((end.end, end.took_ms), (End::Exit(0), 90_000));
    assert_eq!(end.started_at, "2026-01-01T00:00:00.000Z");
    assert_eq!(end.ended_at, "2025-12-31T00:01:00.000Z");
}

#[test]
fn one_that_takes_too_long_is_ended() {
    for (is_deaf, took_ms) in [(false, 60_000), (true, 70_000)] {
        let ground = Ground::of(3600 * SECOND, is_deaf);
        ground.change(&ground.record(), |record| record.timeout_ms = 60_000);
        let end = ground.keep();
        assert_eq!((end.end, end.took_ms, end.stopped), (End::TimedOut, took_ms, None));
    }
}

#[test]
fn a_lease_that_nobody_renews_ends_it_in_time() {
    for (is_deaf, took_ms) in [(false, 588_000), (true, 598_000)] {
        let ground = Ground::of(3600 * SECOND, is_deaf);
        ground.lease(600_000);
        let end = ground.keep();
        assert_eq!((end.end, end.took_ms), (End::LeaseEnded, took_ms));
    }
}

#[test]
fn renewals_keep_it_alive() {
    let ground = Ground::of(3000 * SECOND, true);
    ground.lease(600_000);
    for minute in 1_i32..50 {
        let (sys, run) = (ground.sim.sys(), ground.run());
        ground.sim.process.later(60 * SECOND * minute.unsigned_abs(), move || {
            let at_ms = sys.clock.boot_ms() + 600_000;
            run.write_deadline(&sys, &Deadline { machine: "sim".to_owned(), at_ms }).unwrap();
        });
    }
    let end = ground.keep();
    assert_eq!((end.end, end.took_ms), (End::Exit(0), 3_000_000));
    assert_eq!(ground.sim.process.sent(), [Signal::Kill], "only what it might have left");
}

#[test]
fn a_lease_that_cannot_be_read_is_no_lease() {
    let spoil: [fn(&Ground); 3] = [
        |ground| ground.sim.sys().fs.remove_file(&ground.dir.path().join("lease.json")).unwrap(),
        |ground| ground.sim.sys().fs.remove_tree(ground.dir.path()).unwrap(),
        |ground| {
            let lease = Deadline { machine: "another".to_owned(), at_ms: i64::MAX };
            ground.run().write_deadline(&ground.sim.sys(), &lease).unwrap();
        },
    ];
    for (at, spoil) in spoil.into_iter().enumerate() {
        let ground = std::sync::Arc::new(Ground::of(3600 * SECOND, true));
        ground.lease(600_000);
        let later = ground.clone();
        ground.sim.process.later(SECOND, move || spoil(&later));
        let kept = keep(&ground.sim.sys(), ground.dir.path());
        let killed = if at == 2 { 588_000 } else { 598_000 };
        // Where the folder is gone nobody can be told, but it has ended.
        assert_eq!(kept.is_err(), at == 1, "{at}");
        assert_eq!(ground.sim.sys().clock.boot_ms(), killed, "{at}");
    }
}

#[test]
fn a_lease_that_is_over_or_strange_begins_nothing() {
    for (machine, at_ms) in [("sim", 0), ("sim", -5), ("another", 600_000)] {
        let ground = Ground::new(&["true"]);
        let lease = Deadline { machine: machine.to_owned(), at_ms };
        ground.run().write_deadline(&ground.sim.sys(), &lease).unwrap();
        assert_eq!(ground.keep().end, End::LeaseEnded);
        assert!(ground.sim.process.started_programs().is_empty());
    }
    let ground = Ground::new(&["true"]);
    let path = ground.dir.path().join("lease.json");
    ground.sim.sys().fs.append(&path).unwrap().write_all(b"{").unwrap();
    assert!(matches!(ground.keep().end, End::NotStarted(why) if why.contains("lease.json")));
}

#[test]
fn who_is_stopped_has_its_own_end_if_it_comes_to_one() {
    // Killed; asked; by itself in the time that it has.
    for (lasts, is_deaf, expected, took_ms) in [
        (3600, true, End::Stopped, 70_000),
        (3600, false, End::Stopped, 60_000),
        (65, true, End::Exit(0), 65_000),
    ] {
        let ground = Ground::of(lasts * SECOND, is_deaf);
        ground.stop_after(60 * SECOND, Signal::Terminate, Some(("drain", 10_000)));
        let end = ground.keep();
        assert_eq!((end.end, end.took_ms), (expected, took_ms));
        assert_eq!(end.stopped.as_deref(), Some("drain"));
    }
}

#[test]
fn a_second_signal_does_not_ask_again() {
    for (second, took_ms) in [(Signal::Terminate, 65_000), (Signal::Hangup, 160_000)] {
        let ground = Ground::of(3600 * SECOND, true);
        ground.stop_after(60 * SECOND, Signal::Terminate, Some(("drain", 100_000)));
        ground.stop_after(65 * SECOND, second, None);
        assert_eq!(ground.keep().took_ms, took_ms);
    }
    // Nobody said why, nor how long: its own grace.
    let ground = Ground::of(3600 * SECOND, true);
    ground.stop_after(60 * SECOND, Signal::Interrupt, None);
    let end = ground.keep();
    assert_eq!(end.took_ms, 70_000);
    assert_eq!(end.stopped.as_deref(), Some("its keeper got signal 2"));
}

#[test]
fn who_is_stopped_before_it_began_does_not_begin() {
    let ground = Ground::new(&["true"]);
    ground.stop("lost", 0);
    let end = ground.keep();
    assert_eq!((end.end, end.stopped.as_deref()), (End::Stopped, Some("lost")));
    let ground = Ground::new(&["true"]);
    ground.sim.process.raise(Signal::Terminate);
    assert_eq!(ground.keep().end, End::Stopped);
    assert!(ground.sim.process.started_programs().is_empty());
}

#[test]
fn what_cannot_be_started_says_why() {
    let why = |argv: &[&str]| match Ground::new(argv).keep().end {
        End::NotStarted(why) => why,
        end => panic!("{end:?}"),
    };
    assert_eq!(why(&["nothing"]), "there is no program `nothing` in $PATH");
    assert_eq!(why(&["./no/such"]), "there is no file `./no/such`");
    assert_eq!(why(&[]), "no program is named");
}

#[test]
fn a_run_is_kept_once() {
    let ground = Ground::new(&["true"]);
    let sys = ground.sim.sys();
    ground.keep();
    assert_eq!(keep(&sys, ground.dir.path()).unwrap_err().kind, ErrorKind::NotAllowed);
    sys.fs.remove_file(&ground.dir.path().join("process.json")).unwrap();
    assert_eq!(keep(&sys, ground.dir.path()).unwrap_err().kind, ErrorKind::NotAllowed);
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(keep(&sys, empty.path()).unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(ground.sim.process.started_programs().len(), 1);
}

/// At each file call that fails: the command is ended in time, and how is known
/// or nothing was started.
#[test]
fn no_fault_keeps_it_from_ending_the_command() {
    let sizes = || {
        let ground = Ground::of(3600 * SECOND, true);
        ground.change(&ground.record(), |record| record.timeout_ms = 60_000);
        ground.lease(600_000);
        ground.sim.process.prints("work", b"hello\n");
        ground.sim.fs.reset();
        ground
    };
    let ground = sizes();
    ground.keep();
    let count = ground.sim.fs.count();
    assert!(count > 20, "{count}");
    for at in 1..=count {
        let ground = sizes();
        ground.sim.fs.fail_at(at, 28);
        let kept = keep(&ground.sim.sys(), ground.dir.path());
        ground.sim.fs.reset();
        let end = ground.run().read_end(&ground.sim.sys()).ok().flatten().map(|end| end.end);
        let was_started = !ground.sim.process.started_programs().is_empty();
        if was_started {
            assert_eq!((kept.is_ok(), end), (true, Some(End::TimedOut)), "{at}");
            assert!(ground.sim.sys().clock.boot_ms() < 80_000);
        } else {
            let is_told = matches!(end, Some(End::NotStarted(_)));
            assert!(kept.is_err() || is_told, "{at}: {kept:?} {end:?}");
        }
    }
}
