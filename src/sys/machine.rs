//! Processes of this machine that others started: who they are, and signals to
//! them.
//!
//! Lives here: what the system's table says of a process, and finding those of
//! one run. Not here: programs that we start (`sys::process`). Invariant: a
//! signal is sent only to a process whose start, or whose variables, were
//! looked at while a handle of it was held; where a number is somebody else's
//! by now nothing is sent.
//!
//! A number alone names a process only as long as it lives; the next one may get
//! it. A number and the time when it started name it for as long as the machine
//! runs. Only Linux has a table that says so; elsewhere nobody is known.
#![allow(clippy::disallowed_methods, reason = "this is where the table of processes is read")]

use super::process::{Child, Ended, Signal};
use rustix::process::{Pid, Signal as Raw};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

/// A process, as the table has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) group: u32,
    /// Clock ticks since boot.
    pub(super) start: u64,
    /// Whether it has ended and is only not waited for yet.
    pub(super) is_over: bool,
}

/// Where numbers of processes mean the same.
pub(super) fn name() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    let space = std::fs::read_link("/proc/self/ns/pid");
    let host = || rustix::system::uname().nodename().to_string_lossy().into_owned();
    match (boot, space) {
        (Ok(boot), Ok(space)) => format!("{}/{}", boot.trim(), space.display()),
        (Ok(boot), Err(_)) => format!("{}/{}", boot.trim(), host()),
        _ => host(),
    }
}

