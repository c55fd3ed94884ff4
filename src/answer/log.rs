//! What was done, by whom and when.

use crate::answer::{Caller, look};
use crate::error::Result;
use crate::services::context::Mode;
use crate::services::log::{self, Log, Subject};
use crate::store::entry::{Entry, RowChangeKind};
use crate::store::journal::{Journal, read};
use crate::store::snapshot::{Files, Want};
use crate::wire::{Envelope, log as wire};
use serde_json::Value;
use std::borrow::Cow;

/// The newest operations: the object of `--json`.
///
/// # Errors
/// Those of reading the journal.
pub fn run(caller: &Caller<'_>, limit: usize) -> Result<Value> {
    let mut ctx = caller.context(Mode::Read)?;
    let journal = Journal::read(caller.sys, &ctx.layout)?;
    let log = Log::of(&journal);
    let files = Files::read(caller.sys, &ctx.layout, Want::All)?;
    look(&mut ctx, &files)?;
    let found = log.find(&Subject::Everything, limit);
    let (mut warnings, mut next) = (ctx.warnings, Vec::new());
    let damaged = journal.damaged();
    if damaged > 0 {
        warnings.push(damage(damaged));
        next.push(caller.command("audit verify", None));
    }
    let get = |n: usize| shape(read(found.lines[n]));
    let list =
        wire::LogList { get: &get, returned: found.lines.len(), total: found.total, blame: None };
    let envelope = Envelope::new("journal.log", &list, &warnings, &next);
    Ok(serde_json::to_value(envelope).unwrap_or_default())
}

/// How many lines cannot be read, in words.
pub fn damage(lines: usize) -> String {
    match lines {
        1 => "a line of the journal cannot be read and is not shown".to_owned(),
        n => format!("{n} lines of the journal cannot be read and are not shown"),
    }
}

/// The shape of an operation.
pub fn shape(entry: Entry) -> wire::Operation {
    let own = |spelled: &str| log::value(spelled).map(Cow::into_owned);
    let changes = entry.changes.into_iter().map(|change| wire::RowChange {
        file: change.file,
        row: change.row,
        kind: match change.kind {
            RowChangeKind::Insert => "insert",
            RowChangeKind::Set => "set",
            RowChangeKind::Remove => "remove",
        }
        .to_owned(),
        cells: change
            .cells
            .into_iter()
            .map(|(column, (before, after))| (column, [own(&before), own(&after)]))
            .filter(|(_, [before, after])| before != after)
            .collect(),
    });
    let locks = entry.locks.into_iter().map(|lock| wire::LockChange {
        name: lock.name,
        owner: lock.owner,
        expires_at: lock.expires_at,
        taken_from: lock.taken_from,
    });
    let forbidden = entry.forbidden.into_iter();
    let took_back = entry.took_back.into_iter();
    wire::Operation {
        changes: changes.collect(),
        locks: locks.collect(),
        forbidden: forbidden
            .map(|f| wire::Forbidden { code: f.code, file: f.file, row: f.row })
            .collect(),
        took_back: took_back
            .map(|t| wire::TakenBack { file: t.file, row: t.row, op: t.op })
            .collect(),
        seq: entry.seq,
        id: entry.id,
        ts: entry.ts,
        actor: entry.actor,
        host: entry.host,
        pid: entry.pid,
        command: entry.command,
        task: entry.task,
        appr: entry.appr,
        op_id: entry.op_id,
        token: entry.token,
        note: entry.note,
        via: entry.via,
        undoes: entry.undoes,
        accepts: entry.accepts,
        waivers: entry.waivers,
        respelled: entry.respelled,
        diff: entry.diff,
        sha_in: entry.sha_in,
        sha_out: entry.sha_out,
        parents: entry.parents,
        hash: entry.hash,
        commit: None,
    }
}
