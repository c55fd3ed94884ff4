//! New tasks, and notes on them.

use crate::error::{Error, Result};
use crate::ledger::render::column_named;
use crate::ledger::tasks::{TaskLedger, shell_word};
use crate::model::actor::{Actor, Role};
use crate::model::field::TaskField;
use crate::model::id::is_new_id;
use crate::model::operation::Operation;
use crate::model::outcome::Outcome;
use crate::model::task_state::State;
use crate::model::time::Due;
use crate::model::value::Priority;
use crate::services::change::Decision;
use crate::services::context::{Context, Identity};
use crate::services::draft::Draft;
use crate::services::ids::{self, Given};
use crate::services::transition::Case;
use crate::store::snapshot::Snapshot;
use std::collections::HashSet;

/// What `add` asks.
#[derive(Debug, Clone, Default)]
pub struct Add {
    /// What is to be done.
    pub title: String,
    /// `--id`
    pub id: Option<String>,
    /// `--owner`
    pub owner: Option<String>,
    /// `--state`: PLAN or READY.
    pub state: Option<String>,
    /// `--due`
    pub due: Option<String>,
    /// `--artifact`
    pub artifact: Option<String>,
    /// `--note`
    pub note: Option<String>,
    /// `--priority`
    pub priority: Option<String>,
    /// `--depends`
    pub depends: Option<String>,
    /// `--detail`
    pub detail: Option<String>,
}

/// Adds a task.
pub fn add(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    request: &Add,
) -> Result<Decision> {
    let title = request.title.trim();
    if title.is_empty() || title == "-" {
        return Err(Error::usage("a task needs a title").hint("orch add \"Write the report\""));
    }
    let state = first_state(request.state.as_deref())?;
    let id = match &request.id {
        Some(id) => given_id(snapshot, id)?,
        None => new_id(ctx, snapshot)?,
    };
    let mut waivers = Vec::new();
    if state == State::Ready && !who.may(who.actor.role() == Role::Cmd, &mut waivers) {
        return Err(Error::not_allowed(format!(
            "`--state READY` is `add` and `ready` in one, and `ready` needs CMD; you are `{}`",
            who.actor
        ))
        .hint("orch add --help"));
    }
    let mut draft = Draft::new(&id);
    draft.set(TaskField::Title, Some(title.to_owned()));
    draft.set(TaskField::State, Some(state.as_str().to_owned()));
    if let Some(owner) = &request.owner {
        draft.set(TaskField::Owner, check_owner(owner)?);
    }
    if let Some(due) = &request.due {
        draft.set(TaskField::Due, check_due(due)?);
    }
    draft.set(TaskField::Artifact, request.artifact.clone());
    if let Some(note) = &request.note {
        draft.note(note);
    }
    if let Some(priority) = &request.priority {
        set_word(snapshot, &mut draft, "priority", check_priority(priority)?)?;
    }
    if let Some(depends) = &request.depends {
        let depends = check_depends(snapshot, &id, depends)?;
        set_word(snapshot, &mut draft, "depends", depends)?;
    }
    let mut decision = Decision::new(Outcome::of_ids(std::slice::from_ref(&id)));
    decision.waivers = waivers;
    decision.operations.push(Operation::AddTask { id: id.clone(), cells: draft.into_cells() });
    if let Some(text) = &request.detail {
        decision.operations.push(Operation::SetDetail {
            id,
            title: title.to_owned(),
            text: text.clone(),
        });
    }
    Ok(decision)
}

/// Sets the column of that name, else the attribute.
fn set_word(
    snapshot: &Snapshot<'_>,
    draft: &mut Draft,
    name: &str,
    value: Option<String>,
) -> Result<()> {
    match column_named(&snapshot.tasks, name) {
        Some(column) => draft.set(column, value),
        None => draft.attribute(name, value.as_deref())?,
    }
    Ok(())
}

fn first_state(text: Option<&str>) -> Result<State> {
    let Some(text) = text else { return Ok(State::Plan) };
    match State::parse(&text.to_ascii_uppercase()) {
        Some(state @ (State::Plan | State::Ready)) => Ok(state),
        Some(state) => {
            Err(Error::not_allowed(format!("a new task begins in PLAN or READY, not in {state}"))
                .hint("orch add --help"))
        }
        None => {
            Err(Error::usage(format!("`{text}` is no state; a new task begins in PLAN or READY")))
        }
    }
}

