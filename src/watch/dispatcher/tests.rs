//! Steps of the loop, one at a time, on a simulated clock.
//!
//! Not here: the loop as a whole, with real commands (`tests/stress/watch`).
#![allow(clippy::disallowed_methods, reason = "the tests place files by hand")]

use super::*;
use crate::services::context::Mode;
use crate::store::layout::Layout;
use crate::sys::sim::Sim;
use std::fs;

const SETTINGS: &str = "\
leases: {ttl: 2m}
watch:
  grace: 10s
  runners: [{name: coder, match: {owner: WORK}, run: [work]}]
  schedules: [{name: nightly, cron: \"0 3 * * *\", run: [work]}]
";
const HEAD: &str = "| task_id | title | state | owner | lock | lock_owner | lock_expires_at |\n\
                    |---|---|---|---|---|---|---|\n";
const ROWS: &str = "| T-1 | One | READY | WORK | - | - | - |\n\
                    | T-2 | Two | READY | WORK | - | - | - |\n";

/// A workspace of two tasks, and the lever of its time.
struct Ground {
    _dir: tempfile::TempDir,
    sim: Sim,
    layout: Layout,
}

impl Ground {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().canonicalize().unwrap());
        fs::create_dir_all(layout.state_dir()).unwrap();
        fs::write(layout.settings(), SETTINGS).unwrap();
        fs::write(layout.tasks(), format!("{HEAD}{ROWS}")).unwrap();
        Self { sim: Sim::new(&layout.root), layout, _dir: dir }
    }

    /// A watch, between two steps of its loop.
    fn watch<R>(&self, act: impl FnOnce(&mut Dispatcher<'_>) -> R) -> R {
        let (sys, root) = (self.sim.sys(), Some(self.layout.root.clone()));
        let ctx = Context::open(&sys, root.clone(), Mode::Change).unwrap();
        let who = ctx.identity(Some("WORK")).unwrap();
        let mut tell = |_: &Event| {};
        act(&mut Dispatcher::new(&sys, root, ctx, who, Request::default(), &mut tell))
    }

    fn pass(&self, seconds: u64) {
        self.sim.clock.advance(Duration::from_secs(seconds));
    }

    /// An editor saves the ledger without the rows of a task.
    fn cut(&self, task: &str) {
        let text = fs::read_to_string(self.layout.tasks()).unwrap();
        let rest = text.split_inclusive('\n').filter(|line| !line.contains(task));
        fs::write(self.layout.tasks(), rest.collect::<String>()).unwrap();
    }
}

impl Dispatcher<'_> {
    fn key_of(&self, task: &str) -> u64 {
        *self.runs.iter().find(|(_, going)| going.name == task).unwrap().0
    }

    fn deadline_of(&self, key: u64) -> i64 {
        self.runs[&key].dir.read_deadline(&self.sys).unwrap().unwrap().at_ms
    }
}

#[test]
fn a_keeper_is_told_of_a_later_end_only_where_its_lease_was_renewed() {
    let ground = Ground::new();
    ground.watch(|watch| {
        assert!(watch.start("T-1", 0).unwrap() && watch.start("T-2", 0).unwrap());
        let keys = [watch.key_of("T-1"), watch.key_of("T-2")];
        let [first, second] = keys.map(|key| watch.deadline_of(key));
        ground.cut("T-1");
        ground.pass(30);
        watch.renew(&keys);
        assert_eq!(watch.deadline_of(keys[0]), first, "its row is missing: nothing was renewed");
        assert!(watch.deadline_of(keys[1]) >= second + 30_000);
        let soon = watch.sys.clock.boot_ms() + 5_000;
        assert!(watch.runs[&keys[0]].renew_at_ms < soon, "it may come back");
        assert!(watch.runs[&keys[1]].renew_at_ms > soon);
    });
}

#[test]
fn a_missing_row_and_a_ledger_that_cannot_be_read_keep_nobody_awake() {
    let ground = Ground::new();
    ground.watch(|watch| {
        watch.start("T-1", 0).unwrap();
        watch.turn(true);
        ground.cut("T-1");
        ground.pass(1);
        let sleep = watch.turn(true);
        assert!((1..=1000).contains(&sleep.as_millis()), "looks when it is clear: {sleep:?}");
        fs::write(ground.layout.tasks(), "| task_id \0").unwrap();
        ground.pass(2);
        watch.end_stuck();
        assert!(watch.turn(true) > Duration::ZERO);
        watch.end_stuck();
        assert!(!watch.dirty && watch.until_next() > Duration::ZERO);
    });
}

#[test]
fn a_drain_waits_for_the_next_try_to_write_an_end() {
    let ground = Ground::new();
    ground.watch(|watch| {
        watch.start("T-1", 0).unwrap();
        let now = watch.sys.clock.boot_ms();
        watch.phase = Phase::Draining(now - 1);
        let key = watch.key_of("T-1");
        assert_eq!(watch.until_next(), Duration::ZERO, "it goes on, and is to be asked to end");
        let going = watch.runs.get_mut(&key).unwrap();
        going.ended = true;
        going.settle_at_ms = Some(now + 500);
        watch.look_at_ms = now + 60_000;
        watch.poll_at_ms = now + 60_000;
        assert_eq!(watch.until_next(), Duration::from_millis(500));
    });
}

#[test]
fn a_keeper_has_a_while_longer_than_its_command() {
    let ground = Ground::new();
    ground.watch(|watch| {
        let at = Timestamp(watch.now_ms());
        watch.start_schedule(&Due { name: "nightly".to_owned(), at }).unwrap();
        watch.start("T-1", 0).unwrap();
        for going in watch.runs.values() {
            let record = going.dir.read_record(&watch.sys).unwrap().unwrap();
            let limit = i64::try_from(record.timeout_ms + record.grace_ms).unwrap();
            let slack = start::ms(going::SLACK);
            assert_eq!(going.must_end_ms, watch.sys.clock.boot_ms() + limit + slack);
        }
        assert_eq!(watch.runs.len(), 2);
    });
}
