//! Every file system call of every changing command failed, and every one the
//! last that its process makes.
//!
//! In-process, on real files under a file system that counts and fails. Here:
//! the sweep. In the folder: the world (`world`), saves by somebody else at
//! every call (`editors`). Invariant: whatever happens at any call, all files
//! and the journal are of one operation or of none once somebody looks again,
//! readers see what will be, and the exit number says which.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the tests place and look at files by hand"
)]

mod editors;
mod locks;
pub mod world;

use std::collections::BTreeMap;

use world::{World, is_ledger, is_temporary};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// What goes before, and the command that is swept.
struct Scene {
    before: &'static [&'static str],
    line: &'static str,
}

const fn scene(before: &'static [&'static str], line: &'static str) -> Scene {
    Scene { before, line }
}

const CLAIMED: &str = "claim T-1 --as WORK@ada";
const SUBMITTED: &str = "submit T-1 --as WORK@ada";
const ASKED: &str = "request T-1 --op deploy --as WORK@ada";
const DROPPED: &str = "drop T-1 --as CMD@boss";

/// Every changing command but `init`. Those with nothing before them also make
/// the journal, the lock and their folders.
const SCENES: &[Scene] = &[
    scene(&[], "add Title --as WORK@ada"),
    scene(&[], "add Title --detail Text --as WORK@ada"),
    scene(&["note T-3 x --as CMD@boss"], "add Title --op-id k --as WORK@ada"),
    scene(&[], "set T-1 due=2030-01-01 priority=HIGH --as CMD@boss"),
    scene(&[], "set T-3 detail=Other --as CMD@boss"),
    scene(&[], "set T-2 state=READY --as CMD@boss"),
    scene(&[], "note T-1 text --as WORK@ada"),
    scene(&[], "ready T-2 --as CMD@boss"),
    scene(&[], CLAIMED),
    scene(&[], "claim T-1 T-3 --as WORK@ada"),
    scene(&["claim T-3 --as WORK@old", "+2h"], "claim --next --as WORK@ada"),
    scene(&[CLAIMED], "renew T-1 --as WORK@ada"),
    scene(&[CLAIMED], "release T-1 --as WORK@ada"),
    scene(&[CLAIMED], "release T-1 --needs-input Why? --as WORK@ada"),
    scene(&[CLAIMED], "handover T-1 --note Half --as WORK@ada"),
    scene(&[], "handover T-3 --note Half --as WORK@ada"),
    scene(&[CLAIMED], "submit T-1 --artifact out.txt --as WORK@ada"),
    scene(&[CLAIMED], "submit T-1 --claim-next --as WORK@ada"),
    scene(&[CLAIMED, SUBMITTED], "done T-1 --as CMD@boss"),
    scene(&[CLAIMED, SUBMITTED], "fix T-1 --note wrong --as CMD@boss"),
    scene(&[CLAIMED], "hold T-1 --as CMD@boss"),
    scene(&["hold T-1 --as CMD@boss"], "resume T-1 --as CMD@boss"),
    scene(&[CLAIMED], DROPPED),
    scene(&[DROPPED], "reopen T-1 --note why --as CMD@boss"),
    scene(&[DROPPED, "archive --as CMD@boss"], "reopen T-1 --note why --as CMD@boss"),
    scene(&[], "move T-2 READY --as CMD@boss"),
    scene(&[CLAIMED, "+2h"], "reap --as WORK@bob"),
    scene(&[DROPPED], "archive --as CMD@boss"),
    scene(&[DROPPED, "archive --as CMD@boss"], "undo --as CMD@boss"),
    scene(&[DROPPED, "archive --as CMD@boss", "undo --as CMD@boss"], "redo --as CMD@boss"),
    scene(&[DROPPED, "archive --as CMD@boss", "drop T-2 --as CMD@boss"], "archive --as CMD@boss"),
    scene(&[], "fmt --as WORK@ada"),
    scene(&[], "migrate more.md --as CMD@boss"),
    scene(&["migrate more.md --as CMD@boss"], "migrate --rollback --as CMD@boss"),
    scene(&[], ASKED),
    scene(&[ASKED], "request T-1 --op deploy --patch p.diff --as WORK@ada"),
    scene(&[ASKED], "reject A001 --note no --as CMD@boss"),
    scene(&[CLAIMED, SUBMITTED, ASKED], "fix T-1 --as CMD@boss"),
    scene(&[], "flag FREEZE=on --as WORK@ada"),
];

