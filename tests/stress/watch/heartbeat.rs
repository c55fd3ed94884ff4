//! Leases that cannot be renewed: the command is dead before anybody else could
//! hold its task, and nothing that it did counts.

use std::fs;
use std::time::Duration;

use orch::sys::Sys;
use rustix::process::Signal;
use serde_json::Value;

use super::shop::{Process, Shop, claims, ready, results, runner, until};
use crate::support::ground::Ran;
use crate::support::image::Mounted;
use crate::support::{Stopwatch, at_once, has, is_shipped, pause, say, scale, skip};

/// Neither it nor what it started ends when asked.
const DEAF: &str = "trap '' TERM; (trap '' TERM; setsid sleep 600 &)
    echo $ORCH_LEASE_TOKEN >>token.$ORCH_TASK_ID; echo $$ >>pid.$ORCH_TASK_ID
    while :; do sleep 600; done";

/// The same the first time; then it is done at once.
const DEAF_ONCE: &str = "[ $ORCH_ATTEMPT = 1 ] || exit 0; ";

/// Its keeper ended it for its lease.
#[track_caller]
fn lease_ended(shop: &Shop, task: &str) -> Duration {
    let run = shop.runs(task).remove(0);
    let mut end = None;
    until("the keeper says how it ended", || {
        end = Shop::end(&run);
        end.is_some()
    });
    let end = end.unwrap();
    assert_eq!(end["end"], "lease_ended", "{end}");
    Duration::from_millis(end["took_ms"].as_u64().unwrap())
}

/// Waits until nothing of a run is left, and gives how long before the end of its
/// lease that was, by the clock that its keeper goes by.
#[track_caller]
fn gone_before_its_end(shop: &Shop, task: &str, token: &str) -> i64 {
    let is_command = |process: &Process| !process.is_keeper();
    until("nothing of it is left", || !shop.processes_of(token).iter().any(is_command));
    let now = Sys::real().clock.boot_ms();
    let lease = shop.runs(task).remove(0).join("lease.json");
    let lease: Value = serde_json::from_str(&fs::read_to_string(lease).unwrap()).unwrap();
    let left = lease["at_ms"].as_i64().unwrap() - now;
    // Whoever looks may come late to it on a machine that does much else.
    assert!(left > if is_shipped() { 0 } else { -1000 }, "{left} ms too late");
    left
}

#[test]
fn t21_a_watch_that_is_stopped_past_its_leases_changes_nothing_when_it_goes_on() {
    let many = 10;
    let mut slowest = Duration::ZERO;
    for _ in 0..scale().min(10) {
        let more = format!("max_parallel: {many}");
        let settings = format!("leases: {{ttl: 1s, grace: 0s}}\n{}", runner(DEAF, "", &more));
        let shop = Shop::new(&ready(many), &settings);
        let watch = shop.watch();
        let ids: Vec<String> = (1..=many).map(|n| format!("T-{n}")).collect();
        for id in &ids {
            let _ = shop.noted(&format!("pid.{id}"));
        }
        watch.signal(Signal::STOP);
        let mut others = Vec::new();
        for id in &ids {
            let token = shop.lines(&format!("token.{id}")).pop().unwrap();
            let mut claimed: Option<Ran> = None;
            until("the task is free", || {
                let ran = shop.ground.run(&format!("claim {id} --ttl 10m --json --as WORK@other"));
                let is_won = ran.exit == 0;
                assert!(is_won || ran.exit == 5, "{ran:?}");
                claimed = is_won.then_some(ran);
                is_won
            });
            // Whoever has it now is alone with it.
            let alive: Vec<Process> =
                shop.processes_of(&token).into_iter().filter(|p| !p.is_keeper()).collect();
            assert_eq!(alive, [], "{id}: its command lives beside another holder");
            others.push(claimed.unwrap().token());
        }
        watch.signal(Signal::CONT);
        for (id, token) in ids.iter().zip(others) {
            slowest = slowest.max(lease_ended(&shop, id));
            assert_eq!(shop.state(id), "DOING", "{id}");
            shop.does(&["renew", id, "--as", "WORK@other", "--token", &token.to_string()]);
        }
        watch.closes();
        let journal = shop.journal();
        for id in &ids {
            assert_eq!(
                (shop.state(id), shop.cell(id, "lock_owner")),
                ("DOING".into(), "WORK@other".into())
            );
            let done = journal.iter().any(|e| e["task"] == **id && e["command"] == "submit");
            assert!(!done, "{id}: a stale end was taken");
        }
        shop.is_sound();
    }
    let all = many * scale().min(10);
    say("T21", format_args!("{all} leases lost and taken, the longest run {slowest:.1?}"));
}

