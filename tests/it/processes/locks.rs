//! Named locks among real processes, and programs that run under them.

use std::process::{Child, Command, Stdio};

use super::ground::{Ground, at_once};

/// Asks again until it is so. Each round starts a process, so that it waits
/// without a clock.
#[track_caller]
fn until(ground: &Ground, is_so: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    for _ in 0..20_000 {
        let list = ground.run("lock list --json").ok().json();
        if is_so(&list["data"]["locks"]) {
            return list["data"]["locks"].clone();
        }
    }
    panic!("it never came: {:?}", ground.run("lock list"));
}

fn is_held(locks: &serde_json::Value) -> bool {
    locks.as_array().is_some_and(|locks| !locks.is_empty())
}

/// `lock run` of a shell line, with a pipe that keeps it alive: `read` ends when
/// we drop it.
fn start(ground: &Ground, args: &[&str], shell: &str) -> Child {
    let args = [&["lock", "run"], args, &["--", "sh", "-c", shell]].concat();
    let mut command: Command = ground.command(&args);
    path(&mut command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn path(command: &mut Command) {
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
}

fn end(child: Child) -> (Option<i32>, String, String) {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn of_many_that_acquire_at_once_exactly_one_wins() {
    const MANY: usize = 24;
    let ground = Ground::new();
    let ends = at_once(MANY, |n| {
        // A word, and globs of which any two overlap.
        let name = if n % 2 == 0 { "deploy".to_owned() } else { format!("src/*{n}*/**") };
        ground.orch(&["lock", "acquire", &name, "--json", "--as", &format!("WORK@w{n}")])
    });
    for parity in [0, 1] {
        let ours = || ends.iter().enumerate().filter(|(n, _)| n % 2 == parity).map(|(_, ran)| ran);
        assert_eq!(ours().filter(|ran| ran.exit == 0).count(), 1, "{ends:?}");
        assert!(ours().all(|ran| matches!(ran.exit, 0 | 5)), "{ends:?}");
    }
    let locks = ground.run("lock list --json").ok().json()["data"]["locks"].clone();
    assert_eq!(locks.as_array().unwrap().len(), 2);
    let journal = ground.journal();
    let acquired: Vec<_> = journal.iter().filter(|e| e["command"] == "lock acquire").collect();
    assert_eq!(acquired.len(), 2);
    assert_ne!(acquired[0]["token"], acquired[1]["token"]);
    assert!(acquired.iter().all(|e| e["sha_out"].as_object().unwrap().is_empty()));
    assert!(acquired.iter().all(|e| e.get("diff").is_none() && e["locks"].is_array()));
    ground.no_temporaries();
}

#[test]
fn one_counter_under_a_lock_loses_no_step() {
    const MANY: usize = 8;
    let ground = Ground::new();
    std::fs::write(ground.root().join("n"), "0").unwrap();
    let ends = at_once(MANY, |w| {
        let args = ["x", "--wait", "10m", "--as", &format!("WORK@w{w}")];
        end(start(&ground, &args, "n=$(cat n); echo $((n + 1)) > n; echo $ORCH_LOCK_TOKEN"))
    });
    assert!(ends.iter().all(|(code, ..)| *code == Some(0)), "{ends:?}");
    assert_eq!(std::fs::read_to_string(ground.root().join("n")).unwrap().trim(), MANY.to_string());
    let mut tokens: Vec<u64> = ends.iter().map(|(_, out, _)| out.trim().parse().unwrap()).collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), MANY, "a token each");
    assert!(!is_held(&ground.run("lock list --json").json()["data"]["locks"]));
}

#[test]
fn run_ends_as_its_program_does() {
    let ground = Ground::new();
    let run = |shell: &str| end(start(&ground, &["a", "docs/**", "--as", "WORK@ada"], shell));
    assert_eq!(run("exit 0").0, Some(0));
    assert_eq!(run("exit 7").0, Some(7));
    assert_eq!(run("kill -9 $$").0, Some(137));
    let (code, out, err) = run("printf '%s' \"$ORCH_LOCK\"; echo err >&2");
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "a\ndocs/**", "err\n"));
    let ran = ground.run("lock run a --as WORK@ada -- ./no-such-program").exits(127);
    assert!(ran.err.contains("cannot run `./no-such-program`"), "{ran:?}");
    std::fs::write(ground.root().join("plain"), "text").unwrap();
    ground.run("lock run a --as WORK@ada -- ./plain").exits(126);
    // A held lock: the program does not start at all.
    ground.run("lock acquire docs/x --as WORK@bob").ok();
    let (code, out, err) = run("echo started");
    assert_eq!((code, out.as_str()), (Some(5), ""), "{err}");
    assert!(err.contains("`docs/**` overlaps `docs/x`, which is held by `WORK@bob`"), "{err}");
    ground.run("lock release docs/x --as WORK@bob").ok();
    assert!(!is_held(&ground.run("lock list --json").json()["data"]["locks"]));
}

