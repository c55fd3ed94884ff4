//! Integration tests: one binary, one module an area.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test may panic, look at the real disk, and say what it skips"
)]

mod corpus;
#[path = "../props/documents.rs"]
mod documents;
mod laws;
#[path = "../props/laws.rs"]
mod props;
