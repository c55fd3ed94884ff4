//! Leases: claim, renew, reap, and the choice of `claim --next`.
//!
//! Invariant: at most one live lease a task; a token never goes down.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::tasks::{RowId, shell_word};
use crate::model::field::TaskField;
use crate::model::operation::Operation;
use crate::model::outcome::{Grant, Outcome};
use crate::model::task::{Expiry, Task};
use crate::model::task_state::{Command, Rule, State, Who, rule};
use crate::model::time::Timestamp;
use crate::services::change::Decision;
use crate::services::context::{Context, Identity};
use crate::services::draft::Draft;
use crate::services::queue::{choose, expired, unmet};
use crate::services::runs;
use crate::services::transition::{self, Case, Standing, held, refused, standing, unique};
use crate::store::mirror::{self, LeaseMirror, MirrorChange};
use crate::store::snapshot::Snapshot;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// What `claim` and `renew` ask.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Which tasks; empty is `--next`.
    pub ids: Vec<String>,
    /// `--ttl`
    pub ttl: Option<Duration>,
    /// `--token`
    pub token: Option<u64>,
    /// `--note`
    pub note: Option<String>,
}

/// Claims the tasks that are named: all or none.
pub fn claim(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    request: &Request,
    now: Timestamp,
) -> Result<Decision> {
    let mut decision = Decision::new(Outcome::of_ids(&request.ids));
    for id in unique(&request.ids) {
        claim_one(ctx, snapshot, who, request, id, now, &mut decision)?;
    }
    decision.outcome.already = decision.operations.is_empty();
    Ok(decision)
}

fn claim_one(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    request: &Request,
    id: &str,
    now: Timestamp,
    decision: &mut Decision,
) -> Result<()> {
    let case = Case::of(snapshot, id)?;
    case.reliable(None)?;
    if let Some(standing) = snapshot.standing_approval_of(id) {
        return Err(crate::services::hand_edits::refusal(standing));
    }
    let state = case.state.ok_or_else(|| {
        Error::not_allowed(format!(
            "`{id}` is in the state `{}`, which the tool does not know",
            case.task.state.as_deref().unwrap_or("-")
        ))
        .hint(format!("orch show {}", shell_word(id)))
    })?;
    match rule(Command::Claim, state) {
        Rule::Move { .. } | Rule::Lease => {}
        Rule::Already | Rule::Repeat | Rule::Refused => {
            return Err(refused(&case, Command::Claim, state));
        }
    }
    let mut waivers = Vec::new();
    may_claim(who, &case.task, &mut waivers)?;
    let unmet = unmet(snapshot, std::iter::once(&case.task))?;
    if let Some(reason) = unmet.get(id) {
        return Err(Error::not_allowed(format!("`{id}` {reason}"))
            .hint(format!("orch show {}", shell_word(id))));
    }
    let token = who.token_for(id, request.token);
    if let Some(grant) = own_lease(ctx, who, &case, token, now)? {
        decision.outcome.lease = Some(grant);
        return Ok(());
    }
    too_many(ctx, snapshot, who, &HashSet::new(), decision.operations.len(), now)?;
    let lease = case.task.lease().filter(|lease| lease.is_live(now, ctx.settings.leases.grace));
    if lease.is_some() || (case.lease().is_some() && runs::lives(ctx, id)) {
        return Err(held_now(&case, who));
    }
    let expired_before = ctx.settings.approvals.expired_before(now);
    let mut waiting = snapshot.approvals.waiting(expired_before);
    if let Some((_, approval)) = waiting.find(|(task, _)| task == id) {
        return Err(Error::new(
            ErrorKind::ApprovalRequired,
            format!("`{id}` waits for the approval `{approval}`"),
        )
        .hint(format!("orch show {}", shell_word(id))));
    }
    decision.waivers.extend(waivers);
    let mut draft = Draft::of(&case.task);
    if let Some(note) = &request.note {
        draft.note(note);
    }
    grant(ctx, snapshot, who, &case.task, draft, request.ttl, now, decision)
}

/// The caller's own running lease, if it brings its token.
///
/// # Errors
/// `lease_lost` for a token of a lease that is gone.
fn own_lease(
    ctx: &Context,
    who: &Identity,
    case: &Case<'_>,
    token: Option<u64>,
    now: Timestamp,
) -> Result<Option<Grant>> {
    let Some(token) = token else { return Ok(None) };
    let standing = standing(ctx, who, case, Some(token))?;
    let Some(lease) = case.lease() else { return Ok(None) };
    if standing != Standing::Holder || !lease.is_live(now, ctx.settings.leases.grace) {
        return Ok(None);
    }
    Ok(running(ctx, who, case))
}

