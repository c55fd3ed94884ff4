//! One change of the ledgers: read inside the lock, stage, commit, put in place.
//!
//! Here: the order of the steps, which `store`'s front page draws. Not here:
//! what to change (`services`), how text is spelled (`ledger::render`), what the
//! journal line says (`store::prepare`).
//!
//! # Concurrency
//! Between [`Transaction::begin`] and its drop no other writer of this
//! workspace reads or writes. Never run a child, ask a person or print while
//! one is open.
//!
//! # Durability
//! When [`Transaction::commit`] gives `Ok`, the new ledgers and the journal
//! line are on the disk (`durability: full`). An error of kind `committed`
//! means that the change is decided and the next changing command completes it;
//! any other error, that nothing changed.

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::render::{self, Documents, Rendered};
use crate::model::operation::Operation;
use crate::store::append::{End, Place};
use crate::store::checkpoint::{self, Checkpoint, Known, Mark};
use crate::store::entry::{RunMark, sha256_hex};
use crate::store::install::{Piece, Put};
use crate::store::layout::Layout;
use crate::store::lock::{LedgerLock, holder_note};
use crate::store::mirror;
use crate::store::named_locks;
use crate::store::prepare::{FileChange, Prepared};
use crate::store::recovery::{self, Settled, recover};
use crate::store::redo::{Redo, RedoFile};
use crate::store::replace::{self, Durability, Staged, Target, resolve};
use crate::store::seen::{Seen, Who};
use crate::store::snapshot::{Files, Snapshot, Want};
use crate::sys::{Stat, Sys};
use std::collections::BTreeMap;
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
    /// The run that does it, where one does.
    pub run: Option<RunMark>,
}

/// Why a change did not come about.
#[derive(Debug)]
pub enum Stopped {
    /// Another program saved a file in between: its bytes are in place, and
    /// beginning again is sensible.
    Interrupted(Error),
    /// Anything else.
    Failed(Error),
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// An open transaction.
pub struct Transaction {
    pub(super) sys: Sys,
    pub(super) layout: Layout,
    lock: Option<LedgerLock>,
    pub(super) files: Files,
    checkpoint: Option<Checkpoint>,
    settled: Settled,
    rescued: Vec<PathBuf>,
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("layout", &self.layout).finish_non_exhaustive()
    }
}

impl Transaction {
    /// Takes the lock, finishes what a dead writer left, and reads both ledgers.
    ///
    /// # Errors
    /// `busy` after `wait`, naming the holder.
    pub fn begin(sys: &Sys, layout: &Layout, wait: Duration, meta: &Meta) -> Result<Self> {
        // Before the lock: a ledger, or a whole STATE, that a link leads out of
        // the workspace is refused before anything is made out there.
        for path in [layout.tasks(), layout.approvals()] {
            resolve(sys, layout, &path)?;
        }
        let note = holder_note(sys, &meta.actor, &format!("orch {}", meta.command));
        let lock = LedgerLock::acquire(sys, layout, wait, &note)?;
        let settled = recover(sys, layout)?;
        let mut begun = Self::preview(sys, layout)?;
        begun.rescued = rescue(sys, layout, begun.checkpoint.as_ref());
        Ok(Self { lock: Some(lock), settled, ..begun })
    }

    /// Reads as a reader does: for `--dry-run`, which writes nothing.
    pub fn preview(sys: &Sys, layout: &Layout) -> Result<Self> {
        let files = Files::read(sys, layout, Want::All)?;
        Ok(Self {
            sys: sys.clone(),
            layout: layout.clone(),
            lock: None,
            files,
            checkpoint: Checkpoint::read(sys, layout),
            settled: Settled::default(),
            rescued: Vec::new(),
        })
    }

