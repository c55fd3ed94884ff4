//! Laws of merging: what holds of any three texts, and what a small model that
//! knows nothing of Markdown says of three plain ledgers.

use super::Outcome;
use crate::documents::Choices;
use orch::ledger::document::{Document, Kind};
use orch::ledger::merge::{Labels, Merged, Sides, What, merge};
use orch::ledger::table::{is_empty_value, trim};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Longer than any line of signs that a generated text has.
const MARK: usize = 41;

fn merged(base: &str, ours: &str, theirs: &str) -> Merged {
    let labels = Labels { ours: "L", base: "B", theirs: "R" };
    merge(Kind::Tasks, &Sides { base, ours, theirs }, &labels, MARK)
}

/// The text with ours for each conflict, or theirs.
fn resolved(text: &str, left: bool) -> String {
    let sign = |c: char| c.to_string().repeat(MARK);
    let (open, middle, close) = (sign('<'), sign('='), sign('>'));
    let mut out = String::new();
    let mut side = None;
    for line in lines(text) {
        match () {
            () if line.starts_with(&open) => side = Some(true),
            () if line.starts_with(&middle) && side.is_some() => side = Some(false),
            () if line.starts_with(&close) && side.is_some() => side = None,
            () if side.is_none_or(|is_left| is_left == left) => out.push_str(line),
            () => {}
        }
    }
    out
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest
            .find(['\n', '\r'])
            .map_or(rest.len(), |at| at + if rest[at..].starts_with("\r\n") { 2 } else { 1 });
        let (line, after) = rest.split_at(end);
        rest = after;
        Some(line)
    })
}

/// The ids that stand once, with their rows' values by column.
fn rows(text: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let document = Document::parse(Kind::Tasks, text);
    let value = |raw: &str| if is_empty_value(trim(raw)) { "" } else { trim(raw) }.to_owned();
    let once = document.by_id().into_iter().filter_map(|(id, at)| Some((id.into_owned(), at?)));
    once.map(|(id, at)| {
        let cells = document.cells(&document.grid().rows[at]);
        (id, cells.into_iter().map(|(name, raw)| (name, value(&raw))).collect())
    })
    .collect()
}

fn twice(text: &str) -> BTreeSet<String> {
    let document = Document::parse(Kind::Tasks, text);
    let all = document.by_id().into_iter().filter(|(_, at)| at.is_none());
    all.map(|(id, _)| id.into_owned()).collect()
}

