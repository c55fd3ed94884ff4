//! `decide`: approvals that are decided without a person.
//!
//! Here: the order of things, and which verdict follows from what. In the
//! folder: `standing`, whether rules may decide at all; `conditions`, what has
//! to hold; `trial`, the scratch copy and what runs in it; `commit` and `shadow`,
//! what is written. Not here: deciding itself (`approvals::judge`), which has
//! the same rules for everybody.
//!
//! Invariants: what denies beats what allows; what could not be measured does
//! not hold; no transaction is open while anything runs; and what is decided on
//! is what was judged: row, task, evidence and settings are looked at again
//! under the lock.
//!
//! ```text
//!   flags ─▶ standing ─▶ evidence ─▶ diff alone ─▶ scratch copy ─▶ commands ─▶ metrics, canary
//!                                                                    │ all hold: approve
//!   anything does not hold: leave, with reasons ◀────────────────────┤ a command fails: leave, reject
//!                                                                    ▼
//!                                         lock ─▶ still the same? ─▶ judge ─▶ commit
//! ```

mod assess;
mod commit;
pub mod conditions;
mod outside;
pub mod scratch;
mod shadow;
pub mod source;
mod standing;
mod trial;

use crate::error::{Error, ErrorKind, Result};
use crate::model::actor::Actor;
use crate::model::approval::ApprovalStatus;
use crate::model::outcome::OpHeader;
use crate::services::approvals::judge;
use crate::services::change::{self, Change, Changed};
use crate::services::context::{AUTO, Context, Identity};
use crate::services::hand_edits;
use crate::store::snapshot::{Files, Snapshot, Want};
use conditions::Measured;
use serde_json::Value;
use std::borrow::Cow;

/// What becomes of an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is granted.
    Approve,
    /// It is refused.
    Reject,
    /// People decide.
    Leave,
}

impl Verdict {
    /// As answers spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Leave => "leave",
        }
    }

    const fn to_judge(self) -> Option<judge::Verdict> {
        match self {
            Self::Approve => Some(judge::Verdict::Approve),
            Self::Reject => Some(judge::Verdict::Reject),
            Self::Leave => None,
        }
    }
}

/// An approval that was judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The approval.
    pub appr_id: String,
    /// Its task.
    pub task_id: Option<String>,
    /// What becomes of it.
    pub verdict: Verdict,
    /// Why it was not approved.
    pub reasons: Vec<String>,
    /// What was measured.
    pub conditions: Vec<Measured>,
}

/// What the flags make of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They decide.
    On,
    /// They judge, and the verdict is only written down.
    Shadow,
    /// They do nothing.
    Off,
    /// Nothing happens by itself.
    Frozen,
}

impl Mode {
    /// As answers spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Shadow => "shadow",
            Self::Off => "off",
            Self::Frozen => "frozen",
        }
    }
}

/// What the answer is made from.
#[derive(Debug)]
pub struct Report<'r> {
    /// What the flags made of rules.
    pub mode: Mode,
    /// The approvals, in the order of the table.
    pub judged: &'r [Judged],
    /// The operation, where something was decided.
    pub op: Option<&'r OpHeader>,
    /// The diff, for a dry run.
    pub diff: Option<&'r str>,
}

/// What `decide` asks.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// These approvals; without any all that are pending.
    pub ids: Vec<String>,
}

/// The identity that decides.
fn identity() -> Identity {
    let actor = Actor::parse(AUTO).expect("the constant is an actor, and a test reads it");
    Identity { actor, solo: false, explicit: false, run: None }
}

/// Judges, and decides what the rules decide. `is_stopped` says whether we were
/// asked to end.
///
/// # Errors
/// `not_found` for an id that no approval has; what readers and
/// [`change::run`] say of files. Whatever an approval's own state is, is a
/// verdict and no error.
pub fn run(
    ctx: &Context,
    request: &Request,
    change: &Change,
    is_stopped: &dyn Fn() -> bool,
    present: &dyn Fn(&Report<'_>) -> Value,
) -> Result<Changed> {
    let files = Files::read(&ctx.sys, &ctx.layout, Want::All)?;
    let mut snapshot = Snapshot::parse(&ctx.sys, &ctx.layout, &files)?;
    if let Some(first) = change::answered(&snapshot, change, &change::meta(change))? {
        return Ok(first);
    }
    snapshot.standing = hand_edits::now_standing(ctx, &files, &snapshot)?;
    let mode = standing::mode(ctx.flags_in_force(snapshot.flags));
    let ids = ids(ctx, &snapshot, request)?;
    if let (Mode::Off | Mode::Frozen, Some(why)) = (mode, standing::switched(mode)) {
        let judged: Vec<Judged> = ids.iter().map(|id| left(&snapshot, id, why)).collect();
        return Ok(unchanged(&judged, mode, change, present));
    }
    let mut assessed = Vec::new();
    for id in &ids {
        assessed.push(assess::assess(ctx, &snapshot, id, is_stopped)?);
    }
    drop(snapshot);
    if is_stopped() {
        let message = "interrupted; nothing was decided";
        return Err(Error::new(ErrorKind::Failed, message).hint("orch decide"));
    }
    if mode == Mode::Shadow {
        let warnings = shadow::write(ctx, change, &assessed)?;
        let judged: Vec<Judged> = assessed.into_iter().map(|a| a.judged).collect();
        return Ok(Changed { warnings, ..unchanged(&judged, mode, change, present) });
    }
    commit::commit(ctx, change, assessed, present)
}

/// The approvals that are asked for, in the order of the table.
fn ids(ctx: &Context, snapshot: &Snapshot<'_>, request: &Request) -> Result<Vec<String>> {
    let ledger = &snapshot.approvals;
    for id in &request.ids {
        ledger.find(id)?;
    }
    let now = ctx.now(snapshot.journal()?.newest());
    let expired_before = ctx.settings.approvals.expired_before(now);
    let approvals = ledger.rows().map(|row| ledger.approval(row));
    let mut ids: Vec<String> = Vec::new();
    for approval in approvals {
        let is_asked_for = if request.ids.is_empty() {
            approval.status_now(expired_before) == Some(ApprovalStatus::Pending)
        } else {
            request.ids.iter().any(|id| *id == approval.id)
        };
        // Of an id that stands twice, one line is enough.
        if is_asked_for && !ids.iter().any(|id| *id == approval.id) {
            ids.push(approval.id.into_owned());
        }
    }
    Ok(ids)
}

/// An approval that nobody looked into.
fn left(snapshot: &Snapshot<'_>, id: &str, why: &str) -> Judged {
    let ledger = &snapshot.approvals;
    let row = ledger.rows().find(|row| ledger.approval(*row).id == id);
    let task_id = row.and_then(|row| ledger.approval(row).task_id.map(Cow::into_owned));
    Judged {
        appr_id: id.to_owned(),
        task_id,
        verdict: Verdict::Leave,
        reasons: vec![why.to_owned()],
        conditions: Vec::new(),
    }
}

/// The answer where nothing is written to the ledgers.
fn unchanged(
    judged: &[Judged],
    mode: Mode,
    change: &Change,
    present: &dyn Fn(&Report<'_>) -> Value,
) -> Changed {
    let report = Report { judged, mode, op: None, diff: change.dry_run.then_some("") };
    Changed { data: present(&report), nothing_ready: false, warnings: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_decides_by_rule_has_a_role_and_waives_nothing() {
        let who = identity();
        assert_eq!((who.actor.as_str(), who.solo), ("AUDIT@auto", false));
        assert_eq!(Verdict::Leave.to_judge(), None);
    }
}
