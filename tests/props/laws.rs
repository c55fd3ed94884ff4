//! The laws of the ledger engine: functions that panic where a law breaks.
//!
//! Shared by the proptest tests, the corpus tests and the fuzz targets through
//! `#[path]`; so nothing here knows where its inputs come from. A law gives
//! [`Outcome`]: a test that only ever met refusals has tested nothing.

mod changing;
mod merging;
mod reading;
mod undoing;

pub use changing::*;
pub use merging::*;
pub use reading::*;
pub use undoing::*;

/// What a law had to do with its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The input was outside the law: no ledger, no row.
    Nothing,
    /// The engine refused, for a reason that was checked.
    Refused,
    /// The law was put to the test.
    Held,
}

/// Every law that a text alone is enough for.
pub fn all_of_a_text(text: &str) {
    parses_losslessly(text.as_bytes());
    skeleton_decides_as_the_whole(text);
    cells_are_where_pulldown_sees_them(text);
    comrak_agrees(text);
    fmt_is_idempotent_and_keeps_values(text);
}
