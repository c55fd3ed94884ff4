//! An approval, as its row means it.

use std::borrow::Cow;

/// Where an approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApprovalStatus {
    /// Nobody has decided.
    Pending,
    /// Granted.
    Approved,
    /// Refused.
    Rejected,
    /// Withdrawn or too old.
    Expired,
}

impl ApprovalStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Approved, Self::Rejected, Self::Expired];

    /// As the ledger spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }

    /// Reads a ledger's spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// The cells of one approval; `None` where a cell is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Approval<'a> {
    /// `appr_id`
    pub id: Cow<'a, str>,
    /// `task_id`
    pub task_id: Option<Cow<'a, str>>,
    /// `op`
    pub op: Option<Cow<'a, str>>,
    /// `status`, as it is spelled.
    pub status: Option<Cow<'a, str>>,
    /// `requested_by`
    pub requested_by: Option<Cow<'a, str>>,
    /// `approver`
    pub approver: Option<Cow<'a, str>>,
    /// `approver_role`
    pub approver_role: Option<Cow<'a, str>>,
    /// `ts_req`
    pub ts_req: Option<Cow<'a, str>>,
    /// `ts_dec`
    pub ts_dec: Option<Cow<'a, str>>,
    /// `evidence`
    pub evidence: Option<Cow<'a, str>>,
    /// Unknown columns, by their header.
    pub extra: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

impl Approval<'_> {
    /// Its status; `None` where the ledger holds one the tool does not know.
    pub fn known_status(&self) -> Option<ApprovalStatus> {
        ApprovalStatus::parse(self.status.as_deref()?)
    }
}