impl Scene {
    /// Whether recovery is killed too: one command of each shape is enough.
    fn nested(&self) -> bool {
        let shapes = ["add Title --detail", "claim T-1 T-3", "archive"];
        shapes.iter().any(|shape| self.line.starts_with(shape))
    }

    fn world(&self) -> World {
        let mut world = World::new();
        for line in self.before {
            world.ok(line);
        }
        world.sim.fs.reset();
        world
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    Fails(i32),
    Dies,
}

type Texts = BTreeMap<String, String>;

fn ledgers(files: &Texts) -> Texts {
    files.iter().filter(|(name, _)| is_ledger(name)).map(|(n, t)| (n.clone(), t.clone())).collect()
}

/// What is in the workspace beside ledgers, journal and temporary files.
fn rest(files: &Texts) -> Texts {
    let is_made_on_the_way =
        |name: &str| name.contains("/LOGS/") || name == "ORCH/STATE/.gitignore";
    let others = |name: &str| !is_ledger(name) && !is_temporary(name) && !is_made_on_the_way(name);
    files.iter().filter(|(name, _)| others(name)).map(|(n, t)| (n.clone(), t.clone())).collect()
}

/// Sweeps one command with one kind of fault; says how many calls it made.
fn sweep(scene: &Scene, fault: Fault) -> usize {
    let start = scene.world();
    let (old, lines_before) = (start.files(), start.journal().0.len());
    let clean = start.copy();
    let ran = clean.run(scene.line);
    assert_eq!(ran.exit, 0, "{}: {ran:?}", scene.line);
    let (new, clean_calls) = (clean.files(), clean.sim.fs.calls());
    assert_ne!(ledgers(&old), ledgers(&new), "{} changes something", scene.line);
    for n in 1.. {
        // A disk is full for those only who write.
        let writes = |call: &String| WRITES.contains(&call.split(' ').next().unwrap_or_default());
        if fault == Fault::Fails(ENOSPC) && clean_calls.get(n - 1).is_some_and(|c| !writes(c)) {
            continue;
        }
        let world = start.copy();
        match fault {
            Fault::Fails(errno) => world.sim.fs.fail_at(n, errno),
            Fault::Dies => world.sim.fs.crash_at(n),
        }
        let ran = world.run(scene.line);
        let calls = world.sim.fs.calls();
        if calls.len() < n {
            assert_eq!(ran.exit, 0, "{}: {ran:?}", scene.line);
            return n - 1;
        }
        let call = &calls[n - 1];
        let at = format!("{}: {fault:?} at call {n}, {call}: {ran:?}", scene.line);
        let files = world.files();
        let now = ledgers(&files);
        let (is_old, is_new) = (now == ledgers(&old), now == ledgers(&new));
        assert_eq!(rest(&files), rest(&old), "{at}");
        let lines = world.journal().0.len();
        match (fault, ran.exit) {
            (Fault::Dies, _) => {}
            (_, 0) => assert!(is_new && lines > lines_before, "{at}"),
            (_, 1 | 11) => assert!(is_old && lines == lines_before, "{at}: {now:#?}"),
            (_, 13) => {}
            _ => panic!("{at}"),
        }
        if fault != Fault::Dies {
            assert_eq!(ran.exit == 0, ran.err.lines().all(|l| !l.starts_with("error:")), "{at}");
        }
        world.sim.fs.reset();
        // A reader sees what the next writer will find.
        let seen = world.run("list --format jsonl");
        let record = world.path("ORCH/STATE/.TASKS.md.orch-redo").exists();
        let nested = fault == Fault::Dies && (record || n % 25 == 0) && scene.nested();
        let settled = recovered(&world, &at, nested);
        let now = ledgers(&settled);
        let (is_old, is_new) = (now == ledgers(&old), now == ledgers(&new));
        assert!(is_old || is_new, "{at}: {now:#?}");
        assert_eq!((seen.exit, seen.out), (0, world.run("list --format jsonl").out), "{at}");
        let (lines, torn) = world.journal();
        assert_eq!((lines.len() > lines_before, torn), (is_new, 0), "{at}");
        if is_new {
            let last = lines.last().expect("a line");
            let verb = scene.line.split(' ').next().unwrap();
            assert!(last["command"].as_str().unwrap().starts_with(verb), "{at}");
        }
        if ran.exit == 13 && fault != Fault::Dies {
            assert!(is_new, "{at}");
        }
        next_command_works(&world, &at);
    }
    unreachable!()
}

/// The files after recovery; with `nested`, recovery dies at every call first.
fn recovered(world: &World, at: &str, nested: bool) -> Texts {
    let recover = |world: &World| {
        world.sim.fs.reset();
        let ran = world.run("doctor");
        assert_eq!(ran.exit, 0, "{at}: {ran:?}");
        let files = world.files();
        let left: Vec<_> = files.keys().filter(|name| is_temporary(name)).collect();
        assert!(left.is_empty(), "{at}: {left:?}");
        files
    };
    if nested {
        let once = recover(&world.copy());
        for m in 1.. {
            let other = world.copy();
            other.sim.fs.crash_at(m);
            other.run("doctor");
            if other.sim.fs.count() < m {
                break;
            }
            let at = format!("{at}; recovery dies at call {m}, {}", other.sim.fs.calls()[m - 1]);
            assert_eq!(recover(&other), once, "{at}");
        }
    }
    let files = recover(world);
    if nested {
        assert_eq!(recover(world), files, "{at}: a second recovery changes nothing");
    }
    files
}

/// Somebody else's next change works, leaves no temporary file behind, and goes
/// on with the journal's chain.
fn next_command_works(world: &World, at: &str) {
    world.sim.fs.reset();
    let ran = world.run("note T-3 after --as CMD@boss");
    assert_eq!(ran.exit, 0, "{at}: {ran:?}");
    assert!(world.text().unwrap().contains("after"), "{at}");
    let left: Vec<_> = world.files().into_keys().filter(|name| is_temporary(name)).collect();
    assert!(left.is_empty(), "{at}: {left:?}");
    let locks = std::fs::read_dir(world.path("ORCH/STATE/LOCKS")).unwrap();
    let left: Vec<_> = locks.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!left.iter().any(|name| is_temporary(name)), "{at}: {left:?}");
    let (lines, _) = world.journal();
    for pair in lines.windows(2) {
        assert_eq!(pair[1]["parents"][0], pair[0]["hash"], "{at}");
        assert_eq!(pair[1]["seq"].as_u64(), pair[0]["seq"].as_u64().map(|n| n + 1), "{at}");
    }
    let starts = lines.iter().filter(|line| line["command"] == "genesis").count();
    assert_eq!(starts, 1, "{at}");
}

