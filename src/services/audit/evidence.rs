//! Evidence that the journal knows, held against the files as they are.
//!
//! The hash of a whole evidence file is journalled when it is asked for, first
//! seen or decided on. Not here: evidence that no line names, and what else is
//! wrong with it (`check`). Invariant: nothing is written.

use crate::error::Result;
use crate::services::audit::Finding;
use crate::services::context::Context;
use crate::services::doctor::Severity;
use crate::services::evidence::verify::{self, Status, Verified};
use crate::store::snapshot::{Files, Snapshot, Want};
use std::collections::BTreeSet;

/// Looks at the evidence of every approval whose hash the journal has. Gives the
/// files that something is told of.
pub fn look(ctx: &Context, findings: &mut Vec<Finding>) -> BTreeSet<String> {
    match told(ctx) {
        Ok((found, files)) => {
            findings.extend(found);
            files
        }
        Err(why) => {
            let message = format!("evidence was not looked at: {why}");
            let severity = Severity::Warning;
            findings.push(Finding { code: "unread", severity, message, place: None });
            BTreeSet::new()
        }
    }
}

fn told(ctx: &Context) -> Result<(Vec<Finding>, BTreeSet<String>)> {
    let (mut found, mut files) = (Vec::new(), BTreeSet::new());
    let read = Files::read(&ctx.sys, &ctx.layout, Want::All)?;
    let snapshot = Snapshot::parse_any(&ctx.sys, &ctx.layout, &read)?;
    if snapshot.journal()?.is_empty() || snapshot.approvals.rows().next().is_none() {
        return Ok((found, files));
    }
    let accepted = snapshot.journal()?.accepted();
    let ledger = snapshot.approvals.path();
    for one in verify::verify(ctx, &snapshot, &[])? {
        let Verified { appr_id: id, path, status, expected, .. } = one;
        let (code, what) = match status {
            Status::Ok | Status::Unrecorded => continue,
            Status::Altered => ("evidence-altered", "is not what the journal has a hash of"),
            Status::Missing => ("evidence-missing", "is gone; the journal has its hash"),
            Status::Unsafe => ("evidence-unsafe", "leads out of the workspace, or is no file"),
        };
        // What was never written down is for `check` to judge.
        if expected.is_none() {
            continue;
        }
        let is_accepted = accepted.has_of_row(code, ledger, &id);
        let severity = if is_accepted { Severity::Note } else { Severity::Error };
        let end = if is_accepted { " (accepted)" } else { "" };
        let message = format!("the evidence `{path}` of `{id}` {what}{end}");
        let place = snapshot.approvals.find(&id).ok().map(|row| {
            let (line, column) = snapshot.approvals.place(row);
            (ledger.to_owned(), line, column)
        });
        found.push(Finding { code, severity, message, place });
        files.insert(path);
    }
    Ok((found, files))
}
