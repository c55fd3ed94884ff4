//! What has become too old, or belongs to a round of work that ended.

use crate::model::approval::{Approval, ApprovalStatus};
use crate::model::flags::{AutoDecide, Flag};
use crate::model::operation::Operation;
use crate::model::time::Timestamp;
use crate::services::context::{AUTO, Context};
use crate::store::snapshot::Snapshot;

fn expire(id: &str) -> Operation {
    let status = ApprovalStatus::Expired;
    Operation::SetApproval { id: id.to_owned(), status, decision: None }
}

/// The pending approvals of a task.
pub fn of_task(snapshot: &Snapshot<'_>, task: &str) -> Vec<Operation> {
    let is_pending = |a: &Approval<'_>| a.known_status() == Some(ApprovalStatus::Pending);
    snapshot.approvals.of_task(task).filter(is_pending).map(|a| expire(&a.id)).collect()
}

/// How long an automatic approval is on probation.
const PROBATION_MS: i64 = 30 * 24 * 3_600_000;

/// What the end of a task's round of work brings: its pending approvals expire,
/// and where somebody sends back what was approved by rule not long ago, the
/// rules decide nothing more until CMD says so.
pub fn end_of_round(snapshot: &Snapshot<'_>, task: &str, now: Timestamp) -> Vec<Operation> {
    let mut operations = of_task(snapshot, task);
    let by_rule = |a: Approval<'_>| {
        a.known_status() == Some(ApprovalStatus::Approved)
            && a.approver.as_deref() == Some(AUTO)
            && a.ts_dec
                .as_deref()
                .and_then(Timestamp::parse)
                .is_some_and(|decided| now.since(decided) <= PROBATION_MS)
    };
    if snapshot.flags.auto_decide != AutoDecide::Off
        && snapshot.approvals.of_task(task).any(by_rule)
    {
        operations.push(Operation::SetFlag(Flag::AutoDecide(AutoDecide::Off)));
    }
    operations
}

/// What people should hear of that: a policy that changes on its own is told.
pub fn words(operations: &[Operation]) -> Vec<String> {
    let is_flag = |o: &Operation| matches!(o, Operation::SetFlag(_));
    let told = "a decision by rule was sent back within 30 days: AUTO_DECIDE is off until CMD \
                runs `orch flag AUTO_DECIDE=on`";
    operations.iter().any(is_flag).then(|| told.to_owned()).into_iter().collect()
}

/// Pending approvals that are older than `approvals.expire_after` and that the
/// operations say nothing of. A row that cannot be changed is left to `check`.
pub fn overdue(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    operations: &[Operation],
    now: Timestamp,
) -> Vec<Operation> {
    let before = ctx.settings.approvals.expired_before(now);
    if before.is_none() || operations.is_empty() {
        return Vec::new();
    }
    let ledger = &snapshot.approvals;
    let spoken_of = |id: &str| {
        operations
            .iter()
            .any(|o| matches!(o, Operation::SetApproval { id: other, .. } if other == id))
    };
    let is_overdue = |row: &usize| {
        let approval = ledger.approval(*row);
        approval.known_status() == Some(ApprovalStatus::Pending)
            && approval.status_now(before) == Some(ApprovalStatus::Expired)
            && !spoken_of(&approval.id)
            && ledger.find(&approval.id).is_ok()
    };
    ledger.rows().filter(is_overdue).map(|row| expire(&ledger.approval(row).id)).collect()
}
