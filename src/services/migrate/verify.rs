//! What must hold before a migration is written.
//!
//! Here: whether rows may come, and reading the new text again. Invariant: a
//! text that leaves here has every former row with its values, every new one
//! once with the values that were mapped, and their detail.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::change::RowChangeKind;
use crate::ledger::compare;
use crate::ledger::document::{Document, Kind};
use crate::ledger::foreign::{Form, detail, place};
use crate::ledger::section::Sections;
use crate::ledger::table::trim;
use crate::ledger::tasks::shell_word;
use crate::model::value;
use crate::services::migrate::Asked;
use crate::services::migrate::inputs::{Input, Origin};
use crate::services::migrate::map::Row;
use crate::services::migrate::plan::Plan;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Leaves out rows that are there with the same values; one that is there with
/// others may not come.
///
/// # Errors
/// `not_allowed`, naming both places.
pub(super) fn may_come(
    asked: Asked<'_>,
    inputs: &[Input],
    rows: &mut Vec<Row>,
    kind: Kind,
    plan: &mut Plan,
) -> Result<()> {
    let (grid, path) = match kind {
        Kind::Tasks => (asked.snapshot.tasks.grid(), asked.snapshot.tasks.path()),
        Kind::Approvals => (asked.snapshot.approvals.grid(), asked.snapshot.approvals.path()),
    };
    let document = Document::view(kind, grid);
    let there = document.by_id();
    let level = place::level(kind, grid.text());
    let sections = Sections::new(grid.text(), &grid.headings);
    let others = ids_of(&there, rows);
    let refused = |row: &Row, why: String| {
        let show = match kind {
            Kind::Tasks => format!("orch show {}", shell_word(&row.id)),
            Kind::Approvals => "orch approvals".to_owned(),
        };
        Error::not_allowed(format!("`{}` {why}; nothing was changed", row.id))
            .at(&inputs[row.source].name, row.line, 1)
            .hint(show)
    };
    let mut error = None;
    rows.retain(|row| {
        let Some(at) = there.get(row.id.as_str()) else { return true };
        if error.is_some() {
            return false;
        }
        let Some(at) = *at else {
            error = Some(refused(row, format!("stands twice in `{path}`")));
            return false;
        };
        let found = &grid.rows[at];
        let line = grid.place(found).0;
        let other = row.cells.iter().find(|(name, value)| {
            let cell = document.column(found, name).map_or("", |c| grid.trimmed(found, c));
            place::spelled(name, value).ok().flatten().as_deref().unwrap_or("") != compare::value(cell)
        });
        if let Some((name, value)) = other {
            let cell = document.column(found, name).map_or("", |c| grid.trimmed(found, c));
            let cell = if compare::value(cell).is_empty() { "nothing" } else { cell };
            error = Some(refused(
                row,
                format!("is in `{path}`, line {line}, already, with the {name} `{cell}` instead of `{value}`"),
            ));
        } else if !has_detail(grid.text(), &sections, row, level, &others) {
            error = Some(refused(
                row,
                format!("is in `{path}`, line {line}, already, without the text that it has here"),
            ));
        } else {
            plan.sources[row.source].same += 1;
        }
        false
    });
    if let Some(error) = error {
        return Err(error);
    }
    if kind == Kind::Tasks {
        for (year, text) in asked.snapshot.archives()? {
            let archive = Document::parse(Kind::Tasks, text);
            let ids = archive.by_id();
            if let Some(row) = rows.iter().find(|row| ids.contains_key(row.id.as_str())) {
                return Err(refused(row, format!("is in the archive of {year}")));
            }
        }
    }
    Ok(())
}

/// Every id that is a row's, there or coming.
fn ids_of(there: &HashMap<Cow<'_, str>, Option<usize>>, rows: &[Row]) -> HashSet<String> {
    let coming = rows.iter().map(|row| row.id.clone());
    there.keys().map(|id| id.clone().into_owned()).chain(coming).collect()
}

fn has_detail(
    text: &str,
    sections: &Sections<'_>,
    row: &Row,
    level: u8,
    ids: &HashSet<String>,
) -> bool {
    if row.detail.is_empty() {
        return true;
    }
    let Some((_, body)) = sections.of(&row.id) else { return false };
    let body = text[body].replace("\r\n", "\n");
    let has = |is_other: &dyn Fn(&str) -> bool| {
        body.contains(detail::fit(&row.detail, level, is_other).0.trim())
    };
    // A row that came later was no other one then.
    has(&|id| id != row.id && ids.contains(id)) || has(&|_| false)
}

