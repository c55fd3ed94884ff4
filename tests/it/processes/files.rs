//! Odd files in place of the ones that `orch` expects.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Stdio;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use super::ground::{Ground, Ran, row, rows};

const CHANGES: [&str; 6] = [
    "add More --as CMD@boss",
    "set T-0001 due=2030-01-01 --as CMD@boss",
    "note T-0001 text --as CMD@boss",
    "claim T-0001 --as WORK@ada",
    "claim --next --as WORK@ada",
    "fmt --as CMD@boss",
];

const READS: [&str; 7] = ["list", "next", "show T-0001", "status", "leases", "doctor", "config"];

#[test]
fn a_ledger_without_a_write_bit_is_left_alone_by_root_too() {
    let ground = Ground::of_rows(2, "READY");
    fs::set_permissions(ground.tasks(), Permissions::from_mode(0o444)).unwrap();
    let before = ground.files();
    for line in CHANGES {
        let ran = ground.run(line).exits(1);
        assert!(ran.err.contains("`ORCH/STATE/TASKS.md` is read-only"), "{ran:?}");
        assert!(!ran.err.contains("chmod"), "a hint is never a way around: {ran:?}");
    }
    assert_eq!(ground.files(), before);
    assert!(!ground.state().join("LOCKS").exists(), "not even a lock was made");
    for line in READS {
        ground.run(line).ok();
    }
    ground.run("add More --dry-run --as CMD@boss").ok();
}

#[test]
fn a_folder_in_place_of_the_ledger_is_no_ledger() {
    let ground = Ground::of_rows(1, "READY");
    fs::remove_file(ground.tasks()).unwrap();
    fs::create_dir(ground.tasks()).unwrap();
    fs::write(ground.tasks().join("keep"), "kept").unwrap();
    let before = ground.files();
    for line in CHANGES.iter().chain(&READS[..6]) {
        let ran = ground.run(line).exits(10);
        assert!(ran.err.contains("is not a regular file"), "{line}: {ran:?}");
    }
    assert_eq!(ground.files(), before);
}

/// Runs a command beside a pipe that nobody writes to. Whoever opens such a
/// pipe to read waits for ever; here it is found out by opening the other end,
/// which the kernel grants (and which ends the wait) only when it was opened.
fn beside_pipe(ground: &Ground, line: &str, pipe: &Path) -> (Ran, bool) {
    let mut command = ground.command(&line.split(' ').collect::<Vec<_>>());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap();
    let mut was_opened = false;
    while child.try_wait().unwrap().is_none() {
        let other_end = fs::OpenOptions::new().write(true).custom_flags(nonblocking).open(pipe);
        was_opened |= other_end.is_ok();
        std::thread::yield_now();
    }
    let output = child.wait_with_output().unwrap();
    let ran = Ran {
        exit: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    };
    (ran, was_opened)
}

fn pipe_at(path: &Path) {
    let _ = fs::remove_file(path);
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
}

#[test]
fn a_pipe_in_place_of_a_file_never_makes_anybody_wait() {
    let places = [
        ("ORCH/STATE/TASKS.md", 10),
        ("ORCH/STATE/APPROVALS.md", 10),
        ("ORCH/STATE/FLAGS.md", 10),
        ("ORCH/STATE/LOCKS/ledger", 1),
        ("ORCH/LOGS/2020-01/journal.jsonl", 10),
    ];
    for (place, exit) in places {
        let ground = Ground::of_rows(2, "READY");
        let pipe = ground.root().join(place);
        fs::create_dir_all(pipe.parent().unwrap()).unwrap();
        pipe_at(&pipe);
        let before = ground.files();
        for line in ["claim --next --as WORK@ada", "note T-0001 text --as WORK@ada"] {
            let (ran, opened) = beside_pipe(&ground, line, &pipe);
            // The lock file is opened in a way that waits for nobody.
            let opened = opened && !place.ends_with("ledger");
            assert_eq!((ran.exit, opened), (exit, false), "{place}: {line}: {ran:?}");
        }
        for line in ["list", "next", "show T-0001", "doctor", "status"] {
            let (ran, opened) = beside_pipe(&ground, line, &pipe);
            assert!(matches!(ran.exit, 0 | 10) && !opened, "{place}: {line}: {ran:?}");
        }
        assert_eq!(ground.files(), before, "{place}");
    }
}

