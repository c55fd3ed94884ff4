//! `approve` and `reject`: one decision on one pending approval.
//!
//! Pure but for reading the evidence, whose bytes are read once: what was hashed
//! is what is journalled. The order of the questions is CONTRACT's: not found,
//! invalid, not allowed, separation of duties, stale.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::evidence as text;
use crate::ledger::tasks::shell_word;
use crate::model::actor::Role;
use crate::model::approval::ApprovalStatus;
use crate::model::operation::{Operation, Signature};
use crate::model::outcome::Outcome;
use crate::model::time::Timestamp;
use crate::services::approvals::{Case, subject};
use crate::services::change::Decision;
use crate::services::context::{Context, Identity};
use crate::services::draft::Draft;
use crate::services::duties::{self, Duty};
use crate::services::evidence::{self, Stored};
use crate::store::snapshot::Snapshot;

/// How far ahead of now a request may be dated and still be decided: clocks of
/// machines differ.
const AHEAD_MS: i64 = 3_600_000;

/// What is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is granted.
    Approve,
    /// It is refused.
    Reject,
}

impl Verdict {
    /// The status that it leads to.
    pub const fn status(self) -> ApprovalStatus {
        match self {
            Self::Approve => ApprovalStatus::Approved,
            Self::Reject => ApprovalStatus::Rejected,
        }
    }

    /// The command.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }
}

/// Decides a pending approval. `shown` is the beginning of the hash of the
/// evidence that whoever decides looked at.
///
/// # Errors
/// `not_allowed` for other roles than CMD and AUDIT, and where it is not
/// pending; `separation_of_duties` for who asked, did, or wrote the evidence;
/// `stale` where the evidence is gone, altered or not the one that was shown.
pub fn judge(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    id: &str,
    verdict: Verdict,
    shown: Option<&str>,
    now: Timestamp,
) -> Result<Decision> {
    if let Some(prefix) = shown {
        check_prefix(prefix)?;
    }
    let case = Case::of(snapshot, id)?;
    let mut decision = Decision::new(Outcome::of_approval(id));
    let expired_before = ctx.settings.approvals.expired_before(now);
    let status = case.approval.status_now(expired_before);
    let stored = case.approval.evidence.as_deref().map(|cell| evidence::load(ctx, cell));
    if status == Some(verdict.status()) {
        let stored = stored.and_then(Result::ok);
        if shown.is_some() {
            is_the_same(snapshot, &case, stored.as_ref(), shown)?;
        }
        decision.outcome.evidence_sha = stored.map(|stored| stored.sha);
        decision.outcome.already = true;
        return Ok(decision);
    }
    let asked_at = asked_at(snapshot, &case, now)?;
    if let Some(Err(error)) = &stored
        && error.kind == ErrorKind::LedgerInvalid
    {
        return Err(error.clone().about(id));
    }
    may_decide(who, &case, status, verdict, &mut decision.waivers)?;
    let authors = stored.iter().flatten().map(authors).next().unwrap_or_default();
    let parties = case.parties(snapshot, &authors)?;
    if let Some(conflict) = duties::judge(&who.actor, &parties, &ctx.principals) {
        if !who.solo {
            let see = format!("orch approvals {}", shell_word(id));
            return Err(duties::error(id, &who.actor, &conflict).hint(see));
        }
        decision.waivers.push("separation_of_duties".to_owned());
    }
    if !who.solo && parties.iter().all(|party| party.duty != Duty::Requested) {
        return Err(asked_by_nobody(snapshot, &case));
    }
    let stored = stored.transpose().map_err(|e| e.about(id))?;
    is_the_same(snapshot, &case, stored.as_ref(), shown)?;
    let sha = stored.map(|stored| stored.sha);
    let about = subject::with_sha(&case.approval, case.task.as_ref(), sha);
    decision.outcome.evidence_sha.clone_from(&about.sha);
    decision.subjects.push(about);
    decision.operations.push(Operation::SetApproval {
        id: id.to_owned(),
        status: verdict.status(),
        decision: Some(Signature {
            approver: who.actor.as_str().to_owned(),
            role: who.actor.role().as_str(),
            at: asked_at.map_or(now, |asked| asked.max(now)).to_string(),
        }),
    });
    Ok(decision)
}

/// Appends a note to the approval's task, where that is open.
///
/// # Errors
/// As looking the approval up.
pub fn note(
    snapshot: &Snapshot<'_>,
    id: &str,
    note: Option<&str>,
    decision: &mut Decision,
) -> Result<()> {
    let case = Case::of(snapshot, id)?;
    if let (Some(note), Some(task), false) = (note, &case.task, decision.operations.is_empty())
        && task.is_open()
    {
        let mut draft = Draft::of(task);
        draft.note(note);
        let cells = draft.into_cells();
        decision.operations.push(Operation::SetTask { id: task.id.clone().into_owned(), cells });
    }
    Ok(())
}

