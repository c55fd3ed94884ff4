//! The answer of `log`: operations of the journal, and who set a cell.

use schemars::JsonSchema;
use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;

/// `log`: written one by one, so that a long journal is never held twice.
pub struct LogList<'l> {
    /// Gives the n-th operation.
    pub get: &'l dyn Fn(usize) -> Operation,
    /// How many there are to show.
    pub returned: usize,
    /// How many there are.
    pub total: usize,
    /// `--blame`
    pub blame: Option<&'l [CellOrigin]>,
}

impl Serialize for LogList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("LogList", 5)?;
        object.serialize_field("entries", &Entries(self))?;
        object.serialize_field("total", &self.total)?;
        object.serialize_field("returned", &self.returned)?;
        object.serialize_field("truncated", &(self.returned < self.total))?;
        if let Some(blame) = self.blame {
            object.serialize_field("blame", blame)?;
        }
        object.end()
    }
}

struct Entries<'r, 'l>(&'r LogList<'l>);

impl Serialize for Entries<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.returned))?;
        for n in 0..self.0.returned {
            seq.serialize_element(&(self.0.get)(n))?;
        }
        seq.end()
    }
}

/// The schema of [`LogList`].
#[derive(Debug, Deserialize, JsonSchema)]
pub struct LogListShape {
    /// The operations, newest first.
    pub entries: Vec<Operation>,
    /// How many there are.
    pub total: usize,
    /// How many are given.
    pub returned: usize,
    /// Whether some are left out.
    pub truncated: bool,
    /// `--blame`: who set each cell last.
    #[serde(default)]
    pub blame: Option<Vec<CellOrigin>>,
}

/// One operation, as the journal has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Operation {
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
    /// The command; `genesis` for the first line, `external` for what other
    /// programs did, `unreadable` where the line is damaged.
    pub command: String,
    /// The task, where it is about exactly one.
    pub task: Option<String>,
    /// The approval, where it is about one.
    pub appr: Option<String>,
    /// The idempotency key.
    pub op_id: Option<String>,
    /// The fencing token that was taken or used.
    pub token: Option<u64>,
    /// `--note`
    pub note: Option<String>,
    /// How an `external` operation came about: hand or git.
    pub via: Option<String>,
    /// The operation that it takes back.
    pub undoes: Option<String>,
    /// `external` operations that it accepts.
    pub accepts: Vec<String>,
    /// Rules that were waived.
    pub waivers: Vec<String>,
    /// The cells that changed, row by row.
    pub changes: Vec<RowChange>,
    /// Named locks that were taken, renewed or given back.
    pub locks: Vec<LockChange>,
    /// What it did that counts for nothing until it is accepted.
    pub forbidden: Vec<Forbidden>,
    /// Acknowledged changes that it took back.
    pub took_back: Vec<TakenBack>,
    /// Files that were spelled otherwise, no cell changed.
    pub respelled: Vec<String>,
    /// The unified diff.
    pub diff: Option<String>,
    /// SHA-256 of each file before; `null` where there was none.
    pub sha_in: BTreeMap<String, Option<String>>,
    /// SHA-256 of each file after.
    pub sha_out: BTreeMap<String, String>,
    /// The hashes of the lines before this one.
    pub parents: Vec<String>,
    /// SHA-256 of the line without this.
    pub hash: String,
    /// `--commits`: the git commit that first carried it; `null` where it is not
    /// committed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[allow(clippy::option_option, reason = "not asked for, not committed, committed")]
    pub commit: Option<Option<String>>,
}

/// What happened to one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RowChange {
    /// The file, by its path from the workspace root.
    pub file: String,
    /// The row's id.
    pub row: String,
    /// insert, set or remove.
    pub kind: String,
    /// Column to value before and after; empty is `null`.
    pub cells: BTreeMap<String, [Option<String>; 2]>,
}

/// What happened to one named lock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LockChange {
    /// The word, path or glob.
    pub name: String,
    /// Its holder from here on; `null` where it was given back.
    pub owner: Option<String>,
    /// Until when.
    pub expires_at: Option<String>,
    /// Whose expired lock it was before.
    pub taken_from: Option<String>,
}

/// A hand edit that counts for nothing until it is accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Forbidden {
    /// Which rule.
    pub code: String,
    /// The file.
    pub file: String,
    /// The row's id, or the setting.
    pub row: String,
}

/// An acknowledged change that was taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TakenBack {
    /// The file.
    pub file: String,
    /// The row's id.
    pub row: String,
    /// The operation.
    pub op: String,
}

/// One cell, and who set it last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CellOrigin {
    /// The column.
    pub column: String,
    /// What stands there.
    pub value: Option<String>,
    /// Who set it; `null` where it stood there at first use, or where a hand
    /// edit that is not journalled yet may have set it.
    pub actor: Option<String>,
    /// When, UTC with milliseconds.
    pub ts: Option<String>,
    /// By which command; `genesis` for what stood there at first use, `null`
    /// where a hand edit that is not journalled yet may have set it.
    pub command: Option<String>,
    /// By which operation.
    pub op: Option<String>,
}
