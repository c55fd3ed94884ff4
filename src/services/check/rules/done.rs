//! `done-pending`, `done-unapproved`: finished though nobody allowed it.

use crate::model::approval::{Approval, ApprovalStatus};
use crate::model::field::TaskField;
use crate::model::severity::Severity;
use crate::model::task_state::State;
use crate::services::check::book::Book;
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};
use globset::{Glob, GlobSet, GlobSetBuilder};
use std::collections::HashMap;

pub(super) const LOOKS: &[Look] = &[Look::Book(look)];

/// Finished while somebody waits for a decision.
pub static DONE_PENDING: Rule = Rule {
    code: "done-pending",
    severity: Severity::Error,
    says: "a task is DONE while one of its approvals is pending",
    why: "Whoever asked still waits for a yes or a no, and whatever they asked about went ahead.",
    example: "| 001 | Publish | DONE | ada |, and | A001 | 001 | publish | pending | WORK@ada |",
    mend: "Decide with `orch approve` or `orch reject`, or let the requester or CMD withdraw it \
           with `orch withdraw`.",
};

/// Finished without the approval that it needs.
pub static DONE_UNAPPROVED: Rule = Rule {
    code: "done-unapproved",
    severity: Severity::Error,
    says: "a task is DONE without the approval that `approvals.required` asks for",
    why: "The settings say that such a task needs a second person's yes in its last round of \
          work, and there is none.",
    example: "| deploy-7 | Deploy | DONE | ada |, under required: [\"deploy-*\"]",
    mend: "`orch reopen` it and ask with `orch request`, or let CMD accept the finding for what \
           was done before the rule.",
};

fn look(book: &Book<'_>, found: &mut Found) {
    let mut of_task: HashMap<String, Vec<Approval<'_>>> = HashMap::new();
    for row in book.approvals() {
        if let Some(task) = row.approval.task_id.as_deref() {
            of_task.entry(task.to_owned()).or_default().push(row.approval);
        }
    }
    let required = required(&book.settings.approvals.required);
    if of_task.is_empty() && required.is_empty() {
        return;
    }
    let before = book.settings.approvals.expired_before(book.now);
    for place in book.task_places() {
        if place.cell(TaskField::State).as_deref() != Some(State::Done.as_str()) {
            continue;
        }
        let row = place.read();
        let id = row.task.id.as_ref();
        let own = of_task.get(id).map_or(&[][..], Vec::as_slice);
        if let Some(pending) =
            own.iter().find(|a| a.status_now(before) == Some(ApprovalStatus::Pending))
        {
            let op = pending.op.as_deref().unwrap_or("no op");
            let message = format!("`{id}` is DONE, but `{}` ({op}) is pending", pending.id);
            let help = "decide with `orch approve` or `orch reject`, or `orch withdraw` it";
            found.add(&DONE_PENDING, row.at(TaskField::State), id, message).help(help);
        }
        if required.is_match(id) && !is_approved(book, id, own) {
            let message = format!(
                "`{id}` is DONE, but has no approval, and `approvals.required` asks for one"
            );
            let help = "`orch reopen` it and ask with `orch request`";
            found.add(&DONE_UNAPPROVED, row.at(TaskField::State), id, message).help(help);
        }
    }
}

fn required(globs: &[String]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for glob in globs.iter().filter_map(|glob| Glob::new(glob).ok()) {
        set.add(glob);
    }
    set.build().unwrap_or_default()
}

/// Whether somebody said yes in the last round of work.
fn is_approved(book: &Book<'_>, task: &str, own: &[Approval<'_>]) -> bool {
    let approved = own.iter().filter(|a| a.known_status() == Some(ApprovalStatus::Approved));
    approved.into_iter().any(|a| book.past().is_of_this_round(task, &a.id))
}

#[cfg(test)]
mod tests {
    use crate::services::check::testing::Case;

    fn approval(task: &str, status: &str) -> String {
        let decision = if status == "approved" {
            "CMD@eve | CMD | 2025-01-01T00:00:00Z | 2025-01-02T00:00:00Z"
        } else {
            "- | - | 2025-01-01T00:00:00Z | -"
        };
        format!("| A{task}{status} | {task} | op | {status} | WORK@ada | {decision} | - |\n")
    }

    #[test]
    fn pending_and_missing() {
        let task = |id: &str| format!("| {id} | a | DONE | - | - | - | - | - | - | - |\n");
        let tasks = ["1", "d-1", "d-2", "d-3"].map(task).concat();
        let approvals =
            approval("1", "pending") + &approval("d-1", "approved") + &approval("d-2", "expired");
        let case = Case::tasks(&tasks)
            .and_approvals(&approvals)
            .settings("approvals: {required: [\"d-*\"]}\n");
        assert_eq!(
            case.found("done-pending"),
            ["T.md:3:11 [DONE] `1` is DONE, but `A1pending` (op) is pending"]
        );
        let lines: Vec<_> = case.found("done-unapproved");
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("T.md:5:") && lines[1].starts_with("T.md:6:"));
        assert_eq!(
            Case::tasks(&tasks.replace("DONE", "REVIEW")).and_approvals(&approvals).codes(),
            Vec::<&str>::new()
        );
    }
}
