//! What the hooks do once git runs them.
//!
//! Here: which workspaces a commit is about, which staged files somebody else
//! holds, the trailer of a message. Not here: the scripts (`script`), what is
//! wrong with a staged ledger (`services::check`). Invariant: the index is the
//! one that git's hook is told of, and the work tree is not looked at.

use crate::error::{Error, ErrorKind, Result};
use crate::model::lock::LockStatus;
use crate::model::lock_name::LockName;
use crate::services::context::{Context, Identity};
use crate::services::locks;
use crate::store::ask_git::{ask, complaint};
use crate::store::discover::{Start, worktree_of};
use crate::store::journal::Journal;
use crate::store::layout::Layout;
use crate::store::staged::Index;
use crate::sys::{FileKind, Sys};
use std::path::{Path, PathBuf};

/// The key of the trailer.
const TRAILER: &str = "Orch-Journal";
/// The task ledger, by its path from a workspace.
const LEDGER: &str = "ORCH/STATE/TASKS.md";
/// Where git's own appendix of a message begins.
const SCISSORS: &str = "------------------------ >8 ------------------------";

/// A commit in the making, as its hooks see it.
pub struct Commit<'s> {
    sys: &'s Sys,
    /// The top of the work tree, without links.
    top: PathBuf,
    here: PathBuf,
    index: Option<String>,
}

impl std::fmt::Debug for Commit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Commit").field("top", &self.top).finish_non_exhaustive()
    }
}

/// A staged file that somebody else holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The file, by its path from the workspace.
    pub path: String,
    /// The lock's name.
    pub lock: String,
    /// Its holder; none where its file cannot be read.
    pub owner: Option<String>,
    /// Until when.
    pub expires_at: Option<String>,
}

impl<'s> Commit<'s> {
    /// The commit that is made in the working directory.
    ///
    /// # Errors
    /// `not_found` where there is no work tree of git.
    pub fn here(sys: &'s Sys, dir: Option<&Path>) -> Result<Self> {
        let gone = |e| Error::io("find", Path::new("the working directory"), &e);
        let cwd = sys.env.current_dir().map_err(gone)?;
        let here = dir.map_or_else(|| cwd.clone(), |dir| cwd.join(dir));
        let index = sys.env.var("GIT_INDEX_FILE").filter(|file| !file.is_empty());
        let index = index.map(|file| cwd.join(file).to_string_lossy().into_owned());
        let mut commit = Self { sys, top: here.clone(), here, index };
        let top = commit.ask(&["rev-parse", "--show-toplevel"])?;
        let top = PathBuf::from(String::from_utf8_lossy(&top).trim_end_matches('\n'));
        commit.top = sys.fs.canonicalize(&top).unwrap_or(top);
        Ok(commit)
    }

    fn ask(&self, args: &[&str]) -> Result<Vec<u8>> {
        let env: Vec<(&str, &str)> =
            self.index.iter().map(|file| ("GIT_INDEX_FILE", file.as_str())).collect();
        let answer = ask(self.sys, &self.top, &[], args, &env, b"");
        let answer = answer.map_err(|e| Error::io("ask git in", &self.top, &e))?;
        if answer.success {
            return Ok(answer.stdout);
        }
        let (dir, said) = (self.top.display(), complaint(&answer.stderr));
        let no_repository = said.contains("not a git repository") || said.contains("work tree");
        let kind = if no_repository { ErrorKind::NotFound } else { ErrorKind::Failed };
        Err(Error::new(kind, format!("git in `{dir}`: {said}")).hint("git status"))
    }

