//! A workspace in a repository of git, with a task in progress and rules that
//! decide; evidence is made as `request` makes it, or altered on the way.

use crate::support::Workspace;
use crate::support::workspace::APPROVALS;
use orch::ledger::evidence::{diff_sha256, render};
use orch::ledger::git_diff;
use orch::model::evidence::{Front, ListedFile};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// One command that does nothing.
pub const TRUE: &str = "commands: [{run: ['true']}]";

pub struct Repo {
    pub ws: Workspace,
    asked: std::cell::Cell<u32>,
}

impl Repo {
    /// Rules are the lines below `auto_decide:`.
    pub fn new(rules: &str) -> Self {
        Self::below("", rules)
    }

    /// The same with the workspace's files in a folder of the repository.
    pub fn below(prefix: &str, rules: &str) -> Self {
        let ws = Workspace::new();
        if !prefix.is_empty() {
            fs::create_dir_all(ws.root().join(prefix)).unwrap();
            ws.cd(prefix);
        }
        let _ = ws.run("init --team --lang en").ok();
        let repo = Self { ws, asked: 0.into() };
        repo.rules(rules);
        repo.write("src/a.txt", "one\ntwo\nthree\n");
        repo.write("src/b.txt", "1\n2\n3\n");
        repo.write("migrations/1.sql", "select 1;\n");
        repo.git(&["init", "-q"]);
        repo.commit();
        let _ = repo.ws.run_as("CMD@eve", "add 'Write the parser' --id T-1 --state READY").ok();
        let _ = repo.ws.run_as("WORK@ada", "claim T-1").ok();
        let _ = repo.ws.run_as("CMD@eve", "flag AUTO_DECIDE=on").ok();
        repo
    }

    pub fn rules(&self, rules: &str) {
        let yaml = rules.lines().fold("auto_decide:\n".to_owned(), |mut yaml, line| {
            let _ = writeln!(yaml, "  {line}");
            yaml
        });
        let path = self.ws.cwd().join("ORCH/orch.yaml");
        fs::write(path, yaml).unwrap();
        // What loosens the rules by hand counts once CMD says so.
        let _ = self.ws.run_as("CMD@eve", "check --accept").ok();
    }

    /// A file from the top of the repository.
    pub fn write(&self, path: &str, text: &str) {
        self.ws.write(path, text);
    }

    pub fn git(&self, args: &[&str]) -> String {
        git(self.ws.root(), args, None)
    }

