//! Faults at every call that a command makes of the kernel.
//!
//! A command's calls are listed once with plain strace; then it runs again for
//! each, on a copy of the same files, and that one call kills it or fails. At
//! size 1 the calls that only read are sampled and each call gets one or two of
//! the errors in turn; at size 10 everything meets everything.

use std::fs;
use std::path::Path;

use super::support::ground::{Ground, Ran};
use super::support::judge::{SCENES, Scene, Side, Stage};
use super::support::strace::{Point, calls, faulted, killed, sample, traced, works};
use super::support::{Cases, has, say, scale, skip};

/// The scenes of this size: the first ones only, where everybody waits.
fn stages(small: usize) -> Vec<Stage> {
    let all = if scale() > 1 { SCENES.len() } else { small };
    SCENES[..all].iter().map(|scene| scene.stage()).collect()
}

/// A death at a call leaves old or new, whoever comes next.
fn sweep(stage: &Stage, test: &str, cases: &mut Cases) -> (usize, usize) {
    let line = stage.scene.keyed();
    let (points, counts) = calls(&stage.start, &line);
    let (mut dead, mut new) = (0, 0);
    for point in sample(points, 12) {
        let at = format!("{test}: `{line}` killed at {} {}: {}", point.name, point.nth, point.line);
        let ground = stage.start.copy();
        if !killed(&ground, &point.name, point.nth, &line) {
            continue;
        }
        dead += 1;
        let side = cases.judge(|| {
            stage.each_is_whole(&ground, &at);
            stage.settle(&ground, &at)
        });
        new += usize::from(side == Some(Side::New));
    }
    // The list was whole: beyond it nobody dies.
    for (name, count) in counts.into_iter().filter(|(name, _)| *name == "write") {
        let ground = stage.start.copy();
        assert!(!killed(&ground, &name, count + 3, &line), "{test}: more {name} than listed");
        assert_eq!(stage.judge(&ground, test), Side::New);
    }
    (dead, new)
}

#[test]
fn t02_a_kill_at_every_call_leaves_old_or_new() {
    if !works("T2") {
        return;
    }
    let mut cases = Cases::new("T2");
    for stage in stages(2) {
        let (dead, new) = sweep(&stage, "T2", &mut cases);
        say("T2", format_args!("`{}`: {dead} deaths, {new} of them new", stage.scene.line));
        assert!(dead > 20 && new > 0 && new < dead, "the deaths lie on both sides of the commit");
    }
    cases.finish();
}

const ERRORS: [&str; 7] = ["ENOSPC", "EIO", "EROFS", "EDQUOT", "EINTR", "EMFILE", "EACCES"];

/// Calls whose failure a program has to expect.
const MAY_FAIL: [&str; 22] = [
    "openat",
    "read",
    "write",
    "pwrite64",
    "writev",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "flock",
    "fchmod",
    "fchown",
    "ftruncate",
    "copy_file_range",
    "getdents64",
];

/// What this call may end with: an error that such a call does not know proves
/// nothing about a program.
fn fits(point: &Point, error: &str) -> bool {
    let opens = point.name == "openat";
    match error {
        "EMFILE" => opens,
        "EINTR" => opens || ["read", "write", "fsync", "flock"].contains(&point.name.as_str()),
        "ENOSPC" | "EROFS" | "EDQUOT" => point.changes() && point.name != "flock",
        _ => true,
    }
}

/// One fault at one call: the exit number says what the files then say.
fn fault(stage: &Stage, point: &Point, when: &str, error: &str, cases: &mut Cases) -> Option<i32> {
    let line = stage.scene.keyed();
    let ground = stage.start.copy();
    let (ran, _) = faulted(&ground, &point.name, when, error, &line)?;
    cases.judge(|| judge_fault(stage, &ground, point, &format!("{error} at {when}"), &ran));
    Some(ran.exit)
}

fn judge_fault(stage: &Stage, ground: &Ground, point: &Point, error: &str, ran: &Ran) {
    let line = stage.scene.line;
    let at = format!("`{line}`, {}, {error}: {}: {ran:?}", point.name, point.line);
    ran.ended_by_itself(&at);
    stage.each_is_whole(ground, &at);
    let side = match ran.exit {
        0 => {
            assert_eq!(stage.readable(ground, &at), Side::New, "{at}: acknowledged");
            Side::New
        }
        13 => Side::New,
        _ => {
            stage.untouched(ground, &at);
            Side::Old
        }
    };
    assert_eq!(stage.settle(ground, &at), side, "{at}");
}

