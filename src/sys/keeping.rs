//! A process of ours that owns a command: it starts it, hears what happens to
//! it, and leaves nothing of it behind.
//!
//! Lives here: the trait and the real one. Not here: when a command is to end
//! and what is written down of it (`watch::keeper`). Invariant: once the command
//! was started nothing of it outlives the keeper's end, whatever way the keeper
//! ends but SIGKILL, and as far as we may send it signals: a keeper that is
//! dropped without [`Keeping::end_all`] does that first.
//!
//! ```text
//!   keeper (session of its own) ── start ──▶ command, leader of a group
//!      │  ▲ pipe of what it prints             ├─ its children, in the group
//!      │  └────────────────────────────────────┤
//!      │                                       └─ setsid: out of the group
//!      └─ parent of whoever loses its parent (subreaper): found by that
//! ```
//!
//! We wait by poll(2) for the command's end (its pidfd), a signal to us (a pipe
//! that the handler writes to) and a moment (a timer on the clock that goes on
//! while the machine sleeps), so that an idle keeper costs nothing.
#![allow(clippy::disallowed_methods, reason = "this is where programs are started")]

use super::machine;
use super::process::{Child as _, Ended, Running, Signal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use std::collections::BTreeSet;
use std::io::{self, PipeReader, PipeWriter, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A keeper's hold of its command. There is one in a process.
pub trait Keeping: Send {
    /// Starts the command, once: the leader of a group of its own, with our
    /// variables and our folder, no input, both streams into one pipe, and no
    /// handle of ours. Gives its number and what it prints.
    fn start(&mut self, argv: &[String]) -> io::Result<(u32, Box<dyn Printing>)>;
    /// Waits until the command has ended, a signal reached us, or the machine has
    /// run so long ([`super::Clock::boot_ms`]), in this order where several hold.
    fn wait(&mut self, until_ms: Option<i64>) -> Woken;
    /// Sends a signal to the command's group; nothing once the command ended.
    fn signal(&mut self, signal: Signal);
    /// Kills what is left of the command, its group, what left its group, and
    /// whatever was started with these variables, and says how the command
    /// ended. Who does not die in ten seconds is left alone.
    fn end_all(&mut self, marks: &[(&str, &str)]) -> io::Result<Ended>;
    /// What the command printed ends with what is in the pipe now, whoever still
    /// holds the other end.
    fn close_output(&mut self);
}

/// Why a wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// The command has ended.
    Ended,
    /// A signal reached us.
    Signal(Signal),
    /// It is time.
    Time,
}

/// What a command prints.
pub trait Printing: Send {
    /// Waits for some bytes; none once nobody can print any more.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
}

/// How long dying may take.
const DYING: Duration = Duration::from_secs(10);
/// How long those are fought that multiply.
const FIGHT: Duration = Duration::from_mins(1);
/// How much is still read from a pipe that is closed: more than one can hold.
const LAST: usize = 1 << 20;

pub(super) fn begin() -> io::Result<Box<dyn Keeping>> {
    // Fails only for the leader of a group, who was started by hand.
    let _ = rustix::process::setsid();
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    // Past the limit of a file's size a write is to fail, not to end us.
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default())?;
    let (wakes, waker) = io::pipe()?;
    let mut ears = Vec::new();
    // Also where we were told to ignore them: what we hear, the command does not
    // ignore either, since it inherits the one and not the other.
    for signal in [Signal::Terminate, Signal::Interrupt, Signal::Hangup] {
        let heard = Arc::new(AtomicBool::new(false));
        let number = i32::from(signal.number());
        // In this order: whoever is woken sees the flag.
        signal_hook::flag::register(number, heard.clone())?;
        signal_hook::low_level::pipe::register(number, waker.try_clone()?)?;
        ears.push((signal, heard));
    }
    // Each orphan that ends wakes us, to be waited for. Also where we were told to
    // ignore that: then the kernel would throw away how the command ended.
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGCHLD, waker)?;
    Ok(Box::new(Keeper { ears, wakes, timer: timer(), command: None, handle: None, stop: None }))
}

