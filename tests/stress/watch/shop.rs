//! A workspace with watches in it: starting them (`handle`), waiting for what they
//! do, judging it, and nothing left of their runs (`processes`) afterwards.

use std::collections::BTreeMap;
use std::fs::{self, read_to_string};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

pub use super::handle::{Watch, count};
use super::processes::with_variable;
pub use super::processes::{Process, started};
use crate::support::ground::{Ground, HEAD, Ran, clean, program, row};
use crate::support::judge::{chain, unbroken};
use crate::support::{Stopwatch, pause};

/// Longer than anything takes on a machine that does much else.
pub const LONG: Duration = Duration::from_mins(2);

/// A workspace whose runs are all ended when it is dropped.
pub struct Shop {
    pub ground: Ground,
    dir: Option<tempfile::TempDir>,
}

/// A runner `r` of a shell script, with further settings of it and of `watch:`.
pub fn runner(script: &str, runner: &str, watch: &str) -> String {
    let script = serde_json::to_string(script).unwrap();
    let comma = |more: &str| if more.is_empty() { String::new() } else { format!(", {more}") };
    let (runner, watch) = (comma(runner), comma(watch));
    format!("watch: {{runners: [{{name: r, run: [sh, -c, {script}]{runner}}}]{watch}}}\n")
}

/// `n` rows `T-1`…, READY.
pub fn ready(n: usize) -> String {
    (1..=n).map(|n| row(&format!("T-{n}"), &format!("Task {n}"), "READY")).collect()
}

impl Shop {
    /// With these rows and settings, in memory where that is possible: whether
    /// bytes survive a power cut is not the question here.
    pub fn new(rows: &str, settings: &str) -> Self {
        let memory = tempfile::tempdir_in("/dev/shm");
        let dir = memory.or_else(|_| tempfile::tempdir()).unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let mut shop = Self::on(&root, rows, settings);
        shop.dir = Some(dir);
        shop
    }

    /// The same in a folder that is there.
    pub fn on(root: &Path, rows: &str, settings: &str) -> Self {
        let ground = Ground::on(root, &format!("{HEAD}{rows}"));
        ground.settings(settings);
        Self { ground, dir: None }
    }

    pub fn watch(&self) -> Watch {
        self.watch_with(&[program().as_str(), "watch", "--json"])
    }

    /// A watch by these words: under a tool, or with other options.
    pub fn watch_with(&self, words: &[&str]) -> Watch {
        Watch::start(self.ground.tool(words[0], &words[1..]))
    }

