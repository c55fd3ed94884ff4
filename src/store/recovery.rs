//! Finishing what a dead writer left: the redo record decides.
//!
//! Here: settling a record under the lock, file by file. Not here: writing one
//! (`store::transaction`). Invariant: afterwards all files are of one operation
//! or of none, the journal says which, no temporary file remains, and doing it
//! again changes nothing: recovery itself may be killed at any call.
//!
//! ```text
//!  live file is   its copy is     then
//!  sha_out        sha_in, gone    in place
//!  sha_out        something else  a save was displaced: back with it, and on top
//!  sha_in         sha_out         put it in place
//!  something else sha_out         a save came between: make our change on top
//!  anything else  gone            none of the change comes
//!  … and the line is journalled   later operations came: only the first two rows
//! ```

use crate::error::{Error, Result};
use crate::ledger::patch::{self, Way};
use crate::store::append::{End, Place};
use crate::store::checkpoint::{self, Checkpoint, Known};
use crate::store::entry::{Entry, sha256_hex};
use crate::store::install::{Piece, Put, hashed, look};
use crate::store::layout::Layout;
use crate::store::mirror;
use crate::store::named_locks;
use crate::store::redo::{Found, Redo, RedoFile};
use crate::store::replace::{self, Durability, Staged, resolve};
use crate::store::seen::kind_of;
use crate::sys::Sys;
use std::path::{Path, PathBuf};

/// What recovery did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// The operation that was finished.
    pub finished: Option<String>,
    /// A record that could not be read, by where it was moved.
    pub quarantined: Option<PathBuf>,
    /// How many temporary files were removed.
    pub removed: usize,
}

