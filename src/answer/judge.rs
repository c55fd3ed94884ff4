//! An approval granted or refused.

use crate::answer::change::{Asked, Options, Verb};
use crate::answer::{Caller, Reply, lease};
use crate::error::Result;
use crate::services::approvals::judge;
use crate::services::change::Decision;

pub use crate::services::approvals::judge::Verdict;

/// The verb of a verdict.
pub const fn verb(verdict: Verdict) -> Verb {
    match verdict {
        Verdict::Approve => Verb { command: "approve", kind: "approval.approve" },
        Verdict::Reject => Verb { command: "reject", kind: "approval.reject" },
    }
}

/// What was asked, for `--op-id`.
pub fn asked_for(id: &str, sha: Option<&str>) -> String {
    format!("{:?}", (id, sha))
}

/// Decides whether this person may, on the evidence that was shown.
///
/// # Errors
/// As `services::approvals`.
pub fn decide(
    asked: &Asked<'_>,
    id: &str,
    verdict: Verdict,
    shown: Option<&str>,
) -> Result<Decision> {
    let (ctx, snapshot) = (asked.ctx, asked.snapshot);
    let mut decision = judge::judge(ctx, snapshot, asked.who, id, verdict, shown, asked.now)?;
    judge::note(snapshot, id, asked.note, &mut decision)?;
    Ok(decision)
}

/// `approve` and `reject`
///
/// # Errors
/// As the commands.
pub fn run(
    caller: &Caller<'_>,
    options: Options,
    id: &str,
    sha: Option<&str>,
    verdict: Verdict,
) -> Result<Reply> {
    lease::answer(caller, &verb(verdict), options, &asked_for(id, sha), &|asked| {
        decide(asked, id, verdict, sha)
    })
}
