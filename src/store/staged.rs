//! What git would commit: files as the index has them, beside HEAD's.
//!
//! Here: asking git once for all of them. Not here: what is wrong with them
//! (`services::check`). Invariant: the work tree is not looked at, and the index
//! is the one that a hook is told of: `git commit FILE` makes one of its own.

use crate::error::{Error, ErrorKind, Result};
use crate::store::ask_git::{ask, complaint};
use crate::store::discover::worktree_of;
use crate::store::layout::Layout;
use crate::sys::Sys;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A file in two versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    /// Its path from the workspace root.
    pub name: String,
    /// What the commit will have; none where the file is not in the index.
    pub index: Option<Vec<u8>>,
    /// What HEAD has; none where it is not there.
    pub head: Option<Vec<u8>>,
}

/// The index of a workspace's repository.
pub struct Index<'s> {
    sys: &'s Sys,
    /// The workspace's root in the worktree that is committed.
    dir: PathBuf,
    file: Option<String>,
}

impl std::fmt::Debug for Index<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl<'s> Index<'s> {
    /// The index of the worktree that somebody stands in: a linked one has an
    /// index of its own, though it shares the ledger. `from` is `-C`.
    ///
    /// # Errors
    /// `failed` where the working directory is gone.
    pub fn of(sys: &'s Sys, layout: &Layout, from: Option<PathBuf>) -> Result<Self> {
        let gone = |e| Error::io("find", std::path::Path::new("the working directory"), &e);
        let here = sys.env.current_dir().map_err(gone)?;
        let from = from.map_or_else(|| here.clone(), |from| here.join(from));
        let dir = worktree_of(sys, layout, &from);
        // A hook's own index, from the folder that the hook runs in.
        let file = sys.env.var("GIT_INDEX_FILE").filter(|file| !file.is_empty());
        let file = file.map(|file| here.join(file).to_string_lossy().into_owned());
        Ok(Self { sys, dir, file })
    }

    /// Both versions of files, named by their paths from the workspace root.
    ///
    /// # Errors
    /// `not_found` where there is no repository, `failed` where git fails.
    pub fn versions(&self, names: &[String]) -> Result<Vec<Versions>> {
        let mut asked = String::new();
        for name in names {
            asked.push_str(&format!(":./{name}\nHEAD:./{name}\n"));
        }
        let answer = self.ask(&["cat-file", "--batch"], asked.as_bytes())?;
        let mut rest = &answer[..];
        let mut next = || {
            let (object, after) = object(rest).ok_or_else(|| self.failed("answers nonsense"))?;
            rest = after;
            Ok(object.map(<[u8]>::to_vec))
        };
        names
            .iter()
            .map(|name| Ok(Versions { name: name.clone(), index: next()?, head: next()? }))
            .collect()
    }

    /// The files that the commit changes or removes, by their paths from the
    /// workspace root; new ones are left out.
    ///
    /// # Errors
    /// `failed` where git fails.
    pub fn changed(&self) -> Result<BTreeSet<String>> {
        let args = ["diff", "--cached", "--name-only", "--relative", "--no-renames", "-z"];
        let answer = self.ask(&[&args[..], &["--diff-filter=DMT"]].concat(), b"")?;
        let names = String::from_utf8_lossy(&answer).into_owned();
        Ok(names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    /// The files of which the index has several versions: merges that nobody
    /// resolved yet, by their paths from the workspace root.
    ///
    /// # Errors
    /// `failed` where git fails.
    pub fn unmerged(&self) -> Result<BTreeSet<String>> {
        let answer = self.ask(&["ls-files", "--unmerged", "-z"], b"")?;
        let listing = String::from_utf8_lossy(&answer).into_owned();
        let name = |entry: &str| Some(entry.split_once('\t')?.1.to_owned());
        Ok(listing.split('\0').filter_map(name).collect())
    }

    fn ask(&self, args: &[&str], stdin: &[u8]) -> Result<Vec<u8>> {
        let env: Vec<(&str, &str)> =
            self.file.iter().map(|file| ("GIT_INDEX_FILE", file.as_str())).collect();
        match ask(self.sys, &self.dir, &[], args, &env, stdin) {
            Ok(output) if output.success => Ok(output.stdout),
            Ok(output) => {
                let said = complaint(&output.stderr);
                if said.contains("not a git repository") {
                    let message = format!(
                        "`{}` is in no git repository: nothing is staged",
                        self.dir.display()
                    );
                    return Err(Error::not_found(message).hint("orch check"));
                }
                Err(self.failed(&said))
            }
            Err(e) => Err(self.failed(&e.to_string())),
        }
    }

    fn failed(&self, why: &str) -> Error {
        Error::new(ErrorKind::Failed, format!("git in `{}`: {why}", self.dir.display()))
            .hint("git status")
    }
}

/// Reads one answer: `<id> blob <size>\n<bytes>\n`, or `<name> missing\n`. Gives
/// the bytes and what follows; none where it is neither.
#[allow(clippy::type_complexity, reason = "an object that may not be there, and the rest")]
fn object(answer: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let end = memchr::memchr(b'\n', answer)?;
    let (line, rest) = (std::str::from_utf8(&answer[..end]).ok()?, &answer[end + 1..]);
    if line.ends_with(" missing") || line.ends_with(" ambiguous") {
        return Some((None, rest));
    }
    let mut words = line.rsplit(' ');
    let (size, kind) = (words.next()?.parse::<usize>().ok()?, words.next()?);
    let bytes = rest.get(..size)?;
    Some(((kind == "blob").then_some(bytes), rest.get(size + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_git_are_read_one_by_one() {
        let answer = b":./a missing\n0123 blob 3\na\nb\n4567 tree 2\nxx\n";
        let (first, rest) = object(answer).unwrap();
        let (second, rest) = object(rest).unwrap();
        let (third, rest) = object(rest).unwrap();
        assert_eq!((first, second, third, rest), (None, Some(&b"a\nb"[..]), None, &b""[..]));
        assert_eq!(object(b""), None);
        assert_eq!(object(b"0123 blob 9\nshort\n"), None);
        assert_eq!(object(b"nonsense\n"), None);
    }
}