struct Keeper {
    ears: Vec<(Signal, Arc<AtomicBool>)>,
    wakes: PipeReader,
    timer: Option<OwnedFd>,
    command: Option<Running>,
    handle: Option<OwnedFd>,
    stop: Option<PipeWriter>,
}

impl Keeping for Keeper {
    fn start(&mut self, argv: &[String]) -> io::Result<(u32, Box<dyn Printing>)> {
        let [name, arguments @ ..] = argv else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no program is named"));
        };
        let ((pipe, writer), (stopped, stop)) = (io::pipe()?, io::pipe()?);
        let mut command = Command::new(name);
        command.args(arguments).process_group(0);
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        let running = Running::leading(command.spawn()?);
        // Its ends of the pipe are the command's: only that holds them now.
        drop(command);
        self.stop = Some(stop);
        self.handle = handle_of(&running);
        let pid = running.id();
        self.command = Some(running);
        Ok((pid, Box::new(Printed { pipe, stopped, left: None })))
    }

    fn wait(&mut self, until_ms: Option<i64>) -> Woken {
        loop {
            if self.command.as_ref().is_some_and(Running::has_ended) {
                return Woken::Ended;
            }
            let heard = |ear: &&(Signal, Arc<AtomicBool>)| ear.1.swap(false, Ordering::SeqCst);
            if let Some((signal, _)) = self.ears.iter().find(heard) {
                return Woken::Signal(*signal);
            }
            if until_ms.is_some_and(|until| until <= now()) {
                return Woken::Time;
            }
            self.pause(until_ms);
        }
    }

    fn signal(&mut self, signal: Signal) {
        let Some(command) = &mut self.command else { return };
        let _ = command.signal(signal);
        // One that has gone to another group of its session.
        let pid = command.id();
        if let Some(seen) = machine::look(pid).filter(|seen| seen.group != pid) {
            machine::send_to(&seen, signal);
        }
        if signal != Signal::Kill
            && let Some(pid) = command.pid().filter(|_| !command.has_ended())
        {
            // A stopped process hears of it only when it goes on.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::CONT);
        }
    }

    fn end_all(&mut self, marks: &[(&str, &str)]) -> io::Result<Ended> {
        self.signal(Signal::Kill);
        let Some(mut command) = self.command.take() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no command was started"));
        };
        let from = Instant::now();
        while !command.has_ended() && from.elapsed() < DYING {
            if command.pause(DYING.saturating_sub(from.elapsed())).is_err() {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        // Waited for only now: until here its number was still its group's.
        let ended = command.wait(Duration::ZERO);
        end_descendants(from);
        machine::end_strays(None, marks, Signal::Kill)?;
        ended?.ok_or_else(|| io::Error::other("it does not end"))
    }

    fn close_output(&mut self) {
        self.stop = None;
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if self.command.is_some() {
            let _ = self.end_all(&[]);
        }
    }
}

impl Keeper {
    /// Waits for something to happen; may come back for nothing.
    fn pause(&mut self, until_ms: Option<i64>) {
        let timer = self.timer.as_ref().filter(|timer| set(timer, until_ms));
        let left = until_ms.map(|until| u64::try_from(until - now()).unwrap_or(0).max(1));
        let is_deaf = self.command.is_some() && self.handle.is_none();
        let at_most = match (timer, is_deaf) {
            (_, true) => Some(left.unwrap_or(u64::MAX).min(20)),
            (Some(_), false) => None,
            // This clock stands still while the machine sleeps: look again.
            (None, false) => left.map(|left| left.min(1000)),
        };
        let mut fds = vec![PollFd::new(&self.wakes, PollFlags::IN)];
        fds.extend(timer.map(|timer| PollFd::new(timer, PollFlags::IN)));
        fds.extend(self.handle.as_ref().map(|handle| PollFd::new(handle, PollFlags::IN)));
        let woken = match poll(&mut fds, at_most.map(span).as_ref()) {
            Ok(_) => !fds[0].revents().is_empty(),
            Err(rustix::io::Errno::INTR) => false,
            Err(_) => {
                // Not to be expected, and no reason to spin.
                std::thread::sleep(Duration::from_millis(20));
                false
            }
        };
        if woken {
            let _ = self.wakes.read(&mut [0; 64]);
            self.bury();
        }
    }