/// What holds of any three texts.
pub fn a_merge_keeps_what_both_did(base: &str, ours: &str, theirs: &str) -> Outcome {
    // Here halves are told apart by marks that no text has.
    let is_mark = |line: &str| ["<", "=", ">"].iter().any(|c| line.starts_with(&c.repeat(MARK)));
    if [base, ours, theirs].into_iter().flat_map(lines).any(is_mark) {
        return Outcome::Refused;
    }
    for x in [ours, theirs] {
        for (b, o, t) in [(base, x, base), (base, base, x), (base, x, x), (x, x, x)] {
            let plain = merged(b, o, t);
            assert_eq!(plain.text, x);
            assert!(plain.conflicts.is_empty());
        }
    }
    let there = merged(base, ours, theirs);
    let back = merged(base, theirs, ours);
    assert_eq!(there.conflicts.len(), back.conflicts.len(), "{there:#?}\n{back:#?}");
    for left in [true, false] {
        let (a, b) = (resolved(&there.text, left), resolved(&back.text, !left));
        assert_eq!(a, b, "not the same from both sides\n{there:#?}\n{back:#?}");
    }
    for conflict in &there.conflicts {
        let line = lines(&there.text).nth(conflict.line - 1).unwrap_or_default();
        assert!(line.starts_with(&"<".repeat(MARK)), "line {}: {line:?}", conflict.line);
    }
    let doubtful: BTreeSet<String> = [base, ours, theirs].into_iter().flat_map(twice).collect();
    let [b, o, t] = [base, ours, theirs].map(rows);
    let ends = [resolved(&there.text, true), resolved(&there.text, false)].map(|t| rows(&t));
    let ids: BTreeSet<&String> = o.keys().chain(t.keys()).collect();
    for id in ids.into_iter().filter(|id| !doubtful.contains(*id)) {
        // Between marks it is there for whoever decides, row or not.
        let asked = |what: &What| match what {
            What::Row { id: about, .. } => about == id,
            What::Header { .. } | What::Lines | What::Text => true,
        };
        let kept = ends.iter().any(|end| end.contains_key(id))
            || there.conflicts.iter().any(|conflict| asked(&conflict.what));
        let removed = b.contains_key(id) && !(o.contains_key(id) && t.contains_key(id));
        assert!(kept || removed, "{id} is lost\n{}", there.text);
    }
    if !there.conflicts.is_empty() {
        // A conflict is refused work; that it is not too much, the model says.
        return Outcome::Refused;
    }
    let result = &ends[0];
    for (id, row) in result.iter().filter(|(id, _)| !doubtful.contains(*id)) {
        let each = [&b, &o, &t].map(|rows| rows.get(id));
        for (name, is) in row {
            let [was, left, right] =
                each.map(|row| row.and_then(|row| row.get(name)).map_or("", String::as_str));
            // A column may have another name on a side.
            let unknown = each.iter().flatten().any(|row| !row.contains_key(name));
            let fair = unknown
                || is == left
                || is == right
                || (name == "notes" && is.starts_with(was))
                || (each[1].is_none() || each[2].is_none());
            assert!(fair, "{id} {name}: {is:?} of {was:?}, {left:?}, {right:?}\n{}", there.text);
            if each.iter().all(Option::is_some)
                && each.iter().all(|r| r.is_some_and(|r| r.contains_key(name)))
            {
                let alone = if left == was { Some(right) } else { (right == was).then_some(left) };
                assert!(
                    alone.is_none_or(|alone| alone == is),
                    "{id} {name}: {is:?}\n{}",
                    there.text
                );
            }
        }
    }
    // No line comes from nowhere.
    let known: HashSet<&str> = [base, ours, theirs]
        .into_iter()
        .flat_map(lines)
        .map(|line| line.trim_end_matches(['\n', '\r']).trim_start_matches('\u{feff}'))
        .collect();
    let document = Document::parse(Kind::Tasks, &there.text);
    let starts: HashSet<&str> = document
        .grid()
        .rows
        .iter()
        .chain(document.grid().tables.iter().flat_map(|t| [&t.header, &t.delimiter]))
        .map(|row| document.line(row))
        .collect();
    for line in lines(&there.text) {
        let line = line.trim_end_matches(['\n', '\r']).trim_start_matches('\u{feff}');
        let is_row = starts.iter().any(|row| line.contains(row));
        assert!(is_row || known.contains(line), "{line:?} comes from nowhere\n{}", there.text);
    }
    Outcome::Held
}

// ---- the model --------------------------------------------------------------

const COLUMNS: [&str; 10] = [
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
];

type Values = BTreeMap<&'static str, String>;

/// A ledger without any Markdown.
#[derive(Debug, Clone)]
struct Plain {
    rows: Vec<(String, Values)>,
    prose: Vec<String>,
    wide: bool,
    end: &'static str,
}

impl Plain {
    fn text(&self) -> String {
        let pad = |text: &str| {
            if self.wide { format!(" {text:<24} ") } else { format!(" {text} ") }
        };
        let line = |cells: Vec<String>| format!("|{}|", cells.join("|"));
        let mut lines = vec!["# Tasks".to_owned(), self.prose[0].clone(), String::new()];
        lines.push(line(COLUMNS.iter().map(|name| pad(name)).collect()));
        lines.push(line(COLUMNS.iter().map(|_| pad("---")).collect()));
        for (id, values) in &self.rows {
            let value = |name: &str| match values.get(name).map_or("", String::as_str) {
                "" => "-".to_owned(),
                value => value.to_owned(),
            };
            let cells = COLUMNS.iter().enumerate();
            let cells = cells.map(|(n, name)| if n == 0 { pad(id) } else { pad(&value(name)) });
            lines.push(line(cells.collect()));
        }
        lines.extend([String::new(), "## Notes".to_owned(), String::new(), self.prose[1].clone()]);
        lines.iter().flat_map(|line| [line.as_str(), self.end]).collect()
    }

