//! The change in a work tree: everything between a commit and the files as they
//! are, as a diff that can be kept as text.
//!
//! Here: what `request --diff` turns into. Not here: handed-in patches (`patch`),
//! the evidence file (`ledger::evidence`). Invariant: on a clean checkout of the
//! base `git apply` makes of the diff the files as they are, to the byte and the
//! mode, as far as git itself can hold them; and the user's index, which may hide
//! files or be in the middle of a merge, has no say and is not touched.
//!
//! ```text
//!   copy the index ─▶ nothing hidden, nothing unmerged, untracked files named
//!        ▼
//!   git diff BASE ─▶ not UTF-8? those files again, as binary ─▶ hash the files
//!        ▲                                                          │
//!        └──────────── something was saved meanwhile ───────────────┘
//! ```

use super::repository::{Repository, Scratch, below, reach};
use super::{content, index};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::git_diff::{self, FileDiff};
use crate::model::evidence::{ListedFile, MAX_BYTES};
use crate::store::layout::Layout;
use crate::sys::Sys;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

/// How often files may be saved while they are read.
const ATTEMPTS: usize = 4;

/// What of an evidence file's size is left for all but the diff.
const ROOM: usize = 4 << 20;

/// A change, ready to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The commit that the diff is against; none where there is none, or where
    /// a patch fits none that is known.
    pub base: Option<String>,
    /// The work tree that it was read from.
    pub worktree: Option<String>,
    /// The files, in the order of their paths.
    pub files: Vec<ListedFile>,
    /// The diff, with a final newline.
    pub diff: String,
}

/// Everything between a commit, `HEAD` where none is named, and the working
/// tree of the repository that holds `cwd`: staged, unstaged, untracked but not
/// ignored, without the workspace's `ORCH/`. Before the first commit that is
/// every file. Other repositories inside of this one are left out.
///
/// # Errors
/// `usage` where there is no repository, no such commit, nothing that differs,
/// or a change that cannot be kept as text; `busy` where files keep changing.
pub fn of_work_tree(sys: &Sys, layout: &Layout, cwd: &Path, rev: Option<&str>) -> Result<Change> {
    let Some(repository) = Repository::of(sys, cwd)? else {
        let message = format!("`{}` lies in no work tree of git", cwd.display());
        return Err(Error::usage(message).hint("orch request --help"));
    };
    let base = base(&repository, rev)?;
    let ledgers = repository.ledgers(layout)?;
    let index = index::of_files(sys, &repository, &ledgers)?;
    let against = match &base {
        Some(commit) => commit.clone(),
        None => repository.empty("tree")?,
    };
    let differ = Differ { sys, repository: &repository, index, against, ledgers };
    for _ in 0..ATTEMPTS {
        let raw = differ.run(&[], &[])?;
        let diff = differ.as_text(&raw)?;
        let files = git_diff::parse(&diff)
            .map_err(|why| Error::usage(format!("git's diff cannot be kept as evidence: {why}")))?;
        if files.is_empty() {
            let rev = rev.unwrap_or("HEAD");
            let message = format!("nothing outside of `ORCH/` differs from `{rev}`");
            return Err(Error::usage(message).hint("git status"));
        }
        reach(&files, &differ.ledgers)?;
        let files = listed(&files, |path| Ok(content::of(sys, &repository.top, path)?.sha()))?;
        if differ.run(&[], &[])? == raw {
            let worktree = repository.top.to_string_lossy().into_owned();
            return Ok(Change { base, worktree: Some(worktree), files, diff });
        }
    }
    let message = "the files kept changing while their diff was read";
    Err(Error::new(ErrorKind::Busy, message).hint("git status"))
}

