//! The approval ledger: a typed view of the approval tables of one document.

use crate::error::{Error, Result};
use crate::ledger::schema::{self, Columns};
use crate::ledger::table::{Grid, Row, is_empty_value};
use crate::model::approval::{Approval, ApprovalStatus, is_before};
use crate::model::field::ApprovalField;
use crate::model::time::Timestamp;
use std::borrow::Cow;

/// The approval tables of one document, as one ledger.
#[derive(Debug, Clone)]
pub struct ApprovalLedger<'a> {
    grid: Grid<'a>,
    tables: Vec<(Columns, Vec<Cow<'a, str>>)>,
    path: String,
}

impl<'a> ApprovalLedger<'a> {
    /// Parses an approval ledger. A document without an approval table is an
    /// empty ledger.
    ///
    /// # Errors
    /// `LedgerInvalid` where a header is there but Markdown sees no table.
    pub fn parse(text: &'a str, path: &str) -> Result<Self> {
        let grid = Grid::parse(text, schema::is_approval_header);
        if grid.tables.is_empty() && memchr::memchr(b'|', text.as_bytes()).is_some() {
            let error = crate::ledger::tasks::no_ledger_table(
                text,
                path,
                "id, task_id, op and status",
                |names| schema::is_approval_header(names),
            );
            if error.place.as_ref().is_some_and(|place| place.line > 0) {
                return Err(error);
            }
        }
        let tables = grid
            .tables
            .iter()
            .map(|table| {
                let names = grid.headers(table);
                (schema::approval_columns(&names), names)
            })
            .collect();
        Ok(Self { grid, tables, path: path.to_owned() })
    }

    /// The text with its tables.
    pub const fn grid(&self) -> &Grid<'a> {
        &self.grid
    }

    /// The document's path, as people see it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Every row that has an id, in table order.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = usize> {
        (0..self.grid.rows.len()).filter(|row| {
            self.column(&self.grid.rows[*row], ApprovalField::ApprId)
                .is_some_and(|c| !is_empty_value(self.grid.trimmed(&self.grid.rows[*row], c)))
        })
    }

    /// Where a column stands in the row's table.
    pub fn column(&self, row: &Row, field: ApprovalField) -> Option<usize> {
        self.tables[row.table as usize].0[field as usize].map(usize::from)
    }

    /// Where a column stands in a table.
    pub fn column_in(&self, table: usize, field: ApprovalField) -> Option<usize> {
        self.tables[table].0[field as usize].map(usize::from)
    }

    /// Line and column where a row begins, from 1.
    pub fn place(&self, row: usize) -> (usize, usize) {
        self.grid.place(&self.grid.rows[row])
    }

    /// A cell's value; `None` where empty or missing.
    pub fn cell(&self, row: usize, field: ApprovalField) -> Option<Cow<'a, str>> {
        let r = &self.grid.rows[row];
        self.column(r, field).and_then(|c| self.grid.filled(r, c))
    }

    /// The typed row.
    pub fn approval(&self, row: usize) -> Approval<'_> {
        let get = |field| self.cell(row, field);
        let r = &self.grid.rows[row];
        let (columns, names) = &self.tables[r.table as usize];
        let is_known = |c: usize| columns.iter().flatten().any(|k| usize::from(*k) == c);
        Approval {
            id: get(ApprovalField::ApprId).unwrap_or_default(),
            task_id: get(ApprovalField::TaskId),
            op: get(ApprovalField::Op),
            status: get(ApprovalField::Status),
            requested_by: get(ApprovalField::RequestedBy),
            approver: get(ApprovalField::Approver),
            approver_role: get(ApprovalField::ApproverRole),
            ts_req: get(ApprovalField::TsReq),
            ts_dec: get(ApprovalField::TsDec),
            evidence: get(ApprovalField::Evidence),
            extra: (0..names.len())
                .filter(|c| !is_known(*c) && !names[*c].is_empty())
                .map(|c| (names[c].as_ref(), self.grid.filled(r, c)))
                .collect(),
        }
    }

    /// The rows of a task's approvals, in table order.
    pub fn rows_of_task<'s>(&'s self, task: &'s str) -> impl Iterator<Item = usize> + 's {
        self.rows()
            .filter(move |row| self.cell(*row, ApprovalField::TaskId).as_deref() == Some(task))
    }

    /// The approvals of a task, in table order.
    pub fn of_task<'s>(&'s self, task: &'s str) -> impl Iterator<Item = Approval<'s>> {
        self.rows_of_task(task).map(|row| self.approval(row))
    }

    /// The tasks that wait for an approval with that approval, in table order.
    /// What was asked for before an instant has expired.
    pub fn waiting(
        &self,
        expired_before: Option<Timestamp>,
    ) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> {
        self.rows().filter_map(move |row| {
            let pending = self.cell(row, ApprovalField::Status).as_deref()
                == Some(ApprovalStatus::Pending.as_str());
            let asked = || self.cell(row, ApprovalField::TsReq);
            if !pending
                || (expired_before.is_some() && is_before(asked().as_deref(), expired_before))
            {
                return None;
            }
            Some((self.cell(row, ApprovalField::TaskId)?, self.cell(row, ApprovalField::ApprId)?))
        })
    }

    /// The one row with this id.
    ///
    /// # Errors
    /// `NotFound`; `LedgerInvalid` where it stands twice.
    pub fn find(&self, id: &str) -> Result<usize> {
        let rows: Vec<_> = self
            .rows()
            .filter(|row| self.cell(*row, ApprovalField::ApprId).as_deref() == Some(id))
            .collect();
        let line = |row: usize| self.place(row).0;
        match rows[..] {
            [row] => Ok(row),
            [] => Err(Error::not_found(format!("no approval `{id}` in `{}`", self.path))
                .hint("orch approvals")),
            [first, second, ..] => Err(Error::invalid(format!(
                "the approval id `{id}` stands twice: in lines {} and {}",
                line(first),
                line(second)
            ))
            .at(self.path.clone(), line(second), 1)
            .hint("orch doctor")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEDGER: &str = "\
| id | task_id | scope | op | status | requested_by |
|----|---------|-------|----|--------|--------------|
| A1 | T-1 | x | merge | approved | WORK |

| A2 | T-2 |  | merge | pending | WORK@ada |
";

    #[test]
    fn rows_with_other_columns_and_detached_ones() {
        let ledger = ApprovalLedger::parse(LEDGER, "A.md").unwrap();
        let waiting: Vec<_> = ledger.waiting(None).collect();
        assert_eq!(waiting, [("T-2".into(), "A2".into())]);
        let a = ledger.approval(ledger.find("A1").unwrap());
        assert_eq!(a.known_status(), Some(ApprovalStatus::Approved));
        assert_eq!(a.extra, [("scope", Some("x".into()))]);
        assert_eq!(ledger.of_task("T-2").count(), 1);
    }

    #[test]
    fn no_table_is_empty_but_a_broken_one_is_an_error() {
        assert_eq!(ApprovalLedger::parse("# nothing yet\n", "A.md").unwrap().rows().count(), 0);
        assert!(
            ApprovalLedger::parse("| id | task_id | op | status |\n|---|---|\n", "A.md").is_err()
        );
    }
}
