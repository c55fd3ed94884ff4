//! A repository whose merges run the program under test: many histories go in
//! by one stream, many merges are asked for at once, and each runs the driver.

use super::paper::Kind;
use crate::support::ground::program;
use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

pub struct Repository {
    dir: tempfile::TempDir,
}

/// Three texts of one file.
pub struct Texts {
    pub kind: Kind,
    pub base: String,
    pub ours: String,
    pub theirs: String,
}

/// What git made of a merge.
#[derive(Debug)]
pub struct Outcome {
    pub clean: bool,
    pub text: String,
}

/// The file of a kind, archives now and then.
pub fn path(kind: Kind, number: usize) -> &'static str {
    match kind {
        Kind::Approvals => "ORCH/STATE/APPROVALS.md",
        Kind::Tasks if number % 5 == 4 => "ORCH/STATE/archive/TASKS-2026.md",
        Kind::Tasks => "ORCH/STATE/TASKS.md",
    }
}

/// Git with nothing of this machine's settings.
pub fn git(dir: &Path, args: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.args(args).current_dir(dir).env_clear();
    git.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    for (name, value) in [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_AUTHOR_NAME", "ada"),
        ("GIT_AUTHOR_EMAIL", "ada@example.org"),
        ("GIT_COMMITTER_NAME", "ada"),
        ("GIT_COMMITTER_EMAIL", "ada@example.org"),
        ("GIT_EDITOR", "true"),
        ("LC_ALL", "C"),
        ("TZ", "UTC"),
    ] {
        git.env(name, value);
    }
    git
}

/// Sets up the driver and the attributes, as `hooks install` would.
pub fn with_driver(dir: &Path) {
    let driver = format!("'{}' merge-driver %O %A %B %L %P", program());
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["config", "merge.orch.name", "rows and cells"],
        &["config", "merge.orch.driver", &driver],
    ] {
        assert!(git(dir, args).status().unwrap().success(), "{args:?}");
    }
    fs::create_dir_all(dir.join("ORCH")).unwrap();
    let attributes = include_str!("../../../templates/gitattributes");
    fs::write(dir.join("ORCH/.gitattributes"), attributes).unwrap();
}

impl Repository {
    pub fn new() -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        with_driver(dir.path());
        Self { dir }
    }

    fn ask(&self, args: &[&str], stdin: Vec<u8>) -> Vec<u8> {
        let mut command = git(self.dir.path(), args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || input.write_all(&stdin));
        let output = child.wait_with_output().unwrap();
        let _ = writer.join();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Merges each triple both ways: theirs into ours, and ours into theirs.
    pub fn merge_all(&self, all: &[Texts]) -> Vec<[Outcome; 2]> {
        let marks = self.dir.path().join("marks");
        let mut stream = Vec::new();
        let file = |mark: usize, from: Option<usize>, path: &str, text: &str| {
            let from = from.map(|mark| format!("from :{mark}\n")).unwrap_or_default();
            format!(
                "commit refs/heads/c{mark}\nmark :{mark}\ncommitter a <a@x> 1767225600 +0000\n\
                 data 1\nx\n{from}M 100644 inline {path}\ndata {}\n{text}\n",
                text.len()
            )
        };
        for (n, texts) in all.iter().enumerate() {
            let (path, mark) = (path(texts.kind, n), 3 * n + 1);
            stream.extend(file(mark, None, path, &texts.base).into_bytes());
            stream.extend(file(mark + 1, Some(mark), path, &texts.ours).into_bytes());
            stream.extend(file(mark + 2, Some(mark), path, &texts.theirs).into_bytes());
        }
        let export = format!("--export-marks={}", marks.display());
        self.ask(&["fast-import", "--quiet", "--force", &export], stream);
        let ids = fs::read_to_string(&marks).unwrap();
        let ids: HashMap<usize, &str> = ids
            .lines()
            .filter_map(|line| line.strip_prefix(':')?.split_once(' '))
            .map(|(mark, id)| (mark.parse().unwrap(), id))
            .collect();
        let mut pairs = String::new();
        for n in 0..all.len() {
            let (ours, theirs) = (ids[&(3 * n + 2)], ids[&(3 * n + 3)]);
            pairs.push_str(&format!("{ours} {theirs}\n{theirs} {ours}\n"));
        }
        let args = ["merge-tree", "--write-tree", "--no-messages", "--name-only", "--stdin"];
        let answer = String::from_utf8(self.ask(&args, pairs.into_bytes())).unwrap();
        // Each: status NUL tree NUL (path NUL)* NUL
        let mut fields = answer.split('\0');
        let mut results = Vec::new();
        while let (Some(status), Some(tree)) = (fields.next(), fields.next()) {
            let clean = match status.trim_start_matches('\n') {
                "1" => true,
                "0" => false,
                status => panic!("merge-tree says `{status}`"),
            };
            while fields.next().is_some_and(|field| !field.is_empty()) {}
            results.push((clean, tree.to_owned()));
        }
        assert_eq!(results.len(), all.len() * 2, "{answer:?}");
        let mut asked = String::new();
        for (n, (_, tree)) in results.iter().enumerate() {
            asked.push_str(&format!("{tree}:{}\n", path(all[n / 2].kind, n / 2)));
        }
        let blobs = self.ask(&["cat-file", "--batch"], asked.into_bytes());
        let mut rest = &blobs[..];
        let mut texts = results.into_iter().map(|(clean, _)| {
            let end = rest.iter().position(|b| *b == b'\n').unwrap();
            let line = String::from_utf8_lossy(&rest[..end]).into_owned();
            let size: usize = line.rsplit(' ').next().unwrap().parse().expect("a file");
            let text = String::from_utf8(rest[end + 1..][..size].to_vec()).unwrap();
            rest = &rest[end + 1 + size + 1..];
            Outcome { clean, text }
        });
        let mut outcomes = Vec::new();
        while let (Some(one), Some(other)) = (texts.next(), texts.next()) {
            outcomes.push([one, other]);
        }
        outcomes
    }
}
