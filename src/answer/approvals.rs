//! What was asked for, and how it stands.

use crate::services::approvals::force::Force;
use crate::services::approvals::list::Item;
use crate::wire::approval::Approval;

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
