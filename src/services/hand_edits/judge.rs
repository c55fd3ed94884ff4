//! Which rule an edit of a row breaks.

use crate::error::Result;
use crate::ledger::change::{RowChange, RowChangeKind};
use crate::ledger::compare::value;
use crate::ledger::document::Kind;
use crate::model::task::Task;
use crate::model::task_state::State;
use crate::model::time::Timestamp;
use crate::services::context::Context;
use crate::services::gates;
use crate::services::hand_edits::{APPROVED, DECIDED, DONE, LEASE, STATE};
use crate::store::snapshot::Snapshot;

/// The rule that an edit of a row breaks.
pub(super) fn judge(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    change: &RowChange,
    kind: Kind,
    now: Timestamp,
) -> Result<Option<&'static str>> {
    let before = |column: &str| change.cells.get(column).map(|(before, _)| value(before));
    let after = |column: &str| change.cells.get(column).map(|(_, after)| value(after));
    if kind == Kind::Approvals {
        let is_decided = |status: &str| matches!(status, "approved" | "rejected");
        let row = snapshot.approvals.find(&change.row).ok();
        let standing = row.and_then(|row| {
            use crate::model::field::ApprovalField::Status;
            snapshot.approvals.cell(row, Status).map(std::borrow::Cow::into_owned)
        });
        let was = before("status").map(str::to_owned).or(standing);
        if change.kind != RowChangeKind::Insert && was.as_deref().is_some_and(is_decided) {
            return Ok(Some(DECIDED));
        }
        let decides = after("status").is_some_and(is_decided);
        return Ok((decides && change.kind != RowChangeKind::Remove).then_some(APPROVED));
    }
    let row = snapshot.tasks.find(&change.row).ok();
    let task = row.map(|row| snapshot.tasks.task(row));
    let was = |column: &str, now: Option<&str>| {
        before(column).or(now).filter(|v| !v.is_empty()).map(str::to_owned)
    };
    let state = was("state", task.as_ref().and_then(|t| t.state.as_deref()));
    let holder = was("lock_owner", task.as_ref().and_then(|t| t.lock_owner.as_deref()));
    let end = was("lock_expires_at", task.as_ref().and_then(|t| t.lock_expires_at.as_deref()));
    let was_live = state.as_deref() == Some("DOING")
        && holder.is_some()
        && end
            .and_then(|end| Timestamp::parse(&end))
            .is_some_and(|end| end.plus(ctx.settings.leases.grace) > now);
    let touched = ["state", "lock_owner", "lock_expires_at"].iter().any(|column| {
        let shortened = || {
            let end = |v: Option<&str>| v.and_then(Timestamp::parse);
            end(after("lock_expires_at")) < end(before("lock_expires_at"))
        };
        before(column).is_some() && (*column != "lock_expires_at" || shortened())
    });
    if was_live && change.kind != RowChangeKind::Insert && touched {
        return Ok(Some(LEASE));
    }
    if after("state") == Some("DONE") && change.kind != RowChangeKind::Remove {
        let history = snapshot.journal()?.history(&change.row);
        let task =
            task.unwrap_or_else(|| Task { id: change.row.as_str().into(), ..Task::default() });
        if gates::approvals(ctx, snapshot, &task, &history, now).is_err() {
            return Ok(Some(DONE));
        }
    }
    if ctx.settings.hand_edits == crate::services::config::HandEdits::Review
        && change.kind != RowChangeKind::Remove
        && let Some(to) = after("state")
        && !(change.kind == RowChangeKind::Insert && State::parse(to) == Some(State::Plan))
    {
        return Ok(Some(STATE));
    }
    Ok(None)
}
