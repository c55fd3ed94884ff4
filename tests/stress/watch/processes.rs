//! Processes as /proc shows them (proc(5)): which are there, of what they are, and
//! what they cost.

use std::fs::{self, read_to_string};

use rustix::process::{Pid, Signal, kill_process};

/// A process, and not another one that got its number later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    pub pid: u32,
    pub start: u64,
}

/// When a process started; none where there is none or it is a zombie.
pub fn started(pid: u32) -> Option<u64> {
    let stat = stat(pid)?;
    (stat[0] != "Z" && stat[0] != "X").then(|| stat[19].parse().unwrap())
}

/// The fields of proc(5) `stat` from the third on.
fn stat(pid: u32) -> Option<Vec<String>> {
    let stat = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

/// All that have this variable, `NAME=value`.
pub fn with_variable(wanted: &str) -> Vec<Process> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
        let Ok(variables) = fs::read(entry.path().join("environ")) else { continue };
        if variables.split(|byte| *byte == 0).any(|text| text == wanted.as_bytes())
            && let Some(start) = started(pid)
        {
            found.push(Process { pid, start });
        }
    }
    found
}

impl Process {
    pub fn is_gone(self) -> bool {
        started(self.pid) != Some(self.start)
    }

    pub fn signal(self, signal: Signal) {
        if !self.is_gone() {
            let pid = Pid::from_raw(self.pid.cast_signed()).unwrap();
            let _ = kill_process(pid, signal);
        }
    }

    pub fn is_keeper(self) -> bool {
        let line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        line.split(|byte| *byte == 0).nth(1) == Some(b"__run")
    }

    /// User and system time so far, in hundredths of a second.
    pub fn ticks(self) -> u64 {
        let stat = stat(self.pid).expect("it lives");
        stat[11].parse::<u64>().unwrap() + stat[12].parse::<u64>().unwrap()
    }

    /// Resident memory in KiB.
    pub fn resident(self) -> u64 {
        let status = read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.unwrap().trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }
}
