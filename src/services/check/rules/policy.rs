//! `unsatisfiable-policy`: an approval that nobody could give.

use crate::model::actor::{Actor, Principals};
use crate::model::severity::Severity;
use crate::services::check::book::{At, Book};
use crate::services::check::report::Found;
use crate::services::check::rules::{Look, Rule};
use crate::services::config::Settings;
use std::collections::BTreeSet;

pub(super) const LOOKS: &[Look] = &[Look::Book(look)];

/// An approval that nobody could give.
pub static UNSATISFIABLE_POLICY: Rule = Rule {
    code: "unsatisfiable-policy",
    severity: Severity::Warning,
    says: "`approvals.required` asks for a second person, and only one is known",
    why: "Whoever asks or does the work cannot approve it. Where everybody who ever appears is \
          one person, tasks that need an approval can never be DONE.",
    example: "approvals: {required: [\"deploy-*\"]} with principals: {ada: [ada, ada-laptop]}",
    mend: "Let a second person decide, as `orch approve ID --as CMD@bob`, and take names apart \
           that `principals:` wrongly holds together; or set `solo: true` where one person works \
           alone, which waives the rule and journals each use.",
};

fn look(book: &Book<'_>, found: &mut Found) {
    if book.settings.approvals.required.is_empty() || book.settings.solo {
        return;
    }
    let mut people = People::of(book.settings, book.principals);
    for row in book.tasks() {
        row.task.owner.iter().chain(&row.task.lock_owner).for_each(|name| people.meet(name));
        if people.are_several() {
            return;
        }
    }
    for row in book.approvals() {
        row.approval.requested_by.iter().chain(&row.approval.approver).for_each(|n| people.meet(n));
    }
    book.past().actors().for_each(|name| people.meet(name));
    let Some(only) = people.only() else { return };
    let file = book
        .ground
        .map_or("orch.yaml".to_owned(), |ground| ground.layout.display(&ground.layout.settings()));
    let globs: Vec<String> =
        book.settings.approvals.required.iter().map(|glob| format!("`{glob}`")).collect();
    let message =
        format!("nobody could approve {}: everybody who appears here is {only}", globs.join(", "));
    found.add(&UNSATISFIABLE_POLICY, At::File(file), "approvals.required", message).help(
        "let a second person decide, such as `CMD@bob`, and keep their names apart in \
         `principals:`; or set `solo: true`, which journals each use as a waiver",
    );
}

/// Who ever appeared, each person once.
struct People<'p> {
    principals: &'p Principals,
    seen: Vec<Actor>,
    /// Every spelling, so that each is judged once.
    met: BTreeSet<String>,
}

impl<'p> People<'p> {
    fn of(settings: &Settings, principals: &'p Principals) -> Self {
        let mut people = Self { principals, seen: Vec::new(), met: BTreeSet::new() };
        settings.actor.iter().for_each(|actor| people.meet(actor));
        let names = settings.principals.iter().flat_map(|(one, names)| names.iter().chain([one]));
        for name in names {
            people.meet(&format!("WORK@{name}"));
        }
        people
    }

    fn meet(&mut self, name: &str) {
        // A bare WORK owns tasks that anybody takes: it is nobody yet.
        if name == "AUDIT@auto" || self.met.contains(name) {
            return;
        }
        self.met.insert(name.to_owned());
        let Some(actor) = Actor::parse(name) else { return };
        if !self.seen.iter().any(|known| self.principals.same_person(known, &actor)) {
            self.seen.push(actor);
        }
    }

    fn are_several(&self) -> bool {
        self.seen.len() > 1
    }

    /// The one person, where there is only one.
    fn only(&self) -> Option<String> {
        let [one] = &self.seen[..] else { return None };
        let names: Vec<String> = self
            .met
            .iter()
            .filter(|name| Actor::parse(name).is_some_and(|a| self.principals.same_person(one, &a)))
            .map(|name| format!("`{name}`"))
            .collect();
        Some(match &names[..] {
            [name] => name.clone(),
            names => format!("one person: {}", names.join(", ")),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::services::check::testing::Case;

    const REQUIRED: &str = "approvals: {required: [\"d-*\"]}\n";

    fn found(rows: &str, yaml: &str) -> Vec<String> {
        Case::tasks(rows).settings(&format!("{REQUIRED}{yaml}")).found("unsatisfiable-policy")
    }

    fn owned(by: &str) -> String {
        format!("| {by} | a | PLAN | {by} | - | - | - | - | - | - |\n")
    }

    #[test]
    fn one_person_under_one_name_or_several() {
        let one = found(&owned("WORK@ada"), "");
        assert_eq!(
            one,
            [
                "orch.yaml:0:0 [] nobody could approve `d-*`: everybody who appears here is `WORK@ada`"
            ]
        );
        let two = found(
            &(owned("WORK@ada") + &owned("CMD@ada-laptop")),
            "principals: {ada: [ada, ada-laptop]}\n",
        );
        assert_eq!(two.len(), 1);
        assert!(two[0].contains("one person: `CMD@ada-laptop`"), "{two:?}");
        assert_eq!(found("", "principals: {ada: [ada, ada-laptop]}\n").len(), 1);
        assert_eq!(found("", "actor: WORK@ada\n").len(), 1);
        assert_eq!(found(&owned("CMD"), "").len(), 1, "one bare role is one person");
    }

    #[test]
    fn two_people_two_roles_nobody_yet_and_solo() {
        assert!(found(&(owned("WORK@ada") + &owned("CMD@eve")), "").is_empty());
        assert!(found(&(owned("WORK") + &owned("AUDIT")), "").is_empty());
        assert!(found("", "").is_empty());
        assert!(found(&owned("WORK@ada"), "solo: true\n").is_empty());
        assert!(Case::tasks(&owned("WORK@ada")).findings().is_empty(), "nothing is required");
    }
}