fn tally(exits: &mut [usize; 14], exit: Option<i32>) {
    if let Some(n) = exit.and_then(|exit| usize::try_from(exit).ok()) {
        exits[n] += 1;
    }
}

fn told(exits: &[usize; 14]) -> String {
    let said = exits.iter().enumerate().filter(|(_, n)| **n > 0);
    said.map(|(exit, n)| format!("{n} × exit {exit}")).collect::<Vec<_>>().join(", ")
}

#[test]
fn t03_an_error_at_every_call_leaves_old_or_new_and_the_exit_says_which() {
    if !works("T3") {
        return;
    }
    let mut cases = Cases::new("T3");
    for stage in stages(2) {
        let mut exits = [0; 14];
        let (points, _) = calls(&stage.start, &stage.scene.keyed());
        let points = points.into_iter().filter(|p| MAY_FAIL.contains(&p.name.as_str())).collect();
        for (n, point) in sample(points, 8).into_iter().enumerate() {
            let fitting: Vec<_> = ERRORS.iter().filter(|error| fits(&point, error)).collect();
            for k in 0..fitting.len().min(scale()) {
                let error = fitting[(n + k) % fitting.len()];
                let fault_of = format!("error={error}");
                let nth = point.nth.to_string();
                tally(&mut exits, fault(&stage, &point, &nth, &fault_of, &mut cases));
                // A disk that is full stays full; a signal does not come for ever.
                let lasts = *error != "EINTR" && point.changes();
                if lasts && (scale() > 1 || (n + k) % 4 == 0) {
                    tally(
                        &mut exits,
                        fault(&stage, &point, &format!("{nth}+"), &fault_of, &mut cases),
                    );
                }
            }
        }
        say("T3", format_args!("`{}`: {}", stage.scene.line, told(&exits)));
        assert!(exits[1] > 0, "some faults come before the commit");
    }
    cases.finish();
}

/// A write that takes nothing, one that a signal interrupts, and every second
/// one that a signal interrupts.
#[test]
fn t04_writes_of_nothing_and_interrupted_ones_leave_old_or_new() {
    if !works("T4") {
        return;
    }
    let mut cases = Cases::new("T4");
    for stage in stages(1) {
        let mut exits = [0; 14];
        let (points, _) = calls(&stage.start, &stage.scene.keyed());
        for point in points.iter().filter(|p| p.name == "write") {
            let nth = point.nth.to_string();
            tally(&mut exits, fault(&stage, point, &nth, "retval=0", &mut cases));
            tally(&mut exits, fault(&stage, point, &nth, "error=EINTR", &mut cases));
            tally(&mut exits, fault(&stage, point, &format!("{nth}+2"), "error=EINTR", &mut cases));
        }
        say("T4", format_args!("`{}`: {}", stage.scene.line, told(&exits)));
        assert!(exits[0] > 0, "an interrupted write is written again");
    }
    cases.finish();
}

/// A file whose fsync failed is thrown away: the kernel may have dropped what
/// it could not write, and a second fsync would call that success.
#[test]
fn t04_a_failed_fsync_is_never_repeated_nor_its_file_used() {
    if !works("T4") {
        return;
    }
    for stage in stages(2) {
        let line = stage.scene.keyed();
        let mut failed = 0;
        for nth in 1.. {
            let ground = stage.start.copy();
            let inject = format!("inject=fsync,fdatasync:error=EIO:when={nth}");
            let trace = "trace=fsync,fdatasync,close,rename,renameat,renameat2,link,linkat";
            let (_, log) = traced(&ground, &["-y", "-e", trace, "-e", &inject], &line);
            let mut rest = log.lines().skip_while(|l| !l.contains("(INJECTED)"));
            let Some(first) = rest.next() else { break };
            failed += 1;
            // `fsync(4</path/of/the/file>) = -1 EIO …`
            let opened = first.split_once("sync(").unwrap().1.split_once('>').unwrap().0;
            let (fd, path) = opened.split_once('<').unwrap();
            let is_folder = Path::new(path).is_dir();
            let mut open = true;
            for later in rest {
                let same = later.contains(&format!("({fd}<{path}>"));
                assert!(!(open && same && later.contains("sync(")), "synced again: {first}\n{log}");
                open &= !(same && later.contains("close("));
                let renamed = later.contains("rename") || later.contains("link");
                let source = later.split_once('"').is_some_and(|(_, l)| l.starts_with(path));
                assert!(is_folder || !(renamed && source), "put in place: {first}\n{log}");
            }
        }
        assert!(failed > 1, "`{line}` syncs its files and its folders");
        say("T4", format_args!("`{line}`: {failed} syncs failed, none was tried again"));
    }
}