/// The lease that the caller holds on a task, as it needs to know it.
pub(super) fn running(ctx: &Context, who: &Identity, case: &Case<'_>) -> Option<Grant> {
    let lease = case.lease().filter(|lease| lease.is_held_by(&who.actor))?;
    let Expiry::At(expires_at) = lease.expiry else { return None };
    let ttl = mirror::read(&ctx.sys, &ctx.layout, &case.task.id)
        .map_or(ctx.settings.leases.ttl.as_secs(), |m| m.ttl_sec);
    let owner = who.actor.as_str().to_owned();
    Some(Grant { token: case.token(ctx), owner, expires_at, ttl_secs: ttl })
}

fn held_now(case: &Case<'_>, who: &Identity) -> Error {
    if case.lease().is_some_and(|lease| lease.is_held_by(&who.actor)) {
        let id = &case.task.id;
        let until = case.task.lock_expires_at.as_deref().unwrap_or("-");
        return Error::new(
            ErrorKind::Held,
            format!(
                "you (`{}`) hold `{id}` already, until {until}; with its token this is no error",
                who.actor
            ),
        )
        .hint("orch leases");
    }
    if case.lease().is_some() {
        return held(case);
    }
    let holder = case.task.lock_owner.as_deref().unwrap_or("somebody");
    let until = case.task.lock_expires_at.as_deref().unwrap_or("-");
    Error::new(ErrorKind::Held, format!("`{}` is held by `{holder}` until {until}", case.task.id))
        .hint("orch next")
}

fn may_claim(who: &Identity, task: &Task<'_>, waivers: &mut Vec<String>) -> Result<()> {
    let owns = crate::model::task::owns(task.owner.as_deref(), &who.actor);
    if who.actor.role() == crate::model::actor::Role::Work || owns {
        return Ok(());
    }
    if who.solo {
        waivers.push("role".to_owned());
        return Ok(());
    }
    Err(Error::not_allowed(format!(
        "`claim` of `{}` needs {}; you are `{}` and its owner is `{}`",
        task.id,
        Who::Claimant.describe(),
        who.actor,
        task.owner.as_deref().unwrap_or("WORK")
    ))
    .hint("orch next"))
}

/// Whether the caller may hold one more.
///
/// # Errors
/// `not_allowed` where `leases.max_doing_per_actor` says no.
pub fn room(ctx: &Context, snapshot: &Snapshot<'_>, who: &Identity, now: Timestamp) -> Result<()> {
    too_many(ctx, snapshot, who, &HashSet::new(), 0, now)
}

fn too_many(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    leaving: &HashSet<String>,
    taken: usize,
    now: Timestamp,
) -> Result<()> {
    let limit = ctx.settings.leases.max_doing_per_actor as usize;
    if limit == 0 {
        return Ok(());
    }
    let grace = ctx.settings.leases.grace;
    let holding = snapshot
        .tasks
        .rows()
        .map(|row| snapshot.tasks.task(row))
        .filter(|task| task.known_state() == Some(State::Doing))
        .filter(|task| !leaving.contains(task.id.as_ref()))
        .filter(|task| {
            task.lease().is_some_and(|l| l.is_held_by(&who.actor) && l.is_live(now, grace))
        })
        .count()
        + taken;
    if holding < limit {
        return Ok(());
    }
    Err(Error::not_allowed(format!(
        "`{}` would hold more than the {limit} that `leases.max_doing_per_actor` allows",
        who.actor
    ))
    .hint("orch leases"))
}

/// Writes a new lease into a draft and finishes it.
#[allow(clippy::too_many_arguments)] // one call site a way of claiming
fn grant(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    task: &Task<'_>,
    mut draft: Draft,
    ttl: Option<Duration>,
    now: Timestamp,
    decision: &mut Decision,
) -> Result<()> {
    let ttl = ttl.unwrap_or(ctx.settings.leases.ttl);
    // One operation, one token: several tasks that are claimed together share it.
    let token = match decision.outcome.lease.as_ref().and_then(|lease| lease.token) {
        Some(token) => token,
        None => next_token(ctx, snapshot, &task.id, now)?,
    };
    let actor = who.actor.as_str();
    let acquired = now.whole_seconds();
    let expires_at = acquired.plus(ttl).ceil_seconds();
    draft.set(TaskField::State, Some(State::Doing.as_str().to_owned()));
    draft.set(TaskField::Lock, Some(format!("{actor}@{acquired}")));
    draft.set(TaskField::LockOwner, Some(actor.to_owned()));
    draft.set(TaskField::LockExpiresAt, Some(expires_at.to_string()));
    decision.token = Some(token);
    decision.outcome.lease = Some(Grant {
        token: Some(token),
        owner: actor.to_owned(),
        expires_at,
        ttl_secs: ttl.as_secs(),
    });
    decision.mirrors.retain(|change| *change != MirrorChange::Remove(task.id.to_string()));
    decision.mirrors.push(MirrorChange::Write(LeaseMirror {
        owner: actor.to_owned(),
        task_id: task.id.clone().into_owned(),
        ts_acquired: acquired.to_string(),
        ttl_sec: ttl.as_secs(),
        status: "active".to_owned(),
        token,
        host: ctx.sys.env.host(),
        pid: ctx.sys.env.pid(),
    }));
    let id = task.id.clone().into_owned();
    decision.operations.push(Operation::SetTask { id, cells: draft.into_cells() });
    Ok(())
}

