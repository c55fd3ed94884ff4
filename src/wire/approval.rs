//! An approval as JSON.

use crate::model;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// An approval: one row of APPROVALS.md.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// Its id.
    pub appr_id: String,
    /// The task it is about.
    pub task_id: Option<String>,
    /// What is to be allowed.
    pub op: Option<String>,
    /// pending, approved, rejected or expired.
    pub status: Option<String>,
    /// Who asked.
    pub requested_by: Option<String>,
    /// Who decided.
    pub approver: Option<String>,
    /// In which role.
    pub approver_role: Option<String>,
    /// When it was asked, UTC.
    pub ts_req: Option<String>,
    /// When it was decided, UTC.
    pub ts_dec: Option<String>,
    /// The file that was decided on.
    pub evidence: Option<String>,
    /// SHA-256 of the whole evidence file as it is now, as hex; `null` where the
    /// row names none, or none can be read.
    #[serde(default)]
    pub evidence_sha256: Option<String>,
    /// Whether it counts: it was approved, and what it was about still stands.
    /// `null` where nobody approved it, its task is closed, or nobody looked.
    #[serde(default)]
    pub in_force: Option<bool>,
    /// Unknown columns by their header.
    pub extra: BTreeMap<String, Option<String>>,
}

impl Approval {
    /// The shape of an approval.
    pub fn of(approval: &model::approval::Approval<'_>) -> Self {
        let cell = |cell: &Option<Cow<'_, str>>| cell.as_deref().map(str::to_owned);
        Self {
            appr_id: approval.id.clone().into_owned(),
            task_id: cell(&approval.task_id),
            op: cell(&approval.op),
            status: cell(&approval.status),
            requested_by: cell(&approval.requested_by),
            approver: cell(&approval.approver),
            approver_role: cell(&approval.approver_role),
            ts_req: cell(&approval.ts_req),
            ts_dec: cell(&approval.ts_dec),
            evidence: cell(&approval.evidence),
            evidence_sha256: None,
            in_force: None,
            extra: approval.extra.iter().map(|(n, v)| ((*n).to_owned(), cell(v))).collect(),
        }
    }
}

/// `orch approvals`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ApprovalList {
    /// The approvals, in table order.
    pub approvals: Vec<Approval>,
    /// How many there are.
    pub total: usize,
    /// How many are given here.
    pub returned: usize,
    /// Whether some are left out.
    pub truncated: bool,
}
