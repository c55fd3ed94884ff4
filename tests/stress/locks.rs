//! The lock of writers: held by others, by the dead, gone, or not a lock.

use std::fs::{self, File, Permissions};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};

use super::support::ground::{Ground, Ran, clean, program};
use super::support::judge::unbroken;
use super::support::{Stopwatch, at_once, has, say, scale, strace};

const WAIT: Duration = Duration::from_millis(1500);

/// A command that has to give up after [`WAIT`], give or take half a second.
#[track_caller]
fn gives_up(ground: &Ground) -> Ran {
    let before = ground.files();
    let watch = Stopwatch::start();
    let ran = ground.run("add More --as WORK@bob --json").exits(11);
    let took = watch.elapsed();
    let late = Duration::from_millis(500);
    assert!(took + late >= WAIT && took <= WAIT + late, "gave up after {took:?}, not {WAIT:?}");
    assert_eq!(ran.json()["error"]["code"], "busy");
    assert_eq!(ground.files(), before, "nothing was written");
    ran
}

#[test]
fn t09_a_lock_that_another_program_holds_is_waited_for_and_then_named() {
    if !has("T9", "flock", &["--version"]) {
        return;
    }
    let ground = Ground::of_rows(3, "READY");
    ground.settings("lock_wait: 1500ms\n");
    ground.run("note T-0001 x --as WORK@ada").ok();
    let lock = ground.lock();
    let script = "exec 9<>\"$1\"; flock 9 && echo held && exec cat";
    let mut holder = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(&lock)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let out = holder.stdout.take().unwrap();
    BufReader::new(out).read_line(&mut said).unwrap();
    assert_eq!(said, "held\n");
    fs::write(&lock, "WORK@eve, `vi`, process 7 on elsewhere").unwrap();
    let ran = gives_up(&ground);
    assert!(ran.err.contains("WORK@eve, `vi`, process 7 on elsewhere"), "{ran:?}");
    // Readers and previews wait for nobody.
    let watch = Stopwatch::start();
    ground.run("list").ok();
    ground.run("add More --dry-run --as WORK@bob").ok();
    assert!(watch.elapsed() < WAIT, "readers waited");
    holder.kill().unwrap();
    holder.wait().unwrap();
    let watch = Stopwatch::start();
    ground.run("add More --as WORK@bob").ok();
    assert!(watch.elapsed() < WAIT, "a dead holder was waited for");
    unbroken(&ground, "T9");
}

/// A command of ours that stands still in the middle of its commit.
fn stands_still(ground: &Ground) -> Option<Child> {
    let mut child = Command::new("strace");
    clean(&mut child).args(["-f", "-qq", "-o", "/dev/stderr", "-e", "trace=fsync"]);
    child.args(["-e", "inject=fsync:delay_enter=60000000:when=1"]).arg(program());
    child.args(["note", "T-0001", "slow", "--as", "WORK@slow"]).current_dir(ground.root());
    let mut child = child.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().ok()?;
    // The log's first line is the call that waits: the lock is held by now.
    let mut reader = BufReader::new(child.stderr.take()?);
    let mut first = [0];
    std::io::Read::read_exact(&mut reader, &mut first).ok()?;
    Some(child)
}

#[test]
fn t09_a_command_of_ours_that_hangs_is_named_and_can_be_killed() {
    if !strace::works("T9") {
        return;
    }
    let ground = Ground::of_rows(3, "READY");
    ground.settings("lock_wait: 1500ms\n");
    ground.run("note T-0001 x --as WORK@ada").ok();
    let mut child = stands_still(&ground).expect("strace can make a call wait");
    let ran = gives_up(&ground);
    assert!(ran.err.contains("WORK@slow") && ran.err.contains("`orch note`"), "{ran:?}");
    let pid = ran.err.split_once("process ").and_then(|(_, rest)| rest.split(' ').next());
    let pid = pid.and_then(|pid| Pid::from_raw(pid.parse().ok()?)).expect("a process is named");
    kill_process(pid, Signal::KILL).unwrap();
    // strace would sit out the wait before it lets the dead one go.
    child.kill().unwrap();
    child.wait().unwrap();
    let watch = Stopwatch::start();
    ground.run("add More --as WORK@bob").ok();
    assert!(watch.elapsed() < WAIT, "a dead holder was waited for");
    ground.no_temporaries("T9");
    unbroken(&ground, "T9");
}

