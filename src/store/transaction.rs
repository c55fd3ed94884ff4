//! One change of the ledgers: read inside the lock, write whole files, journal.
//!
//! Here: the order of the steps, which `store`'s front page draws. Not here:
//! what to change (`services`), and how text is spelled (`ledger::render`).
//!
//! # Concurrency
//! Between [`Transaction::begin`] and its drop no other writer of this
//! workspace reads or writes. Never run a child, ask a person or print while
//! one is open.
//!
//! # Durability
//! When [`Transaction::commit`] gives `Ok`, the new ledgers and the journal
//! line are on the disk (`durability: full`). An error of kind `committed`
//! means that the ledgers changed but something after that failed; any other
//! error, that they did not.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::render::{self, Documents, Rendered};
use crate::ledger::tasks::TaskLedger;
use crate::ledger::unified::unified;
use crate::model::field::TaskField;
use crate::model::operation::{Column, Operation};
use crate::model::time::Timestamp;
use crate::store::discover::repository_root;
use crate::store::entry::{Entry, RowChange, RowChangeKind, sha256_hex};
use crate::store::journal::{self, Journal};
use crate::store::layout::Layout;
use crate::store::lock::{LedgerLock, holder_note};
use crate::store::mirror::{self, MirrorChange};
use crate::store::replace::{self, Durability, Staged, Target, resolve};
use crate::store::snapshot::{Files, Snapshot, Want};
use crate::sys::{Stat, Sys};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Who changes what, for the journal.
#[derive(Debug, Clone, Default)]
pub struct Meta {
    /// By whom.
    pub actor: String,
    /// The verb.
    pub command: String,
    /// The caller's idempotency key, with the hash of the arguments.
    pub op_id: Option<(String, String)>,
    /// `--note`
    pub note: Option<String>,
    /// The fencing token taken or used.
    pub token: Option<u64>,
    /// Rules that were waived.
    pub waivers: Vec<String>,
}

/// An open transaction.
#[derive(Debug)]
pub struct Transaction {
    sys: Sys2,
    layout: Layout,
    lock: Option<LedgerLock>,
    files: Files,
}

/// [`Sys`] with a `Debug` that shows nothing.
#[derive(Clone)]
struct Sys2(Sys);

impl std::fmt::Debug for Sys2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sys")
    }
}

/// A change that is rendered and checked, and not yet written.
#[derive(Debug)]
pub struct Prepared {
    /// The new texts.
    pub rendered: Rendered,
    /// The journal line to be, without its place in the chain's hash.
    pub entry: Entry,
    /// The diff of every file that people see.
    pub diff: String,
    /// The lease mirrors to write or remove.
    pub mirrors: Vec<MirrorChange>,
    genesis: Option<Entry>,
    /// Whether rows come back from an archive.
    returns: bool,
}

impl Transaction {
    /// Takes the lock and reads both ledgers.
    ///
    /// # Errors
    /// `busy` after `wait`, naming the holder.
    pub fn begin(sys: &Sys, layout: &Layout, wait: Duration, meta: &Meta) -> Result<Self> {
        // Before the lock: a ledger, or a whole STATE, that a link leads out of
        // the workspace is refused before anything is made out there.
        let ledgers = [layout.tasks(), layout.approvals()]
            .map(|path| resolve(sys, layout, &path))
            .into_iter()
            .collect::<Result<Vec<_>>>()?;
        let note = holder_note(sys, &meta.actor, &format!("orch {}", meta.command));
        let lock = LedgerLock::acquire(sys, layout, wait, &note)?;
        for dir in [layout.orch_dir(), layout.state_dir(), layout.archive_dir(), layout.locks_dir()]
        {
            replace::clean_temporaries(sys, &dir)?;
        }
        for ledger in &ledgers {
            replace::clean_temporaries_of(sys, ledger)?;
        }
        Ok(Self { lock: Some(lock), ..Self::preview(sys, layout)? })
    }

    /// Reads as a reader does: for `--dry-run`, which writes nothing.
    pub fn preview(sys: &Sys, layout: &Layout) -> Result<Self> {
        let files = Files::read(sys, layout, Want::All)?;
        Ok(Self { sys: Sys2(sys.clone()), layout: layout.clone(), lock: None, files })
    }

