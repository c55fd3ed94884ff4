//! Simulated weeks: a ledger, commands and clocks of a few lines, and a plan that
//! is asked whenever it said it wants to be.

use super::*;
use crate::model::run::{RunResult, backoff};
use crate::services::config::{self, Settings};
use crate::sys::Entropy as _;
use crate::sys::sim::SimEntropy;

const MINUTE: i64 = 60_000;
const WEEK: i64 = 7 * 24 * 60 * MINUTE;
const TTL: i64 = 30 * MINUTE;

/// A task of the simulated ledger.
#[derive(Debug, Default, Clone)]
struct Task {
    attempts: Attempts,
    begun: Vec<i64>,
    /// How many of its attempts fail before one succeeds.
    fails: u32,
    state: &'static str,
    lease_until: i64,
}

/// A command that goes on.
#[derive(Debug, Clone)]
struct Process {
    task: usize,
    token: u64,
    ends: i64,
    renew_at: i64,
    held: bool,
    ending: bool,
}

struct World {
    now: i64,
    random: SimEntropy,
    settings: Settings,
    tasks: Vec<Task>,
    runs: Vec<Process>,
    paused: BTreeMap<String, Timestamp>,
    frozen_until: i64,
    most: usize,
    looks: usize,
}

impl World {
    fn new(seed: u64, tasks: usize) -> Self {
        let yaml = "watch: {max_parallel: 3, runners: [{name: a, run: [x], timeout: 2h, \
                    retries: {max: 2, backoff: 1m, max_backoff: 10m}}]}";
        let settings = config::load(yaml, "orch.yaml").unwrap().settings;
        let mut world = Self {
            now: 1_767_225_600_000,
            random: SimEntropy::new(seed),
            settings,
            tasks: Vec::new(),
            runs: Vec::new(),
            paused: BTreeMap::new(),
            frozen_until: 0,
            most: 0,
            looks: 0,
        };
        for _ in 0..tasks {
            let fails = u32::try_from(world.draw(5)).unwrap();
            world.tasks.push(Task { state: "READY", fails, ..Task::default() });
        }
        world
    }

    fn draw(&mut self, below: u64) -> u64 {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        u64::from_be_bytes(bytes) % below
    }

    fn plan(&mut self, explain: bool) -> Plan {
        self.looks += 1;
        let free: Vec<Free> = (0..self.tasks.len())
            .filter(|n| matches!(self.tasks[*n].state, "READY" | "FIX"))
            .map(|n| Free { task: n.to_string(), runner: 0 })
            .collect();
        let held = self.runs.iter().filter(|run| run.held);
        let running: Vec<u64> = held.map(|run| run.token).collect();
        let attempts = |task: &str| self.tasks[task.parse::<usize>().unwrap()].attempts;
        let view = View {
            free: &free,
            attempts: &attempts,
            running: &running,
            due: &[],
            next_expiry: None,
            has_expired: false,
            frozen: self.now < self.frozen_until,
        };
        let runs: Vec<Run> = self
            .runs
            .iter()
            .map(|run| Run {
                token: run.token,
                name: run.task.to_string(),
                has_lease: true,
                is_held: run.held,
                renew_at_ms: run.renew_at,
                is_ending: run.ending,
            })
            .collect();
        let now = Now { wall: Timestamp(self.now), boot_ms: self.now };
        plan(&view, &runs, &self.settings.watch, &self.paused, Mode::Open, now, explain)
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Start { task, .. } => {
                assert!(self.now >= self.frozen_until, "nothing begins in a freeze");
                let task: usize = task.parse().unwrap();
                let (long, token) = (self.draw(100), self.draw(u64::MAX));
                let now = self.now;
                let it = &mut self.tasks[task];
                assert!(it.attempts.not_before.is_none_or(|at| at.0 <= now), "too early");
                it.attempts.used += 1;
                it.attempts.not_before = None;
                assert!(it.attempts.used <= 3, "one attempt and two retries");
                it.begun.push(now);
                it.state = "DOING";
                it.lease_until = now + TTL;
                let ends = now + MINUTE + i64::try_from(long).unwrap() * MINUTE;
                let renew_at = now + TTL / 3;
                self.runs.push(Process { task, token, ends, renew_at, held: true, ending: false });
                self.most = self.most.max(self.runs.len());
            }
            Action::Renew(tokens) => {
                for run in self.runs.iter_mut().filter(|run| tokens.contains(&run.token)) {
                    assert!(run.held && self.now < self.tasks[run.task].lease_until, "too late");
                    self.tasks[run.task].lease_until = self.now + TTL;
                    run.renew_at = self.now + TTL / 3;
                }
            }
            Action::End(token) => {
                let run = self.runs.iter_mut().find(|run| run.token == token).unwrap();
                assert!(!run.held && !run.ending, "only what lost its lease, and once");
                run.ending = true;
                run.ends = run.ends.min(self.now + 30_000);
            }
            Action::Reap | Action::Schedule(_) => panic!("nothing of the kind here"),
        }
    }

    /// Lets commands end, and people do what they do.
    fn pass(&mut self, until: i64) {
        self.now = until;
        let (ended, go_on) = self.runs.drain(..).partition(|run| run.ends <= until);
        self.runs = go_on;
        let ended: Vec<Process> = ended;
        for run in ended {
            let draw = self.draw(u64::MAX);
            let it = &mut self.tasks[run.task];
            if !run.held {
                continue;
            }
            let used = it.attempts.used;
            if used > it.fails {
                it.state = "REVIEW";
            } else if !it.attempts.has_left(2) {
                it.state = "FIX";
            } else {
                let (base, most) = (Duration::from_mins(1), Duration::from_mins(10));
                let wait = backoff(used, base, most, draw);
                it.attempts.not_before = Some(Timestamp(until).plus(wait));
                it.state = "READY";
            }
            it.attempts.last = Some(RunResult::Failed(1));
        }
        match self.draw(40) {
            0 => self.frozen_until = until + 20 * MINUTE,
            // CMD holds a task that runs, and lets it go again.
            1 if !self.runs.is_empty() => {
                let at = usize::try_from(self.draw(self.runs.len() as u64)).unwrap();
                let task = self.runs[at].task;
                if self.runs[at].held {
                    self.runs[at].held = false;
                    self.tasks[task].attempts = Attempts::default();
                    self.tasks[task].state = "READY";
                }
            }
            _ => {}
        }
    }
}

