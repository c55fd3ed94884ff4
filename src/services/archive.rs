//! Closed rows move to the archive of their year.

use crate::error::Result;
use crate::model::operation::Operation;
use crate::model::outcome::Outcome;
use crate::model::time::Timestamp;
use crate::services::change::Decision;
use crate::services::context::Context;
use crate::store::snapshot::Snapshot;
use chrono::{Datelike, NaiveDate};

/// Moves every closed row that was closed before a date; without one, all.
/// The day a row was closed is that of its closing operation, else its due
/// date, else today.
pub fn archive(
    ctx: &Context,
    snapshot: &Snapshot<'_>,
    before: Option<NaiveDate>,
    now: Timestamp,
) -> Result<Decision> {
    let mut decision = Decision::new(Outcome::default());
    let zone = ctx.settings.zone();
    let mut ids = Vec::new();
    let closing_times = snapshot.journal()?.closing_times();
    // A merge may have kept the row of what one side archived; a second one there helps nobody.
    let archived = snapshot.archived_ids()?;
    for row in snapshot.tasks.rows() {
        let task = snapshot.tasks.task(row);
        let is_odd =
            || snapshot.tasks.rows_of(&task.id).len() != 1 || archived.contains(task.id.as_ref());
        if task.is_open() || is_odd() || snapshot.standing_of(&task.id).is_some() {
            continue;
        }
        let day = closing_times
            .get(task.id.as_ref())
            .map(|at| zone.date_of_ms(at.0))
            .or_else(|| task.due_at().map(crate::model::time::Due::date))
            .unwrap_or_else(|| zone.date_of_ms(now.0));
        if before.is_some_and(|before| day >= before) {
            continue;
        }
        let id = task.id.into_owned();
        decision.operations.push(Operation::Archive { id: id.clone(), year: day.year() });
        decision.outcome.archived.push((id.clone(), day.year()));
        ids.push(id);
    }
    decision.outcome.already = ids.is_empty();
    decision.outcome.tasks = Some(ids);
    Ok(decision)
}
