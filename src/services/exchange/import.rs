//! `import`: rows of a file become tasks, all of them or none.
//!
//! Here: which rows are new, what a new row says, who may bring it in. Not here: rows
//! that stand in the ledger already (`update`), what names mean (`fields`).
//!
//! A lease is nothing to import: lock cells are left out, and a row in DOING comes in
//! as READY. Every other state comes in as it is, by CMD. Invariant: an import gives
//! nobody more than `add` and CMD's commands do, but that a closed row need not have
//! been worked on here.

use super::circle::no_circle;
use super::fields::{self, Known, Line, Mapping, Target};
use super::sheet::{Cell, Sheet, Source};
use super::{export, update};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::render::column_named;
use crate::ledger::tasks::TaskLedger;
use crate::model::actor::Role;
use crate::model::field::TaskField;
use crate::model::history::TaskHistory;
use crate::model::operation::{Column, Operation};
use crate::model::outcome::Outcome;
use crate::model::task::Task;
use crate::model::task_state::State;
use crate::model::time::Timestamp;
use crate::model::value::{attribute, depends, is_refused, with_attribute};
use crate::services::change::Decision;
use crate::services::context::{Context, Identity};
use crate::services::draft::Draft;
use crate::services::gates;
use crate::services::ids::{self, Given};
use crate::services::tasks::{check_due, check_owner, check_priority};
use crate::store::snapshot::Snapshot;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

/// What becomes of a row whose id is in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Nothing is imported.
    Fail,
    /// The row is left out.
    Skip,
    /// What differs is set.
    Update,
}

/// What `import` asks.
#[derive(Debug)]
pub struct Request {
    /// The file.
    pub source: Source,
    /// What it says.
    pub sheet: Sheet,
    /// `--map`
    pub map: Vec<Mapping>,
    /// `--existing`
    pub existing: Existing,
    /// Where the row of each task stands, once that is decided.
    pub places: RefCell<HashMap<String, usize>>,
}

impl Request {
    /// What only the finished text showed to be wrong, with the place of its row.
    pub fn locate(&self, error: Error) -> Error {
        let subject = error.aside.as_ref().and_then(|aside| aside.subject.as_ref());
        match subject.and_then(|id| self.places.borrow().get(id).copied()) {
            Some(at) => self.source.locate(at, error),
            None => error,
        }
    }
}

/// How many ids are named where there may be thousands.
const NAMED: usize = 5;

/// Decides an import.
///
/// # Errors
/// `usage` with file, line and column for what cannot be read or no cell takes;
/// `not_allowed` for ids that were given before and for states that only CMD sets.
pub fn import(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    request: &Request,
    note: Option<&str>,
    now: Timestamp,
) -> Result<Decision> {
    let Request { source, sheet, .. } = request;
    let targets = fields::resolve(sheet, &request.map, &snapshot.tasks)
        .map_err(|error| if error.hint.is_some() { error } else { source.locate(0, error) })?;
    if sheet.rows.is_empty() {
        return Err(source.error(0, "no task stands in this file"));
    }
    let lines: Vec<Line<'_>> = sheet.rows.iter().map(|row| Line::of(row, &targets)).collect();
    for line in &lines {
        legible(source, line)?;
    }
    let mut reader = Reader { ctx, snapshot, who, source, note, now, tally: Tally::default() };
    reader.tally.notices.clone_from(&sheet.notices);
    reader.tally.leave_out(sheet, &targets);
    let places = reader.places(&lines, request.existing)?;
    let mut decision = Decision::new(Outcome::default());
    let mut touched = Vec::new();
    let mut details = Vec::new();
    let mut graph = HashMap::new();
    for (line, place) in lines.iter().zip(places) {
        let one = match &place {
            Place::LeftOut => continue,
            Place::New(id) => reader.add(line, id, &mut decision)?,
            Place::There(id) => {
                let one = update::update(&mut reader, line, id, &mut decision)?;
                let Some(one) = one else { continue };
                one
            }
        };
        let (Place::New(id) | Place::There(id)) = place else { continue };
        if let Some(depends) = one.depends {
            graph.insert(id.clone(), (depends, line.at));
        }
        details.extend(one.detail.map(|(title, text)| Operation::SetDetail {
            id: id.clone(),
            title,
            text,
        }));
        request.places.borrow_mut().insert(id.clone(), line.at);
        touched.push(id);
    }
    no_circle(source, &snapshot.tasks, &graph)?;
    // Rows first: sections stand behind the last of them.
    decision.operations.extend(details);
    decision.warnings.extend(reader.tally.said());
    decision.outcome.already = decision.operations.is_empty();
    decision.outcome.tasks = Some(touched);
    Ok(decision)
}

