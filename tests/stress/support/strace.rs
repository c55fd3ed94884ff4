//! Faults put into the calls of a real process by strace.

use std::collections::BTreeMap;
use std::fs;

use super::ground::{Ground, Ran};
use super::{has, scale};

/// Calls that change something, wait for something or give something back.
/// Reading is there as well: a kill may come at any time.
const NAMES: &str = "openat,read,write,pwrite64,writev,fsync,fdatasync,sync_file_range,rename,\
    renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,flock,\
    fcntl,fchmod,fchmodat,chmod,fchown,fchownat,ftruncate,fallocate,copy_file_range,sendfile,\
    utimensat,close,statx,newfstatat,getdents64,lseek,getrandom,ioctl,fsetxattr";

/// Whether strace may do its work here; if not, says so for the test.
pub fn works(test: &str) -> bool {
    has(test, "strace", &["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "true"])
}

/// One call of a command: the n-th of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    pub name: String,
    pub nth: usize,
    pub line: String,
}

impl Point {
    /// Whether the call may change a file, a name or a lock.
    pub fn changes(&self) -> bool {
        match self.name.as_str() {
            "openat" => ["O_CREAT", "O_WRONLY", "O_RDWR"].iter().any(|f| self.line.contains(f)),
            "read" | "close" | "statx" | "newfstatat" | "getdents64" | "lseek" | "getrandom"
            | "ioctl" | "fcntl" => false,
            _ => true,
        }
    }
}

/// Runs a line under strace and gives its log.
pub fn traced(ground: &Ground, options: &[&str], line: &str) -> (Ran, String) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let path = log.path().to_str().unwrap();
    let tool: Vec<&str> =
        ["strace", "-f", "-qq", "-o", path].iter().chain(options).copied().collect();
    let ran = ground.under(&tool, line);
    (ran, String::from_utf8_lossy(&fs::read(log.path()).unwrap()).into_owned())
}

/// The calls of a line in order, from the first that looks at the workspace,
/// and how often each name is called in all. Runs on a copy.
pub fn calls(ground: &Ground, line: &str) -> (Vec<Point>, BTreeMap<String, usize>) {
    let copy = ground.copy();
    let trace = format!("trace={NAMES}");
    let (_, log) = traced(&copy, &["-e", "signal=none", "-e", &trace], line);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let (mut points, mut begun) = (Vec::new(), false);
    let root = copy.root().to_str().unwrap();
    // Programs that the command starts are not under test, and `when=` counts the
    // calls of each process by itself.
    let ours = log.split(' ').next().unwrap();
    for line in log.lines().filter(|line| line.split(' ').next() == Some(ours)) {
        let call = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        let Some((name, _)) = call.split_once('(') else { continue };
        let nth = counts.entry(name.to_owned()).or_default();
        *nth += 1;
        begun |= line.contains(root);
        if begun {
            points.push(Point { name: name.to_owned(), nth: *nth, line: line.to_owned() });
        }
    }
    assert!(points.len() > 20, "strace sees what the command does: {log}");
    (points, counts)
}

/// Those of them that this run's size allows: all that change something; of the
/// others, that make no difference to what is on the disk, every `step`-th.
pub fn sample(points: Vec<Point>, step: usize) -> Vec<Point> {
    let step = (step / scale()).max(1);
    let mut n = 0;
    points
        .into_iter()
        .filter(|point| {
            n += usize::from(!point.changes());
            point.changes() || n % step == 0
        })
        .collect()
}

/// Runs a line that is killed as it enters the n-th call of a name; false where
/// it makes no such call. A program that it starts and that makes as many is
/// killed there too: the command then goes on by itself, which is no death of it.
pub fn killed(ground: &Ground, name: &str, nth: usize, line: &str) -> bool {
    let (trace, inject) =
        (format!("trace={name}"), format!("inject={name}:signal=SIGKILL:when={nth}"));
    let (ran, log) = traced(ground, &["-e", &trace, "-e", &inject], line);
    let dead = ran.exit == 137;
    assert!(!dead || log.contains("killed by SIGKILL"), "{ran:?}\n{log}");
    dead
}

/// Runs a line whose n-th call of a name (`3`, or `3+` for it and all after it)
/// ends so: `error=EIO`, `retval=0`. None where it makes no such call; else how
/// it ended, with strace's log.
pub fn faulted(
    ground: &Ground,
    name: &str,
    when: &str,
    fault: &str,
    line: &str,
) -> Option<(Ran, String)> {
    let trace = format!("trace={name},fsync,fdatasync");
    let inject = format!("inject={name}:{fault}:when={when}");
    let (ran, log) = traced(ground, &["--seccomp-bpf", "-e", &trace, "-e", &inject], line);
    log.contains("(INJECTED)").then_some((ran, log))
}
