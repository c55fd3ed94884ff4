//! A real server, asked by real connections.

use super::*;

/// A limit that only a stuck test reaches.
const LONG: Duration = Duration::from_mins(5);

fn server() -> (Box<dyn Listener>, SocketAddr) {
    server_within(LIMIT)
}

fn server_within(limit: Duration) -> (Box<dyn Listener>, SocketAddr) {
    let answers: Answers = Arc::new(|path| match path {
        "/hi" => Answer::plain(200, "hello"),
        "/large" => Answer::plain(200, &"x".repeat(10_000_000)),
        "/panic" => panic!("on purpose"),
        _ => Answer::plain(404, "nothing is here"),
    });
    let listener = within("127.0.0.1:0", answers, limit).unwrap();
    let address = listener.address();
    (listener, address)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    stream
}

fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).unwrap();
    rest(stream)
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or(answer)
}

#[test]
fn get_and_head_are_answered() {
    let (_listener, address) = server();
    let get = ask(address, "GET /hi?x=1 HTTP/1.1\r\nHost: localhost:1\r\nAccept: */*\r\n\r\n");
    let (head, body) = get.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"));
    assert!(head.contains("\r\nContent-Length: 6\r\n") && head.contains("\r\nConnection: close"));
    assert_eq!(body, "hello\n");
    let only_head = ask(address, "HEAD /hi HTTP/1.0\r\nhost:127.0.0.1\r\n\r\n");
    assert_eq!(only_head, format!("{head}\r\n\r\n"));
    assert_eq!(status(&ask(address, "GET / HTTP/1.1\r\nHost: [::1]:9\r\n\r\n")), "404");
    let large = ask(address, "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(large.split_once("\r\n\r\n").unwrap().1.len(), 10_000_001);
}

#[test]
fn what_is_odd_is_refused_and_the_next_one_answered() {
    let (_listener, address) = server();
    for (request, expected) in [
        ("POST /hi HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", "405"),
        ("DELETE /hi HTTP/1.1\r\nHost: localhost\r\n\r\n", "405"),
        ("GET /hi HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403"),
        ("GET /hi HTTP/1.1\r\nHost: 127.0.0.1.evil.example:80\r\n\r\n", "403"),
        ("POST /hi HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403"),
        ("GET /hi HTTP/1.1\r\nHost: \r\n\r\n", "403"),
        ("GET /hi HTTP/1.1\r\n\r\n", "400"),
        ("GET /hi HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n", "400"),
        ("GET /hi HTTP/1.1\r\nHost : localhost\r\n\r\n", "400"),
        ("GET hi HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"),
        ("GET /hi HTTP/2\r\nHost: localhost\r\n\r\n", "400"),
        ("GET  /hi HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"),
        ("SSH-2.0-x\r\n\r\n", "400"),
        ("GET /panic HTTP/1.1\r\nHost: localhost\r\n\r\n", "500"),
        ("GET /hi HTTP/1.1\r\nHost: localhost\r\n\r\n", "200"),
    ] {
        assert_eq!(status(&ask(address, request)), expected, "{request:?}");
    }
    let long = format!("GET /hi HTTP/1.1\r\nHost: localhost\r\nX: {}", "x".repeat(9000));
    assert_eq!(status(&ask(address, &long)), "431");
    assert_eq!(status(&ask(address, &format!("{long}\r\n\r\n"))), "431");
}

#[test]
fn nobody_who_is_slow_keeps_others_from_being_answered() {
    let (_listener, address) = server_within(Duration::from_millis(500));
    // As many as there is room for but one, which say nothing or not enough.
    let idle: Vec<TcpStream> = (0..MOST - 1)
        .map(|n| {
            let mut stream = connect(address);
            if n % 2 == 0 {
                stream.write_all(b"GET /hi HTTP/1.1\r\nHost: loc").unwrap();
            }
            stream
        })
        .collect();
    let request = "GET /hi HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for _ in 0..20 {
        assert_eq!(status(&ask(address, request)), "200");
    }
    // One more takes the last room: who comes now waits until the time of one
    // of them is over.
    let last = connect(address);
    assert_eq!(status(&ask(address, request)), "200");
    for stream in idle.into_iter().chain([last]) {
        assert!(rest_or_reset(stream), "it was closed without an answer");
    }
}

#[test]
fn one_that_does_not_read_its_answer_holds_nobody_up() {
    let (_listener, address) = server();
    let mut lazy = connect(address);
    lazy.write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let request = "GET /hi HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(status(&ask(address, request)), "200");
}

#[test]
fn a_request_may_come_in_pieces() {
    let (_listener, address) = server();
    let mut stream = connect(address);
    for byte in b"GET /hi HTTP/1.1\r\nHost: localhost\r\n\r\n" {
        stream.write_all(&[*byte]).unwrap();
    }
    assert_eq!(status(&rest(stream)), "200");
}

#[test]
fn it_stops_when_it_is_dropped_and_its_port_is_free() {
    let (listener, address) = server();
    let taken = listen(&address.to_string(), Arc::new(|_| Answer::plain(200, "")));
    assert_eq!(taken.err().map(|e| e.kind()), Some(ErrorKind::AddrInUse));
    let waiting = connect(address);
    drop(listener);
    assert!(rest_or_reset(waiting));
    let again = listen(&address.to_string(), Arc::new(|_| Answer::plain(200, "again")));
    assert_eq!(again.unwrap().address(), address);
}

/// Whether a connection is over without an answer.
fn rest_or_reset(mut stream: TcpStream) -> bool {
    !matches!(stream.read(&mut [0]), Ok(1))
}

#[test]
fn our_names_are_addresses_localhost_and_the_one_we_listen_on() {
    for host in
        ["127.0.0.1", "10.1.2.3:80", "[::1]", "[fe80::1]:9464", "LocalHost:1", "desk:1", "DESK"]
    {
        assert!(is_ours(host, "desk"), "{host}");
    }
    for host in
        ["", ":80", "desk.example", "localhost.example", "[::1", "[::1]x", "a:b", "::1", "[x]"]
    {
        assert!(!is_ours(host, "desk"), "{host}");
    }
}
