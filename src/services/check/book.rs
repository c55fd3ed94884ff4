//! What is looked at: the ledgers, archives and flags, read once and together.
//!
//! Here: files to rows, and where in the text a cell stands. Not here: what is
//! wrong with them (`rules`). Invariant: a book reads no file by itself but the
//! ones that its rows name, and only where it stands on some ground.

use crate::error::{Error, Result};
use crate::ledger::approvals::ApprovalLedger;
use crate::ledger::document::{Document, Kind};
use crate::ledger::section;
use crate::ledger::source::{self, Lines};
use crate::ledger::table::{Grid, Row, trim};
use crate::ledger::tasks::{RowId, TaskLedger};
use crate::model::actor::Principals;
use crate::model::approval::Approval;
use crate::model::field::{ApprovalField, TaskField};
use crate::model::task::Task;
use crate::model::time::Timestamp;
use crate::services::config::Settings;
use crate::store::chronicle::Chronicle;
use crate::store::journal::Journal;
use crate::store::layout::Layout;
use crate::sys::Sys;
use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashSet;
use std::ops::Range;

/// What a file should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// The task ledger.
    Tasks,
    /// The approval ledger.
    Approvals,
    /// Closed rows.
    Archive,
    /// `NAME=VALUE` lines.
    Flags,
    /// Either ledger; its header tells.
    Either,
}

/// A file's bytes, before anybody knows whether it can be read.
#[derive(Debug, Clone)]
pub struct Source<'b> {
    /// As findings name it.
    pub name: String,
    /// Its bytes.
    pub bytes: Cow<'b, [u8]>,
    /// What it should be.
    pub expect: Expect,
}

impl<'b> Source<'b> {
    /// A text that was read already.
    pub const fn of(name: String, text: &'b str, expect: Expect) -> Self {
        Self { name, bytes: Cow::Borrowed(text.as_bytes()), expect }
    }
}

/// What a page holds.
#[derive(Debug)]
pub enum Content<'a> {
    /// The task ledger.
    Tasks(TaskLedger<'a>),
    /// Closed rows.
    Archive(TaskLedger<'a>),
    /// The approval ledger.
    Approvals(ApprovalLedger<'a>),
    /// No table.
    Flags,
}

/// One file of the book.
#[derive(Debug)]
pub struct Page<'a> {
    /// As findings name it.
    pub name: &'a str,
    /// Its text.
    pub text: &'a str,
    /// Its tables.
    pub content: Content<'a>,
    lines: OnceCell<Lines<'a>>,
    /// For each heading the detail section that it stands in.
    sections: OnceCell<Vec<Option<(usize, &'a str)>>>,
}

/// What a byte of a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// A row, by its number.
    Row(usize),
    /// What stands below a heading, by its number, or above all of them.
    Prose(Option<usize>),
}

impl<'a> Page<'a> {
    /// Where its lines begin.
    pub fn lines(&self) -> &Lines<'a> {
        self.lines.get_or_init(|| Lines::of(self.text))
    }

    /// Its tables, if it has any.
    pub const fn grid(&self) -> Option<&Grid<'a>> {
        match &self.content {
            Content::Tasks(ledger) | Content::Archive(ledger) => Some(ledger.grid()),
            Content::Approvals(ledger) => Some(ledger.grid()),
            Content::Flags => None,
        }
    }

    /// What a byte of it belongs to.
    pub fn region(&self, offset: usize) -> Region {
        let Some(grid) = self.grid() else { return Region::Prose(None) };
        let row = grid.rows.partition_point(|row| row.span.range().end <= offset);
        if grid.rows.get(row).is_some_and(|row| row.span.range().contains(&offset)) {
            return Region::Row(row);
        }
        let below = grid.headings.partition_point(|heading| heading.span.start <= offset);
        Region::Prose(below.checked_sub(1))
    }

    /// The id of the row that a region is or tells of; empty where it is of none.
    pub fn id_of(&self, region: Region) -> Cow<'_, str> {
        match region {
            Region::Row(row) => self.id(row),
            Region::Prose(heading) => {
                let section = heading.and_then(|heading| self.section(heading));
                section.map_or(Cow::Borrowed(""), |(_, id)| Cow::Borrowed(id))
            }
        }
    }

    /// The detail section that a heading begins or stands in: its own heading, and
    /// the id. Cost: all headings are looked at once.
    pub fn section(&self, heading: usize) -> Option<(usize, &'a str)> {
        *self.sections.get_or_init(|| self.find_sections()).get(heading)?
    }

    fn find_sections(&self) -> Vec<Option<(usize, &'a str)>> {
        let Some(grid) = self.grid() else { return Vec::new() };
        let document = Document::view(self.kind(), grid);
        let rows = grid.rows.iter();
        let ids: HashSet<_> =
            rows.map(|row| document.id(row)).filter(|id| !id.is_empty()).collect();
        // The headings that the present one stands below, with the section of each.
        let mut above: Vec<(u8, Option<(usize, &'a str)>)> = Vec::new();
        let each = grid.headings.iter().enumerate().map(|(at, heading)| {
            above.retain(|(level, _)| *level < heading.level);
            let (title, _) = section::title(self.text, heading);
            let own = section::ids(title).find(|id| ids.contains(*id)).map(|id| (at, id));
            let found = own.or_else(|| above.last().and_then(|(_, section)| *section));
            above.push((heading.level, found));
            found
        });
        each.collect()
    }

    const fn kind(&self) -> Kind {
        match &self.content {
            Content::Approvals(_) => Kind::Approvals,
            _ => Kind::Tasks,
        }
    }

    /// The id in a row of it; empty where it has none.
    pub fn id(&self, row: usize) -> Cow<'_, str> {
        self.grid().map_or(Cow::Borrowed(""), |grid| {
            let id = Document::view(self.kind(), grid).id(&grid.rows[row]).into_owned();
            Cow::Owned(id)
        })
    }
}

