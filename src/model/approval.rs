//! An approval, as its row means it.

use crate::model::time::Timestamp;
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

    /// Whether somebody approved or rejected.
    pub const fn is_decision(self) -> bool {
        matches!(self, Self::Approved | Self::Rejected)
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

    /// Its status where a pending one that was asked for before an instant has
    /// expired, whether or not somebody wrote that down yet.
    pub fn status_now(&self, expired_before: Option<Timestamp>) -> Option<ApprovalStatus> {
        let status = self.known_status()?;
        let is_old = || is_before(self.ts_req.as_deref(), expired_before);
        Some(match status {
            ApprovalStatus::Pending if is_old() => ApprovalStatus::Expired,
            status => status,
        })
    }
}

/// Whether something was asked for before an instant; an unknown time is not.
pub fn is_before(ts_req: Option<&str>, instant: Option<Timestamp>) -> bool {
    let asked = || ts_req.and_then(Timestamp::parse);
    instant.is_some_and(|instant| asked().is_some_and(|asked| asked < instant))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_request_has_expired_and_a_decided_one_never_does() {
        let at = |text| Timestamp::parse(text);
        let of = |status: &'static str| Approval {
            status: Some(status.into()),
            ts_req: Some("2026-01-01T00:00:00Z".into()),
            ..Approval::default()
        };
        let late = at("2026-01-01T00:00:01Z");
        assert_eq!(of("pending").status_now(late), Some(ApprovalStatus::Expired));
        assert_eq!(
            of("pending").status_now(at("2026-01-01T00:00:00Z")),
            Some(ApprovalStatus::Pending)
        );
        assert_eq!(of("pending").status_now(None), Some(ApprovalStatus::Pending));
        assert_eq!(of("approved").status_now(late), Some(ApprovalStatus::Approved));
        assert_eq!(of("Approved").status_now(late), None);
        let unknown = Approval { ts_req: Some("soon".into()), ..of("pending") };
        assert_eq!(unknown.status_now(late), Some(ApprovalStatus::Pending));
    }
}
