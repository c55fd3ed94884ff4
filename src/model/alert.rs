//! What a monitor tells people of: conditions that hold now.
//!
//! Here: the closed set of kinds and how bad one is. Not here: when one holds
//! (`watch::monitor`), what was told already (`store::alerts`).

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A lease ended and nobody handed the task in.
    LeaseExpired,
    /// An open task is past its due date.
    Overdue,
    /// A task waits in REVIEW for long.
    ReviewStale,
    /// An approval is pending for long.
    ApprovalStale,
    /// A runner's runs all fail, or its command cannot be started.
    RunnerFailing,
    /// A task's attempts are used up and nobody touched it since.
    RunFailed,
    /// The ledger cannot be used.
    LedgerInvalid,
    /// The settings cannot be used.
    SettingsInvalid,
    /// A runner's runs are not as they usually are.
    Ewma,
    /// Little free disk space.
    Disk,
    /// Little available memory.
    Memory,
    /// More work than the processors can do.
    Load,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::LeaseExpired,
        Self::Overdue,
        Self::ReviewStale,
        Self::ApprovalStale,
        Self::RunnerFailing,
        Self::RunFailed,
        Self::LedgerInvalid,
        Self::SettingsInvalid,
        Self::Ewma,
        Self::Disk,
        Self::Memory,
        Self::Load,
    ];

    /// As files and messages have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeaseExpired => "lease_expired",
            Self::Overdue => "overdue",
            Self::ReviewStale => "review_stale",
            Self::ApprovalStale => "approval_stale",
            Self::RunnerFailing => "runner_failing",
            Self::RunFailed => "run_failed",
            Self::LedgerInvalid => "ledger_invalid",
            Self::SettingsInvalid => "settings_invalid",
            Self::Ewma => "ewma",
            Self::Disk => "disk",
            Self::Memory => "memory",
            Self::Load => "load",
        }
    }

    /// How bad it is.
    pub const fn urgency(self) -> Urgency {
        match self {
            // Whoever watches takes the lease back.
            Self::LeaseExpired => Urgency::Info,
            Self::Overdue | Self::ReviewStale | Self::ApprovalStale => Urgency::Warning,
            Self::Ewma | Self::Memory | Self::Load => Urgency::Warning,
            Self::RunnerFailing | Self::RunFailed => Urgency::Error,
            Self::LedgerInvalid | Self::SettingsInvalid | Self::Disk => Urgency::Error,
        }
    }
}

/// How bad it is, which alerts call `severity`: that of a finding is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Urgency {
    /// Good to know.
    Info,
    /// Somebody should look some time.
    Warning,
    /// Work stands still, or soon will.
    Error,
}

impl Urgency {
    /// As files and messages have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// Something that holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// What, and so how bad.
    pub kind: Kind,
    /// What it is about: two conditions of one key are one.
    pub key: String,
    /// In a sentence.
    pub summary: String,
}

impl Condition {
    /// One of a kind.
    pub fn new(kind: Kind, key: impl Into<String>, summary: impl Into<String>) -> Self {
        Self { kind, key: key.into(), summary: summary.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        let words: HashSet<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(words.len(), Kind::ALL.len());
        let is_word = |word: &&str| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(words.iter().all(is_word));
        assert!(Urgency::Info < Urgency::Warning && Urgency::Warning < Urgency::Error);
    }
}
