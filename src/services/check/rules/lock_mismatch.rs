//! `lock-mismatch`: lock cells that contradict each other, or the state.

use crate::model::field::TaskField;
use crate::model::history::PastLease;
use crate::model::severity::Severity;
use crate::model::task_state::State;
use crate::model::time::Timestamp;
use crate::services::check::book::{Book, TaskRow};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};

pub(super) const LOOKS: &[Look] = &[Look::Tasks(look)];

/// Lock cells that contradict each other, or the state.
pub static LOCK_MISMATCH: Rule = Rule {
    code: "lock-mismatch",
    severity: Severity::Error,
    says: "the lock cells of a task contradict each other, or its state",
    why: "The three cells and DOING are one statement: somebody works on this, until then. Half of \
          it says neither who may hand the task in nor when others may take it.",
    example: "| 001 | Paint | READY | ada | - | WORK@ada | 2026-01-01T10:00:00Z | - | - | - |",
    mend: "Leave lock cells to `claim`, `renew`, `submit` and `release`. Here, clear all three by \
           hand, or bring the state back to DOING: nobody but you knows which of both is wrong.",
};

fn look(book: &Book<'_>, row: &TaskRow<'_, '_>, found: &mut Found) {
    let task = &row.task;
    if task.lock.is_none() && task.lock_owner.is_none() && task.lock_expires_at.is_none() {
        return;
    }
    let Some(state) = task.known_state() else { return };
    if let Some((field, message)) = contradiction(row, state).or_else(|| mixture(book, row, state))
    {
        let help = if state == State::Doing {
            "`lock_owner` and `lock_expires_at` say who holds the task and until when; \
             `orch release` as the holder, or `orch reap` once it is over, clears all three"
        } else {
            "only DOING has a holder: clear the three cells, or bring the state back to DOING"
        };
        found.add(&LOCK_MISMATCH, row.at(field), task.id.as_ref(), message).help(help);
    }
}

fn contradiction(row: &TaskRow<'_, '_>, state: State) -> Option<(TaskField, String)> {
    let task = &row.task;
    if state != State::Doing {
        let filled = [
            (TaskField::LockOwner, &task.lock_owner),
            (TaskField::LockExpiresAt, &task.lock_expires_at),
            (TaskField::Lock, &task.lock),
        ];
        let (field, value) = filled.iter().find(|(_, value)| value.is_some())?;
        let value = value.as_deref().unwrap_or_default();
        return Some((*field, format!("`{}` is `{value}` in {state}", field.name())));
    }
    let has = |field| row.has(field);
    let (owner, end) = (task.lock_owner.as_deref(), task.lock_expires_at.as_deref());
    match (owner, end) {
        (None, Some(end)) if has(TaskField::LockOwner) => {
            return Some((
                TaskField::LockOwner,
                format!("`lock_expires_at` is `{end}`, but nobody holds the task"),
            ));
        }
        (Some(owner), None) if has(TaskField::LockExpiresAt) => {
            return Some((
                TaskField::LockExpiresAt,
                format!("`{owner}` holds the task, but `lock_expires_at` is empty"),
            ));
        }
        _ => {}
    }
    // `lock` may have any spelling; only `<actor>@<time>` can contradict.
    let lock = task.lock.as_deref()?;
    let (holder, since) = lock.rsplit_once('@')?;
    let since = Timestamp::parse(since)?;
    match owner {
        Some(owner) if !owner.eq_ignore_ascii_case(holder) => {
            return Some((
                TaskField::Lock,
                format!("`lock` says `{holder}`, but `lock_owner` is `{owner}`"),
            ));
        }
        None if has(TaskField::LockOwner) => {
            return Some((TaskField::Lock, format!("`lock` says `{holder}`, but nobody holds it")));
        }
        _ => {}
    }
    let until = end.and_then(Timestamp::parse)?;
    (until < since).then(|| {
        let message = format!("the lease ends at {until}, before it began at {since}");
        (TaskField::LockExpiresAt, message)
    })
}

