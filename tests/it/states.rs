//! The state machine, from outside: every command in every state by everybody,
//! against the table of the contract as it is written here, not as `src` has it.
//!
//! Each case begins from a ledger that real commands made, so that the journal
//! knows who held what. Cases that change nothing share one workspace.

use crate::support::Workspace;
use crate::support::workspace::{TASKS, mins};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const ID: &str = "T-1";

/// Three roles; bare, as `ada`, who did the work, and as `bob`, who did not.
const ACTORS: [&str; 9] = [
    "CMD",
    "WORK",
    "AUDIT",
    "CMD@ada",
    "WORK@ada",
    "AUDIT@ada",
    "CMD@bob",
    "WORK@bob",
    "AUDIT@bob",
];

/// How a task came to be where it is.
#[derive(Debug, Clone, Copy)]
struct Setup {
    /// The state it is in.
    state: &'static str,
    /// Who holds it, or held it in this round.
    holder: Option<&'static str>,
    /// Where a claim or a hold came from.
    origin: &'static str,
    /// Whose it is.
    owner: &'static str,
    /// Whether CMD took the lease from its holder.
    removed: bool,
    /// Whether the lease is past its end and grace.
    expired: bool,
    /// The commands that lead there.
    made_by: &'static [&'static str],
}

const PLAIN: Setup = Setup {
    state: "PLAN",
    holder: None,
    origin: "READY",
    owner: "-",
    removed: false,
    expired: false,
    made_by: &[],
};

/// The first lease's token: the clock stands still.
const TOKEN: &str = "1767258000000";

const READY: &str = "ready T-1 --as CMD@eve";
const CLAIM: &str = "claim T-1 --as WORK@ada";
const SUBMIT: &str = "submit T-1 --as WORK@ada";
const BARE_CLAIM: &str = "claim T-1 --as WORK";
const BARE_SUBMIT: &str = "submit T-1 --token 1767258000000 --as WORK";
const FIX: &str = "fix T-1 --as AUDIT@eve";
const DONE: &str = "done T-1 --as AUDIT@eve";
const HOLD: &str = "hold T-1 --as CMD@eve";
const DROP: &str = "drop T-1 --as CMD@eve";
const OWNER_AUDIT: &str = "set T-1 owner=AUDIT --as CMD@eve";
const OWNER_BOB: &str = "set T-1 owner=CMD@bob --as CMD@eve";

fn setups() -> Vec<Setup> {
    let held = Some("WORK@ada");
    let bare = Some("WORK");
    vec![
        PLAIN,
        Setup { state: "READY", made_by: &[READY], ..PLAIN },
        Setup { state: "READY", owner: "AUDIT", made_by: &[READY, OWNER_AUDIT], ..PLAIN },
        Setup { state: "READY", owner: "CMD@bob", made_by: &[READY, OWNER_BOB], ..PLAIN },
        Setup { state: "DOING", holder: held, made_by: &[READY, CLAIM], ..PLAIN },
        Setup { state: "DOING", holder: held, expired: true, made_by: &[READY, CLAIM], ..PLAIN },
        Setup { state: "DOING", holder: bare, made_by: &[READY, BARE_CLAIM], ..PLAIN },
        Setup {
            state: "DOING",
            holder: held,
            origin: "FIX",
            made_by: &[READY, CLAIM, SUBMIT, FIX, CLAIM],
            ..PLAIN
        },
        Setup { state: "REVIEW", holder: held, made_by: &[READY, CLAIM, SUBMIT], ..PLAIN },
        Setup {
            state: "REVIEW",
            holder: bare,
            made_by: &[READY, BARE_CLAIM, BARE_SUBMIT],
            ..PLAIN
        },
        // `fix` ends the round: nobody held the task in the new one.
        Setup { state: "FIX", made_by: &[READY, CLAIM, SUBMIT, FIX], ..PLAIN },
        Setup { state: "DONE", holder: held, made_by: &[READY, CLAIM, SUBMIT, DONE], ..PLAIN },
        Setup { state: "DROP", made_by: &[READY, DROP], ..PLAIN },
        Setup { state: "HOLD", origin: "PLAN", made_by: &[HOLD], ..PLAIN },
        Setup { state: "HOLD", origin: "READY", made_by: &[READY, HOLD], ..PLAIN },
        Setup {
            state: "HOLD",
            origin: "READY",
            holder: held,
            removed: true,
            made_by: &[READY, CLAIM, HOLD],
            ..PLAIN
        },
        Setup {
            state: "HOLD",
            origin: "REVIEW",
            holder: held,
            made_by: &[READY, CLAIM, SUBMIT, HOLD],
            ..PLAIN
        },
        Setup {
            state: "HOLD",
            origin: "FIX",
            made_by: &[READY, CLAIM, SUBMIT, FIX, HOLD],
            ..PLAIN
        },
        Setup { state: "SLEEPING", made_by: &[], ..PLAIN },
    ]
}