#[test]
fn a_failed_call_leaves_old_or_new_and_the_exit_says_which() {
    for scene in SCENES {
        let calls = sweep(scene, Fault::Fails(EIO));
        assert!(calls > 20, "{}: {calls} calls", scene.line);
    }
}

#[test]
fn a_full_disk_at_any_call_leaves_old_or_new_and_the_exit_says_which() {
    for scene in SCENES {
        sweep(scene, Fault::Fails(ENOSPC));
    }
}

#[test]
fn a_death_at_any_call_leaves_old_or_new() {
    for scene in SCENES {
        sweep(scene, Fault::Dies);
    }
}

#[test]
fn what_a_dead_writer_left_beside_a_linked_ledger_is_removed() {
    let start = World::new();
    std::fs::create_dir(start.path("docs")).unwrap();
    std::fs::rename(start.tasks(), start.path("docs/work.md")).unwrap();
    std::os::unix::fs::symlink("../../docs/work.md", start.tasks()).unwrap();
    // Not ours, however much it looks like it: another ledger's copy.
    std::fs::write(start.path("docs/.other.md.orch-0123456789abcdef"), "kept").unwrap();
    let mut seen = false;
    for n in 1.. {
        let world = start.copy();
        world.sim.fs.crash_at(n);
        world.run(CLAIMED);
        if world.sim.fs.count() < n {
            break;
        }
        let ours = |world: &World| {
            let files = world.files();
            files.into_keys().filter(|name| name.starts_with("docs/.work.md.orch-")).count()
        };
        seen |= ours(&world) > 0;
        world.sim.fs.reset();
        assert_eq!(world.run("note T-3 after --as CMD@boss").exit, 0);
        assert_eq!(ours(&world), 0, "call {n}");
        assert!(world.path("docs/.other.md.orch-0123456789abcdef").exists());
    }
    assert!(seen, "some death leaves a copy");
}

