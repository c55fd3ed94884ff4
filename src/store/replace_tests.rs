//! Tests of `replace`: every call failed, every call the last one.
#![allow(clippy::disallowed_methods, reason = "the tests place files by hand")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::sys::sim::Sim;

struct Place {
    _dir: tempfile::TempDir,
    layout: Layout,
    sim: Sim,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(fs::canonicalize(dir.path()).unwrap());
        fs::create_dir_all(layout.state_dir()).unwrap();
        fs::write(layout.tasks(), "old").unwrap();
        let sim = Sim::new(&layout.root);
        Self { _dir: dir, layout, sim }
    }

    fn resolve(&self, path: &Path) -> Result<Target> {
        resolve(&self.sim.sys(), &self.layout, path)
    }

    fn replace(&self, path: &Path, bytes: &str) -> Result<()> {
        let target = self.resolve(path)?;
        let expected = target.stat.clone();
        replace(&self.sim.sys(), &target, expected.as_ref(), bytes.as_bytes(), Durability::Full)
    }

    fn temporaries(&self) -> usize {
        let names = self.sim.sys().fs.list(&self.layout.state_dir()).unwrap();
        names.iter().filter(|name| is_temporary(name)).count()
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn the_new_bytes_have_the_old_mode_and_are_synced_in_order() {
    let place = Place::new();
    let tasks = place.layout.tasks();
    fs::set_permissions(&tasks, fs::Permissions::from_mode(0o660)).unwrap();
    let target = place.resolve(&tasks).unwrap();
    place.sim.fs.reset();
    let sys = place.sim.sys();
    replace(&sys, &target, target.stat.as_ref(), b"new", Durability::Full).unwrap();
    let calls = place.sim.fs.calls();
    let verbs: Vec<_> = calls.iter().filter_map(|call| call.split(' ').next()).collect();
    let order = [
        "create_new",
        "set_attributes",
        "write_all",
        "stamp",
        "sync",
        "lstat",
        "rename",
        "sync_dir",
    ];
    assert_eq!(verbs, order);
    assert_eq!((read(&tasks).as_str(), place.temporaries()), ("new", 0));
    assert_eq!(sys.fs.stat(&tasks).unwrap().mode, 0o660);

    let target = place.resolve(&tasks).unwrap();
    place.sim.fs.reset();
    replace(&sys, &target, target.stat.as_ref(), b"fast", Durability::Fast).unwrap();
    assert!(!place.sim.fs.calls().iter().any(|call| call.starts_with("sync")));
}

#[test]
fn a_new_file_is_readable_by_all() {
    let place = Place::new();
    let approvals = place.layout.approvals();
    place.replace(&approvals, "x").unwrap();
    assert_eq!(place.sim.sys().fs.stat(&approvals).unwrap().mode, 0o644);
}

#[test]
fn every_single_fault_leaves_old_or_new_and_says_which() {
    for exists in [true, false] {
        let mut n = 0;
        let done = loop {
            n += 1;
            let place = Place::new();
            let path = if exists { place.layout.tasks() } else { place.layout.approvals() };
            let target = place.resolve(&path).unwrap();
            place.sim.fs.reset();
            place.sim.fs.fail_at(n, 5);
            let sys = place.sim.sys();
            let result = replace(&sys, &target, target.stat.as_ref(), b"new", Durability::Full);
            let calls = place.sim.fs.calls();
            place.sim.fs.reset();
            assert_eq!(place.temporaries(), 0, "fault {n}");
            let now = fs::read_to_string(&path).ok();
            let call = calls.get(n - 1).cloned().unwrap_or_default();
            match result {
                // Without a time of its own a file is told by its bytes.
                Ok(()) if call.starts_with("stamp") => assert_eq!(now.as_deref(), Some("new")),
                Ok(()) => break now,
                Err(error) if error.kind == ErrorKind::Committed => {
                    assert_eq!(now.as_deref(), Some("new"), "fault {n}");
                    assert!(call.starts_with("sync_dir"), "{call}");
                }
                Err(error) => {
                    assert_eq!(now.as_deref(), exists.then_some("old"), "fault {n}");
                    assert_eq!(error.kind, ErrorKind::Failed);
                    assert!(error.message.ends_with("it is unchanged"), "{error}");
                }
            }
        };
        assert_eq!(done.as_deref(), Some("new"));
        assert!(n >= 8, "the sweep reached the folder's sync");
    }
}

#[test]
fn death_at_every_call_leaves_a_whole_file_and_what_is_left_is_cleaned() {
    let mut n = 0;
    loop {
        n += 1;
        let place = Place::new();
        let target = place.resolve(&place.layout.tasks()).unwrap();
        place.sim.fs.reset();
        place.sim.fs.crash_at(n);
        let sys = place.sim.sys();
        let result = replace(&sys, &target, target.stat.as_ref(), b"new", Durability::Full);
        place.sim.fs.reset();
        let now = read(&place.layout.tasks());
        assert!(now == "old" || now == "new", "{now}");
        let left = place.temporaries();
        assert_eq!(clean_temporaries(&sys, &place.layout.state_dir()).unwrap(), left);
        assert_eq!(place.temporaries(), 0);
        assert_eq!(clean_temporaries(&sys, &place.layout.state_dir()).unwrap(), 0);
        if result.is_ok() {
            break assert_eq!(now, "new");
        }
    }
    assert!(n >= 8);
}

#[test]
fn a_save_of_another_program_is_kept() {
    let place = Place::new();
    let (tasks, approvals) = (place.layout.tasks(), place.layout.approvals());
    let sys = place.sim.sys();
    let stage = |path: &Path| {
        let target = place.resolve(path).unwrap();
        Staged::prepare(&sys, &target, target.stat.as_ref(), b"new", Durability::Full).unwrap()
    };
    let staged = vec![stage(&tasks), stage(&approvals)];
    assert_eq!(place.temporaries(), 2);
    fs::write(&approvals, "by hand").unwrap();
    let error = publish(staged).unwrap_err();
    assert_eq!((error.kind, place.temporaries()), (ErrorKind::Busy, 0));
    assert_eq!(read(&tasks), "old", "nothing was renamed before all were checked");
    assert_eq!(read(&approvals), "by hand");

    let staged = vec![stage(&tasks), stage(&approvals)];
    place.sim.fs.reset();
    publish(staged).unwrap();
    let syncs = place.sim.fs.calls().iter().filter(|call| call.starts_with("sync_dir")).count();
    assert_eq!((read(&tasks).as_str(), read(&approvals).as_str()), ("new", "new"));
    assert_eq!(syncs, 1, "one folder, one sync");
}

#[test]
fn after_the_first_rename_an_error_says_committed() {
    let place = Place::new();
    let sys = place.sim.sys();
    let stage = |path: &Path| {
        let target = place.resolve(path).unwrap();
        Staged::prepare(&sys, &target, target.stat.as_ref(), b"new", Durability::Full).unwrap()
    };
    let staged = vec![stage(&place.layout.tasks()), stage(&place.layout.approvals())];
    place.sim.fs.reset();
    place.sim.fs.fail_at(4, 5);
    let error = publish(staged).unwrap_err();
    assert_eq!((error.kind, place.temporaries()), (ErrorKind::Committed, 0));
    assert!(error.message.contains("TASKS.md` is replaced, but not `ORCH/STATE/APPROVALS.md`"));
}

#[test]
fn a_dropped_copy_is_removed() {
    let place = Place::new();
    let target = place.resolve(&place.layout.tasks()).unwrap();
    let sys = place.sim.sys();
    let staged = Staged::prepare(&sys, &target, None, b"new", Durability::Fast).unwrap();
    assert_eq!(place.temporaries(), 1);
    drop(staged);
    assert_eq!((place.temporaries(), read(&target.path).as_str()), (0, "old"));
}

#[test]
fn a_read_only_file_is_refused_for_everybody() {
    let place = Place::new();
    let tasks = place.layout.tasks();
    fs::set_permissions(&tasks, fs::Permissions::from_mode(0o444)).unwrap();
    place.sim.fs.reset();
    let error = place.replace(&tasks, "new").unwrap_err();
    assert_eq!(error.kind, ErrorKind::Failed);
    assert_eq!(error.message, "`ORCH/STATE/TASKS.md` is read-only and is unchanged");
    assert!(!place.sim.fs.calls().iter().any(|call| call.starts_with("create_new")));
}

#[test]
fn a_full_disk_is_said_in_plain_words() {
    let place = Place::new();
    let target = place.resolve(&place.layout.tasks()).unwrap();
    for (errno, words) in [(28, "no space left"), (122, "no quota left"), (30, "read-only file")] {
        place.sim.fs.reset();
        place.sim.fs.fail_at(3, errno);
        let sys = place.sim.sys();
        let error = replace(&sys, &target, target.stat.as_ref(), b"new", Durability::Full);
        let message = error.unwrap_err().message;
        assert!(message.contains(words) && message.ends_with("it is unchanged"), "{message}");
        assert!(message.contains("`ORCH/STATE/TASKS.md`"), "{message}");
    }
}

#[test]
fn links_are_followed_inside_and_refused_outside() {
    let place = Place::new();
    let (tasks, real) = (place.layout.tasks(), place.layout.root.join("real.md"));
    fs::rename(&tasks, &real).unwrap();
    symlink("../../real.md", &tasks).unwrap();
    place.replace(&tasks, "new").unwrap();
    assert!(fs::symlink_metadata(&tasks).unwrap().is_symlink());
    assert_eq!(read(&real), "new");

    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("canary"), "canary").unwrap();
    fs::remove_file(&tasks).unwrap();
    symlink(outside.path().join("canary"), &tasks).unwrap();
    let error = place.replace(&tasks, "new").unwrap_err();
    assert_eq!(error.kind, ErrorKind::LedgerInvalid);
    assert!(error.message.starts_with("`ORCH/STATE/TASKS.md` leads out of the workspace"));
    assert_eq!(read(&outside.path().join("canary")), "canary");

    fs::remove_file(&tasks).unwrap();
    symlink("nowhere", &tasks).unwrap();
    assert!(place.replace(&tasks, "new").unwrap_err().message.contains("leads nowhere"));
    symlink(outside.path(), place.layout.archive_dir()).unwrap();
    let archive = place.layout.archive_tasks(2026);
    assert_eq!(place.replace(&archive, "new").unwrap_err().kind, ErrorKind::LedgerInvalid);
    assert_eq!(
        place.resolve(&place.layout.state_dir()).unwrap_err().message,
        "`ORCH/STATE` is not a regular file"
    );
}

#[test]
fn only_our_own_names_are_cleaned() {
    let place = Place::new();
    let dir = place.layout.state_dir();
    let keep = [
        ".TASKS.md.orch-redo",
        "TASKS.md.orch-conflict-0123456789abcdef",
        "TASKS.md.orch-0123456789abcdef",
        "..orch-0123456789abcde",
        ".TASKS.md.orch-0123456789abcdeg",
        ".TASKS.md.swp",
    ];
    for name in keep {
        fs::write(dir.join(name), "").unwrap();
    }
    fs::write(dir.join(".TASKS.md.orch-0123456789abcdef"), "").unwrap();
    symlink(place.layout.tasks(), dir.join(".a.orch-0000000000000000")).unwrap();
    fs::create_dir(dir.join(".d.orch-0000000000000000")).unwrap();
    let sys = place.sim.sys();
    assert_eq!(clean_temporaries(&sys, &dir).unwrap(), 2);
    assert!(keep.iter().all(|name| dir.join(name).exists()));
    assert_eq!(read(&place.layout.tasks()), "old");
    assert_eq!(clean_temporaries(&sys, &dir.join("missing")).unwrap(), 0);
}