    /// What was read, parsed.
    pub fn snapshot(&self) -> Result<Snapshot<'_>> {
        Snapshot::parse(&self.sys.0, &self.layout, &self.files)
    }

    /// Renders operations into texts, a diff and a journal line. Writes nothing.
    pub fn prepare(
        &self,
        snapshot: &Snapshot<'_>,
        operations: &[Operation],
        mirrors: Vec<MirrorChange>,
        meta: &Meta,
        now: Timestamp,
    ) -> Result<Prepared> {
        let no_archives = BTreeMap::new();
        let needs_archives = operations
            .iter()
            .any(|o| matches!(o, Operation::Archive { .. } | Operation::Unarchive { .. }));
        let archives = if needs_archives { snapshot.archives()? } else { &no_archives };
        let documents =
            Documents { tasks: &snapshot.tasks, approvals: &snapshot.approvals, archives };
        let rendered = render::render(&documents, operations)?;
        let journal = snapshot.journal()?;
        let mut prepared = Prepared {
            diff: self.diff(&rendered, archives),
            entry: self.entry(&rendered, archives, meta, now),
            genesis: None,
            returns: operations.iter().any(|o| matches!(o, Operation::Unarchive { .. })),
            mirrors,
            rendered,
        };
        prepared.entry.changes = self.changes(snapshot, &prepared.rendered, operations);
        let tasks: BTreeSet<_> = prepared.entry.changes.iter().map(|c| c.row.clone()).collect();
        if tasks.len() == 1 {
            prepared.entry.task = tasks.into_iter().next();
        }
        if meta.command != "renew" {
            prepared.entry.diff = Some(prepared.diff.clone());
        }
        self.chain(journal, &mut prepared, now);
        Ok(prepared)
    }

    /// Puts the entry behind the newest line, or behind a genesis line.
    fn chain(&self, journal: &Journal, prepared: &mut Prepared, now: Timestamp) {
        let last = journal.last().or_else(|| {
            let mut genesis = self.blank_entry(now);
            genesis.seq = 1;
            genesis.actor.clone_from(&prepared.entry.actor);
            "genesis".clone_into(&mut genesis.command);
            for (path, bytes) in self.found() {
                let name = self.layout.display(&path);
                // What this change replaces is hashed already.
                let known = prepared.entry.sha_in.get(&name).cloned().flatten();
                genesis.sha_out.insert(name, known.unwrap_or_else(|| sha256_hex(&bytes)));
            }
            prepared.genesis = Some(genesis.clone());
            serde_json::from_str(&genesis.to_line()).ok()
        });
        if let Some(last) = last {
            prepared.entry.seq = last.seq + 1;
            prepared.entry.parents = vec![last.hash];
        }
    }

    /// What stood in the workspace at first use.
    fn found(&self) -> Vec<(PathBuf, Cow<'_, [u8]>)> {
        let mut found = vec![(self.layout.tasks(), Cow::from(&self.files.tasks.bytes))];
        if let Some(file) = &self.files.approvals {
            found.push((self.layout.approvals(), Cow::from(&file.bytes)));
        }
        if let Some(file) = &self.files.flags {
            found.push((self.layout.flags(&*self.sys.0.fs), Cow::from(&file.bytes)));
        }
        if let Ok(bytes) = self.sys.0.fs.read(&self.layout.settings()) {
            found.push((self.layout.settings(), Cow::from(bytes)));
        }
        found
    }

    fn blank_entry(&self, now: Timestamp) -> Entry {
        let env = &self.sys.0.env;
        Entry {
            id: operation_id(&self.sys.0, now),
            ts: now.to_millis_string(),
            host: env.host(),
            pid: env.pid(),
            ..Entry::default()
        }
    }

    fn entry(
        &self,
        rendered: &Rendered,
        archives: &BTreeMap<i32, String>,
        meta: &Meta,
        now: Timestamp,
    ) -> Entry {
        let mut entry = self.blank_entry(now);
        entry.actor.clone_from(&meta.actor);
        entry.command.clone_from(&meta.command);
        entry.note.clone_from(&meta.note);
        entry.token = meta.token;
        entry.waivers.clone_from(&meta.waivers);
        if let Some((key, args)) = &meta.op_id {
            entry.op_id = Some(key.clone());
            entry.args = Some(args.clone());
        }
        for change in self.files_of(rendered, archives) {
            let name = self.layout.display(&change.path);
            entry.sha_in.insert(name.clone(), change.old.map(sha256_hex));
            entry.sha_out.insert(name, sha256_hex(change.new.as_bytes()));
        }
        entry
    }

    fn files_of<'x>(
        &'x self,
        rendered: &'x Rendered,
        archives: &'x BTreeMap<i32, String>,
    ) -> Vec<FileChange<'x>> {
        // Archives first: a row that stands twice for a moment can be found
        // and mended, one that stands nowhere is lost.
        let mut changes: Vec<_> = rendered
            .archives
            .iter()
            .map(|(year, new)| FileChange {
                path: self.layout.archive_tasks(*year),
                old: archives.get(year).map(std::string::String::as_bytes),
                expected: None,
                new,
            })
            .collect();
        if let Some(new) = &rendered.tasks {
            changes.push(FileChange {
                path: self.layout.tasks(),
                old: Some(&self.files.tasks.bytes),
                expected: Some(&self.files.tasks.stat),
                new,
            });
        }
        if let Some(new) = &rendered.approvals {
            changes.push(FileChange {
                path: self.layout.approvals(),
                old: self.files.approvals.as_ref().map(|f| &f.bytes[..]),
                expected: self.files.approvals.as_ref().map(|f| &f.stat),
                new,
            });
        }
        changes
    }

    fn diff(&self, rendered: &Rendered, archives: &BTreeMap<i32, String>) -> String {
        let top = repository_root(&self.sys.0, &self.layout);
        let mut out = String::new();
        for change in self.files_of(rendered, archives) {
            let path = change.path.strip_prefix(&top).unwrap_or(&change.path);
            let name = path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
            let old = change.old.and_then(|bytes| simdutf8::basic::from_utf8(bytes).ok());
            out.push_str(&unified(&name, old, Some(change.new)));
        }
        out
    }

    /// The cells that differ in the rows that operations name.
    fn changes(
        &self,
        snapshot: &Snapshot<'_>,
        rendered: &Rendered,
        operations: &[Operation],
    ) -> Vec<RowChange> {
        let Some(new) = &rendered.tasks else { return Vec::new() };
        let after = TaskLedger::parse_any(new, "");
        let file = self.layout.display(&self.layout.tasks());
        let mut ids: Vec<&str> = Vec::new();
        let mut seen: HashSet<&str> = HashSet::new();
        for operation in operations {
            let id = match operation {
                Operation::AddTask { id, .. }
                | Operation::SetTask { id, .. }
                | Operation::SetDetail { id, .. }
                | Operation::Archive { id, .. }
                | Operation::Unarchive { id, .. } => id,
                Operation::FormatTasks | Operation::FormatApprovals => continue,
            };
            if seen.insert(id) {
                ids.push(id);
            }
        }
        ids.into_iter()
            .filter_map(|id| {
                let before = cells(&snapshot.tasks, id);
                let later = cells(&after, id);
                let kind = match (before.is_empty(), later.is_empty()) {
                    (true, true) => return None,
                    (true, false) => RowChangeKind::Insert,
                    (false, true) => RowChangeKind::Remove,
                    (false, false) => RowChangeKind::Set,
                };
                let names: BTreeSet<&String> = before.keys().chain(later.keys()).collect();
                let get = |map: &BTreeMap<String, String>, name| map.get(name).cloned();
                let cells = names
                    .into_iter()
                    .map(|name| {
                        let old = get(&before, name).unwrap_or_default();
                        (name.clone(), (old, get(&later, name).unwrap_or_default()))
                    })
                    .filter(|(_, (old, new))| old != new)
                    .collect();
                Some(RowChange {
                    file: file.clone(),
                    kind,
                    row: id.to_owned(),
                    cells,
                    ..RowChange::default()
                })
            })
            .collect()
    }

    /// Writes everything. See the module's page for what an error means.
    pub fn commit(mut self, prepared: Prepared, durability: Durability) -> Result<()> {
        let Some(lock) = self.lock.take() else {
            return Err(Error::new(ErrorKind::Failed, "a preview cannot be committed"));
        };
        let sys = self.sys.0.clone();
        let month = prepared.entry.ts.get(..7).unwrap_or("0000-00");
        let place = journal::Place::make(&sys, &self.layout, month)?;
        ignore_temporaries(&sys, &self.layout)?;
        let mut staged = Vec::new();
        for change in self.files_of(&prepared.rendered, &BTreeMap::new()) {
            if let Some(dir) = change.path.parent() {
                make_dir(&sys, dir, &self.layout)?;
            }
            let target = resolve(&sys, &self.layout, &change.path)?;
            if change.expected.is_none() {
                still_as_read(&sys, &target, &prepared.entry.sha_in)?;
            }
            let expected = change.expected.or(target.stat.as_ref());
            staged.push(Staged::prepare(
                &sys,
                &target,
                expected,
                change.new.as_bytes(),
                durability,
            )?);
        }
        if prepared.returns {
            // The ledger first: the file that a row leaves is always the last.
            staged.rotate_left(prepared.rendered.archives.len());
        }
        lock.still_ours()?;
        // The redo record of the next step is written and synced here; until
        // then the first rename in `publish` is the commit point.
        replace::publish(staged)?;
        let lines: Vec<String> =
            prepared.genesis.iter().chain([&prepared.entry]).map(Entry::to_line).collect();
        place.append(&sys, &lines, durability == Durability::Full)?;
        for change in &prepared.mirrors {
            // A mirror is a copy: failing to write one loses nothing.
            let _ = mirror::apply(&sys, &self.layout, change);
        }
        drop(lock);
        Ok(())
    }
}

