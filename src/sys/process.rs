//! Other programs: starting one, waiting for it, signals to it and to us.
//!
//! Lives here: the traits and the real ones. Not here: processes that others
//! started (`sys::machine`), what a keeper does (`sys::keeping`), what is run and
//! why (`services`, `watch`). Invariant: a program is started by its arguments, never by a
//! shell, and inherits no file but the three streams, since every other handle
//! closes on exec.
#![allow(clippy::disallowed_methods, reason = "this is where programs are started")]

use super::keeping::{self, Keeping};
use super::machine;
use rustix::process::{Pid, Signal as Raw};
use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child as StdChild, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The program, looked for in `$PATH` unless it has a `/`, and its
    /// arguments.
    pub argv: Vec<OsString>,
    /// Variables beside the ones that we have.
    pub env: Vec<(String, String)>,
    /// Whether it leads a process group of its own, so that a signal reaches
    /// what it starts. A group of its own is in the background of a terminal:
    /// it gets no Ctrl-C from there, and is stopped when it reads from it.
    pub own_group: bool,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this number.
    Code(u8),
    /// By a signal, which has this number.
    Signal(u8),
}

impl Ended {
    /// As a shell would say it: 128 and the signal's number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128_u8.saturating_add(signal),
        }
    }
}

/// Signals that are passed on, or end a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGHUP: the terminal went away.
    Hangup,
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: please end.
    Terminate,
    /// SIGKILL: cannot be refused.
    Kill,
}

impl Signal {
    /// The system's number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Hangup => 1,
            Self::Interrupt => 2,
            Self::Kill => 9,
            Self::Terminate => 15,
        }
    }

    pub(super) const fn raw(self) -> Raw {
        match self {
            Self::Hangup => Raw::HUP,
            Self::Interrupt => Raw::INT,
            Self::Terminate => Raw::TERM,
            Self::Kill => Raw::KILL,
        }
    }
}

/// Our own program, started anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Its arguments, without its name.
    pub args: Vec<OsString>,
    /// All variables that it has.
    pub env: Vec<(OsString, OsString)>,
    /// Its working directory.
    pub dir: PathBuf,
}

/// Starts programs and hears signals.
pub trait Process: Send + Sync {
    /// Starts one with our three streams. `NotFound` where there is no such
    /// program.
    fn spawn(&self, program: &Program) -> io::Result<Box<dyn Child>>;
    /// From here on SIGHUP, SIGINT and SIGTERM do not end us but are kept for
    /// [`Caught::take`]; those that we were told to ignore are still ignored.
    fn catch(&self) -> io::Result<Box<dyn Caught>>;
    /// Calls back, from a thread of its own, at each SIGHUP, SIGINT and SIGTERM
    /// from here on until we end; those that we were told to ignore are still
    /// ignored.
    fn on_signal(&self, act: Box<dyn Fn(Signal) + Send>) -> io::Result<()>;
    /// This boot and this space of process numbers, `<boot id>/<pid namespace>`:
    /// numbers of two different ones cannot be compared.
    fn machine(&self) -> String;
    /// When a process of this machine started, in clock ticks since boot: with
    /// its number that is a process for ever. None where there is none, or where
    /// it has ended and is only not waited for yet.
    fn started(&self, pid: u32) -> Option<u64>;
    /// Starts our own program anew, from the file that we run whatever its name
    /// leads to by now. All three streams are null.
    fn spawn_self(&self, program: &Own) -> io::Result<Box<dyn Child>>;
    /// A process that somebody else started, if it is there and still the same.
    /// Its `wait` says 0 once it is gone: only its parent knows the number; its
    /// signals reach that process alone, or nobody.
    fn attach(&self, pid: u32, start: u64) -> io::Result<Option<Box<dyn Child>>>;
    /// Sends a signal to what is left of a command that nobody keeps any more:
    /// to its group, if the group's leader is the process that started then, and
    /// to every process that was started with all of these variables. Never to
    /// us. Says how many were met.
    fn end_strays(
        &self,
        group: Option<(u32, u64)>,
        marks: &[(&str, &str)],
        signal: Signal,
    ) -> io::Result<usize>;
    /// Makes us the keeper of a command that is to be started, see [`Keeping`].
    fn become_keeper(&self) -> io::Result<Box<dyn Keeping>>;
}

