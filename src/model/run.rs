//! Runs of commands on tasks: how one ended, how many a task has had, and how
//! long to wait before the next.
//!
//! Here: folds over a task's past, and arithmetic. Not here: processes (`watch`),
//! where the past is written down (`store::journal`). Invariant: an attempt is
//! counted when it is claimed, before anything runs, so that a run that takes the
//! machine down with it counts too.

use crate::model::history::PastChange;
use crate::model::time::Timestamp;
use std::fmt;
use std::time::Duration;

/// What the journal says of a run, on the line of its claim or of its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PastRun {
    /// The fencing token of its lease, which is its name.
    pub token: u64,
    /// The runner of orch.yaml; only on lines of the dispatcher's own.
    pub runner: Option<String>,
    /// Which attempt this is, from 1; only where it was claimed.
    pub attempt: Option<u32>,
    /// How it ended; only where it did.
    pub result: Option<RunResult>,
    /// When the next attempt may begin.
    pub not_before: Option<Timestamp>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RunResult {
    /// Exit 0: the task was handed in.
    Ok,
    /// Exit 75 (`EX_TEMPFAIL` of sysexits(3)): not now.
    Later,
    /// Another exit code.
    Failed(u8),
    /// A signal.
    Signal(u8),
    /// It took longer than it may.
    TimedOut,
    /// Nobody knows: its keeper died, or the machine did.
    Lost,
    /// The command could not be started.
    NotStarted,
    /// The dispatcher ended and took it along.
    Drained,
}

impl RunResult {
    /// The exit code that asks for another time.
    pub const TRY_LATER: u8 = 75;

    /// Of a command that ended with a number.
    pub const fn of_code(code: u8) -> Self {
        match code {
            0 => Self::Ok,
            Self::TRY_LATER => Self::Later,
            code => Self::Failed(code),
        }
    }

    /// As the journal has it.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |rest: &str| rest.parse().ok();
        Some(match text {
            "ok" => Self::Ok,
            "later" => Self::Later,
            "timed out" => Self::TimedOut,
            "lost" => Self::Lost,
            "not started" => Self::NotStarted,
            "drained" => Self::Drained,
            _ => match text.split_once(' ')? {
                ("exit", code) => Self::Failed(number(code)?),
                ("signal", signal) => Self::Signal(number(signal)?),
                _ => return None,
            },
        })
    }

    /// The kind, for counting: `ok`, `later`, `failed`, `signal`, `timed_out`,
    /// `lost`, `not_started` or `drained`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Later => "later",
            Self::Failed(_) => "failed",
            Self::Signal(_) => "signal",
            Self::TimedOut => "timed_out",
            Self::Lost => "lost",
            Self::NotStarted => "not_started",
            Self::Drained => "drained",
        }
    }

    /// Whether it uses up an attempt: a run that the dispatcher ended for its own
    /// sake does not.
    pub const fn counts(self) -> bool {
        !matches!(self, Self::Drained)
    }

    /// Whether the command is at fault.
    pub const fn is_failure(self) -> bool {
        !matches!(self, Self::Ok | Self::Later | Self::Drained)
    }
}

impl fmt::Display for RunResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(code) => write!(f, "exit {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::TimedOut => f.write_str("timed out"),
            Self::NotStarted => f.write_str("not started"),
            other => f.write_str(other.label()),
        }
    }
}

/// The attempts at a task since somebody touched it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempts {
    /// How many were begun and count.
    pub used: u32,
    /// When the next may begin.
    pub not_before: Option<Timestamp>,
    /// How the newest ended.
    pub last: Option<RunResult>,
    /// The token of the one that is going on.
    pub running: Option<u64>,
    /// When the newest gave its task back by itself, if it did.
    pub gave_back: Option<Timestamp>,
}

impl Attempts {
    /// Folds the past of one task, oldest first.
    pub fn of<'c>(changes: impl IntoIterator<Item = &'c PastChange>) -> Self {
        let mut so_far = Self::default();
        for change in changes.into_iter().filter(|change| change.counts) {
            match &change.run {
                Some(PastRun { attempt: Some(_), token, .. }) => {
                    so_far = Self {
                        used: so_far.used.saturating_add(1),
                        running: Some(*token),
                        ..Self::default()
                    };
                }
                Some(PastRun { result: Some(result), not_before, .. }) => {
                    so_far.used = so_far.used.saturating_sub(u32::from(!result.counts()));
                    so_far.not_before = *not_before;
                    so_far.last = Some(*result);
                    so_far.running = None;
                }
                // A command that acts on its own task.
                Some(_) if change.holder.is_some() => {
                    so_far.gave_back = Some(change.at);
                    so_far.running = None;
                }
                Some(_) => {}
                None if !change.is_a_persons() => {
                    // A checkout that took the lease away is nobody's failure.
                    let ended = so_far.running.take_if(|_| change.holder.is_some());
                    let taken = ended.is_some() && change.via_git;
                    so_far.used = so_far.used.saturating_sub(u32::from(taken));
                }
                None => {
                    // Who only writes a note takes no lease away.
                    let running = so_far.running.filter(|_| change.holder.is_none());
                    so_far = Self { running, ..Self::default() };
                }
            }
        }
        so_far
    }

    /// Whether another attempt is allowed, of `1 + retries`.
    pub const fn has_left(&self, retries: u32) -> bool {
        self.used <= retries
    }
}

