//! A machine that has left what a test says.

use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sys::Resources;

/// What is left; at first nobody knows.
#[derive(Debug, Default)]
pub struct SimResources(Mutex<Left>);

#[derive(Debug, Default)]
struct Left {
    disk: Option<u64>,
    memory: Option<u64>,
    load: Option<f64>,
}

impl SimResources {
    /// So many bytes of disk, wherever.
    pub fn set_disk(&self, bytes: u64) {
        self.left().disk = Some(bytes);
    }

    /// So many bytes of memory.
    pub fn set_memory(&self, bytes: u64) {
        self.left().memory = Some(bytes);
    }

    /// So much load a core.
    pub fn set_load(&self, load: f64) {
        self.left().load = Some(load);
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resources for SimResources {
    fn disk_free(&self, _: &Path) -> io::Result<u64> {
        self.left().disk.ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    fn memory_available(&self) -> io::Result<u64> {
        self.left().memory.ok_or_else(|| io::ErrorKind::Unsupported.into())
    }

    fn load_per_core(&self) -> io::Result<f64> {
        self.left().load.ok_or_else(|| io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_left() {
        let sim = SimResources::default();
        assert!(sim.disk_free(Path::new("/")).is_err() && sim.load_per_core().is_err());
        sim.set_disk(7);
        sim.set_load(0.5);
        assert_eq!(sim.disk_free(Path::new("/")).unwrap(), 7);
        assert!((sim.load_per_core().unwrap() - 0.5).abs() < f64::EPSILON);
        assert!(sim.memory_available().is_err());
    }
}
