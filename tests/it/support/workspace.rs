//! A workspace in a temporary folder, and commands run in it without a process.
//!
//! The world is `sys::sim`: 2026-01-01T09:00:00Z until told otherwise, user
//! `ada` on host `desk`, counted randomness, no terminal. Files are real.

use super::shell;
use orch::ledger::unified::unified;
use orch::model::time::Timestamp;
use orch::store::runs::{self, End, KeeperFile, RunDir, RunEnd};
use orch::sys::sim::{
    FaultFs, Life, Role, Sim, SimClock, SimEntropy, SimEnv, SimEvents, SimProcess, SimResources,
};
use orch::sys::{Disk, Installed, Network, Own, Sys};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// The task ledger's path below the root.
pub const TASKS: &str = "ORCH/STATE/TASKS.md";
/// The approval ledger's path below the root.
pub const APPROVALS: &str = "ORCH/STATE/APPROVALS.md";

/// A workspace for one test.
pub struct Workspace {
    root: PathBuf,
    scratch: PathBuf,
    clock: Arc<SimClock>,
    fs: Arc<FaultFs>,
    entropy: Arc<SimEntropy>,
    surroundings: RefCell<Surroundings>,
    _temp: tempfile::TempDir,
}

struct Surroundings {
    vars: BTreeMap<String, String>,
    cwd: PathBuf,
    columns: Option<usize>,
}

/// Files with their bytes, by path.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Links are looked through; what leads nowhere has no bytes.
fn add_files(dir: &Path, found: &mut Files) {
    for entry in fs::read_dir(dir).expect("the folder is the test's own") {
        let path = entry.expect("the folder is the test's own").path();
        if path.is_dir() {
            add_files(&path, found);
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap_or_default());
        }
    }
}

fn copy_dir(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("the folder is the test's own") {
        let path = entry.expect("the folder is the test's own").path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        let kind = fs::symlink_metadata(&path).expect("it was listed just now").file_type();
        if kind.is_dir() {
            fs::create_dir(&target).expect("the folder is new");
            copy_dir(&path, &target);
        } else if kind.is_file() {
            let _ = fs::copy(&path, &target);
        } else if let Ok(leads) = fs::read_link(&path) {
            let _ = std::os::unix::fs::symlink(leads, &target);
        }
    }
}

