//! A client that speaks the protocol line by line, so that a test can say
//! anything, at any moment, or nothing more.

use crate::processes::ground::Ground;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long something may take that is not measured.
pub const LONG: Duration = Duration::from_mins(1);

/// A server of the real binary, and our ends of its streams.
pub struct Raw {
    pub child: Child,
    stdin: Option<ChildStdin>,
    said: Receiver<String>,
    /// What was said while an answer was waited for.
    early: Vec<Value>,
    last: u64,
}

/// How a server ended.
#[derive(Debug)]
pub struct End {
    pub exit: Option<i32>,
    pub rest: Vec<String>,
    pub err: String,
}

impl Raw {
    /// Starts a server without a word.
    pub fn mute(ground: &Ground, args: &[&str]) -> Self {
        let mut command = ground.command(&[&["mcp"], args].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (say, said) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = say.send(line);
            }
        });
        let stdin = child.stdin.take();
        Self { child, stdin, said, early: Vec::new(), last: 0 }
    }

    /// Starts a server and begins a session.
    pub fn start(ground: &Ground, args: &[&str]) -> Self {
        let mut raw = Self::mute(ground, args);
        raw.begin("2025-11-25");
        raw
    }

    pub fn begin(&mut self, version: &str) -> Value {
        let params = json!({
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        });
        let answer = self.ask("initialize", params);
        self.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        answer
    }

    /// Says a message.
    pub fn say(&mut self, message: &Value) {
        self.line(&message.to_string());
    }

    /// Says a line, whatever it is. A server that has gone hears nothing.
    pub fn line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("the session goes on");
        let _ = stdin.write_all(format!("{line}\n").as_bytes()).and_then(|()| stdin.flush());
    }

    /// Sends a request and does not wait.
    pub fn send(&mut self, method: &str, params: Value) -> u64 {
        self.last += 1;
        let id = self.last;
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// The next message.
    #[track_caller]
    pub fn hear(&mut self) -> Value {
        let line = self.said.recv_timeout(LONG).expect("the server says something");
        let message: Value = serde_json::from_str(&line)
            .unwrap_or_else(|e| panic!("nothing but the protocol goes to stdout: {e}: {line}"));
        assert_eq!(message["jsonrpc"], "2.0", "{line}");
        message
    }

    /// The answer to a request, whole.
    #[track_caller]
    pub fn answer(&mut self, id: u64) -> Value {
        let is_it = |message: &Value| message["id"] == id;
        if let Some(at) = self.early.iter().position(is_it) {
            return self.early.remove(at);
        }
        loop {
            let message = self.hear();
            if is_it(&message) {
                return message;
            }
            self.early.push(message);
        }
    }

    /// Asks, and gives the whole answer.
    #[track_caller]
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        self.answer(id)
    }

    /// Calls a tool: its structured content, whatever came of it.
    #[track_caller]
    pub fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.ask("tools/call", json!({"name": tool, "arguments": arguments}));
        content(&answer)
    }

    /// Waits for a resource to be told of.
    #[track_caller]
    pub fn updated(&mut self) -> String {
        let is_it = |message: &Value| message["method"] == "notifications/resources/updated";
        let at = self.early.iter().position(is_it);
        let message = match at {
            Some(at) => self.early.remove(at),
            None => loop {
                let message = self.hear();
                if is_it(&message) {
                    break message;
                }
                self.early.push(message);
            },
        };
        message["params"]["uri"].as_str().expect("a name").to_owned()
    }

    /// What was told so far, and nobody has looked at.
    pub fn unheard(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.early)
    }

    /// Says nothing more.
    pub fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// Says nothing more, and waits for the end.
    pub fn end(mut self) -> End {
        self.hang_up();
        self.wait()
    }

    pub fn wait(mut self) -> End {
        // The reader ends with the stream, and the stream with the process.
        let rest = self.said.iter().collect();
        let mut err = String::new();
        let _ = self.child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut err));
        let exit = self.child.wait().unwrap().code();
        drop(self.stdin.take());
        End { exit, rest, err }
    }
}

/// The structured content of a call's answer, which its text says too.
#[track_caller]
pub fn content(answer: &Value) -> Value {
    let result = &answer["result"];
    let content = result["structuredContent"].clone();
    assert!(content.is_object(), "{answer}");
    let text = result["content"][0]["text"].as_str().expect("a text");
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), content, "both say the same");
    let is_error = content["kind"] == "error";
    assert_eq!(result["isError"], is_error, "{answer}");
    content
}