/// Every file below a folder outside the workspace.
fn outside(dir: &Path) -> Vec<(std::path::PathBuf, Option<Vec<u8>>)> {
    let mut found: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .flat_map(|entry| {
            let path = entry.unwrap().path();
            let below = if path.is_dir() { outside(&path) } else { Vec::new() };
            let bytes = fs::read(&path).ok();
            below.into_iter().chain([(path, bytes)])
        })
        .collect();
    found.sort();
    found
}

fn pipe_at(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
}

/// A command that must not wait for anything.
fn promptly(ground: &Ground, line: &str) -> Ran {
    let ran = ground.under(&["timeout", "-s", "KILL", "20"], line);
    assert_ne!(ran.exit, 137, "`{line}` hangs");
    ran
}

/// What stands where, and how a changing command may end: (place, kind, exits).
/// After an end that is no success nothing was changed.
const PLACES: [(&str, &str, &[i32]); 14] = [
    ("STATE/LOCKS", "gone", &[0]),
    ("LOGS", "gone", &[0]),
    ("STATE/LOCKS", "link", &[1, 10]),
    ("LOGS", "link", &[1, 10]),
    ("STATE/LOCKS", "file", &[1, 10]),
    ("LOGS", "file", &[1, 10]),
    ("STATE/LOCKS", "pipe", &[1, 10]),
    ("LOGS", "pipe", &[1, 10]),
    ("STATE/LOCKS/ledger", "link", &[1, 10]),
    ("STATE/LOCKS/ledger", "folder", &[1, 10]),
    ("STATE/LOCKS/ledger", "pipe", &[1, 10]),
    ("STATE/.TASKS.md.orch-redo", "link", &[0, 1, 10]),
    ("STATE/.TASKS.md.orch-redo", "folder", &[0, 1, 10]),
    ("STATE/.TASKS.md.orch-redo", "pipe", &[0, 1, 10]),
];

fn put(path: &Path, kind: &str, away: &Path) {
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else if path.exists() {
        fs::remove_file(path).unwrap();
    }
    match kind {
        "gone" => {}
        "link" => symlink(away, path).unwrap(),
        "file" => fs::write(path, "not a folder").unwrap(),
        "folder" => fs::create_dir(path).unwrap(),
        "pipe" => pipe_at(path),
        _ => unreachable!("{kind}"),
    }
}

#[test]
fn t12_lock_and_log_that_are_gone_or_something_else_harm_nothing() {
    for (place, kind, exits) in PLACES {
        for target in ["folder", "file"] {
            let ground = Ground::of_rows(3, "READY");
            ground.run("note T-0001 x --as WORK@ada").ok();
            let away = tempfile::tempdir().unwrap();
            fs::write(away.path().join("canary"), "untouched").unwrap();
            let to = match target {
                "folder" => away.path().to_owned(),
                _ => away.path().join("canary"),
            };
            let path = ground.root().join("ORCH").join(place);
            put(&path, kind, &to);
            let at = format!("T12: {place} is {kind} ({target})");
            let (canary, before) = (outside(away.path()), ground.ledgers());
            let ran = promptly(&ground, "claim T-0002 --as WORK@ada --op-id k");
            assert!(exits.contains(&ran.exit), "{at}: {ran:?}");
            assert_eq!(outside(away.path()), canary, "{at}: something was written out there");
            if ran.exit == 0 {
                assert_eq!(ground.rows()["T-0002"]["state"], "DOING", "{at}");
            } else {
                assert_eq!(ground.ledgers(), before, "{at}: {ran:?}");
            }
            // Readers get along with all of it.
            let list = promptly(&ground, "list");
            assert!(matches!(list.exit, 0 | 10), "{at}: {list:?}");
            // Once it is put right the next command works.
            if path.is_dir() && !path.is_symlink() {
                fs::remove_dir_all(&path).unwrap();
            } else if path.is_symlink() || path.exists() {
                fs::remove_file(&path).unwrap();
            }
            ground.run("claim T-0003 --as WORK@bob").ok();
            ground.no_temporaries(&at);
            assert_eq!(outside(away.path()), canary, "{at}");
        }
    }
    say("T12", format_args!("{} places, none harmed anything", PLACES.len()));
}

