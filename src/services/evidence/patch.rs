//! A patch that somebody hands in, as a change that can be kept.
//!
//! Here: what `request --patch` turns into. Not here: the change in a work tree
//! (`work_tree`). The patch may be one that is yet to be applied or one that was
//! applied; what its files hold afterwards is said where git can tell. Invariant:
//! nothing is applied, and nothing is written into the repository.

use super::content;
use super::repository::{Objects, Repository, Scratch, Start, agrees, reach};
use super::work_tree::{Change, listed};
use crate::error::{Error, Result};
use crate::ledger::git_diff::{self, FileDiff, SUBMODULE};
use crate::model::evidence::MAX_BYTES;
use crate::store::entry::sha256_hex;
use crate::store::layout::Layout;
use crate::sys::Sys;
use std::path::Path;

/// Reads a patch, as `git diff`, `git format-patch` or `diff -u` wrote it, for
/// the repository that holds `cwd`, else for the workspace's root. A mail's text
/// around it is left out.
///
/// # Errors
/// `usage` for what is no patch; `not_allowed` where it leaves the repository or
/// reaches into `.git` or `ORCH/`.
pub fn of_patch(sys: &Sys, layout: &Layout, cwd: &Path, text: &str) -> Result<Change> {
    if text.len() as u64 > MAX_BYTES / 16 * 15 {
        let message = format!("the patch has {} bytes, more than evidence may have", text.len());
        return Err(Error::usage(message));
    }
    let (skipped, diff) = without_mail(text);
    let files = git_diff::parse(&diff).map_err(|mut why| {
        why.line += skipped;
        Error::usage(format!("this is no patch that can be kept: {why}"))
            .hint("orch request --help")
    })?;
    if diff.contains('\0') {
        return Err(Error::usage("the patch holds NUL; make it with `git diff --binary`"));
    }
    if files.is_empty() {
        return Err(Error::usage("the patch is empty").hint("git diff --stat"));
    }
    let repository = Repository::of(sys, cwd)?;
    let ledgers = match &repository {
        Some(repository) => repository.ledgers(layout)?,
        None => vec!["ORCH".to_owned()],
    };
    reach(&files, &ledgers)?;
    if let Some(repository) = &repository {
        agrees(repository, &diff, &files)
            .map_err(|error| Error::usage(error.message).hint("orch request --help"))?;
    }
    let after = match &repository {
        Some(repository) => After::of(repository, &diff)?,
        None => After::Unknown,
    };
    let base = match (&after, &repository) {
        (After::Index { of_head: true, .. }, Some(repository)) => repository.commit("HEAD")?,
        _ => None,
    };
    let files = listed(&files, |path| match &repository {
        Some(repository) => after.sha(sys, repository, path, &files),
        None => Ok(None),
    })?;
    Ok(Change { base, worktree: None, files, diff })
}

/// Where the files are as they are after the patch.
enum After {
    /// In a scratch index, which the patch was applied to.
    Index {
        /// The index, and what it is made of beyond the repository's own.
        scratch: Box<(Scratch, Objects)>,
        /// Whether it was HEAD's, else the user's.
        of_head: bool,
    },
    /// In the work tree: the patch was applied there.
    Tree,
    /// Nowhere that is known.
    Unknown,
}

impl After {
    fn of(repository: &Repository<'_>, diff: &str) -> Result<Self> {
        let apply = |args: &[&str], env: &[(&str, &str)]| {
            let args = [&["apply", "--whitespace=nowarn"], args].concat();
            Ok::<_, Error>(repository.ask(&args, env, diff.as_bytes())?.success)
        };
        for start in [Start::Empty, Start::Users] {
            let of_head = start == Start::Empty;
            if of_head && repository.commit("HEAD")?.is_none() {
                continue;
            }
            let scratch = repository.scratch_index(start)?;
            let objects = repository.scratch_objects()?;
            let [one, other] = objects.env();
            let env = [("GIT_INDEX_FILE", scratch.path()), one, other];
            if of_head {
                repository.tell(&["read-tree", "HEAD"], &env, b"")?;
            }
            if apply(&["--cached"], &env)? {
                return Ok(Self::Index { scratch: Box::new((scratch, objects)), of_head });
            }
        }
        Ok(if apply(&["--check", "--reverse"], &[])? { Self::Tree } else { Self::Unknown })
    }

    /// The hash of a file after the patch, as a work tree would hold it.
    fn sha(
        &self,
        sys: &Sys,
        repository: &Repository<'_>,
        path: &str,
        files: &[FileDiff],
    ) -> Result<Option<String>> {
        let is_it = |file: &&FileDiff| file.new.as_deref() == Some(path);
        if files.iter().find(is_it).is_some_and(|file| file.new_mode == Some(SUBMODULE)) {
            return Ok(None);
        }
        match self {
            Self::Index { scratch, .. } => {
                let (scratch, objects) = &**scratch;
                let name = format!(":{path}");
                let [one, other] = objects.env();
                let env = [("GIT_INDEX_FILE", scratch.path()), one, other];
                let shown = repository.ask(&["cat-file", "--filters", &name], &env, b"")?;
                Ok(shown.success.then(|| sha256_hex(&shown.stdout)))
            }
            Self::Tree => Ok(content::of(sys, &repository.top, path)?.sha()),
            Self::Unknown => Ok(None),
        }
    }
}

/// The patch in a mail: from its first file to the signature, with a newline at
/// its end. And how many lines stand before it.
fn without_mail(text: &str) -> (usize, String) {
    let mut at = 0;
    let mut skipped = 0;
    let mut lines = text.split_inclusive('\n').peekable();
    let mut start = None;
    while let Some(line) = lines.next() {
        let is_plain =
            line.starts_with("--- ") && lines.peek().is_some_and(|l| l.starts_with("+++ "));
        if line.starts_with("diff --git ") || is_plain {
            start = Some(at);
            break;
        }
        at += line.len();
        skipped += 1;
    }
    let Some(start) = start else { return (0, text.to_owned()) };
    let mut diff = text[start..].to_owned();
    if !diff.ends_with('\n') {
        diff.push('\n');
    }
    // A hunk's line never begins with a digit.
    if let Some(at) = diff.rfind("\n-- \n") {
        let version = diff[at + 5..].trim_end();
        if version.starts_with(|c: char| c.is_ascii_digit()) && !version.contains('\n') {
            diff.truncate(at + 1);
        }
    }
    (skipped, diff)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-- \n+b\n";

    #[test]
    fn a_mail_is_left_out() {
        let mail =
            format!("From 1 Mon\nSubject: [PATCH] x\n\n---\n x | 2 +-\n\n{DIFF}-- \n2.47.3\n\n");
        assert_eq!(without_mail(&mail), (6, DIFF.to_owned()));
        assert_eq!(without_mail(DIFF), (0, DIFF.to_owned()));
        assert_eq!(without_mail(DIFF.trim_end()), (0, DIFF.to_owned()));
        let plain = "hi\n--- x\n+++ x\n@@ -1,2 +1 @@\n-- \n-2\n+b\n";
        assert_eq!(without_mail(plain), (1, plain[3..].to_owned()));
        assert_eq!(without_mail("hello\n"), (0, "hello\n".to_owned()));
    }
}
