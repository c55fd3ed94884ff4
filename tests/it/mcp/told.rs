//! Being told of changes, whoever made them and however.

use super::raw::Raw;
use crate::processes::ground::{Ground, row};
use orch::sys::Sys;
use serde_json::{Value, json};
use std::fs;

/// How long being told may take in a test, on a machine that does much else. The
/// contract's 100 ms are measured: the figures are printed.
const BOUND_MS: i64 = 2_000;

fn subscribe(raw: &mut Raw, uri: &str) {
    let answer = raw.ask("resources/subscribe", json!({"uri": uri}));
    assert!(answer["result"].is_object(), "{uri}: {answer}");
}

fn read(raw: &mut Raw, uri: &str) -> Result<Value, Value> {
    let answer = raw.ask("resources/read", json!({"uri": uri}));
    match answer["result"]["contents"][0]["text"].as_str() {
        Some(text) => Ok(serde_json::from_str(text).unwrap()),
        None => Err(answer["error"].clone()),
    }
}

/// A way to save a ledger's new text.
type Save = fn(&Ground, &str);

/// Saves as most editors do: another file, renamed.
fn save_by_rename(ground: &Ground, text: &str) {
    let copy = ground.state().join("TASKS.md~");
    fs::write(&copy, text).unwrap();
    fs::rename(&copy, ground.tasks()).unwrap();
}

fn save_in_place(ground: &Ground, text: &str) {
    fs::write(ground.tasks(), text).unwrap();
}

fn by_command(ground: &Ground, text: &str) {
    let title = text.rsplit_once("hand ").unwrap().1.split(' ').next().unwrap();
    ground.orch(&["set", "T-0001", &format!("title=by hand {title}"), "--as", "CMD@boss"]).ok();
}

#[test]
fn a_change_is_told_soon_whoever_makes_it_and_however() {
    let clock = Sys::real().clock;
    let ways: [(&str, Save); 3] =
        [("rename", save_by_rename), ("in place", save_in_place), ("command", by_command)];
    let ground = Ground::of_rows(50, "READY");
    let mut raw = Raw::start(&ground, &["--as", "WORK@ada"]);
    subscribe(&mut raw, "orch://tasks");
    let text = ground.text();
    for (way, save) in ways {
        let mut took = Vec::new();
        for n in 0..5 {
            let title =
                format!("by hand {way} {n}").replace(' ', "_").replace("by_hand_", "by hand ");
            let text = text.replace("Task 1 ", &format!("{title} "));
            save(&ground, &text);
            let from = clock.boot_ms();
            assert_eq!(raw.updated(), "orch://tasks");
            took.push(clock.boot_ms() - from);
            let now = read(&mut raw, "orch://tasks").unwrap();
            assert_eq!(now["data"]["tasks"][0]["title"], title.as_str(), "{way}");
        }
        eprintln!("told of a save ({way}) after {took:?} ms");
        assert!(took.iter().all(|ms| *ms < BOUND_MS), "{took:?}");
    }
}

#[test]
fn only_what_has_another_answer_is_told() {
    let ground = Ground::of_rows(3, "READY");
    let mut raw = Raw::start(&ground, &["--as", "WORK@ada"]);
    for uri in ["orch://task/T-0001", "orch://task/T-0002", "orch://task/NEW", "orch://approvals"] {
        subscribe(&mut raw, uri);
    }
    // A row above moves the others down, and a note is about one task alone.
    let text = ground.text().replace("| T-0001", &(row("T-0000", "First", "READY") + "| T-0001"));
    save_by_rename(&ground, &text);
    ground.run("note T-0003 quiet --as WORK@eve").ok();
    ground.run("note T-0002 loud --as WORK@eve").ok();
    assert_eq!(raw.updated(), "orch://task/T-0002");
    ground.run("add Later --id NEW --as WORK@eve").ok();
    assert_eq!(raw.updated(), "orch://task/NEW");
    raw.ask("resources/unsubscribe", json!({"uri": "orch://task/T-0002"}));
    ground.run("note T-0002 unheard --as WORK@eve").ok();
    ground.run("request T-0003 --op merge --as WORK@eve").ok();
    assert_eq!(raw.updated(), "orch://approvals");
    ground.run("note T-0001 last --as WORK@eve").ok();
    assert_eq!(raw.updated(), "orch://task/T-0001");
    // What a task waits for is told with it.
    ground.run("set T-0001 depends=T-0002 --as CMD@boss").ok();
    assert_eq!(raw.updated(), "orch://task/T-0001");
    ground.run("claim T-0002 --as WORK@eve").ok();
    assert_eq!(raw.updated(), "orch://task/T-0001");
    assert_eq!(raw.unheard(), Vec::<Value>::new(), "nobody else was told of");
}

