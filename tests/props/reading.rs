//! Laws of reading: what is a table, where its cells are, that nothing is lost.

use super::Outcome;
use orch::error::ErrorKind;
use orch::ledger::approvals::ApprovalLedger;
use orch::ledger::edit::Edits;
use orch::ledger::render::{self, Documents};
use orch::ledger::table::{Grid, Row, is_empty_value};
use orch::ledger::tasks::{RowId, TaskLedger};
use orch::ledger::{scan, schema, source};
use orch::model::field::{ApprovalField, TaskField};
use pulldown_cmark::{Event, Options, Parser, Tag};
use std::collections::BTreeMap;
use std::ops::Range;

/// The skeleton of a document gives the same tables and headings as the whole.
///
/// The one exception is a limit of pulldown-cmark: after 2^18 cells that rows
/// of one table lack, the whole document's table ends; the skeleton's, whose
/// inner rows are left out, does not.
pub fn skeleton_decides_as_the_whole(text: &str) {
    if text.len() > 1 << 20 {
        return;
    }
    assert_eq!(
        scan::blocks(text),
        scan::blocks_of_whole(text),
        "the skeleton decides otherwise than the whole (left: skeleton)\n{text:?}"
    );
}

/// Whether git's marks of an unresolved merge stand at the beginning of lines.
fn is_unmerged(bytes: &[u8]) -> bool {
    let begins = |mark: &[u8]| bytes.split(|b| *b == b'\n').any(|line| line.starts_with(mark));
    begins(b"<<<<<<< ") && begins(b"=======") && begins(b">>>>>>> ")
}

/// Reading any bytes never panics; what was read points into the text and
/// writing it back without a change gives the same bytes.
pub fn parses_losslessly(bytes: &[u8]) -> Outcome {
    let Ok(text) = source::text(bytes, "TASKS.md") else {
        assert!(
            std::str::from_utf8(bytes).is_err() || bytes.contains(&0) || is_unmerged(bytes),
            "readable bytes were refused: {bytes:?}"
        );
        return Outcome::Refused;
    };
    assert_eq!(text.as_bytes(), bytes);
    assert_eq!(Edits::new().apply(text), text);
    let tasks = TaskLedger::parse_any(text, "TASKS.md");
    grid_is_sound(tasks.grid());
    for row in (0..tasks.grid().rows.len()).map(RowId) {
        let task = tasks.task(row);
        assert_eq!(task.id, tasks.id(row));
        for field in TaskField::ALL {
            let (line, column) = tasks.place(row, field);
            assert!(line > 0 && column > 0);
        }
        let _ = tasks.section(&task.id);
        assert!(
            is_empty_value(&task.id) || tasks.rows_of(&task.id).contains(&row),
            "the row of `{}` is not among its rows\n{text:?}",
            task.id
        );
    }
    match TaskLedger::parse(text, "TASKS.md") {
        Ok(ledger) => assert!(!ledger.grid().tables.is_empty()),
        Err(error) => {
            assert!(tasks.grid().tables.is_empty());
            assert_eq!(error.kind, ErrorKind::LedgerInvalid);
        }
    }
    let approvals = ApprovalLedger::parse(text, "APPROVALS.md");
    if let Ok(approvals) = &approvals {
        grid_is_sound(approvals.grid());
        for row in 0..approvals.grid().rows.len() {
            let approval = approvals.approval(row);
            assert_eq!(
                Some(approval.id.as_ref()).filter(|id| !id.is_empty()),
                approvals.cell(row, ApprovalField::ApprId).as_deref()
            );
        }
        assert!(approvals.waiting(None).count() <= approvals.rows().count());
        let documents =
            Documents { tasks: &tasks, approvals, archives: &BTreeMap::new(), flags: "" };
        let rendered = render::render(&documents, &[]).expect("nothing is always allowed");
        assert_eq!(rendered, render::Rendered::default(), "nothing to do wrote something");
    }
    if tasks.grid().tables.is_empty() { Outcome::Nothing } else { Outcome::Held }
}

