//! Which runs there are, which are going on, and which are kept.
//!
//! A run that begins gets a name in `ORCH/runs/@going/`, and loses it once it is
//! settled, so that what goes on is found without a look at all that ever did.
//! Not here: the files of one run (`store::runs`). Invariant: a run without its
//! name there is settled, or its folder was put there by hand.

use super::{KEPT, LOG, RunDir};
use crate::error::{Error, Result};
use crate::store::layout::{Layout, is_absent};
use crate::sys::{FileKind, Stat, Sys};
use std::io;
use std::path::{Path, PathBuf};

/// The runs that are going on, or were when their watch died.
///
/// # Errors
/// `failed` where the folder cannot be listed.
pub fn going(sys: &Sys, layout: &Layout) -> Result<Vec<RunDir>> {
    let dir = layout.going_dir();
    let names = match sys.fs.list(&dir) {
        Ok(names) => names,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", &dir, &error)),
    };
    let of = |name: &String| {
        // No part has an `@` but `@schedules`.
        let parts: Vec<&str> = name.split('@').collect();
        match parts[..] {
            ["", "schedules", name, due] => Some(layout.schedules_dir().join(name).join(due)),
            [task, token] => Some(layout.runs_dir().join(task).join(token)),
            _ => None,
        }
    };
    Ok(names.iter().filter_map(of).map(RunDir::new).collect())
}

/// The name of a run there.
fn name_of(layout: &Layout, run: &Path) -> Option<PathBuf> {
    let inside = run.strip_prefix(layout.runs_dir()).ok()?;
    let parts: Vec<&str> = inside.iter().map(|part| part.to_str()).collect::<Option<_>>()?;
    Some(layout.going_dir().join(parts.join("@")))
}

pub(super) fn begin(sys: &Sys, layout: &Layout, run: &Path, like: &Stat) -> Result<()> {
    let Some(path) = name_of(layout, run) else { return Ok(()) };
    let failed = |e: io::Error| Error::io("make", &path, &e);
    sys.fs.create_dir_all(&layout.going_dir(), Some(like)).map_err(failed)?;
    match sys.fs.create_new(&path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error)),
        Ok(_) | Err(_) => Ok(()),
    }
}

pub(super) fn end(sys: &Sys, layout: &Layout, run: &Path) {
    // Best effort: what is settled is not gone on with, whatever stands there.
    if let Some(path) = name_of(layout, run) {
        let _ = sys.fs.remove_file(&path);
    }
}

/// The folder of every run, of tasks and of schedules, settled or not, in no
/// order that means anything.
///
/// # Errors
/// `failed` where a folder cannot be listed.
pub fn all(sys: &Sys, layout: &Layout) -> Result<Vec<RunDir>> {
    let schedules = layout.schedules_dir();
    let mut found = Vec::new();
    for dir in folders(sys, &layout.runs_dir())? {
        if dir == layout.going_dir() {
            continue;
        }
        if dir == schedules {
            for schedule in folders(sys, &dir)? {
                found.extend(folders(sys, &schedule)?);
            }
        } else {
            found.extend(folders(sys, &dir)?);
        }
    }
    Ok(found.into_iter().map(RunDir::new).collect())
}

/// Removes all but the newest 20 settled runs of a task.
///
/// # Errors
/// `failed` where one cannot be removed.
pub fn prune(sys: &Sys, layout: &Layout, task: &str) -> Result<()> {
    prune_in(sys, &layout.task_runs_dir(task))
}

/// The same for a schedule.
///
/// # Errors
/// As [`prune`].
pub fn prune_schedule(sys: &Sys, layout: &Layout, name: &str) -> Result<()> {
    prune_in(sys, &layout.schedule_dir(name))
}

/// Removes the oldest settled runs of all tasks and schedules until their logs
/// take no more than so many bytes. Cost: a look at every run's folder.
///
/// # Errors
/// As [`prune`].
pub fn prune_all(sys: &Sys, layout: &Layout, most: u64) -> Result<()> {
    let mut settled: Vec<(u64, u64, PathBuf)> = all(sys, layout)?
        .into_iter()
        .filter(|dir| dir.is_settled(sys))
        .filter_map(|dir| {
            let log = sys.fs.lstat(&dir.path.join(LOG)).map_or(0, |stat| stat.len);
            Some((number(&dir.path)?, log, dir.path))
        })
        .collect();
    settled.sort_unstable();
    let mut total: u64 = settled.iter().map(|(_, log, _)| log).sum();
    for (_, log, path) in settled {
        if total <= most {
            break;
        }
        sys.fs.remove_tree(&path).map_err(|e| Error::io("remove", &path, &e))?;
        total -= log;
    }
    Ok(())
}

/// The number that names a run: a token grows, and so does a due time, both in
/// milliseconds.
pub(super) fn number(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.parse().ok()
}

fn prune_in(sys: &Sys, dir: &Path) -> Result<()> {
    let mut settled: Vec<_> = folders(sys, dir)?
        .into_iter()
        .filter_map(|path| Some((number(&path)?, path)))
        .filter(|(_, path)| RunDir::new(path).is_settled(sys))
        .collect();
    settled.sort_unstable();
    let most = settled.len().saturating_sub(KEPT);
    for (_, path) in settled.into_iter().take(most) {
        sys.fs.remove_tree(&path).map_err(|e| Error::io("remove", &path, &e))?;
    }
    Ok(())
}

/// The folders in a folder; links are none. None where it is not there.
fn folders(sys: &Sys, dir: &Path) -> Result<Vec<PathBuf>> {
    let names = match sys.fs.list(dir) {
        Ok(names) => names,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", dir, &error)),
    };
    let paths = names.into_iter().map(|name| dir.join(name));
    let is_folder = |path: &PathBuf| sys.fs.lstat(path).is_ok_and(|s| s.kind == FileKind::Dir);
    Ok(paths.filter(is_folder).collect())
}