const SAVES: usize = 200;

#[test]
fn a_burst_is_told_in_few_words_and_its_last_change_is_among_them() {
    let ground = Ground::of_rows(1, "READY");
    let mut raw = Raw::start(&ground, &["--as", "WORK@ada"]);
    subscribe(&mut raw, "orch://tasks");
    let text = ground.text();
    for n in 1..=SAVES {
        save_in_place(&ground, &text.replace("Task 1", &format!("Save {n}")));
    }
    let mut told = 0;
    loop {
        assert_eq!(raw.updated(), "orch://tasks");
        told += 1;
        let now = read(&mut raw, "orch://tasks");
        let is_last = |now: Value| now["data"]["tasks"][0]["title"] == format!("Save {SAVES}");
        if now.is_ok_and(is_last) {
            break;
        }
    }
    eprintln!("{SAVES} saves were told of {told} times");
    assert!(told < SAVES / 2, "{told}");
}

#[test]
fn a_ledger_that_breaks_is_told_and_so_is_its_mending() {
    let ground = Ground::of_rows(2, "READY");
    let mut raw = Raw::start(&ground, &["--as", "WORK@ada"]);
    subscribe(&mut raw, "orch://tasks");
    let text = ground.text();
    for broken in [
        format!("{text}<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs\n"),
        "no table at all\n".to_owned(),
    ] {
        save_by_rename(&ground, &broken);
        assert_eq!(raw.updated(), "orch://tasks");
        let error = read(&mut raw, "orch://tasks").unwrap_err();
        assert_eq!(error["data"]["error"]["code"], "ledger_invalid", "{error}");
        for tool in ["list", "claim"] {
            let refused = raw.call(tool, json!({}));
            assert_eq!(refused["error"]["code"], "ledger_invalid", "{refused}");
        }
        save_by_rename(&ground, &text);
        assert_eq!(raw.updated(), "orch://tasks");
        assert_eq!(read(&mut raw, "orch://tasks").unwrap()["data"]["total"], 2);
    }
    // Gone, and back.
    fs::remove_file(ground.tasks()).unwrap();
    assert_eq!(raw.updated(), "orch://tasks");
    assert!(read(&mut raw, "orch://tasks").is_err());
    save_in_place(&ground, &text);
    assert_eq!(raw.updated(), "orch://tasks");
    assert_eq!(raw.call("claim", json!({}))["data"]["task"]["task_id"], "T-0001");
}

#[test]
fn the_journal_is_told_of_from_its_first_line() {
    let ground = Ground::of_rows(1, "READY");
    let mut raw = Raw::start(&ground, &["--as", "WORK@ada"]);
    subscribe(&mut raw, "orch://journal");
    // Neither LOGS nor the month's folder is there yet.
    ground.run("note T-0001 one --as WORK@eve").ok();
    assert_eq!(raw.updated(), "orch://journal");
    // A named lock changes no ledger, only the journal.
    ground.run("lock acquire deploy --as WORK@eve").ok();
    assert_eq!(raw.updated(), "orch://journal");
    let journal = read(&mut raw, "orch://journal").unwrap();
    assert_eq!(journal["data"]["entries"][0]["locks"][0]["name"], "deploy", "{journal}");
}

#[test]
fn streams_of_later_versions_are_told_too() {
    let ground = Ground::of_rows(1, "READY");
    let mut raw = Raw::mute(&ground, &["--as", "WORK@ada"]);
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let listed = raw.ask("tools/list", json!({"_meta": meta}));
    assert_eq!(listed["result"]["tools"].as_array().map(Vec::len), Some(8), "{listed}");
    let wanted = json!({"resourceSubscriptions": ["orch://tasks", "orch://nothing"]});
    let id = raw.send("subscriptions/listen", json!({"_meta": meta, "notifications": wanted}));
    let accepted = raw.hear();
    assert_eq!(
        accepted["params"]["notifications"]["resourceSubscriptions"],
        json!(["orch://tasks"]),
        "{accepted}"
    );
    // Told once it is listened to; asking is answered after that has begun.
    raw.ask("resources/read", json!({"_meta": meta, "uri": "orch://tasks"}));
    ground.run("note T-0001 one --as WORK@eve").ok();
    assert_eq!(raw.updated(), "orch://tasks");
    raw.hang_up();
    let over = raw.answer(id);
    assert!(over["result"].is_object(), "a stream ends with the session: {over}");
    assert_eq!(raw.wait().exit, Some(0));
}
