//! `ragged-row`: more or fewer cells than the header.

use crate::model::severity::Severity;
use crate::services::check::book::{AnyRow, Book};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};

pub(super) const LOOKS: &[Look] = &[Look::Rows(look)];

/// More or fewer cells than the header.
pub static RAGGED_ROW: Rule = Rule {
    code: "ragged-row",
    severity: Severity::Warning,
    says: "a row has more or fewer cells than its table's header",
    why: "Missing cells read as empty, and cells beyond the header belong to no column: often a \
          pipe was typed that should have been `\\|`.",
    example: "| task_id | title | state | owner |\n|---|---|---|---|\n| 001 | Paint | PLAN |",
    mend: "Add the missing cells, or write `\\|` for a pipe that belongs to a text.",
};

fn look(_: &Book<'_>, row: &AnyRow<'_, '_>, found: &mut Found) {
    let columns = row.grid.tables[row.row.table as usize].header.len();
    let cells = row.row.len();
    if cells != columns {
        let help = if cells < columns {
            "missing cells read as empty; `-` in each makes that plain"
        } else {
            "cells beyond the header belong to no column; write `\\|` for a pipe inside a text"
        };
        let message = format!("this row has {cells} cells, its table {columns}");
        found.add(&RAGGED_ROW, row.whole(), row.id(), message).help(help);
    }
}

#[cfg(test)]
mod tests {
    use crate::services::check::testing::Case;

    #[test]
    fn too_few_and_too_many() {
        let case =
            Case::tasks("| 1 | a | PLAN | - |\n| 2 | b | PLAN | - | - | - | - | - | - | - | x |\n");
        assert_eq!(
            case.found("ragged-row"),
            [
                "T.md:3:1 [| 1 | a | PLAN | - |] this row has 4 cells, its table 10",
                "T.md:4:1 [| 2 | b | PLAN | - | - | - | - | - | - | - | x |] this row has 11 cells, \
                 its table 10",
            ]
        );
    }
}
