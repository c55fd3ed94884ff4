//! Evidence: the file that an approval names, and the change that it holds.
//!
//! Here: from a cell to bytes. In the folder: `work_tree` and `patch`, where a
//! change comes from; `content` and `drift`, what a work tree holds now; `verify`
//! and `apply`; `repository`, asking git. Not here: how cells spell paths
//! (`model::evidence_path`), the file's text (`ledger::evidence`), who may decide
//! on it (`approvals`). Invariant: nothing
//! outside of the workspace is read, and nothing that is no regular file.

pub mod apply;
pub mod content;
pub mod drift;
mod index;
pub mod patch;
pub mod repository;
pub mod verify;
pub mod work_tree;

use crate::error::{Error, ErrorKind, Result};
use crate::model::evidence::MAX_BYTES;
use crate::model::evidence_path::{self, Unsafe};
use crate::services::context::Context;
use crate::store::entry::sha256_hex;
use crate::store::replace::inside;
use crate::store::snapshot::coming;
use crate::sys::FileKind;
use std::io;
use std::path::{Path, PathBuf};

/// An evidence file, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Where it is.
    pub path: PathBuf,
    /// The same from the workspace's root, with `/`.
    pub name: String,
    /// All of it.
    pub bytes: Vec<u8>,
    /// Of the whole file: what `approve --sha` takes a prefix of.
    pub sha: String,
}

/// Reads the evidence that a cell names. What a committed change has not put in
/// its place yet counts.
///
/// # Errors
/// `stale` where it is gone, elsewhere, too large or no regular file;
/// `ledger_invalid` for a path that climbs or leads out of the workspace by a
/// link.
pub fn load(ctx: &Context, cell: &str) -> Result<Stored> {
    let root = ctx.settings.evidence.root.as_deref();
    let name = evidence_path::relative(cell, root, &ctx.layout.root.to_string_lossy());
    let name = name.map_err(|why| {
        let message = format!("the evidence `{cell}` {}", why.as_str());
        match why {
            // A row of another machine: nothing is wrong but that it is not here.
            Unsafe::Elsewhere => Error::new(ErrorKind::Stale, message).hint("orch config"),
            Unsafe::Traversal | Unsafe::Nothing => Error::invalid(message).hint("orch approvals"),
        }
    })?;
    let path = ctx.layout.root.join(&name);
    let bytes = match coming(&ctx.sys, &ctx.layout, &path)? {
        Some(bytes) => bytes,
        None => read(ctx, &name, &path)?,
    };
    let sha = sha256_hex(&bytes);
    Ok(Stored { path, name, bytes, sha })
}

/// The file that somebody names on the command line, from the folder `here` or
/// from the workspace's root.
///
/// # Errors
/// `usage` for a path that climbs or leads out of the workspace, and for what is
/// not there.
pub fn named(ctx: &Context, here: &Path, typed: &str) -> Result<Stored> {
    let usage = |e: Error| Error::usage(e.message).hint("orch request --help");
    let root = &ctx.layout.root;
    let from_here = here
        .strip_prefix(root)
        .ok()
        .filter(|below| !below.as_os_str().is_empty())
        .map(|below| below.join(typed))
        .filter(|path| ctx.sys.fs.stat(&root.join(path)).is_ok());
    let cell = from_here.map_or_else(
        || typed.to_owned(),
        |path| path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/"),
    );
    load(ctx, &cell).map_err(usage)
}

fn read(ctx: &Context, name: &str, path: &std::path::Path) -> Result<Vec<u8>> {
    let fs = &*ctx.sys.fs;
    let stale = |why: &str| Error::new(ErrorKind::Stale, format!("the evidence `{name}` {why}"));
    let failed = |error: io::Error| match error.kind() {
        // A cell may hold prose, which is no name, or a very long one.
        io::ErrorKind::NotFound
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::InvalidFilename
        | io::ErrorKind::InvalidInput => stale("is not there"),
        _ => Error::io("read", path, &error),
    };
    let is_link = || fs.lstat(path).is_ok_and(|stat| stat.kind == FileKind::Symlink);
    let canonical = match fs.canonicalize(path) {
        Err(e) if e.kind() != io::ErrorKind::PermissionDenied && is_link() => {
            return Err(stale("is a link that leads nowhere"));
        }
        canonical => canonical.map_err(failed)?,
    };
    inside(&ctx.sys, &ctx.layout, name, &canonical)?;
    let stat = fs.lstat(&canonical).map_err(failed)?;
    if stat.kind != FileKind::File {
        return Err(stale("is not a regular file"));
    }
    let too_large = |bytes: u64| {
        stale(&format!("has {bytes} bytes, more than the {MAX_BYTES} that evidence may have"))
    };
    if stat.len > MAX_BYTES {
        return Err(too_large(stat.len));
    }
    let bytes = fs.read(&canonical).map_err(failed)?;
    match bytes.len() as u64 {
        len if len > MAX_BYTES => Err(too_large(len)),
        _ => Ok(bytes),
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
