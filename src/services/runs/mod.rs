//! Runs of commands on tasks: claiming for one, keeping its lease, and what its
//! end does to the task.
//!
//! Here: decisions, each one transaction. Not here: which run begins when
//! (`watch::plan`), processes (`watch::keeper`). Invariants: nothing runs without
//! a lease that was committed before; an end changes the task only under the very
//! lease that the run was given; attempts are counted by the journal, on the line
//! of the claim.

mod ask;

pub use ask::{Free, Seen, free, going_on, lives, matches, not_before, running, seen, wait};

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::tasks::shell_word;
use crate::model::actor::Actor;
use crate::model::field::TaskField;
use crate::model::history::LeaseEnd;
use crate::model::operation::Operation;
use crate::model::outcome::{Grant, Outcome};
use crate::model::run::RunResult;
use crate::model::task_state::{Command, State};
use crate::model::time::Timestamp;
use crate::services::change::{self, Change, Changed, Decision};
use crate::services::claim;
use crate::services::config::Runner;
use crate::services::context::{AUTO, Context, Identity, Run};
use crate::services::transition::{self, Case, Standing, standing};
use crate::services::{hand_edits, queue};
use crate::store::entry::RunMark;
use crate::store::journal::Journal;
use crate::store::mirror::{self, LeaseMirror, MirrorChange};
use crate::store::snapshot::{Files, Snapshot};
use crate::store::transaction::Transaction;
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::time::Duration;

/// A run that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The task.
    pub task: String,
    /// Its title.
    pub title: String,
    /// Its artifact, where it names one.
    pub artifact: Option<String>,
    /// The text of its detail section.
    pub detail: Option<String>,
    /// Who holds it.
    pub actor: String,
    /// The fencing token.
    pub token: u64,
    /// Which attempt this is.
    pub attempt: u32,
    /// How long the lease lasts from its claim, unless it is renewed.
    pub left: Duration,
}

/// What the end of a run does to its task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is handed in.
    Submit,
    /// It goes back where it came from, for another attempt.
    Back {
        /// How the run ended.
        result: RunResult,
        /// When the next attempt may begin.
        not_before: Option<Timestamp>,
        /// For the journal.
        note: String,
    },
    /// It goes to FIX, for people.
    Fix {
        /// How the run ended.
        result: RunResult,
        /// For the notes.
        note: String,
    },
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The task moved.
    Moved,
    /// Its command had moved it already: that is believed.
    ByItself,
    /// The lease is another's or gone: nothing was changed.
    Gone,
}

/// Who acts for a runner; in a run, under its lease.
///
/// # Errors
/// `usage` for an actor that is none, or that nobody may be.
pub fn identity(runner: &Runner, run: Option<Run>) -> Result<Identity> {
    let actor = Actor::parse(&runner.actor).filter(|a| !a.as_str().eq_ignore_ascii_case(AUTO));
    let actor = actor.ok_or_else(|| {
        Error::usage(format!("the runner `{}` cannot act as `{}`", runner.name, runner.actor))
    })?;
    Ok(Identity { actor, solo: false, explicit: true, run })
}

/// Makes a reader's snapshot know what was edited by hand and is not journalled.
///
/// # Errors
/// `failed` where a file cannot be read.
pub fn notice(ctx: &Context, files: &Files, snapshot: &mut Snapshot<'_>) -> Result<()> {
    let noticed = hand_edits::noticed(ctx, files, snapshot)?;
    snapshot.journal()?.notice(&noticed.external);
    snapshot.standing = noticed.standing;
    Ok(())
}

/// How a run stands to its task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It holds the lease.
    Own,
    /// Its command gave the lease up by itself: it handed the task in, or back.
    ByItself,
    /// The lease was taken from it.
    Gone,
    /// Its row is missing or stands twice, and nothing says that the lease is gone:
    /// an editor may be about to save the rest.
    Unclear,
}

/// Whether the lease of a run is still its own.
///
/// # Errors
/// `failed` where the journal cannot be read.
pub fn hold(ctx: &Context, snapshot: &Snapshot<'_>, who: &Identity) -> Result<Hold> {
    let Some(run) = &who.run else { return Ok(Hold::Gone) };
    let held = match Case::of(snapshot, &run.task) {
        Ok(case) => matches!(standing(ctx, who, &case, Some(run.token)), Ok(Standing::Holder)),
        Err(e) if e.kind == ErrorKind::Failed => return Err(e),
        Err(_) => false,
    };
    if held {
        return Ok(Hold::Own);
    }
    let history = snapshot.journal()?.history(&run.task);
    let own = history.leases.iter().find(|lease| lease.token == Some(run.token));
    Ok(match own.map(|lease| lease.ended) {
        Some(Some(LeaseEnd::ByHolder)) => Hold::ByItself,
        Some(None) => Hold::Unclear,
        Some(Some(LeaseEnd::Lost)) | None => Hold::Gone,
    })
}