const COMMANDS: &[&str] = &[
    "ready T-1",
    "claim T-1",
    "submit T-1",
    "submit T-1 --token 1767258000000",
    "renew T-1",
    "release T-1",
    "release T-1 --needs-input why",
    "reap T-1",
    "done T-1",
    "fix T-1",
    "hold T-1",
    "resume T-1",
    "drop T-1",
    "reopen T-1 --note why",
    "move T-1 PLAN --note why",
    "move T-1 READY --note why",
    "move T-1 DOING --note why",
    "move T-1 REVIEW --note why",
    "move T-1 FIX --note why",
    "move T-1 DONE --note why",
    "move T-1 HOLD --note why",
    "move T-1 DROP --note why",
    "set T-1 artifact=a.txt",
    "set T-1 owner=WORK@cyd",
    "set T-1 lock_owner=WORK@cyd",
    "note T-1 hello",
];

/// Exit number and state afterwards.
type End = (u8, &'static str);

/// The table of the contract, section 3, with the order of refusals of section
/// 5: 4, 8, 5, 6, 9, 7, and 6 before 4 for a lease that was lost.
fn expected(setup: &Setup, command: &str, actor: &str) -> End {
    let stays = setup.state;
    let no: End = (4, stays);
    let already: End = (0, stays);
    let role = actor.split('@').next().expect("there is always a first part");
    let name = actor.split_once('@').map(|(_, name)| name);
    let is_cmd = role == "CMD";
    let by_cmd = |to| if is_cmd { (0, to) } else { no };
    let is_holder = setup.state == "DOING" && setup.holder == Some(actor);
    let has_token = command.contains("--token");
    let needs_token = is_holder && name.is_none();
    let lost = setup.removed && setup.holder == Some(actor);
    // A lease that ada held when CMD stopped the task is gone, by its token too.
    let token_lost =
        has_token && (setup.removed || setup.origin == "FIX" && setup.state == "DOING");
    let words: Vec<&str> = command.split(' ').collect();

    // What only the holder may: somebody else's is 5.
    let by_holder = |to: &'static str| match setup.state {
        "DOING" if token_lost => (6, stays),
        "DOING" if is_holder && needs_token && !has_token => (6, stays),
        "DOING" if is_holder => (0, to),
        "DOING" => (5, stays),
        _ if lost || token_lost => (6, stays),
        _ => no,
    };
    // Who judges is CMD or AUDIT, and not who held the task.
    let by_reviewer = |to: &'static str| {
        let held_by_name = setup.holder.and_then(|h| h.split_once('@')).map(|(_, name)| name);
        match (role, held_by_name) {
            ("WORK", _) => no,
            (_, Some(holder)) if name == Some(holder) => (8, stays),
            (_, Some(_)) if name.is_none() => (8, stays),
            _ => (0, to),
        }
    };
    let claim = || match setup.state {
        "READY" | "FIX" => {
            let owner_name = setup.owner.split_once('@').map(|(_, name)| name);
            let owns = setup.owner == role || owner_name.is_some() && owner_name == name;
            if role == "WORK" || owns { (0, "DOING") } else { no }
        }
        "DOING" => match (role, setup.expired) {
            ("WORK", true) => (0, "DOING"),
            ("WORK", false) => (5, stays),
            _ => no,
        },
        _ => no,
    };
    let unknown = setup.state == "SLEEPING";

    match words[0] {
        "note" => (0, stays),
        "set" if command.contains("lock_owner") => no,
        "set" if command.contains("owner") && !is_cmd => no,
        "set" if setup.state == "DOING" && !is_cmd => by_holder(stays),
        "set" => (0, stays),
        "renew" if unknown => no,
        "renew" => by_holder(stays),
        "move" if unknown => match words[2] {
            "DOING" | "DONE" => no,
            to => by_cmd(leak(to)),
        },
        _ if unknown => no,
        "move" if words[2] == setup.state && setup.state != "DOING" => already,
        "move" => match (setup.state, words[2]) {
            ("PLAN", "READY") => by_cmd("READY"),
            ("READY" | "FIX", "PLAN") => by_cmd("PLAN"),
            (_, "DOING") => claim(),
            ("DOING", "REVIEW") => by_holder("REVIEW"),
            ("DOING", "PLAN") => by_holder("PLAN"),
            ("DOING", to) if to == setup.origin => release(setup, is_cmd, by_holder(leak(to))),
            ("REVIEW", "DONE") => by_reviewer("DONE"),
            ("REVIEW", "FIX") => by_reviewer("FIX"),
            ("PLAN" | "READY" | "DOING" | "REVIEW" | "FIX", "HOLD") => by_cmd("HOLD"),
            ("HOLD", to) if to == setup.origin => by_cmd(leak(to)),
            ("DONE" | "DROP", "PLAN") => by_cmd("PLAN"),
            ("PLAN" | "READY" | "DOING" | "REVIEW" | "FIX" | "HOLD", "DROP") => by_cmd("DROP"),
            _ => no,
        },
        "ready" => match setup.state {
            "PLAN" => by_cmd("READY"),
            "READY" => already,
            _ => no,
        },
        "claim" => claim(),
        "submit" => match setup.state {
            "REVIEW" if setup.holder == Some(actor) => already,
            _ => by_holder("REVIEW"),
        },
        "release" if command.contains("--needs-input") => by_holder("PLAN"),
        "release" if setup.state == "DOING" => {
            release(setup, is_cmd, by_holder(leak(setup.origin)))
        }
        "release" => by_holder(stays),
        "reap" => match setup.state {
            "DOING" if setup.expired => (0, setup.origin),
            "DOING" => (5, stays),
            _ => no,
        },
        "done" => match setup.state {
            "REVIEW" => by_reviewer("DONE"),
            "DONE" => already,
            _ => no,
        },
        "fix" => match setup.state {
            "REVIEW" => by_reviewer("FIX"),
            "FIX" => already,
            _ => no,
        },
        "hold" => match setup.state {
            "HOLD" => already,
            "DONE" | "DROP" => no,
            _ => by_cmd("HOLD"),
        },
        "resume" => match setup.state {
            "HOLD" => by_cmd(setup.origin),
            _ => no,
        },
        "drop" => match setup.state {
            "DROP" => already,
            "DONE" => no,
            _ => by_cmd("DROP"),
        },
        "reopen" => match setup.state {
            "DONE" | "DROP" => by_cmd("PLAN"),
            _ => no,
        },
        other => panic!("no rule for `{other}`"),
    }
}

