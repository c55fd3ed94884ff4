//! The ledgers as they stood at a revision, and as they stand now.
//!
//! Here: what a revision names, and the files of `ORCH/STATE` in it. Not here:
//! comparing them (`git::diff`), the index (`store::staged`). Invariant: what was
//! typed never reaches git as an option.
//!
//! Git is asked where the ledger lies. In a linked worktree that shares the main
//! one's ledger HEAD is therefore the main worktree's: what is compared with the
//! ledger is its own past.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::source;
use crate::store::ask_git::{ask, complaint};
use crate::store::layout::Layout;
use crate::store::snapshot::{Files, Want, archives_now};
use crate::sys::Sys;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The names of files in `ORCH/STATE` that are read, archives left out.
const NAMES: [&str; 4] = ["TASKS.md", "APPROVALS.md", "FLAGS.md", "flags.md"];

/// The repository that a workspace's `ORCH/` lies in.
pub struct Repository<'s> {
    sys: &'s Sys,
    dir: PathBuf,
    /// `ORCH/` from the top of the repository, with a `/` at its end.
    prefix: String,
}

impl std::fmt::Debug for Repository<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// A commit, or a tree that is none's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// As it was typed.
    pub typed: String,
    /// The id of the commit or tree.
    pub object: String,
    /// Whether it is a commit.
    pub is_commit: bool,
}

/// Ledgers, archives and flags of one moment, by their paths from the workspace
/// root. A file that is not there is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledgers {
    /// Their texts.
    pub files: BTreeMap<String, String>,
}

impl Ledgers {
    /// As they are on the disk, a change that is committed and not yet in place
    /// included.
    ///
    /// # Errors
    /// As reading a snapshot; `ledger_invalid` for what is no text.
    pub fn now(sys: &Sys, layout: &Layout) -> Result<Self> {
        let files = Files::read(sys, layout, Want::All)?;
        let mut now = Self::default();
        now.add(layout.display(&layout.tasks()), &files.tasks.bytes, "")?;
        if let Some(approvals) = &files.approvals {
            now.add(layout.display(&layout.approvals()), &approvals.bytes, "")?;
        }
        if let Some(flags) = &files.flags {
            now.add(layout.display(&layout.flags(&*sys.fs)), &flags.bytes, "")?;
        }
        for (year, bytes) in archives_now(sys, layout)? {
            now.add(layout.display(&layout.archive_tasks(year)), &bytes, "")?;
        }
        Ok(now)
    }

    /// What cannot be read ends it: between the marks of a merge nobody knows
    /// which row counts.
    fn add(&mut self, name: String, bytes: &[u8], at: &str) -> Result<()> {
        let shown = if at.is_empty() { name.clone() } else { format!("{at}:{name}") };
        let text = source::text(bytes, &shown)?;
        self.files.insert(name, text.to_owned());
        Ok(())
    }
}

impl<'s> Repository<'s> {
    /// The repository around a workspace's `ORCH/`.
    ///
    /// # Errors
    /// `not_found` where there is none, `failed` where git cannot be run.
    pub fn of(sys: &'s Sys, layout: &Layout) -> Result<Self> {
        let mut repository = Self { sys, dir: layout.orch_dir(), prefix: String::new() };
        match repository.ask(&["rev-parse", "--show-prefix"], b"")? {
            Ok(prefix) => {
                let prefix = String::from_utf8_lossy(&prefix);
                prefix.trim_end_matches('\n').clone_into(&mut repository.prefix);
                Ok(repository)
            }
            Err(said) if said.contains("not a git repository") => {
                let root = layout.root.display();
                let message = format!("`{root}` is in no git repository: its past is not known");
                Err(Error::not_found(message).hint("orch log"))
            }
            Err(said) => Err(repository.failed(&said)),
        }
    }

    /// The task ledger, by its path from the top of the repository.
    pub fn ledger(&self) -> String {
        format!("{}STATE/TASKS.md", self.prefix)
    }

    /// What a revision names; anything that `git rev-parse` takes.
    ///
    /// # Errors
    /// `not_found` where it names no commit and no tree.
    pub fn revision(&self, typed: &str) -> Result<Revision> {
        let unknown = |why: &str| {
            Error::not_found(format!("no revision `{typed}`{why}")).hint("git log --oneline -n 10")
        };
        let verify = ["rev-parse", "--verify", "--end-of-options", typed];
        let object = match self.ask(&verify, b"")? {
            Ok(object) => String::from_utf8_lossy(&object).trim().to_owned(),
            Err(said) if said.contains("ambiguous") && !typed.is_empty() => {
                return Err(unknown(&format!(": {said}")));
            }
            Err(_) => return Err(unknown("")),
        };
        let asked = format!("{object}^{{commit}}\n{object}^{{tree}}\n");
        let check = ["cat-file", "--batch-check=%(objectname) %(objecttype)"];
        let answer = self.ask(&check, asked.as_bytes())?.map_err(|said| self.failed(&said))?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let found = answer.lines().find_map(|line| {
            let (object, kind) = line.rsplit_once(' ')?;
            let is_commit = kind == "commit";
            (is_commit || kind == "tree").then(|| Revision {
                typed: typed.to_owned(),
                object: object.to_owned(),
                is_commit,
            })
        });
        found.ok_or_else(|| unknown(": it is neither a commit nor a tree"))
    }

    /// Whether there is no commit yet.
    ///
    /// # Errors
    /// `failed` where git cannot be run.
    pub fn is_unborn(&self) -> Result<bool> {
        Ok(self.ask(&["rev-parse", "--verify", "--quiet", "HEAD"], b"")?.is_err())
    }

