//! Which table is which on the three sides, and which columns it has after.
//!
//! Invariant: a table's columns are one side's, or those of both where both only
//! added some; where they changed them in two other ways, the table is merged as
//! one piece, so that no cell can come under another header.

use crate::ledger::merge::side::{BASE, Names, OURS, Side, THEIRS};
use crate::ledger::table::trim;
use std::collections::HashMap;

/// What a column is called on all sides. Columns without a name of their own
/// are counted.
pub(super) type Key = String;

/// Names that mean something: none of them is another one's new name.
const KNOWN: [&str; 19] = [
    "task_id",
    "title",
    "state",
    "owner",
    "lock",
    "lock_owner",
    "lock_expires_at",
    "due",
    "artifact",
    "notes",
    "appr_id",
    "op",
    "status",
    "requested_by",
    "approver",
    "approver_role",
    "ts_req",
    "ts_dec",
    "evidence",
];

/// A table on up to three sides.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Its index on each side.
    pub at: [Option<usize>; 3],
    /// The side whose columns it has.
    pub from: usize,
    /// Those columns.
    pub keys: Vec<Key>,
    /// Whether both sides changed the columns, each in its own way.
    pub whole: bool,
}

/// The tables of all sides.
#[derive(Debug)]
pub(super) struct Layouts {
    pub tables: Vec<Table>,
    /// Each side's tables by their number in `tables`.
    pub numbers: [Vec<usize>; 3],
    /// Each side's columns, with renamed ones under their new name.
    pub keys: [Vec<Vec<Key>>; 3],
}

