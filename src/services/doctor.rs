//! Is everything in order? What can be seen, and finishing what was left.
//!
//! Not here: the rules of `check` (a later service). Here is what stops the
//! tool itself from working well.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::approvals::ApprovalLedger;
use crate::ledger::source;
use crate::ledger::table::Grid;
use crate::ledger::tasks::TaskLedger;
use crate::services::config;
use crate::services::context::load_settings;
use crate::store::journal::Journal;
use crate::store::layout::Layout;
use crate::store::lock::{LedgerLock, holder_note};
use crate::store::recovery;
use crate::store::snapshot::{Files, Want};
use crate::sys::{FsKind, Sys};
use std::collections::HashMap;
use std::time::Duration;

/// How long to wait for a command that is at work.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Good to know.
    Note,
    /// Works, but not as well.
    Warning,
    /// Something cannot work.
    Error,
}

impl Severity {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

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

/// What stands in the ledgers and cannot be relied on.
///
/// # Errors
/// `failed` where a ledger cannot be read.
pub fn ledgers(sys: &Sys, layout: &Layout, findings: &mut Vec<Finding>) -> Result<()> {
    let files = Files::read(sys, layout, Want::All)?;
    let path = layout.display(&layout.tasks());
    let tasks =
        source::text(&files.tasks.bytes, &path).and_then(|text| TaskLedger::parse(text, &path));
    match tasks {
        Ok(ledger) => {
            let tables = ledger.grid().tables.len();
            let message = format!(
                "{} in {}",
                count(ledger.rows().count(), "task"),
                count(tables, "ledger table")
            );
            findings.push(ok("tasks", message));
            let ids = ledger.rows().map(|row| (ledger.id(row).into_owned(), row));
            let line = |row| ledger.line(row);
            duplicates("tasks", &path, ids, line, findings);
            rows("tasks", &path, ledger.grid(), findings);
        }
        Err(e) => findings.push(of_error("tasks", &e)),
    }
    let Some(file) = &files.approvals else {
        findings.push(ok("approvals", "none yet".to_owned()));
        return Ok(());
    };
    let path = layout.display(&layout.approvals());
    match source::text(&file.bytes, &path).and_then(|text| ApprovalLedger::parse(text, &path)) {
        Ok(ledger) => {
            findings.push(ok("approvals", count(ledger.rows().count(), "approval")));
            let line = |row: usize| {
                source::position(ledger.grid().text(), ledger.grid().rows[row].span.range().start).0
            };
            let ids = ledger.rows().map(|row| (ledger.approval(row).id.into_owned(), row));
            duplicates("approvals", &path, ids, line, findings);
            rows("approvals", &path, ledger.grid(), findings);
        }
        Err(e) => findings.push(of_error("approvals", &e)),
    }
    Ok(())
}

fn duplicates<R: Copy>(
    subject: &'static str,
    path: &str,
    ids: impl Iterator<Item = (String, R)>,
    line: impl Fn(R) -> usize,
    findings: &mut Vec<Finding>,
) {
    let mut seen: HashMap<String, R> = HashMap::new();
    for (id, row) in ids {
        if let Some(first) = seen.get(&id) {
            let (first, line) = (line(*first), line(row));
            findings.push(Finding {
                subject,
                severity: Severity::Error,
                message: format!("the id `{id}` stands twice: in lines {first} and {line}"),
                place: Some((path.to_owned(), line, 1)),
                help: None,
            });
        } else {
            seen.insert(id, row);
        }
    }
}

/// Rows that Markdown and the tool may see otherwise.
fn rows(subject: &'static str, path: &str, grid: &Grid<'_>, findings: &mut Vec<Finding>) {
    for row in &grid.rows {
        let columns = grid.tables[row.table as usize].header.len();
        let (severity, message) = if !grid.cross_check(row) {
            (Severity::Error, "Markdown splits this row otherwise than it looks".to_owned())
        } else if row.detached {
            (Severity::Warning, "this row is detached from its table by a blank line".to_owned())
        } else if row.len() != columns {
            (Severity::Warning, format!("this row has {} cells, its table {columns}", row.len()))
        } else {
            continue;
        };
        let (line, column) = source::position(grid.text(), row.span.range().start);
        findings.push(Finding {
            subject,
            severity,
            message,
            place: Some((path.to_owned(), line, column)),
            help: None,
        });
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
