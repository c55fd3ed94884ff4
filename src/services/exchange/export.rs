//! Which tasks leave, and with what.
//!
//! Here: the rows of the ledger and, where asked, of the archives, with detail sections
//! and what the journal knows of them. Not here: how they are spelled. Only reads.

use crate::error::Result;
use crate::ledger::tasks::TaskLedger;
use crate::model::task::Task;
use crate::model::time::Timestamp;
use crate::services::context::Context;
use crate::services::list::{self, Request};
use crate::store::snapshot::Snapshot;
use chrono::NaiveDate;
use std::collections::HashMap;

/// A task with what does not stand in its row.
#[derive(Debug, Clone)]
pub struct Card<'a> {
    /// Its row.
    pub task: Task<'a>,
    /// The text of its detail section.
    pub detail: Option<String>,
    /// When it was closed, if the journal saw it.
    pub closed_at: Option<Timestamp>,
    /// The same as a day of the ledger's zone.
    pub closed_on: Option<NaiveDate>,
    /// When it was changed last, if the journal saw it.
    pub changed_at: Option<Timestamp>,
}

/// The archives of a workspace, read.
#[derive(Debug, Default)]
pub struct Archives<'s>(Vec<TaskLedger<'s>>);

impl<'s> Archives<'s> {
    /// Reads them, oldest first.
    ///
    /// # Errors
    /// As [`Snapshot::archives`].
    pub fn of(ctx: &Context, snapshot: &'s Snapshot<'_>) -> Result<Self> {
        let read = |(year, text): (&i32, &'s String)| {
            let path = ctx.layout.display(&ctx.layout.archive_tasks(*year));
            TaskLedger::parse_any(text, &path)
        };
        Ok(Self(snapshot.archives()?.iter().map(read).collect()))
    }
}

/// Gathers the tasks that fit: archived ones first, oldest first, then the ledger's, in
/// table order unless a sort is asked for.
///
/// # Errors
/// As [`list::find`], and where the journal cannot be read.
pub fn gather<'s>(
    ctx: &Context,
    snapshot: &'s Snapshot<'_>,
    archives: &'s Archives<'_>,
    request: &Request,
    with_times: bool,
    now: Timestamp,
) -> Result<Vec<Card<'s>>> {
    let (closed, changed) = if with_times {
        let journal = snapshot.journal()?;
        (journal.closing_times(), journal.change_times())
    } else {
        (HashMap::new(), HashMap::new())
    };
    let zone = ctx.settings.zone();
    let details = snapshot.tasks.sections();
    let mut cards = Vec::new();
    for ledger in archives.0.iter().chain([&snapshot.tasks]) {
        for row in list::find(ctx, ledger, request, now)?.rows {
            let task = ledger.task(row);
            let id: &str = &task.id;
            let is_closed = !task.is_open();
            let closed_at = closed.get(id).copied().filter(|_| is_closed);
            let changed_at = changed.get(id).copied();
            let closed_on = closed_at.map(|at| zone.date_of_ms(at.0));
            let detail = details.of(id).map(|(_, body)| &snapshot.tasks.grid().text()[body]);
            let detail = detail.map(plain_detail).filter(|detail| !detail.is_empty());
            cards.push(Card { task, detail, closed_at, closed_on, changed_at });
        }
    }
    Ok(cards)
}

/// The text of a detail section as it was given.
pub fn plain_detail(body: &str) -> String {
    body.replace("\r\n", "\n").trim_matches('\n').to_owned()
}

/// What a format has no place for, of what these tasks have: for people.
pub fn left_out(cards: &[Card<'_>], with_detail: bool) -> Vec<&'static str> {
    let any = |has: &dyn Fn(&Card<'_>) -> bool| cards.iter().any(has);
    let blank = |cell: Option<&str>| cell.is_some_and(|text| text.contains(char::is_whitespace));
    // A note that is nothing but the attributes that have words of their own is no loss.
    let says_more = |card: &Card<'_>| {
        let notes = card.task.notes.as_deref().unwrap_or_default();
        let ours = crate::model::value::attributes(notes)
            .filter(|a| matches!(a.key, "priority" | "depends"))
            .map(|a| a.end - a.start)
            .sum::<usize>();
        notes.chars().filter(|c| !matches!(c, ' ' | '・')).map(char::len_utf8).sum::<usize>() > ours
    };
    let found = [
        ("artifact", any(&|card| card.task.artifact.is_some())),
        ("notes", any(&says_more)),
        ("detail sections", !with_detail && any(&|card| card.detail.is_some())),
        ("other columns", any(&|card| card.task.extra.iter().any(|(_, value)| value.is_some()))),
        ("leases", any(&|card| card.task.lock.is_some() || card.task.lock_owner.is_some())),
        (
            "values with blanks",
            any(&|card| {
                let Task { id, due, owner, state, .. } = &card.task;
                [Some(&**id), due.as_deref(), owner.as_deref(), state.as_deref()]
                    .into_iter()
                    .any(blank)
            }),
        ),
    ];
    found.into_iter().filter(|(_, any)| *any).map(|(name, _)| name).collect()
}
