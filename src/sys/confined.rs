//! A program that is run to its end, in a limited time, and leaves nothing
//! running.
//!
//! Lives here: [`Installed`](super::Installed)'s way to do so. Not here: which
//! program and in which folder (`services::decide`), programs that a person
//! talks to (`sys::process`). Invariant: when this returns, the program, its
//! process group, and whatever else still knows its folder were sent SIGKILL or
//! had ended; whoever keeps the output open does not hold us up.
//!
//! ```text
//!   spawn, own group ──▶ ended by itself ──────────────┐
//!        │ limit, or we are stopped                    ▼
//!        └─▶ SIGTERM ──▶ grace ──▶ SIGKILL ──▶ the group, the strays ──▶ reap
//! ```
#![allow(clippy::disallowed_methods, reason = "this is where programs and clocks are touched")]

use super::process::{Child as _, Ended, Running, Signal};
use std::collections::VecDeque;
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What to run, and how.
#[derive(Debug, Clone)]
pub struct Confined {
    /// The program, looked for in `$PATH` unless it has a `/`, else from its
    /// working directory; and its arguments.
    pub argv: Vec<String>,
    /// Its working directory.
    pub dir: PathBuf,
    /// A folder of this run alone, whose path no other process knows: by it
    /// those are found that left the group.
    pub within: PathBuf,
    /// Variables beside those of ours that it keeps.
    pub env: Vec<(String, String)>,
    /// Whether it gets one of our variables, by name and value.
    pub keeps: fn(&str, &str) -> bool,
    /// How long it may take.
    pub limit: Duration,
    /// How long it has to end when it is asked to.
    pub grace: Duration,
    /// How many of the last bytes of its output are kept.
    pub tail: usize,
}

/// How it came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// By itself.
    Ended(Ended),
    /// It took too long.
    TimedOut,
    /// We were asked to end.
    Stopped,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// How it ended.
    pub finish: Finish,
    /// How long it took.
    pub took: Duration,
    /// The last bytes that it wrote, to either stream.
    pub tail: Vec<u8>,
    /// Whether there was more.
    pub is_cut: bool,
}

/// How often we look whether we are to stop.
const LOOK: Duration = Duration::from_millis(100);
/// How long the last of the output may take to arrive.
const DRAIN: Duration = Duration::from_millis(500);

