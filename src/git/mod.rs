//! The ledgers in a git repository.
//!
//! Here: what git runs of ours, and what we ask of its history. Not here: running
//! git (`store::ask_git`), merging two texts (`ledger::merge`). Invariant: git's
//! own files are changed by `hooks` alone, and only where it says so.

pub mod commits;
pub mod diff;
pub mod hooks;
pub mod merge_driver;
pub mod revision;
