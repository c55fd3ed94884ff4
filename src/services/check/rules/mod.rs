//! Every rule, one file each: what it means, how it looks, its tests.
//!
//! `rules!` is the list: a new rule is its file and one line here. A rule sees
//! one row, one page, or the whole book. Not here: reading (`check::book`) and
//! how findings look to people (`cli::render`). Invariant: a code never changes
//! its meaning, and whoever meets one can ask what it means.

use crate::model::severity::Severity;
use crate::services::check::book::{AnyRow, ApprovalRow, Book, TaskRow};
use crate::services::check::report::Found;

/// A rule, for people who met it.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its stable code.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it means, in one line.
    pub says: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// Where it is found.
    pub example: &'static str,
    /// How to mend it.
    pub mend: &'static str,
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub enum Look {
    /// Rows of every table, those without an id too.
    Rows(fn(&Book<'_>, &AnyRow<'_, '_>, &mut Found)),
    /// Tasks, archived ones included.
    Tasks(fn(&Book<'_>, &TaskRow<'_, '_>, &mut Found)),
    /// Approvals.
    Approvals(fn(&Book<'_>, &ApprovalRow<'_, '_>, &mut Found)),
    /// A whole text.
    Pages(fn(&Book<'_>, usize, &mut Found)),
    /// Everything together.
    Book(fn(&Book<'_>, &mut Found)),
}

macro_rules! rules {
    ($($file:ident: $($rule:ident),*;)*) => {
        $(pub mod $file;)*
        /// Every rule.
        pub static ALL: &[&Rule] = &[$($(&$file::$rule),*),*];
        const LOOKS: &[&[Look]] = &[$($file::LOOKS),*];
    };
}

rules! {
    reading: UNREADABLE, NO_TABLE;
    duplicate_id: DUPLICATE_ID;
    unclear_row: UNCLEAR_ROW;
    ragged_row: RAGGED_ROW;
    detached_row: DETACHED_ROW;
    mixed_line_ends: MIXED_LINE_ENDS;
    characters: CONTROL_CHARACTER, HIDDEN_TEXT, INVISIBLE_CHARACTER;
    markup: HIDDEN_MARKUP, SECTION_COMMENT;
    unknown_state: UNKNOWN_STATE;
    unknown_owner: UNKNOWN_OWNER;
    bad_actor: BAD_ACTOR, UNKNOWN_ROLE;
    bad_time: BAD_TIME;
    lock_mismatch: LOCK_MISMATCH;
    lease_expired: LEASE_EXPIRED;
    overdue: OVERDUE;
    mirror: MIRROR;
    dependency: DANGLING_DEPENDENCY, DEPENDENCY_CYCLE;
    archived_open: ARCHIVED_OPEN;
    unknown_status: UNKNOWN_STATUS;
    decision: DECISION_BEFORE_REQUEST, INCOMPLETE_DECISION;
    self_approval: SELF_APPROVAL;
    evidence: EVIDENCE_MISSING, EVIDENCE_ALTERED, EVIDENCE_UNSAFE, EVIDENCE_ELSEWHERE,
        EVIDENCE_UNCLEAR;
    secret: SECRET;
    done: DONE_PENDING, DONE_UNAPPROVED;
    bad_flag: BAD_FLAG;
    policy: UNSATISFIABLE_POLICY;
    hand_edit: DECIDED_APPROVAL, APPROVED_BY_HAND, DONE_BY_HAND, LEASE_BY_HAND, STATE_BY_HAND,
        POLICY_BY_HAND;
}

/// The rule with a code.
pub fn named(code: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.code == code)
}

/// Lets every rule look at a book.
pub fn look(book: &Book<'_>) -> Found {
    let mut found = Found::default();
    let looks = || LOOKS.iter().copied().flatten();
    let rows: Vec<_> =
        looks().filter_map(|l| if let Look::Rows(f) = l { Some(f) } else { None }).collect();
    let tasks: Vec<_> =
        looks().filter_map(|l| if let Look::Tasks(f) = l { Some(f) } else { None }).collect();
    let approvals: Vec<_> =
        looks().filter_map(|l| if let Look::Approvals(f) = l { Some(f) } else { None }).collect();
    for look in looks() {
        match look {
            Look::Book(look) => look(book, &mut found),
            Look::Pages(look) => (0..book.pages.len()).for_each(|n| look(book, n, &mut found)),
            Look::Rows(_) | Look::Tasks(_) | Look::Approvals(_) => {}
        }
    }
    for (at, page) in book.pages.iter().enumerate() {
        let Some(grid) = page.grid() else { continue };
        for (index, row) in grid.rows.iter().enumerate() {
            let row = AnyRow { at, page, grid, index, row };
            for look in &rows {
                look(book, &row, &mut found);
            }
        }
    }
    for row in book.tasks() {
        for look in &tasks {
            look(book, &row, &mut found);
        }
    }
    for row in book.approvals() {
        for look in &approvals {
            look(book, &row, &mut found);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_rule_explains_itself() {
        let mut codes = HashSet::new();
        for rule in ALL {
            assert!(codes.insert(rule.code), "{} stands twice", rule.code);
            assert!(
                rule.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'),
                "{}",
                rule.code
            );
            assert!(rule.severity > Severity::Ok);
            for text in [rule.says, rule.why, rule.example, rule.mend] {
                assert!(text.len() > 15 && text.trim() == text, "{}: {text}", rule.code);
            }
            let is_sentence = |text: &str| text.ends_with('.');
            assert!(!is_sentence(rule.says), "{}: a line, no sentence", rule.code);
            assert!(is_sentence(rule.why) && is_sentence(rule.mend), "{}", rule.code);
            assert_eq!(named(rule.code), Some(*rule));
        }
        assert_eq!(named("nonsense"), None);
    }
}