/// Where the files lie that rows name.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// The outside.
    pub sys: &'a Sys,
    /// The workspace.
    pub layout: &'a Layout,
}

impl std::fmt::Debug for Ground<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ground").field("layout", &self.layout).finish_non_exhaustive()
    }
}

/// Everything that is looked at together.
#[derive(Debug)]
pub struct Book<'a> {
    /// The files that can be read, ledgers first.
    pub pages: Vec<Page<'a>>,
    /// Files that cannot, and why.
    pub unread: Vec<Error>,
    /// Files without a ledger table, and why.
    pub without_table: Vec<Error>,
    /// The settings that count.
    pub settings: &'a Settings,
    /// Which names are one person.
    pub principals: &'a Principals,
    /// The present.
    pub now: Timestamp,
    /// Where the files lie that rows name; none for a ledger by itself.
    pub ground: Option<Ground<'a>>,
    journal: Option<&'a Journal>,
    past: OnceCell<Chronicle>,
}

impl<'a> Book<'a> {
    /// Reads every source. What cannot be read is a finding and no error.
    pub fn read(
        sources: &'a [Source<'_>],
        settings: &'a Settings,
        principals: &'a Principals,
        now: Timestamp,
    ) -> Self {
        let mut book = Self {
            pages: Vec::with_capacity(sources.len()),
            unread: Vec::new(),
            without_table: Vec::new(),
            settings,
            principals,
            now,
            ground: None,
            journal: None,
            past: OnceCell::new(),
        };
        for source in sources {
            match source::text(&source.bytes, &source.name) {
                Err(error) => book.unread.push(error),
                Ok(text) => match contents(text, &source.name, source.expect) {
                    Err(error) => book.without_table.push(error),
                    Ok(contents) => book.pages.extend(contents.into_iter().map(|content| {
                        let (lines, sections) = (OnceCell::new(), OnceCell::new());
                        Page { name: &source.name, text, content, lines, sections }
                    })),
                },
            }
        }
        book
    }

    /// With the workspace that the ledgers are of.
    #[must_use]
    pub fn on(mut self, ground: Ground<'a>) -> Self {
        self.ground = Some(ground);
        self
    }

    /// With what the journal knows.
    #[must_use]
    pub fn with_journal(mut self, journal: &'a Journal) -> Self {
        self.journal = Some(journal);
        self
    }

    /// What happened before, told from the journal once.
    pub fn past(&self) -> &Chronicle {
        self.past.get_or_init(|| self.journal.map(Chronicle::of).unwrap_or_default())
    }

    /// Every row of a task, with its cells.
    pub fn tasks(&self) -> impl Iterator<Item = TaskRow<'_, 'a>> {
        self.task_places().map(TaskPlace::read)
    }

    /// Where every row of a task stands, those in archives last. Cheap: whoever
    /// needs few rows looks at one cell first.
    pub fn task_places(&self) -> impl Iterator<Item = TaskPlace<'_, 'a>> {
        self.pages.iter().enumerate().flat_map(|(page, each)| {
            let (ledger, is_archived) = match &each.content {
                Content::Tasks(ledger) => (Some(ledger), false),
                Content::Archive(ledger) => (Some(ledger), true),
                _ => (None, false),
            };
            ledger.into_iter().flat_map(move |ledger| {
                ledger.rows().map(move |row| TaskPlace { page, ledger, row, is_archived })
            })
        })
    }

    /// Every row of an approval.
    pub fn approvals(&self) -> impl Iterator<Item = ApprovalRow<'_, 'a>> {
        self.pages.iter().enumerate().flat_map(|(page, each)| {
            let ledger = match &each.content {
                Content::Approvals(ledger) => Some(ledger),
                _ => None,
            };
            ledger.into_iter().flat_map(move |ledger| {
                ledger.rows().map(move |row| ApprovalRow {
                    page,
                    ledger,
                    row,
                    approval: ledger.approval(row),
                })
            })
        })
    }

    /// Line and column of an offset in a page, for messages.
    pub fn position(&self, at: &At) -> (usize, usize) {
        match at {
            At::Span { page, span } => self.pages[*page].lines().position(span.start),
            At::Place { line, column, .. } => (*line, *column),
            At::File(_) => (0, 0),
        }
    }
}

