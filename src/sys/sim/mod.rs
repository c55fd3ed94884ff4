//! A world for tests: time that stands still, counted randomness, faults.
//!
//! Lives here: simulated [`Clock`], [`Entropy`], [`Env`](super::Env) and a
//! faulty [`Fs`]. Not here: anything a command uses outside of tests; it is
//! compiled always because it is small and integration tests need it too.
//! Invariant: the same calls give the same answers in every run.

mod env;
mod events;
mod fault;
mod keeping;
mod net;
mod process;
mod programs;
mod resources;

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use env::SimEnv;
pub use events::SimEvents;
pub use fault::{FaultFs, is_crash};
pub use net::{Posted, SimNet};
pub use process::{Life, Role, SimProcess};
pub use programs::SimPrograms;
pub use resources::SimResources;

use super::{Clock, Disk, Entropy, Fs, Sys};

/// A whole simulated world over real files, with its levers.
pub struct Sim {
    /// Time.
    pub clock: Arc<SimClock>,
    /// Real files with injected faults.
    pub fs: Arc<FaultFs>,
    /// Surroundings.
    pub env: Arc<SimEnv>,
    /// Randomness.
    pub entropy: Arc<SimEntropy>,
    /// Programs.
    pub process: Arc<SimProcess>,
    /// Other programs.
    pub programs: Arc<SimPrograms>,
    /// Other machines.
    pub net: Arc<SimNet>,
    /// What changes in folders.
    pub events: Arc<SimEvents>,
    /// What the machine has left.
    pub resources: Arc<SimResources>,
}

impl Sim {
    /// A world at 2026-01-01T00:00:00Z whose working directory is `cwd`.
    pub fn new(cwd: impl Into<PathBuf>) -> Self {
        let clock = Arc::new(SimClock::new(1_767_225_600_000));
        Self {
            process: Arc::new(SimProcess::new(clock.clone())),
            clock,
            fs: Arc::new(FaultFs::new(Arc::new(Disk))),
            env: Arc::new(SimEnv::new(cwd)),
            entropy: Arc::new(SimEntropy::new(1)),
            programs: Arc::new(SimPrograms::default()),
            net: Arc::new(SimNet::default()),
            events: Arc::new(SimEvents::default()),
            resources: Arc::new(SimResources::default()),
        }
    }

    /// The world as commands see it.
    pub fn sys(&self) -> Sys {
        Sys {
            clock: self.clock.clone(),
            fs: Arc::clone(&self.fs) as Arc<dyn Fs>,
            env: self.env.clone(),
            entropy: self.entropy.clone(),
            process: self.process.clone(),
            programs: self.programs.clone(),
            net: self.net.clone(),
            events: self.events.clone(),
            resources: self.resources.clone(),
        }
    }
}

/// A clock that moves only when told to, or by waiting. The machine started
/// when it was made.
pub struct SimClock {
    wall: AtomicI64,
    boot: AtomicI64,
}

impl SimClock {
    /// A clock at so many milliseconds since 1970.
    pub fn new(now_ms: i64) -> Self {
        Self { wall: AtomicI64::new(now_ms), boot: AtomicI64::new(0) }
    }

    /// Moves forward.
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.boot.fetch_add(ms, Ordering::SeqCst);
        self.wall.fetch_add(ms, Ordering::SeqCst);
    }

    /// Jumps, backwards too; the time since the machine started does not.
    pub fn set(&self, now_ms: i64) {
        self.wall.store(now_ms, Ordering::SeqCst);
    }
}

impl Clock for SimClock {
    fn now_ms(&self) -> i64 {
        self.wall.load(Ordering::SeqCst)
    }

    fn boot_ms(&self) -> i64 {
        self.boot.load(Ordering::SeqCst)
    }

    fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}

/// Bytes that look random and are the same in every run: xorshift64*.
pub struct SimEntropy(Mutex<u64>);

impl SimEntropy {
    /// Bytes that depend on `seed` alone.
    pub fn new(seed: u64) -> Self {
        // Zero is the one state that xorshift never leaves.
        Self(Mutex::new(seed ^ 0x9e37_79b9_7f4a_7c15 | 1))
    }
}

impl Entropy for SimEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in bytes.chunks_mut(8) {
            *state ^= *state >> 12;
            *state ^= *state << 25;
            *state ^= *state >> 27;
            let word = state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeping_is_what_moves_time() {
        let sim = Sim::new("/");
        let sys = sim.sys();
        let before = sys.clock.now_ms();
        sys.clock.sleep(Duration::from_millis(5));
        sim.clock.advance(Duration::from_secs(1));
        assert_eq!(sys.clock.now_ms(), before + 1005);
        sim.clock.set(7);
        assert_eq!((sys.clock.now_ms(), sys.clock.boot_ms()), (7, 1005));
    }

    #[test]
    fn one_seed_gives_one_sequence() {
        let draw = |seed| {
            let entropy = SimEntropy::new(seed);
            let mut bytes = [0; 20];
            entropy.fill(&mut bytes);
            bytes
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(9));
        let sys = Sim::new("/").sys();
        assert_ne!(sys.random_hex(), sys.random_hex());
    }
}
