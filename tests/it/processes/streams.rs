//! Streams that close or fill, disks that fill, limits on the size of files.

use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::ground::{Ground, rows};

#[test]
fn a_reader_that_goes_away_early_is_quiet_success() {
    let ground = Ground::of_rows(5_000, "READY");
    for args in [
        &["list"][..],
        &["list", "--json"],
        &["list", "--format", "jsonl"],
        &["list", "--format", "csv"],
        &["list", "--format", "md"],
        &["next", "--json"],
    ] {
        let mut child =
            ground.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Far more than a pipe holds is still to come when it closes.
        let mut first = [0; 16];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{args:?}");
    }
}

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

#[test]
fn a_full_output_is_an_error_and_says_whether_the_change_is_there() {
    for format in ["table", "json", "jsonl", "csv", "md"] {
        let ground = Ground::of_rows(3, "READY");
        let run = |args: &[&str]| {
            let child = ground.command(args).stdout(full()).stderr(Stdio::piped()).spawn();
            let output = child.unwrap().wait_with_output().unwrap();
            (output.status.code(), String::from_utf8(output.stderr).unwrap())
        };
        let (exit, err) = run(&["list", "--format", format]);
        assert_eq!(exit, Some(1), "{format}: {err}");
        assert!(err.contains("cannot write to standard output"), "{err}");
        let add = ["add", "There", "--op-id", "k", "--as", "WORK@ada", "--format", format];
        let (exit, err) = run(&add);
        assert_eq!(exit, Some(13), "{format}: {err}");
        assert!(err.contains("the change is committed"), "{err}");
        assert_eq!(ground.rows()["T-0004"]["title"], "There");
        let (text, journal) = (ground.text(), ground.journal());
        // The same key again changes nothing, whether it can say so or not.
        let (exit, _) = run(&add);
        assert_eq!(exit, Some(13), "{format}");
        let again =
            ground.orch(&["add", "There", "--op-id", "k", "--as", "WORK@ada", "--json"]).ok();
        assert_eq!((again.id(), &again.json()["data"]["already"]), ("T-0004".into(), &true.into()));
        assert_eq!((ground.text(), ground.journal()), (text, journal));
    }
}

#[test]
fn what_cannot_be_said_on_standard_error_changes_no_exit_number() {
    let ground = Ground::of_rows(1, "READY");
    let end = |line: &str| {
        let args: Vec<_> = line.split(' ').collect();
        ground.command(&args).stdout(Stdio::null()).stderr(full()).status().unwrap().code()
    };
    assert_eq!(end("claim T-0001 --as WORK@ada"), Some(0));
    assert_eq!(end("claim T-0001 --as WORK@bob"), Some(5));
    assert_eq!(end("show T-9"), Some(3));
    assert_eq!(end("nonsense"), Some(2));
}

/// A file system of its own in memory, gone when dropped.
struct Small<'a>(&'a Path);

impl<'a> Small<'a> {
    /// None where this system does not let us mount.
    fn mount(at: &'a Path, pages: u32) -> Option<Self> {
        let size = format!("size={}k", pages * 4);
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(at)
            .stderr(Stdio::null())
            .status();
        done.is_ok_and(|status| status.success()).then_some(Self(at))
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_leaves_the_ledger_and_works_again_once_it_is_not() {
    const PAGES: u32 = 32;
    for free in 0..10 {
        let ground = Ground::new();
        let Some(small) = Small::mount(ground.root(), PAGES) else {
            eprintln!("skipped: no file system can be mounted here, so no disk can be filled");
            return;
        };
        fs::create_dir_all(ground.state()).unwrap();
        let old = Ground::of_rows(30, "READY").text();
        fs::write(ground.tasks(), &old).unwrap();
        ground.run("note T-0001 before --as WORK@ada").ok();
        let (old, journal) = (ground.text(), ground.journal_text());
        fill(&ground.root().join("ballast"), free);
        let ended = ground.run("claim T-0002 --op-id k --as WORK@ada");
        let now = ground.text();
        match ended.exit {
            1 => {
                assert_eq!((&now, &ground.journal_text()), (&old, &journal), "{free} pages free");
                assert!(ended.err.contains("no space left"), "{ended:?}");
            }
            0 | 13 => assert_eq!(rows(&now)["T-0002"]["state"], "DOING", "{ended:?}"),
            _ => panic!("{free} pages free: {ended:?}"),
        }
        assert!(free > 0 || ended.exit == 1, "{ended:?}");
        // Readers need no space.
        ground.run("list --json").ok();
        fs::remove_file(ground.root().join("ballast")).unwrap();
        ground.run("claim T-0003 --as WORK@bob").ok();
        let rows = ground.rows();
        assert_eq!(rows["T-0003"]["lock_owner"], "WORK@bob");
        assert_eq!(rows["T-0002"]["state"] == "DOING", ended.exit != 1);
        assert_eq!(rows.len(), 30);
        ground.no_temporaries();
        if ended.exit != 13 {
            // After 13 the journal may hold half a line until recovery mends
            // it, which comes with the redo record.
            ground.journal();
        }
        drop(small);
    }
}

/// Fills the disk but for so many pages.
fn fill(path: &Path, free: usize) {
    use std::io::Write as _;
    let mut file = File::create(path).unwrap();
    let mut written = 0;
    while file.write_all(&[b'x'; 4096]).is_ok() {
        written += 1;
    }
    assert!(written > free, "the disk is large enough for the test");
    file.set_len(4096 * (written - free) as u64).unwrap();
}

#[test]
fn a_limit_on_the_size_of_files_leaves_the_ledger_whole() {
    // Today the limit's signal ends the process, as it ends any that does not
    // ignore it; the next step ignores it, and this becomes exit 1.
    let ground = Ground::of_rows(200, "READY");
    ground.run("note T-0001 before --as WORK@ada").ok();
    let (old, journal) = (ground.text(), ground.journal_text());
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 8; exec \"$0\" claim T-0002 --as WORK@ada"]);
    shell.arg(env!("CARGO_BIN_EXE_orch")).current_dir(ground.root()).env_clear();
    let status = shell.stderr(Stdio::null()).status().unwrap();
    assert!(status.code() == Some(1) || status.signal() == Some(25), "{status:?}");
    assert_eq!((ground.text(), ground.journal_text()), (old, journal));
    ground.run("claim T-0002 --as WORK@ada").ok();
    ground.no_temporaries();
    ground.journal();
}