pub(super) fn run(run: &Confined, is_stopped: &dyn Fn() -> bool) -> io::Result<Ran> {
    let [name, arguments @ ..] = &run.argv[..] else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no program is named"));
    };
    let (reader, writer) = io::pipe()?;
    // From the folder where it runs: whether a relative name is looked for there
    // or where we are, systems do not agree.
    let name = if name.contains('/') { run.dir.join(name) } else { name.into() };
    let mut command = Command::new(name);
    command.args(arguments).current_dir(&run.dir).process_group(0);
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    for (name, value) in std::env::vars_os() {
        if !(run.keeps)(&name.to_string_lossy(), &value.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    command.envs(run.env.iter().map(|(name, value)| (name, value)));
    let from = Instant::now();
    let mut child = Running::leading(command.spawn()?);
    // Its ends of the pipe are the command's: only children hold them now.
    drop(command);
    let output = Output::collect(reader, run.tail);
    let finish = follow(run, &mut child, from, is_stopped);
    // Before it is reaped: until then nothing else can have its number.
    let _ = child.signal(Signal::Kill);
    end_strays(&run.within);
    let ended = loop {
        if let Some(ended) = child.wait(LOOK)? {
            break ended;
        }
    };
    let took = from.elapsed();
    let (tail, is_cut) = output.take();
    Ok(Ran { finish: finish.unwrap_or(Finish::Ended(ended)), took, tail, is_cut })
}

/// Waits until it ended by itself (`None`), or ends it.
fn follow(
    run: &Confined,
    child: &mut Running,
    from: Instant,
    is_stopped: &dyn Fn() -> bool,
) -> Option<Finish> {
    let why = loop {
        if child.has_ended() {
            return None;
        }
        if is_stopped() {
            break Finish::Stopped;
        }
        let left = run.limit.saturating_sub(from.elapsed());
        if left.is_zero() {
            break Finish::TimedOut;
        }
        let _ = child.pause(left.min(LOOK));
    };
    let _ = child.signal(Signal::Terminate);
    let asked = Instant::now();
    while !child.has_ended() && asked.elapsed() < run.grace {
        let _ = child.pause(run.grace.saturating_sub(asked.elapsed()).min(LOOK));
    }
    Some(why)
}

/// The last bytes of a pipe, read as they come.
struct Output {
    last: Arc<Mutex<(VecDeque<u8>, u64)>>,
    done: Receiver<()>,
}

impl Output {
    fn collect(mut pipe: io::PipeReader, tail: usize) -> Self {
        let last = Arc::new(Mutex::new((VecDeque::new(), 0)));
        let (tell, done) = channel();
        let into = last.clone();
        // Left alone where somebody keeps the pipe open: it ends with them.
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(read @ 1..) = pipe.read(&mut buffer) {
                let (bytes, total) = &mut *into.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.extend(&buffer[..read]);
                *total += read as u64;
                let excess = bytes.len().saturating_sub(tail);
                bytes.drain(..excess);
            }
            let _ = tell.send(());
        });
        Self { last, done }
    }

    fn take(self) -> (Vec<u8>, bool) {
        let _ = self.done.recv_timeout(DRAIN);
        let (bytes, total) = &mut *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = std::mem::take(bytes).into();
        let is_cut = *total > bytes.len() as u64;
        (bytes, is_cut)
    }
}

