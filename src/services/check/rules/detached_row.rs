//! `detached-row`: a blank line between a row and its table.

use crate::model::severity::Severity;
use crate::services::check::book::{AnyRow, Book};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};

pub(super) const LOOKS: &[Look] = &[Look::Rows(look)];

/// A blank line between a row and its table.
pub static DETACHED_ROW: Rule = Rule {
    code: "detached-row",
    severity: Severity::Warning,
    says: "blank lines stand between a row and its table",
    why: "Commands read the row all the same, but Markdown shows it as text: a table ends at a \
          blank line.",
    example: "| 001 | Paint | PLAN | ada |\n\n| 002 | Sweep | PLAN | ada |",
    mend: "Delete the blank lines above it; `orch check --fix` does.",
};

fn look(_: &Book<'_>, row: &AnyRow<'_, '_>, found: &mut Found) {
    if row.row.detached {
        let message = "this row is detached from its table by a blank line";
        let help = "`orch check --fix` takes the blank line away";
        found.add(&DETACHED_ROW, row.whole(), row.id(), message).help(help);
    }
}

#[cfg(test)]
mod tests {
    use crate::services::check::testing::Case;

    #[test]
    fn every_row_below_the_blank_line() {
        let row = |id: u8| format!("| {id} | a | PLAN | - | - | - | - | - | - | - |\n");
        let case = Case::tasks(&format!("{}\n{}{}", row(1), row(2), row(3)));
        let lines: Vec<_> = case.findings().iter().map(|f| f.line).collect();
        assert_eq!((case.codes(), lines), (vec!["detached-row"; 2], vec![5, 6]));
    }
}
