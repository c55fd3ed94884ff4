//! The answer to a changing command, whatever door it came through.

use crate::answer::{Caller, Reply, next};
use crate::error::{Error, ErrorKind, Result};
use crate::model::time::Timestamp;
use crate::services::change::{self, Change, Decision, OpId, Report};
use crate::services::context::{Context, Identity};
use crate::store::snapshot::Snapshot;
use crate::wire;
use crate::wire::approval::Approval;
use serde_json::Value;

/// A verb: its name in the journal and the kind of its answer.
#[derive(Debug, Clone, Copy)]
pub struct Verb {
    /// The command.
    pub command: &'static str,
    /// The kind.
    pub kind: &'static str,
}

/// What every changing command takes.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `--note`
    pub note: Option<String>,
    /// `--dry-run`
    pub dry_run: bool,
    /// `--op-id`
    pub op_id: Option<String>,
}

/// What a decision may look at.
#[derive(Debug)]
pub struct Asked<'q> {
    /// The workspace.
    pub ctx: &'q Context,
    /// Both ledgers.
    pub snapshot: &'q Snapshot<'q>,
    /// The caller.
    pub who: &'q Identity,
    /// `--note`
    pub note: Option<&'q str>,
    /// The present.
    pub now: Timestamp,
}

/// What a changing command asks, with everything that `--op-id` stands for.
///
/// # Errors
/// `usage` for an empty key, and those of the caller's identity.
pub fn asked<R: std::fmt::Debug>(
    caller: &Caller<'_>,
    ctx: &Context,
    command: &'static str,
    options: Options,
    request: &R,
) -> Result<Change> {
    let who = ctx.identity(caller.actor)?;
    let Options { note, dry_run, op_id } = options;
    if op_id.as_deref().is_some_and(|key| key.trim().is_empty()) {
        return Err(Error::usage("`--op-id` is empty; leave it out, or give a key of your own"));
    }
    let arguments = format!("{} {note:?} {request:?}", who.actor);
    let op_id = op_id.map(|key| OpId { key, arguments });
    Ok(Change { command, who, note, dry_run, op_id })
}

/// Runs a change and answers it.
///
/// # Errors
/// What `decide` says, and those of the transaction.
pub fn run(
    caller: &Caller<'_>,
    ctx: &Context,
    verb: &Verb,
    change: &Change,
    decide: &dyn Fn(&Asked<'_>) -> Result<Decision>,
) -> Result<Reply> {
    let (who, note) = (&change.who, change.note.as_deref());
    let changed = change::run(
        ctx,
        change,
        &|snapshot, now| decide(&Asked { ctx, snapshot, who, note, now }),
        &present,
    )?;
    let answer: wire::change::Change =
        serde_json::from_value(changed.data.clone()).unwrap_or_default();
    let next = next::after_change(caller, who, &answer, changed.nothing_ready);
    Ok(Reply {
        kind: verb.kind,
        data: changed.data,
        warnings: changed.warnings,
        next,
        end: changed.nothing_ready.then_some(ErrorKind::NothingReady),
    })
}

/// The answer, from the ledgers as they are now.
fn present(report: &Report<'_>) -> Value {
    let find = |id: &str| {
        [report.tasks, report.before].into_iter().find_map(|ledger| {
            let [row] = ledger.rows_of(id)[..] else { return None };
            Some(ledger.task(row))
        })
    };
    let approval = report.outcome.approval.as_ref().and_then(|id| {
        let row = report.approvals.find(id).ok()?;
        let mut approval = Approval::of(&report.approvals.approval(row));
        approval.evidence_sha256.clone_from(&report.outcome.evidence_sha);
        let approved = approval.status.as_deref() == Some("approved");
        approval.in_force = (approved && !report.outcome.already).then_some(true);
        Some(approval)
    });
    let answer = wire::change::Change::of(report.outcome, &find, approval, report.op, report.diff);
    serde_json::to_value(answer).unwrap_or_default()
}