impl Layouts {
    pub(super) fn of(sides: &[Side<'_>; 3], names: &Names<'_>) -> Self {
        let mut keys = [0, 1, 2].map(|n| keys_of(&sides[n]));
        let at = pair(sides, names, &keys);
        let mut numbers = [0, 1, 2].map(|n| vec![0; keys[n].len()]);
        let mut tables = Vec::with_capacity(at.len());
        for (number, at) in at.into_iter().enumerate() {
            for (n, index) in at.iter().enumerate() {
                if let Some(index) = index {
                    numbers[n][*index] = number;
                }
            }
            tables.push(decide(sides, names, &mut keys, at));
        }
        Self { tables, numbers, keys }
    }
}

fn keys_of(side: &Side<'_>) -> Vec<Vec<Key>> {
    let tables = 0..side.document.grid().tables.len();
    tables
        .map(|table| {
            let mut unnamed = 0;
            let mut keys: Vec<Key> = Vec::new();
            for name in side.document.names(table) {
                let key = name.trim().to_lowercase();
                if key.is_empty() || keys.contains(&key) {
                    unnamed += 1;
                    keys.push(format!("\n{unnamed}"));
                } else {
                    keys.push(key);
                }
            }
            keys
        })
        .collect()
}

/// Pairs tables: by the rows that they share, then by equal columns, then by
/// their order.
fn pair(
    sides: &[Side<'_>; 3],
    names: &Names<'_>,
    keys: &[Vec<Vec<Key>>; 3],
) -> Vec<[Option<usize>; 3]> {
    let mut found: Vec<[Option<usize>; 3]> =
        (0..keys[BASE].len()).map(|t| [Some(t), None, None]).collect();
    for side in [OURS, THEIRS] {
        // The new tables of ours may be new tables of theirs as well.
        let mut free: Vec<bool> = vec![true; keys[side].len()];
        let known = |at: &[Option<usize>; 3]| {
            let from = if at[BASE].is_some() { BASE } else { OURS };
            (from, at[from].unwrap_or_default())
        };
        let shared = shared(sides, names, side);
        for (_, (from, index), table) in shared {
            let place = found.iter_mut().find(|at| {
                at[side].is_none()
                    && known(at) == (from, index)
                    && (from == BASE) == at[BASE].is_some()
            });
            if let Some(place) = place
                && free[table]
            {
                place[side] = Some(table);
                free[table] = false;
            }
        }
        for by_columns in [true, false] {
            let count = |list: &[bool]| list.iter().filter(|f| **f).count();
            let open = found.iter().filter(|at| at[side].is_none() && at[BASE].is_some()).count();
            if !by_columns && count(&free) != open {
                continue;
            }
            for table in 0..keys[side].len() {
                if !free[table] {
                    continue;
                }
                let place = found.iter_mut().find(|at| {
                    let (from, index) = known(at);
                    at[side].is_none()
                        && if by_columns {
                            keys[from][index] == keys[side][table]
                        } else {
                            at[BASE].is_some()
                        }
                });
                if let Some(place) = place {
                    place[side] = Some(table);
                    free[table] = false;
                }
            }
        }
        for table in (0..keys[side].len()).filter(|t| free[*t]) {
            let mut at = [None; 3];
            at[side] = Some(table);
            found.push(at);
        }
    }
    found
}

/// How many rows a side's tables share with those of the base, or of ours;
/// most first.
fn shared(
    sides: &[Side<'_>; 3],
    names: &Names<'_>,
    side: usize,
) -> Vec<(usize, (usize, usize), usize)> {
    let table = |n: usize, row: usize| sides[n].document.grid().rows[row].table as usize;
    let mut counts: HashMap<((usize, usize), usize), usize> = HashMap::new();
    for rows in &names.rows {
        let Some(here) = rows[side] else { continue };
        for from in [BASE, OURS] {
            if let Some(there) = rows[from].filter(|_| from < side) {
                let key = ((from, table(from, there)), table(side, here));
                *counts.entry(key).or_insert(0) += 1;
            }
        }
    }
    let mut all: Vec<_> = counts.into_iter().map(|((from, t), n)| (n, from, t)).collect();
    all.sort_by_key(|(n, (from, index), t)| (usize::MAX - *n, *from, *index, *t));
    all
}

/// Whose columns a table has after.
fn decide(
    sides: &[Side<'_>; 3],
    names: &Names<'_>,
    keys: &mut [Vec<Vec<Key>>; 3],
    at: [Option<usize>; 3],
) -> Table {
    let columns = |n: usize, keys: &[Vec<Vec<Key>>; 3]| at[n].map(|t| keys[n][t].clone());
    let [b, o, t] = [0, 1, 2].map(|n| columns(n, keys));
    let (from, whole) = match (&b, &o, &t) {
        (_, None, None) => (BASE, false),
        (_, Some(_), None) => (OURS, false),
        (_, None, Some(_)) => (THEIRS, false),
        (b, o, t) if b == o && o != t => (THEIRS, false),
        (b, o, t) if b == t || o == t => (OURS, false),
        _ => (OURS, true),
    };
    if let (Some(b), Some(o), Some(t), true) = (&b, &o, &t, whole)
        && let Some(keys) = both_added(b, o, t)
    {
        return Table { at, from, keys, whole: false };
    }
    let other = if from == OURS { THEIRS } else { OURS };
    if let (Some(base), Some(side), false) = (at[BASE], at[from], whole)
        && from != BASE
    {
        let renamed = renamed(sides, names, keys, base, (from, side));
        for (n, index) in [(BASE, Some(base)), (other, at[other])] {
            let Some(index) = index else { continue };
            // A side that has the new name already has been renamed as well.
            if n != BASE && keys[n][index] == keys[from][side] {
                continue;
            }
            for key in &mut keys[n][index] {
                if let Some((_, new)) = renamed.iter().find(|(old, _)| old == key) {
                    key.clone_from(new);
                }
            }
        }
    }
    let keys = at[from].map(|t| keys[from][t].clone()).unwrap_or_default();
    Table { at, from, keys, whole }
}

/// The columns where both sides only added some: each stands behind the one that
/// it was put behind.
fn both_added(base: &[Key], ours: &[Key], theirs: &[Key]) -> Option<Vec<Key>> {
    let mut all = base.to_vec();
    for side in [ours, theirs] {
        let kept: Vec<&Key> = side.iter().filter(|key| base.contains(key)).collect();
        let is_new = |key: &&Key| !base.contains(key);
        if !kept.into_iter().eq(base) || side.iter().filter(is_new).any(|k| k.starts_with('\n')) {
            return None;
        }
        let mut behind = 0;
        for key in side {
            let at = all.iter().position(|known| known == key).unwrap_or_else(|| {
                all.insert(behind, key.clone());
                behind
            });
            behind = at + 1;
        }
    }
    Some(all)
}

/// Columns with another name at the same place, whose cells are mostly the same.
fn renamed(
    sides: &[Side<'_>; 3],
    names: &Names<'_>,
    keys: &[Vec<Vec<Key>>; 3],
    base: usize,
    (from, table): (usize, usize),
) -> Vec<(Key, Key)> {
    let (old, new) = (&keys[BASE][base], &keys[from][table]);
    if old == new || old.len() != new.len() {
        return Vec::new();
    }
    let is_renamed = |column: usize| {
        let (mut same, mut all) = (0, 0);
        for rows in &names.rows {
            let (Some(b), Some(s)) = (rows[BASE], rows[from]) else { continue };
            let (was, is) = (sides[BASE].document.grid(), sides[from].document.grid());
            let (b, s) = (&was.rows[b], &is.rows[s]);
            if b.table as usize == base && s.table as usize == table {
                let (x, y) = (trim(was.raw(b, column)), trim(is.raw(s, column)));
                all += usize::from(!x.is_empty() || !y.is_empty());
                same += usize::from((!x.is_empty() || !y.is_empty()) && x == y);
            }
        }
        all > 0 && same * 2 >= all
    };
    let known = |key: &Key| KNOWN.contains(&key.as_str());
    (0..old.len())
        .filter(|c| !new.contains(&old[*c]) && !old.contains(&new[*c]))
        .filter(|c| !(known(&old[*c]) && known(&new[*c])) && is_renamed(*c))
        .map(|c| (old[c].clone(), new[c].clone()))
        .collect()
}
