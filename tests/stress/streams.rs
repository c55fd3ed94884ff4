//! Standard streams that are closed, full or gone when the answer is due.

use std::fs::OpenOptions;
use std::process::Stdio;

use super::support::ground::{Ground, Ran, number};
use super::support::judge::unbroken;
use super::support::{has, say};

/// How a command ended whose output could not be written.
fn ended(ground: &Ground, how: &str, line: &str) -> (i32, String) {
    let args: Vec<&str> = line.split(' ').collect();
    let mut command = ground.command(&args);
    match how {
        "full" => {
            let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
            command.stdout(full);
        }
        "gone" => {
            // A pipe whose reader is gone before the command begins.
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            command.stdout(writer);
        }
        "closed" => {
            let ran = closed(ground, &args);
            return (ran.exit, ran.err);
        }
        _ => unreachable!("{how}"),
    }
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    drop(command);
    let output = child.wait_with_output().unwrap();
    (number(output.status), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn closed(ground: &Ground, args: &[&str]) -> Ran {
    let program = super::support::ground::program();
    let words = [&["-c", "exec \"$0\" \"$@\" >&-", &program], args].concat();
    ground.tool("sh", &words).output().unwrap().into()
}

#[test]
fn t10_an_answer_that_cannot_be_given_says_so_and_is_not_given_twice() {
    if !has("T10", "sh", &["-c", "true"]) {
        return;
    }
    let commands = [
        "add Title --as WORK@ada",
        "claim T-0001 --as WORK@ada",
        "note T-0002 text --as WORK@ada",
        "set T-0003 due=2030-01-01 --as CMD@boss",
        "ready T-0004 --as CMD@boss",
    ];
    let mut counted = 0;
    for (how, exits) in [("full", &[13][..]), ("gone", &[0]), ("closed", &[0, 13])] {
        for command in commands {
            for format in ["--json", "--format table"] {
                let ground = Ground::of_rows(3, "READY");
                let boss = "add More --as CMD@boss --id T-0004";
                ground.run(boss).ok();
                let line = format!("{command} --op-id k {format}");
                let (exit, err) = ended(&ground, how, &line);
                let at = format!("T10: stdout is {how}: `{line}`: {exit}: {err}");
                assert!(exits.contains(&exit), "{at}");
                assert!(!err.contains("panicked"), "{at}");
                assert_eq!(exit == 13, err.contains("the change is committed"), "{at}");
                assert!(how != "gone" || !err.contains("error"), "quiet: {at}");
                let (files, journal) = (ground.ledgers(), unbroken(&ground, &at));
                let again = ground.run(&line).ok();
                let again = if format == "--json" {
                    again
                } else {
                    ground.run(&format!("{command} --op-id k --json")).ok()
                };
                assert_eq!(again.json()["data"]["already"], true, "{at}: {again:?}");
                assert_eq!(ground.ledgers(), files, "{at}");
                assert_eq!(unbroken(&ground, &at).len(), journal.len(), "{at}");
                counted += 1;
            }
        }
    }
    say("T10", format_args!("{counted} answers that nobody could read, each change there once"));
}

#[test]
fn t10_reading_into_nothing_is_quiet_and_into_a_full_disk_is_not() {
    let ground = Ground::of_rows(2_000, "READY");
    ground.run("note T-0002 text --as WORK@ada").ok();
    let files = ground.files();
    for line in ["list", "list --json", "list --format csv", "next --json", "show T-0001", "status"]
    {
        let (exit, err) = ended(&ground, "gone", line);
        assert_eq!((exit, err.contains("error")), (0, false), "`{line}`: {err}");
        let (exit, err) = ended(&ground, "full", line);
        assert_eq!(exit, 1, "`{line}`: {err}");
        assert!(!err.contains("panicked"), "{err}");
    }
    assert_eq!(ground.files(), files);
}
