//! Telling of alerts, to real servers and by real programs.

use orch::services::config::Notify;
use orch::store::alerts::{Alert, State};
use orch::sys::Sys;
use orch::sys::sim::{SimClock, SimEnv};
use orch::watch::notify::{Limits, Log, Notifier};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A limit that only a stuck test reaches.
const LONG: Duration = Duration::from_mins(5);
const KEY: &str = "correct horse battery staple";

fn alert(summary: &str) -> Alert {
    Alert {
        ts: "2026-01-01T00:00:00.000Z".into(),
        kind: "run_failed".into(),
        severity: "error".into(),
        key: "run:T-1".into(),
        summary: summary.into(),
        state: State::Firing,
    }
}

/// What a server was asked.
struct Request {
    line: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

fn request(stream: &mut TcpStream) -> Request {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let mut lines = head.lines();
    let line = lines.next().unwrap_or_default().to_owned();
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    Request { line, headers, body }
}

/// A server that gives these answers, one a connection, and its address. An
/// empty answer is none: the connection stays open until the other side ends it.
fn server(answers: Vec<String>) -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = tell.send(request(&mut stream));
            let _ = stream.write_all(answer.as_bytes());
            if answer.is_empty() {
                let _ = stream.read(&mut [0]);
            }
        }
    });
    (address, told)
}

