//! Which commit brought each line of the journal.
//!
//! Here: one question to git for all of them. Not here: what an operation did
//! (`services::log`), lines that commits took away (`store::git`). Invariant: a
//! line that no commit in HEAD's history carries has none.

use crate::error::{Error, ErrorKind, Result};
use crate::store::ask_git::{ask, complaint};
use crate::store::graph::Line;
use crate::store::layout::Layout;
use crate::sys::Sys;
use std::collections::HashMap;

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its whole id.
    pub id: String,
    /// As much of it as git thinks is enough.
    pub short: String,
}

/// The oldest commit that added each line, by the line's hash. Cost: the diffs
/// of all commits that touch the journal, about its size.
///
/// # Errors
/// `not_found` where there is no repository, `failed` where git fails.
pub fn first(sys: &Sys, layout: &Layout) -> Result<HashMap<String, Commit>> {
    let dir = layout.orch_dir();
    let failed = |why: &str| {
        Error::new(ErrorKind::Failed, format!("git in `{}`: {why}", dir.display()))
            .hint("git status")
    };
    let args = [
        "--literal-pathspecs",
        "log",
        // Children before parents: the last that is read is the oldest.
        "--topo-order",
        "--format=commit %H %h %P",
        "--unified=0",
        // A merge is compared with each of its parents: a line may have come to
        // be in it. All at once (`-c`) would not hear of `--text`.
        "-m",
        // The attributes say `-diff`, for people's eyes.
        "--text",
        "--no-renames",
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "HEAD",
        "--",
        "LOGS/",
    ];
    let settings = ["log.showSignature=false"];
    let output = ask(sys, &dir, &settings, &args, &[], b"").map_err(|e| failed(&e.to_string()))?;
    if output.success {
        return Ok(read(&output.stdout));
    }
    let said = complaint(&output.stderr);
    if said.contains("not a git repository") {
        let message = format!(
            "`{}` is in no git repository: no operation is in a commit",
            layout.root.display()
        );
        return Err(Error::not_found(message).hint("orch log"));
    }
    // Before the first commit there is no HEAD.
    let head = ["rev-parse", "--verify", "--quiet", "HEAD"];
    match ask(sys, &dir, &[], &head, &[], b"") {
        Ok(head) if !head.success => Ok(HashMap::new()),
        _ => Err(failed(&said)),
    }
}

/// Reads `commit <id> <short> <parents>` and below it what the commit added,
/// `+<line>`; of a merge once for each parent, and what one of them had is not
/// its own.
fn read(log: &[u8]) -> HashMap<String, Commit> {
    let mut commits = HashMap::new();
    let mut now: Option<(Commit, usize)> = None;
    let mut added: HashMap<&str, usize> = HashMap::new();
    for line in log.split(|byte| *byte == b'\n') {
        if let Some(names) = line.strip_prefix(b"commit ") {
            let names = String::from_utf8_lossy(names).into_owned();
            let mut names = names.split_ascii_whitespace().map(str::to_owned);
            let next = (names.next(), names.next());
            let (Some(id), Some(short)) = next else { continue };
            if now.as_ref().is_none_or(|(commit, _)| commit.id != id) {
                added.clear();
            }
            now = Some((Commit { id, short }, names.count().max(1)));
        } else if let (Some(line), Some((commit, parents))) = (line.strip_prefix(b"+"), &now)
            && let Some(line) = Line::parse(line)
        {
            let count = added.entry(line.hash).or_default();
            *count += 1;
            if *count >= *parents {
                commits.insert(line.hash.to_owned(), commit.clone());
            }
        }
    }
    commits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_commit_that_added_a_line_counts() {
        let hash = |n: u8| n.to_string().repeat(64);
        let line = |n: u8| {
            format!(
                "{{\"seq\":1,\"id\":\"a\",\"ts\":\"t\",\"parents\":[],\"hash\":\"{}\"}}",
                hash(n)
            )
        };
        let log = format!(
            "commit cc c aa bb\n\n+{}\n+{}\n-{}\ncommit cc c aa bb\n\n+{}\n+{}\n\
             commit bb b aa\n\n+{}\n+++ b/x\ncommit aa a\n\n+{}\n",
            line(1),
            line(2),
            line(3),
            line(5),
            line(1),
            line(4),
            line(4)
        );
        let found = read(log.as_bytes());
        let of = |n| found.get(&hash(n)).map(|commit| commit.short.as_str());
        let expected = [Some("c"), None, None, Some("a"), None];
        assert_eq!([of(1), of(2), of(3), of(4), of(5)], expected);
    }
}
