//! Operations to edits: which cells and rows a change touches.
//!
//! Invariant: an edit lies inside the cells that its operation sets, or inserts
//! or removes whole lines. Every new text is parsed again before it leaves
//! here (`verify`): a value that would end its table is refused, not written.

use crate::error::{Error, Result};
use crate::ledger::approval_row::{add_approval, set_approval};
use crate::ledger::approvals::ApprovalLedger;
use crate::ledger::archive::{append_to_archive, unarchive};
use crate::ledger::cell::{encode, overlap};
use crate::ledger::edit::Edits;
use crate::ledger::flags;
use crate::ledger::format;
use crate::ledger::handover;
use crate::ledger::row::remove_row;
use crate::ledger::schema;
use crate::ledger::section;
use crate::ledger::source;
use crate::ledger::task_row::{add_task, set_task};
use crate::ledger::tasks::{RowId, TaskLedger};
use crate::ledger::verify::{verify, verify_approvals};
use crate::model::handover::Handover;
use crate::model::operation::{Column, Operation};
use crate::model::value::{refused_char, refused_kind};
use std::collections::BTreeMap;

/// The documents that operations may touch.
#[derive(Debug)]
pub struct Documents<'d, 'a> {
    /// TASKS.md
    pub tasks: &'d TaskLedger<'a>,
    /// APPROVALS.md
    pub approvals: &'d ApprovalLedger<'a>,
    /// The archives that were read, by year.
    pub archives: &'d BTreeMap<i32, String>,
    /// FLAGS.md
    pub flags: &'d str,
}

/// The texts after the operations; `None` where a document does not change.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// TASKS.md
    pub tasks: Option<String>,
    /// APPROVALS.md
    pub approvals: Option<String>,
    /// Archives, by year.
    pub archives: BTreeMap<i32, String>,
    /// FLAGS.md
    pub flags: Option<String>,
    /// New files of evidence, by their path from the workspace root.
    pub evidence: BTreeMap<String, String>,
}

/// Turns operations into texts, and reads them again.
///
/// # Errors
/// As [`spell`] and [`check`].
pub fn render(documents: &Documents<'_, '_>, operations: &[Operation]) -> Result<Rendered> {
    let rendered = spell(documents, operations)?;
    if let Some(new) = &rendered.tasks {
        check(documents.tasks, &TaskLedger::parse_any(new, documents.tasks.path()), operations)?;
    }
    Ok(rendered)
}

/// Makes sure that the new ledger says what the operations meant.
///
/// # Errors
/// `Usage` for a value that would be read otherwise than it was given.
pub fn check(
    before: &TaskLedger<'_>,
    after: &TaskLedger<'_>,
    operations: &[Operation],
) -> Result<()> {
    verify(before, after, operations)
}

/// Turns operations into texts. Whoever writes them calls [`check`] first.
///
/// # Errors
/// `Usage` for values that no cell can take, `LedgerInvalid` where a column is
/// missing or the text would not read back as written, `NotFound` and
/// `LedgerInvalid` as [`TaskLedger::find`].
pub fn spell(documents: &Documents<'_, '_>, operations: &[Operation]) -> Result<Rendered> {
    let ledger = documents.tasks;
    let text = ledger.grid().text();
    let mut edits = Edits::new();
    let mut approvals = Edits::new();
    let mut rendered = Rendered::default();
    // Rows on their way to an archive, by its year and the table they leave.
    let mut archived: BTreeMap<(i32, usize), Vec<RowId>> = BTreeMap::new();
    for operation in operations {
        match operation {
            Operation::AddTask { id, cells } => {
                add_task(ledger, id, cells, &mut edits)?;
            }
            Operation::SetTask { id, cells } => {
                set_task(ledger, id, cells, &mut edits)?;
            }
            Operation::SetDetail { id, title, text: detail } => {
                set_detail(ledger, id, title, detail, &mut edits)?;
            }
            Operation::AddHandover { id, title, handover } => {
                add_handover(ledger, id, title, handover, &mut edits)?;
            }
            Operation::Archive { id, year } => {
                let row = ledger.find(id)?;
                let table = ledger.row(row).table as usize;
                archived.entry((*year, table)).or_default().push(row);
                remove_row(text, ledger.row(row), &mut edits)?;
            }
            Operation::Unarchive { id, year, cells } => {
                let archive = documents.archives.get(year).map_or("", String::as_str);
                rendered.archives.insert(*year, unarchive(ledger, id, archive, cells, &mut edits)?);
            }
            Operation::AddApproval { id, cells } => {
                add_approval(documents.approvals, id, cells, &mut approvals)?;
            }
            Operation::SetApproval { id, status, decision } => {
                let decision = decision.as_ref();
                set_approval(documents.approvals, id, *status, decision, &mut approvals)?;
            }
            Operation::SetFlag(flag) => {
                let text = rendered.flags.as_deref().unwrap_or(documents.flags);
                rendered.flags = flags::set(text, *flag).or(rendered.flags);
            }
            Operation::AddEvidence { path, text } => {
                rendered.evidence.insert(path.clone(), text.clone());
            }
            Operation::FormatTasks => format::align(ledger.grid(), &mut edits)?,
            Operation::FormatApprovals => {
                format::align(documents.approvals.grid(), &mut approvals)?;
            }
        }
    }
    if !approvals.is_empty() {
        let new = approvals.apply(documents.approvals.grid().text());
        verify_approvals(documents.approvals, &new, operations)?;
        rendered.approvals = Some(new);
    }
    for ((year, table), rows) in archived {
        let there = rendered.archives.remove(&year);
        let archive = there.or_else(|| documents.archives.get(&year).cloned()).unwrap_or_default();
        let archive = append_to_archive(ledger, table, &rows, year, archive)?;
        rendered.archives.insert(year, archive);
    }
    if !edits.is_empty() {
        rendered.tasks = Some(edits.apply(text));
    }
    Ok(rendered)
}