struct FileChange<'x> {
    path: PathBuf,
    old: Option<&'x [u8]>,
    expected: Option<&'x Stat>,
    new: &'x str,
}

/// Makes `STATE/.gitignore` with the first temporary file, so that none is ever
/// committed. One that is there stays as it is.
fn ignore_temporaries(sys: &Sys, layout: &Layout) -> Result<()> {
    let path = layout.state_gitignore();
    if sys.fs.lstat(&path).is_ok() {
        return Ok(());
    }
    let target = resolve(sys, layout, &path)?;
    let text = b".*.orch-*\n*.orch-conflict-*\n";
    replace::replace(sys, &target, None, text, Durability::Fast)
}

/// Makes sure that a file whose reading kept no [`Stat`], an archive or one that
/// was not there, is what was read: its stat of now then stands for that.
fn still_as_read(
    sys: &Sys,
    target: &Target,
    sha_in: &BTreeMap<String, Option<String>>,
) -> Result<()> {
    let now = if target.stat.is_some() {
        let bytes = sys.fs.read(&target.path);
        Some(sha256_hex(&bytes.map_err(|e| Error::io("read", &target.path, &e))?))
    } else {
        None
    };
    if sha_in.get(&target.name).cloned().flatten() == now {
        return Ok(());
    }
    let message = format!("`{}` was changed by another program; it is kept", target.name);
    Err(Error::new(ErrorKind::Busy, message).hint("orch status"))
}