/// A program that was started.
pub trait Child: Send {
    /// Its process.
    fn id(&self) -> u32;
    /// Waits for its end, but no longer than this; zero only looks. May come
    /// back early, as when a signal reaches us.
    fn wait(&mut self, at_most: Duration) -> io::Result<Option<Ended>>;
    /// Sends a signal to it, or to its whole group where it leads one. Nothing
    /// happens once it has ended.
    fn signal(&mut self, signal: Signal) -> io::Result<()>;
}

/// Signals that reached us.
pub trait Caught: Send {
    /// The ones since last time, each once.
    fn take(&self) -> Vec<Signal>;
}

/// The machine's processes.
pub(super) struct System;

impl Process for System {
    fn spawn(&self, program: &Program) -> io::Result<Box<dyn Child>> {
        let [name, arguments @ ..] = &program.argv[..] else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no program is named"));
        };
        let mut command = Command::new(name);
        command.args(arguments).envs(program.env.iter().map(|(name, value)| (name, value)));
        if program.own_group {
            command.process_group(0);
        }
        let child = command.spawn()?;
        Ok(Box::new(Running { child, leads: program.own_group, ended: None }))
    }

    fn catch(&self) -> io::Result<Box<dyn Caught>> {
        let ignored = ignored();
        let mut flags = Vec::new();
        for signal in [Signal::Hangup, Signal::Interrupt, Signal::Terminate] {
            // A program inherits what is ignored (nohup, `&` in scripts) but
            // not what is caught: catching it here would end it there.
            if ignored >> (signal.number() - 1) & 1 == 0 {
                let flag = Arc::new(AtomicBool::new(false));
                signal_hook::flag::register(i32::from(signal.number()), flag.clone())?;
                flags.push((signal, flag));
            }
        }
        Ok(Box::new(Flags(flags)))
    }

    fn on_signal(&self, act: Box<dyn Fn(Signal) + Send>) -> io::Result<()> {
        super::signals::listen(act)
    }

    fn machine(&self) -> String {
        machine::name()
    }

    fn started(&self, pid: u32) -> Option<u64> {
        machine::look(pid).filter(|seen| !seen.is_over).map(|seen| seen.start)
    }

    fn spawn_self(&self, program: &Own) -> io::Result<Box<dyn Child>> {
        let mut command = Command::new(own_file()?);
        command.arg0("orch").args(&program.args).current_dir(&program.dir);
        command.env_clear().envs(program.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Box::new(Running { child: command.spawn()?, leads: false, ended: None }))
    }

    fn attach(&self, pid: u32, start: u64) -> io::Result<Option<Box<dyn Child>>> {
        machine::attach(pid, start)
    }

    fn end_strays(
        &self,
        group: Option<(u32, u64)>,
        marks: &[(&str, &str)],
        signal: Signal,
    ) -> io::Result<usize> {
        machine::end_strays(group, marks, signal)
    }

    fn become_keeper(&self) -> io::Result<Box<dyn Keeping>> {
        keeping::begin()
    }
}

/// The file that we run. Linux has a name for it that still leads there when an
/// update has put another one in its place.
fn own_file() -> io::Result<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() { Ok(running) } else { std::env::current_exe() }
}

/// The signals that this process ignores, one bit each; none where the system
/// does not say.
pub(super) fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

struct Flags(Vec<(Signal, Arc<AtomicBool>)>);

impl Caught for Flags {
    fn take(&self) -> Vec<Signal> {
        let came = |flag: &AtomicBool| flag.swap(false, Ordering::SeqCst);
        self.0.iter().filter(|(_, flag)| came(flag)).map(|(signal, _)| *signal).collect()
    }
}

/// A program that was started.
pub(super) struct Running {
    child: StdChild,
    leads: bool,
    ended: Option<Ended>,
}

