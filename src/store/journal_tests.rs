//! What the journal answers, on lines built by hand.

use super::*;
use std::collections::BTreeMap;

fn of_text(text: &str) -> Journal {
    let months = vec![("2026-01".to_owned(), text.as_bytes().to_vec())];
    Journal::of(months)
}

#[test]
fn questions_read_only_their_lines() {
    let change = |row: &str, state: (&str, &str)| RowChange {
        file: "ORCH/STATE/TASKS.md".into(),
        kind: RowChangeKind::Insert,
        row: row.into(),
        cells: BTreeMap::from([(
            "state".to_owned(),
            (format!(" {} ", state.0), format!(" {} ", state.1)),
        )]),
        ..RowChange::default()
    };
    let line = |row: &str, token| {
        Entry {
            ts: "2026-01-01T00:00:00.000Z".into(),
            command: "claim".into(),
            token,
            op_id: Some(format!("key-{row}")),
            changes: vec![change(row, ("READY", "DOING"))],
            ..Entry::default()
        }
        .to_line()
    };
    let text = format!("{}\nnot json\n{}\n", line("T-1", Some(7)), line("T-2", Some(12)));
    let journal = of_text(&text);
    assert_eq!(journal.given_ids(), ["T-1", "T-2"]);
    assert_eq!(journal.largest_token(), 12);
    assert!(journal.committed_as("key-T-1").is_some());
    assert!(journal.committed_as("key").is_none());
    assert!(journal.history("T-1").claimed_from.is_some());
    assert_eq!(journal.history("T-9"), TaskHistory::default());
}

#[test]
fn a_torn_last_line_does_not_hide_the_one_before() {
    let line = Entry { seq: 7, ts: "2026-01-01T00:00:00.000Z".into(), ..Entry::default() };
    let text = format!("{}\n{}", line.to_line(), &line.to_line()[..40]);
    let journal = of_text(&text);
    assert_eq!(journal.last().map(|entry| entry.seq), Some(7));
    assert!(journal.newest().is_some());
}

fn operation(seq: u64, id: &str, command: &str, parents: &[&str]) -> Entry {
    let hash = |line: &&str| Line::parse(line.as_bytes()).unwrap().hash.to_owned();
    Entry {
        seq,
        id: id.into(),
        ts: format!("2026-01-01T00:00:{seq:02}.000Z"),
        actor: "WORK@ada".into(),
        command: command.into(),
        parents: parents.iter().map(hash).collect(),
        ..Entry::default()
    }
}

fn cell(file: &str, row: &str, column: &str, from: &str, to: &str) -> RowChange {
    let pair = (format!(" {from} "), format!(" {to} "));
    RowChange {
        file: file.into(),
        row: row.into(),
        cells: BTreeMap::from([(column.to_owned(), pair)]),
        ..RowChange::default()
    }
}

#[test]
fn the_next_operation_takes_all_heads() {
    assert_eq!(of_text("").tip(), Tip { seq: 1, parents: vec![], newest: None });
    let root = operation(1, "root", "genesis", &[]).to_line();
    let ours = operation(2, "ours", "note", &[&root]).to_line();
    let last = operation(3, "last", "note", &[&ours]).to_line();
    let theirs = operation(2, "theirs", "note", &[&root]).to_line();
    let hash = |line: &str| Line::parse(line.as_bytes()).unwrap().hash.to_owned();
    let journal = of_text(&format!("{root}\n{ours}\n{last}\n{theirs}\n{theirs}\n"));
    let tip = journal.tip();
    assert_eq!((tip.seq, tip.parents), (4, vec![hash(&theirs), hash(&last)]));
    assert_eq!(tip.newest, Timestamp::parse_millis("2026-01-01T00:00:03.000Z"));
    assert_eq!(journal.last().unwrap().id, "last");
}

#[test]
fn a_clock_set_back_puts_the_newest_line_into_an_earlier_file() {
    let root = operation(1, "root", "genesis", &[]).to_line();
    let late = operation(2, "late", "note", &[&root]).to_line();
    let mut back = operation(3, "back", "note", &[&late]);
    back.ts = "2025-12-31T23:59:00.000Z".into();
    let months = vec![
        ("2025-12".to_owned(), format!("{root}\n{}\n", back.to_line()).into_bytes()),
        ("2026-01".to_owned(), format!("{late}\n").into_bytes()),
    ];
    let journal = Journal::of(months);
    assert_eq!(journal.tip().seq, 4);
    assert_eq!(journal.tip().newest, Timestamp::parse_millis(&back.ts));
    assert_eq!(journal.last().unwrap().id, "back");
}