/// A fencing token above every one known here; milliseconds since 1970 keep it
/// growing where journals and runtime files were lost.
fn next_token(ctx: &Context, snapshot: &Snapshot<'_>, id: &str, now: Timestamp) -> Result<u64> {
    let known = snapshot.journal()?.largest_token();
    let mirrored = mirror::read(&ctx.sys, &ctx.layout, id).map_or(0, |m| m.token);
    let clock = u64::try_from(now.0).unwrap_or(0);
    Ok((known.max(mirrored) + 1).max(clock))
}

/// Takes back the expired leases of the tasks named, or of all.
pub fn reap(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    request: &transition::Request,
    now: Timestamp,
) -> Result<Decision> {
    let mut decision = Decision::new(Outcome::default());
    let ids: Vec<String> = if request.ids.is_empty() {
        // An id that stands twice cannot be changed; leave it to `check`.
        expired(ctx, snapshot, now)
            .map(|row| snapshot.tasks.id(row).into_owned())
            .filter(|id| snapshot.tasks.rows_of(id).len() == 1)
            .collect()
    } else {
        request.ids.clone()
    };
    for id in unique(&ids) {
        let case = Case::of(snapshot, id)?;
        let mut step = transition::step(ctx, snapshot, who, &case, Command::Reap, request, now)?;
        if let Some(draft) = &mut step.draft {
            draft.note(&reason(&case));
        }
        transition::apply(step, id, &mut decision);
    }
    decision.outcome.reaped.clone_from(&ids);
    decision.outcome.tasks = Some(ids);
    decision.outcome.already = decision.operations.is_empty();
    Ok(decision)
}

/// Why a lease was taken back, for the notes.
fn reason(case: &Case<'_>) -> String {
    let holder = case.lease().and_then(|l| l.holder).unwrap_or("-").to_owned();
    match case.lease().map(|l| l.expiry) {
        Some(Expiry::At(end)) => format!("lease of {holder} expired {end}"),
        _ => format!("lease of {holder} had no end"),
    }
}

/// Renews leases: all or none. A renewal never shortens one.
pub fn renew(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    request: &Request,
    now: Timestamp,
) -> Result<Decision> {
    let mut decision = Decision::new(Outcome::of_ids(&request.ids));
    for id in unique(&request.ids) {
        let case = Case::of(snapshot, id)?;
        case.reliable(Some(who))?;
        let token = who.token_for(id, request.token);
        if standing(ctx, who, &case, token)? == Standing::Other {
            if case.lease().is_some() {
                return Err(held(&case));
            }
            return Err(Error::not_allowed(format!(
                "`{id}` is {} and nobody holds it: there is no lease to renew",
                case.task.state.as_deref().unwrap_or("-")
            ))
            .hint(format!("orch show {}", shell_word(id))));
        }
        let mirrored = mirror::read(&ctx.sys, &ctx.layout, id);
        let ttl = request
            .ttl
            .or_else(|| mirrored.as_ref().map(|m| Duration::from_secs(m.ttl_sec)))
            .unwrap_or(ctx.settings.leases.ttl);
        let (mut draft, expires_at) = extend(&case, ttl, now);
        if case.task.lock_owner.is_none() {
            draft.set(TaskField::LockOwner, Some(who.actor.as_str().to_owned()));
            draft.set(TaskField::Lock, Some(format!("{}@{}", who.actor, now.whole_seconds())));
        }
        if let Some(note) = &request.note {
            draft.note(note);
        }
        let token = case.token(ctx);
        decision.token = token;
        decision.outcome.lease = Some(Grant {
            token,
            owner: who.actor.as_str().to_owned(),
            expires_at,
            ttl_secs: ttl.as_secs(),
        });
        if let Some(mirrored) = mirrored {
            decision
                .mirrors
                .push(MirrorChange::Write(LeaseMirror { ttl_sec: ttl.as_secs(), ..mirrored }));
        }
        decision
            .operations
            .push(Operation::SetTask { id: id.to_owned(), cells: draft.into_cells() });
    }
    Ok(decision)
}