/// One process.
pub(super) fn look(pid: u32) -> Option<Seen> {
    read(pid, &std::fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Every process.
pub(super) fn all() -> Vec<Seen> {
    numbers().into_iter().filter_map(look).collect()
}

/// Our own children.
pub(super) fn children() -> Vec<u32> {
    // One file a thread says it, where the kernel was built so.
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let said = threads.map(|thread| std::fs::read_to_string(thread.path().join("children")));
    if let Ok(said) = said.collect::<io::Result<String>>() {
        return said.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    }
    let me = std::process::id();
    all().into_iter().filter(|seen| seen.parent == me).map(|seen| seen.pid).collect()
}

fn numbers() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// `pid (name) state parent group …`, the start being the 22nd: proc(5). The
/// name may hold anything, a `)` too.
fn read(pid: u32, stat: &[u8]) -> Option<Seen> {
    let after = memchr::memrchr(b')', stat)?;
    let fields: Vec<_> = std::str::from_utf8(&stat[after + 1..]).ok()?.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some(Seen {
        pid,
        parent: u32::try_from(number(1)?).ok()?,
        group: u32::try_from(number(2)?).ok()?,
        start: number(19)?,
        is_over: matches!(*fields.first()?, "Z" | "X" | "x"),
    })
}

/// A process as the system keeps it.
pub(super) fn pid_of(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

/// Whether a process has all of these variables, as it was started.
fn has_marks(pid: u32, marks: &[(&str, &str)]) -> bool {
    let Ok(given) = std::fs::read(format!("/proc/{pid}/environ")) else { return false };
    let has = |(name, value): &(&str, &str)| {
        let mut variables = given.split(|byte| *byte == 0);
        variables.any(|v| v.strip_prefix(name.as_bytes()) == Some(format!("={value}").as_bytes()))
    };
    !marks.is_empty() && marks.iter().all(has)
}

/// Sends a signal to a process if it still is what it was taken for.
#[cfg(target_os = "linux")]
fn send(pid: u32, signal: Signal, is_it: &dyn Fn() -> bool) -> bool {
    use rustix::process::{PidfdFlags, kill_process, pidfd_open, pidfd_send_signal};
    let Some(number) = pid_of(pid).filter(|_| is_it()) else { return false };
    match pidfd_open(number, PidfdFlags::empty()) {
        // Once more: the handle is of whoever has the number now.
        Ok(handle) => is_it() && pidfd_send_signal(&handle, signal.raw()).is_ok(),
        Err(rustix::io::Errno::SRCH) => false,
        // No handle left, or a kernel without them.
        Err(_) => kill_process(number, signal.raw()).is_ok(),
    }
}

#[cfg(not(target_os = "linux"))]
fn send(pid: u32, signal: Signal, is_it: &dyn Fn() -> bool) -> bool {
    let number = pid_of(pid).filter(|_| is_it());
    number.is_some_and(|pid| rustix::process::kill_process(pid, signal.raw()).is_ok())
}

/// Sends a signal to a process that was seen, if it still is that one.
pub(super) fn send_to(seen: &Seen, signal: Signal) -> bool {
    send(seen.pid, signal, &|| {
        look(seen.pid).is_some_and(|now| now.start == seen.start && !now.is_over)
    })
}

/// Kills every process below one, and says whom. A group all of which is below is
/// killed at once, with those who are being born in it: whoever multiplies is
/// quicker than we are one by one.
pub(super) fn kill_below(top: u32) -> Vec<(u32, u64)> {
    let table = all();
    let mut children: BTreeMap<u32, Vec<&Seen>> = BTreeMap::new();
    for seen in &table {
        children.entry(seen.parent).or_default().push(seen);
    }
    let mut below = BTreeMap::new();
    let mut parents = vec![top];
    while let Some(parent) = parents.pop() {
        for child in children.remove(&parent).into_iter().flatten().filter(|c| c.pid != top) {
            parents.push(child.pid);
            below.insert(child.pid, child);
        }
    }
    let others = table.iter().filter(|seen| !below.contains_key(&seen.pid));
    let strange: BTreeSet<u32> = others.map(|seen| seen.group).collect();
    let (mut groups, mut killed) = (BTreeSet::new(), Vec::new());
    for seen in below.values().filter(|seen| !seen.is_over) {
        let is_killed = if strange.contains(&seen.group) || seen.group == 0 {
            send_to(seen, Signal::Kill)
        } else {
            groups.contains(&seen.group) || (kill_group_of(seen) && groups.insert(seen.group))
        };
        if is_killed {
            killed.push((seen.pid, seen.start));
        }
    }
    killed
}

/// Kills the group of a process, if that is in it still: as long as it is, nobody
/// else has the group's number.
fn kill_group_of(seen: &Seen) -> bool {
    let is_it =
        look(seen.pid).is_some_and(|now| (now.start, now.group) == (seen.start, seen.group));
    let group = pid_of(seen.group).filter(|_| is_it);
    group.is_some_and(|group| rustix::process::kill_process_group(group, Raw::KILL).is_ok())
}

/// See [`super::Process::end_strays`].
pub(super) fn end_strays(
    group: Option<(u32, u64)>,
    marks: &[(&str, &str)],
    signal: Signal,
) -> io::Result<usize> {
    let me = std::process::id();
    let mut met = BTreeSet::new();
    if let Some((leader, start)) = group.filter(|(leader, _)| *leader != me) {
        // One that nobody waited for yet still keeps the number for its group.
        let is_it = |seen: &Seen| seen.start == start && seen.group == leader;
        if let Some(pid) = pid_of(leader).filter(|_| look(leader).as_ref().is_some_and(is_it)) {
            let members = all().into_iter().filter(|seen| seen.group == leader && !seen.is_over);
            met.extend(members.map(|seen| seen.pid));
            match rustix::process::kill_process_group(pid, signal.raw()) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    // What was starting another one while we looked is met the next time; one
    // that is only asked to end has been asked.
    for _ in 0..if signal == Signal::Kill { 8 } else { 1 } {
        let is_left = |pid: &u32| *pid != me && look(*pid).is_some_and(|seen| !seen.is_over);
        let asked = |pid: &u32| signal != Signal::Kill && met.contains(pid);
        let sent: Vec<_> = numbers()
            .into_iter()
            .filter(|pid| is_left(pid) && !asked(pid))
            .filter(|pid| send(*pid, signal, &|| has_marks(*pid, marks)))
            .collect();
        if sent.is_empty() {
            break;
        }
        met.extend(sent);
        if signal == Signal::Kill {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    Ok(met.len())
}

/// See [`super::Process::attach`].
#[cfg(target_os = "linux")]
pub(super) fn attach(pid: u32, start: u64) -> io::Result<Option<Box<dyn Child>>> {
    use rustix::process::{PidfdFlags, pidfd_open};
    let Some(number) = pid_of(pid) else { return Ok(None) };
    let handle = match pidfd_open(number, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(rustix::io::Errno::SRCH) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // Looked at with the handle in hand: it is of whoever has the number now.
    let is_it = look(pid).is_some_and(|seen| seen.start == start && !seen.is_over);
    Ok(is_it.then(|| Box::new(Attached { pid, handle, is_gone: false }) as Box<dyn Child>))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn attach(_: u32, _: u64) -> io::Result<Option<Box<dyn Child>>> {
    Ok(None)
}

/// A process of somebody else's, by its handle.
#[cfg(target_os = "linux")]
struct Attached {
    pid: u32,
    handle: rustix::fd::OwnedFd,
    is_gone: bool,
}

#[cfg(target_os = "linux")]
impl Child for Attached {
    fn id(&self) -> u32 {
        self.pid
    }

    fn wait(&mut self, at_most: Duration) -> io::Result<Option<Ended>> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        if !self.is_gone {
            let time = Timespec {
                tv_sec: i64::try_from(at_most.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: at_most.subsec_nanos().into(),
            };
            match poll(&mut [PollFd::new(&self.handle, PollFlags::IN)], Some(&time)) {
                Ok(ready) => self.is_gone = ready > 0,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.is_gone.then_some(Ended::Code(0)))
    }

    fn signal(&mut self, signal: Signal) -> io::Result<()> {
        match rustix::process::pidfd_send_signal(&self.handle, signal.raw()) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;
    use crate::sys::process::System;
    use crate::sys::{Process as _, Program};

    fn start(script: &str, env: &[(&str, &str)]) -> Box<dyn Child> {
        let env = env.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let argv = ["sh", "-c", script].map(Into::into).to_vec();
        System.spawn(&Program { argv, env, own_group: true }).unwrap()
    }

    fn end(child: &mut dyn Child) -> Ended {
        loop {
            if let Some(ended) = child.wait(Duration::from_mins(1)).unwrap() {
                return ended;
            }
        }
    }

    /// Unlike any other test's, and any other process's.
    fn mark() -> String {
        format!("{}-{:?}", std::process::id(), std::thread::current().id())
    }

    #[test]
    fn a_line_of_the_table_is_read_whatever_the_name_is() {
        let line = b"7 (a) Z 9 ) (b) S 3 5 5 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 123 9 9 9\n";
        let seen = Seen { pid: 7, parent: 3, group: 5, start: 123, is_over: false };
        assert_eq!(read(7, line), Some(seen));
        assert_eq!(read(7, b"7 (sh) S 3"), None);
        assert_eq!(read(7, b""), None);
    }

    #[test]
    fn a_process_is_known_while_it_lives() {
        let me = std::process::id();
        assert!(System.started(me).is_some());
        assert_eq!(System.machine(), System.machine());
        assert!(System.machine().contains("/pid:["), "{}", System.machine());
        let mut child = start("exec sleep 600", &[]);
        let pid = child.id();
        let began = System.started(pid).unwrap();
        assert!(began >= System.started(me).unwrap());
        child.signal(Signal::Kill).unwrap();
        // Ended, and not waited for: nobody to speak of.
        while System.started(pid).is_some() {
            std::thread::yield_now();
        }
        end(&mut *child);
        assert_eq!(System.started(pid), None);
    }

    #[test]
    fn who_started_at_another_time_is_somebody_else() {
        let mut child = start("exec sleep 600", &[]);
        let (pid, began) = (child.id(), System.started(child.id()).unwrap());
        assert!(System.attach(pid, began + 1).unwrap().is_none());
        let sent = System.end_strays(Some((pid, began + 1)), &[], Signal::Kill).unwrap();
        assert_eq!((sent, child.wait(Duration::ZERO).unwrap()), (0, None));
        let mut attached = System.attach(pid, began).unwrap().unwrap();
        assert_eq!((attached.id(), attached.wait(Duration::ZERO).unwrap()), (pid, None));
        attached.signal(Signal::Terminate).unwrap();
        assert_eq!(end(&mut *attached), Ended::Code(0));
        assert_eq!(end(&mut *child), Ended::Signal(15));
        attached.signal(Signal::Kill).unwrap();
        assert!(System.attach(pid, began).unwrap().is_none());
    }

    #[test]
    fn strays_are_met_by_their_group_and_by_all_of_their_marks() {
        let run = mark();
        let marks = [("ORCH_TEST_RUN", &*run), ("ORCH_TEST_NO", "7")];
        let mut near = start("sleep 600 & wait", &[]);
        let mut far = start("exec sleep 600", &marks);
        let half = [marks[0], ("ORCH_TEST_NO", "70")];
        let mut other = start("exec sleep 600", &half);
        let began = System.started(near.id()).unwrap();
        // A shell passes through without its own variables.
        let is_there = |pid| has_marks(pid, &marks);
        while !is_there(far.id()) {
            std::thread::yield_now();
        }
        let met = System.end_strays(Some((near.id(), began)), &marks, Signal::Kill).unwrap();
        assert!((2..=3).contains(&met), "{met}");
        assert_eq!(end(&mut *near), Ended::Signal(9));
        assert_eq!(end(&mut *far), Ended::Signal(9));
        assert_eq!(other.wait(Duration::ZERO).unwrap(), None);
        other.signal(Signal::Kill).unwrap();
        end(&mut *other);
        assert_eq!(System.end_strays(None, &[], Signal::Kill).unwrap(), 0, "no mark is nobody's");
    }

    #[test]
    fn all_that_is_below_is_killed_and_what_is_above_is_not() {
        let mut top = start("setsid sleep 600 & sleep 600 & wait; exit 3", &[]);
        let mut other = start("exec sleep 600", &[]);
        assert!(children().contains(&top.id()) && children().contains(&other.id()));
        let below = || all().iter().filter(|seen| seen.parent == top.id()).count();
        while below() < 2 {
            std::thread::yield_now();
        }
        assert_eq!(kill_below(top.id()).len(), 2);
        assert_eq!(end(&mut *top), Ended::Code(3));
        assert_eq!(other.wait(Duration::ZERO).unwrap(), None);
        other.signal(Signal::Kill).unwrap();
        end(&mut *other);
    }

    #[test]
    fn our_own_program_starts_with_nothing_of_ours() {
        let dir = std::env::temp_dir();
        let own = crate::sys::Own { args: vec!["--list".into()], env: Vec::new(), dir };
        let mut child = System.spawn_self(&own).unwrap();
        assert_eq!(end(&mut *child), Ended::Code(0));
        let nowhere = crate::sys::Own { dir: "/no/such/folder".into(), ..own };
        assert!(System.spawn_self(&nowhere).is_err());
    }
}
