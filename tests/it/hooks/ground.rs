//! A repository with a workspace in it, and commands in it that see nothing of
//! the machine's own git settings.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The task ledger.
pub const TASKS: &str = "ORCH/STATE/TASKS.md";
/// The approval ledger.
pub const APPROVALS: &str = "ORCH/STATE/APPROVALS.md";

pub struct Repo {
    dir: tempfile::TempDir,
    /// Where commands run, below the folder.
    at: PathBuf,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub exit: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    #[track_caller]
    pub fn exits(self, exit: i32) -> Self {
        assert_eq!(self.exit, exit, "{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn fails(self) -> Self {
        assert!(self.exit > 0, "{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        let all = format!("{}{}", self.out, self.err);
        assert!(all.contains(text), "`{text}` is not in:\n{all}");
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

impl Repo {
    /// A folder with a program `orch` on the path and no repository.
    pub fn bare_folder() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        for folder in ["bin", "home", "work"] {
            fs::create_dir(root.join(folder)).unwrap();
        }
        symlink(env!("CARGO_BIN_EXE_orch"), root.join("bin/orch")).unwrap();
        let settings =
            "[user]\n\tname = ada\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n";
        fs::write(root.join("home/.gitconfig"), settings).unwrap();
        Self { at: root.join("work"), dir }
    }

    /// A repository with a workspace of a team and a first commit.
    pub fn new() -> Self {
        let repo = Self::bare_folder();
        repo.git("init -q").ok();
        repo.orch("init --team --lang en").ok();
        repo.commit_all("first");
        repo
    }

    /// The same, set up.
    pub fn installed() -> Self {
        let repo = Self::new();
        repo.orch("hooks install").ok();
        repo
    }

    /// The folder above everything.
    pub fn top(&self) -> PathBuf {
        fs::canonicalize(self.dir.path()).unwrap()
    }

    /// Where commands run.
    pub fn root(&self) -> &Path {
        &self.at
    }

    /// The same files, with commands in another folder from here.
    pub fn cd(&mut self, dir: &str) -> &mut Self {
        self.at = fs::canonicalize(self.at.join(dir)).unwrap();
        self
    }

    pub fn command(&self, argv: &[&str]) -> Command {
        let top = self.top();
        let mut command = Command::new(argv[0]);
        command.args(&argv[1..]).current_dir(&self.at).env_clear().stdin(Stdio::null());
        command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", top.join("bin").display()));
        command.env("HOME", top.join("home")).env("TZ", "UTC").env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("GIT_EDITOR", "true").env("LC_ALL", "C.UTF-8");
        command
    }

    pub fn run(&self, argv: &[&str]) -> Ran {
        ran(&mut self.command(argv))
    }

    /// Words between blanks.
    pub fn git(&self, words: &str) -> Ran {
        self.run(&[&["git"], &words.split(' ').collect::<Vec<_>>()[..]].concat())
    }

    pub fn orch(&self, words: &str) -> Ran {
        let program = self.top().join("bin/orch");
        let words: Vec<&str> = words.split(' ').collect();
        self.run(&[&[program.to_str().unwrap()], &words[..]].concat())
    }

    #[track_caller]
    pub fn commit_all(&self, message: &str) {
        self.git("add -A").ok();
        self.run(&["git", "commit", "-q", "-m", message]).ok();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.at.join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn script(&self, name: &str, text: &str) {
        self.write(name, text);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Adds lines to a file.
    pub fn append(&self, name: &str, text: &str) {
        self.write(name, &(self.read(name) + text));
    }

    /// Every file below a folder, with mode and bytes.
    pub fn files(&self, dir: &str) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut found = BTreeMap::new();
        let mut open = vec![self.path(dir)];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(&dir).into_iter().flatten() {
                let path = entry.unwrap().path();
                let stat = fs::symlink_metadata(&path).unwrap();
                if stat.is_dir() {
                    open.push(path);
                } else {
                    let bytes = fs::read(&path).unwrap_or_default();
                    found.insert(path, (stat.permissions().mode(), bytes));
                }
            }
        }
        found
    }

    /// The cell of a row, by a plain splitter.
    #[track_caller]
    pub fn cell(&self, id: &str, column: &str) -> String {
        let text = self.read(TASKS);
        let split = |line: &str| -> Vec<String> {
            line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
        };
        let mut rows = text.lines().filter(|line| line.starts_with('|')).map(split);
        let header = rows.next().unwrap();
        let at = header.iter().position(|name| name == column).unwrap();
        let row = rows.find(|cells| cells[0] == id);
        row.unwrap_or_else(|| panic!("no `{id}` in:\n{text}"))[at].clone()
    }

    /// State of each part, by its name.
    pub fn status(&self) -> BTreeMap<String, String> {
        let answer = self.orch("hooks status --json").json();
        let word = |part: &Value, key: &str| part[key].as_str().unwrap().to_owned();
        let parts = answer["data"]["parts"].as_array().unwrap().clone();
        parts.iter().map(|part| (word(part, "part"), word(part, "state"))).collect()
    }

    /// What `doctor` says of git: severity and words of each finding.
    pub fn health(&self) -> Vec<(String, String)> {
        let answer = self.orch("doctor --json").json();
        let findings = answer["data"]["findings"].as_array().unwrap().clone();
        let of_git = findings.iter().filter(|finding| finding["code"] == "git");
        let word = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
        of_git.map(|f| (word(f, "severity"), word(f, "message"))).collect()
    }
}

pub fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        exit: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// One row of the tasks' table.
pub fn row(id: &str, title: &str) -> String {
    format!("| {id} | {title} | READY | - | - | - | - | - | - | - |\n")
}

/// The tasks' table with these rows.
pub fn table(rows: &[String]) -> String {
    format!(
        "# Tasks\n\n| task_id | title | state | owner | lock | lock_owner | lock_expires_at | due \
         | artifact | notes |\n|---|---|---|---|---|---|---|---|---|---|\n{}\nText below.\n",
        rows.concat()
    )
}
