//! The whole journal, told once: for whoever asks about every row.
//!
//! Here: the past of each task, who held what when an approval was decided,
//! what each file held last. Not here: questions about one row
//! (`store::journal`, `store::past`). Cost: every line is parsed once.

use crate::ledger::compare::value;
use crate::model::history::{PastChange, TaskHistory};
use crate::store::accepted::Effect;
use crate::store::entry::{Entry, RowChange, Subject};
use crate::store::journal::{APPROVALS, Journal, TASKS, past_change};
use crate::store::past::{Lineage, decides};
use std::collections::{BTreeSet, HashMap};

/// What the journal says of everything.
#[derive(Debug, Default)]
pub struct Chronicle {
    /// The changes of each task, with the number of their line.
    tasks: HashMap<String, Vec<(usize, PastChange)>>,
    decisions: HashMap<String, PastDecision>,
    /// Every name that an approval's row ever had for who asked.
    requesters: HashMap<String, Vec<String>>,
    subjects: HashMap<String, Subject>,
    actors: BTreeSet<String>,
    /// Only where branches met.
    lineage: Option<Lineage>,
}

/// How an approval was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastDecision {
    /// By whom.
    pub by: String,
    /// Which rules `solo: true` waived.
    pub waivers: Vec<String>,
    line: usize,
    operation: String,
}

impl Chronicle {
    /// Reads a journal.
    pub fn of(journal: &Journal) -> Self {
        let lineage = (!journal.is_chain()).then(|| Lineage::of(journal));
        let mut so_far = Self { lineage, ..Self::default() };
        let mut effect = Effect::of(journal);
        for (line, mut entry) in journal.entries_with(b"\"hash\":\"").enumerate() {
            if !matches!(entry.command.as_str(), "external" | "genesis") {
                so_far.actors.insert(entry.actor.clone());
            }
            for subject in std::mem::take(&mut entry.subjects) {
                so_far.subjects.insert(subject.appr.clone(), subject);
            }
            let changes = std::mem::take(&mut entry.changes);
            for change in &changes {
                if change.file == APPROVALS {
                    so_far.decide(line, &entry, change);
                    so_far.ask(change);
                }
                if change.file != TASKS {
                    continue;
                }
                let past = past_change(&entry, change, effect.counts(&entry, &change.row));
                let of_task = so_far.tasks.entry(change.row.clone()).or_default();
                of_task.extend(past.map(|past| (line, past)));
            }
        }
        so_far
    }

    fn ask(&mut self, change: &RowChange) {
        let Some((before, after)) = change.cells.get("requested_by") else { return };
        let names = self.requesters.entry(change.row.clone()).or_default();
        let given = [before, after].map(|raw| value(raw));
        names.extend(given.into_iter().filter(|name| !name.is_empty()).map(str::to_owned));
    }

    fn decide(&mut self, line: usize, entry: &Entry, change: &RowChange) {
        if !decides(change) {
            return;
        }
        let (by, waivers) = (entry.actor.clone(), entry.waivers.clone());
        let decision = PastDecision { by, waivers, line, operation: entry.id.clone() };
        self.decisions.insert(change.row.clone(), decision);
    }

    /// The past of a task.
    pub fn history(&self, task: &str) -> TaskHistory {
        let past = self.tasks.get(task).into_iter().flatten();
        TaskHistory::of(past.map(|(_, change)| change.clone()))
    }

    /// How an approval was decided last, where the journal saw it.
    pub fn decision(&self, approval: &str) -> Option<&PastDecision> {
        self.decisions.get(approval)
    }

    /// The past of a task as it was when an approval was decided; none where
    /// the journal did not see that.
    pub fn history_when_decided(&self, task: &str, approval: &str) -> Option<TaskHistory> {
        let line = self.decision(approval)?.line;
        let past = self.tasks.get(task).into_iter().flatten();
        let before = past.take_while(|(at, _)| *at < line).map(|(_, change)| change.clone());
        Some(TaskHistory::of(before))
    }

