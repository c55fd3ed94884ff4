//! Changes that want to lead elsewhere (T30): diffs whose paths, links and modes
//! reach out of the work tree, into `.git` or into the ledger, through `request
//! --patch`, `evidence apply` and what `decide` tries out.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::support::ground::{HEAD, row};
use super::support::yard::Yard;
use super::support::{Cases, has, say, scale};

const APPROVALS: &str = "\
| appr_id | task_id | op | status | requested_by | approver | approver_role | ts_req | ts_dec | evidence |
|---|---|---|---|---|---|---|---|---|---|
| A-1 | T-1 | merge | pending | WORK@ada | - | - | 2026-01-01T00:00:00Z | - | ORCH/patches/2026-01/x.diff.md |
";

/// A new file at a path, as git writes it; `MARK` is what must turn up nowhere.
fn new_file(path: &str, mode: &str) -> String {
    format!(
        "diff --git a/{path} b/{path}\nnew file mode {mode}\nindex 0000000..1111111\n\
         --- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+MARK\n"
    )
}

fn changed(path: &str) -> String {
    format!("diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-one\n+MARK\n")
}

fn link(path: &str, to: &str) -> String {
    new_file(path, "120000").replace("+MARK\n", &format!("+{to}\n\\ No newline at end of file\n"))
}

fn hostile(top: &str) -> Vec<(String, String)> {
    let places = [
        "../x",
        "../../../canary/new",
        "../../../canary/file",
        "src/../../x",
        "./../x",
        "/etc/x",
        &format!("{top}/canary/new"),
        &format!("/{top}/canary/new"),
        "away/new",
        "away/file",
        "away/full/new",
        "loop/new",
        "near/../../x",
        ".git/hooks/post-checkout",
        ".git/hooks/post-index-change",
        ".git/config",
        ".GIT/hooks/post-checkout",
        ".git/info/attributes",
        "git~1/hooks/x",
        ".git\u{200c}/x",
        ".git./config",
        "src/.git/config",
        "src/.git",
        ".git",
        ".gitmodules/../../x",
        "..",
        ".",
        "",
        "ORCH/STATE/TASKS.md",
        "ORCH/STATE/APPROVALS.md",
        "ORCH/orch.yaml",
        "orch/orch.yaml",
        "ORCH/STATE/new.md",
        "ORCH/LOGS/2026-01/journal.jsonl",
        "src\\..\\..\\x",
        "C:\\x",
        "C:/x",
        "\\\\host\\x",
        "src/\u{202e}x",
    ];
    let mut all: Vec<(String, String)> = Vec::new();
    for place in places {
        all.push((format!("new {place}"), new_file(place, "100755")));
        all.push((format!("changed {place}"), changed(place)));
        all.push((format!("a link at {place}"), link(place, "../../canary/empty")));
        all.push((
            format!("moved to {place}"),
            format!("diff --git a/src/a b/{place}\nsimilarity index 100%\nrename from src/a\nrename to {place}\n"),
        ));
        all.push((
            format!("copied to {place}"),
            format!("diff --git a/src/a b/{place}\nsimilarity index 100%\ncopy from src/a\ncopy to {place}\n"),
        ));
        all.push((
            format!("{place} deleted"),
            format!("diff --git a/{place} b/{place}\ndeleted file mode 100644\n--- a/{place}\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n"),
        ));
        all.push((
            format!("{place} as diff -u has it"),
            format!("--- src/a\t2026-01-01 00:00:00\n+++ {place}\t2026-01-01 00:00:00\n@@ -1 +1 @@\n-one\n+MARK\n"),
        ));
        all.push((
            format!("{place} and otherwise in the first line"),
            new_file(place, "100644").replacen(
                &format!("a/{place} b/{place}"),
                "a/src/n b/src/n",
                1,
            ),
        ));
        let octal = place.bytes().fold(String::new(), |all, byte| all + &format!("\\{byte:03o}"));
        let quoted =
            new_file(place, "100644").replace(&format!("b/{place}"), &format!("\"b/{octal}\""));
        all.push((format!("{place} in quotes"), quoted));
    }
    // A link that leads out, and then a file behind it, in one diff or two files.
    for (name, to) in [
        ("way", "../../../canary/empty"),
        ("way", top),
        ("way", ".git/hooks"),
        ("way", "ORCH/STATE"),
    ] {
        all.push((
            format!("through a link to {to}"),
            format!("{}{}", link(name, to), new_file("way/x", "100755")),
        ));
        all.push((
            format!("a folder turned into a link to {to}"),
            format!(
                "diff --git a/src/a b/src/a\ndeleted file mode 100644\n--- a/src/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n{}{}",
                link("src", to), new_file("src/x", "100755")
            ),
        ));
    }
    all.push(("a submodule".into(), "diff --git a/sub b/sub\nnew file mode 160000\nindex 0000000..1111111\n--- /dev/null\n+++ b/sub\n@@ -0,0 +1 @@\n+Subproject commit 1111111111111111111111111111111111111111\n".into()));
    all.push(("a device".into(), new_file("src/dev", "020666")));
    all.push(("a set-id file".into(), new_file("src/suid", "104755")));
    all
}

