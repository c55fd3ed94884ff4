//! Lease mirrors: `LOCKS/<task_id>.lock`, for scripts that look for a file.
//!
//! The table is the truth; a mirror is a copy that may be lost at any time.
//! Invariant: no decision trusts a mirror that disagrees with the row.

use crate::error::{Error, Result};
use crate::store::layout::Layout;
use crate::store::replace::{Durability, replace, resolve};
use crate::sys::Sys;
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
