//! A workspace deep in a folder of other people's files, none of which may ever
//! change: what is around it is the canary.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::ground::{Ground, Ran};
use super::judge::sha256;

/// What lies around a workspace: path to kind, rights, time and content.
pub type Tree = BTreeMap<PathBuf, String>;

/// A workspace with its surroundings.
pub struct Yard {
    pub ground: Ground,
    outer: tempfile::TempDir,
    before: Tree,
}

/// How deep the workspace lies: as many `..` stay among the canaries.
const ROOT: &str = "a/b/c/work";

/// A file of the workspace that is not the ledger's.
const OWN: &str = "the workspace's own, and not the ledger's\n";

/// A change of it, `fix.diff` beside it.
const PATCH: &str = "\
--- a/file
+++ b/file
@@ -1 +1 @@
-the workspace's own, and not the ledger's
+the workspace's own still
";

impl Yard {
    /// With this task ledger.
    pub fn with(tasks: &str) -> Self {
        // In memory where that is possible: nobody pulls the plug here.
        let memory = tempfile::tempdir_in("/dev/shm");
        let outer = memory.or_else(|_| tempfile::tempdir()).unwrap();
        let top = fs::canonicalize(outer.path()).unwrap();
        for dir in ["canary/full", "canary/empty", "a/canary", "a/b/canary", ROOT] {
            fs::create_dir_all(top.join(dir)).unwrap();
        }
        for file in ["canary/file", "canary/full/file", "a/file", "a/b/x", "a/b/c/x", "a/b/c/file"]
        {
            fs::write(top.join(file), format!("{file} is somebody else's\n")).unwrap();
        }
        for (file, text) in [("file", OWN), ("fix.diff", PATCH)] {
            fs::write(top.join(ROOT).join(file), text).unwrap();
        }
        let ground = Ground::on(&top.join(ROOT), tasks);
        let mut yard = Self { ground, outer, before: Tree::new() };
        yard.settle();
        yard
    }

    /// The folder around everything.
    pub fn top(&self) -> PathBuf {
        fs::canonicalize(self.outer.path()).unwrap()
    }

    /// The folder that ledgers must stay in.
    pub fn orch(&self) -> PathBuf {
        self.ground.root().join("ORCH")
    }

    /// Takes what is there now as what must stay.
    pub fn settle(&mut self) {
        self.before = self.tree();
    }

    /// Nothing around the ledger's folder is other than it was.
    #[track_caller]
    pub fn untouched(&self, at: &str) {
        self.untouched_where(at, |_| true);
    }

    /// The same for some of the paths only.
    #[track_caller]
    pub fn untouched_where(&self, at: &str, counts: impl Fn(&Path) -> bool) {
        let (before, now) = (&self.before, self.tree());
        let all = before.keys().chain(now.keys()).filter(|path| counts(path));
        let apart = { all }.find(|path| before.get(*path) != now.get(*path));
        if let Some(path) = apart {
            let [was, is] = [before, &now].map(|tree| tree.get(path));
            panic!("{at}: outside, `{}` was {was:?} and is {is:?}", path.display());
        }
    }

    fn tree(&self) -> Tree {
        let mut found = Tree::new();
        look(&self.top(), &self.orch(), &mut found);
        found
    }

    /// Every name in the ledger's folder, with links as what they are.
    pub fn names(&self) -> Vec<PathBuf> {
        let mut found = Tree::new();
        look(&self.orch(), Path::new(""), &mut found);
        found.into_keys().map(|path| path.strip_prefix(self.orch()).unwrap().to_owned()).collect()
    }

    /// Runs these words; whatever they are, it ends soon, by itself and with a
    /// number that the contract has.
    #[track_caller]
    pub fn run<S: AsRef<OsStr>>(&self, words: &[S], env: &[(&str, &OsStr)], at: &str) -> Ran {
        let mut command = self.ground.command(&[]);
        let program = command.get_program().to_owned();
        command = self.ground.tool("timeout", &["-s", "KILL", "20"]);
        command.arg(program).args(words).envs(env.iter().copied());
        let ran = Ran::from(command.output().unwrap());
        assert_ne!(ran.exit, 137, "{at}: it hangs");
        ran.ended_by_itself(at);
        assert!(!ran.err.contains("panicked"), "{at}: {ran:?}");
        ran
    }

    /// A line of words, run so.
    #[track_caller]
    pub fn line(&self, line: &str, at: &str) -> Ran {
        self.run(&line.split(' ').collect::<Vec<_>>(), &[], &format!("{at}: `{line}`"))
    }
}

/// Looks at everything below a folder but one, and never waits for a pipe. The
/// time of a folder tells of names that came and went again.
fn look(dir: &Path, but: &Path, found: &mut Tree) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path == but {
            continue;
        }
        let meta = fs::symlink_metadata(&path).unwrap();
        let kind = meta.file_type();
        let content = if kind.is_symlink() {
            format!("-> {}", fs::read_link(&path).unwrap().display())
        } else if kind.is_file() {
            sha256(&fs::read(&path).unwrap())
        } else {
            String::new()
        };
        let time = (meta.mtime(), meta.mtime_nsec());
        found.insert(path.clone(), format!("{:o} {time:?} {content}", meta.mode()));
        if kind.is_dir() {
            look(&path, but, found);
        }
    }
}
