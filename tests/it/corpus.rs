//! T29: the corpus of ledgers, and every Markdown file of our dependencies.
//!
//! `clean` ledgers have nothing to complain about, `odd` ones are read and
//! edited all the same, `broken` ones are refused, or read with errors that
//! `check` finds: with the text that stands beside them in `NAME.expected`;
//! `ORCH_UPDATE=1` writes that text.

use crate::laws::number;
use crate::props::{self, Outcome};
use crate::support::workspace::Workspace;
use orch::error::{Error, Result};
use orch::ledger::approvals::ApprovalLedger;
use orch::ledger::source;
use orch::ledger::tasks::TaskLedger;
use orch::model::field::ApprovalField;
use std::fs;
use std::path::{Path, PathBuf};

/// Values that find out how a cell is written.
const VALUES: [&str; 9] = [
    "x",
    "",
    "-",
    "a | b",
    "ends in \\",
    "台帳を直す",
    "one\ntwo",
    "a text that needs room",
    "\u{7}",
];

fn corpus(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder);
    let mut files = Vec::new();
    markdown_below(&root, &mut files);
    files.sort();
    assert!(files.len() >= 10, "where is the corpus? {}", root.display());
    files
}

/// Every `.md` file below a folder, links not followed.
fn markdown_below(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => markdown_below(&path, files),
            Ok(kind) if kind.is_file() && path.extension().is_some_and(|e| e == "md") => {
                files.push(path);
            }
            _ => {}
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "tests are the outside")]
fn bytes_of(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn text_of(path: &Path) -> String {
    String::from_utf8(bytes_of(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every law, with every row, column and value. How many edits were made.
fn every_law(text: &str) -> usize {
    props::all_of_a_text(text);
    let mut held = 0;
    let Ok(ledger) = TaskLedger::parse(text, "TASKS.md") else { return 0 };
    for row in 0..ledger.rows().count() {
        for column in 0..16 {
            for value in VALUES {
                let outcome = props::a_set_changes_only_its_cell(text, row, column, value);
                held += usize::from(outcome == Outcome::Held);
            }
        }
    }
    for (i, value) in VALUES.iter().enumerate() {
        let values = [(0, *value), (i, "word"), (i + 3, *value)];
        let outcome = props::an_added_row_is_one_line(text, "NEW-1", &values);
        held += usize::from(outcome == Outcome::Held);
        let cuts = [(i * 31, i * 7, *value), (i * 57 + 3, 5, "y"), (text.len(), 0, "end")];
        props::an_edit_inverts(text, &cuts);
    }
    held
}

#[test]
fn t29_clean_ledgers_have_nothing_odd() {
    for path in corpus("clean") {
        let text = text_of(&path);
        let name = path.display();
        let tasks = TaskLedger::parse_any(&text, "TASKS.md");
        let approvals = ApprovalLedger::parse(&text, "APPROVALS.md").expect("clean");
        let grids = [tasks.grid(), approvals.grid()];
        assert!(grids.iter().any(|grid| !grid.tables.is_empty()), "{name}: no ledger table");
        for grid in grids {
            for row in &grid.rows {
                let columns = grid.tables[row.table as usize].header.len();
                assert!(row.opens && row.closes && !row.detached, "{name}");
                assert_eq!(row.len(), columns, "{name}");
            }
        }
        assert_eq!(props::comrak_agrees(&text), Outcome::Held, "{name}");
        let held = every_law(&text);
        assert!(tasks.rows().next().is_none() || held > 50, "{name}: {held} edits only");
    }
}

#[test]
fn t29_odd_ledgers_keep_the_laws() {
    for path in corpus("odd") {
        let text = text_of(&path);
        let grids = TaskLedger::parse_any(&text, "TASKS.md").grid().tables.len()
            + ApprovalLedger::parse(&text, "APPROVALS.md").map_or(0, |a| a.grid().tables.len());
        assert!(grids > 0, "{}: no ledger table, so it is broken", path.display());
        every_law(&text);
    }
}

/// What somebody who reads the ledger is told first.
fn complaint(bytes: &[u8], path: &str) -> Result<()> {
    let text = source::text(bytes, path)?;
    if path.starts_with("approvals") {
        let ledger = ApprovalLedger::parse(text, path)?;
        for row in ledger.rows() {
            let id = ledger.cell(row, ApprovalField::ApprId).unwrap_or_default();
            ledger.find(&id)?;
        }
    } else {
        let ledger = TaskLedger::parse(text, path)?;
        for row in ledger.rows() {
            ledger.find(&ledger.id(row))?;
        }
    }
    Ok(())
}

fn told(error: &Error) -> String {
    let hint = error.hint.as_ref().map(|hint| format!("hint: {hint}\n")).unwrap_or_default();
    format!("{error}\n{hint}")
}

/// What `check` finds in a ledger by itself, at the time of the tests' world.
fn found(bytes: &[u8], name: &str) -> String {
    let ws = Workspace::new();
    ws.write(name, bytes);
    ws.run(&format!("check {name}")).exit(10).stdout
}

#[test]
fn t29_broken_ledgers_are_refused_with_their_place() {
    let update = number("ORCH_UPDATE") == Some(1);
    for path in corpus("broken") {
        let name = path.file_name().and_then(|n| n.to_str()).expect("our names are plain");
        let bytes = bytes_of(&path);
        // Refused by whoever reads it, or read with rows that cannot be relied on.
        let refused = complaint(&bytes, name).err().map(|e| told(&e) + "\n").unwrap_or_default();
        let said = refused + &found(&bytes, name);
        let expected = path.with_extension("expected");
        if update {
            #[allow(clippy::disallowed_methods, reason = "tests are the outside")]
            fs::write(&expected, &said).expect("the corpus can be written");
        }
        assert_eq!(said, text_of(&expected), "{name}; ORCH_UPDATE=1 accepts it");
        props::parses_losslessly(&bytes);
        if let Ok(text) = std::str::from_utf8(&bytes) {
            every_law(text);
        }
    }
}

#[test]
fn t29_markdown_of_the_dependencies_keeps_the_laws() {
    #[allow(clippy::disallowed_methods, reason = "tests are the outside")]
    let home = |name| std::env::var_os(name).map(PathBuf::from);
    let cargo = home("CARGO_HOME").or_else(|| home("HOME").map(|home| home.join(".cargo")));
    let root = cargo.map(|cargo| cargo.join("registry/src")).filter(|root| root.is_dir());
    let Some(root) = root else {
        println!("SKIPPED: no folder registry/src with the sources of dependencies");
        return;
    };
    let mut files = Vec::new();
    markdown_below(&root, &mut files);
    files.sort();
    let found = files.len();
    // All of them only where time is given; else some of each kind.
    let budget: usize = if number("ORCH_PROPTEST_CASES").is_some() { usize::MAX } else { 2 << 20 };
    let (mut read, mut size, mut tables, mut edits) = (0, 0, 0, 0);
    for path in files {
        let bytes = bytes_of(&path);
        if size + bytes.len() > budget {
            continue;
        }
        read += 1;
        size += bytes.len();
        if props::parses_losslessly(&bytes) == Outcome::Refused {
            continue;
        }
        let text = String::from_utf8(bytes).expect("it was read just now");
        edits += every_law(&text);
        tables += orch::ledger::scan::blocks(&text).tables.len();
    }
    println!("{read} of {found} Markdown files, {size} bytes, {tables} tables, {edits} edits");
    assert!(read > 0);
}
