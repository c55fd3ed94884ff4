//! Laws of going back: what a comparison finds leads from one text to the other
//! and back again.

use super::Outcome;
use super::changing::{column_at, run};
use orch::ledger::compare;
use orch::ledger::document::{Document, Kind};
use orch::ledger::patch::{self, Way};
use orch::ledger::source;
use orch::ledger::table::Row;
use orch::ledger::tasks::TaskLedger;
use orch::ledger::unified;
use orch::model::operation::{CellChange, Operation};

/// What is done to a text.
#[derive(Debug, Clone, Copy)]
pub enum Deed<'v> {
    /// A cell of a row, by their places.
    Set(usize, usize, &'v str),
    /// A new row.
    Add(&'v str),
    /// A row is cut out, by its place.
    Cut(usize),
    /// The tables are aligned.
    Format,
    /// A section is written for a row, by its place.
    Detail(usize, &'v str),
}

fn done(text: &str, deed: Deed<'_>) -> Option<String> {
    let ledger = TaskLedger::parse(text, "TASKS.md").ok()?;
    let at = |place: usize| {
        let rows = ledger.grid().rows.len();
        let row = ledger.rows().nth(place % rows.max(1))?;
        let id = ledger.id(row).into_owned();
        (!id.is_empty() && ledger.rows_of(&id).len() == 1).then_some((row, id))
    };
    let operation = match deed {
        Deed::Set(row, column, value) => {
            let (row, id) = at(row)?;
            let table = ledger.row(row).table as usize;
            let columns = ledger.grid().tables[table].header.len();
            let column = column_at(&ledger, table, column % columns);
            Operation::SetTask { id, cells: vec![CellChange::set(column, value)] }
        }
        Deed::Add(value) => Operation::AddTask {
            id: "Z-99".into(),
            cells: vec![CellChange::set(orch::model::field::TaskField::Title, value)],
        },
        Deed::Cut(row) => {
            let (row, _) = at(row)?;
            let span = ledger.row(row).span.range();
            let start = source::line_start(text, span.start);
            let end = source::next_line(text, span.end);
            return Some([&text[..start], &text[end..]].concat());
        }
        Deed::Format => Operation::FormatTasks,
        Deed::Detail(row, value) => {
            let (_, id) = at(row)?;
            Operation::SetDetail { id, title: "t".into(), text: value.into() }
        }
    };
    run(&ledger, &[operation]).ok()?
}

/// The values of every row, and the lines outside of tables: padding left out.
fn said(text: &str) -> (Vec<Vec<Option<String>>>, Vec<String>) {
    let document = Document::parse(Kind::Tasks, text);
    let grid = document.grid();
    let width = |row: &Row| grid.tables[row.table as usize].header.len().max(row.len());
    let values = |row: &Row| {
        let cells = (0..width(row)).map(|c| grid.filled(row, c).map(String::from));
        let mut cells: Vec<_> = cells.collect();
        while cells.last() == Some(&None) {
            cells.pop();
        }
        cells
    };
    let in_table = |at: usize| {
        let heads = grid.tables.iter().flat_map(|table| [&table.header, &table.delimiter]);
        heads.chain(&grid.rows).any(|row| {
            let span = row.span.range();
            source::line_start(text, span.start) <= at && at <= span.end
        })
    };
    let (mut at, mut prose) = (0, Vec::new());
    while at < text.len() {
        let end = source::next_line(text, at);
        let line = text[at..end].trim_end_matches(['\n', '\r']);
        prose.extend((!in_table(at) && !line.is_empty()).then(|| line.to_owned()));
        at = end;
    }
    (grid.rows.iter().map(values).collect(), prose)
}

/// A change that was compared leads there and back, and its diff leads back
/// exactly.
pub fn a_comparison_leads_there_and_back(old: &str, deed: Deed<'_>) -> Outcome {
    let Some(new) = done(old, deed).filter(|new| new != old) else { return Outcome::Nothing };
    let diff = unified::unified("TASKS.md", Some(old), Some(&new));
    let back = unified::revert(&diff, "TASKS.md", &new);
    assert_eq!(back.as_deref(), Some(old), "the diff does not lead back: {deed:?}\n{diff}");
    let (before, after) = (Document::parse(Kind::Tasks, old), Document::parse(Kind::Tasks, &new));
    let plain = |document: &Document<'_>| {
        let ids = document.by_id();
        ids.len() == document.grid().rows.len() && ids.values().all(Option::is_some)
    };
    // Rows without an id of their own are lines like others, and may be taken
    // for others; a row behind the last line brings that one's end with it.
    let ends = old.ends_with('\n') && new.ends_with('\n') && !source::has_lone_cr(old);
    if !plain(&before) || !plain(&after) || !ends {
        return Outcome::Nothing;
    }
    let (rows, texts) = compare::spelling(&before, &after, "TASKS.md");
    let what = || format!("{deed:?}\nold {old:?}\nnew {new:?}\n{rows:#?}\n{texts:#?}");
    let go = |text: &str, way| patch::apply(Kind::Tasks, text, &rows, &texts, way).ok();
    // A clash writes nothing; what is written must be right.
    let (Some(there), Some(back)) = (go(old, Way::Forward), go(&new, Way::Back)) else {
        return Outcome::Refused;
    };
    assert_eq!(said(&there), said(&new), "there: {there:?}\n{}", what());
    assert_eq!(said(&back), said(old), "back: {back:?}\n{}", what());
    // From where a change led, it leads back to where it began.
    let Some(again) = go(&there, Way::Back) else { return Outcome::Refused };
    assert_eq!(said(&again), said(old), "and back: {again:?}\n{}", what());
    let exact = there == new && back == old;
    if exact { Outcome::Held } else { Outcome::Refused }
}
