//! What differs between two moments of the ledgers, in words: for a terminal,
//! and as Markdown for the description of a pull request.
//!
//! Here: the order of cells, how a value's change reads, the counts. Not here:
//! what differs (`git::diff`), unified diffs (`render::diff`). Invariant: nothing
//! is cut; a change too long for its line takes two.

use super::markdown::{code, text as plain};
use super::safe::safe;
use super::style::Style;
use super::width::width;
use crate::git::diff::{About, Change, Comparison, DETAIL, Kind, Place};
use crate::model::field::{ApprovalField, TaskField};
use similar::{ChangeTag, TextDiff};
use std::fmt::Write as _;
use std::io::{self, Write};

/// How many places of a file's text are named by their lines.
const PLACES: usize = 8;

/// What a reader wants to know of a change first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sort {
    Added,
    Closed,
    Moved,
    Changed,
    Archived,
    Restored,
    Removed,
    Requested,
    Decided,
    ApprovalChanged,
    ApprovalRemoved,
    Flag,
}

const SORTS: [Sort; 12] = [
    Sort::Added,
    Sort::Closed,
    Sort::Moved,
    Sort::Changed,
    Sort::Archived,
    Sort::Restored,
    Sort::Removed,
    Sort::Requested,
    Sort::Decided,
    Sort::ApprovalChanged,
    Sort::ApprovalRemoved,
    Sort::Flag,
];

impl Sort {
    fn of(change: &Change) -> Self {
        let to = |column: &str| change.cells.get(column).and_then(|(_, to)| to.as_deref());
        match (change.about, change.kind) {
            (About::Flag, _) => Self::Flag,
            (About::Approval, Kind::Added) => match to("status") {
                Some("approved" | "rejected") => Self::Decided,
                _ => Self::Requested,
            },
            (About::Approval, Kind::Removed) => Self::ApprovalRemoved,
            (About::Approval, _) => match to("status") {
                Some("approved" | "rejected") => Self::Decided,
                _ => Self::ApprovalChanged,
            },
            (About::Task, Kind::Added) => Self::Added,
            (About::Task, Kind::Removed) => Self::Removed,
            (About::Task, Kind::Archived) => Self::Archived,
            (About::Task, Kind::Restored) => Self::Restored,
            (About::Task, Kind::Changed) => match to("state") {
                Some("DONE" | "DROP") => Self::Closed,
                Some(_) => Self::Moved,
                None => Self::Changed,
            },
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Closed => "closed",
            Self::Moved => "moved",
            Self::Changed => "changed",
            Self::Archived => "archived",
            Self::Restored => "back from the archive",
            Self::Removed => "removed",
            Self::Requested => "requested",
            Self::Decided => "decided",
            Self::ApprovalChanged => "changed",
            Self::ApprovalRemoved => "removed",
            Self::Flag => "switched",
        }
    }

    /// The heading over all of a sort.
    const fn heading(self) -> &'static str {
        match self {
            Self::Added => "Added",
            Self::Closed => "Closed",
            Self::Moved => "Moved",
            Self::Changed => "Changed",
            Self::Archived => "Archived",
            Self::Restored => "Back from the archive",
            Self::Removed => "Removed",
            Self::Requested => "Approvals requested",
            Self::Decided => "Approvals decided",
            Self::ApprovalChanged => "Approvals changed",
            Self::ApprovalRemoved => "Approvals removed",
            Self::Flag => "Flags",
        }
    }
}

