//! Names that want to lead elsewhere: as arguments, in the environment, typed
//! into the ledgers (T30).
//!
//! Whatever a name is, what is around the ledger's folder stays as it is, files
//! in it have plain names, and every command ends by itself with a number that
//! the contract has.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt as _;

use super::support::ground::{HEAD, row};
use super::support::yard::Yard;
use super::support::{Cases, cut, say, scale};

const APPROVALS: &str = "\
| appr_id | task_id | op | status | requested_by | approver | approver_role | ts_req | ts_dec | evidence |
|---|---|---|---|---|---|---|---|---|---|
";

/// Names without blanks and odd characters; `@` stands for the folder around.
const NAMES: &str = r"
    ../x ../file ../../x ../../../../canary/file ../../../../canary/new/deep @/canary/file
    @/canary/full @/canary/empty/new @/a/b/c/work/file / // . .. ... ./x ./../file a/../../file a/b
    ORCH/../../file ORCH/STATE/TASKS.md ORCH/STATE/../../../file patches/../../../file file://@/file
    file:///etc/passwd //host/share %2e%2e %2e%2e%2ffile ..%2ffile %2E%2E%5Cx %00 ..%00/x ..\file
    ..\..\x C:\canary C:/canary c:x \\host\s \\?\C:\x ~ ~/x ~root $HOME/x $(touch${IFS}../P) - --
    -rf --dry-run -C --as=CMD@eve = =x x=y : x:y CON NUL aux.txt COM1 x. TASKS.md ledger ledger.lock
    names base checkpoint quarantine .gitignore .TASKS.md.orch-redo .TASKS.md.orch-0123456789abcdef
    TASKS.md.orch-conflict-x * ** **/* ? [ [a] { {a,b} {} {:04} %s%n | \| a|b <br> <!-- ``` --- é
    ＷＯＲＫ 任務 🦀 WORK@../x WORK@a/b AUDIT@auto CMD@ @eve 1e999 -1 18446744073709551616 0x41
    2026-13-99 null true
";

/// What is odd in its characters.
const ODD: &[&str] = &[
    "",
    " ",
    "x ",
    " x",
    "`touch ../P`",
    "; touch ../P",
    "| touch ../P",
    "&& touch ../P",
    "### x",
    "\t",
    "x\ty",
    "x\ny",
    "\n",
    "x\r\ny",
    "\r",
    "\u{1b}[31m",
    "\u{1b}]52;c;eA==\u{7}",
    "\u{7f}",
    "\u{9b}31m",
    "\u{202e}x",
    "\u{2066}x",
    "\u{200b}",
    "x\u{200d}y",
    "\u{feff}",
    "\u{2028}",
    "\u{85}",
    "e\u{301}",
    "\u{fffd}",
    "\u{e0041}",
    "\u{10ffff}",
];

/// What is long.
const LONG: [(&str, usize); 9] = [
    ("x", 65),
    ("x", 200),
    ("x", 255),
    ("x", 256),
    ("x", 5_000),
    ("../", 1_000),
    ("x/", 2_000),
    ("%", 90),
    ("é", 130),
];

fn hostile(top: &str) -> Vec<OsString> {
    let around = |name: &str| name.replace("@/", &format!("{top}/")).into();
    let long = LONG.iter().map(|(piece, times)| piece.repeat(*times).into());
    let no_text = [&b"\xff"[..], b"../\xe9", b"\xc0\xaf..", b"x\xed\xa0\x80"];
    let no_text = no_text.iter().map(|bytes| OsString::from_vec(bytes.to_vec()));
    let odd = ODD.iter().map(OsString::from);
    NAMES.split_whitespace().map(around).chain(odd).chain(long).chain(no_text).collect()
}

/// Where a string is given, each ended by a slash: words, of which `X` stands for it;
/// the name of a variable first where it is given by that.
const DOORS: &str = "
    add --id=X Title / add -- X / add T --artifact=X / add T --owner=X / add T --depends=X /
    add T --due=X / add T --note=X / add T --detail=X / show -- X / show X / log -- X /
    log --blame -- X / log --limit=X / undo -- X / redo --op-id=X / claim -- X / claim T-1 --ttl=X /
    renew -- X / submit H-1 --artifact=X / release -- X / set T-1 artifact=X / set T-1 X=y /
    set T-1 title=X / set T-1 detail=X / set T-1 owner=X / set -- X title=y / note -- T-1 X /
    note -- X n / note T-1 n --op-id=X / note T-1 n --note=X / note T-1 n --as=X / done -- X /
    move -- T-1 X / reopen --note=n -- X / archive --before=X / lock acquire -- X /
    lock acquire deploy X / lock release -- X / lock renew -- X / lock run X -- true /
    audit verify --since=X / man -- X / schema -- X / completions -- X / list --search=X /
    list --fields=X / list --owner=X / -C X list / ORCH_ROOT list / ORCH_ACTOR note T-1 n /
    ORCH_TASK_ID note T-1 n / HOME note T-1 n / request -- X --op=deploy / request T-1 --op=X /
    request T-1 --op=o --evidence=X / request T-1 --op=o --patch=X / request T-1 --op=o --diff=X /
    approve -- X / approve A-1 --sha=X / evidence show -- X / check --explain=X / check -- X /
    reject -- X / withdraw -- X / approvals -- X / approvals --status=X / approvals --task=X /
    evidence verify -- X / evidence apply -- X / flag FREEZE=X / flag X=on / flag -- X /
    request T-1 --op=o --note=X / check --accept X --as CMD@eve / decide --op-id=X
";

const VARIABLES: [&str; 4] = ["ORCH_ROOT", "ORCH_ACTOR", "ORCH_TASK_ID", "HOME"];

fn doors() -> Vec<&'static str> {
    DOORS.split(" /").map(str::trim).collect()
}

/// A workspace with a task that is held, one that is ready and an approval.
pub fn yard() -> Yard {
    let rows =
        [row("T-1", "One", "READY"), row("H-1", "Held", "READY"), row("R-1", "Done", "READY")];
    let mut yard = Yard::with(&format!("{HEAD}{}", rows.concat()));
    let pending =
        "| A-1 | T-1 | deploy | pending | WORK@bob | - | - | 2026-01-01T00:00:00Z | - | - |\n";
    fs::write(yard.ground.state().join("APPROVALS.md"), format!("{APPROVALS}{pending}")).unwrap();
    yard.ground.settings("actor: WORK@ada\nlock_wait: 2m\n");
    for line in ["claim H-1", "claim R-1", "submit R-1"] {
        yard.ground.run(line).ok();
    }
    yard.settle();
    yard
}

/// Names of files that come of ids are plain, and no folder is new but those of
/// the contract.
#[track_caller]
pub fn plain_names(yard: &Yard, at: &str) {
    for path in yard.names() {
        let name = path.to_str().unwrap_or_else(|| panic!("{at}: {}", path.display()));
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-%/".contains(c);
        assert!(name.chars().all(plain), "{at}: made `{name}`");
        assert!(name.split('/').all(|part| part.len() <= 255), "{at}: made `{name}`");
        if yard.orch().join(&path).is_dir() {
            let known = [
                "STATE",
                "STATE/LOCKS",
                "STATE/LOCKS/names",
                "STATE/LOCKS/base",
                "STATE/LOCKS/quarantine",
                "STATE/archive",
                "LOGS",
                "patches",
            ];
            let month = name
                .rsplit_once('/')
                .is_some_and(|(dir, month)| ["LOGS", "patches"].contains(&dir) && month.len() == 7);
            assert!(known.contains(&name) || month, "{at}: made the folder `{name}`");
        }
    }
}

fn through(yard: &Yard, door: &str, x: &OsStr) {
    let mut words: Vec<&str> = door.split(' ').collect();
    let at = format!("`{door}` with {}", cut(&x.to_string_lossy().escape_debug().to_string(), 80));
    let named = VARIABLES.into_iter().find(|name| *name == words[0]);
    let mut env = Vec::new();
    if let Some(name) = named {
        words.remove(0);
        env.extend([(name, x), ("ORCH_LEASE_TOKEN", OsStr::new("7"))]);
    }
    let words: Vec<OsString> = words
        .iter()
        .map(|word| match word.split_once('X') {
            Some((before, after))
                if before.is_empty() || before.ends_with(['=', ' ']) || *word == "X" =>
            {
                let mut all = OsString::from(before);
                all.push(x);
                all.push(after);
                all
            }
            _ => OsString::from(word),
        })
        .collect();
    let ran = yard.run(&words, &env, &at);
    yard.untouched(&at);
    let raw = |text: &str| text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t'));
    assert!(!raw(&ran.err), "{at}: raw control characters: {:?}", ran.err);
}

#[test]
fn t30_hostile_arguments_stay_in_the_ledgers_folder() {
    let mut cases = Cases::new("T30");
    let probe = yard();
    let top = probe.top();
    let strings = hostile(top.to_str().unwrap());
    // Every string and every door at the smallest size, all pairs at 20 times.
    let step = (20 / scale()).max(1);
    let mut met = 0;
    for (n, x) in strings.iter().enumerate() {
        for (m, door) in doors().into_iter().enumerate() {
            // 7 has no divisor in common with the steps up to 20: each string
            // meets others of the doors than its neighbours do.
            if (7 * n + m) % step == 0 && !x.as_encoded_bytes().contains(&0) {
                met += 1;
                cases.judge(|| through(&probe, door, x));
            }
        }
    }
    cases.judge(|| plain_names(&probe, "after all of them"));
    cases.judge(|| {
        probe.line("audit verify", "after all of them").ok();
        probe.line("doctor", "after all of them").ok();
    });
    say("T30", format_args!("{} strings by {} doors: {met} met", strings.len(), doors().len()));
    assert!(met >= 200);
    cases.finish();
}

/// What is typed into the ledgers by hand: the string in every cell that a
/// person writes, and in every cell that `orch` would have written.
fn typed(x: &str) -> (String, String) {
    let cell = x.replace('|', "\\|");
    let held = format!(
        "WORK@ada@2026-01-01T00:00:00Z | WORK@ada | 2099-01-01T00:00:00Z | - | {cell} | {cell} |"
    );
    let tasks = format!(
        "{HEAD}{}| {cell} | {cell} | READY | - | - | - | - | - | {cell} | {cell} depends={cell} |\n\
         | D-1 | {cell} | DOING | {cell} | {held}\n\
         | D-2 | Held by it | DOING | - | {cell} | {cell} | {cell} | {cell} | - | - |\n\
         | R-1 | Reviewed | REVIEW | {cell} | - | - | - | - | {cell} | - |\n\
         | D-9 | Dropped | DROP | - | - | - | - | {cell} | - | {cell} |\n",
        row("T-1", "One", "READY"),
    );
    let approval = |id: &str, task: &str, evidence: &str| {
        format!(
            "| {id} | {task} | {cell} | pending | {cell} | - | - | 2026-01-01T00:00:00Z | - | {evidence} |\n"
        )
    };
    let approvals = format!(
        "{APPROVALS}{}{}{}",
        approval("A-1", "T-1", &cell),
        approval(&cell, "R-1", "-"),
        approval("A-3", &cell, &format!("ORCH/patches/{cell}")),
    );
    (tasks, approvals)
}

const AFTERWARDS: &str = "
    list / show -- X / claim -- X --as WORK@ada / note T-1 n --as WORK@ada /
    renew D-1 --as WORK@ada / submit D-1 --as WORK@ada / claim D-2 --as WORK@bob /
    reap --as CMD@eve / status / leases / log -- X / done R-1 --as CMD@eve / drop D-1 --as CMD@eve /
    archive --as CMD@eve / reopen D-9 --note n --as CMD@eve / undo --as CMD@eve / check /
    audit verify / approve A-1 --as CMD@eve / evidence show A-1 / evidence verify A-1 / doctor
";

#[test]
fn t30_hostile_cells_stay_in_the_ledgers_folder() {
    let mut cases = Cases::new("T30 by hand");
    let strings = hostile("/tmp");
    let step = (8 / scale()).max(1);
    let mut met = 0;
    for (n, x) in strings.iter().enumerate() {
        let Some(x) = x.to_str().filter(|x| !x.contains(['\n', '\0'])) else { continue };
        let mut yard = Yard::with(HEAD);
        let x = x.replace("/tmp/canary", &format!("{}/canary", yard.top().display()));
        let (tasks, approvals) = typed(&x);
        fs::write(yard.ground.tasks(), tasks).unwrap();
        fs::write(yard.ground.state().join("APPROVALS.md"), approvals).unwrap();
        yard.settle();
        for (m, line) in AFTERWARDS.split(" /").map(str::trim).enumerate() {
            if (3 * n + m) % step != 0 {
                continue;
            }
            met += 1;
            cases.judge(|| {
                let words: Vec<&str> =
                    line.split(' ').map(|word| if word == "X" { &x } else { word }).collect();
                let at = format!("`{line}` with {} in the cells", cut(&format!("{x:?}"), 80));
                let ran = yard.run(&words, &[], &at);
                yard.untouched(&at);
                plain_names(&yard, &at);
                let raw = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
                assert!(!ran.err.chars().any(raw), "{at}: raw control characters: {:?}", ran.err);
                // Not for a terminal only: the table is for people wherever it goes.
                assert!(!ran.out.chars().any(raw), "{at}: raw control characters: {:?}", ran.out);
            });
        }
    }
    say("T30", format_args!("{met} commands over ledgers with such cells"));
    cases.finish();
}
