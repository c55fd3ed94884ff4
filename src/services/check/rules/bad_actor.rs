//! `bad-actor`, `unknown-role`: people whom the tool cannot tell apart.

use crate::model::actor::{Actor, Role, is_name};
use crate::model::approval::ApprovalStatus;
use crate::model::field::{ApprovalField, TaskField};
use crate::model::severity::Severity;
use crate::services::check::book::{ApprovalRow, At, Book, TaskRow};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};

pub(super) const LOOKS: &[Look] = &[Look::Tasks(holder), Look::Approvals(people)];

/// No spelling of an actor.
pub static BAD_ACTOR: Rule = Rule {
    code: "bad-actor",
    severity: Severity::Error,
    says: "a holder, requester or approver is not spelled as an actor",
    why: "Who asked and who did decide on who may judge. Of a name that cannot be read nobody can \
          tell whether it is the same person.",
    example: "| A001 | 001 | merge | approved | Ada L. | CMD@eve | CMD | … |",
    mend: "Write CMD, WORK or AUDIT, or a role with a name of letters, digits, `.`, `_` and `-`, \
           such as `WORK@ada`. A decided row stays as it is; CMD may accept the finding.",
};

/// A role that has no rights here.
pub static UNKNOWN_ROLE: Rule = Rule {
    code: "unknown-role",
    severity: Severity::Warning,
    says: "somebody acts in a role that decides nothing here",
    why: "Approvals are decided by CMD and AUDIT. A decision in another role was not made by \
          these rules, and nothing is known of who has that role.",
    example: "| A001 | 001 | publish | approved | WORK@ada | SECURITY@lead | SECURITY | … |",
    mend: "Let CMD or AUDIT decide on a new request; CMD may accept the finding for what is \
           history.",
};

fn holder(_: &Book<'_>, row: &TaskRow<'_, '_>, found: &mut Found) {
    if let Some(holder) = row.task.lock_owner.as_deref() {
        judge(holder, "lock_owner", row.at(TaskField::LockOwner), &row.task.id, found);
    }
}

fn people(book: &Book<'_>, row: &ApprovalRow<'_, '_>, found: &mut Found) {
    let approval = &row.approval;
    let role = approval.approver_role.as_deref();
    // Whoever works alone has all roles, and the journal says so.
    let decision = book.past().decision(&approval.id);
    let is_waived = decision.is_some_and(|d| d.waivers.iter().any(|waiver| waiver == "role"));
    let decides = |role: &str| {
        [Role::Cmd, Role::Audit].iter().any(|r| r.as_str() == role)
            || (is_waived && role == Role::Work.as_str())
    };
    if let Some(role) = role.filter(|role| !decides(role)) {
        let at = row.at(ApprovalField::ApproverRole);
        let message = if role == Role::Work.as_str() {
            format!("`{role}` decides no approvals")
        } else {
            format!("the role `{role}` is not known")
        };
        let help = "approvals are decided by CMD and AUDIT";
        found.add(&UNKNOWN_ROLE, at, approval.id.as_ref(), message).help(help);
    }
    if let Some(requester) = approval.requested_by.as_deref() {
        let at = row.at(ApprovalField::RequestedBy);
        judge(requester, "requested_by", at, &approval.id, found);
    }
    let Some(approver) = approval.approver.as_deref() else { return };
    let at = row.at(ApprovalField::Approver);
    match Actor::parse(approver) {
        Some(actor) => {
            let is_decided = approval.known_status().is_some_and(ApprovalStatus::is_decision);
            if !decides(actor.role().as_str()) && is_decided && role != Some(Role::Work.as_str()) {
                let message = format!("`{approver}` decided, and WORK decides no approvals");
                let help = "approvals are decided by CMD and AUDIT";
                found.add(&UNKNOWN_ROLE, at, approval.id.as_ref(), message).help(help);
            }
        }
        // The column for the role says it already.
        None if stranger(approver).is_some_and(|r| Some(r) == role) => {}
        None => judge(approver, "approver", at, &approval.id, found),
    }
}

/// The role of an actor in everything but the role.
fn stranger(text: &str) -> Option<&str> {
    let (role, name) = text.split_once('@').unwrap_or((text, "x"));
    let is_role = !role.is_empty() && role.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    (is_role && is_name(name)).then_some(role)
}

fn judge(text: &str, column: &str, at: At, id: &str, found: &mut Found) {
    if Actor::parse(text).is_some() {
        return;
    }
    if let Some(role) = stranger(text) {
        let message = format!("`{column}` is `{text}`, and the role `{role}` is not known");
        let help = "roles are CMD, WORK and AUDIT";
        found.add(&UNKNOWN_ROLE, at, id, message).help(help);
        return;
    }
    let message = format!("`{column}` is `{text}`, which is no actor");
    let help = "write CMD, WORK or AUDIT, or a role with a name such as `WORK@ada`";
    found.add(&BAD_ACTOR, at, id, message).help(help);
}

#[cfg(test)]
mod tests {
    use crate::services::check::testing::Case;

    fn row(by: &str, approver: &str, role: &str) -> String {
        let times = "2025-01-01T00:00:00Z | 2025-01-02T00:00:00Z";
        format!("| A1 | 1 | op | approved | {by} | {approver} | {role} | {times} | - |\n")
    }

    #[test]
    fn who_asked_and_who_decided() {
        let codes = |by, approver, role| Case::approvals(&row(by, approver, role)).codes();
        assert_eq!(codes("WORK", "AUDIT", "AUDIT"), Vec::<&str>::new());
        assert_eq!(codes("WORK1", "CMD@manual", "CMD"), Vec::<&str>::new());
        assert_eq!(codes("WORK", "AUDIT@auto", "AUDIT"), Vec::<&str>::new());
        assert_eq!(codes("Ada L.", "CMD@eve", "CMD"), ["bad-actor"]);
        assert_eq!(codes("WORK@ada", "eve", "CMD"), ["bad-actor"]);
        assert_eq!(codes("WORK@", "CMD@eve", "-"), ["bad-actor"]);
        assert_eq!(codes("WORK", "SECURITY@lead", "SECURITY"), ["unknown-role"]);
        assert_eq!(codes("WORK", "SECURITY@lead", "CMD"), ["unknown-role"]);
        assert_eq!(codes("QA", "CMD@eve", "CMD"), ["unknown-role"]);
        assert_eq!(codes("WORK@ada", "WORK@bob", "WORK"), ["unknown-role"]);
        assert_eq!(codes("WORK@ada", "WORK@bob", "-"), ["unknown-role"]);
    }

    #[test]
    fn who_holds() {
        let end = "2026-01-01T10:00:00Z";
        let case =
            Case::tasks(&format!("| 1 | a | DOING | - | - | work@ada | {end} | - | - | - |\n"));
        assert_eq!(
            case.found("bad-actor"),
            ["T.md:3:27 [work@ada] `lock_owner` is `work@ada`, which is no actor"]
        );
    }
}
