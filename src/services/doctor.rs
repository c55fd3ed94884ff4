//! Is everything in order? What can be seen, and finishing what was left.
//!
//! Not here: the rules of `check`, of which doctor tells how much they find.
//! Here is what stops the tool itself from working well.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::approvals::ApprovalLedger;
use crate::ledger::source;
use crate::ledger::tasks::TaskLedger;
pub use crate::model::severity::Severity;
use crate::services::check::{self, Count};
use crate::services::config;
use crate::services::context::{Context, Mode, load_settings};
use crate::store::journal::Journal;
use crate::store::layout::Layout;
use crate::store::lock::{LedgerLock, holder_note};
use crate::store::recovery;
use crate::store::snapshot::{Files, Want};
use crate::sys::{FsKind, Sys};
use std::time::Duration;

/// How long to wait for a command that is at work.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, or a finding's stable code.
    pub subject: &'static str,
    /// How it is.
    pub severity: Severity,
    /// In words.
    pub message: String,
    /// Where: file, line, column.
    pub place: Option<(String, usize, usize)>,
    /// What to type next.
    pub help: Option<String>,
}

/// Looks at a workspace.
///
/// # Errors
/// Only where the workspace itself cannot be read.
pub fn examine(sys: &Sys, layout: &Layout) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut say = |subject, severity, message: String| {
        findings.push(Finding { subject, severity, message, place: None, help: None });
    };
    say("workspace", Severity::Ok, format!("{}", layout.root.display()));
    match sys.fs.fs_type(&layout.state_dir()) {
        Ok(FsKind::Local) => say("file_system", Severity::Ok, "local; locks work".into()),
        Ok(FsKind::Network(name)) => say(
            "file_system",
            Severity::Warning,
            format!("{name}: locks may not reach other machines"),
        ),
        Err(e) => say("file_system", Severity::Warning, format!("cannot tell its type: {e}")),
    }
    let settings = layout.display(&layout.settings());
    match load_settings(sys, layout) {
        Ok(loaded) => {
            let fast = loaded.settings.durability == config::Durability::Fast;
            let message =
                if fast { "durability: fast; a power cut may lose changes" } else { "in order" };
            if fast || loaded.unknown.is_empty() {
                let severity = if fast { Severity::Warning } else { Severity::Ok };
                say("settings", severity, message.into());
            }
            findings.extend(loaded.unknown.iter().map(|key| Finding {
                subject: "settings",
                severity: Severity::Error,
                message: key.to_string(),
                place: Some((settings.clone(), key.line, key.column)),
                help: Some("orch config".to_owned()),
            }));
        }
        Err(e) => findings.push(of_error("settings", &e)),
    }
    let ctx = Context::open(sys, Some(layout.root.clone()), Mode::Read);
    if let Err(error) = ctx.and_then(|ctx| ctx.identity(None))
        && !findings.iter().any(|found| found.severity == Severity::Error)
    {
        findings.push(of_error("actor", &error));
    }
    unfinished(sys, layout, &mut findings);
    ledgers(sys, layout, &mut findings)?;
    let journal = match Journal::read(sys, layout) {
        Ok(journal) => match journal.last() {
            Some(last) => ok(
                "journal",
                format!(
                    "{} up to {}",
                    count(usize::try_from(last.seq).unwrap_or(usize::MAX), "operation"),
                    last.ts
                ),
            ),
            None => ok("journal", "no operation yet".to_owned()),
        },
        Err(e) => of_error("journal", &e),
    };
    findings.push(journal);
    Ok(findings)
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn ok(subject: &'static str, message: String) -> Finding {
    Finding { subject, severity: Severity::Ok, message, place: None, help: None }
}

fn of_error(subject: &'static str, error: &Error) -> Finding {
    Finding {
        subject,
        severity: Severity::Error,
        message: error.message.clone(),
        place: error.place.clone().map(|p| (p.path, p.line, p.column)),
        help: error.hint.clone().filter(|hint| hint != "orch doctor"),
    }
}

/// The ledgers, in a line each, and what `check` says of them.
fn ledgers(sys: &Sys, layout: &Layout, findings: &mut Vec<Finding>) -> Result<()> {
    let files = Files::read(sys, layout, Want::All)?;
    let path = layout.display(&layout.tasks());
    let tasks =
        source::text(&files.tasks.bytes, &path).and_then(|text| TaskLedger::parse(text, &path));
    findings.push(match tasks {
        Ok(ledger) => {
            let rows = count(ledger.rows().count(), "task");
            let tables = count(ledger.grid().tables.len(), "ledger table");
            ok("tasks", format!("{rows} in {tables}"))
        }
        Err(e) => of_error("tasks", &e),
    });
    let path = layout.display(&layout.approvals());
    let approvals = files.approvals.as_ref().map(|file| {
        source::text(&file.bytes, &path).and_then(|text| ApprovalLedger::parse(text, &path))
    });
    findings.push(match approvals {
        Some(Ok(ledger)) => ok("approvals", count(ledger.rows().count(), "approval")),
        Some(Err(e)) => of_error("approvals", &e),
        None => ok("approvals", "none yet".to_owned()),
    });
    // Without settings there are no rules to look by, and those are told of.
    if let Ok(ctx) = Context::open(sys, Some(layout.root.clone()), Mode::Read) {
        findings.push(match check::workspace(&ctx) {
            Ok(found) => of_check(Count::of(&found)),
            Err(e) => of_error("check", &e),
        });
    }
    Ok(())
}

/// What `check` says, in a line.
fn of_check(found: Count) -> Finding {
    let Count { errors, warnings, notes } = found;
    let severity = match found {
        Count { errors: 1.., .. } => Severity::Error,
        Count { warnings: 1.., .. } => Severity::Warning,
        Count { notes: 1.., .. } => Severity::Note,
        Count { .. } => return ok("check", "nothing found".to_owned()),
    };
    let counts = [(errors, "error"), (warnings, "warning"), (notes, "note")];
    let said = counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| count(n, what));
    Finding {
        subject: "check",
        severity,
        message: said.collect::<Vec<_>>().join(", "),
        place: None,
        help: Some("orch check".to_owned()),
    }
}

/// Finishes what a dead writer left; writes nothing where there is nothing.
fn unfinished(sys: &Sys, layout: &Layout, findings: &mut Vec<Finding>) {
    let mut say = |severity, message| {
        let subject = "unfinished";
        findings.push(Finding { subject, severity, message, place: None, help: None });
    };
    match recovery::is_needed(sys, layout) {
        Ok(false) => return,
        Ok(true) => {}
        Err(e) => return findings.push(of_error("unfinished", &e)),
    }
    let note = holder_note(sys, "doctor", "orch doctor");
    let lock = match LedgerLock::acquire(sys, layout, LOCK_WAIT, &note) {
        Ok(lock) => lock,
        Err(e) if e.kind == ErrorKind::Busy => return say(Severity::Note, e.message),
        Err(e) => return findings.push(of_error("unfinished", &e)),
    };
    match recovery::recover(sys, layout) {
        Ok(settled) => {
            if let Some(op) = settled.finished {
                say(Severity::Note, format!("finished the operation {op}"));
            }
            if let Some(path) = settled.quarantined {
                let path = layout.display(&path);
                say(Severity::Warning, format!("an unreadable redo record is now `{path}`"));
            }
            if settled.removed > 0 {
                let files = count(settled.removed, "temporary file");
                say(Severity::Note, format!("removed {files} of commands that were ended"));
            }
        }
        Err(e) => findings.push(of_error("unfinished", &e)),
    }
    drop(lock);
}
