//! Answering GET requests on a port: enough HTTP for a monitoring system.
//!
//! Lives here: connections, the head of a request, the answer on its way. Not
//! here: what is answered (`watch::metrics`). Invariants: one thread and a few
//! connections, whoever asks; a request that is slow, long or odd costs its
//! sender the connection and nobody else; a page of another site, which a
//! browser may show, gets nothing from here.
//!
//! ```text
//!   accept ──▶ read the head ──▶ answer ──▶ write ──▶ shut down, read to the end
//!    at most 8     8 KiB        callback     │          so that the answer is not
//!                                            └─ 5 s in all    cut off by a reset
//! ```
//!
//! Source: RFC 9110 and 9112. That a browser can be made to ask us by a name
//! whose address was changed ("DNS rebinding") is why the `Host` must be an
//! address, `localhost` or the name that we were told to listen on.
#![allow(clippy::disallowed_methods, reason = "this is where the clock is read")]

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read as _, Write as _};
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The most connections at a time; others wait until one is over.
const MOST: usize = 8;
/// How long a request may take, from its first byte to the end of its answer.
const LIMIT: Duration = Duration::from_secs(5);
/// The longest head of a request.
const LONGEST: usize = 8 * 1024;
/// How long nobody is let in where the system could not.
const PAUSE: Duration = Duration::from_millis(100);

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl Answer {
    /// A line of text.
    pub fn plain(status: u16, text: &str) -> Self {
        let body = format!("{text}\n");
        Self { status, content_type: "text/plain; charset=utf-8", body }
    }
}

/// Answers a path, without its query. Called from a thread of the server's own,
/// one request after the other: nobody is answered while it works.
pub type Answers = Arc<dyn Fn(&str) -> Answer + Send + Sync>;

/// A server. It stops when it is dropped, once the answer at hand is given.
pub trait Listener: Send {
    /// Where it listens: the address with the port that was given to it.
    fn address(&self) -> SocketAddr;
}

/// Begins to serve.
pub(super) fn listen(address: &str, answers: Answers) -> io::Result<Box<dyn Listener>> {
    within(address, answers, LIMIT)
}

/// The same with another time for a request.
fn within(address: &str, answers: Answers, limit: Duration) -> io::Result<Box<dyn Listener>> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    let local = listener.local_addr()?;
    let (stop, stopped) = io::pipe().map(|(reader, writer)| (writer, reader))?;
    let name = address.rsplit_once(':').map_or(address, |(name, _)| name).to_owned();
    let (open, shut_until) = (Vec::new(), None);
    let server = Server { listener, stopped, name, answers, limit, open, shut_until };
    let thread = std::thread::Builder::new().name("serve".to_owned());
    let thread = thread.spawn(move || server.run())?;
    Ok(Box::new(Handle { local, stop: Some(stop), thread: Some(thread) }))
}

