//! What an operation did, in words.
//!
//! Here: one operation in one line, and all of it. Not here: which operations
//! (`services::log`).

use crate::model::field::TaskField;
use crate::model::time::Timestamp;
use crate::services::log::value;
use crate::store::entry::{Entry, LockChange, RowChange, RowChangeKind, RunMark};
use std::borrow::Cow;

/// How an id of an operation is written.
pub type Short<'s> = &'s dyn Fn(&str) -> String;

/// The time in whole seconds, as the ledgers have it.
pub fn time(entry: &Entry) -> String {
    Timestamp::parse_millis(&entry.ts).map_or_else(|| entry.ts.clone(), |at| at.to_string())
}

/// The rows that it is about, each once.
pub fn rows(entry: &Entry) -> String {
    let mut rows: Vec<&str> = entry.task.as_deref().into_iter().collect();
    let changed = entry.changes.iter().map(|change| change.row.as_str());
    let forbidden = entry.forbidden.iter().map(|forbidden| forbidden.row.as_str());
    for row in changed.chain(entry.appr.as_deref()).chain(forbidden) {
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows.join(" ")
}

/// All that it did, in one line.
pub fn what(entry: &Entry, short: Short<'_>) -> String {
    let several = entry.changes.len() > 1;
    let changes = entry.changes.iter().map(|change| {
        let cells = cells(entry, change).join(", ");
        if several { format!("{}: {cells}", change.row) } else { cells }
    });
    let mut parts: Vec<String> = changes.filter(|part| !part.is_empty()).collect();
    parts.extend(rest(entry, short));
    parts.join("; ")
}

/// All that it did but for cells, one part for each thing.
pub fn rest(entry: &Entry, short: Short<'_>) -> Vec<String> {
    let mut parts: Vec<String> = entry.locks.iter().map(lock).collect();
    if entry.command == "genesis" {
        let files: Vec<&str> = entry.sha_out.keys().map(|path| name(path)).collect();
        parts.push(format!("first use; found {}", files.join(", ")));
    }
    for text in &entry.texts {
        parts.push(format!("lines of {} from {}", name(&text.file), text.at));
    }
    let respelled = entry.respelled.iter();
    parts.extend(respelled.map(|path| format!("{} spelled otherwise", name(path))));
    parts.extend(entry.undoes.iter().map(|id| format!("takes back {}", short(id))));
    parts.extend(entry.accepts.iter().map(|what| {
        let (id, rest) = what.split_once('/').map_or((&what[..], None), |(id, r)| (id, Some(r)));
        // A finding, as `<code>/<file>/<row>`.
        if let (true, Some(rest)) = (id.contains('-'), rest) {
            let (file, row) = rest.rsplit_once('/').unwrap_or((rest, ""));
            let row = if row.is_empty() { String::new() } else { format!(" on {row}") };
            return format!("accepts {id}{row} in {}", name(file));
        }
        let rest = rest.map_or_else(String::new, |rest| format!(" ({})", rest.replace('/', " ")));
        format!("accepts {}{rest}", short(id))
    }));
    for forbidden in &entry.forbidden {
        parts.push(format!("does not count: {} on {}", forbidden.code, forbidden.row));
    }
    for taken in &entry.took_back {
        parts.push(format!("took back {} on {}", short(&taken.op), taken.row));
    }
    parts.extend(entry.run.as_ref().and_then(run));
    parts.extend(entry.waivers.iter().map(|rule| format!("waived: {rule}")));
    parts.extend(entry.note.iter().map(|note| format!("note: {note}")));
    parts
}

/// What a line says of a run.
fn run(mark: &RunMark) -> Option<String> {
    let runner = mark.runner.as_deref()?;
    let result = mark.result.as_ref().map(|result| format!("run of {runner}: {result}"));
    result.or_else(|| Some(format!("run of {runner}, attempt {}", mark.attempt?)))
}

/// The command, and how it came about where no command did it.
pub fn command(entry: &Entry) -> String {
    match &entry.via {
        Some(via) => format!("{} ({via})", entry.command),
        None => entry.command.clone(),
    }
}

fn lock(lock: &LockChange) -> String {
    let LockChange { name, owner, expires_at, taken_from } = lock;
    let until = expires_at.as_ref().map_or_else(String::new, |at| format!(" until {at}"));
    let from = taken_from.as_ref().map_or_else(String::new, |from| format!(", was {from}'s"));
    match owner {
        Some(owner) => format!("lock {name} → {owner}{until}{from}"),
        None => format!("lock {name} given back"),
    }
}

/// The last part of a path.
fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The cells that changed, the state first.
pub fn cells(entry: &Entry, change: &RowChange) -> Vec<String> {
    if change.kind == RowChangeKind::Remove {
        let archived = entry.sha_out.keys().any(|path| path.contains("/archive/"));
        return vec![if archived { "archived" } else { "row removed" }.to_owned()];
    }
    let order = |column: &str| match column {
        "state" | "status" => 0,
        // `lock` repeats holder and time, `task_id` stands there already.
        "lock" if change.cells.contains_key("lock_owner") => usize::MAX,
        "lock" if change.cells.contains_key("lock_expires_at") => usize::MAX,
        "task_id" | "appr_id" if change.kind == RowChangeKind::Insert => usize::MAX,
        column => TaskField::ALL.iter().position(|f| f.name() == column).map_or(99, |n| n + 1),
    };
    let mut columns: Vec<_> = change.cells.iter().collect();
    columns.retain(|(column, _)| order(column) < usize::MAX);
    columns.sort_by_key(|(column, _)| order(column));
    let cells = columns.into_iter().filter_map(|(column, (before, after))| {
        let (before, after) = (value(before), value(after));
        (before != after).then(|| cell(column, before, after, change.kind))
    });
    let cells: Vec<String> = cells.collect();
    if change.kind == RowChangeKind::Insert {
        return vec![format!("new: {}", cells.join(", "))];
    }
    cells
}

fn cell(
    column: &str,
    before: Option<Cow<'_, str>>,
    after: Option<Cow<'_, str>>,
    kind: RowChangeKind,
) -> String {
    match (before, after) {
        (None, Some(after)) if kind == RowChangeKind::Insert => format!("{column} {after}"),
        // Notes grow at their end: what was there is said by the line before.
        (Some(before), Some(after)) if is_appended(column, &before, &after) => {
            let added = after[before.len()..].trim_start_matches(['・', ' ']);
            format!("{column} + {added}")
        }
        (before, after) => {
            let shown = |value: Option<Cow<'_, str>>| value.unwrap_or_default().into_owned();
            let (before, after) = (shown(before), shown(after));
            let dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
            format!("{column} {} → {}", dash(before), dash(after))
        }
    }
}

fn is_appended(column: &str, before: &str, after: &str) -> bool {
    column == "notes" && after.len() > before.len() && after.starts_with(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: RowChangeKind, cells: &[(&str, &str, &str)]) -> RowChange {
        let cells = cells.iter().map(|(column, before, after)| {
            ((*column).to_owned(), (format!(" {before} "), format!(" {after} ")))
        });
        RowChange { kind, row: "T-1".into(), cells: cells.collect(), ..RowChange::default() }
    }

    fn told(kind: RowChangeKind, of: &[(&str, &str, &str)]) -> Vec<String> {
        cells(&Entry::default(), &change(kind, of))
    }

    #[test]
    fn cells_are_told_as_people_would() {
        let claim = [
            ("lock", "-", "WORK@ada@2026-01-01T09:00:00Z"),
            ("lock_owner", "-", "WORK@ada"),
            ("state", "READY", "DOING"),
        ];
        assert_eq!(
            told(RowChangeKind::Set, &claim),
            ["state READY → DOING", "lock_owner - → WORK@ada"]
        );
        let note = [("notes", "a", "a・b \\| c")];
        assert_eq!(told(RowChangeKind::Set, &note), ["notes + b | c"]);
        let padding = [("title", "x", "x  ")];
        assert_eq!(told(RowChangeKind::Set, &padding), Vec::<String>::new());
        let new = [("task_id", "", "T-1"), ("title", "", "Mow"), ("state", "", "PLAN")];
        assert_eq!(told(RowChangeKind::Insert, &new), ["new: state PLAN, title Mow"]);
        assert_eq!(told(RowChangeKind::Remove, &new), ["row removed"]);
    }

    #[test]
    fn what_a_save_from_outside_did_is_all_told() {
        use crate::store::entry::{Forbidden, TakenBack};
        let entry = Entry {
            command: "external".into(),
            via: Some("hand".into()),
            changes: vec![change(RowChangeKind::Set, &[("lock_owner", "WORK@ada", "-")])],
            forbidden: vec![Forbidden {
                code: "lease-by-hand".into(),
                row: "T-1".into(),
                ..Forbidden::default()
            }],
            took_back: vec![TakenBack {
                row: "T-2".into(),
                op: "0123".into(),
                ..TakenBack::default()
            }],
            ..Entry::default()
        };
        let told = what(&entry, &|id| id[..2].to_owned());
        let expected = "lock_owner WORK@ada → -; does not count: lease-by-hand on T-1; \
                        took back 01 on T-2";
        assert_eq!((told.as_str(), command(&entry).as_str()), (expected, "external (hand)"));
    }

    #[test]
    fn locks_and_acceptance_have_their_words() {
        let entry = Entry {
            locks: vec![
                LockChange {
                    name: "deploy".into(),
                    owner: Some("WORK@ada".into()),
                    expires_at: Some("2026-01-01T09:30:00Z".into()),
                    taken_from: Some("WORK@bob".into()),
                },
                LockChange { name: "src/**".into(), ..LockChange::default() },
            ],
            accepts: vec![
                "0123".into(),
                "0123/lease-by-hand/T-1".into(),
                "bad-time/ORCH/STATE/TASKS.md/T-1".into(),
                "mixed-line-ends/ORCH/STATE/TASKS.md/".into(),
            ],
            ..Entry::default()
        };
        let told = rest(&entry, &str::to_owned);
        assert_eq!(told[0], "lock deploy → WORK@ada until 2026-01-01T09:30:00Z, was WORK@bob's");
        assert_eq!(told[1], "lock src/** given back");
        assert_eq!(
            told[2..],
            [
                "accepts 0123",
                "accepts 0123 (lease-by-hand T-1)",
                "accepts bad-time on T-1 in TASKS.md",
                "accepts mixed-line-ends in TASKS.md",
            ]
        );
    }
}
