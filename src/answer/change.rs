//! The answer to a changing command, whatever door it came through.

use crate::answer::{Caller, Reply, bound, brief, next};
use crate::error::{Error, ErrorKind, Result};
use crate::model::time::Timestamp;
use crate::services;
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
        &|report| present(caller, verb, who, report),
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
fn present(caller: &Caller<'_>, verb: &Verb, who: &Identity, report: &Report<'_>) -> Value {
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
    let mut answer =
        wire::change::Change::of(report.outcome, &find, approval, report.op, report.diff);
    let step = Step::of(verb, &answer);
    if step == Step::Claim {
        answer.brief = brief(report);
    }
    let mut data = serde_json::to_value(&answer).unwrap_or_default();
    answer.untrusted = brief::untrusted(&data);
    if let Some(tokens) = step.tokens() {
        // Where something is cut, one command more says where it is whole.
        answer.cut = vec![String::new()];
        let next = next::after_change(caller, who, &answer, report.outcome.nothing_ready);
        answer.cut = bound::fit(&mut data, &next, tokens);
    }
    let more = [("cut", answer.cut), ("untrusted", answer.untrusted)];
    if let Some(data) = data.as_object_mut() {
        for (name, names) in more.into_iter().filter(|(_, names)| !names.is_empty()) {
            data.insert(name.to_owned(), names.into());
        }
    }
    data
}

/// Where a change stands on the way from a claim to a submit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// One task is taken, by whatever command.
    Claim,
    /// One that is held goes on or comes to its end.
    Held,
    /// It is not on that way, or about several tasks.
    None,
}

impl Step {
    fn of(verb: &Verb, answer: &wire::change::Change) -> Self {
        let one = answer.tasks.is_none() && answer.diff.is_none();
        match verb.command {
            _ if !one => Self::None,
            "claim" | "move" | "set" if answer.lease.is_some() => Self::Claim,
            "submit" if answer.claimed.iter().flatten().next().is_some() => Self::Claim,
            "submit" | "renew" | "release" | "handover" => Self::Held,
            _ => Self::None,
        }
    }

    const fn tokens(self) -> Option<usize> {
        match self {
            Self::Claim => Some(bound::CLAIM),
            Self::Held => Some(bound::STEP),
            Self::None => None,
        }
    }
}

/// What goes with the task that was taken.
fn brief(report: &Report<'_>) -> Option<wire::brief::Brief> {
    let outcome = report.outcome;
    let id = outcome.claimed.iter().flatten().next().or(outcome.task.iter().flatten().next())?;
    let row = report.tasks.find(id).ok()?;
    let task = report.tasks.task(row);
    let depends: Vec<&str> = task.depends().collect();
    let mut known = services::brief::of(report.tasks, report.snapshot, id, &depends);
    Some(wire::brief::Brief {
        file: report.tasks.path().to_owned(),
        line: report.tasks.line(row),
        criteria: brief::criteria(&mut known),
        depends_on: brief::depends_on(&mut known),
        detail: known.plan,
        handover: known.handover.map(Into::into),
    })
}
