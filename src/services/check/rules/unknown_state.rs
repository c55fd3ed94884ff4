//! `unknown-state`: a state of which nothing is known.

use crate::model::field::TaskField;
use crate::model::severity::Severity;
use crate::model::task_state::State;
use crate::services::check::book::{Book, TaskRow};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};

pub(super) const LOOKS: &[Look] = &[Look::Tasks(look)];

/// A state of which nothing is known.
pub static UNKNOWN_STATE: Rule = Rule {
    code: "unknown-state",
    severity: Severity::Warning,
    says: "a task is in a state that the tool does not know",
    why: "The state is kept and shown, but no command leads out of it save `move` by CMD, and \
          nobody can claim the task.",
    example: "| 001 | Paint the fence | LATER | ada |",
    mend: "Move the task to one of PLAN, READY, DOING, REVIEW, FIX, DONE, HOLD and DROP with \
           `orch move ID STATE` as CMD.",
};

fn look(_: &Book<'_>, row: &TaskRow<'_, '_>, found: &mut Found) {
    if row.task.known_state().is_some() {
        return;
    }
    let (message, near) = match row.task.state.as_deref() {
        None => ("this task has no state".to_owned(), None),
        Some(state) => {
            let near = State::ALL.into_iter().find(|s| s.as_str().eq_ignore_ascii_case(state));
            (format!("the state `{state}` is not known"), near)
        }
    };
    let help = near.map_or_else(
        || format!("states are {}", State::ALL.map(State::as_str).join(", ")),
        |near| format!("states are upper case; was `{near}` meant?"),
    );
    let at = row.at(TaskField::State);
    found.add(&UNKNOWN_STATE, at, row.task.id.as_ref(), message).help(help);
}

#[cfg(test)]
mod tests {
    use crate::services::check::testing::Case;

    #[test]
    fn none_another_and_another_case() {
        let row = |state: &str| format!("| 1{state} | a | {state} | - | - | - | - | - | - | - |\n");
        let case = Case::tasks(&["-", "LATER", "done", "DONE"].map(row).concat());
        assert_eq!(
            case.found("unknown-state"),
            [
                "T.md:3:12 [-] this task has no state",
                "T.md:4:16 [LATER] the state `LATER` is not known",
                "T.md:5:15 [done] the state `done` is not known",
            ]
        );
        assert!(case.findings()[2].help.as_deref().unwrap().contains("`DONE`"));
    }
}
