//! What is refused, and that nothing happens then.

use super::raw::Raw;
use crate::processes::ground::Ground;
use serde_json::{Value, json};
use std::fs;

#[test]
fn unknown_tools_are_errors_of_the_protocol_that_say_which_there_are() {
    let ground = Ground::of_rows(1, "READY");
    let mut raw = Raw::start(&ground, &[]);
    for name in ["claim_all", "", "../claim", "Claim", "orch claim"] {
        let answer = raw.ask("tools/call", json!({"name": name, "arguments": {}}));
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains("list, show, claim, renew, submit"), "{message}");
    }
    for shape in [json!({"name": "list", "arguments": [1]}), json!({"name": 5}), json!({})] {
        let answer = raw.ask("tools/call", shape);
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("`tools/call`"), "{answer}");
    }
    let off = raw.ask("tools/call", json!({"name": "approve", "arguments": {}}));
    let message = off["error"]["message"].as_str().unwrap();
    assert!(message.contains("people decide"), "{message}");
    assert_eq!(raw.end().exit, Some(0));
}

#[test]
fn unknown_fields_and_wrong_types_are_refused_by_name_and_change_nothing() {
    let ground = Ground::of_rows(2, "READY");
    let before = ground.files();
    let mut raw = Raw::start(&ground, &["--as", "WORK@ada"]);
    let cases = [
        ("claim", json!({"id": "T-0001", "as": "CMD@boss"}), "has no field `as`"),
        ("claim", json!({"id": "T-0001", "actor": "CMD@boss"}), "has no field `actor`"),
        ("claim", json!({"ID": "T-0001"}), "has no field `ID`"),
        ("claim", json!({"id": 1}), "`id` of the tool `claim` takes a string, not the number 1"),
        ("claim", json!({"id": ["T-0001"]}), "takes a string, not a list"),
        ("claim", json!({"id": "T-0001", "token": "7"}), "takes a whole number, not a string"),
        ("claim", json!({"id": "T-0001", "token": -7}), "takes a whole number, not the number -7"),
        ("claim", json!({"id": "T-0001", "next": true}), "takes `id` or `next`, not both"),
        ("claim", json!({"next": false}), "needs `id`, or `next`"),
        ("claim", json!({"id": "T-0001", "ttl": "soon"}), "soon"),
        ("claim", json!({"id": "T-0001", "ttl": "0s"}), "a second or more"),
        ("submit", json!({}), "needs `id`"),
        ("submit", json!({"id": null}), "needs `id`"),
        ("release", json!({"id": "T-0001", "needs_input": "  "}), "needs a text"),
        ("note", json!({"id": "T-0001"}), "needs `text`"),
        ("list", json!({"claimable": true, "state": "READY"}), "goes with `limit` only"),
        ("list", json!({"claimable": "yes"}), "takes true or false"),
        ("list", json!({"path": "/etc"}), "has no field `path`"),
        ("show", json!({"id": "T-0001", "file": "/etc/passwd"}), "has no field `file`"),
        (
            "request",
            json!({"id": "T-0001", "op": "x", "diff": "HEAD", "patch": "y"}),
            "not several",
        ),
        ("request", json!({"id": "T-0001", "op": " "}), "empty"),
    ];
    for (tool, arguments, says) in cases {
        let refused = raw.call(tool, arguments.clone());
        assert_eq!(refused["kind"], "error", "{tool} {arguments}: {refused}");
        assert_eq!(refused["error"]["code"], "usage", "{tool} {arguments}: {refused}");
        assert_eq!(refused["error"]["exit"], 2, "{tool} {arguments}: {refused}");
        let message = refused["error"]["message"].as_str().unwrap();
        assert!(message.contains(says), "{tool} {arguments}: {message}");
        assert!(refused["error"]["hint"].as_str().unwrap().starts_with("orch "), "{refused}");
    }
    assert_eq!(ground.files(), before);
}

