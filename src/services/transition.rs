//! State commands: may this caller move this task, and what does that write?
//!
//! Pure: a snapshot, a request and the present in, operations out. The order of
//! the questions is CONTRACT's: bad arguments, not found, invalid, not allowed,
//! separation of duties, held, lease lost, stale, approval; only a lost lease is
//! told before the state machine's no.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::change::RowChangeKind;
use crate::ledger::compare::value;
use crate::ledger::tasks::{RowId, TaskLedger, shell_word};
use crate::model::field::TaskField;
use crate::model::history::{LeaseEnd, TaskHistory};
use crate::model::operation::Operation;
use crate::model::outcome::Outcome;
use crate::model::task::{Expiry, Lease, Task, owns};
use crate::model::task_state::{Caller, Command, Denial, Rule, State, Target, Who, rule};
use crate::model::time::Timestamp;
use crate::services::approvals::expire;
use crate::services::change::Decision;
use crate::services::context::{Context, Identity};
use crate::services::draft::Draft;
use crate::services::duties::{self, Duty, Party};
use crate::services::{gates, hand_edits, runs};
use crate::store::mirror::{self, MirrorChange};
use crate::store::seen::Suspended;
use crate::store::snapshot::Snapshot;
use std::borrow::Cow;

/// A task with what is known of it.
#[derive(Debug)]
pub struct Case<'s> {
    /// Its row.
    pub row: RowId,
    /// Its cells.
    pub task: Task<'s>,
    /// Its state, if the tool knows it.
    pub state: Option<State>,
    /// Its past.
    pub history: TaskHistory,
    /// The hand edit of it that counts for nothing. Where that took or removed a
    /// live lease, the cells above are those from before it.
    pub standing: Option<&'s Suspended>,
}

impl<'s> Case<'s> {
    /// Looks a task up.
    pub fn of(snapshot: &'s Snapshot<'_>, id: &str) -> Result<Self> {
        let standing = snapshot.standing_of(id);
        let row = match snapshot.tasks.find(id) {
            Err(_) if standing.is_some_and(|s| s.change.kind == RowChangeKind::Remove) => {
                return Err(standing.map_or_else(|| Error::invalid(""), hand_edits::refusal));
            }
            Err(e) if e.kind == ErrorKind::NotFound => match snapshot.archived(id)? {
                Some(year) => {
                    return Err(Error::not_found(format!(
                        "`{id}` is in the archive of {year}; only `reopen` moves it back"
                    ))
                    .hint(format!("orch show {}", shell_word(id))));
                }
                None => return Err(e),
            },
            found => found?,
        };
        let mut task = snapshot.tasks.task(row);
        if let Some(standing) = standing.filter(|s| s.forbidden.code == hand_edits::LEASE) {
            before_it(&mut task, standing);
        }
        let history = snapshot.journal()?.history(id);
        // A merge may keep the row that one side archived. Archives are read for tasks only
        // that were away.
        if history.was_away
            && let Some(error) = stands_archived_too(snapshot, id, row)?
        {
            return Err(error);
        }
        let doing = (task.known_state() == Some(State::Doing)).then_some(&task);
        let holder = doing.and_then(|task| task.lock_owner.as_deref());
        let history = history.settled(holder, doing.and_then(|task| task.lock.as_deref()));
        Ok(Self { row, state: task.known_state(), task, history, standing })
    }

    /// Refuses to rely on a row that was edited in a way that counts for nothing.
    ///
    /// # Errors
    /// `ledger_invalid`, for everybody but, with `holder`, who held a live lease
    /// that the edit took or removed.
    pub fn reliable(&self, holder: Option<&Identity>) -> Result<()> {
        let Some(standing) = self.standing else { return Ok(()) };
        let holds = |who: &Identity| {
            standing.forbidden.code == hand_edits::LEASE
                && self.lease().is_some_and(|lease| lease.is_held_by(&who.actor))
        };
        if holder.is_some_and(holds) {
            return Ok(());
        }
        Err(hand_edits::refusal(standing))
    }

    /// Where a claim or a hold came from; an unknown origin is READY.
    pub fn origin(&self) -> State {
        match self.state {
            Some(State::Hold) => self.history.held_from,
            _ => self.history.claimed_from,
        }
        .unwrap_or(State::Ready)
    }

