//! `undo` and `redo`: taking an operation back.
//!
//! Here: which operation is meant, and what comes of it. In the folder: what it
//! does to each file (`inverse`), and whether the caller may (`rights`). Not
//! here: the edits themselves (`ledger::patch`).
//!
//! Invariant: an undo is an operation like any other; tokens, given ids, audit
//! lines and decisions on approvals are never taken back, and a lease is only
//! given back where somebody removed a live one by hand.

mod inverse;
mod rights;
#[cfg(test)]
mod tests;

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::change::{RowChange, RowChangeKind};
use crate::ledger::compare::value;
use crate::ledger::tasks::shell_word;
use crate::model::outcome::{Outcome, Undone};
use crate::model::time::Timestamp;
use crate::services::approvals;
use crate::services::change::Decision;
use crate::services::context::{Context, Identity};
use crate::store::entry::Entry;
use crate::store::journal::{Journal, Named};
use crate::store::snapshot::Snapshot;
use inverse::{Plan, Turn, TurnKind};

/// Who asks, and on what.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'q> {
    /// The workspace.
    pub ctx: &'q Context,
    /// Both ledgers.
    pub snapshot: &'q Snapshot<'q>,
    /// The caller.
    pub who: &'q Identity,
    /// The token of a lease that the undo gives back.
    pub token: Option<u64>,
    /// Appended to the notes of the tasks.
    pub note: Option<&'q str>,
    /// The present.
    pub now: Timestamp,
}

/// Takes back an operation; without one the caller's own newest that still
/// stands and is neither an undo, a redo nor a renewal.
///
/// # Errors
/// `not_found` where there is none, `not_allowed` for what cannot be taken back
/// and for whom, `stale` where somebody changed what it left.
pub fn undo(asked: Asked<'_>, operation: Option<&str>) -> Result<Decision> {
    let journal = asked.snapshot.journal()?;
    let entry = match operation {
        Some(text) => named(journal, text)?,
        None => journal
            .newest_where(|entry| {
                is_own(asked.who, entry) && is_first(entry) && !journal.is_undone(&entry.id)
            })
            .ok_or_else(|| nothing(asked.who, "undo"))?,
    };
    let again = entry.command == "undo";
    take_back(asked, journal, &entry, again)
}

/// Takes back the caller's own newest undo that still stands.
///
/// # Errors
/// As [`undo`].
pub fn redo(asked: Asked<'_>) -> Result<Decision> {
    let journal = asked.snapshot.journal()?;
    let entry = journal
        .newest_where(|entry| {
            entry.command == "undo" && is_own(asked.who, entry) && !journal.is_undone(&entry.id)
        })
        .ok_or_else(|| nothing(asked.who, "redo"))?;
    take_back(asked, journal, &entry, true)
}

fn nothing(who: &Identity, verb: &str) -> Error {
    Error::not_found(format!("`{}` has nothing to {verb}", who.actor)).hint("orch log")
}

fn named(journal: &Journal, text: &str) -> Result<Entry> {
    match journal.operation(text) {
        Named::One(entry) => Ok(*entry),
        Named::Nothing => Err(Error::not_found(format!("no operation `{text}`")).hint("orch log")),
        Named::Several(ids) => Err(Error::usage(format!(
            "`{text}` begins the ids of several operations: {}",
            ids.join(", ")
        ))
        .hint("orch log")),
    }
}

fn is_own(who: &Identity, entry: &Entry) -> bool {
    entry.actor.eq_ignore_ascii_case(who.actor.as_str())
}

/// Whether `undo` without an operation may mean it.
fn is_first(entry: &Entry) -> bool {
    let command = entry.command.as_str();
    !matches!(command, "undo" | "redo" | "renew" | "genesis" | "external")
        && entry.locks.is_empty()
        && entry.accepts.is_empty()
        // It cleared mirrors away and nothing else.
        && !(command == "check --fix" && entry.texts.is_empty())
}

fn take_back(asked: Asked<'_>, journal: &Journal, entry: &Entry, again: bool) -> Result<Decision> {
    let root = root(journal, entry, again);
    let mut undone = Undone {
        id: entry.id.clone(),
        command: root.command.clone(),
        actor: root.actor.clone(),
        rows: rows(&entry.changes),
        redoable: !again && root.forbidden.is_empty(),
    };
    if journal.is_undone(&entry.id) {
        let mut outcome = Outcome { undone: Some(undone), already: true, ..Outcome::default() };
        outcome.tasks = Some(Vec::new());
        return Ok(Decision::new(outcome));
    }
    can_be_undone(entry)?;
    if again && root.command == "request" {
        return Err(refused(entry, "withdrew an approval; `request` asks anew"));
    }
    if entry.command == "request" {
        return withdraw(asked, entry, undone);
    }
    if again && !root.forbidden.is_empty() {
        return Err(refused(entry, "took back what a hand edit must not do"));
    }
    let plan = inverse::plan(asked, journal, entry)?;
    if again && !plan.lapsed.is_empty() {
        return Err(no_lease(entry, &plan.lapsed));
    }
    let mut decision = Decision::new(Outcome::default());
    decision.token = rights::check(asked, journal, entry, &plan, &mut decision.waivers)?;
    if let Some(stale) = plan.stale {
        return Err(stale);
    }
    if plan.rows.is_empty() && plan.texts.is_empty() {
        return Err(if plan.lapsed.is_empty() {
            refused(entry, "changed no row or line of a ledger")
        } else {
            no_lease(entry, &plan.lapsed)
        });
    }
    let texts = inverse::apply(asked, entry, &plan)?;
    undone.redoable &= !plan.turns.iter().any(|turn| turn.kind == TurnKind::Release);
    decision.outcome = outcome(asked, &plan, undone);
    for turn in &plan.turns {
        decision.mirrors.extend(inverse::mirror(asked, journal, turn));
        if let TurnKind::Restore { token, .. } = turn.kind {
            decision.token = decision.token.or(token);
        }
    }
    decision.undoes = Some(entry.id.clone());
    decision.journal_only = true;
    decision.texts = Some(texts);
    Ok(decision)
}