#[test]
fn t57_a_lock_that_others_hold_starves_the_heartbeat() {
    let ttl = Duration::from_secs(2);
    let script = format!("{DEAF_ONCE}{DEAF}");
    let settings = format!(
        "lock_wait: 1s\nleases: {{ttl: 2s, grace: 0s}}\n{}",
        runner(&script, "retries: {max: 3, backoff: 1ms}", "")
    );
    let shop = Shop::new(&ready(1), &settings);
    let watch = shop.watch();
    let command = shop.noted("pid.T-1");
    let token = shop.lines("token.T-1").remove(0);
    let lock = fs::File::options().write(true).open(shop.ground.lock()).unwrap();
    lock.lock().unwrap();
    let time = Stopwatch::start();
    until("the command is ended", || command.is_gone());
    let took = time.elapsed();
    let left = gone_before_its_end(&shop, "T-1", &token);
    lease_ended(&shop, "T-1");
    // It may have been renewed just before; then its time began there.
    assert!(took < ttl * 3, "{took:?}");
    while time.elapsed() < ttl * 2 {
        pause(Duration::from_millis(10));
    }
    assert_eq!(shop.state("T-1"), "DOING");
    drop(lock);
    shop.until_state("T-1", "REVIEW");
    let journal = shop.journal();
    let token: u64 = token.parse().unwrap();
    let of = |e: &&Value| e["run"]["token"] == token;
    let ends: Vec<_> =
        journal.iter().filter(of).filter_map(|e| e["run"]["result"].as_str()).collect();
    assert!(ends.iter().all(|end| *end == "lost"), "{ends:?}");
    assert_eq!(claims(&journal, "T-1"), 2);
    watch.closes();
    shop.is_sound();
    say("T57", format_args!("ended {took:.1?} after the lock was taken, {left} ms before its end"));
}

#[test]
fn t57_a_full_disk_starves_the_heartbeat() {
    if !rustix::process::geteuid().is_root() {
        return skip("T57", "only root can mount a disk that is full soon");
    }
    let ttl = Duration::from_secs(2);
    let dir = tempfile::tempdir().unwrap();
    let disk = Mounted::memory(&fs::canonicalize(dir.path()).unwrap(), 1024);
    let script = format!("{DEAF_ONCE}{DEAF}");
    let settings = format!(
        "leases: {{ttl: 2s, grace: 0s}}\n{}",
        runner(&script, "retries: {max: 3, backoff: 1ms}", "")
    );
    {
        let shop = Shop::on(disk.at(), &ready(1), &settings);
        let watch = shop.watch();
        let command = shop.noted("pid.T-1");
        let time = Stopwatch::start();
        let full = fill(&shop.path("full"));
        assert!(full > 0);
        until("the command is ended", || command.is_gone());
        let took = time.elapsed();
        assert!(took < ttl * 3, "{took:?}");
        let left = gone_before_its_end(&shop, "T-1", &shop.lines("token.T-1")[0]);
        assert_eq!(shop.state("T-1"), "DOING", "nothing could be written");
        fs::remove_file(shop.path("full")).unwrap();
        shop.until_state("T-1", "REVIEW");
        let journal = shop.journal();
        let ends = results(&journal, "T-1");
        assert!(
            matches!(&ends[..], [first, .., last] if first == "lost" && last == "ok"),
            "{ends:?}"
        );
        watch.closes();
        shop.is_sound();
        say(
            "T57",
            format_args!("ended {took:.1?} after the disk was full, {left} ms before its end"),
        );
    }
    drop(disk);
}

/// To another host a run is only as alive as its lease: nothing of it may be left
/// at the first moment when that host can have the task.
#[test]
fn t21_another_host_never_gets_a_task_while_its_command_lives() {
    if !has("T21", "unshare", &["--uts", "hostname", "other"]) {
        return;
    }
    let cases = 6 * scale().min(5);
    let found = at_once(cases, |n| {
        let settings = format!("leases: {{ttl: 3s, grace: 0s}}\n{}", runner(DEAF, "", ""));
        let shop = Shop::new(&ready(1), &settings);
        // At any part of a second.
        pause(Duration::from_millis(n as u64 * 1000 / cases as u64));
        let watch = shop.watch();
        let _ = shop.noted("pid.T-1");
        watch.signal(Signal::STOP);
        let token = shop.lines("token.T-1").remove(0);
        let program = crate::support::ground::program();
        let claim = format!("hostname other; exec {program} claim T-1 --as WORK@other --json");
        until("the task is free", || {
            let words = ["--uts", "sh", "-c", &claim];
            let ran: Ran = shop.ground.tool("unshare", &words).output().unwrap().into();
            assert!(ran.exit == 0 || ran.exit == 5, "{ran:?}");
            ran.exit == 0
        });
        shop.processes_of(&token).into_iter().filter(|p| !p.is_keeper()).count()
    });
    assert!(found.iter().all(|alive| *alive == 0), "processes of the old run: {found:?}");
}

/// Takes all the room there is; gives how much that was.
pub fn fill(path: &std::path::Path) -> u64 {
    use std::io::Write as _;
    let mut file = fs::File::create(path).unwrap();
    let mut size = 4096;
    while size > 0 {
        if file.write_all(&vec![b'x'; size]).is_err() {
            size /= 2;
        }
    }
    fs::metadata(path).unwrap().len()
}
