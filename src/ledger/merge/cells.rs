//! One row, merged cell by cell under the columns that its table will have.
//!
//! Here: what is taken from which side, and what cannot be. Not here: whether a
//! row stays and where (`weave`). Invariant: a cell of the result is a cell of
//! a side, or both sides' notes; a decision (a claim, a verdict) is taken from
//! one side as a whole or not at all.

use crate::ledger::cell::{empty_spelling, fit};
use crate::ledger::compare::value;
use crate::ledger::document::Kind;
use crate::ledger::merge::layout::{Key, Layouts};
use crate::ledger::merge::side::{BASE, OURS, Side, THEIRS};
use crate::ledger::merge::{Cell, Why, notes};
use crate::ledger::source;
use crate::ledger::table::{Align, Row, trim};
use crate::model::actor::Actor;
use crate::model::task::owns;
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// What a claim is, together: who may work, and until when.
const CLAIM: [&str; 4] = ["state", "lock", "lock_owner", "lock_expires_at"];

/// What a verdict is, together: what was asked, by whom, and what was said.
const VERDICT: [&str; 8] =
    ["task_id", "op", "status", "requested_by", "approver", "approver_role", "ts_dec", "evidence"];

/// Which kind of line is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// A row of the ledger.
    Row,
    /// A header row: its cells are names.
    Header,
    /// A delimiter row: its cells say how columns lean.
    Delimiter,
}

/// A merged line.
#[derive(Debug)]
pub(super) enum Combined<'a> {
    /// One text.
    Clean(Cow<'a, str>, usize),
    /// Two, each with what merged already.
    Conflict { ours: String, theirs: String, cells: Vec<Cell>, why: Why },
}

/// Where the columns of a result are in a side's table, and which of the side's
/// columns have no place there.
#[derive(Debug)]
struct Places {
    to: Vec<Option<usize>>,
    lost: Vec<usize>,
    same: bool,
}

/// Merges rows of three sides.
#[derive(Debug)]
pub(super) struct Cells<'s, 'a> {
    kind: Kind,
    sides: &'s [Side<'a>; 3],
    layouts: &'s Layouts,
    places: RefCell<HashMap<(usize, usize, usize), Rc<Places>>>,
    empties: RefCell<HashMap<(usize, usize), &'s str>>,
}

