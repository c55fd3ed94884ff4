//! Use cases, one module each: a pure decision and a thin way to run it.
//!
//! Not here: how they are called (`cli`), how changes reach the disk (`store`).

pub mod agents;
pub mod approvals;
pub mod archive;
pub mod audit;
pub mod brief;
pub mod change;
pub mod check;
pub mod claim;
pub mod config;
pub mod context;
pub mod decide;
pub mod doctor;
pub mod draft;
pub mod duties;
pub mod evidence;
pub mod exchange;
pub mod flags;
pub mod gates;
pub mod hand_edits;
pub mod handover;
pub mod ids;
pub mod init;
pub mod list;
pub mod locks;
pub mod log;
pub mod migrate;
pub mod next;
pub mod policy;
pub mod prime;
pub mod queue;
pub mod runs;
pub mod set;
pub mod tasks;
pub mod transition;
pub mod undo;
