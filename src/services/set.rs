//! `set` and `move`: cells by name, and states by the state machine.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::render::column_named;
use crate::ledger::schema::{self, approval_names};
use crate::ledger::tasks::shell_word;
use crate::model::actor::Role;
use crate::model::field::{ApprovalField, TaskField};
use crate::model::operation::{Column, Operation};
use crate::model::outcome::Outcome;
use crate::model::task_state::{Command, State};
use crate::model::time::Timestamp;
use crate::model::value::attribute;
use crate::services::change::Decision;
use crate::services::claim;
use crate::services::context::{Context, Identity};
use crate::services::draft::Draft;
use crate::services::tasks::{check_depends, check_due, check_owner, check_priority};
use crate::services::transition::{self, Case, Standing, held, standing};
use crate::store::mirror::MirrorChange;
use crate::store::snapshot::Snapshot;

/// What `set` asks.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Which task.
    pub id: String,
    /// Field name and value; an empty value or `-` clears.
    pub fields: Vec<(String, String)>,
    /// `--token`
    pub token: Option<u64>,
    /// `--note`
    pub note: Option<String>,
}

/// Reads `FIELD=VALUE`.
pub fn parse_field(text: &str) -> Result<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        _ => Err(Error::usage(format!("`{text}` is not `FIELD=VALUE`")).hint("orch set --help")),
    }
}

/// What a field name means.
#[derive(PartialEq, Eq)]
enum Target {
    State,
    Detail,
    Column(Column),
    Attribute(String),
}

/// Sets cells of one task; `state=` is `move`.
pub fn set(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    request: &Request,
    now: Timestamp,
) -> Result<Decision> {
    let targets: Vec<(Target, &str)> = request
        .fields
        .iter()
        .map(|(name, value)| Ok((target(ctx, snapshot, request, name)?, value.as_str())))
        .collect::<Result<_>>()?;
    for (n, (target, _)) in targets.iter().enumerate() {
        if targets[..n].iter().any(|(other, _)| other == target) {
            return Err(Error::usage(format!("`{}` is set twice", request.fields[n].0)));
        }
    }
    let is_approval = || snapshot.approvals.find(&request.id).is_ok();
    let case = Case::of(snapshot, &request.id).map_err(|error| match error.kind {
        ErrorKind::NotFound if is_approval() => Error::not_allowed(format!(
            "`{}` is an approval; approvals change by request, approve, reject and withdraw only",
            request.id
        ))
        .hint("orch approvals"),
        _ => error,
    })?;
    case.reliable(None)?;
    for (target, value) in &targets {
        check_settable(who, &case, target, value)?;
    }
    let only_state = targets.iter().all(|(target, _)| matches!(target, Target::State));
    if !only_state {
        may_set(ctx, who, &case, request.token)?;
    }
    let mut decision = Decision::new(Outcome::of_ids(std::slice::from_ref(&request.id)));
    let mut draft = Draft::of(&case.task);
    let mut moved = None;
    for (target, value) in &targets {
        match target {
            Target::State => moved = Some(*value),
            Target::Detail => decision.operations.push(Operation::SetDetail {
                id: request.id.clone(),
                title: case.task.title.as_deref().unwrap_or("").to_owned(),
                text: (*value).to_owned(),
            }),
            Target::Column(column) => {
                let value = match column {
                    Column::Extra(name) if schema::same(name, "priority") => check_priority(value)?,
                    Column::Extra(name) if schema::same(name, "depends") => {
                        check_depends(snapshot, &request.id, value)?
                    }
                    _ => checked(column, value)?,
                };
                draft.set(column.clone(), value);
            }
            Target::Attribute(key) => {
                let value = match key.as_str() {
                    "priority" => check_priority(value)?,
                    "depends" => check_depends(snapshot, &request.id, value)?,
                    _ => (!matches!(*value, "" | "-")).then(|| (*value).to_owned()),
                };
                draft.attribute(key, value.as_deref())?;
            }
        }
    }
    if let Some(note) = &request.note
        && !targets.is_empty()
    {
        draft.note(note);
    }
    let cells = draft.into_cells();
    if !cells.is_empty() {
        decision.operations.push(Operation::SetTask { id: request.id.clone(), cells });
    }
    if let Some(to) = moved {
        let request = transition::Request {
            ids: vec![request.id.clone()],
            token: request.token,
            note: None,
            ..transition::Request::default()
        };
        let step = move_to(ctx, snapshot, who, &request, to, now)?;
        merge(&mut decision, step);
    }
    decision.outcome.already = decision.operations.is_empty();
    Ok(decision)
}

