//! A watch that was started: what it tells, signals to it, and its end.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use rustix::process::Signal;
use serde_json::Value;

use super::processes::{Process, started};
use super::shop::{LONG, until};
use crate::support::Stopwatch;
use crate::support::ground::number;

/// A watch that was started.
pub struct Watch {
    child: Child,
    start: Option<u64>,
    lines: Receiver<Value>,
    told: Vec<Value>,
}

impl Watch {
    /// By this command, which becomes the watch and tells its events as JSON.
    pub fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let (give, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = give.send(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        let start = started(child.id());
        Self { child, start, lines, told: Vec::new() }
    }

    pub fn process(&self) -> Process {
        Process { pid: self.child.id(), start: self.start.expect("it was started") }
    }

    pub fn signal(&self, signal: Signal) {
        self.process().signal(signal);
    }

    /// Waits for the next line that is so.
    #[track_caller]
    pub fn hears(&mut self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let time = Stopwatch::start();
        loop {
            match self.lines.recv_timeout(LONG.saturating_sub(time.elapsed())) {
                Ok(line) => {
                    self.told.push(line.clone());
                    if is_so(&line) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("never told: {what}: {:#?}", self.told),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the watch ended before: {what}: {:#?}", self.told)
                }
            }
        }
    }

    /// An event, of a task where one is given.
    #[track_caller]
    pub fn event(&mut self, event: &str, task: &str) -> Value {
        let is_so = |e: &Value| e["event"] == event && (task.is_empty() || e["task"] == task);
        self.hears(&format!("{event} {task}"), is_so)
    }

    /// Everything told so far.
    pub fn told(&mut self) -> &[Value] {
        self.told.extend(self.lines.try_iter());
        &self.told
    }

    /// Kills it, and nothing else.
    pub fn die(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end; the number, and all it told.
    #[track_caller]
    pub fn ends(mut self) -> (i32, Vec<Value>) {
        until("the watch ends", || self.has_ended());
        let exit = number(self.child.wait().unwrap());
        while let Ok(line) = self.lines.recv_timeout(LONG) {
            self.told.push(line);
        }
        (exit, std::mem::take(&mut self.told))
    }

    /// Ends it in the ordinary way.
    #[track_caller]
    pub fn closes(mut self) -> Vec<Value> {
        // Before that it has no ear for signals.
        if count(self.told(), "watching", "") == 0 {
            self.event("watching", "");
        }
        self.signal(Signal::TERM);
        let (exit, told) = self.ends();
        assert_eq!(exit, 0, "{told:#?}");
        told
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.die();
    }
}

/// How many lines are of this event, of a task where one is given.
pub fn count(told: &[Value], event: &str, task: &str) -> usize {
    let is_so = |e: &&Value| e["event"] == event && (task.is_empty() || e["task"] == task);
    told.iter().filter(is_so).count()
}
