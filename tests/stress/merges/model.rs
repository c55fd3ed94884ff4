//! What a merge should come to: a few maps and the rules of the format, and
//! nothing of how the program does it.

use super::paper::{Kind, Merged, Paper, Row};
use std::collections::{BTreeMap, BTreeSet};

/// What may stand in a cell.
pub type Choices = BTreeSet<String>;

/// What becomes of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Its values, each with what it may be.
    Stays(BTreeMap<String, Choices>),
    Gone,
    Conflict,
}

/// What becomes of a line of prose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    One(String),
    Conflict,
}

#[derive(Debug)]
pub struct Expected {
    pub rows: BTreeMap<String, Fate>,
    pub columns: BTreeSet<String>,
    pub stanzas: Vec<Line>,
}

/// Cells that are one decision.
const CLAIM: [&str; 4] = ["state", "lock", "lock_owner", "lock_expires_at"];
const VERDICT: [&str; 8] =
    ["task_id", "op", "status", "requested_by", "approver", "approver_role", "ts_dec", "evidence"];

impl Expected {
    pub fn is_clean(&self) -> bool {
        let rows = self.rows.values().all(|fate| *fate != Fate::Conflict);
        rows && self.stanzas.iter().all(|line| *line != Line::Conflict)
    }

    pub fn of(base: &Paper, ours: &Paper, theirs: &Paper) -> Self {
        let names = |paper: &Paper| paper.columns.iter().cloned().collect::<BTreeSet<_>>();
        let [b, o, t] = [base, ours, theirs].map(names);
        let stays = |c: &&String| match (b.contains(*c), o.contains(*c), t.contains(*c)) {
            (true, o, t) => o && t,
            (false, o, t) => o || t,
        };
        let all: BTreeSet<String> = b.iter().chain(&o).chain(&t).cloned().collect();
        let columns: BTreeSet<String> = all.iter().filter(stays).cloned().collect();
        let ids: BTreeSet<&str> =
            [base, ours, theirs].iter().flat_map(|paper| paper.ids()).collect();
        let rows = ids.into_iter().map(|id| {
            let rows = [base, ours, theirs].map(|paper| paper.find(id));
            (id.to_owned(), fate(base.kind, rows, &columns))
        });
        let stanzas = (0..base.stanzas.len()).map(|n| {
            let [b, o, t] = [base, ours, theirs].map(|paper| &paper.stanzas[n]);
            match () {
                () if o == t || b == t => Line::One(o.clone()),
                () if b == o => Line::One(t.clone()),
                () => Line::Conflict,
            }
        });
        Self { rows: rows.collect(), stanzas: stanzas.collect(), columns }
    }
}

fn fate(kind: Kind, rows: [Option<&Row>; 3], columns: &BTreeSet<String>) -> Fate {
    let as_it_is = |row: &Row| {
        if row.keys().any(|column| !columns.contains(column)) {
            return Fate::Conflict;
        }
        Fate::Stays(row.iter().map(|(c, v)| (c.clone(), Choices::from([v.clone()]))).collect())
    };
    let (base, ours, theirs) = match rows {
        [None, Some(one), None] | [None, None, Some(one)] => return as_it_is(one),
        [None, Some(ours), Some(theirs)] if ours == theirs => return as_it_is(ours),
        [None, Some(_), Some(_)] => return Fate::Conflict,
        [Some(base), Some(ours), Some(theirs)] => (base, ours, theirs),
        [Some(base), Some(one), None] | [Some(base), None, Some(one)] => {
            return if one.iter().all(|(c, v)| base.get(c) == Some(v))
                && base.iter().all(|(c, v)| one.get(c) == Some(v) || !columns.contains(c))
            {
                Fate::Gone
            } else {
                Fate::Conflict
            };
        }
        [_, None, None] => return Fate::Gone,
    };
    let get = |row: &Row, column: &str| row.get(column).cloned().unwrap_or_default();
    // Of a column that one side dropped the other side's values may not change.
    let is_lost = |column: &String| !columns.contains(column);
    for row in [ours, theirs] {
        if row.iter().any(|(c, v)| is_lost(c) && base.get(c) != Some(v)) {
            return Fate::Conflict;
        }
    }
    let group: &[&str] = if kind == Kind::Tasks { &CLAIM } else { &VERDICT };
    let decision = |row: &Row| -> Vec<String> { group.iter().map(|c| get(row, c)).collect() };
    let [b, o, t] = [base, ours, theirs].map(decision);
    if o != b && t != b && o != t {
        return Fate::Conflict;
    }
    if kind == Kind::Tasks && (gave_away(base, ours, theirs) || gave_away(base, theirs, ours)) {
        return Fate::Conflict;
    }
    let mut merged = BTreeMap::new();
    for column in columns {
        let [b, o, t] = [base, ours, theirs].map(|row| get(row, column));
        let choices = match () {
            () if o == t || b == t => Choices::from([o]),
            () if b == o => Choices::from([t]),
            () if column == "notes" => match both_notes(&b, &o, &t) {
                Some(choices) => choices,
                None => return Fate::Conflict,
            },
            () => return Fate::Conflict,
        };
        if choices.iter().any(|value| !value.is_empty()) {
            merged.insert(column.clone(), choices);
        }
    }
    Fate::Stays(merged)
}