/// Claims a task for a runner. `made` is called before the claim is committed, so
/// that no claim of a run stands without a record of it; it may be called again
/// with another token.
///
/// # Errors
/// What `claim` says; `not_allowed` where the task is not to be run now, with the
/// reason.
pub fn start(
    ctx: &Context,
    runner: &Runner,
    task: &str,
    max_parallel: usize,
    made: &dyn Fn(&Claimed) -> Result<()>,
) -> Result<Claimed> {
    let who = identity(runner, None)?;
    let change =
        Change { command: "claim", who: who.clone(), note: None, dry_run: false, op_id: None };
    let claimed = RefCell::new(None);
    let decide = |snapshot: &Snapshot<'_>, now: Timestamp| {
        claimed.take();
        let attempt = may_start(ctx, snapshot, &who, runner, task, max_parallel, now)?;
        let request = claim::Request {
            ids: vec![task.to_owned()],
            ttl: Some(ttl(ctx)),
            ..claim::Request::default()
        };
        let mut decision = claim::claim(ctx, snapshot, &who, &request, now)?;
        let Some(Grant { token: Some(token), expires_at, .. }) = decision.outcome.lease else {
            return Err(Error::new(ErrorKind::Held, format!("`{task}` is held already")));
        };
        decision.run = Some(RunMark {
            token,
            runner: Some(runner.name.clone()),
            attempt: Some(attempt),
            ..RunMark::default()
        });
        let row = snapshot.tasks.task(snapshot.tasks.find(task)?);
        let text = |cell: &Option<std::borrow::Cow<'_, str>>| cell.as_deref().map(str::to_owned);
        let detail = snapshot.tasks.section(task).map(|(_, text)| {
            snapshot.tasks.grid().text().get(text).unwrap_or_default().trim().to_owned()
        });
        let run = Claimed {
            task: task.to_owned(),
            title: text(&row.title).unwrap_or_default(),
            artifact: text(&row.artifact),
            detail: detail.filter(|text| !text.is_empty()),
            actor: who.actor.to_string(),
            token,
            attempt,
            // The cell has whole seconds: it may be less than was asked for.
            left: left(expires_at, now),
        };
        made(&run)?;
        claimed.replace(Some(run));
        Ok(decision)
    };
    carried_out(change::run(ctx, &change, &decide, &|_| Value::Null))?;
    claimed.into_inner().ok_or_else(|| Error::new(ErrorKind::Failed, "nothing was claimed"))
}

/// Under the ledger's lock: whether a run may begin, and which attempt it is.
fn may_start(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    runner: &Runner,
    task: &str,
    max_parallel: usize,
    now: Timestamp,
) -> Result<u32> {
    let no = |why: String| {
        Err(Error::not_allowed(why).about(task).hint(format!("orch show {}", shell_word(task))))
    };
    if ctx.flags_in_force(snapshot.flags).freeze {
        return no("FREEZE is on: nothing is started".to_owned());
    }
    // Whatever holds a lease takes a place, and so does what is being ended.
    let mut running: BTreeSet<(String, u64)> = running(snapshot)?.into_iter().collect();
    let going_on = going_on(ctx)?;
    if going_on.iter().any(|(id, token)| id == task && *token != 0) {
        return no(format!("`{task}`: its former run is still being ended"));
    }
    running.extend(going_on);
    if running.len() >= max_parallel {
        let count = running.len();
        return no(format!("{count} runs are going on, and `max_parallel` is {max_parallel}"));
    }
    let rows = queue::candidates(ctx, snapshot, who, now, &|_| false, &HashSet::new())?;
    let row = snapshot.tasks.find(task)?;
    if !rows.contains(&row) || !matches(&runner.matches, &snapshot.tasks.task(row)) {
        return no(format!("`{task}` is not for the runner `{}` just now", runner.name));
    }
    let attempts = snapshot.journal()?.attempts(task);
    match wait(&attempts, runner, now) {
        Some(why) => no(format!("`{task}`: {why}")),
        None => Ok(attempts.used + 1),
    }
}

