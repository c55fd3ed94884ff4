//! What `orch watch` says, as JSON: one object a line.

use serde::Serialize;

/// One event.
#[derive(Debug, Clone, Default, Serialize, schemars::JsonSchema)]
pub struct Event {
    /// When, UTC with milliseconds.
    pub ts: String,
    /// Which kind: `watching started ended ending recovered reaped missed alert
    /// paused reloaded trouble draining stopped`.
    pub event: &'static str,
    /// The task, or the schedule.
    pub task: Option<String>,
    /// The runner of orch.yaml.
    pub runner: Option<String>,
    /// Which attempt, from 1.
    pub attempt: Option<u32>,
    /// How many attempts there may be.
    pub attempts: Option<u32>,
    /// How a run ended: `ok`, `later`, `exit 3`, `signal 9`, `timed out`, `lost`,
    /// `not started`, `drained`.
    pub result: Option<String>,
    /// How long it ran, in milliseconds.
    pub took_ms: Option<u64>,
    /// The rest, in words.
    pub message: String,
}

/// What `orch watch --once` did.
#[derive(Debug, Clone, Default, Serialize, schemars::JsonSchema)]
pub struct Events {
    /// In their order.
    pub events: Vec<Event>,
}

/// What `orch watch --dry-run` would do.
#[derive(Debug, Clone, Default, Serialize, schemars::JsonSchema)]
pub struct Plan {
    /// What would be done now, in this order.
    pub actions: Vec<Action>,
    /// What is free and is not run now.
    pub waiting: Vec<Waiting>,
}

/// One thing that would be done.
#[derive(Debug, Clone, Default, Serialize, schemars::JsonSchema)]
pub struct Action {
    /// `start`, `schedule`, `reap`, `renew` or `end`.
    pub action: &'static str,
    /// The task, or the schedule.
    pub task: Option<String>,
    /// The runner of orch.yaml.
    pub runner: Option<String>,
}

/// A task that is free and is not run now.
#[derive(Debug, Clone, Default, Serialize, schemars::JsonSchema)]
pub struct Waiting {
    /// The task, or the schedule.
    pub task: String,
    /// Why.
    pub reason: String,
}
