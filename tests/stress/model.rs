//! Leases against a model, in process: random histories of claims, renewals,
//! ends, waits, hand edits and deaths, on a clock of their own.
//!
//! The model knows who may do what and nothing of how. After each step the
//! exit number and the ledger must be those it expects; tokens only grow; and
//! what a dead command did, its key tells afterwards. Schedules of threads
//! (shuttle) are not explored: writers exclude each other by a lock of the
//! kernel, which has no seam for another scheduler; `concurrency` has the crowd.

use std::ffi::OsString;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use orch::sys::sim::Sim;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use super::support::ground::{HEAD, Ran, row, rows};
use super::support::judge::chain;
use super::support::{Dice, say, scale};

const MINUTE: i64 = 60_000;
const TTL: i64 = 10 * MINUTE;
const GRACE: i64 = 5 * MINUTE;
const TASKS: usize = 2;
const ACTORS: [&str; 3] = ["WORK@ada", "WORK@bob", "WORK@eve"];

/// What happens next. Numbers stand for a task, an actor, or how many tokens ago.
#[derive(Debug, Clone)]
enum Step {
    Claim(usize, usize),
    /// The verb, the task, the actor, and the token: the actor's own newest.
    Use(Verb, usize, usize),
    Wait(i64),
    /// A person changes a title, or the text below the table.
    Edit(usize, bool),
    /// The next command dies at this call.
    Die(usize),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Verb {
    Renew,
    Submit,
    Release,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (task, actor) = (0..TASKS, 0..ACTORS.len());
    let verb = prop_oneof![Just(Verb::Renew), Just(Verb::Submit), Just(Verb::Release)];
    let step = prop_oneof![
        4 => (task.clone(), actor.clone()).prop_map(|(t, a)| Step::Claim(t, a)),
        4 => (verb, task.clone(), actor).prop_map(|(v, t, a)| Step::Use(v, t, a)),
        3 => (0..6_i64).prop_map(|n| Step::Wait(n * 4 * MINUTE)),
        1 => (task, any::<bool>()).prop_map(|(t, prose)| Step::Edit(t, prose)),
        2 => (1..140_usize).prop_map(Step::Die),
    ];
    vec(step, 1..30)
}

#[derive(Debug, Clone)]
struct Lease {
    actor: usize,
    token: u64,
    expires: i64,
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    Ready,
    Doing,
    Review,
}

/// What the model knows of one task.
#[derive(Debug, Clone)]
struct Task {
    state: State,
    lease: Option<Lease>,
    /// Who ended the last lease by itself, and how.
    ended: Option<(usize, Verb)>,
    /// Each actor's newest token, whatever became of it.
    tokens: [Option<u64>; ACTORS.len()],
}

struct Model {
    dir: tempfile::TempDir,
    sim: Sim,
    now: i64,
    tasks: Vec<Task>,
    newest: u64,
    commands: usize,
    die_at: Option<usize>,
    deaths: usize,
}

impl Model {
    fn new() -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir_all(root.join("ORCH/STATE")).unwrap();
        let table: String = (0..TASKS).map(|t| row(&id(t), "Title", "READY")).collect();
        fs::write(root.join("ORCH/STATE/TASKS.md"), format!("{HEAD}{table}\nText.\n")).unwrap();
        fs::write(root.join("ORCH/orch.yaml"), "leases: {ttl: 10m, grace: 5m}\n").unwrap();
        let task =
            Task { state: State::Ready, lease: None, ended: None, tokens: [None; ACTORS.len()] };
        let now = 1_772_355_600_000;
        let sim = Sim::new(root);
        sim.clock.set(now);
        let tasks = vec![task; TASKS];
        Self { dir, sim, now, tasks, newest: 0, commands: 0, die_at: None, deaths: 0 }
    }

