//! Named locks: acquire, renew, release, and who holds what.
//!
//! Here: deciding under the ledger's lock and journalling it, waiting, listing.
//! In the folder: who may do what (`decide`), a program that runs under locks
//! (`program`). Invariant: of two conflicting names at most one is live, and a
//! token is above every one that was ever given here.

mod decide;
pub mod program;

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::render::Rendered;
use crate::model::lock::{Lock, LockRow, LockStatus};
use crate::model::lock_name::LockName;
use crate::model::outcome::{Grant, OpHeader};
use crate::services::change::{self, Change, Changed};
use crate::services::context::{Context, Identity};
use crate::store::journal::Journal;
use crate::store::named_locks;
use crate::store::transaction::{Stopped, Transaction};
use serde_json::Value;
use std::time::Duration;

pub use decide::{Decision, Facts, Request, Verb, decide};

/// The names as typed, each once.
///
/// # Errors
/// `usage` for what is no name.
pub fn names(ctx: &Context, typed: &[String]) -> Result<Vec<LockName>> {
    let mut names: Vec<LockName> = Vec::new();
    for text in typed {
        let name = LockName::parse(text, &ctx.layout.root)?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// What the answer is made from.
#[derive(Debug)]
pub struct Report<'r> {
    /// The locks asked for, as they are now, or would be.
    pub rows: &'r [LockRow],
    /// The hold that was given or kept: that of the first name.
    pub lease: Option<Grant>,
    /// Whether the effect held already.
    pub already: bool,
    /// The operation; `None` for a dry run or where nothing changed.
    pub op: Option<&'r OpHeader>,
    /// Whether nothing was to be written.
    pub dry_run: bool,
}

/// Runs a verb and journals it. `present` makes the answer, which is journalled
/// with an `--op-id` and given again when the key is.
///
/// # Errors
/// What [`decide`] says, and what [`Transaction`] says of files.
pub fn run(
    ctx: &Context,
    change: &Change,
    verb: Verb,
    request: &Request,
    present: &dyn Fn(&Report<'_>) -> Value,
) -> Result<Changed> {
    let mut meta = change::meta(change);
    let transaction = if change.dry_run {
        Transaction::preview(&ctx.sys, &ctx.layout)?
    } else {
        Transaction::begin(&ctx.sys, &ctx.layout, ctx.settings.lock_wait, &meta)?
    };
    let snapshot = transaction.snapshot()?;
    if let Some(first) = change::answered(&snapshot, change, &meta)? {
        return Ok(first);
    }
    let journal = snapshot.journal()?;
    let now = ctx.now(journal.newest());
    let decision = look(ctx, &change.who, journal, verb, request)?;
    let noticed = change::notice(ctx, &transaction, &snapshot, now)?;
    let warnings = noticed.warnings.clone();
    meta.token = decision.token;
    let changes = !decision.writes.is_empty();
    let done = |op: Option<&OpHeader>| {
        let report = Report {
            rows: &decision.rows,
            lease: decision.rows.iter().find_map(|row| row.lock.as_ref().map(grant)),
            already: !changes,
            op,
            dry_run: change.dry_run,
        };
        Changed { data: present(&report), nothing_ready: false, warnings: warnings.clone() }
    };
    if !changes || change.dry_run {
        return Ok(done(None));
    }
    let beside = change::beside(ctx, &snapshot, noticed.seen, noticed.found)?;
    let none = Rendered::default();
    let mut prepared = transaction.prepare(
        &snapshot,
        &snapshot.tasks,
        &none,
        &[],
        Vec::new(),
        &meta,
        beside,
        now,
    )?;
    prepared.entry.diff = None;
    prepared.entry.locks.clone_from(&decision.changes);
    let header = OpHeader {
        seq: prepared.entry.seq,
        id: prepared.entry.id.clone(),
        sha_in: None,
        sha_out: None,
    };
    let changed = done(Some(&header));
    if prepared.entry.op_id.is_some() {
        prepared.entry.data = Some(changed.data.clone());
    }
    drop(snapshot);
    match transaction.commit_locks(prepared, &decision.writes, change::durability(ctx)) {
        Ok(()) => {}
        Err(Stopped::Failed(error) | Stopped::Interrupted(error)) => return Err(error),
    }
    Ok(changed)
}

fn grant(lock: &Lock) -> Grant {
    Grant {
        token: Some(lock.token),
        owner: lock.owner.clone(),
        expires_at: lock.expires_at,
        ttl_secs: lock.ttl.as_secs(),
    }
}

/// Decides on the files as they are, writing nothing. Under the ledger's lock
/// that is what will be so; without it, what would have been.
///
/// # Errors
/// As [`decide`].
pub fn look(
    ctx: &Context,
    who: &Identity,
    journal: &Journal,
    verb: Verb,
    request: &Request,
) -> Result<Decision> {
    let files = named_locks::read_all(&ctx.sys, &ctx.layout)?;
    let known = named_locks::largest_token(&ctx.sys, &ctx.layout, &files);
    let facts = Facts {
        who,
        files: &files,
        past: &|name| journal.lock_past(name.as_str()),
        largest_token: known.max(journal.largest_token()),
        ttl: ctx.settings.leases.ttl,
        grace: ctx.settings.leases.grace,
        from: (ctx.sys.env.host(), ctx.sys.env.pid()),
        now: ctx.now(journal.newest()),
    };
    let mut decision = decide(&facts, verb, request)?;
    for row in &mut decision.rows {
        let name = row.name.as_deref().unwrap_or_default();
        row.file = ctx.layout.display(&named_locks::path_of(&ctx.layout, name));
    }
    Ok(decision)
}

/// How often a waiting caller looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Tries to acquire until nobody else holds any of the names, for up to `wait`.
/// In between nothing is locked: the files are looked at as a reader does.
///
/// # Errors
/// What the last attempt says; `failed` where `is_stopped` says so.
///
/// # Concurrency
/// Whoever looks first after a release gets the lock: there is no queue.
pub fn waiting<T>(
    ctx: &Context,
    who: &Identity,
    request: &Request,
    wait: Duration,
    is_stopped: &dyn Fn() -> bool,
    attempt: &dyn Fn() -> Result<T>,
) -> Result<T> {
    let clock = &ctx.sys.clock;
    let from = clock.now_ms();
    let mut slept = Duration::ZERO;
    loop {
        let error = match attempt() {
            Err(error) if error.kind == ErrorKind::Held => error,
            other => return other,
        };
        loop {
            if is_stopped() {
                return Err(Error::new(ErrorKind::Failed, "stopped while waiting for a lock"));
            }
            // Time slept counts beside the clock, which may be set back.
            let passed = u64::try_from(clock.now_ms().saturating_sub(from)).unwrap_or(0);
            let left = wait.saturating_sub(Duration::from_millis(passed).max(slept));
            if left.is_zero() {
                return Err(error);
            }
            // Uneven steps, so that several that wait do not march in step.
            let mut byte = [0];
            ctx.sys.entropy.fill(&mut byte);
            let step = (LOOK_AGAIN + Duration::from_millis(byte[0].into())).min(left);
            clock.sleep(step);
            slept += step;
            let journal = Journal::read(&ctx.sys, &ctx.layout)?;
            match look(ctx, who, &journal, Verb::Acquire, request) {
                Err(error) if error.kind == ErrorKind::Held => {}
                _ => break,
            }
        }
    }
}

/// Every lock that has a file.
///
/// # Errors
/// `failed` where the folder cannot be looked at.
pub fn list(ctx: &Context) -> Result<Vec<LockRow>> {
    let now = ctx.now(Journal::read(&ctx.sys, &ctx.layout)?.newest());
    let files = named_locks::read_all(&ctx.sys, &ctx.layout)?;
    let grace = ctx.settings.leases.grace;
    Ok(files
        .into_iter()
        .map(|file| LockRow {
            name: file.name.map(|name| name.as_str().to_owned()),
            status: file.lock.as_ref().map_or(LockStatus::Unreadable, |l| l.status(now, grace)),
            file: file.file,
            lock: file.lock,
        })
        .collect())
}
