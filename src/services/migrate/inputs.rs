//! The files that a migration reads.
//!
//! Invariant: reading waits for nobody and follows no link out of a folder; of
//! the ledgers of this workspace nothing is read here, the snapshot has them.

use crate::error::{Error, Result};
use crate::ledger::document::Kind;
use crate::ledger::source::MAX_BYTES;
use crate::store::layout::Layout;
use crate::sys::{FileKind, Sys};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Where a source comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A ledger of this workspace: it is turned in place.
    Own(Kind),
    /// Any other file: it stays as it is.
    File,
}

/// One source.
#[derive(Debug, Clone)]
pub struct Input {
    /// As people read it: from the workspace's root, else as it was typed.
    pub name: String,
    /// What was typed: several files of one folder have it in common.
    pub typed: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Its bytes; none for our own ledgers.
    pub bytes: Vec<u8>,
}

/// The folders below a board's that hold tasks too.
const BOARD_FOLDERS: [&str; 3] = ["tasks", "completed", "drafts"];

/// Reads what was typed, from the folder `here`; without any the workspace's own
/// ledgers.
///
/// # Errors
/// `usage` for what is not there or is no file, `failed` where it cannot be
/// read.
pub fn read(sys: &Sys, layout: &Layout, here: &Path, typed: &[String]) -> Result<Vec<Input>> {
    if typed.is_empty() {
        let there = |path: &PathBuf| sys.fs.stat(path).is_ok();
        let own = [(layout.tasks(), Kind::Tasks), (layout.approvals(), Kind::Approvals)];
        let own = own.into_iter().filter(|(path, _)| there(path));
        return Ok(own.map(|(path, kind)| own_ledger(layout, &path, kind)).collect());
    }
    let mut inputs: Vec<Input> = Vec::new();
    let mut seen: Vec<PathBuf> = Vec::new();
    for typed in typed {
        let path = here.join(typed);
        let path = sys.fs.canonicalize(&path).map_err(|e| match e.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename => {
                Error::usage(format!("cannot read `{typed}`: {e}")).hint("orch migrate --help")
            }
            _ => Error::io("read", &path, &e),
        })?;
        let stat = sys.fs.stat(&path).map_err(|e| Error::io("read", &path, &e))?;
        let files = match stat.kind {
            FileKind::Dir => files_of(sys, &path, typed)?,
            _ => vec![path.clone()],
        };
        let top = path;
        for path in files {
            if seen.contains(&path) {
                continue;
            }
            let below = path.strip_prefix(&top).ok().filter(|below| *below != Path::new(""));
            let named = below.map_or_else(|| typed.into(), |below| Path::new(typed).join(below));
            inputs.push(file(sys, layout, &path, typed, &named.to_string_lossy())?);
            seen.push(path);
        }
    }
    Ok(inputs)
}

fn own_ledger(layout: &Layout, path: &Path, kind: Kind) -> Input {
    let name = layout.display(path);
    Input { typed: name.clone(), name, origin: Origin::Own(kind), bytes: Vec::new() }
}

fn file(sys: &Sys, layout: &Layout, path: &Path, typed: &str, named: &str) -> Result<Input> {
    for (own, kind) in [(layout.tasks(), Kind::Tasks), (layout.approvals(), Kind::Approvals)] {
        let is_own = match sys.fs.canonicalize(&own) {
            Ok(own) => own == path,
            Err(e) if e.kind() == ErrorKind::NotFound => false,
            // Whether it is our own ledger must not be guessed.
            Err(e) => return Err(Error::io("read", &own, &e)),
        };
        if is_own {
            return Ok(own_ledger(layout, &own, kind));
        }
    }
    let root = sys.fs.canonicalize(&layout.root).unwrap_or_else(|_| layout.root.clone());
    let inside = path.strip_prefix(&root).ok();
    let name = match inside {
        Some(inside) => layout.display(&layout.root.join(inside)),
        None => named.to_owned(),
    };
    let usage =
        |why: &str| Err(Error::usage(format!("`{name}` {why}")).hint("orch migrate --help"));
    let stat = sys.fs.stat(path).map_err(|e| Error::io("read", path, &e))?;
    if stat.kind != FileKind::File {
        return usage("is neither a file nor a folder");
    }
    if stat.len > MAX_BYTES as u64 {
        return usage(&format!("has {} bytes, more than the {MAX_BYTES} that are read", stat.len));
    }
    let bytes = sys.fs.read(path).map_err(|e| Error::io("read", path, &e))?;
    Ok(Input { name, typed: typed.to_owned(), origin: Origin::File, bytes })
}

fn is_markdown(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("md"))
}

/// The Markdown files of a board: those of the folder, and of the folders below
/// it that hold tasks. Links are not followed.
fn files_of(sys: &Sys, folder: &Path, typed: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let below = BOARD_FOLDERS.map(|name| folder.join(name));
    for dir in [folder.to_owned()].into_iter().chain(below) {
        let is_dir = sys.fs.lstat(&dir).is_ok_and(|stat| stat.kind == FileKind::Dir);
        if !is_dir {
            continue;
        }
        let names = sys.fs.list(&dir).map_err(|e| Error::io("read", &dir, &e))?;
        for name in names.iter().filter(|name| is_markdown(name)) {
            let path = dir.join(name);
            if sys.fs.lstat(&path).is_ok_and(|stat| stat.kind == FileKind::File) {
                found.push(path);
            }
        }
    }
    if found.is_empty() {
        return Err(Error::usage(format!("the folder `{typed}` holds no Markdown file"))
            .hint("orch migrate --help"));
    }
    Ok(found)
}
