//! Lines that are gone, as far as somebody else knows of them.
//!
//! A chain cannot show that its end was cut off. Who can: git, which has an
//! older version; this machine's checkpoint of the newest operation it saw; a
//! note of a head that was kept elsewhere. What a commit took away, as `git
//! revert` does, is not missing: the history says so.

use crate::error::{Error, Result};
use crate::services::audit::Finding;
use crate::services::audit::chain::Chain;
use crate::services::doctor::Severity;
use crate::store::checkpoint::Checkpoint;
use crate::store::git::{Git, Where};
use crate::store::journal::{Journal, Named, SHORTEST_PREFIX};
use crate::store::layout::Layout;
use crate::sys::Sys;
use std::collections::{BTreeMap, HashSet};

/// An operation that somebody noted elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// `SEQ:HASH`, the hash shortened or not.
    Head(u64, String),
    /// An operation's id, or its beginning.
    Id(String),
}

impl Since {
    /// Reads `SEQ:HASH` or an operation's id.
    ///
    /// # Errors
    /// `usage` for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let is_word =
            |t: &str| t.len() >= SHORTEST_PREFIX && t.bytes().all(|b| b.is_ascii_alphanumeric());
        let text = text.trim().to_ascii_lowercase();
        match text.split_once(':') {
            Some((seq, hash)) if is_word(hash) && hash.len() <= 64 => {
                seq.parse().ok().map(|seq| Self::Head(seq, hash.to_owned()))
            }
            None if is_word(&text) => Some(Self::Id(text.clone())),
            _ => None,
        }
        .ok_or_else(|| {
            Error::usage(format!(
                "`{text}` is neither `SEQ:HASH`, as `orch audit verify` prints it, nor an \
                 operation's id"
            ))
            .hint("orch audit verify --help")
        })
    }
}

/// Looks for what is gone.
pub fn look(
    sys: &Sys,
    layout: &Layout,
    journal: &Journal,
    chain: &Chain<'_>,
    since: &[Since],
    findings: &mut Vec<Finding>,
) {
    for since in since {
        findings.extend(noted(journal, chain, since));
    }
    let git = Git::of(sys, layout);
    let committed = git.as_ref().map(|git| in_git(git, chain, findings)).unwrap_or_default();
    missing(git.as_ref(), chain, &committed, findings);
    findings.extend(checkpoint(sys, layout, git.as_ref(), chain, &committed));
}

fn finding(code: &'static str, severity: Severity, message: String) -> Finding {
    Finding { code, severity, message, place: None }
}

/// A head that was noted elsewhere must still be there.
fn noted(journal: &Journal, chain: &Chain<'_>, since: &Since) -> Option<Finding> {
    let (is_there, name) = match since {
        Since::Head(seq, hash) => (
            chain.lines.iter().any(|s| s.line.seq == *seq && s.line.hash.starts_with(hash)),
            format!("{seq}:{hash}"),
        ),
        Since::Id(id) => (journal.operation(id) != Named::Nothing, format!("`{id}`")),
    };
    let message = format!(
        "the journal no longer has the operation {name}: its end was cut off, or it was rewritten"
    );
    (!is_there).then(|| finding("truncated", Severity::Error, message))
}

/// Lines that HEAD or the index has must be there; lines that a commit removed
/// are told. Gives the hashes of the lines that HEAD or the index has.
fn in_git(git: &Git<'_>, chain: &Chain<'_>, findings: &mut Vec<Finding>) -> HashSet<String> {
    let mut committed: HashSet<String> = HashSet::new();
    let mut looked: HashSet<String> = HashSet::new();
    for (owner, versions) in [("HEAD", git.head()), ("index", git.index())] {
        let mut gone: BTreeMap<String, usize> = BTreeMap::new();
        for version in versions {
            if !looked.insert(version.object.clone()) {
                continue;
            }
            let hashes = git.hashes(&version.object);
            let missing = hashes
                .iter()
                .filter(|hash| !chain.known.contains(hash.as_str()) && !committed.contains(*hash));
            let count = missing.count();
            if count > 0 {
                *gone.entry(version.path).or_default() += count;
            }
            committed.extend(hashes);
        }
        for (path, count) in gone {
            let lines = if count == 1 { "a line".to_owned() } else { format!("{count} lines") };
            let message = format!("`ORCH/{path}` lacks {lines} that git's {owner} has");
            findings.push(finding("missing", Severity::Error, message));
        }
    }
    let mut reverted: HashSet<String> = HashSet::new();
    for removed in git.removed() {
        let is_gone =
            |hash: &&String| !chain.known.contains(hash.as_str()) && !committed.contains(*hash);
        let gone: Vec<String> = removed.hashes.iter().filter(is_gone).cloned().collect();
        let new = gone.iter().filter(|hash| !reverted.contains(*hash)).count();
        if new > 0 {
            let what = if new == 1 { "an operation" } else { &format!("{new} operations") };
            let commit = removed.commit.get(..12).unwrap_or(&removed.commit);
            let message = format!("the commit {commit} took {what} out of the journal");
            findings.push(finding("reverted", Severity::Note, message));
        }
        reverted.extend(gone);
    }
    committed
}

/// The lines that others name and nobody has. What a commit in HEAD's history
/// took away is told, and is no error.
pub fn missing(
    git: Option<&Git<'_>>,
    chain: &Chain<'_>,
    committed: &HashSet<String>,
    findings: &mut Vec<Finding>,
) {
    for gap in &chain.gaps {
        let git = git.filter(|_| !committed.contains(&gap.parent));
        let commit = git.and_then(|git| git.commit_with(&gap.parent, Where::Head));
        let (code, severity, why) = match commit {
            Some(commit) => (
                "reverted",
                Severity::Note,
                format!("the commit {commit} was the last to touch it"),
            ),
            None => ("missing", Severity::Error, format!("none has the hash {}", gap.parent)),
        };
        let message = format!("a line before {} is gone: {why}", gap.operation);
        findings.push(Finding { code, severity, message, place: Some(gap.place.clone()) });
    }
}

/// The newest operation that this machine saw must be there, unless git took it
/// away: then a ref or a reflog has it, or says that files were put back.
fn checkpoint(
    sys: &Sys,
    layout: &Layout,
    git: Option<&Git<'_>>,
    chain: &Chain<'_>,
    committed: &HashSet<String>,
) -> Option<Finding> {
    let stat = sys.fs.stat(&layout.checkpoint()).ok()?;
    let heads = Checkpoint::read(sys, layout)?.heads;
    let mut gone = heads.iter().filter(|(_, hash)| !chain.known.contains(&**hash));
    // What HEAD has is told as missing by now.
    let (seq, hash) = gone.find(|(_, hash)| !committed.contains(hash))?;
    let written = i64::try_from(stat.mtime_ns / 1_000_000_000).unwrap_or(i64::MAX);
    let kept = git.and_then(|git| git.commit_with(hash, Where::Anywhere));
    let moved = || git.and_then(|git| git.moved_since(written));
    let (code, severity, why) =
        match kept.map(|c| format!("the commit {c} knows it")).or_else(moved) {
            Some(why) => ("moved", Severity::Note, format!("; git explains it: {why}")),
            None => ("truncated", Severity::Error, String::new()),
        };
    let message =
        format!("the journal ends before the operation {seq}:{hash}, which this machine saw{why}");
    Some(finding(code, severity, message))
}
