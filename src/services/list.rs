//! Which tasks a reader wants, and in which order.

use crate::error::{Error, Result};
use crate::ledger::tasks::{RowId, TaskLedger};
use crate::ledger::{render, schema};
use crate::model::field::TaskField;
use crate::model::operation::Column;
use crate::model::task::Task;
use crate::model::time::{Due, Timestamp};
use crate::model::value::Priority;
use crate::services::context::Context;
use std::cmp::Ordering;

/// What `list` asks.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `--state`: any of these, as spelled, without regard to case.
    pub states: Vec<String>,
    /// `--owner`: this owner; `-` is no owner.
    pub owner: Option<String>,
    /// `--search`: this text in any cell, without regard to case.
    pub search: Option<String>,
    /// `--overdue`: open and past their due date.
    pub overdue: bool,
    /// `--sort`: a field, `-field` to reverse.
    pub sort: Option<String>,
    /// `--limit`: 0 is no limit.
    pub limit: usize,
}

/// The rows found, and how many there were before the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The rows to show.
    pub rows: Vec<RowId>,
    /// How many matched.
    pub total: usize,
}

/// Finds rows.
///
/// # Errors
/// `usage` for a sort field that is no column or attribute.
pub fn find(
    ctx: &Context,
    ledger: &TaskLedger<'_>,
    request: &Request,
    now: Timestamp,
) -> Result<Found> {
    let search = request.search.as_deref().map(str::to_lowercase);
    let mut rows: Vec<RowId> = ledger
        .rows()
        .filter(|row| {
            let cell = |field| ledger.cell(*row, field);
            let state_fits = request.states.is_empty() || {
                let state = cell(TaskField::State).unwrap_or_default();
                request.states.iter().any(|s| s.eq_ignore_ascii_case(&state))
            };
            let owner_fits = request.owner.as_deref().is_none_or(|wanted| {
                let owner = cell(TaskField::Owner);
                match owner.as_deref() {
                    None => matches!(wanted, "" | "-"),
                    Some(owner) => owner.eq_ignore_ascii_case(wanted),
                }
            });
            state_fits
                && owner_fits
                && search.as_deref().is_none_or(|text| holds(ledger, *row, text))
                && (!request.overdue || is_overdue(ctx, &ledger.task(*row), now))
        })
        .collect();
    if let Some(sort) = &request.sort {
        order(ctx, ledger, &mut rows, sort)?;
    }
    let total = rows.len();
    if request.limit > 0 {
        rows.truncate(request.limit);
    }
    Ok(Found { rows, total })
}

/// Whether an open task is past its due date.
pub fn is_overdue(ctx: &Context, task: &Task<'_>, now: Timestamp) -> bool {
    task.is_open() && task.due_at().is_some_and(|due| ctx.is_overdue(due, now))
}

fn holds(ledger: &TaskLedger<'_>, row: RowId, text: &str) -> bool {
    let grid = ledger.grid();
    let r = ledger.row(row);
    (0..r.len()).any(|c| grid.value(r, c).to_lowercase().contains(text))
}

fn order(ctx: &Context, ledger: &TaskLedger<'_>, rows: &mut [RowId], sort: &str) -> Result<()> {
    let (name, reverse) = match sort.strip_prefix('-') {
        Some(name) => (name, true),
        None => (sort, false),
    };
    let column = render::column_named(ledger, name);
    let is_priority = schema::same(name, "priority") && column.is_none();
    if column.is_none() && !is_priority {
        return Err(Error::usage(format!("cannot sort by `{name}`: no column has that name"))
            .hint("orch list --help"));
    }
    let zone = ctx.settings.zone();
    let value = |row: RowId| -> Option<String> {
        match &column {
            Some(Column::Known(TaskField::Due)) => {
                let due = ledger.cell(row, TaskField::Due)?;
                // What is no date comes behind the dates, as it stands.
                Some(Due::parse(&due).map_or_else(
                    || format!("~{due}"),
                    |due| {
                        let end = due.deadline(|date| Timestamp(zone.end_of_day_ms(date)));
                        format!("{:020}", end.0.max(0))
                    },
                ))
            }
            Some(Column::Known(field)) => {
                ledger.cell(row, *field).map(std::borrow::Cow::into_owned)
            }
            Some(column) => ledger
                .column_of(row, column)
                .and_then(|c| ledger.grid().filled(ledger.row(row), c))
                .map(std::borrow::Cow::into_owned),
            None => {
                let priority = ledger.task(row).priority().unwrap_or(Priority::Medium);
                Some(u8::MAX.wrapping_sub(priority as u8).to_string())
            }
        }
    };
    let mut keyed: Vec<(Option<String>, RowId)> =
        rows.iter().map(|row| (value(*row), *row)).collect();
    keyed.sort_by(|(a, _), (b, _)| match (a, b) {
        // What has no value comes last, in either direction.
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) if reverse => natural(b, a),
        (Some(a), Some(b)) => natural(a, b),
    });
    for (slot, (_, row)) in rows.iter_mut().zip(keyed) {
        *slot = row;
    }
    Ok(())
}

/// Compares texts with their numbers as numbers: `T-9` before `T-10`.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let (Some(x), Some(y)) = (a.chars().next(), b.chars().next()) else {
            return a.len().cmp(&b.len());
        };
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let digits = |t: &str| t.find(|c: char| !c.is_ascii_digit()).unwrap_or(t.len());
            let (m, n) = (digits(a), digits(b));
            let (p, q) = (a[..m].trim_start_matches('0'), b[..n].trim_start_matches('0'));
            let order = p.len().cmp(&q.len()).then_with(|| p.cmp(q)).then_with(|| m.cmp(&n));
            if order != Ordering::Equal {
                return order;
            }
            (a, b) = (&a[m..], &b[n..]);
        } else if x != y {
            return x.cmp(&y);
        } else {
            (a, b) = (&a[x.len_utf8()..], &b[y.len_utf8()..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_as_numbers() {
        let mut ids = ["T-10", "T-9", "T-1", "S-99", "T-009", "台2", "台10"];
        ids.sort_by(|a, b| natural(a, b));
        assert_eq!(ids, ["S-99", "T-1", "T-9", "T-009", "T-10", "台2", "台10"]);
    }
}