impl<'s, 'a> Cells<'s, 'a> {
    pub(super) fn new(kind: Kind, sides: &'s [Side<'a>; 3], layouts: &'s Layouts) -> Self {
        Self { kind, sides, layouts, places: RefCell::default(), empties: RefCell::default() }
    }

    fn places(&self, side: usize, table: usize, into: usize) -> Rc<Places> {
        let mut cache = self.places.borrow_mut();
        let made = cache.entry((side, table, into)).or_insert_with(|| {
            let (own, keys) = (&self.layouts.keys[side][table], &self.layouts.tables[into].keys);
            let place = |key: &Key| own.iter().position(|k| k == key);
            Rc::new(Places {
                to: keys.iter().map(place).collect(),
                lost: (0..own.len()).filter(|c| !keys.contains(&own[*c])).collect(),
                same: own == keys,
            })
        });
        Rc::clone(made)
    }

    /// The whole line of a row, without its end.
    pub(super) fn line(&self, side: usize, row: &Row) -> &'a str {
        let text = self.sides[side].document.grid().text();
        let span = row.span.range();
        &text[source::line_start(text, span.start)..source::line_end(text, span.end)]
    }

    fn raw(&self, side: usize, row: &Row, column: usize) -> Option<&'a str> {
        (column < row.len()).then(|| self.sides[side].document.grid().raw(row, column))
    }

    /// Whether a side's row says what the base's did, by column names. A column
    /// that the side's table has no more is the table's change, not the row's.
    pub(super) fn same(&self, a: (usize, &Row), b: (usize, &Row)) -> bool {
        if self.line(a.0, a.1) == self.line(b.0, b.1)
            && self.layouts.keys[a.0][a.1.table as usize]
                == self.layouts.keys[b.0][b.1.table as usize]
        {
            return true;
        }
        let keys = |(side, row): (usize, &Row)| &self.layouts.keys[side][row.table as usize];
        let (left, right) = (keys(a), keys(b));
        let of = |(side, row): (usize, &Row), column: usize| {
            value(self.raw(side, row, column).unwrap_or_default())
        };
        let at = |keys: &[Key], key: &Key| keys.iter().position(|k| k == key);
        let both = left.iter().enumerate().all(|(column, key)| match at(right, key) {
            Some(there) => of(a, column) == of(b, there),
            None => true,
        });
        let rest = |x: (usize, &Row), own: &[Key], others: &[Key]| {
            let named = own.iter().enumerate().filter(|(_, key)| at(others, key).is_none());
            let beyond = own.len()..x.1.len();
            named.map(|(column, _)| column).chain(beyond).all(|column| of(x, column).is_empty())
        };
        both && rest(b, right, left) && (left.len()..a.1.len()).all(|c| of(a, c).is_empty())
    }

    /// Merges what the sides have of one line; one of them may lack it. `into`
    /// is the table that it will be in.
    pub(super) fn combine(&self, rows: [Option<&Row>; 3], into: usize, of: Of) -> Combined<'a> {
        let places = [0, 1, 2].map(|n| rows[n].map(|r| self.places(n, r.table as usize, into)));
        let fits = |n: usize| places[n].as_ref().is_some_and(|p| p.same);
        let line = |n: usize| rows[n].map(|row| self.line(n, row));
        let [b, o, t] = [0, 1, 2].map(line);
        let plain = [0, 1, 2].into_iter().all(|n| rows[n].is_none() || fits(n));
        let whole = |n: usize| {
            Combined::Clean(Cow::Borrowed(line(n).unwrap_or_default()), rows[n].map_or(0, Row::len))
        };
        if plain {
            match () {
                () if o.is_none() && t.is_none() => return whole(BASE),
                () if o == t || (b == t && o.is_some()) => return whole(OURS),
                () if b == o && t.is_some() => return whole(THEIRS),
                () if t.is_none() => return whole(OURS),
                () if o.is_none() => return whole(THEIRS),
                () => {}
            }
        }
        Merging { cells: self, rows, places, into, of, from: self.layouts.tables[into].from }.run()
    }

    /// One side's row as it is under the columns of a table.
    pub(super) fn carried(&self, side: usize, row: &Row, into: usize) -> Combined<'a> {
        let mut rows = [None; 3];
        rows[side] = Some(row);
        self.combine(rows, into, Of::Row)
    }

    /// How a column of a result spells an empty cell.
    fn empty(&self, into: usize, column: usize) -> &'s str {
        self.empties.borrow_mut().entry((into, column)).or_insert_with(|| {
            let table = &self.layouts.tables[into];
            let grid = self.sides[table.from].document.grid();
            match table.at[table.from].map(|index| &grid.tables[index]) {
                Some(table) => empty_spelling(grid, table, table.rows.end, column),
                None => "-",
            }
        })
    }

    fn align(&self, into: usize, column: usize) -> Align {
        let table = &self.layouts.tables[into];
        let grid = self.sides[table.from].document.grid();
        table.at[table.from].map_or(Align::Left, |index| grid.align(&grid.tables[index], column))
    }
}

/// What one cell becomes: a spelling, nothing at all, or a question.
#[derive(Debug, Clone)]
enum Taken<'a> {
    One(Option<Cow<'a, str>>),
    Two,
}

/// One row that is being merged.
struct Merging<'m, 's, 'a> {
    cells: &'m Cells<'s, 'a>,
    rows: [Option<&'m Row>; 3],
    places: [Option<Rc<Places>>; 3],
    into: usize,
    of: Of,
    /// The side whose columns the table has.
    from: usize,
}

