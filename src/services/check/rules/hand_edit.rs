//! Edits by hand that count for nothing until CMD accepts or undoes them.
//!
//! Here: what they mean. Not here: noticing them (`services::hand_edits`).

use crate::model::severity::Severity;
use crate::services::check::rules::{Look, Rule};
use crate::services::hand_edits;

pub(super) const LOOKS: &[Look] = &[];

/// A decided approval was altered.
pub static DECIDED_APPROVAL: Rule = Rule {
    code: hand_edits::DECIDED,
    severity: Severity::Error,
    says: "a decided approval was altered by hand",
    why: "What was decided is history. An altered row could say that somebody agreed to what they \
          never saw, so it counts for nothing until CMD looked at it.",
    example: "| A001 | 001 | merge | approved | …, where `rejected` had stood",
    mend: MEND,
};

/// An approval was decided by hand.
pub static APPROVED_BY_HAND: Rule = Rule {
    code: hand_edits::APPROVED,
    severity: Severity::Error,
    says: "an approval was decided in an editor",
    why: "Nobody asked whether the same person stands on both sides, and whether the evidence is \
          what was looked at. `approve` and `reject` do.",
    example: "| A001 | 001 | merge | approved | …, typed over `pending`",
    mend: MEND,
};

/// DONE by hand.
pub static DONE_BY_HAND: Rule = Rule {
    code: hand_edits::DONE,
    severity: Severity::Error,
    says: "a task was set to DONE by hand against its approvals",
    why: "An approval of it is pending, rejected or missing, and `orch done` would have refused.",
    example: "| deploy-7 | Deploy | DONE | …, typed over REVIEW",
    mend: MEND,
};

/// A live lease was taken or removed.
pub static LEASE_BY_HAND: Rule = Rule {
    code: hand_edits::LEASE,
    severity: Severity::Error,
    says: "a live lease was taken away by hand",
    why: "Its holder is at work and knows nothing of it: two people could do the same task. The \
          holder may still renew, submit and release.",
    example: "| 001 | Paint | READY | …, typed over DOING while the lease of WORK@ada ran",
    mend: MEND,
};

/// A state was moved by hand.
pub static STATE_BY_HAND: Rule = Rule {
    code: hand_edits::STATE,
    severity: Severity::Error,
    says: "a state was moved by hand, and `hand_edits: review` asks CMD first",
    why: "The settings say that moves made in an editor wait for CMD.",
    example: "| 001 | Paint | READY | …, typed over PLAN",
    mend: MEND,
};

/// A setting or flag was loosened.
pub static POLICY_BY_HAND: Rule = Rule {
    code: hand_edits::POLICY,
    severity: Severity::Error,
    says: "a setting or flag that protects the ledger was loosened by hand",
    why: "Whoever is held by a rule could lift it. The former value stays in force until CMD \
          accepts the new one.",
    example: "solo: true, typed into orch.yaml",
    mend: MEND,
};

const MEND: &str = "As CMD, `orch check --accept ID` lets the edit count and `orch undo OP` takes \
                    it back; `orch log ID` shows who changed what.";
