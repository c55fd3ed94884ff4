//! The only table of exit numbers.
//!
//! Lives here: the number and the one-line meaning of each kind of error. Not
//! here: which kind wins where several apply (`error`).
//! Invariant: a number never changes its meaning; scripts branch on them.

use crate::error::ErrorKind;

/// Done, or already so; also a reader that closed the pipe early.
pub const SUCCESS: u8 = 0;

/// Stopped by Ctrl-C: 128 plus SIGINT, as shells count it.
pub const INTERRUPTED: u8 = 130;

/// `merge-driver` alone, whose numbers are git's: conflicts are left in the file.
pub const CONFLICTS: u8 = 1;

/// `merge-driver` alone: nothing was merged. Git takes anything up to 128 for
/// conflicts, and our version for a result that has them marked.
pub const NOT_MERGED: u8 = 129;

/// One line of the manual's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit {
    /// The number the process ends with.
    pub number: u8,
    /// The symbolic code of JSON errors; empty where there is no error.
    pub code: &'static str,
    /// What it means, in one line.
    pub meaning: &'static str,
}

/// The exit number of a kind of error.
pub const fn number(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Failed => 1,
        ErrorKind::Usage => 2,
        ErrorKind::NotFound => 3,
        ErrorKind::NotAllowed => 4,
        ErrorKind::Held => 5,
        ErrorKind::LeaseLost => 6,
        ErrorKind::ApprovalRequired => 7,
        ErrorKind::SeparationOfDuties => 8,
        ErrorKind::Stale => 9,
        ErrorKind::LedgerInvalid => 10,
        ErrorKind::Busy => 11,
        ErrorKind::NothingReady => 12,
        ErrorKind::Committed => 13,
    }
}

/// What a kind of error means, in one line for the manual.
pub const fn meaning(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Failed => "I/O, or a bug",
        ErrorKind::Usage => "bad arguments or settings",
        ErrorKind::NotFound => "no such task, approval, operation or workspace",
        ErrorKind::NotAllowed => "the state machine or the role says no",
        ErrorKind::Held => "somebody has the lease; the message says who and until when",
        ErrorKind::LeaseLost => "your lease was taken over, reaped or removed; nothing written",
        ErrorKind::ApprovalRequired => "an approval is pending, missing or rejected",
        ErrorKind::SeparationOfDuties => "the same person on both sides",
        ErrorKind::Stale => "evidence or subject changed since it was requested or decided",
        ErrorKind::LedgerInvalid => "errors were found in a file, or it cannot be used",
        ErrorKind::Busy => "the lock wait timed out, or the file kept changing; try again",
        ErrorKind::NothingReady => "nothing can be claimed; each open task has its reason",
        ErrorKind::Committed => {
            "the change is committed, but could not be finished or reported; \
             repeat only with the same `--op-id`"
        }
    }
}

/// The whole table for the manual, in ascending order, with 0 and 130.
pub fn table() -> impl Iterator<Item = Exit> {
    let kinds = ErrorKind::ALL.into_iter().map(|kind| Exit {
        number: number(kind),
        code: kind.code(),
        meaning: meaning(kind),
    });
    std::iter::once(Exit { number: SUCCESS, code: "", meaning: "done, or already so" })
        .chain(kinds)
        .chain(std::iter::once(Exit {
            number: INTERRUPTED,
            code: "",
            meaning: "stopped by Ctrl-C",
        }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_published_one() {
        let published = [
            ("failed", 1),
            ("usage", 2),
            ("not_found", 3),
            ("not_allowed", 4),
            ("held", 5),
            ("lease_lost", 6),
            ("approval_required", 7),
            ("separation_of_duties", 8),
            ("stale", 9),
            ("ledger_invalid", 10),
            ("busy", 11),
            ("nothing_ready", 12),
            ("committed", 13),
        ];
        assert_eq!(ErrorKind::ALL.map(|kind| (kind.code(), number(kind))), published);
    }

    #[test]
    fn numbers_are_unique_and_ascending() {
        let numbers: Vec<u8> = table().map(|exit| exit.number).collect();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
        assert_eq!(numbers.len(), ErrorKind::ALL.len() + 2);
    }

    #[test]
    fn meanings_are_one_line_each_and_differ() {
        let mut seen = std::collections::HashSet::new();
        for exit in table() {
            assert!(!exit.meaning.is_empty() && !exit.meaning.contains('\n'));
            assert!(!exit.meaning.contains("  "), "{}", exit.meaning);
            assert!(seen.insert(exit.meaning), "{}", exit.meaning);
        }
    }
}
