//! The one way to change a ledger: snapshot, decide, render, commit.
//!
//! Every door (a command, later a server or `watch`) calls [`run`]. Nothing
//! else opens a transaction, but for `locks`, which changes no ledger.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::approvals::ApprovalLedger;
use crate::ledger::render::{self, Rendered};
use crate::ledger::source;
use crate::ledger::tasks::TaskLedger;
use crate::model::operation::Operation;
use crate::model::outcome::{OpHeader, Outcome};
use crate::model::time::Timestamp;
use crate::services::approvals::{expire, subject};
use crate::services::context::{Context, Identity};
use crate::services::hand_edits::{self, Noticed};
use crate::services::{config, flags, policy};
use crate::store::append::{End, Place};
use crate::store::audit_line::AuditLine;
use crate::store::entry::{RunMark, Subject, sha256_hex};
use crate::store::mirror::MirrorChange;
use crate::store::prepare::{Beside, Prepared};
use crate::store::replace::Durability;
use crate::store::seen::Seen;
use crate::store::snapshot::Snapshot;
use crate::store::transaction::{Meta, Stopped, Transaction};
use serde_json::Value;
use std::time::Duration;

/// What every changing command takes.
#[derive(Debug, Clone)]
pub struct Change {
    /// The verb, for the journal.
    pub command: &'static str,
    /// The caller.
    pub who: Identity,
    /// `--note`
    pub note: Option<String>,
    /// `--dry-run`
    pub dry_run: bool,
    /// `--op-id`, with everything else that was asked.
    pub op_id: Option<OpId>,
}

/// An idempotency key.
#[derive(Debug, Clone)]
pub struct OpId {
    /// The key.
    pub key: String,
    /// The arguments in a canonical spelling: the same key with others is an
    /// error.
    pub arguments: String,
}

/// What was decided, before anything is written.
#[derive(Debug)]
pub struct Decision {
    /// The changes, in order.
    pub operations: Vec<Operation>,
    /// What happens to lease mirrors.
    pub mirrors: Vec<MirrorChange>,
    /// The lease's token, for the journal.
    pub token: Option<u64>,
    /// Rules that were waived.
    pub waivers: Vec<String>,
    /// What the journal says of the run that does it.
    pub run: Option<RunMark>,
    /// The operation that this takes back.
    pub undoes: Option<String>,
    /// Hand edits that it accepts.
    pub accepts: Vec<String>,
    /// New texts that no operation spells: those of an undo.
    pub texts: Option<Rendered>,
    /// What the approvals that it touches are about.
    pub subjects: Vec<Subject>,
    /// What the caller should know besides.
    pub warnings: Vec<String>,
    /// Whether there is something to journal though no file changes.
    pub journal_only: bool,
    /// What to tell the caller.
    pub outcome: Outcome,
}

impl Decision {
    /// A decision that changes nothing yet.
    pub const fn new(outcome: Outcome) -> Self {
        Self {
            operations: Vec::new(),
            mirrors: Vec::new(),
            token: None,
            waivers: Vec::new(),
            run: None,
            undoes: None,
            accepts: Vec::new(),
            texts: None,
            subjects: Vec::new(),
            warnings: Vec::new(),
            journal_only: false,
            outcome,
        }
    }
}

/// What the answer to a change is made from.
#[derive(Debug)]
pub struct Report<'r> {
    /// What was decided.
    pub outcome: &'r Outcome,
    /// The task ledger as it is now, or would be.
    pub tasks: &'r TaskLedger<'r>,
    /// The task ledger as it was: rows that were archived stood there.
    pub before: &'r TaskLedger<'r>,
    /// The approval ledger as it is now, or would be.
    pub approvals: &'r ApprovalLedger<'r>,
    /// What was decided on, for what it knows of archives.
    pub snapshot: &'r Snapshot<'r>,
    /// The operation; `None` for a dry run or where nothing changed.
    pub op: Option<&'r OpHeader>,
    /// The diff, for a dry run.
    pub diff: Option<&'r str>,
}

/// What came of a change.
#[derive(Debug)]
pub struct Changed {
    /// The answer, as `present` made it, or as it was first given.
    pub data: Value,
    /// Whether the command ends as `nothing_ready`.
    pub nothing_ready: bool,
    /// What else the caller should know: hand edits, saves set aside.
    pub warnings: Vec<String>,
}

/// How long an unreadable file that was saved just now is given to become whole.
const HALF_WRITTEN: Duration = Duration::from_millis(100);
/// How often.
const SECOND_LOOKS: u32 = 3;

