//! `approvals`: what was asked for, and how it stands.

use crate::error::Result;
use crate::ledger::approvals::ApprovalLedger;
use crate::ledger::tasks::RowId;
use crate::model::approval::{Approval, ApprovalStatus};
use crate::model::field::ApprovalField;
use crate::model::history::TaskHistory;
use crate::model::time::Timestamp;
use crate::services::approvals::force::{Decisions, Force, Judged};
use crate::services::context::Context;
use crate::services::evidence;
use crate::store::snapshot::Snapshot;
use std::borrow::Cow;
use std::collections::HashMap;

/// Which approvals are meant; what is empty asks nothing.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Of these ids.
    pub ids: Vec<String>,
    /// Of this status, as it is spelled; a pending one that is too old counts as
    /// expired.
    pub status: Option<String>,
    /// Of this task.
    pub task: Option<String>,
}

/// An approval with what is known of it.
#[derive(Debug)]
pub struct Item<'s> {
    /// Its cells.
    pub approval: Approval<'s>,
    /// Its status; none where the ledger holds one the tool does not know.
    pub status: Option<ApprovalStatus>,
    /// SHA-256 of its evidence as it is now.
    pub evidence_sha: Option<String>,
    /// Whether it counts, for an approved one of an open task.
    pub force: Option<Force>,
}

/// The approvals that a query means, in table order.
///
/// # Errors
/// `not_found` for an id that no row has, `failed` where the journal cannot be
/// read.
pub fn list<'s>(
    ctx: &Context,
    snapshot: &'s Snapshot<'s>,
    query: &Query,
    now: Timestamp,
) -> Result<Vec<Item<'s>>> {
    let ledger = &snapshot.approvals;
    for id in &query.ids {
        if !has(ledger, id) {
            ledger.find(id)?;
        }
    }
    let expired_before = ctx.settings.approvals.expired_before(now);
    let mut look = Look::of(ctx, snapshot, now);
    let mut items = Vec::new();
    for row in ledger.rows() {
        let approval = ledger.approval(row);
        let status = approval.status_now(expired_before);
        let spelled = || match status {
            Some(status) => status.as_str(),
            None => approval.status.as_deref().unwrap_or_default(),
        };
        let is_meant = (query.ids.is_empty() || query.ids.iter().any(|id| *id == approval.id))
            && query.status.as_ref().is_none_or(|s| s.eq_ignore_ascii_case(spelled()))
            && query.task.as_ref().is_none_or(|t| Some(&t[..]) == approval.task_id.as_deref());
        if is_meant {
            items.push(look.item(row, approval, status)?);
        }
    }
    Ok(items)
}

fn has(ledger: &ApprovalLedger<'_>, id: &str) -> bool {
    ledger.rows().any(|row| ledger.cell(row, ApprovalField::ApprId).as_deref() == Some(id))
}

/// What is looked up for several approvals, each thing once.
struct Look<'c, 'l> {
    ctx: &'c Context,
    snapshot: &'l Snapshot<'l>,
    now: Timestamp,
    rows: Option<HashMap<Cow<'l, str>, RowId>>,
    decisions: Option<Decisions>,
    histories: HashMap<String, TaskHistory>,
}

impl<'c, 'l> Look<'c, 'l> {
    fn of(ctx: &'c Context, snapshot: &'l Snapshot<'l>, now: Timestamp) -> Self {
        Self { ctx, snapshot, now, rows: None, decisions: None, histories: HashMap::new() }
    }

    fn item(
        &mut self,
        row: usize,
        approval: Approval<'l>,
        status: Option<ApprovalStatus>,
    ) -> Result<Item<'l>> {
        let stored = approval.evidence.as_deref().map(|cell| evidence::load(self.ctx, cell));
        let evidence_sha = stored.and_then(Result::ok).map(|stored| stored.sha);
        let force = match status {
            Some(ApprovalStatus::Approved) => self.force(row, &approval)?,
            _ => None,
        };
        Ok(Item { approval, status, evidence_sha, force })
    }

    /// Whether an approved one counts; none where its task is closed or gone.
    fn force(&mut self, row: usize, approval: &Approval<'l>) -> Result<Option<Force>> {
        let (ctx, now, tasks) = (self.ctx, self.now, &self.snapshot.tasks);
        let Some(id) = approval.task_id.as_deref() else { return Ok(None) };
        let all = || tasks.rows().map(|row| (tasks.id(row), row)).collect();
        let Some(task) = self.rows.get_or_insert_with(all).get(id) else { return Ok(None) };
        let task = tasks.task(*task);
        if !task.is_open() {
            return Ok(None);
        }
        let journal = self.snapshot.journal()?;
        let decisions = self.decisions.get_or_insert_with(|| Decisions::of_all(journal));
        let history = self.histories.entry(id.to_owned()).or_insert_with(|| journal.history(id));
        let judged = Judged::of(ctx, decisions, (row, approval.clone()), &task, history, now);
        Ok(Some(judged.force))
    }
}