/// Joins the changes of a move into those of the cells: one change a cell.
fn merge(decision: &mut Decision, step: Decision) {
    decision.token = decision.token.or(step.token);
    decision.waivers.extend(step.waivers);
    decision.mirrors.extend(step.mirrors);
    decision.warnings.extend(step.warnings);
    decision.outcome.lease = step.outcome.lease;
    for operation in step.operations {
        let Operation::SetTask { id, cells } = operation else {
            decision.operations.push(operation);
            continue;
        };
        let same = decision.operations.iter_mut().find_map(|o| match o {
            Operation::SetTask { id: other, cells } if *other == id => Some(cells),
            _ => None,
        });
        match same {
            Some(there) => {
                for cell in cells {
                    if !there.iter().any(|c| c.column == cell.column) {
                        there.push(cell);
                    }
                }
            }
            None => decision.operations.push(Operation::SetTask { id, cells }),
        }
    }
}

fn target(ctx: &Context, snapshot: &Snapshot<'_>, request: &Request, name: &str) -> Result<Target> {
    if name.eq_ignore_ascii_case("detail") {
        return Ok(Target::Detail);
    }
    match column_named(&snapshot.tasks, name) {
        Some(Column::Known(TaskField::State)) => return Ok(Target::State),
        Some(column) => return Ok(Target::Column(column)),
        None => {}
    }
    let in_settings =
        || ctx.settings.watch.runners.iter().any(|runner| runner.matches.attr.contains_key(name));
    let in_notes = || {
        let [row] = snapshot.tasks.rows_of(&request.id)[..] else { return false };
        snapshot
            .tasks
            .cell(row, TaskField::Notes)
            .is_some_and(|notes| attribute(&notes, name).is_some())
    };
    if matches!(name, "priority" | "depends") || in_settings() || in_notes() {
        return Ok(Target::Attribute(name.to_owned()));
    }
    let is_it =
        |field: &ApprovalField| approval_names(*field).iter().any(|n| schema::same(n, name));
    if ApprovalField::ALL.iter().any(is_it) {
        return Err(Error::not_allowed(format!(
            "`{name}` is a column of approvals, and those change by request, approve, reject and \
             withdraw only"
        ))
        .hint("orch approvals"));
    }
    let known = TaskField::ALL.iter().map(|f| f.name()).chain(["priority", "depends", "detail"]);
    let extra = snapshot.tasks.extra_names();
    let near = known
        .chain(extra)
        .filter(|k| strsim::damerau_levenshtein(k, &name.to_lowercase()) <= 2)
        .min_by_key(|k| strsim::damerau_levenshtein(k, &name.to_lowercase()));
    let error = Error::usage(format!(
        "no column or attribute `{name}`{}",
        near.map_or(String::new(), |near| format!("; did you mean `{near}`?"))
    ));
    Err(error.hint("orch set --help"))
}

fn check_settable(who: &Identity, case: &Case<'_>, target: &Target, value: &str) -> Result<()> {
    let Target::Column(Column::Known(field)) = target else { return Ok(()) };
    let id = shell_word(&case.task.id);
    match field {
        TaskField::TaskId => Err(Error::not_allowed(
            "an id cannot be changed: journal, approvals and other tasks name it",
        )
        .hint(format!("orch show {id}"))),
        TaskField::Lock | TaskField::LockOwner | TaskField::LockExpiresAt => {
            Err(Error::not_allowed(format!(
                "`{}` is a lock cell; leases change by claim, renew and release",
                field.name()
            ))
            .hint(format!("orch show {id}")))
        }
        TaskField::Owner if who.actor.role() != Role::Cmd && !who.solo => {
            Err(Error::not_allowed(format!("`owner` is set by CMD; you are `{}`", who.actor))
                .hint(format!("orch show {id}")))
        }
        TaskField::Title if matches!(value.trim(), "" | "-") => {
            Err(Error::usage("a task needs a title"))
        }
        _ => Ok(()),
    }
}

/// A held task is set by its holder or CMD.
pub(super) fn may_set(
    ctx: &Context,
    who: &Identity,
    case: &Case<'_>,
    token: Option<u64>,
) -> Result<()> {
    if case.lease().is_none() || who.actor.role() == Role::Cmd || who.solo {
        return Ok(());
    }
    let given = who.token_for(&case.task.id, token);
    match standing(ctx, who, case, given)? {
        Standing::Holder => Ok(()),
        Standing::Other => Err(held(case)),
    }
}