/// How many tasks, approvals and flags differ, and how:
/// `3 tasks (1 added, 2 moved), 1 approval (1 decided)`.
pub fn counts(found: &Comparison) -> String {
    let group = |about: About, one: &str, many: &str| {
        let all: Vec<Sort> =
            found.changes.iter().filter(|c| c.about == about).map(Sort::of).collect();
        let parts: Vec<String> = SORTS
            .into_iter()
            .filter_map(|sort| {
                let count = all.iter().filter(|s| **s == sort).count();
                (count > 0).then(|| format!("{count} {}", sort.word()))
            })
            .collect();
        let noun = if all.len() == 1 { one } else { many };
        match (&all[..], &parts[..]) {
            ([], _) => None,
            (_, [_]) => Some(format!("{} {noun} {}", all.len(), all[0].word())),
            _ => Some(format!("{} {noun} ({})", all.len(), parts.join(", "))),
        }
    };
    let groups = [
        group(About::Task, "task", "tasks"),
        group(About::Approval, "approval", "approvals"),
        group(About::Flag, "flag", "flags"),
    ];
    groups.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// One cell's change.
struct Told {
    label: String,
    from: Option<String>,
    to: Option<String>,
    /// What was appended, where that is all.
    appended: Option<String>,
    /// How much differs, of a text that is too long to be shown.
    amount: Option<String>,
}

/// The cells that differ, the most telling first. The three lock cells are one
/// line: who holds it, and until when.
fn told(change: &Change) -> Vec<Told> {
    let place = |column: &str| match column {
        "state" | "status" => 0,
        column => {
            let tasks = TaskField::ALL.iter().position(|f| f.name() == column);
            let approvals = || ApprovalField::ALL.iter().position(|f| f.name() == column);
            let at = if change.about == About::Task { tasks } else { approvals() };
            at.map_or(99, |at| at + 1)
        }
    };
    let is_leased = ["lock_owner", "lock_expires_at"].iter().any(|c| change.cells.contains_key(*c));
    let mut columns: Vec<&String> = change.cells.keys().collect();
    columns.retain(|column| !(is_leased && column.starts_with("lock")));
    // The line above says them.
    let above: &[&str] = match (change.kind, change.about) {
        (Kind::Added | Kind::Removed, About::Task) => &["title"],
        (Kind::Added | Kind::Removed, About::Approval) => &["op", "task_id"],
        _ => &[],
    };
    columns.retain(|column| !above.contains(&column.as_str()));
    columns.sort_by_key(|column| place(column));
    let mut told: Vec<Told> = columns
        .into_iter()
        .map(|column| {
            let (from, to) = change.cells[column].clone();
            let appended = match (&from, &to) {
                (Some(from), Some(to)) if column == "notes" => to.strip_prefix(from.as_str()),
                (None, Some(to)) if column == "notes" => Some(to.as_str()),
                _ => None,
            };
            let appended = appended.map(|text| text.trim_start_matches(['・', ' ']).to_owned());
            let is_text = change.about == About::Task && column == DETAIL;
            let amount = is_text.then(|| amount(from.as_deref(), to.as_deref()));
            Told { label: column.clone(), from, to, appended, amount }
        })
        .collect();
    if is_leased {
        let at = usize::from(told.first().is_some_and(|cell| cell.label == "state"));
        told.insert(at, lease(change));
    }
    told
}

/// `WORK@ada until 2026-01-01T09:30:00Z`, of whichever cells changed.
fn lease(change: &Change) -> Told {
    let cell = |name: &str| change.cells.get(name).cloned().unwrap_or_default();
    let (owner, until) = (cell("lock_owner"), cell("lock_expires_at"));
    let words = |owner: Option<String>, until: Option<String>| match (owner, until) {
        (None, None) => None,
        (Some(owner), None) => Some(owner),
        (None, Some(until)) => Some(format!("until {until}")),
        (Some(owner), Some(until)) => Some(format!("{owner} until {until}")),
    };
    Told {
        label: "lease".to_owned(),
        from: words(owner.0, until.0),
        to: words(owner.1, until.1),
        appended: None,
        amount: None,
    }
}

/// How many lines of a text came and went.
fn amount(from: Option<&str>, to: Option<&str>) -> String {
    let (from, to) = (from.unwrap_or_default(), to.unwrap_or_default());
    let changes = TextDiff::from_lines(from, to);
    let count = |tag: ChangeTag| changes.iter_all_changes().filter(|c| c.tag() == tag).count();
    format!("+{} -{}", count(ChangeTag::Insert), count(ChangeTag::Delete))
}

/// What a change is about, in one line.
fn name(change: &Change) -> String {
    let mut name = change.id.clone();
    if let Some(title) = &change.title {
        let _ = write!(name, " {title}");
    }
    if let Some(task) = &change.task {
        let _ = write!(name, " for {task}");
    }
    name
}

/// Writes it for people; `columns` is the terminal's width.
///
/// # Errors
/// Those of the writer, as they are.
pub fn write(
    out: &mut dyn Write,
    found: &Comparison,
    columns: Option<usize>,
    color: bool,
) -> io::Result<()> {
    let painted = |style: Style, text: &str| {
        let style = style.when(color);
        format!("{}{}{}", style.open(), safe(text), style.close())
    };
    let dash = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    for change in &found.changes {
        if let (About::Flag, Some((from, to))) = (change.about, change.cells.get("value")) {
            let (from, to) = (dash(from), dash(to));
            let (from, to) = (painted(Style::Red, &from), painted(Style::Green, &to));
            writeln!(out, "{}: {from} → {to}", painted(Style::Bold, &change.id))?;
            continue;
        }
        let (style, mark) = match change.kind {
            Kind::Added => (Style::Green, " (new)"),
            Kind::Removed => (Style::Red, " (removed)"),
            Kind::Changed => (Style::Bold, ""),
            Kind::Archived => (Style::Dim, " (archived)"),
            Kind::Restored => (Style::Bold, " (back from the archive)"),
        };
        writeln!(out, "{}{mark}", painted(style, &name(change)))?;
        let cells = told(change);
        if matches!(change.kind, Kind::Added | Kind::Removed) {
            let value = |cell: &Told| match &cell.amount {
                Some(amount) => amount.clone(),
                None => dash(if cell.to.is_some() { &cell.to } else { &cell.from }),
            };
            let cells = cells.iter().map(|cell| format!("{} {}", cell.label, value(cell)));
            let line = cells.collect::<Vec<_>>().join(", ");
            if !line.is_empty() {
                writeln!(out, "  {}", safe(line))?;
            }
            continue;
        }
        for cell in cells {
            let label = safe(format!("  {}: ", cell.label)).into_owned();
            if let Some(appended) = &cell.appended {
                writeln!(out, "{label}{}", painted(Style::Green, &format!("+ {appended}")))?;
                continue;
            }
            if let Some(amount) = &cell.amount {
                writeln!(out, "{label}{amount}")?;
                continue;
            }
            let (from, to) = (dash(&cell.from), dash(&cell.to));
            let wide = width(&label) + width(&safe(from.as_str())) + width(&safe(to.as_str())) + 3;
            if columns.is_some_and(|columns| wide > columns) {
                writeln!(out, "{}", label.trim_end())?;
                writeln!(out, "    {}", painted(Style::Red, &format!("- {from}")))?;
                writeln!(out, "    {}", painted(Style::Green, &format!("+ {to}")))?;
            } else {
                let (from, to) = (painted(Style::Red, &from), painted(Style::Green, &to));
                writeln!(out, "{label}{from} → {to}")?;
            }
        }
    }
    for line in rest(found) {
        writeln!(out, "{}", painted(Style::Dim, &line))?;
    }
    if !found.changes.is_empty() {
        writeln!(out, "{}", counts(found))?;
    }
    Ok(())
}

/// What differs besides, a line a file.
fn rest(found: &Comparison) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (file, kind) in &found.files {
        let word = if *kind == Kind::Removed { "gone" } else { "new" };
        lines.push(format!("{file} is {word}"));
    }
    let mut files: Vec<&str> = found.texts.iter().map(|place| place.file.as_str()).collect();
    files.dedup();
    for file in files {
        let places: Vec<&Place> = found.texts.iter().filter(|place| place.file == file).collect();
        let shown = places.iter().take(PLACES).map(|place| place.line.to_string());
        let mut at = shown.collect::<Vec<_>>().join(", ");
        if places.len() > PLACES {
            at.push_str(&format!(" and {} more", places.len() - PLACES));
        }
        let (added, removed) =
            places.iter().fold((0, 0), |(a, r), place| (a + place.added, r + place.removed));
        let noun = if places.len() == 1 { "line" } else { "lines" };
        lines.push(format!(
            "{file}: text outside of rows changed at {noun} {at} (+{added} -{removed})"
        ));
    }
    for file in &found.respelled {
        lines.push(format!("{file}: only blanks, borders or the order of rows changed"));
    }
    lines
}

