//! A repository with a workspace in it, edits by chance, and what is there.

use crate::support::workspace::Workspace;
use orch::error::Result;
use orch::services::evidence::work_tree::{Change, of_work_tree};
use orch::store::entry::sha256_hex;
use orch::store::layout::Layout;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A file of a work tree.
#[derive(Clone, PartialEq, Eq)]
pub enum File {
    /// Bytes, and whether it can be run.
    Plain(Vec<u8>, bool),
    /// Where it leads.
    Link(Vec<u8>),
}

impl File {
    pub fn sha(&self) -> String {
        match self {
            Self::Plain(bytes, _) | Self::Link(bytes) => sha256_hex(bytes),
        }
    }
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plain(bytes, run) => write!(f, "{} {run}", bytes.escape_ascii()),
            Self::Link(to) => write!(f, "-> {}", to.escape_ascii()),
        }
    }
}

/// Chance that is the same in every run (xorshift64).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % n
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Names that a shell, git and Markdown have trouble with.
const NAMES: [&str; 18] = [
    "plain.txt",
    "src/deep/er/x.rs",
    "with space",
    " leading",
    "日本語/ファイル.md",
    "quote\"d",
    "back\\slash",
    "new\nline",
    "tab\tbed",
    "star*[a]?",
    "-dash",
    ":(top)magic",
    "#hash",
    "a b b/a b",
    "d/`tick`",
    "!bang",
    "émile",
    "x b/x",
];

/// Contents, each odd in its way.
fn contents() -> Vec<Vec<u8>> {
    let lines =
        |n: usize| (0..n).flat_map(|i| format!("line {i}\n").into_bytes()).collect::<Vec<_>>();
    vec![
        Vec::new(),
        b"one line\n".to_vec(),
        b"no newline".to_vec(),
        lines(40),
        b"crlf\r\nlines\r\n".to_vec(),
        b"mixed\r\nends\nand\rmore".to_vec(),
        "日本語 ünï\n".into(),
        b"latin-1: \xe9t\xe9\nand more\n".to_vec(),
        [&lines(30)[..], b"\xff\xfe late\n"].concat(),
        (0..=255).collect(),
        [&b"text ".repeat(2000)[..], b"\0 late NUL\n"].concat(),
        b"```\n````diff\n--- a/x\n+++ b/x\n@@ -1 +1 @@\ndiff --git a/x b/x\n-- \n".to_vec(),
        b"\n\n \n\t\n".to_vec(),
    ]
}

pub struct Tree {
    pub ws: Workspace,
}

impl Tree {
    /// A repository without a commit, in which the workspace is.
    pub fn new() -> Self {
        let tree = Self { ws: Workspace::new().init() };
        tree.git("init -q -b main");
        tree
    }

    /// With files of every kind in its first commit.
    pub fn with_files() -> Self {
        let tree = Self::new();
        tree.ws.write(".gitignore", "*.log\n");
        for (n, content) in contents().iter().enumerate() {
            tree.ws.write(NAMES[n], content);
        }
        tree.ws.write("run.sh", "#!/bin/sh\n");
        tree.mode("run.sh", 0o755);
        symlink("plain.txt", tree.at("link")).unwrap();
        tree.commit();
        tree
    }

    pub fn commit(&self) {
        self.git("add -A");
        self.git("commit -q -m change");
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.ws.root().join(path)
    }

    pub fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// What evidence there would be.
    pub fn change(&self, rev: Option<&str>) -> Result<Change> {
        self.change_at("", rev)
    }

    pub fn change_at(&self, dir: &str, rev: Option<&str>) -> Result<Change> {
        of_work_tree(&self.ws.sys(b""), &Layout::new(self.ws.root()), &self.at(dir), rev)
    }

