//! What one side did to the order of things.
//!
//! Here: runs of lines that it changed, rows that it has elsewhere or anew, and
//! which runs of both sides touch. Not here: what the result is (`weave`).
//! Invariant: a run begins and ends with a line that is no row, so that rows
//! beside it are nobody's conflict.

use crate::ledger::merge::sequence::{Hunk, hunks, matches};
use crate::ledger::merge::side::{BASE, Side, Unit, What};
use std::ops::Range;

/// Rows that a side has where the base has others or none.
type Rows = Vec<Vec<usize>>;

/// One side against the base.
pub(super) struct Against {
    /// Where each unit of the base is.
    pub found: Vec<Option<usize>>,
    /// Runs of lines.
    pub hunks: Vec<Hunk>,
    /// Rows before the lines that are inserted at a gap, and behind them.
    pub lead: Rows,
    pub tail: Rows,
}

impl Against {
    /// Compares a side with the base.
    pub(super) fn of(sides: &[Side<'_>; 3], n: usize) -> Self {
        let (base, side) = (&sides[BASE], &sides[n]);
        let found = matches(&base.tokens, &side.tokens);
        let gaps = base.units.len() + 1;
        let (mut lead, mut tail): (Rows, Rows) = (vec![Vec::new(); gaps], vec![Vec::new(); gaps]);
        let mut runs = Vec::new();
        let id = |unit: &Unit| match unit.what {
            What::Row(id) => Some(id),
            What::Head(_) | What::Block(_) | What::Line => None,
        };
        for hunk in hunks(&found, side.units.len()) {
            let (mut was, mut is) = (hunk.base, hunk.side);
            while let Some(first) = side.units[is.clone()].first().and_then(id) {
                lead[was.start].push(first);
                is.start += 1;
            }
            while base.units[was.clone()].first().and_then(id).is_some() {
                was.start += 1;
            }
            while base.units[was.clone()].last().and_then(id).is_some() {
                was.end -= 1;
            }
            let mut last = Vec::new();
            while let Some(row) = side.units[is.clone()].last().and_then(id) {
                last.push(row);
                is.end -= 1;
            }
            last.reverse();
            let gaps = if was.is_empty() { &mut tail } else { &mut lead };
            gaps[was.end].append(&mut last);
            if !was.is_empty() || !is.is_empty() {
                runs.push(Hunk { base: was, side: is });
            }
        }
        Self { found, hunks: runs, lead, tail }
    }

    pub(super) fn leading(&self, gap: usize) -> &[usize] {
        &self.lead[gap]
    }

    pub(super) fn trailing(&self, gap: usize) -> &[usize] {
        &self.tail[gap]
    }
}

/// Runs of lines that touch.
#[derive(Debug)]
pub(super) struct Group {
    pub base: Range<usize>,
    pub ours: Vec<Hunk>,
    pub theirs: Vec<Hunk>,
}

pub(super) fn groups(ours: &[Hunk], theirs: &[Hunk]) -> Vec<Group> {
    let mut all: Vec<(&Hunk, bool)> =
        ours.iter().map(|h| (h, true)).chain(theirs.iter().map(|h| (h, false))).collect();
    all.sort_by_key(|(hunk, _)| (hunk.base.start, hunk.base.end));
    let mut groups: Vec<Group> = Vec::new();
    for (hunk, is_ours) in all {
        let mut group = match groups.pop() {
            Some(group) if hunk.base.start <= group.base.end => group,
            last => {
                groups.extend(last);
                Group { base: hunk.base.clone(), ours: Vec::new(), theirs: Vec::new() }
            }
        };
        group.base.end = group.base.end.max(hunk.base.end);
        (if is_ours { &mut group.ours } else { &mut group.theirs }).push(hunk.clone());
        groups.push(group);
    }
    groups
}

/// Where a side has a stretch of the base in which its hunks are.
pub(super) fn stretch(base: &Range<usize>, own: &[Hunk], found: &[Option<usize>]) -> Range<usize> {
    let (Some(first), Some(last)) = (own.first(), own.last()) else { return 0..0 };
    let start = (base.start..first.base.start).find_map(|at| found[at]);
    let end = (last.base.end..base.end).rev().find_map(|at| found[at]).map(|at| at + 1);
    let (start, end) = (start.unwrap_or(first.side.start), end.unwrap_or(last.side.end));
    start.min(first.side.start)..end.max(last.side.end)
}
