//! The queue: which tasks are free, in which order, and what the rest wait for.
//!
//! Not here: taking one (`claim`), telling why not (`next`).

use crate::error::Result;
use crate::ledger::tasks::{RowId, TaskLedger};
use crate::model::field::TaskField;
use crate::model::task::{Task, is_offered_to};
use crate::model::time::{Due, Timestamp};
use crate::model::value::Priority;
use crate::services::config::zone::Zone;
use crate::services::context::{Context, Identity};
use crate::services::runs;
use crate::store::snapshot::Snapshot;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

/// For each task that depends on unfinished ones, what it waits for.
pub fn unmet<'t>(
    snapshot: &Snapshot<'_>,
    tasks: impl Iterator<Item = &'t Task<'t>>,
) -> Result<HashMap<String, String>> {
    let waiting: Vec<(String, Vec<String>)> = tasks
        .map(|t| (t.id.clone().into_owned(), t.depends().map(str::to_owned).collect::<Vec<_>>()))
        .filter(|(_, depends)| !depends.is_empty())
        .collect();
    let mut unmet = HashMap::new();
    if waiting.is_empty() {
        return Ok(unmet);
    }
    let wanted: HashSet<&str> =
        waiting.iter().flat_map(|(_, d)| d.iter().map(String::as_str)).collect();
    let mut states: HashMap<String, String> = HashMap::new();
    for row in snapshot.tasks.rows() {
        let id = snapshot.tasks.id(row);
        if wanted.contains(id.as_ref()) {
            let state = match snapshot.standing_of(&id) {
                Some(_) => "edited by hand, and counts for nothing".into(),
                None => snapshot.tasks.cell(row, TaskField::State).unwrap_or_default(),
            };
            states.insert(id.into_owned(), state.into_owned());
        }
    }
    if wanted.iter().any(|id| !states.contains_key(*id)) {
        for text in snapshot.archives()?.values() {
            let archive = TaskLedger::parse_any(text, "archive");
            for row in archive.rows() {
                let state = archive.cell(row, TaskField::State).unwrap_or_default();
                states.entry(archive.id(row).into_owned()).or_insert_with(|| state.into_owned());
            }
        }
    }
    for (id, depends) in waiting {
        let open: Vec<String> = depends
            .iter()
            .filter_map(|d| match states.get(d).map(String::as_str) {
                Some("DONE") => None,
                Some(state) => Some(format!("`{d}` ({state})")),
                None => Some(format!("`{d}` (no such task)")),
            })
            .collect();
        if !open.is_empty() {
            unmet.insert(id, format!("depends on {}", open.join(", ")));
        }
    }
    Ok(unmet)
}

/// The tasks in DOING whose lease has ended, in table order.
pub fn expired<'s>(
    ctx: &'s Context,
    snapshot: &'s Snapshot<'_>,
    now: Timestamp,
) -> impl Iterator<Item = RowId> + 's {
    snapshot.tasks.rows().filter(move |row| {
        snapshot.tasks.cell(*row, TaskField::State).as_deref() == Some("DOING")
            && (snapshot.standing.is_empty()
                || snapshot.standing_of(&snapshot.tasks.id(*row)).is_none())
            && snapshot
                .tasks
                .task(*row)
                .lease()
                .is_none_or(|lease| !lease.is_live(now, ctx.settings.leases.grace))
            && !runs::lives(ctx, &snapshot.tasks.id(*row))
            && !is_archived_too(snapshot, *row)
    })
}

/// The task that `claim --next` takes: by priority (none is MEDIUM), then due
/// (none is last), then table order.
pub fn choose(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    now: Timestamp,
    is_reaped: &dyn Fn(RowId) -> bool,
    skip: &HashSet<String>,
) -> Result<Option<RowId>> {
    let ranked = ranked(ctx, snapshot, who, now, is_reaped, skip)?;
    Ok(ranked
        .into_iter()
        .find(|row| stands_once(snapshot, *row) && !is_archived_too(snapshot, *row)))
}

