//! The columns of both ledgers, by their canonical names.
//!
//! Here: the closed lists. Not here: how headers spell them
//! (`ledger::schema`).

/// A column of the task table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TaskField {
    /// Its id.
    TaskId,
    /// What is to be done.
    Title,
    /// Where it stands.
    State,
    /// Whose it is.
    Owner,
    /// `<actor>@TS` of the running lease.
    Lock,
    /// Who holds the lease.
    LockOwner,
    /// When the lease ends.
    LockExpiresAt,
    /// When it is due.
    Due,
    /// What came of it.
    Artifact,
    /// Free text and attributes.
    Notes,
}

impl TaskField {
    /// Every column, in canonical order.
    pub const ALL: [Self; 10] = [
        Self::TaskId,
        Self::Title,
        Self::State,
        Self::Owner,
        Self::Lock,
        Self::LockOwner,
        Self::LockExpiresAt,
        Self::Due,
        Self::Artifact,
        Self::Notes,
    ];

    /// The canonical name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TaskId => "task_id",
            Self::Title => "title",
            Self::State => "state",
            Self::Owner => "owner",
            Self::Lock => "lock",
            Self::LockOwner => "lock_owner",
            Self::LockExpiresAt => "lock_expires_at",
            Self::Due => "due",
            Self::Artifact => "artifact",
            Self::Notes => "notes",
        }
    }

    /// Whether a newline in a value becomes `<br>` (elsewhere it is refused).
    pub const fn takes_lines(self) -> bool {
        matches!(self, Self::Title | Self::Notes)
    }
}

/// A column of the approval table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ApprovalField {
    /// Its id.
    ApprId,
    /// The task it is about.
    TaskId,
    /// What is to be allowed.
    Op,
    /// pending, approved, rejected or expired.
    Status,
    /// Who asked.
    RequestedBy,
    /// Who decided.
    Approver,
    /// In which role.
    ApproverRole,
    /// When it was asked.
    TsReq,
    /// When it was decided.
    TsDec,
    /// The file that was decided on.
    Evidence,
}

impl ApprovalField {
    /// Every column, in canonical order.
    pub const ALL: [Self; 10] = [
        Self::ApprId,
        Self::TaskId,
        Self::Op,
        Self::Status,
        Self::RequestedBy,
        Self::Approver,
        Self::ApproverRole,
        Self::TsReq,
        Self::TsDec,
        Self::Evidence,
    ];

    /// The canonical name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ApprId => "appr_id",
            Self::TaskId => "task_id",
            Self::Op => "op",
            Self::Status => "status",
            Self::RequestedBy => "requested_by",
            Self::Approver => "approver",
            Self::ApproverRole => "approver_role",
            Self::TsReq => "ts_req",
            Self::TsDec => "ts_dec",
            Self::Evidence => "evidence",
        }
    }
}
