//! `check`: what in the ledgers cannot be relied on.
//!
//! Here: what is looked at, and in which order. In the folder: `book`, files to
//! rows; `rules`, one file each; `report`, places and snippets; `accept`, what
//! CMD takes as it is. Not here: whether the journal is whole
//! (`services::audit`). Invariant: looking changes nothing; a finding is about
//! one place in one file, and its code never changes its meaning.

mod accept;
pub mod book;
pub mod finding;
mod fix;
mod paths;
mod report;
pub mod rules;
mod staged;
#[cfg(test)]
mod testing;

use crate::error::{Error, Result};
use crate::services::check::book::{Book, Expect, Ground, Source};
use crate::services::context::Context;
use crate::services::hand_edits;
use crate::store::journal::Journal;
use crate::store::layout::Layout;
use crate::store::seen::{Seen, Suspended, Who};
use crate::store::snapshot::{FileRead, Files, Snapshot, Want};
use crate::sys::Sys;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

pub use crate::model::severity::Severity;
pub use accept::accept;
pub use finding::{Finding, Snippet};
pub use fix::fix;
pub use paths::paths;
pub use staged::{removed, staged};

/// How many findings of each kind there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Notes.
    pub notes: usize,
}

impl Count {
    /// Counts what nobody accepted.
    pub fn of(findings: &[Finding]) -> Self {
        let of = |severity| {
            let counted = |f: &&Finding| f.severity == severity && !f.is_accepted;
            findings.iter().filter(counted).count()
        };
        Self {
            errors: of(Severity::Error),
            warnings: of(Severity::Warning),
            notes: of(Severity::Note),
        }
    }
}

/// Everything that is found in a workspace, by file, line and column.
///
/// # Errors
/// `failed` where a file cannot be read.
pub fn workspace(ctx: &Context) -> Result<Vec<Finding>> {
    let (sys, layout) = (&ctx.sys, &ctx.layout);
    let files = Files::read(sys, layout, Want::All)?;
    let journal = Journal::read(sys, layout)?;
    let sources = sources(sys, layout, &files)?;
    let seen = Seen::look(sys, layout, &files, ctx.checkpoint.clone(), Who::Reads, || Ok(&journal));
    let is_quiet = ctx.checkpoint.as_ref().is_some_and(|c| c.standing == 0) && !seen?.differs();
    let mut standing = Vec::new();
    let is_needed = !is_quiet || !journal.accepted().is_empty();
    // Why a file cannot be read is a finding of its own.
    if is_needed
        && !journal.is_empty()
        && let Ok(snapshot) = Snapshot::parse(sys, layout, &files)
    {
        standing = hand_edits::now_standing(ctx, &files, &snapshot)?;
        standing.extend(hand_edits::accepted(&snapshot)?);
    }
    Ok(examine(ctx, &sources, &journal, &standing))
}

/// What is wrong with the policy itself, where somebody asks for the settings.
///
/// # Errors
/// `failed` where a file cannot be read.
pub fn policy(ctx: &Context) -> Result<Vec<Finding>> {
    if ctx.settings.approvals.required.is_empty() {
        return Ok(Vec::new());
    }
    let mut findings = workspace(ctx)?;
    let code = rules::policy::UNSATISFIABLE_POLICY.code;
    findings.retain(|finding| finding.code == code && !finding.is_accepted);
    Ok(findings)
}

/// The same for what a change is about to be made of.
///
/// # Errors
/// `failed` where a file cannot be read.
fn of_snapshot(ctx: &Context, snapshot: &Snapshot<'_>) -> Result<Vec<Finding>> {
    let (sys, layout) = (&ctx.sys, &ctx.layout);
    let mut sources = vec![
        Source::of(layout.display(&layout.tasks()), snapshot.tasks.grid().text(), Expect::Tasks),
        Source::of(
            layout.display(&layout.approvals()),
            snapshot.approvals.grid().text(),
            Expect::Approvals,
        ),
        Source::of(layout.display(&layout.flags(&*sys.fs)), &snapshot.flags_text, Expect::Flags),
    ];
    for (year, text) in snapshot.archives()? {
        let name = layout.display(&layout.archive_tasks(*year));
        sources.push(Source::of(name, text, Expect::Archive));
    }
    Ok(examine(ctx, &sources, snapshot.journal()?, &snapshot.standing))
}

/// The same for ledgers that a change would leave.
///
/// # Errors
/// `failed` where a file cannot be read.
pub fn of_texts(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    tasks: &str,
    approvals: &str,
) -> Result<Vec<Finding>> {
    let layout = &ctx.layout;
    let sources = [
        Source::of(layout.display(&layout.tasks()), tasks, Expect::Tasks),
        Source::of(layout.display(&layout.approvals()), approvals, Expect::Approvals),
    ];
    Ok(examine(ctx, &sources, snapshot.journal()?, &[]))
}

fn examine(
    ctx: &Context,
    sources: &[Source<'_>],
    journal: &Journal,
    standing: &[Suspended],
) -> Vec<Finding> {
    let now = ctx.now(journal.newest());
    let book = Book::read(sources, &ctx.settings, &ctx.principals, now)
        .on(Ground { sys: &ctx.sys, layout: &ctx.layout })
        .with_journal(journal);
    let mut found = rules::look(&book);
    for standing in standing {
        found.add_by_hand(&book, standing);
    }
    let mut findings = found.told(&book);
    let accepted = journal.accepted();
    for finding in &mut findings {
        let whole = finding.op.as_ref().is_some_and(|op| accepted.has(op));
        finding.is_accepted = whole || accepted.has(&finding.key());
    }
    findings
}

/// The files of a workspace, as they were read.
fn sources<'f>(sys: &Sys, layout: &Layout, files: &'f Files) -> Result<Vec<Source<'f>>> {
    let source = |path: &Path, read: &'f FileRead, expect| Source {
        name: layout.display(path),
        bytes: Cow::Borrowed(&read.bytes[..]),
        expect,
    };
    let mut sources = vec![source(&layout.tasks(), &files.tasks, Expect::Tasks)];
    if let Some(read) = &files.approvals {
        sources.push(source(&layout.approvals(), read, Expect::Approvals));
    }
    if let Some(read) = &files.flags {
        sources.push(source(&layout.flags(&*sys.fs), read, Expect::Flags));
    }
    for (_, path) in archives(sys, layout) {
        let bytes = sys.fs.read(&path).map_err(|e| Error::io("read", &path, &e))?;
        let (name, bytes) = (layout.display(&path), Cow::Owned(bytes));
        sources.push(Source { name, bytes, expect: Expect::Archive });
    }
    Ok(sources)
}

/// The archives by year.
fn archives(sys: &Sys, layout: &Layout) -> Vec<(i32, PathBuf)> {
    let names = sys.fs.list(&layout.archive_dir()).unwrap_or_default();
    let year = |name: String| {
        let year = name.strip_prefix("TASKS-")?.strip_suffix(".md")?.parse().ok()?;
        Some((year, layout.archive_tasks(year)))
    };
    names.into_iter().filter_map(year).collect()
}