    fn once(&self, line: &str) -> Ran {
        let words = std::iter::once("orch").chain(line.split(' ')).map(OsString::from);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = orch::cli::run(&self.sim.sys(), words.collect(), &mut out, &mut err);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ran { exit: exit.into(), out: text(out), err: text(err) }
    }

    /// A command under a key of its own. Where it dies it is asked again under
    /// the same key, as a caller would do that never heard the answer.
    fn run(&mut self, line: &str) -> Ran {
        self.commands += 1;
        // A second for each command, so that no two have one time.
        self.now += 1_000;
        self.sim.clock.set(self.now);
        let line = format!("{line} --json --op-id k{}", self.commands);
        self.sim.fs.reset();
        if let Some(call) = self.die_at.take() {
            self.sim.fs.crash_at(call);
            let first = self.once(&line);
            let died = self.sim.fs.count() >= call;
            self.sim.fs.reset();
            if !died {
                return first;
            }
            self.deaths += 1;
        }
        self.once(&line)
    }

    fn text(&self) -> String {
        fs::read_to_string(self.dir.path().join("ORCH/STATE/TASKS.md")).unwrap()
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Wait(ms) => self.now += ms,
            Step::Die(call) => self.die_at = Some(call),
            Step::Edit(task, prose) => self.edit(task, prose),
            Step::Claim(task, actor) => self.claim(task, actor),
            Step::Use(verb, task, actor) => self.put_to_use(verb, task, actor),
        }
        self.agrees(step);
    }

    fn edit(&self, task: usize, prose: bool) {
        let path = self.dir.path().join("ORCH/STATE/TASKS.md");
        let text = self.text();
        let text = if prose {
            text + "More text.\n"
        } else {
            let old = format!("| {} | ", id(task));
            text.replace(&old, &format!("{old}New "))
        };
        fs::write(path, text).unwrap();
    }

    fn claim(&mut self, t: usize, actor: usize) {
        let ran = self.run(&format!("claim {} --as {}", id(t), ACTORS[actor]));
        let now = self.now;
        let task = &mut self.tasks[t];
        let is_dead = |lease: &Lease| now > lease.expires + GRACE;
        let may = match task.state {
            State::Ready => true,
            State::Doing => task.lease.as_ref().is_some_and(is_dead),
            State::Review => false,
        };
        let on_edge = task.lease.as_ref().is_some_and(|l| (now - l.expires - GRACE).abs() <= 1_000);
        assert!(matches!(ran.exit, 0 | 4 | 5), "{ran:?}");
        assert!(on_edge || may == (ran.exit == 0), "may: {may}, {task:?}: {ran:?}");
        if ran.exit == 0 {
            let token = ran.token();
            assert!(token > self.newest, "tokens grow: {token} after {}", self.newest);
            self.newest = token;
            (task.state, task.ended) = (State::Doing, None);
            task.lease = Some(Lease { actor, token, expires: now + TTL });
            task.tokens[actor] = Some(token);
        }
    }

    fn put_to_use(&mut self, verb: Verb, t: usize, actor: usize) {
        let Some(token) = self.tasks[t].tokens[actor] else { return };
        let word = format!("{verb:?}").to_lowercase();
        let before = self.text();
        let ran = self.run(&format!("{word} {} --token {token} --as {}", id(t), ACTORS[actor]));
        let now = self.now;
        let task = &mut self.tasks[t];
        let current = |l: &Lease| l.actor == actor && l.token == token;
        let may = task.state == State::Doing && task.lease.as_ref().is_some_and(current);
        // The last holder's second `submit` or `release` is no change and no error.
        let again = !may && task.ended == Some((actor, verb)) && ran.exit == 0;
        if again {
            assert_eq!(ran.json()["data"]["already"], true, "{ran:?}");
        } else {
            assert_eq!(may, ran.exit == 0, "`{word}` with {token}, {task:?}: {ran:?}");
        }
        if !may {
            assert!(again || matches!(ran.exit, 4..=6), "{ran:?}");
            assert_eq!(self.text(), before, "nothing was written");
            return;
        }
        task.ended = Some((actor, verb)).filter(|_| verb != Verb::Renew);
        match verb {
            Verb::Renew => {
                let lease = task.lease.as_mut().unwrap();
                lease.expires = lease.expires.max(now + TTL);
            }
            Verb::Submit => (task.state, task.lease) = (State::Review, None),
            Verb::Release => (task.state, task.lease) = (State::Ready, None),
        }
    }

    /// The ledger says what the model says: one holder, or none.
    fn agrees(&self, step: &Step) {
        let rows = rows(&self.text());
        for (t, task) in self.tasks.iter().enumerate() {
            let row = &rows[&id(t)];
            let state = format!("{:?}", task.state).to_uppercase();
            let owner = task.lease.as_ref().map_or("-", |lease| ACTORS[lease.actor]);
            let seen = (row["state"].as_str(), row["lock_owner"].as_str());
            assert_eq!(seen, (state.as_str(), owner), "after {step:?}: {row:?}");
        }
    }
}

