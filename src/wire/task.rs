//! A task as JSON.

use crate::model;
use crate::model::value::Priority;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A task: one row of TASKS.md.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Task<'a> {
    /// Its id.
    pub task_id: Cow<'a, str>,
    /// What is to be done.
    pub title: Option<Cow<'a, str>>,
    /// PLAN, READY, DOING, REVIEW, FIX, DONE, HOLD, DROP, or what the ledger
    /// holds instead.
    pub state: Option<Cow<'a, str>>,
    /// Whose it is.
    pub owner: Option<Cow<'a, str>>,
    /// `<actor>@<time>` of the running lease.
    pub lock: Option<Cow<'a, str>>,
    /// Who holds the lease.
    pub lock_owner: Option<Cow<'a, str>>,
    /// When it ends, UTC.
    pub lock_expires_at: Option<Cow<'a, str>>,
    /// A date, or a UTC time.
    pub due: Option<Cow<'a, str>>,
    /// What came of it.
    pub artifact: Option<Cow<'a, str>>,
    /// Free text and attributes.
    pub notes: Option<Cow<'a, str>>,
    /// LOW, MEDIUM, HIGH or CRITICAL, from the attribute in notes.
    pub priority: Option<Cow<'a, str>>,
    /// The ids it depends on, from the attribute in notes.
    pub depends: Vec<Cow<'a, str>>,
    /// Unknown columns by their header.
    pub extra: BTreeMap<Cow<'a, str>, Option<Cow<'a, str>>>,
}

fn own(cell: Option<&Cow<'_, str>>) -> Option<Cow<'static, str>> {
    cell.map(|text| Cow::Owned(text.clone().into_owned()))
}

impl<'a> Task<'a> {
    /// The shape of a task, borrowed.
    pub fn of(task: &'a model::task::Task<'a>) -> Self {
        let cell = |cell: &'a Option<Cow<'a, str>>| cell.as_deref().map(Cow::Borrowed);
        // Most notes have none, and looking once is cheaper than twice.
        let attributed = Some(task).filter(|task| task.may_have_attributes());
        let priority = attributed.and_then(model::task::Task::priority);
        Self {
            task_id: Cow::Borrowed(&task.id),
            title: cell(&task.title),
            state: cell(&task.state),
            owner: cell(&task.owner),
            lock: cell(&task.lock),
            lock_owner: cell(&task.lock_owner),
            lock_expires_at: cell(&task.lock_expires_at),
            due: cell(&task.due),
            artifact: cell(&task.artifact),
            notes: cell(&task.notes),
            priority: priority.map(|p| Cow::Borrowed(Priority::as_str(p))),
            depends: attributed
                .map(|task| task.depends().map(Cow::Borrowed).collect())
                .unwrap_or_default(),
            extra: task
                .extra
                .iter()
                .map(|(name, value)| (Cow::Borrowed(*name), cell(value)))
                .collect(),
        }
    }

    /// The shape of a task, on its own.
    pub fn owned(task: &model::task::Task<'_>) -> Task<'static> {
        Task {
            task_id: Cow::Owned(task.id.clone().into_owned()),
            title: own(task.title.as_ref()),
            state: own(task.state.as_ref()),
            owner: own(task.owner.as_ref()),
            lock: own(task.lock.as_ref()),
            lock_owner: own(task.lock_owner.as_ref()),
            lock_expires_at: own(task.lock_expires_at.as_ref()),
            due: own(task.due.as_ref()),
            artifact: own(task.artifact.as_ref()),
            notes: own(task.notes.as_ref()),
            priority: task.priority().map(|p| Cow::Borrowed(Priority::as_str(p))),
            depends: task.depends().map(|d| Cow::Owned(d.to_owned())).collect(),
            extra: task
                .extra
                .iter()
                .map(|(name, value)| (Cow::Owned((*name).to_owned()), own(value.as_ref())))
                .collect(),
        }
    }
}
