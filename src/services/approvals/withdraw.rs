//! `withdraw`: whoever asked takes it back.

use crate::error::{Error, Result};
use crate::ledger::tasks::shell_word;
use crate::model::actor::{Actor, Role};
use crate::model::approval::ApprovalStatus;
use crate::model::operation::Operation;
use crate::model::outcome::Outcome;
use crate::services::approvals::Case;
use crate::services::change::Decision;
use crate::services::context::{Context, Identity};
use crate::store::snapshot::Snapshot;

/// Turns a pending approval into an expired one.
///
/// # Errors
/// `not_allowed` for anybody but who asked and CMD, and for a decided approval.
pub fn withdraw(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    id: &str,
) -> Result<Decision> {
    let case = Case::of(snapshot, id)?;
    let mut decision = Decision::new(Outcome::of_approval(id));
    let show = || format!("orch approvals {}", shell_word(id));
    match case.approval.known_status() {
        Some(ApprovalStatus::Expired) => {
            decision.outcome.already = true;
            return Ok(decision);
        }
        Some(ApprovalStatus::Pending) => {}
        _ => {
            return Err(Error::not_allowed(format!(
                "`{id}` is {}, and only a pending approval can be withdrawn",
                case.approval.status.as_deref().unwrap_or("-")
            ))
            .about(id)
            .hint(show()));
        }
    }
    let asked = case.approval.requested_by.as_deref().unwrap_or_default();
    let is_own =
        Actor::parse(asked).is_some_and(|asked| ctx.principals.same_person(&who.actor, &asked));
    if !who.may(is_own || who.actor.role() == Role::Cmd, &mut decision.waivers) {
        return Err(Error::not_allowed(format!(
            "`{id}` was asked for by `{asked}`, and only they or CMD can withdraw it; you are \
             `{}`",
            who.actor
        ))
        .about(id)
        .hint(show()));
    }
    decision.operations.push(Operation::SetApproval {
        id: id.to_owned(),
        status: ApprovalStatus::Expired,
        decision: None,
    });
    Ok(decision)
}
