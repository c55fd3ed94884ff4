//! Which lines the result has, in which order.
//!
//! ```text
//! base    a  b  r1 r2      c
//! ours    a' b  r1    r3   c        one hunk a line run, rows apart
//! theirs  a  b  r1 r2   r4 c
//! result  a' b  r1    r3 r4 c       r2: gone, if theirs left it as it was
//! ```
//!
//! Lines merge as `diff3` does (Khanna, Kunal, Pierce 2007): runs that both
//! sides changed and that touch are one conflict. Rows with an id do not take
//! part in that: what they say is merged by id wherever they stand, and their
//! place is where the side that moved or added them has them.
//! Invariant: every row with an id comes out at most once.

use crate::ledger::merge::against::{Against, Group, groups, stretch};
use crate::ledger::merge::cells::{Cells, Combined, Of, three};
use crate::ledger::merge::layout::Layouts;
use crate::ledger::merge::sequence::{Hunk, matches, natural};
use crate::ledger::merge::side::{BASE, Line, Names, OURS, Side, THEIRS, Unit, What};
use crate::ledger::merge::{What as Subject, Why, sections};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;
use std::ops::Range;

/// A line of the result.
#[derive(Debug, Clone)]
pub(super) struct Out<'a> {
    pub body: Cow<'a, str>,
    pub end: &'a str,
    /// What it must read back as.
    pub check: Option<Check>,
}

/// What a row must read back as: its id, its table's number, its cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Check {
    pub id: Option<usize>,
    pub table: usize,
    pub cells: usize,
}

/// Part of the result.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    /// A line.
    Line(Out<'a>),
    /// Lines of both sides.
    Conflict { ours: Vec<Out<'a>>, theirs: Vec<Out<'a>>, what: Subject },
}

impl<'a> Piece<'a> {
    /// The same with other line ends.
    pub(super) fn respell(&mut self, from: &str, to: &'a str) {
        let respell = |out: &mut Out<'a>| {
            if out.end == from {
                out.end = to;
            }
        };
        match self {
            Self::Line(out) => respell(out),
            Self::Conflict { ours, theirs, .. } => ours.iter_mut().chain(theirs).for_each(respell),
        }
    }

    /// The same with the sides the other way round.
    pub(super) fn turn(&mut self) {
        if let Self::Conflict { ours, theirs, what } = self {
            std::mem::swap(ours, theirs);
            what.turn();
        }
    }
}

pub(super) struct Weave<'s, 'a> {
    pub sides: &'s [Side<'a>; 3],
    pub names: &'s Names<'a>,
    pub layouts: &'s Layouts,
    pub cells: Cells<'s, 'a>,
    /// Ids of which the base itself has two versions.
    pub tainted: &'s HashSet<usize>,
    pieces: Vec<Piece<'a>>,
    rows_done: Vec<bool>,
    heads_done: Vec<bool>,
    /// The table whose head came last.
    table: Option<usize>,
}

