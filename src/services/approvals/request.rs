//! `request`: asking for an approval, with what is to be approved.
//!
//! The evidence is gathered before the lock is taken (`services::evidence`); here
//! it becomes a file beside a pending row, in one operation.

use crate::error::{Error, Result};
use crate::ledger::evidence as text;
use crate::ledger::tasks::shell_word;
use crate::model::approval::ApprovalStatus;
use crate::model::evidence::{Front, MAX_BYTES};
use crate::model::evidence_path;
use crate::model::field::ApprovalField;
use crate::model::operation::Operation;
use crate::model::outcome::Outcome;
use crate::model::secrets;
use crate::model::time::Timestamp;
use crate::services::approvals::expire;
use crate::services::change::Decision;
use crate::services::config::PathStyle;
use crate::services::context::{Context, Identity};
use crate::services::draft::Draft;
use crate::services::evidence::work_tree::Change;
use crate::services::ids::{self, Given};
use crate::services::transition::Case;
use crate::store::entry::{Subject, sha256_hex};
use crate::store::snapshot::Snapshot;
use std::collections::HashSet;

/// What `request` asks.
#[derive(Debug, Clone)]
pub struct Request {
    /// The task.
    pub task: String,
    /// What is to be allowed.
    pub op: String,
    /// What is to be approved.
    pub evidence: Evidence,
    /// Appended to the task's notes.
    pub note: Option<String>,
}

/// What is to be approved.
#[derive(Debug, Clone)]
pub enum Evidence {
    /// Nothing but the words of `op`.
    None,
    /// A change, which becomes a file of its own.
    Change(Change),
    /// A file that is there: its path from the workspace root, and its SHA-256.
    File {
        /// The path, with `/`.
        path: String,
        /// Of the whole file.
        sha: String,
    },
}

/// Adds a pending approval; an older pending one for the same task and op is
/// withdrawn.
///
/// # Errors
/// `usage` for an empty op or a change that is too large, `not_allowed` for a
/// task that is closed.
pub fn request(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    request: &Request,
    now: Timestamp,
) -> Result<Decision> {
    let op = request.op.trim();
    if op.is_empty() || op == "-" {
        return Err(
            Error::usage("`--op` is empty; say what is to be allowed").hint("orch request --help")
        );
    }
    let case = Case::of(snapshot, &request.task)?;
    case.reliable(None)?;
    if !case.task.is_open() {
        return Err(Error::not_allowed(format!(
            "`{}` is {}, so nothing of it can be asked for any more",
            request.task,
            case.task.state.as_deref().unwrap_or("-")
        ))
        .hint(format!("orch show {}", shell_word(&request.task))));
    }
    let id = new_id(ctx, snapshot)?;
    let ts_req = now.to_string();
    let mut decision = Decision::new(Outcome::of_approval(&id));
    withdraw_older(snapshot, &request.task, op, &mut decision)?;
    let mut subject = Subject {
        appr: id.clone(),
        task: request.task.clone(),
        title: case.task.title.as_deref().map(str::to_owned),
        artifact: case.task.artifact.as_deref().map(str::to_owned),
        ..Subject::default()
    };
    let path = match &request.evidence {
        Evidence::None => None,
        Evidence::File { path, sha } => {
            subject.sha = Some(sha.clone());
            Some(path.clone())
        }
        Evidence::Change(change) => {
            let front = front(&id, request, op, who, &ts_req, change);
            let title = case.task.title.as_deref().unwrap_or_default();
            let text = text::render(&front, title, &change.diff);
            if text.len() as u64 > MAX_BYTES {
                return Err(Error::usage(format!(
                    "the change has {} bytes, more than the {MAX_BYTES} that evidence may have; \
                     name a file with `--evidence`",
                    text.len()
                )));
            }
            subject.sha = Some(sha256_hex(text.as_bytes()));
            decision.warnings.extend(secrets_in(&change.diff));
            let path = free_path(ctx, &now.month(), &request.task, &id);
            decision.operations.push(Operation::AddEvidence { path: path.clone(), text });
            Some(path)
        }
    };
    let style = &ctx.settings.evidence;
    let root = style.root.as_deref().filter(|_| style.path_style == PathStyle::Windows);
    let cell = path.map(|path| evidence_path::spell(&path, root));
    subject.evidence.clone_from(&cell);
    decision.outcome.evidence_sha.clone_from(&subject.sha);
    decision.subjects.push(subject);
    let cells = [
        (ApprovalField::TaskId, Some(request.task.clone())),
        (ApprovalField::Op, Some(op.to_owned())),
        (ApprovalField::Status, Some(ApprovalStatus::Pending.as_str().to_owned())),
        (ApprovalField::RequestedBy, Some(who.actor.as_str().to_owned())),
        (ApprovalField::TsReq, Some(ts_req)),
        (ApprovalField::Evidence, cell),
    ];
    let cells = cells.into_iter().filter_map(|(field, value)| Some((field, value?))).collect();
    decision.operations.push(Operation::AddApproval { id, cells });
    if let Some(note) = &request.note {
        let mut draft = Draft::of(&case.task);
        draft.note(note);
        let cells = draft.into_cells();
        decision.operations.push(Operation::SetTask { id: request.task.clone(), cells });
    }
    Ok(decision)
}