impl<'a> Merging<'_, '_, 'a> {
    fn run(&self) -> Combined<'a> {
        let keys = &self.cells.layouts.tables[self.into].keys;
        let beyond = (0..3).filter_map(|n| {
            let own = &self.cells.layouts.keys[n];
            self.rows[n].map(|row| row.len().saturating_sub(own[row.table as usize].len()))
        });
        let width = keys.len() + beyond.max().unwrap_or(0);
        let mut taken: Vec<Taken<'a>> = (0..width).map(|column| self.cell(column)).collect();
        let mut why = None;
        if self.rows[BASE].is_none() && taken.iter().any(|t| matches!(t, Taken::Two)) {
            why = Some(Why::AddedTwice);
        }
        if self.of == Of::Row && self.rows[OURS].is_some() && self.rows[THEIRS].is_some() {
            why = why.or(self.groups(&mut taken));
        }
        let lost = self.lost();
        if taken.iter().any(|t| matches!(t, Taken::Two)) {
            why = why.or(Some(Why::Changed));
        }
        if why.is_none() && lost.is_empty() {
            let (line, cells) = self.assemble(&taken, OURS);
            return Combined::Clean(Cow::Owned(line), cells);
        }
        let mut cells: Vec<Cell> = taken
            .iter()
            .enumerate()
            .filter(|(_, taken)| matches!(taken, Taken::Two))
            .map(|(column, _)| Cell {
                column: self.name(column),
                ours: self.value(OURS, column).to_owned(),
                theirs: self.value(THEIRS, column).to_owned(),
            })
            .collect();
        let half = |n: usize| match self.rows[n] {
            // What has no column any more is shown as it stood.
            Some(row) if lost.iter().any(|(side, _)| *side == n) => {
                self.cells.line(n, row).to_owned()
            }
            Some(_) => self.assemble(&taken, n).0,
            None => String::new(),
        };
        let (ours, theirs) = (half(OURS), half(THEIRS));
        cells.extend(lost.into_iter().map(|(_, cell)| cell));
        let why = why.unwrap_or(Why::ColumnDropped);
        Combined::Conflict { ours, theirs, cells, why }
    }

    fn name(&self, column: usize) -> String {
        let keys = &self.cells.layouts.tables[self.into].keys;
        match keys.get(column).filter(|key| !key.starts_with('\n')) {
            Some(key) => key.clone(),
            None => format!("cell {}", column + 1),
        }
    }

    fn raw(&self, side: usize, column: usize) -> Option<&'a str> {
        let row = self.rows[side]?;
        let places = self.places[side].as_ref()?;
        let at = if column < places.to.len() {
            places.to[column]?
        } else {
            let own = &self.cells.layouts.keys[side][row.table as usize];
            own.len() + column - places.to.len()
        };
        self.cells.raw(side, row, at)
    }

    fn value(&self, side: usize, column: usize) -> &'a str {
        self.read(self.raw(side, column))
    }

    /// What a cell says, whatever its padding.
    fn read(&self, raw: Option<&'a str>) -> &'a str {
        let raw = raw.unwrap_or_default();
        match self.of {
            Of::Row => value(raw),
            Of::Header => trim(raw),
            Of::Delimiter => {
                let text = trim(raw);
                match (text.starts_with(':'), text.len() > 1 && text.ends_with(':')) {
                    (true, true) => "center",
                    (true, false) => "left",
                    (false, true) => "right",
                    (false, false) => "",
                }
            }
        }
    }

    fn cell(&self, column: usize) -> Taken<'a> {
        let [b, o, t] = [0, 1, 2].map(|n| self.raw(n, column));
        let one = |raw: Option<&'a str>| Taken::One(raw.map(Cow::Borrowed));
        match (self.rows[OURS].is_some(), self.rows[THEIRS].is_some()) {
            (true, false) => return one(o),
            (false, true) => return one(t),
            (false, false) => return one(b),
            (true, true) => {}
        }
        let based = self.rows[BASE].is_some();
        if o == t || (based && b == t) {
            return one(o);
        }
        if based && b == o {
            return one(t);
        }
        let [vb, vo, vt] = [b, o, t].map(|raw| self.read(raw));
        if vo == vt {
            // One of two spellings, whichever side is called ours: the wider.
            return one(o.wider(t));
        }
        if based && vo == vb {
            return Taken::One(Some(self.spelled_as(o, t, column)));
        }
        if based && vt == vb {
            return Taken::One(Some(self.spelled_as(t, o, column)));
        }
        let appended = (self.of == Of::Row && based && self.name(column) == "notes")
            .then(|| notes::both(vb, vo, vt))
            .flatten();
        match appended {
            Some(notes) => {
                let like = o.wider(t).unwrap_or_default();
                Taken::One(Some(Cow::Owned(fit(like, &notes, self.align(column)))))
            }
            None => Taken::Two,
        }
    }

    fn align(&self, column: usize) -> Align {
        self.cells.align(self.into, column)
    }

    /// A new value in the width of the side that only respelled the cell.
    fn spelled_as(
        &self,
        like: Option<&'a str>,
        by: Option<&'a str>,
        column: usize,
    ) -> Cow<'a, str> {
        let by = by.unwrap_or_default();
        match like {
            Some(like) if self.of != Of::Delimiter && !trim(by).is_empty() => {
                Cow::Owned(fit(like, trim(by), self.align(column)))
            }
            _ => Cow::Borrowed(by),
        }
    }

    /// Makes decisions whole: where both sides changed one in two ways, all of
    /// it is in question.
    fn groups(&self, taken: &mut [Taken<'a>]) -> Option<Why> {
        let (group, why): (&[&str], _) = match self.cells.kind {
            Kind::Tasks => (&CLAIM, Why::ClaimedTwice),
            Kind::Approvals => (&VERDICT, Why::DecidedTwice),
        };
        let keys = &self.cells.layouts.tables[self.into].keys;
        let columns = || (0..keys.len()).filter(|c| group.contains(&keys[*c].as_str()));
        let differ = |a: usize, b: usize| columns().any(|c| self.value(a, c) != self.value(b, c));
        self.rows[BASE]?;
        let mut found = None;
        if differ(BASE, OURS) && differ(BASE, THEIRS) && differ(OURS, THEIRS) {
            // Whose task it is goes with who works on it: a half with one side's
            // owner and the other's holder was nobody's.
            let owner = (0..keys.len()).filter(|c| why == Why::ClaimedTwice && keys[*c] == "owner");
            for column in columns().chain(owner) {
                if self.value(OURS, column) != self.value(THEIRS, column) {
                    taken[column] = Taken::Two;
                }
            }
            found = Some(why);
        }
        found.or_else(|| self.given_away(taken))
    }

    /// Whether one side gave a task to somebody and the other claimed it for
    /// somebody else: both would hold it to be theirs.
    fn given_away(&self, taken: &mut [Taken<'a>]) -> Option<Why> {
        let keys = &self.cells.layouts.tables[self.into].keys;
        let column = |name: &str| keys.iter().position(|key| key == name);
        let (owner, holder) = (column("owner")?, column("lock_owner")?);
        if self.cells.kind != Kind::Tasks {
            return None;
        }
        for (giver, claimer) in [(OURS, THEIRS), (THEIRS, OURS)] {
            let [was, given, kept] = [BASE, giver, claimer].map(|n| self.value(n, owner));
            let (before, after) = (self.value(BASE, holder), self.value(claimer, holder));
            let claimed = !after.is_empty() && before != after && given != kept;
            let Some(actor) = Actor::parse(after).filter(|_| claimed && given != was) else {
                continue;
            };
            if !owns(Some(given).filter(|owner| !owner.is_empty()), &actor) {
                let claim = (0..keys.len()).filter(|c| CLAIM.contains(&keys[*c].as_str()));
                for column in claim.chain([owner]) {
                    if self.value(OURS, column) != self.value(THEIRS, column) {
                        taken[column] = Taken::Two;
                    }
                }
                return Some(Why::GivenAway);
            }
        }
        None
    }

    /// Values that have no column any more and that are not the base's.
    fn lost(&self) -> Vec<(usize, Cell)> {
        let mut found = Vec::new();
        for side in [OURS, THEIRS] {
            let (Some(row), Some(places)) = (self.rows[side], &self.places[side]) else { continue };
            if self.of != Of::Row {
                continue;
            }
            let keys = &self.cells.layouts.keys[side][row.table as usize];
            for column in &places.lost {
                let now = value(self.cells.raw(side, row, *column).unwrap_or_default());
                let was = self.rows[BASE].map_or("", |base| {
                    let own = &self.cells.layouts.keys[BASE][base.table as usize];
                    let at = own.iter().position(|key| *key == keys[*column]);
                    value(at.and_then(|at| self.cells.raw(BASE, base, at)).unwrap_or_default())
                });
                // Who cleared a cell loses nothing with its column.
                if now != was && !now.is_empty() {
                    let now = now.to_owned();
                    let (ours, theirs) =
                        if side == OURS { (now, String::new()) } else { (String::new(), now) };
                    let column = keys[*column].trim().to_owned();
                    found.push((side, Cell { column, ours, theirs }));
                }
            }
        }
        found
    }

    /// The line of one side's choice, and how many cells it has.
    fn assemble(&self, taken: &[Taken<'a>], side: usize) -> (String, usize) {
        let (lead, tail, count) = self.frame();
        let cell = |column: usize| -> Option<Cow<'a, str>> {
            match &taken[column] {
                Taken::One(raw) => raw.clone(),
                Taken::Two => self.raw(side, column).map(Cow::Borrowed),
            }
        };
        let filled = |column: &usize| cell(*column).is_some_and(|raw| !value(&raw).is_empty());
        let count = (0..taken.len()).rev().find(filled).map_or(count, |last| count.max(last + 1));
        let keys = self.cells.layouts.tables[self.into].keys.len();
        let mut line = String::from(lead);
        for column in 0..count {
            if column > 0 {
                line.push('|');
            }
            match cell(column) {
                Some(raw) => line.push_str(&raw),
                None if column < keys => {
                    line.push(' ');
                    let empty = self.cells.empty(self.into, column);
                    line.push_str(empty);
                    line.push_str(if empty.is_empty() { "" } else { " " });
                }
                None => line.push(' '),
            }
        }
        line.push_str(tail);
        (line, count)
    }

    /// What stands before the first cell and behind the last, and how many cells
    /// there are at least.
    fn frame(&self) -> (&'a str, &'a str, usize) {
        let of = |n: usize| {
            let row = self.rows[n]?;
            let line = self.cells.line(n, row);
            let grid = self.cells.sides[n].document.grid();
            let start = source::line_start(grid.text(), row.span.range().start);
            let first = grid.span(row, 0).map_or(line.len(), |span| span.start - start);
            let last = row.len().checked_sub(1).and_then(|c| grid.span(row, c));
            let last = last.map_or(line.len(), |span| span.end - start);
            Some((&line[..first], &line[last..], row.len()))
        };
        let frames = [0, 1, 2].map(of);
        let keys = self.cells.layouts.tables[self.into].keys.len();
        let fits = |n: usize| self.places[n].as_ref().is_none_or(|p| p.same);
        if !(fits(OURS) && fits(THEIRS)) {
            let order = [self.from, OURS, THEIRS];
            let own = order.into_iter().filter(|n| *n != BASE && frames[*n].is_some());
            let own = own.min_by_key(|n| !fits(*n));
            let frame = own.and_then(|n| frames[n].map(|frame| (frame, fits(n))));
            return match frame {
                Some((frame, true)) => frame,
                Some(((lead, tail, _), false)) => (lead, tail, keys),
                None => ("|", "|", keys),
            };
        }
        let [b, o, t] = frames;
        match [b.filter(|_| fits(BASE)), o, t] {
            [_, Some(o), None] => o,
            [_, None, Some(t)] => t,
            [b, Some(o), Some(t)] => (
                three(b.map(|f| f.0), o.0, t.0),
                three(b.map(|f| f.1), o.1, t.1),
                three(b.map(|f| f.2), o.2, t.2),
            ),
            [b, None, None] => b.unwrap_or(("|", "|", keys)),
        }
    }
}

/// What changed, if one side changed it; else one of two, whoever is ours.
pub(super) fn three<T: PartialEq + Ord>(base: Option<T>, ours: T, theirs: T) -> T {
    match base {
        Some(base) if base == ours => theirs,
        Some(base) if base == theirs => ours,
        _ => ours.max(theirs),
    }
}

/// The wider of two spellings.
trait Wider: Sized {
    fn wider(self, other: Self) -> Self;
}

impl Wider for Option<&str> {
    fn wider(self, other: Self) -> Self {
        let key = |raw: &Self| raw.map(|text| (text.len(), *raw));
        if key(&other) > key(&self) { other } else { self }
    }
}
