//! The shape of one journal line.
//!
//! Here: what an operation leaves behind, and the hash that chains lines. Not
//! here: reading and appending (`store::journal`). Invariant: a line is never
//! changed once written; its `hash` is the SHA-256 of the line without that
//! last member, and `parents` names the lines before it.

pub use crate::ledger::change::{RowChange, RowChangeKind, TextChange};
use crate::model::run::{PastRun, RunResult};
use crate::model::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// One line. Field order is the order of the file; absent members are left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// 1 + the largest of the parents'; may repeat on branches.
    pub seq: u64,
    /// Unique; what commands take.
    pub id: String,
    /// When, UTC with milliseconds.
    pub ts: String,
    /// By whom.
    pub actor: String,
    /// On which host.
    pub host: String,
    /// In which process.
    pub pid: u32,
    /// The command's verb; `genesis` for the first line.
    pub command: String,
    /// The caller's idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op_id: Option<String>,
    /// SHA-256 of the arguments, where there is an `op_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<String>,
    /// What the command answered, where there is an `op_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
    /// The fencing token of the lease that was taken or used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<u64>,
    /// The run that did it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunMark>,
    /// The task, where the operation is about exactly one.
    #[serde(default)]
    pub task: Option<String>,
    /// The approval, where it is about one.
    #[serde(default)]
    pub appr: Option<String>,
    /// `--note`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Rules that `solo: true` waived.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waivers: Vec<String>,
    /// SHA-256 of each file before, by its path from the workspace root.
    pub sha_in: BTreeMap<String, Option<String>>,
    /// SHA-256 of each file after.
    pub sha_out: BTreeMap<String, String>,
    /// What approvals are about, as it was when they were asked for, decided or
    /// first seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<Subject>,
    /// The cells that changed, row by row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<RowChange>,
    /// Changes of lines that are no ledger rows, such as detail sections.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<TextChange>,
    /// Named locks that were taken, renewed or given back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<LockChange>,
    /// How an `external` operation came about: `hand`, or `git`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// The operation that this `undo` or `redo` takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// What an `external` operation did that counts for nothing until it is
    /// accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forbidden: Vec<Forbidden>,
    /// Acknowledged changes that an `external` operation, a save made from an
    /// older copy, took back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub took_back: Vec<TakenBack>,
    /// Ids of `external` operations that this one accepts, as `<id>` or
    /// `<id>/<code>/<row>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepts: Vec<String>,
    /// Files whose bytes differ from the newest operation's, though no cell
    /// does that a line of the journal does not explain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub respelled: Vec<String>,
    /// The settings and flags that a hand edit must not loosen, as they count
    /// from here on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<serde_json::Value>,
    /// The unified diff; renewals have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// The hashes of the lines before this one.
    pub parents: Vec<String>,
    /// SHA-256 over the line without this member.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hash: String,
}

/// What an approval is about: the bytes that whoever decides sees. Of a decided
/// approval the newest one is what was decided on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The approval.
    pub appr: String,
    /// The task.
    pub task: String,
    /// The task's title; none where there is no such task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The task's artifact; none where the cell is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
    /// The evidence cell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// SHA-256 of the whole evidence file; none where there was none to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha: Option<String>,
}

/// What a line says of a run: of its beginning where it has an `attempt`, of its
/// end where it has a `result`, else that its command did this.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunMark {
    /// The fencing token of its lease, which is its name.
    pub token: u64,
    /// The runner of orch.yaml.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner: Option<String>,
    /// Which attempt it is, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// How it ended, as `model::run::RunResult` spells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// When the next attempt may begin, UTC with milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// How long the command ran, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// Whether a later `watch` took it over from one that died.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
}

impl From<&RunMark> for PastRun {
    fn from(mark: &RunMark) -> Self {
        Self {
            token: mark.token,
            runner: mark.runner.clone(),
            attempt: mark.attempt,
            result: mark.result.as_deref().and_then(RunResult::parse),
            not_before: mark.not_before.as_deref().and_then(Timestamp::parse_millis),
        }
    }
}

impl Subject {
    /// SHA-256 of the evidence that a cell names, where that is what was recorded.
    pub fn sha_for(&self, cell: &str) -> Option<&str> {
        self.sha.as_deref().filter(|_| self.evidence.as_deref() == Some(cell))
    }
}

/// What happened to one named lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockChange {
    /// The word, path or glob.
    pub name: String,
    /// Its holder from here on; none where it was given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Whose expired lock it was before, where somebody else's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_from: Option<String>,
}

/// A hand edit that counts for nothing until CMD accepts it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forbidden {
    /// Which rule: `decided-approval`, `approved-by-hand`, `done-by-hand`,
    /// `lease-by-hand`, `state-by-hand` or `policy-by-hand`.
    pub code: String,
    /// The file, by its path from the workspace root.
    pub file: String,
    /// The row's id, or the setting.
    pub row: String,
}

/// A cell that an `external` operation set back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenBack {
    /// The file, by its path from the workspace root.
    pub file: String,
    /// The row's id.
    pub row: String,
    /// The operation whose change it took back.
    pub op: String,
}

/// SHA-256 as lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

impl Entry {
    /// The hash that the line will have.
    pub fn sealed_hash(&self) -> String {
        let line = self.to_line();
        let end = line.len() - 2;
        line[end - 64..end].to_owned()
    }

    /// The line, with its hash, without a line end.
    pub fn to_line(&self) -> String {
        let mut bare = self.clone();
        bare.hash = String::new();
        let mut line = serde_json::to_string(&bare).unwrap_or_default();
        let hash = sha256_hex(line.as_bytes());
        line.truncate(line.len() - 1);
        line.push_str(",\"hash\":\"");
        line.push_str(&hash);
        line.push_str("\"}");
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_hashes_itself_without_its_hash() {
        let entry = Entry { seq: 1, id: "x".into(), ..Entry::default() };
        let line = entry.to_line();
        let (bare, hash) = line.rsplit_once(",\"hash\":\"").unwrap();
        assert_eq!(sha256_hex(format!("{bare}}}").as_bytes()), hash.trim_end_matches("\"}"));
        let read: Entry = serde_json::from_str(&line).unwrap();
        assert_eq!(read.to_line(), line);
    }
}
