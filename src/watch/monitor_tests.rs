//! When something holds, and when the next thing can.
#![allow(clippy::disallowed_methods, reason = "the tests place files by hand")]

use super::*;
use crate::store::entry::{Entry, RowChange, RunMark};
use crate::store::graph::Line;
use crate::store::journal::{Journal, TASKS};
use crate::store::snapshot::{Files, Want};
use crate::sys::sim::Sim;
use std::collections::BTreeMap;
use std::fs;

const HEAD: &str = "\
| task_id | title | state | owner | lock | lock_owner | lock_expires_at | due | artifact | notes |
|---|---|---|---|---|---|---|---|---|---|
";
const APPROVALS_HEAD: &str = "\
| appr_id | task_id | op | status | requested_by | approver | approver_role | ts_req | ts_dec | evidence |
|---|---|---|---|---|---|---|---|---|---|
";

/// Ledgers, a journal and settings.
#[derive(Default)]
struct World {
    tasks: String,
    approvals: String,
    settings: &'static str,
    lines: Vec<String>,
    readings: Readings,
    alerts: Alerts,
}

impl World {
    fn task(mut self, id: &str, state: &str, lock: [&str; 2], due: &str) -> Self {
        let [holder, end] = lock;
        self.tasks.push_str(&format!(
            "| {id} | Title | {state} | - | - | {holder} | {end} | {due} | - | - |\n"
        ));
        self
    }

    fn approval(mut self, id: &str, status: &str, asked: &str) -> Self {
        self.approvals.push_str(&format!(
            "| {id} | T-1 | ship | {status} | WORK@ada | - | - | {asked} | - | - |\n"
        ));
        self
    }

    fn settings(mut self, text: &'static str) -> Self {
        self.settings = text;
        self
    }

    /// A line of the journal that moves a task.
    fn line(mut self, at: &str, command: &str, id: &str, to: &str, run: Option<RunMark>) -> Self {
        let cells = [("state".to_owned(), ("DOING".to_owned(), to.to_owned()))];
        let change = RowChange {
            file: TASKS.into(),
            row: id.into(),
            cells: BTreeMap::from(cells),
            ..RowChange::default()
        };
        let parents = self.lines.last().map(|line| hash(line)).into_iter().collect();
        let entry = Entry {
            seq: self.lines.len() as u64 + 1,
            id: format!("op{}", self.lines.len()),
            ts: time(at).to_millis_string(),
            command: command.into(),
            task: Some(id.into()),
            run,
            changes: vec![change],
            parents,
            ..Entry::default()
        };
        self.lines.push(entry.to_line());
        self
    }

    fn run(self, result: &str, took_ms: u64) -> Self {
        let run = RunMark {
            token: 1,
            runner: Some("coder".into()),
            result: Some(result.into()),
            took_ms: Some(took_ms),
            ..RunMark::default()
        };
        self.line("2026-01-01T00:00:00Z", "release", "T-9", "READY", Some(run))
    }

    fn found(&self, now: &str) -> Found {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(fs::canonicalize(dir.path()).unwrap());
        fs::create_dir_all(layout.state_dir()).unwrap();
        fs::write(layout.tasks(), format!("{HEAD}{}", self.tasks)).unwrap();
        fs::write(layout.approvals(), format!("{APPROVALS_HEAD}{}", self.approvals)).unwrap();
        let sys = Sim::new(&layout.root).sys();
        let files = Files::read(&sys, &layout, Want::All).unwrap();
        let snapshot = Snapshot::parse(&sys, &layout, &files).unwrap();
        let text: String = self.lines.iter().flat_map(|line| [line, "\n"]).collect();
        let past = Past::of(&Journal::of(vec![("2026-01".into(), text.into_bytes())]));
        let settings =
            config::load(&format!("timezone: UTC\n{}", self.settings), "orch.yaml").unwrap();
        conditions(&View {
            settings: &settings.settings,
            snapshot: Some(&snapshot),
            past: Some(&past),
            now: time(now),
            readings: self.readings,
            ledger_error: None,
            settings_error: None,
            alerts: &self.alerts,
        })
    }

    fn keys(&self, now: &str) -> Vec<String> {
        self.found(now).conditions.into_iter().map(|condition| condition.key).collect()
    }

    fn next(&self, now: &str) -> Option<String> {
        self.found(now).next_change.map(|at| at.to_string())
    }
}

