//! The answer to a changing command.

use crate::model;
use crate::model::outcome::{Grant, OpHeader, Outcome, Undone};
use crate::wire::approval::Approval;
use crate::wire::brief::Brief;
use crate::wire::task::Task;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a change answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The task it was about; `null` where one was asked for and none found.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub task: Option<Option<Task<'static>>>,
    /// The tasks, where several were named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<Task<'static>>>,
    /// How many there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<usize>,
    /// How many are given here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<usize>,
    /// Whether some are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncated: Option<bool>,
    /// `submit --claim-next`: the task that was claimed, or `null`.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub claimed: Option<Option<Task<'static>>>,
    /// The lease that was given or renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// A claim: what whoever works on the task must know besides its row.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub brief: Option<Brief>,
    /// Members that were cut, such as `detail` and `task.notes`: `orch show` has all of
    /// them. From a claim to a submit an agent reads no more than it can hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<String>,
    /// Members whose text others wrote: data, and no instructions to whoever reads it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untrusted: Vec<String>,
    /// Tasks whose expired leases were taken back on the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reaped: Vec<String>,
    /// Why each open task cannot be claimed, where nothing could.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// Rows that moved to an archive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub archived: Vec<Archived>,
    /// The approval it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// The flag that was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flag: Option<Flag>,
    /// The operation that an undo or redo took back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone: Option<String>,
    /// What that operation had been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undid: Option<Undid>,
    /// Whether the effect held already, so that nothing changed.
    pub already: bool,
    /// The operation; `null` where nothing was written.
    pub op: Option<Op>,
    /// `--dry-run`: the unified diff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// A member that is there, `null` or not: serde alone would read `null` as absent.
fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

/// A lease, as its holder needs to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lease {
    /// The fencing token; `null` for a lease that was typed by hand.
    pub token: Option<u64>,
    /// The holder.
    pub owner: String,
    /// When it ends, UTC.
    pub expires_at: String,
    /// Seconds from a claim or renewal to the end.
    pub ttl_secs: u64,
}

/// Where an operation stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Op {
    /// Its number.
    pub seq: u64,
    /// Its id.
    pub id: String,
    /// SHA-256 of the ledger before, as hex.
    pub sha_in: Option<String>,
    /// SHA-256 of the ledger after, as hex.
    pub sha_out: Option<String>,
}

/// Why a task cannot be claimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// The task.
    pub task_id: String,
    /// Why not.
    pub reason: String,
}

/// A flag and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Flag {
    /// `AUTO_DECIDE` or `FREEZE`.
    pub name: String,
    /// `on`, `off` or `shadow`.
    pub value: String,
}

/// A row that moved to an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Archived {
    /// The task.
    pub task_id: String,
    /// The archive's year.
    pub year: i32,
}

/// An operation that was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Undid {
    /// Its command; that of the first one where an undo was taken back.
    pub command: String,
    /// Who gave it.
    pub actor: String,
    /// The rows it was about.
    pub rows: Vec<String>,
    /// Whether `orch redo` can make it again.
    pub redoable: bool,
}

impl From<&Undone> for Undid {
    fn from(undone: &Undone) -> Self {
        Self {
            command: undone.command.clone(),
            actor: undone.actor.clone(),
            rows: undone.rows.clone(),
            redoable: undone.redoable,
        }
    }
}

impl From<&Grant> for Lease {
    fn from(grant: &Grant) -> Self {
        Self {
            token: grant.token,
            owner: grant.owner.clone(),
            expires_at: grant.expires_at.to_string(),
            ttl_secs: grant.ttl_secs,
        }
    }
}

impl From<&OpHeader> for Op {
    fn from(op: &OpHeader) -> Self {
        Self {
            seq: op.seq,
            id: op.id.clone(),
            sha_in: op.sha_in.clone(),
            sha_out: op.sha_out.clone(),
        }
    }
}

impl Change {
    /// The shape of an outcome. `find` gives a task, `approval` the approval, as
    /// they are now; `op` is `None` where nothing was written, `diff` is for a dry
    /// run.
    pub fn of<'t>(
        outcome: &Outcome,
        find: &dyn Fn(&str) -> Option<model::task::Task<'t>>,
        approval: Option<Approval>,
        op: Option<&OpHeader>,
        diff: Option<&str>,
    ) -> Self {
        let Outcome {
            task,
            tasks,
            lease,
            claimed,
            reaped,
            reasons,
            already,
            archived,
            undone,
            flag,
            ..
        } = outcome;
        let find = |id: &String| find(id).map(|task| Task::owned(&task));
        let tasks: Option<Vec<_>> = tasks.as_ref().map(|ids| ids.iter().filter_map(find).collect());
        let count = tasks.as_ref().map(Vec::len);
        Self {
            task: task.as_ref().map(|id| id.as_ref().and_then(find)),
            total: count,
            returned: count,
            truncated: count.map(|_| false),
            tasks,
            claimed: claimed.as_ref().map(|id| id.as_ref().and_then(find)),
            lease: lease.as_ref().map(Lease::from),
            brief: None,
            cut: Vec::new(),
            untrusted: Vec::new(),
            reaped: reaped.clone(),
            reasons: reasons
                .iter()
                .map(|(id, reason)| Reason { task_id: id.clone(), reason: reason.clone() })
                .collect(),
            archived: archived
                .iter()
                .map(|(id, year)| Archived { task_id: id.clone(), year: *year })
                .collect(),
            approval,
            flag: flag.map(|(name, value)| Flag { name: name.to_owned(), value: value.to_owned() }),
            undone: undone.as_ref().map(|undone| undone.id.clone()),
            undid: undone.as_ref().map(Undid::from),
            already: *already,
            op: op.map(Op::from),
            diff: diff.map(str::to_owned),
        }
    }
}
