//! What could be claimed, and why the rest cannot.

use crate::error::Result;
use crate::model::field::TaskField;
use crate::model::task::{Expiry, is_offered_to};
use crate::model::task_state::State;
use crate::model::time::Timestamp;
use crate::services::context::{Context, Identity};
use crate::services::{claim, hand_edits, queue};
use crate::store::snapshot::Snapshot;
use std::collections::{HashMap, HashSet};

/// An open task and whether it could be claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its id.
    pub id: String,
    /// Whether `claim --next` could take it.
    pub claimable: bool,
    /// Why, or why not.
    pub reason: String,
}

/// Every open task: what could be claimed first, in the order of
/// `claim --next`, then the rest in table order.
pub fn reasons(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    who: &Identity,
    now: Timestamp,
) -> Result<Vec<Item>> {
    let tasks = &snapshot.tasks;
    let expired: HashSet<_> = queue::expired(ctx, snapshot, now).collect();
    let claimable =
        queue::candidates(ctx, snapshot, who, now, &|row| expired.contains(&row), &HashSet::new())?;
    let has_room = claim::room(ctx, snapshot, who, now).is_ok();
    let mut items: Vec<Item> = claimable
        .iter()
        .map(|row| {
            let task = tasks.task(*row);
            if !has_room {
                let limit = ctx.settings.leases.max_doing_per_actor;
                let reason = format!("you hold {limit}, which is all that may be at once");
                return Item { id: task.id.into_owned(), claimable: false, reason };
            }
            let mut reason = match task.priority() {
                Some(priority) => format!("priority {}", priority.as_str()),
                None => "free".to_owned(),
            };
            if let Some(due) = &task.due {
                reason.push_str(&format!(", due {due}"));
            }
            if expired.contains(row) {
                reason.push_str(", its lease has expired");
            }
            Item { id: task.id.into_owned(), claimable: true, reason }
        })
        .collect();
    let taken: HashSet<_> = claimable.into_iter().collect();
    let open: Vec<_> = tasks
        .rows()
        .filter(|row| !taken.contains(row))
        .map(|row| tasks.task(row))
        .filter(crate::model::task::Task::is_open)
        .collect();
    let unmet = queue::unmet(snapshot, open.iter())?;
    let mut waiting: HashMap<_, _> = HashMap::new();
    for (task, approval) in snapshot.approvals.waiting(ctx.settings.approvals.expired_before(now)) {
        waiting.entry(task).or_insert(approval);
    }
    let grace = ctx.settings.leases.grace;
    for task in &open {
        let lease = task.lease();
        let standing = snapshot.standing_of(&task.id);
        if let Some(standing) = standing.or_else(|| snapshot.standing_approval_of(&task.id)) {
            let why = hand_edits::describe(&standing.forbidden.code);
            let reason = format!("edited by hand, and CMD has not accepted it: {why}");
            items.push(Item { id: task.id.clone().into_owned(), claimable: false, reason });
            continue;
        }
        let reason = match task.known_state() {
            Some(State::Plan) => "PLAN: CMD has not made it READY".to_owned(),
            Some(State::Review) => "REVIEW: waits for CMD or AUDIT".to_owned(),
            Some(State::Hold) => "HOLD: CMD stopped it".to_owned(),
            Some(State::Done | State::Drop) => continue,
            None => format!(
                "the state `{}` is not one the tool knows",
                task.state.as_deref().unwrap_or("-")
            ),
            Some(State::Ready | State::Doing | State::Fix) => {
                if let Some(lease) = lease.filter(|lease| lease.is_live(now, grace)) {
                    let until = match lease.expiry {
                        Expiry::At(end) => end.to_string(),
                        Expiry::Missing | Expiry::Malformed(_) => "an unreadable time".to_owned(),
                    };
                    format!("held by {} until {until}", lease.holder.unwrap_or("somebody"))
                } else if let Some(approval) = waiting.get(&task.id) {
                    format!("waits for approval {approval}")
                } else if let Some(reason) = unmet.get(task.id.as_ref()) {
                    reason.replace('`', "")
                } else if is_offered_to(task.owner.as_deref(), &who.actor) {
                    let twice = tasks.rows_of(&task.id).len() > 1;
                    let place = if twice { "twice in the ledger" } else { "in an archive, too" };
                    format!("stands {place}")
                } else {
                    format!("belongs to {}", task.owner.as_deref().unwrap_or("WORK"))
                }
            }
        };
        items.push(Item { id: task.id.clone().into_owned(), claimable: false, reason });
    }
    Ok(items)
}

/// Counts by state, in the order of a task's life, then unknown states.
pub fn counts(snapshot: &Snapshot<'_>) -> Vec<(String, usize)> {
    let mut counts: Vec<(String, usize)> =
        State::ALL.iter().map(|state| (state.to_string(), 0)).collect();
    for row in snapshot.tasks.rows() {
        let state = snapshot.tasks.cell(row, TaskField::State).unwrap_or_default();
        match counts.iter_mut().find(|(name, _)| *name == state) {
            Some((_, count)) => *count += 1,
            None => counts.push((state.into_owned(), 1)),
        }
    }
    counts
}
