//! What is printed as worth typing next: each is a whole command, runs on this very
//! ledger, and is none that only people may give.

use super::shell;
use super::workspace::{Ran, Workspace};
use serde_json::Value;

/// Verbs that decide, end or take back what is somebody's.
const NEVER: &[&str] = &[
    "approve", "reject", "done", "fix", "hold", "drop", "reopen", "decide", "flag", "undo",
    "archive", "withdraw", "migrate", "import", "fmt", "watch",
];

/// The commands after `next:` and `hint:`, or in `next` and `hint`.
fn commands(ran: &Ran) -> (Vec<String>, Vec<String>) {
    let told = |word: &str| -> Vec<String> {
        ran.stderr.lines().filter_map(|line| line.strip_prefix(word)).map(str::to_owned).collect()
    };
    let (mut next, mut hints) = (told("next: "), told("hint: "));
    if let Ok(Value::Object(object)) = serde_json::from_str::<Value>(&ran.stdout) {
        let list = object.get("next").and_then(Value::as_array).into_iter().flatten();
        next.extend(list.filter_map(Value::as_str).map(str::to_owned));
        let hint = object.get("error").and_then(|error| error.get("hint"));
        hints.extend(hint.and_then(Value::as_str).map(str::to_owned));
    }
    (next, hints)
}

/// Judges what a command printed, on a copy of the ledger that it left.
#[track_caller]
pub fn judge(ws: &Workspace, ran: &Ran) {
    let (next, hints) = commands(ran);
    for command in &next {
        let line = words(ws, command);
        let verb = verb(&line);
        assert!(
            !NEVER.contains(&verb.as_str()),
            "`orch {}` says next: `{command}`, which only people give",
            ran.command
        );
    }
    for command in next.iter().chain(&hints).filter(|command| command.starts_with("orch ")) {
        let twin = ws.twin();
        let line = words(&twin, command);
        // A person answers; nothing is told to a program.
        let tried = twin.run_words(&line[1..], b"");
        assert_ne!(
            tried.exit, 2,
            "`orch {}` prints `{command}`, which is no command here\n{}",
            ran.command, tried.stderr
        );
    }
}

fn words(ws: &Workspace, command: &str) -> Vec<String> {
    let command = command.replace("[ROOT]", &ws.root().to_string_lossy());
    let mut line = shell::parse(&command).unwrap_or_else(|why| panic!("`{command}`: {why}"));
    assert_eq!(line.pipeline.len(), 1, "`{command}` is one command");
    line.pipeline.remove(0)
}

/// The verb, behind options of every command.
fn verb(words: &[String]) -> String {
    let mut rest = words.iter().skip(1);
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-C" | "--as" => drop(rest.next()),
            verb => return verb.to_owned(),
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(next: &str) {
        let ws = Workspace::new().task("T-1", "x");
        let mut ran = ws.run("list").ok();
        ran.stderr = format!("next: {next}\n");
        judge(&ws, &ran);
    }

    #[test]
    fn what_runs_is_right() {
        says("orch claim T-1 --as WORK@ada");
        says("orch -C [ROOT] show T-1");
    }

    #[test]
    #[should_panic(expected = "which only people give")]
    fn a_decision_is_noticed() {
        says("orch -C . approve A001");
    }

    #[test]
    #[should_panic(expected = "which is no command here")]
    fn a_command_with_a_hole_is_noticed() {
        says("orch submit --token 17");
    }
}
