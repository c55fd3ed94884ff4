//! Files of the ledger that are something else: links that lead out, second
//! names of other people's files, pipes, folders (T31). Nothing out there
//! changes, nothing waits, and links that stay inside stay links.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::support::ground::{HEAD, copy_dir, row};
use super::support::yard::Yard;
use super::support::{Cases, say, scale};

const APPROVALS: &str = "\
| appr_id | task_id | op | status | requested_by | approver | approver_role | ts_req | ts_dec | evidence |
|---|---|---|---|---|---|---|---|---|---|
| A-1 | T-1 | deploy | pending | WORK@bob | - | - | 2026-01-01T00:00:00Z | - | ORCH/patches/2026-01/T-1-A-1.diff.md |
";

/// Every place by its path from `ORCH`; `MONTH` and `DAY` are those of now.
const PLACES: &str = "
    . STATE STATE/TASKS.md STATE/APPROVALS.md STATE/FLAGS.md STATE/.gitignore STATE/LOCKS
    STATE/LOCKS/.gitignore STATE/LOCKS/ledger STATE/LOCKS/checkpoint STATE/LOCKS/base
    STATE/LOCKS/base/TASKS.md STATE/LOCKS/names STATE/LOCKS/names/deploy.lock STATE/LOCKS/names/x.lock
    STATE/LOCKS/quarantine STATE/LOCKS/T-2.lock STATE/LOCKS/H-1.lock STATE/archive
    STATE/archive/TASKS-YEAR.md STATE/archive/TASKS-2020.md STATE/.TASKS.md.orch-redo
    STATE/.TASKS.md.orch-0123456789abcdef STATE/archive/.x.orch-0123456789abcdef
    LOGS LOGS/MONTH LOGS/MONTH/journal.jsonl LOGS/MONTH/APPROVALS-DAY.md LOGS/2020-01
    LOGS/2020-01/journal.jsonl orch.yaml .gitattributes patches patches/MONTH patches/2026-01
    patches/2026-01/T-1-A-1.diff.md
";

/// What stands there instead: a link to what was there, moved away, to an empty
/// folder, to a file, to nothing; the second name of what was there; a pipe; a
/// folder.
const KINDS: [&str; 7] = [
    "link to a twin",
    "link to a folder",
    "link to a file",
    "link to nothing",
    "hard link",
    "pipe",
    "folder",
];

/// Commands that write each of the places, and those that read them.
const LINES: [&str; 22] = [
    "list",
    "status",
    "doctor",
    "claim T-2 --as WORK@ada --op-id k",
    "renew H-1 --as WORK@ada",
    "lock acquire deploy --as WORK@ada",
    "lock list",
    "done R-1 --as CMD@eve",
    "drop T-3 --as CMD@eve",
    "archive --as CMD@eve",
    "reopen T-3 --note n --as CMD@eve",
    "undo --as CMD@eve",
    "request T-1 --op=o --as WORK@ada",
    "request T-3 --op=p --patch fix.diff --as WORK@ada",
    "flag FREEZE=on --as CMD@eve",
    "approve A-1 --as CMD@eve",
    "evidence show A-1",
    "log",
    "check",
    "audit verify",
    "submit H-1 --as WORK@ada",
    "fmt --as CMD@eve",
];

/// A workspace where all of it is there, and the names of its time.
fn furnished() -> (Yard, [String; 3]) {
    let rows = ["T-1", "T-2", "T-3", "T-4", "H-1", "R-1"].map(|id| row(id, "Title", "READY"));
    let yard = Yard::with(&format!("{HEAD}{}", rows.concat()));
    let orch = yard.orch();
    for dir in ["STATE/archive", "LOGS/2020-01", "patches/2026-01"] {
        fs::create_dir_all(orch.join(dir)).unwrap();
    }
    for (file, text) in [
        ("STATE/APPROVALS.md", APPROVALS),
        ("STATE/FLAGS.md", "AUTO_DECIDE=off\nFREEZE=off\n"),
        (".gitattributes", "LOGS/** merge=union\n"),
        ("patches/2026-01/T-1-A-1.diff.md", "a diff\n"),
    ] {
        fs::write(orch.join(file), text).unwrap();
    }
    yard.ground.settings("actor: WORK@ada\nlock_wait: 2s\n");
    for line in [
        "claim H-1 --as WORK@ada",
        "claim R-1 --as WORK@ada",
        "submit R-1 --as WORK@ada",
        "drop T-4 --as CMD@eve",
        "archive --as CMD@eve",
        "lock acquire x --as WORK@ada",
    ] {
        yard.ground.run(line).ok();
    }
    let out = yard.ground.journal_text();
    let ts = out.lines().last().and_then(|line| line.split_once("\"ts\":\"")).unwrap().1;
    let now = [&ts[..4], &ts[..7], &ts[..10]].map(str::to_owned);
    (yard, now)
}

