//! Git, asked about a work tree: the same answer under every configuration.
//!
//! Here: where the work tree is, running git in it, scratch files for an index
//! of our own. Not here: what is asked (`work_tree`, `patch`, `apply`).
//! Invariant: the user's index is read and never written, and no hook runs.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::git_diff::FileDiff;
use crate::store::ask_git::{self, complaint};
use crate::store::layout::Layout;
use crate::sys::{Output, Sys};
use std::io;
use std::path::{Path, PathBuf};

/// Settings that would write beside the scratch index, or spell names and lines
/// otherwise.
const STEADY: [&str; 6] = [
    "core.quotePath=true",
    "core.splitIndex=false",
    "core.safecrlf=false",
    "diff.autoRefreshIndex=true",
    "diff.suppressBlankEmpty=false",
    "apply.ignoreWhitespace=no",
];

/// A work tree of git.
pub struct Repository<'s> {
    sys: &'s Sys,
    /// Its top folder, without links.
    pub top: PathBuf,
}

impl<'s> Repository<'s> {
    /// The work tree that holds a folder; none where there is none, or no git.
    ///
    /// # Errors
    /// `failed` where git will not speak of it, as with another user's folder.
    pub fn of(sys: &'s Sys, dir: &Path) -> Result<Option<Self>> {
        let asked = ask(sys, dir, &["rev-parse", "--show-toplevel"], &[], b"");
        let output = match asked {
            Ok(output) => output,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("run git in", dir, &error)),
        };
        if output.success {
            let top = PathBuf::from(line(&output.stdout));
            let top = sys.fs.canonicalize(&top).map_err(|e| Error::io("open", &top, &e))?;
            return Ok(Some(Self { sys, top }));
        }
        let why = complaint(&output.stderr);
        let is_none = why.contains("not a git repository") || why.contains("work tree");
        if is_none { Ok(None) } else { Err(refused(&output.stderr)) }
    }

    /// Runs git at the top. An answer that is no is an answer.
    ///
    /// # Errors
    /// `failed` where it cannot be run.
    pub fn ask(&self, args: &[&str], env: &[(&str, &str)], stdin: &[u8]) -> Result<Output> {
        let output = ask(self.sys, &self.top, args, env, stdin);
        output.map_err(|error| Error::io("run git in", &self.top, &error))
    }

    /// Runs git at the top, for what it prints.
    ///
    /// # Errors
    /// `failed` where it cannot be run, or says no.
    pub fn tell(&self, args: &[&str], env: &[(&str, &str)], stdin: &[u8]) -> Result<Vec<u8>> {
        let output = self.ask(args, env, stdin)?;
        if output.success {
            return Ok(output.stdout);
        }
        Err(refused(&output.stderr))
    }

    /// The commit that a revision names.
    ///
    /// # Errors
    /// `failed` where git cannot be run.
    pub fn commit(&self, rev: &str) -> Result<Option<String>> {
        let rev = format!("{rev}^{{commit}}");
        let args = ["rev-parse", "--verify", "--quiet", "--end-of-options", rev.as_str()];
        let output = self.ask(&args, &[], b"")?;
        Ok(output.success.then(|| line(&output.stdout)))
    }

    /// The name of what holds nothing, a `tree` or a `blob`: an object without
    /// content, which need not be stored to be spoken of.
    ///
    /// # Errors
    /// `failed` where git cannot be run.
    pub fn empty(&self, kind: &str) -> Result<String> {
        Ok(line(&self.tell(&["hash-object", "-t", kind, "--stdin"], &[], b"")?))
    }

    /// An index of our own: a copy of the user's, or one that is not there yet.
    ///
    /// # Errors
    /// `failed` where it cannot be read or written.
    pub fn scratch_index(&self, start: Start) -> Result<Scratch> {
        let scratch = Scratch::at(self.sys, "index")?;
        if start == Start::Empty {
            return Ok(scratch);
        }
        let path = self.tell(&["rev-parse", "--git-path", "index"], &[], b"")?;
        let path = self.top.join(line(&path));
        let fs = &*self.sys.fs;
        let read = fs.stat(&path).and_then(|stat| Ok((stat, fs.read(&path)?)));
        match read {
            // Git looks closer at files as young as the index is: a younger
            // copy would take for unchanged what was changed in that second.
            Ok((stat, bytes)) => scratch.filled(&bytes, Some(stat.mtime_ns)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(scratch),
            Err(error) => Err(Error::io("read", &path, &error)),
        }
    }

    /// Somewhere else to write objects, with the repository's own to read.
    ///
    /// # Errors
    /// `failed` where git cannot be asked or the folder not be made.
    pub fn scratch_objects(&self) -> Result<Objects> {
        let own = self.tell(&["rev-parse", "--git-path", "objects"], &[], b"")?;
        let own = self.top.join(line(&own)).to_string_lossy().into_owned();
        // A list with `:` between; quoted, a path may hold one.
        let own = format!("\"{}\"", own.replace('\\', "\\\\").replace('"', "\\\""));
        let path = free_path(self.sys, "objects")?;
        let made = self.sys.fs.create_private_dir(&path);
        made.map_err(|error| Error::io("make", &path, &error))?;
        Ok(Objects { sys: self.sys.clone(), path, own })
    }

    /// Where the workspace's `ORCH/` lies in this work tree, from the top, with
    /// `/`. A linked work tree has its own copy of the main one's.
    ///
    /// # Errors
    /// `failed` where git cannot be run.
    pub fn ledgers(&self, layout: &Layout) -> Result<Vec<String>> {
        let mut found: Vec<String> = Vec::new();
        let orch = layout.orch_dir();
        for place in [self.sys.fs.canonicalize(&orch).ok(), Some(orch)].into_iter().flatten() {
            if let Ok(inside) = place.strip_prefix(&self.top) {
                found.push(inside.to_string_lossy().into_owned());
            }
        }
        let common = ["rev-parse", "--path-format=absolute", "--git-common-dir"];
        let ours = self.ask(&common, &[], b"")?;
        let theirs = ask(self.sys, &layout.root, &common, &[], b"");
        let prefix = ask(self.sys, &layout.root, &["rev-parse", "--show-prefix"], &[], b"");
        if let (true, Ok(theirs), Ok(prefix)) = (ours.success, theirs, prefix)
            && theirs.success
            && prefix.success
            && theirs.stdout == ours.stdout
        {
            found.push(format!("{}ORCH", line(&prefix.stdout)));
        }
        found.retain(|path| !path.is_empty());
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}

/// Refuses a diff in which git sees other files than we do: what is judged must
/// be what would be done. Git stops without a word at binary content that is
/// damaged, having done the rest.
///
/// # Errors
/// `ledger_invalid`; `failed` where git cannot be run.
pub fn agrees(repository: &Repository<'_>, diff: &str, files: &[FileDiff]) -> Result<()> {
    let output = repository.ask(&["apply", "--numstat", "-z", "-"], &[], diff.as_bytes())?;
    let refused = |why: &str| {
        Err(Error::invalid(format!("git reads the diff otherwise than it looks: {why}"))
            .hint("orch evidence verify"))
    };
    if !output.success {
        return refused(&complaint(&output.stderr));
    }
    let entries = output.stdout.split(|byte| *byte == 0).filter(|entry| !entry.is_empty());
    let mut left = files.iter();
    for entry in entries {
        let name = entry.splitn(3, |byte| *byte == b'\t').nth(2).unwrap_or_default();
        let is_next =
            left.next().is_some_and(|file| file.paths().any(|path| path.as_bytes() == name));
        if !is_next {
            return refused(&format!("it changes `{}`", String::from_utf8_lossy(name)));
        }
    }
    match left.next().and_then(|file| file.paths().next()) {
        Some(path) => refused(&format!("it does not change `{path}`")),
        None => Ok(()),
    }
}

/// How a scratch index begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// As the user's is.
    Users,
    /// With nothing.
    Empty,
}