/// A decision that comes from elsewhere must not open a gate here: who made it,
/// on what, nobody here saw.
///
/// # Errors
/// `not_allowed` for a decided approval of a task that is open here and did not
/// come along.
pub(super) fn no_decision_on_open_tasks(
    asked: Asked<'_>,
    inputs: &[Input],
    approvals: &[Row],
    tasks: &[Row],
) -> Result<()> {
    let coming: HashSet<&str> = tasks.iter().map(|row| row.id.as_str()).collect();
    let ledger = &asked.snapshot.tasks;
    for row in approvals.iter().filter(|row| inputs[row.source].origin == Origin::File) {
        let decided = matches!(row.cell("status"), Some("approved" | "rejected"));
        let Some(task) = row.cell("task_id").filter(|task| decided && !coming.contains(task))
        else {
            continue;
        };
        let is_open = ledger.rows_of(task).iter().any(|row| ledger.task(*row).is_open());
        if is_open {
            return Err(Error::not_allowed(format!(
                "`{}` decides on `{task}`, which is open here; a decision counts where it was \
                 made, so ask anew",
                row.id
            ))
            .at(&inputs[row.source].name, row.line, 1)
            .hint(format!("orch show {}", shell_word(task))));
        }
    }
    Ok(())
}

/// Reads the new text again.
///
/// # Errors
/// `failed` where it does not say what was mapped: nothing is written then.
pub(super) fn verify(asked: Asked<'_>, kind: Kind, new: Option<&str>, rows: &[Row]) -> Result<()> {
    let Some(new) = new else { return Ok(()) };
    let (grid, path) = match kind {
        Kind::Tasks => (asked.snapshot.tasks.grid(), asked.snapshot.tasks.path()),
        Kind::Approvals => (asked.snapshot.approvals.grid(), asked.snapshot.approvals.path()),
    };
    let wrong = |what: String| {
        Err(Error::new(
            ErrorKind::Failed,
            format!("the migrated ledger does not read back: {what}; nothing was changed"),
        )
        .at(path, 0, 0)
        .hint("orch migrate --dry-run"))
    };
    let before = Document::view(kind, grid);
    let after = Document::parse(kind, new);
    let changes = compare::rows(&before, &after, path);
    let came: HashSet<&str> = changes.iter().map(|change| change.row.as_str()).collect();
    if let Some(other) = changes.iter().find(|change| change.kind != RowChangeKind::Insert) {
        return wrong(format!("`{}` was there and would change", other.row));
    }
    if after.grid().rows.len() != grid.rows.len() + rows.len() || came.len() != rows.len() {
        return wrong(format!(
            "{} rows instead of {}",
            after.grid().rows.len(),
            grid.rows.len() + rows.len()
        ));
    }
    let there = after.by_id();
    let level = place::level(kind, new);
    let sections = Sections::new(new, &after.grid().headings);
    let ids = ids_of(&there, rows);
    for row in rows {
        let id = &row.id;
        let Some(Some(at)) = there.get(id.as_str()).copied() else {
            return wrong(format!("`{id}` has no row"));
        };
        let found = &after.grid().rows[at];
        if !after.grid().cross_check(found) {
            return wrong(format!("Markdown would split the row of `{id}` otherwise"));
        }
        for (name, value) in &row.cells {
            let cell = after.column(found, name).map_or("", |c| after.grid().raw(found, c));
            let wanted = place::spelled(name, value)?.unwrap_or_default();
            if compare::value(cell) != wanted {
                return wrong(format!("the {name} of `{id}` is `{}`, not `{value}`", trim(cell)));
            }
        }
        let notes = after.column(found, "notes").map_or("", |c| after.grid().raw(found, c));
        for (key, word) in &row.attributes {
            if value::attribute(trim(notes), key) != Some(word) {
                return wrong(format!("the word {key} of `{id}` is not `{word}`"));
            }
        }
        if !(has_detail(new, &sections, row, level, &ids) || stays_in_place(new, &sections, row)) {
            return wrong(format!("the detail section of `{id}` would not be found"));
        }
    }
    Ok(())
}

/// A section that was turned in place keeps its lines as they were.
fn stays_in_place(new: &str, sections: &Sections<'_>, row: &Row) -> bool {
    let body = sections.of(&row.id).map(|(_, body)| body);
    row.form == Form::Headings && body.is_some_and(|body| new[body].contains(&row.detail))
}