#[test]
fn an_init_that_fails_or_dies_makes_no_half_ledger() {
    let clean = World::empty();
    assert_eq!(clean.run("init --team").exit, 0);
    let whole = clean.files();
    for fault in [Fault::Fails(EIO), Fault::Fails(ENOSPC), Fault::Dies] {
        for n in 1.. {
            let world = World::empty();
            match fault {
                Fault::Fails(errno) => world.sim.fs.fail_at(n, errno),
                Fault::Dies => world.sim.fs.crash_at(n),
            }
            let ran = world.run("init --team");
            if world.sim.fs.count() < n {
                assert_eq!(ran.exit, 0, "{ran:?}");
                break;
            }
            let at = format!("{fault:?} at call {n}, {}: {ran:?}", world.sim.fs.calls()[n - 1]);
            let files = world.files();
            for (name, text) in files.iter().filter(|(name, _)| !is_temporary(name)) {
                assert_eq!(Some(text), whole.get(name), "{at}: {name}");
            }
            let there = world.text().is_some();
            assert!(matches!(ran.exit, 0 | 1 | 13), "{at}");
            assert!(ran.exit != 0 || files == whole, "{at}");
            assert!(ran.exit != 13 || !files.is_empty(), "{at}");
            // Where there is a ledger, the next change works and cleans up.
            world.sim.fs.reset();
            if there {
                let ran = world.run("add Title --as CMD@boss");
                assert_eq!(ran.exit, 0, "{at}: {ran:?}");
                let left = world.files().into_keys().filter(|name| is_temporary(name)).count();
                assert_eq!(left, 0, "{at}");
            }
        }
    }
}

const READERS: [&str; 16] = [
    "list",
    "list --json",
    "list --overdue --sort due",
    "show T-1",
    "show T-1 --json",
    "show T-0",
    "next",
    "status",
    "leases",
    "lock list",
    "lock list --json",
    "doctor",
    "config",
    "config --json",
    "schema",
    "",
];

/// Calls that write, or that only a writer has use for.
const WRITES: [&str; 15] = [
    "cut",
    "create_dir_all",
    "create_new",
    "append",
    "rename",
    "rename_new",
    "exchange",
    "stamp",
    "remove_file",
    "sync_dir",
    "open_lock",
    "write_all",
    "set_attributes",
    "sync",
    "write_note",
];

#[track_caller]
fn wrote_nothing(world: &World, what: &str) {
    for call in world.sim.fs.calls() {
        let verb = call.split(' ').next().unwrap_or_default();
        assert!(!WRITES.contains(&verb), "{what}: {call}");
    }
}

#[test]
fn readers_write_nothing_and_survive_every_fault() {
    let mut world = World::new();
    for line in [CLAIMED, "drop T-2 --as CMD@boss", "archive --as CMD@boss", "+2h"] {
        world.ok(line);
    }
    let before = world.files();
    for line in READERS {
        for n in 1.. {
            world.sim.fs.reset();
            world.sim.fs.fail_at(n, EIO);
            let ran = world.run(line);
            wrote_nothing(&world, line);
            assert!(ran.exit <= 13, "{line}: {ran:?}");
            if world.sim.fs.count() < n {
                break;
            }
            // No answer that fails is silent, whatever is on standard output.
            assert!(
                ran.exit == 0 || ran.exit == 10 || ran.err.contains("error:"),
                "{line}: {ran:?}"
            );
        }
    }
    assert_eq!(world.files(), before);
}

#[test]
fn a_dry_run_writes_nothing_and_foretells_the_bytes() {
    for scene in SCENES {
        let world = scene.world();
        let before = world.files();
        let ran = world.run(&format!("{} --dry-run", scene.line));
        assert_eq!(ran.exit, 0, "{}: {ran:?}", scene.line);
        assert!(ran.out.contains("@@"), "{}: {ran:?}", scene.line);
        wrote_nothing(&world, scene.line);
        assert_eq!(world.files(), before);
    }
}
