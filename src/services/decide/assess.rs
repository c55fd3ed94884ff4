//! One approval, judged: nothing is written.
//!
//! Here: from a row to a verdict with its reasons. Not here: what each condition
//! measures (`conditions`, `trial`).

use super::conditions::{self, Holds, Measured};
use super::source::Source;
use super::{Judged, Verdict, standing, trial};
use crate::error::Result;
use crate::ledger::evidence::{Evidence, diff_sha256, parse};
use crate::ledger::git_diff::{self, FileDiff, SUBMODULE};
use crate::services::approvals::Case;
use crate::services::config::OnFailure;
use crate::services::context::Context;
use crate::services::evidence::{self, Stored};
use crate::store::snapshot::Snapshot;
use std::collections::BTreeSet;

/// An approval that was judged, with what it was judged by.
#[derive(Debug, Clone)]
pub struct Assessed {
    /// What became of it.
    pub judged: Judged,
    /// SHA-256 of the whole evidence file.
    pub sha: Option<String>,
    /// When it was asked for, as the row has it.
    pub ts_req: Option<String>,
    /// Row and task as they were.
    pub mark: Mark,
}

/// What has to be the same when the decision is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mark(Vec<Option<String>>);

impl Mark {
    /// The cells of an approval, and what it is about.
    pub fn of(case: &Case<'_>) -> Self {
        let a = &case.approval;
        let task = case.task.as_ref();
        let cells = [&a.task_id, &a.op, &a.status, &a.requested_by, &a.ts_req, &a.evidence];
        let cells = cells.into_iter().map(|cell| cell.as_deref().map(str::to_owned));
        let about = [
            task.and_then(|t| t.title.as_deref()).map(str::to_owned),
            task.and_then(|t| t.artifact.as_deref()).map(str::to_owned),
        ];
        Self(cells.chain(about).collect())
    }
}

/// Judges one approval.
///
/// # Errors
/// `failed` where the journal cannot be read.
pub fn assess(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    id: &str,
    is_stopped: &dyn Fn() -> bool,
) -> Result<Assessed> {
    let case = match Case::of(snapshot, id) {
        Ok(case) => case,
        Err(error) => {
            let judged = super::left(snapshot, id, &error.to_string());
            return Ok(Assessed { judged, sha: None, ts_req: None, mark: Mark::default() });
        }
    };
    let auto = &ctx.settings.auto_decide;
    let now = ctx.now(snapshot.journal()?.newest());
    let stored = load(ctx, snapshot, &case)?;
    let text = stored.as_ref().map_err(Clone::clone).and_then(|stored| {
        let name = &stored.name;
        let text =
            std::str::from_utf8(&stored.bytes).map_err(|_| format!("`{name}` is not UTF-8"))?;
        parse(text).map_err(|why| format!("`{name}` is no evidence that `orch` wrote: {why}"))
    });
    let authors =
        stored.as_ref().map(crate::services::approvals::judge::authors).unwrap_or_default();
    let mut reasons: Vec<String> = standing::unruled(auto).into_iter().collect();
    reasons.extend(standing::reasons(ctx, snapshot, &case, &authors, now)?);
    let read = text.and_then(|text| Ok((files_of(&case, &text)?, text)));
    let mut conditions = Vec::new();
    match read {
        Err(why) => reasons.push(why),
        Ok((files, evidence)) => {
            let source = Source::of(&ctx.sys, &ctx.layout);
            let place = source.clone().unwrap_or_else(|_| Source::nowhere(&ctx.layout));
            conditions = conditions::at_rest(&ctx.sys, &files, &place, auto);
            let is_denied = !reasons.is_empty() || conditions.iter().any(|c| c.holds != Holds::Yes);
            match source {
                Err(why) => reasons.push(why),
                Ok(source) if !is_denied => {
                    let change = trial::Change { evidence: &evidence, files: &files };
                    match trial::run(ctx, &source, &change, &mut conditions, is_stopped) {
                        Ok(()) => {}
                        Err(why) => reasons.push(why),
                    }
                }
                Ok(_) => {}
            }
            let ran = |measured: &Measured| conditions.iter().any(|c| c.name == measured.name);
            let skipped: Vec<_> =
                conditions::not_run(auto).into_iter().filter(|c| !ran(c)).collect();
            conditions.extend(skipped);
        }
    }
    let verdict = verdict(&mut reasons, &conditions, auto.on_failure);
    let judged = Judged {
        appr_id: id.to_owned(),
        task_id: case.approval.task_id.as_deref().map(str::to_owned),
        verdict,
        reasons,
        conditions,
    };
    let sha = stored.ok().map(|stored| stored.sha);
    let ts_req = case.approval.ts_req.as_deref().map(str::to_owned);
    Ok(Assessed { judged, sha, ts_req, mark: Mark::of(&case) })
}