/// The files of a diff, each once, by path. `sha` is asked for the content of
/// each that is there after the change.
///
/// # Errors
/// Those of `sha`.
pub(super) fn listed(
    files: &[FileDiff],
    mut sha: impl FnMut(&str) -> Result<Option<String>>,
) -> Result<Vec<ListedFile>> {
    let mut list: Vec<ListedFile> = Vec::new();
    for file in files {
        if let Some(new) = &file.new {
            list.push(ListedFile {
                path: new.clone(),
                added: file.added(),
                removed: file.removed(),
                sha256: sha(new)?,
                deleted: false,
            });
        }
        let gone = file.old.as_ref().filter(|_| file.is_rename || file.new.is_none());
        if let Some(old) = gone {
            let removed = if file.is_rename { 0 } else { file.removed() };
            let path = old.clone();
            list.push(ListedFile { path, removed, deleted: true, ..ListedFile::default() });
        }
    }
    // A file that becomes a link goes and comes: it is there afterwards.
    list.sort_by(|a, b| (&a.path, a.deleted).cmp(&(&b.path, b.deleted)));
    list.dedup_by(|later, first| {
        let same = later.path == first.path;
        if same {
            first.added += later.added;
            first.removed += later.removed;
        }
        same
    });
    Ok(list)
}

fn base(repository: &Repository<'_>, rev: Option<&str>) -> Result<Option<String>> {
    let name = rev.unwrap_or("HEAD");
    if let Some(commit) = repository.commit(name)? {
        return Ok(Some(commit));
    }
    let is_unborn = || {
        let head = repository.ask(&["symbolic-ref", "--quiet", "HEAD"], &[], b"")?;
        Ok::<_, Error>(head.success)
    };
    if name == "HEAD" && is_unborn()? {
        return Ok(None);
    }
    Err(Error::usage(format!("`{name}` names no commit")).hint("git log --oneline -5"))
}

struct Differ<'d> {
    sys: &'d Sys,
    repository: &'d Repository<'d>,
    index: Scratch,
    against: String,
    ledgers: Vec<String>,
}

