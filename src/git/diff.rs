//! What differs between two moments of the ledgers.
//!
//! Here: rows of both ledgers and of the archives, flags, text outside of rows;
//! a row that only went to the archive or came back is one change. Not here:
//! where the texts come from (`git::revision`), how it looks (`cli::render`).
//! Invariant: what is neither a row's value nor told as text is spelling, and a
//! file that differs in nothing else is said to.

use crate::git::revision::Ledgers;
use crate::ledger::change::{RowChange, RowChangeKind, TextChange};
use crate::ledger::compare;
use crate::ledger::document::{Document, Kind as Ledger};
use crate::ledger::flags;
use crate::ledger::section::Sections;
use crate::model::field::{ApprovalField, TaskField};
use crate::model::flags::Flag;
use crate::services::log::value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

/// Everything that differs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Tasks, then approvals, then flags; in the order of the new text, what is
    /// gone after it.
    pub changes: Vec<Change>,
    /// Files that are new or gone; of their lines only the rows are told.
    pub files: Vec<(String, Kind)>,
    /// Lines that are no rows.
    pub texts: Vec<Place>,
    /// Files in which only blanks, borders or the order of rows differ.
    pub respelled: Vec<String>,
    /// Ids that stand twice in a file, which are compared as lines.
    pub unclear: Vec<(String, String)>,
}

/// What a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// A task.
    Task,
    /// An approval.
    Approval,
    /// A flag.
    Flag,
}

/// What happened to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Cells of it changed.
    Changed,
    /// It went from the ledger to an archive.
    Archived,
    /// It came back from there.
    Restored,
}

/// Column to value before and after; empty is none.
pub type Cells = BTreeMap<String, (Option<String>, Option<String>)>;

/// A row, or a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it is about.
    pub about: About,
    /// Where it stands; where it stood, if it is gone.
    pub file: String,
    /// What happened to it.
    pub kind: Kind,
    /// Its id, or the flag's name.
    pub id: String,
    /// The task's title, the approval's operation.
    pub title: Option<String>,
    /// The approval's task.
    pub task: Option<String>,
    /// The cells that differ.
    pub cells: Cells,
}

/// Lines that are no rows, and differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The first line of the new text, counted from 1.
    pub line: usize,
    /// How many lines are gone.
    pub removed: usize,
    /// How many are new.
    pub added: usize,
}

/// Compares all files of two moments.
pub fn compare(old: &Ledgers, new: &Ledgers) -> Comparison {
    let mut found = Comparison::default();
    let files: BTreeSet<&String> = old.files.keys().chain(new.files.keys()).collect();
    let text = |side: &Ledgers, file: &str| side.files.get(file).cloned();
    let of = |about| files.iter().filter(move |file| about_of(file) == Some(about));
    for file in of(About::Task) {
        found.rows(Ledger::Tasks, file, text(old, file), text(new, file));
    }
    found.join_moves();
    for file in of(About::Approval) {
        found.rows(Ledger::Approvals, file, text(old, file), text(new, file));
    }
    found.flags(old, new);
    found
}

fn about_of(file: &str) -> Option<About> {
    match file.strip_prefix("ORCH/STATE/")? {
        "TASKS.md" => Some(About::Task),
        "APPROVALS.md" => Some(About::Approval),
        name if name.eq_ignore_ascii_case("flags.md") => Some(About::Flag),
        name if name.starts_with("archive/") => Some(About::Task),
        _ => None,
    }
}

impl Comparison {
    /// Whether nothing differs, spelling included.
    pub fn is_empty(&self) -> bool {
        let lines = self.texts.is_empty() && self.respelled.is_empty();
        self.changes.is_empty() && self.files.is_empty() && lines
    }

    /// Leaves nothing but rows with these ids.
    pub fn only(&mut self, ids: &[String]) {
        self.changes.retain(|change| ids.contains(&change.id));
        self.unclear.retain(|(_, id)| ids.contains(id));
        self.files.clear();
        self.texts.clear();
        self.respelled.clear();
    }