fn status(number: u16) -> String {
    format!("HTTP/1.1 {number} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

type Said = Arc<Mutex<Vec<String>>>;

/// Real network and programs; waits between tries take no time.
fn notifier(root: &Path, entries: &[Notify], limits: Limits) -> (Notifier, Said) {
    let path = std::env::var("PATH").unwrap_or_default();
    let env = SimEnv::new(root).with_var("HOOK_KEY", KEY).with_var("PATH", &path);
    let env = Arc::new(env.with_temp_dir(root));
    let sys = Sys { env, clock: Arc::new(SimClock::new(0)), ..Sys::real() };
    let said = Said::default();
    let heard = said.clone();
    let log: Log = Arc::new(move |text| heard.lock().unwrap().push(text.to_owned()));
    (Notifier::with_limits(&sys, root, entries, log, limits), said)
}

fn hook(address: &str) -> Notify {
    let url = format!("{address}/hook/s3cret?token=s3cret");
    Notify::Webhook { url, secret_env: Some("HOOK_KEY".into()) }
}

fn command(words: &[&str]) -> Notify {
    Notify::Command(words.iter().map(|word| (*word).to_owned()).collect())
}

/// HMAC as RFC 2104 defines it.
fn hmac(key: &[u8], body: &[u8]) -> String {
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |with: u8| block.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
    let inner = Sha256::digest([&pad(0x36)[..], body].concat());
    let outer = Sha256::digest([&pad(0x5c)[..], &inner[..]].concat());
    outer.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn drained(notifier: &Notifier, said: &Said) -> Vec<String> {
    assert!(notifier.drain(LONG));
    said.lock().unwrap().clone()
}

#[test]
fn a_webhook_is_signed_and_tried_until_it_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let (address, told) = server(vec![status(500), status(503), status(204)]);
    let (notifier, said) = notifier(dir.path(), &[hook(&address)], Limits::default());
    let sent = alert("the run of `T-1` failed");
    notifier.send(std::slice::from_ref(&sent));
    let requests: Vec<_> = (0..3).map(|_| told.recv_timeout(LONG).unwrap()).collect();
    for request in &requests {
        assert_eq!(request.line, "POST /hook/s3cret?token=s3cret HTTP/1.1");
        assert_eq!(request.headers["content-type"], "application/json");
        let signature = format!("sha256={}", hmac(KEY.as_bytes(), &request.body));
        assert_eq!(request.headers["x-orch-signature"], signature);
        assert_eq!(request.headers["x-orch-delivery"], requests[0].headers["x-orch-delivery"]);
        let got: Alert = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(got, sent);
    }
    assert_eq!(drained(&notifier, &said), Vec::<String>::new());
}

#[test]
fn what_does_not_take_it_is_told_of_without_its_address() {
    let dir = tempfile::tempdir().unwrap();
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = elsewhere.local_addr().unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let moved = format!(
        "HTTP/1.1 302 Found\r\nLocation: http://{target}/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let (redirects, _told) = server(vec![moved; 5]);
    let (silent, _told) = server(vec![String::new(); 5]);
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let entries = [hook(&redirects), hook(&silent), hook(&nobody)];
    let limits = Limits { webhook: Duration::from_millis(100), ..Limits::default() };
    let (notifier, said) = notifier(dir.path(), &entries, limits);
    notifier.send(&[alert("x")]);
    let said = drained(&notifier, &said);
    assert_eq!(said.len(), 3, "{said:?}");
    let all = said.concat();
    assert!(!all.contains("s3cret") && !all.contains(KEY), "{all}");
    for address in [&redirects, &silent, &nobody] {
        assert!(said.iter().any(|line| line.contains(address.as_str())), "{said:?}");
    }
    assert!(elsewhere.accept().is_err(), "no redirect is followed");
}

#[test]
fn a_program_gets_text_as_text_and_nothing_of_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let script = "pwd > out; for word; do printf '[%s]' \"$word\"; done >> out; env >> out";
    let words = ["sh", "-c", script, "sh", "{{kind}}/{{state}}", "{{summary}}", "{{none}}"];
    let (notifier, said) = notifier(dir.path(), &[command(&words)], Limits::default());
    let summary = "$(touch bad) `touch bad`; touch bad \"'{{key}} -n";
    notifier.send(&[alert(summary)]);
    assert_eq!(drained(&notifier, &said), Vec::<String>::new());
    let out = fs::read_to_string(dir.path().join("out")).unwrap();
    let root = dir.path().canonicalize().unwrap();
    let begins = format!("{}\n[run_failed/firing][{summary}][{{{{none}}}}]", root.display());
    assert!(out.starts_with(&begins), "{out}");
    assert!(!out.contains("ORCH_TASK_ID") && !out.contains("GIT_"), "{out}");
    assert!(!dir.path().join("bad").exists());
}

#[test]
fn a_program_that_takes_too_long_is_ended_with_all_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let script = "mkfifo ready; setsid sh -c 'echo $$ > pid; : > ready; exec sleep 600' & read x < ready; sleep 600";
    let limits = Limits { command: Duration::from_secs(1), ..Limits::default() };
    let (notifier, said) = notifier(dir.path(), &[command(&["sh", "-c", script])], limits);
    notifier.send(&[alert("x")]);
    let said = drained(&notifier, &said);
    assert_eq!(said, ["the program `sh` was not told of an alert: it took too long and was ended"]);
    let pid = fs::read_to_string(dir.path().join("pid")).unwrap_or_default();
    let Ok(pid) = pid.trim().parse::<u32>() else { return };
    let is_gone = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    };
    let mut looks = 0;
    while !is_gone() {
        looks += 1;
        assert!(looks < 1_000_000, "something was left running");
        std::thread::yield_now();
    }
}

#[test]
fn one_that_hangs_holds_up_neither_another_nor_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let (silent, told) = server(vec![String::new()]);
    let (ready, heard) = server(vec![status(200)]);
    let hangs = command(&["sh", "-c", ": > begun; exec sleep 600"]);
    let entries = [hook(&silent), hangs, hook(&ready)];
    let (notifier, said) = notifier(dir.path(), &entries, Limits::default());
    notifier.send(&[alert("x")]);
    told.recv_timeout(LONG).unwrap();
    heard.recv_timeout(LONG).unwrap();
    while !dir.path().join("begun").exists() {
        std::thread::yield_now();
    }
    assert!(!notifier.drain(Duration::from_millis(10)));
    let said = said.lock().unwrap().clone();
    assert!(said.contains(&"not everybody was told of every alert before the end".to_owned()));
}
