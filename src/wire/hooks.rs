//! What git runs of ours, in answers: `hooks.status`, `hooks.install`,
//! `hooks.uninstall`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HookPart {
    /// `driver`, `attributes`, or the name of a hook.
    pub part: String,
    /// `installed`, `called` (somebody's own hook asks orch), `missing`,
    /// `outdated`, `altered`, `foreign`, or `gone` (its program is not there).
    pub state: String,
    /// What was done: `made`, `replaced`, `moved`, `kept`, `removed`, `restored`
    /// or `left`; `null` where it was only looked at.
    pub did: Option<String>,
    /// The key of a setting, or a file by its path from the repository's top.
    pub place: String,
    /// What else there is to say.
    pub detail: Option<String>,
}

/// `hooks status`, `hooks install`, `hooks uninstall`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hooks {
    /// The parts.
    pub parts: Vec<HookPart>,
    /// How many there are.
    pub total: usize,
    /// How many are given.
    pub returned: usize,
    /// Whether some are left out.
    pub truncated: bool,
    /// Whether nothing is missing.
    pub whole: bool,
    /// Where git looks for hooks.
    pub hooks_path: String,
}