#[test]
fn the_past_follows_the_graph_and_not_the_file() {
    let mut claim = operation(1, "claim", "claim", &[]);
    claim.changes = vec![
        cell(TASKS, "T-1", "state", "READY", "DOING"),
        cell(TASKS, "T-1", "lock_owner", "-", "WORK@ada"),
        cell(APPROVALS, "T-1", "state", "a", "b"),
    ];
    let claim = claim.to_line();
    let mut submit = operation(2, "submit", "submit", &[&claim]);
    submit.changes = vec![
        cell(TASKS, "T-1", "state", "DOING", "REVIEW"),
        cell(TASKS, "T-1", "lock_owner", "WORK@ada", ""),
    ];
    let submit = submit.to_line();
    let forth = of_text(&format!("{claim}\n{submit}\n")).history("T-1");
    assert_eq!(forth.last_move.as_ref().unwrap().to.unwrap().as_str(), "REVIEW");
    for odd in [format!("{submit}\n{claim}\n"), format!("{claim}\r\n{submit}\n{claim}\n")] {
        assert_eq!(of_text(&odd).history("T-1"), forth, "{odd}");
    }
}

#[test]
fn a_forbidden_hand_edit_counts_once_it_is_accepted() {
    let claim = Entry {
        changes: vec![
            cell(TASKS, "T-1", "state", "READY", "DOING"),
            cell(TASKS, "T-1", "lock_owner", "-", "WORK@ada"),
        ],
        ..operation(1, "claim", "claim", &[])
    }
    .to_line();
    let mut by_hand = operation(2, "by-hand", "external", &[&claim]);
    by_hand.changes = vec![cell(TASKS, "T-1", "lock_owner", "WORK@ada", "-")];
    by_hand.forbidden = vec![crate::store::entry::Forbidden {
        code: "lease-by-hand".into(),
        file: TASKS.into(),
        row: "T-1".into(),
    }];
    let by_hand = by_hand.to_line();
    let running = |last: Option<Entry>| {
        let last = last.map(|entry| entry.to_line()).unwrap_or_default();
        let journal = of_text(&format!("{claim}\n{by_hand}\n{last}\n"));
        journal.history("T-1").running().is_some()
    };
    assert!(running(None));
    let accepts = |what: &str| {
        let accepts = vec![what.to_owned()];
        Some(Entry { accepts, ..operation(3, "check", "check", &[&by_hand]) })
    };
    assert!(!running(accepts("by-hand")));
    assert!(!running(accepts("by-hand/lease-by-hand/T-1")));
    assert!(running(accepts("by-hand/lease-by-hand/T-2")));
    // What did nothing is undone without effect: the lease is the same one.
    let mut undo = operation(3, "undo", "undo", &[&by_hand]);
    undo.undoes = Some("by-hand".into());
    undo.changes = vec![cell(TASKS, "T-1", "lock_owner", "-", "WORK@ada")];
    let text = format!("{claim}\n{by_hand}\n{}\n", undo.to_line());
    assert_eq!(of_text(&text).history("T-1").leases.len(), 1);
}

#[test]
fn ids_of_tasks_and_approvals_are_told_apart() {
    let mut entry = operation(1, "both", "request", &[]);
    for (file, row) in [(TASKS, "T-1"), (APPROVALS, "A1")] {
        let change = cell(file, row, "state", "", "x");
        entry.changes.push(RowChange { kind: RowChangeKind::Insert, ..change });
    }
    let journal = of_text(&entry.to_line());
    assert_eq!(journal.given_ids(), ["T-1"]);
    assert_eq!(journal.given_approval_ids(), ["A1"]);
}

#[test]
fn an_operation_is_named_by_the_beginning_of_its_id() {
    let lines: Vec<String> = ["06dqhj8ag06r7cz2", "06dqhj8ag2eydkrf", "06dqhj8ag2eydkrf"]
        .iter()
        .map(|id| operation(1, id, "note", &[]).to_line())
        .collect();
    let journal = of_text(&lines.join("\n"));
    let one = |text: &str| match journal.operation(text) {
        Named::One(entry) => entry.id,
        other => format!("{other:?}"),
    };
    assert_eq!(one("06DQHJ8AG06R7CZ2"), "06dqhj8ag06r7cz2");
    assert_eq!(one("06dqhj8ag2"), "06dqhj8ag2eydkrf");
    assert!(matches!(journal.operation("06dq"), Named::Several(ids) if ids.len() == 2));
    assert_eq!(journal.operation("06d"), Named::Nothing);
    assert_eq!(journal.operation("zzzz"), Named::Nothing);
}