    fn rows(&mut self, kind: Ledger, file: &str, old: Option<String>, new: Option<String>) {
        if old == new {
            return;
        }
        let whole = match (&old, &new) {
            (None, _) => Some(Kind::Added),
            (_, None) => Some(Kind::Removed),
            _ => None,
        };
        let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
        let (before, after) = (Document::parse(kind, &old), Document::parse(kind, &new));
        let rows = compare::rows(&before, &after, file);
        let texts = match whole {
            Some(_) => Vec::new(),
            None => compare::texts(&before, &after, file, false),
        };
        let (was, is) = (before.by_id(), after.by_id());
        let twice = was.iter().chain(&is).filter(|(_, row)| row.is_none());
        let twice: BTreeSet<&Cow<'_, str>> = twice.map(|(id, _)| id).collect();
        self.unclear.extend(twice.into_iter().map(|id| (file.to_owned(), id.to_string())));
        if let Some(whole) = whole {
            self.files.push((file.to_owned(), whole));
        } else if rows.is_empty() && texts.is_empty() {
            self.respelled.push(file.to_owned());
        }
        let row =
            |document: &Document<'_>, ids: &HashMap<Cow<'_, str>, Option<usize>>, id: &str| {
                let row = ids.get(id).copied().flatten()?;
                Some(document.cells(&document.grid().rows[row]))
            };
        for change in rows {
            let cells = row(&after, &is, &change.row).or_else(|| row(&before, &was, &change.row));
            self.changes.push(told(kind, change, &cells.unwrap_or_default()));
        }
        let details = match (kind, texts.is_empty()) {
            (Ledger::Tasks, false) => details(&before, &after, was.keys().chain(is.keys())),
            _ => Details::default(),
        };
        for (id, sides) in &details.of {
            let cells = Cells::from([(DETAIL.to_owned(), sides.clone())]);
            let known = self.changes.iter_mut().find(|c| c.file == file && c.id == **id);
            if let Some(change) = known {
                change.cells.extend(cells);
                continue;
            }
            let cells_of = row(&after, &is, id).unwrap_or_default();
            let (file, row) = (file.to_owned(), (*id).to_owned());
            let change = RowChange { file, row, ..RowChange::default() };
            self.changes.push(Change { cells, ..told(kind, change, &cells_of) });
        }
        self.texts.extend(texts.iter().filter_map(|text| details.rest(file, text)));
    }

    /// Makes one change of a row that went from one file to another.
    fn join_moves(&mut self) {
        let mut by_id: HashMap<&str, (Vec<usize>, Vec<usize>)> = HashMap::new();
        for (at, change) in self.changes.iter().enumerate() {
            let (gone, come) = by_id.entry(&change.id).or_default();
            match change.kind {
                Kind::Removed => gone.push(at),
                Kind::Added => come.push(at),
                Kind::Changed | Kind::Archived | Kind::Restored => {}
            }
        }
        let pairs = by_id.into_values().filter_map(|(gone, come)| match (&gone[..], &come[..]) {
            ([gone], [come]) => Some((*gone, *come)),
            _ => None,
        });
        let mut done = BTreeSet::new();
        for (gone, come) in pairs.collect::<Vec<_>>() {
            let from = self.changes[gone].clone();
            let to = &mut self.changes[come];
            let archived = |file: &str| file.contains("/archive/");
            to.kind = match (archived(&from.file), archived(&to.file)) {
                (false, true) => Kind::Archived,
                (true, false) => Kind::Restored,
                _ => Kind::Changed,
            };
            for (column, (before, _)) in from.cells {
                to.cells.entry(column).or_default().0 = before;
            }
            to.cells.retain(|_, (before, after)| before != after);
            done.insert(gone);
        }
        let mut at = 0;
        self.changes.retain(|_| {
            at += 1;
            !done.contains(&(at - 1))
        });
    }

    /// Both flags as they count, whichever of its names the file has.
    fn flags(&mut self, old: &Ledgers, new: &Ledgers) {
        let of = |side: &Ledgers| {
            let file = side.files.iter().find(|(name, _)| about_of(name) == Some(About::Flag));
            let flags = flags::parse(file.map_or("", |(_, text)| text));
            let freeze = if flags.freeze { "on" } else { "off" };
            let name = file.map(|(name, _)| name.clone());
            (name, [("AUTO_DECIDE", flags.auto_decide.as_str()), ("FREEZE", freeze)])
        };
        let ((was, before), (is, after)) = (of(old), of(new));
        let Some(file) = is.or(was) else { return };
        for ((name, before), (_, after)) in before.into_iter().zip(after) {
            if before != after {
                let value = (Some(before.to_owned()), Some(after.to_owned()));
                self.changes.push(Change {
                    about: About::Flag,
                    file: file.clone(),
                    kind: Kind::Changed,
                    id: name.to_owned(),
                    title: None,
                    task: None,
                    cells: Cells::from([("value".to_owned(), value)]),
                });
            }
        }
    }
}

/// What is shown as the column of a changed detail section.
pub const DETAIL: &str = "detail";

/// Detail sections that differ, and the lines of them.
#[derive(Debug, Default)]
struct Details<'t> {
    of: BTreeMap<&'t str, (Option<String>, Option<String>)>,
    before: BTreeSet<&'t str>,
    /// By their numbers.
    after: BTreeSet<usize>,
}