    /// Real git, which sees nothing of the machine's settings.
    pub fn run(dir: &Path, words: &[&str], stdin: &[u8]) -> Output {
        let mut git = Command::new("git");
        git.args(words).current_dir(dir).env_clear();
        git.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "ada");
            git.env(format!("GIT_{who}_EMAIL"), "ada@example.org");
        }
        git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = git.spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), stdin).unwrap();
        child.wait_with_output().unwrap()
    }

    /// The same at the root, by words; it must succeed.
    pub fn git(&self, words: &str) -> String {
        self.git_words(&words.split(' ').collect::<Vec<_>>())
    }

    pub fn git_words(&self, words: &[&str]) -> String {
        let ran = Self::run(self.ws.root(), words, b"");
        let (out, err) = (ran.stdout, String::from_utf8_lossy(&ran.stderr).into_owned());
        assert!(ran.status.success(), "git {words:?}: {err}");
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The files that are not ignored, by path, without those of the workspace.
    pub fn files(&self) -> BTreeMap<String, File> {
        files(self.ws.root())
    }

    /// All that a reader of the repository must leave as it was.
    pub fn repository(&self) -> (Vec<u8>, String, String) {
        let index = fs::read(self.at(".git/index")).unwrap_or_default();
        (index, self.git("count-objects -v"), self.git("for-each-ref"))
    }

    /// What is left among temporary files.
    pub fn scratch(&self) -> Vec<String> {
        let dir = self.ws.sys(b"").env.temp_dir();
        let names = fs::read_dir(dir).unwrap();
        names.map(|name| name.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    /// Lets `look` see a clean checkout of HEAD after a patch.
    pub fn clean_checkout(&self, diff: &str, look: impl FnOnce(&BTreeMap<String, File>)) {
        let clean = self.ws.root().parent().unwrap().join("clean");
        let path = clean.to_str().unwrap();
        self.git_words(&["worktree", "add", "-q", "--force", "--detach", path, "HEAD"]);
        let apply = ["apply", "--whitespace=nowarn", "-"];
        let ran = Self::run(&clean, &apply, diff.as_bytes());
        let why = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{why}\n{diff}");
        look(&files(&clean));
        self.git_words(&["worktree", "remove", "--force", path]);
    }

    /// Settings that change what `git diff` prints for people.
    pub fn hostile(&self) {
        for (name, value) in [
            ("diff.noprefix", "true"),
            ("diff.mnemonicPrefix", "true"),
            ("diff.external", "false"),
            ("diff.renames", "copies"),
            ("diff.context", "0"),
            ("diff.interHunkContext", "9"),
            ("diff.algorithm", "minimal"),
            ("diff.relative", "true"),
            ("diff.suppressBlankEmpty", "true"),
            ("diff.autoRefreshIndex", "false"),
            ("diff.submodule", "log"),
            ("diff.ignoreSubmodules", "all"),
            ("diff.wsErrorHighlight", "all"),
            ("diff.colorMoved", "zebra"),
            ("diff.odd.textconv", "false"),
            ("color.ui", "always"),
            ("color.diff", "always"),
            ("core.quotePath", "false"),
            ("core.pager", "false"),
            ("core.safecrlf", "true"),
            ("core.splitIndex", "true"),
            ("core.untrackedCache", "true"),
            ("status.showUntrackedFiles", "no"),
        ] {
            self.git_words(&["config", name, value]);
        }
        self.ws.write(".git/info/attributes", "*.txt diff=odd\n");
    }

    /// One edit by chance; says what it did.
    pub fn edit(&self, dice: &mut Dice) -> String {
        let names: Vec<String> =
            self.files().into_keys().filter(|name| name != ".gitignore").collect();
        let old = if names.is_empty() { "plain.txt".to_owned() } else { dice.pick(&names).clone() };
        let new = (*dice.pick(&NAMES)).to_owned();
        let content = dice.pick(&contents()).clone();
        let what = dice.below(19);
        match what {
            0..=3 => self.put(&new, &content),
            4 => self.put(&old, &content),
            5 => {
                let mut bytes = fs::read(self.at(&old)).unwrap_or_default();
                // The same size: only the content can tell.
                if let Some(first) = bytes.first_mut() {
                    *first = first.wrapping_add(1);
                }
                self.put(&old, &bytes);
            }
            6 => {
                let bytes = fs::read(self.at(&old)).unwrap_or_default();
                self.put(&old, &[&bytes[..], b"\nmore\r\n"].concat());
            }
            7 => {
                self.remove(&old);
                self.put(&format!("{old}/below"), &content);
            }
            8..=9 => self.remove(&old),
            10 => {
                let to = format!("moved/{}", old.replace('/', "_"));
                fs::create_dir_all(self.at("moved")).unwrap();
                let _ = fs::rename(self.at(&old), self.at(&to));
            }
            11 => {
                if let Ok(meta) = fs::symlink_metadata(self.at(&old))
                    && meta.is_file()
                {
                    let mode = meta.permissions().mode() ^ 0o111;
                    self.mode(&old, mode | 0o600);
                }
            }
            12 => {
                self.remove(&old);
                self.folders(&old);
                let _ =
                    symlink(dice.pick(&["plain.txt", "../out", "no where\n", "日"]), self.at(&old));
            }
            13 => drop(Self::run(self.ws.root(), &["add", "-A"], b"")),
            14 => drop(Self::run(self.ws.root(), &["add", "-N", "."], b"")),
            15 => drop(Self::run(self.ws.root(), &["add", "--", &format!(":(literal){old}")], b"")),
            16 => {
                let spec = format!(":(literal){old}");
                drop(Self::run(self.ws.root(), &["rm", "-q", "--cached", "--", &spec], b""));
            }
            17 => {
                let flag = dice.pick(&["--assume-unchanged", "--skip-worktree"]);
                drop(Self::run(self.ws.root(), &["update-index", flag, "--", &old], b""));
            }
            _ => {
                self.put("noise.log", b"ignored");
                self.ws.write("ORCH/notes.md", content);
            }
        }
        format!("{what} {old:?} {new:?}")
    }

    fn folders(&self, path: &str) {
        // A file in the way of a folder goes.
        let path = self.at(path);
        let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
        above.retain(|dir| *dir != self.ws.root() && dir.starts_with(self.ws.root()));
        for dir in above.into_iter().rev() {
            if fs::symlink_metadata(dir).is_ok_and(|meta| !meta.is_dir()) {
                fs::remove_file(dir).unwrap();
            }
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
    }

    pub fn put(&self, path: &str, bytes: &[u8]) {
        self.folders(path);
        let at = self.at(path);
        match fs::symlink_metadata(&at) {
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(&at).unwrap(),
            Ok(meta) if meta.is_symlink() => fs::remove_file(&at).unwrap(),
            _ => {}
        }
        fs::write(at, bytes).unwrap();
    }

    fn remove(&self, path: &str) {
        let _ = fs::remove_file(self.at(path));
    }
}

fn files(root: &Path) -> BTreeMap<String, File> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let meta = fs::symlink_metadata(&path).unwrap();
            let is_noise = path.extension().is_some_and(|ext| ext == "log");
            if matches!(name.as_str(), ".git" | "ORCH") || is_noise {
                continue;
            }
            if meta.is_dir() {
                open.push(path);
            } else if meta.is_symlink() {
                let to = fs::read_link(&path).unwrap();
                found.insert(name, File::Link(to.as_os_str().as_bytes().to_vec()));
            } else {
                let run = meta.permissions().mode() & 0o100 != 0;
                found.insert(name, File::Plain(fs::read(&path).unwrap(), run));
            }
        }
    }
    found
}
