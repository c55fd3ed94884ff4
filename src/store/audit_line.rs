//! Lines of the audit file of a day, for people.
//!
//! Here: which operations get one, and how it is spelled. The journal is the
//! record; these lines are what somebody reads in an editor.
//!
//! ```text
//!  [TS=2026-01-01T09:00:00Z] id=T-1 op=done by=AUDIT@eve sha_in=… sha_out=… result=OK note="…"
//! ```

use crate::ledger::compare::value;
use crate::ledger::flags::{self, Line};
use crate::model::flags::Flag;
use crate::model::secrets;
use crate::store::entry::{Entry, RowChange, RowChangeKind};
use crate::store::journal::{APPROVALS, TASKS};
use std::fmt::Write as _;

/// One line in the making.
#[derive(Debug, Clone, Default)]
pub struct AuditLine<'a> {
    /// When, UTC with seconds.
    pub ts: &'a str,
    /// The task or approval.
    pub id: &'a str,
    /// The command.
    pub op: &'a str,
    /// By whom.
    pub by: &'a str,
    /// SHA-256 of the ledger before.
    pub sha_in: Option<&'a str>,
    /// SHA-256 of the ledger after.
    pub sha_out: Option<&'a str>,
    /// Whether it was done, or refused.
    pub ok: bool,
    /// Why.
    pub note: &'a str,
}

impl AuditLine<'_> {
    /// The lines of an operation, each with its date; most have none.
    pub fn of(entry: &Entry) -> Vec<(String, String)> {
        let ts = format!("{}Z", entry.ts.get(..19).unwrap_or(&entry.ts));
        let date = ts.get(..10).unwrap_or_default().to_owned();
        // Of the task ledger, else of the approvals, else of the last file there is.
        let names = entry.sha_out.keys();
        let is_ledger = |ledger: &str| names.clone().any(|name| name == ledger);
        let name = match [TASKS, APPROVALS].into_iter().find(|ledger| is_ledger(ledger)) {
            Some(ledger) => Some(ledger),
            None => names.clone().next_back().map(String::as_str),
        };
        let sha_in = name.and_then(|name| entry.sha_in.get(name).cloned().flatten());
        let sha_out = name.and_then(|name| entry.sha_out.get(name).cloned());
        let line = |id: &str, op: &str, note: &str| {
            let line = AuditLine {
                ts: &ts,
                id,
                op,
                by: &entry.actor,
                sha_in: sha_in.as_deref(),
                sha_out: sha_out.as_deref(),
                ok: true,
                note,
            };
            (date.clone(), line.spell())
        };
        let note = entry.note.as_deref().unwrap_or("");
        let mut lines: Vec<_> = entry
            .changes
            .iter()
            .filter(|change| {
                change.cells.get("state").is_some_and(|(before, after)| {
                    value(after) == "DONE" && value(before) != "DONE" && !value(before).is_empty()
                })
            })
            .map(|change| line(&change.row, &entry.command, note))
            .collect();
        // What comes from elsewhere may be DONE from its first moment here.
        if matches!(entry.command.as_str(), "import" | "migrate") {
            let came = if note.is_empty() { "it came in as DONE" } else { note };
            let new = entry.changes.iter().filter(|change| {
                change.file == TASKS
                    && change.kind == RowChangeKind::Insert
                    && change.cells.get("state").is_some_and(|(_, after)| value(after) == "DONE")
            });
            lines.extend(new.map(|change| line(&change.row, &entry.command, came)));
        }
        let of_approvals = entry.changes.iter().filter(|c| c.file.ends_with("/APPROVALS.md"));
        for change in of_approvals {
            if let Some(op) = approval_op(&entry.command, change) {
                lines.push(line(&change.row, op, note));
            }
        }
        for text in entry.texts.iter().filter(|text| is_flags(&text.file)) {
            let flags = text.after.lines().filter_map(flags::line);
            for Line { name, value, .. } in flags.filter(|line| Flag::NAMES.contains(&line.name)) {
                let said = format!("{name}={value}");
                let said = if note.is_empty() { said } else { format!("{said}; {note}") };
                lines.push(line(name, "flag", &said));
            }
        }
        if !entry.waivers.is_empty() {
            let waived = format!("waived by solo: {}", entry.waivers.join(", "));
            lines.push(line(entry.task.as_deref().unwrap_or("-"), &entry.command, &waived));
        }
        for accepted in &entry.accepts {
            lines.push(line(accepted, "accept", note));
        }
        lines
    }

    /// The line, without its end. It is read and sent around by people, so a
    /// secret in a note stays in the journal alone.
    pub fn spell(&self) -> String {
        let mut out = String::new();
        let _ = write!(
            out,
            "[TS={}] id={} op={} by={} sha_in={} sha_out={} result={} note=\"{}\"",
            self.ts,
            word(self.id),
            word(self.op),
            self.by,
            self.sha_in.unwrap_or("-"),
            self.sha_out.unwrap_or("-"),
            if self.ok { "OK" } else { "FAIL" },
            quoted(&secrets::redact(self.note))
        );
        out
    }
}

fn is_flags(file: &str) -> bool {
    file.ends_with("/STATE/FLAGS.md") || file.ends_with("/STATE/flags.md")
}

/// What was done to an approval, if anything that people are told of.
fn approval_op<'e>(command: &'e str, change: &RowChange) -> Option<&'e str> {
    let (before, after) = change.cells.get("status")?;
    match (change.kind, value(after)) {
        (RowChangeKind::Insert, _) => Some(command),
        (RowChangeKind::Set, after) if value(before) == after => None,
        (RowChangeKind::Set, "approved") => Some("approve"),
        (RowChangeKind::Set, "rejected") => Some("reject"),
        (RowChangeKind::Set, "expired") if command != "withdraw" => Some("expire"),
        (RowChangeKind::Set, _) => Some(command),
        (RowChangeKind::Remove, _) => None,
    }
}

fn word(text: &str) -> String {
    if text.contains([' ', '"']) { format!("\"{}\"", quoted(text)) } else { text.to_owned() }
}

fn quoted(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
            c => out.push(c),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_whatever_it_quotes() {
        let line = AuditLine {
            id: "a b",
            op: "done",
            note: "x\"\n\u{7}",
            ok: true,
            ..AuditLine::default()
        };
        assert_eq!(
            line.spell(),
            "[TS=] id=\"a b\" op=done by= sha_in=- sha_out=- result=OK note=\"x\\\"\\u{a}\\u{7}\""
        );
    }
}
