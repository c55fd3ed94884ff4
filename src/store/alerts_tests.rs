//! What is told, and that it is told once.
#![allow(clippy::disallowed_methods, reason = "the tests place files by hand")]

use super::*;
use crate::sys::sim::Sim;
use std::fs;

const DAY: Duration = Duration::from_hours(24);

struct World {
    _dir: tempfile::TempDir,
    layout: Layout,
    sim: Sim,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(fs::canonicalize(dir.path()).unwrap());
        fs::create_dir_all(layout.state_dir()).unwrap();
        let sim = Sim::new(&layout.root);
        Self { _dir: dir, layout, sim }
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.sim.sys().clock.now_ms())
    }

    fn sync(&self, alerts: &mut Alerts, keys: &[&str]) -> Vec<(State, String)> {
        let found: Vec<_> = keys.iter().map(|key| overdue(key)).collect();
        let sys = self.sim.sys();
        let told = alerts.sync(&sys, &self.layout, self.now(), &found, &[Kind::Overdue]).unwrap();
        told.into_iter().map(|alert| (alert.state, alert.key)).collect()
    }

    fn file(&self, month: &str) -> String {
        fs::read_to_string(self.layout.alerts_month(month)).unwrap_or_default()
    }
}

fn overdue(key: &str) -> Condition {
    Condition::new(Kind::Overdue, key, format!("`{key}` is overdue"))
}

fn firing(key: &str) -> (State, String) {
    (State::Firing, key.to_owned())
}

fn resolved(key: &str) -> (State, String) {
    (State::Resolved, key.to_owned())
}

#[test]
fn a_change_is_told_once_by_whoever_sees_it_first() {
    let world = World::new();
    let (mut one, mut other) = (Alerts::default(), Alerts::default());
    assert_eq!(world.sync(&mut one, &["a", "b", "a"]), [firing("a"), firing("b")]);
    assert_eq!(world.sync(&mut other, &["a", "b"]), []);
    assert_eq!(world.sync(&mut other, &["b"]), [resolved("a")]);
    assert_eq!(world.sync(&mut one, &["b"]), []);
    // The same again at the same instant is another alert.
    assert_eq!(world.sync(&mut one, &["a", "b"]), [firing("a")]);
    assert_eq!(world.sync(&mut Alerts::default(), &["a", "b"]), []);
    assert_eq!(world.file("2026-01").lines().count(), 4);
    other.look(&world.sim.sys(), &world.layout).unwrap();
    assert_eq!(other.fired()[&("overdue".into(), "warning".into())], 3);
    assert!(other.is_firing(Kind::Overdue) && !other.is_firing(Kind::Disk) && !other.has_error());
    let first = world.file("2026-01");
    assert_eq!(
        first.lines().next(),
        Some(
            "{\"ts\":\"2026-01-01T00:00:00.000Z\",\"kind\":\"overdue\",\"severity\":\"warning\",\
             \"key\":\"a\",\"summary\":\"`a` is overdue\",\"state\":\"firing\"}"
        )
    );
}

#[test]
fn what_was_not_looked_for_goes_on() {
    let world = World::new();
    let (sys, now) = (world.sim.sys(), world.now());
    let mut alerts = Alerts::default();
    let disk = [Condition::new(Kind::Disk, "disk", "little space"), overdue("a")];
    alerts.sync(&sys, &world.layout, now, &disk, &Kind::ALL).unwrap();
    assert!(alerts.has_error());
    assert_eq!(world.sync(&mut alerts, &[]), [resolved("a")]);
    assert!(alerts.is_firing(Kind::Disk));
    let told = alerts.sync(&sys, &world.layout, now, &[], &[Kind::Disk]).unwrap();
    assert_eq!((told.len(), &*told[0].summary), (1, "little space"));
}

#[test]
fn what_fires_outlives_months_and_restarts() {
    let world = World::new();
    let mut running = Alerts::default();
    assert_eq!(world.sync(&mut running, &["a"]), [firing("a")]);
    world.sim.clock.advance(40 * DAY);
    assert_eq!(world.sync(&mut running, &["a"]), []);
    assert_eq!(world.sync(&mut running, &["a", "b"]), [firing("b")]);
    assert_eq!(
        (world.file("2026-01").lines().count(), world.file("2026-02").lines().count()),
        (1, 1)
    );
    world.sim.clock.advance(40 * DAY);
    assert_eq!(world.sync(&mut Alerts::default(), &["b"]), [resolved("a")]);
    assert_eq!(world.sync(&mut running, &["b"]), []);
    // A clock that is behind does not write into the past.
    world.sim.clock.set(1_767_225_600_000);
    assert_eq!(world.sync(&mut Alerts::default(), &[]), [resolved("b")]);
    assert_eq!(world.file("2026-03").lines().count(), 2);
    assert_eq!(world.sync(&mut running, &[]), []);
}

