//! What a change has to say for itself, in terms of the model.

use crate::model::time::Timestamp;

/// What a command has to say, in terms of the model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The task it was about, where there is one; `Some(None)` says that a task
    /// was asked for and none was found.
    pub task: Option<Option<String>>,
    /// The tasks it was about, where there may be several.
    pub tasks: Option<Vec<String>>,
    /// A lease that was given or renewed.
    pub lease: Option<Grant>,
    /// `submit --claim-next`: the task that was claimed, if any.
    pub claimed: Option<Option<String>>,
    /// Expired leases that were taken back on the way.
    pub reaped: Vec<String>,
    /// Why each open task cannot be claimed.
    pub reasons: Vec<(String, String)>,
    /// Whether the effect held already.
    pub already: bool,
    /// A named end that is no error: nothing could be claimed.
    pub nothing_ready: bool,
    /// Tasks that moved to or from an archive.
    pub archived: Vec<(String, i32)>,
    /// The approval it was about.
    pub approval: Option<String>,
    /// SHA-256 of that approval's evidence, as hex.
    pub evidence_sha: Option<String>,
    /// The flag that was set: its name and value.
    pub flag: Option<(&'static str, &'static str)>,
    /// What an `undo` or `redo` took back.
    pub undone: Option<Undone>,
}

impl Outcome {
    /// About one approval.
    pub fn of_approval(id: &str) -> Self {
        Self { approval: Some(id.to_owned()), ..Self::default() }
    }

    /// About one task, or several.
    pub fn of_ids(ids: &[String]) -> Self {
        match ids {
            [one] => Self { task: Some(Some(one.clone())), ..Self::default() },
            _ => Self { tasks: Some(ids.to_vec()), ..Self::default() },
        }
    }
}

/// An operation that was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// Its id.
    pub id: String,
    /// Its command; that of the first one where an undo was taken back.
    pub command: String,
    /// Who gave it.
    pub actor: String,
    /// The rows it was about.
    pub rows: Vec<String>,
    /// Whether `redo` can make it again: a lease is never given back.
    pub redoable: bool,
}

/// A lease as its holder needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The fencing token; `None` for a lease that was typed by hand.
    pub token: Option<u64>,
    /// The holder.
    pub owner: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// How long it lasts from a claim or a renewal.
    pub ttl_secs: u64,
}

/// Where an operation stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpHeader {
    /// Its number.
    pub seq: u64,
    /// Its id.
    pub id: String,
    /// SHA-256 of the ledger before.
    pub sha_in: Option<String>,
    /// SHA-256 of the ledger after.
    pub sha_out: Option<String>,
}
