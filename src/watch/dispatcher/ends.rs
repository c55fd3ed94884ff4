//! The ways out: closing, draining, and being told once more.
//!
//! ```text
//!   SIGTERM, SIGINT ─▶ nothing new ─▶ grace ─▶ SIGTERM to runs ─▶ 1 s ─▶ SIGKILL
//!        once more ─────────────────────────────────────────────────────▶ SIGKILL
//! ```
//!
//! Invariant: a drain ends, whatever a command or the ledger does; what is not in
//! the ledger then is the next watch's to settle.

use super::hear::SETTLE;
use super::{Dispatcher, going, start};
use crate::sys::Signal;
use crate::watch::event::{Event, Kind};
use std::time::Duration;

/// Whether, and how, the watch is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It works.
    Open,
    /// It begins nothing new, and ends with its runs.
    Closing,
    /// The same, and at a time its runs are ended: milliseconds since the start
    /// of the machine.
    Draining(i64),
}

/// How long a run has between SIGTERM and SIGKILL when the watch itself ends.
const LAST_GRACE: Duration = Duration::from_secs(1);
/// How long a watch that ends by itself tries to tell of alerts.
const NO_HURRY: Duration = Duration::from_secs(30);
/// How often a watch that ends by itself tries to write the end of a run: some
/// half a minute.
pub(super) const MOST_TRIES: u32 = 7;
/// How long the end of a drain waits for a ledger that cannot be written: what is
/// not settled then is the next watch's.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(10);

impl Dispatcher<'_> {
    pub(super) fn signalled(&mut self, signal: Signal) {
        match (signal, self.phase) {
            (Signal::Hangup, _) => self.dirty = true,
            (_, Phase::Open | Phase::Closing) => {
                self.dirty = true;
                let grace = self.ctx.settings.watch.grace;
                self.phase = Phase::Draining(self.after(grace));
                let message = format!(
                    "nothing new is started; runs going on: {}, with {} to end",
                    self.runs.len(),
                    crate::model::duration::format(grace)
                );
                self.tell(Event { kind: Kind::Draining, message, ..Event::default() });
            }
            // Once more: now.
            (_, Phase::Draining(_)) => {
                self.phase = Phase::Draining(self.sys.clock.boot_ms());
                let tokens: Vec<u64> = self.runs.keys().copied().collect();
                for token in tokens {
                    self.end(token, going::Why::Drain, Some(Duration::ZERO));
                }
            }
        }
    }

    /// Ends what goes on when the time of a drain is over.
    pub(super) fn end_in_time(&mut self) {
        let now = self.sys.clock.boot_ms();
        if let Phase::Draining(at) = self.phase
            && at <= now
        {
            let tokens: Vec<u64> = self.runs.keys().copied().collect();
            for token in tokens {
                self.end(token, going::Why::Drain, Some(LAST_GRACE));
            }
        }
    }

    /// Whether a drain goes on though every run has ended, or should have.
    pub(super) fn has_waited_enough(&self) -> bool {
        let now = self.sys.clock.boot_ms();
        let past = |at: i64| at.saturating_add(start::ms(LAST_WORDS)) <= now;
        match self.phase {
            Phase::Open => false,
            // What could not be written in so many tries is the next watch's.
            Phase::Closing => self.runs.values().any(|going| going.tries >= MOST_TRIES),
            Phase::Draining(at) => past(at),
        }
    }

    /// Lets everybody be told of alerts: a watch that ends by itself has time for
    /// it, one that was asked to end has little.
    pub(super) fn let_all_be_told(&mut self) {
        let from = self.sys.clock.boot_ms();
        let has_time = |from: i64, now: i64| now < from.saturating_add(start::ms(NO_HURRY));
        while !matches!(self.phase, Phase::Draining(_))
            && has_time(from, self.sys.clock.boot_ms())
            && !self.notifier.wait(SETTLE)
        {
            let _ = self.hear(SETTLE);
        }
        self.notifier.drain(LAST_WORDS);
        let _ = self.hear(Duration::ZERO);
    }
}
