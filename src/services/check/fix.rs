//! Mending what has one right answer, as one operation.
//!
//! Detached rows go back to their table, and mirrors that are left over go. Not
//! mended: line ends, of which two kinds are right, and lock cells that
//! contradict the state, where nobody knows which of both is wrong and no undo
//! would bring them back.

use crate::error::Result;
use crate::ledger::document::{Document, Kind};
use crate::ledger::render::Rendered;
use crate::ledger::repair;
use crate::ledger::table::Grid;
use crate::ledger::tasks::TaskLedger;
use crate::model::outcome::Outcome;
use crate::model::time::Timestamp;
use crate::services::change::Decision;
use crate::services::check::book::{Book, Expect, Ground, Source};
use crate::services::check::rules::mirror;
use crate::services::context::Context;
use crate::store::mirror::MirrorChange;
use crate::store::snapshot::Snapshot;

/// Mends ledgers, archives and mirrors; what cannot be mended is left as it is.
///
/// # Errors
/// `failed` where an archive cannot be read.
pub fn fix(ctx: &Context, snapshot: &Snapshot<'_>, now: Timestamp) -> Result<Decision> {
    let mut decision = Decision::new(Outcome::default());
    let mut texts = Rendered {
        tasks: mended(Kind::Tasks, snapshot.tasks.grid()),
        approvals: mended(Kind::Approvals, snapshot.approvals.grid()),
        ..Rendered::default()
    };
    for (year, text) in snapshot.archives()? {
        let archive = TaskLedger::parse_any(text, "archive");
        texts.archives.extend(mended(Kind::Tasks, archive.grid()).map(|new| (*year, new)));
    }
    decision.texts = Some(texts);
    let text = snapshot.tasks.grid().text();
    let ledger = [Source::of(snapshot.tasks.path().to_owned(), text, Expect::Tasks)];
    let book = Book::read(&ledger, &ctx.settings, &ctx.principals, now)
        .on(Ground { sys: &ctx.sys, layout: &ctx.layout });
    // A lease that was taken by hand may still be used by its holder.
    let left_over = mirror::left_over(&book).into_iter();
    let removed = left_over.filter(|task| snapshot.standing_of(task).is_none());
    decision.mirrors = removed.map(MirrorChange::Remove).collect();
    decision.journal_only = !decision.mirrors.is_empty();
    Ok(decision)
}

fn mended(kind: Kind, grid: &Grid<'_>) -> Option<String> {
    repair::reattached(grid, |new| {
        let document = Document::parse(kind, new);
        let rows = document.grid().rows.iter().filter(|row| !row.detached);
        rows.map(|row| document.line(row).to_owned()).collect()
    })
}