    /// What was read, parsed.
    pub fn snapshot(&self) -> Result<Snapshot<'_>> {
        Snapshot::parse(&self.sys, &self.layout, &self.files)
    }

    /// The same where TASKS.md may have no ledger table.
    pub fn snapshot_any(&self) -> Result<Snapshot<'_>> {
        Snapshot::parse_any(&self.sys, &self.layout, &self.files)
    }

    /// The texts that operations make.
    ///
    /// # Errors
    /// As [`render::spell`].
    pub fn spell(&self, snapshot: &Snapshot<'_>, operations: &[Operation]) -> Result<Rendered> {
        let no_archives = BTreeMap::new();
        let needs_archives = operations
            .iter()
            .any(|o| matches!(o, Operation::Archive { .. } | Operation::Unarchive { .. }));
        let archives = if needs_archives { snapshot.archives()? } else { &no_archives };
        let (tasks, approvals) = (&snapshot.tasks, &snapshot.approvals);
        let documents = Documents { tasks, approvals, archives, flags: &snapshot.flags_text };
        render::spell(&documents, operations)
    }

    /// How the watched files stand to the newest operation.
    pub fn seen(&self, snapshot: &Snapshot<'_>) -> Result<Seen> {
        Seen::look(
            &self.sys,
            &self.layout,
            &self.files,
            self.checkpoint.clone(),
            Who::Writes,
            || snapshot.journal(),
        )
    }

    /// What recovery did at the beginning.
    pub const fn settled(&self) -> &Settled {
        &self.settled
    }

    /// Saves that came into a file after it was replaced, by where they are now.
    pub fn rescued(&self) -> &[PathBuf] {
        &self.rescued
    }

    /// Whether a ledger was saved so short a time ago that its editor may not be
    /// done: an unreadable file is worth a second look then.
    pub fn is_fresh(&self) -> bool {
        let now_ns = i128::from(self.sys.clock.now_ms()) * 1_000_000;
        let files = [Some(&self.files.tasks), self.files.approvals.as_ref()];
        let fresh = |ns: i128| (0..1_000_000_000).contains(&(now_ns - ns));
        files.into_iter().flatten().any(|file| fresh(file.stat.mtime_ns))
    }

    /// Writes everything. See the module's page for what an error means.
    ///
    /// # Errors
    /// [`Stopped::Interrupted`] where an editor saved a file meanwhile: nothing
    /// of the change is there, the save is.
    pub fn commit(
        mut self,
        mut prepared: Prepared,
        rendered: &Rendered,
        durability: Durability,
    ) -> std::result::Result<(), Stopped> {
        let Some(lock) = self.lock.take() else {
            return Err(Error::new(ErrorKind::Failed, "a preview cannot be committed").into());
        };
        let (sys, layout) = (self.sys.clone(), self.layout.clone());
        let month = prepared.entry.ts.get(..7).unwrap_or("0000-00").to_owned();
        let journal = Place::make(&sys, &layout, layout.journal_month(&month))?;
        ignore_temporaries(&sys, &layout)?;
        let (mut staged, mut pieces) = (Vec::new(), Vec::new());
        for change in std::mem::take(&mut prepared.files) {
            let (one, piece) = self.stage(&change, change.text(rendered), durability)?;
            staged.push(one);
            pieces.push(piece);
        }
        let redo = Redo {
            op: prepared.entry.id.clone(),
            files: pieces.iter().map(|piece| piece.file.clone()).collect(),
            month,
            lines: prepared.lines(),
            audit: prepared.audit.clone(),
            mirrors: prepared.mirrors.clone(),
            locks: std::mem::take(&mut prepared.locks),
        };
        lock.still_ours()?;
        for piece in &pieces {
            let undisturbed = piece.undisturbed(&sys);
            if !undisturbed.map_err(|e| Error::io("look again at", &piece.live, &e))? {
                return Err(interrupted(&piece.file.name));
            }
        }
        let written = write_record(&sys, &layout, &redo, durability);
        if !matches!(&written, Err(Stopped::Failed(e)) if e.kind != ErrorKind::Committed) {
            staged.into_iter().for_each(Staged::hand_over);
        }
        written?;
        // ══════ commit point: the record is durable ══════
        for index in 0..pieces.len() {
            let stopped = match pieces[index].put(&sys, &layout) {
                Ok(Put::Done) => continue,
                Ok(Put::Interrupted) => interrupted(&pieces[index].file.name),
                Err(e) => Error::new(
                    ErrorKind::Failed,
                    format!("cannot replace `{}`: {e}; it is unchanged", pieces[index].file.name),
                )
                .into(),
            };
            return Err(retract(&sys, &layout, &pieces[..index], &redo, durability, stopped));
        }
        let pending = |e: Error| committed(&redo.op, e);
        named_locks::apply(&sys, &layout, &redo.locks, durability).map_err(pending)?;
        let end = prepared.journal_end.map_or(End::Unknown, End::Whole);
        let sync = durability == Durability::Full;
        journal.append(&sys, &redo.lines, end, sync).map_err(pending)?;
        for (date, line) in &redo.audit {
            let audit = Place::make(&sys, &layout, layout.audit_day(date)).map_err(pending)?;
            let line = std::slice::from_ref(line);
            audit.append(&sys, line, End::Unknown, sync).map_err(pending)?;
        }
        if sync {
            recovery::sync_folders(&sys, &layout, &redo).map_err(pending)?;
        }
        for change in &redo.mirrors {
            // A mirror is a copy: failing to write one loses nothing.
            let _ = mirror::apply(&sys, &layout, change);
        }
        self.checkpoint(&prepared, &pieces);
        for piece in &pieces {
            recovery::remove(&sys, &piece.copy).map_err(pending)?;
        }
        recovery::remove(&sys, &layout.redo()).map_err(pending)?;
        drop(lock);
        Ok(())
    }

    fn stage(
        &self,
        change: &FileChange,
        new: &str,
        durability: Durability,
    ) -> std::result::Result<(Staged, Piece), Stopped> {
        let (sys, layout) = (&self.sys, &self.layout);
        if let Some(dir) = change.path.parent() {
            make_dir(sys, dir, layout)?;
        }
        let target = resolve(sys, layout, &change.path)?;
        if change.expected.is_none() {
            still_as_read(sys, &target, change.sha_in.as_ref())?;
        }
        let expected = change.expected.clone().or_else(|| target.stat.clone());
        let staged = Staged::prepare(sys, &target, expected.as_ref(), new.as_bytes(), durability)?;
        let name = staged.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let root = sys.fs.canonicalize(&layout.root);
        let root = root.map_err(|e| Error::io("open", &layout.root, &e))?;
        let path = target.path.strip_prefix(&root).unwrap_or(&target.path);
        let file = RedoFile {
            name: change.name.clone(),
            path: path.to_string_lossy().into_owned(),
            staged: name,
            sha_in: change.sha_in.clone(),
            sha_out: change.sha_out.clone(),
        };
        let piece = Piece {
            file,
            live: target.path.clone(),
            copy: staged.path().to_owned(),
            expected,
            sure: change.sure,
            ours: staged.stat()?,
        };
        if piece.ours.len != new.len() as u64 {
            let message = format!(
                "the new copy of `{}` has {} bytes instead of {}; it is unchanged",
                change.name,
                piece.ours.len,
                new.len()
            );
            return Err(Error::new(ErrorKind::Failed, message).into());
        }
        Ok((staged, piece))
    }

    /// Notes what was left, and keeps what was displaced as the base of the next
    /// comparison. Best effort.
    fn checkpoint(&self, prepared: &Prepared, pieces: &[Piece]) {
        let (sys, layout) = (&self.sys, &self.layout);
        let mut checkpoint = Checkpoint {
            heads: prepared.heads(),
            files: BTreeMap::new(),
            standing: prepared.standing,
        };
        for file in &prepared.seen.files {
            let mut known = Known {
                sha: file.sha.clone(),
                mark: file.stat.as_ref().map(Mark::from),
                ..file.known.clone().unwrap_or_default()
            };
            if let Some(piece) = pieces.iter().find(|piece| piece.file.name == file.name) {
                known = Known {
                    sha: Some(piece.file.sha_out.clone()),
                    mark: sharp(&piece.ours),
                    op: Some(prepared.entry.id.clone()),
                    base: checkpoint::keep_base(
                        sys,
                        layout,
                        &file.name,
                        &piece.copy,
                        piece.expected.as_ref(),
                    ),
                };
            } else if known.base.is_none() || file.differs() {
                known.op = None;
                known.base = file.stat.as_ref().and_then(|_| {
                    let bytes = self.bytes_of(file)?;
                    checkpoint::write_base(sys, layout, &file.name, &bytes)
                });
                known.mark = known.mark.filter(|_| file.is_marked());
            }
            checkpoint.files.insert(file.name.clone(), known);
        }
        for piece in pieces {
            let name = &piece.file.name;
            if !checkpoint.files.contains_key(name) && layout.is_watched(name) {
                let sha = Some(piece.file.sha_out.clone());
                let mark = sharp(&piece.ours);
                checkpoint.files.insert(name.clone(), Known { sha, mark, ..Known::default() });
            }
        }
        checkpoint.settle(sys, layout);
    }

    fn bytes_of(&self, file: &crate::store::seen::SeenFile) -> Option<Vec<u8>> {
        match self.files.named(&self.layout, &file.path) {
            Some(read) => read.map(|read| read.bytes.clone()),
            None => file.bytes.clone().or_else(|| self.sys.fs.read(&file.path).ok()),
        }
    }
}

