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
    /// Milliseconds since the machine started, the time that it was asleep
    /// included. Nobody sets it, and all processes of the machine share it.
    fn boot_ms(&self) -> i64;
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

    fn boot_ms(&self) -> i64 {
        let time = rustix::time::clock_gettime(BOOT);
        time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000)
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

#[cfg(target_os = "linux")]
const BOOT: rustix::time::ClockId = rustix::time::ClockId::Boottime;
/// Stands still while the machine sleeps on some systems.
#[cfg(not(target_os = "linux"))]
const BOOT: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

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
        let before = SystemClock.boot_ms();
        assert!(before > 0 && SystemClock.boot_ms() >= before);
        let (mut a, mut b) = ([0; 16], [0; 16]);
        Kernel.fill(&mut a);
        Kernel.fill(&mut b);
        assert_ne!(a, b);
    }
}
