//! When a command is to be asked to end, and when it is not asked any more.
//!
//! Pure: all times are milliseconds since the machine started. Not here: waiting,
//! signals, files (`keeper`). Invariant: a command is killed before its lease is
//! over, however it was asked to end before and however long it was given.
//!
//! ```text
//!   read ──────────────── ttl ─────────────────▶ over
//!                              ask        kill  │
//!     ─────────────────────────┼────────────┼───┤
//!                              │            └───┘ ttl / 20, at most 2 s
//!                              └────────────────┘ that and the grace, at most ttl / 5
//! ```
//!
//! Before it asks, the keeper looks whether the lease was renewed.

/// Killing takes no longer, on a machine that is busy too.
const LATE_MS: i64 = 2000;

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing before this moment; where none is given, before something happens.
    Wait(Option<i64>),
    /// Look whether the lease was renewed, and say so.
    LookAtLease,
    /// Ask the command to end.
    Ask,
    /// Kill it.
    Kill,
}

/// Why a command is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// We were told to.
    Stop,
    /// It took too long.
    TimedOut,
    /// Its lease is about to be over.
    LeaseEnded,
}

/// What a look at the lease says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lease {
    /// It is ours until then.
    Until(i64),
    /// Nothing that can be read says so.
    Unknown,
    /// It is of another machine: its time means nothing here.
    Strange,
}

/// The limits of a command, and how far it is beyond them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limits {
    grace: i64,
    timeout_at: i64,
    lease: Option<Deadline>,
    asked: Option<Asked>,
    /// Whether we were told to end it.
    is_stopped: bool,
    is_killed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Deadline {
    ask_at: i64,
    kill_at: i64,
    over: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    cause: Cause,
    kill_at: i64,
    /// Whether the command was told.
    is_told: bool,
}

impl Limits {
    /// Of a command that starts now, with a lease until a moment that is still to
    /// come, or without one.
    pub(super) fn new(now: i64, timeout_ms: u64, grace_ms: u64, lease: Option<i64>) -> Self {
        let grace = span(grace_ms);
        Self {
            grace,
            timeout_at: now.saturating_add(span(timeout_ms)),
            lease: lease.map(|over_at| deadline(now, over_at, grace)),
            asked: None,
            is_stopped: false,
            is_killed: false,
        }
    }

    /// What to do now. Each of [`Step::Ask`] and [`Step::Kill`] is said once.
    pub(super) fn next(&mut self, now: i64) -> Step {
        if self.is_killed {
            return Step::Wait(None);
        }
        if self.lease.is_some_and(|lease| lease.ask_at <= now) {
            return Step::LookAtLease;
        }
        if self.timeout_at <= now {
            self.ask(Cause::TimedOut, self.timeout_at.saturating_add(self.grace));
        }
        let lease = self.lease.map(|lease| lease.ask_at);
        let Some(asked) = &mut self.asked else {
            return Step::Wait(Some(lease.unwrap_or(i64::MAX).min(self.timeout_at)));
        };
        if asked.kill_at <= now {
            self.is_killed = true;
            return Step::Kill;
        }
        if !std::mem::replace(&mut asked.is_told, true) {
            return Step::Ask;
        }
        let timeout = if self.timeout_at > now { self.timeout_at } else { i64::MAX };
        Step::Wait(Some(asked.kill_at.min(timeout).min(lease.unwrap_or(i64::MAX))))
    }

    /// What the look at the lease has shown.
    pub(super) fn lease_is(&mut self, now: i64, lease: Lease) {
        let Some(before) = self.lease else { return };
        match lease {
            Lease::Until(over_at) if over_at > before.over && over_at > now => {
                self.lease = Some(deadline(now, over_at, self.grace));
            }
            Lease::Until(_) | Lease::Unknown => self.lease_is_over(before.kill_at),
            Lease::Strange => self.lease_is_over(now),
        }
    }

    fn lease_is_over(&mut self, kill_at: i64) {
        self.lease = None;
        self.ask(Cause::LeaseEnded, kill_at);
    }

    /// We are told to end it, and how long it has; again and insistently: none.
    pub(super) fn stop(&mut self, now: i64, kill_after_ms: u64, insists: bool) {
        let again = std::mem::replace(&mut self.is_stopped, true);
        let given = if again && insists { 0 } else { span(kill_after_ms) };
        self.ask(Cause::Stop, now.saturating_add(given));
    }

    fn ask(&mut self, cause: Cause, kill_at: i64) {
        match &mut self.asked {
            Some(asked) => {
                asked.kill_at = asked.kill_at.min(kill_at);
                // What it does from here on is worth nothing any more.
                if (asked.cause, cause) == (Cause::Stop, Cause::LeaseEnded) {
                    asked.cause = cause;
                }
            }
            None => self.asked = Some(Asked { cause, kill_at, is_told: false }),
        }
    }

    /// Why it was asked to end, if it was.
    pub(super) fn cause(&self) -> Option<Cause> {
        self.asked.map(|asked| asked.cause)
    }
}