    /// The running lease: that of a task in DOING.
    pub fn lease(&self) -> Option<Lease<'_>> {
        (self.state == Some(State::Doing)).then(|| self.task.lease()).flatten()
    }

    /// Whether the lease has ended, grace included. No lease has.
    pub fn is_expired(&self, ctx: &Context, now: Timestamp) -> bool {
        self.lease().is_none_or(|lease| !lease.is_live(now, ctx.settings.leases.grace))
            && !runs::lives(ctx, &self.task.id)
    }

    /// The token of the running lease; one that was typed by hand has none.
    pub fn token(&self, ctx: &Context) -> Option<u64> {
        let holder = self.lease()?.holder?.to_owned();
        let is_same = |other: &str| other.eq_ignore_ascii_case(&holder);
        if let Some(running) = self.history.running() {
            return is_same(&running.holder).then_some(running.token).flatten();
        }
        mirror::read(&ctx.sys, &ctx.layout, &self.task.id)
            .filter(|m| is_same(&m.owner))
            .filter(|m| {
                self.task.lock.as_deref() == Some(&format!("{}@{}", m.owner, m.ts_acquired))
            })
            .map(|m| m.token)
    }

    /// For people: `orch show <id>`.
    fn show(&self) -> String {
        format!("orch show {}", shell_word(&self.task.id))
    }
}

/// An id that stands in the ledger and in an archive: which of the two counts is
/// for people to say.
fn stands_archived_too(snapshot: &Snapshot<'_>, id: &str, row: RowId) -> Result<Option<Error>> {
    let Some(year) = snapshot.archived(id)? else { return Ok(None) };
    let text = snapshot.archives()?.get(&year).map_or("", String::as_str);
    let archive = TaskLedger::parse_any(text, "archive");
    let other = archive.rows_of(id).first().map_or(1, |row| archive.line(*row));
    let (path, line) = (snapshot.tasks.path(), snapshot.tasks.line(row));
    let message = format!(
        "the id `{id}` stands twice: here, and in line {other} of the archive of {year}; remove \
         the row that is out of date"
    );
    let (_, column) = snapshot.tasks.place(row, TaskField::TaskId);
    Ok(Some(Error::invalid(message).at(path, line, column).hint("orch check")))
}

/// Puts the cells back that say who held a task until a hand edit said otherwise.
fn before_it<'s>(task: &mut Task<'s>, standing: &'s Suspended) {
    let before = |column: &str| {
        let (before, _) = standing.change.cells.get(column)?;
        Some(Some(value(before)).filter(|v| !v.is_empty()).map(Cow::Borrowed))
    };
    for (column, cell) in [
        ("state", &mut task.state),
        ("lock", &mut task.lock),
        ("lock_owner", &mut task.lock_owner),
        ("lock_expires_at", &mut task.lock_expires_at),
    ] {
        if let Some(before) = before(column) {
            *cell = before;
        }
    }
}

/// Whether the caller's lease on a task is its own to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It holds the task.
    Holder,
    /// It does not, and never lost it.
    Other,
}

/// Judges the caller's lease.
///
/// # Errors
/// `lease_lost` where the caller or the token had a lease that ended otherwise
/// than by itself, or where a needed token is missing; `ledger_invalid` where
/// the end of the lease cannot be read.
pub fn standing(
    ctx: &Context,
    who: &Identity,
    case: &Case<'_>,
    token: Option<u64>,
) -> Result<Standing> {
    let id = &case.task.id;
    let lost = |why: String| Err(Error::new(ErrorKind::LeaseLost, why).hint(case.show()));
    let lease = case.lease();
    let mine = lease.is_some_and(|lease| lease.is_held_by(&who.actor));
    let current = case.token(ctx);
    if let Some(token) = token {
        if case.history.is_lost_token(token) {
            return lost(format!(
                "the lease on `{id}` with token {token} is gone: it was taken over, reaped or removed"
            ));
        }
        if lease.is_some() && current != Some(token) {
            return lost(format!("{token} is not the token of the lease that runs on `{id}`"));
        }
        return Ok(if mine { Standing::Holder } else { Standing::Other });
    }
    if mine {
        let why = if who.actor.is_bare() {
            "a bare role"
        } else if case.history.has_lost(&who.actor) {
            "an actor that lost an earlier lease on this task"
        } else {
            return Ok(Standing::Holder);
        };
        return match current {
            None => Ok(Standing::Holder),
            Some(_) => Err(Error::new(
                ErrorKind::LeaseLost,
                format!(
                    "`{id}` is held by `{}`, and {why} must give the lease's token with `--token`",
                    who.actor
                ),
            )
            .hint("orch leases")),
        };
    }
    if case.history.lost_last(&who.actor) {
        return lost(format!(
            "`{}` no longer holds `{id}`: the lease was taken over, reaped or removed",
            who.actor
        ));
    }
    Ok(Standing::Other)
}