/// What a row comes to.
enum Place {
    /// A new task of this id.
    New(String),
    /// The task that is there.
    There(String),
    /// Nothing: it is there, and stays as it is.
    LeftOut,
}

/// What a row leaves to do once all rows are known.
pub(super) struct One {
    /// What it depends on, where that is said.
    pub(super) depends: Option<Vec<String>>,
    /// Its title and the text of its detail section.
    pub(super) detail: Option<(String, String)>,
}

/// What rows are read with.
pub(super) struct Reader<'r> {
    pub(super) ctx: &'r Context,
    pub(super) snapshot: &'r Snapshot<'r>,
    pub(super) who: &'r Identity,
    pub(super) source: &'r Source,
    pub(super) note: Option<&'r str>,
    pub(super) now: Timestamp,
    pub(super) tally: Tally,
}

/// What is told at the end.
#[derive(Default)]
pub(super) struct Tally {
    notices: Vec<String>,
    /// Rows that had lock cells.
    pub(super) leases: Vec<String>,
    /// Rows that were in DOING.
    pub(super) doing: Vec<String>,
    /// Rows in DOING that are there and are not.
    pub(super) unclaimed: Vec<String>,
    /// Names without a column, and in how many rows they went to the notes.
    pub(super) others: HashMap<String, usize>,
    /// Rows whose empty cell took the notes away.
    pub(super) no_notes: Vec<String>,
    /// The same of detail sections.
    pub(super) no_detail: Vec<String>,
    skipped: Vec<String>,
    former: Vec<String>,
}

impl Tally {
    fn leave_out(&mut self, sheet: &Sheet, targets: &[Target]) {
        let names = sheet.names.iter().zip(targets);
        let left_out = names.filter(|(_, target)| **target == Target::Nothing);
        let names: Vec<String> = left_out
            .filter(|(name, _)| !name.text.is_empty())
            .map(|(name, _)| format!("`{}`", name.text))
            .collect();
        if !names.is_empty() {
            self.notices.push(format!("left out, as `--map` says: {}", names.join(", ")));
        }
    }

    fn said(self) -> Vec<String> {
        let mut said = self.notices;
        let mut tell = |ids: &[String], what: &dyn Fn(&str) -> String| {
            if !ids.is_empty() {
                said.push(what(&named(ids)));
            }
        };
        tell(&self.skipped, &|ids| format!("in the ledger already, and left as they are: {ids}"));
        tell(&self.former, &|ids| format!("left out, as their ids were given before: {ids}"));
        tell(&self.leases, &|ids| {
            format!("a lease is not imported: the lock cells of {ids} were left out")
        });
        tell(&self.doing, &|ids| {
            format!("in DOING in the file, which takes a claim, and imported as READY: {ids}")
        });
        tell(&self.unclaimed, &|ids| {
            format!("in DOING in the file, which takes a claim, and left in their state: {ids}")
        });
        tell(&self.no_notes, &|ids| format!("notes cleared, as the cell is empty: {ids}"));
        tell(&self.no_detail, &|ids| format!("detail removed, as the cell is empty: {ids}"));
        let mut others: Vec<_> = self.others.into_iter().collect();
        others.sort();
        for (name, rows) in others {
            let rows = if rows == 1 { "1 row".to_owned() } else { format!("{rows} rows") };
            said.push(format!("no column `{name}` here: kept in `notes` ({rows})"));
        }
        said
    }
}

/// `001`, `002` and 7 more
fn named(ids: &[String]) -> String {
    let first: Vec<String> = ids.iter().take(NAMED).map(|id| format!("`{id}`")).collect();
    match ids.len().checked_sub(NAMED) {
        Some(more @ 1..) => format!("{} and {more} more", first.join(", ")),
        _ => first.join(", "),
    }
}

/// Refuses characters that no cell takes, with their place.
fn legible(source: &Source, line: &Line<'_>) -> Result<()> {
    let known = |known| line.cell(known).map(|cell| (cell, false));
    let one_line = [Known::Id, Known::State, Known::Owner, Known::Due, Known::Artifact];
    let one_line = one_line.into_iter().chain([Known::Priority, Known::Depends]).filter_map(known);
    let long = [Known::Title, Known::Notes, Known::Detail].into_iter();
    let long = long.filter_map(|known| line.cell(known).map(|cell| (cell, true)));
    let columns = line.columns.iter().map(|(_, cell)| (*cell, false));
    let others = line.others.iter().map(|(_, cell)| (*cell, true));
    let detail = line.cell(Known::Detail);
    for (cell, takes_lines) in one_line.chain(long).chain(columns).chain(others) {
        let text = cell.text.replace("\r\n", "\n");
        let text = text.trim_end_matches('\n');
        let is_detail = detail.is_some_and(|detail| std::ptr::eq(detail, cell));
        let is_wrong = |c: &char| match c {
            '\n' => !takes_lines,
            '\t' => !is_detail,
            c => is_refused(*c),
        };
        if let Some(c) = text.chars().find(is_wrong) {
            let what = if c == '\n' {
                "a line break, and its column takes one line".to_owned()
            } else {
                format!("U+{:04X}, a control or bidirectional character", c as u32)
            };
            return Err(source.error(cell.at, format!("the value holds {what}")));
        }
    }
    Ok(())
}

