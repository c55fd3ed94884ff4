//! `orch`: the plain Markdown table as a real database for work.
#![forbid(unsafe_code)]

pub mod answer;
pub mod cli;
pub mod error;
pub mod git;
pub mod ledger;
pub mod mcp;
pub mod model;
pub mod services;
pub mod store;
pub mod sys;
pub mod watch;
pub mod wire;
