//! What is wrong just now: conditions, as ledger, past and machine say.
//!
//! Here: when each holds, its words, and when the next can begin. Not here: who
//! is told, and that it is told once (`store::alerts`, `notify`); what is usual
//! for a runner (`usual`, `past`). Invariant: a pure function of what it is given,
//! so that several watchers who see the same say the same; what could not be
//! looked at is not called fine.
//!
//! Cost: one pass over both ledgers, of each row its state and then what that
//! state asks for; 0.7 ms for 10,000 rows in an optimised build. The journal is not
//! read: [`Past`] has followed it.

use crate::ledger::tasks::RowId;
use crate::model::alert::{Condition, Kind};
use crate::model::approval::ApprovalStatus;
use crate::model::field::{ApprovalField, TaskField};
use crate::model::run::RunResult;
use crate::model::size;
use crate::model::task::Expiry;
use crate::model::task_state::State;
use crate::model::time::{Due, Timestamp};
use crate::services::config::zone::Zone;
use crate::services::config::{self, Settings};
use crate::store::alerts::Alerts;
use crate::store::layout::Layout;
use crate::store::snapshot::Snapshot;
use crate::sys::Sys;
use crate::watch::past::{NEWEST, Past, RunnerPast};
use std::time::Duration;

/// How many failures in a row make a failing runner.
pub const FAILURES: usize = 5;

/// How much better than its limit a reading must be before it is fine again, so
/// that one that hovers about the limit is told of once.
const MARGIN: f64 = 0.1;

/// What is looked at. What could not be read is absent.
#[derive(Debug, Clone, Copy)]
pub struct View<'v, 'f> {
    /// The settings in force.
    pub settings: &'v Settings,
    /// The ledgers; none where they cannot be used.
    pub snapshot: Option<&'v Snapshot<'f>>,
    /// The journal's past; none where it cannot be read.
    pub past: Option<&'v Past>,
    /// The present.
    pub now: Timestamp,
    /// The machine.
    pub readings: Readings,
    /// Why the ledgers cannot be used.
    pub ledger_error: Option<&'v str>,
    /// Why the settings cannot be used.
    pub settings_error: Option<&'v str>,
    /// What was told already.
    pub alerts: &'v Alerts,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// What holds.
    pub conditions: Vec<Condition>,
    /// The kinds that were looked for: others may hold still.
    pub evaluated: Vec<Kind>,
    /// The next moment at which something can begin to hold because time passes,
    /// and for no other reason. Readings of the machine are not foreseen.
    pub next_change: Option<Timestamp>,
}

/// What the machine has left. What is not watched, or not known, is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Readings {
    /// Free bytes of the workspace's file system.
    pub disk: Option<u64>,
    /// Available bytes of memory.
    pub memory: Option<u64>,
    /// Load a core, of the last minute.
    pub load: Option<f64>,
}

impl Readings {
    /// Reads what the settings ask for, and nothing else.
    pub fn take(sys: &Sys, layout: &Layout, alerts: &config::Alerts) -> Self {
        let machine = &sys.resources;
        Self {
            disk: alerts.disk.and_then(|_| machine.disk_free(&layout.state_dir()).ok()),
            memory: alerts.memory.and_then(|_| machine.memory_available().ok()),
            load: alerts.load.and_then(|_| machine.load_per_core().ok()),
        }
    }
}

/// What holds now.
pub fn conditions(view: &View<'_, '_>) -> Found {
    let mut found = Found::default();
    found.evaluated.extend([Kind::LedgerInvalid, Kind::SettingsInvalid]);
    if let Some(why) = view.ledger_error {
        found.add(Kind::LedgerInvalid, "ledger", format!("the ledger cannot be used: {why}"));
    }
    if let Some(why) = view.settings_error {
        found.add(Kind::SettingsInvalid, "settings", format!("orch.yaml cannot be used: {why}"));
    }
    if let Some(snapshot) = view.snapshot {
        found.tasks(view, snapshot);
        found.approvals(view, snapshot);
    }
    if let Some(past) = view.past {
        found.runners(view, past);
    }
    found.machine(view);
    found
}

impl Found {
    fn add(&mut self, kind: Kind, key: impl Into<String>, summary: impl Into<String>) {
        self.conditions.push(Condition::new(kind, key, summary));
    }

    /// Something that begins to hold at a moment: whether it does, else it is
    /// remembered that it will.
    fn has_come(&mut self, at: Timestamp, now: Timestamp) -> bool {
        if at > now {
            self.next_change = Some(self.next_change.map_or(at, |next| next.min(at)));
        }
        at <= now
    }