/// A value as a cell will have it; nothing where it is empty.
pub(super) fn plain(cell: &Cell) -> String {
    let text = cell.text.replace("\r\n", "\n");
    let text = text.trim_matches(['\n', ' ']).replace('\n', "<br>");
    if text == "-" { String::new() } else { text }
}

/// The text of a detail cell.
pub(super) fn plain_detail(cell: &Cell) -> String {
    let text = export::plain_detail(&cell.text);
    if text == "-" { String::new() } else { text }
}

/// Notes with a value that has no column: an attribute where it can be one, else in
/// words.
pub(super) fn with_other(notes: &str, name: &str, value: &str) -> String {
    let name = name.trim();
    let set = with_attribute(notes, name, Some(value));
    if attribute(&set, name) == Some(value) {
        return set;
    }
    let words = format!("{name}: {value}");
    if notes.contains(&words) {
        return notes.to_owned();
    }
    crate::model::value::append(notes, &words).into_owned()
}

/// The ids of a `depends` cell, joined as a cell has them.
pub(super) fn joined(text: &str) -> String {
    let ids: Vec<&str> = depends(text).filter(|id| *id != "-").collect();
    ids.join("+")
}

impl Reader<'_> {
    /// Says of every row what it comes to.
    fn places(&mut self, lines: &[Line<'_>], existing: Existing) -> Result<Vec<Place>> {
        let tasks = &self.snapshot.tasks;
        let former = self.former()?;
        let mut given: HashMap<String, usize> = HashMap::new();
        let mut places = Vec::with_capacity(lines.len());
        let (mut there, mut gone) = (Vec::new(), Vec::new());
        let mut unnamed = 0;
        for line in lines {
            let id = line.cell(Known::Id).map(plain).unwrap_or_default();
            if id.is_empty() {
                unnamed += 1;
                places.push(None);
                continue;
            }
            let at = line.cell(Known::Id).map_or(line.at, |cell| cell.at);
            if let Some(first) = given.insert(id.clone(), at) {
                let first = self.source.line(first);
                let message =
                    format!("the id `{id}` stands twice in this file; first in line {first}");
                return Err(self.source.error(line.at, message));
            }
            let place = if !tasks.rows_of(&id).is_empty() {
                there.push(id.clone());
                if existing == Existing::Update { Place::There(id) } else { Place::LeftOut }
            } else if former.contains(&id) {
                gone.push(id);
                Place::LeftOut
            } else {
                self.check_id(line, &id)?;
                Place::New(id)
            };
            places.push(Some(place));
        }
        if existing == Existing::Skip {
            (self.tally.skipped, self.tally.former) = (there, gone);
        } else {
            let at = |ids: &[String]| ids.first().and_then(|id| given.get(id)).copied();
            refuse(existing, &there, &gone)
                .map_err(|(ids, error)| self.source.locate(at(ids).unwrap_or_default(), error))?;
        }
        let mut rows: Vec<String> = tasks.rows().map(|row| tasks.id(row).into_owned()).collect();
        rows.extend(lines.iter().filter_map(|line| line.cell(Known::Id)).map(plain));
        rows.retain(|id| !id.is_empty());
        let configured = self.ctx.settings.ids.tasks.clone();
        let new = if unnamed > 0 {
            ids::several(self.ctx, Given { rows, former, configured, prefix: "" }, unnamed)
        } else {
            Vec::new()
        };
        let mut new = new.into_iter();
        Ok(places
            .into_iter()
            .map(|place| place.or_else(|| new.next().map(Place::New)).unwrap_or(Place::LeftOut))
            .collect())
    }

    /// Every id that was given and is not in the ledger.
    fn former(&self) -> Result<HashSet<String>> {
        let mut former: HashSet<String> = HashSet::new();
        for text in self.snapshot.archives()?.values() {
            let archive = TaskLedger::parse_any(text, "archive");
            former.extend(archive.rows().map(|row| archive.id(row).into_owned()));
        }
        former.extend(self.snapshot.journal()?.given_ids());
        Ok(former)
    }

    /// An id that others chose is spelled as one of ours, but that letters and signs
    /// beyond ASCII are kept: a shell, a path and a cell that names ids take it as it is.
    fn check_id(&self, line: &Line<'_>, id: &str) -> Result<()> {
        const LONGEST: usize = 64;
        let taken = |c: char| match c {
            '.' | '_' | '-' => true,
            c if c.is_ascii() => c.is_ascii_alphanumeric(),
            c => !c.is_whitespace(),
        };
        let why = match id.chars().find(|c| !taken(*c)) {
            Some(bad) => format!("it holds `{bad}`"),
            None if id.starts_with(['.', '_', '-']) => {
                format!("it begins with `{}`", &id[..1])
            }
            None if id.chars().count() > LONGEST => format!("it is longer than {LONGEST}"),
            None => return Ok(()),
        };
        let at = line.cell(Known::Id).map_or(line.at, |cell| cell.at);
        let message =
            format!("`{id}` cannot be an id: {why}; with `--map id=` every row gets a new id");
        Err(self.source.error(at, message))
    }

    /// A new row.
    fn add(&mut self, line: &Line<'_>, id: &str, decision: &mut Decision) -> Result<One> {
        let source = self.source;
        let mut draft = Draft::new(id);
        let title = line.cell(Known::Title).map(plain).unwrap_or_default();
        if title.is_empty() {
            return Err(source.error(line.at, "the row has no title, and a task needs one"));
        }
        draft.set(TaskField::Title, Some(title.clone()));
        let state = self.state(line, id, decision)?;
        draft.set(TaskField::State, Some(state.as_str().to_owned()));
        if let Some(owner) = self.checked(line, Known::Owner, check_owner)? {
            draft.set(TaskField::Owner, Some(owner));
        }
        if let Some(due) = self.checked(line, Known::Due, check_due)? {
            draft.set(TaskField::Due, Some(due));
        }
        let artifact = line.cell(Known::Artifact).map(plain);
        draft.set(TaskField::Artifact, artifact.filter(|text| !text.is_empty()));
        for (name, cell) in &line.columns {
            let value = plain(cell);
            draft.set(Column::Extra((*name).to_owned()), (!value.is_empty()).then_some(value));
        }
        let mut notes = line.cell(Known::Notes).map(plain).unwrap_or_default();
        for (name, cell) in &line.others {
            let value = plain(cell);
            if !value.is_empty() {
                notes = with_other(&notes, name, &value);
                *self.tally.others.entry((*name).to_owned()).or_default() += 1;
            }
        }
        let priority = self.checked(line, Known::Priority, check_priority)?;
        let priority = priority.filter(|_| line.word(Known::Priority).is_some());
        let named_in = |name| attribute(&notes, name).map(str::to_owned);
        let noted = check_priority(&named_in("priority").unwrap_or_default()).ok().flatten();
        let wanted = line.word(Known::Depends).map(|cell| joined(&plain(cell))).unwrap_or_default();
        let noted_depends = joined(&named_in("depends").unwrap_or_default());
        draft.set(TaskField::Notes, Some(notes));
        if priority.is_some() && priority != noted {
            self.word(&mut draft, line, Known::Priority, priority)?;
        }
        let depends = if wanted.is_empty() { noted_depends.clone() } else { wanted };
        if depends != noted_depends {
            self.word(&mut draft, line, Known::Depends, Some(depends.clone()))?;
        }
        if let Some(note) = self.note {
            draft.note(note);
        }
        self.may_be_done(line, id, state)?;
        decision
            .operations
            .push(Operation::AddTask { id: id.to_owned(), cells: draft.into_cells() });
        let detail = line.cell(Known::Detail).map(plain_detail).filter(|text| !text.is_empty());
        let ids: Vec<String> =
            depends.split('+').filter(|d| !d.is_empty()).map(str::to_owned).collect();
        Ok(One {
            depends: (!ids.is_empty()).then_some(ids),
            detail: detail.map(|text| (title.replace("<br>", " "), text)),
        })
    }

    /// The state of a new row.
    fn state(&mut self, line: &Line<'_>, id: &str, decision: &mut Decision) -> Result<State> {
        if line.locks.iter().any(|cell| !plain(cell).is_empty()) {
            self.tally.leases.push(id.to_owned());
        }
        let Some(cell) = line.cell(Known::State) else { return Ok(State::Plan) };
        let Some(state) = self.known_state(cell)? else { return Ok(State::Plan) };
        if state == State::Plan {
            return Ok(state);
        }
        if !self.who.may(self.who.actor.role() == Role::Cmd, &mut decision.waivers) {
            let message = format!(
                "`{id}` is in {state}, and rows beyond PLAN are imported by CMD; you are `{}`; with \
                 `--map state=` every row comes in as PLAN",
                self.who.actor
            );
            return Err(self.source.locate(cell.at, Error::not_allowed(message)));
        }
        if state == State::Doing {
            self.tally.doing.push(id.to_owned());
            return Ok(State::Ready);
        }
        Ok(state)
    }

    /// The state that a cell names; none where it is empty.
    pub(super) fn known_state(&self, cell: &Cell) -> Result<Option<State>> {
        let text = plain(cell);
        if text.is_empty() {
            return Ok(None);
        }
        State::parse(&text.to_ascii_uppercase()).map(Some).ok_or_else(|| {
            let all = State::ALL.map(State::as_str).join(", ");
            self.source.error(cell.at, format!("`{text}` is no state; the states are {all}"))
        })
    }

    /// A cell's value, judged as `add` and `set` judge it.
    pub(super) fn checked(
        &self,
        line: &Line<'_>,
        known: Known,
        check: impl Fn(&str) -> Result<Option<String>>,
    ) -> Result<Option<String>> {
        let Some(cell) = line.cell(known) else { return Ok(None) };
        check(&plain(cell)).map_err(|error| self.source.locate(cell.at, error))
    }

    /// Sets the column of that name, else the attribute.
    fn word(
        &self,
        draft: &mut Draft,
        line: &Line<'_>,
        known: Known,
        value: Option<String>,
    ) -> Result<()> {
        match column_named(&self.snapshot.tasks, known.name()) {
            Some(column) => draft.set(column, value),
            None => draft.attribute(known.name(), value.as_deref()).map_err(|error| {
                self.source.locate(line.cell(known).map_or(line.at, |cell| cell.at), error)
            })?,
        }
        Ok(())
    }

    /// A row that is DONE needs the approvals that `done` would need.
    fn may_be_done(&self, line: &Line<'_>, id: &str, state: State) -> Result<()> {
        let required = &self.ctx.settings.approvals.required;
        let asks = || self.snapshot.approvals.of_task(id).next().is_some();
        if state != State::Done || (required.is_empty() && !asks()) {
            return Ok(());
        }
        let task = Task { id: id.into(), ..Task::default() };
        gates::approvals(self.ctx, self.snapshot, &task, &TaskHistory::default(), self.now).map_err(
            |error| match error.kind {
                ErrorKind::ApprovalRequired | ErrorKind::Stale => {
                    self.source.locate(line.at, error)
                }
                _ => error,
            },
        )
    }
}

