//! A client of `orch mcp` for transcripts: the server runs in this process, on a
//! thread of its own, in the workspace's own time; files are real, and so is what
//! is heard of them.

use super::Workspace;
use orch::mcp::{self, Request};
use orch::sys::Sys;
use serde_json::Value;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// How long an answer may take.
const LONG: Duration = Duration::from_mins(1);

/// Our ends of a session. The server ends with them.
pub struct Client {
    say: UnboundedSender<String>,
    heard: Receiver<String>,
    /// What was heard while an answer was waited for.
    early: Vec<String>,
}

impl Client {
    /// Starts a server with these options.
    pub fn start<'w>(ws: &Workspace, mut words: impl Iterator<Item = &'w str>) -> Self {
        let mut request = Request::default();
        while let Some(word) = words.next() {
            let value = words.next().expect("an option has a value").to_owned();
            match word {
                "--as" => request.actor = Some(value),
                "--allow" => request.allow = value.split(',').map(str::to_owned).collect(),
                _ => panic!("`{word}` is not understood"),
            }
        }
        let mut sys = ws.sys(b"");
        sys.events = Sys::real().events;
        let (to_server, mut lines) = unbounded_channel::<String>();
        let (tell, heard) = channel();
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        std::thread::spawn(move || {
            let (reader, writer) = tokio::io::split(theirs);
            mcp::serve_on(&sys, request, reader, writer).expect("the server begins and ends well");
        });
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            runtime.expect("a runtime begins").block_on(async move {
                let (reader, mut writer) = tokio::io::split(ours);
                let mut answers = BufReader::new(reader).lines();
                loop {
                    tokio::select! {
                        line = lines.recv() => match line {
                            Some(line) => writer.write_all(line.as_bytes()).await.expect("it listens"),
                            None => return,
                        },
                        answer = answers.next_line() => match answer {
                            Ok(Some(line)) => drop(tell.send(line)),
                            _ => return,
                        },
                    }
                }
            });
        });
        Self { say: to_server, heard, early: Vec::new() }
    }

    /// Says a line; gives the answer, if it is a request, and then as many other
    /// messages as make up this number.
    pub fn exchange(&mut self, said: Option<&str>, expected: usize) -> Result<Vec<String>, String> {
        let mut id = Value::Null;
        if let Some(said) = said {
            let message: Value = serde_json::from_str(said).map_err(|e| format!("{said}: {e}"))?;
            id = message["id"].clone();
            self.say.send(format!("{said}\n")).map_err(|_| "the session is over")?;
        }
        let mut heard = Vec::new();
        let mut is_answered = id.is_null();
        let mut early = std::mem::take(&mut self.early).into_iter();
        loop {
            let others = heard.len() - usize::from(is_answered && !id.is_null());
            let wanted = expected.saturating_sub(usize::from(!id.is_null()));
            if is_answered && others >= wanted {
                break;
            }
            let line = match early.next() {
                Some(line) => line,
                None => {
                    self.heard.recv_timeout(LONG).map_err(|_| format!("no answer: {said:?}"))?
                }
            };
            let message: Value = serde_json::from_str(&line).map_err(|e| format!("{line}: {e}"))?;
            let is_it = !id.is_null() && message["id"] == id;
            if !is_it && (others >= wanted) {
                self.early.push(line);
                continue;
            }
            is_answered |= is_it;
            // Whether others came before the answer is chance.
            heard.insert(if is_it { 0 } else { heard.len() }, line);
        }
        self.early.extend(early);
        Ok(heard)
    }
}
