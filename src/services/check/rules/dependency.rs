//! `dangling-dependency`, `dependency-cycle`: tasks that wait for what never
//! comes.

use crate::model::field::TaskField;
use crate::model::operation::Column;
use crate::model::severity::Severity;
use crate::services::check::book::{At, Book, TaskPlace, TaskRow};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

pub(super) const LOOKS: &[Look] = &[Look::Book(look)];

/// A dependency that is nowhere.
pub static DANGLING_DEPENDENCY: Rule = Rule {
    code: "dangling-dependency",
    severity: Severity::Warning,
    says: "a task depends on an id that no ledger or archive has",
    why: "A task is free once everything it depends on is DONE. What is nowhere is never DONE, so \
          the task waits for ever.",
    example: "| 002 | Hang the door | READY | ada | … | depends=001+0O3 |",
    mend: "Correct the id, or take it out: `orch set ID depends=001`.",
};

/// Tasks that wait for each other.
pub static DEPENDENCY_CYCLE: Rule = Rule {
    code: "dependency-cycle",
    severity: Severity::Error,
    says: "tasks depend on each other in a circle",
    why: "None of them can ever be claimed: each waits for the next to be DONE.",
    example: "| 001 | Paint | READY | … | depends=002 |\n| 002 | Sand | READY | … | depends=001 |",
    mend: "Take one of the dependencies out: `orch set ID depends=…`.",
};

fn look(book: &Book<'_>, found: &mut Found) {
    let rows: Vec<TaskRow<'_, '_>> = book
        .task_places()
        .filter(|place| !place.is_archived && may_depend(place))
        .map(TaskPlace::read)
        .filter(|row| row.task.depends().next().is_some())
        .collect();
    if rows.is_empty() {
        return;
    }
    let known: HashSet<Cow<'_, str>> =
        book.task_places().map(|place| place.ledger.id(place.row)).collect();
    let number: HashMap<&str, usize> =
        rows.iter().enumerate().map(|(n, row)| (row.task.id.as_ref(), n)).collect();
    for row in &rows {
        for id in row.task.depends().filter(|id| !known.contains(*id)) {
            let message = format!("`{}` depends on `{id}`, which is nowhere", row.task.id);
            let help = "neither the ledger nor an archive has it, so the task waits for ever";
            found.add(&DANGLING_DEPENDENCY, at(row, id), row.task.id.as_ref(), message).help(help);
        }
    }
    for circle in circles(&rows, &number) {
        let row = &rows[circle[0]];
        let ids: Vec<String> =
            circle.iter().chain(&circle[..1]).map(|n| format!("`{}`", rows[*n].task.id)).collect();
        let next = rows[*circle.get(1).unwrap_or(&circle[0])].task.id.as_ref();
        let message = format!("a circle of dependencies: {}", ids.join(" → "));
        let help = "none of them can be claimed until one dependency is taken out";
        found.add(&DEPENDENCY_CYCLE, at(row, next), row.task.id.as_ref(), message).help(help);
    }
}

/// Whether a row's line holds the word at all, or its table has columns that
/// only the row itself knows.
fn may_depend(place: &TaskPlace<'_, '_>) -> bool {
    let line = &place.ledger.grid().text()[place.ledger.row(place.row).span.range()];
    let depends = Column::Extra("depends".to_owned());
    memchr::memmem::find(line.as_bytes(), b"depends=").is_some()
        || place.ledger.column_of(place.row, &depends).is_some()
}

