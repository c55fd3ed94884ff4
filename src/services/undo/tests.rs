//! Which operations `undo` finds and refuses, without a file.

use super::*;
use crate::ledger::change::RowChange;

fn entry(command: &str) -> Entry {
    Entry { id: "op".into(), command: command.into(), ..Entry::default() }
}

#[test]
fn some_operations_are_never_taken_back() {
    for command in ["genesis", "renew", "approve", "reject", "decide", "withdraw", "flag"] {
        let error = can_be_undone(&entry(command)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotAllowed, "{command}");
    }
    for command in ["set", "claim", "external", "undo", "redo", "archive", "fmt"] {
        can_be_undone(&entry(command)).unwrap();
    }
    let mut accepts = entry("check");
    accepts.accepts.push("op".into());
    can_be_undone(&accepts).unwrap_err();
    let decision = |command| {
        let cells = [("status".to_owned(), (" pending ".to_owned(), " approved ".to_owned()))];
        let change = RowChange {
            file: "ORCH/STATE/APPROVALS.md".into(),
            row: "A1".into(),
            cells: cells.into(),
            ..RowChange::default()
        };
        Entry { changes: vec![change], ..entry(command) }
    };
    can_be_undone(&decision("watch")).unwrap_err();
    can_be_undone(&decision("external")).unwrap();
}

#[test]
fn undo_means_the_first_kind_of_operation() {
    for command in ["undo", "redo", "renew", "genesis", "external"] {
        assert!(!is_first(&entry(command)), "{command}");
    }
    assert!(is_first(&entry("set")) && is_first(&entry("approve")));
    let mut named_lock = entry("lock");
    named_lock.locks.push(crate::store::entry::LockChange::default());
    assert!(!is_first(&named_lock));
}