    /// `watch --once`, and what it told.
    #[track_caller]
    pub fn once(&self) -> Vec<Value> {
        let ran = self.ground.run("watch --once --format jsonl").ok();
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A command of a person's, which succeeds.
    #[track_caller]
    pub fn does(&self, words: &[&str]) -> Ran {
        self.ground.orch(words).ok()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.ground.root().join(name)
    }

    /// A file of the workspace; empty where there is none.
    pub fn read(&self, name: &str) -> String {
        read_to_string(self.path(name)).unwrap_or_default()
    }

    pub fn lines(&self, name: &str) -> Vec<String> {
        self.read(name).lines().map(str::to_owned).collect()
    }

    pub fn cell(&self, id: &str, column: &str) -> String {
        // Between an editor's two writes there may be no row.
        self.ground.rows().remove(id).and_then(|mut row| row.remove(column)).unwrap_or_default()
    }

    pub fn state(&self, id: &str) -> String {
        self.cell(id, "state")
    }

    /// How many tasks are in each state.
    pub fn states(&self) -> BTreeMap<String, usize> {
        let mut states = BTreeMap::new();
        for mut row in self.ground.rows().into_values() {
            *states.entry(row.remove("state").unwrap()).or_default() += 1;
        }
        states
    }

    #[track_caller]
    pub fn until_state(&self, id: &str, state: &str) {
        until(&format!("`{id}` is {state}"), || self.state(id) == state);
    }

    /// Everything that was journalled, its chain checked.
    #[track_caller]
    pub fn journal(&self) -> Vec<Value> {
        chain(&self.ground.journal_text(), "the journal")
    }

    /// The folders of a task's runs, oldest first.
    pub fn runs(&self, task: &str) -> Vec<PathBuf> {
        let dir = fs::read_dir(self.path("ORCH/runs").join(task));
        let mut runs: Vec<_> = dir.into_iter().flatten().map(|e| e.unwrap().path()).collect();
        runs.sort();
        runs
    }

    /// How a run ended, as its keeper wrote it.
    pub fn end(run: &Path) -> Option<Value> {
        serde_json::from_str(&read_to_string(run.join("result.json")).ok()?).ok()
    }

    /// The keepers and commands of this workspace that live.
    pub fn processes(&self) -> Vec<Process> {
        let root = format!("ORCH_ROOT={}", self.ground.root().display());
        with_variable(&root)
    }

    /// Those of one run.
    pub fn processes_of(&self, token: &str) -> Vec<Process> {
        let own = with_variable(&format!("ORCH_LEASE_TOKEN={token}"));
        self.processes().into_iter().filter(|process| own.contains(process)).collect()
    }

    /// Waits until the script wrote a line with its own number into a file.
    #[track_caller]
    pub fn noted(&self, name: &str) -> Process {
        let mut noted = None;
        until(name, || {
            let text = self.read(name);
            noted = text.strip_suffix('\n').and_then(|text| text.lines().last()?.parse().ok());
            noted.is_some()
        });
        let pid = noted.unwrap();
        Process { pid, start: started(pid).expect("it lives") }
    }

    /// Ledger, journal and everything that checks find: nothing is wrong, and
    /// nothing is left of any run.
    #[track_caller]
    pub fn is_sound(&self) {
        until("no process is left", || self.processes().is_empty());
        self.does(&["doctor"]);
        self.does(&["audit", "verify"]);
        let found = self.ground.orch(&["check", "--strict", "--json"]).json();
        let findings = found["data"]["findings"].as_array().unwrap();
        let bad: Vec<_> = findings.iter().filter(|f| f["severity"] == "error").collect();
        assert!(bad.is_empty(), "{bad:?}");
        // What a killed one leaves in the folders of runs has a test of its own.
        let left = self.ground.temporaries();
        assert!(left.iter().all(|name| name.starts_with("ORCH/runs/")), "{left:?}");
        let journal = unbroken(&self.ground, "a watch");
        each_run_ends_once(&journal);
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // A keeper killed before its command leaves that; so until nobody is there.
        let time = Stopwatch::start();
        while time.elapsed() < Duration::from_secs(5) {
            let left = self.processes();
            for process in &left {
                process.signal(Signal::KILL);
            }
            if left.is_empty() {
                return;
            }
        }
    }
}

/// A claim begins a run, and no more than one operation ends it.
#[track_caller]
pub fn each_run_ends_once(journal: &[Value]) {
    let mut ends: BTreeMap<(String, u64), Vec<String>> = BTreeMap::new();
    for entry in journal.iter().filter(|entry| entry["run"]["result"].is_string()) {
        let token = entry["run"]["token"].as_u64().unwrap();
        let task = entry["task"].as_str().unwrap().to_owned();
        ends.entry((task, token)).or_default().push(entry["run"]["result"].to_string());
    }
    let twice: Vec<_> = ends.iter().filter(|(_, ends)| ends.len() > 1).collect();
    assert!(twice.is_empty(), "ended more than once: {twice:?}");
}

/// The results of a task's runs, by the journal.
pub fn results(journal: &[Value], task: &str) -> Vec<String> {
    let of = |entry: &Value| entry["run"]["result"].as_str().map(str::to_owned);
    journal.iter().filter(|entry| entry["task"] == task).filter_map(of).collect()
}

/// How many runs of a task were claimed, by the journal.
pub fn claims(journal: &[Value], task: &str) -> usize {
    let is_claim = |entry: &&Value| entry["task"] == task && entry["run"]["attempt"].is_u64();
    journal.iter().filter(is_claim).count()
}

/// Waits for something, which has to come.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let time = Stopwatch::start();
    while !is_so() {
        assert!(time.elapsed() < LONG, "waited for too long: {what}");
        pause(Duration::from_millis(2));
    }
}

/// Whether something stays so for a while: it can only be refuted.
#[track_caller]
pub fn never(what: &str, time: Duration, mut is_so: impl FnMut() -> bool) {
    let clock = Stopwatch::start();
    while clock.elapsed() < time {
        assert!(!is_so(), "{what}");
        pause(Duration::from_millis(10));
    }
}

/// A program in a clean surrounding, for tools beside the workspace.
pub fn tool(name: &str, args: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(name);
    clean(&mut command).args(args);
    command
}