/// Circles, each once, beginning with its first row.
fn circles(
    rows: &[TaskRow<'_, '_>],
    number: &HashMap<&str, usize>,
) -> Vec<Vec<usize>> {
    let next = |n: usize| -> Vec<usize> {
        rows[n].task.depends().filter_map(|id| number.get(id).copied()).collect()
    };
    let mut settled: HashSet<usize> = HashSet::new();
    let mut circles: Vec<Vec<usize>> = Vec::new();
    for start in 0..rows.len() {
        if settled.contains(&start) {
            continue;
        }
        // The way from the start to here, and what is left to try at each step.
        let mut way = vec![start];
        let mut open = vec![next(start)];
        let mut on_way: HashMap<usize, usize> = HashMap::from([(start, 0)]);
        while let Some(choices) = open.last_mut() {
            let Some(n) = choices.pop() else {
                open.pop();
                if let Some(done) = way.pop() {
                    on_way.remove(&done);
                    settled.insert(done);
                }
                continue;
            };
            if let Some(&from) = on_way.get(&n) {
                let mut circle = way[from..].to_vec();
                let first =
                    circle.iter().enumerate().min_by_key(|(_, n)| **n).map_or(0, |(i, _)| i);
                circle.rotate_left(first);
                circles.push(circle);
            } else if !settled.contains(&n) {
                on_way.insert(n, way.len());
                way.push(n);
                open.push(next(n));
            }
        }
    }
    circles.sort();
    circles.dedup();
    circles
}

/// Where a row names a dependency: in a column of that name, else in its notes.
fn at(row: &TaskRow<'_, '_>, id: &str) -> At {
    let column = row.ledger.column_of(row.row, &Column::Extra("depends".to_owned()));
    let text = row.ledger.grid().text();
    let span = column.and_then(|column| row.ledger.grid().span(row.ledger.row(row.row), column));
    let cell = match span {
        Some(span) if text[span.clone()].contains(id) => At::Span { page: row.page, span },
        _ => row.at(TaskField::Notes),
    };
    let At::Span { page, span } = cell else { return cell };
    let key = text[span.clone()].find("depends=").map_or(0, |at| at + "depends=".len());
    let found = text[span.start + key..span.end].find(id).map(|at| span.start + key + at);
    At::Span { page, span: found.map_or(span, |start| start..start + id.len()) }
}

#[cfg(test)]
mod tests {
    use crate::services::check::book::Expect;
    use crate::services::check::testing::{Case, TASKS};

    fn row(id: &str, notes: &str) -> String {
        format!("| {id} | a | READY | - | - | - | - | - | - | {notes} |\n")
    }

    #[test]
    fn what_is_nowhere_and_what_is_archived() {
        let archive = format!("{TASKS}{}", row("0", "-").replace("READY", "DONE"));
        let case = Case::tasks(&(row("1", "for 9 depends=0+9 x") + &row("2", "depends=1"))).page(
            "archive/T-2025.md",
            Expect::Archive,
            &archive,
        );
        assert_eq!(
            case.found("dangling-dependency"),
            ["T.md:3:59 [9] `1` depends on `9`, which is nowhere"]
        );
        assert_eq!(case.codes(), ["dangling-dependency"]);
    }

    #[test]
    fn a_column_of_that_name_counts_too() {
        let text = "| id | title | state | owner | depends |\n|--|--|--|--|--|\n| 1 | a | READY | - | 7 |\n";
        let case = Case::default().page("T.md", Expect::Tasks, text);
        assert_eq!(
            case.found("dangling-dependency"),
            ["T.md:3:23 [7] `1` depends on `7`, which is nowhere"]
        );
    }

    #[test]
    fn circles_are_told_once() {
        let rows = [
            row("1", "depends=3"),
            row("2", "depends=1"),
            row("3", "depends=2"),
            row("4", "depends=4"),
            row("5", "depends=1"),
        ];
        assert_eq!(
            Case::tasks(&rows.concat()).found("dependency-cycle"),
            [
                "T.md:3:51 [3] a circle of dependencies: `1` → `3` → `2` → `1`",
                "T.md:6:51 [4] a circle of dependencies: `4` → `4`",
            ]
        );
        let chain: String =
            (1..2_000).map(|n| row(&n.to_string(), &format!("depends={}", n + 1))).collect();
        assert_eq!(Case::tasks(&(chain + &row("2000", "-"))).codes(), Vec::<&str>::new());
    }
}
