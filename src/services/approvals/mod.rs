//! Approvals: asking, deciding, withdrawing, and whether one counts.
//!
//! Here: who is on the other side of a decision, and what the folder shares. Not
//! here: evidence files (`services::evidence`), the gate before DONE
//! (`services::gates`), deciding by rule (`services::decide`).
//!
//! Invariants: nobody decides what they asked for or did; only a pending approval
//! is ever decided; what is decided on is journalled by its hash with the
//! decision.

pub mod expire;
pub mod force;
pub mod judge;
pub mod list;
pub mod request;
pub mod subject;
pub mod withdraw;

use crate::error::{Error, Result};
use crate::ledger::compare::value;
use crate::model::approval::Approval;
use crate::model::history::TaskHistory;
use crate::model::task::Task;
use crate::services::duties::{Duty, Party};
use crate::services::hand_edits;
use crate::store::journal::APPROVALS;
use crate::store::snapshot::Snapshot;

/// An approval with its task, as far as there is one.
#[derive(Debug)]
pub struct Case<'s> {
    /// Its cells.
    pub approval: Approval<'s>,
    /// Its task's cells.
    pub task: Option<Task<'s>>,
    /// Its task's past.
    pub history: TaskHistory,
}

impl<'s> Case<'s> {
    /// Looks an approval up.
    ///
    /// # Errors
    /// `not_found`; `ledger_invalid` where the id stands twice, or the row was
    /// edited by hand in a way that counts for nothing.
    pub fn of(snapshot: &'s Snapshot<'_>, id: &str) -> Result<Self> {
        snapshot.approvals.find(id)?;
        let is_it = |s: &&crate::store::seen::Suspended| {
            s.forbidden.row == id && s.forbidden.file.ends_with("/APPROVALS.md")
        };
        if let Some(standing) = snapshot.standing.iter().find(is_it) {
            return Err(hand_edits::refusal(standing));
        }
        Self::as_it_stands(snapshot, id)
    }

    /// The same with a row that was edited by hand in whatever way.
    ///
    /// # Errors
    /// `not_found`; `ledger_invalid` where the id stands twice.
    pub fn as_it_stands(snapshot: &'s Snapshot<'_>, id: &str) -> Result<Self> {
        let approval = snapshot.approvals.approval(snapshot.approvals.find(id)?);
        let task = approval.task_id.as_deref().unwrap_or_default();
        let rows = snapshot.tasks.rows_of(task);
        let history = snapshot.journal()?.history(task);
        let task = match rows[..] {
            [row] => Some(snapshot.tasks.task(row)),
            [] => None,
            // Which of them is meant nobody can say.
            [..] => {
                return Err(snapshot.tasks.find(task).err().unwrap_or_else(|| Error::invalid("")));
            }
        };
        Ok(Self { approval, task, history })
    }

    /// Everybody who may not decide it: who asked, under every name that the row
    /// ever had for them, whoever held its task in this round, and the author of
    /// the evidence.
    ///
    /// # Errors
    /// `failed` where the journal cannot be read.
    pub fn parties(&self, snapshot: &Snapshot<'_>, authors: &[String]) -> Result<Vec<Party>> {
        let mut parties: Vec<Party> = Vec::new();
        let mut add = |name: &str, duty| {
            let known = parties.iter().any(|p: &Party| p.name == name && p.duty == duty);
            if !name.is_empty() && name != "-" && !known {
                parties.push(Party { name: name.to_owned(), duty });
            }
        };
        add(self.approval.requested_by.as_deref().unwrap_or_default(), Duty::Requested);
        for (_, change) in snapshot.journal()?.of_row(APPROVALS, &self.approval.id) {
            if let Some((before, after)) = change.cells.get("requested_by") {
                add(value(before), Duty::Requested);
                add(value(after), Duty::Requested);
            }
        }
        for holder in &self.history.holders {
            add(holder, Duty::Held);
        }
        let lock_owner = self.task.as_ref().and_then(|task| task.lock_owner.as_deref());
        add(lock_owner.unwrap_or_default(), Duty::Held);
        for author in authors {
            add(author, Duty::Wrote);
        }
        Ok(parties)
    }
}
