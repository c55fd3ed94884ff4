//! What whoever works on a task must know besides its row.

use crate::model;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a claim hands over besides task and lease.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Brief {
    /// The file the task stands in, by its path from the workspace root.
    pub file: String,
    /// The line it stands in.
    pub line: usize,
    /// The text of its detail section, without its handovers.
    pub detail: Option<String>,
    /// When the work is done: the list that the detail section names so, else its
    /// checkboxes.
    pub criteria: Vec<Criterion>,
    /// What it depends on, and what came of that.
    pub depends_on: Vec<Dependency>,
    /// The newest handover.
    pub handover: Option<Handover>,
}

/// One of the things that must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Criterion {
    /// In the words of whoever planned it.
    pub text: String,
    /// Whether its box is ticked; without a box it is not.
    pub done: bool,
}

/// A task that another depends on; one that is nowhere has no state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dependency {
    /// Its id.
    pub task_id: String,
    /// What it was about.
    pub title: Option<String>,
    /// How far it is.
    pub state: Option<String>,
    /// What came of it.
    pub artifact: Option<String>,
}

/// What one worker left for whoever goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Handover {
    /// When, UTC.
    pub ts: String,
    /// Who wrote it.
    pub actor: String,
    /// What was done, what is left, and where.
    pub text: String,
}

impl From<model::handover::Handover> for Handover {
    fn from(handover: model::handover::Handover) -> Self {
        let model::handover::Handover { at, actor, text } = handover;
        Self { ts: at.to_string(), actor, text }
    }
}