/// What came of a renewal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renewed {
    /// The runs whose leases were renewed, by their tokens.
    pub kept: Vec<u64>,
    /// Those whose leases are gone. Of the rest the row is missing or stands twice.
    pub gone: Vec<u64>,
    /// How long the renewed ones last from the renewal.
    pub left: Duration,
}

/// How long the lease of a run lasts. Cells have whole seconds: of a short lease
/// too little might be left.
fn ttl(ctx: &Context) -> Duration {
    let ttl = ctx.settings.leases.ttl;
    if ttl < Duration::from_secs(10) { ttl + Duration::from_secs(1) } else { ttl }
}

/// From a moment to the end of a lease.
fn left(end: Timestamp, now: Timestamp) -> Duration {
    Duration::from_millis(u64::try_from(end.since(now)).unwrap_or(0))
}

/// Renews the leases of runs in one operation, in the name of whoever watches.
///
/// # Errors
/// What [`change::run`] says: nothing was renewed then.
pub fn renew(ctx: &Context, who: &Identity, runs: &[(Run, Actor)]) -> Result<Renewed> {
    let change =
        Change { command: "renew", who: who.clone(), note: None, dry_run: false, op_id: None };
    let renewed = RefCell::new(Renewed::default());
    let decide = |snapshot: &Snapshot<'_>, now: Timestamp| {
        let ends = now.whole_seconds().plus(ttl(ctx)).ceil_seconds();
        renewed.replace(Renewed { left: left(ends, now), ..Renewed::default() });
        let mut decision = Decision::new(Outcome::default());
        for (run, actor) in runs {
            let holder = Identity {
                actor: actor.clone(),
                solo: false,
                explicit: true,
                run: Some(run.clone()),
            };
            match hold(ctx, snapshot, &holder)? {
                Hold::Own => renewed.borrow_mut().kept.push(run.token),
                Hold::Unclear => continue,
                Hold::ByItself | Hold::Gone => {
                    renewed.borrow_mut().gone.push(run.token);
                    continue;
                }
            }
            let case = Case::of(snapshot, &run.task)?;
            renew_one(ctx, &case, run, actor, now, &mut decision);
        }
        decision.outcome.already = decision.operations.is_empty();
        Ok(decision)
    };
    carried_out(change::run(ctx, &change, &decide, &|_| Value::Null))?;
    Ok(renewed.into_inner())
}

fn renew_one(
    ctx: &Context,
    case: &Case<'_>,
    run: &Run,
    actor: &Actor,
    now: Timestamp,
    decision: &mut Decision,
) {
    let ttl = ttl(ctx);
    let (draft, _) = claim::extend(case, ttl, now);
    let mirrored = mirror::read(&ctx.sys, &ctx.layout, &run.task);
    if let Some(mirrored) = mirrored.filter(|mirrored| mirrored.token == run.token) {
        let mirrored = LeaseMirror { owner: actor.to_string(), ttl_sec: ttl.as_secs(), ..mirrored };
        decision.mirrors.push(MirrorChange::Write(mirrored));
    }
    let operation = Operation::SetTask { id: run.task.clone(), cells: draft.into_cells() };
    decision.operations.push(operation);
}

/// Writes the end of a run into the ledger, under its lease. Who is patient is told
/// to come again where the row is missing.
///
/// # Errors
/// What [`change::run`] says: nothing was changed then, and trying again is
/// sensible.
pub fn finish(
    ctx: &Context,
    who: &Identity,
    verdict: &Verdict,
    mark: &RunMark,
    is_patient: bool,
) -> Result<Settled> {
    let Some(run) = &who.run else { return Ok(Settled::Gone) };
    let (command, note, journal_note) = match verdict {
        Verdict::Submit => (Command::Submit, None, None),
        Verdict::Back { note, .. } => (Command::Release, None, Some(note.clone())),
        Verdict::Fix { note, .. } => (Command::GiveUp, Some(note.clone()), None),
    };
    let (result, not_before) = match verdict {
        Verdict::Submit => (RunResult::Ok, None),
        Verdict::Back { result, not_before, .. } => (*result, *not_before),
        Verdict::Fix { result, .. } => (*result, None),
    };
    let mark = RunMark {
        result: Some(result.to_string()),
        not_before: not_before.map(Timestamp::to_millis_string),
        ..mark.clone()
    };
    let change = Change {
        command: command.verb(),
        who: who.clone(),
        note: journal_note,
        dry_run: false,
        op_id: None,
    };
    let settled = Cell::new(Settled::Moved);
    let decide = |snapshot: &Snapshot<'_>, now: Timestamp| {
        let verdict = match hold(ctx, snapshot, who)? {
            Hold::Own => Settled::Moved,
            Hold::ByItself => Settled::ByItself,
            Hold::Gone => Settled::Gone,
            Hold::Unclear if is_patient => {
                return Err(Error::new(
                    ErrorKind::Busy,
                    format!(
                        "the row of `{}` is missing or stands twice; its run's end waits for it",
                        run.task
                    ),
                ));
            }
            Hold::Unclear => Settled::Gone,
        };
        settled.set(verdict);
        if verdict != Settled::Moved {
            return Ok(Decision::new(Outcome::default()));
        }
        let request = transition::Request {
            ids: vec![run.task.clone()],
            token: Some(run.token),
            note: note.clone(),
            ..transition::Request::default()
        };
        let mut decision = transition::decide(ctx, snapshot, who, command, &request, now)?;
        decision.run = Some(mark.clone());
        Ok(decision)
    };
    carried_out(change::run(ctx, &change, &decide, &|_| Value::Null))?;
    Ok(settled.get())
}

