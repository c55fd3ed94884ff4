//! A handover: what one worker leaves for whoever goes on.
//!
//! Not here: how it stands in a detail section (`ledger::handover`).

use crate::model::time::Timestamp;

/// What was done, what is left, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// When, to the second.
    pub at: Timestamp,
    /// Who wrote it.
    pub actor: String,
    /// Lines with `\n`; neither begins nor ends with one.
    pub text: String,
}