impl<'s, 'a> Weave<'s, 'a> {
    pub(super) fn new(
        sides: &'s [Side<'a>; 3],
        names: &'s Names<'a>,
        layouts: &'s Layouts,
        cells: Cells<'s, 'a>,
        tainted: &'s HashSet<usize>,
    ) -> Self {
        let (rows_done, heads_done) =
            (vec![false; names.ids.len()], vec![false; layouts.tables.len()]);
        let (pieces, table) = (Vec::with_capacity(sides[OURS].lines.len()), None);
        Self { sides, names, layouts, cells, tainted, pieces, rows_done, heads_done, table }
    }

    /// The result's pieces.
    pub(super) fn run(mut self) -> Vec<Piece<'a>> {
        let sides = [OURS, THEIRS].map(|n| Against::of(self.sides, n));
        let groups = groups(&sides[0].hunks, &sides[1].hunks);
        let mut groups = groups.into_iter().peekable();
        let count = self.sides[BASE].units.len();
        let mut gap = 0;
        loop {
            self.rows(&sides[0].lead[gap], &sides[1].lead[gap]);
            if let Some(group) = groups.next_if(|group| group.base.start == gap) {
                self.group(&group, &sides);
                for inner in group.base.start + 1..group.base.end {
                    for rows in [Against::leading, Against::trailing] {
                        let [a, b] = [0, 1].map(|n| rows(&sides[n], inner));
                        self.rows(a, b);
                    }
                }
                self.rows(&sides[0].tail[gap], &sides[1].tail[gap]);
                if !group.base.is_empty() {
                    gap = group.base.end;
                    continue;
                }
            } else {
                self.rows(&sides[0].tail[gap], &sides[1].tail[gap]);
            }
            if gap == count {
                break;
            }
            self.base_unit(gap, &sides);
            gap += 1;
        }
        self.pieces
    }

    /// A unit of the base that neither side's runs replace.
    fn base_unit(&mut self, at: usize, sides: &[Against; 2]) {
        let unit = &self.sides[BASE].units[at];
        let places = [0, 1].map(|n| sides[n].found[at]);
        match unit.what {
            What::Row(_) | What::Head(_) | What::Block(_) => self.stays(unit.what, places),
            What::Line => {
                let lines = [Some(at), places[0], places[1]];
                let [Some(b), Some(o), Some(t)] = [0, 1, 2].map(|n| {
                    lines[n].map(|at| self.sides[n].lines[self.sides[n].units[at].lines.start])
                }) else {
                    return;
                };
                let end = three(Some(b.end), o.end, t.end);
                self.line(BASE, b, end);
            }
        }
    }

    /// A row or table where the base has it: one that a side moved comes where
    /// that side has it.
    fn stays(&mut self, what: What, places: [Option<usize>; 2]) {
        let at = match what {
            What::Row(id) => self.names.rows[id],
            What::Head(table) | What::Block(table) => self.layouts.tables[table].at,
            What::Line => return,
        };
        let moved = |n: usize| at[n].is_some() && places[n - 1].is_none();
        if !moved(OURS) && !moved(THEIRS) {
            self.unit(what);
        }
    }

    /// A row or table, merged, unless it came before.
    fn unit(&mut self, what: What) {
        match what {
            What::Row(id) => self.row(id),
            What::Head(table) => self.head(table),
            What::Block(table) => self.block(table),
            What::Line => {}
        }
    }

    fn row(&mut self, id: usize) {
        if std::mem::replace(&mut self.rows_done[id], true) {
            return;
        }
        let at = self.names.rows[id];
        let rows = [0, 1, 2].map(|n| at[n].map(|i| &self.sides[n].document.grid().rows[i]));
        let tainted = self.tainted.contains(&id);
        let (side, row) = match rows {
            [_, None, None] => return,
            [Some(base), Some(row), None] => {
                if !tainted && self.cells.same((BASE, base), (OURS, row)) {
                    return;
                }
                (OURS, row)
            }
            [Some(base), None, Some(row)] => {
                if !tainted && self.cells.same((BASE, base), (THEIRS, row)) {
                    return;
                }
                (THEIRS, row)
            }
            [_, Some(row), _] => (OURS, row),
            [_, _, Some(row)] => (THEIRS, row),
        };
        let into = self.table.unwrap_or_else(|| self.layouts.numbers[side][row.table as usize]);
        let removed = at[BASE].is_some() && (at[OURS].is_none() || at[THEIRS].is_none());
        let mut given = rows;
        if removed || tainted {
            given[BASE] = None;
        }
        let end = self.row_end(id);
        let check = |cells| Some(Check { id: Some(id), table: into, cells });
        let combined = self.cells.combine(given, into, Of::Row);
        let name = || self.names.ids[id].to_string();
        match combined {
            Combined::Clean(body, cells) if !removed => {
                self.pieces.push(Piece::Line(Out { body, end, check: check(cells) }));
            }
            Combined::Clean(body, cells) => {
                let half = vec![Out { body, end, check: check(cells) }];
                let (ours, theirs, why) = if side == OURS {
                    (half, Vec::new(), Why::RemovedByTheirs)
                } else {
                    (Vec::new(), half, Why::RemovedByOurs)
                };
                let what = Subject::Row { id: name(), columns: Vec::new(), why };
                self.pieces.push(Piece::Conflict { ours, theirs, what });
            }
            Combined::Conflict { ours, theirs, cells, why } => {
                let half = |text: String, n: usize| -> Vec<Out<'a>> {
                    let out = Out { body: Cow::Owned(text), end, check: None };
                    at[n].map(|_| out).into_iter().collect()
                };
                let (ours, theirs) = (half(ours, OURS), half(theirs, THEIRS));
                // With a base of two versions it is not new, only nobody's.
                let why =
                    if at[BASE].is_some() && why == Why::AddedTwice { Why::Changed } else { why };
                let what = Subject::Row { id: name(), columns: cells, why };
                self.pieces.push(Piece::Conflict { ours, theirs, what });
            }
        }
    }

    fn row_end(&self, id: usize) -> &'a str {
        let at = self.names.rows[id];
        let end = |n: usize| {
            let start = self.sides[n].document.grid().rows[at[n]?].span.range().start;
            let text = self.sides[n].document.grid().text();
            let end = crate::ledger::source::line_end(text, start);
            Some(&text[end..crate::ledger::source::next_line(text, start)])
        };
        match [0, 1, 2].map(end) {
            [_, Some(o), None] => o,
            [_, None, Some(t)] => t,
            [b, Some(o), Some(t)] => three(b, o, t),
            [b, None, None] => b.unwrap_or_default(),
        }
    }

    fn head(&mut self, number: usize) {
        let at = self.layouts.tables[number].at;
        if at[OURS].is_none() && at[THEIRS].is_none() {
            return;
        }
        // A side removed the table: its rows go with it, or say so themselves.
        let gone = at[BASE].is_some() && (at[OURS].is_none() || at[THEIRS].is_none());
        if gone || std::mem::replace(&mut self.heads_done[number], true) {
            return;
        }
        self.table = Some(number);
        let tables =
            [0, 1, 2].map(|n| at[n].map(|index| &self.sides[n].document.grid().tables[index]));
        let mut outs: [Vec<Out<'a>>; 2] = [Vec::new(), Vec::new()];
        let mut columns = Vec::new();
        for of in [Of::Header, Of::Delimiter] {
            let rows = tables.map(|table| {
                table.map(|table| if of == Of::Header { &table.header } else { &table.delimiter })
            });
            let next = usize::from(of == Of::Delimiter);
            let end = self.head_end(number, next);
            let out = |body| Out { body, end, check: None };
            match self.cells.combine(rows, number, of) {
                Combined::Clean(body, _) => {
                    for half in &mut outs {
                        half.push(out(body.clone()));
                    }
                }
                Combined::Conflict { ours, theirs, cells, .. } => {
                    columns.extend(cells);
                    outs[0].push(out(Cow::Owned(ours)));
                    outs[1].push(out(Cow::Owned(theirs)));
                }
            }
        }
        let [ours, theirs] = outs;
        if columns.is_empty() {
            self.pieces.extend(ours.into_iter().map(Piece::Line));
        } else {
            self.pieces.push(Piece::Conflict { ours, theirs, what: Subject::Header { columns } });
        }
    }

    /// How the header row ends, or the delimiter row.
    fn head_end(&self, number: usize, next: usize) -> &'a str {
        let end = |n: usize| {
            let side = &self.sides[n];
            let table = &side.document.grid().tables[self.layouts.tables[number].at[n]?];
            let row = if next == 0 { &table.header } else { &table.delimiter };
            let text = side.document.grid().text();
            let start = row.span.range().start;
            let end = crate::ledger::source::line_end(text, start);
            Some(&text[end..crate::ledger::source::next_line(text, start)])
        };
        match [0, 1, 2].map(end) {
            [_, Some(o), None] => o,
            [_, None, Some(t)] => t,
            [b, Some(o), Some(t)] => three(b, o, t),
            [b, None, None] => b.unwrap_or_default(),
        }
    }

    /// A table that both sides gave other columns: both versions, as a whole.
    fn block(&mut self, number: usize) {
        if std::mem::replace(&mut self.heads_done[number], true) {
            return;
        }
        let half = |n: usize| -> Vec<Out<'a>> {
            let side = &self.sides[n];
            let unit = side.units.iter().find(|unit| unit.what == What::Block(number));
            let lines = unit.map_or(0..0, |unit| unit.lines.clone());
            side.lines[lines]
                .iter()
                .map(|l| Out { body: Cow::Borrowed(l.body), end: l.end, check: None })
                .collect()
        };
        let (ours, theirs) = (half(OURS), half(THEIRS));
        let what = Subject::Header { columns: Vec::new() };
        self.pieces.push(Piece::Conflict { ours, theirs, what });
    }

    /// Rows that the sides have at one place.
    fn rows(&mut self, ours: &[usize], theirs: &[usize]) {
        if ours.is_empty() || theirs.is_empty() {
            ours.iter().chain(theirs).for_each(|id| self.row(*id));
            return;
        }
        let ids = |rows: &[usize]| rows.iter().map(|id| &*self.names.ids[*id]).collect::<Vec<_>>();
        let (mut first, mut second) = (ours, theirs);
        if by_ids(&ids(second), &ids(first)).is_lt() {
            (first, second) = (second, first);
        }
        let tokens = |rows: &[usize]| -> Vec<u32> {
            rows.iter().map(|id| u32::try_from(*id).unwrap_or(u32::MAX)).collect()
        };
        let found = matches(&tokens(first), &tokens(second));
        let (mut i, mut j) = (0, 0);
        for (at, place) in found.iter().copied().chain([Some(second.len())]).enumerate() {
            let Some(place) = place else { continue };
            let (a, b) = (&first[i..at], &second[j..place]);
            let name = |rows: &[usize]| rows.first().map(|id| self.names.ids[*id].as_ref());
            let turned = match (name(a), name(b)) {
                (Some(a), Some(b)) => natural(b, a).is_lt(),
                _ => false,
            };
            let (a, b) = if turned { (b, a) } else { (a, b) };
            a.iter().chain(b).for_each(|id| self.row(*id));
            if let Some(id) = first.get(at) {
                self.row(*id);
            }
            (i, j) = (at + 1, place + 1);
        }
    }

    /// A run of lines that one side or both changed.
    fn group(&mut self, group: &Group, sides: &[Against; 2]) {
        match (group.ours.as_slice(), group.theirs.as_slice()) {
            (ours, []) => self.taken(OURS, ours),
            ([], theirs) => self.taken(THEIRS, theirs),
            _ => {
                let [ours, theirs] = [0, 1].map(|n| {
                    let own = if n == 0 { &group.ours } else { &group.theirs };
                    stretch(&group.base, own, &sides[n].found)
                });
                if !group.base.is_empty() || !self.sections(&ours, &theirs) {
                    self.both(ours, theirs);
                }
            }
        }
        for at in group.base.clone() {
            let unit = &self.sides[BASE].units[at];
            self.stays(unit.what, [0, 1].map(|n| sides[n].found[at]));
        }
    }

    /// Detail sections of different tasks that both sides added at one place
    /// stand below each other, as their rows do.
    fn sections(&mut self, ours: &Range<usize>, theirs: &Range<usize>) -> bool {
        let of = |n: usize, stretch: &Range<usize>| {
            sections::of(&self.sides[n], self.names, stretch.clone())
        };
        let (Some(a), Some(b)) = (of(OURS, ours), of(THEIRS, theirs)) else { return false };
        if a.iter().any(|id| b.contains(id)) {
            return false;
        }
        let mut each = [(OURS, ours), (THEIRS, theirs)];
        if by_ids(&b, &a).is_lt() {
            each.reverse();
        }
        for (side, stretch) in each {
            self.units(side, stretch.clone());
        }
        true
    }

    fn taken(&mut self, side: usize, hunks: &[Hunk]) {
        for hunk in hunks {
            self.units(side, hunk.side.clone());
        }
    }

    fn units(&mut self, side: usize, range: Range<usize>) {
        for at in range {
            let unit = &self.sides[side].units[at];
            match unit.what {
                What::Line => {
                    let line = self.sides[side].lines[unit.lines.start];
                    self.line(side, line, line.end);
                }
                what => self.unit(what),
            }
        }
    }

    /// Two versions of one run: what is equal comes once, rows by id, and the
    /// other lines are a conflict.
    fn both(&mut self, ours: Range<usize>, theirs: Range<usize>) {
        let body = |n: usize, at: usize| {
            let unit = &self.sides[n].units[at];
            self.sides[n].lines[unit.lines.start].body
        };
        let order =
            ours.clone().map(|at| body(OURS, at)).cmp(theirs.clone().map(|at| body(THEIRS, at)));
        let (a, b) = if order == Ordering::Greater {
            ((THEIRS, theirs), (OURS, ours))
        } else {
            ((OURS, ours), (THEIRS, theirs))
        };
        let found = self.in_both(&a, &b);
        let (mut i, mut j) = (a.1.start, b.1.start);
        for (at, place) in found.iter().copied().chain([Some(b.1.len())]).enumerate() {
            let Some(place) = place else { continue };
            let (at, place) = (a.1.start + at, b.1.start + place);
            let mut parts = [0..0, 0..0, 0..0];
            parts[a.0] = i..at;
            parts[b.0] = j..place;
            let [_, ours, theirs] = parts;
            self.differing(ours, theirs);
            if at < a.1.end {
                let (line, other) = (self.first_line(a.0, at), self.first_line(b.0, place));
                match self.sides[a.0].units[at].what {
                    What::Line => self.line(a.0, line, line.end.max(other.end)),
                    what => self.unit(what),
                }
            }
            (i, j) = (at + 1, place + 1);
        }
    }

    /// What two stretches share: rows, tables, and lines at either end. Equal
    /// lines between others are chance: blank ones, above all.
    fn in_both(&self, a: &(usize, Range<usize>), b: &(usize, Range<usize>)) -> Vec<Option<usize>> {
        let (x, y) = (&self.sides[a.0], &self.sides[b.0]);
        let (p, q) = (&x.tokens[a.1.clone()], &y.tokens[b.1.clone()]);
        let first = p.iter().zip(q).take_while(|(m, n)| m == n).count();
        let rest = p[first..].iter().rev().zip(q[first..].iter().rev());
        let last = rest.take_while(|(m, n)| m == n).count();
        let mut named: HashSet<u32> = HashSet::new();
        for (side, range) in [(x, &a.1), (y, &b.1)] {
            let shared = range.clone().filter(|at| side.units[*at].what != What::Line);
            named.extend(shared.map(|at| side.tokens[at]));
        }
        // A line is only itself.
        let mut next = u32::MAX;
        let mut only = |tokens: &[u32]| -> Vec<u32> {
            let end = tokens.len() - last;
            let mut own = |token: &u32| {
                next -= u32::from(!named.contains(token));
                if named.contains(token) { *token } else { next }
            };
            tokens[first..end].iter().map(&mut own).collect()
        };
        let (inner_p, inner_q) = (only(p), only(q));
        let inner = matches(&inner_p, &inner_q).into_iter().map(|at| at.map(|at| first + at));
        let ends = (0..last).map(|n| Some(q.len() - last + n));
        (0..first).map(Some).chain(inner).chain(ends).collect()
    }

    fn first_line(&self, side: usize, unit: usize) -> Line<'a> {
        self.sides[side].lines[self.sides[side].units[unit].lines.start]
    }

    fn differing(&mut self, ours: Range<usize>, theirs: Range<usize>) {
        let cut = |n: usize, range: Range<usize>| {
            let units = &self.sides[n].units[range.clone()];
            let id = |unit: &Unit| match unit.what {
                What::Row(id) => Some(id),
                What::Head(_) | What::Block(_) | What::Line => None,
            };
            let lead: Vec<usize> = units.iter().map_while(id).collect();
            let rest = &units[lead.len()..];
            let mut tail: Vec<usize> = rest.iter().rev().map_while(id).collect();
            tail.reverse();
            let middle = range.start + lead.len()..range.end - tail.len();
            (lead, middle, tail)
        };
        let (lead_o, ours, tail_o) = cut(OURS, ours);
        let (lead_t, theirs, tail_t) = cut(THEIRS, theirs);
        self.rows(&lead_o, &lead_t);
        if !ours.is_empty() || !theirs.is_empty() {
            let halves = [(OURS, ours), (THEIRS, theirs)].map(|(n, range)| self.half(n, range));
            let [ours, theirs] = halves;
            let same = |(a, b): (&Out<'a>, &Out<'a>)| a.body == b.body;
            if ours.len() == theirs.len() && ours.iter().zip(&theirs).all(same) {
                let each = ours.into_iter().zip(theirs);
                let one = |(a, b): (Out<'a>, Out<'a>)| Out { end: a.end.max(b.end), ..a };
                self.pieces.extend(each.map(one).map(Piece::Line));
                self.rows(&tail_o, &tail_t);
                return;
            }
            self.pieces.push(Piece::Conflict { ours, theirs, what: Subject::Lines });
        }
        self.rows(&tail_o, &tail_t);
    }

    /// One side's lines of a conflict, as they stand there.
    fn half(&mut self, side: usize, range: Range<usize>) -> Vec<Out<'a>> {
        let mut outs = Vec::new();
        for at in range {
            let unit = &self.sides[side].units[at];
            match unit.what {
                What::Row(id) => self.rows_done[id] = true,
                What::Head(table) | What::Block(table) => {
                    self.heads_done[table] = true;
                    self.table = Some(table);
                }
                What::Line => {}
            }
            let lines = &self.sides[side].lines[unit.lines.clone()];
            let out = |l: &Line<'a>| Out { body: Cow::Borrowed(l.body), end: l.end, check: None };
            outs.extend(lines.iter().map(out));
        }
        outs
    }

    /// Any line but one that is merged by its id. A row without one follows its
    /// table to other columns.
    fn line(&mut self, side: usize, line: Line<'a>, end: &'a str) {
        let mut out = Out { body: Cow::Borrowed(line.body), end, check: None };
        if let Some(index) = line.row {
            let row = &self.sides[side].document.grid().rows[index];
            let own = self.layouts.numbers[side][row.table as usize];
            let into = self.table.unwrap_or(own);
            let check = |cells| Some(Check { id: None, table: into, cells });
            match self.cells.carried(side, row, into) {
                Combined::Clean(body, cells) => {
                    out.body = body;
                    out.check = check(cells);
                }
                Combined::Conflict { cells, why, .. } => {
                    let id = self.sides[side].document.id(row).into_owned();
                    let what = Subject::Row { id, columns: cells, why };
                    let (ours, theirs) = if side == THEIRS {
                        (Vec::new(), vec![out])
                    } else {
                        (vec![out], Vec::new())
                    };
                    self.pieces.push(Piece::Conflict { ours, theirs, what });
                    return;
                }
            }
        }
        self.pieces.push(Piece::Line(out));
    }
}

fn by_ids(a: &[&str], b: &[&str]) -> Ordering {
    let first = a.iter().zip(b).map(|(a, b)| natural(a, b)).find(|order| order.is_ne());
    first.unwrap_or_else(|| a.len().cmp(&b.len()))
}