/// So many minutes.
pub fn mins(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

impl Workspace {
    /// A folder without a ledger.
    pub fn new() -> Self {
        // In memory where that is possible: commands wait for every fsync.
        let memory = Path::new("/dev/shm");
        let temp = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir());
        let temp = temp.expect("the system has a folder for temporary files");
        let base = fs::canonicalize(temp.path()).expect("the folder was made just now");
        let (root, scratch) = (base.join("work"), base.join("tmp"));
        fs::create_dir(&root).expect("the folder is new");
        fs::create_dir(&scratch).expect("the folder is new");
        let surroundings = Surroundings { vars: BTreeMap::new(), cwd: root.clone(), columns: None };
        Self {
            root,
            scratch,
            clock: Arc::new(SimClock::new(1_767_258_000_000)),
            fs: Arc::new(FaultFs::new(Arc::new(Disk))),
            entropy: Arc::new(SimEntropy::new(1)),
            surroundings: RefCell::new(surroundings),
            _temp: temp,
        }
    }

    /// With the ledgers of `orch init --team --lang en`.
    #[must_use]
    pub fn init(self) -> Self {
        let _ = self.run("init --team --lang en").ok();
        self
    }

    /// With this text as the task ledger.
    #[must_use]
    pub fn ledger(self, text: &str) -> Self {
        self.write(TASKS, text);
        self
    }

    /// With one more READY task; the ledger is made where there is none.
    #[must_use]
    pub fn task(self, id: &str, title: &str) -> Self {
        if !self.root.join(TASKS).exists() {
            self.write(TASKS, format!("{HEADER}\n{}\n", HEADER.replace(letters, "-")));
        }
        let text = self.read(TASKS);
        self.write(
            TASKS,
            format!("{text}| {id} | {title} | READY | - | - | - | - | - | - | - |\n"),
        );
        self
    }

    /// With this text as the approval ledger.
    #[must_use]
    pub fn approvals(self, text: &str) -> Self {
        self.write(APPROVALS, text);
        self
    }

    /// With this text as orch.yaml.
    #[must_use]
    pub fn settings(self, yaml: &str) -> Self {
        self.write("ORCH/orch.yaml", yaml);
        self
    }

    /// At this time, such as `2026-01-01T09:00:00Z`.
    #[must_use]
    pub fn at(self, time: &str) -> Self {
        let time = orch::model::time::Timestamp::parse(time).expect("a test's time is well formed");
        self.clock.set(time.0);
        self
    }

    /// Faults, and what others do between two calls.
    pub fn faults(&self) -> &FaultFs {
        &self.fs
    }

    /// Removes a file below the root, if it is there.
    pub fn remove(&self, path: &str) {
        let _ = fs::remove_file(self.root.join(path));
    }

    /// Every file, for going back to it.
    pub fn kept(&self) -> Files {
        let mut found = Files::new();
        add_files(&self.root, &mut found);
        found
    }

    /// Makes every file what it was.
    pub fn back_to(&self, before: &Files) {
        let now = self.kept();
        for path in now.keys().filter(|path| !before.contains_key(*path)) {
            fs::remove_file(path).expect("the file is the test's own");
        }
        for (path, bytes) in before.iter().filter(|(path, bytes)| now.get(*path) != Some(bytes)) {
            fs::write(path, bytes).expect("the file is the test's own");
        }
    }

    /// The same files at the same moment, apart.
    #[must_use]
    pub fn twin(&self) -> Self {
        let twin = Self::new();
        copy_dir(&self.root, &twin.root);
        twin.clock.set(orch::sys::Clock::now_ms(&*self.clock));
        let now = self.surroundings.borrow();
        let below = now.cwd.strip_prefix(&self.root).unwrap_or(Path::new(""));
        *twin.surroundings.borrow_mut() = Surroundings {
            vars: now.vars.clone(),
            cwd: twin.root.join(below),
            columns: now.columns,
        };
        twin
    }

    /// Time.
    pub fn clock(&self) -> &SimClock {
        &self.clock
    }

    /// The folder that holds `ORCH/`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder that commands see as theirs.
    pub fn cwd(&self) -> PathBuf {
        self.surroundings.borrow().cwd.clone()
    }

    /// Goes to a folder, from where it is.
    pub fn cd(&self, dir: &str) {
        let mut surroundings = self.surroundings.borrow_mut();
        let to = surroundings.cwd.join(dir);
        surroundings.cwd = fs::canonicalize(&to).unwrap_or(to);
    }

    /// Sets a variable; `None` unsets it.
    pub fn var(&self, name: &str, value: Option<&str>) {
        let vars = &mut self.surroundings.borrow_mut().vars;
        match value {
            Some(value) => drop(vars.insert(name.to_owned(), value.to_owned())),
            None => drop(vars.remove(name)),
        }
    }

    /// Makes stdout a terminal of so many columns; 0 makes it none.
    pub fn columns(&self, columns: usize) {
        self.surroundings.borrow_mut().columns = (columns > 0).then_some(columns);
    }

    /// Writes a file below the root.
    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.root.join(path);
        let dir = path.parent().expect("a file lies in a folder");
        fs::create_dir_all(dir).expect("the folder is the test's own");
        fs::write(&path, bytes).expect("the folder is the test's own");
    }

    /// A file below the root; empty where there is none.
    pub fn read(&self, path: &str) -> String {
        let bytes = fs::read(self.root.join(path)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The world as a command sees it.
    pub fn sys(&self, stdin: &[u8]) -> Sys {
        let now = self.surroundings.borrow();
        let mut env = SimEnv::new(&now.cwd)
            .with_user("ada")
            .with_host("desk")
            .with_temp_dir(&self.scratch)
            .with_stdin(stdin)
            .with_terminals([false, now.columns.is_some(), false]);
        if let Some(columns) = now.columns {
            env = env.with_width(columns);
        }
        for (name, value) in &now.vars {
            env.set_var(name, value);
        }
        Sys {
            clock: self.clock.clone(),
            fs: self.fs.clone(),
            env: Arc::new(env),
            entropy: self.entropy.clone(),
            process: self.process(),
            // Real git, in a repository of the test's own.
            programs: Arc::new(Installed),
            net: Arc::new(Network),
            events: Arc::new(SimEvents::default()),
            resources: Arc::new(SimResources::default()),
        }
    }

    /// Programs that are simulated, but for the commands of runs: those are run,
    /// to their end, at the moment when they are started.
    fn process(&self) -> Arc<SimProcess> {
        let process = Arc::new(SimProcess::new(self.clock.clone()));
        let (clock, fs, entropy) = (self.clock.clone(), self.fs.clone(), self.entropy.clone());
        process.play(move |own, pid| {
            let mut sim = Sim::new(&own.dir);
            (sim.clock, sim.fs, sim.entropy) = (clock.clone(), fs.clone(), entropy.clone());
            run_to_its_end(&sim.sys(), own, pid)?;
            Ok(Role { life: Life::exit(0), at_end: None })
        });
        process
    }

    /// Runs `orch` with these words, as a shell would split them.
    pub fn run(&self, words: &str) -> Ran {
        let line = shell::parse(words).unwrap_or_else(|why| panic!("`{words}`: {why}"));
        self.run_words(&line.pipeline[0], b"")
    }

    /// The same as somebody.
    pub fn run_as(&self, actor: &str, words: &str) -> Ran {
        self.run(&format!("{words} --as {actor}"))
    }

    /// Runs `orch` with exactly these words.
    pub fn run_words(&self, words: &[String], stdin: &[u8]) -> Ran {
        let before = [TASKS, APPROVALS].map(|path| self.existing(path));
        let argv = std::iter::once("orch".to_owned()).chain(words.iter().cloned());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let argv: Vec<OsString> = argv.map(OsString::from).collect();
        let exit = orch::cli::run(&self.sys(stdin), argv, &mut out, &mut err);
        Ran {
            command: words.join(" "),
            exit,
            stdout: self.shown(&out),
            stderr: self.shown(&err),
            tasks_diff: unified(TASKS, before[0].as_deref(), self.existing(TASKS).as_deref()),
        }
    }

    /// A file below the root as text, if it is there.
    pub fn existing(&self, path: &str) -> Option<String> {
        fs::read(self.root.join(path)).ok().map(|b| String::from_utf8_lossy(&b).into_owned())
    }

    /// Output with temporary paths named.
    pub fn shown(&self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes)
            .replace(&*self.root.to_string_lossy(), "[ROOT]")
            .replace(&*self.scratch.to_string_lossy(), "[TMP]")
    }
}