struct Handle {
    local: SocketAddr,
    /// Its end is the sign to stop.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Listener for Handle {
    fn address(&self) -> SocketAddr {
        self.local
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Server {
    listener: TcpListener,
    stopped: PipeReader,
    /// The name that we were told to listen on.
    name: String,
    answers: Answers,
    limit: Duration,
    open: Vec<Connection>,
    /// Nobody is let in before.
    shut_until: Option<Instant>,
}

impl Server {
    fn run(mut self) {
        loop {
            let now = Instant::now();
            self.shut_until = self.shut_until.filter(|until| *until > now);
            let lets_in = self.open.len() < MOST && self.shut_until.is_none();
            let wakes = self.open.iter().map(|c| c.until).chain(self.shut_until).min();
            let time = wakes.map(|at| {
                let left = at.saturating_duration_since(now);
                Timespec {
                    tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                    tv_nsec: left.subsec_nanos().into(),
                }
            });
            let mut fds = vec![PollFd::new(&self.stopped, PollFlags::IN)];
            let door = if lets_in { PollFlags::IN } else { PollFlags::empty() };
            fds.push(PollFd::new(&self.listener, door));
            fds.extend(self.open.iter().map(|c| PollFd::new(&c.stream, c.waits_for())));
            match poll(&mut fds, time.as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
            let happened: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            if happened[0] {
                return;
            }
            let now = Instant::now();
            let mut ready = happened[2..].iter();
            let (name, answers) = (&self.name, &self.answers);
            self.open.retain_mut(|connection| {
                let is_ready = ready.next().is_some_and(|ready| *ready);
                connection.until > now && (!is_ready || connection.go_on(name, answers))
            });
            if lets_in && happened[1] {
                self.let_in(now);
            }
        }
    }

    fn let_in(&mut self, now: Instant) {
        match self.listener.accept() {
            Ok((stream, _)) => {
                if stream.set_nonblocking(true).is_ok() {
                    self.open.push(Connection::new(stream, now + self.limit));
                }
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            // No room for another file: whoever waits would wake us at once.
            Err(_) => self.shut_until = Some(now + PAUSE),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The head of the request comes in.
    Reading,
    /// The answer goes out.
    Writing,
    /// The rest is read and thrown away: closing with bytes unread would reset
    /// the connection, and the answer might be lost.
    Closing,
}

struct Connection {
    stream: TcpStream,
    until: Instant,
    stage: Stage,
    head: Vec<u8>,
    answer: Vec<u8>,
    sent: usize,
}

impl Connection {
    fn new(stream: TcpStream, until: Instant) -> Self {
        let stage = Stage::Reading;
        Self { stream, until, stage, head: Vec::new(), answer: Vec::new(), sent: 0 }
    }

    fn waits_for(&self) -> PollFlags {
        if self.stage == Stage::Writing { PollFlags::OUT } else { PollFlags::IN }
    }

    /// Does what can be done without waiting; false once it is over.
    fn go_on(&mut self, name: &str, answers: &Answers) -> bool {
        let done = match self.stage {
            Stage::Reading => self.read(name, answers),
            Stage::Writing => Ok(()),
            Stage::Closing => self.throw_away(),
        };
        let done =
            done.and_then(|()| if self.stage == Stage::Writing { self.write() } else { Ok(()) });
        match done {
            Ok(()) => true,
            Err(e) => matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }

    fn read(&mut self, name: &str, answers: &Answers) -> io::Result<()> {
        let mut buffer = [0; 2048];
        loop {
            let read = self.stream.read(&mut buffer)?;
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            self.head.extend_from_slice(&buffer[..read]);
            let answer = match end_of_head(&self.head) {
                Some(end) if end <= LONGEST => respond(&self.head[..end], name, answers),
                None if self.head.len() <= LONGEST => continue,
                _ => spell(&Answer::plain(431, "the request is too long"), false),
            };
            self.answer = answer;
            self.stage = Stage::Writing;
            return Ok(());
        }
    }

    fn write(&mut self) -> io::Result<()> {
        while self.sent < self.answer.len() {
            match self.stream.write(&self.answer[self.sent..])? {
                0 => return Err(ErrorKind::WriteZero.into()),
                sent => self.sent += sent,
            }
        }
        self.stage = Stage::Closing;
        self.stream.shutdown(Shutdown::Write)
    }

    fn throw_away(&mut self) -> io::Result<()> {
        let mut buffer = [0; 2048];
        // So much at a time that others have their turn.
        for _ in 0..16 {
            if self.stream.read(&mut buffer)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

/// The end of the empty line that ends a head.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4)
}

/// The answer to a request, as it goes out.
fn respond(head: &[u8], name: &str, answers: &Answers) -> Vec<u8> {
    let refuse = |status, text| spell(&Answer::plain(status, text), false);
    let Some(request) = Request::parse(head) else {
        return refuse(400, "this is no HTTP request");
    };
    if !is_ours(request.host, name) {
        return refuse(403, "ask by an address, by localhost, or by the name that is listened on");
    }
    let is_head = request.method == "HEAD";
    if request.method != "GET" && !is_head {
        return refuse(405, "only GET and HEAD are answered");
    }
    let answer = catch_unwind(AssertUnwindSafe(|| answers(request.path)));
    spell(&answer.unwrap_or_else(|_| Answer::plain(500, "there is no answer")), is_head)
}

struct Request<'h> {
    method: &'h str,
    path: &'h str,
    host: &'h str,
}

impl<'h> Request<'h> {
    fn parse(head: &'h [u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let is_method = !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase());
        if !is_method || words.next().is_some() || !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
            return None;
        }
        let path = target.split('?').next().filter(|path| path.starts_with('/'))?;
        let mut host = None;
        for line in lines.take_while(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            if name.is_empty() || name.contains([' ', '\t']) {
                return None;
            }
            // Two of them could mean two things.
            if name.eq_ignore_ascii_case("host")
                && host.replace(value.trim_matches([' ', '\t'])).is_some()
            {
                return None;
            }
        }
        Some(Self { method, path, host: host? })
    }
}

/// Whether a `Host` is an address, `localhost`, or our own name; with a port or
/// without.
fn is_ours(host: &str, own: &str) -> bool {
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    if let Some(rest) = host.strip_prefix('[') {
        let Some((address, rest)) = rest.split_once(']') else { return false };
        let ends = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        return ends && address.parse::<Ipv6Addr>().is_ok();
    }
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    is_port(port)
        && !name.is_empty()
        && (name.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || name.eq_ignore_ascii_case(own))
}

fn spell(answer: &Answer, without_body: bool) -> Vec<u8> {
    let reason = match answer.status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    };
    let allow = if answer.status == 405 { "Allow: GET, HEAD\r\n" } else { "" };
    let mut out = format!(
        "HTTP/1.1 {} {reason}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{allow}\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        answer.status,
        answer.content_type,
        answer.body.len()
    );
    if !without_body {
        out.push_str(&answer.body);
    }
    out.into_bytes()
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
