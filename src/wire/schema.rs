//! The kinds of answers and their JSON Schemas (draft 2020-12).
//!
//! Invariant: what a program may rely on is kept in `tests/golden/schemas`, and
//! `orch/1` only ever adds to it (`ORCH/docs/FORMAT.md`).

use crate::wire::SCHEMA;
use crate::wire::approval::ApprovalList;
use crate::wire::audit::Audit;
use crate::wire::change::Change;
use crate::wire::check::{Checked, Explained};
use crate::wire::decide::Decisions;
use crate::wire::evidence::{EvidenceApplied, EvidenceList, EvidenceShown};
use crate::wire::hooks::Hooks;
use crate::wire::list::{
    Config, Findings, LeaseList, Made, NextList, Shown, Status, TaskListShape,
};
use crate::wire::lock::{LockChange, LockList};
use crate::wire::log::LogListShape;
use serde_json::{Value, json};

/// Every kind, with what it answers and the schema of its `data`.
pub fn kinds() -> Vec<(&'static str, &'static str, Value)> {
    fn of<T: schemars::JsonSchema>() -> Value {
        schemars::schema_for!(T).to_value()
    }
    let change = of::<Change>();
    // `list --fields` gives some of a task's members.
    let mut list = of::<TaskListShape>();
    if let Some(task) = list.pointer_mut("/$defs/Task").and_then(Value::as_object_mut) {
        task.remove("required");
    }
    let mut kinds = vec![
        ("task.list", "orch list", list),
        ("task.next", "orch next", of::<NextList>()),
        ("task.show", "orch show ID", of::<Shown>()),
        ("lease.list", "orch leases", of::<LeaseList>()),
        ("lock.list", "orch lock list", of::<LockList>()),
        ("approval.list", "orch approvals", of::<ApprovalList>()),
        ("evidence.show", "orch evidence show APPR", of::<EvidenceShown>()),
        ("evidence.verify", "orch evidence verify", of::<EvidenceList>()),
        ("evidence.apply", "orch evidence apply APPR", of::<EvidenceApplied>()),
        ("approval.decide", "orch decide [APPR]", of::<Decisions>()),
        ("ledger.diff", "orch diff [REV [REV]]", of::<crate::wire::diff::LedgerDiff>()),
        ("journal.log", "orch log [ID]", of::<LogListShape>()),
        ("audit.verify", "orch audit verify", of::<Audit>()),
        ("status", "orch, orch status", of::<Status>()),
        ("help", "orch outside of a workspace", of::<crate::wire::help::Help>()),
        ("prime", "orch prime", of::<crate::wire::prime::Prime>()),
        ("config", "orch config", of::<Config>()),
        ("metrics", "orch metrics", of::<crate::wire::metrics::Metrics>()),
        ("watch.once", "orch watch --once", of::<crate::wire::watch::Events>()),
        ("watch.plan", "orch watch --dry-run", of::<crate::wire::watch::Plan>()),
        ("doctor", "orch doctor", of::<Findings>()),
        ("check", "orch check", of::<Checked>()),
        ("check.explain", "orch check --explain CODE", of::<Explained>()),
        ("hooks.status", "orch hooks status", of::<Hooks>()),
        ("hooks.install", "orch hooks install", of::<Hooks>()),
        ("hooks.uninstall", "orch hooks uninstall", of::<Hooks>()),
        ("ledger.migrate", "orch migrate FILE", of::<crate::wire::migrate::Migrated>()),
        ("ledger.rollback", "orch migrate --rollback", of::<crate::wire::migrate::RolledBack>()),
        ("workspace.init", "orch init", of::<Made>()),
        ("demo", "orch demo", of::<Made>()),
    ];
    for (kind, command) in CHANGES {
        kinds.push((kind, command, change.clone()));
    }
    let lock = of::<LockChange>();
    kinds.push(("lock.acquire", "orch lock acquire NAME", lock.clone()));
    kinds.push(("lock.renew", "orch lock renew NAME", lock.clone()));
    kinds.push(("lock.release", "orch lock release NAME", lock));
    kinds.push(("schema", "orch schema", schemas()));
    kinds.push(("error", "any command with --json", error()));
    kinds
}