/// The error for a task that somebody else holds.
pub fn held(case: &Case<'_>) -> Error {
    let holder = case.lease().and_then(|l| l.holder).unwrap_or("somebody").to_owned();
    let until = match case.lease().map(|l| l.expiry) {
        Some(Expiry::At(end)) => format!("until {end}"),
        Some(Expiry::Missing) | None => {
            "by a lease without an end, which counts as expired".to_owned()
        }
        Some(Expiry::Malformed(text)) => format!("until `{text}`, which is no time"),
    };
    Error::new(ErrorKind::Held, format!("`{}` is held by `{holder}` {until}", case.task.id))
        .hint("orch next")
}

/// What a state command asks.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Which tasks.
    pub ids: Vec<String>,
    /// The lease's token.
    pub token: Option<u64>,
    /// Appended to the notes.
    pub note: Option<String>,
    /// `submit --artifact`
    pub artifact: Option<String>,
    /// `release --needs-input`
    pub needs_input: Option<String>,
}

/// What moving one task writes.
#[derive(Debug)]
pub struct Step {
    /// The row's changes; `None` where the effect holds already.
    pub draft: Option<Draft>,
    /// The lease that it used.
    pub token: Option<u64>,
    /// Rules that were waived.
    pub waivers: Vec<String>,
    /// Whether a mirror is to go.
    pub ends_lease: bool,
    /// What else changes: approvals of a round that ends.
    pub beside: Vec<Operation>,
    /// What the caller should know besides.
    pub warnings: Vec<String>,
}

