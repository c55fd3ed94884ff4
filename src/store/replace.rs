//! Replacing a file whole: stage a copy beside it, then put it in its place.
//!
//! Lives here: where a path may lead, the temporary file, the last look at the
//! live one, the rename. Not here: what the bytes are, which files belong to
//! one operation (`store`'s transaction). Invariant: the live path always names
//! a whole file, old or new, and an error that is not `committed` means old.
//!
//! # Durability
//! [`Durability::Full`]: the copy is synced before its rename, the folder after
//! it. A sync that failed is never repeated: the copy is thrown away.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::layout::Layout;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::{FileKind, Stat, Sys};

/// Whether a change survives a power cut once it is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// Files and folders are synced.
    #[default]
    Full,
    /// They are not; a crash of the system may leave the old or an empty file.
    Fast,
}

/// A file that may be replaced: a regular file in the workspace, or a free name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Without links, so that a linked ledger stays a link.
    pub path: PathBuf,
    /// As it is now; none where there is no file yet.
    pub stat: Option<Stat>,
    /// As people name it.
    pub name: String,
}

/// Follows the links of a path and makes sure that it stays in the workspace.
/// Its folder must be there.
///
/// # Errors
/// `ledger_invalid` where it leaves the workspace or is no regular file.
pub fn resolve(sys: &Sys, layout: &Layout, path: &Path) -> Result<Target> {
    let fs = &*sys.fs;
    let name = layout.display(path);
    let failed = |e: io::Error| Error::io("open", path, &e);
    let canonical = match fs.canonicalize(path) {
        Ok(canonical) => canonical,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Either nothing has the name, or it is a link that leads nowhere;
            // a file in the link's place would cut it.
            if fs.lstat(path).is_ok() {
                return Err(Error::invalid(format!("`{name}` is a link that leads nowhere")));
            }
            let (Some(dir), Some(last)) = (path.parent(), path.file_name()) else {
                return Err(failed(error));
            };
            fs.canonicalize(dir).map_err(failed)?.join(last)
        }
        Err(error) => return Err(failed(error)),
    };
    inside(sys, layout, &name, &canonical)?;
    let stat = live(sys, &canonical).map_err(failed)?;
    if stat.as_ref().is_some_and(|stat| stat.kind != FileKind::File) {
        return Err(Error::invalid(format!("`{name}` is not a regular file")));
    }
    Ok(Target { path: canonical, stat, name })
}

/// The same for a folder, which must be there.
///
/// # Errors
/// `ledger_invalid` where it leaves the workspace.
pub fn resolve_dir(sys: &Sys, layout: &Layout, dir: &Path) -> Result<PathBuf> {
    let canonical = sys.fs.canonicalize(dir).map_err(|e| Error::io("open", dir, &e))?;
    inside(sys, layout, &layout.display(dir), &canonical)?;
    Ok(canonical)
}

/// Makes sure that a path without links lies in the workspace. `name` is what
/// people call it.
///
/// # Errors
/// `ledger_invalid` where it does not.
pub fn inside(sys: &Sys, layout: &Layout, name: &str, canonical: &Path) -> Result<()> {
    let root = sys.fs.canonicalize(&layout.root);
    let root = root.map_err(|e| Error::io("open", &layout.root, &e))?;
    if canonical.starts_with(&root) {
        return Ok(());
    }
    let away = canonical.display();
    Err(Error::invalid(format!("`{name}` leads out of the workspace, to `{away}`")))
}

/// Replaces one file. `expected` is what it was when the bytes were decided on,
/// none for no file.
///
/// # Errors
/// As [`Staged::prepare`] and [`publish`].
pub fn replace(
    sys: &Sys,
    target: &Target,
    expected: Option<&Stat>,
    bytes: &[u8],
    durability: Durability,
) -> Result<()> {
    Staged::prepare(sys, target, expected, bytes, durability)?.publish()
}

/// A new copy beside its target, not in its place yet. Dropping it removes it.
pub struct Staged {
    sys: Sys,
    temporary: PathBuf,
    target: Target,
    expected: Option<Stat>,
    durability: Durability,
    published: bool,
}

