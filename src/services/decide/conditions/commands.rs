//! Commands that must succeed on the scratch copy.
//!
//! Here: which of our variables they get, and what their ends mean. Not here:
//! ending them (`sys::confined`), the copy (`decide::scratch`).

use super::Measured;
use crate::model::{duration, secrets};
use crate::services::config::{AutoDecide, GateCommand};
use crate::services::decide::conditions::Holds;
use crate::services::decide::scratch::Scratch;
use crate::sys::{Confined, Ended, Finish, Ran, Sys};
use std::path::Path;
use std::time::Duration;

/// The condition's name.
pub const NAME: &str = "commands";

/// How long a command has to end when it is asked to.
const GRACE: Duration = Duration::from_secs(5);
/// How much of its output is kept.
const TAIL: usize = 64 << 10;
/// How many characters of its last line a reason repeats.
const LINE: usize = 160;

/// What is asked for.
pub fn limit(auto: &AutoDecide) -> String {
    let each = auto.commands.iter().map(|c| format!("{} within {}", named(c), within(c)));
    each.collect::<Vec<_>>().join(", ")
}

fn within(command: &GateCommand) -> String {
    duration::format(command.timeout)
}

/// A command as people read it.
fn named(command: &GateCommand) -> String {
    let words: Vec<_> = command.run.iter().map(|w| crate::ledger::tasks::shell_word(w)).collect();
    format!("`{}`", secrets::redact(&words.join(" ")))
}

/// Runs one after the other in a folder of the copy, up to the first that does
/// not succeed.
pub fn measure(
    sys: &Sys,
    auto: &AutoDecide,
    scratch: &Scratch<'_>,
    dir: &Path,
    is_stopped: &dyn Fn() -> bool,
) -> Measured {
    let total = auto.commands.len();
    for (done, command) in auto.commands.iter().enumerate() {
        let run = Confined {
            argv: command.run.clone(),
            dir: dir.to_owned(),
            within: scratch.dir().to_owned(),
            env: vec![("TMPDIR".to_owned(), scratch.temporaries().display().to_string())],
            keeps,
            limit: command.timeout,
            grace: GRACE,
            tail: TAIL,
        };
        let ran = sys.programs.confined(&run, is_stopped);
        if let Some(failure) = failure(command, ran) {
            let measured = format!("{done} of {total} succeeded");
            let reason = Some(failure.reason);
            let (holds, output) = (failure.holds, failure.output);
            return Measured {
                holds,
                reason,
                output,
                ..Measured::yes(NAME, measured, limit(auto))
            };
        }
    }
    Measured::yes(NAME, format!("{total} of {total} succeeded"), limit(auto))
}

struct Failure {
    holds: Holds,
    reason: String,
    output: Option<String>,
}

/// Why a command did not succeed, if so. One that could not be started, or was
/// ended with us, says nothing about the change.
fn failure(command: &GateCommand, ran: std::io::Result<Ran>) -> Option<Failure> {
    let name = named(command);
    let ran = match ran {
        Ok(ran) => ran,
        Err(error) => {
            let reason = format!("{name} cannot be started: {error}");
            return Some(Failure { holds: Holds::Breach, reason, output: None });
        }
    };
    let (holds, what) = match ran.finish {
        Finish::Ended(Ended::Code(0)) => return None,
        Finish::Ended(Ended::Code(code)) => (Holds::Fails, format!("ended with {code}")),
        Finish::Ended(Ended::Signal(n)) => (Holds::Fails, format!("was ended by signal {n}")),
        Finish::TimedOut => (Holds::Fails, format!("took longer than {}", within(command))),
        Finish::Stopped => (Holds::Breach, "was interrupted".to_owned()),
    };
    let output = readable(&ran);
    let last = output.lines().rev().find(|line| !line.trim().is_empty());
    let last = last.map(|line| {
        let line: String =
            line.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let cut: String = line.chars().take(LINE).collect();
        let dots = if cut.len() < line.len() { "…" } else { "" };
        format!("; its last line: `{cut}{dots}`")
    });
    let reason = format!("{name} {what}{}", last.unwrap_or_default());
    Some(Failure { holds, reason, output: (!output.is_empty()).then_some(output) })
}