/// The end of a lease that another one had: two branches claimed the task, and
/// whoever brought them together took a half of each.
fn mixture(book: &Book<'_>, row: &TaskRow<'_, '_>, state: State) -> Option<(TaskField, String)> {
    let task = &row.task;
    let (owner, end) = (task.lock_owner.as_deref()?, task.lock_expires_at.as_deref()?);
    let history = book.past().history(&task.id);
    if state != State::Doing || !history.is_forked {
        return None;
    }
    let history = history.settled(Some(owner), task.lock.as_deref());
    let has_end = |lease: &PastLease| lease.ends.iter().any(|known| known == end);
    let (running, others) = history.leases.split_last()?;
    if running.ended.is_some() || running.ends.is_empty() || has_end(running) {
        return None;
    }
    let other = others.iter().rfind(|lease| has_end(lease))?;
    let message = format!(
        "`lock_expires_at` is of the lease that `{}` had on another branch, not of this one",
        other.holder
    );
    Some((TaskField::LockExpiresAt, message))
}

#[cfg(test)]
mod tests {
    use crate::services::check::testing::Case;

    const END: &str = "2026-01-01T10:00:00Z";

    fn found(state: &str, lock: &str, owner: &str, end: &str) -> Vec<String> {
        let row = format!("| 1 | a | {state} | - | {lock} | {owner} | {end} | - | - | - |\n");
        let found = Case::tasks(&row).found("lock-mismatch");
        found.into_iter().map(|f| f.split_once("] ").unwrap().1.to_owned()).collect()
    }

    #[test]
    fn cells_that_agree() {
        let lock = "WORK@ada@2026-01-01T09:00:00Z";
        for (state, lock, owner, end) in [
            ("DOING", lock, "WORK@ada", END),
            ("DOING", lock, "work@ADA", END),
            ("DOING", "004-LOCK", "CMD", END),
            ("DOING", "-", "WORK", END),
            ("DOING", "WORK@2026-01-01T09:00:00Z", "WORK", END),
            ("DOING", "-", "-", "-"),
            ("READY", "-", "-", "-"),
            ("LATER", lock, "WORK@ada", END),
        ] {
            assert_eq!(found(state, lock, owner, end), [""; 0], "{state} {lock} {owner} {end}");
        }
    }

    #[test]
    fn cells_that_do_not() {
        let ada = "WORK@ada@2026-01-01T09:00:00Z";
        let cases = [
            ("READY", "-", "WORK@ada", END, "`lock_owner` is `WORK@ada` in READY"),
            ("DONE", "-", "-", END, "`lock_expires_at` is `2026-01-01T10:00:00Z` in DONE"),
            ("HOLD", "x", "-", "-", "`lock` is `x` in HOLD"),
            (
                "DOING",
                "-",
                "-",
                END,
                "`lock_expires_at` is `2026-01-01T10:00:00Z`, but nobody holds the task",
            ),
            ("DOING", "-", "WORK", "-", "`WORK` holds the task, but `lock_expires_at` is empty"),
            (
                "DOING",
                ada,
                "WORK@bob",
                END,
                "`lock` says `WORK@ada`, but `lock_owner` is `WORK@bob`",
            ),
            ("DOING", ada, "-", "-", "`lock` says `WORK@ada`, but nobody holds it"),
            (
                "DOING",
                ada,
                "WORK@ada",
                "2026-01-01T08:00:00Z",
                "the lease ends at 2026-01-01T08:00:00Z, before it began at 2026-01-01T09:00:00Z",
            ),
        ];
        for (state, lock, owner, end, says) in cases {
            assert_eq!(found(state, lock, owner, end), [says]);
        }
    }

    #[test]
    fn columns_that_are_missing_contradict_nothing() {
        use crate::services::check::book::Expect;
        let text = "| id | title | state | owner | lock_owner |\n|--|--|--|--|--|\n| 1 | a | DOING | - | WORK |\n";
        let case = Case::default().page("T.md", Expect::Tasks, text);
        assert_eq!(case.found("lock-mismatch"), [""; 0]);
    }
}
