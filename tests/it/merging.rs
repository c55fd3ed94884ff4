//! Merges one by one: what a person would write down as a rule.

use orch::ledger::document::Kind;
use orch::ledger::merge::{Labels, Merged, Sides, What, Why, merge};

const HEAD: &str = "| task_id | title | state | owner | due | notes |\n|---|---|---|---|---|---|\n";
const BASE: &str = "# T\n\n| task_id | title | state | owner | due | notes |\n|---|---|---|---|---|---|\n\
                    | T-1 | a | READY | WORK | - | - |\n| T-2 | b | READY | WORK | - | - |\n\nend\n";

fn three(base: &str, ours: &str, theirs: &str) -> Merged {
    merge(Kind::Tasks, &Sides { base, ours, theirs }, &Labels::default(), 7)
}

/// Merges without a conflict, and to the same text from both sides.
#[track_caller]
fn clean(base: &str, ours: &str, theirs: &str, text: &str) {
    for (a, b) in [(ours, theirs), (theirs, ours)] {
        let merged = three(base, a, b);
        assert_eq!(merged.text, text);
        assert_eq!(merged.conflicts, []);
    }
}

/// One conflict about a row.
#[track_caller]
fn conflict(base: &str, ours: &str, theirs: &str, row: &str, columns: &[&str], why: Why) -> String {
    let merged = three(base, ours, theirs);
    match &merged.conflicts[..] {
        [one] => match &one.what {
            What::Row { id, columns: found, why: because } => {
                let found: Vec<_> = found.iter().map(|cell| cell.column.as_str()).collect();
                assert_eq!((id.as_str(), &found[..], *because), (row, columns, why));
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}\n{}", merged.text),
    }
    merged.text
}

fn with(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(BASE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

#[test]
fn a_new_column_carries_the_other_sides_rows() {
    let wide = "# T\n\n| task_id | title | state | sprint | owner | due | notes |\n|---|---|---|---|---|---|---|\n\
                | T-1 | a | READY | 4 | WORK | - | - |\n| T-2 | b | READY | 4 | WORK | - | - |\n\nend\n";
    let theirs =
        with(&[("| a |", "| A |"), ("\n\nend", "\n| T-3 | c | PLAN | CMD | - | n |\n\nend")]);
    let result = wide
        .replace("| a |", "| A |")
        .replace("\n\nend", "\n| T-3 | c | PLAN | - | CMD | - | n |\n\nend");
    clean(BASE, wide, &theirs, &result);
}

#[test]
fn moved_and_renamed_columns_carry_the_other_sides_cells() {
    let other = "| id | owner | task | 状態 | due | notes |\n|---|---|---|---|---|---|\n";
    let ours = format!("# T\n\n{}", other.replace("task |", "title |"))
        + "| T-1 | WORK | a | READY | - | - |\n| T-2 | WORK | b | READY | - | - |\n\nend\n";
    let theirs = with(&[("| b | READY |", "| B | HOLD |")]);
    clean(BASE, &ours, &theirs, &ours.replace("| b | READY |", "| B | HOLD |"));

    // A name that only these people use.
    let base = BASE.replace("| due |", "| sprint |").replace("| WORK | - |", "| WORK | 4 |");
    let ours = base.replace("| sprint |", "| round |");
    let theirs = base.replacen("| WORK | 4 |", "| WORK | 5 |", 1);
    clean(&base, &ours, &theirs, &ours.replacen("| WORK | 4 |", "| WORK | 5 |", 1));
}

#[test]
fn a_value_without_a_column_is_a_conflict() {
    let ours = BASE
        .replace("| due ", "")
        .replace("|---|---|---|---|---|---|", "|---|---|---|---|---|")
        .replace("| WORK | - |", "| WORK |");
    let theirs = with(&[("| a | READY | WORK | - |", "| a | READY | WORK | 2026-01-01 |")]);
    let text = conflict(BASE, &ours, &theirs, "T-1", &["due"], Why::ColumnDropped);
    assert!(text.contains("<<<<<<< ours\n| T-1 | a | READY | WORK | - |\n=======\n"), "{text}");
    // A row that goes with the column is no conflict.
    let gone = with(&[("| T-1 | a | READY | WORK | - | - |\n", "")]);
    let base = BASE.replacen("| WORK | - |", "| WORK | 2026-01-01 |", 1);
    clean(&base, &ours, &gone, &ours.replace("| T-1 | a | READY | WORK | - |\n", ""));
}

#[test]
fn columns_that_both_sides_added_are_both_there() {
    let ours = BASE
        .replace("notes |", "notes | prio |")
        .replace("|---|\n", "|---|---|\n")
        .replace("- |\n", "- | H |\n");
    let theirs = BASE
        .replace("| state |", "| size | state |")
        .replace("|---|\n", "|---|---|\n")
        .replace("| READY |", "| 3 | READY |");
    let result = ours
        .replace("| state |", "| size | state |")
        .replace("|---|\n", "|---|---|\n")
        .replace("| READY |", "| 3 | READY |");
    clean(BASE, &ours, &theirs, &result);
}

#[test]
fn sections_and_line_ends_of_both_sides() {
    let add = |id: &str| {
        BASE.replace("\n\nend", &format!("\n| {id} | n | PLAN | WORK | - | - |\n\nend"))
            + &format!("\n### {id} n\n\nfirst\n\nsecond of {id}\n")
    };
    let both = BASE.replace(
        "\n\nend",
        "\n| T-8 | n | PLAN | WORK | - | - |\n| T-9 | n | PLAN | WORK | - | - |\n\nend",
    ) + "\n### T-8 n\n\nfirst\n\nsecond of T-8\n\n### T-9 n\n\nfirst\n\nsecond of T-9\n";
    clean(BASE, &add("T-9"), &add("T-8"), &both);
    // Other lines are one conflict, whatever blank lines they share.
    let merged = three(BASE, &format!("{BASE}\na\n\nb\n"), &format!("{BASE}\nc\n\nd\n"));
    assert!(
        merged.text.ends_with("\n<<<<<<< ours\na\n\nb\n=======\nc\n\nd\n>>>>>>> theirs\n"),
        "{}",
        merged.text
    );
    clean(BASE, &BASE.replace('\n', "\r\n"), &add("T-9"), &add("T-9").replace('\n', "\r\n"));
}

#[test]
fn two_other_headers_are_a_conflict_of_the_whole_table() {
    let ours = BASE.replace("| due |", "| late |");
    let theirs = BASE
        .replace("notes |", "notes | y |")
        .replace("|---|\n", "|---|---|\n")
        .replace("- |\n", "- | 2 |\n");
    let merged = three(BASE, &ours, &theirs);
    assert_eq!(merged.conflicts.len(), 1);
    assert!(matches!(merged.conflicts[0].what, What::Header { .. }));
    let (before, after) = merged.text.split_once("<<<<<<< ours\n").unwrap();
    assert_eq!(before, "# T\n\n");
    let (block, after) = after.split_once(">>>>>>> theirs\n").unwrap();
    assert_eq!(block.matches("| T-2 |").count(), 2, "{block}");
    assert_eq!(after, "\nend\n");
}

#[test]
fn two_names_for_one_column_are_a_conflict_of_the_header_alone() {
    let merged = three(
        BASE,
        &BASE.replace("title", "件名"),
        &BASE.replace("title", "タイトル").replace("| a |", "| A |"),
    );
    assert_eq!(merged.conflicts.len(), 1, "{}", merged.text);
    assert!(matches!(&merged.conflicts[0].what, What::Header { columns } if columns.len() == 1));
    assert!(merged.text.ends_with(">>>>>>> theirs\n| T-1 | A | READY | WORK | - | - |\n| T-2 | b | READY | WORK | - | - |\n\nend\n"));
}

#[test]
fn fmt_on_one_side_and_a_value_on_the_other() {
    let ours = BASE
        .replace("| T-1 | a | READY |", "|   T-1 |   a     |   READY   |")
        .replace("| task_id | title | state |", "| task_id |   title |   state   |");
    let theirs = with(&[("| a | READY |", "| new | READY |")]);
    clean(BASE, &ours, &theirs, &ours.replace("|   a     |", "|   new   |"));
}

#[test]
fn line_ends_a_byte_order_mark_and_the_end_of_the_file() {
    let crlf = BASE.replace('\n', "\r\n");
    clean(BASE, &crlf, &with(&[("| a |", "| A |")]), &crlf.replace("| a |", "| A |"));
    let marked = format!("\u{feff}{BASE}");
    clean(BASE, &marked, &with(&[("| a |", "| A |")]), &marked.replace("| a |", "| A |"));
    let table = BASE.strip_suffix("\n\nend\n").unwrap();
    let more = |row: &str| format!("{table}\n{row}");
    clean(
        table,
        &more("| T-3 | c | PLAN | - | - | - |"),
        &more("| T-4 | d | PLAN | - | - | - |"),
        &more("| T-3 | c | PLAN | - | - | - |\n| T-4 | d | PLAN | - | - | - |"),
    );
    // Marks stand at the beginning of their lines, behind no byte order mark.
    let text = three("\u{feff}a\r\n", "\u{feff}b\r\n", "\u{feff}c\r\n").text;
    assert_eq!(text, "<<<<<<< ours\r\n\u{feff}b\r\n=======\r\n\u{feff}c\r\n>>>>>>> theirs\r\n");
}

#[test]
fn rows_are_found_wherever_they_stand() {
    let moved = "# T\n\n| task_id | title | state | owner | due | notes |\n|---|---|---|---|---|---|\n\
                 | T-2 | b | READY | WORK | - | - |\n| T-1 | a | READY | WORK | - | - |\n\nend\n";
    clean(
        BASE,
        moved,
        &with(&[("| a |", "| A |"), ("| b |", "| B |")]),
        &moved.replace("| a |", "| A |").replace("| b |", "| B |"),
    );
    // A row that stood apart, put back on one side and changed on the other.
    let apart = with(&[("| T-2 |", "\n| T-2 |")]);
    clean(&apart, BASE, &apart.replace("| b |", "| B |"), &with(&[("| b |", "| B |")]));
}

#[test]
fn ids_that_stand_twice_are_lines() {
    let twice = with(&[("| T-2 | b |", "| T-1 | b |")]);
    clean(
        &twice,
        &twice.replace("| a |", "| A |"),
        &twice.replace("end", "END"),
        &twice.replace("| a |", "| A |").replace("end", "END"),
    );
    let merged = three(&twice, &twice.replace("| a |", "| A |"), &twice.replace("| a |", "| Ä |"));
    assert_eq!(merged.conflicts.len(), 1);
    assert_eq!(merged.conflicts[0].what, What::Lines);
}

#[test]
fn ragged_rows_and_pipes_in_cells() {
    let base = with(&[
        ("| T-1 | a | READY | WORK | - | - |", "| T-1 | a | READY |"),
        ("| b |", "| b \\| c |"),
    ]);
    let ours = base.replace("| a |", "| A |").replace("| b \\| c | READY |", "| b \\| c | HOLD |");
    let theirs = base
        .replace("| T-1 | a | READY |", "| T-1 | a | READY | CMD |")
        .replace("b \\| c", "b \\| d");
    let result = base
        .replace("| T-1 | a | READY |", "| T-1 | A | READY | CMD |")
        .replace("| b \\| c | READY |", "| b \\| d | HOLD |");
    clean(&base, &ours, &theirs, &result);
}

#[test]
fn tables_in_fences_are_lines_and_several_tables_are_told_apart() {
    let fenced = format!("```md\n{BASE}```\n\n{BASE}");
    let ours = fenced.replacen("| a |", "| A |", 1);
    let theirs = fenced.replacen("| b |", "| B |", 1);
    let merged = three(&fenced, &ours, &theirs);
    assert_eq!(
        merged.conflicts.iter().map(|c| &c.what).collect::<Vec<_>>(),
        [&What::Lines],
        "{}",
        merged.text
    );
    let second = HEAD.replace("notes", "where") + "| S-1 | s | PLAN | - | - | here |\n";
    let two = format!("{BASE}\n{second}");
    clean(
        &two,
        &two.replace("| a |", "| A |"),
        &two.replace("| s |", "| S |"),
        &two.replace("| a |", "| A |").replace("| s |", "| S |"),
    );
}

#[test]
fn both_sides_made_the_file() {
    let other = BASE.replace("| T-2 | b |", "| T-3 | c |");
    let all = BASE.replace("\n\nend", "\n| T-3 | c | READY | WORK | - | - |\n\nend");
    clean("", BASE, &other, &all);
    conflict("", BASE, &BASE.replace("| a |", "| A |"), "T-1", &["title"], Why::AddedTwice);
}

#[test]
fn a_base_with_marks_takes_no_side() {
    let mark = "<<<<<<<<< one\n| T-1 | x | READY | WORK | - | - |\n=========\n| T-1 | y | READY | WORK | - | - |\n>>>>>>>>> two\n";
    let base = with(&[("| T-1 | a | READY | WORK | - | - |\n", mark)]);
    let (x, y) = (with(&[("| a |", "| x |")]), with(&[("| a |", "| y |")]));
    conflict(&base, &x, &y, "T-1", &["title"], Why::Changed);
    clean(&base, &x, &x.replace("end", "END"), &x.replace("end", "END"));
    conflict(
        &base,
        &with(&[("| T-1 | a | READY | WORK | - | - |\n", "")]),
        &x,
        "T-1",
        &[],
        Why::RemovedByOurs,
    );
}

#[test]
fn an_owner_that_the_holder_may_claim_for_merges_with_the_claim() {
    let head = "| task_id | title | state | owner | lock | lock_owner | lock_expires_at |\n|---|---|---|---|---|---|---|\n";
    let row = |owner: &str, state: &str, lock: &str, holder: &str| {
        format!("{head}| T-1 | a | {state} | {owner} | {lock} | {holder} | - |\n")
    };
    let base = row("CMD", "READY", "-", "-");
    let claimed = row("CMD", "DOING", "k", "WORK@ada");
    for owner in ["WORK", "WORK@ada", "-"] {
        let given = row(owner, "READY", "-", "-");
        clean(&base, &given, &claimed, &row(owner, "DOING", "k", "WORK@ada"));
    }
    let given = row("WORK@bob", "READY", "-", "-");
    let columns = ["state", "owner", "lock", "lock_owner"];
    let text = conflict(&base, &given, &claimed, "T-1", &columns, Why::GivenAway);
    assert!(text.contains("| T-1 | a | READY | WORK@bob | - | - | - |\n=======\n| T-1 | a | DOING | CMD | k | WORK@ada | - |"), "{text}");
}
