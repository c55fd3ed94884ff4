//! What stands between a task and DONE: its approvals.
//!
//! Here: the gate, and which tasks need an approval. Not here: whether one is in
//! force (`approvals::force`), who may judge (`duties`).

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::tasks::shell_word;
use crate::model::approval::{Approval, ApprovalStatus};
use crate::model::history::TaskHistory;
use crate::model::task::Task;
use crate::model::time::Timestamp;
use crate::services::approvals::force::{Decisions, Force, Judged};
use crate::services::config::Settings;
use crate::services::context::Context;
use crate::services::evidence::drift::{self, Drift};
use crate::store::snapshot::Snapshot;

/// Whether a task may be finished: its approvals let it, and every file is what
/// was approved. Gives warnings of approvals that no longer count.
///
/// # Errors
/// As [`approvals`]; `stale` for a file that changed since it was approved.
pub fn done(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    task: &Task<'_>,
    history: &TaskHistory,
    now: Timestamp,
) -> Result<Vec<String>> {
    let judged = judged(ctx, snapshot, task, history, now)?;
    let mut in_force: Vec<&Judged<'_>> =
        judged.iter().filter(|j| j.force == Force::InForce).collect();
    // The newest is the one that was asked for last: it holds the newer change.
    in_force.sort_by_key(|j| {
        let asked = j.approval.ts_req.as_deref().and_then(Timestamp::parse);
        (asked.map(|at| at.0), j.order.row)
    });
    let cells = in_force.iter().filter_map(|j| j.approval.evidence.as_deref());
    if let Some(Drift { file, evidence }) = drift::first(ctx, cells)? {
        return Err(Error::new(
            ErrorKind::Stale,
            format!(
                "`{file}` is not what was approved with `{evidence}`; send `{}` back with `orch \
                 fix`, or ask anew with `orch request`",
                task.id
            ),
        )
        .about(task.id.as_ref())
        .hint(format!("orch approvals --task {}", shell_word(&task.id))));
    }
    gate(&task.id, &judged, is_required(&task.id, &ctx.settings))?;
    let stale = judged.iter().filter_map(|j| match &j.force {
        Force::Stale(why) if j.in_round => Some((&j.approval.id, why)),
        Force::Stale(_) | Force::InForce | Force::None => None,
    });
    Ok(stale.map(|(id, why)| format!("the approval `{id}` no longer counts: {why}")).collect())
}

/// Whether the task's approvals let it be finished. `history` says which round
/// of work is meant.
///
/// # Errors
/// `approval_required` while one is pending, where the newest decision of this
/// round for an op is a rejection, or where one is required and there is none;
/// `stale` where the only approvals are about something else than what is there
/// now, or of an earlier round.
pub fn approvals(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    task: &Task<'_>,
    history: &TaskHistory,
    now: Timestamp,
) -> Result<()> {
    let judged = judged(ctx, snapshot, task, history, now)?;
    gate(&task.id, &judged, is_required(&task.id, &ctx.settings))
}

fn judged<'s>(
    ctx: &Context,
    snapshot: &'s Snapshot<'_>,
    task: &Task<'_>,
    history: &TaskHistory,
    now: Timestamp,
) -> Result<Vec<Judged<'s>>> {
    let decisions = Decisions::of_task(snapshot, &task.id)?;
    let of_task = snapshot.approvals.rows_of_task(&task.id);
    let judge = |row| {
        let approval = snapshot.approvals.approval(row);
        Judged::of(ctx, &decisions, (row, approval), task, history, now)
    };
    Ok(of_task.map(judge).collect())
}

