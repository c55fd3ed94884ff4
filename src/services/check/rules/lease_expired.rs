//! `lease-expired`: somebody's time is over.

use crate::model::field::TaskField;
use crate::model::severity::Severity;
use crate::model::task::Expiry;
use crate::model::task_state::State;
use crate::services::check::book::{Book, TaskRow};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};

pub(super) const LOOKS: &[Look] = &[Look::Tasks(look)];

/// Somebody's time is over.
pub static LEASE_EXPIRED: Rule = Rule {
    code: "lease-expired",
    severity: Severity::Note,
    says: "the lease of a task in DOING is over",
    why: "Whoever took the task neither handed it in nor renewed the lease. Others may take it \
          over; its holder may still hand it in until somebody does.",
    example: "| 001 | Paint | DOING | ada | - | WORK@ada | 2025-12-31T10:00:00Z | - | - | - |",
    mend: "`orch reap` takes every expired lease back, and `orch claim --next` does so on its way.",
};

fn look(book: &Book<'_>, row: &TaskRow<'_, '_>, found: &mut Found) {
    let task = &row.task;
    if row.is_archived || task.known_state() != Some(State::Doing) {
        return;
    }
    let Some(lease) = task.lease().filter(|l| !l.is_live(book.now, book.settings.leases.grace))
    else {
        return;
    };
    let holder = lease.holder.unwrap_or("nobody");
    let (field, message) = match lease.expiry {
        Expiry::At(end) => {
            (TaskField::LockExpiresAt, format!("the lease of `{holder}` was over at {end}"))
        }
        Expiry::Missing | Expiry::Malformed(_) => (
            TaskField::State,
            format!("DOING without a lease counts as an expired one of `{holder}`"),
        ),
    };
    found
        .add(&LEASE_EXPIRED, row.at(field), task.id.as_ref(), message)
        .help("`orch reap` takes it back");
}

#[cfg(test)]
mod tests {
    use crate::services::check::testing::Case;

    #[test]
    fn over_within_its_grace_and_without_cells() {
        let row = |end: &str| format!("| {end} | a | DOING | - | - | WORK | {end} | - | - | - |\n");
        let case = Case::tasks(&["2026-01-01T08:54:00Z", "2026-01-01T08:56:00Z"].map(row).concat());
        assert_eq!(
            case.found("lease-expired"),
            [
                "T.md:3:53 [2026-01-01T08:54:00Z] the lease of `WORK` was over at 2026-01-01T08:54:00Z"
            ]
        );
        let case = Case::tasks("| 1 | a | DOING | CMD | - | - | - | - | - | - |\n");
        assert_eq!(
            case.found("lease-expired"),
            ["T.md:3:11 [DOING] DOING without a lease counts as an expired one of `CMD`"]
        );
        assert_eq!(case.codes(), ["lease-expired"]);
    }
}
