//! The answer to `orch decide`.

use crate::wire::change::Op;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `orch decide`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decisions {
    /// The approvals that were judged, in the order of the table.
    pub approvals: Vec<Decided>,
    /// How many there are.
    pub total: usize,
    /// How many are given here.
    pub returned: usize,
    /// Whether some are left out.
    pub truncated: bool,
    /// `on`, `shadow`: verdicts are only written down, `off`, or `frozen`.
    pub mode: String,
    /// Whether this is the first answer to an `--op-id` once more.
    pub already: bool,
    /// The operation; `null` where nothing was decided.
    pub op: Option<Op>,
    /// `--dry-run`: the unified diff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// An approval that was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decided {
    /// Its id.
    pub appr_id: String,
    /// The task it is about.
    pub task_id: Option<String>,
    /// `approve`, `reject`, or `leave`: people decide.
    pub verdict: String,
    /// Why it was not approved.
    pub reasons: Vec<String>,
    /// `--explain`: what was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Vec<Condition>>,
}

/// A condition, measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Condition {
    /// Its name.
    pub name: String,
    /// Whether it holds; `null` where it was not measured, since something
    /// before it did not.
    pub holds: Option<bool>,
    /// What was found.
    pub measured: String,
    /// What is asked for.
    pub limit: String,
    /// The end of what a failing command wrote, without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}
