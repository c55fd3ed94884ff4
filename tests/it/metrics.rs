//! What a watch shows over HTTP, and that another process says the same.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const TASKS: &str = "\
| task_id | title | state | owner | lock | lock_owner | lock_expires_at | due | artifact | notes |
|---|---|---|---|---|---|---|---|---|---|
| T-1 | Works | READY | - | - | - | - | - | - | - |
| T-2 | Fails | READY | - | - | - | - | 2020-01-01 | - | - |
";
const SETTINGS: &str = "\
watch:
  poll: 100ms
  runners:
    - {name: works, match: {id: T-1}, run: ['true']}
    - {name: fails, match: {id: T-2}, run: ['false'], retries: {max: 0}}
";

fn orch(root: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orch"));
    command.args(words).current_dir(root).env_clear().env("TZ", "UTC").stdin(Stdio::null());
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The body of an answer with this status.
fn get(address: &str, path: &str, status: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    body.to_owned()
}

/// The figures that ledgers, journal and alerts alone say.
fn shared(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.contains("orch_transaction_duration_seconds")).collect()
}

/// A watch, which is ended when dropped.
struct Watch(Child);

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_watch_shows_what_another_process_says() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    fs::create_dir_all(root.join("ORCH/STATE")).unwrap();
    fs::write(root.join("ORCH/STATE/TASKS.md"), TASKS).unwrap();
    fs::write(root.join("ORCH/orch.yaml"), SETTINGS).unwrap();
    let mut child = orch(root, &["watch", "--metrics", "127.0.0.1:0", "--json"]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let watch = Watch(child);
    let first = lines.next().unwrap().unwrap();
    let (_, rest) = first.split_once("http://").unwrap();
    let address = rest.split('/').next().unwrap();
    // Until both runs ended and what follows from them was told.
    let mut left = vec!["\"result\":\"ok\"", "T-2` (Fails) was due", "attempts of the runner"];
    while !left.is_empty() {
        let line = lines.next().unwrap().unwrap();
        left.retain(|part| !line.contains(part));
    }
    let says = || {
        let output = orch(root, &["metrics"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    // The last line is told before what is shown counts it.
    let (mut shown, mut said) = (get(address, "/metrics", "200"), says());
    let mut looks = 0;
    while shared(&shown) != shared(&said) {
        looks += 1;
        assert!(looks < 1000, "{shown}\n{said}");
        (shown, said) = (get(address, "/metrics", "200"), says());
    }
    for figure in [
        "orch_runs_total{runner=\"works\",result=\"ok\"} 1",
        "orch_runs_total{runner=\"fails\",result=\"failed\"} 1",
        "orch_tasks{state=\"REVIEW\"} 1",
        "orch_tasks{state=\"FIX\"} 1",
        "orch_alerts_total{kind=\"overdue\",severity=\"warning\"} 1",
        "orch_alerts_total{kind=\"run_failed\",severity=\"error\"} 1",
    ] {
        assert!(shared(&said).contains(&figure), "{figure}: {said}");
    }
    let count = "orch_transaction_duration_seconds_count ";
    let transactions = shown.lines().find_map(|line| line.strip_prefix(count)).unwrap();
    assert!(transactions.parse::<u32>().unwrap() >= 4, "{shown}");
    let health: serde_json::Value = serde_json::from_str(&get(address, "/health", "200")).unwrap();
    assert_eq!(health["status"], "degraded", "an attempt was used up: {health}");
    assert_eq!(health["reasons"][0], "an alert of severity error fires");
    get(address, "/", "200");
    get(address, "/ORCH/orch.yaml", "404");
    // A second one is told where the first listens.
    let second = orch(root, &["watch", "--once", "--metrics", address]).output().unwrap();
    let error = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{error}");
    assert!(error.contains(&format!("another program listens on `{address}`")), "{error}");
    assert!(error.contains("hint: orch watch --metrics 127.0.0.1:0"), "{error}");
    drop(watch);
}
