//! `mirror`: a copy of a lease that says something else than the table.

use crate::model::severity::Severity;
use crate::model::task_state::State;
use crate::services::check::book::{At, Book};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};
use crate::store::mirror::{self, Copy};
use std::collections::HashMap;

pub(super) const LOOKS: &[Look] = &[Look::Book(look)];

/// A copy of a lease that says something else than the table.
pub static MIRROR: Rule = Rule {
    code: "mirror",
    severity: Severity::Note,
    says: "a lease mirror in LOCKS is left over, or disagrees with the table",
    why: "Mirrors are copies for scripts that look for a file. No command believes one over the \
          table, but a script that does would wait for nobody.",
    example: "ORCH/STATE/LOCKS/001.lock says WORK@ada, and 001 is in REVIEW",
    mend: "`orch check --fix` removes mirrors of tasks that nobody holds; one of a held task is \
           written anew by the holder's next `orch renew`.",
};

/// The tasks of which a mirror is left over.
pub fn left_over(book: &Book<'_>) -> Vec<String> {
    let leftovers = judged(book).into_iter().filter(|(_, verdict)| *verdict == Verdict::LeftOver);
    leftovers.filter_map(|(copy, _)| copy.mirror.map(|mirror| mirror.task_id)).collect()
}

fn look(book: &Book<'_>, found: &mut Found) {
    for (copy, verdict) in judged(book) {
        let task = copy.mirror.as_ref().map_or("", |mirror| &mirror.task_id);
        let (message, help) = match &verdict {
            Verdict::Agrees => continue,
            Verdict::Unreadable => ("this mirror cannot be read".to_owned(), None),
            Verdict::LeftOver => (
                format!("this mirror is left over: nobody holds `{task}`"),
                Some("`orch check --fix` removes it"),
            ),
            Verdict::Disagrees { mirror, table } => (
                format!("this mirror says `{mirror}`, but the table says `{table}` holds `{task}`"),
                Some("the table counts; the holder's next `orch renew` writes the mirror anew"),
            ),
        };
        let seen = found.add(&MIRROR, At::File(copy.file), task, message);
        if let Some(help) = help {
            seen.help(help);
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Agrees,
    LeftOver,
    Disagrees { mirror: String, table: String },
    Unreadable,
}

fn judged(book: &Book<'_>) -> Vec<(Copy, Verdict)> {
    let Some(ground) = book.ground else { return Vec::new() };
    // Of a ledger that cannot be read nobody knows who holds what.
    if !book.unread.is_empty() || !book.without_table.is_empty() {
        return Vec::new();
    }
    let copies = mirror::read_all(ground.sys, ground.layout);
    if copies.is_empty() {
        return Vec::new();
    }
    let held: HashMap<String, String> = book
        .tasks()
        .filter(|row| !row.is_archived && row.task.known_state() == Some(State::Doing))
        .filter_map(|row| {
            let holder = row.task.lock_owner.as_deref()?.to_owned();
            Some((row.task.id.into_owned(), holder))
        })
        .collect();
    let judge = |copy: &Copy| {
        let Some(mirror) = &copy.mirror else { return Verdict::Unreadable };
        match held.get(mirror.task_id.as_str()) {
            None => Verdict::LeftOver,
            Some(table) if table.eq_ignore_ascii_case(&mirror.owner) => Verdict::Agrees,
            Some(table) => {
                Verdict::Disagrees { mirror: mirror.owner.clone(), table: table.clone() }
            }
        }
    };
    copies
        .into_iter()
        .map(|copy| {
            let verdict = judge(&copy);
            (copy, verdict)
        })
        .collect()
}
