//! Secrets stay where people put them (T43): thirty of ten kinds, in cells,
//! notes, settings, the environment, other programs' arguments, keys.
//!
//! What somebody writes into a title or a note is in the ledger from then on,
//! and in the journal, which has to take it back and forth; what lists show is
//! the ledger. None of that is a leak. It is one where a text turns up that
//! nobody asked for: in an error or a warning that is about something else, in
//! the audit file of the day, in a lock's file, in the last words of a process
//! that dies; and anywhere at all, where it was in the environment or in the
//! arguments of a program that is none of ours.

use std::fs;
use std::process::Command;

use super::support::ground::{Ground, HEAD, Ran, row};
use super::support::{Cases, Dice, cut, has, say};

/// A secret and where to look for it: the part that nothing else spells.
#[derive(Clone)]
struct Secret {
    text: String,
    core: String,
}

/// Ten kinds, three of each. Made of chance: none ever opened anything.
fn seeded(dice: &mut Dice) -> Vec<Secret> {
    const KINDS: [(&str, &str, usize); 10] = [
        ("AKIA", "", 16),
        ("ghp_", "", 36),
        ("glpat-", "", 20),
        ("xoxb-1234-", "", 24),
        ("sk_live_", "", 24),
        ("npm_", "", 36),
        ("eyJhbGciOiJIUzI1NiJ9.eyJz", ".abc", 43),
        ("https://ada:", "@db.example.org/x", 20),
        ("password=", "", 18),
        ("Bearer ", "", 32),
    ];
    const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789abcdefghijkmnpqrstuvwxyz";
    KINDS
        .iter()
        .flat_map(|kind| [kind; 3])
        .map(|(before, after, n)| {
            let upper = if *before == "AKIA" { 32 } else { LETTERS.len() };
            // With numbers in it, as passwords have to be: letters alone are a word.
            let mut pick = |n: usize| match n % 7 {
                3 => b"2345"[n % 4],
                _ => *dice.pick(&LETTERS[..upper]),
            };
            let core: String = (0..*n).map(|n| char::from(pick(n))).collect();
            Secret { text: format!("{before}{core}{after}"), core }
        })
        .collect()
}

/// None of them stands in the text.
#[track_caller]
fn none_in(secrets: &[Secret], text: &str, at: &str) {
    for secret in secrets {
        if let Some(place) = text.find(&secret.core) {
            let from = text[..place].char_indices().rev().nth(120).map_or(0, |(at, _)| at);
            panic!("{at}: `{}` leaks: …{}", secret.text, cut(&text[from..], 400));
        }
    }
}

/// What is said beside the data, with an error that `--json` puts in its place.
fn aside(ran: &Ran) -> String {
    let is_error = ran.out.contains("\"kind\":\"error\"");
    format!("{}{}", ran.err, if is_error { &ran.out } else { "" })
}

fn all_files(ground: &Ground, but: &[&str]) -> String {
    let mut command = Command::new("grep");
    command.args(["-r", "-a", "", "ORCH"]).current_dir(ground.root());
    let text = String::from_utf8_lossy(&command.output().unwrap().stdout).into_owned();
    text.lines().filter(|line| !but.iter().any(|but| line.starts_with(but))).collect()
}

fn audit_lines(ground: &Ground) -> String {
    let files = ground.files();
    let audit = files.iter().filter(|(name, _)| name.contains("/APPROVALS-"));
    audit.map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned()).collect()
}

/// Commands of every kind, of which many are refused.
const LINES: [&str; 34] = [
    "list --json",
    "status",
    "claim H-1 --as WORK@bob",
    "claim H-1 --as WORK@ada --json",
    "submit H-1 --as WORK@bob",
    "submit H-1 --as WORK@ada --token 7",
    "renew H-1 --as WORK@bob",
    "release H-1 --as WORK@bob",
    "done R-1 --as CMD@ada",
    "done R-1 --as WORK@eve",
    "done T-1 --as CMD@eve",
    "done R-1 --as CMD",
    "ready T-1 --as CMD@eve",
    "move T-1 NOWHERE --as CMD@eve",
    "show NONE",
    "set T-1 task_id=x --as CMD@eve",
    "set T-1 nothing=x --as CMD@eve",
    "set D-1 due=x --as CMD@eve",
    "note D-1 x --as CMD@eve",
    "undo --as WORK@eve",
    "undo 0000 --as CMD@eve",
    "reopen T-1 --note n --as CMD@eve",
    "archive --as WORK@bob",
    "claim --next --as AUDIT@eve",
    "next --json",
    "check",
    "check --json",
    "doctor",
    "log NONE",
    "audit verify",
    "lock acquire ../x --as WORK@ada",
    "approve NONE --as CMD@eve",
    "config --json",
    "approvals",
];

