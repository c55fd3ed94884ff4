//! The shapes of `--json`, shared by every face. Version: `orch/1`.
//!
//! Here: what JSON says, and nothing that decides. Field names are the
//! canonical column names; an empty cell is `null`; unknown columns sit in
//! `extra`. Only this module derives serde for ledger data.

pub mod approval;
pub mod audit;
pub mod brief;
pub mod change;
pub mod check;
pub mod decide;
pub mod diff;
pub mod evidence;
pub mod exchange;
pub mod help;
pub mod hooks;
pub mod line;
pub mod list;
pub mod lock;
pub mod log;
pub mod metrics;
pub mod migrate;
pub mod prime;
pub mod sarif;
pub mod schema;
pub mod task;
pub mod watch;

use serde::Serialize;
use serde_json::Value;

/// The version that every object carries.
pub const SCHEMA: &str = "orch/1";

/// The object around every answer.
#[derive(Debug, Serialize)]
pub struct Envelope<'a, T: Serialize> {
    /// `orch/1`
    pub schema: &'static str,
    /// `<noun>.<verb>`
    pub kind: &'a str,
    /// The answer.
    pub data: T,
    /// What a person would be warned of.
    pub warnings: &'a [String],
    /// Whole commands that are worth typing next.
    pub next: &'a [String],
}

impl<'a, T: Serialize> Envelope<'a, T> {
    /// Wraps an answer.
    pub const fn new(kind: &'a str, data: T, warnings: &'a [String], next: &'a [String]) -> Self {
        Self { schema: SCHEMA, kind, data, warnings, next }
    }
}

/// The object of an error.
pub fn error(code: &str, exit: u8, message: &str, hint: Option<&str>) -> Value {
    serde_json::json!({
        "schema": SCHEMA,
        "kind": "error",
        "error": { "code": code, "message": message, "hint": hint, "exit": exit },
    })
}
