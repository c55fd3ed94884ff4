//! How the workspace is found.
//!
//! Lives here: the upward search, `$ORCH_ROOT`, linked git worktrees, the top
//! of the repository. Not here: names inside a workspace (`store::layout`), the
//! settings' meaning (`services::config`). Invariant: a ledger that cannot be
//! looked at is an error, never a reason to go on and find another.

use std::io;
use std::path::{Path, PathBuf};

use super::layout::{LEDGER, Layout, is_absent};
use crate::error::{Error, Result};
use crate::sys::{FileKind, Fs, Sys};

/// Where the search begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// At `$ORCH_ROOT`, without a search, else at the working directory.
    CurrentDir,
    /// At this folder (`-C`), whatever `$ORCH_ROOT` says.
    At(PathBuf),
}

impl Layout {
    /// Finds the workspace. In a linked git worktree the main worktree's is
    /// used where there is one, so that two agents in two worktrees share it,
    /// unless the worktree's own settings say `worktrees: own`.
    ///
    /// # Errors
    /// `not_found` where there is none, `failed` where a place cannot be read.
    pub fn discover(sys: &Sys, start: Start) -> Result<Self> {
        let fs = &*sys.fs;
        let start = match start {
            Start::At(dir) => absolute(sys, &dir)?,
            Start::CurrentDir => match sys.env.var("ORCH_ROOT").filter(|dir| !dir.is_empty()) {
                Some(dir) => return named(fs, &absolute(sys, Path::new(&dir))?),
                None => absolute(sys, Path::new(""))?,
            },
        };
        let from = fs.canonicalize(&start).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => Error::not_found(format!("no folder `{}`", start.display())),
            _ => Error::io("open", &start, &e),
        })?;
        let found = match linked_worktree(fs, &from) {
            Some(tree) if tree.keeps_its_own(fs, &from) => search(fs, &from, Some(&tree.top))?,
            Some(tree) => match search(fs, &tree.counterpart(&from), Some(&tree.main))? {
                Some(root) => {
                    Some(fs.canonicalize(&root).map_err(|e| Error::io("open", &root, &e))?)
                }
                None => search(fs, &from, None)?,
            },
            None => search(fs, &from, None)?,
        };
        found.map(Self::new).ok_or_else(|| {
            Error::not_found(format!("no `{LEDGER}` in `{}` or above", from.display()))
                .hint("orch init")
        })
    }
}

/// The nearest folder at or above the workspace that holds `.git`, a folder or
/// a file, else the workspace itself: paths in diffs begin there.
pub fn repository_root(sys: &Sys, layout: &Layout) -> PathBuf {
    let holds = |dir: &&Path| sys.fs.lstat(&dir.join(".git")).is_ok();
    layout.root.ancestors().find(holds).unwrap_or(&layout.root).to_owned()
}

/// The folder that stands for the workspace's root in the worktree around a
/// folder: a linked worktree that shares the ledger has files of its own.
pub fn worktree_of(sys: &Sys, layout: &Layout, from: &Path) -> PathBuf {
    let from = sys.fs.canonicalize(from).unwrap_or_else(|_| from.to_owned());
    let own = linked_worktree(&*sys.fs, &from).and_then(|tree| {
        let below = layout.root.strip_prefix(&tree.main).ok()?;
        Some(tree.top.join(below))
    });
    own.filter(|own| sys.fs.stat(own).is_ok()).unwrap_or_else(|| layout.root.clone())
}

/// From the working directory, which is asked for only where it matters.
fn absolute(sys: &Sys, dir: &Path) -> Result<PathBuf> {
    if dir.is_absolute() {
        return Ok(dir.to_owned());
    }
    let failed = |e| Error::io("find", Path::new("the working directory"), &e);
    sys.env.current_dir().map(|cwd| cwd.join(dir)).map_err(failed)
}

