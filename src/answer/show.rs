//! One task with everything about it, in the ledger or in an archive.

use crate::answer::{Caller, Reply, approvals, brief, look, next};
use crate::error::{Error, Result};
use crate::ledger::tasks::{RowId, TaskLedger};
use crate::services;
use crate::services::approvals::list::{Query, list};
use crate::services::context::{Context, Mode};
use crate::store::snapshot::{Files, Snapshot, Want};
use crate::wire::list::Shown;
use crate::wire::task::Task;

/// How often a task that stands nowhere is looked for.
const LOOKS: u32 = 20;

/// Looks a task up.
///
/// # Errors
/// `not_found`, and those of reading the ledgers.
pub fn run(caller: &Caller<'_>, id: &str) -> Result<Reply<Shown>> {
    let mut ctx = caller.context(Mode::Read)?;
    let found = read(caller, &mut ctx, id);
    let Found { data, odd, next } = found.map_err(|error| error.noticed(ctx.warnings.clone()))?;
    let warnings = [ctx.warnings, odd].concat();
    Ok(Reply { kind: "task.show", data, warnings, next, end: None })
}

/// What there is of it, what is odd about that, and what is worth typing then.
struct Found {
    data: Shown,
    odd: Vec<String>,
    next: Vec<String>,
}

fn read(caller: &Caller<'_>, ctx: &mut Context, id: &str) -> Result<Found> {
    let mut files = Files::read(caller.sys, &ctx.layout, Want::All)?;
    look(ctx, &files)?;
    let mut looks = 1;
    loop {
        let snapshot = Snapshot::parse(caller.sys, &ctx.layout, &files)?;
        if let Some(shown) = find(ctx, &snapshot, id)? {
            return fill(caller, ctx, &snapshot, id, shown);
        }
        // It may have been on its way between the ledger and an archive: once
        // the ledger stands still it is nowhere.
        let again = Files::read(caller.sys, &ctx.layout, Want::All)?;
        let still = again.tasks.stat == files.tasks.stat && !again.unfinished && !files.unfinished;
        if looks == LOOKS || still {
            return Err(snapshot
                .tasks
                .find(id)
                .err()
                .unwrap_or_else(|| Error::not_found(format!("no task `{id}`"))));
        }
        files = again;
        looks += 1;
    }
}

/// The task, in the ledger or in an archive.
fn find(ctx: &Context, snapshot: &Snapshot<'_>, id: &str) -> Result<Option<Shown>> {
    if let [row, ..] = snapshot.tasks.rows_of(id)[..] {
        let shown = of_row(&snapshot.tasks, row);
        return Ok(Some(Shown { file: ctx.layout.display(&ctx.layout.tasks()), ..shown }));
    }
    let Some(year) = snapshot.archived(id)? else { return Ok(None) };
    let text = snapshot.archives()?.get(&year).map_or("", String::as_str);
    let path = ctx.layout.display(&ctx.layout.archive_tasks(year));
    let archive = TaskLedger::parse_any(text, &path);
    let shown = of_row(&archive, archive.find(id)?);
    Ok(Some(Shown { file: path, archived: true, ..shown }))
}

/// The same with detail and approvals, and what is odd about it.
fn fill(
    caller: &Caller<'_>,
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    id: &str,
    mut shown: Shown,
) -> Result<Found> {
    let mut odd = Vec::new();
    let rows = snapshot.tasks.rows_of(id);
    if rows.len() > 1 {
        let lines: Vec<String> = rows.iter().map(|r| snapshot.tasks.line(*r).to_string()).collect();
        let lines = lines.join(", ");
        odd.push(format!("the id `{id}` stands in lines {lines}; this is the first"));
    }
    let depends: Vec<&str> = shown.task.depends.iter().map(AsRef::as_ref).collect();
    let mut known = services::brief::of(&snapshot.tasks, snapshot, id, &depends);
    shown.criteria = brief::criteria(&mut known);
    shown.depends_on = brief::depends_on(&mut known);
    shown.handover = known.handover.map(Into::into);
    shown.detail = known.detail;
    if snapshot.approvals.of_task(id).next().is_some() {
        let now = ctx.now(snapshot.journal()?.newest());
        let query = Query { task: Some(id.to_owned()), ..Query::default() };
        let items = list(ctx, snapshot, &query, now)?;
        shown.approvals = items.iter().map(approvals::of).collect();
    }
    shown.untrusted = untrusted(&shown);
    let next = next::after_show(caller, ctx, snapshot, &shown);
    Ok(Found { data: shown, odd, next })
}

/// Members whose text others wrote.
fn untrusted(shown: &Shown) -> Vec<String> {
    let there = [
        ("task", true),
        ("detail", shown.detail.is_some()),
        ("criteria", !shown.criteria.is_empty()),
        ("depends_on", !shown.depends_on.is_empty()),
        ("handover", shown.handover.is_some()),
        ("approvals", !shown.approvals.is_empty()),
    ];
    there.into_iter().filter(|(_, there)| *there).map(|(name, _)| name.to_owned()).collect()
}

fn of_row(ledger: &TaskLedger<'_>, row: RowId) -> Shown {
    let line = ledger.line(row);
    Shown {
        task: Task::owned(&ledger.task(row)),
        detail: None,
        criteria: Vec::new(),
        depends_on: Vec::new(),
        handover: None,
        approvals: Vec::new(),
        file: String::new(),
        line,
        archived: false,
        untrusted: Vec::new(),
    }
}