/// Whether an archive has the task, too, as after a merge. What cannot be read is
/// told by whoever takes the task.
fn is_archived_too(snapshot: &Snapshot<'_>, row: RowId) -> bool {
    let id = snapshot.tasks.id(row);
    let was_away = snapshot.journal().is_ok_and(|journal| journal.history(&id).was_away);
    was_away && snapshot.archived(&id).is_ok_and(|year| year.is_some())
}

/// An id that stands twice cannot be changed, and a hand edit that counts for
/// nothing is not relied on; both are left to `check`.
fn stands_once(snapshot: &Snapshot<'_>, row: RowId) -> bool {
    let id = snapshot.tasks.id(row);
    snapshot.tasks.rows_of(&id).len() == 1
        && (snapshot.standing.is_empty()
            || (snapshot.standing_of(&id).is_none()
                && snapshot.standing_approval_of(&id).is_none()))
}

/// Every task that the caller could take, best first.
pub fn candidates(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    now: Timestamp,
    is_reaped: &dyn Fn(RowId) -> bool,
    skip: &HashSet<String>,
) -> Result<Vec<RowId>> {
    let mut rows = ranked(ctx, snapshot, who, now, is_reaped, skip)?;
    rows.retain(|row| stands_once(snapshot, *row));
    if !rows.is_empty() {
        let archived = snapshot.archived_ids()?;
        rows.retain(|row| !archived.contains(&*snapshot.tasks.id(*row)));
    }
    Ok(rows)
}

/// The same, ids that stand twice included: only who takes one needs to look.
fn ranked(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    now: Timestamp,
    is_reaped: &dyn Fn(RowId) -> bool,
    skip: &HashSet<String>,
) -> Result<Vec<RowId>> {
    let tasks = &snapshot.tasks;
    let expired_before = ctx.settings.approvals.expired_before(now);
    let waiting: HashSet<_> =
        snapshot.approvals.waiting(expired_before).map(|(task, _)| task).collect();
    let mut found: Vec<(RowId, Task<'_>)> = Vec::new();
    for row in tasks.rows() {
        let state = tasks.cell(row, TaskField::State);
        let free = matches!(state.as_deref(), Some("READY" | "FIX")) || is_reaped(row);
        let offered = || is_offered_to(tasks.cell(row, TaskField::Owner).as_deref(), &who.actor);
        if !free
            || !(offered() || who.solo && is_anybodys(tasks.cell(row, TaskField::Owner).as_deref()))
        {
            continue;
        }
        let task = tasks.task(row);
        let live = task.lease().is_some_and(|l| l.is_live(now, ctx.settings.leases.grace));
        if live && !is_reaped(row) || waiting.contains(&task.id) || skip.contains(task.id.as_ref())
        {
            continue;
        }
        found.push((row, task));
    }
    let unmet = unmet(snapshot, found.iter().map(|(_, task)| task))?;
    if !unmet.is_empty() {
        found.retain(|(_, task)| !unmet.contains_key(task.id.as_ref()));
    }
    let zone = ctx.settings.zone();
    found.sort_by_cached_key(|(row, task)| rank(&zone, task, *row));
    Ok(found.into_iter().map(|(row, _)| row).collect())
}

/// The order in which tasks are taken: priority (none is MEDIUM), then due (none
/// is last), then table order.
pub fn rank(zone: &Zone, task: &Task<'_>, row: RowId) -> (Reverse<Priority>, i64, RowId) {
    let due = |due: Due| due.deadline(|date| Timestamp(zone.end_of_day_ms(date))).0;
    let priority = task.priority().unwrap_or(Priority::Medium);
    (Reverse(priority), task.due_at().map_or(i64::MAX, due), row)
}

/// In solo work the one person has all roles: a bare role's task is theirs.
fn is_anybodys(owner: Option<&str>) -> bool {
    matches!(owner, None | Some("CMD" | "WORK" | "AUDIT"))
}
