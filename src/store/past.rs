//! Questions to the journal about hand edits, undo and policy.
//!
//! Here: answers that come from whole entries. Not here: which line comes after
//! which (`store::graph`), leases and rounds (`model::history`). Cost: only
//! lines that can answer are parsed.

use crate::store::entry::{Entry, RowChange, RowChangeKind, Subject};
use crate::store::journal::{APPROVALS, Journal, read};
use std::collections::{BTreeMap, HashMap, HashSet};

impl Journal {
    /// The operation with an id.
    pub fn find(&self, id: &str) -> Option<Entry> {
        let needle = format!("\"id\":{}", serde_json::to_string(id).unwrap_or_default());
        self.entries_with(needle.as_bytes()).find(|entry| entry.id == id)
    }

    /// The newest operation, by its time, of which something holds. Cost: the
    /// ends of every line, and whole lines from the newest on until one is found.
    pub fn newest_where(&self, test: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let graph = self.graph();
        let mut lines: Vec<_> = graph.lines().iter().collect();
        // Of one instant the later line of the chain is the newer one.
        lines.sort_by_key(|line| line.ts);
        lines.into_iter().rev().map(|line| read(*line)).find(|entry| test(entry))
    }

    /// The SHA-256 of a file after the newest operation that named it.
    pub fn last_sha(&self, name: &str) -> Option<String> {
        let needle = format!("{}:\"", serde_json::to_string(name).unwrap_or_default());
        let named = self.entries_with(needle.as_bytes());
        named.filter_map(|mut entry| entry.sha_out.remove(name)).last()
    }

    /// The policy in force, as the newest line that names it has it.
    pub fn last_policy(&self) -> Option<serde_json::Value> {
        self.entries_with(b"\"policy\":{").filter_map(|entry| entry.policy).last()
    }

    /// Hand edits that did what counts for nothing, oldest first.
    pub fn with_forbidden(&self) -> Vec<Entry> {
        let found = self.entries_with(b"\"forbidden\":[");
        found.filter(|entry| !entry.forbidden.is_empty()).collect()
    }

    /// The leases that the command of a run took for itself, by their tokens.
    pub fn taken_by_run(&self, token: u64) -> Vec<u64> {
        let needle = format!("\"run\":{{\"token\":{token}");
        let by_run = self.entries_with(needle.as_bytes()).filter(|entry| {
            entry.run.as_ref().is_some_and(|run| run.token == token && run.attempt.is_none())
                && matches!(entry.command.as_str(), "claim" | "submit")
        });
        by_run.filter_map(|entry| entry.token).filter(|other| *other != token).collect()
    }

    /// Whether an operation was taken back, and that was not taken back again.
    pub fn is_undone(&self, id: &str) -> bool {
        let needle = format!("\"undoes\":{}", serde_json::to_string(id).unwrap_or_default());
        let by = self
            .entries_with(needle.as_bytes())
            .filter(|entry| entry.undoes.as_deref() == Some(id))
            .last();
        by.is_some_and(|entry| !self.is_undone(&entry.id))
    }

    /// What an approval is about, as the newest line that says so has it: of a
    /// decided one, what was decided on.
    pub fn subject_of(&self, appr: &str) -> Option<Subject> {
        let needle = format!("\"appr\":{}", serde_json::to_string(appr).unwrap_or_default());
        let subjects = self.entries_with(needle.as_bytes()).flat_map(|entry| entry.subjects);
        subjects.filter(|subject| subject.appr == appr).last()
    }

    /// The newest subject of every approval that has one. Cost: one pass.
    pub fn subjects(&self) -> HashMap<String, Subject> {
        let subjects = self.entries_with(b"\"subjects\":[").flat_map(|entry| entry.subjects);
        subjects.map(|subject| (subject.appr.clone(), subject)).collect()
    }

    /// The operation that decided an approval last, if one did: its id and time.
    pub fn decision_on(&self, appr: &str) -> Option<(String, String)> {
        let past = self.of_row(APPROVALS, appr).into_iter();
        let decided = past.rev().find(|(_, change)| decides(change));
        decided.map(|(entry, _)| (entry.id, entry.ts))
    }

    /// The same for every approval that was decided. Cost: one pass.
    pub fn decisions(&self) -> HashMap<String, (String, String)> {
        let needle = format!("\"file\":\"{APPROVALS}\"");
        let mut decisions = HashMap::new();
        for entry in self.entries_with(needle.as_bytes()) {
            for change in entry.changes.iter().filter(|c| c.file == APPROVALS && decides(c)) {
                decisions.insert(change.row.clone(), (entry.id.clone(), entry.ts.clone()));
            }
        }
        decisions
    }

