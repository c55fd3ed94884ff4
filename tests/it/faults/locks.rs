//! Named locks under every fault and every death.

use std::collections::BTreeMap;

use super::world::{World, is_temporary};

const SCENES: &[(&[&str], &str)] = &[
    (&[], "lock acquire x src/** --as WORK@ada"),
    (&["lock acquire x --as WORK@ada"], "lock acquire y --op-id k --as WORK@ada"),
    (&["lock acquire x --as WORK@ada"], "lock renew x --ttl 3h --as WORK@ada"),
    (&["lock acquire x y --as WORK@ada"], "lock release x y --as WORK@ada"),
    (&["lock acquire src/** x --as WORK@old", "+2h"], "lock acquire src/a x --as WORK@ada"),
];

/// The files of named locks, with what they hold.
fn locks(world: &World) -> BTreeMap<String, String> {
    let Ok(dir) = std::fs::read_dir(world.path("ORCH/STATE/LOCKS/names")) else {
        return BTreeMap::new();
    };
    dir.map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(path).unwrap())
    })
    .collect()
}

/// The same without the tokens: a reader that looks twice waits a little, and
/// the clock is in them.
fn shapes(world: &World) -> BTreeMap<String, String> {
    let mut locks = locks(world);
    for text in locks.values_mut() {
        let numbers: Vec<u64> = tokens(text).collect();
        for token in numbers {
            *text = text.replace(&token.to_string(), "N");
        }
    }
    locks
}

fn tokens(text: &str) -> impl Iterator<Item = u64> {
    text.split("\"token\":").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().ok()
    })
}

fn sweep(before: &[&str], line: &str, fault: &dyn Fn(&World, usize)) {
    let mut start = World::new();
    for line in before {
        start.ok(line);
    }
    let old = shapes(&start);
    let lines_before = start.journal().0.len();
    let clean = start.copy();
    assert_eq!(clean.run(line).exit, 0);
    let new = shapes(&clean);
    assert_ne!(old, new);
    for n in 1.. {
        let world = start.copy();
        fault(&world, n);
        let ran = world.run(line);
        let calls = world.sim.fs.calls();
        if calls.len() < n {
            assert_eq!(ran.exit, 0, "{line}: {ran:?}");
            assert!(n > 20, "{line}: {n} calls");
            return;
        }
        let at = format!("{line}: call {n}, {}: {ran:?}", calls[n - 1]);
        world.sim.fs.reset();
        let settled = world.run("doctor");
        assert_eq!(settled.exit, 0, "{at}: {settled:?}");
        let mut now = shapes(&world);
        now.retain(|name, _| !is_temporary(name));
        // Each lock is as it was, as it was to be, or free.
        for (name, text) in &now {
            assert!([old.get(name), new.get(name)].contains(&Some(text)), "{at}: {name}: {text}");
        }
        match ran.exit {
            0 => assert_eq!(now, new, "{at}"),
            // Dead processes end with any number; nobody sees it.
            _ if ran.err.contains("simulated process is dead") => {
                assert!(now == old || now == new, "{at}");
            }
            13 => assert_eq!(now, new, "{at}"),
            _ => assert_eq!(now, old, "{at}"),
        }
        let (lines, _) = world.journal();
        let journalled = lines.len() > lines_before;
        assert_eq!(journalled, now == new, "{at}: the line and the files agree");
        let given = locks(&world).into_iter().filter(|(name, _)| !is_temporary(name));
        let text: String = given.map(|(_, text)| text).collect();
        let known = tokens(&text).chain(lines.iter().filter_map(|l| l["token"].as_u64())).max();
        // Whatever was left, the next command goes on, with a larger token.
        let next = world.run("lock acquire other --json --as WORK@bob");
        assert_eq!(next.exit, 0, "{at}: {next:?}");
        let given = tokens(&next.out).next().unwrap();
        assert!(known.is_none_or(|known| given > known), "{at}: {given} after {known:?}");
        let left: Vec<_> = locks(&world).into_keys().filter(|name| is_temporary(name)).collect();
        assert!(left.is_empty(), "{at}: {left:?}");
        let (lines, _) = world.journal();
        for pair in lines.windows(2) {
            assert_eq!(pair[1]["parents"][0], pair[0]["hash"], "{at}");
        }
        // CMD can clean up, and then all of it is free for somebody else.
        for name in ["x", "y", "src/**", "src/a"] {
            let ran = world.run(&format!("lock release {name} --as CMD@boss"));
            assert!(matches!(ran.exit, 0 | 4), "{at}: {ran:?}");
        }
        let ran = world.run("lock acquire x y src/** --as WORK@bob");
        assert_eq!(ran.exit, 0, "{at}: {ran:?}");
    }
}

#[test]
fn a_failed_call_leaves_locks_old_or_new_and_the_exit_says_which() {
    for (before, line) in SCENES {
        sweep(before, line, &|world, n| world.sim.fs.fail_at(n, super::EIO));
        sweep(before, line, &|world, n| world.sim.fs.fail_at(n, super::ENOSPC));
    }
}

#[test]
fn a_death_at_any_call_leaves_tokens_that_grow() {
    for (before, line) in SCENES {
        sweep(before, line, &|world, n| world.sim.fs.crash_at(n));
    }
}

#[test]
fn a_dry_run_of_a_lock_writes_nothing() {
    for (before, line) in SCENES {
        let mut world = World::new();
        for line in *before {
            world.ok(line);
        }
        let (files, old) = (world.files(), locks(&world));
        let ran = world.run(&format!("{line} --dry-run"));
        assert_eq!(ran.exit, 0, "{line}: {ran:?}");
        super::wrote_nothing(&world, line);
        assert_eq!((world.files(), locks(&world)), (files, old));
    }
}
