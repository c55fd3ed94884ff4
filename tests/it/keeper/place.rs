//! A folder for a command, the folder of its run, and its keeper.

use orch::store::runs::{Deadline, End, KeeperFile, Process, Record, RunDir, RunEnd, Stop};
use orch::sys::{Child, Signal, Sys};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Longer than anything takes on a machine that does much else.
const LONG: Duration = Duration::from_mins(3);

/// A run that is not begun yet.
pub struct Place {
    dir: tempfile::TempDir,
    pub sys: Sys,
    pub run: RunDir,
    pub record: Record,
}

/// A keeper that was started.
pub struct Kept<'p> {
    place: &'p Place,
    process: std::process::Child,
}

/// Waits for something, which has to come.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let clock = Sys::real().clock;
    let from = clock.boot_ms();
    while !is_so() {
        let passed = Duration::from_millis(u64::try_from(clock.boot_ms() - from).unwrap());
        assert!(passed < LONG, "waited for too long: {what}");
        std::thread::yield_now();
    }
}

impl Place {
    /// A run of a shell script. `$1` is a folder of its own, where it runs.
    pub fn of(script: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let work = dir.path().join("work");
        fs::create_dir(&work).unwrap();
        let mut argv = ["sh", "-c", script, "sh"].map(str::to_owned).to_vec();
        argv.push(work.to_str().unwrap().to_owned());
        Self::within(dir, argv)
    }

    /// A run of any program.
    pub fn of_words(words: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("work")).unwrap();
        Self::within(dir, words.iter().map(|word| (*word).to_owned()).collect())
    }

    fn within(dir: tempfile::TempDir, argv: Vec<String>) -> Self {
        let sys = Sys::real();
        let path = dir.path().join("run");
        fs::create_dir(&path).unwrap();
        let mut token = [0; 6];
        sys.entropy.fill(&mut token);
        let token = token.iter().fold(0, |token, byte| token << 8 | u64::from(*byte));
        let record = Record {
            task: "T-1".to_owned(),
            runner: "coder".to_owned(),
            actor: "WORK@coder".to_owned(),
            attempt: 1,
            // Nobody else's: by it strays are known, of tests that run beside.
            token,
            host: sys.env.host(),
            machine: sys.process.machine(),
            watch_pid: std::process::id(),
            argv,
            started_at: "2026-01-01T00:00:00.000Z".to_owned(),
            timeout_ms: 3_600_000,
            grace_ms: 600_000,
            max_log: 1 << 20,
        };
        Self { dir, run: RunDir::new(path), sys, record }
    }

    pub fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    pub fn now(&self) -> i64 {
        self.sys.clock.boot_ms()
    }

    pub fn lease(&self, at_ms: i64) {
        let deadline = Deadline { machine: self.sys.process.machine(), at_ms };
        self.run.write_deadline(&self.sys, &deadline).unwrap();
    }

    pub fn stop(&self, why: &str, kill_after: Duration) {
        let kill_after_ms = u64::try_from(kill_after.as_millis()).unwrap();
        let stop = Stop { why: why.to_owned(), kill_after_ms };
        self.run.write_stop(&self.sys, &stop).unwrap();
    }

    /// The keeper as a watch starts it, by way of a shell where one is given.
    pub fn keeper(&self, shell: Option<&str>) -> Command {
        self.run.write_record(&self.sys, &self.record).unwrap();
        let binary = env!("CARGO_BIN_EXE_orch");
        let mut command = match shell {
            Some(script) => {
                let mut command = Command::new("sh");
                command.args(["-c", script, binary]);
                command
            }
            None => Command::new(binary),
        };
        command.arg("__run").arg(self.run.path()).current_dir(self.work());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("ORCH_TASK_ID", &self.record.task);
        command.env("ORCH_LEASE_TOKEN", self.record.token.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    pub fn start(&self) -> Kept<'_> {
        Kept { place: self, process: self.keeper(None).spawn().unwrap() }
    }

    pub fn start_by(&self, shell: &str) -> Kept<'_> {
        Kept { place: self, process: self.keeper(Some(shell)).spawn().unwrap() }
    }

    /// From beginning to end.
    pub fn keep(&self) -> RunEnd {
        self.start().ends()
    }

    /// The process whose number the script wrote to a file.
    pub fn noted(&self, name: &str) -> Noted {
        let path = self.work().join(name);
        let mut pid = None;
        until(name, || {
            let text = fs::read_to_string(&path).unwrap_or_default();
            pid = text.strip_suffix('\n').and_then(|text| text.trim().parse().ok());
            pid.is_some()
        });
        let pid = pid.unwrap();
        // It lives: whoever wrote it waits for us.
        Noted { pid, start: self.sys.process.started(pid).expect("it lives") }
    }

    pub fn is_there(&self, name: &str) -> bool {
        self.work().join(name).exists()
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.run.tail(&self.sys, 1 << 20)).into_owned()
    }

    pub fn files(&self) -> Vec<String> {
        self.sys.fs.list(self.run.path()).unwrap()
    }
}

/// A process of the command's.
#[derive(Debug, Clone, Copy)]
pub struct Noted {
    pub pid: u32,
    pub start: u64,
}

impl Noted {
    pub fn is_gone(self) -> bool {
        Sys::real().process.started(self.pid) != Some(self.start)
    }
}

impl Kept<'_> {
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid().cast_signed()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// What is written of the processes, once the command was started.
    pub fn processes(&self) -> (Process, Process) {
        let mut known = None;
        until("process.json", || {
            let file = self.place.run.read_process(&self.place.sys).unwrap();
            known = file.and_then(|KeeperFile { keeper, command }| Some((keeper, command?)));
            known.is_some()
        });
        known.unwrap()
    }

    /// As a stranger sees it.
    pub fn seen(&self) -> Box<dyn Child> {
        let process = &self.place.sys.process;
        let start = process.started(self.pid()).expect("it lives");
        process.attach(self.pid(), start).unwrap().expect("it is the same")
    }

    /// Waits until it has ended by itself, with 0, and says what it wrote down.
    #[track_caller]
    pub fn ends(mut self) -> RunEnd {
        let pid = self.pid();
        if let Some(start) = self.place.sys.process.started(pid)
            && let Some(mut seen) = self.place.sys.process.attach(pid, start).unwrap()
        {
            let from = self.place.now();
            while seen.wait(LONG).unwrap().is_none() {
                assert!(self.place.now() - from < 180_000, "the keeper does not end");
            }
        }
        assert_eq!(self.process.wait().unwrap().code(), Some(0));
        let end = self.place.run.read_end(&self.place.sys).unwrap().expect("how it ended");
        assert_eq!(end.token, self.place.record.token);
        end
    }

    /// Kills the keeper, and nothing else.
    pub fn die(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub fn exit_number(mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }
}

/// Nothing of a test that failed is left running.
impl Drop for Place {
    fn drop(&mut self) {
        let token = self.record.token.to_string();
        let marks = [("ORCH_TASK_ID", "T-1"), ("ORCH_LEASE_TOKEN", token.as_str())];
        let _ = self.sys.process.end_strays(None, &marks, Signal::Kill);
    }
}

/// Why it was not started.
#[track_caller]
pub fn not_started(end: RunEnd) -> String {
    match end.end {
        End::NotStarted(why) => why,
        other => panic!("it was started: {other:?}"),
    }
}

/// A line of a file of /proc that begins so.
pub fn status(pid: u32, name: &str) -> String {
    let status = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status"));
    let status = status.unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_default().trim().to_owned()
}