impl Details<'_> {
    /// What of other lines is no line of these; none where all are. A section may
    /// come in one go with text before or behind it.
    fn rest(&self, file: &str, text: &TextChange) -> Option<Place> {
        let was = text.before.lines().map(str::trim_end);
        let was: Vec<_> = was.map(|l| (l.is_empty(), self.before.contains(l))).collect();
        let is = text.after.lines().enumerate();
        let is: Vec<_> = is
            .map(|(n, l)| (l.trim().is_empty(), self.after.contains(&(text.at + n))))
            .map(|(is_empty, is_known)| (is_empty, is_known && !is_empty))
            .collect();
        let is_ours = was.iter().chain(&is).any(|(_, is_known)| *is_known);
        let (old, new) = (left(&was, is_ours), left(&is, is_ours));
        let place = Place {
            file: file.to_owned(),
            line: text.at + new.start,
            removed: old.len(),
            added: new.len(),
        };
        (place.removed + place.added > 0).then_some(place)
    }
}

/// The lines that are left between known ones at the beginning and at the end.
/// Each line says whether it is empty, and known.
fn left(lines: &[(bool, bool)], is_ours: bool) -> Range<usize> {
    let strange = |(is_empty, is_known): &(bool, bool)| !is_empty && !is_known;
    let Some(first) = lines.iter().position(strange) else {
        return 0..if is_ours { 0 } else { lines.len() };
    };
    let last = lines.iter().rposition(strange).unwrap_or(first);
    let is_known = |lines: &[(bool, bool)]| lines.iter().any(|(_, is_known)| *is_known);
    let start = if is_known(&lines[..first]) { first } else { 0 };
    let end = if is_known(&lines[last..]) { last + 1 } else { lines.len() };
    start..end
}

/// The detail sections of tasks that differ; none where a column is named so.
fn details<'t>(
    before: &'t Document<'_>,
    after: &'t Document<'_>,
    ids: impl Iterator<Item = &'t Cow<'t, str>>,
) -> Details<'t> {
    let mut found = Details::default();
    let has_column = |document: &Document<'_>| {
        let grid = document.grid();
        grid.tables.iter().any(|table| grid.headers(table).iter().any(|name| *name == DETAIL))
    };
    if has_column(before) || has_column(after) {
        return found;
    }
    let (was, is) = (before.grid(), after.grid());
    let (old, new) =
        (Sections::new(was.text(), &was.headings), Sections::new(is.text(), &is.headings));
    for id in ids {
        let (from, to) = (old.of(id), new.of(id));
        let body = |text: &str, spans: &Spans| {
            spans.as_ref().map(|(_, b)| text[b.clone()].trim().to_owned())
        };
        let sides = (body(was.text(), &from), body(is.text(), &to));
        if sides.0 == sides.1 {
            continue;
        }
        let span = |spans: Spans| spans.map_or(0..0, |(heading, body)| heading.start..body.end);
        found.before.extend(was.text()[span(from)].lines().map(str::trim_end));
        let span = span(to);
        let first = is.text()[..span.start].matches('\n').count() + 1;
        found.after.extend((first..).zip(is.text()[span].lines()).map(|(number, _)| number));
        found.of.insert(id, sides);
    }
    found
}

/// A heading and its body, where there is one.
type Spans = Option<(Range<usize>, Range<usize>)>;

/// A change of a row with the values that people know it by.
fn told(kind: Ledger, change: RowChange, row: &BTreeMap<String, String>) -> Change {
    let own = |spelled: &str| value(spelled).map(Cow::into_owned);
    let cell = |name: &str| row.get(name).and_then(|cell| own(cell));
    let (about, id, title, task) = match kind {
        Ledger::Tasks => {
            (About::Task, TaskField::TaskId.name(), cell(TaskField::Title.name()), None)
        }
        Ledger::Approvals => (
            About::Approval,
            ApprovalField::ApprId.name(),
            cell(ApprovalField::Op.name()),
            cell(ApprovalField::TaskId.name()),
        ),
    };
    let cells = change.cells.into_iter().filter(|(column, _)| column != id);
    Change {
        about,
        file: change.file,
        kind: match change.kind {
            RowChangeKind::Insert => Kind::Added,
            RowChangeKind::Set => Kind::Changed,
            RowChangeKind::Remove => Kind::Removed,
        },
        id: change.row,
        title,
        task,
        cells: cells
            .map(|(column, (before, after))| (column, (own(&before), own(&after))))
            .filter(|(_, (before, after))| before != after)
            .collect(),
    }
}

/// Whether a moment has a task, an approval or a flag of this name.
pub fn has(ledgers: &Ledgers, id: &str) -> bool {
    let stands = |(file, text): (&String, &String)| {
        let kind = match about_of(file) {
            Some(About::Task) => Ledger::Tasks,
            Some(About::Approval) => Ledger::Approvals,
            Some(About::Flag) | None => return false,
        };
        Document::parse(kind, text).by_id().contains_key(id)
    };
    Flag::NAMES.contains(&id) || ledgers.files.iter().any(stands)
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