fn check_prefix(prefix: &str) -> Result<()> {
    let hex = prefix.bytes().all(|b| b.is_ascii_hexdigit());
    if (4..=64).contains(&prefix.len()) && hex {
        return Ok(());
    }
    Err(Error::usage(format!(
        "`--sha {prefix}` is not the beginning of a SHA-256: 4 to 64 hexadecimal digits"
    ))
    .hint("orch approvals"))
}

fn invalid(snapshot: &Snapshot<'_>, case: &Case<'_>, message: String) -> Error {
    let row = snapshot.approvals.find(&case.approval.id).unwrap_or_default();
    let (line, column) = snapshot.approvals.place(row);
    Error::invalid(message).at(snapshot.approvals.path(), line, column).hint("orch check")
}

/// A row that names nobody could have been asked for by whoever decides.
fn asked_by_nobody(snapshot: &Snapshot<'_>, case: &Case<'_>) -> Error {
    let id = &case.approval.id;
    let message = format!(
        "`{id}` names nobody who asked, so nobody can say whether you did; fill `requested_by` in, \
         or ask with `orch request`"
    );
    invalid(snapshot, case, message)
}

/// When it was asked for: the decision is never earlier.
fn asked_at(snapshot: &Snapshot<'_>, case: &Case<'_>, now: Timestamp) -> Result<Option<Timestamp>> {
    let Some(cell) = case.approval.ts_req.as_deref() else { return Ok(None) };
    let id = &case.approval.id;
    let invalid =
        |why: &str| Err(invalid(snapshot, case, format!("`ts_req` of `{id}` is `{cell}`, {why}")));
    match Timestamp::parse(cell) {
        None => invalid("which is no time; write UTC such as `2026-01-31T09:00:00Z`"),
        Some(asked) if asked.since(now) > AHEAD_MS => {
            invalid("which has not come yet, and a decision is never earlier than its request")
        }
        Some(asked) => Ok(Some(asked)),
    }
}

fn may_decide(
    who: &Identity,
    case: &Case<'_>,
    status: Option<ApprovalStatus>,
    verdict: Verdict,
    waivers: &mut Vec<String>,
) -> Result<()> {
    let id = &case.approval.id;
    let see = format!("orch approvals {}", shell_word(id));
    if status != Some(ApprovalStatus::Pending) {
        let is = match status {
            Some(status) => status.as_str(),
            None => case.approval.status.as_deref().unwrap_or("-"),
        };
        return Err(Error::not_allowed(format!(
            "`{id}` is {is}, and only a pending approval can be decided; a new `orch request` \
             supersedes it"
        ))
        .about(id.as_ref())
        .hint(see));
    }
    if who.may(matches!(who.actor.role(), Role::Cmd | Role::Audit), waivers) {
        return Ok(());
    }
    Err(Error::not_allowed(format!(
        "`{}` of `{id}` needs CMD or AUDIT; you are `{}`",
        verdict.verb(),
        who.actor
    ))
    .about(id.as_ref())
    .hint(see))
}

/// Who wrote the evidence, where its front matter says so.
pub fn authors(stored: &Stored) -> Vec<String> {
    text::authors(&String::from_utf8_lossy(&stored.bytes))
}

/// Makes sure that the evidence is what was asked for, and what was shown.
fn is_the_same(
    snapshot: &Snapshot<'_>,
    case: &Case<'_>,
    stored: Option<&Stored>,
    shown: Option<&str>,
) -> Result<()> {
    let id = &case.approval.id;
    let stale = |why: String| {
        Err(Error::new(ErrorKind::Stale, why)
            .about(id.as_ref())
            .hint(format!("orch evidence show {}", shell_word(id))))
    };
    let Some(stored) = stored else {
        return match shown {
            Some(_) => stale(format!("`{id}` names no evidence, so none can have been shown")),
            None => Ok(()),
        };
    };
    let cell = case.approval.evidence.as_deref().unwrap_or_default();
    let recorded = snapshot.journal()?.subject_of(id);
    if recorded.is_some_and(|subject| subject.sha_for(cell).is_some_and(|sha| sha != stored.sha)) {
        return stale(format!(
            "the evidence `{}` of `{id}` was altered since it was asked for; a new `orch request` \
             records what is there now",
            stored.name
        ));
    }
    match shown {
        Some(prefix) if !stored.sha.starts_with(&prefix.to_ascii_lowercase()) => stale(format!(
            "the evidence `{}` of `{id}` is not the one you name: its SHA-256 begins with `{}`",
            stored.name,
            &stored.sha[..12]
        )),
        _ => Ok(()),
    }
}
