//! A save by an editor just before each call of a changing command.
//!
//! Either the command's change is made on top of the save, or the command gives
//! way with exit 11; there is no moment at which a save is lost.

use std::fs;
use std::path::{Path, PathBuf};

use super::world::World;

const MARK: &str = "\nA line that somebody wrote by hand.\n";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Save {
    Renamed,
    InPlace,
}

fn save(path: &Path, how: Save) {
    // The file may not be there yet.
    let text = fs::read_to_string(path).unwrap_or_default() + MARK;
    match how {
        Save::InPlace => fs::write(path, text).unwrap(),
        Save::Renamed => {
            let copy = path.with_extension("md~");
            fs::write(&copy, text).unwrap();
            fs::rename(copy, path).unwrap();
        }
    }
}

/// Saves `file` before each call of the command.
fn sweep(world: &World, line: &str, file: &str, how: Save) {
    for n in 1.. {
        let world = world.copy();
        let path: PathBuf = world.path(file);
        if !path.parent().unwrap().exists() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
        }
        let target = path.clone();
        world.sim.fs.before(n, move || save(&target, how));
        let ran = world.run(line);
        if world.sim.fs.count() < n {
            assert_eq!(ran.exit, 0, "{line}: {ran:?}");
            assert!(n > 20, "{line}: a change makes more calls than {n}");
            return;
        }
        let calls = world.sim.fs.calls();
        let call = &calls[n - 1];
        let at = format!("{line}: {how:?} before call {n}, {call}: {ran:?}");
        assert!(matches!(ran.exit, 0 | 11), "{at}");
        let kept = fs::read_to_string(&path).unwrap().contains(MARK.trim());
        assert!(kept, "{at}");
        // Whatever happened, what is acknowledged is in the file.
        let journal = world.journal().0;
        assert_eq!(ran.exit == 0, !journal.is_empty() && said(&world), "{at}");
        let again = world.run("note T-3 after --as CMD@boss");
        assert_eq!(again.exit, 0, "{at}: {again:?}");
    }
    unreachable!()
}

/// Whether the command's own change is in the files.
fn said(world: &World) -> bool {
    world
        .files()
        .iter()
        .any(|(name, text)| name.ends_with("journal.jsonl") && text.contains("\"op_id\":\"key\""))
}

#[test]
fn no_save_is_lost_at_any_moment() {
    for how in [Save::Renamed, Save::InPlace] {
        for line in [
            "claim T-1 --op-id key --as WORK@ada",
            "add Title --detail Text --op-id key --as WORK@ada",
            "note T-2 text --op-id key --as WORK@ada",
            "fmt --op-id key --as WORK@ada",
        ] {
            sweep(&World::new(), line, "ORCH/STATE/TASKS.md", how);
        }
    }
}

#[test]
fn a_save_of_an_archive_is_as_safe() {
    let mut world = World::new();
    world.ok("drop T-1 --as CMD@boss");
    world.ok("archive --as CMD@boss");
    world.ok("drop T-2 --as CMD@boss");
    for how in [Save::Renamed, Save::InPlace] {
        for line in
            ["archive --op-id key --as CMD@boss", "reopen T-1 --note why --op-id key --as CMD@boss"]
        {
            sweep(&world, line, "ORCH/STATE/archive/TASKS-2026.md", how);
            sweep(&world, line, "ORCH/STATE/TASKS.md", how);
        }
    }
}
