//! How commands end, and that nothing of them is left.

use super::place::{Place, not_started, status, until};
use orch::store::runs::{Deadline, End};
use orch::sys::Signal;
use rustix::process::Signal as Raw;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn a_number_or_a_signal_is_told_as_it_is() {
    for (script, end) in [
        ("exit 0", End::Exit(0)),
        ("exit 75", End::Exit(75)),
        ("kill -SEGV $$", End::Signal(11)),
        ("kill -KILL $$", End::Signal(9)),
        ("kill -TERM $$", End::Signal(15)),
    ] {
        let kept = Place::of(script).keep();
        assert_eq!((kept.end, kept.stopped), (end, None), "{script}");
        assert!(kept.started_at <= kept.ended_at);
    }
}

#[test]
fn it_has_its_folder_its_variables_no_input_and_no_file_of_ours() {
    let place = Place::of(
        "pwd; echo $ORCH_TASK_ID $ORCH_LEASE_TOKEN; read x || echo no input; echo aside >&2; \
         for fd in /proc/$$/fd/*; do readlink $fd || :; done",
    );
    assert_eq!(place.keep().end, End::Exit(0));
    let (work, token) = (place.work().canonicalize().unwrap(), place.record.token);
    let log = place.log();
    let start = format!("{}\nT-1 {token}\nno input\naside\n/dev/null\n", work.display());
    assert!(log.starts_with(&start), "{log}");
    let run = place.run.path().to_str().unwrap();
    assert!(!log.contains(run), "a file of ours is open in the command: {log}");
    assert_eq!(place.files(), ["process.json", "result.json", "run.json", "run.log"]);
}

#[test]
fn its_processes_are_written_down_and_stand_apart() {
    let place = Place::of("echo $$ >pid; mkfifo go; read x <go");
    let kept = place.start();
    let (keeper, command) = kept.processes();
    let machine = place.sys.process.machine();
    assert_eq!((keeper.pid, &keeper.machine), (kept.pid(), &machine));
    assert_eq!(place.sys.process.started(kept.pid()), Some(keeper.start));
    let noted = place.noted("pid");
    assert_eq!((command.pid, command.start, command.machine), (noted.pid, noted.start, machine));
    // The keeper leads a session of its own, the command a group in it.
    let of = |name| status(noted.pid, name).split_whitespace().last().map(str::to_owned);
    let number = |pid: u32| Some(pid.to_string());
    assert_eq!((of("NSsid:"), of("NSpgid:")), (number(kept.pid()), number(noted.pid)));
    until("the pipe", || place.is_there("go"));
    fs::write(place.work().join("go"), "\n").unwrap();
    assert_eq!(kept.ends().end, End::Exit(0));
}