/// A repository with links, hooks that are not there yet, and rules that decide.
fn repository() -> Yard {
    let mut yard = Yard::with(&format!("{HEAD}{}", row("T-1", "One", "READY")));
    let root = yard.ground.root().to_owned();
    fs::create_dir(root.join("src")).unwrap();
    fs::write(root.join("src/a"), "one\n").unwrap();
    symlink("../../../canary", root.join("away")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    symlink("src", root.join("near")).unwrap();
    fs::create_dir_all(yard.orch().join("patches/2026-01")).unwrap();
    fs::write(yard.ground.state().join("APPROVALS.md"), APPROVALS).unwrap();
    fs::write(yard.ground.state().join("FLAGS.md"), "AUTO_DECIDE=on\nFREEZE=off\n").unwrap();
    yard.ground.settings("auto_decide:\n  commands: [{run: [\"true\"]}]\n  max_files: 50\n");
    for line in ["init -q -b main", "add -A", "commit -q -m all"] {
        let words: Vec<&str> = ["-c", "user.name=a", "-c", "user.email=a@b"]
            .into_iter()
            .chain(line.split(' '))
            .collect();
        let mut git = yard.ground.tool("git", &words);
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        assert!(git.output().unwrap().status.success(), "git {line}");
    }
    yard.settle();
    yard
}

/// What nothing may change: all around the work tree, git's hooks and settings.
fn unmoved(yard: &Yard, path: &Path) -> bool {
    let git = yard.ground.root().join(".git");
    let is_gits =
        ["hooks", "config", "info", "HEAD"].iter().any(|name| path.starts_with(git.join(name)));
    !path.starts_with(yard.ground.root()) || is_gits
}

fn evidence(diff: &str) -> String {
    use orch::ledger::evidence::{diff_sha256, render};
    let front = orch::model::evidence::Front {
        appr_id: "A-1".into(),
        task_id: "T-1".into(),
        op: "merge".into(),
        requested_by: "WORK@ada".into(),
        ts_req: "2026-01-01T00:00:00Z".into(),
        base: None,
        worktree: None,
        files: Vec::new(),
        sha256: diff_sha256(diff),
    };
    render(&front, "One", diff)
}

const LINES: [&str; 9] = [
    "request T-1 --op other --patch hostile.diff --as WORK@ada",
    "evidence show A-1",
    "evidence verify A-1",
    "evidence apply A-1 --check",
    "decide --as CMD@eve",
    "approve A-1 --as CMD@eve",
    "evidence apply A-1 --as CMD@eve",
    "evidence apply A-1 -R --as CMD@eve",
    "check",
];

#[test]
fn t30_a_change_stays_in_the_work_tree() {
    if !has("T30", "git", &["--version"]) {
        return;
    }
    let (mut cases, mut met) = (Cases::new("T30 diffs"), 0);
    let probe = repository();
    let all = hostile(probe.top().to_str().unwrap());
    let step = (12 / scale()).max(1);
    let mut yard = probe;
    for (name, diff) in all.iter().step_by(step) {
        met += 1;
        fs::write(yard.ground.root().join("hostile.diff"), diff).unwrap();
        fs::write(yard.orch().join("patches/2026-01/x.diff.md"), evidence(diff)).unwrap();
        yard.settle();
        let applied = cases.judge(|| {
            let mut applied = false;
            for line in LINES {
                let at = format!("{name}: `{line}`");
                let ran = yard.line(line, &at);
                applied |= line.starts_with("evidence apply") && ran.exit == 0;
                yard.untouched_where(&at, |path| unmoved(&yard, path));
                for file in ["TASKS.md", "APPROVALS.md"] {
                    let text = fs::read_to_string(yard.ground.state().join(file)).unwrap();
                    assert!(!text.contains("MARK"), "{at}: it is in {file}");
                }
            }
            applied
        });
        // A fresh one where something happened to the work tree, or might have.
        if applied != Some(false) {
            yard = repository();
        }
    }
    say("T30", format_args!("{met} of {} changes that lead elsewhere", all.len()));
    cases.finish();
}
