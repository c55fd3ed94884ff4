//! What git says of the repository around a workspace.
//!
//! Here: where hooks lie, the merge driver's settings, the attributes that hold.
//! Not here: what follows from that (`mod`). Invariant: only the settings of our
//! own driver are written.

use crate::error::{Error, ErrorKind, Result};
use crate::store::ask_git::complaint;
use crate::store::layout::Layout;
use crate::sys::{Output, Sys};
use std::io;
use std::path::{Path, PathBuf};

/// A repository with a work tree.
pub struct Repository<'s> {
    pub sys: &'s Sys,
    /// Where the workspace is.
    root: PathBuf,
    /// The top of the work tree.
    pub top: PathBuf,
    /// Where git looks for hooks.
    pub hooks: PathBuf,
    /// What all work trees share: the repository itself.
    pub common: PathBuf,
}

impl std::fmt::Debug for Repository<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository").field("top", &self.top).finish_non_exhaustive()
    }
}

impl<'s> Repository<'s> {
    /// The repository that a workspace lies in.
    ///
    /// # Errors
    /// `not_found` where there is none or it has no work tree, `failed` where git
    /// is not installed or says no.
    pub fn of(sys: &'s Sys, layout: &Layout) -> Result<Self> {
        let root = layout.root.clone();
        let shown = root.display();
        let places = ["--show-toplevel", "--git-common-dir", "--git-path", "hooks"];
        let args = [&["rev-parse", "--path-format=absolute"][..], &places].concat();
        let answer = run(sys, &root, &args).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => Error::new(ErrorKind::Failed, "git is not installed"),
            _ => Error::io("ask git in", &root, &e),
        })?;
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        if let ([top, common, hooks], true) =
            (&text.lines().map(PathBuf::from).collect::<Vec<_>>()[..], answer.success)
        {
            let (top, common, hooks) = (top.clone(), common.clone(), hooks.clone());
            return Ok(Self { sys, root, top, hooks, common });
        }
        let said = complaint(&answer.stderr);
        if said.contains("not a git repository") {
            let message = format!("`{shown}` is in no git repository");
            return Err(Error::not_found(message).hint("git init"));
        }
        if said.contains("must be run in a work tree") {
            let message = format!("`{shown}` is in a bare repository, where nobody commits");
            return Err(Error::not_found(message).hint("git worktree list"));
        }
        Err(Error::new(ErrorKind::Failed, format!("git in `{shown}`: {said}")).hint("git status"))
    }

    fn ask(&self, args: &[&str]) -> Result<Output> {
        run(self.sys, &self.root, args).map_err(|e| Error::io("ask git in", &self.root, &e))
    }

    /// A setting as it holds here, wherever it is written.
    ///
    /// # Errors
    /// `failed` where git cannot be asked.
    pub fn setting(&self, key: &str) -> Result<Option<String>> {
        let answer = self.ask(&["config", "--null", "--get", key])?;
        let value = String::from_utf8_lossy(&answer.stdout).into_owned();
        Ok(answer.success.then(|| value.trim_end_matches('\0').to_owned()))
    }

    /// Writes a setting of this repository and all its work trees.
    ///
    /// # Errors
    /// `failed` where git refuses.
    pub fn set(&self, key: &str, value: &str) -> Result<()> {
        let answer = self.ask(&["config", "--local", "--replace-all", key, value])?;
        self.done(&answer, "write its settings")
    }

    /// Takes a section of settings away, if this repository has it.
    ///
    /// # Errors
    /// `failed` where git refuses.
    pub fn remove_section(&self, name: &str) -> Result<()> {
        let answer = self.ask(&["config", "--local", "--remove-section", name])?;
        self.done(&answer, "write its settings")
    }

    /// Whether this repository's own settings have a key.
    ///
    /// # Errors
    /// `failed` where git cannot be asked.
    pub fn has_own(&self, key: &str) -> Result<bool> {
        Ok(self.ask(&["config", "--local", "--get", key])?.success)
    }

    fn done(&self, answer: &Output, what: &str) -> Result<()> {
        if answer.success {
            return Ok(());
        }
        let said = complaint(&answer.stderr);
        let message = format!("git cannot {what} in `{}`: {said}", self.common.display());
        Err(Error::new(ErrorKind::Failed, message).hint("git status"))
    }

    /// The merge drivers that the attributes name for files, by their paths from
    /// the workspace: a word, or `unspecified`, `set`, `unset`.
    ///
    /// # Errors
    /// `failed` where git cannot be asked.
    pub fn merge_attributes(&self, files: &[&str]) -> Result<Vec<String>> {
        let answer = self.ask(&[&["check-attr", "-z", "merge", "--"], files].concat())?;
        self.done(&answer, "tell attributes")?;
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        let words: Vec<&str> = text.split('\0').collect();
        Ok(words.chunks_exact(3).map(|three| three[2].to_owned()).collect())
    }

    /// Whether git leaves a file out.
    pub fn ignores(&self, file: &str) -> bool {
        self.ask(&["check-ignore", "-q", "--", file]).is_ok_and(|answer| answer.success)
    }

    /// A path as people read it: from the top of the work tree where it is below.
    pub fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.top).unwrap_or(path).display().to_string()
    }
}

/// Unlike `store::ask_git`, under the settings for hooks that the user has: they
/// are what is asked for. No hook runs by any of these questions.
fn run(sys: &Sys, dir: &Path, args: &[&str]) -> io::Result<Output> {
    sys.programs.output(&[&["git", "-c", "core.fsmonitor=false"], args].concat(), dir, b"")
}