    fn tasks(&mut self, view: &View<'_, '_>, snapshot: &Snapshot<'_>) {
        self.evaluated.extend([Kind::LeaseExpired, Kind::Overdue]);
        if view.past.is_some() {
            self.evaluated.extend([Kind::ReviewStale, Kind::RunFailed]);
        }
        let zone = view.settings.zone();
        for row in snapshot.tasks.rows() {
            let state = snapshot.tasks.cell(row, TaskField::State);
            let state = state.as_deref().and_then(State::parse);
            if state.is_some_and(State::is_closed) {
                continue;
            }
            self.due(view, snapshot, row, &zone);
            match (state, view.past) {
                (Some(State::Doing), _) => self.lease(view, snapshot, row),
                (Some(State::Review), Some(past)) => self.review(view, snapshot, row, past),
                (Some(State::Fix), Some(past)) => self.given_up(snapshot, row, past),
                _ => {}
            }
        }
    }

    fn due(&mut self, view: &View<'_, '_>, snapshot: &Snapshot<'_>, row: RowId, zone: &Zone) {
        let Some(cell) = snapshot.tasks.cell(row, TaskField::Due) else { return };
        let Some(due) = Due::parse(&cell) else { return };
        let deadline = due.deadline(|date| Timestamp(zone.end_of_day_ms(date)));
        if self.has_come(deadline, view.now) {
            let id = snapshot.tasks.id(row);
            let summary = format!("{} was due {cell}", named(snapshot, row));
            self.add(Kind::Overdue, format!("overdue:{id}"), summary);
        }
    }

    fn lease(&mut self, view: &View<'_, '_>, snapshot: &Snapshot<'_>, row: RowId) {
        let task = snapshot.tasks.task(row);
        // A lease that was altered by hand is judged elsewhere.
        let Some(lease) = task.lease().filter(|_| snapshot.standing_of(&task.id).is_none()) else {
            return;
        };
        let holder = lease.holder.unwrap_or("nobody");
        let summary = match lease.expiry {
            Expiry::Malformed(_) => return,
            Expiry::Missing => {
                format!("{} is in DOING without a lease", named(snapshot, row))
            }
            Expiry::At(end) => {
                if !self.has_come(end.plus(view.settings.leases.grace), view.now) {
                    return;
                }
                format!("the lease of {holder} on {} ended at {end}", named(snapshot, row))
            }
        };
        self.add(Kind::LeaseExpired, format!("lease:{}", task.id), summary);
    }

    fn review(&mut self, view: &View<'_, '_>, snapshot: &Snapshot<'_>, row: RowId, past: &Past) {
        let id = snapshot.tasks.id(row);
        let Some(since) = past.since(&id, State::Review) else { return };
        let limit = view.settings.watch.alerts.review_stale;
        if self.has_come(since.plus(limit), view.now) {
            let (task, since) = (named(snapshot, row), since.whole_seconds());
            let summary = format!("{task} waits for a reviewer since {since}");
            self.add(Kind::ReviewStale, format!("review:{id}"), summary);
        }
    }

    fn given_up(&mut self, snapshot: &Snapshot<'_>, row: RowId, past: &Past) {
        let id = snapshot.tasks.id(row);
        let Some(given_up) = past.given_up(&id) else { return };
        let (task, result) = (named(snapshot, row), given_up.result);
        let summary = format!(
            "{task} is in FIX: the attempts of the runner `{}` are used up, the last: {result}",
            given_up.runner
        );
        self.add(Kind::RunFailed, format!("run:{id}"), summary);
    }

    fn approvals(&mut self, view: &View<'_, '_>, snapshot: &Snapshot<'_>) {
        let Some(past) = view.past else { return };
        self.evaluated.push(Kind::ApprovalStale);
        let (ledger, settings) = (&snapshot.approvals, view.settings);
        let expired_before = settings.approvals.expired_before(view.now);
        for row in ledger.rows() {
            let status = ledger.cell(row, ApprovalField::Status);
            if status.as_deref() != Some(ApprovalStatus::Pending.as_str()) {
                continue;
            }
            let approval = ledger.approval(row);
            let asked = || Timestamp::parse(approval.ts_req.as_deref()?);
            let Some(since) = past.asked(&approval.id).or_else(asked) else { continue };
            let is_pending = approval.status_now(expired_before) == Some(ApprovalStatus::Pending);
            let limit = settings.watch.alerts.approval_stale;
            if is_pending && self.has_come(since.plus(limit), view.now) {
                let task = approval.task_id.as_deref().unwrap_or("-");
                let since = since.whole_seconds();
                let summary = format!("`{}` of `{task}` is pending since {since}", approval.id);
                self.add(Kind::ApprovalStale, format!("approval:{}", approval.id), summary);
            }
        }
    }

