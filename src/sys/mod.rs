//! The only contact with the outside: time, files, environment, randomness,
//! programs, events.
//!
//! Lives here: one trait for each, the real one, and in [`sim`] the simulated
//! one. Not here: what the files mean (`ledger`), in which order they are
//! written (`store`). Invariant: no other module calls `std::fs`, `std::env`,
//! the clocks or a random source, so a test can fail any single call and hold
//! time still.
//!
//! The real ones assume a Unix system: `flock`, `fsync` of directories, modes
//! and inode numbers. Linux is what they are tested on; the table of network
//! file systems and the host's fallback are Linux only.

mod clock;
mod confined;
mod disk;
mod env;
mod events;
mod fs;
mod keeping;
mod machine;
mod net;
mod process;
mod programs;
mod resources;
mod serve;
mod signals;
pub mod sim;
mod within;

use std::path::Path;
use std::sync::Arc;

pub use clock::{Clock, Entropy};
pub use confined::{Confined, Finish, Ran};
pub use disk::Disk;
pub use env::Env;
pub use events::{Events, Heard, Listening};
pub use fs::{FileKind, Fs, FsKind, Handle, LockFile, Stat};
pub use keeping::{Keeping, Printing, Woken};
pub use net::{Net, Network};
pub use process::{Caught, Child, Ended, Own, Process, Program, Signal};
pub use programs::{Installed, Output, Programs};
pub use resources::Resources;
pub use serve::{Answer, Answers, Listener};

/// Everything a command can reach outside of its own memory. Cheap to clone.
#[derive(Clone)]
pub struct Sys {
    /// Time and waiting.
    pub clock: Arc<dyn Clock>,
    /// Files.
    pub fs: Arc<dyn Fs>,
    /// Variables, folders, user, host, streams.
    pub env: Arc<dyn Env>,
    /// Random bytes.
    pub entropy: Arc<dyn Entropy>,
    /// Other programs.
    pub process: Arc<dyn Process>,
    /// Other programs, such as git.
    pub programs: Arc<dyn Programs>,
    /// Other machines.
    pub net: Arc<dyn Net>,
    /// What changes in folders.
    pub events: Arc<dyn Events>,
    /// What this machine has left.
    pub resources: Arc<dyn Resources>,
}

impl Sys {
    /// The real world. Only `main` and tests of real processes build it.
    pub fn real() -> Self {
        Self {
            clock: Arc::new(clock::SystemClock),
            fs: Arc::new(Disk),
            env: Arc::new(env::Process),
            entropy: Arc::new(clock::Kernel),
            process: Arc::new(process::System),
            programs: Arc::new(Installed),
            net: Arc::new(Network),
            events: Arc::new(events::Kernel),
            resources: Arc::new(resources::Machine),
        }
    }

    /// 16 lower-case hexadecimal digits: names of temporary files and the like.
    pub fn random_hex(&self) -> String {
        let mut bytes = [0; 8];
        self.entropy.fill(&mut bytes);
        format!("{:016x}", u64::from_be_bytes(bytes))
    }

    /// The same, with everything below a folder confined to it: no link leads
    /// out of it, however quickly it is put there.
    #[must_use]
    pub fn within(&self, root: &Path) -> Self {
        Self { fs: Arc::new(within::Within::new(self.fs.clone(), root)), ..self.clone() }
    }

    /// The same without terminal, run and actor, see [`Env`].
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { env: Arc::new(env::Detached(self.env.clone())), ..self.clone() }
    }

    /// The same for a server that keeps to one workspace and to the folder it
    /// was started in, whatever becomes of either's name, see [`Env`].
    #[must_use]
    pub fn serving(&self, root: &Path, here: &Path) -> Self {
        let root = root.to_string_lossy().into_owned();
        let env = env::Serving { inner: self.env.clone(), root, here: here.to_owned() };
        Self { env: Arc::new(env), ..self.clone() }
    }
}