/// A status that tells any later write from none: its time is finer than the
/// steps in which file systems count. Elsewhere bytes are compared.
fn sharp(stat: &Stat) -> Option<Mark> {
    (stat.mtime_ns % 1_000 != 0).then(|| Mark::from(stat))
}

fn interrupted(name: &str) -> Stopped {
    let message = format!("`{name}` was changed by another program; it is kept");
    Stopped::Interrupted(Error::new(ErrorKind::Busy, message).hint("orch status"))
}

fn committed(op: &str, error: Error) -> Stopped {
    let mut error = error;
    error.kind = ErrorKind::Committed;
    error.message = format!(
        "the change is committed (operation {op}) and the next changing command completes it, \
         but: {}",
        error.message
    );
    Stopped::Failed(error)
}

/// Writes the redo record. When this gives `Ok` the change is committed.
fn write_record(
    sys: &Sys,
    layout: &Layout,
    redo: &Redo,
    durability: Durability,
) -> std::result::Result<(), Stopped> {
    let path = layout.redo();
    let mut is_whole = false;
    let written = (|| {
        let mut file = sys.fs.create_new(&path).map_err(|e| ("make", e))?;
        let bytes = redo.encode();
        file.write_all(&bytes).map_err(|e| ("write", e))?;
        if sys.fs.lstat(&path).map_err(|e| ("look at", e))?.len != bytes.len() as u64 {
            return Err(("write", std::io::ErrorKind::WriteZero.into()));
        }
        is_whole = true;
        match durability {
            Durability::Full => file.sync().map_err(|e| ("sync", e)),
            Durability::Fast => Ok(()),
        }
    })();
    if let Err((action, error)) = written {
        let error = no_room(action, &path, &error);
        // A record that has its name and can be read whole is acted on.
        return match recovery::remove(sys, &path) {
            Err(_) if is_whole => Err(committed(&redo.op, error)),
            _ => Err(Stopped::Failed(error)),
        };
    }
    match durability {
        // The record has its name, whatever became of the sync: taking it away
        // again could be lost in its turn, so the next command makes the change.
        Durability::Full => {
            recovery::sync_folders(sys, layout, redo).map_err(|error| committed(&redo.op, error))
        }
        Durability::Fast => Ok(()),
    }
}

