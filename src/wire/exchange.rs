//! A task as it leaves: what `export jsonl` writes, a line each.

use crate::wire::task::Task;
use serde::Serialize;
use std::borrow::Cow;

/// A task with all that it has, and its detail section where it has one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exported<'a> {
    /// The task.
    #[serde(flatten)]
    pub task: Task<'a>,
    /// The text of its detail section.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Cow<'a, str>>,
}
