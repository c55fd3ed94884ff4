//! What differs, in a few words for each change.

use super::*;

const TASKS: &str = "ORCH/STATE/TASKS.md";
const ARCHIVE: &str = "ORCH/STATE/archive/TASKS-2026.md";
const HEAD: &str = "| id | title | state | owner | notes |\n|---|---|---|---|---|\n";

fn ledgers(files: &[(&str, &str)]) -> Ledgers {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    Ledgers { files: files.collect() }
}

fn tasks(rows: &str) -> (String, String) {
    (TASKS.to_owned(), format!("{HEAD}{rows}"))
}

/// Each change in a few words.
fn said(old: &[(&str, &str)], new: &[(&str, &str)]) -> Vec<String> {
    let found = compare(&ledgers(old), &ledgers(new));
    let of = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let changes = found.changes.iter().map(|change| {
        let cells =
            change.cells.iter().map(|(c, (from, to))| format!(" {c} {}>{}", of(from), of(to)));
        format!("{:?} {}{}", change.kind, change.id, cells.collect::<String>())
    });
    let texts = found.texts.iter().map(|t| format!("text {} -{} +{}", t.line, t.removed, t.added));
    let files = found.files.iter().map(|(file, kind)| format!("file {kind:?} {file}"));
    let respelled = found.respelled.iter().map(|file| format!("respelled {file}"));
    let unclear = found.unclear.iter().map(|(_, id)| format!("unclear {id}"));
    changes.chain(files).chain(texts).chain(respelled).chain(unclear).collect()
}

fn of_tasks(old: &str, new: &str) -> Vec<String> {
    let ((file, old), (_, new)) = (tasks(old), tasks(new));
    said(&[(&file, &old)], &[(&file, &new)])
}

#[test]
fn rows_are_told_by_their_values() {
    let was = "| 1 | a | PLAN | - |  |\n| 2 | b | PLAN | - | x |\n";
    assert_eq!(of_tasks(was, was), Vec::<String>::new());
    let is = "| 3 | c \\| d | READY | - |  |\n| 1 | a | READY | - | - |\n";
    assert_eq!(
        of_tasks(was, is),
        [
            "Added 3 state ->READY title ->c | d",
            "Changed 1 state PLAN>READY",
            "Removed 2 notes x>- state PLAN>- title b>-"
        ]
    );
    // Blanks, another way to spell an empty cell, the order of rows.
    let is = "|2|b|PLAN|-|x|\n| 1 | a | PLAN |  | - |\n";
    assert_eq!(of_tasks(was, is), [format!("respelled {TASKS}")]);
}

#[test]
fn a_detail_section_is_its_tasks() {
    let rows = "| 1 | a | PLAN | - | - |\n| 2 | b | PLAN | - | - |\n";
    let of = |was: &str, is: &str| of_tasks(&format!("{rows}{was}"), &format!("{rows}{is}"));
    let one = "\n### 1 a\n\nold\n\nsame\n";
    assert_eq!(of(one, &one.replace("old", "new")), ["Changed 1 detail old\n\nsame>new\n\nsame"]);
    assert_eq!(of(one, ""), ["Changed 1 detail old\n\nsame>-"]);
    let two = "\n### 2 b\n\nmore\n";
    assert_eq!(of(one, &format!("{one}{two}")), ["Changed 2 detail ->more"]);
    // Both at once, and in one go with other text.
    let text = "\n## Other\n\nx\n";
    let is = format!("{}{two}{text}", one.replace("old", "new"));
    assert_eq!(
        of(one, &is),
        ["Changed 1 detail old\n\nsame>new\n\nsame", "Changed 2 detail ->more", "text 16 -0 +3"]
    );
    // A heading alone, and what only looks like an id of a row.
    assert_eq!(of(one, &one.replace("1 a", "1 b")), ["text 6 -1 +1"]);
    assert_eq!(of("", "\n### 3 c\n\nx\n"), ["text 5 -0 +4"]);
    // A new row with its section.
    let row = "| 3 | c | PLAN | - | - |\n";
    assert_eq!(
        of("", &format!("{row}\n### 3 c\n\nx\n")),
        ["Added 3 detail ->x state ->PLAN title ->c"]
    );
    // Where a column has that name, lines are lines.
    let wide = |text: &str| text.replace("notes", "detail");
    let (was, is) = (tasks(&format!("{rows}{one}")).1, tasks(&format!("{rows}{two}")).1);
    let found = said(&[(TASKS, &wide(&was))], &[(TASKS, &wide(&is))]);
    assert!(found.iter().all(|said| said.starts_with("text ")), "{found:?}");
}

