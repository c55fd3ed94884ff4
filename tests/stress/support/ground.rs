//! A workspace in a folder of its own, and the real program run in it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

use serde_json::Value;

/// The columns of a task ledger.
pub const HEAD: &str = "\
# Tasks

| task_id | title | state | owner | lock | lock_owner | lock_expires_at | due | artifact | notes |
|---|---|---|---|---|---|---|---|---|---|
";

/// Bytes by path from the workspace's root.
pub type Files = BTreeMap<String, Vec<u8>>;

/// A workspace.
pub struct Ground {
    root: PathBuf,
    _dir: Option<tempfile::TempDir>,
}

/// How a command ended.
#[derive(Debug, Clone)]
pub struct Ran {
    /// 128 and the signal's number where a signal ended it.
    pub exit: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            exit: number(output.status),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// An exit status as a shell would say it.
pub fn number(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

impl Ran {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    #[track_caller]
    pub fn exits(self, exit: i32) -> Self {
        assert_eq!(self.exit, exit, "{self:?}");
        self
    }

    /// It ended by itself, not by a signal, an abort or a panic.
    #[track_caller]
    pub fn ended_by_itself(&self, at: &str) {
        assert!((0..=13).contains(&self.exit), "{at}: {self:?}");
    }

    /// The id of the one task in the answer.
    #[track_caller]
    pub fn id(&self) -> String {
        self.json()["data"]["task"]["task_id"].as_str().expect("one task").to_owned()
    }

    #[track_caller]
    pub fn token(&self) -> u64 {
        self.json()["data"]["lease"]["token"].as_u64().expect("a lease")
    }
}

/// The program under test.
pub fn program() -> String {
    std::env::var("ORCH_STRESS_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_orch").to_owned())
}

/// One row of the table.
pub fn row(id: &str, title: &str, state: &str) -> String {
    format!("| {id} | {title} | {state} | - | - | - | - | - | - | - |\n")
}

/// The ids of [`Ground::of_rows`].
pub fn nth(n: usize) -> String {
    format!("T-{n:04}")
}

/// Nothing of the surroundings of the tests.
pub fn clean(command: &mut Command) -> &mut Command {
    command.env_clear().env("TZ", "UTC").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.stdin(Stdio::null())
}

impl Ground {
    /// A ledger of this text.
    pub fn with(tasks: impl AsRef<[u8]>) -> Self {
        Self::made(tempfile::tempdir().unwrap(), tasks.as_ref())
    }

    fn made(dir: tempfile::TempDir, tasks: &[u8]) -> Self {
        let root = fs::canonicalize(dir.path()).unwrap();
        let ground = Self { root, _dir: Some(dir) };
        ground.fill(tasks);
        ground
    }

    /// A ledger of this text in a folder that is there.
    pub fn on(root: &Path, tasks: &str) -> Self {
        let ground = Self::at(root);
        ground.fill(tasks.as_bytes());
        ground
    }

    /// A folder with a workspace that is there.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned(), _dir: None }
    }

    fn fill(&self, tasks: &[u8]) {
        fs::create_dir_all(self.state()).unwrap();
        fs::write(self.tasks(), tasks).unwrap();
        self.settings("lock_wait: 2m\n");
    }

    /// `n` rows `T-0001`…, all in one state, with text after them.
    pub fn of_rows(n: usize, state: &str) -> Self {
        Self::with(rows_text(n, state))
    }

    /// The same files, apart.
    pub fn copy(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy_dir(&self.root, dir.path());
        Self { root: fs::canonicalize(dir.path()).unwrap(), _dir: Some(dir) }
    }

