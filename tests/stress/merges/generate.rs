//! Random papers, and random things that two sides do to them.

use super::paper::{Kind, Look, Paper, Row};
use crate::support::Dice;

/// One thing that somebody does. What it is about may be gone.
#[derive(Debug, Clone)]
pub enum Step {
    /// Cells of a row; empty clears.
    Set(String, Vec<(&'static str, String)>),
    /// Appends to the notes.
    Note(String, String),
    /// A new row below another; at the end where that is gone.
    Add(String, Row, Option<String>),
    Remove(String),
    Prose(usize, String),
    /// A column with values in some rows, or without it.
    AddColumn(&'static str, Vec<(String, String)>),
    DropColumn(&'static str),
    /// The columns in another order.
    Turn,
    /// The same in another spelling.
    Respell(Look),
    /// A row goes to the end of the table.
    Move(String),
}

impl Step {
    pub fn apply(&self, paper: &mut Paper) {
        match self {
            Self::Set(id, cells) => {
                let Some(row) = paper.find_mut(id) else { return };
                for (column, value) in cells {
                    row.remove(*column);
                    if !value.is_empty() {
                        row.insert((*column).to_owned(), value.clone());
                    }
                }
            }
            Self::Note(id, text) => {
                let Some(row) = paper.find_mut(id) else { return };
                let notes = match row.get("notes") {
                    Some(notes) => format!("{notes}・{text}"),
                    None => text.clone(),
                };
                row.insert("notes".to_owned(), notes);
            }
            Self::Add(id, row, below) => {
                let mut row = row.clone();
                row.retain(|column, _| paper.columns.contains(column));
                let at = below.as_ref().and_then(|id| paper.ids().iter().position(|own| own == id));
                let at = at.map_or(paper.rows.len(), |at| at + 1);
                if paper.find(id).is_none() {
                    if below.as_ref().is_some_and(|id| paper.second.contains(id)) {
                        paper.second.insert(id.clone());
                    }
                    paper.rows.insert(at, (id.clone(), row));
                }
            }
            Self::Remove(id) => paper.rows.retain(|(own, _)| own != id),
            Self::Prose(n, text) => paper.stanzas[*n].clone_from(text),
            Self::AddColumn(name, values) => {
                paper.columns.push((*name).to_owned());
                for (id, value) in values {
                    if let Some(row) = paper.find_mut(id) {
                        row.insert((*name).to_owned(), value.clone());
                    }
                }
            }
            Self::DropColumn(name) => {
                paper.columns.retain(|column| column != name);
                for (_, row) in &mut paper.rows {
                    row.remove(*name);
                }
            }
            Self::Turn => paper.columns[1..].reverse(),
            Self::Respell(look) => paper.look = *look,
            Self::Move(id) => {
                let Some(at) = paper.ids().iter().position(|own| own == id) else { return };
                let row = paper.rows.remove(at);
                paper.rows.push(row);
            }
        }
    }
}

/// A base and what each side does to it.
#[derive(Debug, Clone)]
pub struct Case {
    pub base: Paper,
    pub ours: Vec<Step>,
    pub theirs: Vec<Step>,
    /// The sides stay out of each other's way.
    pub disjoint: bool,
}

impl Case {
    /// All steps of these sides, one after the other.
    pub fn after(&self, sides: &[&[Step]]) -> Paper {
        let mut paper = self.base.clone();
        sides.iter().flat_map(|side| side.iter()).for_each(|step| step.apply(&mut paper));
        paper
    }

    /// Whether no row changes its place among the others.
    pub fn keeps_order(&self) -> bool {
        !self.ours.iter().chain(&self.theirs).any(|step| matches!(step, Step::Move(_)))
    }
}

const STATES: [&str; 8] = ["PLAN", "READY", "DOING", "REVIEW", "FIX", "HOLD", "DONE", "DROP"];
const WORDS: [&str; 8] = ["mow", "paint", "屋根を直す", "a|b", "écran", "wash", "値=1", "sow"];
const PEOPLE: [&str; 3] = ["WORK@ada", "WORK@bob", "AUDIT@eve"];

fn words(dice: &mut Dice) -> String {
    let count = 1 + dice.below(4);
    (0..count).map(|_| *dice.pick(&WORDS)).collect::<Vec<_>>().join(" ")
}

fn time(dice: &mut Dice) -> String {
    format!("2026-0{}-1{}T0{}:00:00Z", 1 + dice.below(9), dice.below(10), dice.below(10))
}

fn row(kind: Kind, dice: &mut Dice) -> Row {
    let mut row = Row::new();
    let mut set = |column: &str, value: String| {
        if !value.is_empty() {
            row.insert(column.to_owned(), value);
        }
    };
    match kind {
        Kind::Tasks => {
            set("title", words(dice));
            set("state", (*dice.pick(&STATES[..2])).to_owned());
            set("owner", (*dice.pick(&["", "WORK", "WORK@ada"])).to_owned());
            set("due", (*dice.pick(&["", "2026-05-01"])).to_owned());
            set("notes", if dice.below(3) == 0 { words(dice) } else { String::new() });
        }
        Kind::Approvals => {
            set("task_id", format!("T-{}", dice.below(5)));
            set("op", words(dice));
            set("status", "pending".to_owned());
            set("requested_by", (*dice.pick(&PEOPLE)).to_owned());
            set("ts_req", time(dice));
        }
    }
    row
}

pub fn case(dice: &mut Dice) -> Case {
    let kind = if dice.below(4) == 0 { Kind::Approvals } else { Kind::Tasks };
    let disjoint = dice.below(2) == 0;
    let count = 2 + dice.below(if disjoint { 30 } else { 9 });
    let id = |n: usize| format!("{}-{n:03}", if kind == Kind::Tasks { "T" } else { "A" });
    let look = Look {
        padded: dice.below(3) == 0,
        aliases: dice.below(5) == 0,
        crlf: dice.below(5) == 0,
        bom: dice.below(10) == 0,
        ended: dice.below(10) > 0,
        ragged: dice.below(5) == 0,
        empty: if dice.below(2) == 0 { "-" } else { "" },
    };
    let second = dice.below(4) == 0;
    let is_second = |n: &usize| second && *n > count / 2;
    let base = Paper {
        kind,
        columns: kind.columns().map(str::to_owned).to_vec(),
        rows: (0..count).map(|n| (id(n), row(kind, dice))).collect(),
        second: (0..count).filter(is_second).map(id).collect(),
        stanzas: (0..4).map(|n| format!("Line {n} says {}.", dice.below(100))).collect(),
        look,
    };
    let mut case = Case { base, ours: Vec::new(), theirs: Vec::new(), disjoint };
    let (a, b) = (1 + dice.below(6), 1 + dice.below(6));
    case.ours = (0..a).map(|_| step(&case, 0, dice)).collect();
    case.theirs = (0..b).map(|_| step(&case, 1, dice)).collect();
    // The layout and the spelling are one side's; of both sides they would be a
    // question of their own.
    if dice.below(3) == 0 {
        let layout = layout(&case, dice);
        let side = dice.below(2);
        let steps = if side == 0 { &mut case.ours } else { &mut case.theirs };
        // Not before the steps that know the columns as they were.
        steps.push(layout);
    }
    case
}

/// What one side does. Where the sides stay apart, rows of even numbers and the
/// first two stanzas are the one's, the rest the other's.
fn step(case: &Case, side: usize, dice: &mut Dice) -> Step {
    let (kind, disjoint) = (case.base.kind, case.disjoint);
    let own = |n: usize, all: usize| match disjoint {
        true if n % 2 == side => n,
        true => (n + 1) % (all + all % 2),
        false => n,
    };
    let count = case.base.rows.len();
    let at = own(dice.below(count), count);
    let id = case.base.rows.get(at).map_or("none", |(id, _)| id.as_str()).to_owned();
    let person = || *["WORK@ada", "WORK@bob"].get(side).unwrap_or(&"WORK");
    match dice.below(13) {
        0 | 1 => {
            let number = 100 + own(dice.below(if disjoint { 40 } else { 4 }), 40);
            let letter = if kind == Kind::Tasks { "T" } else { "A" };
            let below = (dice.below(3) == 0).then_some(id);
            Step::Add(format!("{letter}-{number}"), row(kind, dice), below)
        }
        2 => Step::Remove(id),
        3 => {
            let stanza = if disjoint { side * 2 + dice.below(2) } else { dice.below(4) };
            Step::Prose(stanza, format!("Line {stanza} now says {}.", dice.below(3)))
        }
        4 if dice.below(3) == 0 => Step::Move(id),
        5 | 6 if kind == Kind::Tasks => {
            Step::Note(id, format!("{} {}", words(dice), dice.below(3)).replace('・', ""))
        }
        7 if kind == Kind::Tasks => {
            Step::Note(id, format!("priority={}", dice.pick(&["LOW", "HIGH"])))
        }
        n if kind == Kind::Approvals => verdict(id, n, dice),
        8 | 9 => {
            let who = if dice.below(2) == 0 { person() } else { dice.pick(&PEOPLE) };
            let (from, to) = (time(dice), time(dice));
            let cells = vec![
                ("state", "DOING".to_owned()),
                ("lock", format!("{who}@{from}")),
                ("lock_owner", who.to_owned()),
                ("lock_expires_at", to),
            ];
            Step::Set(id, cells)
        }
        10 => Step::Set(id, vec![("state", (*dice.pick(&STATES)).to_owned())]),
        11 => {
            let owner = *dice.pick(&["", "WORK", "CMD", "WORK@ada", "WORK@bob"]);
            Step::Set(id, vec![("owner", owner.to_owned())])
        }
        _ => {
            let column = *dice.pick(&["title", "due", "artifact", "notes"]);
            let value = if column == "due" { time(dice) } else { words(dice) };
            let value = if dice.below(4) == 0 && column != "title" { String::new() } else { value };
            Step::Set(id, vec![(column, value)])
        }
    }
}

fn verdict(id: String, n: usize, dice: &mut Dice) -> Step {
    if n < 9 {
        let status = *dice.pick(&["approved", "rejected"]);
        let cells = vec![
            ("status", status.to_owned()),
            ("approver", (*dice.pick(&["CMD@eve", "AUDIT@max"])).to_owned()),
            ("approver_role", "AUDIT".to_owned()),
            ("ts_dec", time(dice)),
        ];
        return Step::Set(id, cells);
    }
    let column = *dice.pick(&["evidence", "op", "ts_req", "approver"]);
    let value = if column == "ts_req" { time(dice) } else { words(dice) };
    Step::Set(id, vec![(column, value)])
}

fn layout(case: &Case, dice: &mut Dice) -> Step {
    let look = case.base.look;
    match dice.below(8) {
        7 => Step::Respell(Look { ended: !look.ended, bom: !look.bom, ..look }),
        0 | 1 => Step::Respell(Look { padded: !look.padded, ..look }),
        2 => Step::Respell(Look { crlf: !look.crlf, ..look }),
        3 => Step::Respell(Look { aliases: !look.aliases, ..look }),
        4 => Step::Turn,
        5 => {
            let values = case.base.rows.iter().filter(|_| dice.below(3) == 0);
            let values = values.map(|(id, _)| (id.clone(), "blue".to_owned())).collect::<Vec<_>>();
            Step::AddColumn("team", if case.disjoint { Vec::new() } else { values })
        }
        // Where rows may end early, a side's own row is not told from another's.
        _ if case.disjoint || look.ragged => Step::Turn,
        _ if case.base.kind == Kind::Tasks => Step::DropColumn("due"),
        _ => Step::DropColumn("ts_req"),
    }
}