/// Rights count for those who are not root: the commands run as nobody.
#[test]
fn t12_folders_that_may_not_be_written_refuse_before_anything_changes() {
    let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let is_root = rustix::process::geteuid().is_root();
    if is_root && !has("T12", user[0], &[&user[1..], &["true"]].concat()) {
        return;
    }
    let tool: &[&str] = if is_root { &user } else { &["env"] };
    for place in ["STATE", "STATE/LOCKS", "LOGS"] {
        let ground = Ground::of_rows(3, "READY");
        ground.run("note T-0001 x --as WORK@ada").ok();
        let mut all = vec![ground.root().to_owned()];
        while let Some(path) = all.pop() {
            let mode = if path.is_dir() { 0o777 } else { 0o666 };
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            if path.is_dir() {
                all.extend(fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
            }
        }
        let dir = ground.root().join("ORCH").join(place);
        fs::set_permissions(&dir, Permissions::from_mode(0o555)).unwrap();
        let before = ground.ledgers();
        let at = format!("T12: {place} may not be written");
        let ran = ground.under(tool, "claim T-0002 --as WORK@ada --op-id k --json");
        ran.ended_by_itself(&at);
        let done = matches!(ran.exit, 0 | 13);
        if !done {
            assert_eq!(ground.ledgers(), before, "{at}: {ran:?}");
        }
        // LOCKS can be used without writing into it, the others cannot.
        assert!(done == (place != "STATE") || !done, "{at}: {ran:?}");
        assert_eq!(ground.under(tool, "list").exit, 0, "{at}");
        fs::set_permissions(&dir, Permissions::from_mode(0o777)).unwrap();
        let again = ground.under(tool, "claim T-0002 --as WORK@ada --op-id k --json");
        assert_eq!(again.exit, 0, "{at}: {again:?}");
        assert_eq!(again.json()["data"]["already"] == true, done, "{at}: {again:?}");
        ground.no_temporaries(&at);
    }
}

/// A lock file that is replaced under its holders is a lock that others do not
/// see; the folder's is one that they do.
#[test]
fn t12_a_lock_file_that_is_replaced_all_the_time_loses_nothing() {
    let ground = Ground::of_rows(4, "READY");
    let rounds = 15 * scale().min(20);
    let acks = at_once(4, |w| {
        let mut acks = Vec::new();
        for n in 0..rounds {
            if w == 3 {
                let _ = fs::remove_file(ground.lock());
                let _ = File::create(ground.lock());
                ground.run("list").ok();
                continue;
            }
            let title = format!("ack{w}-{n}.");
            let ran = ground.orch(&["add", &title, "--as", "WORK@ada"]);
            assert!(matches!(ran.exit, 0 | 11), "{ran:?}");
            if ran.exit == 0 {
                acks.push(title);
            }
        }
        acks
    });
    let text = ground.text();
    let acks: Vec<_> = acks.into_iter().flatten().collect();
    for title in &acks {
        assert_eq!(text.matches(title.as_str()).count(), 1, "`{title}`");
    }
    // One line after the other, as if the file had stayed.
    assert_eq!(unbroken(&ground, "T12").len(), 1 + acks.len());
    ground.run("add Last --as WORK@ada").ok();
    ground.no_temporaries("T12");
    say("T12", format_args!("{} acknowledged while the lock file was replaced", acks.len()));
}

#[test]
fn t18_two_workspaces_in_opposite_order_never_stop_each_other() {
    let grounds = [Ground::of_rows(4, "PLAN"), Ground::of_rows(4, "PLAN")];
    let rounds = 10 * scale();
    at_once(4, |w| {
        for n in 0..rounds {
            for step in 0..2 {
                let ground = &grounds[(w + step) % 2];
                let line = format!("set T-000{} title=by-{w}-{n} --as CMD@boss", 1 + w);
                assert_eq!(promptly(ground, &line).exit, 0);
            }
        }
    });
    for ground in &grounds {
        let rows = ground.rows();
        for w in 0..4 {
            assert_eq!(rows[&format!("T-000{}", 1 + w)]["title"], format!("by-{w}-{}", rounds - 1));
        }
        assert_eq!(unbroken(ground, "T18").len(), 1 + 4 * rounds);
    }
    say("T18", format_args!("{} changes of two workspaces, no deadlock", 8 * rounds));
}