/// The workspace that `$ORCH_ROOT` names; no search, so that a wrong value is
/// an error and never another ledger.
fn named(fs: &dyn Fs, root: &Path) -> Result<Layout> {
    if !holds_ledger(fs, root)? {
        let message = format!("no `{LEDGER}` in `{}`, which `$ORCH_ROOT` names", root.display());
        return Err(Error::not_found(message).hint("orch -C . status"));
    }
    fs.canonicalize(root).map(Layout::new).map_err(|e| Error::io("open", root, &e))
}

/// The nearest folder with a ledger, from `from` up to `top`, else up to `/`.
fn search(fs: &dyn Fs, from: &Path, top: Option<&Path>) -> Result<Option<PathBuf>> {
    for dir in from.ancestors() {
        if holds_ledger(fs, dir)? {
            return Ok(Some(dir.to_owned()));
        }
        if Some(dir) == top {
            break;
        }
    }
    Ok(None)
}

/// A link that leads nowhere counts: reading it then names the trouble, where
/// going on upward would quietly find another ledger. So does a refusal.
fn holds_ledger(fs: &dyn Fs, dir: &Path) -> Result<bool> {
    let path = dir.join(LEDGER);
    match fs.lstat(&path) {
        Ok(_) => Ok(true),
        Err(error) if is_absent(&error) => Ok(false),
        Err(error) => Err(Error::io("look for", &path, &error)),
    }
}

/// A linked git worktree and the main one.
struct Worktree {
    top: PathBuf,
    main: PathBuf,
}

/// The linked worktree around a folder, by git's files alone (gitrepository-layout):
///
/// ```text
/// <top>/.git                          "gitdir: <main>/.git/worktrees/<name>"
/// <main>/.git/worktrees/<name>/commondir   "../.."
/// ```
///
/// A submodule has no `commondir`; a bare repository, or a submodule's own
/// worktree, has a common folder of another name. None of them has a main
/// worktree to share with, and neither has what cannot be read.
fn linked_worktree(fs: &dyn Fs, from: &Path) -> Option<Worktree> {
    let top = from.ancestors().find(|dir| fs.lstat(&dir.join(".git")).is_ok())?;
    let dot_git = top.join(".git");
    if fs.stat(&dot_git).ok()?.kind != FileKind::File {
        return None;
    }
    let line = read_line(fs, &dot_git)?;
    let git_dir = top.join(line.strip_prefix("gitdir:")?.trim());
    let common = git_dir.join(read_line(fs, &git_dir.join("commondir"))?);
    let common = fs.canonicalize(&common).ok()?;
    let main = common.parent().filter(|_| common.ends_with(".git"))?;
    Some(Worktree { top: top.to_owned(), main: main.to_owned() })
}

impl Worktree {
    /// The same place in the main worktree; it need not exist.
    fn counterpart(&self, from: &Path) -> PathBuf {
        self.main.join(from.strip_prefix(&self.top).unwrap_or(Path::new("")))
    }

    /// Whether the nearest settings in this worktree say `worktrees: own`. Only
    /// that line is looked at, at the margin and in block style: the settings
    /// as a whole are parsed once it is known whose they are.
    fn keeps_its_own(&self, fs: &dyn Fs, from: &Path) -> bool {
        let inside = from.ancestors().take_while(|dir| dir.starts_with(&self.top));
        let settings = inside.map(|dir| Layout::new(dir).settings());
        let text = settings.into_iter().find_map(|path| fs.read(&path).ok()).unwrap_or_default();
        String::from_utf8_lossy(&text).trim_start_matches('\u{feff}').lines().any(|line| {
            let value = line.strip_prefix("worktrees:").unwrap_or_default().trim_start();
            let word = value.trim_start_matches(['"', '\'']);
            let end = word.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
            word[..end.unwrap_or(word.len())] == *"own"
        })
    }
}

fn read_line(fs: &dyn Fs, path: &Path) -> Option<String> {
    let text = String::from_utf8(fs.read(path).ok()?).ok()?;
    text.lines().next().map(|line| line.trim_end().to_owned())
}

#[cfg(test)]
#[path = "discover_tests.rs"]
mod tests;