fn make_dir(sys: &Sys, dir: &Path, layout: &Layout) -> Result<()> {
    if sys.fs.stat(dir).is_ok() {
        return Ok(());
    }
    let like = sys.fs.stat(&layout.state_dir()).ok();
    sys.fs.create_dir_all(dir, like.as_ref()).map_err(|e| Error::io("create", dir, &e))
}

/// Column to cell as spelled; empty where the id has no row, or several.
fn cells(ledger: &TaskLedger<'_>, id: &str) -> BTreeMap<String, String> {
    let [row] = ledger.rows_of(id)[..] else { return BTreeMap::new() };
    let known =
        TaskField::ALL.into_iter().map(|field| (field.name().to_owned(), Column::Known(field)));
    let extra = ledger
        .extra_names()
        .into_iter()
        .map(|name| (name.to_owned(), Column::Extra(name.to_owned())));
    known
        .chain(extra)
        .filter_map(|(name, column)| {
            let at = ledger.column_of(row, &column)?;
            Some((name, ledger.grid().raw(ledger.row(row), at).to_owned()))
        })
        .collect()
}

/// A new operation id: 48 bits of time and 32 of chance, in Crockford's
/// base 32, so that ids sort by time and do not collide between branches.
fn operation_id(sys: &Sys, now: Timestamp) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut chance = [0; 4];
    sys.entropy.fill(&mut chance);
    let ms = u128::from(now.0.max(0).cast_unsigned() & 0xffff_ffff_ffff);
    let bits = (ms << 32) | u128::from(u32::from_be_bytes(chance));
    (0..16)
        .rev()
        .map(|i| char::from(DIGITS[usize::try_from((bits >> (5 * i)) & 31).unwrap_or_default()]))
        .collect()
}