    fn change(&mut self, c: &mut Choices<'_>, side: &str) {
        for _ in 0..=c.pick(5) {
            let at = c.pick(8);
            let count = self.rows.len();
            let row = (count > 0).then(|| at % count.max(1));
            let kind = c.pick(12);
            let Some(row) = row.filter(|_| kind > 1) else {
                let id = format!("T-{}", 20 + c.pick(3));
                if self.rows.iter().all(|(known, _)| *known != id) {
                    let title = ["new", "other"][c.pick(2)].to_owned();
                    self.rows.insert(at.min(count), (id, [("title", title)].into()));
                }
                continue;
            };
            match kind {
                2 => drop(self.rows.remove(row)),
                3 | 4 => {
                    let holder = format!("WORK@{}", ["ada", "bob"][c.pick(2)]);
                    let until = "2026-01-01T00:00:00Z".to_owned();
                    let cells = [
                        ("state", "DOING".to_owned()),
                        ("lock", format!("k-{holder}")),
                        ("lock_owner", holder),
                        ("lock_expires_at", until),
                    ];
                    self.rows[row].1.extend(cells);
                }
                5 => {
                    let notes = self.rows[row].1.entry("notes").or_default();
                    let note = format!("{side}{}", c.pick(2));
                    *notes = if notes.is_empty() { note } else { format!("{notes}・{note}") };
                }
                6 => {
                    let moved = self.rows.remove(row);
                    self.rows.insert(c.pick(8).min(self.rows.len()), moved);
                }
                7 => self.wide = true,
                8 => self.prose[c.pick(2)] = format!("prose {}", c.pick(3)),
                9 => drop(
                    self.rows[row]
                        .1
                        .insert("owner", ["WORK", "WORK@ada", "CMD", ""][c.pick(4)].to_owned()),
                ),
                10 => drop(
                    self.rows[row]
                        .1
                        .insert("state", ["READY", "FIX", "HOLD"][c.pick(3)].to_owned()),
                ),
                _ => {
                    let column = ["title", "due", "artifact"][c.pick(3)];
                    let value = ["", "one", "台帳", "a \\| b"][c.pick(4)];
                    self.rows[row].1.insert(column, value.to_owned());
                }
            }
        }
        if c.pick(6) == 5 {
            self.end = "\r\n";
        }
    }

    fn values(&self) -> BTreeMap<&str, &Values> {
        self.rows.iter().map(|(id, values)| (id.as_str(), values)).collect()
    }
}

/// What the model says of one row.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    Gone,
    Conflict,
    Is(Values),
}

fn get<'v>(values: Option<&'v &Values>, name: &str) -> &'v str {
    values.and_then(|values| values.get(name)).map_or("", String::as_str)
}

const CLAIM: [&str; 4] = ["state", "lock", "lock_owner", "lock_expires_at"];

fn expected(b: Option<&&Values>, o: Option<&&Values>, t: Option<&&Values>) -> Expected {
    let same = |x, y| COLUMNS.iter().all(|name| get(x, name) == get(y, name));
    let (Some(_), Some(_)) = (o, t) else {
        let left = o.or(t);
        return match (b, left) {
            (_, None) => Expected::Gone,
            (Some(_), left) if same(b, left) => Expected::Gone,
            (Some(_), _) => Expected::Conflict,
            (None, Some(left)) => Expected::Is((*left).clone()),
        };
    };
    if b.is_none() {
        return if same(o, t) { Expected::Is((*o.unwrap()).clone()) } else { Expected::Conflict };
    }
    let claim = |x, y| CLAIM.iter().any(|name| get(x, name) != get(y, name));
    if claim(b, o) && claim(b, t) && claim(o, t) {
        return Expected::Conflict;
    }
    for (giver, claimer) in [(o, t), (t, o)] {
        let (owner, holder) = (get(giver, "owner"), get(claimer, "lock_owner"));
        let gave = owner != get(b, "owner") && get(claimer, "owner") == get(b, "owner");
        let claimed = holder != get(b, "lock_owner") && !holder.is_empty();
        let may = owner.is_empty() || owner == "WORK" || owner == holder;
        if gave && claimed && !may {
            return Expected::Conflict;
        }
    }
    let mut values = Values::new();
    for name in COLUMNS {
        let [b, o, t] = [b, o, t].map(|row| get(row, name));
        let value = match () {
            () if o == t || b == t => o.to_owned(),
            () if b == o => t.to_owned(),
            () if name == "notes" && o.starts_with(b) && t.starts_with(b) => "both".to_owned(),
            () => return Expected::Conflict,
        };
        values.insert(name, value);
    }
    Expected::Is(values)
}