/// The changing commands, all of one shape.
const CHANGES: [(&str, &str); 29] = [
    ("check.accept", "orch check --accept"),
    ("check.fix", "orch check --fix"),
    ("task.add", "orch add TITLE"),
    ("task.set", "orch set ID FIELD=VALUE"),
    ("task.note", "orch note ID TEXT"),
    ("task.ready", "orch ready ID"),
    ("task.claim", "orch claim ID|--next"),
    ("task.renew", "orch renew ID"),
    ("task.release", "orch release ID"),
    ("task.submit", "orch submit ID"),
    ("task.handover", "orch handover ID --note TEXT"),
    ("task.done", "orch done ID"),
    ("task.fix", "orch fix ID"),
    ("task.hold", "orch hold ID"),
    ("task.resume", "orch resume ID"),
    ("task.drop", "orch drop ID"),
    ("task.reopen", "orch reopen ID"),
    ("task.move", "orch move ID STATE"),
    ("task.reap", "orch reap"),
    ("task.archive", "orch archive"),
    ("task.import", "orch import FILE"),
    ("approval.request", "orch request TASK --op TEXT"),
    ("approval.withdraw", "orch withdraw APPR"),
    ("approval.approve", "orch approve APPR"),
    ("approval.reject", "orch reject APPR"),
    ("flag.set", "orch flag NAME=VALUE"),
    ("ledger.fmt", "orch fmt"),
    ("journal.undo", "orch undo"),
    ("journal.redo", "orch redo"),
];

fn schemas() -> Value {
    json!({
        "type": "object",
        "description": "`schema`: with a kind its JSON Schema, else the schemas of all.",
        "properties": {
            "kinds": {
                "type": "object",
                "description": "The schema of a whole answer, by its kind.",
                "additionalProperties": {"type": "object"}
            }
        }
    })
}

fn error() -> Value {
    json!({
        "type": "object",
        "required": ["code", "message", "hint", "exit"],
        "properties": {
            "code": {"type": "string", "description": "What kind of refusal it is; stable."},
            "message": {"type": "string", "description": "What happened and why, for people."},
            "hint": {
                "type": ["string", "null"],
                "description": "One whole command that is safe to type next."
            },
            "exit": {"type": "integer", "description": "The exit number of that code."}
        }
    })
}

/// What a program that reads answers may rely on.
const GROWTH: &str = "The version. It stays while members, kinds and words are only added; \
                      ignore those that you do not know. What goes away, changes its name, type \
                      or meaning is `orch/2`.";

/// The schema of a whole answer: the envelope around a kind's data.
pub fn envelope(kind: &str, data: &Value) -> Value {
    let (member, rest) = if kind == "error" {
        ("error", json!([]))
    } else {
        ("data", json!(["data", "warnings", "next"]))
    };
    let mut required = vec![json!("schema"), json!("kind")];
    match rest.as_array() {
        Some(rest) if !rest.is_empty() => required.extend(rest.iter().cloned()),
        _ => required.push(json!("error")),
    }
    // References are `#/$defs/…`: the definitions belong at the top.
    let mut data = data.clone();
    let object = data.as_object_mut();
    let defs = object.and_then(|o| {
        o.remove("$schema");
        o.remove("$defs")
    });
    let mut properties = serde_json::Map::new();
    properties.insert("schema".into(), json!({"const": SCHEMA, "description": GROWTH}));
    properties.insert("kind".into(), json!({"const": kind}));
    properties.insert(member.into(), data);
    properties.insert("warnings".into(), json!({"type": "array", "items": {"type": "string"}}));
    properties.insert("next".into(), json!({"type": "array", "items": {"type": "string"}}));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind,
        "type": "object",
        "required": required,
        "properties": properties,
        "$defs": defs.unwrap_or_else(|| json!({})),
    })
}