/// The lease of a task, lengthened and never shortened; and its new end.
pub(super) fn extend(case: &Case<'_>, ttl: Duration, now: Timestamp) -> (Draft, Timestamp) {
    let mut expires_at = now.whole_seconds().plus(ttl).ceil_seconds();
    if let Some(Expiry::At(end)) = case.lease().map(|l| l.expiry) {
        expires_at = expires_at.max(end);
    }
    let mut draft = Draft::of(&case.task);
    draft.set(TaskField::LockExpiresAt, Some(expires_at.to_string()));
    if case.standing.is_some() {
        // A hand edit took the lease away: what is renewed stands whole.
        let own = |cell: &Option<std::borrow::Cow<'_, str>>| cell.as_deref().map(str::to_owned);
        draft.set(TaskField::State, own(&case.task.state));
        draft.set(TaskField::Lock, own(&case.task.lock));
        draft.set(TaskField::LockOwner, own(&case.task.lock_owner));
    }
    (draft, expires_at)
}

/// `claim --next`: first what `reap` would do, in the same operation, then the
/// best task that the caller may take.
pub fn claim_next(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    request: &Request,
    now: Timestamp,
) -> Result<Decision> {
    let mut decision = Decision::new(Outcome::default());
    decision.outcome.task = Some(None);
    next(ctx, snapshot, who, request, now, &mut decision)?;
    decision.outcome.nothing_ready = decision.outcome.task == Some(None);
    Ok(decision)
}

/// `submit --claim-next`: hands in, then takes the next task if there is one.
pub fn submit_and_claim(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    request: &transition::Request,
    now: Timestamp,
) -> Result<Decision> {
    let mut decision = transition::decide(ctx, snapshot, who, Command::Submit, request, now)?;
    decision.outcome.claimed = Some(None);
    let submitted = decision.outcome.already;
    next(ctx, snapshot, who, &Request::default(), now, &mut decision)?;
    decision.outcome.already = submitted && decision.outcome.claimed == Some(None);
    Ok(decision)
}

/// Adds reaping and the claim of the next task to a decision.
fn next(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    request: &Request,
    now: Timestamp,
    decision: &mut Decision,
) -> Result<()> {
    let already_moved: HashSet<String> = decision
        .operations
        .iter()
        .filter_map(|o| match o {
            Operation::SetTask { id, .. } => Some(id.clone()),
            _ => None,
        })
        .collect();
    let mut reaped: HashMap<RowId, Draft> = HashMap::new();
    let mut order = Vec::new();
    for row in expired(ctx, snapshot, now) {
        let id = snapshot.tasks.id(row).into_owned();
        // An id that stands twice cannot be changed; leave it to `check`.
        if already_moved.contains(&id) || snapshot.tasks.rows_of(&id).len() != 1 {
            continue;
        }
        let case = Case::of(snapshot, &id)?;
        let mut draft = Draft::of(&case.task);
        draft.set(TaskField::State, Some(case.origin().as_str().to_owned()));
        draft.unlock(&case.task);
        draft.note(&reason(&case));
        reaped.insert(row, draft);
        order.push(row);
    }
    let chosen = choose(ctx, snapshot, who, now, &|row| reaped.contains_key(&row), &already_moved)?;
    let is_submit = decision.outcome.task != Some(None);
    let chosen = match chosen.map(|_| too_many(ctx, snapshot, who, &already_moved, 0, now)) {
        Some(Err(_)) if is_submit => None,
        Some(Err(error)) => return Err(error),
        Some(Ok(())) | None => chosen,
    };
    for row in order {
        let id = snapshot.tasks.id(row).into_owned();
        if Some(row) != chosen
            && let Some(draft) = reaped.remove(&row)
        {
            decision
                .operations
                .push(Operation::SetTask { id: id.clone(), cells: draft.into_cells() });
            decision.mirrors.push(MirrorChange::Remove(id.clone()));
        }
        decision.outcome.reaped.push(id);
    }
    let Some(row) = chosen else {
        if is_submit {
            return Ok(());
        }
        decision.outcome.reasons = crate::services::next::reasons(ctx, snapshot, who, now)?
            .into_iter()
            .filter(|item| !item.claimable)
            .map(|item| (item.id, item.reason))
            .collect();
        return Ok(());
    };
    let task = snapshot.tasks.task(row);
    let mut draft = reaped.remove(&row).unwrap_or_else(|| Draft::of(&task));
    if let Some(note) = &request.note {
        draft.note(note);
    }
    if is_submit {
        decision.outcome.claimed = Some(Some(task.id.clone().into_owned()));
    } else {
        decision.outcome.task = Some(Some(task.id.clone().into_owned()));
    }
    grant(ctx, snapshot, who, &task, draft, request.ttl, now, decision)
}
