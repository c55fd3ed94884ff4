//! What the integration tests share: a workspace in a folder of its own, and
//! Markdown transcripts that run in one.

#![allow(dead_code, reason = "other areas use what this one does not")]

pub mod client;
pub mod printed;
pub mod shell;
pub mod transcript;
pub mod workspace;

pub use workspace::Workspace;