fn checked(column: &Column, value: &str) -> Result<Option<String>> {
    match column {
        Column::Known(TaskField::Owner) => check_owner(value),
        Column::Known(TaskField::Due) => check_due(value),
        _ => Ok((!matches!(value, "" | "-")).then(|| value.to_owned())),
    }
}

/// `move ID STATE`: the command that leads there, under its own rules.
pub fn move_to(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    request: &transition::Request,
    to: &str,
    now: Timestamp,
) -> Result<Decision> {
    let Some(to) = State::parse(&to.to_ascii_uppercase()) else {
        let all = State::ALL.map(State::as_str).join(", ");
        return Err(Error::usage(format!("`{to}` is no state; the states are {all}")));
    };
    let mut decision = Decision::new(Outcome::of_ids(&request.ids));
    for id in transition::unique(&request.ids) {
        if snapshot.tasks.rows_of(id).is_empty() && to == State::Plan {
            let request = transition::Request { ids: vec![id.to_owned()], ..request.clone() };
            let one = transition::decide(ctx, snapshot, who, Command::Reopen, &request, now)?;
            absorb(&mut decision, one);
            continue;
        }
        let case = Case::of(snapshot, id)?;
        let Some(from) = case.state else {
            leave_unknown(who, &case, to, request, &mut decision)?;
            continue;
        };
        if from == to && to != State::Doing {
            continue;
        }
        let command = Command::between(from, to, case.origin());
        let request = transition::Request { ids: vec![id.to_owned()], ..request.clone() };
        let one = match command {
            Some(Command::Claim) => claim::claim(ctx, snapshot, who, &as_claim(&request), now)?,
            None if to == State::Doing => {
                claim::claim(ctx, snapshot, who, &as_claim(&request), now)?
            }
            Some(Command::NeedsInput) => needs_input(ctx, snapshot, who, &request, now)?,
            Some(Command::Reopen) if request.note.is_none() => {
                return Err(Error::usage("`reopen` needs `--note`: say why")
                    .hint(format!("orch show {}", shell_word(id))));
            }
            Some(command) => transition::decide(ctx, snapshot, who, command, &request, now)?,
            None => {
                return Err(Error::new(
                    ErrorKind::NotAllowed,
                    format!("no command leads `{id}` from {from} to {to}"),
                )
                .hint(format!("orch show {}", shell_word(id))));
            }
        };
        absorb(&mut decision, one);
    }
    decision.outcome.already = decision.operations.is_empty();
    Ok(decision)
}

fn needs_input(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    request: &transition::Request,
    now: Timestamp,
) -> Result<Decision> {
    if request.note.is_none() {
        return Err(Error::usage(
            "from DOING to PLAN is `release --needs-input`: say with `--note` what must be answered",
        ));
    }
    transition::decide(ctx, snapshot, who, Command::NeedsInput, request, now)
}

fn as_claim(request: &transition::Request) -> claim::Request {
    claim::Request {
        ids: request.ids.clone(),
        token: request.token,
        note: request.note.clone(),
        ttl: None,
    }
}

fn absorb(decision: &mut Decision, one: Decision) {
    decision.operations.extend(one.operations);
    decision.mirrors.extend(one.mirrors);
    decision.waivers.extend(one.waivers);
    decision.token = decision.token.or(one.token);
    decision.outcome.lease = one.outcome.lease.or(decision.outcome.lease.take());
}

/// A state that the tool does not know is left by CMD only, and not into one
/// that needs a lease or a review.
fn leave_unknown(
    who: &Identity,
    case: &Case<'_>,
    to: State,
    request: &transition::Request,
    decision: &mut Decision,
) -> Result<()> {
    let id = case.task.id.as_ref();
    if !who.may(who.actor.role() == Role::Cmd, &mut decision.waivers) {
        return Err(Error::not_allowed(format!(
            "`{id}` is in the state `{}`, which the tool does not know; only CMD moves it out",
            case.task.state.as_deref().unwrap_or("-")
        ))
        .hint(format!("orch show {}", shell_word(id))));
    }
    if matches!(to, State::Doing | State::Done) {
        return Err(Error::not_allowed(format!(
            "`{id}` cannot go from an unknown state to {to}: DOING takes a claim, DONE a review"
        ))
        .hint(format!("orch show {}", shell_word(id))));
    }
    let mut draft = Draft::of(&case.task);
    draft.set(TaskField::State, Some(to.as_str().to_owned()));
    draft.unlock(&case.task);
    if let Some(note) = &request.note {
        draft.note(note);
    }
    decision.operations.push(Operation::SetTask { id: id.to_owned(), cells: draft.into_cells() });
    decision.mirrors.push(MirrorChange::Remove(id.to_owned()));
    Ok(())
}
