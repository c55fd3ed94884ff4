//! An approval's row: added whole, decided by its four last cells.
//!
//! Invariant: only the cells of a decision (`status`, `approver`, `approver_role`,
//! `ts_dec`) of a row that stands ever change.

use crate::error::{Error, Result};
use crate::ledger::approvals::ApprovalLedger;
use crate::ledger::cell::{encode, overlap};
use crate::ledger::edit::Edits;
use crate::ledger::row::{insert_row, missing_column, set_cells, unclear_row};
use crate::ledger::schema;
use crate::ledger::table::is_empty_value;
use crate::model::approval::ApprovalStatus;
use crate::model::field::ApprovalField;
use crate::model::operation::Signature;

/// A value as its cell spells it; none where that is an empty cell.
pub(super) fn spelled(field: ApprovalField, value: &str) -> Result<Option<String>> {
    let text = encode(field.name(), false, value)?;
    Ok((!is_empty_value(&text)).then_some(text))
}

/// The cells of a decision.
pub(super) fn decided(
    status: ApprovalStatus,
    decision: Option<&Signature>,
) -> Vec<(ApprovalField, String)> {
    let mut cells = vec![(ApprovalField::Status, status.as_str().to_owned())];
    if let Some(Signature { approver, role, at }) = decision {
        cells.push((ApprovalField::Approver, approver.clone()));
        cells.push((ApprovalField::ApproverRole, (*role).to_owned()));
        cells.push((ApprovalField::TsDec, at.clone()));
    }
    cells
}

fn missing(ledger: &ApprovalLedger<'_>, table: usize, field: ApprovalField) -> Error {
    missing_column(ledger.grid(), ledger.path(), table, "approval", field.name())
}

pub(super) fn set_approval(
    ledger: &ApprovalLedger<'_>,
    id: &str,
    status: ApprovalStatus,
    decision: Option<&Signature>,
    edits: &mut Edits,
) -> Result<()> {
    let index = ledger.find(id)?;
    let grid = ledger.grid();
    let row = &grid.rows[index];
    let mut sets = Vec::new();
    for (field, value) in decided(status, decision) {
        let column =
            ledger.column(row, field).ok_or_else(|| missing(ledger, row.table as usize, field))?;
        sets.push((column, spelled(field, &value)?));
    }
    if !grid.cross_check(row) {
        return Err(unclear_row(ledger.path(), ledger.place(index)));
    }
    set_cells(grid, index, &sets, edits)
}

pub(super) fn add_approval(
    ledger: &ApprovalLedger<'_>,
    id: &str,
    cells: &[(ApprovalField, String)],
    edits: &mut Edits,
) -> Result<()> {
    let grid = ledger.grid();
    let with_id = [(ApprovalField::ApprId, id.to_owned())];
    let all = || with_id.iter().chain(cells);
    let Some(table) = grid.tables.first() else { return new_table(ledger, all(), edits) };
    let mut values: Vec<Option<String>> = vec![None; table.header.len()];
    for (field, value) in all() {
        match ledger.column_in(0, *field) {
            Some(column) => values[column] = spelled(*field, value)?,
            None => return Err(missing(ledger, 0, *field)),
        }
    }
    insert_row(grid, 0, &values, edits)
}

