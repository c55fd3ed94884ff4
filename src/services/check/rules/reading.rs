//! `unreadable-file`, `no-table`: a file that no command can use.

use crate::error::Error;
use crate::model::severity::Severity;
use crate::services::check::book::{At, Book};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};

pub(super) const LOOKS: &[Look] = &[Look::Book(look)];

/// Not text, or in pieces.
pub static UNREADABLE: Rule = Rule {
    code: "unreadable-file",
    severity: Severity::Error,
    says: "a file is not UTF-8, holds NUL, is too large, or is an unresolved merge",
    why: "No command can tell rows from noise in it, so all of them refuse, and nothing is written.",
    example: "<<<<<<< HEAD\n| 001 | Paint | DOING | ada |\n=======\n| 001 | Paint | READY | ada |\n>>>>>>> other",
    mend: "Save the file as UTF-8, resolve the merge, or bring the file back from git.",
};

/// No ledger.
pub static NO_TABLE: Rule = Rule {
    code: "no-table",
    severity: Severity::Error,
    says: "a ledger has no table that its header makes a ledger table",
    why: "A task table has at least id, title, state and owner, an approval table id, task_id, op \
          and status, above a delimiter row of as many cells. What Markdown does not see as a table \
          holds no rows for any command.",
    example: "| id | title | state | owner |\n|---|---|---|",
    mend: "Give header and delimiter row the same number of cells, outside code fences and \
           comments; for headings, bullets and other columns see `orch migrate`.",
};

fn look(book: &Book<'_>, found: &mut Found) {
    for (rule, errors) in [(&UNREADABLE, &book.unread), (&NO_TABLE, &book.without_table)] {
        for error in errors {
            // Looking changes nothing anyway.
            let message = error.message.trim_end_matches("; nothing was changed");
            found.add(rule, place(error), "", message);
        }
    }
}

fn place(error: &Error) -> At {
    match error.place.clone() {
        Some(place) if place.line > 0 => {
            At::Place { file: place.path, line: place.line, column: place.column }
        }
        Some(place) => At::File(place.path),
        None => At::File(String::new()),
    }
}

#[cfg(test)]
mod tests {
    use crate::services::check::book::Expect;
    use crate::services::check::testing::Case;

    #[test]
    fn what_cannot_be_read_is_found_beside_what_can() {
        let case = Case::tasks("| 1 | a | LATER | - |\n")
            .page("B.md", Expect::Approvals, "| id | task_id | op | status |\n|---|---|\n")
            .page("C.md", Expect::Either, "a\0b")
            .page("D.md", Expect::Either, "prose\n");
        assert_eq!(
            case.found("no-table"),
            [
                "B.md:2:1 [] no ledger table: the header has 4 cells but its delimiter row has 2, \
                 so Markdown sees no table here",
                "D.md:0:0 [] no ledger table: no table has the columns id, title, state and owner",
            ]
        );
        assert_eq!(case.found("unreadable-file").len(), 1);
        assert!(case.codes().contains(&"unknown-state"));
    }

    #[test]
    fn either_ledger_is_known_by_its_header() {
        let tasks = "| id | title | state | owner |\n|---|---|---|---|\n| 1 | a | X | - |\n";
        let approvals = "| id | task_id | op | status |\n|---|---|---|---|\n| 1 | a | b | X |\n";
        let codes = |text: &str| Case::default().page("x.md", Expect::Either, text).codes();
        assert_eq!(codes(tasks), ["unknown-state"]);
        assert_eq!(codes(approvals), ["unknown-status"]);
        assert_eq!(codes(&format!("{tasks}\n\n{approvals}")), ["unknown-state", "unknown-status"]);
    }
}