/// What is to be done when, of a lease that is looked at now.
fn deadline(now: i64, over_at: i64, grace: i64) -> Deadline {
    let ttl = over_at.saturating_sub(now).max(0);
    let late = (ttl / 20).min(LATE_MS);
    let early = grace.saturating_add(late).min(ttl / 5);
    Deadline { ask_at: over_at - early, kill_at: over_at - late, over: over_at }
}

fn span(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every step from here on but waits, with when it was due; nobody renews.
    fn steps(limits: &mut Limits, mut now: i64) -> Vec<(i64, Step)> {
        let mut steps = Vec::new();
        loop {
            match limits.next(now) {
                Step::Wait(None) => return steps,
                Step::Wait(Some(until)) => {
                    assert!(until > now, "no step back, and none on the spot");
                    now = until;
                }
                Step::LookAtLease => {
                    steps.push((now, Step::LookAtLease));
                    limits.lease_is(now, Lease::Unknown);
                }
                step => steps.push((now, step)),
            }
        }
    }

    #[test]
    fn what_takes_too_long_is_asked_and_then_killed() {
        let mut limits = Limits::new(100, 1000, 50, None);
        assert_eq!(steps(&mut limits, 100), [(1100, Step::Ask), (1150, Step::Kill)]);
        assert_eq!(limits.cause(), Some(Cause::TimedOut));
    }

    #[test]
    fn a_lease_that_nobody_renews_ends_the_command_before_it_is_over() {
        let mut limits = Limits::new(0, u64::MAX, 30_000, Some(600_000));
        let ends = [(568_000, Step::LookAtLease), (568_000, Step::Ask), (598_000, Step::Kill)];
        assert_eq!(steps(&mut limits.clone(), 0), ends);
        assert_eq!(limits.next(568_000), Step::LookAtLease);
        limits.lease_is(568_000, Lease::Until(610_000));
        // What is left of the lease counts from where it was read.
        assert_eq!(limits.next(568_000), Step::Wait(Some(601_600)));
        assert_eq!(limits.cause(), None);
    }

    #[test]
    fn whoever_slept_past_the_end_kills_at_once_but_looks_first() {
        for (lease, ends) in [
            (Lease::Until(1000), true),
            (Lease::Until(900), true),
            (Lease::Until(4999), true),
            (Lease::Unknown, true),
            (Lease::Strange, true),
            (Lease::Until(6000), false),
        ] {
            let mut limits = Limits::new(0, u64::MAX, 100, Some(1000));
            assert_eq!(limits.next(5000), Step::LookAtLease);
            limits.lease_is(5000, lease);
            let expected = if ends { Step::Kill } else { Step::Wait(Some(5850)) };
            assert_eq!(limits.next(5000), expected, "{lease:?}");
        }
        // One of another machine has no time to be asked in.
        let mut limits = Limits::new(0, u64::MAX, 100, Some(1000));
        limits.lease_is(900, Lease::Strange);
        assert_eq!(limits.next(900), Step::Kill);
    }

    #[test]
    fn who_is_told_to_stop_has_the_time_that_is_given_and_no_more() {
        let mut limits = Limits::new(0, 10_000, 100, Some(100_000));
        limits.stop(10, 500, true);
        assert_eq!((limits.next(10), limits.next(10)), (Step::Ask, Step::Wait(Some(510))));
        limits.stop(20, 5000, false);
        assert_eq!(limits.next(20), Step::Wait(Some(510)));
        limits.stop(30, 5000, true);
        assert_eq!((limits.next(30), limits.next(30)), (Step::Kill, Step::Wait(None)));
        assert_eq!(limits.cause(), Some(Cause::Stop));
    }

    #[test]
    fn time_and_lease_count_for_who_was_told_to_stop_too() {
        let mut limits = Limits::new(0, 1000, 100, None);
        limits.stop(10, 1_000_000, true);
        assert_eq!(steps(&mut limits, 10), [(10, Step::Ask), (1100, Step::Kill)]);
        assert_eq!(limits.cause(), Some(Cause::Stop));
        let mut limits = Limits::new(0, u64::MAX, 100, Some(1000));
        limits.stop(10, 1_000_000, true);
        let ends = [(10, Step::Ask), (850, Step::LookAtLease), (950, Step::Kill)];
        assert_eq!(steps(&mut limits, 10), ends);
        assert_eq!(limits.cause(), Some(Cause::LeaseEnded));
    }

    proptest! {
        /// Whatever happens when, it is dead before its lease is over.
        #[test]
        fn nothing_outlives_its_lease(
            ttl in 1_i64..100_000, grace in 0_u64..200_000, timeout in 0_u64..200_000,
            told in proptest::option::of((0_i64..100_000, 0_u64..200_000)),
        ) {
            let mut limits = Limits::new(7, timeout, grace, Some(7 + ttl));
            let mut killed = None;
            if let Some((at, after)) = told.filter(|(at, _)| *at < ttl - ttl / 5) {
                // Looks and asks in between do not matter here.
                limits.stop(7 + at, after, false);
            }
            for (at, step) in steps(&mut limits, 7) {
                if step == Step::Kill {
                    killed = Some(at);
                }
            }
            let killed = killed.expect("it is killed");
            prop_assert!(killed <= 7 + ttl - (ttl / 20).min(LATE_MS), "{killed}");
        }
    }
}