impl Differ<'_> {
    /// Runs `git diff` with all that configuration could change spelled out.
    fn run(&self, settings: &[&str], paths: &[&str]) -> Result<Vec<u8>> {
        let mut args: Vec<&str> = settings.iter().flat_map(|setting| ["-c", *setting]).collect();
        args.extend([
            "diff",
            "--binary",
            "--full-index",
            "--find-renames=50%",
            "-l1000",
            "--no-ext-diff",
            "--no-textconv",
            "--no-color",
            "--no-relative",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            "--unified=3",
            "--inter-hunk-context=0",
            "--diff-algorithm=histogram",
            "--indent-heuristic",
            "--submodule=short",
            "--ignore-submodules=dirty",
            "-O/dev/null",
            &self.against,
            "--",
        ]);
        let mut pathspecs: Vec<String> =
            paths.iter().map(|path| format!(":(top,literal){path}")).collect();
        if paths.is_empty() {
            pathspecs.push(":(top)".to_owned());
        }
        pathspecs.extend(self.ledgers.iter().map(|path| format!(":(top,exclude,literal){path}")));
        args.extend(pathspecs.iter().map(String::as_str));
        let diff = self.repository.tell(&args, &[("GIT_INDEX_FILE", self.index.path())], b"")?;
        if diff.len() > usize::try_from(MAX_BYTES).unwrap_or(usize::MAX) - ROOM {
            let message = format!(
                "the diff has {} bytes, more than evidence may have; ask for an approval of a \
                 part, or ignore what is generated",
                diff.len()
            );
            return Err(Error::usage(message).hint("git status"));
        }
        Ok(diff)
    }

    /// The diff as UTF-8 without NUL: where git takes a file for text and it is
    /// in another encoding, its part is made again as for a binary file.
    fn as_text(&self, raw: &[u8]) -> Result<String> {
        let is_text = |bytes: &[u8]| {
            simdutf8::basic::from_utf8(bytes).is_ok() && memchr::memchr(0, bytes).is_none()
        };
        let mut text = Vec::with_capacity(raw.len());
        let mut odd = BTreeSet::new();
        if is_text(raw) {
            text.extend_from_slice(raw);
        } else {
            let sections = sections(raw).into_iter();
            let mut sections: Vec<_> =
                sections.map(|bytes| Ok((bytes, names(bytes)?))).collect::<Result<_>>()?;
            let is_odd = |bytes: &&[u8]| !is_text(bytes);
            odd.extend(sections.iter().filter(|s| is_odd(&s.0)).flat_map(|s| s.1.clone()));
            // A file that becomes a link has two parts, a renamed one two names,
            // and to git a path is all that lies below it: what belongs together
            // is made again together.
            loop {
                let is_one = |name: &String| {
                    odd.contains(name) || odd.iter().any(|folder| below(name, folder))
                };
                let (more, rest): (Vec<_>, Vec<_>) =
                    sections.into_iter().partition(|s| s.1.iter().any(is_one));
                sections = rest;
                if more.is_empty() {
                    break;
                }
                odd.extend(more.into_iter().flat_map(|s| s.1));
            }
            text.extend(sections.iter().flat_map(|s| s.0));
            text.extend(self.as_binary(&odd)?);
        }
        let text = String::from_utf8(text).ok().filter(|text| !text.contains('\0'));
        text.ok_or_else(|| {
            Error::usage(format!(
                "the content of `{}` is not UTF-8, and its attribute `diff` says that it is text",
                odd.into_iter().collect::<Vec<_>>().join("`, `")
            ))
            .hint("git check-attr diff -- .")
        })
    }

    /// The diff of some files, none of which is text. Attributes of the
    /// repository come before ours, so a driver that it names is told as well.
    fn as_binary(&self, paths: &BTreeSet<String>) -> Result<Vec<u8>> {
        let mut attributes = self.users_attributes();
        for path in paths {
            // A glob that means itself, in C quotes.
            let glob = ["\\", "*", "?", "["]
                .into_iter()
                .fold(path.clone(), |glob, c| glob.replace(c, &format!("\\{c}")));
            let glob = glob.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(attributes, "\n\"/{glob}\" -diff");
        }
        attributes.push('\n');
        let file = Scratch::at(self.sys, "attributes")?.filled(attributes.as_bytes(), None)?;
        let mut settings = vec![format!("core.attributesFile={}", file.path())];
        let stdin: String = paths.iter().flat_map(|path| [path.as_str(), "\0"]).collect();
        let check = ["check-attr", "-z", "--stdin", "diff"];
        let env = [("GIT_INDEX_FILE", self.index.path())];
        let said = self.repository.tell(&check, &env, stdin.as_bytes())?;
        let said = String::from_utf8_lossy(&said).into_owned();
        for driver in said.split('\0').skip(2).step_by(3) {
            if !matches!(driver, "set" | "unset" | "unspecified") {
                settings.push(format!("diff.{driver}.binary=true"));
            }
        }
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        self.run(&settings, &paths)
    }

    /// What the user's own attributes say, which a file of ours would hide.
    fn users_attributes(&self) -> String {
        let asked = ["config", "--type=path", "--get", "core.attributesFile"];
        let asked = self.repository.ask(&asked, &[], b"").ok().filter(|output| output.success);
        let var = |name: &str| self.sys.env.var(name).filter(|value| !value.is_empty());
        let path = match asked {
            Some(output) => Some(super::repository::line(&output.stdout)),
            None => var("XDG_CONFIG_HOME")
                .or_else(|| Some(format!("{}/.config", var("HOME")?)))
                .map(|config| format!("{config}/git/attributes")),
        };
        let bytes = path.and_then(|path| self.sys.fs.read(&self.repository.top.join(path)).ok());
        bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

/// The names in a part of a diff. They are quoted, so that whatever its content
/// is, only content is lost here.
fn names(section: &[u8]) -> Result<Vec<String>> {
    let text = String::from_utf8_lossy(section).replace('\0', " ");
    let files = git_diff::parse(&text)
        .map_err(|why| Error::usage(format!("git's diff cannot be kept as evidence: {why}")))?;
    Ok(files.iter().flat_map(FileDiff::paths).map(str::to_owned).collect())
}

/// The parts of a diff, a file each: no line of content begins like a header.
fn sections(diff: &[u8]) -> Vec<&[u8]> {
    const HEADER: &[u8] = b"diff --git ";
    let mut starts: Vec<usize> = memchr::memmem::find_iter(diff, HEADER)
        .filter(|at| *at == 0 || diff[at - 1] == b'\n')
        .collect();
    starts.push(diff.len());
    starts.windows(2).map(|pair| &diff[pair[0]..pair[1]]).collect()
}
