//! Whether an approval counts now.
//!
//! In force is what was approved in this round of work, on what is still there:
//! evidence, title, and artifact unless that was empty, byte for byte. A value
//! that comes back brings the approval back. Not here: what `done` makes of it
//! (`services::gates`).

use crate::error::Result;
use crate::model::approval::{Approval, ApprovalStatus};
use crate::model::history::TaskHistory;
use crate::model::task::Task;
use crate::model::time::Timestamp;
use crate::services::approvals::subject;
use crate::services::context::Context;
use crate::store::entry::Subject;
use crate::store::journal::Journal;
use crate::store::past::Lineage;
use crate::store::snapshot::Snapshot;
use std::collections::HashMap;
use std::fmt;

/// Whether an approval counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Force {
    /// It was approved, and stands.
    InForce,
    /// It was decided, and something is otherwise now.
    Stale(Why),
    /// It was not approved.
    None,
}

/// Why a decision no longer counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It belongs to an earlier round of work.
    Round,
    /// The task has another title.
    Title,
    /// The task has another artifact.
    Artifact,
    /// The evidence is gone, cannot be read, or has other bytes.
    Evidence(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Round => f.write_str("it belongs to an earlier round of work"),
            Self::Title => f.write_str("the task's title changed since"),
            Self::Artifact => f.write_str("the task's artifact changed since"),
            Self::Evidence(name) => write!(f, "its evidence `{name}` changed since, or is gone"),
        }
    }
}

/// When a decision was made, as far as that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    /// Its time in the ledger, in milliseconds since 1970.
    pub at: i64,
    /// Its time in the journal; of one second the later one counts.
    pub journalled: i64,
    /// Its place in the table.
    pub row: u64,
}

/// What the journal knows of decisions, looked up once.
#[derive(Debug, Default)]
pub struct Decisions {
    subjects: HashMap<String, Subject>,
    decided: HashMap<String, (String, String)>,
    lineage: Lineage,
}

impl Decisions {
    /// Of every approval. Cost: a pass over the journal's lines about approvals.
    pub fn of_all(journal: &Journal) -> Self {
        let (subjects, decided) = (journal.subjects(), journal.decisions());
        Self { subjects, decided, lineage: Lineage::of(journal) }
    }

    /// Of the approvals of one task. Cost: a search in the journal for each.
    pub fn of_task(snapshot: &Snapshot<'_>, task: &str) -> Result<Self> {
        let mut found = Self::default();
        for approval in snapshot.approvals.of_task(task) {
            let journal = snapshot.journal()?;
            let id = approval.id.into_owned();
            found.subjects.extend(journal.subject_of(&id).map(|subject| (id.clone(), subject)));
            found.decided.extend(journal.decision_on(&id).map(|decided| (id, decided)));
        }
        if !found.decided.is_empty() {
            found.lineage = Lineage::of(snapshot.journal()?);
        }
        Ok(found)
    }

    fn is_in_round(&self, appr: &str, history: &TaskHistory) -> bool {
        let Some(round) = &history.round_by else { return true };
        // Decided before the journal began is decided before any later round.
        let Some((decision, _)) = self.decided.get(appr) else { return false };
        self.lineage.follows(decision, round)
    }
}

/// An approval with what is known of it.
#[derive(Debug, Clone)]
pub struct Judged<'a> {
    /// Its cells.
    pub approval: Approval<'a>,
    /// Its status; a pending one that is too old has expired.
    pub status: Option<ApprovalStatus>,
    /// Whether it was decided in this round of work.
    pub in_round: bool,
    /// Whether it counts.
    pub force: Force,
    /// When it was decided.
    pub order: Order,
}

impl<'a> Judged<'a> {
    /// Looks at an approval in the row `row` of its ledger. `task` is its task as
    /// it is now.
    pub fn of(
        ctx: &Context,
        decisions: &Decisions,
        (row, approval): (usize, Approval<'a>),
        task: &Task<'_>,
        history: &TaskHistory,
        now: Timestamp,
    ) -> Self {
        let status = approval.status_now(ctx.settings.approvals.expired_before(now));
        let mut judged =
            Self { status, in_round: true, force: Force::None, order: Order::default(), approval };
        if !judged.is_decided() {
            return judged;
        }
        let id: &str = &judged.approval.id;
        judged.in_round = decisions.is_in_round(id, history);
        let at = judged.approval.ts_dec.as_deref().and_then(Timestamp::parse);
        let journalled = decisions.decided.get(id).and_then(|(_, ts)| Timestamp::parse_millis(ts));
        judged.order = Order {
            at: at.map_or(0, |at| at.0),
            journalled: journalled.map_or(0, |at| at.0),
            row: row as u64,
        };
        if status == Some(ApprovalStatus::Approved) {
            judged.force = if judged.in_round {
                let now = || subject::of(ctx, &judged.approval, Some(task));
                let decided_on = decisions.subjects.get(id);
                decided_on
                    .and_then(|decided_on| differs(decided_on, &now()))
                    .map_or(Force::InForce, Force::Stale)
            } else {
                Force::Stale(Why::Round)
            };
        }
        judged
    }

    /// Whether somebody approved or rejected it.
    pub fn is_decided(&self) -> bool {
        self.status.is_some_and(ApprovalStatus::is_decision)
    }
}

/// What is otherwise now than it was decided on.
fn differs(decided_on: &Subject, now: &Subject) -> Option<Why> {
    if decided_on.title != now.title {
        return Some(Why::Title);
    }
    if decided_on.artifact.is_some() && decided_on.artifact != now.artifact {
        return Some(Why::Artifact);
    }
    // Evidence that could not be read then binds by its name only.
    let other = decided_on.sha.is_some() && decided_on.sha != now.sha;
    if other || decided_on.evidence != now.evidence {
        let name = decided_on.evidence.as_ref().or(now.evidence.as_ref());
        return Some(Why::Evidence(name.cloned().unwrap_or_default()));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn title_artifact_and_evidence_bind_a_decision() {
        let decided = Subject {
            title: Some("t".into()),
            artifact: Some("a".into()),
            evidence: Some("e".into()),
            sha: Some("1".into()),
            ..Subject::default()
        };
        let with = |f: &dyn Fn(&mut Subject)| {
            let mut now = decided.clone();
            f(&mut now);
            differs(&decided, &now)
        };
        assert_eq!(with(&|_| {}), None);
        assert_eq!(with(&|s| s.title = Some("u".into())), Some(Why::Title));
        assert_eq!(with(&|s| s.artifact = None), Some(Why::Artifact));
        assert_eq!(with(&|s| s.sha = None), Some(Why::Evidence("e".into())));
        assert_eq!(with(&|s| s.sha = Some("2".into())), Some(Why::Evidence("e".into())));
        assert_eq!(with(&|s| s.evidence = Some("f".into())), Some(Why::Evidence("e".into())));
        let empty = Subject { artifact: None, ..decided.clone() };
        assert_eq!(differs(&empty, &decided), None, "an empty artifact binds nothing");
        let unread = Subject { sha: None, ..decided.clone() };
        assert_eq!(differs(&unread, &decided), None, "nor does evidence nobody could read");
        assert!(Why::Title.to_string().contains("title"));
        assert!(Why::Artifact.to_string().contains("artifact"));
        assert!(Why::Round.to_string().contains("round"));
        assert!(Why::Evidence("x".into()).to_string().contains("`x`"));
    }
}
