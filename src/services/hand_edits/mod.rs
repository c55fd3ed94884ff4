//! Edits made outside `orch`: noticing them, judging them, telling of them.
//!
//! Here: what changed since the newest operation, which of it counts for
//! nothing until CMD accepts it, and which acknowledged changes it took back.
//! In the folder: what differs (`difference`), which rule
//! that breaks (`judge`), the words for it (`tell`). Not here: comparing texts
//! (`ledger::compare`), undoing (`services::undo`).
//! Invariant: nothing of a hand edit is ever rewritten; what must not be done
//! by hand stays in the file and is not relied on.

mod difference;
mod judge;
mod tell;

use crate::error::Result;
use crate::ledger::change::{RowChange, RowChangeKind};
use crate::ledger::compare::value;
use crate::ledger::document::{Document, Kind};
use crate::model::time::Timestamp;
use crate::services::approvals::subject;
use crate::services::context::Context;
use crate::services::policy;
use crate::store::accepted::Accepted;
use crate::store::entry::{Entry, Forbidden};
use crate::store::journal::Journal;
use crate::store::seen::{Seen, Suspended, Who, kind_of};
use crate::store::snapshot::{Files, Snapshot, Want};
use std::cell::OnceCell;

use difference::{difference, taken_back, via_git};
use judge::judge;
pub use tell::{describe, refusal, tell_row};
use tell::{tell, tell_standing, tell_taken};

/// A hand edit of a decided approval.
pub const DECIDED: &str = "decided-approval";
/// An approval decided by hand.
pub const APPROVED: &str = "approved-by-hand";
/// DONE by hand against a pending or a required approval.
pub const DONE: &str = "done-by-hand";
/// A live lease taken or removed by hand.
pub const LEASE: &str = "lease-by-hand";
/// A state moved by hand where `hand_edits: review` asks CMD first.
pub const STATE: &str = "state-by-hand";
/// A setting or flag loosened by hand.
pub const POLICY: &str = "policy-by-hand";

/// What was found.
#[derive(Debug, Default)]
pub struct Noticed {
    /// The journal line of the edit, without a place in the chain.
    pub external: Vec<Entry>,
    /// Files that differ though no cell or line of theirs was edited.
    pub respelled: Vec<String>,
    /// Everything that counts for nothing, journalled before or not.
    pub standing: Vec<Suspended>,
    /// The settings and flags whose loosening is accepted with the operation at
    /// hand.
    pub accepts: Vec<String>,
    /// For people: what was edited.
    pub warnings: Vec<String>,
}