/// Half of what is asked for, and every third time a signal instead.
const HALF: &str = "
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <unistd.h>
ssize_t write(int fd, const void *bytes, size_t count) {
  static ssize_t (*real)(int, const void *, size_t);
  static int calls;
  if (!real) real = (ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, \"write\");
  if (++calls % 3 == 0) { errno = EINTR; return -1; }
  return real(fd, bytes, count > 1 ? (count + 1) / 2 : count);
}
";

/// Real short writes: the kernel takes half, and the process dies before it can
/// write the other half.
#[test]
fn t04_half_a_write_and_then_a_kill_leave_old_or_new() {
    if !works("T4") || !has("T4", "cc", &["--version"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (source, library) = (dir.path().join("half.c"), dir.path().join("half.so"));
    fs::write(&source, HALF).unwrap();
    let made = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status();
    if !made.is_ok_and(|status| status.success()) {
        return skip("T4", "`cc` makes no library here");
    }
    let preload = format!("LD_PRELOAD={}", library.display());
    let mut cases = Cases::new("T4");
    for stage in stages(1) {
        let line = stage.scene.keyed();
        let whole = stage.start.copy();
        let (ran, log) = traced(&whole, &["-E", &preload, "-e", "trace=write"], &line);
        assert_eq!(ran.exit, 0, "{ran:?}");
        assert_eq!(stage.settle(&whole, "T4: in halves"), Side::New);
        let writes = log.lines().filter(|l| l.contains("write(")).count();
        let (points, _) = calls(&stage.start, &line);
        let plain = points.iter().filter(|p| p.name == "write").count();
        if writes <= plain {
            return skip("T4", "the library's write is not used");
        }
        // Every second: halves of halves of one write tell little more.
        let step = if scale() > 1 { 1 } else { 2 };
        for nth in (1..=writes).step_by(step) {
            let ground = stage.start.copy();
            let inject = format!("inject=write:signal=SIGKILL:when={nth}");
            let options = ["-E", &preload, "-e", "trace=write", "-e", &inject];
            let (_, log) = traced(&ground, &options, &line);
            let at = format!("T4: `{line}`, killed at half a write {nth}:\n{log}");
            cases.judge(|| {
                stage.each_is_whole(&ground, &at);
                stage.settle(&ground, &at)
            });
        }
        say("T4", format_args!("`{line}`: {writes} short writes, {plain} whole ones"));
    }
    cases.finish();
}

/// A disk that says it took a byte and took none. What is put in place of a
/// ledger is what was meant, or nothing is.
#[test]
fn t04_a_write_that_lies_never_reaches_a_ledger() {
    if !works("T4") {
        return;
    }
    let stage = Scene { ..SCENES[1] }.stage();
    let line = stage.scene.keyed();
    let (points, _) = calls(&stage.start, &line);
    let mut cases = Cases::new("T4");
    for point in points.iter().filter(|p| p.name == "write") {
        let ground = stage.start.copy();
        let nth = point.nth.to_string();
        let Some((ran, _)) = faulted(&ground, "write", &nth, "retval=1", &line) else { continue };
        let at = format!("a lie at write {nth}: {}: {ran:?}", point.line);
        cases.judge(|| {
            ran.ended_by_itself(&at);
            stage.each_is_whole(&ground, &at);
            let after = ground.run("set Z-9 due=2031-01-01 --as CMD@boss");
            assert_eq!(after.exit, 0, "{at}: the next command: {after:?}");
            let side = stage.judge(&ground, &at);
            assert!(ran.exit != 0 || side == Side::New, "{at}: acknowledged and lost");
        });
    }
    cases.finish();
}