/// Every span lies in the text at character boundaries; rows and cells ascend
/// and are disjoint; a row's cells and pipes are all of it.
pub(super) fn grid_is_sound(grid: &Grid<'_>) {
    let text = grid.text();
    let mut row_end = 0;
    for (t, table) in grid.tables.iter().enumerate() {
        let rows = table.rows.clone().map(|i| &grid.rows[i]);
        for (i, row) in [&table.header, &table.delimiter].into_iter().chain(rows).enumerate() {
            assert_eq!(row.table as usize, t);
            let span = row.span.range();
            let line = text.get(span.clone()).unwrap_or_else(|| {
                panic!("row {i} of table {t} is no part of the text: {span:?}\n{text:?}")
            });
            assert!(!line.contains(['\n', '\r']), "a row of two lines: {line:?}\n{text:?}");
            assert!(span.start >= row_end, "rows overlap at {span:?}\n{text:?}");
            row_end = span.end;
            let mut at = span.start + usize::from(row.opens);
            for c in 0..row.len() {
                let cell = grid.span(row, c).expect("as many cells as it says");
                assert_eq!(cell.start, at, "a gap before cell {c} of {line:?}\n{text:?}");
                assert!(text.get(cell.clone()).is_some(), "cell {cell:?}\n{text:?}");
                at = cell.end + 1;
                assert!(
                    cell.end == span.end || text[cell.end..].starts_with('|'),
                    "cell {c} of {line:?} ends at no pipe\n{text:?}"
                );
            }
            assert_eq!(grid.span(row, row.len()), None);
            let expected_end = if row.closes { at } else { at - 1 };
            assert!(row.is_empty() || expected_end == span.end, "{line:?}\n{text:?}");
            let prefix = grid.prefix(row);
            assert!(
                !prefix.contains(['\n', '\r', '|']),
                "the prefix {prefix:?} of {line:?} is more than a prefix\n{text:?}"
            );
        }
    }
    let owned: usize = grid.tables.iter().map(|t| t.rows.len()).sum();
    assert_eq!(owned, grid.rows.len());
}

/// Our cells of attached rows are the cells that pulldown-cmark finds in the
/// whole document, and the row that is asked about alone ([`Grid::cross_check`])
/// agrees.
pub fn cells_are_where_pulldown_sees_them(text: &str) {
    let start = source::body_start(text);
    let mut theirs: Vec<(usize, Vec<Vec<Range<usize>>>)> = Vec::new();
    let body = scan::one_byte_line_ends(&text[start..]);
    for (event, range) in Parser::new_ext(&body, Options::ENABLE_TABLES).into_offset_iter() {
        let range = range.start + start..range.end + start;
        match event {
            Event::Start(Tag::Table(_)) => theirs.push((range.start, Vec::new())),
            Event::Start(Tag::TableHead | Tag::TableRow) => {
                if let Some((_, rows)) = theirs.last_mut() {
                    rows.push(Vec::new());
                }
            }
            Event::Start(Tag::TableCell) => {
                if let Some(row) = theirs.last_mut().and_then(|(_, rows)| rows.last_mut()) {
                    row.push(range);
                }
            }
            _ => {}
        }
    }
    let grid = Grid::parse(text, |_| true);
    assert_eq!(grid.tables.len(), theirs.len(), "another number of tables\n{text:?}");
    for (table, (_, rows)) in grid.tables.iter().zip(theirs) {
        let columns = table.header.len();
        let body = table.rows.clone().map(|i| &grid.rows[i]);
        for row in body.clone() {
            let line = &text[row.span.range()];
            assert!(
                grid.cross_check(row) || has_odd_blanks(line),
                "cross_check says no to {line:?}\n{text:?}"
            );
        }
        let ours: Vec<&Row> =
            [&table.header].into_iter().chain(body.filter(|r| !r.detached)).collect();
        assert_eq!(ours.len(), rows.len(), "another number of rows\n{text:?}");
        if has_odd_blanks(&text[table.header.span.range()]) {
            continue;
        }
        assert_eq!(
            rows.first().map(Vec::len),
            Some(columns),
            "another number of columns\n{text:?}"
        );
        for (row, cells) in ours.into_iter().zip(rows) {
            if has_odd_blanks(&text[row.span.range()]) {
                continue;
            }
            for (c, theirs) in cells.into_iter().enumerate().take(row.len()) {
                let ours = grid.span(row, c).expect("within the row");
                same_cell(text, &ours, &theirs, "pulldown-cmark");
            }
        }
    }
}

