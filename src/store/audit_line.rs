//! Lines of the audit file of a day, for people.
//!
//! Here: which operations get one, and how it is spelled. The journal is the
//! record; these lines are what somebody reads in an editor.
//!
//! ```text
//!  [TS=2026-01-01T09:00:00Z] id=T-1 op=done by=AUDIT@eve sha_in=… sha_out=… result=OK note="…"
//! ```

use crate::ledger::compare::value;
use crate::store::entry::Entry;
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
        let sha = |map: &std::collections::BTreeMap<String, String>| map.values().last().cloned();
        let sha_in = entry.sha_in.values().last().cloned().flatten();
        let sha_out = sha(&entry.sha_out);
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
        if !entry.waivers.is_empty() {
            let waived = format!("waived by solo: {}", entry.waivers.join(", "));
            lines.push(line(entry.task.as_deref().unwrap_or("-"), &entry.command, &waived));
        }
        for accepted in &entry.accepts {
            lines.push(line(accepted, "accept", note));
        }
        lines
    }

    /// The line, without its end.
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
            quoted(self.note)
        );
        out
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
