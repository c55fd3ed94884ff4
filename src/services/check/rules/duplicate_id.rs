//! `duplicate-id`: one id, two rows.

use crate::model::field::{ApprovalField, TaskField};
use crate::model::severity::Severity;
use crate::services::check::book::{At, Book};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};
use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

pub(super) const LOOKS: &[Look] = &[Look::Book(look)];

/// One id, two rows.
pub static DUPLICATE_ID: Rule = Rule {
    code: "duplicate-id",
    severity: Severity::Error,
    says: "an id stands in two rows, of one ledger or of ledger and archive",
    why: "A change could hit the wrong row, so every change of such an id is refused.",
    example: "| 004 | Weigh the luggage | READY | - |\n| 004 | Call the taxi | READY | - |",
    mend: "Give one of the rows an id of its own, or delete the row that is a copy.",
};

fn look(book: &Book<'_>, found: &mut Found) {
    let tasks = book.task_places().map(|row| (row.ledger.id(row.row), row.page, row.row.0));
    let tasks = twice(tasks);
    let approvals =
        book.approvals().map(|row| (Cow::from(row.approval.id.into_owned()), row.page, row.row));
    let approvals = twice(approvals);
    if tasks.is_empty() && approvals.is_empty() {
        return;
    }
    let places: HashMap<Row, At> =
        book.tasks().map(|row| ((row.page, row.row.0), row.at(TaskField::TaskId))).collect();
    let of_approvals: HashMap<Row, At> =
        book.approvals().map(|row| ((row.page, row.row), row.at(ApprovalField::ApprId))).collect();
    for (what, list, places) in
        [("task", tasks, &places), ("approval", approvals, &of_approvals)]
    {
        for ((id, page, row), (first_page, first_row)) in list {
            let at = |row: Row| places.get(&row).cloned();
            let (Some(here), Some(first)) = (at((page, row)), at((first_page, first_row))) else {
                continue;
            };
            let (line, _) = book.position(&first);
            let (first, help) = if page == first_page {
                (
                    format!("first in line {line}"),
                    "give one of the two rows an id of its own; until then no command changes \
                     either",
                )
            } else {
                (
                    format!("first in `{}:{line}`", book.pages[first_page].name),
                    "if it is one task, delete the row that is out of date, else give one an id \
                     of its own; until then no command changes either",
                )
            };
            let message = format!("the {what} id `{id}` stands twice; {first}");
            found.add(&DUPLICATE_ID, here, id, message).help(help);
        }
    }
}

type Row = (usize, usize);

/// Rows whose id stood before, each with the first row that has it.
fn twice<'r>(
    rows: impl Iterator<Item = (Cow<'r, str>, usize, usize)>,
) -> Vec<((String, usize, usize), Row)> {
    let mut seen: HashMap<Cow<'r, str>, Row> = HashMap::new();
    let mut twice = Vec::new();
    for (id, page, row) in rows {
        match seen.entry(id) {
            Entry::Occupied(first) => {
                twice.push(((first.key().clone().into_owned(), page, row), *first.get()));
            }
            Entry::Vacant(free) => {
                free.insert((page, row));
            }
        }
    }
    twice
}

#[cfg(test)]
mod tests {
    use crate::services::check::book::Expect;
    use crate::services::check::testing::{Case, TASKS};

    #[test]
    fn in_a_ledger_between_ledger_and_archive_and_among_approvals() {
        let archive = format!("{TASKS}| 2 | old | DONE | - | - | - | - | - | - | - |\n");
        let task = |id: &str| format!("| {id} | a | PLAN | - | - | - | - | - | - | - |\n");
        let approval = "| A1 | 1 | op | pending | WORK | - | - | - | - | - |\n";
        let case = Case::tasks(&["1", "2", "1"].map(task).concat())
            .and_approvals(&approval.repeat(2))
            .page("archive/T-2025.md", Expect::Archive, &archive);
        assert_eq!(
            case.found("duplicate-id"),
            [
                "T.md:5:3 [1] the task id `1` stands twice; first in line 3",
                "A.md:4:3 [A1] the approval id `A1` stands twice; first in line 3",
                "archive/T-2025.md:3:3 [2] the task id `2` stands twice; first in `T.md:4`",
            ]
        );
        assert!(Case::tasks(&["1", "2"].map(task).concat()).findings().is_empty());
    }
}