#[test]
fn run_renews_past_its_ttl_and_overlapping_globs_exclude_each_other() {
    let ground = Ground::new();
    let child = start(&ground, &["src/**", "--ttl", "1s", "--as", "WORK@ada"], "read line; exit 3");
    let first = until(&ground, is_held);
    let end_of = |locks: &serde_json::Value| locks[0]["expires_at"].as_str().unwrap().to_owned();
    let start_end = end_of(&first);
    let later = until(&ground, |locks| end_of(locks) > start_end);
    assert_eq!(later[0]["token"], first[0]["token"]);
    let args = ["lock", "run", "src/parser/*.rs", "--as", "WORK@bob", "--", "./never"];
    let ran = ground.orch(&args).exits(5);
    assert!(ran.err.contains("`src/parser/*.rs` overlaps `src/**`"), "{ran:?}");
    // The ledger's lock is free while the program runs.
    ground.settings("lock_wait: 10s\n");
    ground.run("add More --as WORK@bob").ok();
    let (code, _, err) = end(child);
    assert_eq!((code, err.as_str()), (Some(3), ""));
    assert!(ground.journal().iter().any(|e| e["command"] == "lock renew"));
    ground.run("lock acquire src/parser/*.rs --as WORK@bob").ok();
}

#[test]
fn a_program_whose_lock_is_lost_is_ended_with_what_it_started() {
    let ground = Ground::new();
    let lost: [&dyn Fn(); 2] = [&|| drop(ground.run("lock release x --as CMD@boss").ok()), &|| {
        std::fs::remove_file(ground.state().join("LOCKS/names/x.lock")).unwrap();
    }];
    for lose in lost {
        // A grandchild that holds stdout open: we see its end as well.
        let mut child =
            start(&ground, &["x", "--as", "WORK@ada"], "(sleep 600; echo alive) & wait");
        let stdin = child.stdin.take();
        until(&ground, is_held);
        lose();
        let (code, out, err) = end(child);
        assert_eq!((code, out.as_str()), (Some(6), ""), "{err}");
        assert!(err.contains("the hold of `x` with token"), "{err}");
        drop(stdin);
        assert!(!is_held(&ground.run("lock list --json").json()["data"]["locks"]));
    }
}

#[test]
fn signals_reach_the_program_and_the_lock_is_given_back() {
    let ground = Ground::new();
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let mut child = start(&ground, &["x", "--as", "WORK@ada"], "echo on; read line");
        let mut said = [0; 3];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
        let stdin = child.stdin.take();
        let kill = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        let (ended, _, err) = end(child);
        assert_eq!((ended, err.as_str()), (Some(code), ""), "{signal}");
        drop(stdin);
        assert!(!is_held(&ground.run("lock list --json").json()["data"]["locks"]));
    }
    // While it waits for the lock, too.
    ground.run("lock acquire x --as WORK@bob").ok();
    let child = start(&ground, &["x", "--wait", "1h", "--as", "WORK@ada"], "echo started");
    let status = format!("/proc/{}/status", child.id());
    let catches = |text: &str| {
        let mask = text.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
        u64::from_str_radix(mask.trim(), 16).unwrap_or(0) >> 14 & 1 == 1
    };
    if std::fs::metadata(&status).is_ok() {
        while !std::fs::read_to_string(&status).is_ok_and(|text| catches(&text)) {
            ground.run("lock list");
        }
        let kill = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
        assert!(kill.unwrap().success());
        let (code, out, _) = end(child);
        assert_eq!((code, out.as_str()), (Some(143), ""));
    } else {
        let mut child = child;
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn a_killed_run_frees_its_lock_only_when_ttl_and_grace_are_over() {
    let ground = Ground::new();
    ground.settings("lock_wait: 10m\nleases: {grace: 1s}\n");
    let mut child = start(&ground, &["x", "--ttl", "1s", "--as", "WORK@ada"], "read line");
    let stdin = child.stdin.take();
    let held = until(&ground, is_held);
    child.kill().unwrap();
    child.wait().unwrap();
    ground.run("lock acquire x --ttl 1h --as WORK@bob").exits(5);
    let before = until(&ground, |_| true);
    let taken = ground.run("lock acquire x --ttl 1h --wait 10m --json --as WORK@bob").ok().json();
    // Nobody renewed it, and it was respected for a second after its end.
    let end = |value: &serde_json::Value| {
        let text = value.as_str().unwrap().to_owned();
        orch::model::time::Timestamp::parse(&text).unwrap().0
    };
    let journal = ground.journal();
    let at = journal.last().unwrap()["ts"].as_str().unwrap().to_owned();
    let at = orch::model::time::Timestamp::parse_millis(&at).unwrap().0;
    assert!(at >= end(&before[0]["expires_at"]) + 1_000, "{before} {at}");
    let token = |value: &serde_json::Value| value["token"].as_u64().unwrap();
    assert!(token(&taken["data"]["lease"]) > token(&held[0]));
    assert_eq!(journal.last().unwrap()["locks"][0]["taken_from"], "WORK@ada");
    drop(stdin);
}