/// One side names an owner, the other claims it for somebody who is not one.
fn gave_away(base: &Row, giver: &Row, claimer: &Row) -> bool {
    let get = |row: &Row, column: &str| row.get(column).cloned().unwrap_or_default();
    let (was, given, kept) = (get(base, "owner"), get(giver, "owner"), get(claimer, "owner"));
    let holder = get(claimer, "lock_owner");
    let claimed = !holder.is_empty() && holder != get(base, "lock_owner");
    let role = holder.split('@').next().unwrap_or_default();
    let is_owner = match given.as_str() {
        "" => role == "WORK",
        given => given == role || given == holder,
    };
    claimed && was == kept && was != given && !is_owner
}

/// Both only appended: both texts, whichever comes first. One attribute with two
/// values is a question.
fn both_notes(base: &str, ours: &str, theirs: &str) -> Option<Choices> {
    let tail = |notes: &str| {
        let tail = notes.strip_prefix(base)?.to_owned();
        (base.is_empty() || tail.starts_with(['・', ' '])).then_some(tail)
    };
    let (a, b) = (tail(ours)?, tail(theirs)?);
    let words = |tail: &str| -> Vec<String> {
        tail.split('・').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let (first, second) = (words(&a), words(&b));
    let value = |of: &[String]| {
        of.iter().rev().find_map(|w| w.strip_prefix("priority=").map(str::to_owned))
    };
    if let (Some(one), Some(other)) = (value(&first), value(&second))
        && one != other
    {
        return None;
    }
    let join = |first: &[String], second: &[String]| {
        let all: Vec<&str> = std::iter::once(base)
            .filter(|base| !base.is_empty())
            .chain(first.iter().chain(second).map(String::as_str))
            .collect();
        all.join("・")
    };
    // What both appended stands there once.
    let without = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|word| !those.contains(word)).cloned().collect()
    };
    Some(Choices::from([
        join(&first, &second),
        join(&second, &first),
        join(&first, &without(&second, &first)),
        join(&second, &without(&first, &second)),
        // What begins with a blank stays behind one.
        format!("{base}{a}{b}"),
        format!("{base}{b}{a}"),
    ]))
}

/// Holds a merged text against what it should come to.
pub fn judge(
    expected: &Expected,
    merged: &Merged,
    sides: [&Paper; 3],
    in_order: bool,
) -> Result<(), String> {
    let columns: BTreeSet<String> = merged.columns.iter().cloned().collect();
    if columns != expected.columns {
        return Err(format!("columns: {columns:?} for {:?}", expected.columns));
    }
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (id, row) in &merged.rows {
        if !seen.insert(id) {
            return Err(format!("`{id}` stands twice"));
        }
        let Some(Fate::Stays(values)) = expected.rows.get(id) else {
            return Err(format!("`{id}` stands: {:?}", expected.rows.get(id)));
        };
        let fits = row.len() == values.len()
            && row.iter().all(|(c, v)| values.get(c).is_some_and(|choices| choices.contains(v)));
        if !fits {
            return Err(format!("`{id}`: {row:?} for {values:?}"));
        }
    }
    let mut asked: BTreeSet<&str> = BTreeSet::new();
    for block in &merged.blocks {
        for id in block.ids() {
            if expected.rows.get(id) != Some(&Fate::Conflict) {
                return Err(format!("`{id}` stands between marks: {:?}", expected.rows.get(id)));
            }
            asked.insert(id);
        }
        for (half, side) in [(&block.ours, sides[1]), (&block.theirs, sides[2])] {
            half_is_whole(half, side, sides)?;
        }
    }
    for (id, fate) in &expected.rows {
        let (stands, is_asked) = (seen.contains(id.as_str()), asked.contains(id.as_str()));
        let right = match fate {
            Fate::Stays(_) => stands && !is_asked,
            Fate::Gone => !stands && !is_asked,
            Fate::Conflict => !stands && is_asked,
        };
        if !right {
            return Err(format!("`{id}`: stands {stands}, asked {is_asked}, for {fate:?}"));
        }
    }
    prose(expected, merged, sides)?;
    if in_order { order(merged, sides) } else { Ok(()) }
}