/// Refuses a change that reaches where evidence must not.
///
/// # Errors
/// `not_allowed` for a path that leaves the repository, or lies in `.git` or in
/// one of `ledgers`.
pub fn reach(files: &[FileDiff], ledgers: &[String]) -> Result<()> {
    for path in files.iter().flat_map(FileDiff::paths) {
        let why = if !crate::ledger::git_diff::is_inside(path) {
            "leads out of the repository or into `.git`"
        } else if ledgers.iter().any(|orch| below(path, orch)) {
            "lies in `ORCH/`, which only commands change"
        } else {
            continue;
        };
        return Err(Error::not_allowed(format!("the change touches `{path}`, which {why}")));
    }
    Ok(())
}

/// Whether a path is another, or below it.
pub(super) fn below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The first line of an answer.
pub fn line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.strip_suffix('\n').unwrap_or(&text).to_owned()
}

fn refused(stderr: &[u8]) -> Error {
    Error::new(ErrorKind::Failed, format!("git says: {}", complaint(stderr)))
}

fn ask(
    sys: &Sys,
    dir: &Path,
    args: &[&str],
    env: &[(&str, &str)],
    stdin: &[u8],
) -> io::Result<Output> {
    ask_git::ask(sys, dir, &STEADY, args, env, stdin)
}