/// Whether a dead writer left anything, as far as can be seen without the lock:
/// a living one's files look the same.
///
/// # Errors
/// `failed` where a folder cannot be read.
pub fn is_needed(sys: &Sys, layout: &Layout) -> Result<bool> {
    if look(sys, &layout.redo()).map_err(|e| io(&layout.redo(), &e))?.is_some() {
        return Ok(true);
    }
    for dir in folders(sys, layout) {
        if replace::has_temporaries(sys, &dir)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where copies are made, but for evidence: those folders are many, and only
/// the newest one ever gets a copy.
fn folders(sys: &Sys, layout: &Layout) -> Vec<PathBuf> {
    let months = sys.fs.list(&layout.patches()).unwrap_or_default();
    let is_month =
        |name: &String| name.len() == 7 && name.starts_with(|c: char| c.is_ascii_digit());
    let newest = months.into_iter().filter(is_month).max();
    let newest = newest.map(|month| layout.patches().join(month));
    // Likewise of migrations: their names begin with the time.
    let months = sys.fs.list(&layout.logs_dir()).unwrap_or_default();
    let backup = months.into_iter().filter(is_month).max().and_then(|month| {
        let names = sys.fs.list(&layout.logs_dir().join(&month)).unwrap_or_default();
        let last = names.into_iter().filter(|name| name.starts_with("migrate-")).max()?;
        Some(layout.logs_dir().join(month).join(last))
    });
    let mut folders = vec![
        layout.orch_dir(),
        layout.state_dir(),
        layout.archive_dir(),
        layout.locks_dir(),
        layout.locks_dir().join("base"),
        layout.locks_dir().join("names"),
    ];
    folders.extend(newest);
    folders.extend(backup);
    folders
}

/// Settles a record if there is one and removes temporary files. Only under the
/// lock.
///
/// # Errors
/// `ledger_invalid` where a save and the unfinished change touch the same
/// cells: the save stays, ours is in a conflict file, and the record is gone,
/// so that the next command works.
pub fn recover(sys: &Sys, layout: &Layout) -> Result<Settled> {
    let mut settled = Settled::default();
    match Redo::read(sys, layout)? {
        None => {}
        Some(Found::Torn(bytes)) => settled.quarantined = quarantine(sys, layout, &bytes)?,
        Some(Found::Record(redo)) => {
            finish(sys, layout, &redo)?;
            settled.finished = Some(redo.op.clone());
        }
    }
    for dir in folders(sys, layout) {
        settled.removed += replace::clean_temporaries(sys, &dir)?;
    }
    for path in [layout.tasks(), layout.approvals()] {
        if look(sys, &path).ok().flatten().is_some_and(|s| s.kind == crate::sys::FileKind::Symlink)
        {
            settled.removed += replace::clean_temporaries_of(sys, &resolve(sys, layout, &path)?)?;
        }
    }
    Ok(settled)
}

/// A record that was never whole was never committed; it is kept for whoever
/// wants to know what a machine's disk did to it.
fn quarantine(sys: &Sys, layout: &Layout, bytes: &[u8]) -> Result<Option<PathBuf>> {
    let dir = layout.quarantine();
    let record = layout.redo();
    let kept = if bytes.is_empty() {
        None
    } else {
        let like = sys.fs.stat(&layout.state_dir()).ok();
        sys.fs.create_dir_all(&dir, like.as_ref()).map_err(|e| Error::io("create", &dir, &e))?;
        let path = dir.join(format!("redo-{}", sys.random_hex()));
        sys.fs.rename(&record, &path).map_err(|e| Error::io("move", &record, &e))?;
        return Ok(Some(path));
    };
    remove(sys, &record)?;
    Ok(kept)
}

/// A record says where each file is without links. Where that is not where its
/// name leads, a link was turned since, or the record was made up.
fn leads_there(sys: &Sys, layout: &Layout, redo: &Redo) -> Result<()> {
    let root = sys.fs.canonicalize(&layout.root).map_err(|e| io(&layout.root, &e))?;
    for file in &redo.files {
        let path = layout.root.join(&file.name);
        let folder = path.parent().unwrap_or(&path);
        let there = match look(sys, folder).map_err(|e| io(folder, &e))? {
            Some(_) => resolve(sys, layout, &path)?.path,
            None => root.join(&file.name),
        };
        if there != root.join(&file.path) {
            return Err(Error::invalid(format!(
                "`{}` says that `{}` is at `{}`, where it is not; nothing was touched, and \
                 nothing will be until one of them is put right",
                layout.display(&layout.redo()),
                file.name,
                file.path
            ))
            .hint("orch doctor"));
        }
    }
    Ok(())
}

fn finish(sys: &Sys, layout: &Layout, redo: &Redo) -> Result<()> {
    leads_there(sys, layout, redo)?;
    let place = Place::make(sys, layout, layout.journal_month(&redo.month))?;
    let own = redo.lines.last().cloned().unwrap_or_default();
    let journalled = place.holds(sys, &own)?;
    for file in &redo.files {
        match settle(sys, layout, redo, file, journalled)? {
            Outcome::InPlace | Outcome::Later => {}
            Outcome::Clash => return give_up(sys, layout, redo, file),
            Outcome::Lost => return take_back(sys, layout, redo),
        }
    }
    if !journalled {
        named_locks::apply(sys, layout, &redo.locks, Durability::Full)?;
    }
    place.append(sys, &redo.lines, End::Unknown, true)?;
    for (date, line) in &redo.audit {
        let place = Place::make(sys, layout, layout.audit_day(date))?;
        place.append(sys, std::slice::from_ref(line), End::Unknown, true)?;
    }
    sync_folders(sys, layout, redo)?;
    for change in &redo.mirrors {
        // A mirror is a copy: failing to write one loses nothing.
        let _ = mirror::apply(sys, layout, change);
    }
    let mut checkpoint = Checkpoint::read(sys, layout).unwrap_or_default();
    if let Some(entry) = redo.entry() {
        checkpoint.heads = vec![(entry.seq, entry.hash)];
    }
    for file in &redo.files {
        let copy = file.copy(layout);
        let sha = hashed(sys, &copy)?.map(|(_, sha)| sha);
        let was_ours = sha.as_ref() == Some(&file.sha_out);
        let mut known = Known { sha: Some(file.sha_out.clone()), ..Known::default() };
        if was_ours || (sha.is_some() && sha == file.sha_in) {
            known.base = checkpoint::keep_base(sys, layout, &file.name, &copy, None);
            known.op = (!was_ours).then(|| redo.op.clone());
        }
        checkpoint.files.insert(file.name.clone(), known);
        remove(sys, &copy)?;
    }
    checkpoint.settle(sys, layout);
    remove(sys, &layout.redo())
}

/// A save and the unfinished change touch the same cells: none of the change
/// comes, and its bytes wait aside.
fn give_up(sys: &Sys, layout: &Layout, redo: &Redo, clashing: &RedoFile) -> Result<()> {
    put_back(sys, layout, redo)?;
    let aside = layout.conflict(&clashing.name, &redo.op);
    let copy = clashing.copy(layout);
    let ours = sys.fs.read(&copy).map_err(|e| io(&copy, &e))?;
    let target = resolve(sys, layout, &aside)?;
    replace::replace(sys, &target, target.stat.as_ref(), &ours, Durability::Full)?;
    sync_folders(sys, layout, redo)?;
    remove(sys, &layout.redo())?;
    for file in &redo.files {
        remove(sys, &file.copy(layout))?;
    }
    Err(Error::invalid(format!(
        "`{}` was saved by another program while the operation {} was being written, and both \
         changed the same cells; the save stays, and `{}` holds the other",
        clashing.name,
        redo.op,
        layout.display(&aside)
    ))
    .hint("orch status"))
}

/// A copy is gone that was never in place (without fsyncs a power cut can do
/// that): none of the change comes.
fn take_back(sys: &Sys, layout: &Layout, redo: &Redo) -> Result<()> {
    put_back(sys, layout, redo)?;
    sync_folders(sys, layout, redo)?;
    remove(sys, &layout.redo())?;
    redo.files.iter().try_for_each(|file| remove(sys, &file.copy(layout)))
}

/// Puts what the change displaced back in its place.
fn put_back(sys: &Sys, layout: &Layout, redo: &Redo) -> Result<()> {
    for file in &redo.files {
        let (live, copy) = (file.live(layout), file.copy(layout));
        if hash_of(sys, &live)?.as_ref() != Some(&file.sha_out) {
            continue;
        }
        if file.sha_in.is_none() {
            remove(sys, &live)?;
        } else if hash_of(sys, &copy)? == file.sha_in {
            sys.fs.exchange(&copy, &live).map_err(|e| io(&live, &e))?;
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    InPlace,
    Later,
    Clash,
    Lost,
}

fn settle(
    sys: &Sys,
    layout: &Layout,
    redo: &Redo,
    file: &RedoFile,
    journalled: bool,
) -> Result<Outcome> {
    let (live_path, copy_path) = (file.live(layout), file.copy(layout));
    let live = hashed(sys, &live_path)?;
    let copy_sha = hash_of(sys, &copy_path)?;
    let live_sha = live.as_ref().map(|(_, sha)| sha.clone());
    if live_sha.as_ref() == Some(&file.sha_out) {
        if copy_sha.is_none() || copy_sha == file.sha_in || copy_sha == live_sha {
            return Ok(Outcome::InPlace);
        }
        if journalled {
            return Ok(Outcome::Later);
        }
        // The dead writer displaced a save and had no time to look.
        sys.fs.exchange(&copy_path, &live_path).map_err(|e| io(&live_path, &e))?;
        return settle(sys, layout, redo, file, false);
    }
    let staged = copy_sha.as_ref() == Some(&file.sha_out);
    if live_sha == file.sha_in && staged {
        return put(sys, layout, redo, file, file, journalled);
    }
    if journalled {
        return Ok(Outcome::Later);
    }
    if !staged {
        return Ok(Outcome::Lost);
    }
    let Some(merged) = merged(redo, file, live.map(|(bytes, _)| bytes)) else {
        return Ok(Outcome::Clash);
    };
    // The save with our change on top goes over the save; our own copy stays
    // as it is, for telling later what the save had changed.
    let target = resolve(sys, layout, &live_path)?;
    let merged = merged.into_bytes();
    let staged = Staged::prepare(sys, &target, target.stat.as_ref(), &merged, Durability::Full)?;
    let name = staged.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let on_top =
        RedoFile { staged: name, sha_in: live_sha, sha_out: sha256_hex(&merged), ..file.clone() };
    put(sys, layout, redo, file, &on_top, journalled)
}

/// Puts a copy in its place; where somebody saves meanwhile, begins again.
fn put(
    sys: &Sys,
    layout: &Layout,
    redo: &Redo,
    file: &RedoFile,
    new: &RedoFile,
    journalled: bool,
) -> Result<Outcome> {
    let (live, copy) = (new.live(layout), new.copy(layout));
    let expected = look(sys, &live).map_err(|e| io(&live, &e))?;
    let ours = sys.fs.lstat(&copy).map_err(|e| io(&copy, &e))?;
    let piece = Piece { file: new.clone(), live, copy, expected, sure: false, ours };
    match piece.put(sys, layout).map_err(|e| io(&piece.live, &e))? {
        Put::Done => Ok(Outcome::InPlace),
        Put::Interrupted => settle(sys, layout, redo, file, journalled),
    }
}

/// Our change made on top of what somebody saved.
fn merged(redo: &Redo, file: &RedoFile, theirs: Option<Vec<u8>>) -> Option<String> {
    let entry: Entry = redo.entry()?;
    let theirs = String::from_utf8(theirs?).ok()?;
    if theirs.contains('\0') {
        return None;
    }
    let kind = kind_of(&file.name);
    let rows: Vec<_> = entry.changes.into_iter().filter(|c| c.file == file.name).collect();
    let texts: Vec<_> = entry.texts.into_iter().filter(|c| c.file == file.name).collect();
    if rows.is_empty() && texts.is_empty() {
        return None;
    }
    patch::apply(kind, &theirs, &rows, &texts, Way::Forward).ok()
}

fn hash_of(sys: &Sys, path: &Path) -> Result<Option<String>> {
    Ok(hashed(sys, path)?.map(|(_, sha)| sha))
}

/// Syncs the folders of the files, each once.
pub fn sync_folders(sys: &Sys, layout: &Layout, redo: &Redo) -> Result<()> {
    let mut dirs = vec![layout.state_dir()];
    for file in &redo.files {
        let live = file.live(layout);
        dirs.extend(live.parent().map(Path::to_owned));
    }
    dirs.sort();
    dirs.dedup();
    dirs.iter().try_for_each(|dir| sys.fs.sync_dir(dir).map_err(|e| Error::io("sync", dir, &e)))
}

/// Removes a file that may be gone already.
pub fn remove(sys: &Sys, path: &Path) -> Result<()> {
    match sys.fs.remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path, &e)),
        _ => Ok(()),
    }
}

fn io(path: &Path, error: &std::io::Error) -> Error {
    Error::io("recover", path, error)
}
