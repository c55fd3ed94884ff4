//! What others lost runs, money or trust by: which tasks are run, and what people
//! and commands do to a task while it is.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use super::shop::{Process, Shop, claims, count, never, ready, results, runner, until};
use crate::support::ground::row;

/// Its number, and then it is there until somebody ends it.
const WAITS: &str = "for old in $(cat pids); do kill -0 $old && echo $old >>beside; done
    echo $$ >>pids; echo $$ >pid.$ORCH_TASK_ID; trap '' TERM; while :; do sleep 600; done";

/// It goes on until a file is there.
const UNTIL_GO: &str = "echo $ORCH_TASK_ID >>runs; until [ -e go ]; do sleep 0.01; done";

fn go(shop: &Shop) {
    fs::write(shop.path("go"), "").unwrap();
}

/// What waits for something is not run again and again (139 runs of one task that
/// waited for an approval), and what waits takes nobody's place.
#[test]
fn what_waits_for_an_approval_or_a_task_is_never_run_and_takes_no_place() {
    let blocked = "| T-5 | Later | READY | - | - | - | - | - | - | depends=T-6 |\n";
    let states = ["PLAN", "HOLD", "REVIEW", "DONE", "DROP", "BLOCKED", ""];
    let others = states.map(|state| row(&format!("X-{state}"), "Not for now", state));
    let rows = format!("{}{blocked}{}{}", ready(4), row("T-6", "First", "PLAN"), others.concat());
    let shop = Shop::new(&rows, &runner("echo $ORCH_TASK_ID >>runs", "", "max_parallel: 1"));
    for id in ["T-1", "T-2", "T-3"] {
        shop.does(&["request", id, "--op", "deploy", "--as", "WORK@ada"]);
    }
    let watch = shop.watch();
    shop.until_state("T-4", "REVIEW");
    for n in 0..3 {
        shop.does(&["note", "T-1", &format!("look {n}"), "--as", "CMD@eve"]);
        let ran = shop.does(&["add", "Fine", "--state", "READY", "--as", "CMD@eve", "--json"]);
        shop.until_state(&ran.id(), "REVIEW");
    }
    assert_eq!(shop.lines("runs").len(), 4, "{:?}", shop.lines("runs"));
    let journal = shop.journal();
    assert_eq!(["T-1", "T-2", "T-3", "T-5"].map(|id| claims(&journal, id)), [0; 4]);
    // And once nothing is in the way they are run, once each.
    shop.does(&["approve", "A001", "--as", "AUDIT@bob"]);
    shop.until_state("T-1", "REVIEW");
    shop.does(&["withdraw", "A002", "--as", "WORK@ada"]);
    shop.until_state("T-2", "REVIEW");
    shop.does(&["reject", "A003", "--as", "AUDIT@bob", "--note", "no"]);
    shop.does(&["ready", "T-6", "--as", "CMD@eve"]);
    shop.until_state("T-6", "REVIEW");
    assert_eq!(claims(&shop.journal(), "T-5"), 0);
    shop.does(&["done", "T-6", "--as", "AUDIT@bob"]);
    shop.until_state("T-5", "REVIEW");
    watch.closes();
    for id in ["T-1", "T-2", "T-4", "T-5", "T-6"] {
        assert_eq!(shop.lines("runs").iter().filter(|run| *run == id).count(), 1, "{id}");
    }
    assert!(!shop.read("runs").contains('X'), "{}", shop.read("runs"));
}

