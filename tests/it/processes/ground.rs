//! A workspace on the disk, the real binary in it, and what its files say.
//!
//! Not here: any in-process run (`faults`). Nothing waits by the clock.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A workspace for several people, where a writer waits as long as it takes.
pub struct Ground {
    dir: tempfile::TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub exit: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Standard output as one JSON object.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The same ending, which must have been success.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.exit, 0, "{self:?}");
        self
    }

    /// The same ending, which must have had this number.
    #[track_caller]
    pub fn exits(self, exit: i32) -> Self {
        assert_eq!(self.exit, exit, "{self:?}");
        self
    }

    /// The id of the one task in the answer.
    pub fn id(&self) -> String {
        self.json()["data"]["task"]["task_id"].as_str().expect("one task").to_owned()
    }
}

pub const HEAD: &str = "\
# Tasks

| task_id | title | state | owner | lock | lock_owner | lock_expires_at | due | artifact | notes |
|---|---|---|---|---|---|---|---|---|---|
";

/// One row of the table.
pub fn row(id: &str, title: &str, state: &str) -> String {
    format!("| {id} | {title} | {state} | - | - | - | - | - | - | - |\n")
}

impl Ground {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::with(HEAD)
    }

    /// A ledger of `n` rows `T-0001`…, all in one state, with text after it.
    pub fn of_rows(n: usize, state: &str) -> Self {
        let rows: String =
            (1..=n).map(|n| row(&format!("T-{n:04}"), &format!("Task {n}"), state)).collect();
        Self::with(&format!("{HEAD}{rows}\nText after the table stays.\n"))
    }

    /// A ledger of this text.
    pub fn with(tasks: &str) -> Self {
        let ground = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(ground.state()).unwrap();
        fs::write(ground.tasks(), tasks).unwrap();
        ground.settings("lock_wait: 10m\n");
        ground
    }

    pub fn settings(&self, text: &str) {
        fs::write(self.root().join("ORCH/orch.yaml"), text).unwrap();
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    pub fn state(&self) -> PathBuf {
        self.root().join("ORCH/STATE")
    }

    pub fn tasks(&self) -> PathBuf {
        self.state().join("TASKS.md")
    }

    pub fn text(&self) -> String {
        fs::read_to_string(self.tasks()).unwrap()
    }

    /// A command that sees nothing of the surroundings of the tests.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orch"));
        command.args(args).current_dir(self.root()).env_clear().env("TZ", "UTC");
        command.stdin(Stdio::null());
        command
    }

    pub fn orch(&self, args: &[&str]) -> Ran {
        ran(&mut self.command(args))
    }

    /// A line of words.
    pub fn run(&self, line: &str) -> Ran {
        self.orch(&line.split(' ').collect::<Vec<_>>())
    }

    /// Every row by its id: column to cell.
    pub fn rows(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        rows(&self.text())
    }

    /// The journal's lines, each checked: hash, parents, sequence.
    pub fn journal(&self) -> Vec<Value> {
        chain(&self.journal_text())
    }

    pub fn journal_text(&self) -> String {
        let logs = self.root().join("ORCH/LOGS");
        let mut months: Vec<_> = match fs::read_dir(&logs) {
            Ok(dir) => dir.map(|e| e.unwrap().path().join("journal.jsonl")).collect(),
            Err(_) => Vec::new(),
        };
        months.sort();
        months.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
    }

    /// Every file under the workspace with its bytes, runtime files left out.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        walk(self.root(), &mut found);
        found.retain(|path, _| !path.components().any(|c| c.as_os_str() == "LOCKS"));
        found
    }

    /// No temporary file is left anywhere.
    #[track_caller]
    pub fn no_temporaries(&self) {
        let left: Vec<_> =
            self.files().into_keys().filter(|p| p.to_string_lossy().contains(".orch-")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

fn walk(dir: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() {
            walk(&path, found);
        } else if kind.is_file() {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
}

pub fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        exit: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Every row by its id. A plain splitter: the tests' own cells hold no pipes.
pub fn rows(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut lines = text.lines().filter(|line| line.starts_with('|')).map(|line| {
        let line = line.trim_matches('|');
        line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>()
    });
    let header = lines.next().expect("a table");
    let mut rows = BTreeMap::new();
    for cells in lines.skip(1) {
        assert_eq!(cells.len(), header.len(), "a whole row: {cells:?}");
        let id = cells[0].clone();
        let row = header.iter().cloned().zip(cells).collect();
        assert!(rows.insert(id.clone(), row).is_none(), "`{id}` stands twice");
    }
    rows
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// Parses a journal and checks its chain by itself, without the tool's code.
#[track_caller]
pub fn chain(text: &str) -> Vec<Value> {
    let mut before: Option<Value> = None;
    let mut ids = std::collections::BTreeSet::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        let (bare, hash) = line.rsplit_once(",\"hash\":\"").expect("the hash comes last");
        let hash = hash.strip_suffix("\"}").expect("and ends the line");
        assert_eq!(sha256(format!("{bare}}}").as_bytes()), hash, "{line}");
        let (seq, parents) = match &before {
            None => (1, Vec::new()),
            Some(before) => (before["seq"].as_u64().unwrap() + 1, vec![before["hash"].clone()]),
        };
        assert_eq!(entry["seq"].as_u64(), Some(seq), "{line}");
        assert_eq!(entry["parents"].as_array(), Some(&parents), "{line}");
        assert!(ids.insert(entry["id"].as_str().unwrap().to_owned()), "an id twice: {line}");
        before = Some(entry);
    }
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What the journal says about TASKS.md joins up: each operation began with
/// the bytes that the one before left, and the last left those of `now`.
#[track_caller]
pub fn unbroken(journal: &[Value], now: &str) {
    const NAME: &str = "ORCH/STATE/TASKS.md";
    let mut sha = None;
    for entry in journal {
        if let (Some(sha), Some(from)) = (&sha, entry["sha_in"].get(NAME)) {
            assert_eq!(from, sha, "operation {}", entry["seq"]);
        }
        if let Some(to) = entry["sha_out"].get(NAME) {
            sha = Some(to.clone());
        }
    }
    assert_eq!(sha, Some(Value::from(sha256(now.as_bytes()))));
}

/// Runs jobs at once, each on a thread of its own, and hands back what came of
/// them in order. They begin together.
pub fn at_once<T: Send>(n: usize, job: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = std::sync::Barrier::new(n);
    let (start, job) = (&start, &job);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n)
            .map(|i| {
                scope.spawn(move || {
                    start.wait();
                    job(i)
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().expect("a job does not panic")).collect()
    })
}
