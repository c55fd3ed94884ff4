//! The repository that a workspace lies in, as a place to copy from.
//!
//! Here: asking git. Not here: the copy (`scratch`). Invariant: nothing of the
//! repository is written, neither its index nor its references.

use crate::store::ask_git::{self, complaint};
use crate::store::layout::Layout;
use crate::sys::Sys;
use std::path::{Path, PathBuf};

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The top of its work tree.
    pub top: PathBuf,
    /// From there to the workspace, with `/` at its end; empty where it is the
    /// top.
    pub prefix: String,
    /// The folder of its objects.
    pub objects: PathBuf,
    /// The file that names the commits where its history is cut off, if so.
    pub shallow: PathBuf,
    /// `sha1` or `sha256`.
    pub format: String,
}

impl Source {
    /// The repository of a workspace.
    ///
    /// # Errors
    /// In words, where there is none or git cannot be asked.
    pub fn of(sys: &Sys, layout: &Layout) -> Result<Self, String> {
        let asked = [
            "rev-parse",
            "--path-format=absolute",
            "--show-toplevel",
            "--git-path",
            "objects",
            "--git-path",
            "shallow",
            "--show-object-format",
            "--show-prefix",
        ];
        let told = ask(sys, &layout.root, &asked, b"")
            .map_err(|why| format!("the workspace is in no repository of git: {why}"))?;
        let told = String::from_utf8(told).map_err(|_| "a path of git is not UTF-8".to_owned())?;
        let lines: Vec<&str> = told.split('\n').collect();
        // What follows the last line end is empty.
        let [top, objects, shallow, format, prefix, ""] = lines[..] else {
            return Err("a path of git has a line end in it".to_owned());
        };
        Ok(Self {
            top: top.into(),
            prefix: prefix.to_owned(),
            objects: objects.into(),
            shallow: shallow.into(),
            format: format.to_owned(),
        })
    }

    /// What stands for it where there is none: the workspace alone.
    pub fn nowhere(layout: &Layout) -> Self {
        Self {
            top: layout.root.clone(),
            prefix: String::new(),
            objects: PathBuf::new(),
            shallow: PathBuf::new(),
            format: String::new(),
        }
    }

    /// Whether a commit can be the base of a change that is decided without a
    /// person: it is there, and HEAD was made from it. What somebody prepared
    /// beside the history would be tested there and applied elsewhere.
    ///
    /// # Errors
    /// In words, why not.
    pub fn has(&self, sys: &Sys, base: &str) -> Result<(), String> {
        let is_name = matches!(base.len(), 40 | 64) && base.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_name {
            return Err(format!("its base `{base}` is no whole name of a commit"));
        }
        let short = &base[..12];
        ask(sys, &self.top, &["cat-file", "-e", &format!("{base}^{{commit}}")], b"")
            .map_err(|_| format!("its base `{short}` is not in the repository"))?;
        ask(sys, &self.top, &["merge-base", "--is-ancestor", base, "HEAD"], b"")
            .map_err(|_| format!("its base `{short}` is not in the history of HEAD"))?;
        Ok(())
    }
}

/// Runs git in a folder. Commits are what they say, and files come as they are
/// stored.
///
/// # Errors
/// Its complaint.
pub fn ask(sys: &Sys, dir: &Path, args: &[&str], stdin: &[u8]) -> Result<Vec<u8>, String> {
    const SETTINGS: [&str; 7] = [
        "gc.auto=0",
        "apply.ignoreWhitespace=no",
        // Large files stay pointers: fetching them is not for a scratch copy.
        "filter.lfs.process=",
        "filter.lfs.smudge=",
        "filter.lfs.clean=",
        "filter.lfs.required=false",
        "init.defaultBranch=main",
    ];
    let args = [&["--no-replace-objects", "--literal-pathspecs"], args].concat();
    let asked = ask_git::ask(sys, dir, &SETTINGS, &args, &[], stdin);
    let output = asked.map_err(|e| format!("git: {e}"))?;
    if output.success { Ok(output.stdout) } else { Err(complaint(&output.stderr)) }
}
