//! What somebody accepted, and what of the past counts for it.
//!
//! Here: the words under which things are accepted, and whether what a hand edit
//! did to a task's lease or state has any effect. Not here: which hand edits are
//! forbidden (`services::hand_edits`). Invariant: a forbidden one has no effect
//! until it is accepted, and to undo what has none has none either.

use crate::store::entry::Entry;
use crate::store::journal::{Journal, TASKS};
use std::cell::OnceCell;
use std::collections::HashSet;

/// The hand edits of a row that move its lease or its state.
const MOVES_BY_HAND: [&str; 3] = ["lease-by-hand", "state-by-hand", "done-by-hand"];

/// What accepting one thing that an operation did is written as.
pub fn key(operation: &str, code: &str, row: &str) -> String {
    format!("{operation}/{code}/{row}")
}

/// Everything that was accepted: ids of operations, and keys.
#[derive(Debug, Default)]
pub struct Accepted(HashSet<String>);

impl Accepted {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an operation as a whole, or a key, was accepted.
    pub fn has(&self, key: &str) -> bool {
        self.0.contains(key)
    }

    /// Whether a finding about a row was accepted, whatever was in its cell then.
    pub fn has_of_row(&self, code: &str, file: &str, row: &str) -> bool {
        let key = format!("{code}/{file}/{row}");
        let of_cell = |other: &String| {
            other.strip_prefix(&key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.0.iter().any(of_cell)
    }

    /// Whether what an operation did to a row was accepted, by itself or with
    /// the whole operation.
    pub fn covers(&self, operation: &str, code: &str, row: &str) -> bool {
        self.has(operation) || self.has(&key(operation, code, row))
    }
}

impl Journal {
    /// Everything that was accepted. Cost: a pass over the lines that accept.
    pub fn accepted(&self) -> Accepted {
        Accepted(self.entries_with(b"\"accepts\":[").flat_map(|entry| entry.accepts).collect())
    }
}

/// Tells of operations, oldest first, what they did to tasks that counts.
pub(super) struct Effect<'j> {
    journal: &'j Journal,
    accepted: OnceCell<Accepted>,
    /// Operation and row.
    without: HashSet<(String, String)>,
}

impl<'j> Effect<'j> {
    pub fn of(journal: &'j Journal) -> Self {
        Self { journal, accepted: OnceCell::new(), without: HashSet::new() }
    }

    /// Whether what an operation did to a task's lease and state counts.
    pub fn counts(&mut self, entry: &Entry, task: &str) -> bool {
        let undone = entry.undoes.as_ref().filter(|_| entry.command == "undo");
        let undoes_nothing =
            undone.is_some_and(|id| self.without.contains(&(id.clone(), task.to_owned())));
        let mut forbidden = entry.forbidden.iter().filter(|f| {
            f.row == task && f.file == TASKS && MOVES_BY_HAND.contains(&f.code.as_str())
        });
        let accepted = || self.accepted.get_or_init(|| self.journal.accepted());
        let counts =
            !undoes_nothing && forbidden.all(|f| accepted().covers(&entry.id, &f.code, &f.row));
        if !counts {
            self.without.insert((entry.id.clone(), task.to_owned()));
        }
        counts
    }
}
