//! Detail sections that both sides added at one place.
//!
//! Here: telling that lines are sections of tasks and nothing else. Not here:
//! what a section is to `show` (`ledger::section`). Invariant: only whole
//! sections, each of an id that has a row, are called so.

use crate::ledger::merge::side::{Names, Side, What};
use std::ops::Range;

/// What ends an id in a heading.
const BEHIND_ID: [char; 7] = [' ', '\u{3000}', ':', '：', '(', '（', '\t'];

/// The ids of the sections that a stretch of units consists of.
pub(super) fn of<'a>(
    side: &Side<'a>,
    names: &Names<'_>,
    stretch: Range<usize>,
) -> Option<Vec<&'a str>> {
    let grid = side.document.grid();
    let mut level = None;
    let mut ids = Vec::new();
    for unit in &side.units[stretch] {
        let line = side.lines[unit.lines.start];
        if unit.what != What::Line || line.row.is_some() {
            return None;
        }
        // Where the line is in the text: both are slices of it.
        let start = line.body.as_ptr() as usize - grid.text().as_ptr() as usize;
        let heading = grid.headings.binary_search_by_key(&start, |heading| heading.span.start);
        match heading.ok().map(|at| &grid.headings[at]) {
            Some(heading) if heading.level <= *level.get_or_insert(heading.level) => {
                let title = line.body.trim_start_matches([' ', '#']).trim_end();
                let id = title.split(BEHIND_ID).next().filter(|id| names.number(id).is_some())?;
                ids.push(id);
            }
            None if level.is_none() && !line.body.trim().is_empty() => return None,
            _ => {}
        }
    }
    (!ids.is_empty()).then_some(ids)
}
