//! Rows of tables with other columns than ours.
//!
//! A table is one of tasks where its header names id and title, and one thing
//! more that tasks have; of approvals, where it names id, task, op and status.

use crate::ledger::document::Kind;
use crate::ledger::foreign::names::{self, Meaning};
use crate::ledger::foreign::outline::Outline;
use crate::ledger::foreign::{Ask, Field, Form, Found, Item, Left, Taken, Value, Why};
use crate::ledger::schema;
use crate::ledger::section;
use crate::ledger::source::{self, Lines};
use crate::ledger::table::{Grid, Table, is_empty_value};
use crate::model::field::{ApprovalField, TaskField};

pub(super) fn read(
    text: &str,
    ask: Ask<'_>,
    outline: &Outline,
    lines: &Lines<'_>,
    taken: &mut Taken,
    found: &mut Found,
) {
    let is_ours = |names: &[_]| match ask.own {
        Some(Kind::Tasks) => schema::is_task_header(names),
        Some(Kind::Approvals) => schema::is_approval_header(names),
        None => false,
    };
    let grid = Grid::parse(text, |names| !is_ours(names) && class(ask, names).is_some());
    for table in &grid.tables {
        let start = table.header.span.range().start;
        if taken.has(start) {
            let (line, count) = (lines.position(start).0, table.rows.len());
            found.left.push(Left { line, count, why: Why::Within });
            continue;
        }
        let headers = grid.headers(table);
        let headers: Vec<&str> = headers.iter().map(AsRef::as_ref).collect();
        match class(ask, &headers) {
            Some(Class::Rows(kind)) => {
                rows(text, ask, kind, &grid, table, lines, found);
                let last = grid.rows[table.rows.clone()].last().unwrap_or(&table.delimiter);
                taken.add(start..last.span.range().end);
            }
            Some(Class::Summary) => found.left.push(Left {
                line: lines.position(start).0,
                count: table.rows.len(),
                why: Why::Summary,
            }),
            None => {}
        }
    }
    if ask.own.is_none() {
        // The sections of rows come along with them.
        let sections = section::Sections::new(text, &outline.headings);
        for item in found.items.iter_mut().filter(|item| item.form == Form::Table) {
            if let Some((heading, body)) = sections.of(&item.id) {
                taken.add(heading.start..body.end);
                item.body = body;
            }
        }
    }
}

/// What makes a table one of approvals.
const NEEDED: [ApprovalField; 4] =
    [ApprovalField::ApprId, ApprovalField::TaskId, ApprovalField::Op, ApprovalField::Status];

enum Class {
    Rows(Kind),
    Summary,
}

fn class<S: AsRef<str>>(ask: Ask<'_>, headers: &[S]) -> Option<Class> {
    let approval = |field: ApprovalField| {
        headers.iter().any(|name| names::of_approval(ask.key(name.as_ref())) == Some(field))
    };
    if NEEDED.into_iter().all(approval) {
        return Some(Class::Rows(Kind::Approvals));
    }
    let task = |field: TaskField| {
        let column = Meaning::Column(field);
        headers.iter().any(|name| names::of_task(ask.key(name.as_ref())) == column)
    };
    let more = [TaskField::State, TaskField::Owner, TaskField::Due].into_iter().any(task);
    if !task(TaskField::TaskId) || !more {
        return None;
    }
    let summary =
        headers.iter().any(|name| names::of_task(ask.key(name.as_ref())) == Meaning::Summary);
    let has_title = task(TaskField::Title) || summary;
    Some(if has_title { Class::Rows(Kind::Tasks) } else { Class::Summary })
}

/// Where the id of each row stands.
fn id_column(ask: Ask<'_>, kind: Kind, headers: &[&str]) -> Option<usize> {
    let place = |is_it: &dyn Fn(&str) -> bool| headers.iter().position(|name| is_it(name));
    match kind {
        // A number of the row is an id only where nothing else is.
        Kind::Tasks => place(&|name| schema::same(name, TaskField::TaskId.name()))
            .or_else(|| {
                let ours = schema::task_names(TaskField::TaskId);
                place(&|name| ours.iter().any(|known| names::same(known, ask.key(name))))
            })
            .or_else(|| {
                let id = Meaning::Column(TaskField::TaskId);
                place(&|name| names::of_task(ask.key(name)) == id)
            }),
        Kind::Approvals => place(&|name| schema::same(name, "appr_id")).or_else(|| {
            place(&|name| names::of_approval(ask.key(name)) == Some(ApprovalField::ApprId))
        }),
    }
}

fn rows(
    text: &str,
    ask: Ask<'_>,
    kind: Kind,
    grid: &Grid<'_>,
    table: &Table,
    lines: &Lines<'_>,
    found: &mut Found,
) {
    let headers = grid.headers(table);
    let headers: Vec<&str> = headers.iter().map(AsRef::as_ref).collect();
    let Some(id_at) = id_column(ask, kind, &headers) else { return };
    for row in &grid.rows[table.rows.clone()] {
        let start = row.span.range().start;
        let line = lines.position(start).0;
        let id = grid.value(row, id_at);
        if is_empty_value(&id) {
            found.left.push(Left { line, count: 1, why: Why::NoId });
            continue;
        }
        let columns = (0..row.len()).filter(|column| *column != id_at);
        let fields = columns.filter_map(|column| {
            let key = headers.get(column).copied().filter(|key| !key.is_empty());
            let value = grid.filled(row, column);
            // What stands beyond the header has no name, but is there.
            let key = key.map_or_else(|| format!("column {}", column + 1), str::to_owned);
            let is_known = column < headers.len();
            (is_known || value.is_some()).then(|| Field {
                key,
                value: value.map_or(Value::Nothing, |v| Value::Text(v.into_owned())),
                span: grid.span(row, column).unwrap_or(start..start),
                has_lines: false,
            })
        });
        let fields = fields.collect();
        let span = source::line_start(text, start)..source::next_line(text, row.span.range().end);
        found.items.push(Item {
            kind,
            form: Form::Table,
            id: id.into_owned(),
            fields,
            body: span.end..span.end,
            span,
            id_lines: None,
            unnamed: None,
            line,
        });
    }
}
