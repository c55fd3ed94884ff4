//! A keeper of a simulated command.
//!
//! Lives here: the simulated [`Keeping`], by the lives of [`SimProcess`]. Not
//! here: the real one. Invariant: time passes only while it waits.

use std::ffi::OsString;
use std::io;

use super::process::{SimChild, SimProcess};
use crate::sys::keeping::{Keeping, Printing, Woken};
use crate::sys::process::{Child as _, Ended, Process as _, Program, Signal};
use std::time::Duration;

/// Keeps one simulated program.
pub(super) struct SimKeeping {
    process: SimProcess,
    command: Option<SimChild>,
}

impl SimKeeping {
    pub(super) const fn new(process: SimProcess) -> Self {
        Self { process, command: None }
    }
}

impl Keeping for SimKeeping {
    fn start(&mut self, argv: &[String]) -> io::Result<(u32, Box<dyn Printing>)> {
        let argv: Vec<OsString> = argv.iter().map(Into::into).collect();
        let printed = argv.first().and_then(|name| self.process.printed_by(name));
        let program = Program { argv, env: Vec::new(), own_group: true };
        let child = self.process.start(&program)?;
        let pid = child.id();
        self.command = Some(child);
        Ok((pid, Box::new(Said(printed.unwrap_or_default()))))
    }

    fn wait(&mut self, until_ms: Option<i64>) -> Woken {
        loop {
            if let Some(child) = &mut self.command
                && let Ok(Some(_)) = child.wait(Duration::ZERO)
            {
                return Woken::Ended;
            }
            if let Some(signal) = self.process.hear() {
                return Woken::Signal(signal);
            }
            if until_ms.is_some_and(|until| until <= self.process.boot_ms()) {
                return Woken::Time;
            }
            let until = until_ms.unwrap_or(i64::MAX);
            self.process.pass(until.min(self.command.as_ref().map_or(i64::MAX, SimChild::until)));
        }
    }

    fn signal(&mut self, signal: Signal) {
        if let Some(child) = &mut self.command {
            let _ = child.signal(signal);
        }
    }

    fn end_all(&mut self, marks: &[(&str, &str)]) -> io::Result<Ended> {
        self.signal(Signal::Kill);
        self.process.end_strays(None, marks, Signal::Kill)?;
        let ended = self.command.as_mut().map(|child| child.wait(Duration::ZERO)).transpose()?;
        ended.flatten().ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    fn close_output(&mut self) {}
}

/// What a program prints, at once.
struct Said(Vec<u8>);

impl Printing for Said {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.0.len());
        buffer[..most].copy_from_slice(&self.0[..most]);
        self.0.drain(..most);
        Ok(most)
    }
}
