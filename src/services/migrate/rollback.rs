//! `migrate --rollback`: the former bytes come back.
//!
//! Invariant: a file is only put back where it is, byte for byte, what the
//! migration left; what comes back has the hash that the journal says.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::render::Rendered;
use crate::ledger::tasks::shell_word;
use crate::model::actor::Role;
use crate::model::outcome::Outcome;
use crate::services::change::Decision;
use crate::services::migrate::Asked;
use crate::services::migrate::backup::{MANIFEST, Manifest};
use crate::store::entry::{Entry, sha256_hex};
use crate::store::journal::{Journal, Named};
use std::path::PathBuf;

/// What a rollback brought back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RolledBack {
    /// The migration.
    pub op: String,
    /// When it was.
    pub ts: String,
    /// The files that have their former bytes again, each with their SHA-256.
    pub files: Vec<(String, String)>,
    /// The backup's folder.
    pub folder: String,
}

/// Takes a migration back: the one named, else the newest that stands.
///
/// # Errors
/// `not_allowed` for anybody but CMD and for operations that are no migration,
/// `not_found` where there is none, `stale` where a ledger was changed since or
/// the backup is not what it was.
pub fn rollback(asked: Asked<'_>, operation: Option<&str>) -> Result<(Decision, RolledBack)> {
    let Asked { ctx, snapshot, who, .. } = asked;
    let mut decision = Decision::new(Outcome::default());
    if !who.may(who.actor.role() == Role::Cmd, &mut decision.waivers) {
        return Err(super::not_cmd("migrate --rollback", who));
    }
    let journal = snapshot.journal()?;
    let entry = named(journal, operation)?;
    let folder = folder(&entry).ok_or_else(|| altered(&entry, "has no backup"))?;
    let mut back =
        RolledBack { op: entry.id.clone(), ts: entry.ts.clone(), files: Vec::new(), folder };
    if journal.is_undone(&entry.id) {
        decision.outcome.already = true;
        decision.waivers.clear();
        return Ok((decision, back));
    }
    let manifest = manifest(asked, &entry, &back.folder)?;
    let (tasks, approvals) = (ctx.layout.tasks(), ctx.layout.approvals());
    let mut texts = Rendered::default();
    for file in manifest.files.iter().filter(|file| file.role == "replaced") {
        let (is_tasks, now) = if file.name == ctx.layout.display(&tasks) {
            (true, snapshot.tasks.grid().text())
        } else if file.name == ctx.layout.display(&approvals) {
            (false, snapshot.approvals.grid().text())
        } else {
            return Err(altered(&entry, "has a backup of a file that is no ledger"));
        };
        if entry.sha_out.get(&file.name) != Some(&sha256_hex(now.as_bytes())) {
            return Err(stale(journal, &entry, &file.name, file.copy.as_deref()));
        }
        // A ledger that the migration made stays, empty: a file is never removed.
        let former = match &file.copy {
            Some(copy) => read(asked, &entry, copy)?,
            None => String::new(),
        };
        let sha = sha256_hex(former.as_bytes());
        let found = entry.sha_in.get(&file.name).cloned().flatten();
        if found.is_some_and(|found| found != sha) {
            return Err(altered(&entry, "has a backup that is not what it found"));
        }
        back.files.push((file.name.clone(), sha));
        if is_tasks {
            texts.tasks = Some(former);
        } else {
            texts.approvals = Some(former);
        }
    }
    decision.undoes = Some(entry.id);
    decision.journal_only = true;
    decision.texts = Some(texts);
    Ok((decision, back))
}

fn is_migration(entry: &Entry) -> bool {
    entry.command == "migrate"
}

fn named(journal: &Journal, operation: Option<&str>) -> Result<Entry> {
    let Some(text) = operation else {
        let standing = |entry: &Entry| is_migration(entry) && !journal.is_undone(&entry.id);
        let newest = journal.newest_where(standing);
        return newest
            .or_else(|| journal.newest_where(is_migration))
            .ok_or_else(|| Error::not_found("no migration to roll back").hint("orch log"));
    };
    match journal.operation(text) {
        Named::One(entry) if is_migration(&entry) => Ok(*entry),
        Named::One(entry) => Err(Error::not_allowed(format!(
            "the operation {} is `{}`, no migration",
            entry.id, entry.command
        ))
        .hint("orch log")),
        Named::Nothing => Err(Error::not_found(format!("no operation `{text}`")).hint("orch log")),
        Named::Several(ids) => Err(Error::usage(format!(
            "`{text}` begins the ids of several operations: {}",
            ids.join(", ")
        ))
        .hint("orch log")),
    }
}

/// Where the operation put its backup.
fn folder(entry: &Entry) -> Option<String> {
    let end = format!("/{MANIFEST}");
    entry.sha_out.keys().find_map(|name| name.strip_suffix(&end)).map(str::to_owned)
}

fn altered(entry: &Entry, why: &str) -> Error {
    Error::new(ErrorKind::Stale, format!("the migration {} {why}; nothing was changed", entry.id))
        .hint("orch audit verify")
}

/// A file of the backup, as the operation wrote it.
fn read(asked: Asked<'_>, entry: &Entry, name: &str) -> Result<String> {
    let path: PathBuf = asked.ctx.layout.root.join(name);
    let gone = |why: &str| altered(entry, &format!("cannot be taken back: `{name}` {why}"));
    let bytes = asked.ctx.sys.fs.read(&path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => gone("is not there"),
        _ => Error::io("read", &path, &e),
    })?;
    if entry.sha_out.get(name) != Some(&sha256_hex(&bytes)) {
        return Err(gone("is not what it was"));
    }
    String::from_utf8(bytes).map_err(|_| gone("is no text"))
}

fn manifest(asked: Asked<'_>, entry: &Entry, folder: &str) -> Result<Manifest> {
    let text = read(asked, entry, &format!("{folder}/{MANIFEST}"))?;
    serde_json::from_str(&text)
        .map_err(|e| altered(entry, &format!("has a manifest that is none: {e}")))
}

/// Which operations changed the file since, and the way out.
fn stale(journal: &Journal, entry: &Entry, file: &str, copy: Option<&str>) -> Error {
    let later = journal.newest_where(|other| other.sha_out.contains_key(file));
    let later = later.filter(|other| other.id != entry.id);
    let what = match &later {
        Some(other) => format!("by the operation {} (`{}`)", other.id, other.command),
        None => "by hand".to_owned(),
    };
    let copy = copy.map_or_else(String::new, |copy| format!("; its former bytes are `{copy}`"));
    let hint = match &later {
        Some(other) if is_migration(other) => {
            format!("orch migrate --rollback {}", shell_word(&other.id))
        }
        Some(other) if other.command != "external" => {
            format!("orch undo {}", shell_word(&other.id))
        }
        _ => "orch log".to_owned(),
    };
    Error::new(
        ErrorKind::Stale,
        format!("`{file}` was changed {what} since the migration {}{copy}", entry.id),
    )
    .hint(hint)
}