/// Conflicts are where the model says, and values as it says.
pub fn a_merge_is_what_the_model_says(c: &mut Choices<'_>) -> Outcome {
    let mut base = Plain {
        rows: Vec::new(),
        prose: vec!["first".into(), "last".into()],
        wide: false,
        end: "\n",
    };
    for n in 0..c.pick(6) {
        let title = format!("title {n}");
        let notes = ["", "n"][c.pick(2)].to_owned();
        let values = [("title", title), ("state", "READY".to_owned()), ("notes", notes)];
        base.rows.push((format!("T-{}", n + 1), values.into()));
    }
    let (mut ours, mut theirs) = (base.clone(), base.clone());
    ours.change(c, "o");
    theirs.change(c, "t");
    let texts = [base.text(), ours.text(), theirs.text()];
    let outcome = a_merge_keeps_what_both_did(&texts[0], &texts[1], &texts[2]);
    let result = merged(&texts[0], &texts[1], &texts[2]);
    let [b, o, t] = [&base, &ours, &theirs].map(Plain::values);
    let found = rows(&resolved(&result.text, true));
    let story = || format!("{}\n{}\n{}\n{}", texts[0], texts[1], texts[2], result.text);
    let mut conflicts: BTreeSet<String> = BTreeSet::new();
    for conflict in &result.conflicts {
        match &conflict.what {
            What::Row { id, .. } => assert!(conflicts.insert(id.clone()), "{}", story()),
            What::Lines => {
                let prose = (0..2).any(|n| {
                    let [b, o, t] = [&base, &ours, &theirs].map(|side| &side.prose[n]);
                    b != o && b != t && o != t
                });
                assert!(prose, "prose merges here\n{}", story());
            }
            other => panic!("{other:?}\n{}", story()),
        }
    }
    let ids: BTreeSet<&str> = b.keys().chain(o.keys()).chain(t.keys()).copied().collect();
    for id in ids {
        let is = expected(b.get(id), o.get(id), t.get(id));
        assert_eq!(conflicts.contains(id), is == Expected::Conflict, "{id}\n{}", story());
        match is {
            Expected::Conflict => {}
            Expected::Gone => assert!(!found.contains_key(id), "{id}\n{}", story()),
            Expected::Is(values) => {
                let row = found.get(id).unwrap_or_else(|| panic!("{id} is lost\n{}", story()));
                for name in &COLUMNS[1..] {
                    let value = values.get(name).map_or("", String::as_str);
                    if *name == "notes" && value == "both" {
                        for side in [&o, &t] {
                            let notes = get(side.get(id), "notes");
                            for note in notes.split('・') {
                                let times = row[*name].split('・').filter(|n| *n == note).count();
                                let most = notes.split('・').filter(|n| *n == note).count();
                                assert!(
                                    times >= 1 && times <= most.max(1) + 2,
                                    "{note}\n{}",
                                    story()
                                );
                            }
                        }
                    } else {
                        assert_eq!(row[*name], value, "{id} {name}\n{}", story());
                    }
                }
            }
        }
    }
    // Once more with a side that is in it already: nothing new.
    if result.conflicts.is_empty() {
        for side in &texts[1..] {
            let again = merged(&texts[0], &result.text, side);
            assert!(again.conflicts.is_empty(), "{again:#?}\n{}", story());
            assert_eq!(rows(&again.text), found, "merged again with {side}\n{}", story());
        }
    }
    outcome
}

/// Any text, changed in a few places as an editor would.
pub fn edited(text: &str, c: &mut Choices<'_>) -> String {
    let mut all: Vec<String> = lines(text).map(str::to_owned).collect();
    for _ in 0..c.pick(4) {
        if all.is_empty() {
            all.push("x\n".to_owned());
        }
        let count = all.len();
        let at = c.pick(count.min(255));
        match c.pick(9) {
            0 => {
                let new = all[at].replace("one", "two").replace('-', "3");
                all[at] = new;
            }
            1 => drop(all.remove(at)),
            2 => all.insert(at, crate::documents::value(c).replace('\n', " ") + "\n"),
            3 => {
                let line = all[at].replacen("T-", "T-9", 1).replacen("00", "90", 1);
                all.insert(at, line);
            }
            4 => {
                let line = all.remove(at);
                all.insert(c.pick(count.min(255)).min(all.len()), line);
            }
            5 => {
                // Another column, in every line with as many pipes.
                let pipes = all[at].matches('|').count();
                for line in all.iter_mut().filter(|l| pipes > 1 && l.matches('|').count() == pipes)
                {
                    let end = line.trim_end().len();
                    let cell = if line.contains("--") { " --- |" } else { " new |" };
                    line.insert_str(end, cell);
                }
            }
            6 => {
                let line = all[at].replace("| ", "|   ");
                all[at] = line;
            }
            7 => all
                .iter_mut()
                .for_each(|line| *line = line.replace('\n', "\r\n").replace("\r\r", "\r")),
            _ => {
                let line = all[at].replacen(
                    '|',
                    &format!("| {} |", crate::documents::value(c).replace(['\n', '|'], " ")),
                    1,
                );
                all[at] = line;
            }
        }
    }
    all.concat()
}
