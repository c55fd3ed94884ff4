//! Asking a service whether it is well.
//!
//! Lives here: one question over plain HTTP, and the number of its answer. Not
//! here: how often and what the numbers mean (`services::decide`). Invariant:
//! nothing of an answer but its first line is read, and none takes longer than
//! it may.
//!
//! A whole HTTP client would bring TLS, proxies and redirects; what is asked
//! here is a health page of one's own network. RFC 9112 is the format.
#![allow(clippy::disallowed_methods, reason = "this is where clocks are touched")]

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

/// Other machines.
pub trait Net: Send + Sync {
    /// The status of a GET of an `http://` address, in at most that time.
    ///
    /// # Errors
    /// `InvalidInput` for another kind of address; else why there was no answer.
    fn get(&self, url: &str, limit: Duration) -> io::Result<u16>;
}

/// The network that this machine is in.
#[derive(Debug)]
pub struct Network;

/// The longest first line that is read.
const LONGEST: usize = 4096;

impl Net for Network {
    fn get(&self, url: &str, limit: Duration) -> io::Result<u16> {
        let address = Address::parse(url).ok_or_else(|| {
            io::Error::new(ErrorKind::InvalidInput, "not an address that begins with `http://`")
        })?;
        let from = Instant::now();
        let left = || {
            let left = limit.saturating_sub(from.elapsed());
            if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { io::Result::Ok(left) }
        };
        let mut stream = address.connect(left)?;
        stream.set_write_timeout(Some(left()?))?;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: orch\r\nAccept: */*\r\n\
             Connection: close\r\n\r\n",
            address.path, address.host
        );
        stream.write_all(request.as_bytes())?;
        let mut line = Vec::new();
        let mut buffer = [0; 512];
        while !line.contains(&b'\n') && line.len() < LONGEST {
            stream.set_read_timeout(Some(left()?))?;
            match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => line.extend_from_slice(&buffer[..read]),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                // That is what a time limit looks like here.
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    return Err(ErrorKind::TimedOut.into());
                }
                Err(e) => return Err(e),
            }
        }
        status(&line).ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "no HTTP answer"))
    }
}

/// The number in `HTTP/1.1 200 OK`.
fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let digits = rest.get(2..5).filter(|_| rest.get(1) == Some(&b' '))?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Where to ask, and what for.
struct Address<'u> {
    /// As the `Host` line has it.
    host: &'u str,
    name: &'u str,
    port: u16,
    path: String,
}

impl<'u> Address<'u> {
    fn parse(url: &'u str) -> Option<Self> {
        let scheme = url.get(..7)?;
        if !scheme.eq_ignore_ascii_case("http://") {
            return None;
        }
        if url.bytes().any(|b| b <= b' ' || b == 0x7f) {
            return None;
        }
        let rest = &url[7..];
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        if host.contains('@') {
            return None;
        }
        let (name, port) = match host.strip_prefix('[') {
            Some(inner) => {
                let (name, rest) = inner.split_once(']')?;
                (name, rest.strip_prefix(':').or_else(|| rest.is_empty().then_some(""))?)
            }
            None => host.split_once(':').unwrap_or((host, "")),
        };
        let port = if port.is_empty() { 80 } else { port.parse().ok()? };
        let path = match path.as_bytes().first() {
            Some(b'/') => path.to_owned(),
            _ => format!("/{path}"),
        };
        (!name.is_empty()).then_some(Self { host, name, port, path })
    }

    fn connect(&self, left: impl Fn() -> io::Result<Duration>) -> io::Result<TcpStream> {
        let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
        for address in (self.name, self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, left()?) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Answers one question with these bytes, and gives what was asked.
    fn ask(path: &str, answer: &'static [u8], limit: Duration) -> (io::Result<u16>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}{path}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut byte = [0];
            while !asked.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                asked.push(byte[0]);
            }
            let _ = stream.write_all(answer);
            if answer.is_empty() {
                // Until the other side has had enough.
                let _ = stream.read(&mut byte);
            }
            String::from_utf8(asked).unwrap()
        });
        let got = Network.get(&url, limit);
        (got, server.join().unwrap())
    }

    #[test]
    fn the_number_of_an_answer_is_what_counts() {
        let long = Duration::from_secs(30);
        let (got, asked) = ask("/health?x=1#y", b"HTTP/1.1 204 No Content\r\n\r\n", long);
        assert_eq!(got.unwrap(), 204);
        assert!(asked.starts_with("GET /health?x=1 HTTP/1.1\r\nHost: 127.0.0.1:"), "{asked}");
        assert_eq!(ask("", b"HTTP/1.0 503 no\r\n", long).0.unwrap(), 503);
        let kind = |got: io::Result<u16>| got.unwrap_err().kind();
        assert_eq!(kind(ask("/", b"SSH-2.0-x\r\n", long).0), ErrorKind::InvalidData);
        assert_eq!(kind(ask("/", b"", Duration::from_millis(100)).0), ErrorKind::TimedOut);
        let nobody = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        let refused = Network.get(&format!("http://{nobody}/"), long);
        assert_eq!(kind(refused), ErrorKind::ConnectionRefused);
    }

    #[test]
    fn only_plain_addresses_are_asked() {
        for (url, host, name, port, path) in [
            ("http://a", "a", "a", 80, "/"),
            ("HTTP://a.b:81?q", "a.b:81", "a.b", 81, "/?q"),
            ("http://[::1]:9/x", "[::1]:9", "::1", 9, "/x"),
            ("http://[::1]", "[::1]", "::1", 80, "/"),
        ] {
            let got = Address::parse(url).unwrap();
            assert_eq!(
                (got.host, got.name, got.port, &*got.path),
                (host, name, port, path),
                "{url}"
            );
        }
        for url in [
            "https://a/",
            "http://",
            "http:///x",
            "ftp://a",
            "http://u:p@a/",
            "http://a:b/",
            "http://a/ b",
            "http://a/\r\nX: y",
            "http://[::1",
            "http://[::1]x/",
            "日本語日本語",
        ] {
            assert!(Address::parse(url).is_none(), "{url}");
        }
    }
}
