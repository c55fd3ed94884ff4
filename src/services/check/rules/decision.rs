//! `decision-before-request`, `incomplete-decision`: decisions that nobody can
//! have made so.

use crate::model::approval::ApprovalStatus;
use crate::model::field::ApprovalField;
use crate::model::severity::Severity;
use crate::model::time::Timestamp;
use crate::services::check::book::{ApprovalRow, Book};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};

pub(super) const LOOKS: &[Look] = &[Look::Approvals(look)];

/// Decided before it was asked.
pub static DECISION_BEFORE_REQUEST: Rule = Rule {
    code: "decision-before-request",
    severity: Severity::Error,
    says: "an approval was decided before it was asked for",
    why: "Nobody decides on what nobody asked for: one of the times is made up, or one of the \
          clocks was wrong.",
    example: "| A001 | 001 | merge | approved | WORK@ada | CMD@eve | CMD | 2026-01-02T… | 2026-01-01T… | - |",
    mend: "Find out which time is wrong. Ask anew, or let CMD accept the finding.",
};

/// Decided by nobody, or at no time.
pub static INCOMPLETE_DECISION: Rule = Rule {
    code: "incomplete-decision",
    severity: Severity::Error,
    says: "an approval is decided, but by nobody or at no time",
    why: "Without a name nobody can tell whether the same person stood on both sides, and without \
          a time nobody can tell which round of work was meant.",
    example: "| A001 | 001 | merge | approved | WORK@ada | - | - | 2026-01-01T09:00:00Z | - | - |",
    mend: "Set the status back to pending and let `orch approve` or `orch reject` decide it.",
};

fn look(_: &Book<'_>, row: &ApprovalRow<'_, '_>, found: &mut Found) {
    let approval = &row.approval;
    let id = approval.id.as_ref();
    let decision = approval.known_status().filter(|status| status.is_decision());
    let Some(status) = decision.map(ApprovalStatus::as_str) else { return };
    let cells = [
        (ApprovalField::Approver, approval.approver.as_deref()),
        (ApprovalField::TsDec, approval.ts_dec.as_deref()),
    ];
    let missing: Vec<_> = cells
        .into_iter()
        .filter(|(field, value)| value.is_none() && row.has(*field))
        .map(|(field, _)| field)
        .collect();
    if let Some(first) = missing.first() {
        let names: Vec<_> = missing.iter().map(|field| format!("`{}`", field.name())).collect();
        let message = format!("this approval is {status} without {}", names.join(" and "));
        found
            .add(&INCOMPLETE_DECISION, row.at(*first), id, message)
            .help("ask anew with `orch request`, and let `orch check --accept` keep this row as it is");
    }
    let time = |text: Option<&str>| text.and_then(Timestamp::parse);
    if let (Some(asked), Some(decided)) =
        (time(approval.ts_req.as_deref()), time(approval.ts_dec.as_deref()))
        && decided < asked
    {
        let message = format!("decided at {decided}, but asked for only at {asked}");
        found
            .add(&DECISION_BEFORE_REQUEST, row.at(ApprovalField::TsDec), id, message)
            .help("one of the two times is wrong; ask anew with `orch request` where it matters");
    }
}

#[cfg(test)]
mod tests {
    use crate::services::check::book::Expect;
    use crate::services::check::testing::Case;

    #[test]
    fn who_and_when() {
        let row = |status: &str, who: &str, asked: &str, decided: &str| {
            format!("| A1 | 1 | op | {status} | WORK | {who} | - | {asked} | {decided} | - |\n")
        };
        let (one, two) = ("2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z");
        let codes = |status, who, asked, decided| {
            Case::approvals(&row(status, who, asked, decided)).codes()
        };
        assert_eq!(codes("approved", "CMD", one, two), Vec::<&str>::new());
        assert_eq!(codes("approved", "CMD", one, one), Vec::<&str>::new());
        assert_eq!(codes("pending", "-", one, "-"), Vec::<&str>::new());
        assert_eq!(codes("expired", "-", one, "-"), Vec::<&str>::new());
        assert_eq!(codes("rejected", "CMD", two, one), ["decision-before-request"]);
        assert_eq!(codes("approved", "-", one, two), ["incomplete-decision"]);
        assert_eq!(
            Case::approvals(&row("approved", "-", one, "-")).found("incomplete-decision"),
            ["A.md:3:35 [-] this approval is approved without `approver` and `ts_dec`"]
        );
    }

    #[test]
    fn columns_that_are_missing_are_not_asked_for() {
        let text = "| id | task_id | op | status |\n|--|--|--|--|\n| 1 | 2 | a | approved |\n";
        assert!(Case::default().page("A.md", Expect::Approvals, text).findings().is_empty());
    }
}
