//! Tasks, in every state.

use crate::answer::{Caller, look};
use crate::error::Result;
use crate::ledger::source;
use crate::ledger::tasks::TaskLedger;
use crate::model::time::Timestamp;
use crate::services::context::Mode;
use crate::services::list::{self, Request};
use crate::store::snapshot::{Files, Want};
use crate::wire::Envelope;
use crate::wire::list::TaskList;
use serde_json::Value;

/// Lists tasks: the object of `--json`.
///
/// # Errors
/// `usage`, and those of reading the ledger.
pub fn run(caller: &Caller<'_>, request: Request) -> Result<Value> {
    let mut ctx = caller.context(Mode::Read)?;
    let files = Files::read(caller.sys, &ctx.layout, Want::Tasks)?;
    look(&mut ctx, &files)?;
    let path = ctx.layout.display(&ctx.layout.tasks());
    let ledger = TaskLedger::parse(source::text(&files.tasks.bytes, &path)?, &path)?;
    let found = list::find(&ctx, &ledger, &request, Timestamp(caller.sys.clock.now_ms()))?;
    let get = |n: usize| ledger.task(found.rows[n]);
    let list = TaskList { get: &get, returned: found.rows.len(), total: found.total, fields: None };
    let next = [caller.typed("next")];
    let envelope = Envelope::new("task.list", &list, &ctx.warnings, &next);
    Ok(serde_json::to_value(envelope).unwrap_or_default())
}