/// A name among the system's temporary files that nobody else has.
fn free_path(sys: &Sys, what: &str) -> Result<PathBuf> {
    let path = sys.env.temp_dir().join(format!("orch-{what}-{}", sys.random_hex()));
    if path.to_str().is_some() {
        return Ok(path);
    }
    let message = format!("the folder for temporary files, `{}`, is not UTF-8", path.display());
    Err(Error::new(ErrorKind::Failed, message))
}

/// A file of ours among the system's temporary ones; dropping it removes it.
pub struct Scratch {
    sys: Sys,
    path: PathBuf,
}

impl Scratch {
    /// A name that nobody else has; no file yet.
    ///
    /// # Errors
    /// `failed` where the system's folder for such files has no UTF-8 name.
    pub fn at(sys: &Sys, what: &str) -> Result<Self> {
        Ok(Self { sys: sys.clone(), path: free_path(sys, what)? })
    }

    /// Makes the file, as old as that.
    ///
    /// # Errors
    /// `failed` where it cannot be written.
    pub fn filled(self, bytes: &[u8], mtime_ns: Option<i128>) -> Result<Self> {
        let made = self.sys.fs.create_new(&self.path);
        let written = made.and_then(|mut file| {
            file.write_all(bytes)?;
            mtime_ns.map_or(Ok(()), |time| file.stamp(time))
        });
        written.map_err(|error| Error::io("write", &self.path, &error))?;
        Ok(self)
    }

    /// Where it is.
    pub fn path(&self) -> &str {
        self.path.to_str().unwrap_or_default()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What git did not write is not there, and a rest among temporary files
        // does no harm.
        let _ = self.sys.fs.remove_file(&self.path);
    }
}

/// A folder of ours for objects; dropping it removes it with all that it holds.
pub struct Objects {
    sys: Sys,
    path: PathBuf,
    own: String,
}

impl Objects {
    /// The variables by which git writes there.
    pub fn env(&self) -> [(&str, &str); 2] {
        let path = self.path.to_str().unwrap_or_default();
        [("GIT_OBJECT_DIRECTORY", path), ("GIT_ALTERNATE_OBJECT_DIRECTORIES", &self.own)]
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        // A rest among temporary files does no harm.
        let _ = self.sys.fs.remove_tree(&self.path);
    }
}