    /// The newest commit that two have in common.
    ///
    /// # Errors
    /// `not_found` where they have none.
    pub fn merge_base(&self, one: &Revision, other: &Revision) -> Result<Revision> {
        let Ok(base) = self.ask(&["merge-base", &one.object, &other.object], b"")? else {
            let (one, other) = (&one.typed, &other.typed);
            let message = format!("`{one}` and `{other}` have no commit in common");
            return Err(Error::not_found(message).hint("git log --oneline -n 10"));
        };
        Ok(Revision {
            typed: format!("{}...{}", one.typed, other.typed),
            object: String::from_utf8_lossy(&base).trim().to_owned(),
            is_commit: true,
        })
    }

    /// The ledgers of a revision. Links inside the repository are followed.
    ///
    /// # Errors
    /// `ledger_invalid` for what is no text, `failed` where git fails.
    pub fn ledgers(&self, at: &Revision) -> Result<Ledgers> {
        let (object, state) = (&at.object, format!("{}STATE/", self.prefix));
        let folder = format!("{state}archive/");
        let list = ["ls-tree", "-z", "--full-tree", "--name-only", object, "--", &folder];
        let listing = self.ask(&list, b"")?.map_err(|said| self.failed(&said))?;
        let listing = String::from_utf8_lossy(&listing).into_owned();
        let archives = listing.split('\0').filter_map(|path| {
            let name = path.strip_prefix(&folder)?;
            let year = name.strip_prefix("TASKS-")?.strip_suffix(".md")?;
            year.parse::<i32>().is_ok().then(|| format!("archive/{name}"))
        });
        let mut names: Vec<String> = NAMES.map(str::to_owned).to_vec();
        names.extend(archives);
        let mut asked = String::new();
        for name in &names {
            asked.push_str(&format!("{object}:{state}{name}\n"));
        }
        let batch = ["cat-file", "--batch", "--follow-symlinks"];
        let answer = self.ask(&batch, asked.as_bytes())?.map_err(|said| self.failed(&said))?;
        let mut rest = &answer[..];
        let mut ledgers = Ledgers::default();
        for name in names {
            let (bytes, after) = blob(rest).ok_or_else(|| self.failed("answers nonsense"))?;
            rest = after;
            if let Some(bytes) = bytes {
                ledgers.add(format!("ORCH/STATE/{name}"), bytes, &at.typed)?;
            }
        }
        Ok(ledgers)
    }

    /// Git's answer, or what it complained of.
    fn ask(&self, args: &[&str], stdin: &[u8]) -> Result<Result<Vec<u8>, String>> {
        let args = [&["--literal-pathspecs"], args].concat();
        match ask(self.sys, &self.dir, &[], &args, &[], stdin) {
            Ok(output) if output.success => Ok(Ok(output.stdout)),
            Ok(output) => Ok(Err(complaint(&output.stderr))),
            Err(e) => Err(self.failed(&e.to_string())),
        }
    }

    fn failed(&self, why: &str) -> Error {
        Error::new(ErrorKind::Failed, format!("git in `{}`: {why}", self.dir.display()))
            .hint("git status")
    }
}

/// Reads one answer of `cat-file --batch --follow-symlinks`: the bytes of a
/// blob, none for anything else, and what follows.
///
/// ```text
/// <id> blob <size>\n<bytes>\n       a file
/// <id> tree <size>\n<bytes>\n       a folder of that name
/// <name> missing\n                  nothing
/// symlink <size>\n<path>\n          a link out of the repository; likewise
///                                   dangling, loop, notdir
/// ```
#[allow(clippy::type_complexity, reason = "a file that may not be there, and the rest")]
fn blob(answer: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let end = memchr::memchr(b'\n', answer)?;
    let (line, rest) = (std::str::from_utf8(&answer[..end]).ok()?, &answer[end + 1..]);
    if line.ends_with(" missing") || line.ends_with(" ambiguous") {
        return Some((None, rest));
    }
    let (words, size) = line.rsplit_once(' ')?;
    let size: usize = size.parse().ok()?;
    let bytes = rest.get(..size)?;
    Some((words.ends_with(" blob").then_some(bytes), rest.get(size + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_one_by_one_whatever_they_are() {
        let answer = b"0123:a missing\n45 blob 3\na\nb\nsymlink 4\n../x\ndangling 4\n0123\n";
        let mut rest = &answer[..];
        let mut found = Vec::new();
        while !rest.is_empty() {
            let (bytes, after) = blob(rest).unwrap();
            found.push(bytes);
            rest = after;
        }
        assert_eq!(found, [None, Some(&b"a\nb"[..]), None, None]);
        assert_eq!((blob(b""), blob(b"0123 blob 9\nshort\n"), blob(b"x\n")), (None, None, None));
    }

    #[test]
    fn marks_of_a_merge_and_bytes_that_are_no_text_end_it() {
        let mut ledgers = Ledgers::default();
        let torn = b"a\n<<<<<<< x\nb\n=======\nc\n>>>>>>> y\n";
        let error = ledgers.add("ORCH/STATE/TASKS.md".into(), torn, "v1").unwrap_err();
        assert_eq!(error.kind, ErrorKind::LedgerInvalid);
        assert!(error.to_string().starts_with("v1:ORCH/STATE/TASKS.md:2:1"), "{error}");
        assert!(ledgers.files.is_empty());
        let error = ledgers.add("x".into(), b"a\0", "").unwrap_err();
        assert_eq!(error.kind, ErrorKind::LedgerInvalid);
        assert!(ledgers.add("x".into(), b"<<<<<<< \n=======\n>>>>>>> \n\xff", "").is_err());
    }
}