/// Puts something else in a place. False where that makes no sense.
fn put(yard: &Yard, path: &Path, kind: &str) -> bool {
    let twin = yard.top().join("canary/twin");
    if path.symlink_metadata().is_err() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match path.extension() {
            None if !path.file_name().unwrap().to_str().unwrap().contains(".orch-") => {
                fs::create_dir(path).unwrap();
            }
            _ => fs::write(path, "torn").unwrap(),
        }
    }
    if path.is_dir() && ["folder", "hard link"].contains(&kind) {
        return false;
    }
    if path.is_dir() {
        fs::create_dir(&twin).unwrap();
        copy_dir(path, &twin);
        // What a cleaner of temporary files would take for its own.
        fs::write(twin.join(".TASKS.md.orch-0123456789abcdef"), "not yours\n").unwrap();
        fs::remove_dir_all(path).unwrap();
    } else {
        fs::rename(path, &twin).unwrap();
    }
    let to = match kind {
        "link to a twin" => twin,
        "link to a folder" => yard.top().join("canary/empty"),
        "link to a file" => yard.top().join("canary/file"),
        "link to nothing" => yard.top().join("canary/nothing"),
        "hard link" => {
            fs::hard_link(&twin, path).unwrap();
            return true;
        }
        "pipe" => {
            mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o644), 0).unwrap();
            return true;
        }
        _ => {
            fs::create_dir(path).unwrap();
            return true;
        }
    };
    symlink(to, path).unwrap();
    true
}

#[test]
fn t31_what_is_something_else_is_not_written_through_and_not_waited_for() {
    let (mut cases, mut met) = (Cases::new("T31"), 0);
    for place in PLACES.split_whitespace() {
        for kind in KINDS {
            let (mut yard, [year, month, day]) = furnished();
            let place = place.replace("YEAR", &year).replace("MONTH", &month).replace("DAY", &day);
            // `ORCH/.` would not be the name of the link.
            let path: PathBuf = yard.orch().join(&place).components().collect();
            if !put(&yard, &path, kind) {
                continue;
            }
            met += 1;
            yard.settle();
            // Some of the commands each at the smallest size, others elsewhere.
            let step = (6 / scale()).max(1);
            for line in LINES.into_iter().skip(met % step).step_by(step) {
                let at = format!("{place} is a {kind}");
                cases.judge(|| {
                    yard.line(line, &at);
                    yard.untouched(&format!("{at}: `{line}`"));
                });
                // What once changed would be found after every line.
                yard.settle();
            }
        }
    }
    say("T31", format_args!("{met} places that are something else"));
    cases.finish();
}

/// In a folder of its own below the root: what it was, its rights, and the link.
fn linked_inside(yard: &Yard, place: &str, is_absolute: bool) -> (PathBuf, PathBuf) {
    let path = yard.orch().join(place);
    let kept = yard.ground.root().join("kept");
    fs::create_dir(&kept).unwrap();
    let real = kept.join(path.file_name().unwrap());
    fs::rename(&path, &real).unwrap();
    if !real.is_dir() {
        fs::set_permissions(&real, Permissions::from_mode(0o640)).unwrap();
    }
    let up = "../".repeat(place.split('/').count());
    let to = Path::new(&up).join("kept").join(path.file_name().unwrap());
    symlink(if is_absolute { &real } else { &to }, &path).unwrap();
    (path, real)
}

#[test]
fn t31_a_link_that_stays_inside_is_followed_and_stays_a_link() {
    let mut cases = Cases::new("T31 inside");
    for place in
        ["STATE/TASKS.md", "STATE/APPROVALS.md", "STATE/archive", "STATE", "LOGS", "orch.yaml"]
    {
        for is_absolute in [false, true] {
            cases.judge(|| {
                let at = format!("{place} leads inside, absolute: {is_absolute}");
                let (yard, _) = furnished();
                let (path, real) = linked_inside(&yard, place, is_absolute);
                let before = fs::symlink_metadata(&real).unwrap();
                for line in [
                    "claim T-2 --as WORK@ada",
                    "done R-1 --as CMD@eve",
                    "drop T-3 --as CMD@eve",
                    "archive --as CMD@eve",
                    "lock acquire deploy --as WORK@ada",
                    "audit verify",
                    "doctor",
                ] {
                    yard.line(line, &at).ok();
                }
                assert!(fs::symlink_metadata(&path).unwrap().is_symlink(), "{at}: a link no more");
                let after = fs::symlink_metadata(&real).unwrap();
                assert_eq!(
                    (after.mode(), after.uid(), after.gid()),
                    (before.mode(), before.uid(), before.gid()),
                    "{at}"
                );
                let rows = yard.ground.rows();
                assert_eq!(rows["T-2"]["state"], "DOING", "{at}");
                assert!(!rows.contains_key("T-3"), "{at}");
                let strays = yard.ground.temporaries();
                assert!(strays.is_empty(), "{at}: {strays:?}");
            });
        }
    }
    cases.finish();
}

#[test]
fn t31_a_ledger_is_not_made_where_a_link_leads_out() {
    let mut cases = Cases::new("T31 init");
    for (place, to) in [
        ("ORCH", "canary/empty"),
        ("ORCH", "canary/nothing"),
        ("ORCH/STATE", "canary/empty"),
        ("ORCH/STATE/TASKS.md", "canary/nothing"),
        ("ORCH/STATE/APPROVALS.md", "canary/nothing"),
        ("ORCH/orch.yaml", "canary/nothing"),
        ("ORCH/.gitattributes", "canary/file"),
    ] {
        cases.judge(|| {
            let mut yard = Yard::with(HEAD);
            fs::remove_dir_all(yard.orch()).unwrap();
            let path = yard.ground.root().join(place);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(yard.top().join(to), &path).unwrap();
            yard.settle();
            let at = format!("{place} leads to {to}");
            for line in ["init", "init --team --dry-run", "init --lang ja"] {
                yard.line(line, &at);
                yard.untouched(&format!("{at}: `{line}`"));
            }
        });
    }
    cases.finish();
}