/// Pure: the same for approvals that were looked at.
fn gate(task: &str, judged: &[Judged<'_>], required: bool) -> Result<()> {
    let hint = |e: Error| e.about(task).hint(format!("orch show {}", shell_word(task)));
    let missing = |message: String| Err(hint(Error::new(ErrorKind::ApprovalRequired, message)));
    if let Some(pending) = judged.iter().find(|j| j.status == Some(ApprovalStatus::Pending)) {
        let Approval { id, op, .. } = &pending.approval;
        return missing(format!(
            "`{task}` waits for the approval `{id}` ({})",
            op.as_deref().unwrap_or("no op")
        ));
    }
    for rejected in judged.iter().filter(|j| is_decided(j, ApprovalStatus::Rejected)) {
        let op = rejected.approval.op.as_deref();
        let later = judged.iter().any(|j| {
            j.approval.op.as_deref() == op
                && j.in_round
                && j.is_decided()
                && j.order > rejected.order
        });
        if !later {
            return missing(format!(
                "`{task}`: the approval `{}` ({}) was rejected",
                rejected.approval.id,
                op.unwrap_or("no op")
            ));
        }
    }
    if !required || judged.iter().any(|j| j.force == Force::InForce) {
        return Ok(());
    }
    let stale = judged.iter().rev().find_map(|j| match &j.force {
        Force::Stale(why) => Some((&j.approval.id, why)),
        Force::InForce | Force::None => None,
    });
    match stale {
        Some((id, why)) => Err(hint(Error::new(
            ErrorKind::Stale,
            format!(
                "`{task}` needs an approval, and `{id}` no longer counts: {why}; \
                 ask again with `orch request`"
            ),
        ))),
        None => missing(format!(
            "`{task}` needs an approval (`approvals.required` in orch.yaml) and has none"
        )),
    }
}

fn is_decided(judged: &Judged<'_>, status: ApprovalStatus) -> bool {
    judged.in_round && judged.status == Some(status)
}

/// Whether a task needs an approval.
pub fn is_required(task: &str, settings: &Settings) -> bool {
    settings.approvals.required.iter().any(|glob| {
        globset::Glob::new(glob).is_ok_and(|glob| glob.compile_matcher().is_match(task))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::approvals::force::{Order, Why};

    fn judged(
        id: &'static str,
        op: &'static str,
        status: &'static str,
        in_round: bool,
        force: Force,
        order: u64,
    ) -> Judged<'static> {
        Judged {
            approval: Approval {
                id: id.into(),
                op: (!op.is_empty()).then(|| op.into()),
                ..Approval::default()
            },
            status: ApprovalStatus::parse(status),
            in_round,
            force,
            order: Order { row: order, ..Order::default() },
        }
    }

    fn of(id: &'static str, op: &'static str, status: &'static str, order: u64) -> Judged<'static> {
        let force = if status == "approved" { Force::InForce } else { Force::None };
        judged(id, op, status, true, force, order)
    }

    fn ends(list: &[Judged<'_>], required: bool) -> Option<ErrorKind> {
        gate("T-1", list, required).err().map(|e| e.kind)
    }

    #[test]
    fn a_pending_one_holds_the_task_in_any_round() {
        let required = Some(ErrorKind::ApprovalRequired);
        assert_eq!(ends(&[], false), None);
        assert_eq!(ends(&[of("A1", "x", "pending", 1)], false), required);
        let old = judged("A1", "x", "pending", false, Force::None, 1);
        assert_eq!(ends(&[old, of("A2", "x", "approved", 2)], true), required);
        assert_eq!(ends(&[of("A1", "x", "expired", 1)], false), None);
        assert_eq!(ends(&[of("A1", "x", "odd", 1)], false), None);
    }

    #[test]
    fn the_newest_decision_of_an_op_counts() {
        let required = Some(ErrorKind::ApprovalRequired);
        let rejected = || of("A1", "x", "rejected", 1);
        assert_eq!(ends(&[rejected()], false), required);
        assert_eq!(ends(&[rejected(), of("A2", "x", "approved", 2)], false), None);
        assert_eq!(ends(&[rejected(), of("A2", "y", "approved", 2)], false), required);
        assert_eq!(ends(&[rejected(), of("A0", "x", "approved", 0)], true), required);
        assert_eq!(ends(&[rejected(), of("A2", "x", "expired", 2)], false), required);
        // Decided out of the order of the table.
        let late = of("A1", "x", "rejected", 9);
        assert_eq!(ends(&[late, of("A2", "x", "approved", 2)], false), required);
        let old = judged("A1", "x", "rejected", false, Force::None, 1);
        assert_eq!(ends(&[old], false), None);
        // An approval of an earlier round does not outweigh it.
        let old = judged("A2", "x", "approved", false, Force::Stale(Why::Round), 2);
        assert_eq!(ends(&[rejected(), old], false), required);
    }

    #[test]
    fn a_required_one_must_be_in_force() {
        assert_eq!(ends(&[], true), Some(ErrorKind::ApprovalRequired));
        assert_eq!(ends(&[of("A1", "x", "approved", 1)], true), None);
        let stale = || judged("A1", "x", "approved", true, Force::Stale(Why::Title), 1);
        assert_eq!(ends(&[stale()], true), Some(ErrorKind::Stale));
        assert_eq!(ends(&[stale()], false), None);
        assert_eq!(ends(&[stale(), of("A2", "y", "approved", 2)], true), None);
        assert_eq!(ends(&[of("A1", "x", "expired", 1)], true), Some(ErrorKind::ApprovalRequired));
    }

    #[test]
    fn globs_say_which_tasks_need_one() {
        let mut settings = Settings::default();
        assert!(!is_required("T-1", &settings));
        settings.approvals.required = vec!["deploy-*".into(), "T-1".into()];
        assert!(is_required("deploy-4", &settings) && is_required("T-1", &settings));
        assert!(!is_required("T-11", &settings));
    }
}
