//! How sessions end, and what they leave behind.

use super::raw::Raw;
use crate::processes::ground::{Ground, unbroken};
use serde_json::json;
use std::fs;
use std::io::{BufRead as _, Write as _};
use std::process::Stdio;

#[test]
fn a_script_of_requests_is_answered_to_its_end() {
    let ground = Ground::of_rows(20, "READY");
    let mut raw = Raw::start(&ground, &["--as", "WORK@ada"]);
    let ids: Vec<u64> = (1..=20)
        .map(|n| {
            let arguments = json!({"id": format!("T-{n:04}"), "text": format!("note {n}")});
            raw.send("tools/call", json!({"name": "note", "arguments": arguments}))
        })
        .collect();
    raw.hang_up();
    for id in ids {
        let answer = raw.answer(id);
        assert_eq!(answer["result"]["isError"], false, "{answer}");
    }
    let end = raw.wait();
    assert_eq!((end.exit, end.err.as_str()), (Some(0), ""), "{end:?}");
    unbroken(&ground.journal(), &ground.text());
    ground.no_temporaries();
}

#[test]
fn a_client_that_says_nothing_at_all_is_no_error() {
    let ground = Ground::of_rows(1, "READY");
    let end = Raw::mute(&ground, &[]).end();
    assert_eq!((end.exit, end.err.as_str(), end.rest.len()), (Some(0), "", 0), "{end:?}");
    // Nor is one that goes away amid a line.
    let mut raw = Raw::start(&ground, &[]);
    raw.line("{\"jsonrpc\":\"2.0\",\"id\":5,\"meth");
    let end = raw.end();
    assert_eq!((end.exit, end.err.as_str()), (Some(0), ""), "{end:?}");
}

#[test]
fn a_client_that_vanishes_amid_a_claim_leaves_it_whole() {
    let ground = Ground::of_rows(12, "READY");
    // Some hang up at once, some are gone with their ends of both streams.
    for round in 0..6 {
        let mut raw = Raw::start(&ground, &["--as", &format!("WORK@w{round}")]);
        raw.send("tools/call", json!({"name": "claim", "arguments": {}}));
        if round % 2 == 0 {
            raw.hang_up();
        }
        let end = raw.end();
        assert_eq!(end.exit, Some(0), "{end:?}");
        let rows = ground.rows();
        let doing: Vec<_> = rows.values().filter(|row| row["state"] == "DOING").collect();
        for row in &doing {
            assert!(row["lock_owner"].starts_with("WORK@w") && row["lock_expires_at"] != "-");
        }
        if !ground.journal_text().is_empty() {
            unbroken(&ground.journal(), &ground.text());
        }
        ground.no_temporaries();
    }
}

#[test]
fn a_client_that_is_killed_with_its_ends_ends_the_server() {
    let ground = Ground::of_rows(1, "READY");
    // The shell holds both ends and is killed; the server sees them close.
    let mut shell = std::process::Command::new("sh");
    let script = format!(
        "mkfifo in out; '{}' mcp <in >out & echo $!; exec 3>in 4<out; echo '{}' >&3; read -r x <&4; echo ready; kill -9 $$",
        env!("CARGO_BIN_EXE_orch"),
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#,
    );
    shell
        .args(["-c", &script])
        .current_dir(ground.root())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap());
    // Its stderr is ours: it ends when the server does.
    let mut child = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut text).unwrap();
    let _ = child.wait().unwrap();
    let pid = {
        let mut said = String::new();
        std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut said).unwrap();
        assert!(said.contains("ready"), "{said}");
        said.lines().next().unwrap().to_owned()
    };
    let is_there = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    assert!(!is_there.contains("mcp"), "the server is still there: {is_there}");
}

#[test]
fn a_closed_stdout_ends_the_server_and_not_the_claim() {
    let ground = Ground::of_rows(1, "READY");
    let mut command = ground.command(&["mcp", "--as", "WORK@ada"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
    writeln!(stdin, "{hello}").unwrap();
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    drop(out);
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "claim", "arguments": {}}});
    writeln!(stdin, "{call}").unwrap();
    // Its stdin stays open: the server ends because nobody hears it.
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(ground.rows()["T-0001"]["state"], "DOING");
    unbroken(&ground.journal(), &ground.text());
}

#[test]
fn signals_end_the_server_in_order() {
    for (signal, exit) in [("TERM", 0), ("INT", 130)] {
        let ground = Ground::of_rows(3, "READY");
        let mut raw = Raw::start(&ground, &["--as", "WORK@ada"]);
        let subscribed = raw.ask("resources/subscribe", json!({"uri": "orch://tasks"}));
        assert!(subscribed["result"].is_object(), "{subscribed}");
        let id = raw.send("tools/call", json!({"name": "claim", "arguments": {}}));
        let claimed = raw.answer(id);
        assert_eq!(claimed["result"]["isError"], false, "{claimed}");
        let kill = std::process::Command::new("kill")
            .args([format!("-{signal}"), raw.child.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        let end = raw.wait();
        assert_eq!((end.exit, end.err.as_str()), (Some(exit), ""), "{end:?}");
        unbroken(&ground.journal(), &ground.text());
    }
}

#[test]
fn a_full_stdout_is_told() {
    let ground = Ground::of_rows(1, "READY");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = ground.command(&["mcp", "--as", "WORK@ada"]);
    command.stdin(Stdio::piped()).stdout(full).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
    writeln!(child.stdin.as_mut().unwrap(), "{hello}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("cannot write to standard output"), "{said}");
}