/// CMD takes a task from its holder, and everybody once the lease has ended.
fn release(setup: &Setup, is_cmd: bool, by_holder: End) -> End {
    if is_cmd || setup.expired { (0, setup.origin) } else { by_holder }
}

/// The state as a constant.
fn leak(state: &str) -> &'static str {
    ["PLAN", "READY", "DOING", "REVIEW", "FIX", "DONE", "HOLD", "DROP"]
        .into_iter()
        .find(|known| *known == state)
        .expect("the tests name known states only")
}

fn made(setup: &Setup) -> Workspace {
    let ws = Workspace::new().settings("durability: fast\n").ledger(&ledger("PLAN"));
    for command in setup.made_by {
        let _ = ws.run(command).ok();
    }
    if setup.state == "SLEEPING" {
        ws.write(TASKS, ledger("SLEEPING"));
    }
    if setup.expired {
        ws.clock().advance(mins(36));
    }
    assert_eq!(state(&ws), setup.state, "{setup:?}");
    ws
}

fn ledger(state: &str) -> String {
    format!(
        "| task_id | title | state | owner | lock | lock_owner | lock_expires_at | due | artifact | notes |\n\
         |---|---|---|---|---|---|---|---|---|---|\n\
         | {ID} | Wash the car | {state} | - | - | - | - | - | - | - |\n"
    )
}