#[test]
fn a_link_in_the_workspace_stays_a_link() {
    let ground = Ground::of_rows(1, "READY");
    let real = ground.root().join("docs/work.md");
    fs::create_dir(ground.root().join("docs")).unwrap();
    fs::rename(ground.tasks(), &real).unwrap();
    fs::set_permissions(&real, Permissions::from_mode(0o640)).unwrap();
    symlink("../../docs/work.md", ground.tasks()).unwrap();
    ground.run("claim T-0001 --as WORK@ada").ok();
    assert_eq!(fs::read_link(ground.tasks()).unwrap(), Path::new("../../docs/work.md"));
    let text = fs::read_to_string(&real).unwrap();
    assert_eq!(rows(&text)["T-0001"]["state"], "DOING");
    assert_eq!(fs::metadata(&real).unwrap().mode() & 0o7777, 0o640);
    ground.no_temporaries();
}

#[test]
fn a_link_out_of_the_workspace_is_refused() {
    for (name, exit) in [("STATE/TASKS.md", 10), ("STATE", 10), ("LOGS", 10), ("STATE/LOCKS", 1)] {
        let ground = Ground::of_rows(1, "READY");
        let away = tempfile::tempdir().unwrap();
        let (path, target) = (ground.root().join("ORCH").join(name), away.path().join("there"));
        if path.exists() {
            fs::rename(&path, &target).unwrap();
        } else {
            fs::create_dir(&target).unwrap();
        }
        symlink(&target, &path).unwrap();
        let outside = |dir: &Path| {
            let mut names: Vec<_> =
                walk(dir).into_iter().map(|p| (p.clone(), fs::read(p).ok())).collect();
            names.sort();
            names
        };
        let (before, files) = (outside(away.path()), ground.files());
        for line in CHANGES {
            let ran = ground.run(line).exits(exit);
            assert!(!ran.err.is_empty(), "{name}: {line}");
        }
        assert_eq!(outside(away.path()), before, "{name}: nothing was written out there");
        assert_eq!(ground.files(), files, "{name}: nor here");
    }
}

#[test]
fn a_journal_that_is_a_link_out_of_the_workspace_is_refused_before_the_change() {
    let ground = Ground::of_rows(1, "READY");
    ground.run("note T-0001 first --as WORK@ada").ok();
    let month = fs::read_dir(ground.root().join("ORCH/LOGS")).unwrap().next().unwrap().unwrap();
    let away = tempfile::tempdir().unwrap();
    let target = away.path().join("canary");
    fs::rename(month.path().join("journal.jsonl"), &target).unwrap();
    symlink(&target, month.path().join("journal.jsonl")).unwrap();
    let (canary, before) = (fs::read(&target).unwrap(), ground.text());
    ground.run("note T-0001 second --as WORK@ada").exits(10);
    assert_eq!((fs::read(&target).unwrap(), ground.text()), (canary, before));
}

fn walk(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        }
        found.push(path);
    }
    found
}

#[test]
fn permission_bits_are_kept() {
    for mode in [0o600, 0o664, 0o640, 0o755] {
        let ground = Ground::of_rows(1, "READY");
        fs::set_permissions(ground.tasks(), Permissions::from_mode(mode)).unwrap();
        ground.run("claim T-0001 --as WORK@ada").ok();
        ground.run("submit T-0001 --as WORK@ada").ok();
        assert_eq!(fs::metadata(ground.tasks()).unwrap().mode() & 0o7777, mode);
    }
}

#[test]
fn a_second_name_of_the_ledger_keeps_the_old_bytes() {
    // Replacing a file whole cannot reach its other names: they keep what
    // stood there. The ledger itself is right, and that is what counts; a
    // warning that the file has two names is not given yet.
    let ground = Ground::with(&format!("{}{}", super::ground::HEAD, row("T-1", "One", "READY")));
    let other = ground.root().join("second-name.md");
    fs::hard_link(ground.tasks(), &other).unwrap();
    let old = ground.text();
    ground.run("claim T-1 --as WORK@ada").ok();
    assert_eq!(ground.rows()["T-1"]["state"], "DOING");
    assert_eq!(fs::read_to_string(&other).unwrap(), old);
    assert_eq!(fs::metadata(ground.tasks()).unwrap().nlink(), 1);
}