    /// Whether an approval was decided in the task's last round of work.
    pub fn is_of_this_round(&self, task: &str, approval: &str) -> bool {
        let Some(round) = self.history(task).round_by else { return true };
        if let (Some(lineage), Some(decision)) = (&self.lineage, self.decision(approval)) {
            return lineage.follows(&decision.operation, &round);
        }
        let mut past = self.tasks.get(task).into_iter().flatten();
        let ended = past.find(|(_, change)| change.id == round).map(|(line, _)| *line);
        // What was decided before the journal began is of an earlier round.
        self.decision(approval).map(|decision| decision.line) > ended
    }

    /// Every name that the row of an approval ever had for who asked.
    pub fn requesters(&self, approval: &str) -> impl Iterator<Item = &str> {
        self.requesters.get(approval).into_iter().flatten().map(String::as_str)
    }

    /// What an approval is about, as it was when it was last written down.
    pub fn subject(&self, approval: &str) -> Option<&Subject> {
        self.subjects.get(approval)
    }

    /// Everybody who ever changed something.
    pub fn actors(&self) -> impl Iterator<Item = &str> {
        self.actors.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(
        seq: u64,
        actor: &str,
        command: &str,
        file: &str,
        row: &str,
        cells: &[[&str; 3]],
    ) -> String {
        let cells = cells.iter().map(|[c, a, b]| ((*c).into(), ((*a).into(), (*b).into())));
        let entry = Entry {
            seq,
            id: format!("op{seq}"),
            ts: format!("2026-01-01T0{seq}:00:00.000Z"),
            actor: actor.into(),
            command: command.into(),
            changes: vec![RowChange {
                file: file.into(),
                row: row.into(),
                cells: cells.collect(),
                ..RowChange::default()
            }],
            subjects: vec![Subject {
                appr: "A1".into(),
                sha: (command == "approve").then(|| format!("sha{seq}")),
                ..Subject::default()
            }]
            .into_iter()
            .filter(|_| file == APPROVALS)
            .collect(),
            parents: vec![],
            ..Entry::default()
        };
        entry.to_line() + "\n"
    }

    #[test]
    fn it_says_what_single_questions_say() {
        let claim = |who| [["state", "READY", "DOING"], ["lock_owner", "-", who]];
        let leave = |who, to| [["state", "DOING", to], ["lock_owner", who, "-"]];
        let text = [
            line(1, "WORK@ada", "claim", TASKS, "T-1", &claim("WORK@ada")),
            line(2, "WORK@ada", "release", TASKS, "T-1", &leave("WORK@ada", "READY")),
            line(
                3,
                "CMD@eve",
                "approve",
                APPROVALS,
                "A1",
                &[["status", "pending", " approved "], ["requested_by", "WORK@ada", "WORK@bob"]],
            ),
            line(4, "WORK@bob", "claim", TASKS, "T-1", &claim("WORK@bob")),
        ];
        let journal = Journal::of(vec![("2026-01".into(), text.concat().into_bytes())]);
        let told = Chronicle::of(&journal);
        assert_eq!(told.history("T-1"), journal.history("T-1"));
        assert_eq!(told.history("T-2"), TaskHistory::default());
        assert_eq!(told.history("T-1").holders, ["WORK@ada", "WORK@bob"]);
        assert_eq!(told.history_when_decided("T-1", "A1").unwrap().holders, ["WORK@ada"]);
        assert_eq!(told.decision("A1").unwrap().by, "CMD@eve");
        assert_eq!(told.requesters("A1").collect::<Vec<_>>(), ["WORK@ada", "WORK@bob"]);
        assert_eq!(told.subject("A1").unwrap().sha.as_deref(), Some("sha3"));
        assert!(told.is_of_this_round("T-1", "A1"));
        assert_eq!(told.actors().collect::<Vec<_>>(), ["CMD@eve", "WORK@ada", "WORK@bob"]);
    }
}