/// Ends the processes that left the group, as far as they can be known: those
/// that work in the folder or have its path among their variables.
#[cfg(target_os = "linux")]
fn end_strays(within: &Path) {
    use rustix::process::{Pid, PidfdFlags, Signal as Raw, pidfd_open, pidfd_send_signal};
    // What was starting another one while we looked is met the next time.
    for _ in 0..8 {
        let mut sent = false;
        for pid in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let number = pid.file_name().to_str().and_then(|name| name.parse().ok());
            let Some(pid) = number.filter(|n| *n != std::process::id().cast_signed()) else {
                continue;
            };
            if !knows(pid, within) {
                continue;
            }
            let Some(Ok(handle)) = Pid::from_raw(pid).map(|p| pidfd_open(p, PidfdFlags::empty()))
            else {
                continue;
            };
            // Once more: the handle is of whoever has the number now.
            if knows(pid, within) {
                sent |= pidfd_send_signal(&handle, Raw::KILL).is_ok();
            }
        }
        if !sent {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(not(target_os = "linux"))]
fn end_strays(_: &Path) {}

/// Whether a process that is no zombie works in a folder or was given its path.
#[cfg(target_os = "linux")]
fn knows(pid: i32, within: &Path) -> bool {
    let works_there =
        || std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(within));
    let path = within.as_os_str().as_encoded_bytes();
    let was_given = || {
        std::fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|environ| memchr::memmem::find(&environ, path).is_some())
    };
    works_there() || was_given()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confined(dir: &Path, script: &str) -> Confined {
        let within = dir.to_owned();
        Confined {
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            dir: within.clone(),
            env: vec![("TMPDIR".to_owned(), within.display().to_string())],
            within,
            keeps: |name, _| name == "PATH",
            limit: Duration::from_mins(1),
            grace: Duration::from_secs(30),
            tail: 1000,
        }
    }

    fn go(script: &str) -> Ran {
        let dir = tempfile::tempdir().unwrap();
        run(&confined(dir.path(), script), &|| false).unwrap()
    }

    #[test]
    fn it_has_its_folder_its_variables_and_no_input() {
        let dir = tempfile::tempdir().unwrap();
        let script = "pwd; echo $TMPDIR; read x || echo eof; echo a >&2; echo \"[$HOME]\"; exit 3";
        let ran = run(&confined(dir.path(), script), &|| false).unwrap();
        let path = dir.path().canonicalize().unwrap().display().to_string();
        let given = dir.path().display();
        assert_eq!(ran.finish, Finish::Ended(Ended::Code(3)));
        assert_eq!(String::from_utf8_lossy(&ran.tail), format!("{path}\n{given}\neof\na\n[]\n"));
        assert!(!ran.is_cut);
    }

    #[test]
    fn only_the_last_of_much_output_is_kept() {
        let ran = go("yes 12345678 | head -n 100000; echo end");
        assert_eq!((ran.tail.len(), ran.is_cut), (1000, true));
        assert!(ran.tail.ends_with(b"12345678\nend\n"));
    }

    #[test]
    fn what_takes_too_long_is_asked_and_then_ended() {
        let dir = tempfile::tempdir().unwrap();
        let asked = "trap 'echo asked; exit 9' TERM; : >ready; sleep 600 & wait";
        let is_ready = || dir.path().join("ready").exists();
        let ran = run(&confined(dir.path(), asked), &is_ready).unwrap();
        assert_eq!((ran.finish, &ran.tail[..]), (Finish::Stopped, &b"asked\n"[..]));
        let deaf = "trap '' TERM; while :; do sleep 600; done";
        let (limit, grace) = (Duration::from_millis(50), Duration::from_millis(50));
        let deaf = Confined { limit, grace, ..confined(dir.path(), deaf) };
        let ran = run(&deaf, &|| false).unwrap();
        assert!(ran.finish == Finish::TimedOut && ran.took < Duration::from_secs(30));
    }

    /// The number that a script wrote, once the process is gone or a zombie.
    #[cfg(target_os = "linux")]
    fn is_gone(tail: &[u8]) -> bool {
        let pid = String::from_utf8_lossy(tail).trim().to_owned();
        assert!(pid.parse::<u32>().is_ok(), "{pid}");
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        state.is_empty() || state.contains(") Z ")
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn nothing_goes_on_behind_it() {
        // In the group; out of it; out of it and elsewhere; without variables.
        for script in [
            "sleep 600 & echo $!",
            "setsid sh -c 'echo $$; : >ready; exec sleep 600' & read x <ready; exit 0",
            "setsid sh -c 'cd /; echo $$; : >$TMPDIR/ready; exec sleep 600' & read x <ready; exit 0",
            "setsid env -i \"$(command -v sh)\" -c 'echo $$; : >ready; exec /bin/sleep 600' & read x <ready; exit 0",
        ] {
            // Whoever reads from the pipe waits for somebody to open it.
            let ran = go(&format!("mkfifo ready; {script}"));
            assert_eq!(ran.finish, Finish::Ended(Ended::Code(0)), "{script}");
            assert!(ran.took < Duration::from_mins(1), "{script}");
            let (tail, mut looks) = (ran.tail, 0);
            while !is_gone(&tail) {
                looks += 1;
                assert!(looks < 10_000, "{script} left something running");
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn a_relative_name_is_that_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/bin/true", dir.path().join("own")).unwrap();
        for (name, is_there) in [("./own", true), ("./other", false), ("/bin/true", true)] {
            let named = Confined { argv: vec![name.into()], ..confined(dir.path(), "") };
            assert_eq!(run(&named, &|| false).is_ok(), is_there, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_started_says_why() {
        let dir = tempfile::tempdir().unwrap();
        let missing = Confined { argv: vec!["./no".into()], ..confined(dir.path(), "") };
        let kind = run(&missing, &|| false).err().map(|e| e.kind());
        assert_eq!(kind, Some(io::ErrorKind::NotFound));
        let none = Confined { argv: Vec::new(), ..missing };
        assert!(run(&none, &|| false).is_err());
    }
}
