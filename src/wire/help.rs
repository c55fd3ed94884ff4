//! The answer of `orch` alone where there is no ledger.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `orch` outside of a workspace.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Help {
    /// What there is to type.
    pub commands: Vec<Command>,
}

/// One command.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Command {
    /// As it is typed.
    pub name: String,
    /// What it does, in one line.
    pub about: String,
}
