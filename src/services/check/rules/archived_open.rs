//! `archived-open`: a row in an archive that is not closed.

use crate::model::field::TaskField;
use crate::model::severity::Severity;
use crate::services::check::book::{Book, TaskRow};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};

pub(super) const LOOKS: &[Look] = &[Look::Tasks(look)];

/// A row in an archive that is not closed.
pub static ARCHIVED_OPEN: Rule = Rule {
    code: "archived-open",
    severity: Severity::Error,
    says: "an archive holds a task that is neither DONE nor DROP",
    why: "Nobody sees it: lists, `next` and `claim` look at the ledger only, and what depends on \
          it waits for ever.",
    example: "STATE/archive/TASKS-2025.md: | 001 | Paint | READY | ada |",
    mend: "Move the row back into the ledger by hand, or close it there.",
};

fn look(_: &Book<'_>, row: &TaskRow<'_, '_>, found: &mut Found) {
    if row.is_archived && row.task.is_open() {
        let state = row.task.state.as_deref().unwrap_or("-");
        let message = format!("this archived task is in `{state}`, and nobody sees it");
        let help = "move the row back into the ledger; only DONE and DROP are archived";
        found
            .add(&ARCHIVED_OPEN, row.at(TaskField::State), row.task.id.as_ref(), message)
            .help(help);
    }
}

#[cfg(test)]
mod tests {
    use crate::services::check::book::Expect;
    use crate::services::check::testing::{Case, TASKS};

    #[test]
    fn open_and_closed() {
        let row = |state: &str| format!("| {state} | a | {state} | - | - | - | - | - | - | - |\n");
        let text = format!("{TASKS}{}", ["DONE", "DROP", "READY"].map(row).concat());
        let case = Case::default().page("archive/T-2025.md", Expect::Archive, &text);
        assert_eq!(
            case.found("archived-open"),
            ["archive/T-2025.md:5:15 [READY] this archived task is in `READY`, and nobody sees it"]
        );
    }
}
