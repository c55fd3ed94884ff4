//! Hand edits in words.

use crate::error::Error;
use crate::ledger::change::{RowChange, RowChangeKind};
use crate::ledger::compare::value;
use crate::ledger::tasks::shell_word;
use crate::model::secrets;
use crate::services::hand_edits::difference::Difference;
use crate::services::hand_edits::{APPROVED, DECIDED, DONE, LEASE, Noticed, STATE};
use crate::store::entry::{Forbidden, TakenBack};
use crate::store::journal::Journal;
use crate::store::seen::{SeenFile, Suspended};

/// The way out of a hand edit that counts for nothing.
pub fn refusal(standing: &Suspended) -> Error {
    let Forbidden { code, row, .. } = &standing.forbidden;
    Error::invalid(format!(
        "`{row}` was edited by hand in a way that counts for nothing until CMD accepts or undoes \
         it ({code}: {})",
        describe(code)
    ))
    .hint(format!("orch log {}", shell_word(row)))
}

/// What a rule says, in a few words.
pub fn describe(code: &str) -> &'static str {
    match code {
        DECIDED => "a decided approval was altered",
        APPROVED => "an approval was decided by hand",
        DONE => "DONE by hand against a pending or missing approval",
        LEASE => "a live lease was taken or removed",
        STATE => "a state was moved by hand, and `hand_edits: review` asks CMD first",
        _ => "a setting was loosened; its former value stays in force",
    }
}

pub(super) fn tell_standing(noticed: &mut Noticed) {
    for standing in &noticed.standing {
        let Forbidden { code, file, row } = &standing.forbidden;
        noticed.warnings.push(format!(
            "{file}: `{row}`: {} ({code}); it counts for nothing until CMD accepts or undoes it",
            describe(code)
        ));
    }
}

pub(super) fn tell(file: &SeenFile, found: &Difference) -> String {
    const SHOWN: usize = 5;
    let rows: Vec<String> = found.rows.iter().take(SHOWN).map(tell_row).collect();
    let mut text = format!("{} was edited outside orch", file.name);
    if !rows.is_empty() {
        text.push_str(": ");
        text.push_str(&rows.join("; "));
    }
    if found.rows.len() > SHOWN {
        text.push_str(&format!("; and {} more rows", found.rows.len() - SHOWN));
    }
    match found.texts.len() {
        0 => {}
        1 => text.push_str("; text outside of rows"),
        n => text.push_str(&format!("; text outside of rows in {n} places")),
    }
    text
}

/// A row's change in one line: `T-1 state READY → DONE`.
pub fn tell_row(change: &RowChange) -> String {
    let cells: Vec<String> = change
        .cells
        .iter()
        .map(|(column, (before, after))| {
            // Told on every terminal and in every log of a run.
            let shown = |v: &str| match value(v) {
                "" => "-".to_owned(),
                text => secrets::redact(text).into_owned(),
            };
            format!("{column} {} → {}", shown(before), shown(after))
        })
        .collect();
    match change.kind {
        RowChangeKind::Insert => format!("{} is new", change.row),
        RowChangeKind::Remove => format!("{} is gone", change.row),
        RowChangeKind::Set => format!("{} {}", change.row, cells.join(", ")),
    }
}

pub(super) fn tell_taken(journal: &Journal, taken: &TakenBack) -> String {
    let who = journal.find(&taken.op).map_or_else(String::new, |entry| {
        format!("`{}` by {} (operation {}, {})", entry.command, entry.actor, entry.id, entry.ts)
    });
    format!("{}: the edit took back {} {who}", taken.file, taken.row)
}
