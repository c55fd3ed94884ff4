//! Named locks in answers: `lock.acquire`, `lock.renew`, `lock.release`,
//! `lock.list`.

use crate::model;
use crate::model::lock::LockRow;
use crate::model::outcome::{Grant, OpHeader};
use crate::wire::change::{Lease, Op};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lock {
    /// The word, path or glob; `null` where a file's name says none.
    pub name: Option<String>,
    /// Who holds it.
    pub owner: Option<String>,
    /// The fencing token.
    pub token: Option<u64>,
    /// Since when, UTC.
    pub acquired_at: Option<String>,
    /// When it ends, UTC.
    pub expires_at: Option<String>,
    /// Seconds from an acquisition or renewal to the end.
    pub ttl_secs: Option<u64>,
    /// `live`, `grace` (over, but nobody may take it yet), `expired`, `free`,
    /// or `unreadable` (counts as held).
    pub status: String,
    /// The host that it was taken on.
    pub host: Option<String>,
    /// The process that took it.
    pub pid: Option<u32>,
    /// Its file, by its path from the workspace root.
    pub file: String,
}

impl From<&LockRow> for Lock {
    fn from(row: &LockRow) -> Self {
        let lock = row.lock.as_ref();
        let of = |value: fn(&model::lock::Lock) -> String| lock.map(value);
        Self {
            name: row.name.clone(),
            owner: of(|lock| lock.owner.clone()),
            token: lock.map(|lock| lock.token),
            acquired_at: of(|lock| lock.acquired.to_string()),
            expires_at: of(|lock| lock.expires_at.to_string()),
            ttl_secs: lock.map(|lock| lock.ttl.as_secs()),
            status: row.status.as_str().to_owned(),
            host: of(|lock| lock.host.clone()),
            pid: lock.map(|lock| lock.pid),
            file: row.file.clone(),
        }
    }
}

/// `lock list`
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct LockList {
    /// Every lock that has a file.
    pub locks: Vec<Lock>,
    /// How many there are.
    pub total: usize,
    /// How many are given.
    pub returned: usize,
    /// Whether some are left out.
    pub truncated: bool,
}

/// `lock acquire`, `lock renew`, `lock release`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LockChange {
    /// The locks that were named, as they are now.
    pub locks: Vec<Lock>,
    /// How many there are.
    pub total: usize,
    /// How many are given.
    pub returned: usize,
    /// Whether some are left out.
    pub truncated: bool,
    /// The hold of the first of them; `null` where it was given back.
    pub lease: Option<Lease>,
    /// Whether the effect held already, so that nothing changed.
    pub already: bool,
    /// The operation; `null` where nothing was written.
    pub op: Option<Op>,
    /// `--dry-run`: empty, since no file that people see would change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

impl LockChange {
    /// The shape of an outcome.
    pub fn of(
        rows: &[LockRow],
        lease: Option<&Grant>,
        already: bool,
        op: Option<&OpHeader>,
        dry_run: bool,
    ) -> Self {
        Self {
            locks: rows.iter().map(Lock::from).collect(),
            total: rows.len(),
            returned: rows.len(),
            truncated: false,
            lease: lease.map(Lease::from),
            already,
            op: op.map(Op::from),
            diff: dry_run.then(String::new),
        }
    }
}