/// Writes it as Markdown: counts first, then a list for each sort of change.
///
/// # Errors
/// Those of the writer, as they are.
pub fn write_markdown(out: &mut dyn Write, found: &Comparison) -> io::Result<()> {
    let mut changes: Vec<(Sort, &Change)> =
        found.changes.iter().map(|change| (Sort::of(change), change)).collect();
    changes.sort_by_key(|(sort, _)| *sort);
    let counts = counts(found);
    let counts = if counts.is_empty() { "No task or approval changed".to_owned() } else { counts };
    writeln!(out, "**{counts}**")?;
    let mut before = None;
    for (sort, change) in changes {
        if before != Some(sort) {
            before = Some(sort);
            writeln!(out, "\n**{}**\n", sort.heading())?;
        }
        let mut line = format!("- {}", code(&change.id));
        if let Some(title) = &change.title {
            let _ = write!(line, " {}", plain(title));
        }
        if let Some(task) = &change.task {
            let _ = write!(line, " for {}", code(task));
        }
        let cells: Vec<String> = told(change).iter().map(|cell| marked(change, cell)).collect();
        if !cells.is_empty() {
            let _ = write!(line, ": {}", cells.join("; "));
        }
        writeln!(out, "{line}")?;
    }
    let rest = rest(found);
    if !rest.is_empty() {
        writeln!(out, "\n**Text**\n")?;
    }
    for line in rest {
        writeln!(out, "- {}", plain(&line))?;
    }
    Ok(())
}

/// One cell's change as Markdown; a state needs no label.
fn marked(change: &Change, cell: &Told) -> String {
    let dash = |value: &Option<String>| code(value.as_deref().unwrap_or("-"));
    let label = match cell.label.as_str() {
        "state" | "status" | "value" => String::new(),
        label => format!("{} ", plain(label)),
    };
    if let Some(amount) = &cell.amount {
        return format!("{label}{amount}");
    }
    match (&cell.appended, change.kind) {
        (Some(appended), _) => format!("{label}+ {}", plain(appended)),
        (None, Kind::Added) => format!("{label}{}", dash(&cell.to)),
        (None, Kind::Removed) => format!("{label}{}", dash(&cell.from)),
        (None, _) => format!("{label}{} → {}", dash(&cell.from), dash(&cell.to)),
    }
}

#[cfg(test)]
#[path = "comparison_tests.rs"]
mod tests;
