//! `bad-time`: a time that is none.

use crate::model::field::{ApprovalField, TaskField};
use crate::model::severity::Severity;
use crate::model::time::{Due, Timestamp};
use crate::services::check::book::{ApprovalRow, At, Book, TaskRow};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};

pub(super) const LOOKS: &[Look] = &[Look::Tasks(tasks), Look::Approvals(approvals)];

/// A time that is none.
pub static BAD_TIME: Rule = Rule {
    code: "bad-time",
    severity: Severity::Error,
    says: "a time is not spelled `YYYY-MM-DDTHH:MM:SSZ`, or does not exist",
    why: "A lease whose end cannot be read counts as live, so that nobody is robbed, and nobody \
          can take it over; a due date that cannot be read is never overdue.",
    example: "| 001 | Paint | PLAN | ada | - | - | - | 2026-02-30 | - | - |",
    mend: "Write UTC with seconds and `Z`; `due` may be a date. `orch set ID due=2026-02-28` does \
           it for `due`.",
};

const INSTANT: &str = "write UTC as `YYYY-MM-DDTHH:MM:SSZ`, such as `2026-01-31T09:00:00Z`";

fn tasks(_: &Book<'_>, row: &TaskRow<'_, '_>, found: &mut Found) {
    let task = &row.task;
    if let Some(due) = task.due.as_deref().filter(|due| Due::parse(due).is_none()) {
        let help = "write a date such as `2026-01-31`, or UTC as `2026-01-31T09:00:00Z`";
        let message = format!("`due` is `{due}`, which is neither a date nor a time");
        found.add(&BAD_TIME, row.at(TaskField::Due), task.id.as_ref(), message).help(help);
    }
    let end = task.lock_expires_at.as_deref();
    instant(end, "lock_expires_at", || row.at(TaskField::LockExpiresAt), &task.id, found);
}

fn approvals(_: &Book<'_>, row: &ApprovalRow<'_, '_>, found: &mut Found) {
    let id = &row.approval.id;
    let (asked, decided) = (row.approval.ts_req.as_deref(), row.approval.ts_dec.as_deref());
    instant(asked, "ts_req", || row.at(ApprovalField::TsReq), id, found);
    instant(decided, "ts_dec", || row.at(ApprovalField::TsDec), id, found);
}

fn instant(text: Option<&str>, column: &str, at: impl Fn() -> At, id: &str, found: &mut Found) {
    if let Some(text) = text.filter(|text| Timestamp::parse(text).is_none()) {
        let message = format!("`{column}` is `{text}`, which is no time");
        found.add(&BAD_TIME, at(), id, message).help(INSTANT);
    }
}

#[cfg(test)]
mod tests {
    use crate::services::check::testing::Case;

    #[test]
    fn every_column_that_holds_a_time() {
        let case = Case::tasks("| 1 | a | DOING | - | - | WORK | 10:00 | 2026-02-30 | - | - |\n")
            .and_approvals(
                "| A1 | 1 | op | approved | WORK | CMD | CMD | 2026-01-01 | 2026-01-01T00:00:00+09:00 | - |\n",
            );
        assert_eq!(
            case.found("bad-time"),
            [
                "T.md:3:34 [10:00] `lock_expires_at` is `10:00`, which is no time",
                "T.md:3:42 [2026-02-30] `due` is `2026-02-30`, which is neither a date nor a time",
                "A.md:3:47 [2026-01-01] `ts_req` is `2026-01-01`, which is no time",
                "A.md:3:60 [2026-01-01T00:00:00+09:00] `ts_dec` is `2026-01-01T00:00:00+09:00`, \
                 which is no time",
            ]
        );
        let fine = "| 1 | a | PLAN | - | - | - | - | 2026-02-28 | - | - |\n\
                    | 2 | a | PLAN | - | - | - | - | 2026-02-28T10:00:00Z | - | - |\n";
        assert!(Case::tasks(fine).findings().is_empty());
    }
}