    /// Everything that happened to one row, oldest first.
    pub fn of_row(&self, file: &str, row: &str) -> Vec<(Entry, RowChange)> {
        let needle = format!("\"row\":{}", serde_json::to_string(row).unwrap_or_default());
        let mut past = Vec::new();
        for entry in self.entries_with(needle.as_bytes()).chain(self.noticed().cloned()) {
            let change = entry.changes.iter().find(|c| c.row == row && c.file == file).cloned();
            past.extend(change.map(|change| (entry, change)));
        }
        past
    }

    /// The newest journalled cells of every row of a file, as spelled.
    pub fn newest_cells(&self, file: &str) -> HashMap<String, BTreeMap<String, String>> {
        let mut rows: HashMap<String, BTreeMap<String, String>> = HashMap::new();
        for entry in self.entries_with(b"\"row\":") {
            for change in entry.changes.into_iter().filter(|c| c.file == file) {
                if change.kind == RowChangeKind::Remove {
                    rows.remove(&change.row);
                    continue;
                }
                let cells = rows.entry(change.row).or_default();
                cells.extend(change.cells.into_iter().map(|(name, (_, after))| (name, after)));
            }
        }
        rows
    }

    /// Lines that came from elsewhere: neither those with these hashes nor lines
    /// before them.
    pub fn lines_beyond(&self, heads: &[String]) -> Vec<Entry> {
        if heads.is_empty() || self.tip().parents.iter().all(|head| heads.contains(head)) {
            return Vec::new();
        }
        let entries: Vec<Entry> = self.entries_with(b"\"hash\":\"").collect();
        let parents: HashMap<&str, &Vec<String>> =
            entries.iter().map(|entry| (entry.hash.as_str(), &entry.parents)).collect();
        let mut ours: HashSet<&str> = HashSet::new();
        let mut open: Vec<&str> = heads.iter().map(String::as_str).collect();
        while let Some(hash) = open.pop() {
            if ours.insert(hash) {
                open.extend(
                    parents.get(hash).into_iter().flat_map(|p| p.iter().map(String::as_str)),
                );
            }
        }
        let beyond: Vec<bool> = entries.iter().map(|e| !ours.contains(e.hash.as_str())).collect();
        entries.into_iter().zip(beyond).filter(|(_, beyond)| *beyond).map(|(e, _)| e).collect()
    }
}

/// Which operation was made in knowledge of which. Along one chain that is the
/// order; where branches met, what happened on the other one was not known.
#[derive(Debug, Default)]
pub struct Lineage {
    /// The place of every operation in the order of the graph, by its id.
    places: HashMap<String, usize>,
    /// The places of what came right before each; none along one chain.
    parents: Option<Vec<Vec<usize>>>,
}

impl Lineage {
    /// Of a journal. Cost: the ends of every line.
    pub fn of(journal: &Journal) -> Self {
        let graph = journal.graph();
        let lines = graph.lines();
        let by_hash: HashMap<&str, usize> =
            lines.iter().enumerate().map(|(place, line)| (line.hash, place)).collect();
        let parents = (!journal.is_chain()).then(|| {
            let of = |hash: &str| by_hash.get(hash).copied();
            lines.iter().map(|line| line.parents().filter_map(of).collect()).collect()
        });
        let places = lines.iter().enumerate().map(|(place, line)| (line.id.to_owned(), place));
        Self { places: places.collect(), parents }
    }

    /// Whether an operation was made after another, and in knowledge of it. One
    /// that is not in the journal came before any.
    pub fn follows(&self, later: &str, earlier: &str) -> bool {
        let (Some(later), earlier) = (self.places.get(later), self.places.get(earlier)) else {
            return false;
        };
        let Some(earlier) = earlier else { return true };
        let Some(parents) = &self.parents else { return later > earlier };
        let (mut open, mut seen) = (vec![*later], HashSet::new());
        while let Some(place) = open.pop() {
            // Parents come first in the order, so that nothing before it matters.
            let before = parents[place].iter().filter(|parent| *parent >= earlier);
            for parent in before {
                if parent == earlier {
                    return true;
                }
                if seen.insert(*parent) {
                    open.push(*parent);
                }
            }
        }
        false
    }
}

/// Whether a change of an approval's row decided it.
pub(super) fn decides(change: &RowChange) -> bool {
    let status = change.cells.get("status").map(|(_, after)| after.trim());
    matches!(status, Some("approved" | "rejected"))
}
