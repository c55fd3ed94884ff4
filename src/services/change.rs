//! The one way to change a ledger: snapshot, decide, render, commit.
//!
//! Every door (a command, later a server or `watch`) calls [`run`]. Nothing
//! else opens a transaction.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::tasks::TaskLedger;
use crate::model::operation::Operation;
use crate::model::outcome::{OpHeader, Outcome};
use crate::model::time::Timestamp;
use crate::services::config;
use crate::services::context::{Context, Identity};
use crate::store::entry::sha256_hex;
use crate::store::mirror::MirrorChange;
use crate::store::replace::Durability;
use crate::store::snapshot::Snapshot;
use crate::store::transaction::{Meta, Prepared, Transaction};
use serde_json::Value;

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
}

/// Decides and commits a change. `present` makes the answer, which is journalled
/// with an `--op-id` and given again when the key is.
///
/// # Errors
/// What `decide` says, and what [`Transaction`] says of files.
pub fn run(
    ctx: &Context,
    change: &Change,
    decide: &dyn Fn(&Snapshot<'_>, Timestamp) -> Result<Decision>,
    present: &dyn Fn(&Report<'_>) -> Value,
) -> Result<Changed> {
    let mut meta = Meta {
        actor: change.who.actor.as_str().to_owned(),
        command: change.command.to_owned(),
        note: change.note.clone(),
        op_id: change
            .op_id
            .as_ref()
            .map(|op| (op.key.clone(), sha256_hex(op.arguments.as_bytes()))),
        ..Meta::default()
    };
    let transaction = if change.dry_run {
        Transaction::preview(&ctx.sys, &ctx.layout)?
    } else {
        refuse_read_only(ctx)?;
        Transaction::begin(&ctx.sys, &ctx.layout, ctx.settings.lock_wait, &meta)?
    };
    let snapshot = transaction.snapshot()?;
    if let Some(first) = answered(&snapshot, change, &meta)? {
        return Ok(first);
    }
    let now = ctx.now(snapshot.journal()?.newest());
    let decision = decide(&snapshot, now)?;
    meta.token = decision.token;
    meta.waivers.clone_from(&decision.waivers);
    meta.waivers.sort();
    meta.waivers.dedup();
    let mut outcome = decision.outcome;
    let nothing_ready = outcome.nothing_ready;
    let prepared =
        transaction.prepare(&snapshot, &decision.operations, decision.mirrors, &meta, now)?;
    if prepared.rendered == crate::ledger::render::Rendered::default() {
        outcome.already = outcome.already || !nothing_ready;
        let report = Report {
            outcome: &outcome,
            tasks: &snapshot.tasks,
            before: &snapshot.tasks,
            op: None,
            diff: change.dry_run.then_some(""),
        };
        return Ok(Changed { data: present(&report), nothing_ready });
    }
    let text = prepared.rendered.tasks.clone();
    let path = snapshot.tasks.path().to_owned();
    let text = text.as_deref().unwrap_or_else(|| snapshot.tasks.grid().text());
    let after = TaskLedger::parse(text, &path)?;
    let header = header(ctx, &prepared);
    let report = Report {
        outcome: &outcome,
        tasks: &after,
        before: &snapshot.tasks,
        op: (!change.dry_run).then_some(&header),
        diff: change.dry_run.then_some(&prepared.diff),
    };
    let data = present(&report);
    if change.dry_run {
        return Ok(Changed { data, nothing_ready });
    }
    let mut prepared = prepared;
    if prepared.entry.op_id.is_some() {
        prepared.entry.data = Some(data.clone());
    }
    drop(snapshot);
    transaction.commit(prepared, durability(ctx))?;
    Ok(Changed { data, nothing_ready })
}

/// The first answer to an idempotency key, if it was committed.
fn answered(snapshot: &Snapshot<'_>, change: &Change, meta: &Meta) -> Result<Option<Changed>> {
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
    Ok(Some(Changed { data, nothing_ready: false }))
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