/// A change that is kept beside the ledger is read by everybody who reads that.
fn secrets_in(diff: &str) -> Option<String> {
    let found = secrets::find(diff);
    let kind = found.first()?.kind;
    Some(format!(
        "the change holds what looks like a secret ({kind}{}), and the evidence keeps it; if it is \
         one, withdraw the request, take it out and ask again",
        if found.len() > 1 { ", and more" } else { "" }
    ))
}

fn withdraw_older(
    snapshot: &Snapshot<'_>,
    task: &str,
    op: &str,
    decision: &mut Decision,
) -> Result<()> {
    for older in expire::of_task(snapshot, task) {
        let Operation::SetApproval { id, .. } = &older else { continue };
        let row = snapshot.approvals.find(id)?;
        if snapshot.approvals.cell(row, ApprovalField::Op).as_deref() == Some(op) {
            decision.operations.push(older);
        }
    }
    Ok(())
}

fn front(
    id: &str,
    request: &Request,
    op: &str,
    who: &Identity,
    ts_req: &str,
    change: &Change,
) -> Front {
    Front {
        appr_id: id.to_owned(),
        task_id: request.task.clone(),
        op: op.to_owned(),
        requested_by: who.actor.as_str().to_owned(),
        ts_req: ts_req.to_owned(),
        base: change.base.clone(),
        worktree: change.worktree.clone(),
        files: change.files.clone(),
        sha256: text::diff_sha256(&change.diff),
    }
}

/// A path that no file has: evidence that somebody put there stays.
fn free_path(ctx: &Context, month: &str, task: &str, id: &str) -> String {
    let name = |suffix: &str| {
        let path = ctx.layout.patch(month, task, &format!("{id}{suffix}"));
        // What cannot be looked at is refused where it is written.
        let is_free = ctx.sys.fs.lstat(&path).is_err();
        (ctx.layout.display(&path), is_free)
    };
    let (plain, is_free) = name("");
    if is_free {
        return plain;
    }
    let other = (2..100).map(|n| name(&format!("-{n}"))).find(|(_, is_free)| *is_free);
    other.map_or(plain, |(path, _)| path)
}

fn new_id(ctx: &Context, snapshot: &Snapshot<'_>) -> Result<String> {
    let ledger = &snapshot.approvals;
    let rows = ledger.rows().filter_map(|row| ledger.cell(row, ApprovalField::ApprId));
    let rows = rows.map(std::borrow::Cow::into_owned).collect();
    let former: HashSet<String> = snapshot.journal()?.given_approval_ids().into_iter().collect();
    let configured = ctx.settings.ids.approvals.clone();
    Ok(ids::next(ctx, Given { rows, former, configured, prefix: "A" }))
}