/// What went wrong with the record, in plain words.
fn no_room(action: &str, path: &Path, error: &std::io::Error) -> Error {
    let failed = Error::io(action, path, error);
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            let message =
                format!("no space left to {action} `{}`; nothing changed", path.display());
            Error { message, ..failed }
        }
        _ => failed,
    }
}

/// Takes the record away: the change never was. A sync that fails then is no
/// reason to say otherwise: whoever looks finds the former files and no record.
fn withdraw(sys: &Sys, layout: &Layout, redo: &Redo, durability: Durability) -> Result<()> {
    recovery::remove(sys, &layout.redo())?;
    if durability == Durability::Full {
        let _ = recovery::sync_folders(sys, layout, redo);
    }
    Ok(())
}

/// Takes back what is in place already, then the record.
fn retract(
    sys: &Sys,
    layout: &Layout,
    done: &[Piece],
    redo: &Redo,
    durability: Durability,
    stopped: Stopped,
) -> Stopped {
    for piece in done.iter().rev() {
        if let Err(e) = piece.take_back(sys, layout) {
            return committed(&redo.op, Error::io("take back", &piece.live, &e));
        }
    }
    if let Err(e) = withdraw(sys, layout, redo, durability) {
        return committed(&redo.op, e);
    }
    for file in &redo.files {
        let _ = sys.fs.remove_file(&file.copy(layout));
    }
    stopped
}

/// Moves bases that somebody wrote into after they were displaced to where a
/// person finds them: an editor that had opened the file before it was replaced
/// and saved after it.
fn rescue(sys: &Sys, layout: &Layout, checkpoint: Option<&Checkpoint>) -> Vec<PathBuf> {
    let Some(checkpoint) = checkpoint else { return Vec::new() };
    let mut rescued = Vec::new();
    for (name, known) in &checkpoint.files {
        let path = layout.base(name);
        let Some(base) = known.base else { continue };
        let now = sys.fs.lstat(&path).ok();
        // A workspace that was copied has other files: nobody wrote into those.
        let written = |now: &Stat| base.is_of(now) && Mark::from(now) != base;
        let Some(now) = now.filter(written) else { continue };
        if now.kind == crate::sys::FileKind::File {
            let aside = layout.conflict(name, &sys.random_hex());
            if sys.fs.rename(&path, &aside).is_ok() {
                rescued.push(aside);
            }
        }
    }
    rescued
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
    sha_in: Option<&String>,
) -> std::result::Result<(), Stopped> {
    let now = if target.stat.is_some() {
        let bytes = sys.fs.read(&target.path);
        Some(sha256_hex(&bytes.map_err(|e| Error::io("read", &target.path, &e))?))
    } else {
        None
    };
    if sha_in == now.as_ref() {
        return Ok(());
    }
    Err(interrupted(&target.name))
}

pub(super) fn make_dir(sys: &Sys, dir: &Path, layout: &Layout) -> Result<()> {
    if sys.fs.stat(dir).is_ok() {
        return Ok(());
    }
    let like = sys.fs.stat(&layout.state_dir()).ok();
    sys.fs.create_dir_all(dir, like.as_ref()).map_err(|e| Error::io("create", dir, &e))
}