impl fmt::Debug for Staged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Staged");
        debug.field("temporary", &self.temporary).field("target", &self.target);
        debug.finish_non_exhaustive()
    }
}

impl Staged {
    /// Writes the copy with the old file's mode and, where allowed, owner; a new
    /// file gets mode 0644 and its folder's owner.
    ///
    /// # Errors
    /// `failed`, with the live file unchanged and no copy left behind: where the
    /// file is read-only (for root too: the mark is a wish, not a fence), the
    /// disk full or the folder closed.
    pub fn prepare(
        sys: &Sys,
        target: &Target,
        expected: Option<&Stat>,
        bytes: &[u8],
        durability: Durability,
    ) -> Result<Self> {
        if target.stat.as_ref().is_some_and(|stat| stat.mode & 0o200 == 0) {
            let message = format!("`{}` is read-only and is unchanged", target.name);
            return Err(Error::new(ErrorKind::Failed, message));
        }
        let failed = |action: &'static str| move |e: io::Error| unchanged(action, target, &e);
        let like = match &target.stat {
            Some(stat) => stat.clone(),
            None => Stat {
                mode: 0o644,
                ..sys.fs.stat(folder(&target.path)).map_err(failed("look at the folder of"))?
            },
        };
        let temporary = temporary_beside(sys, &target.path);
        let mut file = sys.fs.create_new(&temporary).map_err(failed("make a new copy of"))?;
        // From here on every way out removes the copy.
        let staged = Self {
            sys: sys.clone(),
            temporary,
            target: target.clone(),
            expected: expected.cloned(),
            durability,
            published: false,
        };
        file.set_attributes(&like).map_err(failed("set the mode of a new copy of"))?;
        file.write_all(bytes).map_err(failed("write a new copy of"))?;
        // Best effort: without it a later save in the same tick of the clock
        // has to be told by its bytes.
        let _ = file.stamp(stamp(sys));
        if durability == Durability::Full {
            file.sync().map_err(failed("sync a new copy of"))?;
        }
        Ok(staged)
    }

    /// Where the copy is.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    /// What the copy is.
    ///
    /// # Errors
    /// `failed`; nothing was replaced.
    pub fn stat(&self) -> Result<Stat> {
        let stat = self.sys.fs.lstat(&self.temporary);
        stat.map_err(|e| unchanged("look at the new copy of", &self.target, &e))
    }

    /// Leaves the copy where it is: from here on a redo record speaks of it.
    pub fn hand_over(mut self) {
        self.published = true;
    }

    /// Puts the copy in its place. See [`publish`].
    pub fn publish(self) -> Result<()> {
        publish(vec![self])
    }

    /// Whether the live file is still the one that was decided on.
    fn check(&self) -> Result<()> {
        let live = live(&self.sys, &self.target.path)
            .map_err(|e| unchanged("look again at", &self.target, &e))?;
        if live == self.expected {
            return Ok(());
        }
        let message = format!("`{}` was changed by another program; it is kept", self.target.name);
        Err(Error::new(ErrorKind::Busy, message).hint("orch status"))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.published {
            // What stays after a crash, `clean_temporaries` takes.
            let _ = self.sys.fs.remove_file(&self.temporary);
        }
    }
}

/// Puts copies in their places, in order, then syncs each folder once. Several
/// files are one change only together with a redo record that was made durable
/// before: a crash between two renames leaves the first new and the second old.
///
/// # Errors
/// Before the first rename: `busy` where a live file is another than expected,
/// else `failed`; every file is old and no copy is left. After it: `committed`.
pub fn publish(mut staged: Vec<Staged>) -> Result<()> {
    for one in &staged {
        one.check()?;
    }
    for index in 0..staged.len() {
        let one = &mut staged[index];
        // Runtime files, which nobody edits: ledgers go by `store::install`.
        match one.sys.fs.rename(&one.temporary, &one.target.path) {
            Ok(()) => one.published = true,
            Err(error) if index == 0 => return Err(unchanged("replace", &one.target, &error)),
            Err(error) => {
                let (done, open) = (&staged[0].target.name, &staged[index].target.name);
                let message = format!("`{done}` is replaced, but not `{open}`: {error}");
                return Err(Error::new(ErrorKind::Committed, message));
            }
        }
    }
    let mut synced: Vec<&Path> = Vec::new();
    for one in staged.iter().filter(|one| one.durability == Durability::Full) {
        let dir = folder(&one.target.path);
        if !synced.contains(&dir) {
            synced.push(dir);
            one.sys.fs.sync_dir(dir).map_err(|error| {
                let name = &one.target.name;
                let message = format!("`{name}` is replaced, but its folder not synced: {error}");
                Error::new(ErrorKind::Committed, message)
            })?;
        }
    }
    Ok(())
}

