//! `unclear-row`: cells that Markdown sees elsewhere.

use crate::model::severity::Severity;
use crate::services::check::book::{AnyRow, Book};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};

pub(super) const LOOKS: &[Look] = &[Look::Rows(look)];

/// Cells that Markdown sees elsewhere.
pub static UNCLEAR_ROW: Rule = Rule {
    code: "unclear-row",
    severity: Severity::Error,
    says: "Markdown readers split a row into other cells than it seems to have",
    why: "What people see when the ledger is rendered is not what commands read, so commands \
          refuse to change such a row.",
    example: "| 001 | Paint |<U+000C>, in a table of four columns",
    mend: "Delete the form feed or line tabulation (U+000C, U+000B) behind the last pipe.",
};

fn look(_: &Book<'_>, row: &AnyRow<'_, '_>, found: &mut Found) {
    if may_be_unclear(row) && !row.grid.cross_check(row.row) {
        let message = "Markdown splits this row otherwise than it looks";
        found
            .add(&UNCLEAR_ROW, row.whole(), row.id(), message)
            .help("delete the form feed or line tabulation behind the last pipe");
    }
}

/// Line tabulations and form feeds are padding to one reader and content to
/// another. About every other row all readers agree, and asking one takes longer
/// than everything else here.
fn may_be_unclear(row: &AnyRow<'_, '_>) -> bool {
    row.page.text[row.row.span.range()].bytes().any(|b| matches!(b, 0x0b | 0x0c))
}

#[cfg(test)]
mod tests {
    use crate::services::check::book::Expect;
    use crate::services::check::testing::Case;
    use proptest::prelude::*;

    #[test]
    fn a_form_feed_behind_the_last_pipe() {
        // Beyond the header every reader drops it.
        let whole = "| 1 | a | PLAN | - | - | - | - | - | - | - |\u{c}";
        for (row, n) in
            [("| 1 | a |\u{c}", 1), ("| 1 | a | \u{b}", 1), ("| 1 |\u{c}|", 0), (whole, 0)]
        {
            let case = Case::tasks(&format!("{row}\n"));
            assert_eq!(case.found("unclear-row").len(), n, "{row:?}");
        }
    }

    proptest! {
        #[test]
        fn a_row_that_is_not_asked_about_is_clear(cells in "[|a\\\\ `*<>_~\\[-]{0,24}") {
            let text = format!("| id | title | state | owner |\n|--|--|--|--|\n|{cells}|\n");
            let page = crate::ledger::tasks::TaskLedger::parse_any(&text, "T.md");
            let grid = page.grid();
            for row in &grid.rows {
                prop_assert!(grid.cross_check(row), "{text}");
            }
        }
    }

    #[test]
    fn both_ledgers_are_asked() {
        let text = "| id | task_id | op | status |\n|--|--|--|--|\n| 1 | 2 | a |\u{b}\n";
        let case = Case::default().page("A.md", Expect::Approvals, text);
        assert!(case.codes().contains(&"unclear-row"));
    }
}
