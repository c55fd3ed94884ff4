//! How the runs of one runner went: the newest ones, and what is usual.

use crate::model::run::RunResult;
use crate::model::time::Timestamp;
use crate::watch::usual::{Seen, Usual};
use std::collections::VecDeque;

/// How many of the newest runs are kept, and make up a rate of failures.
pub const NEWEST: usize = 10;

/// The past of a runner.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunnerPast {
    /// The newest ended runs that say something of the command, oldest first.
    newest: VecDeque<RunResult>,
    /// When the newest of them ended.
    last_end: Option<Timestamp>,
    durations: Usual,
    failures: Usual,
    /// How long the newest took, in seconds, against what is usual.
    pub duration: Option<Seen>,
    /// How many of the newest failed, from 0 to 1, against what is usual.
    pub failure_rate: Option<Seen>,
}

impl RunnerPast {
    pub(super) fn end(&mut self, result: RunResult, took_ms: Option<i64>, at: Timestamp) {
        // That it was taken along says nothing of it.
        if result == RunResult::Drained {
            return;
        }
        self.newest.push_back(result);
        if self.newest.len() > NEWEST {
            self.newest.pop_front();
        }
        self.last_end = Some(at);
        self.duration = took_ms.and_then(|ms| {
            let seconds = f64::from(u32::try_from(ms.max(0)).unwrap_or(u32::MAX)) / 1000.0;
            self.durations.take(seconds, |mean| (0.1 * mean).max(0.1))
        });
        if self.newest.len() == NEWEST {
            let failed = self.newest.iter().filter(|result| result.is_failure()).count();
            let size = f64::from(u32::try_from(NEWEST).unwrap_or(u32::MAX));
            let rate = f64::from(u32::try_from(failed).unwrap_or(u32::MAX)) / size;
            self.failure_rate = self.failures.take(rate, |mean| {
                // That of so many draws with the average's chance, which one in
                // twenty is at least.
                let chance = mean.clamp(0.05, 0.95);
                (chance * (1.0 - chance) / size).sqrt()
            });
        }
    }

    /// How the newest run ended.
    pub fn last(&self) -> Option<RunResult> {
        self.newest.back().copied()
    }

    /// When it ended.
    pub const fn last_end(&self) -> Option<Timestamp> {
        self.last_end
    }

    /// How many of the newest runs failed, one after the other.
    pub fn failures_in_a_row(&self) -> usize {
        self.newest.iter().rev().take_while(|result| result.is_failure()).count()
    }
}