    fn runners(&mut self, view: &View<'_, '_>, past: &Past) {
        self.evaluated.extend([Kind::RunnerFailing, Kind::Ewma]);
        for runner in &view.settings.watch.runners {
            let name = &runner.name;
            let Some(runs) = past.runner(name) else { continue };
            let why = if runs.last() == Some(RunResult::NotStarted) {
                Some(format!("the command of the runner `{name}` cannot be started"))
            } else if runs.failures_in_a_row() >= FAILURES {
                let last =
                    runs.last().map_or_else(String::new, |last| format!(", the last: {last}"));
                Some(format!("the newest {FAILURES} runs of the runner `{name}` failed{last}"))
            } else {
                None
            };
            if let Some(why) = why {
                self.add(Kind::RunnerFailing, format!("runner:{name}"), why);
            }
            if let Some(limit) = view.settings.watch.alerts.ewma {
                self.unusual(name, runs, limit);
            }
        }
    }

    fn unusual(&mut self, name: &str, runs: &RunnerPast, limit: f64) {
        if let Some(seen) = runs.duration.filter(|seen| seen.deviations.abs() > limit) {
            let summary = format!(
                "a run of the runner `{name}` took {:.1} s, {:.1} standard deviations from the \
                 usual {:.1} s",
                seen.value, seen.deviations, seen.mean
            );
            self.add(Kind::Ewma, format!("ewma:{name}:duration"), summary);
        }
        // That fewer fail than usual worries nobody.
        if let Some(seen) = runs.failure_rate.filter(|seen| seen.deviations > limit) {
            let summary = format!(
                "of the newest {NEWEST} runs of the runner `{name}` {:.0} % failed, {:.1} \
                 standard deviations from the usual {:.0} %",
                seen.value * 100.0,
                seen.deviations,
                seen.mean * 100.0
            );
            self.add(Kind::Ewma, format!("ewma:{name}:failures"), summary);
        }
    }

    fn machine(&mut self, view: &View<'_, '_>) {
        let (limits, readings) = (&view.settings.watch.alerts, &view.readings);
        #[allow(clippy::cast_precision_loss, reason = "a limit need not be met to the byte")]
        let bytes = |bytes: u64| bytes as f64;
        let left = |bytes: u64| match bytes >> 20 << 20 {
            0 => format!("{bytes} bytes"),
            whole => size::format(whole),
        };
        for (kind, limit, reading, what) in [
            (Kind::Disk, limits.disk, readings.disk, "of disk space are free"),
            (Kind::Memory, limits.memory, readings.memory, "of memory are available"),
        ] {
            let ease = if view.alerts.is_firing(kind) { 1.0 + MARGIN } else { 1.0 };
            match (limit, reading) {
                (Some(_), None) => continue,
                (Some(limit), Some(reading)) if bytes(reading) < bytes(limit) * ease => {
                    let limit = size::format(limit);
                    let summary = format!("{} {what}, less than {limit}", left(reading));
                    self.add(kind, kind.as_str(), summary);
                }
                _ => {}
            }
            self.evaluated.push(kind);
        }
        let ease = if view.alerts.is_firing(Kind::Load) { 1.0 - MARGIN } else { 1.0 };
        match (limits.load, readings.load) {
            (Some(_), None) => return,
            (Some(limit), Some(load)) if load > limit * ease => {
                let summary =
                    format!("the load of a minute is {load:.2} a core, more than {limit}");
                self.add(Kind::Load, Kind::Load.as_str(), summary);
            }
            _ => {}
        }
        self.evaluated.push(Kind::Load);
    }
}

/// A task by its id and title.
fn named(snapshot: &Snapshot<'_>, row: RowId) -> String {
    let id = snapshot.tasks.id(row);
    match snapshot.tasks.cell(row, TaskField::Title) {
        Some(title) => format!("`{id}` ({title})"),
        None => format!("`{id}`"),
    }
}

/// How often an idle `watch` looks at the machine, where it is to look at it.
pub const LOOK: Duration = Duration::from_secs(15);

#[cfg(test)]
#[path = "monitor_tests.rs"]
mod tests;