/// What a keeper does, in no time at all.
fn run_to_its_end(sys: &Sys, own: &Own, pid: u32) -> io::Result<()> {
    let dir = RunDir::new(own.args.last().expect("it is told which run to keep"));
    let said = |why: orch::error::Error| io::Error::other(why.to_string());
    let record = dir.read_record(sys).map_err(said)?.expect("it was written before");
    let me = runs::Process { pid, start: 1, machine: sys.process.machine() };
    dir.write_process(sys, &KeeperFile { keeper: me, command: None }).map_err(said)?;
    let ran = Command::new(&record.argv[0])
        .args(&record.argv[1..])
        .current_dir(&own.dir)
        .env_clear()
        .envs(own.env.iter().map(|(name, value)| (name, value)))
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output();
    let (end, log) = match ran {
        Ok(ran) => {
            let code = ran.status.code().and_then(|code| u8::try_from(code).ok());
            (code.map_or(End::Signal(9), End::Exit), [ran.stdout, ran.stderr].concat())
        }
        Err(why) => (End::NotStarted(why.to_string()), Vec::new()),
    };
    fs::write(dir.path().join("run.log"), &log)?;
    let now = Timestamp(sys.clock.now_ms()).to_millis_string();
    let end = RunEnd {
        token: record.token,
        end,
        started_at: now.clone(),
        ended_at: now,
        took_ms: 0,
        stopped: None,
        log_bytes: log.len() as u64,
        left_out: 0,
    };
    dir.write_end(sys, &end).map_err(said)
}

