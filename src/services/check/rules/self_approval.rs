//! `self-approval`: one person on both sides.

use crate::model::actor::Actor;
use crate::model::approval::ApprovalStatus;
use crate::model::field::ApprovalField;
use crate::model::severity::Severity;
use crate::services::check::book::{ApprovalRow, Book};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};
use crate::services::duties::{self, Conflict, Duty, Party};

pub(super) const LOOKS: &[Look] = &[Look::Approvals(look)];

/// One person on both sides.
pub static SELF_APPROVAL: Rule = Rule {
    code: "self-approval",
    severity: Severity::Error,
    says: "an approval was decided by whoever asked for it or did the work",
    why: "An approval says that a second person looked. Names count without regard to case, and \
          all names of one principal are one person.",
    example: "| A001 | 001 | merge | approved | WORK@ada | CMD@Ada | CMD | … |",
    mend: "Ask anew with `orch request` and let somebody else decide. Where one person works \
           alone, `solo: true` waives the rule, and each use of it is journalled.",
};

fn look(book: &Book<'_>, row: &ApprovalRow<'_, '_>, found: &mut Found) {
    let approval = &row.approval;
    let id = approval.id.as_ref();
    let Some(approver) = decider(book, row) else { return };
    // A requester whose name was changed since is still on the other side.
    let requesters = approval.requested_by.as_deref().into_iter().chain(book.past().requesters(id));
    let mut requesters = requesters.into_iter();
    let requester = requesters.find(|name| is_same(book, &approver, name, Duty::Requested));
    let message = if let Some(requester) = requester {
        format!("`{approver}` decided what `{requester}` had asked for, the same person")
    } else {
        let task = approval.task_id.as_deref().unwrap_or_default();
        let past = book.past().history_when_decided(task, id);
        let holders = past.map(|past| past.holders).unwrap_or_default();
        let mut holders = holders.iter();
        let Some(holder) = holders.find(|name| is_same(book, &approver, name, Duty::Held)) else {
            return;
        };
        format!("`{approver}` decided about `{task}`, which `{holder}` had held, the same person")
    };
    let help = "ask anew with `orch request` and let somebody else decide; `orch check --accept` then keeps this row as it is";
    found.add(&SELF_APPROVAL, row.at(ApprovalField::Approver), id, message).help(help);
}

/// Who decided, where that was no use of `solo: true`.
pub(super) fn decider(book: &Book<'_>, row: &ApprovalRow<'_, '_>) -> Option<Actor> {
    let is_decided = row.approval.known_status().is_some_and(ApprovalStatus::is_decision);
    let decision = book.past().decision(&row.approval.id);
    let is_waived = decision.is_some_and(|d| d.waivers.iter().any(|w| w == "separation_of_duties"));
    let approver = row.approval.approver.as_deref().filter(|_| is_decided && !is_waived)?;
    Actor::parse(approver)
}

/// Whether two names are one person.
pub(super) fn is_same(book: &Book<'_>, approver: &Actor, name: &str, duty: Duty) -> bool {
    let party = [Party { name: name.to_owned(), duty }];
    matches!(duties::judge(approver, &party, book.principals), Some(Conflict::SamePerson(_)))
}

#[cfg(test)]
mod tests {
    use crate::services::check::testing::Case;

    fn found(by: &str, approver: &str, status: &str) -> bool {
        let row = format!(
            "| A1 | 1 | op | {status} | {by} | {approver} | - | 2025-01-01T00:00:00Z | 2025-01-02T00:00:00Z | - |\n"
        );
        let case = Case::approvals(&row).settings("principals: {ada: [ada, ada-laptop]}\n");
        !case.found("self-approval").is_empty()
    }

    #[test]
    fn the_same_person_under_any_name() {
        for (by, approver) in [
            ("WORK@ada", "CMD@ada"),
            ("WORK@ada", "CMD@ADA"),
            ("WORK@ada", "AUDIT@ada-laptop"),
            ("CMD", "CMD"),
            ("ada", "CMD@ada"),
        ] {
            assert!(found(by, approver, "approved"), "{by} {approver}");
            assert!(found(by, approver, "rejected"), "{by} {approver}");
            assert!(!found(by, approver, "pending"), "{by} {approver}");
        }
        for (by, approver) in
            [("WORK", "AUDIT"), ("WORK1", "CMD"), ("WORK@ada", "CMD@eve"), ("WORK", "AUDIT@auto")]
        {
            assert!(!found(by, approver, "approved"), "{by} {approver}");
        }
    }
}