#[test]
fn in_a_simulated_week_every_task_ends_and_no_bound_is_passed() {
    for seed in 0..40 {
        let mut world = World::new(seed, 60);
        let end = world.now + WEEK;
        while world.now < end {
            let mut sleep = None;
            // What a plan brought about is looked at before time passes.
            for round in 0.. {
                assert!(round < 100, "seed {seed}: it never rests");
                let plan = world.plan(false);
                sleep = plan.sleep;
                if plan.actions.is_empty() {
                    break;
                }
                for action in plan.actions {
                    world.act(action);
                }
            }
            let sleep = sleep.map_or(WEEK, |s| i64::try_from(s.as_millis()).unwrap());
            let next = world.runs.iter().map(|run| run.ends).min().unwrap_or(i64::MAX);
            let wakes = [world.now + sleep.max(1), next, world.frozen_until.max(world.now + 1)];
            let next = if world.now < world.frozen_until { wakes[2] } else { i64::MAX };
            world.pass(wakes[0].min(wakes[1]).min(next).min(end));
        }
        assert!(world.most <= 3, "seed {seed}: {} at a time", world.most);
        assert!(world.runs.is_empty(), "seed {seed}");
        for task in &world.tasks {
            let as_it_should = if task.fails >= 3 { "FIX" } else { "REVIEW" };
            assert_eq!(task.state, as_it_should, "seed {seed}: {task:?}");
        }
        assert!(world.looks < 6000, "seed {seed}: {} looks at so little", world.looks);
    }
}

fn view<'v>(free: &'v [Free], attempts: &'v dyn Fn(&str) -> Attempts) -> View<'v> {
    View {
        free,
        attempts,
        running: &[],
        due: &[],
        next_expiry: None,
        has_expired: false,
        frozen: false,
    }
}

#[test]
fn what_waits_is_named_with_its_reason() {
    let mut world = World::new(1, 0);
    world.settings.watch.max_parallel = 1;
    let free: Vec<Free> = ["T-1", "T-2", "T-3"].map(|t| Free { task: t.into(), runner: 0 }).into();
    let fresh = |_: &str| Attempts::default();
    let now = Now { wall: Timestamp(1000), boot_ms: 1000 };
    let go = |view: &View<'_>, paused: &BTreeMap<String, Timestamp>, explain| {
        plan(view, &[], &world.settings.watch, paused, Mode::Open, now, explain)
    };
    let none = BTreeMap::new();
    let plan = go(&view(&free, &fresh), &none, true);
    assert_eq!(plan.actions, [Action::Start { task: "T-1".into(), runner: 0 }]);
    let why: Vec<&str> = plan.waiting.iter().map(|(_, why)| why.as_str()).collect();
    assert_eq!(why, ["`max_parallel` is 1, and so many runs are going on"; 2]);
    assert!(go(&view(&free, &fresh), &none, false).waiting.is_empty());

    let frozen = View { frozen: true, ..view(&free, &fresh) };
    assert!(go(&frozen, &none, false).actions.is_empty());
    let full = View { running: &[7], ..view(&free, &fresh) };
    assert!(go(&full, &none, false).actions.is_empty());

    let used_up = |_: &str| Attempts { used: 3, ..Attempts::default() };
    assert!(go(&view(&free, &used_up), &none, true).waiting[0].1.contains("used up"));
    let early = |_: &str| Attempts { not_before: Some(Timestamp(4000)), ..Attempts::default() };
    let plan = go(&view(&free, &early), &none, true);
    assert_eq!((plan.actions.len(), plan.sleep), (0, Some(Duration::from_secs(3))));
    let paused = BTreeMap::from([("a".to_owned(), Timestamp(6000))]);
    let plan = go(&view(&free, &fresh), &paused, true);
    assert_eq!((plan.actions.len(), plan.sleep), (0, Some(Duration::from_secs(5))));
}

#[test]
fn renewals_go_together_and_a_lost_lease_ends_its_run() {
    let world = World::new(1, 0);
    let fresh = |_: &str| Attempts::default();
    let run = |token, renew_at_ms, is_held| Run {
        token,
        name: String::new(),
        has_lease: true,
        is_held,
        renew_at_ms,
        is_ending: false,
    };
    let now = Now { wall: Timestamp(0), boot_ms: 1000 };
    let runs = [run(1, 1000, true), run(2, 5000, true), run(3, 0, false)];
    let view = View { running: &[1, 2], has_expired: true, ..view(&[], &fresh) };
    let watch = &world.settings.watch;
    let plan = plan(&view, &runs, watch, &BTreeMap::new(), Mode::Closing, now, false);
    assert_eq!(plan.actions, [Action::End(3), Action::Renew(vec![1, 2])]);
    assert_eq!(plan.sleep, Some(Duration::from_secs(4)));
}