/// A half shows a side's decision, and nothing that no side says.
fn half_is_whole(
    half: &super::paper::Half,
    side: &Paper,
    sides: [&Paper; 3],
) -> Result<(), String> {
    let group: &[&str] = if side.kind == Kind::Tasks { &CLAIM } else { &VERDICT };
    for (id, row) in &half.rows {
        let Some(own) = side.find(id) else {
            return Err(format!("`{id}` stands in the half of a side that removed it"));
        };
        for (column, value) in row {
            let said = sides.iter().any(|s| s.find(id).and_then(|r| r.get(column)) == Some(value));
            if !said && column != "notes" {
                return Err(format!("`{id}` {column}: nobody says {value}"));
            }
        }
        let [b, o, t] =
            sides.map(|s| s.find(id).map(|r| group.iter().map(|c| r.get(*c)).collect::<Vec<_>>()));
        let both = b.is_none() || (o != b && t != b);
        if both && o != t && group.iter().any(|c| row.get(*c) != own.get(*c)) {
            return Err(format!("`{id}`: half a decision, {row:?} of {own:?}"));
        }
    }
    Ok(())
}

fn prose(expected: &Expected, merged: &Merged, sides: [&Paper; 3]) -> Result<(), String> {
    let count = |line: &str| merged.lines.iter().filter(|l| l.as_str() == line).count();
    for (n, fate) in expected.stanzas.iter().enumerate() {
        for around in [format!("Part {n} begins."), format!("Part {n} ends.")] {
            if count(&around) != 1 {
                return Err(format!("`{around}` stands {} times", count(&around)));
            }
        }
        let at = merged.lines.iter().position(|line| *line == format!("Part {n} begins."));
        let next = at.and_then(|at| merged.lines.get(at + 1)).cloned().unwrap_or_default();
        match fate {
            Line::One(line) if next != *line => return Err(format!("{next} for {line}")),
            Line::One(_) => {}
            Line::Conflict => {
                let [_, ours, theirs] = sides.map(|side| vec![side.stanzas[n].clone()]);
                let shown =
                    merged.blocks.iter().any(|b| b.ours.lines == ours && b.theirs.lines == theirs);
                if !shown {
                    return Err(format!("no conflict of {ours:?} and {theirs:?}"));
                }
            }
        }
    }
    let lines: usize =
        merged.blocks.iter().map(|b| b.ours.lines.len() + b.theirs.lines.len()).sum();
    let wanted = expected.stanzas.iter().filter(|line| **line == Line::Conflict).count() * 2;
    if lines != wanted {
        return Err(format!("{lines} lines of prose between marks, for {wanted}"));
    }
    Ok(())
}

/// Rows stand in the order of each side.
fn order(merged: &Merged, sides: [&Paper; 3]) -> Result<(), String> {
    let place: BTreeMap<&str, usize> =
        merged.rows.iter().enumerate().map(|(at, (id, _))| (id.as_str(), at)).collect();
    for side in &sides[1..] {
        let places: Vec<usize> =
            side.ids().iter().filter_map(|id| place.get(id).copied()).collect();
        if !places.is_sorted() {
            return Err(format!("{:?} is not in the order of {:?}", merged.rows, side.ids()));
        }
    }
    Ok(())
}