fn hash(line: &str) -> String {
    Line::parse(line.as_bytes()).unwrap().hash.to_owned()
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

const FREE: [&str; 2] = ["-", "-"];
const HELD: [&str; 2] = ["WORK@ada", "2026-01-01T10:00:00Z"];
const RUNNER: &str = "watch: {runners: [{name: coder, run: [make]}]}";

#[test]
fn a_lease_is_expired_once_its_grace_is_over() {
    let world = World::default().task("T-1", "DOING", HELD, "-").task("T-2", "READY", FREE, "-");
    assert_eq!(world.keys("2026-01-01T10:04:59Z"), Vec::<String>::new());
    assert_eq!(world.next("2026-01-01T10:04:59Z").unwrap(), "2026-01-01T10:05:00Z");
    let found = world.found("2026-01-01T10:05:00Z");
    assert_eq!((found.conditions.len(), found.next_change), (1, None));
    assert_eq!(
        found.conditions[0],
        Condition::new(
            Kind::LeaseExpired,
            "lease:T-1",
            "the lease of WORK@ada on `T-1` (Title) ended at 2026-01-01T10:00:00Z"
        )
    );
    let typed = World::default().task("T-1", "DOING", FREE, "-");
    assert_eq!(typed.keys("2026-01-01T00:00:00Z"), ["lease:T-1"]);
    let unreadable = World::default().task("T-1", "DOING", ["WORK@ada", "soon"], "-");
    assert_eq!(unreadable.keys("2026-01-01T00:00:00Z"), Vec::<String>::new());
}

#[test]
fn open_tasks_are_overdue_from_the_end_of_their_day() {
    let world = World::default()
        .task("T-1", "PLAN", FREE, "2026-01-02")
        .task("T-2", "HOLD", FREE, "2026-01-01T12:00:00Z")
        .task("T-3", "DONE", FREE, "2025-01-01")
        .task("T-4", "READY", FREE, "some day");
    assert_eq!(world.next("2026-01-01T00:00:00Z").unwrap(), "2026-01-01T12:00:00Z");
    assert_eq!(world.keys("2026-01-01T12:00:00Z"), ["overdue:T-2"]);
    assert_eq!(world.next("2026-01-01T12:00:00Z").unwrap(), "2026-01-03T00:00:00Z");
    assert_eq!(world.keys("2026-01-03T00:00:00Z"), ["overdue:T-1", "overdue:T-2"]);
}

#[test]
fn what_waits_for_people_is_stale_after_a_day() {
    let world = World::default()
        .task("T-1", "REVIEW", FREE, "-")
        .task("T-2", "REVIEW", FREE, "-")
        .approval("A1", "pending", "2026-01-01T01:00:00Z")
        .approval("A2", "pending", "-")
        .approval("A3", "approved", "2026-01-01T01:00:00Z")
        .line("2026-01-01T02:00:00Z", "submit", "T-1", "REVIEW", None);
    assert_eq!(world.next("2026-01-01T03:00:00Z").unwrap(), "2026-01-02T01:00:00Z");
    assert_eq!(world.keys("2026-01-02T01:00:00Z"), ["approval:A1"]);
    assert_eq!(world.keys("2026-01-02T02:00:00Z"), ["review:T-1", "approval:A1"]);
    // A request that has expired is nobody's to decide.
    let world = world.settings("approvals: {expire_after: 2d}");
    assert_eq!(world.keys("2026-01-03T01:00:01Z"), ["review:T-1"]);
    let world = world.settings("watch: {alerts: {review_stale: 1h, approval_stale: 1h}}");
    assert_eq!(world.keys("2026-01-01T03:00:00Z"), ["review:T-1", "approval:A1"]);
}

#[test]
fn a_runner_fails_when_its_newest_runs_do() {
    let mut world = World::default().settings(RUNNER).run("ok", 1000);
    for _ in 0..4 {
        world = world.run("exit 1", 1000);
    }
    assert_eq!(world.keys("2026-01-02T00:00:00Z"), Vec::<String>::new());
    // What the dispatcher took along and what asked for another time say nothing.
    world = world.run("drained", 1000).run("timed out", 1000);
    let found = world.found("2026-01-02T00:00:00Z");
    assert_eq!(found.conditions[0].key, "runner:coder");
    assert_eq!(
        found.conditions[0].summary,
        "the newest 5 runs of the runner `coder` failed, the last: timed out"
    );
    assert_eq!(world.run("later", 1000).keys("2026-01-02T00:00:00Z"), Vec::<String>::new());
    let missing = World::default().settings(RUNNER).run("not started", 0);
    assert_eq!(missing.keys("2026-01-02T00:00:00Z"), ["runner:coder"]);
    let other = "watch: {runners: [{name: other, run: [make]}]}";
    assert_eq!(missing.settings(other).keys("2026-01-02T00:00:00Z"), Vec::<String>::new());
}

#[test]
fn a_task_that_was_given_up_waits_in_fix() {
    let run = RunMark { token: 1, result: Some("exit 2".into()), ..RunMark::default() };
    let at = "2026-01-01T00:00:00Z";
    let world = World::default().line(at, "watch", "T-1", "FIX", Some(run));
    let in_fix = World { tasks: String::new(), ..world }.task("T-1", "FIX", FREE, "-");
    let found = in_fix.found(at);
    assert_eq!(found.conditions[0].key, "run:T-1");
    assert_eq!(found.conditions[0].kind.urgency(), crate::model::alert::Urgency::Error);
    let moved = World { tasks: String::new(), ..in_fix }.task("T-1", "HOLD", FREE, "-");
    assert_eq!(moved.keys(at), Vec::<String>::new());
}

#[test]
fn unusual_runs_are_told_of_only_where_they_are_asked_for() {
    let mut world = World::default().settings(RUNNER);
    for n in 0..12 {
        world = world.run("ok", 60_000 + 500 * n);
    }
    world = world.run("ok", 3_600_000);
    assert_eq!(world.keys("2026-01-02T00:00:00Z"), Vec::<String>::new());
    let world = world.settings("watch: {runners: [{name: coder, run: [make]}], alerts: {ewma: 3}}");
    let found = world.found("2026-01-02T00:00:00Z");
    assert_eq!(found.conditions.len(), 1);
    assert_eq!(found.conditions[0].key, "ewma:coder:duration");
    let summary = &found.conditions[0].summary;
    assert!(summary.starts_with("a run of the runner `coder` took 3600.0 s, "), "{summary}");
    assert_eq!(world.run("ok", 62_000).keys("2026-01-02T00:00:00Z"), Vec::<String>::new());
}

#[test]
fn the_machine_is_told_of_below_a_limit_and_fine_with_a_margin() {
    let at = "2026-01-01T00:00:00Z";
    let mut world =
        World::default().settings("watch: {alerts: {disk: 1GiB, memory: 100MiB, load: 2}}");
    let looked = |world: &World, kind| world.found(at).evaluated.contains(&kind);
    assert!(!looked(&world, Kind::Disk), "unknown is not fine");
    world.readings = Readings { disk: Some(1 << 30), memory: Some(99 << 20), load: Some(2.5) };
    assert!(looked(&world, Kind::Disk));
    let found = world.found(at);
    let summaries: Vec<_> = found.conditions.iter().map(|c| c.summary.as_str()).collect();
    assert_eq!(
        summaries,
        [
            "99MiB of memory are available, less than 100MiB",
            "the load of a minute is 2.50 a core, more than 2"
        ]
    );
    // A little better is not fine yet.
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::new(fs::canonicalize(dir.path()).unwrap());
    fs::create_dir_all(layout.state_dir()).unwrap();
    let sys = Sim::new(&layout.root).sys();
    world.alerts.sync(&sys, &layout, time(at), &found.conditions, &found.evaluated).unwrap();
    world.readings = Readings { disk: Some(1 << 30), memory: Some(105 << 20), load: Some(1.9) };
    assert_eq!(world.keys(at), ["memory", "load"]);
    world.readings = Readings { memory: Some(120 << 20), load: Some(1.7), ..world.readings };
    assert_eq!(world.keys(at), Vec::<String>::new());
    // What is asked for no longer is over.
    world.readings = Readings::default();
    world.settings = "";
    assert!(looked(&world, Kind::Memory));
}

#[test]
fn only_what_is_asked_for_is_read() {
    let sim = Sim::new("/");
    sim.resources.set_disk(7);
    sim.resources.set_memory(8);
    sim.resources.set_load(0.5);
    let take = |text: &str| {
        let settings = config::load(text, "orch.yaml").unwrap().settings;
        Readings::take(&sim.sys(), &Layout::new("/"), &settings.watch.alerts)
    };
    assert_eq!(take(""), Readings::default());
    let all = Readings { disk: Some(7), memory: Some(8), load: Some(0.5) };
    assert_eq!(take("watch: {alerts: {disk: 1, memory: 1, load: 1}}"), all);
}

#[test]
fn what_cannot_be_read_is_told_of_and_nothing_else_is_judged() {
    let settings = Settings::default();
    let found = conditions(&View {
        settings: &settings,
        snapshot: None,
        past: None,
        now: Timestamp(0),
        readings: Readings::default(),
        ledger_error: Some("no table"),
        settings_error: Some("line 3"),
        alerts: &Alerts::default(),
    });
    let keys: Vec<_> = found.conditions.iter().map(|c| (c.kind, c.key.as_str())).collect();
    assert_eq!(keys, [(Kind::LedgerInvalid, "ledger"), (Kind::SettingsInvalid, "settings")]);
    assert!(!found.evaluated.contains(&Kind::LeaseExpired));
    assert!(!found.evaluated.contains(&Kind::RunnerFailing));
}