/// Looks at what differs from the newest operation. `blank` is a line with an
/// id of its own.
///
/// # Errors
/// `failed` where a file cannot be read.
pub fn notice(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    seen: &Seen,
    blank: impl FnOnce() -> Entry,
    now: Timestamp,
) -> Result<Noticed> {
    let mut noticed = Noticed::default();
    let quiet = seen.checkpoint.as_ref().is_some_and(|c| c.standing == 0);
    if !quiet {
        noticed.standing = standing(ctx, snapshot)?;
    }
    if !seen.differs() {
        tell_standing(&mut noticed);
        return Ok(noticed);
    }
    let journal = snapshot.journal()?;
    let mut entry = blank();
    "external".clone_into(&mut entry.actor);
    "external".clone_into(&mut entry.command);
    let mut diff = String::new();
    let mut edited = false;
    let policy_now = journal.last_policy();
    let written = policy::spell(&ctx.written, snapshot.flags);
    for file in seen.files.iter().filter(|file| file.differs()) {
        let found = difference(ctx, snapshot, file, journal)?;
        let is_edit = if found.is_ledger {
            !found.rows.is_empty() || !found.texts.is_empty()
        } else {
            // Settings are written by hand; only what they permit is governed.
            policy_now.as_ref() != Some(&written)
        };
        if !is_edit {
            noticed.respelled.push(file.name.clone());
            continue;
        }
        edited = true;
        if found.is_ledger {
            noticed.warnings.push(tell(file, &found));
        }
        entry.sha_in.insert(file.name.clone(), file.known.as_ref().and_then(|k| k.sha.clone()));
        if let Some(sha) = &file.sha {
            entry.sha_out.insert(file.name.clone(), sha.clone());
        }
        for change in &found.rows {
            if let Some(code) = judge(ctx, snapshot, change, kind_of(&file.name), now)? {
                entry.forbidden.push(Forbidden {
                    code: code.to_owned(),
                    file: change.file.clone(),
                    row: change.row.clone(),
                });
            }
            entry.took_back.extend(taken_back(journal, change));
            if kind_of(&file.name) == Kind::Approvals
                && (change.kind == RowChangeKind::Insert || change.cells.contains_key("evidence"))
                && let Ok(row) = snapshot.approvals.find(&change.row)
            {
                let approval = snapshot.approvals.approval(row);
                let id = approval.task_id.as_deref().unwrap_or_default();
                let task = snapshot.tasks.find(id).ok().map(|row| snapshot.tasks.task(row));
                entry.subjects.push(subject::of(ctx, &approval, task.as_ref()));
            }
        }
        diff.push_str(&found.diff);
        entry.changes.extend(found.rows);
        entry.texts.extend(found.texts);
    }
    if !edited {
        tell_standing(&mut noticed);
        return Ok(noticed);
    }
    for held in &ctx.held {
        let known = noticed.standing.iter().any(|s| s.forbidden.row == held.name);
        if !known {
            entry.forbidden.push(Forbidden {
                code: POLICY.to_owned(),
                file: held.file.clone(),
                row: held.name.to_owned(),
            });
        }
    }
    let policy = policy::spell(&ctx.settings, ctx.flags_in_force(snapshot.flags));
    if policy_now.as_ref() != Some(&policy) {
        entry.policy = Some(policy);
    }
    entry.via = Some(if via_git(ctx, journal) { "git" } else { "hand" }.to_owned());
    entry.diff = Some(diff);
    let rows: std::collections::BTreeSet<&String> = entry.changes.iter().map(|c| &c.row).collect();
    if let ([one], true) = (&rows.into_iter().collect::<Vec<_>>()[..], entry.texts.is_empty()) {
        entry.task = Some((*one).clone());
    }
    for taken in &entry.took_back {
        noticed.warnings.push(tell_taken(journal, taken));
    }
    noticed.standing.extend(of_entry(&entry));
    noticed.external.push(entry);
    tell_standing(&mut noticed);
    Ok(noticed)
}

/// What a reader is told. Reads no more than the status of the files where
/// nothing changed.
///
/// # Errors
/// `failed` where a file cannot be read.
pub fn for_readers(ctx: &Context, files: &Files) -> Result<Vec<String>> {
    if files.unfinished {
        return Ok(Vec::new());
    }
    let (sys, layout) = (&ctx.sys, &ctx.layout);
    let journal = OnceCell::new();
    let read = || match journal.get() {
        Some(journal) => Ok(journal),
        None => Journal::read(sys, layout).map(|read| journal.get_or_init(|| read)),
    };
    let seen = Seen::look(sys, layout, files, ctx.checkpoint.clone(), Who::Reads, read)?;
    let standing = seen.checkpoint.as_ref().is_none_or(|c| c.standing > 0);
    if !seen.differs() && (!standing || read()?.is_empty()) {
        return Ok(Vec::new());
    }
    let all = Files::read(sys, layout, Want::All)?;
    let Ok(snapshot) = Snapshot::parse(sys, layout, &all) else {
        // Whoever needs the file says what is wrong with it.
        return Ok(Vec::new());
    };
    let now = ctx.now(snapshot.journal()?.newest());
    Ok(notice(ctx, &snapshot, &seen, Entry::default, now)?.warnings)
}

/// Everything that counts for nothing just now, journalled or not.
///
/// # Errors
/// `failed` where a file cannot be read.
pub fn now_standing(
    ctx: &Context,
    files: &Files,
    snapshot: &Snapshot<'_>,
) -> Result<Vec<Suspended>> {
    Ok(noticed(ctx, files, snapshot)?.standing)
}

/// What a reader notices. Whoever judges by the past gives the edits to the
/// snapshot's journal.
///
/// # Errors
/// `failed` where a file cannot be read.
pub fn noticed(ctx: &Context, files: &Files, snapshot: &Snapshot<'_>) -> Result<Noticed> {
    let (sys, layout) = (&ctx.sys, &ctx.layout);
    let seen =
        Seen::look(sys, layout, files, ctx.checkpoint.clone(), Who::Reads, || snapshot.journal())?;
    let now = ctx.now(snapshot.journal()?.newest());
    let blank = || Entry { ts: now.to_millis_string(), ..Entry::default() };
    notice(ctx, snapshot, &seen, blank, now)
}

