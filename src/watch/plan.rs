//! What to do now: a pure function of what the ledger says, the runs that go on,
//! the settings and the time.
//!
//! Not here: doing it (`dispatcher`), whether it may be done (`services::runs`
//! asks again under the lock). Invariants: never more runs than `max_parallel`,
//! those of other watchers and those that are ending included; nothing is started
//! while FREEZE is on or the watch is to end; whose lease is gone is ended.

use crate::model::run::Attempts;
use crate::model::time::Timestamp;
use crate::services::config::Watch;
use crate::services::runs::{self, Free};
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

/// What the ledger says.
pub struct View<'v> {
    /// What could be run, best first.
    pub free: &'v [Free],
    /// The attempts at a task so far; asked only of those that may begin.
    pub attempts: &'v dyn Fn(&str) -> Attempts,
    /// Runs that hold a lease, wherever they run: their tokens.
    pub running: &'v [u64],
    /// Schedules that are due, oldest first.
    pub due: &'v [Due],
    /// When the next lease expires, grace included.
    pub next_expiry: Option<Timestamp>,
    /// Whether leases have expired that nobody took back.
    pub has_expired: bool,
    /// Whether FREEZE is on.
    pub frozen: bool,
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("free", &self.free).finish_non_exhaustive()
    }
}

/// A schedule whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Its name.
    pub name: String,
    /// Which time.
    pub at: Timestamp,
}

/// A run of this watch, a schedule's included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its fencing token; of a schedule's another number.
    pub token: u64,
    /// Its task, or schedule.
    pub name: String,
    /// Whether it works under a lease; a schedule's does not.
    pub has_lease: bool,
    /// Whether that lease is its own, as far as is known.
    pub is_held: bool,
    /// When to renew, by the clock that does not jump.
    pub renew_at_ms: i64,
    /// Whether it was asked to end.
    pub is_ending: bool,
}

/// The present, by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, which the ledger goes by.
    pub wall: Timestamp,
    /// Milliseconds since the machine started: never set back.
    pub boot_ms: i64,
}

/// How far the watch itself is on its way out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// It works.
    #[default]
    Open,
    /// Nothing new is begun: it ends when its runs have.
    Closing,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Take expired leases back.
    Reap,
    /// End a run whose lease is gone.
    End(u64),
    /// Renew the leases of these runs, in one operation.
    Renew(Vec<u64>),
    /// Run a schedule's command.
    Schedule(Due),
    /// Claim a task and run its command.
    Start {
        /// The task.
        task: String,
        /// The runner's place in orch.yaml.
        runner: usize,
    },
}

/// What to do, what waits, and when to look again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// In this order.
    pub actions: Vec<Action>,
    /// Free tasks that are not run now, and why.
    pub waiting: Vec<(String, String)>,
    /// How long nothing changes by the passing of time alone.
    pub sleep: Option<Duration>,
}

/// Decides. `paused` are runners that cannot start their commands, until when.
/// With `explain` every free task that waits is named, else only as many are looked
/// at as there is room for.
pub fn plan(
    view: &View<'_>,
    runs: &[Run],
    settings: &Watch,
    paused: &BTreeMap<String, Timestamp>,
    mode: Mode,
    now: Now,
    explain: bool,
) -> Plan {
    let mut plan = Plan::default();
    if view.has_expired && mode == Mode::Open {
        plan.actions.push(Action::Reap);
    }
    let lost = runs.iter().filter(|run| run.has_lease && !run.is_held && !run.is_ending);
    plan.actions.extend(lost.map(|run| Action::End(run.token)));
    renewals(&mut plan, runs, now);
    if mode == Mode::Open {
        starts(&mut plan, view, runs, settings, paused, now, explain);
    }
    if let Some(end) = view.next_expiry {
        plan.by_wall(end, now);
    }
    plan
}

/// One operation for all, as soon as the first is due: those that would be within
/// the next half of its time go along.
fn renewals(plan: &mut Plan, runs: &[Run], now: Now) {
    let held = || runs.iter().filter(|run| run.has_lease && run.is_held);
    let is_due = |run: &Run| run.renew_at_ms <= now.boot_ms;
    if held().any(is_due) {
        plan.actions.push(Action::Renew(held().map(|run| run.token).collect()));
    }
    for run in held().filter(|run| !is_due(run)) {
        let left = u64::try_from(run.renew_at_ms - now.boot_ms).unwrap_or(0);
        plan.within(Duration::from_millis(left));
    }
}

fn starts(
    plan: &mut Plan,
    view: &View<'_>,
    runs: &[Run],
    settings: &Watch,
    paused: &BTreeMap<String, Timestamp>,
    now: Now,
    explain: bool,
) {
    // A run that is ending still takes its place, lease or not.
    let mut going: HashSet<u64> = view.running.iter().copied().collect();
    going.extend(runs.iter().map(|run| run.token));
    let mut room = (settings.max_parallel as usize).saturating_sub(going.len());
    let full =
        format!("`max_parallel` is {}, and so many runs are going on", settings.max_parallel);
    for due in view.due {
        let why = if view.frozen {
            "FREEZE is on".to_owned()
        } else if room == 0 {
            full.clone()
        } else {
            room -= 1;
            plan.actions.push(Action::Schedule(due.clone()));
            continue;
        };
        plan.waiting.push((due.name.clone(), why));
    }
    for free in view.free {
        let Some(runner) = settings.runners.get(free.runner) else { continue };
        let waits = |plan: &mut Plan, why: String| plan.waiting.push((free.task.clone(), why));
        if view.frozen {
            waits(plan, "FREEZE is on: nothing is started".to_owned());
            continue;
        }
        if room == 0 {
            if !explain {
                break;
            }
            waits(plan, full.clone());
            continue;
        }
        if let Some(until) = paused.get(&runner.name).filter(|until| now.wall < **until) {
            plan.by_wall(*until, now);
            waits(
                plan,
                format!(
                    "the runner `{}` cannot start its command; next try at {}",
                    runner.name,
                    until.ceil_seconds()
                ),
            );
            continue;
        }
        if runs.iter().any(|run| run.has_lease && run.name == free.task) {
            waits(plan, "its former run is still being ended".to_owned());
            continue;
        }
        let attempts = (view.attempts)(&free.task);
        if let Some(why) = runs::wait(&attempts, runner, now.wall) {
            if let Some(until) =
                runs::not_before(&attempts, runner).filter(|until| now.wall < *until)
            {
                plan.by_wall(until, now);
            }
            waits(plan, why);
            continue;
        }
        room -= 1;
        plan.actions.push(Action::Start { task: free.task.clone(), runner: free.runner });
    }
}

impl Plan {
    fn within(&mut self, span: Duration) {
        self.sleep = Some(self.sleep.map_or(span, |sleep| sleep.min(span)));
    }

    fn by_wall(&mut self, at: Timestamp, now: Now) {
        let left = u64::try_from(at.since(now.wall)).unwrap_or(0);
        self.within(Duration::from_millis(left));
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
