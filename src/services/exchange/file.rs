//! The file that an export is written to.
//!
//! Invariant: it is whole or not there; nothing that stands is replaced unless that was
//! said; nothing in `ORCH/` is ever written.

use crate::error::{Error, Result};
use crate::ledger::tasks::shell_word;
use crate::store::layout::Layout;
use crate::sys::{FileKind, Stat, Sys};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What is to become of a file that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It stays, and the export is refused.
    Keep,
    /// It is replaced.
    Replace,
}

/// Writes a file; `path` is relative to `cwd`.
///
/// # Errors
/// `usage` where the file is there, its folder is not, or it would lie in `ORCH/`.
pub fn write(
    sys: &Sys,
    layout: &Layout,
    (cwd, path): (&Path, &str),
    bytes: &[u8],
    standing: Standing,
) -> Result<()> {
    let (target, there) = target(sys, &cwd.join(path), path)?;
    let ours = sys.fs.canonicalize(&layout.orch_dir()).unwrap_or_else(|_| layout.orch_dir());
    if target.starts_with(&ours) {
        return Err(Error::usage(format!(
            "`{path}` lies in `ORCH/`, where exports are not written; name a file outside of it"
        )));
    }
    if there.is_some() && standing == Standing::Keep {
        return Err(Error::usage(format!("`{path}` is there already; `--force` replaces it"))
            .hint(format!("ls -l {}", shell_word(path))));
    }
    let (dir, name) = parts(&target, path)?;
    let mut chance = [0; 4];
    sys.entropy.fill(&mut chance);
    let staged = dir.join(format!(".{name}.orch-{:08x}", u32::from_be_bytes(chance)));
    // A new file may be read by whoever may read the ledger.
    let like = there.or_else(|| sys.fs.stat(&layout.tasks()).ok());
    let written = stage(sys, &staged, bytes, like.as_ref()).and_then(|()| match standing {
        Standing::Keep => sys.fs.rename_new(&staged, &target),
        Standing::Replace => sys.fs.rename(&staged, &target),
    });
    written.and_then(|()| sys.fs.sync_dir(dir)).map_err(|error| {
        // The export failed as it is; what is left of it is not worth another error.
        let _ = sys.fs.remove_file(&staged);
        Error::io("write", &target, &error)
    })
}

fn stage(sys: &Sys, path: &Path, bytes: &[u8], like: Option<&Stat>) -> std::io::Result<()> {
    let mut file = sys.fs.create_new(path)?;
    file.write_all(bytes)?;
    if let Some(like) = like {
        file.set_attributes(like)?;
    }
    file.sync()
}

/// The file that a path leads to, links followed, and what stands there.
fn target(sys: &Sys, full: &Path, path: &str) -> Result<(PathBuf, Option<Stat>)> {
    let full = match sys.fs.lstat(full) {
        Ok(stat) if stat.kind == FileKind::Symlink => {
            sys.fs.canonicalize(full).map_err(|e| Error::io("write", full, &e))?
        }
        _ => full.to_owned(),
    };
    let (dir, name) = parts(&full, path)?;
    let dir = sys.fs.canonicalize(dir).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            Error::usage(format!("cannot write `{path}`: its folder is not there"))
        }
        _ => Error::io("find", dir, &error),
    })?;
    let target = dir.join(name);
    match sys.fs.stat(&target) {
        Ok(stat) if stat.kind == FileKind::File => Ok((target, Some(stat))),
        Ok(_) => Err(Error::usage(format!("`{path}` is there, and is no regular file"))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok((target, None)),
        Err(error) => Err(Error::io("find", &target, &error)),
    }
}

fn parts<'p>(full: &'p Path, path: &str) -> Result<(&'p Path, &'p str)> {
    let name = full.file_name().and_then(|name| name.to_str());
    full.parent()
        .zip(name)
        .ok_or_else(|| Error::usage(format!("`{path}` cannot be the name of a file")))
}
