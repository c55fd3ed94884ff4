//! Whether a merged text says what was meant, and what to do where it cannot.
//!
//! Markdown is read as a whole: a line here decides whether a row there is one.
//! So the result is parsed again, with ours and with theirs for each conflict.
//! Invariant: what [`stands`] accepts has each merged row once, under the
//! columns that it was merged for, with the cells that it was given.

use crate::ledger::document::{Document, Kind};
use crate::ledger::merge::layout::Layouts;
use crate::ledger::merge::side::{Line, Names, OURS, Side, THEIRS};
use crate::ledger::merge::weave::{Check, Out, Piece};
use crate::ledger::merge::{Text, What};
use crate::ledger::source;
use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

/// Whether the pieces read back as they were meant.
pub(super) fn stands(
    kind: Kind,
    pieces: &[Piece<'_>],
    bom: bool,
    names: &Names<'_>,
    layouts: &Layouts,
) -> bool {
    let conflicts = pieces.iter().any(|piece| matches!(piece, Piece::Conflict { .. }));
    let versions: &[usize] = if conflicts { &[OURS, THEIRS] } else { &[OURS] };
    versions.iter().all(|side| reads_back(kind, pieces, *side, bom, names, layouts, conflicts))
}

fn reads_back(
    kind: Kind,
    pieces: &[Piece<'_>],
    side: usize,
    bom: bool,
    names: &Names<'_>,
    layouts: &Layouts,
    conflicts: bool,
) -> bool {
    let mut text = Text::new(bom);
    let mut checks: Vec<(Check, Range<usize>)> = Vec::new();
    let mut push = |out: &Out<'_>, is_meant: bool| {
        text.push(out);
        if let Some(check) = out.check.filter(|_| is_meant) {
            let end = text.written.len() - out.end.len();
            checks.push((check, end - out.body.len()..end));
        }
    };
    for piece in pieces {
        match piece {
            Piece::Line(out) => push(out, true),
            Piece::Conflict { ours, theirs, .. } => {
                let half = if side == OURS { ours } else { theirs };
                for out in half {
                    push(out, true);
                }
            }
        }
    }
    let document = Document::parse(kind, &text.written);
    let grid = document.grid();
    let mut rows = grid.rows.iter().peekable();
    let mut seen: HashSet<Cow<'_, str>> = HashSet::with_capacity(checks.len());
    let count = checks.len();
    for (check, line) in checks {
        while rows.next_if(|row| row.span.range().start < line.start).is_some() {}
        let Some(row) = rows.next_if(|row| row.span.range().start <= line.end) else {
            return false;
        };
        if row.len() != check.cells || !has_columns(&document, row.table as usize, check, layouts) {
            return false;
        }
        if let Some(id) = check.id
            && (document.id(row) != names.ids[id] || !seen.insert(document.id(row)))
        {
            return false;
        }
    }
    conflicts || grid.rows.len() == count
}

/// Whether a table of the result has the columns that a row was merged for.
fn has_columns(document: &Document<'_>, table: usize, check: Check, layouts: &Layouts) -> bool {
    let meant = &layouts.tables[check.table];
    let names = document.names(table);
    names.len() == meant.keys.len()
        && names
            .iter()
            .zip(&meant.keys)
            .all(|(name, key)| key.starts_with('\n') || name.trim().to_lowercase() == *key)
}

/// The whole of what differs, as one conflict.
pub(super) fn one_conflict<'a>(sides: &[Side<'a>; 3]) -> Vec<Piece<'a>> {
    let (ours, theirs) = (&sides[OURS].lines, &sides[THEIRS].lines);
    let equal = |(a, b): &(&Line<'a>, &Line<'a>)| a.body == b.body && a.end == b.end;
    let first = ours.iter().zip(theirs).take_while(equal).count();
    let rest = ours[first..].iter().rev().zip(theirs[first..].iter().rev());
    let last = rest.take_while(equal).count();
    let out = |line: &Line<'a>| Out { body: Cow::Borrowed(line.body), end: line.end, check: None };
    let middle = |lines: &[Line<'a>]| lines[first..lines.len() - last].iter().map(out).collect();
    let conflict = Piece::Conflict { ours: middle(ours), theirs: middle(theirs), what: What::Text };
    let line = |line: &Line<'a>| Piece::Line(out(line));
    let before = ours[..first].iter().map(line);
    let after = ours[ours.len() - last..].iter().map(line);
    before.chain([conflict]).chain(after).collect()
}

/// The base without marks of conflicts, and where their rows are now. Git makes
/// such a base where two branches were merged with each other before.
pub(super) fn without_marks(base: &str) -> (Cow<'_, str>, Vec<Range<usize>>) {
    let is = |line: &str, sign: &str| {
        let rest = line.trim_start_matches(sign);
        line.len() - rest.len() >= 7 && (rest.is_empty() || rest.starts_with([' ', '\r', '\n']))
    };
    if !base.contains("<<<<<<<") || !base.contains(">>>>>>>") {
        return (Cow::Borrowed(base), Vec::new());
    }
    let (mut text, mut doubtful) = (String::with_capacity(base.len()), Vec::new());
    let mut lines: Vec<&str> = Vec::new();
    let mut at = 0;
    while at < base.len() {
        let next = source::next_line(base, at);
        lines.push(&base[at..next]);
        at = next;
    }
    let mut n = 0;
    while n < lines.len() {
        let end = if is(lines[n], "<") {
            lines[n..].iter().position(|line| is(line, ">")).map(|m| n + m)
        } else {
            None
        };
        let Some(end) = end else {
            text.push_str(lines[n]);
            n += 1;
            continue;
        };
        let start = text.len();
        for line in &lines[n + 1..end] {
            if ["<", "|", "=", ">"].iter().any(|sign| is(line, sign)) {
                break;
            }
            text.push_str(line);
        }
        doubtful.push(start..text.len());
        n = end + 1;
    }
    (Cow::Owned(text), doubtful)
}

/// The ids whose rows are in some stretches of a side.
pub(super) fn rows_within(
    side: &Side<'_>,
    names: &Names<'_>,
    stretches: &[Range<usize>],
) -> HashSet<usize> {
    let rows = &side.document.grid().rows;
    let is_within = |row: usize| {
        let start = rows[row].span.range().start;
        stretches.iter().any(|stretch| stretch.contains(&start))
    };
    if stretches.is_empty() {
        return HashSet::new();
    }
    let all = names.rows.iter().enumerate();
    all.filter(|(_, at)| at[0].is_some_and(is_within)).map(|(id, _)| id).collect()
}