/// A kill that did not land left a worker beside its successor.
#[test]
fn a_task_that_people_take_away_ends_its_run_and_that_counts_for_nothing() {
    let ends: [(&str, &[&str], &str); 5] = [
        ("hold", &["hold", "T-1", "--as", "CMD@eve"], "HOLD"),
        ("drop", &["drop", "T-1", "--as", "CMD@eve"], "DROP"),
        ("release", &["release", "T-1", "--as", "CMD@eve"], ""),
        ("undo", &["undo", "--as", "WORK@r"], ""),
        ("the row is removed", &[], "-"),
    ];
    for (name, words, state) in ends {
        // Asked for longer than the test takes: its own grace counts.
        let more = "grace: 100ms, retries: {max: 0}";
        let shop = Shop::new(&ready(2), &runner(WAITS, more, "max_parallel: 1, grace: 10m"));
        fs::write(shop.path("pids"), "").unwrap();
        let mut watch = shop.watch();
        let first = shop.noted("pid.T-1");
        if words.is_empty() {
            let text = shop.ground.text();
            let text: String =
                text.split_inclusive('\n').filter(|line| !line.contains("T-1")).collect();
            fs::write(shop.ground.tasks(), text).unwrap();
        } else {
            shop.does(words);
        }
        until(&format!("{name}: its command is ended"), || first.is_gone());
        // Its place is free, or it is its own turn again.
        let second = if state.is_empty() { "T-1" } else { "T-2" };
        let mut next: Option<Process> = None;
        until(&format!("{name}: {second} is run"), || {
            let pids = shop.lines("pids");
            next = (pids.len() == 2).then(|| shop.noted(&format!("pid.{second}")));
            next.is_some()
        });
        assert_eq!(shop.read("beside"), "", "{name}: two were there at once");
        match state {
            "" => {
                let told = watch.told();
                let attempts: Vec<_> = told
                    .iter()
                    .filter(|e| e["event"] == "started")
                    .map(|e| &e["attempt"])
                    .collect();
                assert_eq!(attempts, [&1, &1], "{name}: {told:#?}");
            }
            "-" => assert!(!shop.ground.rows().contains_key("T-1")),
            _ => assert_eq!(shop.state("T-1"), state, "{name}"),
        }
        assert_eq!(results(&shop.journal(), "T-1"), Vec::<String>::new(), "{name}");
        assert_eq!(count(watch.told(), "ending", "T-1"), 1, "{name}");
    }
}

/// A child that moves its task by itself is believed, whatever it ends with.
#[test]
fn what_a_command_does_to_its_own_task_is_believed() {
    let orch = crate::support::ground::program();
    let script = format!(
        "echo $ORCH_TASK_ID >>runs; case $ORCH_TASK_ID in
            T-1) {orch} submit T-1 --artifact out.md;;
            T-2) {orch} submit T-2; exit 3;;
            T-3) {orch} release T-3 --needs-input 'which colour?'; exit 0;;
            T-4) {orch} release T-4 --needs-input 'which colour?'; exit 3;;
            T-5) {orch} request T-5 --op deploy; exit 75;;
            T-6) {orch} note T-6 'half way'; exit 0;;
            T-7) exit 0;;
            T-8) {orch} done T-8 --as AUDIT@bob; {orch} claim T-9 --as WORK@me
                 {orch} approve A001 --as AUDIT@bob; exit 0;;
        esac"
    );
    let more = "retries: {max: 1, backoff: 1ms}";
    let shop = Shop::new(&ready(8), &runner(&script, more, "max_parallel: 8"));
    let watch = shop.watch();
    let expected = ["REVIEW", "REVIEW", "PLAN", "PLAN", "READY", "REVIEW", "REVIEW", "REVIEW"];
    let states = || (1..=8).map(|n| shop.state(&format!("T-{n}"))).collect::<Vec<_>>();
    until("all ended", || states() == expected && shop.processes().is_empty());
    let ran = shop.does(&["add", "Fine", "--state", "READY", "--as", "CMD@eve", "--json"]);
    shop.until_state(&ran.id(), "REVIEW");
    let told = watch.closes();
    assert_eq!(states(), expected);
    assert_eq!(shop.cell("T-1", "artifact"), "out.md");
    assert!(shop.cell("T-3", "notes").contains("which colour?"));
    assert!(shop.cell("T-6", "notes").contains("half way"));
    // Each was run once: nobody asks the same question twice.
    let mut runs = shop.lines("runs");
    runs.sort();
    assert_eq!(runs.len(), 9, "{runs:?}");
    let said = |id: &str| {
        let of = |e: &&Value| e["event"] == "ended" && e["task"] == id;
        told.iter().find(of).map(|e| e["message"].to_string()).unwrap_or_default()
    };
    for id in ["T-1", "T-2", "T-3", "T-4"] {
        assert!(said(id).contains("by itself"), "{id}: {}", said(id));
    }
    // Being bound to its run it is nobody else, and A001 is its own request.
    let approvals = shop.does(&["approvals", "--json"]).json();
    assert_eq!(approvals["data"]["approvals"][0]["status"], "pending", "{approvals}");
    shop.is_sound();
}