impl Running {
    /// One that was started as the leader of a group of its own.
    pub(super) const fn leading(child: StdChild) -> Self {
        Self { child, leads: true, ended: None }
    }

    /// Whether it has ended, without reaping it: until then its number, and
    /// that of its group, is nobody else's.
    pub(super) fn has_ended(&self) -> bool {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.ended.is_some()
            || self.pid().is_none_or(|pid| !matches!(waitid(WaitId::Pid(pid), look), Ok(None)))
    }

    pub(super) fn pid(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.child.id()).ok()?)
    }

    /// Waits without reaping, and without a loop where the system can.
    pub(super) fn pause(&self, at_most: Duration) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if let Some(pid) = self.pid()
            && let Ok(handle) =
                rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())
        {
            use rustix::event::{PollFd, PollFlags, Timespec, poll};
            let time = Timespec {
                tv_sec: i64::try_from(at_most.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: at_most.subsec_nanos().into(),
            };
            return match poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&time)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
                Err(error) => Err(error.into()),
            };
        }
        std::thread::sleep(at_most.min(Duration::from_millis(10)));
        Ok(())
    }
}

impl Child for Running {
    fn id(&self) -> u32 {
        self.child.id()
    }

    fn wait(&mut self, at_most: Duration) -> io::Result<Option<Ended>> {
        if self.ended.is_none() && !at_most.is_zero() {
            self.pause(at_most)?;
        }
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?.map(ended);
        }
        Ok(self.ended)
    }

    fn signal(&mut self, signal: Signal) -> io::Result<()> {
        // Its number may be another process's once it was waited for.
        let (None, Some(pid)) = (self.ended, self.pid()) else { return Ok(()) };
        let sent = if self.leads {
            rustix::process::kill_process_group(pid, signal.raw())
        } else {
            rustix::process::kill_process(pid, signal.raw())
        };
        match sent {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn ended(status: ExitStatus) -> Ended {
    let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(byte(code)),
        (None, signal) => Ended::Signal(byte(signal.unwrap_or(0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    fn start(argv: &[&str], own_group: bool) -> Box<dyn Child> {
        let program = Program {
            argv: argv.iter().map(Into::into).collect(),
            env: vec![("ORCH_TEST".to_owned(), "7".to_owned())],
            own_group,
        };
        System.spawn(&program).unwrap()
    }

    fn end(child: &mut dyn Child) -> Ended {
        loop {
            if let Some(ended) = child.wait(LONG).unwrap() {
                return ended;
            }
        }
    }

    #[test]
    fn a_program_has_its_variables_and_ends_with_its_number() {
        let mut child = start(&["sh", "-c", "exit $ORCH_TEST"], false);
        assert_eq!(end(&mut *child), Ended::Code(7));
        assert_eq!(child.wait(Duration::ZERO).unwrap(), Some(Ended::Code(7)));
        child.signal(Signal::Kill).unwrap();
    }

    #[test]
    fn a_signal_reaches_the_whole_group() {
        for own_group in [false, true] {
            let mut child = start(&["sleep", "600"], own_group);
            assert_eq!(child.wait(Duration::ZERO).unwrap(), None);
            assert!(child.id() > 0);
            child.signal(Signal::Terminate).unwrap();
            assert_eq!(end(&mut *child), Ended::Signal(15));
            assert_eq!(Ended::Signal(15).number(), 143);
        }
        // The shell waits for its child, and is not told alone.
        let mut child = start(&["sh", "-c", "sleep 600 & wait; exit 0"], true);
        child.signal(Signal::Kill).unwrap();
        assert_eq!(end(&mut *child), Ended::Signal(9));
    }

    #[test]
    fn what_cannot_be_started_says_why() {
        let missing = Program { argv: vec!["./no/such".into()], env: Vec::new(), own_group: false };
        let kind = System.spawn(&missing).err().map(|e| e.kind());
        assert_eq!(kind, Some(io::ErrorKind::NotFound));
        let none = Program { argv: Vec::new(), ..missing };
        assert!(System.spawn(&none).is_err());
    }
}