    pub fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "x"]);
    }

    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// The diff of what is done to the files, which is then taken back.
    pub fn diff(&self, change: impl FnOnce(&Self)) -> String {
        change(self);
        self.git(&["add", "-A", "--", ".", ":!ORCH"]);
        let diff = self.git(&["diff", "--cached", "-M", "-C", "--find-copies-harder", "HEAD"]);
        self.git(&["reset", "-q"]);
        self.git(&["checkout", "-q", "HEAD", "--", ".", ":!ORCH"]);
        self.git(&["clean", "-fdq", "-e", "ORCH"]);
        diff
    }

    /// A diff of one line in one file.
    pub fn small() -> String {
        edit("src/a.txt", "one\ntwo\nthree\n", "two", "TWO")
    }

    /// Asks for an approval of a diff against HEAD.
    pub fn ask(&self, diff: &str) -> String {
        self.ask_with(diff, |_| {})
    }

    /// The same with other front matter.
    pub fn ask_with(&self, diff: &str, alter: impl FnOnce(&mut Front)) -> String {
        let files = git_diff::parse(diff).unwrap_or_default();
        let listed = files.iter().map(|file| ListedFile {
            path: file.paths().last().unwrap().to_owned(),
            added: file.added(),
            removed: file.removed(),
            sha256: None,
            deleted: file.new.is_none(),
        });
        let mut front = self.front(listed.collect(), diff);
        alter(&mut front);
        self.ask_by("WORK@ada", &render(&front, "x", diff))
    }

    fn front(&self, files: Vec<ListedFile>, diff: &str) -> Front {
        Front {
            appr_id: format!("A{:03}", self.asked.get() + 1),
            task_id: "T-1".to_owned(),
            op: "merge".to_owned(),
            requested_by: "WORK@ada".to_owned(),
            ts_req: "2026-01-01T09:00:00Z".to_owned(),
            base: Some(self.head()),
            worktree: None,
            files,
            sha256: diff_sha256(diff),
        }
    }

    /// Asks with this text as the evidence file.
    pub fn ask_by(&self, actor: &str, evidence: &str) -> String {
        let number = self.asked.get() + 1;
        self.asked.set(number);
        let name = format!("ORCH/patches/2026-01/T-1-A{number:03}.diff.md");
        let path = self.ws.cwd().join(&name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, evidence).unwrap();
        let op = format!("merge-{number}");
        let asked = format!("request T-1 --op {op} --evidence {name} --json");
        let asked = self.ws.run_as(actor, &asked).ok().json();
        asked["data"]["approval"]["appr_id"].as_str().unwrap().to_owned()
    }

    /// Judges, and gives the one approval that was.
    pub fn decide(&self) -> Decided {
        let data = self.ws.run("decide --explain --json").ok().json()["data"].take();
        assert_eq!(data["approvals"].as_array().map(Vec::len), Some(1), "{data}");
        self.is_clean();
        Decided(data["approvals"][0].clone())
    }

    /// No scratch copy is left.
    pub fn is_clean(&self) {
        let temp = self.ws.sys(b"").env.temp_dir();
        assert_eq!(fs::read_dir(temp).unwrap().count(), 0, "something is left of a scratch copy");
    }

    /// A cell of an approval's row.
    pub fn cell(&self, id: &str, column: usize) -> String {
        let text = fs::read_to_string(self.ws.cwd().join(APPROVALS)).unwrap();
        let row = text.lines().find(|line| line.starts_with(&format!("| {id} "))).unwrap();
        row.split('|').nth(column + 1).unwrap().trim().to_owned()
    }

    pub fn status(&self, id: &str) -> String {
        self.cell(id, 3)
    }
}

/// One approval of an answer.
pub struct Decided(pub Value);

impl Decided {
    #[track_caller]
    pub fn is(&self, verdict: &str) -> &Self {
        assert_eq!(self.0["verdict"], verdict, "{:#}", self.0);
        self
    }

    /// One of the reasons says this.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        let reasons = self.0["reasons"].as_array().unwrap();
        let says = reasons.iter().any(|r| r.as_str().unwrap().contains(text));
        assert!(says, "`{text}` is no reason in {:#}", self.0);
        self
    }

    pub fn condition(&self, name: &str) -> &Value {
        let conditions = self.0["conditions"].as_array().unwrap();
        conditions.iter().find(|c| c["name"] == name).unwrap_or(&Value::Null)
    }
}

/// A diff that replaces a word in a file.
pub fn edit(path: &str, text: &str, from: &str, to: &str) -> String {
    let name = |side: &str| format!("{side}/{path}");
    let diff = orch::ledger::unified::unified(path, Some(text), Some(&text.replace(from, to)));
    let body = diff.split_once("@@").unwrap().1;
    let (old, new) = (name("a"), name("b"));
    format!("diff --git {old} {new}\n--- {old}\n+++ {new}\n@@{body}")
}

/// Real git, which sees nothing of the machine's settings.
pub fn git(dir: &Path, args: &[&str], path: Option<&str>) -> String {
    let mut git = Command::new("git");
    git.args(args).current_dir(dir).stdin(Stdio::null()).env_clear();
    git.env("PATH", path.map(Into::into).or_else(|| std::env::var_os("PATH")).unwrap_or_default());
    for (name, value) in [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_AUTHOR_NAME", "ada"),
        ("GIT_AUTHOR_EMAIL", "ada@example.org"),
        ("GIT_COMMITTER_NAME", "ada"),
        ("GIT_COMMITTER_EMAIL", "ada@example.org"),
        ("LC_ALL", "C"),
    ] {
        git.env(name, value);
    }
    let ran = git.output().unwrap();
    assert!(ran.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}