/// One that gives its task back each time is bounded like one that fails.
#[test]
fn a_command_that_gives_its_task_back_each_time_is_bounded() {
    let orch = crate::support::ground::program();
    let script = format!(
        "[ $ORCH_TASK_ID = T-1 ] || exit 0
         echo $ORCH_ATTEMPT >>runs; [ $(wc -l <runs) -lt 10 ] && {orch} release T-1; exit 0"
    );
    let shop = Shop::new(&ready(1), &runner(&script, "retries: {max: 2, backoff: 1ms}", ""));
    let watch = shop.watch();
    until("it is run", || shop.lines("runs").len() >= 3);
    for _ in 0..3 {
        let ran = shop.does(&["add", "Fine", "--state", "READY", "--as", "CMD@eve", "--json"]);
        shop.until_state(&ran.id(), "REVIEW");
    }
    assert_eq!(shop.lines("runs"), ["1", "2", "3"], "{}", shop.state("T-1"));
    watch.closes();
    shop.is_sound();
}

#[test]
fn what_people_write_while_a_run_goes_on_does_not_end_it() {
    let shop = Shop::new(&ready(1), &runner(UNTIL_GO, "", ""));
    let mut watch = shop.watch();
    until("it runs", || shop.lines("runs").len() == 1);
    shop.does(&["note", "T-1", "go on like this", "--as", "WORK@ada"]);
    shop.does(&["set", "T-1", "priority=HIGH", "due=2031-01-01", "--as", "CMD@eve"]);
    // By hand too.
    let text = shop.ground.text().replace("| Task 1 |", "| Task one |");
    fs::write(shop.ground.tasks(), text).unwrap();
    shop.does(&["add", "Fine", "--state", "READY", "--as", "CMD@eve"]);
    until("it looked", || shop.lines("runs").len() == 2);
    go(&shop);
    shop.until_state("T-1", "REVIEW");
    let notes = shop.cell("T-1", "notes");
    assert!(notes.contains("go on like this") && notes.contains("priority=HIGH"), "{notes}");
    assert_eq!(shop.cell("T-1", "title"), "Task one");
    assert_eq!(count(watch.told(), "ending", ""), 0);
    watch.closes();
    assert_eq!(claims(&shop.journal(), "T-1"), 1);
    shop.is_sound();
}

#[test]
fn freeze_begins_nothing_and_lets_go_on_what_goes_on() {
    let shop = Shop::new(&ready(3), &runner(UNTIL_GO, "", "max_parallel: 2"));
    let watch = shop.watch();
    until("two run", || shop.lines("runs").len() == 2);
    shop.does(&["flag", "FREEZE=on", "--as", "WORK@ada"]);
    go(&shop);
    until("both end", || shop.states().get("REVIEW") == Some(&2));
    shop.does(&["note", "T-3", "a look", "--as", "CMD@eve"]);
    never("FREEZE is on", Duration::from_millis(300), || shop.lines("runs").len() > 2);
    shop.does(&["flag", "FREEZE=off", "--as", "CMD@eve"]);
    shop.until_state("T-3", "REVIEW");
    watch.closes();
    shop.is_sound();
}

/// A command that goes on to the next task by itself leaves it with nobody.
#[test]
fn what_a_command_claims_beside_its_own_task_is_given_back() {
    let orch = crate::support::ground::program();
    let script = format!("echo $ORCH_TASK_ID >>runs; {orch} submit $ORCH_TASK_ID --claim-next");
    let shop = Shop::new(&ready(3), &runner(&script, "", "max_parallel: 1"));
    let watch = shop.watch();
    until("all are handed in", || shop.states().get("REVIEW") == Some(&3));
    let told = watch.closes();
    assert_eq!(shop.lines("runs").len(), 3);
    let given = told.iter().filter(|e| e["event"] == "reaped").count();
    assert_eq!(given, 2, "{told:#?}");
    shop.is_sound();
}

/// A live but slow worker was killed; one blocking call was longer than the TTL.
#[test]
fn a_run_much_longer_than_its_lease_keeps_it() {
    let settings = format!("leases: {{ttl: 1s, grace: 0s}}\n{}", runner("sleep 3", "", ""));
    let shop = Shop::new(&ready(1), &settings);
    let mut watch = shop.watch();
    watch.event("started", "T-1");
    let mut refused = 0;
    until("it is handed in", || {
        match shop.ground.run("claim T-1 --as WORK@other").exit {
            5 => refused += 1,
            // In REVIEW there is nothing to claim.
            exit => assert_eq!((exit, shop.state("T-1")), (4, "REVIEW".to_owned())),
        }
        shop.state("T-1") == "REVIEW"
    });
    watch.closes();
    assert!(refused > 3 && results(&shop.journal(), "T-1") == ["ok"], "{refused}");
    shop.is_sound();
}