fn contents<'a>(text: &'a str, name: &str, expect: Expect) -> Result<Vec<Content<'a>>> {
    Ok(match expect {
        Expect::Tasks => vec![Content::Tasks(TaskLedger::parse(text, name)?)],
        Expect::Archive => vec![Content::Archive(TaskLedger::parse_any(text, name))],
        Expect::Approvals => {
            let ledger = ApprovalLedger::parse(text, name)?;
            // Prose is no ledger and needs none; a table that is none was meant as one.
            if ledger.grid().tables.is_empty() && !Grid::parse(text, |_| true).tables.is_empty() {
                return Err(Error::invalid(
                    "no ledger table: no table has the columns id, task_id, op and status",
                )
                .at(name, 0, 0));
            }
            vec![Content::Approvals(ledger)]
        }
        Expect::Flags => vec![Content::Flags],
        Expect::Either => {
            let approvals = ApprovalLedger::parse(text, name);
            let has_approvals = approvals.as_ref().is_ok_and(|a| !a.grid().tables.is_empty());
            match (TaskLedger::parse(text, name), approvals) {
                (Ok(tasks), Ok(approvals)) if has_approvals => {
                    vec![Content::Tasks(tasks), Content::Approvals(approvals)]
                }
                (Ok(tasks), _) => vec![Content::Tasks(tasks)],
                (Err(_), Ok(approvals)) if has_approvals => vec![Content::Approvals(approvals)],
                // What comes nearest tells most.
                (Err(error), Err(other)) if error.place.as_ref().is_none_or(|p| p.line == 0) => {
                    return Err(other);
                }
                (Err(error), _) => return Err(error),
            }
        }
    })
}

/// Where a finding is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// Bytes of a page.
    Span {
        /// Which page.
        page: usize,
        /// Which bytes.
        span: Range<usize>,
    },
    /// A file that is no page, or a page as a whole.
    File(String),
    /// A place in a file that is no page.
    Place {
        /// The file.
        file: String,
        /// 1-based.
        line: usize,
        /// 1-based.
        column: usize,
    },
}

/// A row of either ledger, id or not.
#[derive(Debug, Clone, Copy)]
pub struct AnyRow<'r, 'a> {
    /// Its page's number.
    pub at: usize,
    /// Its page.
    pub page: &'r Page<'a>,
    /// The page's tables.
    pub grid: &'r Grid<'a>,
    /// Its number.
    pub index: usize,
    /// The row.
    pub row: &'r Row,
}

