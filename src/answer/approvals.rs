//! What was asked for, and how it stands.

use crate::answer::{Caller, Reply, look};
use crate::error::Result;
use crate::ledger::tasks::shell_word;
use crate::model::approval::ApprovalStatus;
use crate::services::approvals::force::Force;
use crate::services::approvals::list::{Item, Query, list};
use crate::services::context::Mode;
use crate::services::hand_edits;
use crate::store::snapshot::{Files, Snapshot, Want};
use crate::wire::approval::{Approval, ApprovalList};

/// The shape of an approval with what is known of it.
pub fn of(item: &Item<'_>) -> Approval {
    let mut approval = Approval::of(&item.approval);
    if let Some(status) = item.status {
        approval.status = Some(status.as_str().to_owned());
    }
    approval.evidence_sha256.clone_from(&item.evidence_sha);
    approval.in_force = item.force.as_ref().map(|force| *force == Force::InForce);
    approval
}

/// Every approval, with whether it counts.
///
/// # Errors
/// Those of reading the ledgers.
pub fn run(caller: &Caller<'_>) -> Result<Reply<ApprovalList>> {
    let mut ctx = caller.context(Mode::Read)?;
    let files = Files::read(caller.sys, &ctx.layout, Want::All)?;
    look(&mut ctx, &files)?;
    let mut snapshot = Snapshot::parse(caller.sys, &ctx.layout, &files)?;
    snapshot.standing = hand_edits::now_standing(&ctx, &files, &snapshot)?;
    let now = ctx.now(snapshot.journal()?.newest());
    let items = list(&ctx, &snapshot, &Query::default(), now)?;
    let next = worth_a_look(caller, &items);
    let approvals: Vec<Approval> = items.iter().map(of).collect();
    let total = approvals.len();
    let data = ApprovalList { approvals, total, returned: total, truncated: false };
    drop(items);
    Ok(Reply { kind: "approval.list", data, warnings: ctx.warnings, next, end: None })
}

/// The evidence of the first that waits for a decision.
pub fn worth_a_look(caller: &Caller<'_>, items: &[Item<'_>]) -> Vec<String> {
    let pending = items.iter().find(|item| item.status == Some(ApprovalStatus::Pending));
    let show = |item: &Item<'_>| format!("evidence show {}", shell_word(&item.approval.id));
    let shown = pending.filter(|item| item.evidence_sha.is_some()).map(show);
    shown.map(|show| caller.command(&show, None)).into_iter().collect()
}
