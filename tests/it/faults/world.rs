//! A simulated world on real files that can be copied before each fault.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use orch::sys::sim::Sim;
use serde_json::Value;

/// 2026-03-01T09:00:00.4Z: a reader that looks twice waits a few milliseconds,
/// and the end of a lease, in whole seconds, must not depend on it.
const START_MS: i64 = 1_772_355_600_400;

pub const LEDGER: &str = "\
# Tasks

| task_id | title | state | owner | lock | lock_owner | lock_expires_at | due | artifact | notes |
|---|---|---|---|---|---|---|---|---|---|
| T-1 | One | READY | - | - | - | - | - | - | - |
| T-2 | Two | PLAN | - | - | - | - | - | - | priority=LOW |
| T-3 | Three | READY | - | - | - | - | - | - | priority=HIGH |

### T-3 Three

Text of its own.
";

/// A change that somebody made elsewhere.
const PATCH: &str = "\
--- a/greeting.txt
+++ b/greeting.txt
@@ -1 +1 @@
-hello
+hallo
";

/// A workspace and the world that its commands see.
pub struct World {
    dir: tempfile::TempDir,
    pub sim: Sim,
    now_ms: i64,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub exit: u8,
    pub out: String,
    pub err: String,
}

impl World {
    /// A folder with nothing in it.
    pub fn empty() -> Self {
        // In memory where there is such a place: what is looked at is which
        // calls are made, not what a disk makes of them.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        Self::on(dir, START_MS)
    }

    fn on(dir: tempfile::TempDir, now_ms: i64) -> Self {
        let sim = Sim::new(fs::canonicalize(dir.path()).unwrap());
        sim.clock.set(now_ms);
        Self { dir, sim, now_ms }
    }

    /// The ledger above.
    pub fn new() -> Self {
        let world = Self::empty();
        fs::create_dir_all(world.path("ORCH/STATE")).unwrap();
        fs::write(world.tasks(), LEDGER).unwrap();
        fs::write(world.path("p.diff"), PATCH).unwrap();
        fs::write(world.path("more.md"), "- [ ] T-50 P1 Come along\n  - with a word\n").unwrap();
        world
    }

    /// The same files and the same moment, apart.
    pub fn copy(&self) -> Self {
        let other = Self::empty();
        copy_dir(self.dir.path(), other.dir.path());
        Self::on(other.dir, self.now_ms)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn tasks(&self) -> PathBuf {
        self.path("ORCH/STATE/TASKS.md")
    }

    pub fn text(&self) -> Option<String> {
        fs::read_to_string(self.tasks()).ok()
    }

    /// A line of words; calls and faults are counted from its beginning only if
    /// the caller resets them.
    pub fn run(&self, line: &str) -> Ran {
        self.run_words(line.split(' ').filter(|word| !word.is_empty()))
    }

    /// The same with words that may hold blanks.
    pub fn run_words<'w>(&self, words: impl Iterator<Item = &'w str>) -> Ran {
        let words = std::iter::once("orch").chain(words).map(OsString::from).collect();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = orch::cli::run(&self.sim.sys(), words, &mut out, &mut err);
        Ran { exit, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
    }

    /// The same, which must succeed; a word `+2h` instead moves the clock.
    #[track_caller]
    pub fn ok(&mut self, line: &str) {
        if line == "+2h" {
            self.now_ms += 2 * 3_600_000;
        } else {
            let ran = self.run(line);
            assert_eq!(ran.exit, 0, "{line}: {ran:?}");
            // Distinct moments, so that distinct operations have distinct ids.
            self.now_ms += 1_000;
        }
        self.sim.clock.set(self.now_ms);
        self.sim.fs.reset();
    }

    /// Every file with its bytes, runtime files left out.
    pub fn files(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        walk(self.dir.path(), self.dir.path(), &mut found);
        found.retain(|name, _| !name.contains("/LOCKS/"));
        found
    }

    /// The journal: lines that are whole, and how many are not.
    pub fn journal(&self) -> (Vec<Value>, usize) {
        let (mut whole, mut torn) = (Vec::new(), 0);
        for (name, text) in self.files() {
            if name.ends_with("journal.jsonl") {
                for line in text.lines().filter(|line| !line.is_empty()) {
                    match serde_json::from_str(line) {
                        Ok(entry) => whole.push(entry),
                        Err(_) => torn += 1,
                    }
                }
            }
        }
        (whole, torn)
    }
}

/// What people see: ledgers, archives, flags and evidence.
pub fn is_ledger(name: &str) -> bool {
    let is_archive = name.starts_with("ORCH/STATE/archive/") && !is_temporary(name);
    let is_row = ["TASKS.md", "APPROVALS.md", "FLAGS.md"]
        .iter()
        .any(|ledger| name.strip_prefix("ORCH/STATE/") == Some(ledger));
    is_row || is_archive || (name.starts_with("ORCH/patches/") && !is_temporary(name))
}

pub fn is_temporary(name: &str) -> bool {
    name.contains(".orch-")
}

fn copy_dir(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy_dir(&source, &target);
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source).unwrap(), &target).unwrap();
        } else {
            fs::copy(&source, &target).unwrap();
        }
    }
}

fn walk(root: &Path, dir: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            walk(root, &path, found);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            found.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}