/// A ledger whose every cell of text holds a secret.
fn ledger_of(secrets: &[Secret]) -> Ground {
    let text = |n: usize| secrets[n % secrets.len()].text.replace('|', "");
    let row = |(n, id): (usize, &&str)| {
        let owner = if *id == "X-1" { text(4 * n + 1) } else { "-".into() };
        let (title, artifact) = (text(4 * n), text(4 * n + 2));
        let notes = format!("note {} {}", text(4 * n + 3), text(4 * n + 24));
        format!("| {id} | {title} | READY | {owner} | - | - | - | - | {artifact} | {notes} |\n")
    };
    let ids = ["T-1", "H-1", "R-1", "D-1", "D-1", "X-1"];
    let rows = ids.iter().enumerate().map(row).collect::<Vec<_>>().concat();
    let ground = Ground::with(format!("{HEAD}{rows}"));
    for line in ["claim H-1 --as WORK@ada", "claim R-1 --as WORK@ada", "submit R-1 --as WORK@ada"] {
        ground.run(line).ok();
    }
    ground
}

#[test]
fn t43_what_is_in_cells_is_in_no_error_and_no_audit_line() {
    let (mut dice, mut cases) = (Dice::new("T43"), Cases::new("T43 cells"));
    let secrets = seeded(&mut dice);
    let ground = ledger_of(&secrets);
    let mut refused = 0;
    for line in LINES {
        cases.judge(|| {
            let ran = ground.run(line);
            ran.ended_by_itself(line);
            refused += usize::from(ran.exit != 0);
            none_in(&secrets, &aside(&ran), &format!("`{line}`"));
        });
    }
    // What somebody says of a decision is meant for the audit file; a secret in
    // it is not.
    let note = format!("as agreed, {} and {}", secrets[3].text, secrets[24].text);
    cases.judge(|| {
        ground.orch(&["done", "R-1", "--as", "CMD@eve", "--note", &note]).ok();
        let audit = audit_lines(&ground);
        assert!(audit.contains("id=R-1") && audit.contains("as agreed"), "{audit}");
        none_in(&secrets, &audit, "the audit file");
    });
    // The row that a person spoilt, quoted where it stands: with its line.
    for spoilt in ["| T-1 |", "| task_id | title |", "\u{0}"] {
        cases.judge(|| {
            let copy = ground.copy();
            fs::write(copy.tasks(), copy.text().replacen("| T-1 |", &format!("{spoilt} | "), 1))
                .unwrap();
            for line in ["list", "note T-1 n --as WORK@ada", "doctor", "audit verify"] {
                // What was edited by hand is told with its cells: that is the point.
                let told = aside(&copy.run(line));
                let told: String = told.lines().filter(|line| !line.contains(" → ")).collect();
                none_in(&secrets, &told, &format!("{spoilt:?}: `{line}`"));
            }
        });
    }
    say("T43", format_args!("{} secrets in cells, {refused} refusals", secrets.len()));
    assert!(refused > 15);
    cases.finish();
}

/// Variables that hold secrets everywhere.
const NAMES: [&str; 12] = [
    "GITHUB_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "DATABASE_URL",
    "API_KEY",
    "PASSWORD",
    "ORCH_SECRET",
    "https_proxy",
    "PS1",
    "EDITOR",
    "GIT_ASKPASS",
    "SSH_AUTH_SOCK",
    "WEBHOOK_SECRET",
];

#[test]
fn t43_what_is_in_the_environment_or_another_programs_arguments_is_nowhere() {
    let (mut dice, mut cases) = (Dice::new("T43"), Cases::new("T43 environment"));
    let secrets = seeded(&mut dice);
    let ground = Ground::with(format!(
        "{HEAD}{}",
        ["T-1", "H-1", "R-1"].map(|id| row(id, "Title", "READY")).concat()
    ));
    ground.run("claim H-1 --as WORK@ada").ok();
    let mut judge = |words: &[&str]| {
        cases.judge(|| {
            let mut command = ground.command(words);
            for (name, secret) in NAMES.iter().zip(secrets.iter().step_by(2)) {
                command.env(name, &secret.text);
            }
            let ran = Ran::from(command.env("RUST_BACKTRACE", "full").output().unwrap());
            none_in(&secrets, &format!("{}{}", ran.out, ran.err), &words.join(" "));
        });
    };
    for line in LINES {
        judge(&line.split(' ').collect::<Vec<_>>());
    }
    for (n, secret) in secrets.iter().enumerate() {
        let program = ["true", "false", "/no/such/program"][n % 3];
        let name = format!("deploy{n}");
        judge(&["lock", "run", &name, "--as", "WORK@ada", "--", program, "--token", &secret.text]);
    }
    cases.judge(|| none_in(&secrets, &all_files(&ground, &[]), "files of the ledger"));
    cases.finish();
}