    pub fn settings(&self, text: &str) {
        fs::write(self.root.join("ORCH/orch.yaml"), text).unwrap();
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn state(&self) -> PathBuf {
        self.root.join("ORCH/STATE")
    }

    pub fn tasks(&self) -> PathBuf {
        self.state().join("TASKS.md")
    }

    /// The lock of writers.
    pub fn lock(&self) -> PathBuf {
        self.state().join("LOCKS/ledger")
    }

    #[track_caller]
    pub fn text(&self) -> String {
        fs::read_to_string(self.tasks()).unwrap()
    }

    /// A tool in this workspace.
    pub fn tool(&self, name: &str, args: &[&str]) -> Command {
        let mut command = Command::new(name);
        clean(&mut command).args(args).current_dir(&self.root);
        command
    }

    pub fn command(&self, args: &[&str]) -> Command {
        self.tool(&program(), args)
    }

    pub fn orch(&self, args: &[&str]) -> Ran {
        self.command(args).output().unwrap().into()
    }

    /// A line of words.
    pub fn run(&self, line: &str) -> Ran {
        self.orch(&line.split(' ').collect::<Vec<_>>())
    }

    /// A line of words under a tool that runs programs.
    pub fn under(&self, tool: &[&str], line: &str) -> Ran {
        let program = program();
        let args: Vec<&str> =
            tool[1..].iter().copied().chain([program.as_str()]).chain(line.split(' ')).collect();
        self.tool(tool[0], &args).output().unwrap().into()
    }

    /// Every row by its id: column to cell.
    #[track_caller]
    pub fn rows(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        rows(&self.text())
    }

    pub fn journal_text(&self) -> String {
        let logs = self.root.join("ORCH/LOGS");
        let mut months: Vec<_> = match fs::read_dir(&logs) {
            Ok(dir) => dir.map(|e| e.unwrap().path().join("journal.jsonl")).collect(),
            Err(_) => Vec::new(),
        };
        months.sort();
        months.iter().map(|path| fs::read_to_string(path).unwrap_or_default()).collect()
    }

    /// Every regular file with its bytes, `LOCKS` left out.
    pub fn files(&self) -> Files {
        let mut found = Files::new();
        walk(&self.root, &self.root, &mut found);
        found.retain(|name, _| !name.contains("/LOCKS/"));
        found
    }

    /// The files that people write too: ledgers, archives, flags.
    pub fn ledgers(&self) -> Files {
        let mut files = self.files();
        files.retain(|name, _| {
            let text = Path::new(name).extension().is_some_and(|ext| ext == "md");
            name.starts_with("ORCH/STATE/") && text && !is_temporary(name)
        });
        files
    }

    /// What a dead writer left; `LOCKS` too.
    pub fn temporaries(&self) -> Vec<String> {
        let mut found = Files::new();
        walk(&self.root, &self.root, &mut found);
        found.into_keys().filter(|name| is_temporary(name)).collect()
    }

    #[track_caller]
    pub fn no_temporaries(&self, at: &str) {
        assert_eq!(self.temporaries(), Vec::<String>::new(), "{at}");
    }
}

/// Not a file for people: a copy being written, a redo record.
pub fn is_temporary(name: &str) -> bool {
    let base = name.rsplit('/').next().unwrap_or(name);
    base.starts_with('.') && base.contains(".orch-")
}

/// The text of [`Ground::of_rows`].
pub fn rows_text(n: usize, state: &str) -> String {
    let rows: String = (1..=n).map(|n| row(&nth(n), &format!("Task {n}"), state)).collect();
    format!("{HEAD}{rows}\nText after the table stays.\n")
}

pub fn copy_dir(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy_dir(&source, &target);
        } else if kind.is_file() {
            fs::copy(&source, &target).unwrap();
        }
    }
}

fn walk(root: &Path, dir: &Path, found: &mut Files) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let Ok(kind) = fs::symlink_metadata(&path) else { continue };
        if kind.is_dir() {
            walk(root, &path, found);
        } else if kind.is_file() {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            found.insert(name, fs::read(&path).unwrap_or_default());
        }
    }
}

/// Every row by its id. A plain splitter: the tests' own cells hold no pipes.
#[track_caller]
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
