//! How much of the machine is left: disk, memory, processors.
//!
//! Lives here: reading it. Not here: how much is too little (`watch::monitor`).
//! Invariant: a system that does not say is an error, never a number.
#![allow(clippy::disallowed_methods, reason = "this is where the machine is looked at")]

use std::io::{self, ErrorKind};
use std::path::Path;

/// What the machine has left.
pub trait Resources: Send + Sync {
    /// Bytes that we may still write to the file system of a path.
    fn disk_free(&self, path: &Path) -> io::Result<u64>;
    /// Bytes of memory that programs can have without swapping: `MemAvailable`
    /// of proc(5).
    fn memory_available(&self) -> io::Result<u64>;
    /// The load average of the last minute, divided by the processors that are
    /// online.
    fn load_per_core(&self) -> io::Result<f64>;
}

/// This machine.
pub(super) struct Machine;

impl Resources for Machine {
    fn disk_free(&self, path: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(path)?;
        // What is kept for root is not ours to write.
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn memory_available(&self) -> io::Result<u64> {
        available(&std::fs::read_to_string("/proc/meminfo")?).ok_or_else(unknown)
    }

    fn load_per_core(&self) -> io::Result<f64> {
        let load = load(&std::fs::read_to_string("/proc/loadavg")?).ok_or_else(unknown)?;
        let cores = online(&std::fs::read_to_string("/proc/stat")?).ok_or_else(unknown)?;
        Ok(load / f64::from(cores))
    }
}

fn unknown() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "the system does not say")
}

/// `MemAvailable:  123 kB`
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// `0.20 0.18 0.12 1/80 11206`
fn load(loadavg: &str) -> Option<f64> {
    let number = loadavg.split(' ').next()?.parse().ok();
    number.filter(|load: &f64| load.is_finite() && *load >= 0.0)
}

/// A line `cpuN` for each processor that is online.
fn online(stat: &str) -> Option<u32> {
    let is_one = |line: &&str| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    u32::try_from(stat.lines().filter(is_one).count()).ok().filter(|count| *count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_texts_are_read() {
        let meminfo = "MemTotal:       100 kB\nMemFree:  9 kB\nMemAvailable:      64 kB\n";
        assert_eq!(available(meminfo), Some(65_536));
        assert_eq!(available("MemTotal: 100 kB\n"), None);
        assert_eq!(available("MemAvailable: 18446744073709551615 kB\n"), None);
        assert_eq!(load("0.20 0.18 0.12 1/80 11206\n"), Some(0.2));
        assert_eq!((load(""), load("NaN 1 1"), load("-1 0 0")), (None, None, None));
        assert_eq!(online("cpu  1 2\ncpu0 1 1\ncpu11 0 0\nintr 5\n"), Some(2));
        assert_eq!(online("intr 5\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_has_something_left() {
        assert!(Machine.disk_free(Path::new("/")).unwrap() > 0);
        assert!(Machine.memory_available().unwrap() > 0);
        assert!(Machine.load_per_core().unwrap() >= 0.0);
        assert!(Machine.disk_free(Path::new("/no/such/place")).is_err());
    }
}