/// To take a request back is to withdraw it: its row stays, and its id is never
/// given again.
fn withdraw(asked: Asked<'_>, entry: &Entry, undone: Undone) -> Result<Decision> {
    let Asked { ctx, snapshot, who, .. } = asked;
    let appr = entry.changes.iter().find(|change| {
        change.kind == RowChangeKind::Insert && change.file.ends_with("/APPROVALS.md")
    });
    let Some(appr) = appr else { return Err(refused(entry, "changed no row of a ledger")) };
    let mut decision = approvals::withdraw::withdraw(ctx, snapshot, who, &appr.row).map_err(
        |error| match error.kind {
            // It was decided since.
            ErrorKind::NotAllowed if is_own(who, entry) => {
                Error { kind: ErrorKind::Stale, ..error }
            }
            _ => error,
        },
    )?;
    let rows = vec![appr.row.clone()];
    decision.outcome.undone = Some(Undone { redoable: false, rows, ..undone });
    decision.undoes = Some(entry.id.clone()).filter(|_| !decision.outcome.already);
    Ok(decision)
}

/// The operation that an undo, or an undo of one, goes back to.
fn root(journal: &Journal, entry: &Entry, again: bool) -> Entry {
    let mut root = entry.clone();
    while again && let Some(undone) = root.undoes.as_deref().and_then(|id| journal.find(id)) {
        root = undone;
    }
    root
}

fn rows(changes: &[RowChange]) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for change in changes {
        if !rows.contains(&change.row) {
            rows.push(change.row.clone());
        }
    }
    rows
}

fn refused(entry: &Entry, why: &str) -> Error {
    let Entry { command, id, .. } = entry;
    Error::not_allowed(format!("the operation {id} (`{command}`) {why}")).hint(
        entry
            .task
            .as_deref()
            .map_or_else(|| "orch log".to_owned(), |task| format!("orch log {}", shell_word(task))),
    )
}

fn no_lease(entry: &Entry, tasks: &[String]) -> Error {
    let ids: Vec<String> = tasks.iter().map(|id| shell_word(id)).collect();
    refused(entry, "ended a lease, and a lease that ended is never given back; claim again")
        .hint(format!("orch claim {}", ids.join(" ")))
}

/// What no undo takes back, whoever asks.
fn can_be_undone(entry: &Entry) -> Result<()> {
    let no = |why: &str| Err(refused(entry, why));
    let decides = |change: &RowChange| {
        change.cells.get("status").is_some_and(|(before, after)| {
            change.file.ends_with("/APPROVALS.md")
                && value(before) != value(after)
                && matches!(value(after), "approved" | "rejected")
        })
    };
    match entry.command.as_str() {
        "genesis" => no("is where the journal begins"),
        "renew" => no("renewed a lease; `release` ends it"),
        "unreadable" => Err(Error::new(
            ErrorKind::LedgerInvalid,
            format!("the journal's line of the operation {} cannot be read", entry.id),
        )),
        "external" | "undo" | "redo" => Ok(()),
        "approve" | "reject" | "decide" => no("decided an approval, which can only be superseded"),
        "flag" => no("set a flag; `flag` sets it again"),
        "migrate" => Err(refused(entry, "migrated a ledger; `migrate --rollback` takes that back")
            .hint(format!("orch migrate --rollback {}", shell_word(&entry.id)))),
        "migrate --rollback" => {
            Err(refused(entry, "took a migration back; `migrate` makes it again")
                .hint("orch migrate --dry-run"))
        }
        "withdraw" => no("withdrew an approval; `request` asks anew"),
        _ if entry.changes.iter().any(decides) => {
            no("decided an approval, which can only be superseded")
        }
        _ if !entry.locks.is_empty() => no("was about named locks; `lock` gives them back"),
        _ if !entry.accepts.is_empty() => no("accepted a hand edit, which stands"),
        _ => Ok(()),
    }
}

/// What to tell: the tasks that are in the table, the ones that left it.
fn outcome(asked: Asked<'_>, plan: &Plan, undone: Undone) -> Outcome {
    let archived: Vec<(String, i32)> = plan
        .rows
        .iter()
        .filter(|change| change.kind == RowChangeKind::Remove)
        .filter_map(|change| {
            Some((change.row.clone(), inverse::archive_year(asked.ctx, &change.file)?))
        })
        .collect();
    let stays = |turn: &&Turn| turn.kind != TurnKind::Goes;
    let ids: Vec<String> = plan.turns.iter().filter(stays).map(|turn| turn.id.clone()).collect();
    Outcome { archived, undone: Some(undone), ..Outcome::of_ids(&ids) }
}
