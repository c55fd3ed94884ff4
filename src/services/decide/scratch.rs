//! A copy of a commit in a folder of our own, with a diff applied.
//!
//! Here: making, looking at and removing it. Not here: what runs in it
//! (`conditions::commands`). Invariant: the user's work tree, index, HEAD and
//! references are only read. The copy is a repository of its own that borrows
//! the objects of the other, so that whatever a command does to it ends there.
//!
//! `git worktree add` would write into the repository, and `git archive` leaves
//! out what attributes name; reading the tree into a fresh repository does
//! neither, and commands find a work tree with a history.

use super::source::{Source, ask};
use crate::model::evidence::ListedFile;
use crate::store::entry::sha256_hex;
use crate::sys::{FileKind, Sys};
use std::io;
use std::path::{Path, PathBuf};

/// A scratch copy. Dropping it removes it.
pub struct Scratch<'s> {
    sys: &'s Sys,
    dir: PathBuf,
}

impl std::fmt::Debug for Scratch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scratch").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// A path that applying the diff changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// From the top of the repository.
    pub path: String,
    /// The mode after, as git writes it; 0 where it is gone.
    pub mode: u32,
}

impl<'s> Scratch<'s> {
    /// An empty folder that only we may look into, outside of the repository.
    ///
    /// # Errors
    /// In words.
    pub fn make(sys: &'s Sys, source: &Source) -> Result<Self, String> {
        let temp = sys.env.temp_dir();
        let told = |e: io::Error| format!("no scratch copy in `{}`: {e}", temp.display());
        let temp = sys.fs.canonicalize(&temp).map_err(told)?;
        if sys.fs.canonicalize(&source.top).is_ok_and(|top| temp.starts_with(top)) {
            return Err(format!(
                "no scratch copy: the folder for temporary files, `{}`, is in the repository",
                temp.display()
            ));
        }
        let dir = temp.join(format!("orch-decide-{}", sys.random_hex()));
        sys.fs.create_private_dir(&dir).map_err(told)?;
        let made = Self { sys, dir };
        sys.fs.create_dir_all(&made.temporaries(), None).map_err(told)?;
        Ok(made)
    }

    /// The folder that holds everything.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The top of the copy.
    pub fn copy(&self) -> PathBuf {
        self.dir.join("copy")
    }

    /// Where commands put their own temporary files.
    pub fn temporaries(&self) -> PathBuf {
        self.dir.join("tmp")
    }

    /// Checks a commit out.
    ///
    /// # Errors
    /// In words.
    pub fn fill(&self, source: &Source, base: &str) -> Result<(), String> {
        let copy = self.copy();
        let path = copy.to_string_lossy();
        let format = format!("--object-format={}", source.format);
        ask(self.sys, &self.dir, &["init", "-q", "--template=", &format, &path], b"")?;
        let objects = source.objects.to_string_lossy();
        self.write(".git/objects/info/alternates", format!("{objects}\n").as_bytes())?;
        if let Ok(shallow) = self.sys.fs.read(&source.shallow) {
            self.write(".git/shallow", &shallow)?;
        }
        ask(self.sys, &copy, &["update-ref", "--no-deref", "HEAD", base], b"")?;
        ask(self.sys, &copy, &["read-tree", "--reset", "-u", base], b"")?;
        Ok(())
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), String> {
        let path = self.copy().join(path);
        let written = self.sys.fs.create_new(&path).and_then(|mut file| file.write_all(bytes));
        written.map_err(|error| format!("cannot write `{}`: {error}", path.display()))
    }

    /// Applies a diff to files and index, whole or not at all.
    ///
    /// # Errors
    /// In words, where it does not apply.
    pub fn apply(&self, diff: &str) -> Result<(), String> {
        let apply = ["apply", "--index", "--whitespace=nowarn", "-"];
        ask(self.sys, &self.copy(), &apply, diff.as_bytes())
            .map(|_| ())
            .map_err(|why| format!("its diff does not apply to its base: {why}"))
    }

    /// What applying really changed, a renamed file under both names.
    ///
    /// # Errors
    /// In words.
    pub fn changed(&self) -> Result<Vec<Applied>, String> {
        let raw = ["diff-index", "--cached", "--raw", "-z", "--no-renames", "HEAD"];
        let raw = ask(self.sys, &self.copy(), &raw, b"")?;
        let raw =
            String::from_utf8(raw).map_err(|_| "a path of the diff is not UTF-8".to_owned())?;
        let mut fields = raw.split_terminator('\0');
        let mut changed = Vec::new();
        while let (Some(what), Some(path)) = (fields.next(), fields.next()) {
            // `:<mode> <mode> <object> <object> <letter>`
            let mode = what.split(' ').nth(1).and_then(|mode| u32::from_str_radix(mode, 8).ok());
            let mode = mode.ok_or_else(|| format!("git tells no mode of `{path}`"))?;
            changed.push(Applied { path: path.to_owned(), mode });
        }
        Ok(changed)
    }

    /// A file whose content is not the one that the evidence lists.
    pub fn differing<'f>(&self, files: &'f [ListedFile]) -> Option<&'f str> {
        let differs = |file: &&ListedFile| {
            let path = self.copy().join(&file.path);
            let Some(listed) = &file.sha256 else { return false };
            let is_file = self.sys.fs.lstat(&path).is_ok_and(|stat| stat.kind == FileKind::File);
            is_file && self.sys.fs.read(&path).is_ok_and(|bytes| sha256_hex(&bytes) != *listed)
        };
        files.iter().find(differs).map(|file| file.path.as_str())
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        // What cannot be removed now, the system removes with its temporaries.
        let _ = self.sys.fs.remove_tree(&self.dir);
    }
}
