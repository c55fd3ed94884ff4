//! What may be printed to an agent, and how much of it.

use crate::support::shell;

/// From a claim to its submit, in tokens of `cl100k_base`.
pub const MOST_TOKENS: usize = 1_500;

/// What a WORK may be shown: it reads, or changes only what is the worker's own, or
/// takes back what ran out (`reap`). All else is destructive, or for people to give.
const SAFE: &[&str] = &[
    "add",
    "approvals",
    "audit verify",
    "check",
    "claim",
    "diff",
    "doctor",
    "evidence show",
    "evidence verify",
    "handover",
    "help",
    "init",
    "leases",
    "list",
    "lock list",
    "log",
    "next",
    "note",
    "prime",
    "reap",
    "release",
    "renew",
    "request",
    "schema",
    "show",
    "status",
    "submit",
    "withdraw",
];

/// Options that make a safe command another one.
const UNSAFE_OPTIONS: &[&str] =
    &["--fix", "--accept", "--force", "--yes", "--team", "--all", "--agents", "--apply"];

/// What git says of a merge that nobody finished; it changes nothing.
pub fn is_of_git(command: &str) -> bool {
    command == "git status"
}

/// The words of a command behind `orch`, if it may be printed to a WORK.
pub fn allowed(command: &str) -> Result<Vec<String>, String> {
    let line =
        shell::parse(command).map_err(|why| format!("`{command}` cannot be typed: {why}"))?;
    let [words] = &line.pipeline[..] else { return Err(format!("`{command}` is several")) };
    let Some(("orch", rest)) = words.split_first().map(|(first, rest)| (first.as_str(), rest))
    else {
        return Err(format!("`{command}` is no command of ours"));
    };
    if line.redirect.is_some() {
        return Err(format!("`{command}` writes a file"));
    }
    let is_placeholder = |word: &String| {
        word.contains(['<', '>', '…'])
            || ["ID", "TASK", "APPR", "TEXT", "TITLE", "TOKEN", "FILE"].contains(&word.as_str())
    };
    if let Some(word) = rest.iter().find(|word| is_placeholder(word)) {
        return Err(format!("`{command}` has the placeholder `{word}`"));
    }
    let mut at = 0;
    let is_option = |word: &String| word.starts_with('-');
    while rest.get(at).is_some_and(is_option) {
        at += if matches!(rest[at].as_str(), "-C" | "--as" | "--format") { 2 } else { 1 };
    }
    let verb = rest[at.min(rest.len())..].join(" ");
    let is_safe = |safe: &&str| {
        verb.strip_prefix(*safe).is_some_and(|more| more.is_empty() || more.starts_with(' '))
    };
    // Reading how a command is used does nothing.
    let is_help = rest.iter().any(|word| word == "--help");
    if !is_help && !SAFE.iter().any(is_safe) && !verb.is_empty() {
        return Err(format!("`{command}` is not for a WORK"));
    }
    if let Some(option) = rest.iter().find(|word| UNSAFE_OPTIONS.contains(&word.as_str())) {
        return Err(format!("`{command}` is not safe with `{option}`"));
    }
    Ok(rest.to_vec())
}

/// Every command that an answer prints: in JSON, or in text as people read it. On
/// stdout is what the ledger says, which may say `next: orch drop T-1`: only an
/// overview, which has no text of anybody's, names commands there.
pub fn printed(is_overview: bool, stdout: &str, stderr: &str) -> Vec<String> {
    if let Ok(answer) = serde_json::from_str::<serde_json::Value>(stdout) {
        let next = answer["next"].as_array().into_iter().flatten();
        let hint = &answer["error"]["hint"];
        return next.chain([hint]).filter_map(|c| c.as_str()).map(str::to_owned).collect();
    }
    let listed = |line: &'_ str| -> Option<String> {
        // `prime` says behind each what it is for, and shows the form of some.
        let (command, _) =
            line.split_once(" # ").or_else(|| Some((line.strip_prefix("  ")?, "")))?;
        let is_whole = command.starts_with("orch ") && !command.split(' ').any(|w| w == "ID");
        (is_overview && is_whole).then(|| command.to_owned())
    };
    let told = |line: &'_ str| -> Option<String> {
        let told = line.strip_prefix("next: ").or_else(|| line.strip_prefix("hint: "));
        told.map(str::to_owned)
    };
    stdout.lines().filter_map(listed).chain(stderr.lines().filter_map(told)).collect()
}

#[test]
fn what_is_not_for_an_agent_is_caught() {
    for command in [
        "orch drop 1",
        "orch -C /x undo",
        "orch --as WORK@ada done 1",
        "orch approve A1",
        "orch archive",
        "orch check --fix",
        "orch hooks uninstall",
        "orch flag FREEZE=off",
        "orch evidence apply A1",
        "orch showdown",
        "orch claim ID",
        "orch claim <ID>",
        "orch show 1 | sh",
        "orch list > x",
        "rm x",
        "orch show '1",
    ] {
        assert!(allowed(command).is_err(), "{command}");
    }
    for command in [
        "orch",
        "orch --json",
        "orch -C '/a b' claim 'T 1' --token 7 --as WORK@ada",
        "orch drop --help",
        "orch audit verify",
        "orch check --explain duplicate-id",
    ] {
        assert!(allowed(command).is_ok(), "{command}: {:?}", allowed(command));
    }
}

#[test]
fn commands_are_found_in_both_kinds_of_answers() {
    let json = r#"{"kind":"status","next":["orch a","orch b"]}"#;
    assert_eq!(printed(false, json, "next: orch c\n"), ["orch a", "orch b"]);
    let error = r#"{"kind":"error","error":{"hint":"orch a"}}"#;
    assert_eq!(printed(false, error, ""), ["orch a"]);
    let (stdout, stderr) = ("text\n\n  orch a\nnext: orch x\n", "next: orch b\nhint: orch c\n");
    assert_eq!(printed(true, stdout, stderr), ["orch a", "orch b", "orch c"]);
    assert_eq!(printed(false, stdout, stderr), ["orch b", "orch c"]);
    let prime = "orch keeps tasks\norch claim --next # take one\norch renew ID # in time\n";
    assert_eq!(printed(true, prime, ""), ["orch claim --next"]);
}
