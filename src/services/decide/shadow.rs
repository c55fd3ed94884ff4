//! Verdicts that are only written down.
//!
//! A line for each approval and verdict goes to the day's audit file, unless one
//! for the same evidence stands there or in that of an earlier day since the
//! request. Nothing else is written.

use super::assess::Assessed;
use crate::error::Result;
use crate::model::outcome::Outcome;
use crate::model::time::Timestamp;
use crate::services::change::{self, Change, Decision};
use crate::services::context::{AUTO, Context};
use crate::store::append::{End, Place};
use crate::store::audit_line::AuditLine;
use serde_json::Value;

/// The most days that are looked back.
const DAYS: i64 = 400;
const DAY_MS: i64 = 24 * 3_600_000;

/// Writes the verdicts, under the lock, so that two that judge at once write one
/// line. Gives what else the caller should know.
///
/// # Errors
/// As [`change::run`], and `failed` where the audit file cannot be written.
pub fn write(ctx: &Context, change: &Change, assessed: &[Assessed]) -> Result<Vec<String>> {
    if change.dry_run || assessed.is_empty() {
        return Ok(Vec::new());
    }
    // No key: it would be asked for an answer that nothing remembers.
    let unkeyed = Change { op_id: None, who: super::identity(), ..change.clone() };
    let changed = change::run(
        ctx,
        &unkeyed,
        &|_, now| {
            append(ctx, assessed, now)?;
            Ok(Decision::new(Outcome::default()))
        },
        &|_| Value::Null,
    )?;
    Ok(changed.warnings)
}

fn append(ctx: &Context, assessed: &[Assessed], now: Timestamp) -> Result<()> {
    let ts = now.whole_seconds().to_string();
    let date = ts.get(..10).unwrap_or_default();
    let mut lines = Vec::new();
    for one in assessed {
        let verdict = one.judged.verdict.as_str();
        let sha = one.sha.as_deref().unwrap_or("-");
        let said = format!("shadow: {verdict}, evidence {sha}");
        let reasons = one.judged.reasons.join("; ");
        let note = if reasons.is_empty() { said.clone() } else { format!("{said}: {reasons}") };
        let line = |note| AuditLine {
            ts: &ts,
            id: &one.judged.appr_id,
            op: "decide",
            by: AUTO,
            ok: true,
            note,
            ..AuditLine::default()
        };
        if !stands(ctx, &line(&said).spell(), one.ts_req.as_deref(), now) {
            lines.push(line(&note).spell());
        }
    }
    if lines.is_empty() {
        return Ok(());
    }
    let place = Place::make(&ctx.sys, &ctx.layout, ctx.layout.audit_day(date))?;
    place.append(&ctx.sys, &lines, End::Unknown, false)
}

/// Whether a line that says the same stands in an audit file since the request.
fn stands(ctx: &Context, line: &str, ts_req: Option<&str>, now: Timestamp) -> bool {
    // Without its time and what ends its note.
    let Some((_, said)) = line.split_once("] ") else { return false };
    let said = said.trim_end_matches('"').as_bytes();
    let asked = ts_req.and_then(Timestamp::parse).unwrap_or(now);
    let days = (now.since(asked).max(0) / DAY_MS + 1).min(DAYS);
    (0..=days).any(|back| {
        let day = Timestamp(now.0 - back * DAY_MS).to_string();
        let path = ctx.layout.audit_day(day.get(..10).unwrap_or_default());
        let text = ctx.sys.fs.read(&path).unwrap_or_default();
        memchr::memmem::find(&text, said).is_some()
    })
}
