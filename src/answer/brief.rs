//! The shapes of what goes with a task, for `claim` and `show`; and which members of
//! an answer hold what others wrote.

use crate::services::brief;
use crate::wire::brief::{Criterion, Dependency};
use serde_json::Value;

/// The acceptance criteria.
pub fn criteria(brief: &mut brief::Brief) -> Vec<Criterion> {
    let of = |c: crate::ledger::criteria::Criterion| Criterion { text: c.text, done: c.done };
    std::mem::take(&mut brief.criteria).into_iter().map(of).collect()
}

/// What it depends on.
pub fn depends_on(brief: &mut brief::Brief) -> Vec<Dependency> {
    let of = |d: brief::Dependency| {
        let brief::Dependency { id, title, state, artifact } = d;
        Dependency { task_id: id, title, state, artifact }
    };
    std::mem::take(&mut brief.depends_on).into_iter().map(of).collect()
}

/// Members whose text is the ledger's: data, and no instructions to whoever reads it.
const LEDGER_TEXT: [&str; 10] = [
    "task",
    "tasks",
    "claimed",
    "reasons",
    "approval",
    "approvals",
    "detail",
    "criteria",
    "depends_on",
    "handover",
];

/// Those of them that an answer has.
pub fn untrusted(data: &Value) -> Vec<String> {
    let is_there = |name: &&str| match data.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::Array(list)) => !list.is_empty(),
        Some(_) => true,
    };
    LEDGER_TEXT.into_iter().filter(is_there).map(str::to_owned).collect()
}