fn id(task: usize) -> String {
    format!("T-{}", task + 1)
}

fn journal(model: &Model) -> String {
    let mut months: Vec<_> = match fs::read_dir(model.dir.path().join("ORCH/LOGS")) {
        Ok(dir) => dir.map(|e| e.unwrap().path().join("journal.jsonl")).collect(),
        Err(_) => return String::new(),
    };
    months.sort();
    months.iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect()
}

#[test]
fn t19_leases_do_what_their_model_does() {
    let mut dice = Dice::new("T19");
    let cases = u32::try_from(300 * scale()).unwrap();
    let config =
        Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&dice.next().to_le_bytes());
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let (commands, deaths) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let result = runner.run(&steps(), |steps| {
        let played = catch_unwind(AssertUnwindSafe(|| {
            let mut model = Model::new();
            for step in &steps {
                model.step(step);
            }
            chain(&journal(&model), "T19");
            (model.commands, model.deaths)
        }));
        match played {
            Ok((c, d)) => {
                commands.set(commands.get() + c);
                deaths.set(deaths.get() + d);
                Ok(())
            }
            Err(why) => {
                let text = why.downcast_ref::<String>().cloned();
                Err(TestCaseError::fail(text.unwrap_or_else(|| "a panic".to_owned())))
            }
        }
    });
    if let Err(error) = result {
        panic!("T19: {error}");
    }
    say(
        "T19",
        format_args!("{cases} histories, {} commands, {} deaths", commands.get(), deaths.get()),
    );
    assert!(deaths.get() > 0);
}

/// One hundred of one hundred holders that slept past three times their TTL.
#[test]
fn t21_every_holder_that_slept_finds_its_lease_lost() {
    let rounds = 100;
    for n in 0..rounds {
        let mut model = Model::new();
        let verb = [Verb::Submit, Verb::Renew, Verb::Release][n % 3];
        model.step(&Step::Claim(0, 0));
        model.step(&Step::Wait(3 * TTL + i64::try_from(n).unwrap() * 997));
        // Some find it taken over, some taken over and finished.
        model.step(&Step::Claim(0, 1));
        if n % 2 == 0 {
            model.step(&Step::Use(Verb::Submit, 0, 1));
        }
        let (before, token) = (model.text(), model.tasks[0].tokens[0].unwrap());
        let word = format!("{verb:?}").to_lowercase();
        let with_token = model.run(&format!("{word} T-1 --token {token} --as WORK@ada"));
        assert_eq!(with_token.exit, 6, "T21: round {n}: {with_token:?}");
        let without = model.run(&format!("{word} T-1 --as WORK@ada"));
        assert_eq!(without.exit, 6, "T21: round {n}: {without:?}");
        assert_eq!(model.text(), before, "T21: nothing was written");
    }
    say("T21", format_args!("{rounds} of {rounds} sleeping holders got 6, with and without token"));
}