/// A ledger without a table gets one at its end.
fn new_table<'c>(
    ledger: &ApprovalLedger<'_>,
    cells: impl Iterator<Item = &'c (ApprovalField, String)>,
    edits: &mut Edits,
) -> Result<()> {
    let text = ledger.grid().text();
    let ending = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let cells: Vec<_> = cells.collect();
    let names = ApprovalField::ALL.map(|field| schema::approval_names(field)[0]);
    let mut row = Vec::new();
    for field in ApprovalField::ALL {
        let value = cells.iter().find(|(f, _)| *f == field).map_or("-", |(_, value)| value);
        row.push(spelled(field, value)?.unwrap_or_else(|| "-".to_owned()));
    }
    let line = |cells: &[String]| format!("| {} |{ending}", cells.join(" | "));
    let head = match text.as_bytes() {
        [] => format!("# Approvals{ending}{ending}"),
        [.., b'\n'] => ending.to_owned(),
        _ => ending.repeat(2),
    };
    let rule: Vec<String> = names.iter().map(|name| "-".repeat(name.len())).collect();
    let table = [line(&names.map(str::to_owned)), line(&rule), line(&row)].concat();
    edits.replace(text, text.len()..text.len(), format!("{head}{table}")).map_err(|_| overlap())
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::ledger::approvals::ApprovalLedger;
    use crate::ledger::render::{Documents, render};
    use crate::ledger::tasks::TaskLedger;
    use crate::model::approval::ApprovalStatus;
    use crate::model::field::ApprovalField;
    use crate::model::operation::{Operation, Signature};
    use std::collections::BTreeMap;

    fn apply(text: &str, operation: Operation) -> crate::error::Result<String> {
        let tasks = TaskLedger::parse_any("", "TASKS.md");
        let approvals = ApprovalLedger::parse(text, "APPROVALS.md")?;
        let archives = BTreeMap::new();
        let documents =
            Documents { tasks: &tasks, approvals: &approvals, archives: &archives, flags: "" };
        Ok(render(&documents, &[operation])?.approvals.unwrap_or_default())
    }

    fn request(op: &str) -> Operation {
        let cells = [
            (ApprovalField::TaskId, "T-1"),
            (ApprovalField::Op, op),
            (ApprovalField::Status, "pending"),
        ];
        Operation::AddApproval {
            id: "A2".into(),
            cells: cells.map(|(f, v)| (f, v.to_owned())).to_vec(),
        }
    }

    fn approve(id: &str) -> Operation {
        Operation::SetApproval {
            id: id.into(),
            status: ApprovalStatus::Approved,
            decision: Some(Signature {
                approver: "CMD@eve".into(),
                role: "CMD",
                at: "2026-01-01T09:00:00Z".into(),
            }),
        }
    }

    const LEDGER: &str = "\
| id | task_id | scope | op | status | requested_by | approver | approver_role | ts_dec |
|----|---|---|---|---|---|---|---|---|
| A1 | T-1 | x | merge | pending | WORK@ada |  |  |  |
";

    #[test]
    fn a_row_in_the_style_of_the_one_above() {
        let new = apply(LEDGER, request("a | b")).unwrap();
        assert_eq!(new, format!("{LEDGER}| A2 | T-1 | - | a \\| b | pending | - | | | |\n"));
        let error = apply(LEDGER, request("two\nlines")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Usage);
    }

    #[test]
    fn a_decision_touches_four_cells() {
        let new = apply(LEDGER, approve("A1")).unwrap();
        let row = "| A1 | T-1 | x | merge | approved | WORK@ada | CMD@eve | CMD | 2026-01-01T09:00:00Z |\n";
        assert!(new.ends_with(row), "{new}");
        assert_eq!(apply(LEDGER, approve("A9")).unwrap_err().kind, ErrorKind::NotFound);
        let narrow = "| id | task_id | op | status |\n|-|-|-|-|\n| A1 | T-1 | merge | pending |\n";
        assert_eq!(apply(narrow, approve("A1")).unwrap_err().kind, ErrorKind::LedgerInvalid);
    }

    #[test]
    fn an_empty_ledger_gets_a_table() {
        let new = apply("", request("merge")).unwrap();
        assert!(new.starts_with("# Approvals\n\n| appr_id | task_id |"), "{new}");
        assert!(new.ends_with("| A2 | T-1 | merge | pending | - | - | - | - | - | - |\n"), "{new}");
        let prose = apply("Nothing yet.\r\n", request("merge")).unwrap();
        assert!(prose.starts_with("Nothing yet.\r\n\r\n| appr_id |"), "{prose}");
    }
}
