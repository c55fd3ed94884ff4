//! What is counted of the journal, for metrics. Every number only grows.

use super::{Changed, pair};
use crate::model::run::RunResult;
use crate::services::context::AUTO;
use crate::watch::metrics::histogram::Histogram;
use std::collections::BTreeMap;

/// Counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    /// Ended runs, by runner and result.
    pub runs: BTreeMap<(String, &'static str), u64>,
    /// How long commands ran that came to an end.
    pub run_duration: Histogram,
    /// How long tasks were free before they were claimed.
    pub queue_wait: Histogram,
    /// How long approvals were pending before they were decided.
    pub approval_wait: Histogram,
    /// Decisions of `orch decide`.
    pub decisions_auto: u64,
    /// Decisions of people.
    pub decisions_people: u64,
    /// Runs that a later `watch` took over.
    pub adopted: u64,
    /// Runs of which nobody knows how they ended.
    pub lost: u64,
    /// Leases that were taken back or taken over after their end.
    pub expirations: u64,
}

/// Upper ends of the buckets of runs, in seconds.
const RUN: &[f64] = &[1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0];
/// Of waits in the queue.
const QUEUE: &[f64] = &[1.0, 10.0, 60.0, 300.0, 1800.0, 3600.0, 14400.0, 86400.0, 604_800.0];
/// Of waits for a decision.
const APPROVAL: &[f64] = &[60.0, 600.0, 3600.0, 14400.0, 86400.0, 259_200.0, 604_800.0];

impl Default for Tally {
    fn default() -> Self {
        Self {
            runs: BTreeMap::new(),
            run_duration: Histogram::new(RUN),
            queue_wait: Histogram::new(QUEUE),
            approval_wait: Histogram::new(APPROVAL),
            decisions_auto: 0,
            decisions_people: 0,
            adopted: 0,
            lost: 0,
            expirations: 0,
        }
    }
}

impl Tally {
    pub(super) fn end_run(&mut self, runner: &str, result: &'static str) {
        *self.runs.entry((runner.to_owned(), result)).or_default() += 1;
    }

    pub(super) fn recover(&mut self, result: RunResult, adopted: bool) {
        if result == RunResult::Lost {
            self.lost += 1;
        } else if adopted {
            self.adopted += 1;
        }
    }

    pub(super) fn decide(&mut self, by: &str, waited_ms: Option<i64>) {
        if by.eq_ignore_ascii_case(AUTO) {
            self.decisions_auto += 1;
        } else {
            self.decisions_people += 1;
        }
        if let Some(ms) = waited_ms {
            self.approval_wait.observe_ms(ms);
        }
    }

    /// Counts a lease that had ended: one that was taken back, by `reap` or on
    /// the way of a claim, or taken over.
    pub(super) fn take_lease(&mut self, command: &str, change: &Changed<'_>) {
        let from_doing = pair(&change.cells.state).filter(|(before, _)| *before == "DOING");
        let expired = match command {
            "reap" => from_doing.is_some(),
            "claim" | "submit" => match from_doing {
                Some((_, after)) => matches!(after, "READY" | "FIX"),
                None => change.cells.state.is_none() && change.cells.lock.is_some(),
            },
            _ => false,
        };
        self.expirations += u64::from(expired);
    }
}
