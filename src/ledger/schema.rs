//! THE list of columns and their names in headers, English and Japanese.
//!
//! A header is compared without regard to case and surrounding blanks. Where
//! two headers name one column, the canonical name wins, then the first.

use crate::model::field::{ApprovalField, TaskField};

/// Every header a task column goes by; the first is canonical.
pub const fn task_names(field: TaskField) -> &'static [&'static str] {
    match field {
        TaskField::TaskId => &["task_id", "id", "タスクID"],
        TaskField::Title => &["title", "件名", "タイトル"],
        TaskField::State => &["state", "status", "状態"],
        TaskField::Owner => &["owner", "担当", "担当者"],
        TaskField::Lock => &["lock", "ロック"],
        TaskField::LockOwner => &["lock_owner", "ロック所有者"],
        TaskField::LockExpiresAt => &["lock_expires_at", "ロック期限"],
        TaskField::Due => &["due", "期限"],
        TaskField::Artifact => &["artifact", "成果物"],
        TaskField::Notes => &["notes", "備考"],
    }
}

/// Every header an approval column goes by; the first is canonical.
pub const fn approval_names(field: ApprovalField) -> &'static [&'static str] {
    match field {
        ApprovalField::ApprId => &["appr_id", "id", "承認ID"],
        ApprovalField::TaskId => &["task_id", "タスクID"],
        ApprovalField::Op => &["op", "操作"],
        ApprovalField::Status => &["status", "状態"],
        ApprovalField::RequestedBy => &["requested_by", "申請者"],
        ApprovalField::Approver => &["approver", "承認者"],
        ApprovalField::ApproverRole => &["approver_role", "承認者役割"],
        ApprovalField::TsReq => &["ts_req", "申請日時"],
        ApprovalField::TsDec => &["ts_dec", "決定日時"],
        ApprovalField::Evidence => &["evidence", "証跡"],
    }
}

/// The task columns a ledger table must have.
pub const TASK_REQUIRED: [TaskField; 4] =
    [TaskField::TaskId, TaskField::Title, TaskField::State, TaskField::Owner];

/// The approval columns a ledger table must have.
pub const APPROVAL_REQUIRED: [ApprovalField; 4] =
    [ApprovalField::ApprId, ApprovalField::TaskId, ApprovalField::Op, ApprovalField::Status];

/// Where each canonical column stands; its index is the field's number.
pub type Columns = [Option<u16>; 10];

/// Maps the header of a task table.
pub fn task_columns<S: AsRef<str>>(headers: &[S]) -> Columns {
    columns(headers, TaskField::ALL.map(task_names))
}

/// Maps the header of an approval table.
pub fn approval_columns<S: AsRef<str>>(headers: &[S]) -> Columns {
    columns(headers, ApprovalField::ALL.map(approval_names))
}

/// Whether a header makes a task ledger.
pub fn is_task_header<S: AsRef<str>>(headers: &[S]) -> bool {
    let columns = task_columns(headers);
    TASK_REQUIRED.iter().all(|field| columns[*field as usize].is_some())
}

/// Whether a header makes an approval ledger.
pub fn is_approval_header<S: AsRef<str>>(headers: &[S]) -> bool {
    let columns = approval_columns(headers);
    APPROVAL_REQUIRED.iter().all(|field| columns[*field as usize].is_some())
}

/// The task column that a name typed by a person means.
pub fn task_field(name: &str) -> Option<TaskField> {
    TaskField::ALL.into_iter().find(|field| task_names(*field).iter().any(|n| same(n, name)))
}

fn columns<S: AsRef<str>>(headers: &[S], names: [&[&str]; 10]) -> Columns {
    let mut found = [None; 10];
    for (slot, names) in found.iter_mut().zip(names) {
        let place = |wanted: &[&str]| {
            headers
                .iter()
                .position(|h| wanted.iter().any(|n| same(n, h.as_ref())))
                .and_then(|at| u16::try_from(at).ok())
        };
        *slot = place(&names[..1]).or_else(|| place(&names[1..]));
    }
    found
}

/// Whether two header names are the same.
pub fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.trim(), b.trim());
    a.eq_ignore_ascii_case(b) || (!a.is_ascii() && a.to_lowercase() == b.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_in_both_languages() {
        assert!(is_task_header(&["ID", "件名", "状態", "担当"]));
        assert!(is_task_header(&["Task_Id", " title ", "STATUS", "owner", "x"]));
        assert!(is_task_header(&["タスクid", "タイトル", "状態", "担当者"]));
        assert!(!is_task_header(&["優先", "task_id", "state", "due"]));
        assert!(is_approval_header(&["承認ID", "タスクID", "操作", "状態"]));
        assert!(is_approval_header(&["id", "task_id", "scope", "op", "status"]));
        assert!(!is_approval_header(&["id", "title", "state", "owner"]));
    }

    #[test]
    fn the_canonical_name_wins() {
        let columns = task_columns(&["id", "task_id", "title", "state", "status", "owner"]);
        assert_eq!(columns[TaskField::TaskId as usize], Some(1));
        assert_eq!(columns[TaskField::State as usize], Some(3));
    }

    #[test]
    fn no_name_means_two_columns_of_one_table() {
        let all: Vec<_> = TaskField::ALL.iter().flat_map(|f| task_names(*f)).collect();
        for (i, name) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|other| !same(name, other)), "{name}");
        }
    }
}
