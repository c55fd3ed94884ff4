//! What an approval is about, as it is now.

use crate::model::approval::{Approval, ApprovalStatus};
use crate::model::task::Task;
use crate::services::context::Context;
use crate::services::evidence;
use crate::store::entry::Subject;
use crate::store::snapshot::Snapshot;
use std::collections::HashMap;

/// The subject of an approval. Evidence that cannot be read has no hash.
pub fn of(ctx: &Context, approval: &Approval<'_>, task: Option<&Task<'_>>) -> Subject {
    let stored = approval.evidence.as_deref().and_then(|cell| evidence::load(ctx, cell).ok());
    with_sha(approval, task, stored.map(|stored| stored.sha))
}

/// The same with evidence of this hash, which was read before.
pub fn with_sha(approval: &Approval<'_>, task: Option<&Task<'_>>, sha: Option<String>) -> Subject {
    Subject {
        appr: approval.id.clone().into_owned(),
        task: approval.task_id.as_deref().unwrap_or_default().to_owned(),
        title: task.and_then(|task| task.title.as_deref()).map(str::to_owned),
        artifact: task.and_then(|task| task.artifact.as_deref()).map(str::to_owned),
        evidence: approval.evidence.as_deref().map(str::to_owned),
        sha,
    }
}

/// The subjects of every approval that may still matter, for the journal's first
/// line: those that nobody withdrew.
pub fn of_all(ctx: &Context, snapshot: &Snapshot<'_>) -> Vec<Subject> {
    let tasks = &snapshot.tasks;
    let rows: HashMap<_, _> = tasks.rows().map(|row| (tasks.id(row), row)).collect();
    let ledger = &snapshot.approvals;
    let matters = |approval: &Approval<'_>| {
        matches!(approval.known_status(), Some(ApprovalStatus::Pending | ApprovalStatus::Approved))
    };
    let approvals = ledger.rows().map(|row| ledger.approval(row)).filter(matters);
    approvals
        .map(|approval| {
            let row = approval.task_id.as_deref().and_then(|id| rows.get(id));
            let task = row.map(|row| tasks.task(*row));
            of(ctx, &approval, task.as_ref())
        })
        .collect()
}