/// Ids such as an agent that was talked into something might name.
fn hostile() -> Vec<String> {
    let mut ids: Vec<String> = [
        "..",
        "../..",
        "../../canary",
        "/etc/passwd",
        "../STATE/TASKS",
        "T-0001/../../canary",
        "T-0001.lock",
        "LOCKS/T-0001",
        "",
        " ",
        "-",
        "--help",
        "--as=CMD@x",
        "T-0001\0",
        "\0",
        "T-0001\n",
        "T-0001|DONE",
        "T-0001<br>x",
        "%2e%2e%2fcanary",
        "..\\..\\canary",
        "~",
        "$HOME",
        "$(touch canary)",
        "`touch canary`",
        "\u{202e}1000-T",
        "T-0001\u{200b}",
        "\u{e0041}",
        "con",
        "nul",
        "T-0001 ",
        "t-0001",
    ]
    .map(str::to_owned)
    .to_vec();
    ids.push("A".repeat(100_000));
    ids.push("../".repeat(5_000) + "canary");
    ids
}

#[test]
fn no_id_reaches_a_file() {
    let ground = Ground::of_rows(1, "READY");
    let canary = ground.root().parent().unwrap().join(format!("canary-{}", std::process::id()));
    fs::write(&canary, "alive").unwrap();
    let link = ground.root().join("canary");
    fs::write(&link, "alive").unwrap();
    let mut raw = Raw::start(&ground, &["--as", "WORK@ada"]);
    let before = ground.files();
    let mut ids = hostile();
    ids.push(format!("../{}", canary.file_name().unwrap().to_string_lossy()));
    for id in &ids {
        for (tool, arguments) in [
            ("show", json!({"id": id})),
            ("claim", json!({"id": id})),
            ("renew", json!({"id": id})),
            ("submit", json!({"id": id})),
            ("release", json!({"id": id})),
            ("note", json!({"id": id, "text": "x"})),
            ("request", json!({"id": id, "op": "x"})),
        ] {
            let refused = raw.call(tool, arguments);
            assert_eq!(refused["error"]["code"], "not_found", "{tool} {id:?}: {refused}");
        }
        let encoded = id.bytes().fold(String::new(), |all, byte| all + &format!("%{byte:02X}"));
        for uri in [format!("orch://task/{encoded}"), format!("orch://task/{id}")] {
            for method in ["resources/read", "resources/subscribe"] {
                let answer = raw.ask(method, json!({"uri": uri}));
                // Nobody can be told of what may yet come into being.
                let may_be = method == "resources/subscribe" && answer["result"].is_object();
                let is_refused = answer["error"]["code"] == -32002;
                assert!(is_refused || may_be, "{method} {uri:?}: {answer}");
            }
        }
    }
    for path in ["../canary", "/etc/passwd", "ORCH/../../canary", "a\0b"] {
        let refused = raw.call("request", json!({"id": "T-0001", "op": "x", "evidence": path}));
        assert_eq!(refused["kind"], "error", "{path:?}: {refused}");
    }
    assert_eq!(ground.files(), before);
    assert_eq!(fs::read_to_string(&canary).unwrap(), "alive");
    fs::remove_file(&canary).unwrap();
    assert_eq!(raw.end().exit, Some(0));
}

#[test]
fn a_line_without_end_ends_the_session_and_says_so() {
    let ground = Ground::of_rows(1, "READY");
    let mut raw = Raw::start(&ground, &["--as", "WORK@ada"]);
    raw.line(&"x".repeat((16 << 20) + 100_000));
    let end = raw.wait();
    assert_eq!(end.exit, Some(1), "{end:?}");
    assert!(end.err.contains("longer than 16 MiB"), "{end:?}");
}

#[test]
fn lines_that_are_no_protocol_end_nothing() {
    let ground = Ground::of_rows(1, "READY");
    let mut raw = Raw::start(&ground, &["--as", "WORK@ada"]);
    for line in [
        "",
        "hello",
        "{",
        "[]",
        "null",
        "7",
        "{}",
        "\u{feff}",
        "{\"jsonrpc\":\"1.0\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"tools/list\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":900,\"method\":\"tools/call\",\"params\":{\"name\":7}}",
        "{\"jsonrpc\":\"2.0\",\"id\":901,\"method\":\"tools/call\",\"params\":[]}",
        "{\"jsonrpc\":\"2.0\",\"id\":902,\"method\":\"tools/call\",\"params\":{\"name\":\"claim\",\"arguments\":[1]}}",
    ] {
        raw.line(line);
    }
    let deep = "[".repeat(100_000);
    raw.line(&deep);
    let listed = raw.call("list", json!({}));
    assert_eq!(listed["data"]["total"], 1, "{listed}");
    assert_eq!(listed["data"]["tasks"][0]["state"], "READY", "nobody claimed: {listed}");
    let end = raw.end();
    assert_eq!((end.exit, end.err.as_str()), (Some(0), ""), "{end:?}");
}

