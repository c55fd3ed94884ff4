//! Running programs: the one under test, its references, and counting both.

use anyhow::{Context as _, Result, bail};
use std::ffi::OsString;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The program under test: `$ORCH_BENCH_BIN`, else the one that cargo built for
/// the bench. The latter is linked with the features that test libraries ask of
/// shared ones; only the former is what `cargo build --release` gives.
pub fn program() -> OsString {
    std::env::var_os("ORCH_BENCH_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_orch").into())
}

/// It, in a folder, without the caller's own settings.
pub fn orch(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.current_dir(dir).args(args);
    without_our_variables(&mut command);
    command
}

fn without_our_variables(command: &mut Command) {
    for name in ["ORCH_ROOT", "ORCH_ACTOR", "ORCH_TASK_ID", "ORCH_LEASE_TOKEN"] {
        command.env_remove(name);
    }
    // Cargo's, for test programs; the dynamic linker searches it on each start.
    command.env_remove("LD_LIBRARY_PATH");
}

/// Whether a program is installed.
pub fn is_installed(program: &str) -> bool {
    let probe = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    probe.is_ok_and(|out| out.status.success())
}

/// Makes a database of the same tasks.
pub fn database(path: &Path, rows: usize) -> Result<()> {
    let mut child = Command::new("sqlite3").arg(path).stdin(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().context("sqlite3 has no stdin")?;
    stdin.write_all(crate::ledgers::sql(rows).as_bytes())?;
    drop(stdin);
    if child.wait()?.success() { Ok(()) } else { bail!("sqlite3 made no database") }
}

/// How many instructions a command takes in user space.
pub fn instructions(command: &Command) -> Result<u64> {
    let mut counted = Command::new("valgrind");
    counted.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    counted.arg(command.get_program()).args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        counted.current_dir(dir);
    }
    without_our_variables(&mut counted);
    let out = counted.stdin(Stdio::null()).stdout(Stdio::null()).output()?;
    let told = String::from_utf8_lossy(&out.stderr);
    let count = told.split("Collected :").nth(1).and_then(|rest| rest.split_whitespace().next());
    match (count, out.status.success()) {
        (Some(count), true) => Ok(count.parse()?),
        _ => bail!("valgrind {command:?}: {told}"),
    }
}

/// How long a command takes, its start included; its output goes nowhere.
pub fn time(command: &mut Command) -> Result<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let start = Instant::now();
    let out = command.output()?;
    let took = start.elapsed();
    if out.status.success() {
        return Ok(took);
    }
    bail!("{command:?}: {}", String::from_utf8_lossy(&out.stderr))
}

/// The processor time that all children waited for have used so far, in the
/// kernel's ticks of 10 ms: good only over many children.
pub fn children_cpu() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // proc(5): fields 16 and 17; the second, a name in brackets, may hold blanks.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks: u64 = fields.get(13)?.parse::<u64>().ok()? + fields.get(14)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(10 * ticks))
}

/// The peak memory of a command in bytes, and how much it wrote. The kernel
/// forgets it when the command ends, so it is asked while the command waits for
/// its output to be read.
pub fn peak_memory(command: &mut Command) -> Result<(u64, u64)> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let mut out = child.stdout.take().context("a command without stdout")?;
    let mut buffer = vec![0; 16 * 1024];
    let (mut peak, mut written) = (0, 0);
    loop {
        peak = resident_peak(&child).unwrap_or(0).max(peak);
        match out.read(&mut buffer)? {
            0 => break,
            n => written += n as u64,
        }
    }
    if !child.wait()?.success() || peak == 0 {
        bail!("the peak memory of {command:?} could not be read");
    }
    Ok((peak, written))
}

fn resident_peak(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}
