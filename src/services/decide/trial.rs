//! A change, tried on a scratch copy.
//!
//! Here: the order of the steps, each of which may deny. Not here: the copy
//! (`scratch`), what a command's end means (`conditions::commands`). Invariant:
//! the copy is removed, whatever happens.

use super::conditions::{Holds, Measured, canary, commands, metrics, protected};
use super::outside::Outside;
use super::scratch::{Applied, Scratch};
use super::source::Source;
use crate::ledger::evidence::Evidence;
use crate::ledger::git_diff::{FileDiff, SUBMODULE};
use crate::services::context::Context;
use std::collections::BTreeSet;
use std::path::Path;

/// What is tried.
#[derive(Debug)]
pub struct Change<'c> {
    /// The evidence.
    pub evidence: &'c Evidence<'c>,
    /// Its diff, read.
    pub files: &'c [FileDiff],
}

/// Tries a change and adds what was measured, up to the first condition that
/// does not hold.
///
/// # Errors
/// In words, why it could not be tried.
pub fn run(
    ctx: &Context,
    source: &Source,
    change: &Change<'_>,
    conditions: &mut Vec<Measured>,
    is_stopped: &dyn Fn() -> bool,
) -> Result<(), String> {
    let (sys, auto) = (&ctx.sys, &ctx.settings.auto_decide);
    let front = &change.evidence.front;
    let base = front.base.as_deref().ok_or("its evidence names no commit as its base")?;
    source.has(sys, base)?;
    let scratch = Scratch::make(sys, source)?;
    let top = scratch.copy();
    scratch.fill(source, base)?;
    let guarded = protected::measure(sys, change.files, &top, &source.prefix, auto);
    if replace(conditions, guarded) {
        return Ok(());
    }
    scratch.apply(change.evidence.diff)?;
    let applied = scratch.changed()?;
    is_as_read(change.files, &applied)?;
    if let Some(path) = scratch.differing(&front.files) {
        return Err(format!("`{path}` does not become what its evidence lists"));
    }
    let guarded = protected::measure_applied(sys, &applied, &top, &source.prefix, auto);
    if replace(conditions, guarded) {
        return Ok(());
    }
    let dir = top.join(&source.prefix);
    if sys.fs.stat(&dir).is_err() {
        return Err(format!("its base has no folder `{}`", source.prefix));
    }
    if let Some(metrics) = &auto.metrics {
        forget(ctx, metrics::place(metrics, &dir).as_deref(), &top, &applied)?;
    }
    let outside = Outside::look(ctx);
    conditions.push(commands::measure(sys, auto, &scratch, &dir, is_stopped));
    if let Some(file) = outside.changed(ctx) {
        return Err(format!("`{file}` was changed beside `orch` while the commands ran"));
    }
    let holds = |conditions: &[Measured]| conditions.last().is_some_and(|c| c.holds == Holds::Yes);
    if let (true, Some(wanted)) = (holds(conditions), &auto.metrics) {
        conditions.push(metrics::measure(sys, wanted, &dir));
    }
    drop(scratch);
    if let (true, Some(wanted)) = (holds(conditions), &auto.canary) {
        conditions.push(canary::measure(sys, wanted, is_stopped));
    }
    Ok(())
}

/// Puts a condition in the place of an earlier measurement of it, where it does
/// not hold now.
fn replace(conditions: &mut [Measured], now: Measured) -> bool {
    let denies = now.holds != Holds::Yes;
    if let Some(before) = conditions.iter_mut().find(|c| denies && c.name == now.name) {
        *before = now;
    }
    denies
}

/// Makes sure that what git changed is what was read from the diff, so that
/// nothing was judged by another reading.
fn is_as_read(files: &[FileDiff], applied: &[Applied]) -> Result<(), String> {
    let read: BTreeSet<&str> = files.iter().flat_map(FileDiff::paths).collect();
    for Applied { path, mode } in applied {
        if !read.contains(path.as_str()) {
            return Err(format!("applying the diff changes `{path}`, which it does not name"));
        }
        if *mode == SUBMODULE {
            return Err(format!("`{path}` is a submodule, which nothing here can judge"));
        }
    }
    Ok(())
}

/// Removes the file of the metrics where the change itself brings it: only what
/// the commands measure counts.
fn forget(
    ctx: &Context,
    file: Option<&Path>,
    top: &Path,
    applied: &[Applied],
) -> Result<(), String> {
    let Some(file) = file else { return Ok(()) };
    let is_changed = applied.iter().any(|applied| top.join(&applied.path) == file);
    if !is_changed || ctx.sys.fs.lstat(file).is_err() {
        return Ok(());
    }
    ctx.sys.fs.remove_file(file).map_err(|e| format!("cannot remove `{}`: {e}", file.display()))
}