/// Removes what dead writers left in a folder, and says how many. Only under
/// the lock: a living writer's copies have the same names. The redo record must
/// not end in 16 hexadecimal digits, or it would go too.
pub fn clean_temporaries(sys: &Sys, dir: &Path) -> Result<usize> {
    clean(sys, dir, &is_temporary)
}

/// Whether there is any.
pub fn has_temporaries(sys: &Sys, dir: &Path) -> Result<bool> {
    match sys.fs.list(dir) {
        Ok(names) => Ok(names.iter().any(|name| is_temporary(name))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("list", dir, &error)),
    }
}

/// The same for the copies of one file only: where a link led to a folder that
/// is not ours, other tools' files are left alone.
pub fn clean_temporaries_of(sys: &Sys, target: &Target) -> Result<usize> {
    let name = target.path.file_name().unwrap_or_default().to_string_lossy();
    let start = format!(".{name}.orch-");
    let ours = |other: &str| other.starts_with(&start) && is_temporary(other);
    clean(sys, folder(&target.path), &ours)
}

fn clean(sys: &Sys, dir: &Path, is_ours: &dyn Fn(&str) -> bool) -> Result<usize> {
    let names = match sys.fs.list(dir) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(Error::io("list", dir, &error)),
    };
    let mut removed = 0;
    for path in names.iter().filter(|name| is_ours(name)).map(|name| dir.join(name)) {
        let failed = |e| Error::io("remove", &path, &e);
        // A folder of that name is not ours; a link is removed, not followed.
        if live(sys, &path).map_err(failed)?.is_some_and(|stat| stat.kind != FileKind::Dir) {
            sys.fs.remove_file(&path).map_err(failed)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// `.<name>.orch-<16 hex>` in the same folder: a rename must not cross devices.
fn temporary_beside(sys: &Sys, path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.orch-{}", sys.random_hex()))
}

/// Now, to the nanosecond: the clock says the millisecond and chance the rest.
fn stamp(sys: &Sys) -> i128 {
    let mut bytes = [0; 4];
    sys.entropy.fill(&mut bytes);
    i128::from(sys.clock.now_ms()) * 1_000_000 + i128::from(u32::from_be_bytes(bytes) % 1_000_000)
}

/// Whether a name is one of [`temporary_beside`]'s.
pub(super) fn is_temporary(name: &str) -> bool {
    let hex = |tail: &str| tail.len() == 16 && tail.bytes().all(|b| b.is_ascii_hexdigit());
    name.strip_prefix('.')
        .and_then(|rest| rest.rsplit_once(".orch-"))
        .is_some_and(|(base, tail)| !base.is_empty() && hex(tail))
}

/// What a path names itself; none where nothing has the name.
fn live(sys: &Sys, path: &Path) -> io::Result<Option<Stat>> {
    match sys.fs.lstat(path) {
        Ok(stat) => Ok(Some(stat)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// What went wrong before anything was replaced, in plain words.
fn unchanged(action: &str, target: &Target, error: &io::Error) -> Error {
    let name = &target.name;
    let why = match error.kind() {
        io::ErrorKind::StorageFull => format!("no space left for a new copy of `{name}`"),
        io::ErrorKind::QuotaExceeded => format!("no quota left for a new copy of `{name}`"),
        io::ErrorKind::FileTooLarge => format!("a new copy of `{name}` passes the size limit"),
        io::ErrorKind::ReadOnlyFilesystem => format!("`{name}` is on a read-only file system"),
        _ => format!("cannot {action} `{name}`: {error}"),
    };
    Error::new(ErrorKind::Failed, format!("{why}; it is unchanged"))
}

#[cfg(test)]
#[path = "replace_tests.rs"]
mod tests;
