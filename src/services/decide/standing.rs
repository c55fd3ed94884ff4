//! Whether rules may decide an approval at all, whatever its evidence.

use crate::error::Result;
use crate::model::approval::ApprovalStatus;
use crate::model::flags::{AutoDecide, Flags};
use crate::model::time::Timestamp;
use crate::services::approvals::Case;
use crate::services::approvals::force::{Decisions, Judged};
use crate::services::config;
use crate::services::context::{AUTO, Context};
use crate::services::decide::Mode;
use crate::services::duties;
use crate::store::snapshot::Snapshot;

/// What the flags make of rules.
pub const fn mode(flags: Flags) -> Mode {
    match flags {
        Flags { freeze: true, .. } => Mode::Frozen,
        Flags { auto_decide: AutoDecide::On, .. } => Mode::On,
        Flags { auto_decide: AutoDecide::Shadow, .. } => Mode::Shadow,
        Flags { auto_decide: AutoDecide::Off, .. } => Mode::Off,
    }
}

/// Why nothing is decided by rule, where nothing is.
pub const fn switched(mode: Mode) -> Option<&'static str> {
    match mode {
        Mode::On => None,
        Mode::Shadow => Some("AUTO_DECIDE is shadow"),
        Mode::Off => Some("AUTO_DECIDE is off"),
        Mode::Frozen => Some("FREEZE is on"),
    }
}

/// Why nothing may be decided by rule under these settings.
pub fn unruled(auto: &config::AutoDecide) -> Option<String> {
    let why = "`auto_decide.commands` in orch.yaml names no command that would have to succeed";
    auto.commands.is_empty().then(|| why.to_owned())
}

/// Why people decide on this approval. `authors` is who its evidence says wrote
/// it.
///
/// # Errors
/// `failed` where the journal cannot be read.
pub fn reasons(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    case: &Case<'_>,
    authors: &[String],
    now: Timestamp,
) -> Result<Vec<String>> {
    let mut reasons = Vec::new();
    let expired_before = ctx.settings.approvals.expired_before(now);
    let status = case.approval.status_now(expired_before);
    if status != Some(ApprovalStatus::Pending) {
        let is = match status {
            Some(status) => status.as_str(),
            None => case.approval.status.as_deref().unwrap_or("-"),
        };
        reasons.push(format!("it is {is}, and only a pending approval is decided"));
    }
    let task = case.approval.task_id.as_deref().unwrap_or("-");
    if case.task.is_none() {
        reasons.push(format!("there is no task `{task}`"));
    }
    if let Some((id, who)) = rejected_by(ctx, snapshot, case, now)? {
        reasons.push(format!(
            "{who} rejected `{id}`: rules decide nothing more for `{task}` until a person approves"
        ));
    }
    let parties = case.parties(snapshot, authors)?;
    let auto = super::identity().actor;
    if let Some(conflict) = duties::judge(&auto, &parties, &ctx.principals) {
        reasons.push(duties::error(&case.approval.id, &auto, &conflict).message);
    }
    Ok(reasons)
}

/// The newest decision of a person for the task, where it is a rejection.
fn rejected_by(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    case: &Case<'_>,
    now: Timestamp,
) -> Result<Option<(String, String)>> {
    let Some(task) = &case.task else { return Ok(None) };
    let (ledger, decisions) = (&snapshot.approvals, Decisions::of_task(snapshot, &task.id)?);
    let mut newest: Option<Judged<'_>> = None;
    for row in ledger.rows_of_task(&task.id) {
        let approval = ledger.approval(row);
        let is_ours = approval.approver.as_deref().is_some_and(|a| a.eq_ignore_ascii_case(AUTO));
        if is_ours {
            continue;
        }
        let judged = Judged::of(ctx, &decisions, (row, approval), task, &case.history, now);
        if judged.is_decided() && newest.as_ref().is_none_or(|newest| newest.order < judged.order) {
            newest = Some(judged);
        }
    }
    Ok(newest.filter(|judged| judged.status == Some(ApprovalStatus::Rejected)).map(|judged| {
        let who = judged.approval.approver.as_deref().unwrap_or("somebody");
        (judged.approval.id.clone().into_owned(), format!("`{who}`"))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_flag_stops_everything() {
        for (auto_decide, freeze, is) in [
            (AutoDecide::On, false, Mode::On),
            (AutoDecide::Shadow, false, Mode::Shadow),
            (AutoDecide::Off, false, Mode::Off),
            (AutoDecide::On, true, Mode::Frozen),
            (AutoDecide::Shadow, true, Mode::Frozen),
            (AutoDecide::Off, true, Mode::Frozen),
        ] {
            assert_eq!(mode(Flags { auto_decide, freeze }), is);
            assert_eq!(switched(is).is_none(), is == Mode::On);
        }
        assert!(unruled(&config::AutoDecide::default()).is_some());
    }
}