impl Step {
    fn already() -> Self {
        Self {
            draft: None,
            token: None,
            waivers: Vec::new(),
            ends_lease: false,
            beside: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// Moves one task by a command that takes no lease.
pub fn step(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    case: &Case<'_>,
    command: Command,
    request: &Request,
    now: Timestamp,
) -> Result<Step> {
    let id = case.task.id.as_ref();
    let uses_lease = matches!(
        command,
        Command::Submit | Command::Release | Command::NeedsInput | Command::GiveUp
    );
    case.reliable(uses_lease.then_some(who))?;
    let state = case.state.ok_or_else(|| unknown_state(case))?;
    let token = who.token_for(id, request.token);
    let expired = case.is_expired(ctx, now);
    let directs = who.actor.role() == crate::model::actor::Role::Cmd || who.solo;
    let mine = if uses_lease {
        match standing(ctx, who, case, token) {
            Ok(standing) => standing == Standing::Holder,
            // CMD may release what it does not hold, and so may everybody once
            // the lease has expired, but for whoever lost it: no lease of theirs
            // is needed.
            Err(_)
                if command == Command::Release
                    && state == State::Doing
                    && token.is_none()
                    && (directs || (expired && !case.history.lost_last(&who.actor))) =>
            {
                false
            }
            Err(error) => return Err(error),
        }
    } else {
        case.lease().is_some_and(|lease| lease.is_held_by(&who.actor))
    };
    let (to, whom) = match rule(command, state) {
        Rule::Already => return Ok(Step::already()),
        Rule::Repeat if repeats(case, who, command) => return Ok(Step::already()),
        Rule::Repeat | Rule::Refused | Rule::Lease => return Err(refused(case, command, state)),
        Rule::Move { to, who } => (to, who),
    };
    // What cannot be relied on is said before who may: 10 comes before 4 and 8.
    if command == Command::Done
        && let Some(standing) = snapshot.standing_approval_of(id)
    {
        return Err(hand_edits::refusal(standing));
    }
    let mut waivers = Vec::new();
    permit(who, case, command, whom, mine, expired, &mut waivers)?;
    if whom == Who::Reviewer {
        separate(ctx, who, case, &mut waivers)?;
    }
    let mut warnings = Vec::new();
    if command == Command::Done {
        warnings = gates::done(ctx, snapshot, &case.task, &case.history, now)?;
    }
    let to = match to {
        Target::State(state) => state,
        Target::Origin => case.origin(),
    };
    let mut draft = Draft::of(&case.task);
    draft.set(TaskField::State, Some(to.as_str().to_owned()));
    draft.unlock(&case.task);
    if let Some(artifact) = &request.artifact {
        draft.set(TaskField::Artifact, Some(artifact.clone()));
    }
    if let Some(text) = &request.needs_input {
        draft.note(text);
    }
    if let Some(note) = &request.note {
        draft.note(note);
    }
    let ends_lease = state == State::Doing;
    let ends_round = matches!(command, Command::Fix | Command::Reopen);
    let beside = if ends_round { expire::end_of_round(snapshot, id, now) } else { Vec::new() };
    warnings.extend(expire::words(&beside));
    let used = if uses_lease { case.token(ctx) } else { None };
    Ok(Step { draft: Some(draft), token: used, waivers, ends_lease, beside, warnings })
}

/// Whether the caller's newest move of the task was what this command does,
/// under whatever name it was given.
fn repeats(case: &Case<'_>, who: &Identity, command: Command) -> bool {
    let Some(last) = &case.history.last_move else { return false };
    let Some(from) = last.from else { return false };
    let same_move = match rule(command, from) {
        Rule::Move { to: Target::State(to), .. } => last.to == Some(to),
        Rule::Move { to: Target::Origin, .. } => true,
        Rule::Already | Rule::Lease | Rule::Repeat | Rule::Refused => false,
    };
    let uses_lease = matches!(command, Command::Submit | Command::Release | Command::NeedsInput);
    let ended_well = case.history.leases.last().is_none_or(|l| l.ended == Some(LeaseEnd::ByHolder));
    same_move
        && last.to == case.state
        && last.actor.eq_ignore_ascii_case(who.actor.as_str())
        && (ended_well || !uses_lease)
}

/// Whether a caller may give a command; what `solo` waives is noted.
pub(super) fn permit(
    who: &Identity,
    case: &Case<'_>,
    command: Command,
    whom: Who,
    holds: bool,
    expired: bool,
    waivers: &mut Vec<String>,
) -> Result<()> {
    let mut caller = Caller {
        role: who.actor.role(),
        all_roles: false,
        owns: owns(case.task.owner.as_deref(), &who.actor),
        holds,
        expired,
    };
    let Err(denial) = whom.permits(&caller) else { return Ok(()) };
    caller.all_roles = who.solo;
    if whom.permits(&caller).is_ok() {
        waivers.push("role".to_owned());
        return Ok(());
    }
    Err(match denial {
        Denial::NotHolder => held(case),
        Denial::Role => Error::not_allowed(format!(
            "`{}` of `{}` needs {}; you are `{}`",
            command.verb(),
            case.task.id,
            whom.describe(),
            who.actor
        ))
        .hint(case.show()),
    })
}

/// Separation of duties: whoever finishes or sends back held nothing of it.
pub(super) fn separate(
    ctx: &Context,
    who: &Identity,
    case: &Case<'_>,
    waivers: &mut Vec<String>,
) -> Result<()> {
    let holders = case.history.holders.iter().map(String::as_str);
    let others: Vec<Party> = holders
        .chain(case.task.lock_owner.as_deref())
        .map(|name| Party { name: name.to_owned(), duty: Duty::Held })
        .collect();
    let Some(conflict) = duties::judge(&who.actor, &others, &ctx.principals) else {
        return Ok(());
    };
    if who.solo {
        waivers.push("separation_of_duties".to_owned());
        return Ok(());
    }
    Err(duties::error(&case.task.id, &who.actor, &conflict))
}

fn unknown_state(case: &Case<'_>) -> Error {
    Error::not_allowed(format!(
        "`{}` is in the state `{}`, which the tool does not know; CMD can move it out",
        case.task.id,
        case.task.state.as_deref().unwrap_or("-")
    ))
    .hint(case.show())
}

/// The state machine's no, with what is possible instead.
pub fn refused(case: &Case<'_>, command: Command, state: State) -> Error {
    let mut ways: Vec<&str> = Command::ALL
        .into_iter()
        .filter(|c| matches!(rule(*c, state), Rule::Move { .. }) && !matches!(c, Command::GiveUp))
        .map(|c| if c == Command::Replan { "move (to PLAN)" } else { c.verb() })
        .collect();
    ways.dedup();
    Error::not_allowed(format!(
        "`{}` is {state}, and `{}` does not lead on from there; possible: {}",
        case.task.id,
        command.verb(),
        ways.join(", ")
    ))
    .hint(case.show())
}

/// Moves several tasks by one command: all or none.
pub fn decide(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    command: Command,
    request: &Request,
    now: Timestamp,
) -> Result<Decision> {
    let mut decision = Decision::new(Outcome::of_ids(&request.ids));
    for id in unique(&request.ids) {
        if command == Command::Reopen && snapshot.tasks.rows_of(id).is_empty() {
            reopen_archived(snapshot, who, id, request, now, &mut decision)?;
            continue;
        }
        let case = Case::of(snapshot, id)?;
        let step = step(ctx, snapshot, who, &case, command, request, now)?;
        apply(step, id, &mut decision);
    }
    decision.outcome.already = decision.operations.is_empty();
    Ok(decision)
}

/// Adds a step to a decision.
pub fn apply(step: Step, id: &str, decision: &mut Decision) {
    decision.waivers.extend(step.waivers);
    decision.warnings.extend(step.warnings);
    decision.token = decision.token.or(step.token);
    if let Some(draft) = step.draft {
        decision
            .operations
            .push(Operation::SetTask { id: id.to_owned(), cells: draft.into_cells() });
        decision.operations.extend(step.beside);
        if step.ends_lease {
            decision.mirrors.push(MirrorChange::Remove(id.to_owned()));
        }
    }
}

/// Each id once, in order: `done T-1 T-1` is one move.
pub fn unique(ids: &[String]) -> Vec<&str> {
    let mut seen: Vec<&str> = Vec::new();
    for id in ids {
        if !seen.contains(&id.as_str()) {
            seen.push(id);
        }
    }
    seen
}

/// `reopen` of an archived task moves its row back.
fn reopen_archived(
    snapshot: &Snapshot<'_>,
    who: &Identity,
    id: &str,
    request: &Request,
    now: Timestamp,
    decision: &mut Decision,
) -> Result<()> {
    let Some(year) = snapshot.archived(id)? else {
        return snapshot.tasks.find(id).map(|_| ());
    };
    let text = snapshot.archives()?.get(&year).cloned().unwrap_or_default();
    let archive = TaskLedger::parse_any(&text, "archive");
    let task = archive.task(archive.find(id)?);
    let case = Case {
        row: archive.find(id)?,
        state: task.known_state(),
        history: snapshot.journal()?.history(id),
        task,
        standing: None,
    };
    let state = case.state.ok_or_else(|| unknown_state(&case))?;
    let Rule::Move { who: whom, .. } = rule(Command::Reopen, state) else {
        return Err(refused(&case, Command::Reopen, state));
    };
    permit(who, &case, Command::Reopen, whom, false, true, &mut decision.waivers)?;
    let mut draft = Draft::of(&case.task);
    draft.set(TaskField::State, Some(State::Plan.as_str().to_owned()));
    draft.unlock(&case.task);
    if let Some(note) = &request.note {
        draft.note(note);
    }
    decision.operations.push(Operation::Unarchive {
        id: id.to_owned(),
        year,
        cells: draft.into_cells(),
    });
    let beside = expire::end_of_round(snapshot, id, now);
    decision.warnings.extend(expire::words(&beside));
    decision.operations.extend(beside);
    Ok(())
}