/// What follows: any reason to leave it beats everything, a failing command is
/// a matter of the settings, and only where all holds is it approved.
fn verdict(reasons: &mut Vec<String>, conditions: &[Measured], on_failure: OnFailure) -> Verdict {
    let is_denied = !reasons.is_empty() || conditions.iter().any(|c| c.holds == Holds::Breach);
    let has_failed = conditions.iter().any(|c| c.holds == Holds::Fails);
    reasons.extend(conditions.iter().filter_map(|c| c.reason.clone()));
    let all_hold = !conditions.is_empty() && conditions.iter().all(|c| c.holds == Holds::Yes);
    match (is_denied, has_failed, on_failure) {
        (false, true, OnFailure::Reject) => Verdict::Reject,
        (false, false, _) if all_hold => Verdict::Approve,
        _ => Verdict::Leave,
    }
}

/// The evidence of an approval, as it was asked for.
fn load(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    case: &Case<'_>,
) -> Result<std::result::Result<Stored, String>> {
    let Some(cell) = case.approval.evidence.as_deref() else {
        return Ok(Err("it names no evidence that could be tried".to_owned()));
    };
    let stored = match evidence::load(ctx, cell) {
        Ok(stored) => stored,
        Err(error) => return Ok(Err(error.message)),
    };
    let recorded = snapshot.journal()?.subject_of(&case.approval.id);
    if recorded.is_some_and(|subject| subject.sha_for(cell).is_some_and(|sha| sha != stored.sha)) {
        let why = format!("the evidence `{}` was altered since it was asked for", stored.name);
        return Ok(Err(why));
    }
    Ok(Ok(stored))
}

/// What the evidence's diff does, where it is what its front matter says and
/// can be judged at all.
fn files_of(
    case: &Case<'_>,
    evidence: &Evidence<'_>,
) -> std::result::Result<Vec<FileDiff>, String> {
    let front = &evidence.front;
    let task = case.approval.task_id.as_deref().unwrap_or_default();
    if front.appr_id != case.approval.id || front.task_id != task {
        return Err(format!(
            "its evidence was made for `{}` of `{}`",
            front.appr_id, front.task_id
        ));
    }
    if diff_sha256(evidence.diff) != front.sha256 {
        return Err("the diff in its evidence was altered: it has another SHA-256".to_owned());
    }
    let files = git_diff::parse(evidence.diff)
        .map_err(|error| format!("the diff in its evidence cannot be read: {error}"))?;
    if files.is_empty() {
        return Err("the diff in its evidence changes nothing".to_owned());
    }
    for file in &files {
        let path = file.paths().last().unwrap_or_default();
        if file.is_binary {
            return Err(format!("`{path}` is binary, which nothing here can judge"));
        }
        if [file.old_mode, file.new_mode].contains(&Some(SUBMODULE)) {
            return Err(format!("`{path}` is a submodule, which nothing here can judge"));
        }
    }
    let listed: BTreeSet<&str> = front.files.iter().map(|file| file.path.as_str()).collect();
    let unlisted = files.iter().filter_map(|f| f.new.as_deref()).find(|p| !listed.contains(p));
    match unlisted {
        Some(path) => Err(format!("its evidence does not list `{path}`, which its diff changes")),
        None => Ok(files),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(holds: &[Holds]) -> Vec<Measured> {
        holds.iter().map(|holds| Measured { holds: *holds, ..Measured::yes("c", "", "") }).collect()
    }

    #[test]
    fn a_denial_beats_a_failure_and_a_failure_beats_success() {
        use Holds::{Breach, Fails, Skipped, Yes};
        let of = |reasons: &[&str], holds: &[Holds], on_failure| {
            let mut reasons = reasons.iter().map(|r| (*r).to_owned()).collect();
            verdict(&mut reasons, &conditions(holds), on_failure)
        };
        for on_failure in [OnFailure::Leave, OnFailure::Reject] {
            assert_eq!(of(&[], &[Yes, Yes], on_failure), Verdict::Approve);
            assert_eq!(of(&[], &[], on_failure), Verdict::Leave);
            assert_eq!(of(&["why"], &[Yes, Yes], on_failure), Verdict::Leave);
            assert_eq!(of(&["why"], &[Yes, Fails], on_failure), Verdict::Leave);
            assert_eq!(of(&[], &[Breach, Fails], on_failure), Verdict::Leave);
            assert_eq!(of(&[], &[Yes, Breach], on_failure), Verdict::Leave);
            assert_eq!(of(&[], &[Yes, Skipped], on_failure), Verdict::Leave);
        }
        assert_eq!(of(&[], &[Yes, Fails, Skipped], OnFailure::Leave), Verdict::Leave);
        assert_eq!(of(&[], &[Yes, Fails, Skipped], OnFailure::Reject), Verdict::Reject);
    }
}
