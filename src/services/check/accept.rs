//! Taking findings as they are: CMD says so, and the journal keeps it.
//!
//! A finding is kept by its code, file and row, and shows with `--all` only from
//! then on. An edit by hand counts once it is accepted; nothing else changes its
//! meaning: gates judge as before.

use crate::error::{Error, Result};
use crate::ledger::compare::value;
use crate::model::actor::Role;
use crate::model::outcome::Outcome;
use crate::model::severity::Severity;
use crate::services::approvals::{Case, judge};
use crate::services::change::Decision;
use crate::services::check::Finding;
use crate::services::context::{Context, Identity};
use crate::services::duties::{self, Duty, Party};
use crate::services::{evidence, hand_edits};
use crate::store::entry::Forbidden;
use crate::store::seen::Suspended;
use crate::store::snapshot::Snapshot;

/// Accepts errors and warnings: all, or those of these codes, rows or
/// operations. Notes need no accepting.
///
/// # Errors
/// `not_allowed` for anybody but CMD, `not_found` for a name that nothing has,
/// `separation_of_duties` for a decision or a DONE by hand that whoever accepts
/// could not have made.
pub fn accept(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    names: &[String],
) -> Result<Decision> {
    let mut decision = Decision::new(Outcome::default());
    if !who.may(who.actor.role() == Role::Cmd, &mut decision.waivers) {
        return Err(Error::not_allowed(format!(
            "`check --accept` needs CMD; you are `{}`",
            who.actor
        ))
        .hint("orch check"));
    }
    let findings = super::of_snapshot(ctx, snapshot)?;
    let standing: Vec<&Finding> =
        findings.iter().filter(|finding| finding.severity >= Severity::Warning).collect();
    if let Some(name) = names.iter().find(|name| !standing.iter().any(|f| f.is_named(name))) {
        return Err(Error::not_found(format!(
            "no error or warning has the code, row or operation `{name}`"
        ))
        .hint("orch check"));
    }
    for finding in standing.into_iter().filter(|finding| !finding.is_accepted) {
        let is_meant = names.is_empty() || names.iter().any(|name| finding.is_named(name));
        let key = finding.key();
        if is_meant && !decision.accepts.contains(&key) {
            decision.accepts.push(key);
        }
    }
    for standing in snapshot.standing.iter().filter(|s| decision.accepts.contains(&s.key())) {
        separate(ctx, snapshot, who, standing, &mut decision.waivers)?;
    }
    decision.journal_only = !decision.accepts.is_empty();
    decision.outcome.already = decision.accepts.is_empty();
    if decision.accepts.is_empty() {
        decision.waivers.clear();
    }
    Ok(decision)
}

/// To accept a decision by hand is to decide, and a DONE by hand to finish:
/// nobody does that for what they asked for or did.
fn separate(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    standing: &Suspended,
    waivers: &mut Vec<String>,
) -> Result<()> {
    let Forbidden { code, row, .. } = &standing.forbidden;
    let parties = match code.as_str() {
        hand_edits::APPROVED | hand_edits::DECIDED => {
            // A row that is gone decides nothing.
            let Ok(case) = Case::as_it_stands(snapshot, row) else { return Ok(()) };
            let cell = case.approval.evidence.as_deref();
            let stored = cell.and_then(|cell| evidence::load(ctx, cell).ok());
            case.parties(snapshot, &stored.as_ref().map(judge::authors).unwrap_or_default())?
        }
        hand_edits::DONE | hand_edits::STATE if judges(standing) => {
            let holders = snapshot.journal()?.history(row).holders;
            holders.into_iter().map(|name| Party { name, duty: Duty::Held }).collect()
        }
        _ => return Ok(()),
    };
    match duties::judge(&who.actor, &parties, &ctx.principals) {
        None => Ok(()),
        Some(_) if who.solo => {
            waivers.push("separation_of_duties".to_owned());
            Ok(())
        }
        Some(conflict) => Err(duties::error(row, &who.actor, &conflict).hint("orch check")),
    }
}

/// Whether an edit by hand does what `done` and `fix` do.
fn judges(standing: &Suspended) -> bool {
    let state = standing.change.cells.get("state");
    state.is_some_and(|(_, after)| matches!(value(after), "DONE" | "FIX"))
}