fn set_detail(
    ledger: &TaskLedger<'_>,
    id: &str,
    title: &str,
    detail: &str,
    edits: &mut Edits,
) -> Result<()> {
    let grid = ledger.grid();
    let text = grid.text();
    let ending = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let detail = detail.replace("\r\n", "\n");
    let detail = detail.trim_matches('\n');
    if let Some(c) = refused_char(&detail.replace(['\n', '\t'], " ")) {
        return Err(Error::usage(format!(
            "the detail text holds U+{:04X}, {}",
            c as u32,
            refused_kind(c)
        )));
    }
    let body = if detail.is_empty() {
        ending.to_owned()
    } else {
        format!("{ending}{}{ending}", detail.replace('\n', ending))
    };
    if let Some((_, span)) = ledger.section(id) {
        let last = span.end == text.len();
        let body = if last { body } else { format!("{body}{ending}") };
        return edits.replace(text, span, body).map_err(|_| overlap());
    }
    let level = level(ledger);
    let gap = match text.as_bytes() {
        [] => String::new(),
        [.., b'\n'] => ending.to_owned(),
        _ => ending.repeat(2),
    };
    // Prose, not a cell: a pipe stays a pipe.
    let title = encode("title", true, title)?.replace("\\|", "|");
    let heading = format!("{} {id} {title}", "#".repeat(usize::from(level)));
    let section = format!("{gap}{}{ending}{body}", heading.trim_end());
    edits.replace(text, text.len()..text.len(), section).map_err(|_| overlap())
}

/// The level of a new detail section.
fn level(ledger: &TaskLedger<'_>) -> u8 {
    let headings = &ledger.grid().headings;
    let ids = ledger.rows().map(|row| ledger.id(row).into_owned());
    section::level(ledger.grid().text(), headings, ids)
}

/// Inserts behind the last line of the section that is not blank.
fn add_handover(
    ledger: &TaskLedger<'_>,
    id: &str,
    title: &str,
    added: &Handover,
    edits: &mut Edits,
) -> Result<()> {
    let text = ledger.grid().text();
    let Some((heading, body)) = ledger.section(id) else {
        let level = level(ledger);
        return set_detail(ledger, id, title, &handover::spell(added, level)?, edits);
    };
    let level = handover::level_of(&ledger.grid().headings, &heading);
    let filled = text[..body.end].trim_end_matches(['\n', '\r', ' ', '\t']).len();
    let ending = source::line_ending_near(text, filled);
    let spelled = handover::spell(added, level)?.replace('\n', ending);
    let at = source::next_line(text, filled);
    let has_end = source::line_end(text, filled) < text.len();
    let before = ending.repeat(if has_end { 1 } else { 2 });
    // What follows must not go on with the quote.
    let is_apart = at < body.end || body.end == text.len();
    let behind = if is_apart { "" } else { ending };
    let new = format!("{before}{spelled}{ending}{behind}");
    edits.replace(text, at..at, new).map_err(|_| overlap())
}

/// The names a person may use for a cell: a canonical column, an alias, or the
/// header of an unknown column.
pub fn column_named(ledger: &TaskLedger<'_>, name: &str) -> Option<Column> {
    schema::task_field(name).map(Column::Known).or_else(|| {
        let found = ledger.extra_names().into_iter().find(|n| schema::same(n, name))?;
        Some(Column::Extra(found.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::model::field::TaskField;
    use crate::model::operation::CellChange;

    fn tasks(text: &str, operation: Operation) -> Result<String> {
        let tasks = TaskLedger::parse(text, "TASKS.md")?;
        let approvals = ApprovalLedger::parse("", "APPROVALS.md")?;
        let documents = Documents {
            tasks: &tasks,
            approvals: &approvals,
            archives: &BTreeMap::new(),
            flags: "",
        };
        Ok(render(&documents, &[operation])?.tasks.unwrap_or_default())
    }

    fn add(text: &str) -> String {
        let cells = vec![CellChange::set(TaskField::Title, "new")];
        tasks(text, Operation::AddTask { id: "T-9".into(), cells }).unwrap()
    }

    #[test]
    fn a_new_row_has_pipes_where_it_would_be_no_row_without() {
        let head = "id | title | state | owner\n---|---|---|---\nT-1 | x | PLAN | -\n";
        assert_eq!(add(head), format!("{head}T-9 | new | - | -\n"));
        let detached = format!("{head}\n| T-2 | y | PLAN | - |\n");
        assert_eq!(add(&detached), format!("{detached}| T-9 | new | - | - |\n"));
        let first = "owner | id | title | state\n---|---|---|---\nx | T-1 | x | PLAN\n";
        assert_eq!(add(first), format!("{first}| - | T-9 | new | -\n"));
    }

    #[test]
    fn a_first_cell_that_would_vanish_is_refused_as_a_value() {
        let text =
            "owner | id | title | state\n---|---|---|---\nx | T-1 | t | PLAN\n| | T-2 | t | PLAN\n";
        let cells = vec![CellChange::clear(TaskField::Owner)];
        let error = tasks(text, Operation::SetTask { id: "T-1".into(), cells }).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Usage, "{error}");
    }
}