/// How long to wait behind the n-th failed attempt, from 1: any time from none
/// to a limit that doubles, each as likely ("full jitter"), so that what failed
/// together does not come back together.
///
/// `draw` is a random number. Source: Brooker, "Exponential Backoff and Jitter",
/// AWS Architecture Blog, 2015.
pub fn backoff(attempt: u32, base: Duration, longest: Duration, draw: u64) -> Duration {
    let doubled = 1_u32.checked_shl(attempt.saturating_sub(1).min(31)).unwrap_or(u32::MAX);
    let limit = base.saturating_mul(doubled).min(longest);
    let steps = u128::from(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)) + 1;
    let drawn = (u128::from(draw) * steps) >> 64;
    Duration::from_millis(u64::try_from(drawn).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(command: &str, run: Option<PastRun>) -> PastChange {
        PastChange {
            id: String::new(),
            undoes: None,
            counts: true,
            at: Timestamp(0),
            actor: "WORK@coder".into(),
            command: command.into(),
            token: None,
            state: None,
            holder: None,
            lock: None,
            end: None,
            run,
            via_git: false,
        }
    }

    fn begins(attempt: u32) -> PastChange {
        change("claim", Some(PastRun { attempt: Some(attempt), ..PastRun::default() }))
    }

    fn ends(result: RunResult) -> PastChange {
        let not_before = Some(Timestamp(7));
        let run = PastRun { result: Some(result), not_before, ..PastRun::default() };
        change("release", Some(run))
    }

    #[test]
    fn attempts_count_until_somebody_touches_the_task() {
        let mut past =
            vec![begins(1), ends(RunResult::Failed(1)), begins(2), ends(RunResult::Lost)];
        let attempts = Attempts::of(&past);
        assert_eq!((attempts.used, attempts.not_before), (2, Some(Timestamp(7))));
        assert_eq!(attempts.last, Some(RunResult::Lost));
        assert!(attempts.has_left(2) && !attempts.has_left(1));
        // Nobody's touch: the run's own note, a reap, a renewal, a checkout.
        past.push(change("note", Some(PastRun::default())));
        past.push(change("reap", None));
        past.push(change("renew", None));
        past.push(PastChange { via_git: true, ..change("external", None) });
        assert_eq!(Attempts::of(&past).used, 2);
        past.push(change("note", None));
        assert_eq!(Attempts::of(&past), Attempts::default());
        past.push(PastChange { counts: false, ..begins(1) });
        assert_eq!(Attempts::of(&past).used, 0);
    }

    #[test]
    fn an_attempt_counts_when_it_begins_and_a_drained_one_does_not() {
        let mut past = vec![begins(1)];
        assert_eq!(Attempts::of(&past).used, 1, "the watch may die now");
        past.push(ends(RunResult::Drained));
        assert_eq!(Attempts::of(&past).used, 0);
        past.push(begins(1));
        past.push(PastChange {
            via_git: true,
            holder: Some(("WORK@coder".into(), String::new())),
            ..change("external", None)
        });
        assert_eq!(Attempts::of(&past).used, 0);
    }

    #[test]
    fn what_another_claim_reaps_on_its_way_is_nobodys_touch() {
        let reaped = PastChange {
            actor: "WORK@ada".into(),
            holder: Some(("WORK@coder".into(), String::new())),
            ..change("claim", None)
        };
        assert_eq!(Attempts::of(&[begins(1), reaped]).used, 1);
        let taken = PastChange {
            holder: Some(("WORK@coder".into(), "WORK@ada".into())),
            ..change("claim", None)
        };
        assert_eq!(Attempts::of(&[begins(1), taken]).used, 0);
    }

    #[test]
    fn results_come_back_as_they_were_written() {
        for result in [
            RunResult::Ok,
            RunResult::Later,
            RunResult::Failed(3),
            RunResult::Signal(9),
            RunResult::TimedOut,
            RunResult::Lost,
            RunResult::NotStarted,
            RunResult::Drained,
        ] {
            assert_eq!(RunResult::parse(&result.to_string()), Some(result));
        }
        assert_eq!(RunResult::parse("exit x"), None);
        assert_eq!(RunResult::of_code(75), RunResult::Later);
    }

    #[test]
    fn the_wait_doubles_up_to_a_limit_and_is_drawn_evenly() {
        let (base, longest) = (Duration::from_secs(10), Duration::from_mins(15));
        let most = |attempt| backoff(attempt, base, longest, u64::MAX);
        assert_eq!(most(1), Duration::from_secs(10));
        assert_eq!(most(3), Duration::from_secs(40));
        assert_eq!((most(9), most(1000)), (longest, longest));
        assert_eq!(backoff(5, base, longest, 0), Duration::ZERO);
        assert_eq!(backoff(3, Duration::ZERO, longest, u64::MAX), Duration::ZERO);
        // 1,000 draws against the uniform distribution: Kolmogorov and Smirnov's
        // distance, at a level of one in a thousand.
        // xorshift64* (Marsaglia 2003, Vigna 2016), from a seed.
        let mut state = 56_u64;
        let mut draws: Vec<f64> = (0..1000)
            .map(|_| {
                state ^= state >> 12;
                state ^= state << 25;
                state ^= state >> 27;
                let draw = state.wrapping_mul(0x2545_f491_4f6c_dd1d);
                backoff(3, base, longest, draw).as_secs_f64() / 40.0
            })
            .collect();
        draws.sort_by(f64::total_cmp);
        let distance = draws.iter().zip(0_u32..).fold(0.0_f64, |worst, (draw, n)| {
            let (below, above) = (f64::from(n) / 1000.0, f64::from(n + 1) / 1000.0);
            worst.max((draw - below).abs()).max((above - draw).abs())
        });
        assert!(distance < 1.95 / 1000_f64.sqrt(), "{distance}");
    }
}