/// Decides and commits a change. `present` makes the answer, which is journalled
/// with an `--op-id` and given again when the key is.
///
/// Where an editor saves between our look and our replacement, everything is
/// done again on top of the save, as long as `lock_wait` lasts.
///
/// # Errors
/// What `decide` says, and what [`Transaction`] says of files.
pub fn run(
    ctx: &Context,
    change: &Change,
    decide: &dyn Fn(&Snapshot<'_>, Timestamp) -> Result<Decision>,
    present: &dyn Fn(&Report<'_>) -> Value,
) -> Result<Changed> {
    let clock = &ctx.sys.clock;
    let from_ms = clock.now_ms();
    let mut slept = Duration::ZERO;
    let mut looks = 0;
    loop {
        let error = match attempt(ctx, change, decide, present) {
            Ok(changed) => return Ok(changed),
            Err(Attempt::Half(error)) if looks == SECOND_LOOKS => return Err(error),
            Err(Attempt::Half(_)) => {
                looks += 1;
                clock.sleep(HALF_WRITTEN);
                continue;
            }
            Err(Attempt::Stopped(Stopped::Failed(error))) => return Err(error),
            Err(Attempt::Stopped(Stopped::Interrupted(error))) => error,
        };
        let passed = u64::try_from(clock.now_ms() - from_ms).unwrap_or(0);
        if Duration::from_millis(passed).max(slept) >= ctx.settings.lock_wait {
            return Err(error);
        }
        let mut byte = [0];
        ctx.sys.entropy.fill(&mut byte);
        let step = Duration::from_millis(5 + u64::from(byte[0]) % 20);
        clock.sleep(step);
        slept += step;
    }
}

/// Why one attempt came to nothing.
enum Attempt {
    /// A file that was saved just now cannot be used: its editor may not be done.
    Half(Error),
    Stopped(Stopped),
}

impl From<Error> for Attempt {
    fn from(error: Error) -> Self {
        Self::Stopped(Stopped::Failed(error))
    }
}

impl From<Stopped> for Attempt {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

fn attempt(
    ctx: &Context,
    change: &Change,
    decide: &dyn Fn(&Snapshot<'_>, Timestamp) -> Result<Decision>,
    present: &dyn Fn(&Report<'_>) -> Value,
) -> std::result::Result<Changed, Attempt> {
    let mut meta = meta(change);
    let transaction = if change.dry_run {
        Transaction::preview(&ctx.sys, &ctx.layout)?
    } else {
        refuse_read_only(ctx)?;
        Transaction::begin(&ctx.sys, &ctx.layout, ctx.settings.lock_wait, &meta)?
    };
    let half = |error: Error| {
        if error.kind == ErrorKind::LedgerInvalid && transaction.is_fresh() {
            Attempt::Half(error)
        } else {
            error.into()
        }
    };
    // Only a migration begins, or its rollback ends, without a ledger table.
    let migrates = change.command.starts_with("migrate");
    let snapshot = if migrates { transaction.snapshot_any() } else { transaction.snapshot() };
    let mut snapshot = snapshot.map_err(half)?;
    if let Some(first) = answered(&snapshot, change, &meta)? {
        return Ok(first);
    }
    let newest = snapshot.journal()?.newest();
    let now = ctx.now(newest);
    let Look { seen, mut found, mut warnings } = notice(ctx, &transaction, &snapshot, now)?;
    snapshot.standing.clone_from(&found.standing);
    snapshot.journal()?.notice(&found.external);
    let mut decision = match decide(&snapshot, now) {
        Ok(decision) => decision,
        Err(error) => {
            if !change.dry_run {
                note_refusal(ctx, change, &error, now);
            }
            return Err(error.noticed(warnings).into());
        }
    };
    let overdue = expire::overdue(ctx, &snapshot, &decision.operations, now);
    decision.operations.extend(overdue);
    warnings.append(&mut decision.warnings);
    meta.token = decision.token;
    meta.waivers.clone_from(&decision.waivers);
    meta.waivers.sort();
    meta.waivers.dedup();
    meta.run = decision.run.take().or(meta.run);
    let mut outcome = decision.outcome;
    let nothing_ready = outcome.nothing_ready;
    let is_spelled = decision.texts.is_none();
    let rendered = match decision.texts {
        Some(texts) => texts,
        None => transaction.spell(&snapshot, &decision.operations)?,
    };
    if rendered == Rendered::default() && !decision.journal_only {
        outcome.already = outcome.already || !nothing_ready;
        let report = Report {
            outcome: &outcome,
            tasks: &snapshot.tasks,
            before: &snapshot.tasks,
            approvals: &snapshot.approvals,
            snapshot: &snapshot,
            op: None,
            diff: change.dry_run.then_some(""),
        };
        return Ok(Changed { data: present(&report), nothing_ready, warnings });
    }
    let path = snapshot.tasks.path().to_owned();
    loads_again(ctx, &snapshot, &rendered)?;
    let text = rendered.tasks.as_deref().unwrap_or_else(|| snapshot.tasks.grid().text());
    let after = match TaskLedger::parse(text, &path) {
        Err(_) if migrates => TaskLedger::parse_any(text, &path),
        after => after?,
    };
    if rendered.tasks.is_some() && is_spelled {
        render::check(&snapshot.tasks, &after, &decision.operations)?;
    }
    let approvals = match &rendered.approvals {
        Some(text) => Some(ApprovalLedger::parse(text, snapshot.approvals.path())?),
        None => None,
    };
    found.accepts = hand_edits::accepted_policies(&decision.accepts);
    let mut beside = Beside {
        undoes: decision.undoes,
        accepts: decision.accepts,
        subjects: decision.subjects,
        ..beside(ctx, &snapshot, seen, found)?
    };
    if rendered.flags.is_some() {
        let flags = ctx.flags_in_force(snapshot.flags);
        let flags = flags::after(flags, &decision.operations);
        beside.policy = Some(policy::spell(&ctx.settings, flags));
    }
    let operations = &decision.operations;
    let prepared = transaction.prepare(
        &snapshot,
        &after,
        &rendered,
        operations,
        decision.mirrors,
        &meta,
        beside,
        now,
    )?;
    let header = header(ctx, &prepared);
    let report = Report {
        outcome: &outcome,
        tasks: &after,
        before: &snapshot.tasks,
        approvals: approvals.as_ref().unwrap_or(&snapshot.approvals),
        snapshot: &snapshot,
        op: (!change.dry_run).then_some(&header),
        diff: change.dry_run.then_some(&prepared.diff),
    };
    let data = present(&report);
    if change.dry_run {
        return Ok(Changed { data, nothing_ready, warnings });
    }
    let mut prepared = prepared;
    if prepared.entry.op_id.is_some() {
        prepared.entry.data = Some(data.clone());
    }
    drop(snapshot);
    transaction.commit(prepared, &rendered, durability(ctx))?;
    Ok(Changed { data, nothing_ready, warnings })
}

/// Refuses texts that the next command could not read: marks of a merge in a
/// detail would stop everybody.
fn loads_again(ctx: &Context, snapshot: &Snapshot<'_>, rendered: &Rendered) -> Result<()> {
    if let Some(text) = &rendered.tasks {
        source::loads(text, snapshot.tasks.path())?;
    }
    if let Some(text) = &rendered.approvals {
        source::loads(text, snapshot.approvals.path())?;
    }
    rendered.archives.iter().try_for_each(|(year, text)| {
        source::loads(text, &ctx.layout.display(&ctx.layout.archive_tasks(*year)))
    })
}

/// What a writer sees before it decides.
pub(super) struct Look {
    /// How the files stand to the newest operation.
    pub seen: Seen,
    /// What was edited by hand.
    pub found: Noticed,
    /// What to tell of it.
    pub warnings: Vec<String>,
}

/// Looks at what others did since the newest operation.
pub(super) fn notice(
    ctx: &Context,
    transaction: &Transaction,
    snapshot: &Snapshot<'_>,
    now: Timestamp,
) -> Result<Look> {
    let seen = transaction.seen(snapshot)?;
    let mut found = hand_edits::notice(ctx, snapshot, &seen, || transaction.blank_entry(now), now)?;
    let mut warnings = said_by(transaction, ctx);
    warnings.extend(ctx.clock_warning(snapshot.journal()?.newest()));
    let saw = seen.checkpoint.iter().flat_map(|checkpoint| &checkpoint.heads).last();
    if let (Some((seq, hash)), true) = (saw, snapshot.journal()?.is_empty()) {
        warnings.push(format!(
            "the journal is gone: this machine saw it up to the operation {seq}:{hash}; a new one \
             begins behind it, and `orch audit verify` will say so"
        ));
    }
    warnings.append(&mut found.warnings);
    Ok(Look { seen, found, warnings })
}

/// What goes into the journal with any operation.
pub(super) fn beside(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    seen: Seen,
    found: Noticed,
) -> Result<Beside> {
    Ok(Beside {
        seen,
        policy: policy_line(ctx, snapshot, &found.accepts)?,
        external: found.external,
        respelled: found.respelled,
        // After an acceptance the next command counts anew.
        standing: found.standing.len(),
        first_seen: if snapshot.journal()?.is_empty() {
            subject::of_all(ctx, snapshot)
        } else {
            Vec::new()
        },
        ..Beside::default()
    })
}

/// The policy to write down: at first use, once for journals that have none, and
/// what CMD accepts.
fn policy_line(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    accepts: &[String],
) -> Result<Option<Value>> {
    let known = snapshot.journal()?.last_policy();
    if !accepts.is_empty() {
        // Only what was accepted: another setting that is held stays held.
        let (mut settings, mut flags) = (ctx.settings.clone(), ctx.flags_in_force(snapshot.flags));
        for name in accepts {
            policy::accept(name, (&ctx.written, snapshot.flags), &mut settings, &mut flags);
        }
        let accepted = policy::spell(&settings, flags);
        return Ok((known.as_ref() != Some(&accepted)).then_some(accepted));
    }
    if known.is_some() {
        return Ok(None);
    }
    Ok(Some(policy::spell(&ctx.settings, ctx.flags_in_force(snapshot.flags))))
}

/// What recovery found, in words.
fn said_by(transaction: &Transaction, ctx: &Context) -> Vec<String> {
    let settled = transaction.settled();
    let mut said = Vec::new();
    if let Some(op) = &settled.finished {
        said.push(format!("finished the operation {op}, which a command had not completed"));
    }
    if let Some(path) = &settled.quarantined {
        let path = ctx.layout.display(path);
        said.push(format!("an unreadable redo record was never committed; it is in `{path}`"));
    }
    for path in transaction.rescued() {
        let path = ctx.layout.display(path);
        said.push(format!(
            "an editor saved into a file that had been replaced; its text is in `{path}`"
        ));
    }
    said
}

/// Writes down that somebody was refused for who they are or for what changed.
/// Best effort: the refusal stands without it.
fn note_refusal(ctx: &Context, change: &Change, error: &Error, now: Timestamp) {
    if !matches!(error.kind, ErrorKind::SeparationOfDuties | ErrorKind::Stale) {
        return;
    }
    let ts = now.whole_seconds().to_string();
    let line = AuditLine {
        ts: &ts,
        id: error.aside.as_ref().and_then(|a| a.subject.as_deref()).unwrap_or("-"),
        op: change.command,
        by: change.who.actor.as_str(),
        note: &error.message,
        ..AuditLine::default()
    };
    let path = ctx.layout.audit_day(ts.get(..10).unwrap_or_default());
    if let Ok(place) = Place::make(&ctx.sys, &ctx.layout, path) {
        let _ = place.append(&ctx.sys, &[line.spell()], End::Unknown, false);
    }
}

/// Who changes what, for the journal.
pub(super) fn meta(change: &Change) -> Meta {
    let key = change.op_id.as_ref();
    Meta {
        actor: change.who.actor.as_str().to_owned(),
        command: change.command.to_owned(),
        note: change.note.clone(),
        op_id: key.map(|op| (op.key.clone(), sha256_hex(op.arguments.as_bytes()))),
        run: change.who.run.as_ref().map(|run| RunMark { token: run.token, ..RunMark::default() }),
        ..Meta::default()
    }
}

/// The first answer to an idempotency key, if it was committed.
pub(super) fn answered(
    snapshot: &Snapshot<'_>,
    change: &Change,
    meta: &Meta,
) -> Result<Option<Changed>> {
    let Some((key, arguments)) = &meta.op_id else { return Ok(None) };
    let Some(entry) = snapshot.journal()?.committed_as(key) else { return Ok(None) };
    if entry.command != change.command || entry.args.as_deref() != Some(arguments) {
        return Err(Error::usage(format!(
            "the `--op-id` `{key}` was used for `orch {}` with other arguments (operation {}); \
             take a new key for a new operation",
            entry.command, entry.id
        )));
    }
    let mut data = entry.data.unwrap_or_default();
    if let Some(object) = data.as_object_mut() {
        object.insert("already".to_owned(), Value::Bool(true));
    }
    Ok(Some(Changed { data, nothing_ready: false, warnings: Vec::new() }))
}

fn header(ctx: &Context, prepared: &Prepared) -> OpHeader {
    let entry = &prepared.entry;
    let tasks = ctx.layout.display(&ctx.layout.tasks());
    let approvals = ctx.layout.display(&ctx.layout.approvals());
    let name = if entry.sha_out.contains_key(&tasks) { tasks } else { approvals };
    OpHeader {
        seq: entry.seq,
        id: entry.id.clone(),
        sha_in: entry.sha_in.get(&name).cloned().flatten(),
        sha_out: entry.sha_out.get(&name).cloned(),
    }
}

/// The durability in force.
pub fn durability(ctx: &Context) -> Durability {
    match ctx.settings.durability {
        config::Durability::Full => Durability::Full,
        config::Durability::Fast => Durability::Fast,
    }
}

/// A ledger without a write bit is refused before a lock is taken or made.
fn refuse_read_only(ctx: &Context) -> Result<()> {
    let path = ctx.layout.tasks();
    match ctx.sys.fs.stat(&path) {
        Ok(stat) if stat.mode & 0o200 == 0 => Err(Error::new(
            ErrorKind::Failed,
            format!("`{}` is read-only; nothing was changed", ctx.layout.display(&path)),
        )
        .hint("orch list")),
        _ => Ok(()),
    }
}
