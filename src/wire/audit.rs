//! The answer of `audit verify`.

use crate::wire::list::Finding;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `audit verify`
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Audit {
    /// What is not as it should be, by file and line.
    pub findings: Vec<Finding>,
    /// How many there are.
    pub total: usize,
    /// How many are given.
    pub returned: usize,
    /// Whether some are left out.
    pub truncated: bool,
    /// The newest operations, as `<seq>:<hash>`: noted elsewhere, they show
    /// later with `--since` that nothing was cut off. Several after branches.
    pub heads: Vec<String>,
    /// How many operations the journal has.
    pub operations: usize,
    /// How many lines stand there once more, as after a merge.
    pub duplicates: usize,
}
