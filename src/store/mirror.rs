//! Lease mirrors: `LOCKS/<task_id>.lock`, for scripts that look for a file.
//!
//! The table is the truth; a mirror is a copy that may be lost at any time.
//! Invariant: no decision trusts a mirror that disagrees with the row.

use crate::error::{Error, Result};
use crate::store::layout::Layout;
use crate::store::replace::{Durability, replace, resolve};
use crate::sys::{FileKind, Sys};
use serde::{Deserialize, Serialize};

/// What a mirror holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseMirror {
    /// Who holds the lease.
    pub owner: String,
    /// Of which task.
    pub task_id: String,
    /// Since when.
    pub ts_acquired: String,
    /// For how long at a time, in seconds.
    pub ttl_sec: u64,
    /// `active`.
    pub status: String,
    /// The fencing token.
    pub token: u64,
    /// The holder's host.
    pub host: String,
    /// The process that claimed.
    pub pid: u32,
}

/// What a commit does to a mirror.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MirrorChange {
    /// A lease began or was renewed.
    Write(LeaseMirror),
    /// A lease ended.
    Remove(String),
}

/// Reads a task's mirror; anything unreadable counts as none.
pub fn read(sys: &Sys, layout: &Layout, task_id: &str) -> Option<LeaseMirror> {
    let bytes = sys.fs.read(&layout.lease_mirror(task_id)).ok()?;
    serde_json::from_slice::<LeaseMirror>(&bytes).ok().filter(|m| m.task_id == task_id)
}

/// A file that looks like a mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// Its path from the workspace root.
    pub file: String,
    /// What it holds; none where it cannot be read, or has another task's name.
    pub mirror: Option<LeaseMirror>,
}

/// Every mirror, by name.
pub fn read_all(sys: &Sys, layout: &Layout) -> Vec<Copy> {
    let dir = layout.locks_dir();
    let names = sys.fs.list(&dir).unwrap_or_default();
    let locks = names
        .into_iter()
        .filter(|name| name.strip_suffix(".lock").is_some_and(|id| !id.starts_with('.')));
    locks
        .map(|name| dir.join(name))
        .filter(|path| sys.fs.lstat(path).is_ok_and(|stat| stat.kind == FileKind::File))
        .map(|path| {
            let bytes = sys.fs.read(&path).unwrap_or_default();
            let mirror = serde_json::from_slice::<LeaseMirror>(&bytes).ok();
            let own = |mirror: &LeaseMirror| layout.lease_mirror(&mirror.task_id) == path;
            Copy { file: layout.display(&path), mirror: mirror.filter(own) }
        })
        .collect()
}

/// Makes a mirror agree with the ledger.
pub fn apply(sys: &Sys, layout: &Layout, change: &MirrorChange) -> Result<()> {
    match change {
        MirrorChange::Write(mirror) => {
            let path = layout.lease_mirror(&mirror.task_id);
            let target = resolve(sys, layout, &path)?;
            let mut json = serde_json::to_string(mirror).unwrap_or_default();
            json.push('\n');
            replace(sys, &target, target.stat.as_ref(), json.as_bytes(), Durability::Fast)
        }
        MirrorChange::Remove(task_id) => {
            let path = layout.lease_mirror(task_id);
            match sys.fs.remove_file(&path) {
                Ok(()) => Ok(()),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
                Err(e) => Err(Error::io("remove", &path, &e)),
            }
        }
    }
}
