//! What git knows of the journal: HEAD's version, the index', the past.
//!
//! Here: asking git, and nothing of it is written. Not here: what an answer
//! means for the journal (`services::audit`). Invariant: where git is not
//! installed or the workspace is in no repository, there is no [`Git`].

use crate::store::ask_git::ask;
use crate::store::graph::{self, Line};
use crate::store::layout::Layout;
use crate::sys::Sys;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

/// How many commits that touch the journal are looked at.
const COMMITS: &str = "1000";
/// How many of those that made it shorter.
const SHRUNK: usize = 20;

/// The repository of a workspace.
pub struct Git<'s> {
    sys: &'s Sys,
    dir: PathBuf,
}

impl std::fmt::Debug for Git<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Git").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// A version of one of the journal's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The file, by its path from `ORCH/`.
    pub path: String,
    /// The object that is its content.
    pub object: String,
}

/// Lines that a commit removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The commit.
    pub commit: String,
    /// The hashes of the lines.
    pub hashes: Vec<String>,
}

/// Where to look for a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// In HEAD's history.
    Head,
    /// In every branch, tag, stash and reflog.
    Anywhere,
}

impl<'s> Git<'s> {
    /// The repository that the workspace's `ORCH/` lies in.
    pub fn of(sys: &'s Sys, layout: &Layout) -> Option<Self> {
        let git = Self { sys, dir: layout.orch_dir() };
        let inside = git.ask(&["rev-parse", "--is-inside-work-tree"])?;
        (inside == b"true\n").then_some(git)
    }

    fn ask(&self, args: &[&str]) -> Option<Vec<u8>> {
        self.tell(args, b"")
    }

    fn tell(&self, args: &[&str], stdin: &[u8]) -> Option<Vec<u8>> {
        let args = [&["--literal-pathspecs"], args].concat();
        let settings = ["log.showSignature=false"];
        let output = ask(self.sys, &self.dir, &settings, &args, &[], stdin).ok()?;
        output.success.then_some(output.stdout)
    }

    /// The journal's files in HEAD; none before the first commit.
    pub fn head(&self) -> Vec<Version> {
        versions(&self.ask(&["ls-tree", "-r", "-z", "HEAD", "LOGS/"]).unwrap_or_default(), 2)
    }

    /// The journal's files in the index.
    pub fn index(&self) -> Vec<Version> {
        versions(&self.ask(&["ls-files", "-s", "-z", "--", "LOGS/"]).unwrap_or_default(), 1)
    }

    /// The hashes of the lines in a version.
    pub fn hashes(&self, object: &str) -> HashSet<String> {
        hashes(&self.ask(&["cat-file", "blob", object]).unwrap_or_default())
    }

    /// Lines that a commit in HEAD's history removed: the newest commits first.
    /// Only a commit that made a file shorter is looked into.
    pub fn removed(&self) -> Vec<Removed> {
        let log = ["log", "--raw", "--no-abbrev", "--no-renames", "--format=%H", "--full-history"];
        let log = self.ask(&[&log[..], &["-n", COMMITS, "HEAD", "--", "LOGS/"]].concat());
        let log = String::from_utf8_lossy(&log.unwrap_or_default()).into_owned();
        let mut commit = "";
        let mut changes: Vec<(&str, &str, &str)> = Vec::new();
        for line in log.lines() {
            let Some(raw) = line.strip_prefix(':') else {
                if !line.is_empty() {
                    commit = line;
                }
                continue;
            };
            let (fields, path) = raw.split_once('\t').unwrap_or((raw, ""));
            let fields: Vec<&str> = fields.split(' ').collect();
            if let ([_, _, old, new, _], true) = (&fields[..], is_journal(path)) {
                changes.push((commit, *old, *new));
            }
        }
        let sizes = self.sizes(changes.iter().flat_map(|(_, old, new)| [*old, *new]));
        let size = |object: &str| sizes.get(object).copied().unwrap_or(0);
        let shrunk = changes.into_iter().filter(|(_, old, new)| size(old) > size(new));
        let mut removed = Vec::new();
        for (commit, old, new) in shrunk.take(SHRUNK) {
            let kept = if size(new) == 0 { HashSet::new() } else { self.hashes(new) };
            let gone = self.hashes(old).into_iter().filter(|hash| !kept.contains(hash)).collect();
            removed.push(Removed { commit: commit.to_owned(), hashes: gone });
        }
        removed
    }

    /// The sizes of objects; those that are not there are left out.
    fn sizes<'o>(&self, objects: impl Iterator<Item = &'o str>) -> HashMap<String, u64> {
        let input: String = objects.flat_map(|object| [object, "\n"]).collect();
        if input.is_empty() {
            return HashMap::new();
        }
        let check = ["cat-file", "--batch-check=%(objectname) %(objectsize)"];
        let answer = self.tell(&check, input.as_bytes()).unwrap_or_default();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let sizes = answer.lines().filter_map(|line| {
            let (object, size) = line.split_once(' ')?;
            Some((object.to_owned(), size.parse().ok()?))
        });
        sizes.collect()
    }

    /// The newest commit that added or removed a line.
    pub fn commit_with(&self, hash: &str, place: Where) -> Option<String> {
        let search = format!("-S\"hash\":\"{hash}\"");
        let places: &[&str] = match place {
            Where::Head => &["HEAD"],
            Where::Anywhere => &["--all", "--reflog"],
        };
        // A stash is a merge, which is compared only when asked for.
        let log = ["log", "-m", "--full-history", "-n", "1", "--format=%h", &search];
        let found = self.ask(&[&log[..], places, &["--", "LOGS/"]].concat())?;
        let found = String::from_utf8_lossy(&found).lines().next().unwrap_or_default().to_owned();
        (!found.is_empty()).then_some(found)
    }

    /// Whether git put other files into the work tree at or after a time, in
    /// seconds since 1970: a reset, checkout, merge, rebase, pull or stash. A
    /// plain commit takes no line away.
    pub fn moved_since(&self, seconds: i64) -> Option<String> {
        let log = ["log", "-g", "-n", "50", "--date=unix", "--format=%gd %gs", "HEAD", "--"];
        let log = String::from_utf8_lossy(&self.ask(&log)?).into_owned();
        log.lines().find_map(|line| {
            let (at, what) = line.split_once(' ')?;
            let at: i64 = at.split_once("@{")?.1.strip_suffix('}')?.parse().ok()?;
            (at >= seconds && !what.starts_with("commit")).then(|| what.to_owned())
        })
    }
}

/// The hashes of the lines in a file.
fn hashes(bytes: &[u8]) -> HashSet<String> {
    graph::lines(bytes).filter_map(Line::parse).map(|line| line.hash.to_owned()).collect()
}

fn is_journal(path: &str) -> bool {
    path.ends_with("/journal.jsonl")
}

/// Reads `<mode> … <object> …\t<path>\0…`, with the object in this field.
fn versions(listing: &[u8], field: usize) -> Vec<Version> {
    let listing = String::from_utf8_lossy(listing);
    let versions = listing.split('\0').filter_map(|entry| {
        let (fields, path) = entry.split_once('\t')?;
        let object = fields.split(' ').nth(field)?.to_owned();
        is_journal(path).then(|| Version { path: path.to_owned(), object })
    });
    versions.collect()
}