fn given_id(snapshot: &Snapshot<'_>, id: &str) -> Result<String> {
    if !is_new_id(id) {
        return Err(Error::usage(format!(
            "`{id}` cannot be a new id: 1 to 64 of `A-Z a-z 0-9 . _ -`, beginning with a letter or digit"
        )));
    }
    let there = !snapshot.tasks.rows_of(id).is_empty();
    if there
        || snapshot.archived(id)?.is_some()
        || snapshot.journal()?.given_ids().iter().any(|g| g == id)
    {
        return Err(Error::not_allowed(format!(
            "the id `{id}` was given before, and no id is given twice"
        ))
        .hint(if there {
            format!("orch show {}", shell_word(id))
        } else {
            "orch list".to_owned()
        }));
    }
    Ok(id.to_owned())
}

/// The next id, counted over ledger, archive and journal.
fn new_id(ctx: &Context, snapshot: &Snapshot<'_>) -> Result<String> {
    let ids_of = |ledger: &TaskLedger<'_>| -> Vec<String> {
        ledger.rows().map(|row| ledger.id(row).into_owned()).collect()
    };
    let mut former = snapshot.archived_ids()?;
    former.extend(snapshot.journal()?.given_ids());
    let configured = ctx.settings.ids.tasks.clone();
    Ok(ids::next(ctx, Given { rows: ids_of(&snapshot.tasks), former, configured, prefix: "" }))
}

/// An owner cell: an actor, or empty.
pub fn check_owner(text: &str) -> Result<Option<String>> {
    if text.is_empty() || text == "-" {
        return Ok(None);
    }
    Actor::parse(text).map(|actor| Some(actor.as_str().to_owned())).ok_or_else(|| {
        Error::usage(format!(
            "`{text}` is no owner; write CMD, WORK or AUDIT, or a role with a name such as `WORK@ada`"
        ))
    })
}

/// A due cell: a date, an instant, or empty.
pub fn check_due(text: &str) -> Result<Option<String>> {
    if text.is_empty() || text == "-" {
        return Ok(None);
    }
    Due::parse(text).map(|_| Some(text.to_owned())).ok_or_else(|| {
        Error::usage(format!(
            "`{text}` is no due date; write `2026-11-30`, or `2026-11-30T17:00:00Z` (UTC)"
        ))
    })
}

/// A priority, or none.
pub fn check_priority(text: &str) -> Result<Option<String>> {
    if text.is_empty() || text == "-" {
        return Ok(None);
    }
    Priority::parse(text).map(|p| Some(p.as_str().to_owned())).ok_or_else(|| {
        Error::usage(format!("`{text}` is no priority; write LOW, MEDIUM, HIGH or CRITICAL"))
    })
}

/// A list of ids, separated by `+`, `,` or blanks; it must not lead back.
pub fn check_depends(snapshot: &Snapshot<'_>, id: &str, text: &str) -> Result<Option<String>> {
    let ids: Vec<&str> =
        text.split(['+', ',', ' ']).filter(|part| !part.is_empty() && *part != "-").collect();
    let mut open: Vec<String> = ids.iter().map(|d| (*d).to_owned()).collect();
    let mut seen: HashSet<String> = HashSet::new();
    while let Some(next) = open.pop() {
        if next == id {
            return Err(Error::not_allowed(format!(
                "`{id}` would depend on itself, by way of {}",
                ids.join(", ")
            ))
            .hint("orch list"));
        }
        if seen.insert(next.clone())
            && let [row] = snapshot.tasks.rows_of(&next)[..]
        {
            open.extend(snapshot.tasks.task(row).depends().map(str::to_owned));
        }
    }
    Ok((!ids.is_empty()).then(|| ids.join("+")))
}

/// Appends to a task's notes.
pub fn note(snapshot: &Snapshot<'_>, id: &str, text: &str) -> Result<Decision> {
    let text = text.trim_matches(['\n', ' ']);
    // A dash is how an empty cell is spelled.
    if text.is_empty() || text == "-" {
        return Err(Error::usage("a note needs a text"));
    }
    let case = Case::of(snapshot, id)?;
    let mut decision = Decision::new(Outcome::of_ids(&[id.to_owned()]));
    let written = text.replace("\r\n", "\n").replace('\n', "<br>");
    let notes = case.task.notes.as_deref().unwrap_or("");
    let repeated = notes == written || notes.ends_with(&format!("・{written}"));
    if repeated {
        decision.outcome.already = true;
        return Ok(decision);
    }
    let mut draft = Draft::of(&case.task);
    draft.note(text);
    decision.operations.push(Operation::SetTask { id: id.to_owned(), cells: draft.into_cells() });
    Ok(decision)
}
