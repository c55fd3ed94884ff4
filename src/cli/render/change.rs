//! What a change says to people.

use crate::cli::answer::Cx;
use crate::cli::args::Format;
use crate::cli::render::csv::Rows;
use crate::cli::render::markdown;
use crate::error::Result;
use crate::wire::approval::Approval;
use crate::wire::change::{Change, Undid};
use crate::wire::list::Field;
use crate::wire::task::Task;
use serde_json::Value;
use std::borrow::Cow;

/// The fields of a task in `csv` and `md`.
fn fields() -> Vec<Field> {
    use crate::model::field::TaskField;
    TaskField::ALL.into_iter().map(Field::Known).chain([Field::Priority, Field::Depends]).collect()
}

/// The tasks that an answer is about.
fn tasks(answer: &Change) -> Vec<&Task<'static>> {
    let one = answer.task.iter().flatten();
    let claimed = answer.claimed.iter().flatten();
    one.chain(answer.tasks.iter().flatten()).chain(claimed).collect()
}

/// Writes an answer in any format but JSON.
pub fn tell(
    cx: &mut Cx<'_>,
    command: &str,
    answer: &Change,
    data: &Value,
    nothing: bool,
) -> Result<()> {
    match cx.global.format() {
        Format::Jsonl => {
            let _ = cx.ui.emit(|out, _| writeln!(out, "{data}"))?;
            Ok(())
        }
        Format::Csv => {
            let fields = fields();
            let names: Vec<&str> = fields.iter().map(Field::name).collect();
            let audience = cx.audience();
            let _ = cx.ui.emit(|out, _| {
                let mut csv = Rows::new(out, &names, audience)?;
                for task in tasks(answer) {
                    csv.row(fields.iter().map(|f| f.text(task).unwrap_or_default()))?;
                }
                csv.finish()
            })?;
            Ok(())
        }
        Format::Md => {
            let fields = fields();
            let names: Vec<&str> = fields.iter().map(Field::name).collect();
            let rows: Vec<Vec<Cow<'_, str>>> = tasks(answer)
                .into_iter()
                .map(|task| fields.iter().map(|f| f.text(task).unwrap_or_default()).collect())
                .collect();
            let _ = cx.ui.emit(|out, _| markdown::write(out, &names, rows))?;
            Ok(())
        }
        Format::Json | Format::Table => for_people(cx, command, answer, nothing),
    }
}

fn for_people(cx: &mut Cx<'_>, command: &str, answer: &Change, nothing: bool) -> Result<()> {
    if let (Some(id), Some(undid), false) = (&answer.undone, &answer.undid, answer.already) {
        let _ = cx.ui.line(&undid_line(command, id, undid))?;
    }
    if let Some(approval) = &answer.approval {
        let _ = cx.ui.line(&approval_line(approval))?;
    }
    if let Some(flag) = &answer.flag {
        let _ = cx.ui.line(&format!("{}={}", flag.name, flag.value))?;
    }
    let moved = !answer.archived.is_empty() && answer.undone.is_none();
    let several = answer.tasks.iter().flatten().filter(|_| !moved);
    for task in answer.task.iter().flatten().chain(several) {
        let _ = cx.ui.line(&line(task))?;
    }
    if let Some(claimed) = &answer.claimed {
        let _ = match claimed {
            Some(task) => cx.ui.line(&line(task))?,
            None => cx.ui.line("nothing to claim next")?,
        };
    }
    for moved in &answer.archived {
        let _ = cx.ui.line(&format!("{} → archive/TASKS-{}.md", moved.task_id, moved.year))?;
    }
    if let Some(lease) = &answer.lease {
        let token = lease.token.map_or_else(String::new, |token| format!(", token {token}"));
        let _ =
            cx.ui.line(&format!("lease of {} until {}{token}", lease.owner, lease.expires_at))?;
    }
    super::brief::tell(cx, answer)?;
    let taken: Vec<&str> = answer.reaped.iter().map(String::as_str).collect();
    if !taken.is_empty() && command != "reap" {
        cx.ui.note(&format!("expired leases taken back: {}", taken.join(", ")));
    }
    if nothing {
        let _ = cx.ui.line("nothing can be claimed")?;
        for reason in &answer.reasons {
            let _ = cx.ui.line(&format!("  {}: {}", reason.task_id, reason.reason))?;
        }
    } else if answer.already {
        cx.ui.note(match command {
            "reap" => "no lease has expired; nothing changed",
            "archive" => "no closed task to archive; nothing changed",
            "fmt" => "aligned already; nothing changed",
            "check --fix" => "nothing to mend; nothing changed",
            _ => "it was so already; nothing changed",
        });
    } else if command == "fmt" {
        let _ = cx.ui.line("aligned")?;
    } else if command == "check --fix" {
        let _ = cx.ui.line("mended")?;
    } else if command == "check --accept" {
        let _ = cx.ui.line("accepted")?;
    }
    Ok(())
}

/// `undid claim of T-1 (operation 06…)`
fn undid_line(command: &str, id: &str, undid: &Undid) -> String {
    const SHOWN: usize = 5;
    let verb = if command == "redo" { "redid" } else { "undid" };
    let mut rows = undid.rows.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if undid.rows.len() > SHOWN {
        rows.push_str(&format!(" and {} more", undid.rows.len() - SHOWN));
    }
    let of = if rows.is_empty() { String::new() } else { format!(" of {rows}") };
    format!("{verb} {}{of} (operation {id})", undid.command)
}

/// `A001 pending 020 merge, evidence ORCH/patches/… (1f2e3d4c5b6a)`
fn approval_line(approval: &Approval) -> String {
    let cell = |cell: &Option<String>| cell.as_deref().unwrap_or("-").to_owned();
    let Approval { appr_id, task_id, op, status, evidence, evidence_sha256, .. } = approval;
    let mut line = format!("{appr_id} {} {} {}", cell(status), cell(task_id), cell(op));
    if let Some(evidence) = evidence {
        line.push_str(&format!(", evidence {evidence}"));
    }
    if let Some(sha) = evidence_sha256 {
        line.push_str(&format!(" ({})", sha.get(..12).unwrap_or(sha)));
    }
    line
}

fn line(task: &Task<'_>) -> String {
    let state = task.state.as_deref().unwrap_or("-");
    format!("{} {state} {}", task.task_id, task.title.as_deref().unwrap_or("-"))
}