/// The same text, blanks apart, at the same place.
pub(super) fn same_cell(text: &str, ours: &Range<usize>, theirs: &Range<usize>, who: &str) {
    let content = |range: &Range<usize>| {
        let raw = text
            .get(range.clone())
            .unwrap_or_else(|| panic!("{who} gives {range:?}, no part of the text\n{text:?}"));
        let lead = raw.len() - raw.trim_start_matches(is_space).len();
        let cell = raw.trim_matches(is_space);
        (range.start + lead, cell)
    };
    let (ours, theirs) = (content(ours), content(theirs));
    assert!(
        ours == theirs || (ours.1.is_empty() && theirs.1.is_empty()),
        "{who} sees the cell {theirs:?} where we see {ours:?}\n{text:?}"
    );
}

/// What the parsers give a cell's span with or without.
pub(super) const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

/// The one documented disagreement about cells: line tabulation and form feed
/// are padding for pulldown-cmark and comrak and content for us. No cell may be
/// given one; where one stands in a row, the row may be refused.
pub(super) fn has_odd_blanks(line: &str) -> bool {
    line.contains(['\u{b}', '\u{c}'])
}

/// comrak, the second opinion, sees the cells of every ledger table that it
/// sees as a table where we see them.
///
/// Documented disagreements, left out here:
/// - a table or a row that one of them does not see (a byte order mark is taken
///   off for comrak too; rows indented by four, tables without a leading pipe
///   in a list marker's way or behind a paragraph): only rows that begin in the
///   same line are compared;
/// - rows with line tabulations or form feeds, see [`has_odd_blanks`];
/// - cells that a row lacks: comrak invents them at the row's end.
pub fn comrak_agrees(text: &str) -> Outcome {
    let start = source::body_start(text);
    let body = &text[start..];
    let mut lines = vec![start];
    let mut at = start;
    while at < text.len() {
        at = source::next_line(text, at);
        lines.push(at);
    }
    let mut options = comrak::Options::default();
    options.extension.table = true;
    let arena = comrak::Arena::new();
    let root = comrak::parse_document(&arena, body, &options);
    let mut rows: BTreeMap<usize, (bool, Vec<Range<usize>>)> = BTreeMap::new();
    for node in root.descendants() {
        let data = node.data();
        let comrak::nodes::NodeValue::TableRow(head) = data.value else { continue };
        let cells = node
            .children()
            .map(|cell| {
                let place = cell.data().sourcepos;
                let line = lines[place.start.line - 1];
                (line + place.start.column).saturating_sub(1)..line + place.end.column
            })
            .collect();
        rows.insert(data.sourcepos.start.line - 1, (head, cells));
    }
    let grid = Grid::parse(text, |names| {
        schema::is_task_header(names) || schema::is_approval_header(names)
    });
    let line_of = |row: &Row| {
        let start = source::line_start(text, row.span.range().start);
        lines.partition_point(|line| *line < start)
    };
    let mut outcome = Outcome::Nothing;
    for table in &grid.tables {
        let Some((true, head)) = rows.get(&line_of(&table.header)) else { continue };
        assert_eq!(
            head.len(),
            table.header.len(),
            "comrak sees another number of columns\n{text:?}"
        );
        outcome = Outcome::Held;
        let body = table.rows.clone().map(|i| &grid.rows[i]).filter(|row| !row.detached);
        for row in [&table.header].into_iter().chain(body) {
            let Some((_, cells)) = rows.get(&line_of(row)) else { continue };
            if has_odd_blanks(&text[row.span.range()]) {
                continue;
            }
            for (c, theirs) in cells.iter().enumerate().take(row.len()) {
                let ours = grid.span(row, c).expect("within the row");
                same_cell(text, &ours, theirs, "comrak");
            }
        }
    }
    outcome
}