/// What it wrote, from the first whole line that was kept, without secrets.
fn readable(ran: &Ran) -> String {
    let first_end = || ran.tail.iter().position(|byte| *byte == b'\n');
    let from = if ran.is_cut { first_end().map_or(0, |at| at + 1) } else { 0 };
    let text = String::from_utf8_lossy(&ran.tail[from..]);
    secrets::redact(&text).into_owned()
}

/// Whether a command of the settings gets one of our variables. What is judged
/// runs with our rights, so it gets no key: neither by name nor by look.
fn keeps(name: &str, value: &str) -> bool {
    const WORDS: [&str; 8] =
        ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "API_KEY", "APIKEY", "CREDENTIAL"];
    let upper = name.to_ascii_uppercase();
    let is_ours = upper.starts_with("GIT_") || upper.starts_with("ORCH_");
    let is_key = upper.ends_with("_KEY") || WORDS.iter().any(|word| upper.contains(word));
    !is_ours && !is_key && secrets::find(value).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(finish: Finish, tail: &str, is_cut: bool) -> Option<(Holds, String)> {
        let command = GateCommand {
            run: vec!["make".to_owned(), "all tests".to_owned()],
            timeout: Duration::from_mins(10),
        };
        let ran = Ran { finish, took: Duration::ZERO, tail: tail.into(), is_cut };
        failure(&command, Ok(ran)).map(|failure| (failure.holds, failure.reason))
    }

    #[test]
    fn an_end_says_something_of_the_change_or_not() {
        let code = |code| Finish::Ended(Ended::Code(code));
        assert_eq!(of(code(0), "", false), None);
        let fails = |finish, tail: &str, reason: &str| {
            let got = of(finish, tail, false).unwrap();
            assert_eq!(got, (Holds::Fails, format!("`make 'all tests'` {reason}")));
        };
        fails(code(2), "", "ended with 2");
        fails(code(2), "a\nb: c \n\n", "ended with 2; its last line: `b: c`");
        fails(Finish::Ended(Ended::Signal(9)), "", "was ended by signal 9");
        fails(Finish::TimedOut, "", "took longer than 10m");
        assert_eq!(of(Finish::Stopped, "", false).unwrap().0, Holds::Breach);
        let (_, reason) = of(code(1), &"x".repeat(500), false).unwrap();
        assert!(reason.ends_with("x…`") && reason.len() < 300);
    }

    #[test]
    fn what_it_wrote_has_no_secrets_and_no_half_lines() {
        let token = format!("{}_{}", "ghp", "a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8");
        let tail = format!("alf a line\n\u{1b}[31mtoken {token}");
        let (_, reason) = of(Finish::TimedOut, &tail, true).unwrap();
        assert!(reason.ends_with("` [31mtoken [REDACTED github-token]`"), "{reason}");
        let ran = |is_cut| Ran {
            finish: Finish::TimedOut,
            took: Duration::ZERO,
            tail: tail.clone().into(),
            is_cut,
        };
        assert!(readable(&ran(false)).starts_with("alf"));
        assert!(readable(&ran(true)).starts_with("\u{1b}[31mtoken [REDACTED"));
    }

    #[test]
    fn no_key_and_nothing_of_git_or_ours_is_handed_on() {
        for name in ["PATH", "HOME", "LANG", "CARGO_HOME", "KEYBOARD", "SSH_AUTH_SOCK"] {
            assert!(keeps(name, "value"), "{name}");
        }
        for name in
            ["GIT_DIR", "ORCH_ROOT", "CARGO_REGISTRY_TOKEN", "AWS_SECRET_ACCESS_KEY", "Db_Password"]
        {
            assert!(!keeps(name, "value"), "{name}");
        }
        let url = format!("postgres://ada:{}@db/x", "k3J9x2Qm");
        assert!(!keeps("DATABASE_URL", &url));
    }
}