#[test]
fn before_the_protocol_refusals_are_those_of_commands() {
    let ground = Ground::of_rows(1, "READY");
    let outside = tempfile::tempdir().unwrap();
    let outside_path = outside.path().to_str().unwrap();
    let cases: [(&[&str], i32, &str); 5] = [
        (&["-C", outside_path, "mcp"], 3, "no `ORCH/STATE/TASKS.md`"),
        (&["mcp", "--allow", "config"], 2, "approve, reject, done, fix, decide"),
        (&["mcp", "--allow", "claim"], 2, "names no tool that can be allowed"),
        (&["mcp", "--as", "root"], 2, "which is no actor"),
        (&["mcp", "--as", "AUDIT@auto"], 4, "nobody else may use it"),
    ];
    for (args, exit, says) in cases {
        let ran = ground.orch(args);
        assert_eq!(ran.exit, exit, "{ran:?}");
        assert!(ran.out.is_empty() && ran.err.contains(says), "{ran:?}");
    }
}

#[test]
fn another_actor_in_the_settings_is_not_acted_as() {
    let ground = Ground::of_rows(1, "READY");
    ground.settings("actor: WORK@ada\n");
    let mut raw = Raw::start(&ground, &[]);
    assert_eq!(raw.call("list", json!({}))["kind"], "task.list");
    ground.settings("actor: CMD@boss\n");
    for tool in ["claim", "list"] {
        let refused = raw.call(tool, json!({}));
        assert_eq!(refused["error"]["code"], "not_allowed", "{refused}");
        let message = refused["error"]["message"].as_str().unwrap();
        assert!(message.contains("`WORK@ada`") && message.contains("`CMD@boss`"), "{message}");
    }
    ground.settings("actor: WORK@ada\n");
    assert_eq!(raw.call("claim", json!({}))["data"]["lease"]["owner"], "WORK@ada");
}

#[test]
fn the_workspace_is_that_of_the_start() {
    let ground = Ground::of_rows(1, "READY");
    let below = ground.root().join("a/b");
    fs::create_dir_all(&below).unwrap();
    let dir = below.to_str().unwrap();
    let mut raw = Raw::start(&ground, &["-C", dir, "--as", "WORK@ada"]);
    // A ledger that comes to stand nearer is another workspace.
    fs::create_dir_all(below.join("ORCH/STATE")).unwrap();
    fs::write(below.join("ORCH/STATE/TASKS.md"), ground.text().replace("T-0001", "OTHER")).unwrap();
    let claimed = raw.call("claim", json!({}));
    assert_eq!(claimed["data"]["task"]["task_id"], "T-0001", "{claimed}");
    let next = claimed["next"][0].as_str().unwrap();
    assert!(
        next.starts_with(&format!(
            "orch -C {} submit",
            ground.root().canonicalize().unwrap().display()
        )),
        "{next}"
    );
    assert!(!fs::read_to_string(below.join("ORCH/STATE/TASKS.md")).unwrap().contains("DOING"));
    // Also where the folder that it was started in is gone.
    fs::remove_dir_all(&below).unwrap();
    assert_eq!(raw.call("list", json!({}))["data"]["total"], 1);
}

#[test]
fn a_huge_note_is_taken_or_refused_and_the_session_goes_on() {
    let ground = Ground::of_rows(1, "READY");
    let mut raw = Raw::start(&ground, &["--as", "WORK@ada"]);
    let text = "x".repeat(1 << 20);
    let noted = raw.call("note", json!({"id": "T-0001", "text": text}));
    let by_command = ground.run("show T-0001 --json --as WORK@ada").ok().json();
    if noted["kind"] == "error" {
        assert_eq!(by_command["data"]["task"]["notes"], Value::Null);
    } else {
        assert_eq!(by_command["data"]["task"]["notes"].as_str().map(str::len), Some(1 << 20));
    }
    assert_eq!(raw.call("show", json!({"id": "T-0001"})), by_command);
    let odd = raw.call("note", json!({"id": "T-0001", "text": "\u{202e}\0"}));
    assert_eq!(odd["error"]["code"], "usage", "{odd}");
}