/// Gives back what the command of a run claimed for itself and nobody works on any
/// more. Gives those tasks. Cost: a look at the journal where there is none.
///
/// # Errors
/// What [`change::run`] says.
pub fn give_back(ctx: &Context, who: &Identity) -> Result<Vec<String>> {
    let Some(run) = &who.run else { return Ok(Vec::new()) };
    let taken = Journal::read(&ctx.sys, &ctx.layout)?.taken_by_run(run.token);
    if taken.is_empty() {
        return Ok(Vec::new());
    }
    let change =
        Change { command: "release", who: who.clone(), note: None, dry_run: false, op_id: None };
    let given = RefCell::new(Vec::new());
    let decide = |snapshot: &Snapshot<'_>, now: Timestamp| {
        given.borrow_mut().clear();
        let mut decision = Decision::new(Outcome::default());
        for row in snapshot.tasks.rows() {
            if snapshot.tasks.cell(row, TaskField::State).as_deref() != Some(State::Doing.as_str())
            {
                continue;
            }
            let id = snapshot.tasks.id(row).into_owned();
            let Ok(case) = Case::of(snapshot, &id) else { continue };
            let Some(token) = case.history.running().and_then(|lease| lease.token) else {
                continue;
            };
            if !taken.contains(&token) {
                continue;
            }
            let holder = Identity { run: Some(Run { task: id.clone(), token }), ..who.clone() };
            let request = transition::Request::default();
            let step =
                transition::step(ctx, snapshot, &holder, &case, Command::Release, &request, now)?;
            transition::apply(step, &id, &mut decision);
            given.borrow_mut().push(id);
        }
        decision.outcome.already = decision.operations.is_empty();
        Ok(decision)
    };
    carried_out(change::run(ctx, &change, &decide, &|_| Value::Null))?;
    Ok(given.into_inner())
}

/// Takes expired leases back, as `orch reap` does. Gives their tasks.
///
/// # Errors
/// What [`change::run`] says.
pub fn reap(ctx: &Context, who: &Identity) -> Result<Vec<String>> {
    let change =
        Change { command: "reap", who: who.clone(), note: None, dry_run: false, op_id: None };
    let reaped = RefCell::new(Vec::new());
    let decide = |snapshot: &Snapshot<'_>, now: Timestamp| {
        let decision = claim::reap(ctx, snapshot, who, &transition::Request::default(), now)?;
        reaped.borrow_mut().clone_from(&decision.outcome.reaped);
        Ok(decision)
    };
    carried_out(change::run(ctx, &change, &decide, &|_| Value::Null))?;
    Ok(reaped.into_inner())
}

/// Completes a change that stands and was not completed, whoever made it.
///
/// # Errors
/// `failed` or `ledger_invalid` where that cannot be.
pub fn complete(ctx: &Context, who: &Identity) -> Result<()> {
    let change =
        Change { command: "watch", who: who.clone(), note: None, dry_run: false, op_id: None };
    let meta = change::meta(&change);
    Transaction::begin(&ctx.sys, &ctx.layout, ctx.settings.lock_wait, &meta).map(drop)
}

/// A change that stands though its end is missing did come about: whoever comes
/// next completes it.
fn carried_out(changed: Result<Changed>) -> Result<()> {
    match changed {
        Err(error) if error.kind != ErrorKind::Committed => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}