impl AnyRow<'_, '_> {
    /// The whole row.
    pub fn whole(&self) -> At {
        At::Span { page: self.at, span: self.row.span.range() }
    }

    /// Its id, for findings.
    pub fn id(&self) -> String {
        self.page.id(self.index).into_owned()
    }
}

/// Where a task's row stands.
#[derive(Debug, Clone, Copy)]
pub struct TaskPlace<'r, 'a> {
    /// Its page's number.
    pub page: usize,
    /// Its ledger.
    pub ledger: &'r TaskLedger<'a>,
    /// Its number.
    pub row: RowId,
    /// Whether it stands in an archive.
    pub is_archived: bool,
}

impl<'r, 'a> TaskPlace<'r, 'a> {
    /// The row with its cells.
    pub fn read(self) -> TaskRow<'r, 'a> {
        let Self { page, ledger, row, is_archived } = self;
        TaskRow { page, ledger, row, task: ledger.task(row), is_archived }
    }

    /// One cell; `None` where it is empty or missing.
    pub fn cell(&self, field: TaskField) -> Option<Cow<'a, str>> {
        self.ledger.cell(self.row, field)
    }
}

/// A task's row.
#[derive(Debug)]
pub struct TaskRow<'r, 'a> {
    /// Its page's number.
    pub page: usize,
    /// Its ledger.
    pub ledger: &'r TaskLedger<'a>,
    /// Its number.
    pub row: RowId,
    /// Its cells.
    pub task: Task<'r>,
    /// Whether it stands in an archive.
    pub is_archived: bool,
}

impl TaskRow<'_, '_> {
    /// A cell of it; the row where it lacks the cell.
    pub fn at(&self, field: TaskField) -> At {
        let column = self.ledger.column(self.row, field);
        cell(self.page, self.ledger.grid(), self.ledger.row(self.row), column)
    }

    /// A part of a cell, the cell where it is not spelled so.
    pub fn at_part(&self, field: TaskField, part: &str) -> At {
        within(self.at(field), self.ledger.grid().text(), part)
    }

    /// Whether its table has a column.
    pub fn has(&self, field: TaskField) -> bool {
        self.ledger.column(self.row, field).is_some()
    }
}

/// An approval's row.
#[derive(Debug)]
pub struct ApprovalRow<'r, 'a> {
    /// Its page's number.
    pub page: usize,
    /// Its ledger.
    pub ledger: &'r ApprovalLedger<'a>,
    /// Its number.
    pub row: usize,
    /// Its cells.
    pub approval: Approval<'r>,
}

impl ApprovalRow<'_, '_> {
    /// A cell of it; the row where it lacks the cell.
    pub fn at(&self, field: ApprovalField) -> At {
        let row = &self.ledger.grid().rows[self.row];
        cell(self.page, self.ledger.grid(), row, self.ledger.column(row, field))
    }

    /// Whether its table has a column.
    pub fn has(&self, field: ApprovalField) -> bool {
        self.ledger.column(&self.ledger.grid().rows[self.row], field).is_some()
    }
}

/// A cell's text, or its blanks where it is empty.
fn cell(page: usize, grid: &Grid<'_>, row: &Row, column: Option<usize>) -> At {
    let Some(span) = column.and_then(|column| grid.span(row, column)) else {
        return At::Span { page, span: row.span.range() };
    };
    let raw = &grid.text()[span.clone()];
    let text = trim(raw);
    if text.is_empty() {
        return At::Span { page, span };
    }
    let start = span.start + (raw.len() - raw.trim_start_matches([' ', '\t']).len());
    At::Span { page, span: start..start + text.len() }
}

fn within(at: At, text: &str, part: &str) -> At {
    match at {
        At::Span { page, span } => {
            let inside = text[span.clone()].find(part).filter(|_| !part.is_empty());
            let span = inside.map_or(span.clone(), |from| {
                let start = span.start + from;
                start..start + part.len()
            });
            At::Span { page, span }
        }
        other => other,
    }
}
