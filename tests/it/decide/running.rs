//! Commands that run, hang, hide and meddle; and what they measure.

use super::repo::{Repo, TRUE};
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

/// Rules with one command of the shell, in YAML's single quotes.
fn shell(script: &str) -> String {
    format!("commands: [{{run: [sh, -c, '{}']}}]", script.replace('\'', "''"))
}

/// The same with a command of this very program, on the workspace.
fn orch(repo: &Repo, words: &str) -> String {
    let root = repo.ws.root().display();
    shell(&format!("{} -C {root} {words} >&2", env!("CARGO_BIN_EXE_orch")))
}

#[test]
fn a_failing_command_is_told_with_its_last_words() {
    let token = format!("{}_{}", "ghp", "a1B2c3D4e5F6g7H8i9J0a1B2c3D4e5F6g7H8");
    let script = format!("echo first; echo 'bad: '{token}; exit 3");
    let repo = Repo::new(&shell(&script));
    let id = repo.ask(&Repo::small());
    let decided = repo.decide();
    decided.is("leave").says("ended with 3; its last line: `bad: [REDACTED github-token]`");
    let commands = decided.condition("commands");
    assert_eq!(
        (&commands["holds"], &commands["measured"]),
        (&false.into(), &"0 of 1 succeeded".into())
    );
    assert_eq!(commands["output"], "first\nbad: [REDACTED github-token]\n");
    assert!(!decided.0.to_string().contains(&token));
    let table = repo.ws.run("decide --explain").ok();
    assert!(
        table.stdout.contains("A001, the end of what was written:\nfirst\n"),
        "{}",
        table.stdout
    );
    // Rejected where the settings say so; but never for what is no failure.
    repo.rules("commands: [{run: [./no-such-program]}]\non_failure: reject");
    repo.decide().is("leave").says("cannot be started");
    repo.rules(&format!("{}\non_failure: reject\nmax_lines: 1", shell("exit 1")));
    let denied = repo.decide();
    denied.is("leave").says("it changes 2 lines");
    assert!(denied.condition("commands")["holds"].is_null(), "a denied change runs nothing");
    repo.rules(&format!("{}\non_failure: reject", shell("echo no; exit 1")));
    repo.decide().is("reject").says("its last line: `no`");
    assert_eq!((repo.status(&id), repo.cell(&id, 5)), ("rejected".into(), "AUDIT@auto".into()));
}

#[test]
fn what_hangs_or_hides_is_ended() {
    let repo = Repo::new("commands: [{run: [sleep, '600'], timeout: 200ms}]");
    let _ = repo.ask(&Repo::small());
    repo.decide().is("leave").says("`sleep 600` took longer than 200ms");
    // Away from group and terminal, with the output held open.
    let pid = repo.ws.root().join("../pid");
    let hide = format!(
        "mkfifo p; setsid sh -c 'echo $$ >{}; echo >p; exec sleep 600' & read x <p; echo done",
        pid.display()
    );
    repo.rules(&shell(&hide));
    repo.decide().is("approve");
    let pid = fs::read_to_string(pid).unwrap();
    let mut looks = 0;
    loop {
        let state = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        if state.is_empty() || state.contains(") Z ") {
            break;
        }
        looks += 1;
        assert!(looks < 100_000, "it still runs: {state}");
        std::thread::yield_now();
    }
}

/// The real program, told to end while a command runs.
#[test]
fn who_is_interrupted_decides_nothing_and_leaves_nothing() {
    let repo = Repo::new(TRUE);
    let started = repo.ws.root().join("../started");
    repo.rules(&shell(&format!(": >{}; sleep 600", started.display())));
    let id = repo.ask(&Repo::small());
    let temp = repo.ws.sys(b"").env.temp_dir();
    // Whoever runs the tests in the background may have SIGINT ignored, and a
    // program that was started so leaves it ignored.
    let child = std::process::Command::new("env")
        .args(["--default-signal=INT", env!("CARGO_BIN_EXE_orch"), "decide"])
        .current_dir(repo.ws.root())
        .env("TMPDIR", &temp)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while !started.exists() {
        std::thread::yield_now();
    }
    let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ran = child.wait_with_output().unwrap();
    assert_eq!(ran.status.code(), Some(130));
    let told = String::from_utf8(ran.stderr).unwrap();
    assert!(told.contains("interrupted; nothing was decided"), "{told}");
    assert_eq!(repo.status(&id), "pending");
    repo.is_clean();
}

#[test]
fn commands_run_in_the_copy_and_with_no_input() {
    let script = "read x && exit 9; test \"$(git status --short)\" = \"M  src/a.txt\" || exit 8; \
                  test \"${PWD##*/}\" = copy || exit 7; test -w \"$TMPDIR\" || exit 6; \
                  env | grep -q ^GIT_ && exit 4; \
                  chmod 500 src; mkdir -p x/y; chmod 0 x/y x; git config user.name evil";
    let repo = Repo::new(&shell(script));
    let _ = repo.ask(&Repo::small());
    repo.decide().is("approve");
    assert!(!fs::read_to_string(repo.ws.root().join(".git/config")).unwrap().contains("evil"));
}

