//! Many calls, many servers, and commands beside them.

use super::raw::Raw;
use crate::processes::ground::{Ground, at_once, unbroken};
use serde_json::json;
use std::collections::BTreeSet;

#[test]
fn two_hundred_calls_at_once_are_all_answered_and_the_ledger_is_whole() {
    const CALLS: usize = 200;
    let ground = Ground::of_rows(40, "READY");
    // The usual patience with the lock: nobody may run out of it.
    ground.settings("durability: fast\n");
    let mut raw = Raw::start(&ground, &["--as", "WORK@ada"]);
    let ids: Vec<(usize, u64)> = (0..CALLS)
        .map(|n| {
            let task = format!("T-{:04}", 1 + n % 40);
            let (tool, arguments) = match n % 5 {
                0 => ("claim", json!({"id": task})),
                1 => ("list", json!({"limit": 3})),
                2 => ("show", json!({"id": task})),
                _ => ("note", json!({"id": task, "text": format!("call-{n}.")})),
            };
            (n, raw.send("tools/call", json!({"name": tool, "arguments": arguments})))
        })
        .collect();
    let mut held = 0;
    for (n, id) in ids {
        let answer = raw.answer(id);
        let content = super::raw::content(&answer);
        if n % 5 == 0 && content["kind"] == "error" {
            assert_eq!(content["error"]["code"], "held", "{content}");
            held += 1;
        } else {
            assert_ne!(content["kind"], "error", "{content}");
        }
    }
    assert_eq!(held, CALLS / 5 - 8, "eight tasks were claimed once each, and then held");
    assert_eq!(raw.end().exit, Some(0));
    let text = ground.text();
    for n in (0..CALLS).filter(|n| n % 5 > 2) {
        assert!(text.contains(&format!("call-{n}.")), "call {n} was answered, and is gone");
    }
    unbroken(&ground.journal(), &text);
    assert_eq!(ground.run("audit verify").exit, 0);
    ground.no_temporaries();
}

#[test]
fn of_commands_and_two_servers_exactly_one_wins_each_task() {
    const TASKS: usize = 6;
    const EACH: usize = 3;
    let ground = Ground::of_rows(TASKS, "READY");
    let winners = at_once(2 + EACH, |who| {
        let actor = format!("WORK@w{who}");
        let mut won = Vec::new();
        let mut server = (who < 2).then(|| Raw::start(&ground, &["--as", &actor]));
        for n in 1..=TASKS {
            let id = format!("T-{n:04}");
            let answer = match &mut server {
                Some(server) => server.call("claim", json!({"id": id})),
                None => ground.orch(&["claim", &id, "--json", "--as", &actor]).json(),
            };
            if answer["kind"] == "error" {
                assert_eq!(answer["error"]["code"], "held", "{answer}");
            } else {
                assert_eq!(answer["data"]["lease"]["owner"], actor.as_str());
                won.push((id, answer["data"]["lease"]["token"].as_u64().expect("a token")));
            }
        }
        if let Some(server) = server {
            assert_eq!(server.end().exit, Some(0));
        }
        won
    });
    let all: Vec<_> = winners.iter().flatten().collect();
    let ids: BTreeSet<_> = all.iter().map(|(id, _)| id).collect();
    assert_eq!((all.len(), ids.len()), (TASKS, TASKS), "{winners:?}");
    let tokens: BTreeSet<_> = all.iter().map(|(_, token)| token).collect();
    assert_eq!(tokens.len(), TASKS, "{winners:?}");
    unbroken(&ground.journal(), &ground.text());
}

#[test]
fn a_call_that_was_given_up_before_its_turn_changes_nothing() {
    let ground = Ground::of_rows(60, "READY");
    let mut raw = Raw::start(&ground, &["--as", "WORK@ada"]);
    // In one breath, so that none but the first few can have begun.
    let claim = |n: u64| {
        let params = json!({"name": "claim", "arguments": {"id": format!("T-{n:04}")}});
        json!({"jsonrpc": "2.0", "id": 1000 + n, "method": "tools/call", "params": params})
    };
    let cancel = |n: u64| {
        let params = json!({"requestId": 1000 + n, "reason": "changed my mind"});
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
    };
    let all = (1..=60).map(claim).chain((2..=60).map(cancel));
    raw.line(&all.map(|message| message.to_string()).collect::<Vec<_>>().join("\n"));
    let first = raw.answer(1001);
    assert_eq!(first["result"]["isError"], false, "{first}");
    // A change waits for those before it: what was begun is done by now.
    let noted = raw.call("note", json!({"id": "T-0060", "text": "after"}));
    assert_eq!(noted["kind"], "task.note", "{noted}");
    let doing = ground.rows().values().filter(|row| row["state"] == "DOING").count();
    eprintln!("{doing} of 60 claims had begun when they were given up");
    assert!((1..60).contains(&doing), "{doing}");
    assert_eq!(raw.end().exit, Some(0));
    unbroken(&ground.journal(), &ground.text());
}
