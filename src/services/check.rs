//! `check`: what in the ledgers cannot be relied on, and accepting hand edits.
//!
//! Here so far: rows that cannot be read one way only, and hand edits that
//! count for nothing. Not here yet: the other rules of the checker. Invariant:
//! only CMD accepts, and what is accepted is named in the journal.

use crate::error::{Error, Result};
use crate::model::actor::Role;
use crate::model::outcome::Outcome;
use crate::services::change::Decision;
use crate::services::context::{Context, Identity};
use crate::services::doctor::{self, Finding, Severity};
use crate::services::hand_edits::{self, describe};
use crate::store::seen::Suspended;
use crate::store::snapshot::{Files, Snapshot, Want};

/// Everything that is found, errors first in each file.
///
/// # Errors
/// `failed` where a file cannot be read.
pub fn findings(ctx: &Context) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    doctor::ledgers(&ctx.sys, &ctx.layout, &mut findings)?;
    findings.retain(|finding| finding.severity >= Severity::Warning);
    let files = Files::read(&ctx.sys, &ctx.layout, Want::All)?;
    if let Ok(snapshot) = Snapshot::parse(&ctx.sys, &ctx.layout, &files) {
        for standing in hand_edits::now_standing(ctx, &files, &snapshot)? {
            findings.push(of(&standing));
        }
    }
    Ok(findings)
}

fn of(standing: &Suspended) -> Finding {
    let forbidden = &standing.forbidden;
    Finding {
        subject: hand_edits::code(&forbidden.code),
        severity: Severity::Error,
        message: format!("`{}`: {}", forbidden.row, describe(&forbidden.code)),
        place: Some((forbidden.file.clone(), 0, 0)),
        help: Some(format!("orch log {}", crate::ledger::tasks::shell_word(&forbidden.row))),
    }
}

/// Accepts hand edits: all, or those of these codes, rows or operations.
///
/// # Errors
/// `not_allowed` for anybody but CMD, `not_found` for a name that nothing has.
pub fn accept(snapshot: &Snapshot<'_>, who: &Identity, names: &[String]) -> Result<Decision> {
    let mut decision = Decision::new(Outcome::default());
    if who.actor.role() != Role::Cmd {
        if !who.solo {
            return Err(Error::not_allowed(format!(
                "`check --accept` needs CMD; you are `{}`",
                who.actor
            ))
            .hint("orch check"));
        }
        decision.waivers.push("role".to_owned());
    }
    let is_named = |standing: &&Suspended, name: &String| {
        let forbidden = &standing.forbidden;
        [&forbidden.code, &forbidden.row, &standing.op].contains(&name)
    };
    if let Some(name) =
        names.iter().find(|name| !snapshot.standing.iter().any(|s| is_named(&s, name)))
    {
        return Err(Error::not_found(format!("no hand edit waits under the name `{name}`"))
            .hint("orch check"));
    }
    decision.accepts = snapshot
        .standing
        .iter()
        .filter(|standing| names.is_empty() || names.iter().any(|name| is_named(standing, name)))
        .map(Suspended::key)
        .collect();
    decision.journal_only = !decision.accepts.is_empty();
    decision.outcome.already = decision.accepts.is_empty();
    if decision.accepts.is_empty() {
        decision.waivers.clear();
    }
    Ok(decision)
}