fn state(ws: &Workspace) -> String {
    let text = ws.read(TASKS);
    let row = text.lines().last().expect("the ledger has a row");
    row.split('|').nth(3).expect("the row has a state").trim().to_owned()
}

/// Every file below a folder.
fn files(dir: &Path, found: &mut BTreeMap<std::path::PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(dir).expect("the folder is there") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            let bytes = fs::read(&path).expect("the file is the test's own");
            found.insert(path, bytes);
        }
    }
}

fn back_to(ws: &Workspace, before: &BTreeMap<std::path::PathBuf, Vec<u8>>) {
    let mut now = BTreeMap::new();
    files(ws.root(), &mut now);
    for path in now.keys().filter(|path| !before.contains_key(*path)) {
        fs::remove_file(path).expect("the file is the test's own");
    }
    for (path, bytes) in before {
        if now.get(path) != Some(bytes) {
            fs::write(path, bytes).expect("the file is the test's own");
        }
    }
}

#[test]
fn every_command_in_every_state_by_everybody() {
    let mut wrong = String::new();
    let mut cases = 0;
    for setup in setups() {
        let ws = made(&setup);
        let mut before = BTreeMap::new();
        files(ws.root(), &mut before);
        for command in COMMANDS {
            for actor in ACTORS {
                let ran = ws.run_as(actor, command);
                let end = (ran.exit, state(&ws));
                let (exit, to) = expected(&setup, command, actor);
                cases += 1;
                if (end.0, end.1.as_str()) != (exit, to) {
                    let _ = writeln!(
                        wrong,
                        "{} (holder {:?}, from {}, owner {}, removed {}, expired {}): `{command}` by {actor}: \
                         {end:?}, the contract has {:?}\n    {}",
                        setup.state,
                        setup.holder,
                        setup.origin,
                        setup.owner,
                        setup.removed,
                        setup.expired,
                        (exit, to),
                        ran.stderr.lines().next().unwrap_or("")
                    );
                }
                if ran.exit > 0 {
                    assert!(ran.tasks_diff.is_empty(), "refused, yet written: {ran:?}");
                    assert!(ran.stderr.starts_with("error: "), "{ran:?}");
                    assert!(ran.stderr.contains("\nhint: orch "), "no hint: {ran:?}");
                } else {
                    back_to(&ws, &before);
                }
            }
        }
    }
    assert!(wrong.is_empty(), "of {cases} cases:\n{wrong}");
    assert_eq!(cases, setups().len() * COMMANDS.len() * ACTORS.len());
}

#[test]
fn leaving_doing_clears_the_lock_cells() {
    let setup = Setup { state: "DOING", made_by: &[READY, CLAIM], ..PLAIN };
    for command in [
        "submit T-1 --as WORK@ada",
        "release T-1 --as WORK@ada",
        "release T-1 --needs-input why --as WORK@ada",
        "hold T-1 --as CMD@eve",
        "drop T-1 --as CMD@eve",
    ] {
        let ws = made(&setup);
        let _ = ws.run(command).ok();
        let row = ws.read(TASKS);
        let cells: Vec<&str> = row.lines().last().unwrap_or("").split('|').map(str::trim).collect();
        assert_eq!(cells[5..8], ["-"; 3], "`{command}`");
    }
}

#[test]
fn what_was_done_is_already_so_for_who_did_it() {
    for (before, command) in [
        (&[READY, CLAIM][..], "submit T-1 --as WORK@ada"),
        (&[READY, CLAIM], "release T-1 --as WORK@ada"),
        (&[READY, CLAIM], "release T-1 --needs-input why --as WORK@ada"),
        (&[READY, HOLD], "resume T-1 --as CMD@eve"),
        (&[READY, DROP], "reopen T-1 --note why --as CMD@eve"),
    ] {
        let ws = made(&PLAIN);
        for command in before {
            let _ = ws.run(command).ok();
        }
        let _ = ws.run(command).ok();
        let again = ws.run(&format!("{command} --json")).ok();
        assert_eq!(again.json()["data"]["already"], true, "`{command}`");
        assert_eq!(again.tasks_diff, "", "`{command}`");
        let other = command.replace("ada", "bob").replace("eve", "bob");
        let _ = ws.run(&other).exit(4);
    }
    assert!(BARE_SUBMIT.contains(TOKEN));
}
