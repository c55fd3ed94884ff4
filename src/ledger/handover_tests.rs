//! What a handover holds stays in it, and reads back.

use super::*;
use crate::ledger::approvals::ApprovalLedger;
use crate::ledger::render::{Documents, render};
use crate::ledger::tasks::TaskLedger;
use crate::model::operation::Operation;
use proptest::prelude::*;
use std::collections::BTreeMap;

const ROWS: &str = "| id | title | state | owner |\n|---|---|---|---|\n| T-1 | x | PLAN | - |\n| T-2 | y | PLAN | - |\n";

fn handover(text: &str) -> Handover {
    let at = Timestamp::parse("2026-01-01T09:00:00Z").unwrap();
    Handover { at, actor: "WORK@ada".into(), text: text.into() }
}

fn add(ledger: &str, id: &str, text: &str) -> Result<String> {
    let tasks = TaskLedger::parse(ledger, "TASKS.md")?;
    let approvals = ApprovalLedger::parse("", "APPROVALS.md")?;
    let archives = BTreeMap::new();
    let documents =
        Documents { tasks: &tasks, approvals: &approvals, archives: &archives, flags: "" };
    let operation =
        Operation::AddHandover { id: id.into(), title: "x".into(), handover: handover(text) };
    Ok(render(&documents, &[operation])?.tasks.unwrap())
}

fn read(ledger: &str, id: &str) -> Vec<Handover> {
    let tasks = TaskLedger::parse(ledger, "TASKS.md").unwrap();
    let (heading, body) = tasks.section(id).unwrap();
    let found = of_section(ledger, &tasks.grid().headings, &heading, &body);
    found.into_iter().map(|(handover, _)| handover).collect()
}

/// `new` is `old` with something inserted at one place.
fn is_insertion(old: &str, new: &str) -> bool {
    let same = old.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
    let rest = old.len() - same;
    new.len() > old.len() && (0..=same).rev().any(|n| new.ends_with(&old[same - n..])) || rest == 0
}

#[test]
fn a_section_is_made_where_there_is_none() {
    let new = add(ROWS, "T-1", "Half of it.\n\nLeft: the rest.").unwrap();
    let section = "\n### T-1 x\n\n#### Handover 2026-01-01T09:00:00Z WORK@ada\n\n\
                   > Half of it.\n>\n> Left: the rest.\n";
    assert_eq!(new, format!("{ROWS}{section}"));
    assert_eq!(read(&new, "T-1"), [handover("Half of it.\n\nLeft: the rest.")]);
}

#[test]
fn every_shape_of_section_takes_one_and_keeps_its_bytes() {
    let ends = [
        "### T-1 x\n",
        "### T-1 x",
        "### T-1 x\n\nText.\n\n\n### T-2 y\n\nOther.\n",
        "### T-1 x\nText.\n### T-2 y\n",
        "### T-1 x\nText.\nB\n---\n",
        "### T-1 x\n\nText, no line end",
        "### T-1 x\n\n- a\n  - b\n\n\n",
        "## T-1 x\n\n### Below\n\ntext  \n",
        "##### T-1 x\n\ntext\n\n# Up\n",
    ];
    for end in ends {
        for crlf in [false, true] {
            let old = format!("{ROWS}\n{end}");
            let old = if crlf { old.replace('\n', "\r\n") } else { old };
            let new = add(&old, "T-1", "One.\nTwo.").unwrap();
            assert!(is_insertion(&old, &new), "{old:?} {new:?}");
            assert_eq!(read(&new, "T-1"), [handover("One.\nTwo.")], "{new:?}");
            assert_eq!(crlf, new.contains('\r'));
            assert!(!crlf || !new.replace("\r\n", "").contains('\n'), "{new:?}");
            let twice = add(&new, "T-1", "Three.").unwrap();
            assert_eq!(read(&twice, "T-1").len(), 2, "{twice:?}");
            let names = |text: &str| {
                let headings = crate::ledger::scan::blocks(text).headings;
                headings.iter().map(|h| section::title(text, h).0.to_owned()).collect::<Vec<_>>()
            };
            let mut left = names(&twice);
            left.retain(|title| !title.starts_with(WORD));
            assert_eq!(left, names(&old), "{twice:?}");
        }
    }
}

#[test]
fn the_sixth_level_and_what_does_not_end_are_refused() {
    for end in ["###### T-1 x\n", "### T-1 x\n\n```\nopen\n", "### T-1 x\n\n<!-- open\n"] {
        let old = format!("{ROWS}\n{end}");
        assert!(add(&old, "T-1", "text").is_err(), "{end}");
    }
}

#[test]
fn hostile_texts_stay_in_their_quote() {
    let texts = [
        "### T-2 stolen\n\nNot mine.",
        "#### Handover 2030-01-01T00:00:00Z CMD@boss\n\n> fake",
        "```\nopen fence",
        "<!-- open comment",
        "<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs",
        "| id | title | state | owner |\n|---|---|---|---|\n| T-9 | z | READY | - |",
        "> | id | title | state | owner |\n> |---|---|---|---|\n> | T-9 | z | READY | - |",
        "- | id | title | state | owner |\n  |---|---|---|---|\n  | T-9 | z | READY | - |",
        "\\|---|\n\\\\|---|",
        "Title\n=====\n\nOther\n-----",
        "| T-9 | z | READY | - |",
        "--- end [3f9a1c] ---",
        "> quoted\n>> deeper",
        " leading, and trailing ",
        "\ttab",
        "</details></div><script>",
        "[r]: /u 'a",
    ];
    for text in texts {
        let old = format!("{ROWS}\n### T-1 x\n\nText.\n\n### T-2 y\n\nOther.\n");
        let new = add(&old, "T-1", text).unwrap();
        assert_eq!(read(&new, "T-1"), [handover(text)], "{new}");
        let ledger = TaskLedger::parse(&new, "TASKS.md").unwrap();
        assert_eq!(ledger.rows().count(), 2, "{new}");
        let (_, body) = ledger.section("T-2").unwrap();
        assert_eq!(&new[body], "\nOther.\n", "{new}");
        crate::ledger::source::loads(&new, "TASKS.md").unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_handover_reads_back_and_nothing_else_moves(
        text in "([-|:>#`<!\\\\ a1~=*\\[\\]]{0,12}\n){0,6}[a-z|>#-]{1,8}",
        before in "([-|:>#`a1 ]{0,8}\n){0,4}",
    ) {
        let text = text.trim_matches('\n');
        let old = format!("{ROWS}\n### T-1 x\n{before}\n### T-2 y\n\nOther.\n");
        // A section that swallows the next, or a ledger that does not load, is none.
        let Ok(ledger) = TaskLedger::parse(&old, "TASKS.md") else { return Ok(()) };
        let Some((_, span)) = ledger.section("T-1") else { return Ok(()) };
        if let Ok(new) = add(&old, "T-1", text) {
            prop_assert!(is_insertion(&old, &new));
            let found = read(&new, "T-1");
            prop_assert_eq!(found.last(), Some(&handover(text)));
            prop_assert_eq!(&new[..span.start], &old[..span.start]);
        } else {
            // Only what was there before can be in the way.
            let plain = add(&old, "T-1", "plain");
            prop_assert!(plain.is_err(), "{text:?} alone is refused");
        }
    }
}
