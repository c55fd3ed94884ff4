//! Decisions, committed as one operation.
//!
//! Here: looking again, under the lock, whether what was judged still stands.
//! Not here: what a decision writes (`approvals::judge`).

use super::assess::{Assessed, Mark};
use super::{Judged, Mode, Report, Verdict, identity, standing};
use crate::error::Result;
use crate::model::outcome::Outcome;
use crate::model::time::Timestamp;
use crate::services::approvals::{Case, judge};
use crate::services::change::{self, Change, Changed, Decision};
use crate::services::context::{self, Context};
use crate::store::snapshot::Snapshot;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Decides what was judged. Where something of it no longer stands, that is left
/// to people, and the rest is decided without it.
///
/// # Errors
/// As [`change::run`].
pub fn commit(
    ctx: &Context,
    change: &Change,
    mut assessed: Vec<Assessed>,
    present: &dyn Fn(&Report<'_>) -> Value,
) -> Result<Changed> {
    // The commands may have taken long: settings and flags as they are now.
    let fresh = Context::open(&ctx.sys, Some(ctx.layout.root.clone()), context::Mode::Change);
    let why = match &fresh {
        Err(error) => Some(error.to_string()),
        Ok(fresh) if fresh.settings.auto_decide != ctx.settings.auto_decide => {
            Some("`auto_decide` in orch.yaml changed while it was judged".to_owned())
        }
        Ok(_) => None,
    };
    if let Some(why) = why {
        for one in &mut assessed {
            leave(one, why.clone());
        }
    }
    let fresh = fresh.as_ref().unwrap_or(ctx);
    // Each time round something is left that was not before, so this ends.
    loop {
        let judged: Vec<Judged> = assessed.iter().map(|a| a.judged.clone()).collect();
        if judged.iter().all(|one| one.verdict == Verdict::Leave) {
            return Ok(super::unchanged(&judged, Mode::On, change, present));
        }
        let gone: RefCell<Vec<(String, String)>> = RefCell::default();
        let asked = Change { who: identity(), note: Some(note(change, &judged)), ..change.clone() };
        let changed = change::run(
            fresh,
            &asked,
            &|snapshot, now| {
                let (decision, without) = decide(fresh, snapshot, change, &assessed, now)?;
                *gone.borrow_mut() = without;
                Ok(decision)
            },
            &|report| {
                present(&Report {
                    judged: &judged,
                    mode: Mode::On,
                    op: report.op,
                    diff: report.diff,
                })
            },
        )?;
        let gone = gone.into_inner();
        if gone.is_empty() {
            return Ok(changed);
        }
        for (id, why) in gone {
            if let Some(one) = assessed.iter_mut().find(|one| one.judged.appr_id == id) {
                leave(one, why);
            }
        }
    }
}

fn leave(one: &mut Assessed, why: String) {
    if one.judged.verdict != Verdict::Leave {
        one.judged.verdict = Verdict::Leave;
        one.judged.reasons.insert(0, why);
    }
}

/// The decisions, or, where one cannot be made, none and which those are.
fn decide(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    change: &Change,
    assessed: &[Assessed],
    now: Timestamp,
) -> Result<(Decision, Vec<(String, String)>)> {
    let mut all = Decision::new(Outcome::default());
    let (mut gone, mut noted) = (Vec::new(), BTreeSet::new());
    for one in assessed {
        let id = &one.judged.appr_id;
        let Some(verdict) = one.judged.verdict.to_judge() else { continue };
        if let Some(why) = otherwise(ctx, snapshot, one, now)? {
            gone.push((id.clone(), why));
            continue;
        }
        let sha = one.sha.as_deref();
        let mut decision = match judge::judge(ctx, snapshot, &identity(), id, verdict, sha, now) {
            Ok(decision) if decision.outcome.already => {
                gone.push((id.clone(), "it was decided while it was judged".to_owned()));
                continue;
            }
            Ok(decision) => decision,
            Err(error) => {
                gone.push((id.clone(), error.message));
                continue;
            }
        };
        // Two approvals of one task get the note once.
        if noted.insert(one.judged.task_id.clone()) {
            judge::note(snapshot, id, change.note.as_deref(), &mut decision)?;
        }
        all.operations.append(&mut decision.operations);
        all.subjects.append(&mut decision.subjects);
    }
    if gone.is_empty() { Ok((all, gone)) } else { Ok((Decision::new(Outcome::default()), gone)) }
}

/// Why what was judged is not what is there.
fn otherwise(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    one: &Assessed,
    now: Timestamp,
) -> Result<Option<String>> {
    let flags = ctx.flags_in_force(snapshot.flags);
    if let Some(why) = standing::switched(standing::mode(flags)) {
        return Ok(Some(format!("{why} now")));
    }
    let case = match Case::of(snapshot, &one.judged.appr_id) {
        Ok(case) => case,
        Err(error) => return Ok(Some(error.to_string())),
    };
    if Mark::of(&case) != one.mark {
        return Ok(Some("its row or its task changed while it was judged".to_owned()));
    }
    // Who wrote the evidence was asked before, and its hash is asked below.
    let mut reasons = standing::reasons(ctx, snapshot, &case, &[], now)?;
    Ok(reasons.drain(..).next())
}

/// What the journal and the audit file say of the decisions.
fn note(change: &Change, judged: &[Judged]) -> String {
    let decided: Vec<&Judged> = judged.iter().filter(|j| j.verdict != Verdict::Leave).collect();
    let each = decided.iter().map(|one| {
        let why = match one.verdict {
            Verdict::Approve => one
                .conditions
                .iter()
                .map(|c| format!("{} {}", c.name, c.measured))
                .collect::<Vec<_>>()
                .join(", "),
            Verdict::Reject | Verdict::Leave => one.reasons.join("; "),
        };
        if decided.len() == 1 { why } else { format!("{}: {why}", one.appr_id) }
    });
    change.note.clone().into_iter().chain(each).collect::<Vec<_>>().join(" · ")
}