/// A code that is kept in a journal, as one of those known here.
pub fn code(code: &str) -> &'static str {
    let known = [DECIDED, APPROVED, DONE, LEASE, STATE];
    known.into_iter().find(|known| *known == code).unwrap_or(POLICY)
}

/// The settings and flags in what is accepted, as [`Suspended::key`] spells it.
pub fn accepted_policies(accepts: &[String]) -> Vec<String> {
    let of_policy = |key: &String| {
        let (code, name) = key.split_once('/')?.1.split_once('/')?;
        (code == POLICY).then(|| name.to_owned())
    };
    accepts.iter().filter_map(of_policy).collect()
}

/// What of journalled hand edits still counts for nothing.
fn standing(ctx: &Context, snapshot: &Snapshot<'_>) -> Result<Vec<Suspended>> {
    let journal = snapshot.journal()?;
    let entries = journal.with_forbidden();
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let accepted = journal.accepted();
    let mut standing = Vec::new();
    for entry in entries {
        if journal.is_undone(&entry.id) {
            continue;
        }
        standing.extend(of_entry(&entry).filter(|s| !is_accepted(&accepted, s)).filter(|s| {
            match s.forbidden.code.as_str() {
                POLICY => ctx.held.iter().any(|held| held.name == s.forbidden.row),
                _ => still_there(snapshot, s),
            }
        }));
    }
    Ok(standing)
}

/// What was accepted and is still there. A setting that counts is not told of
/// any more.
///
/// # Errors
/// `failed` where the journal cannot be read.
pub fn accepted(snapshot: &Snapshot<'_>) -> Result<Vec<Suspended>> {
    let journal = snapshot.journal()?;
    let accepted = journal.accepted();
    let is_meant = |s: &Suspended| {
        is_accepted(&accepted, s) && s.forbidden.code != POLICY && still_there(snapshot, s)
    };
    let entries = journal.with_forbidden().into_iter().filter(|e| !journal.is_undone(&e.id));
    let found: Vec<Suspended> = entries.flat_map(|e| of_entry(&e).collect::<Vec<_>>()).collect();
    Ok(found.into_iter().filter(is_meant).collect())
}

fn is_accepted(accepted: &Accepted, standing: &Suspended) -> bool {
    accepted.covers(&standing.op, &standing.forbidden.code, &standing.forbidden.row)
}

fn of_entry(entry: &Entry) -> impl Iterator<Item = Suspended> {
    entry.forbidden.iter().map(|forbidden| {
        let is_it = |c: &&RowChange| c.file == forbidden.file && c.row == forbidden.row;
        Suspended {
            op: entry.id.clone(),
            forbidden: forbidden.clone(),
            change: entry.changes.iter().find(is_it).cloned().unwrap_or_default(),
        }
    })
}

/// Whether a cell still is what the edit made of it.
fn still_there(snapshot: &Snapshot<'_>, standing: &Suspended) -> bool {
    let kind = kind_of(&standing.forbidden.file);
    let document = match kind {
        Kind::Tasks => Document::view(kind, snapshot.tasks.grid()),
        Kind::Approvals => Document::view(kind, snapshot.approvals.grid()),
    };
    let row = document.find(&standing.forbidden.row).map(|row| &document.grid().rows[row]);
    match (row, standing.change.kind) {
        (None, kind) => kind == RowChangeKind::Remove,
        (Some(_), RowChangeKind::Remove) => false,
        (Some(row), _) => {
            let now = document.cells(row);
            let is_still = |column: &String, after: &str| {
                now.get(column).is_some_and(|now| value(now) == value(after))
            };
            let cells = &standing.change.cells;
            if kind_of(&standing.forbidden.file) == Kind::Approvals {
                return cells.iter().any(|(column, (_, after))| is_still(column, after));
            }
            // An operation that moved the task or its lease on settled it.
            let decides = ["state", "lock_owner", "lock_expires_at"];
            cells
                .iter()
                .filter(|(column, _)| decides.contains(&column.as_str()))
                .all(|(column, (_, after))| is_still(column, after))
        }
    }
}