/// A family of which nobody ends when asked: a child, a grandchild, one in a
/// session of its own whose parent is gone, and one without variables elsewhere.
const FAMILY: &str = "trap '' TERM HUP INT
    sh -c 'trap \"\" TERM; echo $$ >child; while :; do sleep 600; done' &
    sh -c 'sh -c \"echo \\$\\$ >grandchild; exec sleep 600\"; :' &
    (setsid sh -c 'echo $$ >daemon; exec sleep 600' &)
    (setsid env -i \"$(command -v sh)\" -c \
        'cd /; echo $$ >\"$1/stranger\"; exec /bin/sleep 600' sh \"$1\" &)
    for f in child grandchild daemon stranger; do
        until [ -s $f ]; do sleep 0.01; done
    done
    echo $$ >ready; ";

const MEMBERS: [&str; 5] = ["child", "grandchild", "daemon", "stranger", "ready"];

#[test]
fn nothing_is_left_of_a_command_that_is_stopped() {
    let place = Place::of(&format!("{FAMILY} while :; do sleep 600; done"));
    let kept = place.start();
    let family = MEMBERS.map(|name| place.noted(name));
    place.stop("drain", Duration::from_millis(100));
    kept.signal(Raw::TERM);
    let end = kept.ends();
    assert_eq!((end.end, end.stopped.as_deref()), (End::Stopped, Some("drain")));
    assert!(family.iter().all(|process| process.is_gone()), "{family:?}");
}

#[test]
fn nothing_is_left_of_a_command_that_ended() {
    let place = Place::of(&format!("{FAMILY} mkfifo go; read x <go; exit 3"));
    let kept = place.start();
    let family = MEMBERS.map(|name| place.noted(name));
    until("the pipe", || place.is_there("go"));
    fs::write(place.work().join("go"), "\n").unwrap();
    assert_eq!(kept.ends().end, End::Exit(3));
    assert!(family.iter().all(|process| process.is_gone()), "{family:?}");
}

#[test]
fn those_that_multiply_are_ended_too() {
    let place = Place::of(
        "for i in 1 2 3; do
            (setsid sh -c 'echo $$ >$0; while :; do (setsid sleep 0.05 &); sleep 0.01; done' $i &)
        done
        trap '' TERM; while :; do sleep 600; done",
    );
    let kept = place.start();
    let parents = ["1", "2", "3"].map(|name| place.noted(name));
    place.stop("drain", Duration::ZERO);
    kept.signal(Raw::TERM);
    assert_eq!(kept.ends().end, End::Stopped);
    assert!(parents.iter().all(|process| process.is_gone()), "{parents:?}");
}

/// One that ended and that nobody waits for has a number that nobody else can have.
#[test]
fn orphans_do_not_use_up_the_numbers_of_processes() {
    let place = Place::of(
        "for i in 1 2 3 4 5 6 7 8 9; do (sh -c 'sleep 0.01' &); done; echo $$ >ready; sleep 600",
    );
    let kept = place.start();
    let ready = place.noted("ready");
    let children = format!("/proc/{0}/task/{0}/children", kept.pid());
    until("all but the command are gone", || {
        fs::read_to_string(&children).unwrap().trim() == ready.pid.to_string()
    });
    kept.signal(Raw::TERM);
    assert_eq!(kept.ends().stopped.as_deref(), Some("its keeper got signal 15"));
}

#[test]
fn one_that_takes_too_long_is_ended_by_its_keeper_alone() {
    let deaf = format!("{FAMILY} while :; do sleep 600; done");
    for (script, given) in [("exec sleep 600", 600_000), (&deaf, 50)] {
        let mut place = Place::of(script);
        (place.record.timeout_ms, place.record.grace_ms) = (50, given);
        let end = place.keep();
        assert_eq!((end.end, end.stopped), (End::TimedOut, None));
    }
}

#[test]
fn whoever_is_asked_may_end_in_its_own_way() {
    let place = Place::of("trap 'echo bye; exit 7' TERM; echo $$ >ready; sleep 600 & wait");
    let kept = place.start();
    let ready = place.noted("ready");
    place.stop("drain", HOUR);
    kept.signal(Raw::TERM);
    let end = kept.ends();
    assert_eq!((end.end, end.stopped.as_deref()), (End::Exit(7), Some("drain")));
    assert!(place.log() == "bye\n" && ready.is_gone());
}

#[test]
fn asked_a_second_time_it_is_not_asked_again() {
    let place =
        Place::of("trap ': >asked' TERM; echo $$ >ready; while :; do sleep 600 & wait; done");
    let kept = place.start();
    place.noted("ready");
    place.stop("drain", HOUR);
    kept.signal(Raw::TERM);
    until("it is asked", || place.is_there("asked"));
    kept.signal(Raw::TERM);
    assert_eq!(kept.ends().end, End::Stopped);
}

#[test]
fn neither_what_was_ignored_before_nor_a_stopped_command_is_deaf() {
    for (shell, script) in [
        ("trap '' TERM HUP INT CHLD; exec \"$0\" \"$@\"", "echo $$ >ready; exec sleep 600"),
        ("exec \"$0\" \"$@\"", "echo $$ >ready; kill -STOP $$; sleep 600"),
    ] {
        let place = Place::of(script);
        let kept = place.start_by(shell);
        let ready = place.noted("ready");
        if script.contains("STOP") {
            until("it is stopped", || status(ready.pid, "State:").starts_with('T'));
        }
        place.stop("drain", HOUR);
        kept.signal(Raw::TERM);
        assert_eq!(kept.ends().end, End::Stopped, "{script}");
        assert!(ready.is_gone());
    }
}

#[test]
fn a_lease_that_nobody_renews_ends_it() {
    let place = Place::of(&format!("{FAMILY} while :; do sleep 600; done"));
    place.lease(place.now() + 1500);
    let end = place.keep();
    assert_eq!((end.end, end.stopped), (End::LeaseEnded, None));
}

#[test]
fn a_lease_that_is_renewed_does_not() {
    let place = Place::of("echo $$ >ready; mkfifo go; read x <go");
    let over_ms = place.now() + 3000;
    place.lease(over_ms);
    let kept = place.start();
    place.noted("ready");
    let mut seen = kept.seen();
    place.lease(place.now() + 3_600_000);
    while place.now() < over_ms + 200 {
        assert_eq!(seen.wait(Duration::from_millis(500)).unwrap(), None);
    }
    until("the pipe", || place.is_there("go"));
    fs::write(place.work().join("go"), "\n").unwrap();
    assert_eq!(kept.ends().end, End::Exit(0));
}

#[test]
fn a_keeper_that_slept_past_the_lease_ends_it_when_it_goes_on() {
    let place = Place::of("trap '' TERM; echo $$ >ready; while :; do sleep 600; done");
    let over_ms = place.now() + 3000;
    place.lease(over_ms);
    let kept = place.start();
    let ready = place.noted("ready");
    let mut seen = kept.seen();
    kept.signal(Raw::STOP);
    while place.now() < over_ms + 200 {
        assert_eq!(seen.wait(Duration::from_millis(500)).unwrap(), None);
    }
    assert!(!ready.is_gone());
    kept.signal(Raw::CONT);
    assert_eq!(kept.ends().end, End::LeaseEnded);
    assert!(ready.is_gone());
}

#[test]
fn a_lease_of_another_machine_begins_nothing() {
    let place = Place::of(": >begun");
    let machine = "another".to_owned();
    place.run.write_deadline(&place.sys, &Deadline { machine, at_ms: i64::MAX }).unwrap();
    assert_eq!(place.keep().end, End::LeaseEnded);
    assert!(!place.is_there("begun"));
}

#[test]
fn what_a_dead_keeper_leaves_can_be_ended() {
    let place = Place::of(&format!("{FAMILY} while :; do sleep 600; done"));
    let kept = place.start();
    let family = MEMBERS.map(|name| place.noted(name));
    let (_, command) = kept.processes();
    kept.die();
    assert!(family.iter().all(|process| !process.is_gone()), "{family:?}");
    assert!(place.run.read_end(&place.sys).unwrap().is_none());
    let token = place.record.token.to_string();
    let marks = [("ORCH_TASK_ID", "T-1"), ("ORCH_LEASE_TOKEN", token.as_str())];
    // Somebody who has the number since another time is nobody of ours.
    let other = Some((command.pid, command.start + 1));
    let end = |group, marks| place.sys.process.end_strays(group, marks, Signal::Kill).unwrap();
    assert_eq!(end(other, &[]), 0);
    assert!(!family[4].is_gone());
    assert!(end(Some((command.pid, command.start)), &marks) >= 4);
    // But for the one that has neither its group nor its variables.
    let known = family.iter().filter(|process| process.pid != family[3].pid);
    known.for_each(|process| until("it is gone", || process.is_gone()));
    let mut stranger = place.sys.process.attach(family[3].pid, family[3].start).unwrap().unwrap();
    stranger.signal(Signal::Kill).unwrap();
}

#[test]
fn what_cannot_be_started_says_why() {
    let why = |words: &[&str]| {
        let place = Place::of_words(words);
        let file = |name: &str, text: &str, mode: u32| {
            let path = place.work().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        file("plain", "text", 0o644);
        file("text", "echo hi\n", 0o755);
        file("lost", "#!/no/such/program\n", 0o755);
        fs::create_dir(place.work().join("folder")).unwrap();
        not_started(place.keep())
    };
    assert_eq!(why(&["no-such-program"]), "there is no program `no-such-program` in $PATH");
    assert_eq!(why(&["./missing"]), "there is no file `./missing`");
    assert_eq!(why(&["./missing/x"]), "there is no file `./missing/x`");
    assert_eq!(why(&["./plain/x"]), "there is no file `./plain/x`");
    assert_eq!(why(&["./plain"]), "`./plain` is not executable");
    assert_eq!(why(&["./folder"]), "`./folder` is a folder");
    assert_eq!(why(&["./lost"]), "`./lost` is there, but not the program that is to run it");
    assert_eq!(why(&["./text"]), "`./text` is no program; a script begins with `#!`");
    let long = "x".repeat(200_000);
    let said = why(&["true", &long]);
    assert_eq!(said, "the arguments of `true` and its variables are too long");
    let mut place = Place::of_words(&["true"]);
    place.record.argv.clear();
    assert_eq!(not_started(place.keep()), "no program is named");
}

#[test]
fn a_run_is_kept_once() {
    let place = Place::of("echo once >>times");
    place.keep();
    assert_eq!(place.start().exit_number(), Some(4));
    assert_eq!(fs::read_to_string(place.work().join("times")).unwrap(), "once\n");
    assert_eq!(Place::of("").start_by("exec \"$0\" __run /no/such/run").exit_number(), Some(1));
}
