//! How data looks to a person: tables, diffs, Markdown and CSV.
//!
//! Lives here: layout and escaping. Not here: which stream, which width and
//! whether to colour, which `cli::ui` knows and passes in.
//! Invariant: nothing here opens a stream or asks the environment; every
//! function writes to the writer it is given and returns the writer's error.

pub mod brief;
pub mod change;
pub mod comparison;
pub mod csv;
pub mod diff;
pub mod finding;
pub mod github;
pub mod markdown;
pub mod migrate;
pub mod operation;
pub mod prime;
pub mod safe;
pub mod style;
pub mod table;
pub mod tokens;
pub mod width;