#[test]
fn months_before_the_last_are_read_once() {
    let world = World::new();
    let mut running = Alerts::default();
    for _ in 0..4 {
        world.sync(&mut running, &["a"]);
        world.sim.clock.advance(31 * DAY);
        world.sync(&mut running, &[]);
    }
    world.sim.fs.reset();
    world.sync(&mut running, &["a"]);
    let reads = world.sim.fs.calls().iter().filter(|call| call.starts_with("read ")).count();
    assert!(reads <= 3, "{:?}", world.sim.fs.calls());
    world.sim.fs.reset();
    world.sync(&mut running, &["a"]);
    let calls = world.sim.fs.calls();
    assert!(calls.iter().all(|c| c.starts_with("list ") || c.starts_with("stat ")), "{calls:?}");
}

#[test]
fn damaged_lines_and_other_files_are_no_alerts() {
    let world = World::new();
    let mut alerts = Alerts::default();
    world.sync(&mut alerts, &["a"]);
    let path = world.layout.alerts_month("2026-01");
    let mut text = fs::read_to_string(&path).unwrap();
    text.insert_str(0, "{\"ts\":1}\nnot json\n\n");
    text.push_str("{\"ts\":\"2026-01-01T00:00:00.000Z\",\"kind\":\"over");
    fs::write(&path, &text).unwrap();
    fs::create_dir_all(world.layout.alerts_month("2026-02")).unwrap();
    fs::create_dir_all(world.layout.logs_dir().join("notes")).unwrap();
    assert_eq!(world.sync(&mut alerts, &["a", "b"]), [firing("b")]);
    let mut again = Alerts::read(&world.sim.sys(), &world.layout).unwrap();
    assert_eq!(world.sync(&mut again, &["a", "b"]), []);
    assert!(world.file("2026-01").starts_with(&text), "what is there stays");
}

#[test]
fn git_does_not_see_alerts() {
    let world = World::new();
    world.sync(&mut Alerts::default(), &[]);
    assert!(!world.layout.logs_dir().exists(), "nothing is made for nothing");
    world.sync(&mut Alerts::default(), &["a"]);
    let ignore = world.layout.logs_gitignore();
    assert_eq!(fs::read_to_string(&ignore).unwrap(), "alerts.jsonl\n");
    fs::write(&ignore, "mine\n").unwrap();
    world.sync(&mut Alerts::default(), &["a", "b"]);
    assert_eq!(fs::read_to_string(&ignore).unwrap(), "mine\n");
}

#[test]
fn no_line_holds_a_secret_or_a_control_character() {
    let world = World::new();
    let token = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
    let summary = format!("the task \u{1b}[31m\u{202e} `{token}` {}", "x".repeat(9999));
    let found = [Condition::new(Kind::Overdue, "overdue:\n1", summary)];
    let (sys, now) = (world.sim.sys(), world.now());
    let mut alerts = Alerts::default();
    let told = alerts.sync(&sys, &world.layout, now, &found, &[]).unwrap();
    assert_eq!(told[0].key, "overdue:\\u{a}1");
    assert!(told[0].summary.starts_with("the task \\u{1b}[31m\\u{202e} `[REDACTED"));
    assert!(told[0].summary.chars().count() < 600);
    let line = world.file("2026-01");
    assert!(!line.contains(&token) && !line.trim_end().contains(is_refused));
    assert_eq!(alerts.sync(&sys, &world.layout, now, &found, &[]).unwrap(), []);
}

#[test]
fn no_fault_tells_twice_or_loses_a_change() {
    let world = World::new();
    let sys = world.sim.sys();
    let found = [overdue("a")];
    let mut n = 0;
    loop {
        n += 1;
        let _ = fs::remove_dir_all(world.layout.logs_dir());
        world.sim.fs.reset();
        world.sim.fs.fail_at(n, 28);
        let mut alerts = Alerts::default();
        let first = alerts.sync(&sys, &world.layout, world.now(), &found, &[]);
        let reached = world.sim.fs.count() >= n;
        world.sim.fs.reset();
        let mut alerts = Alerts::default();
        let second = alerts.sync(&sys, &world.layout, world.now(), &found, &[]).unwrap();
        match first {
            Ok(told) => assert_eq!((told.len(), second.len()), (1, 0), "call {n}"),
            // The line may stand though something behind it failed.
            Err(error) => assert!(second.len() <= 1, "call {n}: {error}"),
        }
        assert_eq!(world.file("2026-01").lines().count(), 1, "call {n}");
        if !reached {
            break;
        }
    }
}