/// Says which ids stand in the way: those, and why.
fn refuse<'i>(
    existing: Existing,
    there: &'i [String],
    gone: &'i [String],
) -> Result<(), (&'i [String], Error)> {
    if existing == Existing::Fail && !there.is_empty() {
        let verb = if there.len() == 1 { "is" } else { "are" };
        let error = Error::not_allowed(format!(
            "{} {verb} in the ledger already; `--existing skip` leaves such rows as they are, \
             `--existing update` sets what differs",
            named(there)
        ));
        return Err((there, error));
    }
    if !gone.is_empty() {
        let verb = if gone.len() == 1 { "the id was" } else { "the ids were" };
        let error = Error::not_allowed(format!(
            "{verb} given before, and no id is given twice: {}; an import that was undone comes \
             back by `orch redo`; `--map id=` gives every row a new id, `--existing skip` leaves \
             such rows out",
            named(gone)
        ));
        return Err((gone, error));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_without_a_column_are_attributes_or_words() {
        assert_eq!(with_other("", "sprint", "7"), "sprint=7");
        assert_eq!(with_other("a", "sprint", "7"), "a・sprint=7");
        assert_eq!(with_other("sprint=6", "sprint", "7"), "sprint=7");
        assert_eq!(with_other("a", "Asked by", "Eve B."), "a・Asked by: Eve B.");
        assert_eq!(with_other("Asked by: Eve B.", "Asked by", "Eve B."), "Asked by: Eve B.");
        assert_eq!(with_other("", "labels", "a, b"), "labels: a, b");
    }

    #[test]
    fn few_ids_are_named() {
        let ids: Vec<String> = (1..=7).map(|n| n.to_string()).collect();
        assert_eq!(named(&ids), "`1`, `2`, `3`, `4`, `5` and 2 more");
        assert_eq!(named(&ids[..2]), "`1`, `2`");
    }
}
