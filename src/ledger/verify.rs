//! The last look at a new text, before it may be written.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::approval_row::{decided, spelled};
use crate::ledger::approvals::ApprovalLedger;
use crate::ledger::cell::encoded;
use crate::ledger::handover;
use crate::ledger::table::is_empty_value;
use crate::ledger::tasks::TaskLedger;
use crate::model::field::ApprovalField;
use crate::model::operation::Operation;

/// Looks at the new text, read again: the same tables, every touched task once with the
/// values that were set, cells where pulldown-cmark sees them.
pub(super) fn verify(
    before: &TaskLedger<'_>,
    after: &TaskLedger<'_>,
    operations: &[Operation],
) -> Result<()> {
    let wrong = |what: &str| {
        Err(Error::usage(format!(
            "the value cannot stand in this ledger: {what}; nothing was changed"
        )))
    };
    // Whoever asked for many is told which one it is.
    let of = |id: &str, what: &str| wrong(what).map_err(|error: Error| error.about(id));
    let (grid, new) = (before.grid(), after.grid().text());
    let moved: isize = operations
        .iter()
        .map(|o| match o {
            Operation::AddTask { .. } | Operation::Unarchive { .. } => 1,
            Operation::Archive { .. } => -1,
            _ => 0,
        })
        .sum();
    let rows = before.grid().rows.len().wrapping_add_signed(moved);
    if after.grid().tables.len() != before.grid().tables.len() {
        return wrong("it would make or end a table");
    }
    if after.grid().rows.len() != rows {
        return wrong("it would make or end a row");
    }
    for operation in operations {
        let (Operation::AddTask { id, .. }
        | Operation::SetTask { id, .. }
        | Operation::Unarchive { id, .. }) = operation
        else {
            continue;
        };
        let row = match after.find(id) {
            Ok(row) => row,
            // It is there, but its id is no longer in the cell of the id.
            Err(error) if error.kind == ErrorKind::NotFound => {
                return of(id, "its row would be read otherwise");
            }
            Err(error) => return Err(error),
        };
        if !after.grid().cross_check(after.row(row)) {
            return of(id, "Markdown would split its row otherwise");
        }
    }
    let is_detail =
        |o: &Operation| matches!(o, Operation::SetDetail { .. } | Operation::AddHandover { .. });
    let has_detail = operations.iter().any(is_detail);
    let sections = has_detail.then(|| after.sections());
    for operation in operations {
        let (id, cells) = match operation {
            Operation::AddTask { id, cells }
            | Operation::SetTask { id, cells }
            | Operation::Unarchive { id, cells, .. } => (id, cells),
            Operation::SetDetail { id, text, .. } => {
                let section = sections.as_ref().and_then(|sections| sections.of(id));
                let body = section.map(|(_, span)| new[span].replace("\r\n", "\n"));
                if body.as_deref().map(|b| b.trim_matches('\n'))
                    != Some(text.replace("\r\n", "\n").trim_matches('\n'))
                {
                    return of(id, "a heading in it would end its section");
                }
                continue;
            }
            Operation::AddHandover { id, handover, .. } => {
                let before = before.section(id);
                let section = sections.as_ref().and_then(|sections| sections.of(id));
                let there = section.map(|(heading, body)| {
                    handover::of_section(new, &after.grid().headings, &heading, &body)
                });
                let count = before.map_or(0, |(heading, body)| {
                    let headings = &grid.headings;
                    handover::of_section(grid.text(), headings, &heading, &body).len()
                });
                let there = there.unwrap_or_default();
                if there.len() != count + 1 || there.last().is_none_or(|(last, _)| last != handover)
                {
                    return of(
                        id,
                        "its section holds something that does not end, such as a fence",
                    );
                }
                continue;
            }
            Operation::Archive { .. }
            | Operation::AddApproval { .. }
            | Operation::SetApproval { .. }
            | Operation::SetFlag(_)
            | Operation::AddEvidence { .. }
            | Operation::FormatTasks
            | Operation::FormatApprovals => continue,
        };
        let row = after.find(id)?;
        for change in cells {
            let Some(column) = after.column_of(row, &change.column) else { continue };
            let there = after.grid().trimmed(after.row(row), column);
            let there = (!is_empty_value(there)).then(|| there.to_owned());
            if there != encoded(change)? {
                return of(id, "it does not read back as it was given");
            }
        }
    }
    Ok(())
}

/// The same look at a new text of the approval ledger.
pub(super) fn verify_approvals(
    before: &ApprovalLedger<'_>,
    new: &str,
    operations: &[Operation],
) -> Result<()> {
    let wrong = |what: &str| {
        Err(Error::usage(format!(
            "the value cannot stand in this ledger: {what}; nothing was changed"
        )))
    };
    let after = ApprovalLedger::parse(new, before.path())?;
    let added = operations.iter().filter(|o| matches!(o, Operation::AddApproval { .. })).count();
    if after.grid().tables.len() != before.grid().tables.len().max(usize::from(added > 0)) {
        return wrong("it would make or end a table");
    }
    if after.grid().rows.len() != before.grid().rows.len() + added {
        return wrong("it would make or end a row");
    }
    for operation in operations {
        let (id, cells): (_, Vec<(ApprovalField, String)>) = match operation {
            Operation::AddApproval { id, cells } => (id, cells.clone()),
            Operation::SetApproval { id, status, decision } => {
                (id, decided(*status, decision.as_ref()))
            }
            _ => continue,
        };
        let row = match after.find(id) {
            Ok(row) => row,
            Err(error) if error.kind == ErrorKind::NotFound => {
                return wrong("its row would be read otherwise");
            }
            Err(error) => return Err(error),
        };
        let grid = after.grid();
        if !grid.cross_check(&grid.rows[row]) {
            return wrong("Markdown would split its row otherwise");
        }
        for (field, value) in &cells {
            let Some(column) = after.column(&grid.rows[row], *field) else { continue };
            let there = grid.trimmed(&grid.rows[row], column);
            let there = (!is_empty_value(there)).then(|| there.to_owned());
            if there != spelled(*field, value)? {
                return wrong("it does not read back as it was given");
            }
        }
    }
    Ok(())
}
