//! What the rooms share: a workspace and the program in it (`ground`), the
//! verdict "old or new" (`judge`), faults by strace (`strace`), file systems of
//! one's own (`image`), surroundings that must not change (`yard`), sizes, seeds
//! and what is said aloud (here).

pub mod ground;
pub mod image;
pub mod judge;
pub mod strace;
pub mod yard;

use std::env;
use std::fmt::Display;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{Write as _, stderr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

/// How much of everything: `ORCH_STRESS`, else 1.
pub fn scale() -> usize {
    number("ORCH_STRESS").and_then(|n| usize::try_from(n).ok()).unwrap_or(1).max(1)
}

/// Whether the program under test is one that is shipped, whose times count.
pub fn is_shipped() -> bool {
    env::var_os("ORCH_STRESS_BIN").is_some()
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().and_then(|value| value.parse().ok())
}

/// Says something past the test runner, which keeps what passing tests print.
pub fn say(test: &str, what: impl Display) {
    let _ = writeln!(stderr(), "  {test}: {what}");
}

/// Says that a test, or a part of it, could not run here.
pub fn skip(test: &str, why: impl Display) {
    let _ = writeln!(stderr(), "!!! SKIPPED {test}: {why}");
}

/// Whether a tool runs here; if not, says so for the test.
pub fn has(test: &str, tool: &str, args: &[&str]) -> bool {
    let mut command = Command::new(tool);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let works = command.status().is_ok_and(|status| status.success());
    if !works {
        skip(test, format_args!("`{tool} {}` does not work here", args.join(" ")));
    }
    works
}

/// Waits, where a test needs a moment that nothing announces: a kill at random,
/// an editor that saves every so often.
pub fn pause(time: Duration) {
    let (_keep, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(time);
}

/// Time that passes, for the tests whose promise is one of time.
pub struct Stopwatch(SystemTime);

impl Stopwatch {
    pub fn start() -> Self {
        Self(SystemTime::now())
    }

    pub fn elapsed(&self) -> Duration {
        self.0.elapsed().unwrap_or_default()
    }
}

/// Numbers from a seed, which is said when the test fails.
pub struct Dice {
    test: &'static str,
    seed: u64,
    state: u64,
}

impl Dice {
    /// The seed is `ORCH_STRESS_SEED`; without it a new one each time, or
    /// always the same at the size that everybody runs.
    pub fn new(test: &'static str) -> Self {
        let seed = number("ORCH_STRESS_SEED").unwrap_or_else(|| match scale() {
            1 => 23,
            _ => RandomState::new().build_hasher().finish(),
        });
        Self { test, seed, state: seed }
    }

    /// Another sequence of the same seed, for a thread of its own.
    pub fn split(&self, n: usize) -> Self {
        let state = self.seed ^ (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self { test: self.test, seed: self.seed, state }
    }

    /// Below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n.max(1) as u64).unwrap()
    }

    pub fn next(&mut self) -> u64 {
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn pick<'x, T>(&mut self, of: &'x [T]) -> &'x T {
        &of[self.below(of.len())]
    }
}

impl Drop for Dice {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(self.test, format_args!("repeat it with ORCH_STRESS_SEED={}", self.seed));
        }
    }
}

/// Judges one case after the other to the end, so that a report says how many
/// break and not only which is the first.
pub struct Cases {
    test: &'static str,
    judged: usize,
    broken: Vec<String>,
}

impl Cases {
    pub fn new(test: &'static str) -> Self {
        Self { test, judged: 0, broken: Vec::new() }
    }

    /// What the case gave; none where it panicked.
    pub fn judge<T>(&mut self, case: impl FnOnce() -> T) -> Option<T> {
        self.judged += 1;
        catch_unwind(AssertUnwindSafe(case))
            .map_err(|why| {
                let text = why.downcast_ref::<String>().cloned();
                let text = text.or_else(|| why.downcast_ref::<&str>().map(|&s| s.to_owned()));
                self.broken.push(text.unwrap_or_default());
            })
            .ok()
    }

    /// # Panics
    /// If a case did.
    #[track_caller]
    pub fn finish(self) {
        let (test, all, broken) = (self.test, self.judged, self.broken.len());
        if broken > 0 {
            say(test, format_args!("{broken} of {all} cases break"));
        }
        let first: Vec<_> = self.broken.iter().take(8).map(|text| cut(text, 1_500)).collect();
        assert_eq!(broken, 0, "{test}: of {all} cases. The first:\n{}", first.join("\n--\n"));
    }
}

/// The beginning of a text.
pub fn cut(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(at, _)| &text[..at])
}

/// Runs jobs at once, each on a thread of its own, and hands back what came of
/// them in order. They begin together.
pub fn at_once<T: Send>(n: usize, job: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = std::sync::Barrier::new(n);
    let (start, job) = (&start, &job);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n)
            .map(|i| {
                scope.spawn(move || {
                    start.wait();
                    job(i)
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().expect("a job does not panic")).collect()
    })
}