#[test]
fn who_writes_into_the_workspace_decides_nothing() {
    let repo = Repo::new(TRUE);
    let id = repo.ask(&Repo::small());
    for file in ["STATE/TASKS.md", "STATE/APPROVALS.md", "STATE/FLAGS.md", "orch.yaml"] {
        let path = repo.ws.root().join("ORCH").join(file);
        repo.rules(&shell(&format!("echo '# more' >>{}", path.display())));
        repo.decide().is("leave").says(&format!("`ORCH/{file}` was changed beside `orch`"));
    }
    assert_eq!(repo.status(&id), "pending");
}

#[test]
fn what_changes_meanwhile_is_left() {
    for (words, why) in [
        ("withdraw A001 --as WORK@ada", "changed while it was judged"),
        ("approve A001 --as CMD@eve", "changed while it was judged"),
        ("set T-1 'title=Another one' --as CMD@eve", "changed while it was judged"),
        ("flag FREEZE=on", "FREEZE is on now"),
        ("flag AUTO_DECIDE=shadow --as CMD@eve", "AUTO_DECIDE is shadow now"),
    ] {
        let repo = Repo::new(TRUE);
        repo.rules(&orch(&repo, words));
        let id = repo.ask(&Repo::small());
        repo.decide().is("leave").says(why);
        assert_ne!(repo.cell(&id, 5), "AUDIT@auto", "{words}");
    }
    // What others do beside it does no harm.
    let repo = Repo::new(TRUE);
    repo.rules(&orch(&repo, "note T-1 hello --as WORK@bob"));
    let _ = repo.ask(&Repo::small());
    repo.decide().is("approve");
}

#[test]
fn measurements_reach_their_floors() {
    let with = |script: &str, min: &str| {
        format!("{}\nmetrics: {{file: out/m.json, min: {{{min}}}}}", shell(script))
    };
    let write = |json: &str| format!("mkdir -p out; echo '{json}' >out/m.json");
    let good = write("{\"coverage\": 0.85, \"a\": {\"b\": 3}}");
    let repo = Repo::new(&with(&good, "coverage: 0.9"));
    let _ = repo.ask(&Repo::small());
    let left = repo.decide();
    left.is("leave").says("`coverage` is 0.85, and at least 0.9 is asked for");
    assert_eq!(left.condition("metrics")["limit"], "coverage ≥ 0.9");
    repo.rules(&with("true", "coverage: 0.8"));
    repo.decide().is("leave").says("`out/m.json` is not there");
    repo.rules(&with(&write("[]"), "coverage: 0.8"));
    repo.decide().is("leave").says("`out/m.json` has no number `coverage`");
    repo.rules(&with(&good, "coverage: 0.8, a.b: 3"));
    assert_eq!(
        repo.decide().is("approve").condition("metrics")["measured"],
        "a.b 3, coverage 0.85"
    );
    // What the change itself brings along was measured by nobody.
    repo.rules(&with("true", "coverage: 0.8"));
    let own = repo.diff(|repo| repo.write("out/m.json", "{\"coverage\": 1}\n"));
    let _ = repo.ask(&own);
    repo.decide().is("leave").says("`out/m.json` is not there");
}

/// A service that gives these answers, one after the other, and then hangs up.
fn service(answers: &'static [u16]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/health", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for status in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 1024];
            let _ = stream.read(&mut buffer);
            let _ = write!(stream, "HTTP/1.1 {status} x\r\n\r\n");
        }
    });
    url
}

#[test]
fn a_service_has_to_stay_healthy() {
    let with = |answers: &'static [u16], max_wait: &str| {
        let mut rules = TRUE.to_owned();
        let url = service(answers);
        let _ = write!(
            rules,
            "\ncanary: {{url: \"{url}\", success_required: 3, retry: 5s, max_wait: {max_wait}}}"
        );
        rules
    };
    let repo = Repo::new(&with(&[200, 503, 200, 200], "20s"));
    let _ = repo.ask(&Repo::small());
    let left = repo.decide();
    left.is("leave").says("was not healthy for long enough");
    assert_eq!(left.condition("canary")["limit"], "3 good answers in a row within 20s");
    repo.rules(&with(&[503, 200, 200, 204], "20s"));
    let good = repo.decide();
    assert_eq!(good.is("approve").condition("canary")["measured"], "3 in a row, 4 asked");
    // Where a command failed nobody is asked.
    repo.rules(&with(&[], "20s").replace("'true'", "'false'"));
    let _ = repo.ask(&Repo::small());
    assert!(repo.decide().is("leave").condition("canary")["holds"].is_null());
}
