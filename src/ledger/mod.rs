//! Text to model and back: lossless parse, local edit.
//!
//! No files, no clock. A ledger is never printed from a model: it is the text
//! that was read, with sorted disjoint replacements applied ([`edit::Edits`]).
//! Therefore `print(parse(x)) == x` holds by construction, and a change moves
//! only the bytes of the cells that it sets.

mod approval_row;
pub mod approvals;
mod archive;
pub mod cell;
pub mod change;
pub mod compare;
pub mod criteria;
pub mod document;
pub mod edit;
pub mod evidence;
pub mod flags;
pub mod foreign;
pub mod format;
pub mod git_diff;
mod git_name;
mod git_reader;
pub mod handover;
pub mod merge;
pub mod patch;
pub mod render;
pub mod repair;
mod row;
pub mod scan;
pub mod schema;
pub mod section;
pub mod source;
pub mod table;
mod task_row;
pub mod tasks;
pub mod unified;
mod verify;