const HEADER: &str = "| task_id | title | state | owner | lock | lock_owner | lock_expires_at | due | artifact | notes |";

fn letters(c: char) -> bool {
    c.is_ascii_lowercase() || c == '_'
}

/// What came of a command.
#[must_use = "say how it should have ended: `.ok()` or `.exit(5)`"]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// The words.
    pub command: String,
    /// The exit number.
    pub exit: u8,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// What it did to the task ledger.
    pub tasks_diff: String,
}

impl Ran {
    /// It succeeded.
    pub fn ok(self) -> Self {
        self.exit(0)
    }

    /// It ended with this number.
    pub fn exit(self, number: u8) -> Self {
        assert_eq!(
            self.exit, number,
            "`orch {}` ended with {}\n{}{}",
            self.command, self.exit, self.stdout, self.stderr
        );
        self
    }

    /// It printed this; `[..]` stands for anything.
    pub fn stdout(self, expected: &str) -> Self {
        compare(&self.command, "stdout", expected, &self.stdout);
        self
    }

    /// It changed the task ledger so; `[..]` stands for anything.
    pub fn tasks_diff(self, expected: &str) -> Self {
        compare(&self.command, "the diff", expected, &self.tasks_diff);
        self
    }

    /// Its output as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|why| {
            panic!("`orch {}` printed no JSON: {why}\n{}", self.command, self.stdout)
        })
    }
}

fn compare(command: &str, what: &str, expected: &str, actual: &str) {
    let lines = |text: &str| text.trim_matches('\n').lines().map(str::to_owned).collect::<Vec<_>>();
    let (expected_lines, actual_lines) = (lines(expected), lines(actual));
    assert!(
        super::transcript::matches(&expected_lines, &actual_lines),
        "{what} of `orch {command}`:\n{}",
        unified(what, Some(&expected_lines.join("\n")), Some(&actual_lines.join("\n")))
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_test_is_three_lines() {
        let ws = Workspace::new().task("T-1", "Write parser").at("2026-01-01T09:00:00Z");
        let _ = ws.run_as("WORK@ada", "claim T-1 --ttl 15m").ok();
        ws.clock().advance(mins(21));
        let _ = ws.run_as("WORK@bob", "claim T-1").ok().tasks_diff(
            "
--- a/ORCH/STATE/TASKS.md
+++ b/ORCH/STATE/TASKS.md
@@ -1,3 +1,3 @@
[..]
-| T-1 | Write parser | DOING | - | WORK@ada@2026-01-01T09:00:00Z | WORK@ada | 2026-01-01T09:15:00Z |[..]
+| T-1 | Write parser | DOING | - | WORK@bob@2026-01-01T09:21:00Z | WORK@bob | 2026-01-01T09:51:00Z |[..]
",
        );
        let lease = ws.run("leases --json").ok().json();
        assert_eq!(lease["data"]["leases"][0]["owner"], "WORK@bob");
    }

    #[test]
    #[should_panic(expected = "ended with 5")]
    fn another_exit_number_is_noticed() {
        let ws = Workspace::new().task("T-1", "Write parser");
        let _ = ws.run_as("WORK@ada", "claim T-1").ok();
        let _ = ws.run_as("WORK@bob", "claim T-1").ok();
    }
}
