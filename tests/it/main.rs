//! Integration tests: one binary, one module an area. Whole commands run in
//! process unless a file says otherwise.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test may panic, look at the real disk, and say what it skips"
)]

mod agent;
mod alerts;
mod approvals;
mod audit;
mod check;
mod corpus;
mod decide;
mod diff;
#[path = "../props/documents.rs"]
mod documents;
mod duties;
mod evidence;
mod examples;
mod exchange;
mod faults;
mod golden;
mod handover;
mod hooks;
mod in_force;
mod keeper;
mod laws;
mod log;
mod look_alikes;
mod loop_bounds;
mod mcp;
mod merging;
mod metrics;
mod migrate;
mod notify;
mod prime;
mod processes;
#[path = "../props/laws.rs"]
mod props;
mod readme;
mod schedules;
mod schemas;
mod shown;
mod states;
mod support;
mod tidy;
mod typed_next;
mod undo;
