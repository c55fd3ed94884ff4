//! Time and randomness.
//!
//! Lives here: the wall clock, waiting, random bytes. Not here: what a moment
//! or a duration means (`model`). Invariant: deciding code gets `now` as a
//! parameter; only the thin outer layer asks the clock.
#![allow(clippy::disallowed_methods, reason = "this is where the clock is read")]

use std::time::{Duration, SystemTime};

/// Wall clock and waiting.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z; may jump, as wall clocks do.
    fn now_ms(&self) -> i64;
    /// Waits.
    fn sleep(&self, duration: Duration);
}

/// Random bytes.
pub trait Entropy: Send + Sync {
    /// Fills all of `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The machine's clock.
pub(super) struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let ms = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        // A clock set before 1970 is wrong but must not panic.
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or_else(|before| -ms(before.duration()), ms)
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// The kernel's random source.
pub(super) struct Kernel;

impl Entropy for Kernel {
    fn fill(&self, bytes: &mut [u8]) {
        // No fallback to a weak source: std's own hash maps need the same call,
        // so a program without it would not have come this far.
        getrandom::fill(bytes).expect("the kernel gives random bytes once it has booted");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_past_2020_and_bytes_differ() {
        assert!(SystemClock.now_ms() > 1_577_836_800_000);
        let (mut a, mut b) = ([0; 16], [0; 16]);
        Kernel.fill(&mut a);
        Kernel.fill(&mut b);
        assert_ne!(a, b);
    }
}