    /// Waits for the orphans that have ended, lest their numbers be used up; not for
    /// the command, whose number is still needed.
    fn bury(&self) {
        use rustix::process::{WaitOptions, waitpid};
        let Some(command) = self.command.as_ref().map(Running::id) else { return };
        for orphan in machine::children().into_iter().filter(|pid| *pid != command) {
            if let Some(pid) = machine::pid_of(orphan) {
                let _ = waitpid(Some(pid), WaitOptions::NOHANG);
            }
        }
    }
}

fn span(ms: u64) -> Timespec {
    let seconds = i64::try_from(ms / 1000).unwrap_or(i64::MAX);
    Timespec { tv_sec: seconds, tv_nsec: (ms % 1000 * 1_000_000).cast_signed() }
}

fn now() -> i64 {
    use super::clock::{Clock as _, SystemClock};
    SystemClock.boot_ms()
}

#[cfg(target_os = "linux")]
fn handle_of(running: &Running) -> Option<OwnedFd> {
    use rustix::process::{PidfdFlags, pidfd_open};
    pidfd_open(running.pid()?, PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn handle_of(_: &Running) -> Option<OwnedFd> {
    None
}

#[cfg(target_os = "linux")]
fn timer() -> Option<OwnedFd> {
    use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
    timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC).ok()
}

/// Lets a timer run out at a moment, or never; false where it cannot.
#[cfg(target_os = "linux")]
fn set(timer: &OwnedFd, until_ms: Option<i64>) -> bool {
    use rustix::time::{Itimerspec, TimerfdTimerFlags, timerfd_settime};
    // All zero would be never, and the past is now.
    let at = until_ms.map_or(0, |until| u64::try_from(until).unwrap_or(0).max(1));
    let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
    let time = Itimerspec { it_interval, it_value: span(at) };
    timerfd_settime(timer, TimerfdTimerFlags::ABSTIME, &time).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn timer() -> Option<OwnedFd> {
    None
}

#[cfg(not(target_os = "linux"))]
fn set(_: &OwnedFd, _: Option<i64>) -> bool {
    false
}

/// Kills every process below us until we have no child left. The kernel is asked
/// whether there is one: a list of all processes may miss what is born while it is
/// read. Whom we may not signal, and who does not die of it, is left alone.
fn end_descendants(from: Instant) {
    let me = std::process::id();
    let (mut met, mut newest, mut in_vain) = (BTreeSet::new(), Instant::now(), 0);
    while has_children() && in_vain < 100 && newest.elapsed() < DYING && from.elapsed() < FIGHT {
        let killed = machine::kill_below(me);
        in_vain = if killed.is_empty() { in_vain + 1 } else { 0 };
        let before = met.len();
        met.extend(killed);
        if met.len() > before {
            newest = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a child lives, once those that have ended were waited for.
fn has_children() -> bool {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    loop {
        match waitid(WaitId::All, WaitIdOptions::EXITED | WaitIdOptions::NOHANG) {
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

/// The end of a pipe.
struct Printed {
    pipe: PipeReader,
    /// Hung up once nothing more is waited for.
    stopped: PipeReader,
    /// How much is still read then.
    left: Option<usize>,
}

impl Printing for Printed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut fds = vec![PollFd::new(&self.pipe, PollFlags::IN)];
            if self.left.is_none() {
                fds.push(PollFd::new(&self.stopped, PollFlags::IN));
            }
            let at_most = self.left.map(|_| span(0));
            match poll(&mut fds, at_most.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let comes = !fds[0].revents().is_empty();
            let is_stopped = fds.get(1).is_some_and(|fd| !fd.revents().is_empty());
            match self.left {
                None if is_stopped => self.left = Some(LAST),
                None if comes => return self.pipe.read(buffer),
                Some(left @ 1..) if comes => {
                    let most = left.min(buffer.len());
                    let read = self.pipe.read(&mut buffer[..most])?;
                    self.left = Some(left - read);
                    return Ok(read);
                }
                None => {}
                Some(_) => return Ok(0),
            }
        }
    }
}
