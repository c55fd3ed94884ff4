//! `evidence apply`: the change that was approved, made in a work tree.
//!
//! Git makes it, all or nothing. Not here: whether it may be made by somebody;
//! files of a work tree are whoever's it is. Invariant: `ORCH/`, `.git` and
//! everything outside of the work tree stay as they are.

use super::repository::{Repository, agrees, reach};
use super::verify::{self, Status};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::evidence as text;
use crate::ledger::git_diff::{self, FileDiff};
use crate::ledger::tasks::shell_word;
use crate::services::context::Context;
use crate::store::ask_git::complaint;
use crate::store::snapshot::Snapshot;
use std::collections::BTreeSet;
use std::path::Path;

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub struct Request<'r> {
    /// The approval whose evidence it is.
    pub appr: &'r str,
    /// Only look whether it could be done.
    pub check: bool,
    /// Take the change back.
    pub reverse: bool,
}

/// What was done.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The evidence file, from the workspace's root.
    pub path: String,
    /// SHA-256 of the whole evidence file.
    pub sha: String,
    /// The top of the work tree.
    pub worktree: String,
    /// The files that the change touches, from there.
    pub files: Vec<String>,
    /// Whether the work tree had the change by itself.
    pub already: bool,
    /// Whether the journal does not know the evidence yet.
    pub is_unrecorded: bool,
}

/// Makes the change of an approval's evidence in the work tree that holds `cwd`.
///
/// # Errors
/// `stale` where the evidence is altered or missing, or does not fit the files:
/// then none is changed. `not_allowed` where it reaches into `ORCH/`, `.git` or
/// out of the work tree. `ledger_invalid` where it holds no diff that git reads
/// as we do.
pub fn apply(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    cwd: &Path,
    request: Request<'_>,
) -> Result<Applied> {
    let verified = verify::one(ctx, snapshot, request.appr)?;
    if let Some(kind) = verified.status.error() {
        let why = verified.why.unwrap_or_default();
        return Err(Error::new(kind, why)
            .hint(format!("orch evidence verify {}", shell_word(request.appr))));
    }
    let Some(stored) = verified.stored else {
        return Err(Error::new(ErrorKind::Stale, "the evidence is not there"));
    };
    let whole = std::str::from_utf8(&stored.bytes).ok();
    let Some((diff, files)) = whole.and_then(change) else {
        return Err(Error::invalid(format!(
            "the evidence `{}` holds no diff that could be applied",
            stored.name
        ))
        .hint(format!("orch evidence show {}", shell_word(request.appr))));
    };
    let Some(repository) = Repository::of(&ctx.sys, cwd)? else {
        let message = format!("`{}` lies in no work tree of git", cwd.display());
        return Err(Error::usage(message).hint("orch evidence apply --help"));
    };
    reach(&files, &repository.ledgers(&ctx.layout)?)?;
    agrees(&repository, diff, &files)?;
    let paths: BTreeSet<String> =
        files.iter().flat_map(FileDiff::paths).map(str::to_owned).collect();
    let applied = Applied {
        path: stored.name,
        sha: stored.sha,
        worktree: repository.top.to_string_lossy().into_owned(),
        files: paths.into_iter().collect(),
        already: false,
        is_unrecorded: verified.status == Status::Unrecorded,
    };
    let run = |check: bool, reverse: bool| {
        let mut args = vec!["apply", "--whitespace=nowarn"];
        args.extend(check.then_some("--check"));
        args.extend(reverse.then_some("--reverse"));
        repository.ask(&args, &[], diff.as_bytes())
    };
    let output = run(request.check, request.reverse)?;
    if output.success {
        return Ok(applied);
    }
    if run(true, !request.reverse)?.success {
        return Ok(Applied { already: true, ..applied });
    }
    Err(Error::new(
        ErrorKind::Stale,
        format!(
            "the evidence of `{}` does not fit the files in `{}`, and nothing was changed: {}",
            request.appr,
            applied.worktree,
            complaint(&output.stderr)
        ),
    )
    .hint("git status"))
}

/// The diff of an evidence file: of ours what is in the fence, else the whole
/// file where that is one.
fn change(whole: &str) -> Option<(&str, Vec<FileDiff>)> {
    let diff = text::parse(whole).map_or(whole, |evidence| evidence.diff);
    let files = git_diff::parse(diff).ok()?;
    (!files.is_empty()).then_some((diff, files))
}
