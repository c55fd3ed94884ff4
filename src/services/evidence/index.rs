//! An index in which every file of a work tree can be seen.
//!
//! The user's own may be in the middle of a merge, and hide files by two flags.
//! Names are bytes here: that one of them is not UTF-8 is no trouble as long as
//! it does not change. Invariant: the user's index is copied and stays as it is,
//! and no object is written: what is compared is the files themselves.

use super::repository::{Repository, Scratch, Start};
use crate::error::Result;
use crate::sys::Sys;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

/// The user's index, with nothing hidden and nothing unmerged, and with every
/// file that is not ignored. Other repositories in the tree are left out, and
/// what lies in `ledgers`.
///
/// # Errors
/// `failed` where git cannot be asked or the copy not be written.
pub fn of_files(sys: &Sys, repository: &Repository<'_>, ledgers: &[String]) -> Result<Scratch> {
    let index = repository.scratch_index(Start::Users)?;
    let own = Own { sys, repository, index };
    own.hide_nothing()?;
    own.name_all(ledgers)?;
    Ok(own.index)
}

struct Own<'o> {
    sys: &'o Sys,
    repository: &'o Repository<'o>,
    index: Scratch,
}

impl Own<'_> {
    fn tell(&self, args: &[&str], stdin: &[u8]) -> Result<Vec<u8>> {
        self.repository.tell(args, &[("GIT_INDEX_FILE", self.index.path())], stdin)
    }

    fn names(&self, args: &[&str]) -> Result<Vec<Vec<u8>>> {
        let listing = self.tell(args, b"")?;
        let names = listing.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        Ok(names.map(<[u8]>::to_vec).collect())
    }

    fn is_there(&self, path: &[u8]) -> bool {
        self.sys.fs.lstat(&self.repository.top.join(OsStr::from_bytes(path))).is_ok()
    }

    /// Takes the flags away by which a change would not be seen.
    fn hide_nothing(&self) -> Result<()> {
        let sparse = ["config", "--type=bool", "--get", "core.sparseCheckout"];
        let is_sparse = self.repository.ask(&sparse, &[], b"")?.stdout == b"true\n";
        let (mut assumed, mut skipped) = (Vec::new(), Vec::new());
        for entry in self.names(&["ls-files", "-v", "-z"])? {
            let [tag, b' ', path @ ..] = &entry[..] else { continue };
            // `h` is assumed to be unchanged, `S` left out of a sparse checkout;
            // without one that only hides.
            if tag.is_ascii_lowercase() {
                assumed.extend([path, b"\0"].concat());
            }
            if tag.eq_ignore_ascii_case(&b'S') && (!is_sparse || self.is_there(path)) {
                skipped.extend([path, b"\0"].concat());
            }
        }
        for (flag, paths) in [("--no-assume-unchanged", assumed), ("--no-skip-worktree", skipped)] {
            if !paths.is_empty() {
                self.tell(&["update-index", flag, "-z", "--stdin"], &paths)?;
            }
        }
        Ok(())
    }

    /// Names what is there and not in the index, and what a merge left open. No
    /// time of a file fits such an entry, so git looks at the file, and never for
    /// the content that the entry has.
    fn name_all(&self, ledgers: &[String]) -> Result<()> {
        let blob = self.repository.empty("blob")?;
        let none = "0".repeat(blob.len());
        let mut entries = Vec::new();
        let mut enter = |what: &str, path: &[u8]| {
            entries.extend([what.as_bytes(), b"\t", path, b"\0"].concat());
        };
        let unmerged = self.names(&["ls-files", "-u", "-z"])?;
        let unmerged: BTreeSet<&[u8]> =
            unmerged.iter().filter_map(|entry| entry.splitn(2, |b| *b == b'\t').nth(1)).collect();
        for path in &unmerged {
            enter(&format!("0 {none}"), path);
        }
        let untracked = self.names(&["ls-files", "--others", "--exclude-standard", "-z"])?;
        let in_ledgers = |path: &[u8]| {
            let rest = ledgers.iter().find_map(|orch| path.strip_prefix(orch.as_bytes()));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        };
        let open = unmerged.into_iter().filter(|path| self.is_there(path));
        for path in open.chain(untracked.iter().map(Vec::as_slice)) {
            // Another repository ends in a slash.
            if !path.ends_with(b"/") && !in_ledgers(path) {
                enter(&format!("100644 {blob} 0"), path);
            }
        }
        if !entries.is_empty() {
            let add = ["update-index", "--add", "--replace", "-z", "--index-info"];
            self.tell(&add, &entries)?;
        }
        Ok(())
    }
}
