//! Other machines: asking a service whether it is well, and telling one
//! something.
//!
//! Lives here: one question over plain HTTP, one message over HTTP or HTTPS, and
//! the number of the answer. Not here: how often and what the numbers mean
//! (`services::decide`, `watch::notify`). Invariant: nothing of an answer but its
//! number counts, none takes longer than it may, and no error names more of an
//! address than its host.
//!
//! What is asked is a health page of one's own network, for which a whole HTTP
//! client is too much; what is told goes to the world, by TLS, and past a proxy
//! where `$HTTPS_PROXY` or the like names one. RFC 9112 is the format.
#![allow(clippy::disallowed_methods, reason = "this is where clocks are touched")]

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use super::serve::{self, Answers, Listener};

/// Other machines.
pub trait Net: Send + Sync {
    /// The status of a GET of an `http://` address, in at most that time.
    ///
    /// # Errors
    /// `InvalidInput` for another kind of address; else why there was no answer.
    fn get(&self, url: &str, limit: Duration) -> io::Result<u16>;
    /// Sends a POST to an `http://` or `https://` address and gives the status
    /// of the answer, in at most that time. A redirect is an answer and is not
    /// followed.
    ///
    /// # Errors
    /// Why there was no answer.
    fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        limit: Duration,
    ) -> io::Result<u16>;
    /// Answers GET requests at an address such as `127.0.0.1:9464`, until what
    /// it gives is dropped; port 0 is any that is free.
    ///
    /// # Errors
    /// `InvalidInput` where it is no address, `AddrInUse` where another listens.
    fn listen(&self, address: &str, answers: Answers) -> io::Result<Box<dyn Listener>>;
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

    fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        limit: Duration,
    ) -> io::Result<u16> {
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(limit))
            .http_status_as_error(false)
            .max_redirects(0)
            .user_agent("orch");
        if is_this_machine(url) {
            // No proxy can reach it for us.
            config = config.proxy(None);
        }
        let mut request = config.build().new_agent().post(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send(body).map(|answer| answer.status().as_u16()).map_err(without_address)
    }

    fn listen(&self, address: &str, answers: Answers) -> io::Result<Box<dyn Listener>> {
        serve::listen(address, answers)
    }
}

/// Whether an address is one of this very machine.
fn is_this_machine(url: &str) -> bool {
    let uri = url.parse::<ureq::http::Uri>().ok();
    let host = uri.as_ref().and_then(|uri| uri.host()).unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Why there was no answer, in words that hold nothing of the address: it may
/// be a secret.
fn without_address(error: ureq::Error) -> io::Error {
    let (kind, words) = match error {
        ureq::Error::Io(error) => return error,
        ureq::Error::Timeout(_) => (ErrorKind::TimedOut, "it took too long".to_owned()),
        ureq::Error::HostNotFound => (ErrorKind::NotFound, "the name has no address".to_owned()),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            (ErrorKind::InvalidInput, "the address or a header is not well formed".to_owned())
        }
        ureq::Error::ConnectionFailed => {
            (ErrorKind::NotConnected, "there is no connection".to_owned())
        }
        ureq::Error::Tls(why) => (ErrorKind::InvalidData, format!("TLS: {why}")),
        ureq::Error::Rustls(why) => (ErrorKind::InvalidData, format!("TLS: {why}")),
        _ => (ErrorKind::InvalidData, "no HTTP answer".to_owned()),
    };
    io::Error::new(kind, words)
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

    /// Answers one message with these bytes, and gives what was said.
    fn tell(answer: &'static [u8], limit: Duration) -> (io::Result<u16>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook?key=s3cret", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut said = Vec::new();
            let mut byte = [0];
            while !said.ends_with(b"\r\n\r\nhello") && stream.read(&mut byte).unwrap_or(0) == 1 {
                said.push(byte[0]);
            }
            let _ = stream.write_all(answer);
            if answer.is_empty() {
                let _ = stream.read(&mut byte);
            }
            String::from_utf8(said).unwrap()
        });
        let got = Network.post(&url, &[("X-Test", "1")], b"hello", limit);
        (got, server.join().unwrap())
    }

    #[test]
    fn a_message_is_told_whole_and_its_answer_is_a_number() {
        let long = Duration::from_secs(30);
        let (got, said) = tell(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", long);
        assert_eq!(got.unwrap(), 202);
        assert!(said.starts_with("POST /hook?key=s3cret HTTP/1.1\r\n"), "{said}");
        let lower = said.to_ascii_lowercase();
        assert!(lower.contains("\r\nx-test: 1\r\n") && lower.contains("content-length: 5\r\n"));
        let moved =
            b"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(tell(moved, long).0.unwrap(), 307);
        assert_eq!(tell(b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n", long).0.unwrap(), 500);
    }

    #[test]
    fn a_message_that_does_not_arrive_says_why_and_not_where() {
        let long = Duration::from_secs(30);
        let error = tell(b"", Duration::from_millis(100)).0.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let odd = tell(b"SSH-2.0-x\r\n\r\n", long).0.unwrap_err();
        let nobody = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap()
        };
        let refused = Network.post(&format!("http://{nobody}/s3cret"), &[], b"", long).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let unknown = Network
            .post("http://s3cret.invalid/s3cret", &[], b"", Duration::from_secs(1))
            .unwrap_err();
        let tls = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("https://{}/s3cret", listener.local_addr().unwrap());
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 512]);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            });
            let error = Network.post(&url, &[], b"", long).unwrap_err();
            server.join().unwrap();
            error
        };
        let bad = Network.post("http://a b/s3cret", &[], b"", long).unwrap_err();
        for error in [odd, refused, unknown, tls, bad] {
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_address() {
        for url in
            ["http://127.0.0.1:9/x", "https://[::1]/", "http://LOCALHOST:1", "http://127.9.9.9"]
        {
            assert!(is_this_machine(url), "{url}");
        }
        for url in ["http://127.0.0.1.example/", "http://example/?127.0.0.1", "http://10.0.0.1", ""]
        {
            assert!(!is_this_machine(url), "{url}");
        }
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
