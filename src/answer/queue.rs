//! What could be claimed, and why the rest cannot.

use crate::answer::{Caller, Reply, look};
use crate::error::Result;
use crate::services::context::Mode;
use crate::services::{hand_edits, next};
use crate::store::snapshot::{Files, Snapshot, Want};
use crate::wire::list::{NextList, NextTask};
use crate::wire::task::Task;

/// Every open task, what could be claimed first; of them as many as a limit
/// allows, 0 is none.
///
/// # Errors
/// Those of reading the ledgers.
pub fn run(caller: &Caller<'_>, limit: usize) -> Result<Reply<NextList>> {
    let mut ctx = caller.context(Mode::Read)?;
    let who = ctx.identity(caller.actor)?;
    let files = Files::read(caller.sys, &ctx.layout, Want::All)?;
    look(&mut ctx, &files)?;
    let mut snapshot = Snapshot::parse(caller.sys, &ctx.layout, &files)?;
    snapshot.standing = hand_edits::now_standing(&ctx, &files, &snapshot)?;
    let now = ctx.now(snapshot.journal()?.newest());
    let items = next::reasons(&ctx, &snapshot, &who, now)?;
    let is_any_free = items.iter().any(|item| item.claimable);
    let mut tasks = Vec::new();
    for item in items {
        let [row, ..] = snapshot.tasks.rows_of(&item.id)[..] else { continue };
        tasks.push(NextTask {
            task: Task::owned(&snapshot.tasks.task(row)),
            claimable: item.claimable,
            reason: item.reason,
        });
    }
    let total = tasks.len();
    if limit > 0 {
        tasks.truncate(limit);
    }
    let returned = tasks.len();
    let next = is_any_free.then(|| caller.command("claim --next", Some(&who)));
    Ok(Reply {
        kind: "task.next",
        data: NextList {
            tasks,
            total,
            returned,
            truncated: returned < total,
            untrusted: vec!["tasks".to_owned()],
        },
        warnings: ctx.warnings,
        next: next.into_iter().collect(),
        end: None,
    })
}