#[test]
fn a_row_that_changes_its_file_is_one_change() {
    let row = "| 1 | a | DONE | - | - |\n";
    let (with, without) = (tasks(row).1, tasks("").1);
    let archive = format!("# Archive\n\n{HEAD}{row}");
    let here: &[(&str, &str)] = &[(TASKS, &with)];
    let there: &[(&str, &str)] = &[(TASKS, &without), (ARCHIVE, &archive)];
    assert_eq!(said(here, there), ["Archived 1", &format!("file Added {ARCHIVE}")]);
    assert_eq!(said(there, here), ["Restored 1", &format!("file Removed {ARCHIVE}")]);
    let open = with.replace("DONE", "REVIEW");
    assert_eq!(
        said(&[(TASKS, &open)], there),
        ["Archived 1 state REVIEW>DONE", &format!("file Added {ARCHIVE}")]
    );
    // Made and archived since: nothing went.
    let both: &[(&str, &str)] = &[(TASKS, &with), (ARCHIVE, &archive)];
    assert_eq!(said(here, both)[0], "Added 1 state ->DONE title ->a");
}

#[test]
fn what_has_no_row_of_its_own_is_text() {
    let was = "| 1 | a | PLAN | - | - |\n\nText.\n";
    assert_eq!(of_tasks(was, &format!("{was}More.\nAnd more.\n")), ["text 6 -0 +2"]);
    let twice = "| 1 | a | PLAN | - | - |\n| 1 | b | PLAN | - | - |\n\nText.\n";
    let said = of_tasks(was, twice);
    assert_eq!(said.last().map(String::as_str), Some("unclear 1"));
    assert!(said.iter().any(|line| line.starts_with("text")), "{said:?}");
}

#[test]
fn flags_are_told_as_they_count_whatever_their_file_is_called() {
    let old = [("ORCH/STATE/flags.md", "AUTO_DECIDE=on\nFREEZE=off\n")];
    let new = [("ORCH/STATE/FLAGS.md", "AUTO_DECIDE=on\nFREEZE=maybe\n")];
    assert_eq!(said(&old, &new), ["Changed FREEZE value off>on"]);
    assert_eq!(said(&old, &[]), ["Changed AUTO_DECIDE value on>off"]);
    assert_eq!(said(&[], &[]), Vec::<String>::new());
}

#[test]
fn approvals_name_their_operation_and_task() {
    let head = "| id | task_id | op | status |\n|---|---|---|---|\n";
    let file = "ORCH/STATE/APPROVALS.md";
    let old = format!("{head}| A1 | T-1 | deploy | pending |\n");
    let new = old.replace("pending", "approved");
    let found = compare(&ledgers(&[(file, &old)]), &ledgers(&[(file, &new)]));
    let [change] = &found.changes[..] else { panic!("{found:?}") };
    assert_eq!((change.about, change.kind), (About::Approval, Kind::Changed));
    assert_eq!((change.title.as_deref(), change.task.as_deref()), (Some("deploy"), Some("T-1")));
    assert!(has(&ledgers(&[(file, &old)]), "A1") && !has(&ledgers(&[(file, &old)]), "A2"));
}

#[test]
fn ids_narrow_it_down() {
    let ((_, old), (_, new)) = (tasks(""), tasks("| 1 | a | PLAN | - | - |\n\nText.\n"));
    let mut found = compare(&ledgers(&[(TASKS, &old)]), &ledgers(&[(TASKS, &new)]));
    found.only(&["1".to_owned()]);
    assert_eq!((found.changes.len(), found.texts.len()), (1, 0));
    found.only(&["2".to_owned()]);
    assert!(found.is_empty());
}
