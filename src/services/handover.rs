//! `handover`: what was done and what is left, for whoever goes on.
//!
//! Here: who may, and what is refused. Not here: how it stands in the detail section
//! (`ledger::handover`), how it is shown with a claim (`brief`).

use crate::error::{Error, Result};
use crate::ledger::handover::of_section;
use crate::ledger::section;
use crate::ledger::tasks::shell_word;
use crate::model::handover::Handover;
use crate::model::operation::Operation;
use crate::model::outcome::Outcome;
use crate::model::task_state::State;
use crate::model::time::Timestamp;
use crate::services::change::Decision;
use crate::services::claim::running;
use crate::services::context::{Context, Identity};
use crate::services::set::may_set;
use crate::services::transition::Case;
use crate::store::snapshot::Snapshot;

/// The most bytes of one handover: more belongs into a file that it names.
pub const LARGEST: usize = 16 << 10;

/// What `handover` asks.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Which task.
    pub id: String,
    /// What was done, what is left, and where.
    pub text: String,
    /// The lease's token.
    pub token: Option<u64>,
}

/// Writes a handover: by the holder or CMD where somebody holds the task, else by
/// everybody. The same again is nothing new.
///
/// # Errors
/// `usage` for a text that is empty or too long, `not_allowed` for a closed task,
/// and what `set` says of leases.
pub fn hand_over(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    request: &Request,
    now: Timestamp,
) -> Result<Decision> {
    let id = request.id.as_str();
    let text = plain(&request.text)?;
    let case = Case::of(snapshot, id)?;
    case.reliable(None)?;
    if let Some(state) = case.state.filter(|state| state.is_closed()) {
        return Err(closed(id, state));
    }
    may_set(ctx, who, &case, request.token)?;
    let actor = who.actor.as_str().to_owned();
    let mut decision = Decision::new(Outcome::of_ids(&[id.to_owned()]));
    decision.outcome.lease = running(ctx, who, &case);
    let last = last(snapshot, id);
    if last.as_ref().is_some_and(|last| last.text == text && last.actor == actor) {
        decision.outcome.already = true;
        return Ok(decision);
    }
    let handover = Handover { at: now.whole_seconds(), actor, text };
    let heading = format!("Handover {}", handover.at);
    if let Some(other) = section::ids(&heading).find(|id| !snapshot.tasks.rows_of(id).is_empty()) {
        return Err(Error::not_allowed(format!(
            "the heading of a handover would be that of the task `{other}`"
        ))
        .hint(format!("orch show {}", shell_word(other))));
    }
    decision.operations.push(Operation::AddHandover {
        id: id.to_owned(),
        title: case.task.title.as_deref().unwrap_or("").to_owned(),
        handover,
    });
    Ok(decision)
}

/// The text with `\n` and without what is blank around it.
fn plain(text: &str) -> Result<String> {
    let text = text.replace("\r\n", "\n");
    let first = text.find(|c: char| !c.is_whitespace()).unwrap_or(text.len());
    let from = text[..first].rfind('\n').map_or(0, |n| n + 1);
    let text = text[from..].trim_end();
    if text.is_empty() {
        return Err(Error::usage(
            "a handover needs a text: what was done, what is left, and where",
        ));
    }
    if text.len() > LARGEST {
        return Err(Error::usage(format!(
            "a handover has at most {LARGEST} bytes, and this one has {}; put the rest into a file \
             and name that",
            text.len()
        )));
    }
    Ok(text.to_owned())
}

fn closed(id: &str, state: State) -> Error {
    Error::not_allowed(format!("`{id}` is {state}, and a handover is for work that goes on"))
        .hint(format!("orch show {}", shell_word(id)))
}

/// The newest handover of a task.
pub fn last(snapshot: &Snapshot<'_>, id: &str) -> Option<Handover> {
    let (heading, body) = snapshot.tasks.section(id)?;
    let grid = snapshot.tasks.grid();
    let found = of_section(grid.text(), &grid.headings, &heading, &body);
    crate::ledger::handover::last(&found).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_around_go_and_indentation_stays() {
        assert_eq!(plain("\r\n \n  - a\r\n    b  \n\n").unwrap(), "  - a\n    b");
        for text in ["", " ", "\n\t\n", "\u{3000}"] {
            assert!(plain(text).is_err(), "{text:?}");
        }
        assert!(plain(&"x".repeat(LARGEST)).is_ok());
        assert!(plain(&"x".repeat(LARGEST + 1)).is_err());
    }
}
