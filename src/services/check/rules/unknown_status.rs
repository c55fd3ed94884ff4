//! `unknown-status`: an approval that is neither open nor decided.

use crate::model::field::ApprovalField;
use crate::model::severity::Severity;
use crate::services::check::book::{ApprovalRow, Book};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};

pub(super) const LOOKS: &[Look] = &[Look::Approvals(look)];

/// An approval that is neither open nor decided.
pub static UNKNOWN_STATUS: Rule = Rule {
    code: "unknown-status",
    severity: Severity::Error,
    says: "an approval has a status that is none of pending, approved, rejected and expired",
    why: "It approves nothing and stops nothing, though a reader may think that it does.",
    example: "| A001 | 001 | merge | Approved | WORK@ada | CMD@eve | CMD | … |",
    mend: "Ask anew with `orch request` and let somebody decide; CMD may accept the finding for \
           what is history.",
};

fn look(_: &Book<'_>, row: &ApprovalRow<'_, '_>, found: &mut Found) {
    let approval = &row.approval;
    if approval.known_status().is_some() {
        return;
    }
    let message = match approval.status.as_deref() {
        Some(status) => format!("the status `{status}` is not known"),
        None => "this approval has no status".to_owned(),
    };
    let help = "statuses are pending, approved, rejected and expired";
    let at = row.at(ApprovalField::Status);
    found.add(&UNKNOWN_STATUS, at, approval.id.as_ref(), message).help(help);
}

#[cfg(test)]
mod tests {
    use crate::services::check::testing::Case;

    #[test]
    fn none_and_another() {
        let row = |status: &str| {
            format!("| A{status} | 1 | op | {status} | WORK | - | - | - | - | - |\n")
        };
        let case = Case::approvals(&["-", "Approved", "pending", "expired"].map(row).concat());
        assert_eq!(
            case.found("unknown-status"),
            [
                "A.md:3:17 [-] this approval has no status",
                "A.md:4:24 [Approved] the status `Approved` is not known",
            ]
        );
    }
}
