//! `unknown-owner`: an owner who is nobody.

use crate::model::actor::{Actor, Role, is_name};
use crate::model::field::TaskField;
use crate::model::severity::Severity;
use crate::services::check::book::{Book, TaskRow};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};

pub(super) const LOOKS: &[Look] = &[Look::Tasks(look)];

/// An owner who is nobody.
pub static UNKNOWN_OWNER: Rule = Rule {
    code: "unknown-owner",
    severity: Severity::Warning,
    says: "the owner of a task is no actor",
    why: "`claim --next` offers a task to its owner's role or to its owner by name; a task of \
          anybody else is offered to nobody and waits for ever.",
    example: "| 001 | Paint the fence | READY | the painters |",
    mend: "Write WORK, CMD or AUDIT, a role with a name such as `WORK@ada`, or `-` for anybody.",
};

fn look(_: &Book<'_>, row: &TaskRow<'_, '_>, found: &mut Found) {
    let Some(owner) = row.task.owner.as_deref() else { return };
    if Actor::parse(owner).is_some() || !row.task.is_open() {
        return;
    }
    let upper = owner.to_ascii_uppercase();
    let help = if Role::ALL.iter().any(|role| role.as_str() == upper) {
        format!("roles are upper case: `{upper}`")
    } else if is_name(owner) {
        format!("`claim --next` offers it to nobody; write `WORK@{owner}` if that is who is meant")
    } else {
        "`claim --next` offers it to nobody; write WORK, CMD, AUDIT, or a role with a name such \
         as `WORK@ada`"
            .to_owned()
    };
    let message = format!("the owner `{owner}` is no actor");
    found.add(&UNKNOWN_OWNER, row.at(TaskField::Owner), row.task.id.as_ref(), message).help(help);
}

#[cfg(test)]
mod tests {
    use crate::services::check::testing::Case;

    #[test]
    fn names_groups_and_roles() {
        let row =
            |owner: &str| format!("| 1{owner} | a | READY | {owner} | - | - | - | - | - | - |\n");
        let known = ["-", "WORK", "CMD@eve", "WORK1", "AUDIT"].map(row).concat();
        assert!(Case::tasks(&known).findings().is_empty());
        let case = Case::tasks(&["ada", "the team", "work", "QA@eve"].map(row).concat());
        assert_eq!(case.codes(), ["unknown-owner"; 4]);
        assert_eq!(
            case.found("unknown-owner")[1],
            "T.md:4:27 [the team] the owner `the team` is no actor"
        );
        let helps: Vec<_> = case.findings().into_iter().filter_map(|f| f.help).collect();
        assert!(helps[0].contains("`WORK@ada`") && helps[2].contains("`WORK`"), "{helps:?}");
    }

    #[test]
    fn a_closed_task_is_offered_to_nobody_anyway() {
        let case = Case::tasks("| 1 | a | DONE | the team | - | - | - | - | - | - |\n");
        assert!(case.findings().is_empty());
    }
}