/// Settings that are right and wrong in many ways; `S` is the
/// secret where its surroundings say that it is one, `WHOLE` one that says so itself.
const SETTINGS: [&str; 12] = [
    "notify: [{webhook: \"WHOLE\"}]\n",
    "watch:\n  notify: [{webhook: \"https://ada:S@h.example.org/hook\"}]\n",
    "watch:\n  notify: [{webhook: \"ftp://ada:S@h.example.org/hook\"}]\n",
    "watch:\n  notify: \"https://ada:S@h.example.org/hook\"\n",
    "watch:\n  notify: [{webhook: [\"WHOLE\"]}]\n",
    "watch:\n  notify: [{command: [curl, -H, \"WHOLE\"], colour: 1}]\n",
    "watch:\n  runners: [{name: a, run: [x], env: {TOKEN: \"S\"}, bogus: 1}]\n",
    "watch:\n  runners: [{name: a, run: [x], env: \"TOKEN=S\"}]\n",
    "watch:\n  runners: [{name: a, run: [x], env: {TOKEN: [\"WHOLE\"]}}]\n",
    "watch:\n  runners: [{name: a, run: [x, --token, \"WHOLE\"], timeout: never}]\n",
    "auto_decide:\n  canary: {url: \"http://ada:S@127.0.0.1/health\", retry: soon}\n",
    "auto_decide:\n  commands: [{run: [deploy, --key, \"WHOLE\"], timeout: 0x}]\n",
];

#[test]
fn t43_what_is_in_settings_is_in_no_error_about_them() {
    let (mut dice, mut cases) = (Dice::new("T43"), Cases::new("T43 settings"));
    let secrets = seeded(&mut dice);
    for (n, settings) in SETTINGS.iter().enumerate() {
        let secret = &secrets[(2 * n) % secrets.len()];
        let ground = Ground::of_rows(3, "READY");
        let settings = settings.replace("WHOLE", &secret.text).replace('S', &secret.core);
        ground.settings(&settings);
        for line in ["list", "note T-0001 x --as WORK@ada", "doctor", "config", "config --json"] {
            cases.judge(|| {
                let ran = ground.run(line);
                let at = format!("`{line}` with {settings:?}: exit {}", ran.exit);
                none_in(&secrets, &aside(&ran), &at);
                // What people paste into reports.
                if line.starts_with("doctor") || line.starts_with("config") {
                    none_in(&secrets, &ran.out, &at);
                }
            });
        }
        cases.judge(|| {
            let files = all_files(&ground, &["ORCH/orch.yaml:", "ORCH/STATE/LOCKS/base/"]);
            none_in(&secrets, &files, &format!("files, with {settings:?}"));
        });
    }
    cases.finish();
}

#[test]
fn t43_a_key_and_a_dying_process_tell_nothing() {
    let (mut dice, mut cases) = (Dice::new("T43"), Cases::new("T43 keys"));
    let secrets = seeded(&mut dice);
    let ground = ledger_of(&secrets);
    // The key is the caller's own: it is journalled, so that it is known again,
    // and an error about it may quote it. Nothing else does.
    for secret in &secrets[..6] {
        ground.orch(&["note", "T-1", "x", "--as", "WORK@ada", "--op-id", &secret.text]).ok();
    }
    cases.judge(|| {
        let key = &secrets[0].text;
        let other = ground.orch(&["note", "H-1", "y", "--as", "WORK@ada", "--op-id", key]).exits(2);
        none_in(&secrets[1..], &aside(&other), "another command under a key");
    });
    cases.judge(|| {
        for line in ["log", "log --json", "status", "list"] {
            none_in(&secrets, &ground.run(line).err, line);
        }
        let files =
            all_files(&ground, &["ORCH/STATE/TASKS.md", "ORCH/LOGS", "ORCH/STATE/LOCKS/base"]);
        none_in(&secrets, &files, "locks and what lies beside them");
    });
    // Out of memory, out of files, a full pipe, a closed one.
    for tool in [
        &["--as=12000000"][..],
        &["--as=40000000"],
        &["--nofile=4"],
        &["--fsize=10"],
        &["--stack=65536"],
    ] {
        if !has("T43", "prlimit", &[tool, &["true"]].concat()) {
            continue;
        }
        for line in ["list", "note T-1 z --as WORK@ada", "show T-1"] {
            cases.judge(|| {
                let ran = ground.under(&[&["prlimit"], tool].concat(), line);
                none_in(&secrets, &ran.err, &format!("`{line}` under {tool:?}"));
            });
        }
    }
    cases.finish();
}