    fn names(&self, args: &[&str]) -> Result<Vec<String>> {
        let answer = self.ask(args)?;
        let text = String::from_utf8_lossy(&answer).into_owned();
        Ok(text.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    /// Every file that the commit changes, by its path from the top.
    ///
    /// # Errors
    /// `failed` where git fails.
    pub fn staged(&self) -> Result<Vec<String>> {
        self.names(&["diff", "--cached", "--name-only", "--no-renames", "--no-ext-diff", "-z"])
    }

    /// The task ledgers that the commit and the work tree lose together, by their
    /// paths from the top: no workspace is left to say so. None where the commit
    /// brings one elsewhere, as whoever moves a whole workspace does.
    ///
    /// # Errors
    /// `failed` where git fails.
    pub fn ledgers_taken(&self, workspaces: &[(PathBuf, Layout)]) -> Result<Vec<String>> {
        let args = ["diff", "--cached", "--name-only", "--no-renames", "--no-ext-diff", "-z"];
        let of = |filter: &str| {
            let mut names = self.names(&[&args[..], &[filter]].concat())?;
            names.retain(|name| prefix(name).is_some_and(|above| &name[above.len()..] == LEDGER));
            Ok::<_, Error>(names)
        };
        let mut gone = of("--diff-filter=D")?;
        gone.retain(|name| {
            let root = self.top.join(prefix(name).unwrap_or_default());
            !workspaces.iter().any(|(other, _)| other.components().eq(root.components()))
        });
        let is_moved = !gone.is_empty() && !of("--diff-filter=A")?.is_empty();
        Ok(if is_moved { Vec::new() } else { gone })
    }

    /// The workspaces that some of these files belong to, each once: its root in
    /// this work tree, and itself.
    pub fn workspaces_of(&self, names: &[String]) -> Vec<(PathBuf, Layout)> {
        let mut found: Vec<(PathBuf, Layout)> = Vec::new();
        let mut seen: Vec<&str> = Vec::new();
        for name in names {
            let Some(prefix) = prefix(name).filter(|prefix| !seen.contains(prefix)) else {
                continue;
            };
            seen.push(prefix);
            found.extend(self.workspace(&self.top.join(prefix)));
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found.dedup_by(|a, b| a.0 == b.0);
        found
    }

    /// The workspaces of this work tree.
    ///
    /// # Errors
    /// `failed` where git fails.
    pub fn workspaces(&self) -> Result<Vec<(PathBuf, Layout)>> {
        let ledgers = ":(top,glob)**/ORCH/STATE/TASKS.md";
        let mut names = self.names(&["ls-files", "-z", "--full-name", "--", ledgers])?;
        // A ledger that git does not know is one, too.
        names.push("ORCH/".to_owned());
        Ok(self.workspaces_of(&names))
    }

    /// The workspace of a folder in this work tree; not one around the work tree.
    fn workspace(&self, dir: &Path) -> Option<(PathBuf, Layout)> {
        let layout = Layout::discover(self.sys, Start::At(dir.to_owned())).ok()?;
        let root = worktree_of(self.sys, &layout, dir);
        root.starts_with(&self.top).then_some((root, layout))
    }

    /// The staged files that somebody else holds by a named lock.
    ///
    /// # Errors
    /// `failed` where the locks cannot be read.
    pub fn held(&self, ctx: &Context, who: &Identity, root: &Path) -> Result<Vec<Held>> {
        let others = locks::list(ctx)?.into_iter().filter(|row| {
            row.status != LockStatus::Expired
                && !row.lock.as_ref().is_some_and(|lock| lock.is_held_by(&who.actor))
        });
        let others: Vec<_> = others
            .filter_map(|row| {
                let name = LockName::canonical(row.name.as_deref()?)?;
                name.is_path().then_some((name, row.lock))
            })
            .collect();
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let below = root.strip_prefix(&self.top).unwrap_or(Path::new(""));
        let mut held = Vec::new();
        for name in self.staged()? {
            let Ok(name) = Path::new(&name).strip_prefix(below) else { continue };
            let name = name.to_string_lossy();
            let Some(path) = literal(&name) else { continue };
            held.extend(others.iter().find(|(other, _)| other.conflicts(&path)).map(
                |(other, lock)| Held {
                    path: name.clone().into_owned(),
                    lock: other.as_str().to_owned(),
                    owner: lock.as_ref().map(|lock| lock.owner.clone()),
                    expires_at: lock.as_ref().map(|lock| lock.expires_at.to_string()),
                },
            ));
        }
        Ok(held)
    }

    /// Writes the head of the staged journal below a message: `seq:hash`, or
    /// several of them behind a merge. A message that says nothing, which ends
    /// the commit, is left so.
    ///
    /// # Errors
    /// `failed` where a file cannot be read or git fails.
    pub fn add_trailer(&self, message: &Path) -> Result<()> {
        let message = self.here.join(message);
        if !self.says_something(&message)? {
            return Ok(());
        }
        let mut heads = Vec::new();
        for (root, layout) in self.workspaces()? {
            heads.extend(self.heads(&root, &layout)?);
        }
        if heads.is_empty() {
            return Ok(());
        }
        let trailer = format!("{TRAILER}: {}", heads.join(" "));
        let file = message.to_string_lossy().into_owned();
        let args = ["interpret-trailers", "--in-place", "--if-exists", "replace"];
        let args = [&args[..], &["--if-missing", "add", "--trailer", &trailer, &file]].concat();
        self.ask(&args).map(drop)
    }

    fn says_something(&self, message: &Path) -> Result<bool> {
        let failed = |e| Error::io("read", message, &e);
        if self.sys.fs.stat(message).map_err(failed)?.kind != FileKind::File {
            return Ok(false);
        }
        let bytes = self.sys.fs.read(message).map_err(failed)?;
        let comment = self.ask(&["config", "--get", "core.commentChar"]).unwrap_or_default();
        let comment = String::from_utf8_lossy(&comment).trim_end().to_owned();
        let comment = if matches!(&*comment, "" | "auto") { "#" } else { &comment };
        Ok(says_something(&String::from_utf8_lossy(&bytes), comment))
    }

    /// The heads of a workspace's journal as the index has it.
    fn heads(&self, root: &Path, layout: &Layout) -> Result<Vec<String>> {
        let index = Index::of(self.sys, layout, Some(root.to_owned()))?;
        let journal = Journal::read(self.sys, layout)?;
        let months: Vec<String> = journal.files().map(|(month, _)| month.to_owned()).collect();
        let names = months.iter().map(|month| layout.display(&layout.journal_month(month)));
        let versions = index.versions(&names.collect::<Vec<_>>())?;
        let staged = months.into_iter().zip(versions);
        let staged = staged.filter_map(|(month, version)| Some((month, version.index?)));
        let journal = Journal::of(staged.collect());
        let (tip, graph) = (journal.tip(), journal.graph());
        let heads = graph.lines().iter().filter(|line| tip.parents.iter().any(|p| p == line.hash));
        Ok(heads.map(|line| format!("{}:{}", line.seq, line.hash)).collect())
    }
}

/// What stands before `ORCH/` in a path; none where it has no such part.
fn prefix(name: &str) -> Option<&str> {
    if name.starts_with("ORCH/") {
        return Some("");
    }
    name.find("/ORCH/").map(|at| &name[..=at])
}

/// A path as the name of a lock that covers just that; of a path that is longer
/// than a name can be, the folder that is not.
fn literal(path: &str) -> Option<LockName> {
    let mut escaped = String::from("./");
    for c in path.chars() {
        if matches!(c, '*' | '?' | '[' | '{') {
            escaped.extend(['[', c, ']']);
        } else {
            escaped.push(c);
        }
    }
    loop {
        if let Ok(name) = LockName::parse(&escaped, Path::new("/")) {
            return Some(name);
        }
        escaped.truncate(escaped.rfind('/').filter(|at| *at > 1)?);
    }
}

/// Whether a message has a line that git keeps.
fn says_something(message: &str, comment: &str) -> bool {
    let own = message.lines().take_while(|line| !line.ends_with(SCISSORS));
    own.into_iter().any(|line| !line.trim().is_empty() && !line.starts_with(comment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_of_a_path_is_what_stands_before() {
        let of = |name| prefix(name);
        assert_eq!(of("ORCH/STATE/TASKS.md"), Some(""));
        assert_eq!(of("a b/ö/ORCH/STATE/TASKS.md"), Some("a b/ö/"));
        assert_eq!((of("src/ORCH"), of("XORCH/STATE"), of("x.ORCH/y")), (None, None, None));
    }

    #[test]
    fn a_file_is_a_name_of_just_itself() {
        let is = |lock: &str, path: &str| {
            LockName::parse(lock, Path::new("/")).unwrap().conflicts(&literal(path).unwrap())
        };
        assert!(is("src/**", "src/a[1].rs") && is("./a[*]b[{]c", "a*b{c") && is("./a[*]b", "a*b"));
        assert!(!is("./axb", "a*b") && !is("src/a1.rs", "src/a[1].rs"));
        assert!(is("src/x.rs", "src/x.rs") && !is("src/x.rs", "src/y.rs"));
        let long = format!("deep/{}/x", "a".repeat(600));
        assert!(is("deep/**", &long) && !is("other/**", &long));
    }

    #[test]
    fn a_message_of_comments_says_nothing() {
        assert!(says_something("x\n", "#") && says_something("\n# a\nb", "#"));
        assert!(!says_something("\n # not quite".trim_start(), "#") && !says_something("", "#"));
        assert!(!says_something(&format!("\n# {SCISSORS}\ndiff --git\n"), "#"));
        assert!(says_something("# x", ";"));
    }
}
